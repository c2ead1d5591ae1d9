/* A worker on a Redis Cluster of which one primary is away: the shards of the others are claimed, run and renewed all the
 * same, and its own go on when it is back. The worker's connections give a server 500 ms for an answer. */
#include "tests/functions/worker_queue.h"

enum { ROUNDS = 10, IN_A_ROUND = 20 };

static struct redis_cluster cluster;
static struct queue queue;
static char id[ID_SIZE];

static int begin(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    redis_cluster_start(&cluster, 3, true);
    queue_init_on(&queue, &cluster);
    queue_set(&queue, "type WebCart", "handler", "noop");
    queue_set(&queue, "type XClean", "handler", "exec");
    queue_set(&queue, "type XClean", "command", "sh");
    queue_set(&queue, "redis", "timeout_ms", "500");
    queue_set(&queue, "worker", "concurrency", "8"); /* fewer than wait at a server that is away */
    queue_begin(&queue);
    queue_start_worker(&queue);
    return 0;
}

static int end(void **state)
{
    (void)state;
    if (queue.worker)
        assert_int_equal(queue_stop_worker(&queue), ST_OK);
    queue_release(&queue);
    redis_cluster_stop(&cluster);
    return 0;
}

static int complete_in(int shard)
{
    return (int)strtol(queue_redis(&queue, "HGET bgop:{%d}:counts WebCart:Complete", shard), NULL, 10);
}

/* Its server stands still with claims on their way to it, and with more operations than the worker has slots. For less than
 * a lease: what it granted in its last moment is taken back behind that by a coordinator, which is not here. */
static void shards_of_other_primaries_go_on(void **state)
{
    int shard = 1, lost = redis_cluster_owner_of(&cluster, shard), before,
        other = redis_cluster_shard_elsewhere(&cluster, shard, QUEUE_SHARDS);
    char waiting[ID_SIZE];

    (void)state;
    redis_cluster_set_timeout(&cluster, 60000); /* nobody takes its place */
    queue_submit(&queue, "WebCart", other, 1, "x", -1, id);
    queue_wait_for(queue_status_is(&queue, id, "Complete"));
    before = complete_in(other);
    queue.frozen = cluster.servers[lost].pid;
    queue.freeze = true;
    queue_submit(&queue, "WebCart", shard, 200, "x", -1, waiting);
    for (int round = 1; round <= ROUNDS; round++) {
        queue_submit(&queue, "WebCart", other, IN_A_ROUND, "x", -1, id);
        queue_wait_for(complete_in(other) - before == round * IN_A_ROUND);
    }
    kill(queue.frozen, SIGCONT);
    queue_wait_for(complete_in(shard) == 200);
    assert_int_equal(queue_count(&queue, "WebCart", "Running"), 0);
    assert_int_equal(strtoull(queue_field(&queue, waiting, "token"), NULL, 10) % (1 << 20), 1);
}

static void leases_at_other_primaries_are_renewed(void **state)
{
    int shard = 1, lost = redis_cluster_owner_of(&cluster, shard),
        other = redis_cluster_shard_elsewhere(&cluster, shard, QUEUE_SHARDS);

    (void)state;
    kill(cluster.servers[lost].pid, SIGSTOP);
    queue_submit(&queue, "XClean", other, 1, "sleep 6; echo attempt $BGOP_ATTEMPT", -1, id); /* longer than a lease */
    queue_wait_for(queue_status_is(&queue, id, "Complete"));
    assert_string_equal(queue_redis(&queue, "GET bgop:{%d}:out:%s", other, id), "attempt 1\n");
    kill(cluster.servers[lost].pid, SIGCONT);
    queue_submit(&queue, "WebCart", shard, 10, "x", -1, id);
    queue_wait_for(queue_status_is(&queue, id, "Complete"));
}

static bool has_successor(int shard, int before)
{
    int now = redis_cluster_owner_of(&cluster, shard);

    return now >= 0 && now != before;
}

static void a_replica_that_takes_over_goes_on_with_what_runs(void **state)
{
    int shard = 1, lost = redis_cluster_owner_of(&cluster, shard);

    (void)state;
    redis_cluster_set_timeout(&cluster, 500);
    queue_submit(&queue, "XClean", shard, 1, "sleep 4; echo attempt $BGOP_ATTEMPT", -1, id);
    queue_wait_for(queue_status_is(&queue, id, "Running"));
    redis_cluster_call(&cluster, lost, "WAIT 1 1000");
    redis_cluster_kill(&cluster, lost);
    queue_wait_for(has_successor(shard, lost));
    redis_cluster_await_served(&cluster);
    queue_redis(&queue, "HGET bgop:{%d}:gate gen", shard); /* until it is found */
    queue_arm(&queue, true);
    queue_wait_for(queue_status_is(&queue, id, "Complete"));
    assert_string_equal(queue_redis(&queue, "GET bgop:{%d}:out:%s", shard, id), "attempt 1\n");
    queue_submit(&queue, "WebCart", shard, 10, "x", -1, id);
    queue_wait_for(queue_status_is(&queue, id, "Complete"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shards_of_other_primaries_go_on),
        cmocka_unit_test(leases_at_other_primaries_are_renewed),
        cmocka_unit_test(a_replica_that_takes_over_goes_on_with_what_runs),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
