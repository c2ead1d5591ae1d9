/* bgop_apply: outcomes and commands, once, late, twice, out of order. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/shard.h"
#include "tests/support/test.h"

static int64_t total(struct shard *shard, const char *name)
{
    return shard_number(shard, "HGET " SHARD_PREFIX ":counts %s", name);
}

static void a_success_completes_with_the_runs_own_times_and_result(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ .payload = "work" });
    shard_claim(shard, 1);
    shard_clock(shard, shard_now(shard) + 500);
    shard_apply_entries(shard,
                        "ok 08P03000000001000A 7340033 1700000030000 321 http://w1 \"\" \"\" 'the result' \"\" \"\"");
    assert_string_equal(shard->answer, "OK 1700000030500");
    assert_string_equal(
        shard_command(shard, "HGETALL " SHARD_PREFIX ":op:%s", shard_id(1)),
        "Status Complete SystemModstamp 1700000030500 Type WebCart SubmittedAt 1700000030000 crc 1001 in \"\" "
        "StartedAt 1700000030000 WorkerUri http://w1 token 7340033 FinishedAt 1700000030321 "
        "ExpiresAt 1700003630321");
    assert_string_equal(shard_command(shard, "GET " SHARD_PREFIX ":out:%s", shard_id(1)), "the result");
    assert_string_equal(shard_command(shard, "XRANGE " SHARD_PREFIX ":done:3600 - +"),
                        "1700000030500-0 ids 08P03000000001000A");
}

static void finished_at_is_never_in_the_future(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ 0 });
    shard_claim(shard, 1);
    shard_apply_entries(shard, "ok 08P03000000001000A 7340033 1700000030000 9000 http://w1 \"\" \"\" \"\" \"\" \"\"");
    assert_string_equal(shard_field(shard, 1, "FinishedAt"), "1700000030000");
    assert_int_equal(shard_number(shard, "EXISTS " SHARD_PREFIX ":out:%s", shard_id(1)), 0);
}

static void the_fence_admits_each_batch_once(void **state)
{
    struct shard *shard = *state;
    uint64_t before;

    shard_submit(shard, 1, (struct shard_op){ 0 });
    shard_claim(shard, 1);
    shard_apply(shard, "error", 1, 1, "no");
    before = shard_digest(shard);
    assert_string_equal(
        shard_call(shard, "bgop_apply", "0 1 0 5 6 error %s 7340033 1 1 w no \"\" \"\" \"\" \"\"", shard_id(1)),
        "FENCE 1 0 5 6");
    assert_string_equal(shard_call(shard, "bgop_apply", "2 3 0 5 6"), "FENCE 1 0 5 6");
    assert_true(before == shard_digest(shard));
}

static void an_outcome_twice_counts_once(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ 0 });
    shard_claim(shard, 1);
    shard_apply_entries(shard, "error 08P03000000001000A 7340033 1700000030000 1 http://w1 a \"\" \"\" \"\" \"\" "
                               "error 08P03000000001000A 7340033 1700000030000 1 http://w1 a \"\" \"\" \"\" \"\"");
    shard_apply(shard, "error", 1, 1, "a");
    assert_string_equal(shard_places(shard, 1), "Waiting p");
    assert_string_equal(shard_field(shard, 1, "RetryCount"), "1");
    assert_int_equal(shard_number(shard, "LLEN " SHARD_PREFIX ":tries:%s", shard_id(1)), 1);
    shard_claim(shard, 1);
    shard_apply(shard, "ok", 1, 2, "");
    shard_apply(shard, "ok", 1, 2, "");
    assert_string_equal(shard_places(shard, 1), "Complete D");
    assert_int_equal(total(shard, "finished"), 1);
    assert_int_equal(total(shard, "repeated"), 1);
    assert_int_equal(total(shard, "dup_exec"), 0);
}

static void an_old_attempts_outcome_does_not_touch_the_new_one(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ 0 });
    shard_claim(shard, 1);
    shard_clock(shard, shard_now(shard) + SHARD_LEASE_MS);
    shard_tick(shard);
    shard_claim(shard, 1);
    shard_apply(shard, "ok", 1, 1, "");
    shard_apply(shard, "error", 1, 1, "no");
    assert_string_equal(shard_places(shard, 1), "Running lr");
    assert_int_equal(total(shard, "superseded"), 2);
    shard_apply(shard, "ok", 1, 2, "");
    shard_apply(shard, "ok", 1, 1, ""); /* both did the work: counted */
    assert_int_equal(total(shard, "dup_exec"), 1);
}

static void a_late_success_is_accepted_and_a_late_failure_is_not_counted_again(void **state)
{
    struct shard *shard = *state;

    for (int number = 1; number <= 2; number++) {
        shard_submit(shard, number, (struct shard_op){ 0 });
        shard_claim(shard, number);
    }
    shard_clock(shard, shard_now(shard) + SHARD_LEASE_MS);
    shard_tick(shard);
    shard_apply(shard, "error", 1, 1, "no");
    shard_apply(shard, "ok", 2, 1, "");
    assert_string_equal(shard_places(shard, 1), "Waiting p");
    assert_string_equal(shard_field(shard, 1, "RetryCount"), "");
    assert_string_equal(shard_places(shard, 2), "Complete D");
    assert_int_equal(total(shard, "late"), 1);
}

static void a_batch_may_end_and_redrive_and_cancel_one_operation(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ 0 });
    shard_claim(shard, 1);
    shard_apply_entries(shard, "permanent 08P03000000001000A 7340033 1700000030000 1 http://w1 a \"\" \"\" \"\" \"\" "
                               "redrive 08P03000000001000A 7340033 \"\" \"\" \"\" \"\" \"\" \"\" \"\" c1 "
                               "redrive 08P03000000001000A 7340033 \"\" \"\" \"\" \"\" \"\" \"\" \"\" c1 "
                               "cancel 08P03000000001000A 7340033 \"\" \"\" \"\" why \"\" \"\" \"\" c2 "
                               "ok 08P03000000001000A 7340033 1700000030000 1 http://w1 \"\" \"\" \"\" \"\" \"\"");
    assert_string_equal(shard_places(shard, 1), "Canceled DD");
    assert_string_equal(shard_field(shard, 1, "reason"), "why");
    assert_string_equal(shard_command(shard, "XREVRANGE " SHARD_PREFIX ":changes + - COUNT 3"),
                        "1700000030000-4 Canceled 08P03000000001000A 1700000030000-3 Waiting 08P03000000001000A "
                        "1700000030000-2 Error 08P03000000001000A");
}

static void redrive_starts_over_and_tokens_rise(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ .retry_limit = "1" });
    for (int attempt = 1; attempt <= 2; attempt++) {
        shard_claim(shard, 1);
        shard_apply(shard, "error", 1, attempt, "no");
    }
    assert_string_equal(shard_places(shard, 1), "Error eD");
    assert_non_null(strstr(shard_apply(shard, "redrive", 1, 2, ""), "WebCart 08P03000000001000A"));
    for (size_t i = 0; i < 4; i++) {
        static const char *const fields[] = { "Error", "FinishedAt", "ExpiresAt", "RetryCount" };

        assert_string_equal(shard_field(shard, 1, fields[i]), "");
    }
    shard_claim(shard, 1);
    assert_int_equal(strtoull(shard_field(shard, 1, "token"), NULL, 10), shard_token(shard, 3));
    shard_apply(shard, "redrive", 1, 2, ""); /* read twice */
    assert_string_equal(shard_places(shard, 1), "Running lrD");
    shard_apply(shard, "error", 1, 3, "no");
    assert_string_equal(shard_places(shard, 1), "Waiting pD"); /* one retry again */
}

static void a_claim_that_redis_forgot_is_adopted_from_its_outcome(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ 0 });
    shard_submit(shard, 2, (struct shard_op){ 0 });
    shard_apply_entries(shard, "ok 08P03000000001000A 7340033 1700000029000 100 http://w9 \"\" \"\" out \"\" \"\" "
                               "error 08P03000000002000A 7340033 1700000029000 100 http://w9 bad \"\" \"\" \"\" \"\"");
    assert_string_equal(shard_places(shard, 1), "Complete D");
    assert_string_equal(shard_field(shard, 1, "StartedAt"), "1700000029000");
    assert_string_equal(shard_field(shard, 1, "FinishedAt"), "1700000029100");
    assert_string_equal(shard_field(shard, 1, "WorkerUri"), "http://w9");
    assert_string_equal(shard_field(shard, 1, "token"), "7340033");
    assert_string_equal(shard_places(shard, 2), "Waiting p");
    assert_string_equal(shard_field(shard, 2, "RetryCount"), "1");
    shard_claim(shard, 2);
    assert_string_equal(shard_field(shard, 2, "token"), "7340034");
    assert_int_equal(total(shard, "adopted"), 2);
}

static void entries_before_their_submission_are_parked_and_applied_in_order(void **state)
{
    struct shard *shard = *state;

    shard_apply_entries(shard,
                        "error 08P03000000001000A 7340033 1700000020000 100 http://w1 bad \"\" \"\" \"\" \"\" "
                        "ok 08P03000000001000A 7340034 1700000021000 100 http://w2 \"\" \"\" 'the result' \"\" \"\" "
                        "cancel 08P03000000002000A 0 \"\" \"\" \"\" 'too late' \"\" \"\" \"\" c1");
    assert_int_equal(shard_number(shard, "HLEN " SHARD_PREFIX ":parked"), 2);
    shard_submit(shard, 1, (struct shard_op){ .payload = "work" });
    assert_string_equal(shard_places(shard, 1), "Complete D");
    assert_string_equal(shard_field(shard, 1, "RetryCount"), "1");
    assert_string_equal(shard_field(shard, 1, "WorkerUri"), "http://w2");
    assert_string_equal(shard_command(shard, "GET " SHARD_PREFIX ":out:%s", shard_id(1)), "the result");
    shard_submit(shard, 2, (struct shard_op){ 0 });
    assert_string_equal(shard_places(shard, 2), "Canceled D");
    assert_string_equal(shard_field(shard, 2, "reason"), "too late");
    assert_int_equal(shard_number(shard, "EXISTS " SHARD_PREFIX ":parked " SHARD_PREFIX ":parked_at"), 0);
}

static void parked_entries_are_forgotten_after_a_day(void **state)
{
    struct shard *shard = *state;

    shard_apply(shard, "ok", 1, 1, "");
    shard_clock(shard, shard_now(shard) + 86399999);
    shard_tick(shard);
    assert_int_equal(shard_number(shard, "HLEN " SHARD_PREFIX ":parked"), 1);
    shard_clock(shard, shard_now(shard) + 1000);
    shard_tick(shard);
    assert_int_equal(shard_number(shard, "EXISTS " SHARD_PREFIX ":parked " SHARD_PREFIX ":parked_at"), 0);
}

static void what_is_null_in_each_status(void **state)
{
    static const struct {
        const char *name, *entries; /* what happens after the claim; NULL: no claim */
        const char *set;            /* of StartedAt WorkerUri FinishedAt ExpiresAt Error due: S W F X E d */
    } rows[] = {
        { "New", NULL, "" },
        { "Running", "", "SW" },
        { "Waiting", "returned", "SW" },
        { "Waiting", "error", "SW" },
        { "Error", "error error", "SWFEd" },
        { "Error", "permanent", "SWFXE" },
        { "Complete", "ok", "SWFX" },
        { "Canceled", "returned cancel", "SWX" },
        { "Canceled", "error error cancel", "SWX" },
    };
    static const char *const fields[] = { "StartedAt", "WorkerUri", "FinishedAt", "ExpiresAt", "Error" };
    struct shard *shard = *state;

    for (int number = 0; number < (int)TEST_COUNT(rows); number++) {
        char kinds[64], found[8] = "", *rest = kinds;
        int attempt = 0, used = 0;

        shard_submit(shard, number, (struct shard_op){ 0 });
        snprintf(kinds, sizeof kinds, "%s", rows[number].entries == NULL ? "" : rows[number].entries);
        if (rows[number].entries != NULL && kinds[0] == '\0')
            shard_claim(shard, number);
        for (char *kind; kinds[0] != '\0' && (kind = strsep(&rest, " ")) != NULL;) {
            if (strcmp(kind, "cancel") != 0) {
                shard_claim(shard, number);
                attempt++;
            }
            shard_apply(shard, kind, number, attempt, "why");
        }
        assert_string_equal(shard_field(shard, number, "Status"), rows[number].name);
        for (size_t i = 0; i < TEST_COUNT(fields); i++) {
            if (shard_field(shard, number, fields[i])[0] != '\0')
                found[used++] = "SWFXE"[i];
        }
        if (strchr(strrchr(shard_places(shard, number), ' '), 'd') != NULL)
            found[used++] = 'd';
        if (strcmp(found, rows[number].set) != 0)
            fail_msg("%s after '%s': set are %s, not %s", rows[number].name, kinds, found, rows[number].set);
    }
}

static void a_canceled_schedule_has_expires_at_only(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ .process_after = "1800000000000" });
    shard_apply(shard, "cancel", 1, 0, "");
    assert_string_equal(shard_places(shard, 1), "Canceled D");
    assert_string_equal(shard_command(shard, "HGETALL " SHARD_PREFIX ":op:%s", shard_id(1)),
                        "Status Canceled SystemModstamp 1700000030000 Type WebCart SubmittedAt 1700000030000 crc 1001 "
                        "ProcessAfter 1800000000000 commands 1 ExpiresAt 1700003630000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        shard_test(a_success_completes_with_the_runs_own_times_and_result),
        shard_test(finished_at_is_never_in_the_future),
        shard_test(the_fence_admits_each_batch_once),
        shard_test(an_outcome_twice_counts_once),
        shard_test(an_old_attempts_outcome_does_not_touch_the_new_one),
        shard_test(a_late_success_is_accepted_and_a_late_failure_is_not_counted_again),
        shard_test(a_batch_may_end_and_redrive_and_cancel_one_operation),
        shard_test(redrive_starts_over_and_tokens_rise),
        shard_test(a_claim_that_redis_forgot_is_adopted_from_its_outcome),
        shard_test(entries_before_their_submission_are_parked_and_applied_in_order),
        shard_test(parked_entries_are_forgotten_after_a_day),
        shard_test(what_is_null_in_each_status),
        shard_test(a_canceled_schedule_has_expires_at_only),
    };

    return shard_tests_run(tests);
}
