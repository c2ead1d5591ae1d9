/* Every topic has more partitions than the queue uses: nothing crashes, what lies in those of the submit topic waits until
 * submit_partitions takes them in. One story in order. */
#include "tests/functions/coordinator_stack.h"

enum { ADDED = STACK_PARTITIONS }; /* the first one that was added to the submit and command topics */

static int setup(void **state)
{
    (void)state;
    stack.extra_partitions = 2;
    stack_open();
    stack_start(0, false);
    stack_wait_ready(0);
    return 0;
}

static char waiting[ID_SIZE];

static void what_is_in_an_added_partition_waits_and_the_others_go_on(void **state)
{
    const char *id;

    (void)state;
    snprintf(waiting, sizeof waiting, "%s", stack_submit(ADDED, "w", "{\"Type\":\"WebCart\",\"ParentKey\":\"w\"}"));
    stack_produce("status", STACK_SHARDS + 1, "rubbish", 7);
    stack_produce("WebCart", STACK_SHARDS + 1, "rubbish", 7);
    for (int p = 0; p < STACK_PARTITIONS; p++) {
        id = stack_submit(p, "k", "{\"Type\":\"WebCart\",\"ParentKey\":\"k\"}");
        stack_end(id, "WebCart", ENTRY_OK, NULL, "Complete");
    }
    assert_true(stack_is(waiting, ""));
    assert_true(stack.coordinators[0].on);
}

static void a_command_is_taken_from_whatever_partition(void **state)
{
    const char *id = stack_submit(0, "c", "{\"Type\":\"WebCart\",\"ParentKey\":\"c\"}");
    char json[128];

    (void)state;
    EVENTUALLY(stack_is(id, "New"));
    snprintf(json, sizeof json, "{\"Command\":\"cancel\",\"Id\":\"%s\"}", id);
    stack_produce("command", ADDED + 1, json, strlen(json));
    EVENTUALLY(stack_is(id, "Canceled"));
}

/* A fence of a partition that nobody knows, and an epoch: what Redis holds is no index by itself. */
static void numbers_in_redis_that_are_too_large_are_passed_over(void **state)
{
    const char *id;

    (void)state;
    for (int s = 0; s < STACK_SHARDS; s++) {
        struct redis_reply *reply;
        struct err err = ERR_INIT;

        assert_int_equal(redis_call(stack.redis, &reply, &err, "HSET", stack_key(s, "fences"), "s1000", "5 4 3 2",
                                    "s-1", "5 4 3 2", "s99999999999", "5 4 3 2", NULL),
                         ST_OK);
        redis_reply_free(reply);
        assert_int_equal(
            redis_call(stack.redis, &reply, &err, "HSET", "bgop:epochs", "1000", "1", "-1", "1", "x", "1", NULL),
            ST_OK);
        redis_reply_free(reply);
    }
    assert_int_equal(stack_stop(0), 0);
    stack_start(0, false);
    stack_wait_ready(0);
    id = stack_submit(0, "n", "{\"Type\":\"WebCart\",\"ParentKey\":\"n\"}");
    EVENTUALLY(stack_is(id, "New"));
}

static void a_restart_with_the_larger_number_takes_them_in(void **state)
{
    (void)state;
    assert_true(stack_is(waiting, ""));
    assert_int_equal(stack_stop(0), 0);
    stack_set("queue", "submit_partitions", "3");
    stack_start(0, false);
    EVENTUALLY(stack_is(waiting, "New"));
    assert_string_equal(stack_ask("HGET", "bgop:meta", "submit_partitions"), "3");
    assert_int_equal(stack_stop(0), 0);
}

static void fewer_than_were_taken_in_and_more_than_there_are_are_refused(void **state)
{
    static const char *const wrong[] = { "2", "5" };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(wrong); i++) {
        stack_set("queue", "submit_partitions", wrong[i]);
        stack_start(0, false);
        assert_int_equal(stack_join(0), EXIT_CONFIG);
        assert_string_equal(stack_ask("HGET", "bgop:meta", "submit_partitions"), "3");
    }
    stack_set("queue", "submit_partitions", "4"); /* and the last one, too */
    stack_start(0, false);
    stack_wait_ready(0);
    const char *id = stack_submit(ADDED + 1, "l", "{\"Type\":\"WebCart\",\"ParentKey\":\"l\"}");
    EVENTUALLY(stack_is(id, "New"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_in_an_added_partition_waits_and_the_others_go_on),
        cmocka_unit_test(a_command_is_taken_from_whatever_partition),
        cmocka_unit_test(numbers_in_redis_that_are_too_large_are_passed_over),
        cmocka_unit_test(a_restart_with_the_larger_number_takes_them_in),
        cmocka_unit_test(fewer_than_were_taken_in_and_more_than_there_are_are_refused),
    };

    return cmocka_run_group_tests(tests, setup, stack_teardown);
}
