/* Leases: renewed, lost, taken back, re-asserted after Redis went backwards. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/shard.h"
#include "tests/support/test.h"

static void renewing_keeps_a_lease_until_the_backstop(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ .timeout = "40000" });
    shard_claim(shard, 1);
    shard_clock(shard, shard_now(shard) + 10000);
    assert_string_equal(shard_call(shard, "bgop_renew", "i1 http://w1 'WebCart XClean' 8 %s 7340033", shard_id(1)),
                        "OK 1700000040000 30000 1 0");
    assert_string_equal(shard_command(shard, "ZSCORE " SHARD_PREFIX ":running %s", shard_id(1)), "1700000070000");
    shard_clock(shard, shard_now(shard) + 29999);
    shard_call(shard, "bgop_renew", "i1 http://w1 WebCart 8 %s 7340033", shard_id(1));
    assert_string_equal(shard_command(shard, "ZSCORE " SHARD_PREFIX ":running %s", shard_id(1)), "1700000099999");
    shard_clock(shard, shard_now(shard) + 5000); /* one before the backstop */
    shard_call(shard, "bgop_renew", "i1 http://w1 WebCart 8 %s 7340033", shard_id(1));
    assert_string_equal(shard_tick(shard), "OK 1700000074999 30000 0 0");
    shard_clock(shard, shard_now(shard) + 1);
    assert_string_equal(shard_tick(shard), "OK 1700000075000 29999 0 0"); /* nobody has said that it runs still */
    assert_string_equal(shard_places(shard, 1), "Running lr");
}

static void renew(struct shard *shard)
{
    shard_call(shard, "bgop_renew", "i1 http://w1 WebCart 8 %s 7340033", shard_id(1));
    assert_string_equal(shard->answer + strlen("OK 1700000000000"), " 30000 1 0");
}

/* A worker that lives, renews, and does not report. */
static void renewed_after_the_backstop_is_a_verdict_timed_out(void **state)
{
    struct shard *shard = *state;
    const char *expected = " 08P03000000001000A 7340033 timed_out 1700000030000 5700 timed out after 700 ms \"\"";

    shard_submit(shard, 1, (struct shard_op){ .timeout = "700" });
    shard_claim(shard, 1);
    shard_clock(shard, shard_now(shard) + 5800);
    renew(shard);
    shard_call(shard, "bgop_tick", "%" PRId64 " 500", shard->now_ms - 1);
    assert_string_equal(shard->answer, "OK 1700000035800 -1 1 0"); /* its outcome may stand unread in the log */
    shard_tick(shard);
    assert_memory_equal(shard->answer, "OK 1700000035800 30000 0 1", 26);
    assert_string_equal(strstr(shard->answer, " 08P"), expected);
    assert_string_equal(shard_places(shard, 1), "Running lr"); /* tick ends nothing */
    renew(shard);
    assert_string_equal(shard_tick(shard), "OK 1700000035800 30000 0 0");
    shard_clock(shard, shard_now(shard) + SHARD_LEASE_MS); /* not applied: asked for again */
    shard_tick(shard);
    assert_string_equal(strstr(shard->answer, " 08P"), expected);
    shard_apply(shard, "timed_out", 1, 1, "timed out after 700 ms");
    assert_string_equal(shard_places(shard, 1), "Waiting p");
    assert_non_null(
        strstr(shard_command(shard, "LRANGE " SHARD_PREFIX ":tries:%s 0 -1", shard_id(1)), "timed out after 700 ms"));
    assert_string_equal(shard_field(shard, 1, "RetryCount"), "1");
}

/* A dead worker is not its operation's failure, whatever its Timeout: shorter than the lease or longer, renewed just before
 * the backstop or never, and however late somebody looks. */
static void a_dead_worker_costs_no_attempt_with_any_timeout(void **state)
{
    static const struct {
        const char *timeout;
        int64_t renewed_ms, judged_ms; /* after the claim; 0: never renewed */
    } cases[] = {
        { "1", 0, SHARD_LEASE_MS },
        { "5000", 0, SHARD_LEASE_MS },
        { "5000", 9999, 9999 + SHARD_LEASE_MS },
        { "20000", 24000, 24000 + SHARD_LEASE_MS },
        { "25000", 0, SHARD_LEASE_MS }, /* the backstop is the lease's very end */
        { "40000", 20000, 20000 + SHARD_LEASE_MS },
        { "5000", 0, 3600000 },
    };
    struct shard *shard = *state;

    for (int number = 0; number < (int)TEST_COUNT(cases); number++) {
        int64_t began = shard_now(shard);

        shard_submit(shard, number, (struct shard_op){ .timeout = cases[number].timeout, .retry_limit = "0" });
        shard_claim(shard, number);
        if (cases[number].renewed_ms > 0) {
            shard_clock(shard, began + cases[number].renewed_ms);
            shard_call(shard, "bgop_renew", "i1 http://w1 WebCart 8 %s 7340033", shard_id(number));
        }
        shard_clock(shard, began + cases[number].judged_ms - 1);
        if (cases[number].judged_ms <= 2 * SHARD_LEASE_MS) {
            shard_tick(shard);
            assert_string_equal(shard_places(shard, number), "Running lr");
        }
        shard_clock(shard, began + cases[number].judged_ms);
        shard_tick(shard);
        assert_null(strstr(shard->answer, "timed_out"));
        assert_string_equal(shard_places(shard, number), "Waiting p");
        assert_string_equal(shard_field(shard, number, "RetryCount"), "");
        assert_string_equal(shard_field(shard, number, "lost"), "1");
        shard_apply(shard, "cancel", number, 1, "");
        shard_check(shard);
    }
}

/* Redis went backwards behind the renewal that came too late, or was restarted: the next one says it again. */
static void a_reassertion_after_the_backstop_says_it_too(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ .timeout = "700", .payload = "x" });
    shard_claim(shard, 1);
    shard->generation++;
    shard_arm_only(shard, 0, 1);
    shard_clock(shard, shard_now(shard) + 5700);
    shard_call(shard, "bgop_reassert", "i1 http://w1 WebCart 8 %s 7340033 WebCart 1700000030000", shard_id(1));
    shard_call(shard, "bgop_open", " ");
    shard_tick(shard);
    assert_string_equal(strstr(shard->answer, " 0 0"), " 0 0"); /* below the floor nobody is judged */
    shard_clock(shard, shard_now(shard) + SHARD_LEASE_MS);
    shard_tick(shard);
    assert_non_null(strstr(shard->answer, " timed_out "));
}

static void a_lost_lease_is_no_failed_attempt(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ 0 });
    shard_claim(shard, 1);
    shard_clock(shard, shard_now(shard) + SHARD_LEASE_MS - 1);
    assert_string_equal(shard_tick(shard), "OK 1700000059999 1 0 0");
    shard_clock(shard, shard_now(shard) + 1);
    assert_string_equal(shard_tick(shard), "OK 1700000060000 -1 0 0 WebCart 08P03000000001000A");
    assert_string_equal(shard_field(shard, 1, "RetryCount"), "");
    assert_string_equal(shard_field(shard, 1, "lost"), "1");
    assert_string_equal(shard_command(shard, "LRANGE " SHARD_PREFIX ":tries:%s 0 -1", shard_id(1)),
                        "{\"attempt\":1,\"worker\":\"http://w1\",\"started\":1700000030000,\"finished\":1700000060000,"
                        "\"error\":\"lease lost\"}");
    assert_string_equal(shard_call(shard, "bgop_renew", "i1 http://w1 WebCart 8 %s 7340033", shard_id(1)),
                        "OK 1700000060000 30000 1 1 08P03000000001000A");
}

static void the_fifth_lost_lease_is_a_verdict(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ 0 });
    for (int attempt = 1; attempt <= 5; attempt++) {
        shard_claim(shard, 1);
        shard_clock(shard, shard_now(shard) + SHARD_LEASE_MS);
        shard_tick(shard);
        assert_int_equal(strstr(shard->answer, " 7340037 lost 1700000150000 30000 lease lost 5 times \"\"") != NULL,
                         attempt == 5);
        assert_string_equal(shard_places(shard, 1), attempt < 5 ? "Waiting p" : "Running lr");
    }
    shard_apply(shard, "lost", 1, 5, "lease lost 5 times");
    assert_string_equal(shard_places(shard, 1), "Error eD");
    assert_string_equal(shard_field(shard, 1, "Error"), "lease lost 5 times");
    assert_int_equal(shard_number(shard, "HGET " SHARD_PREFIX ":counts lost"), 5);
    assert_int_equal(shard_number(shard, "LLEN " SHARD_PREFIX ":tries:%s", shard_id(1)), 5);
    shard_apply(shard, "redrive", 1, 5, "");
    assert_string_equal(shard_field(shard, 1, "lost"), "");
}

static void leases_are_judged_only_up_to_read_to(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ 0 });
    shard_claim(shard, 1);
    shard_clock(shard, shard_now(shard) + SHARD_LEASE_MS + 500);
    assert_string_equal(shard_call(shard, "bgop_tick", "%" PRId64 " 500", shard->now_ms - 501),
                        "OK 1700000060500 -1 1 0");
    assert_string_equal(shard_places(shard, 1), "Running lr");
    shard_apply(shard, "ok", 1, 1, ""); /* it was in the log all the time */
    assert_string_equal(shard_tick(shard), "OK 1700000060500 3600000 0 0");
    assert_string_equal(shard_places(shard, 1), "Complete D");
}

static void a_cancel_is_answered_by_renew_and_decided_by_the_outcome(void **state)
{
    static const struct {
        const char *kind, *places;
    } outcomes[] = {
        { "ok", "Complete D" },       { "error", "Canceled D" },     { "permanent", "Canceled D" },
        { "crashed", "Canceled D" },  { "timed_out", "Canceled D" }, { "lost", "Canceled D" },
        { "returned", "Canceled D" }, { "skipped", "Canceled D" },
    };
    struct shard *shard = *state;

    for (int number = 0; number < (int)TEST_COUNT(outcomes); number++) {
        char expected[128];

        shard_submit(shard, number, (struct shard_op){ 0 });
        shard_claim(shard, number);
        shard_apply(shard, "cancel", number, 1, "not needed");
        assert_string_equal(shard_places(shard, number), "Running lrc");
        snprintf(expected, sizeof expected, "OK 1700000030000 30000 1 0 %s not needed", shard_id(number));
        assert_string_equal(shard_call(shard, "bgop_renew", "i1 http://w1 WebCart 8 %s 7340033", shard_id(number)),
                            expected);
        shard_apply(shard, outcomes[number].kind, number, 1, "");
        assert_string_equal(shard_places(shard, number), outcomes[number].places);
        assert_string_equal(shard_field(shard, number, "Error"), "");
        assert_string_equal(shard_field(shard, number, "reason"), number == 0 ? "" : "not needed");
    }
}

static void a_lost_lease_of_a_canceled_one_is_a_verdict(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ 0 });
    shard_claim(shard, 1);
    shard_apply(shard, "cancel", 1, 1, "");
    shard_clock(shard, shard_now(shard) + SHARD_LEASE_MS);
    shard_tick(shard);
    assert_non_null(strstr(shard->answer, " 1 08P03000000001000A 7340033 lost 1700000030000 30000 lease lost"));
    shard_apply(shard, "lost", 1, 1, "lease lost");
    assert_string_equal(shard_places(shard, 1), "Canceled D");
}

static void workers_are_counted_while_they_renew(void **state)
{
    struct shard *shard = *state;

    shard_call(shard, "bgop_renew", "i1 http://w1 'WebCart XClean' 8");
    assert_string_equal(shard_call(shard, "bgop_renew", "i2 http://w2 WebCart 4"), "OK 1700000030000 30000 2 0");
    assert_string_equal(shard_command(shard, "HGETALL " SHARD_PREFIX ":w:i1"),
                        "uri http://w1 types WebCart XClean slots 8");
    shard_clock(shard, shard_now(shard) + SHARD_LEASE_MS);
    assert_string_equal(shard_call(shard, "bgop_renew", "i2 http://w2 WebCart 4"), "OK 1700000060000 30000 1 0");
    shard_clock(shard, shard_now(shard) + 600000);
    shard_tick(shard);
    assert_int_equal(shard_number(shard, "EXISTS " SHARD_PREFIX ":w:i1 " SHARD_PREFIX ":w:i2 " SHARD_PREFIX ":workers"),
                     0);
}

static void reassert_brings_back_a_claim_that_redis_forgot(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ .payload = "x" });
    shard->generation++;
    shard_arm_only(shard, 0, 1);
    assert_string_equal(
        shard_call(shard, "bgop_reassert", "i1 http://w1 WebCart 8 %s 7340033 WebCart 1700000029000", shard_id(1)),
        "OK 1700000030000 30000 1 0");
    assert_string_equal(shard_places(shard, 1), "Running lr");
    assert_string_equal(shard_field(shard, 1, "token"), "7340033");
    assert_string_equal(shard_field(shard, 1, "StartedAt"), "1700000029000");
    assert_string_equal(shard_field(shard, 1, "WorkerUri"), "http://w1");
    assert_string_equal(shard_command(shard, "HGET " SHARD_PREFIX ":leases %s", shard_id(1)),
                        "7340033 1700000094000 i1 WebCart p");
    shard_call(shard, "bgop_open", " ");
    shard_apply_entries(shard, "ok 08P03000000001000A 7340033 1700000029000 1 http://w1 \"\" \"\" \"\" \"\" \"\"");
    assert_string_equal(shard_places(shard, 1), "Complete D");
}

static void reassert_of_what_is_not_recorded_yet_is_parked_and_held(void **state)
{
    struct shard *shard = *state;

    shard->generation++;
    shard_arm_only(shard, 0, 0);
    for (int again = 0; again < 3; again++)
        assert_string_equal(
            shard_call(shard, "bgop_reassert", "i1 http://w1 WebCart 8 %s 7340033 WebCart 1700000029000", shard_id(1)),
            "OK 1700000030000 30000 1 0");
    shard_call(shard, "bgop_open", " ");
    assert_string_equal(shard_call(shard, "bgop_renew", "i1 http://w1 WebCart 8 %s 7340033", shard_id(1)),
                        "OK 1700000030000 30000 1 0");
    assert_string_equal(shard_call(shard, "bgop_renew", "i1 http://w1 WebCart 8 %s 7340032", shard_id(1)),
                        "OK 1700000030000 30000 1 1 08P03000000001000A");
    shard_submit(shard, 1, (struct shard_op){ 0 });
    assert_string_equal(shard_places(shard, 1), "Running lr");
    assert_int_equal(shard_number(shard, "EXISTS " SHARD_PREFIX ":parked " SHARD_PREFIX ":parked_at"), 0);
    assert_string_equal(shard_call(shard, "bgop_renew", "i1 http://w1 WebCart 8 %s 7340033", shard_id(1)),
                        "OK 1700000030000 30000 1 0");
}

static void reassert_second(struct shard *shard, int number)
{
    char expected[64];

    snprintf(expected, sizeof expected, "OK %" PRId64 " 30000 1 0", shard->now_ms);
    assert_string_equal(shard_call(shard, "bgop_reassert", "i1 http://w1 WebCart 8 %s %" PRIu64 " WebCart %" PRId64,
                                   shard_id(number), shard_token(shard, 2), shard->now_ms - 1000),
                        expected);
}

/* Both were read before the submission, the cancel first; but when it came, the attempt ran, else it had not been
 * granted. */
static void a_cancel_parked_before_a_claim_is_heard_of_by_its_worker(void **state)
{
    struct shard *shard = *state;

    shard_apply(shard, "cancel", 1, 0, "not needed");
    shard_apply(shard, "error", 1, 1, "late"); /* of an attempt that had lost its lease */
    for (int again = 0; again < 3; again++)
        reassert_second(shard, 1);
    shard_submit(shard, 1, (struct shard_op){ 0 });
    assert_string_equal(shard_places(shard, 1), "Running lrc");
    shard_call(shard, "bgop_renew", "i1 http://w1 WebCart 8 %s %" PRIu64, shard_id(1), shard_token(shard, 2));
    assert_non_null(strstr(shard->answer, " 30000 1 0 08P03000000001000A not needed"));
    shard_apply(shard, "ok", 1, 2, "");
    assert_string_equal(shard_places(shard, 1), "Complete D");
}

/* A cancel that saw this attempt, or one that came before a redrive, keeps its place. */
static void other_cancels_that_are_parked_keep_their_place(void **state)
{
    struct shard *shard = *state;

    shard_apply(shard, "permanent", 1, 1, "no");
    shard_apply(shard, "cancel", 1, 1, "of no effect");
    shard_apply(shard, "redrive", 1, 1, "");
    reassert_second(shard, 1);
    shard_submit(shard, 1, (struct shard_op){ 0 });
    assert_string_equal(shard_places(shard, 1), "Running lrD");
    shard_apply(shard, "cancel", 2, 2, "seen");
    reassert_second(shard, 2);
    shard_submit(shard, 2, (struct shard_op){ 0 });
    assert_string_equal(shard_places(shard, 2), "Running lrc");
}

static void a_redriven_one_that_redis_forgot_gets_its_retries_back(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ .retry_limit = "1" });
    shard_claim(shard, 1);
    shard_apply(shard, "error", 1, 1, "a");
    shard_claim(shard, 1);
    shard_apply(shard, "error", 1, 2, "b");
    assert_string_equal(shard_places(shard, 1), "Error eD");
    shard_call(shard, "bgop_reassert", "i1 http://w1 WebCart 8 %s %" PRIu64 " WebCart 1700000029000", shard_id(1),
               shard_token(shard, 3));
    assert_string_equal(shard_places(shard, 1), "Running lrD");
    assert_string_equal(shard_field(shard, 1, "RetryCount"), "");
    assert_string_equal(shard_field(shard, 1, "Error"), "");
    shard_apply(shard, "redrive", 1, 2, ""); /* read late: already done */
    assert_string_equal(shard_places(shard, 1), "Running lrD");
    shard_apply(shard, "error", 1, 3, "c");
    assert_string_equal(shard_places(shard, 1), "Waiting pD");
}

/* A worker holds an attempt until its report is known to be delivered; by then it may run the next one. */
static void an_older_attempt_is_not_called_lost_while_the_same_worker_runs_the_newer(void **state)
{
    struct shard *shard = *state;
    const uint64_t first = shard_token(shard, 1), second = shard_token(shard, 2);

    shard_submit(shard, 1, (struct shard_op){ 0 });
    shard_claim(shard, 1);
    shard_apply(shard, "error", 1, 1, "x");
    shard_claim(shard, 1);
    assert_string_equal(shard_call(shard, "bgop_renew", "i1 http://w1 WebCart 8 %s %" PRIu64 " %s %" PRIu64,
                                   shard_id(1), first, shard_id(1), second),
                        "OK 1700000030000 30000 1 0");
    assert_string_equal(shard_call(shard, "bgop_reassert",
                                   "i1 http://w1 WebCart 8 %s %" PRIu64 " WebCart 1700000030000 %s %" PRIu64
                                   " WebCart 1700000030000",
                                   shard_id(1), second, shard_id(1), first),
                        "OK 1700000030000 30000 1 0");
    shard_apply(shard, "ok", 1, 2, "");
    assert_string_equal(shard_call(shard, "bgop_renew", "i1 http://w1 WebCart 8 %s %" PRIu64 " %s %" PRIu64,
                                   shard_id(1), first, shard_id(1), second),
                        "OK 1700000030000 30000 1 1 08P03000000001000A");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        shard_test(renewing_keeps_a_lease_until_the_backstop),
        shard_test(renewed_after_the_backstop_is_a_verdict_timed_out),
        shard_test(a_dead_worker_costs_no_attempt_with_any_timeout),
        shard_test(a_reassertion_after_the_backstop_says_it_too),
        shard_test(a_lost_lease_is_no_failed_attempt),
        shard_test(the_fifth_lost_lease_is_a_verdict),
        shard_test(leases_are_judged_only_up_to_read_to),
        shard_test(a_cancel_is_answered_by_renew_and_decided_by_the_outcome),
        shard_test(a_lost_lease_of_a_canceled_one_is_a_verdict),
        shard_test(workers_are_counted_while_they_renew),
        shard_test(reassert_brings_back_a_claim_that_redis_forgot),
        shard_test(reassert_of_what_is_not_recorded_yet_is_parked_and_held),
        shard_test(an_older_attempt_is_not_called_lost_while_the_same_worker_runs_the_newer),
        shard_test(a_cancel_parked_before_a_claim_is_heard_of_by_its_worker),
        shard_test(other_cancels_that_are_parked_keep_their_place),
        shard_test(a_redriven_one_that_redis_forgot_gets_its_retries_back),
    };

    return shard_tests_run(tests);
}
