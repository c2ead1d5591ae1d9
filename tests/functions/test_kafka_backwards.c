/* Kafka that went backwards, on the mock broker. That loses nothing: the fences are made to say that more was applied. */
#include "tests/functions/coordinator_stack.h"

/* Where the submit fences of a partition stand, in the shard that has come furthest. */
static int64_t furthest_fence(int partition)
{
    char field[16];
    int64_t furthest = 0;

    snprintf(field, sizeof field, "s%d", partition);
    for (int s = 0; s < STACK_SHARDS; s++) {
        int64_t next = strtoll(stack_ask("HGET", stack_key(s, "fences"), field), NULL, 10);

        furthest = next > furthest ? next : furthest;
    }
    return furthest;
}

static void redis_set(const char *key, const char *field, const char *value)
{
    struct redis_reply *reply;
    struct err err = ERR_INIT;

    assert_int_equal(redis_call(stack.redis, &reply, &err, "HSET", key, field, value, NULL), ST_OK);
    redis_reply_free(reply);
}

static const char *id_in_epoch(const char *id, int epoch)
{
    static char made[4][ID_SIZE];
    static int n;
    char *to = made[n++ % 4];
    struct id_parts parts;

    assert_true(id_parse(id, strlen(id), &parts));
    parts.epoch = epoch;
    id_make(to, &parts);
    return to;
}

static void a_log_that_lost_its_tail_is_rewound_and_gets_a_new_epoch(void **state)
{
    char fence[128], lost[ID_SIZE];
    const char *kept = stack_submit(0, "kept", "{\"Type\":\"Sweeper\",\"ParentKey\":\"kept\"}"), *id;
    int64_t end = stack.last.offset + 1;
    struct id_parts parts;

    (void)state;
    stack_start(0, false);
    stack_wait_ready(0);
    EVENTUALLY(stack_is(kept, "New"));
    assert_int_equal(stack_stop(0), 0);
    /* As if 100 more had been applied in the shard of `kept` and one recorded, which the log does not hold any more. */
    assert_true(id_parse(kept, ID_LENGTH, &parts));
    parts.offset = end;
    id_make(lost, &parts);
    snprintf(fence, sizeof fence, "op:%s", lost);
    redis_set(stack_key(parts.shard, fence), "crc", "7");
    redis_set(stack_key(parts.shard, fence), "Status", "Complete");
    snprintf(fence, sizeof fence, "%" PRId64 " %" PRId64 " 12345 1700000000000", end + 100, end + 99);
    redis_set(stack_key(parts.shard, "fences"), "s0", fence);

    stack_start(0, false);
    stack_wait_ready(0);
    EVENTUALLY(furthest_fence(0) <= end);
    assert_string_equal(stack_ask("HGET", "bgop:epochs", "0"), "1");
    id = stack_submit(0, "kept", "{\"Type\":\"Sweeper\",\"ParentKey\":\"kept\",\"Payload\":\"new\"}");
    assert_string_equal(id, lost); /* by its place alone it would be taken for the other */
    EVENTUALLY(stack_is(id_in_epoch(id, 1), "New"));
    assert_true(stack_is(id, "Complete"));
    assert_true(stack_is(kept, "New"));
    assert_string_equal(stack_field(id_in_epoch(kept, 1), "Status"), "");
    assert_string_equal(stack_ask("HGET", "bgop:rewinds", "0"), ""); /* nothing is left to be put back */
    assert_int_equal(stack_stop(0), 0);
}

static void what_is_read_again_is_the_operation_that_it_was(void **state)
{
    const char *first = stack_submit(1, "again", "{\"Type\":\"Sweeper\",\"ParentKey\":\"again\"}"), *later;
    char fence[128];
    int shard = stack_shard(first);
    int64_t begin = stack.last.offset, duplicates;

    (void)state;
    stack_start(0, false);
    stack_wait_ready(0);
    EVENTUALLY(stack_is(first, "New"));
    assert_int_equal(stack_stop(0), 0);
    duplicates = strtoll(stack_ask("HGET", stack_key(shard, "counts"), "duplicates"), NULL, 10);
    /* Rewound to before it, by somebody who did not finish: the epoch is known, the fences are not put back. */
    snprintf(fence, sizeof fence, "%" PRId64 " %" PRId64 " -1 0 0", begin, begin + 50);
    redis_set("bgop:rewinds", "1:1", fence);
    redis_set("bgop:rewinds", "1", "1");
    redis_set("bgop:epochs", "1", "1");
    stack_start(0, false);
    stack_wait_ready(0);
    later = stack_submit(1, "again", "{\"Type\":\"Sweeper\",\"ParentKey\":\"again\",\"Payload\":\"l\"}");
    EVENTUALLY(stack_is(id_in_epoch(later, 1), "New"));
    assert_string_equal(stack_field(id_in_epoch(first, 1), "Status"), "");
    assert_int_equal(strtoll(stack_ask("HGET", stack_key(shard, "counts"), "duplicates"), NULL, 10), duplicates + 1);
    assert_string_equal(stack_ask("HGET", "bgop:rewinds", "1"), "");
    assert_int_equal(stack_stop(0), 0);
}

/* Its retention passed before Kafka came back: it ran, was kept for its time, and must not run once more. */
static void what_was_removed_is_not_recorded_again(void **state)
{
    const char *given = stack_submit(1, "gone", "{\"Type\":\"Sweeper\",\"ParentKey\":\"gone\"}"), *later;
    int64_t begin = stack.last.offset;
    char first[ID_SIZE], entry[128], key[64], crc[16];
    int shard = stack_shard(given);
    struct redis_reply *reply;
    struct err err = ERR_INIT;

    (void)state;
    snprintf(first, sizeof first, "%s", id_in_epoch(given, 1)); /* the partition was rewound above */
    stack_start(0, false);
    stack_wait_ready(0);
    EVENTUALLY(stack_is(first, "New"));
    assert_int_equal(stack_stop(0), 0);
    snprintf(crc, sizeof crc, "%s", stack_field(first, "crc"));
    snprintf(key, sizeof key, "op:%s", first);
    assert_int_equal(redis_call(stack.redis, &reply, &err, "DEL", stack_key(shard, key), NULL), ST_OK);
    redis_reply_free(reply);
    assert_int_equal(redis_call(stack.redis, &reply, &err, "XADD", stack_key(shard, "deleted"), "*", "ids", first,
                                "crcs", crc, NULL),
                     ST_OK);
    redis_reply_free(reply);
    snprintf(entry, sizeof entry, "%" PRId64 " %" PRId64 " -1 0 0", begin, begin + 50);
    redis_set("bgop:rewinds", "1:2", entry);
    redis_set("bgop:rewinds", "1", "2");
    redis_set("bgop:epochs", "1", "2");
    stack_start(0, false);
    stack_wait_ready(0);
    later = stack_submit(1, "gone", "{\"Type\":\"Sweeper\",\"ParentKey\":\"gone\",\"Payload\":\"l\"}");
    EVENTUALLY(stack_is(id_in_epoch(later, 2), "New")); /* other content, in the range that is read again: new */
    assert_string_equal(stack_field(first, "Status"), "");
    assert_string_equal(stack_field(id_in_epoch(first, 2), "Status"), "");
    assert_int_equal(stack_stop(0), 0);
}

static void a_status_log_that_lost_its_tail_is_read_on(void **state)
{
    const char *id = stack_submit(1, "status", "{\"Type\":\"Sweeper\",\"ParentKey\":\"status\"}");
    char fence[128];
    int shard;
    uint64_t token;

    (void)state;
    id = id_in_epoch(id, 2);
    shard = stack_shard(id);
    stack_start(0, false);
    stack_wait_ready(0);
    EVENTUALLY(stack_is(id, "New"));
    assert_int_equal(stack_stop(0), 0);
    redis_set(stack_key(shard, "fences"), "t", "5000 4999 12345 1700000000000");
    stack_start(0, false);
    stack_wait_ready(0);
    EVENTUALLY((token = stack_claim(id, "Sweeper")) > 0);
    stack_report(id, token, ENTRY_OK, NULL);
    EVENTUALLY(stack_is(id, "Complete"));
    snprintf(fence, sizeof fence, "%s", stack_ask("HGET", stack_key(shard, "fences"), "t"));
    assert_true(strtoll(fence, NULL, 10) < 5000);
    assert_int_equal(stack_stop(0), 0);
}

static void an_empty_redis_gets_its_epochs_back_from_the_control_topic(void **state)
{
    struct redis_reply *reply;
    struct err err = ERR_INIT;
    const char *id = stack_submit(0, "epoch", "{\"Type\":\"Sweeper\",\"ParentKey\":\"epoch\"}");
    int64_t made_at_ms, submitted_at_ms;

    (void)state;
    id = id_in_epoch(id, 1); /* partition 0 was rewound above */
    made_at_ms = clock_wall_ms();
    stack_start(0, false);
    EVENTUALLY(stack_is(id, "New"));
    assert_int_equal(stack_stop(0), 0);
    EVENTUALLY(clock_wall_ms() > made_at_ms + 50);
    assert_int_equal(redis_call(stack.redis, &reply, &err, "FLUSHALL", "SYNC", NULL), ST_OK);
    redis_reply_free(reply);
    stack_start(0, true);
    EVENTUALLY(stack_is(id, "New"));
    assert_string_equal(stack_ask("HGET", "bgop:epochs", "0"), "1");
    submitted_at_ms = strtoll(stack_field(id, "SubmittedAt"), NULL, 10);
    assert_true(submitted_at_ms > 0 && submitted_at_ms <= made_at_ms + 5); /* when it was made, not read again */
    assert_int_equal(stack_stop(0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_that_lost_its_tail_is_rewound_and_gets_a_new_epoch),
        cmocka_unit_test(what_is_read_again_is_the_operation_that_it_was),
        cmocka_unit_test(what_was_removed_is_not_recorded_again),
        cmocka_unit_test(a_status_log_that_lost_its_tail_is_read_on),
        cmocka_unit_test(an_empty_redis_gets_its_epochs_back_from_the_control_topic),
    };

    return cmocka_run_group_tests(tests, stack_setup, stack_teardown);
}
