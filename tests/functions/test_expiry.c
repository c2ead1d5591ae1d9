/* What leaves a shard, and when; statistics that are kept for an hour. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/shard.h"
#include "tests/support/test.h"

static void later(struct shard *shard, int64_t ms)
{
    shard_clock(shard, shard_now(shard) + ms);
    shard_tick(shard);
}

static int64_t keys(struct shard *shard, const char *pattern)
{
    return shard_number(shard, "EVAL \"return #redis.call('KEYS', '%s')\" 0", pattern);
}

static void an_expired_record_leaves_with_everything_that_names_it(void **state)
{
    struct shard *shard = *state;
    char payload[2000];

    memset(payload, 'x', sizeof payload - 1);
    payload[sizeof payload - 1] = '\0';
    shard_submit(shard, 1, (struct shard_op){ .parent_key = "p", .name = "n", .content = "1", .payload = payload });
    shard_submit(shard, 2, (struct shard_op){ .parent_key = "p" });
    shard_claim(shard, 1);
    shard_apply(shard, "error", 1, 1, "no");
    shard_claim(shard, 1);
    shard_apply_entries(shard, "ok 08P03000000001000A 7340034 1700000030000 0 http://w1 \"\" \"\" out \"\" \"\"");
    later(shard, 3600 * 1000 - 1);
    assert_string_equal(shard_field(shard, 1, "Status"), "Complete");
    later(shard, 1);
    assert_int_equal(keys(shard, "*08P03000000001000A*"), 0);
    assert_string_equal(shard_command(shard, "ZRANGE " SHARD_PREFIX ":parent:p 0 -1"), "08P03000000002000A");
    assert_string_equal(shard_command(shard, "XRANGE " SHARD_PREFIX ":deleted - +"),
                        "1700003630000-0 ids 08P03000000001000A crcs 1001");
    assert_int_equal(keys(shard, "*:done:*"), 0);
    assert_int_equal(keys(shard, "*:retentions"), 0);
}

static void errors_are_kept_for_their_own_time(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ 0 });
    shard_claim(shard, 1);
    shard_apply(shard, "permanent", 1, 1, "no");
    later(shard, 7200 * 1000 - 1);
    assert_string_equal(shard_places(shard, 1), "Error eD");
    later(shard, 1);
    assert_int_equal(keys(shard, "*:op:*"), 0);
    assert_int_equal(keys(shard, "*:errors"), 0);
}

/* As short as a retention may be, and two of them in one call. */
static void what_is_kept_for_a_second_leaves_after_it(void **state)
{
    struct shard *shard = *state;

    shard->generation++;
    shard_call(shard, "bgop_arm",
               "0 0 %d %d 30 15 WebCart '{\"retry_backoff_ms\":1000,\"retry_limit\":3,\"timeout_ms\":60000,"
               "\"retention_s\":1,\"retention_error_s\":2}'",
               SHARD_LEASE_MS, SHARD_RETRY_MAX_MS);
    shard_call(shard, "bgop_open", " ");
    later(shard, SHARD_LEASE_MS);
    shard_submit(shard, 1, (struct shard_op){ 0 });
    shard_claim(shard, 1);
    shard_apply(shard, "permanent", 1, 1, "no");
    shard_submit(shard, 2, (struct shard_op){ 0 });
    shard_claim(shard, 2);
    shard_apply(shard, "ok", 2, 1, "");
    assert_string_equal(shard_field(shard, 2, "Status"), "Complete");
    later(shard, 1000);
    assert_string_equal(shard_field(shard, 2, "Status"), "");
    assert_string_equal(shard_field(shard, 1, "Status"), "Error");
    later(shard, 1000);
    assert_int_equal(keys(shard, "*:op:*"), 0);
    assert_int_equal(keys(shard, "*:retentions"), 0);
}

static void a_redriven_record_does_not_expire_by_its_first_end(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ 0 });
    shard_claim(shard, 1);
    shard_apply(shard, "permanent", 1, 1, "no");
    shard_clock(shard, shard_now(shard) + 7000 * 1000);
    shard_apply(shard, "redrive", 1, 1, "");
    later(shard, 200 * 1000);
    assert_string_equal(shard_places(shard, 1), "Waiting p");
    shard_claim(shard, 1);
    shard_apply(shard, "permanent", 1, 2, "no");
    later(shard, 7200 * 1000 - 1);
    assert_string_equal(shard_places(shard, 1), "Error eD");
    later(shard, 1);
    assert_int_equal(keys(shard, "*:op:*"), 0);
}

static void a_name_is_remembered_for_a_day_after_its_record_left(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ .name = "n", .content = "1" });
    shard_apply(shard, "cancel", 1, 0, "");
    later(shard, 3600 * 1000);
    assert_int_equal(keys(shard, "*:op:*"), 0);
    shard_submit(shard, 2, (struct shard_op){ .name = "n", .content = "1" });
    assert_int_equal(shard_number(shard, "HGET " SHARD_PREFIX ":counts duplicates"), 1);
    shard_submit(shard, 3, (struct shard_op){ .name = "n", .content = "2" });
    assert_non_null(strstr(shard->answer, "is held by 08P03000000001000A"));
    later(shard, 86400 * 1000);
    assert_int_equal(keys(shard, "*:names*"), 0);
    shard_submit(shard, 4, (struct shard_op){ .name = "n", .content = "2" });
    assert_string_equal(shard_places(shard, 4), "New p");
}

static void a_slice_removes_about_its_budget_and_asks_for_the_next(void **state)
{
    struct shard *shard = *state;

    for (int number = 1; number <= 10; number++) {
        shard_submit(shard, number, (struct shard_op){ 0 });
        shard_apply(shard, "cancel", number, 0, "");
    }
    shard_clock(shard, shard_now(shard) + 3600 * 1000);
    shard_call(shard, "bgop_tick", "%" PRId64 " 4", shard->now_ms);
    assert_string_equal(shard->answer, "OK 1700003630000 0 0 0");
    assert_int_equal(keys(shard, "*:op:*"), 6);
    shard_call(shard, "bgop_tick", "%" PRId64 " 4", shard->now_ms);
    shard_call(shard, "bgop_tick", "%" PRId64 " 4", shard->now_ms);
    assert_string_equal(shard->answer, "OK 1700003630000 1000 0 0"); /* `born` is still to be swept */
    assert_int_equal(keys(shard, "*:op:*"), 0);
}

static void sleep_tells_when_something_is_due(void **state)
{
    struct shard *shard = *state;

    assert_string_equal(shard_tick(shard), "OK 1700000030000 -1 0 0");
    shard_submit(shard, 1, (struct shard_op){ 0 });
    shard_apply(shard, "cancel", 1, 0, "");
    assert_string_equal(shard_tick(shard), "OK 1700000030000 3600000 0 0");
    shard_submit(shard, 2, (struct shard_op){ .process_after = "1700000150000" });
    assert_string_equal(shard_tick(shard), "OK 1700000030000 120000 0 0");
    shard_submit(shard, 3, (struct shard_op){ 0 });
    shard_claim(shard, 3);
    assert_string_equal(shard_tick(shard), "OK 1700000030000 30000 0 0");
}

/* Everything there can be, and then a year later: only what a shard always has. */
static void in_the_end_nothing_is_left(void **state)
{
    struct shard *shard = *state;
    int64_t baseline;

    shard_submit(shard, 0, (struct shard_op){ 0 });
    shard_apply(shard, "cancel", 0, 0, "");
    for (int day = 0; day < 40; day += 20)
        later(shard, INT64_C(20) * 86400 * 1000);
    for (int i = 0; i < 200; i++)
        later(shard, 60001);
    baseline = shard_number(shard, "DBSIZE");
    assert_int_equal(baseline, 5); /* gate, types, fences, counts; sim:now */

    for (int number = 1; number <= 40; number++) {
        char name[16];
        int attempt = 1;

        snprintf(name, sizeof name, "n%d", number);
        shard_submit(
            shard, number,
            (struct shard_op){
                .name = name, .parent_key = name, .payload = name, .type = number % 2 == 0 ? "WebCart" : "XClean" });
        shard_claim(shard, number);
        if (number % 3 == 0) {
            shard_apply(shard, "error", number, attempt++, "no");
            shard_claim(shard, number);
        }
        shard_call(shard, "bgop_renew", "i1 http://w1 WebCart 8");
        shard_apply(shard, number % 4 == 0 ? "permanent" : "ok", number, attempt, "no");
        shard_apply(shard, "cancel", number + 1000, 0, ""); /* parked */
        later(shard, 30000);
    }
    for (int day = 0; day < 32; day++) {
        for (int i = 0; i < 3; i++)
            later(shard, INT64_C(8) * 3600 * 1000);
    }
    for (int i = 0; i < 200; i++)
        later(shard, 60001);
    assert_string_equal(shard_command(shard, "EVAL \"return table.concat(redis.call('KEYS', '*:*:*:*'), ' ')\" 0"),
                        "\"\"");
    assert_int_equal(shard_number(shard, "DBSIZE"), baseline);
}

static void born_is_swept_past_what_still_lives(void **state)
{
    struct shard *shard = *state;

    for (int number = 1; number <= 9; number++) {
        shard_submit(shard, number, (struct shard_op){ 0 });
        if (number != 4)
            shard_apply(shard, "cancel", number, 0, "");
    }
    later(shard, 3600 * 1000);
    later(shard, 1000);
    assert_string_equal(shard_command(shard, "XRANGE " SHARD_PREFIX ":born - +"),
                        "1700000030000-3 ids 08P03000000004000A");
}

static void changes_tell_from_when_on_they_are_complete(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ 0 });
    later(shard, INT64_C(20) * 86400 * 1000);
    assert_string_equal(shard_command(shard, "HGET " SHARD_PREFIX ":gate changes_from"), "(nil)");
    shard_submit(shard, 2, (struct shard_op){ 0 });
    later(shard, INT64_C(11) * 86400 * 1000);
    assert_string_equal(shard_command(shard, "XLEN " SHARD_PREFIX ":changes"), "1");
    assert_string_equal(shard_command(shard, "HGET " SHARD_PREFIX ":gate changes_from"), "1701728030001");
}

/* ---- statistics ---- */

static int64_t stat_of(struct shard *shard, const char *window, const char *name)
{
    return shard_number(shard, "HGET " SHARD_PREFIX ":stats:%s %s", window, name);
}

static void minutes_roll_into_five_and_sixty(void **state)
{
    struct shard *shard = *state;

    shard_clock(shard, 40000); /* T0 is 20 s into a minute: a full one */
    shard_tick(shard);
    shard_submit(shard, 1, (struct shard_op){ 0 });
    shard_submit(shard, 2, (struct shard_op){ 0 });
    shard_claim(shard, 1);
    shard_apply(shard, "ok", 1, 1, "");
    later(shard, 59999);
    assert_int_equal(stat_of(shard, "5", "accepted"), 0);
    later(shard, 1001);
    assert_int_equal(stat_of(shard, "5", "accepted"), 2);
    assert_int_equal(stat_of(shard, "60", "accepted"), 2);
    assert_int_equal(stat_of(shard, "60", "finished"), 1);
    assert_int_equal(stat_of(shard, "60", "w0"), 1);
    assert_int_equal(stat_of(shard, "60", "r14"), 1); /* 10 ms: [9.5, 11.3) */
    for (int minute = 1; minute < 5; minute++)
        later(shard, 60000);
    assert_int_equal(stat_of(shard, "5", "accepted"), 2);
    later(shard, 60000);
    assert_int_equal(stat_of(shard, "5", "accepted"), 0);
    assert_int_equal(stat_of(shard, "60", "accepted"), 2);
    for (int minute = 6; minute < 61; minute++)
        later(shard, 60000);
    assert_int_equal(stat_of(shard, "60", "accepted"), 0);
    assert_int_equal(keys(shard, "*:stats:28333334"), 0);
    assert_string_equal(shard_command(shard, "HMGET " SHARD_PREFIX ":counts accepted finished"), "2 1");
}

static void a_long_time_without_ticks_leaves_no_statistics_behind(void **state)
{
    struct shard *shard = *state;

    shard_tick(shard);
    for (int hour = 0; hour < 30; hour++) {
        shard_submit(shard, hour, (struct shard_op){ 0 });
        shard_clock(shard, shard_now(shard) + 3600 * 1000);
    }
    for (int i = 0; i < 80; i++)
        later(shard, 60001);
    assert_int_equal(keys(shard, "*:stats:*"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        shard_test(an_expired_record_leaves_with_everything_that_names_it),
        shard_test(errors_are_kept_for_their_own_time),
        shard_test(what_is_kept_for_a_second_leaves_after_it),
        shard_test(a_redriven_record_does_not_expire_by_its_first_end),
        shard_test(a_name_is_remembered_for_a_day_after_its_record_left),
        shard_test(a_slice_removes_about_its_budget_and_asks_for_the_next),
        shard_test(sleep_tells_when_something_is_due),
        shard_test(in_the_end_nothing_is_left),
        shard_test(born_is_swept_past_what_still_lives),
        shard_test(changes_tell_from_when_on_they_are_complete),
        shard_test(minutes_roll_into_five_and_sixty),
        shard_test(a_long_time_without_ticks_leaves_no_statistics_behind),
    };

    return shard_tests_run(tests);
}
