/* Coordinators on a Redis Cluster of which one primary is away: what is for the shards of the others is recorded, applied and
 * timed all the same, and its own shards catch up when it, or its replica, is there. Their connections give a server 500 ms for
 * an answer. */
#include "tests/functions/coordinator_stack.h"

#include <signal.h>

enum { ROUNDS = 8, SUBMITTED_MAX = 256 };

static struct redis_cluster cluster;
static char submitted[SUBMITTED_MAX][ID_SIZE];
static int submitted_count;

/* A ParentKey of this shard. */
static const char *key_of(int shard)
{
    static char key[16];

    for (int n = 0;; n++) {
        snprintf(key, sizeof key, "k%d", n);
        if (routing_shard(key, strlen(key), 0, 0, STACK_SHARDS) == shard)
            return key;
    }
}

static const char *submit_to(int shard, int partition)
{
    const char *key = key_of(shard);
    char json[128];

    snprintf(json, sizeof json, "{\"Type\":\"WebCart\",\"ParentKey\":\"%s\"}", key);
    memcpy(submitted[submitted_count], stack_submit(partition, key, json), ID_SIZE);
    assert_int_equal(stack_shard(submitted[submitted_count]), shard);
    return submitted[submitted_count++];
}

static void recorded(const char *id)
{
    EVENTUALLY(stack_is(id, "New"));
}

static int begin(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    redis_cluster_start(&cluster, 3, true);
    stack.cluster = &cluster;
    stack_open();
    stack_set("redis", "timeout_ms", "500");
    stack_start(0, false);
    stack_wait_ready(0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    stack_close();
    redis_cluster_stop(&cluster);
    return 0;
}

/* All that was submitted is recorded once, and runs through. */
static void expect_all(int64_t accepted_before, int from)
{
    for (int i = from; i < submitted_count; i++)
        EVENTUALLY(stack_field(submitted[i], "Status")[0] != '\0');
    for (int i = from; i < submitted_count; i++)
        stack_end(submitted[i], "WebCart", ENTRY_OK, NULL, "Complete");
    assert_int_equal(stack_count("accepted") - accepted_before, submitted_count - from);
    assert_int_equal(stack_count("duplicates"), 0);
}

/* Messages for both kinds of shards lie in turns in both partitions. */
static void others_go_on_without(int lost_shard)
{
    int lost = redis_cluster_owner_of(&cluster, lost_shard), from = submitted_count,
        other = redis_cluster_shard_elsewhere(&cluster, lost_shard, STACK_SHARDS);
    int64_t accepted = stack_count("accepted");
    const char *id;

    recorded(submit_to(lost_shard, 0));
    recorded(submit_to(other, 1));
    kill(cluster.servers[lost].pid, SIGSTOP);
    for (int round = 0; round < ROUNDS; round++) {
        submit_to(lost_shard, round % STACK_PARTITIONS);
        id = submit_to(other, round % STACK_PARTITIONS);
        EVENTUALLY(stack_is(id, "New"));
        if (round % 4 == 0)
            stack_end(id, "WebCart", ENTRY_OK, NULL, "Complete");
    }
    id = submit_to(other, 0);
    stack_end(id, "WebCart", ENTRY_ERROR, "bad", "Waiting"); /* at once */
    stack_end(id, "WebCart", ENTRY_ERROR, "worse", "Error"); /* by a timer */
    EVENTUALLY(stack_is(id, "Waiting"));
    kill(cluster.servers[lost].pid, SIGCONT);
    expect_all(accepted, from);
}

static void shards_of_other_primaries_go_on(void **state)
{
    (void)state;
    redis_cluster_set_timeout(&cluster, 60000); /* nobody takes its place */
    others_go_on_without(3);
    others_go_on_without(1); /* its server has bgop:meta, too */
    others_go_on_without(0);
}

static void partitions_change_hands_meanwhile(void **state)
{
    int lost_shard = 3, lost = redis_cluster_owner_of(&cluster, lost_shard), from = submitted_count,
        other = redis_cluster_shard_elsewhere(&cluster, lost_shard, STACK_SHARDS);
    int64_t accepted = stack_count("accepted");

    (void)state;
    stack_start(1, false);
    stack_wait_ready(1);
    stack_wait_ready(0);
    for (int p = 0; p < STACK_PARTITIONS; p++)
        recorded(submit_to(lost_shard, p));
    kill(cluster.servers[lost].pid, SIGSTOP);
    for (int p = 0; p < STACK_PARTITIONS; p++) {
        submit_to(lost_shard, p);
        recorded(submit_to(other, p));
    }
    assert_int_equal(stack_stop(1), 0);
    for (int p = 0; p < STACK_PARTITIONS; p++) {
        submit_to(lost_shard, p);
        recorded(submit_to(other, p));
    }
    kill(cluster.servers[lost].pid, SIGCONT);
    expect_all(accepted, from);
}

static void a_replica_that_takes_over_is_armed_and_catches_up(void **state)
{
    int lost_shard = 3, lost = redis_cluster_owner_of(&cluster, lost_shard), from = submitted_count,
        other = redis_cluster_shard_elsewhere(&cluster, lost_shard, STACK_SHARDS);
    int64_t generation = stack_generation(lost_shard), others = stack_generation(other),
            accepted = stack_count("accepted");

    (void)state;
    redis_cluster_set_timeout(&cluster, 2000);
    redis_cluster_call(&cluster, lost, "WAIT 1 1000");
    redis_cluster_kill(&cluster, lost);
    for (int round = 0; round < ROUNDS; round++) {
        submit_to(lost_shard, round % STACK_PARTITIONS);
        recorded(submit_to(other, round % STACK_PARTITIONS));
    }
    EVENTUALLY(stack_generation(lost_shard) > generation);
    expect_all(accepted, from);
    assert_int_equal(stack_generation(other), others);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shards_of_other_primaries_go_on),
        cmocka_unit_test(partitions_change_hands_meanwhile),
        cmocka_unit_test(a_replica_that_takes_over_is_armed_and_catches_up),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
