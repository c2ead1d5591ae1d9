/* bgop_stats with known inputs: rates over 1, 5 and 60 minutes, percentiles of wait and run times, error texts by
 * count, the oldest that waits; all of them checked against what was put in. */
#include "tests/functions/read_queue.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { MINUTE = 60000, FIRST_MINUTE = 40000 /* after SHARD_T0 a minute begins */ };

static double number_at(json_t *json, const char *path)
{
    char text[128], *rest = NULL;

    snprintf(text, sizeof text, "%s", path);
    for (char *name = strtok_r(text, ".", &rest); name != NULL; name = strtok_r(NULL, ".", &rest)) {
        json = json_object_get(json, name);
        if (json == NULL)
            fail_msg("no %s in %s", name, path);
    }
    return json_number_value(json);
}

static void near(json_t *stats, const char *path, double expected)
{
    double number = number_at(stats, path);

    if (fabs(number - expected) > 0.002)
        fail_msg("%s is %.4f, expected %.4f", path, number, expected);
}

/* ---- rates ---- */

/* Ticks now and then, as a coordinator does, until the clock stands there. */
static void go_on(int64_t to_ms)
{
    while (shard_now(shard) < to_ms) {
        int64_t step = to_ms - shard_now(shard) < 20000 ? to_ms - shard_now(shard) : 20000;

        shard_clock(shard, shard_now(shard) + step);
        reads_tick(shard);
    }
}

/* minute m: m + 1 submissions in shard 3 and as many in shard 0. */
static void minutes_of_submissions(int minutes)
{
    int number = 1;

    for (int m = 0; m < minutes; m++) {
        go_on(FIRST_MINUTE + m * MINUTE + 10000);
        reads_submit(shard, 3, number, m + 1, "WebCart " PLAIN);
        reads_submit(shard, 0, number, m + 1, "WebCart " PLAIN);
        number += m + 1;
    }
}

/* Of 2 (m + 1) submissions in each of the minutes first to last. */
static double sum(int first, int last)
{
    double sum = 0;

    for (int m = first < 0 ? 0 : first; m <= last; m++)
        sum += 2 * (m + 1);
    return sum;
}

static void rates_are_what_came_in_over_the_time_it_took(void **state)
{
    json_t *stats;

    (void)state;
    minutes_of_submissions(70);
    go_on(FIRST_MINUTE + 69 * MINUTE + 15000); /* 15 s into minute 69, which has had all of its submissions */
    stats = reads_json(shard, "bgop_stats 0");
    near(stats, "rates.accepted.1m", (sum(68, 68) * 0.75 + sum(69, 69)) / 60);
    near(stats, "rates.accepted.5m", sum(64, 69) / 315);
    near(stats, "rates.accepted.60m", sum(9, 69) / 3615);
    near(stats, "rates.finished.60m", 0);
    near(stats, "accepted", sum(0, 69));
    json_decref(stats);
    stats = reads_json(shard, "bgop_stats 1 bgop:{0}");
    near(stats, "rates.accepted.5m", sum(64, 69) / 2 / 315);
    json_decref(stats);
    go_on(FIRST_MINUTE + 76 * MINUTE + 30000); /* and nothing more */
    stats = reads_json(shard, "bgop_stats 0");
    near(stats, "rates.accepted.1m", 0);
    near(stats, "rates.accepted.5m", 0);
    near(stats, "rates.accepted.60m", sum(16, 69) / 3630);
    json_decref(stats);
}

/* Nothing ticks: full minutes are not rolled up, and rates are right all the same. */
static void rates_are_right_when_nothing_ticks(void **state)
{
    static const int later[] = { 0, 1, 2, 4, 5, 7, 30, 59, 60, 61, 90 };

    (void)state;
    minutes_of_submissions(20);
    for (size_t i = 0; i < TEST_COUNT(later); i++) {
        int now = 19 + later[i];
        json_t *stats;

        shard_clock(shard, FIRST_MINUTE + now * MINUTE + 30000);
        stats = reads_json(shard, "bgop_stats 0");
        near(stats, "rates.accepted.1m",
             (sum(now - 1, now - 1 < 19 ? now - 1 : 19) * 0.5 + (now == 19 ? sum(19, 19) : 0)) / 60);
        near(stats, "rates.accepted.5m", sum(now - 5, 19) / 330);
        near(stats, "rates.accepted.60m", sum(now - 60, 19) / 3630);
        json_decref(stats);
    }
}

static void each_kind_of_event_has_its_rate(void **state)
{
    json_t *stats;

    (void)state;
    reads_tick(shard);
    shard_clock(shard, FIRST_MINUTE + 30000);
    reads_submit(shard, 3, 1, 12, "WebCart " PLAIN);
    for (int n = 1; n <= 12; n++) {
        reads_claim(shard, n);
        reads_apply(shard, n <= 6 ? "ok" : n <= 9 ? "permanent" : "error", n, 1, "no");
    }
    shard_clock(shard, FIRST_MINUTE + MINUTE);
    reads_tick(shard);
    stats = reads_json(shard, "bgop_stats 0");
    near(stats, "rates.accepted.1m", 12.0 / 60);
    near(stats, "rates.finished.1m", 6.0 / 60);
    near(stats, "rates.failed.1m", 3.0 / 60);
    near(stats, "rates.retried.1m", 3.0 / 60);
    near(stats, "rates.retried.5m", 3.0 / 300);
    near(stats, "totals.failed", 3);
    json_decref(stats);
}

/* ---- times ---- */

static void run_one(int number, int run_ms)
{
    char entry[512];

    reads_claim(shard, number);
    snprintf(entry, sizeof entry, "ok %s %" PRIu64 " %" PRId64 " %d http://w1 \"\" \"\" \"\" \"\" \"\"",
             reads_id(3, number), shard_token(shard, 1), shard->now_ms - run_ms, run_ms);
    shard_apply_entries(shard, entry);
    assert_memory_equal(shard->answer, "OK ", 3);
}

/* A bucket is a fourth of a doubling wide: what is said lies within one of the truth. */
static void within_a_bucket(json_t *stats, const char *path, double truth)
{
    double said = number_at(stats, path), bucket = pow(2, 0.25);

    if (said < truth / bucket - 1e-9 || said > truth * bucket + 1e-9)
        fail_msg("%s is %.1f, the truth is %.1f", path, said, truth);
}

static void percentiles_lie_within_a_bucket_of_the_truth(void **state)
{
    json_t *stats;
    int64_t claimed;

    (void)state;
    reads_submit(shard, 3, 1, 200, "WebCart " PLAIN);
    claimed = shard_now(shard);
    for (int n = 1; n <= 200; n++) { /* waits 20, 40 ... 4000 ms; runs 1, 4, 9 ... 40000 ms */
        shard_clock(shard, claimed + n * 20);
        run_one(n, n * n);
    }
    for (int rolled = 0; rolled < 2; rolled++) {
        stats = reads_json(shard, "bgop_stats 0");
        near(stats, "wait.count", 200);
        near(stats, "run.count", 200);
        within_a_bucket(stats, "wait.p50", 2000);
        within_a_bucket(stats, "wait.p95", 3800);
        within_a_bucket(stats, "wait.p99", 3960);
        within_a_bucket(stats, "run.p50", 10000);
        within_a_bucket(stats, "run.p95", 36100);
        within_a_bucket(stats, "run.p99", 39204);
        json_decref(stats);
        go_on(shard_now(shard) + 3 * MINUTE);
    }
    go_on(shard_now(shard) + 61 * MINUTE);
    stats = reads_json(shard, "bgop_stats 0");
    near(stats, "run.count", 0);
    assert_true(json_is_null(json_object_get(json_object_get(stats, "run"), "p50")));
    json_decref(stats);
}

/* ---- errors ---- */

static void errors_end(int first, int count, const char *text)
{
    for (int n = first; n < first + count; n++) {
        reads_claim(shard, n);
        reads_apply(shard, "permanent", n, 1, text);
        shard_clock(shard, shard_now(shard) + 1);
    }
}

static void error_is(json_t *stats, size_t at, const char *text, int count)
{
    json_t *error = json_array_get(json_object_get(stats, "errors"), at);

    assert_string_equal(json_string_value(json_object_get(error, "error")), text);
    assert_int_equal(json_integer_value(json_object_get(error, "count")), count);
}

static void errors_are_counted_by_their_text(void **state)
{
    json_t *stats;

    (void)state;
    reads_submit(shard, 3, 1, 450, "WebCart " PLAIN);
    reads_submit(shard, 3, 451, 400, "WebCart " PLAIN);
    errors_end(1, 40, "timed out");
    errors_end(41, 70, "no such host");
    errors_end(111, 40, "a refusal");
    for (int n = 1; n <= 30; n++) /* redriven: no error any more */
        reads_apply(shard, "redrive", n, 1, "");
    stats = reads_json(shard, "bgop_stats 0");
    error_is(stats, 0, "no such host", 70);
    error_is(stats, 1, "a refusal", 40);
    error_is(stats, 2, "timed out", 10);
    assert_int_equal(json_array_size(json_object_get(stats, "errors")), 3);
    near(stats, "errorsLookedAt", 120);
    json_decref(stats);
    errors_end(201, 450, "the newest");
    stats = reads_json(shard, "bgop_stats 0"); /* 570: the newest 500 are looked at */
    error_is(stats, 0, "the newest", 450);
    error_is(stats, 1, "a refusal", 40);
    error_is(stats, 2, "no such host", 10);
    near(stats, "errorsLookedAt", 500);
    json_decref(stats);
}

/* Beyond 500 each shard has its share: a shard with few is looked at as a whole. By hand, for the other shards. */
static void errors_of_all_shards_have_their_share(void **state)
{
    static const int counts[READS_SHARDS] = { 20, 700, 0, 400 };
    json_t *stats;

    (void)state;
    for (int s = 0; s < READS_SHARDS; s++) {
        for (int n = 1; n <= counts[s]; n++) {
            shard_command(shard, "HSET bgop:{%d}:op:%s Status Error Type WebCart Error 'of shard %d'", s,
                          reads_id(s, n), s);
            shard_command(shard, "ZADD bgop:{%d}:errors %d %s", s, n, reads_id(s, n));
        }
    }
    stats = reads_json(shard, "bgop_stats 0");
    near(stats, "errorsLookedAt", 500);
    error_is(stats, 0, "of shard 1", 240);
    error_is(stats, 1, "of shard 3", 240);
    error_is(stats, 2, "of shard 0", 20);
    json_decref(stats);
}

/* ---- minute by minute ---- */

static json_int_t minute_at(json_t *history, const char *name, size_t place)
{
    return json_integer_value(json_array_get(json_object_get(history, name), place));
}

static void the_last_hour_is_told_minute_by_minute(void **state)
{
    json_t *history, *one;

    (void)state;
    minutes_of_submissions(70);
    history = reads_json(shard, "bgop_history 0");
    one = reads_json(shard, "bgop_history 1 bgop:{3}");
    assert_int_equal(json_integer_value(json_object_get(history, "minute")), (SHARD_T0 + shard_now(shard)) / MINUTE);
    assert_int_equal(json_array_size(json_object_get(history, "accepted")), 60);
    for (size_t place = 0; place < 60; place++) {
        assert_int_equal(minute_at(history, "accepted", place), 2 * (10 + place + 1));
        assert_int_equal(minute_at(one, "accepted", place), 10 + place + 1);
        assert_int_equal(minute_at(history, "finished", place), 0);
    }
    json_decref(history);
    json_decref(one);
    reads_claim(shard, 1);
    reads_apply(shard, "ok", 1, 1, "");
    history = reads_json(shard, "bgop_history 0");
    assert_int_equal(minute_at(history, "finished", 59), 1);
    json_decref(history);
}

/* ---- who waits ---- */

static void the_oldest_waiting_is_the_longest_claimable(void **state)
{
    json_t *stats;

    (void)state;
    reads_submit(shard, 3, 1, 3, "WebCart " PLAIN);
    shard_clock(shard, shard_now(shard) + 5000);
    reads_submit(shard, 0, 1, 3, "WebCart " PLAIN);
    reads_submit(shard, 1, 1, 1, "Declared \"\" \"\" 1800000000000 \"\" \"\" \"\" \"\" \"\"");
    shard_clock(shard, shard_now(shard) + 2000);
    stats = reads_json(shard, "bgop_stats 0");
    near(stats, "oldestWaitingMs.WebCart", 7000);
    assert_null(
        json_object_get(json_object_get(stats, "oldestWaitingMs"), "Declared")); /* Scheduled: it does not wait */
    near(stats, "byType.Declared.Scheduled", 1);
    json_decref(stats);
    for (int n = 1; n <= 3; n++)
        reads_claim(shard, n);
    stats = reads_json(shard, "bgop_stats 0");
    near(stats, "oldestWaitingMs.WebCart", 2000);
    near(stats, "byType.WebCart.Running", 3);
    near(stats, "byType.WebCart.New", 3);
    json_decref(stats);
}

/* ---- times since ever ---- */

static int64_t bucket_at(json_t *stats, const char *member, size_t at)
{
    return json_integer_value(json_array_get(json_object_get(json_object_get(stats, member), "buckets"), at));
}

/* Runs of 0, 1, 3, 8 and 100 ms, each in a minute of its own: what was rolled up and what was not is counted once. */
static void times_since_ever_are_whole_whatever_was_rolled(void **state)
{
    static const int runs[] = { 0, 1, 3, 8, 100 };
    json_t *stats;

    (void)state;
    reads_tick(shard);
    reads_submit(shard, 3, 1, 5, "WebCart " PLAIN);
    for (int n = 1; n <= 5; n++) {
        if (n == 3)
            go_on(shard_now(shard) + MINUTE);
        else
            shard_clock(shard, shard_now(shard) + MINUTE);
        run_one(n, runs[n - 1]);
    }
    for (int later = 0; later < 4; later++) { /* at once; rolled; out of the windows; after a long time without ticks */
        stats = reads_json(shard, "bgop_stats 0");
        assert_int_equal(bucket_at(stats, "runEver", 0), 1);
        assert_int_equal(bucket_at(stats, "runEver", 1), 1);
        assert_int_equal(bucket_at(stats, "runEver", 2), 1);
        assert_int_equal(bucket_at(stats, "runEver", 3), 0);
        assert_int_equal(bucket_at(stats, "runEver", 4), 1);
        assert_int_equal(bucket_at(stats, "runEver", 7), 1);
        assert_int_equal(json_array_size(json_object_get(json_object_get(stats, "runEver"), "buckets")), 8);
        near(stats, "runEver.sumMs", 112);
        near(stats, "waitEver.sumMs", (1 + 2 + 3 + 4 + 5) * MINUTE);
        near(stats, "totals.waited_worker", (1 + 2 + 3 + 4 + 5) * MINUTE);
        json_decref(stats);
        if (later == 2)
            shard_clock(shard, shard_now(shard) + 1000 * (int64_t)MINUTE);
        go_on(shard_now(shard) + (later == 0 ? 2 : 130) * MINUTE);
    }
}

/* Nothing ticks for hours, and what was counted before and meanwhile is not forgotten when minutes are skipped. */
static void minutes_that_are_skipped_are_counted(void **state)
{
    json_t *stats;

    (void)state;
    reads_tick(shard);
    reads_submit(shard, 3, 1, 3, "WebCart " PLAIN);
    run_one(1, 5);
    shard_clock(shard, shard_now(shard) + 100 * (int64_t)MINUTE);
    run_one(2, 5);
    shard_clock(shard, shard_now(shard) + 900 * (int64_t)MINUTE);
    run_one(3, 5);
    for (int rolled = 0; rolled < 2; rolled++) {
        stats = reads_json(shard, "bgop_stats 0");
        assert_int_equal(bucket_at(stats, "runEver", 3), 3);
        near(stats, "runEver.sumMs", 15);
        near(stats, "waitEver.sumMs", 1100.0 * MINUTE);
        json_decref(stats);
        go_on(shard_now(shard) + 70 * MINUTE);
    }
}

/* ---- what operations wait for ---- */

static void waited_is(json_t *stats, const char *cause, double ms)
{
    json_t *totals = json_object_get(stats, "totals");
    char name[64];
    double number;

    snprintf(name, sizeof name, "waited_%s", cause);
    number = json_number_value(json_object_get(totals, name));
    if (fabs(number - ms) > 0.5)
        fail_msg("waited for %s: %.0f ms, expected %.0f", cause, number, ms);
}

static void seconds_of_waiting_have_their_cause(void **state)
{
    int64_t began = shard_now(shard);
    char submission[128];
    json_t *stats;

    (void)state;
    reads_tick(shard);
    /* 1 is scheduled for 7 s, then claimed 2 s after it came due */
    snprintf(submission, sizeof submission, "WebCart \"\" \"\" %" PRId64 " \"\" \"\" \"\" \"\" \"\"",
             SHARD_T0 + began + 7000);
    reads_submit(shard, 3, 1, 1, submission);
    shard_clock(shard, began + 7000);
    reads_tick(shard);
    shard_clock(shard, began + 9000);
    reads_claim(shard, 1);
    stats = reads_json(shard, "bgop_stats 0");
    waited_is(stats, "schedule", 7000);
    waited_is(stats, "worker", 2000);
    json_decref(stats);
    /* it fails twice: retry 1 at once, retry 2 after 3 times its backoff */
    reads_apply(shard, "error", 1, 1, "no");
    reads_claim(shard, 1);
    reads_apply(shard, "error", 1, 2, "no");
    shard_clock(shard, began + 12500); /* the tick is late by half a second: that is waiting, too */
    reads_tick(shard);
    stats = reads_json(shard, "bgop_stats 0");
    waited_is(stats, "retry", 3500);
    waited_is(stats, "worker", 2000);
    json_decref(stats);
}

static void a_predecessor_is_waited_for_until_it_ends(void **state)
{
    int64_t began = shard_now(shard);
    json_t *stats;

    (void)state;
    reads_submit(shard, 3, 1, 1, "WebCart p \"\" \"\" \"\" \"\" \"\" g 1");
    reads_submit(shard, 3, 2, 1, "WebCart p \"\" \"\" \"\" \"\" \"\" g 2");
    shard_clock(shard, began + 1000);
    reads_claim(shard, 1);
    shard_clock(shard, began + 5000);
    reads_apply(shard, "ok", 1, 1, "");
    shard_clock(shard, began + 5500);
    reads_claim(shard, 2);
    stats = reads_json(shard, "bgop_stats 0");
    waited_is(stats, "predecessor", 5000);
    waited_is(stats, "worker", 1500);
    waited_is(stats, "turn", 0);
    json_decref(stats);
}

static void pause(const char *kind)
{
    char entry[128];

    snprintf(entry, sizeof entry, "%s \"\" 0 \"\" \"\" \"\" why \"\" \"\" WebCart \"\"", kind);
    shard_apply_entries(shard, entry);
    assert_memory_equal(shard->answer, "OK ", 3);
}

/* One was released before the pause, one during it: both wait for it only while it lasted. */
static void a_pause_is_waited_for_while_it_lasts(void **state)
{
    int64_t began = shard_now(shard);
    json_t *stats;

    (void)state;
    reads_submit(shard, 3, 1, 1, "WebCart " PLAIN);
    shard_clock(shard, began + 60000);
    pause("pause");
    shard_clock(shard, began + 61000);
    reads_submit(shard, 3, 2, 1, "WebCart " PLAIN);
    shard_clock(shard, began + 62000);
    shard_call(shard, "bgop_claim", "i1 http://w1 paused WebCart 10 %s", reads_id(3, 2));
    shard_clock(shard, began + 70000);
    pause("resume");
    reads_tick(shard);
    stats = reads_json(shard, "bgop_stats 0");
    waited_is(stats, "pause", 10000 + 9000);
    near(stats, "claimable.WebCart", 2);
    json_decref(stats);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        read_test(rates_are_what_came_in_over_the_time_it_took),
        read_test(rates_are_right_when_nothing_ticks),
        read_test(each_kind_of_event_has_its_rate),
        read_test(percentiles_lie_within_a_bucket_of_the_truth),
        read_test(errors_are_counted_by_their_text),
        read_test(errors_of_all_shards_have_their_share),
        read_test(the_last_hour_is_told_minute_by_minute),
        read_test(the_oldest_waiting_is_the_longest_claimable),
        read_test(times_since_ever_are_whole_whatever_was_rolled),
        read_test(minutes_that_are_skipped_are_counted),
        read_test(seconds_of_waiting_have_their_cause),
        read_test(a_predecessor_is_waited_for_until_it_ends),
        read_test(a_pause_is_waited_for_while_it_lasts),
    };

    return read_tests_run(tests);
}
