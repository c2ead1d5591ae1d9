/* The coordinator on the mock broker and a real Redis: one story in order, since joining a group costs seconds. */
#include "tests/functions/coordinator_stack.h"

static int setup(void **state)
{
    (void)state;
    stack_open();
    stack_start(0, false);
    stack_wait_ready(0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stack_close();
    return 0;
}

static void a_submission_becomes_a_record_under_the_id_of_its_place(void **state)
{
    const char *id = stack_submit(1, "acct-1", "{\"Type\":\"WebCart\",\"ParentKey\":\"acct-1\",\"Payload\":{\"a\":1}}");

    (void)state;
    EVENTUALLY(stack_is(id, "New"));
    assert_string_equal(stack_field(id, "in"), "{\"a\":1}");
    EVENTUALLY(strstr(stack_hints(id, "WebCart").last, id));
}

static void an_outcome_completes_it(void **state)
{
    const char *id = stack_submit(0, "acct-2", "{\"Type\":\"WebCart\",\"ParentKey\":\"acct-2\"}");
    uint64_t token;

    (void)state;
    EVENTUALLY((token = stack_claim(id, "WebCart")) != 0);
    assert_true(stack_is(id, "Running"));
    stack_report(id, token, ENTRY_OK, NULL);
    EVENTUALLY(stack_is(id, "Complete"));
}

static void a_bad_message_is_rejected_with_its_reason_and_delays_nobody(void **state)
{
    size_t before = stack_read("rejects", 0).count;
    const char *id;

    (void)state;
    stack_submit(0, "", "{\"Type\":\"WebCart\",\"Bogus\":1}");
    id = stack_submit(0, "k", "{\"Type\":\"WebCart\",\"ParentKey\":\"k\"}");
    EVENTUALLY(stack_is(id, "New"));
    assert_int_equal(stack_read("rejects", 0).count, before + 1);
    assert_non_null(strstr(stack_read("rejects", 0).last, "Bogus"));
}

static void a_name_taken_by_other_content_is_rejected(void **state)
{
    size_t before = stack_read("rejects", 0).count;
    const char *id = stack_submit(0, "p", "{\"Type\":\"WebCart\",\"ParentKey\":\"p\",\"Name\":\"n\",\"Payload\":1}");

    (void)state;
    EVENTUALLY(stack_is(id, "New"));
    stack_submit(0, "p", "{\"Type\":\"WebCart\",\"ParentKey\":\"p\",\"Name\":\"n\",\"Payload\":2}");
    EVENTUALLY(stack_read("rejects", 0).count == before + 1);
    assert_non_null(strstr(stack_read("rejects", 0).last, id));
}

static void a_failure_is_retried_at_once_and_then_on_time(void **state)
{
    const char *id = stack_submit(0, "r", "{\"Type\":\"WebCart\",\"ParentKey\":\"r\"}");
    uint64_t token;
    size_t hints;
    int64_t failed_at_ms, late_ms;

    (void)state;
    EVENTUALLY((token = stack_claim(id, "WebCart")) != 0);
    stack_report(id, token, ENTRY_ERROR, "first");
    EVENTUALLY(stack_is(id, "Waiting"));
    EVENTUALLY((token = stack_claim(id, "WebCart")) != 0);
    stack_report(id, token, ENTRY_ERROR, "second");
    EVENTUALLY(stack_is(id, "Error"));
    failed_at_ms = strtoll(stack_field(id, "FinishedAt"), NULL, 10);
    hints = stack_hints(id, "WebCart").count;
    EVENTUALLY(stack_is(id, "Waiting"));
    late_ms = strtoll(stack_field(id, "SystemModstamp"), NULL, 10) - failed_at_ms - 300;
    if (late_ms < -5 || late_ms > 100)
        fail_msg("retry 2 of R = 100 ms came %" PRId64 " ms late", late_ms);
    EVENTUALLY(stack_hints(id, "WebCart").count > hints);
}

static void a_scheduled_operation_is_released_when_it_is_due(void **state)
{
    char json[128];
    const char *id;
    int64_t due_ms = clock_wall_ms() + 700, late_ms;

    (void)state;
    snprintf(json, sizeof json, "{\"Type\":\"WebCart\",\"ParentKey\":\"s\",\"ProcessAfter\":%" PRId64 "}", due_ms);
    id = stack_submit(1, "s", json);
    EVENTUALLY(stack_is(id, "Scheduled"));
    EVENTUALLY(stack_is(id, "New"));
    late_ms = strtoll(stack_field(id, "SystemModstamp"), NULL, 10) - due_ms;
    if (late_ms < 0 || late_ms > 100)
        fail_msg("released %" PRId64 " ms late", late_ms);
}

static void a_cancel_command_cancels(void **state)
{
    const char *id = stack_submit(1, "c", "{\"Type\":\"WebCart\",\"ParentKey\":\"c\"}");
    char json[128];

    (void)state;
    EVENTUALLY(stack_is(id, "New"));
    snprintf(json, sizeof json, "{\"Command\":\"cancel\",\"Id\":\"%s\",\"Reason\":\"test\"}", id);
    stack_produce("command", 1, json, strlen(json));
    EVENTUALLY(stack_is(id, "Canceled"));
}

static void a_command_that_cannot_be_resolved_is_rejected(void **state)
{
    static const char json[] = "{\"Command\":\"cancel\",\"Id\":\"nobody\"}";
    size_t before = stack_read("rejects", 0).count;

    (void)state;
    stack_produce("command", 0, json, strlen(json));
    EVENTUALLY(stack_read("rejects", 0).count == before + 1);
    assert_non_null(strstr(stack_read("rejects", 0).last, "bgop.command"));
}

static void unreadable_bytes_in_the_status_log_are_passed(void **state)
{
    const char *id = stack_submit(0, "u", "{\"Type\":\"WebCart\",\"ParentKey\":\"u\"}");
    uint64_t token;

    (void)state;
    EVENTUALLY((token = stack_claim(id, "WebCart")) != 0);
    stack_produce("status", stack_shard(id), "\xff\xff rubbish", 10);
    stack_report(id, token, ENTRY_OK, NULL);
    EVENTUALLY(stack_is(id, "Complete"));
}

static void a_lease_that_nobody_renews_is_taken_back(void **state)
{
    const char *id = stack_submit(0, "l", "{\"Type\":\"WebCart\",\"ParentKey\":\"l\"}");
    uint64_t token, again;

    (void)state;
    EVENTUALLY((token = stack_claim(id, "WebCart")) != 0);
    EVENTUALLY(stack_is(id, "Waiting"));
    assert_string_equal(stack_field(id, "lost"), "1");
    EVENTUALLY((again = stack_claim(id, "WebCart")) != 0);
    assert_true(again > token);
    stack_report(id, token, ENTRY_OK, NULL); /* the first holder, too late: a second execution is counted */
    stack_report(id, again, ENTRY_OK, NULL);
    EVENTUALLY(stack_is(id, "Complete"));
}

/* ---- several coordinators ---- */

static void a_second_coordinator_shares_the_work_and_disturbs_nobody(void **state)
{
    int64_t generation = stack_generation(0);
    const char *ids[8];

    (void)state;
    stack_start(1, false);
    stack_wait_ready(1);
    EVENTUALLY(coordinator_ready(stack.coordinators[0].coordinator));
    assert_int_equal(stack_generation(0), generation);
    for (int i = 0; i < 8; i++) {
        char key[32], json[96];

        snprintf(key, sizeof key, "two-%d", i);
        snprintf(json, sizeof json, "{\"Type\":\"Sweeper\",\"ParentKey\":\"%s\"}", key);
        ids[i] = stack_submit(i % STACK_PARTITIONS, key, json);
    }
    for (int i = 0; i < 8; i++) {
        uint64_t token;

        EVENTUALLY((token = stack_claim(ids[i], "Sweeper")) != 0);
        stack_report(ids[i], token, ENTRY_OK, NULL);
        EVENTUALLY(stack_is(ids[i], "Complete"));
    }
}

/* Redis is away meanwhile: what the other one takes over, and what it had paused, goes on when Redis is back. */
static void one_that_leaves_is_taken_over_from(void **state)
{
    const char *id;
    uint64_t token;

    (void)state;
    redis_server_kill(&stack.server);
    assert_int_equal(stack_stop(0), 0);
    redis_server_again(&stack.server);
    for (int p = 0; p < STACK_PARTITIONS; p++) {
        id = stack_submit(p, "over", "{\"Type\":\"Sweeper\",\"ParentKey\":\"over\"}");
        EVENTUALLY((token = stack_claim(id, "Sweeper")) != 0);
        stack_report(id, token, ENTRY_OK, NULL);
        EVENTUALLY(stack_is(id, "Complete"));
    }
}

/* ---- Redis comes back ---- */

static int64_t stack_count(const char *counter)
{
    int64_t sum = 0;

    for (int s = 0; s < STACK_SHARDS; s++)
        sum += strtoll(stack_ask("HGET", stack_key(s, "counts"), counter), NULL, 10);
    return sum;
}

static void a_restarted_redis_is_armed_anew_and_nothing_is_recorded_twice(void **state)
{
    int64_t generation = stack_generation(1), accepted;
    const char *id;
    uint64_t token;

    (void)state;
    id = stack_submit(0, "before", "{\"Type\":\"Sweeper\",\"ParentKey\":\"before\"}");
    EVENTUALLY(stack_is(id, "New"));
    accepted = stack_count("accepted");
    redis_server_kill(&stack.server);
    redis_server_again(&stack.server);
    EVENTUALLY(stack_generation(1) > generation);
    EVENTUALLY(strcmp(stack_ask("HGET", stack_key(1, "gate"), "mode"), "OPEN") == 0);
    EVENTUALLY(stack_count("accepted") == accepted);    /* what a slow disk lost in other shards is replayed there */
    EVENTUALLY((token = stack_claim(id, "Sweeper")) != 0);
    stack_report(id, token, ENTRY_OK, NULL);
    EVENTUALLY(stack_is(id, "Complete"));
}

static void a_redis_that_is_away_is_waited_for(void **state)
{
    const char *id;

    (void)state;
    redis_server_kill(&stack.server);
    id = stack_submit(1, "away", "{\"Type\":\"Sweeper\",\"ParentKey\":\"away\"}");
    redis_server_again(&stack.server);
    EVENTUALLY(stack_is(id, "New"));
}

/* A Redis that went backwards: fences and records of the last submissions are gone, Kafka still has them. */
static void a_redis_that_went_backwards_is_brought_forward(void **state)
{
    char old_fence[128], first[ID_SIZE], record[64];
    const char *id = stack_submit(0, "back", "{\"Type\":\"Sweeper\",\"ParentKey\":\"back\"}");
    int shard = stack_shard(id);
    int64_t accepted;

    (void)state;
    memcpy(first, id, sizeof first);
    EVENTUALLY(stack_is(first, "New"));
    snprintf(old_fence, sizeof old_fence, "%s", stack_ask("HGET", stack_key(shard, "fences"), "s0"));
    accepted = stack_count("accepted");
    id = stack_submit(0, "back", "{\"Type\":\"Sweeper\",\"ParentKey\":\"back\",\"Payload\":\"second\"}");
    EVENTUALLY(stack_is(id, "New"));

    struct redis_reply *reply;
    struct err err = ERR_INIT;
    snprintf(record, sizeof record, "op:%s", id);
    assert_int_equal(redis_call(stack.redis, &reply, &err, "DEL", stack_key(shard, record), NULL), ST_OK);
    redis_reply_free(reply);
    assert_int_equal(redis_call(stack.redis, &reply, &err, "HSET", stack_key(shard, "fences"), "s0", old_fence, NULL),
                     ST_OK);
    redis_reply_free(reply);
    redis_server_kill(&stack.server);
    redis_server_again(&stack.server);
    EVENTUALLY(stack_is(id, "New"));
    EVENTUALLY(strcmp(stack_ask("HGET", stack_key(shard, "gate"), "mode"), "OPEN") == 0);
    assert_int_equal(stack_count("accepted"), accepted + 2);
}

static void ingest_pauses_while_redis_is_nearly_full(void **state)
{
    const char *before = stack_submit(0, "full", "{\"Type\":\"Sweeper\",\"ParentKey\":\"full\"}"), *id;
    char limit[32];
    uint64_t token;

    (void)state;
    EVENTUALLY(stack_is(before, "New"));
    snprintf(limit, sizeof limit, "%" PRId64, stack_info_number("used_memory") * 110 / 100);
    stack_config("maxmemory", limit);
    EVENTUALLY(!coordinator_ready(stack.coordinators[1].coordinator));
    id = stack_submit(0, "full", "{\"Type\":\"Sweeper\",\"ParentKey\":\"full\",\"Payload\":\"later\"}");
    EVENTUALLY((token = stack_claim(before, "Sweeper")) != 0);
    stack_report(before, token, ENTRY_OK, NULL);
    EVENTUALLY(stack_is(before, "Complete")); /* what is recorded still ends */
    assert_true(stack_is(id, ""));
    stack_config("maxmemory", "0");
    EVENTUALLY(stack_is(id, "New"));
}

/* ---- what only a person can decide ---- */

static void an_empty_redis_beside_a_queue_with_history_halts_until_rebuild(void **state)
{
    struct redis_reply *reply;
    struct err err = ERR_INIT;
    const char *id = stack_submit(0, "rebuild", "{\"Type\":\"Sweeper\",\"ParentKey\":\"rebuild\"}");

    (void)state;
    EVENTUALLY(stack_is(id, "New"));
    assert_int_equal(redis_call(stack.redis, &reply, &err, "FLUSHALL", "SYNC", NULL), ST_OK);
    redis_reply_free(reply);
    assert_int_equal(stack_join(1), EXIT_CONFIG);
    stack_start(0, false);
    assert_int_equal(stack_join(0), EXIT_CONFIG);
    stack_start(0, true);
    EVENTUALLY(stack_is(id, "New"));
    assert_int_equal(stack_stop(0), 0);
}

static void another_shard_count_is_refused(void **state)
{
    (void)state;
    stack_set("queue", "shards", "8");
    stack_start(0, false);
    assert_int_equal(stack_join(0), EXIT_CONFIG);
    stack_set("queue", "shards", "4");
}

static void a_partition_whose_history_was_rewritten_halts_alone(void **state)
{
    char fence[128];
    struct redis_reply *reply;
    struct err err = ERR_INIT;
    const char *id, *other;
    int64_t next, offset, timestamp;
    uint32_t sum;

    (void)state;
    snprintf(fence, sizeof fence, "%s", stack_ask("HGET", stack_key(0, "fences"), "s0"));
    assert_int_equal(sscanf(fence, "%" SCNd64 " %" SCNd64 " %" SCNu32 " %" SCNd64, &next, &offset, &sum, &timestamp),
                     4);
    snprintf(fence, sizeof fence, "%" PRId64 " %" PRId64 " %" PRIu32 " %" PRId64, next, offset, sum + 1, timestamp);
    assert_int_equal(redis_call(stack.redis, &reply, &err, "HSET", stack_key(0, "fences"), "s0", fence, NULL), ST_OK);
    redis_reply_free(reply);
    stack_start(0, false);
    id = stack_submit(0, "halted", "{\"Type\":\"Sweeper\",\"ParentKey\":\"halted\"}");
    stack_wait_ready(0);
    other = stack_submit(1, "other", "{\"Type\":\"Sweeper\",\"ParentKey\":\"other\"}");
    EVENTUALLY(stack_is(other, "New"));
    assert_true(stack_is(id, ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_submission_becomes_a_record_under_the_id_of_its_place),
        cmocka_unit_test(an_outcome_completes_it),
        cmocka_unit_test(a_bad_message_is_rejected_with_its_reason_and_delays_nobody),
        cmocka_unit_test(a_name_taken_by_other_content_is_rejected),
        cmocka_unit_test(a_failure_is_retried_at_once_and_then_on_time),
        cmocka_unit_test(a_scheduled_operation_is_released_when_it_is_due),
        cmocka_unit_test(a_cancel_command_cancels),
        cmocka_unit_test(a_command_that_cannot_be_resolved_is_rejected),
        cmocka_unit_test(unreadable_bytes_in_the_status_log_are_passed),
        cmocka_unit_test(a_lease_that_nobody_renews_is_taken_back),
        cmocka_unit_test(a_second_coordinator_shares_the_work_and_disturbs_nobody),
        cmocka_unit_test(one_that_leaves_is_taken_over_from),
        cmocka_unit_test(a_restarted_redis_is_armed_anew_and_nothing_is_recorded_twice),
        cmocka_unit_test(a_redis_that_is_away_is_waited_for),
        cmocka_unit_test(a_redis_that_went_backwards_is_brought_forward),
        cmocka_unit_test(ingest_pauses_while_redis_is_nearly_full),
        cmocka_unit_test(an_empty_redis_beside_a_queue_with_history_halts_until_rebuild),
        cmocka_unit_test(another_shard_count_is_refused),
        cmocka_unit_test(a_partition_whose_history_was_rewritten_halts_alone),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
