/* The retry law inside Redis, against tests/support/retry_law.c, with a clock that the test moves. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/retry_law.h"
#include "tests/support/shard.h"
#include "tests/support/test.h"

/* Fails attempt k (which grants retry k) and waits for the next. Answers the delay that was granted. */
static int64_t fail_and_wait(struct shard *shard, int number, int k)
{
    int64_t failed_at, delay;
    char text[16];

    shard_claim(shard, number);
    shard_clock(shard, shard_now(shard) + 40);
    failed_at = shard->now_ms; /* StartedAt = now - 10, 10 ms: shard_apply */
    shard_apply(shard, "error", number, k, "no");
    snprintf(text, sizeof text, "%d", k);
    assert_string_equal(shard_field(shard, number, "RetryCount"), text);
    if (strcmp(shard_places(shard, number), "Waiting p") == 0)
        return 0;
    assert_string_equal(shard_places(shard, number), "Error de");
    delay = shard_number(shard, "ZSCORE " SHARD_PREFIX ":due %s", shard_id(number)) - failed_at;
    shard_clock(shard, failed_at + delay - 1 - SHARD_T0);
    shard_tick(shard);
    assert_string_equal(shard_places(shard, number), "Error de");
    shard_clock(shard, shard_now(shard) + 1);
    shard_tick(shard);
    assert_string_equal(shard_places(shard, number), "Waiting p");
    return delay;
}

static void retries_come_by_the_law(void **state)
{
    static const char *const backoffs[] = { "0", "1", "1000", "999999999" };
    struct shard *shard = *state;

    for (int n = 0; n < (int)TEST_COUNT(backoffs); n++) {
        int64_t backoff = strtoll(backoffs[n], NULL, 10);

        shard_submit(shard, n, (struct shard_op){ .retry_limit = "60", .retry_backoff = backoffs[n] });
        for (int k = 1; k <= 60; k++)
            assert_int_equal(fail_and_wait(shard, n, k), retry_delay_ms(k, backoff, SHARD_RETRY_MAX_MS));
        shard_claim(shard, n);
        shard_apply(shard, "error", n, 61, "the last");
        assert_string_equal(shard_places(shard, n), "Error eD");
        assert_string_equal(shard_field(shard, n, "RetryCount"), "60");
    }
}

static void with_a_second_of_backoff_it_is_0_3_7_15_seconds(void **state)
{
    static const int64_t expected_ms[] = { 0, 3000, 7000, 15000 };
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ .retry_limit = "4" });
    for (int k = 1; k <= 4; k++)
        assert_int_equal(fail_and_wait(shard, 1, k), expected_ms[k - 1]);
}

static void a_handlers_wish_replaces_the_law_and_counts(void **state)
{
    struct shard *shard = *state;
    char entry[256];

    shard_submit(shard, 1, (struct shard_op){ .retry_limit = "2" });
    shard_claim(shard, 1);
    snprintf(entry, sizeof entry, "error %s %" PRIu64 " %" PRId64 " 10 http://w1 busy 5000 \"\" \"\" \"\"", shard_id(1),
             shard_token(shard, 1), shard->now_ms - 10);
    shard_apply_entries(shard, entry);
    assert_string_equal(shard_places(shard, 1), "Error de");
    assert_int_equal(shard_number(shard, "ZSCORE " SHARD_PREFIX ":due %s", shard_id(1)), shard->now_ms + 5000);
    assert_string_equal(shard_field(shard, 1, "RetryCount"), "1");
    shard_clock(shard, shard_now(shard) + 5000);
    shard_tick(shard);
    shard_claim(shard, 1);
    snprintf(entry, sizeof entry, "error %s %" PRIu64 " %" PRId64 " 10 http://w1 busy 99999999999 \"\" \"\" \"\"",
             shard_id(1), shard_token(shard, 2), shard->now_ms - 10);
    shard_apply_entries(shard, entry);
    assert_int_equal(shard_number(shard, "ZSCORE " SHARD_PREFIX ":due %s", shard_id(1)),
                     shard->now_ms + SHARD_RETRY_MAX_MS);
}

static void no_retries_left_or_wanted_is_final(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ .retry_limit = "0" });
    shard_claim(shard, 1);
    shard_apply(shard, "error", 1, 1, "no");
    assert_string_equal(shard_places(shard, 1), "Error eD");
    assert_string_equal(shard_field(shard, 1, "RetryCount"), "");
    shard_submit(shard, 2, (struct shard_op){ 0 });
    shard_claim(shard, 2);
    shard_apply(shard, "permanent", 2, 1, "wrong data");
    assert_string_equal(shard_places(shard, 2), "Error eD");
    assert_string_equal(shard_field(shard, 2, "Error"), "wrong data");
}

static void three_crashes_in_a_row_are_final(void **state)
{
    static const char *const kinds[] = { "crashed", "crashed", "error", "crashed", "crashed", "crashed" };
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ .retry_limit = "50", .retry_backoff = "0" });
    for (int attempt = 1; attempt <= (int)TEST_COUNT(kinds); attempt++) {
        assert_string_equal(shard_places(shard, 1), attempt == 1 ? "New p" : "Waiting p");
        shard_claim(shard, 1);
        shard_apply(shard, kinds[attempt - 1], 1, attempt, "signal 11");
    }
    assert_string_equal(shard_places(shard, 1), "Error eD");
    assert_string_equal(shard_field(shard, 1, "crashes"), "3");
    shard_apply(shard, "redrive", 1, 6, "");
    assert_string_equal(shard_field(shard, 1, "crashes"), "");
    assert_string_equal(shard_field(shard, 1, "RetryCount"), "");
    shard_claim(shard, 1);
    shard_apply(shard, "crashed", 1, 7, "");
    assert_string_equal(shard_places(shard, 1), "Waiting pD");
    assert_string_equal(shard_field(shard, 1, "RetryCount"), "1");
}

static void error_is_cut_at_255_characters_and_tries_tell_all(void **state)
{
    struct shard *shard = *state;
    char text[1200] = "", expected[600];

    for (int i = 0; i < 300; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s", i % 2 == 0 ? "\xc3\xa9" : "x");
    shard_submit(shard, 1, (struct shard_op){ .retry_limit = "0" });
    shard_claim(shard, 1);
    shard_apply(shard, "error", 1, 1, text);
    snprintf(expected, sizeof expected, "%.*s", 128 * 2 + 127, text);
    assert_string_equal(shard_field(shard, 1, "Error"), expected);
    snprintf(text, sizeof text,
             "{\"attempt\":1,\"worker\":\"http://w1\",\"started\":%" PRId64 ",\"finished\":%" PRId64
             ",\"error\":\"%.599s\"}",
             shard->now_ms - 10, shard->now_ms, expected);
    assert_string_equal(shard_command(shard, "LRANGE " SHARD_PREFIX ":tries:%s 0 -1", shard_id(1)), text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        shard_test(retries_come_by_the_law),
        shard_test(with_a_second_of_backoff_it_is_0_3_7_15_seconds),
        shard_test(a_handlers_wish_replaces_the_law_and_counts),
        shard_test(no_retries_left_or_wanted_is_final),
        shard_test(three_crashes_in_a_row_are_final),
        shard_test(error_is_cut_at_255_characters_and_tries_tell_all),
    };

    return shard_tests_run(tests);
}
