/* Execution groups: the worker as a whole, against the real functions and the mock broker (worker_queue.h). */
#include "tests/functions/worker_queue.h"

static struct queue queue;
static char id[ID_SIZE];

static int begin(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    queue_init(&queue);
    queue_set(&queue, "type XClean", "handler", "exec");
    queue_set(&queue, "type XClean", "command", "sh");
    queue_set(&queue, "type CdpMetadataDeploy", "handler", "exec"); /* each member's payload is its shell script */
    queue_set(
        &queue, "type CdpMetadataDeploy", "command",
        "sh -c 'while read -r m; do id=${m#*:\\\"}; id=${id%%\\\"*}; p=${m##*:\\\"}; p=${p%\\\"\\}};"
        "if r=$(eval \"$p\"); then echo "
        "\"{\\\"Id\\\":\\\"$id\\\",\\\"Outcome\\\":\\\"ok\\\",\\\"Result\\\":\\\"$r\\\"}\";"
        "else echo \"{\\\"Id\\\":\\\"$id\\\",\\\"Outcome\\\":\\\"permanent\\\",\\\"Error\\\":\\\"no\\\"}\"; fi; done'");
    queue_set(&queue, "type CdpMetadataDeploy", "merge_max", "10");
    queue_set(&queue, "type SiteTaskCreate", "handler", "noop");
    queue_set(&queue, "type SiteTaskCreate", "merge_max", "500");
    queue_set(&queue, "worker", "drain_timeout_ms", "300");
    queue_set(&queue, "redis", "timeout_ms", "1000");
    queue_begin(&queue);
    queue_start_worker(&queue);
    return 0;
}

static int end(void **state)
{
    (void)state;
    assert_int_equal(queue_stop_worker(&queue), ST_OK);
    queue_release(&queue);
    return 0;
}

enum { CHILDREN = 4 };
static char children[CHILDREN][ID_SIZE];

/* A head that runs for a moment, and behind it four that make the next group; answers when that one runs. */
static void start_group(int shard, const char *parent_key, const char *const payloads[CHILDREN])
{
    char head[ID_SIZE];

    queue_submit_child(&queue, "CdpMetadataDeploy", shard, parent_key, "sleep 0.5", head);
    queue_wait_for(queue_status_is(&queue, head, "Running"));
    for (int i = 0; i < CHILDREN; i++)
        queue_submit_child(&queue, "CdpMetadataDeploy", shard, parent_key, payloads[i], children[i]);
    queue_wait_for(queue_status_is(&queue, children[0], "Running"));
    for (int i = 1; i < CHILDREN; i++)
        assert_string_equal(queue_field(&queue, children[i], "Status"), "Merged");
}

static void wait_for_children(const char *first, const char *others)
{
    for (int i = 0; i < CHILDREN; i++)
        queue_wait_for(queue_status_is(&queue, children[i], i == 0 ? first : others) &&
                       queue_field(&queue, children[i], "ExpiresAt")[0] != '\0');
}

static void members_of_a_group_have_their_own_outcomes(void **state)
{
    static const char *const payloads[CHILDREN] = { "echo one; sleep 0.3", "exit 1", "echo three", "echo four" };

    (void)state;
    start_group(1, "own", payloads);
    queue_wait_for(queue_status_is(&queue, children[0], "Complete"));
    assert_string_equal(queue_field(&queue, children[0], "NumFollowers"), "2");
    assert_string_equal(queue_field(&queue, children[1], "Status"), "Error");
    assert_string_equal(queue_field(&queue, children[1], "Error"), "no");
    assert_string_equal(queue_field(&queue, children[1], "GroupLeaderId"), "");
    assert_string_equal(queue_field(&queue, children[2], "Status"), "Merged");
    assert_string_equal(queue_redis(&queue, "GET bgop:{1}:out:%s", children[3]), "four");
    assert_string_equal(queue_redis(&queue, "EXISTS bgop:{1}:group:%s-1", children[0]), "0");
}

/* The leases of a group are its leader's: renewed for longer than a lease lasts, reasserted after a recovery. */
static void a_group_survives_a_new_generation_and_outlives_its_lease(void **state)
{
    static const char *const payloads[CHILDREN] = { "sleep 5.5", "echo two", "echo three", "echo four" };

    (void)state;
    start_group(2, "survives", payloads);
    queue_arm(&queue, false);
    usleep(300000);
    queue_open(&queue);
    wait_for_children("Complete", "Merged");
    for (int i = 0; i < CHILDREN; i++)
        assert_int_equal(strtoull(queue_field(&queue, children[i], "token"), NULL, 10) % (1 << 20), 1);
}

static void a_group_whose_lease_another_took_is_stopped(void **state)
{
    static const char *const payloads[CHILDREN] = { "sleep 60", "echo two", "echo three", "echo four" };

    (void)state;
    start_group(3, "robbed", payloads);
    queue_redis(&queue, "HSET bgop:{3}:leases %s 9999999999999999_1_other", children[0]);
    queue_wait_for(!queue_page_shows(&queue, "/json", children[0]));
    queue_redis(&queue, "HSET bgop:{3}:cancels %s enough", children[0]);
    for (int i = 1; i < CHILDREN; i++)
        queue_cancel(&queue, children[i]);
    queue_wait_for(!queue_status_is(&queue, children[0], "Running"));
}

static void running_members_are_canceled_and_the_group_goes_on(void **state)
{
    static const char *const payloads[CHILDREN] = { "sleep 2", "echo two", "exit 1", "echo four" };

    (void)state;
    start_group(1, "canceled", payloads);
    queue_cancel(&queue, children[1]);
    queue_cancel(&queue, children[2]);
    queue_wait_for(queue_status_is(&queue, children[0], "Complete"));
    assert_string_equal(queue_field(&queue, children[1], "Status"), "Merged"); /* success wins */
    assert_string_equal(queue_field(&queue, children[2], "Status"), "Canceled");
    assert_string_equal(queue_field(&queue, children[3], "Status"), "Merged");
}

static void a_group_whose_members_are_all_canceled_is_stopped(void **state)
{
    static const char *const payloads[CHILDREN] = { "sleep 60", "echo two", "echo three", "echo four" };

    (void)state;
    start_group(1, "all", payloads);
    for (int i = 0; i < CHILDREN; i++)
        queue_cancel(&queue, children[i]);
    wait_for_children("Canceled", "Canceled");
}

/* The claim that makes the group is answered to nobody, and asked again. */
static void lost_replies_bring_the_same_group_again(void **state)
{
    char head[ID_SIZE];

    (void)state;
    queue_submit_child(&queue, "CdpMetadataDeploy", 0, "lost", "sleep 0.5", head);
    queue_wait_for(queue_status_is(&queue, head, "Running"));
    for (int i = 0; i < CHILDREN; i++)
        queue_submit_child(&queue, "CdpMetadataDeploy", 0, "lost", "echo $BGOP_MEMBERS", children[i]);
    queue.freeze = true; /* with the hint that the head's end brings */
    queue_wait_for(!queue.freeze);
    usleep(1300000);
    kill(queue.server.pid, SIGCONT);
    wait_for_children("Complete", "Merged");
    assert_string_equal(queue_redis(&queue, "GET bgop:{0}:out:%s", children[3]), "4");
    assert_int_equal(strtoull(queue_field(&queue, children[3], "token"), NULL, 10) % (1 << 20), 1);
}

/* An answer ends before the next execution could bring more operations than it may hold: with merge_max 500 behind each
 * one. The Ids that it did not come to are asked for again, and need not wait until they are pulled (5 s). */
static void heads_that_an_answer_had_no_room_for_are_asked_for_again(void **state)
{
    int64_t best = INT64_MAX;

    (void)state;
    for (int round = 0; round < 3 && best > 3000; round++) {
        int before = queue_count(&queue, "SiteTaskCreate", "Complete");
        int64_t began = clock_boot_ms();

        queue_submit(&queue, "SiteTaskCreate", 0, 40, "x", -1, id); /* no ParentKey: each on its own */
        queue_wait_for(queue_count(&queue, "SiteTaskCreate", "Complete") - before == 40);
        best = clock_boot_ms() - began < best ? clock_boot_ms() - began : best;
    }
    assert_in_range(best, 0, 3000);
}

/* The coordinator's configuration merges a Type that this worker's does not: its handler would take one member's payload
 * for all. */
static void groups_that_this_worker_cannot_run_are_given_back(void **state)
{
    char head[ID_SIZE];

    (void)state;
    queue.merge_all = 5;
    queue_arm(&queue, true);
    queue_submit_child(&queue, "XClean", 1, "unfit", "sleep 0.5", head);
    queue_wait_for(queue_status_is(&queue, head, "Running"));
    for (int i = 0; i < CHILDREN; i++)
        queue_submit_child(&queue, "XClean", 1, "unfit", "echo plain", children[i]);
    queue_wait_for(strtoull(queue_field(&queue, children[1], "token"), NULL, 10) % (1 << 20) == 1);
    for (int i = 0; i < CHILDREN; i++)
        queue_wait_for(queue_status_is(&queue, children[i], "Waiting"));
    queue.merge_all = 0;
    queue_arm(&queue, true); /* settings agree again */
    for (int i = 0; i < CHILDREN; i++) {
        queue_wait_for(queue_status_is(&queue, children[i], "Complete"));
        assert_string_equal(queue_redis(&queue, "GET bgop:{1}:out:%s", children[i]), "plain\n");
        assert_string_equal(queue_field(&queue, children[i], "RetryCount"), "");
    }
}

/* Last: it stops the worker. */
static void drain_gives_back_whole_groups(void **state)
{
    static const char *const payloads[CHILDREN] = { "sleep 60", "echo two", "echo three", "echo four" };

    (void)state;
    start_group(2, "drained", payloads);
    assert_int_equal(queue_stop_worker(&queue), ST_OK);
    for (int i = 0; i < CHILDREN; i++) {
        queue_wait_for(queue_status_is(&queue, children[i], "Waiting"));
        assert_string_equal(queue_field(&queue, children[i], "RetryCount"), "");
        assert_string_equal(queue_field(&queue, children[i], "ExecutionGroup"), "");
    }
    queue_start_worker(&queue);
    queue_wait_for(strtoull(queue_field(&queue, children[0], "token"), NULL, 10) % (1 << 20) == 2);
    for (int i = 0; i < CHILDREN; i++)
        queue_cancel(&queue, children[i]);
    wait_for_children("Canceled", "Canceled");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_of_a_group_have_their_own_outcomes),
        cmocka_unit_test(a_group_survives_a_new_generation_and_outlives_its_lease),
        cmocka_unit_test(a_group_whose_lease_another_took_is_stopped),
        cmocka_unit_test(running_members_are_canceled_and_the_group_goes_on),
        cmocka_unit_test(a_group_whose_members_are_all_canceled_is_stopped),
        cmocka_unit_test(lost_replies_bring_the_same_group_again),
        cmocka_unit_test(heads_that_an_answer_had_no_room_for_are_asked_for_again),
        cmocka_unit_test(groups_that_this_worker_cannot_run_are_given_back),
        cmocka_unit_test(drain_gives_back_whole_groups),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
