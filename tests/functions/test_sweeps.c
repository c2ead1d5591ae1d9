/* What is left of removed records in the streams that name them goes as fast as records go, however busy the queue is. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/shard.h"
#include "tests/support/test.h"

enum { RATE = 1000, SECONDS = 6, TICKS = 20, STREAM_MAX_BYTES = 33554432 };

static void keep_for_a_second(struct shard *shard)
{
    shard->generation++;
    shard_call(shard, "bgop_arm",
               "0 0 %d %d 30 15 WebCart '{\"retry_backoff_ms\":1000,\"retry_limit\":3,\"timeout_ms\":60000,"
               "\"retention_s\":1,\"retention_error_s\":604800}'",
               SHARD_LEASE_MS, SHARD_RETRY_MAX_MS);
    shard_call(shard, "bgop_open", " ");
    shard_clock(shard, shard_now(shard) + SHARD_LEASE_MS);
    shard_tick(shard);
}

static void pass(struct shard *shard, int64_t ms)
{
    shard_clock(shard, shard_now(shard) + ms);
    shard_tick(shard);
}

/* One that stays in front of all that go, as one that failed for good does. */
static void one_that_stays(struct shard *shard, int number)
{
    shard_submit(shard, number, (struct shard_op){ 0 });
    shard_claim(shard, number);
    shard_apply(shard, "permanent", number, 1, "no");
}

static void streams_do_not_outgrow_what_is_recorded(void **state)
{
    struct shard *shard = *state;
    int number = 1;

    keep_for_a_second(shard);
    one_that_stays(shard, number++);
    for (int tick = 0; tick < SECONDS * TICKS; tick++) {
        for (int i = 0; i < RATE / TICKS; i++, number++) {
            shard_submit(shard, number, (struct shard_op){ 0 });
            shard_claim(shard, number);
            shard_apply(shard, "ok", number, 1, "");
        }
        pass(shard, 1000 / TICKS);
    }
    assert_true(shard_number(shard, "XLEN " SHARD_PREFIX ":born") < 4 * RATE);
    assert_true(shard_number(shard, "XLEN " SHARD_PREFIX ":worker:http://w1") < 4 * RATE);
    for (int tick = 0; tick < 3 * TICKS; tick++)
        pass(shard, 1000 / TICKS);
    assert_int_equal(shard_number(shard, "EVAL \"return #redis.call('KEYS', '*:op:*')\" 0"), 1);
    assert_true(shard_number(shard, "XLEN " SHARD_PREFIX ":born") < RATE);
    assert_true(shard_number(shard, "XLEN " SHARD_PREFIX ":worker:http://w1") < RATE);
}

static void names_are_forgotten_as_fast_as_ticks_come(void **state)
{
    struct shard *shard = *state;
    char name[16];

    for (int number = 1; number <= 1800; number++) {
        snprintf(name, sizeof name, "n%d", number);
        shard_submit(shard, number, (struct shard_op){ .name = name });
        shard_apply(shard, "cancel", number, 0, "");
    }
    pass(shard, 3600 * 1000);
    for (int i = 0; i < 5; i++)
        pass(shard, 0);
    assert_int_equal(shard_number(shard, "HLEN " SHARD_PREFIX ":names"), 1800);
    pass(shard, 86400 * 1000);
    assert_string_equal(shard->answer, "OK 1700090030000 0 0 0"); /* again at once: there is more */
    for (int i = 0; i < 4; i++)
        pass(shard, 0);
    assert_string_equal(shard->answer, "OK 1700090030000 -1 0 0");
    assert_int_equal(shard_number(shard, "HLEN " SHARD_PREFIX ":names"), 0);
}

/* 3,000 calls a second change something; each entry is a kilobyte here. */
static void changes_stay_below_their_bytes(void **state)
{
    struct shard *shard = *state;
    int64_t bytes = 0;

    for (int second = 0; second < 20; second++) {
        shard_command(
            shard,
            "EVAL \"for i = 1, 3000 do redis.call('XADD', KEYS[1], '*', 'Complete', ('x'):rep(1000)) end\" 1 " SHARD_PREFIX
            ":changes");
        pass(shard, 1000);
        bytes = shard_number(shard, "MEMORY USAGE " SHARD_PREFIX ":changes SAMPLES 0");
    }
    assert_true(bytes > STREAM_MAX_BYTES / 2);
    assert_true(bytes < STREAM_MAX_BYTES + STREAM_MAX_BYTES / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        shard_test(streams_do_not_outgrow_what_is_recorded),
        shard_test(names_are_forgotten_as_fast_as_ticks_come),
        shard_test(changes_stay_below_their_bytes),
    };

    return shard_tests_run(tests);
}
