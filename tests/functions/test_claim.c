/* bgop_claim: who gets what, once. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/shard.h"
#include "tests/support/test.h"

/* How often the answer grants something: Ids at the head of nine elements. */
static int granted(const struct shard *shard, int number)
{
    const char *id = shard_id(number);
    int count = 0;

    for (const char *at = strstr(shard->answer, id); at != NULL; at = strstr(at + 1, id))
        count++;
    return count;
}

static void a_grant_says_what_a_handler_needs(void **state)
{
    struct shard *shard = *state;

    shard_submit(
        shard, 1,
        (struct shard_op){
            .parent_key = "p", .sequence_group = "g", .sequence_number = "4", .timeout = "777", .payload = "work" });
    assert_string_equal(shard_call(shard, "bgop_claim", "i1 http://w1 n1 WebCart 1 %s", shard_id(1)),
                        "OK 1700000030000 30000 08P03000000001000A 7340033 777 p g 4 \"\" work \"\"");
    assert_string_equal(shard_field(shard, 1, "StartedAt"), "1700000030000");
    assert_string_equal(shard_field(shard, 1, "WorkerUri"), "http://w1");
    assert_string_equal(shard_field(shard, 1, "token"), "7340033");
    assert_string_equal(shard_command(shard, "HGET " SHARD_PREFIX ":leases %s", shard_id(1)),
                        "7340033 1700000035777 i1 WebCart ps");
    assert_string_equal(shard_command(shard, "ZSCORE " SHARD_PREFIX ":running %s", shard_id(1)), "1700000060000");
    assert_string_equal(shard_command(shard, "XRANGE " SHARD_PREFIX ":worker:http://w1 - +"),
                        "1700000030000-0 ids 08P03000000001000A");
}

static void the_same_nonce_gets_the_same_answer_and_another_claims_anew(void **state)
{
    struct shard *shard = *state;
    char first[512];

    for (int number = 1; number <= 3; number++)
        shard_submit(shard, number, (struct shard_op){ .payload = "work" });
    shard_call(shard, "bgop_claim", "i1 http://w1 n1 WebCart 2 %s %s", shard_id(1), shard_id(2));
    snprintf(first, sizeof first, "%.500s", shard->answer);
    assert_string_equal(shard_call(shard, "bgop_claim", "i1 http://w1 n1 WebCart 2 %s", shard_id(3)), first);
    shard_call(shard, "bgop_claim", "i1 http://w1 n1 XClean 2"); /* nonces count per Type */
    shard_apply(shard, "ok", 1, 1, "");
    shard_call(shard, "bgop_claim", "i1 http://w1 n1 WebCart 2 %s", shard_id(3));
    assert_int_equal(granted(shard, 1) + granted(shard, 3), 0);
    assert_int_equal(granted(shard, 2), 1);
    shard_call(shard, "bgop_claim", "i1 http://w1 n2 WebCart 2 %s %s", shard_id(2), shard_id(3));
    assert_int_equal(granted(shard, 2), 0);
    assert_int_equal(granted(shard, 3), 1);
    shard_call(shard, "bgop_claim", "i2 http://w2 n2 WebCart 2 %s %s", shard_id(2), shard_id(3));
    assert_string_equal(shard->answer, "OK 1700000030000 30000");
}

/* Else a worker would rely on a lease that Redis had begun to count when the lost reply was written. */
static void a_claim_asked_again_starts_and_is_leased_from_then_on(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ .timeout = "20000" });
    shard_call(shard, "bgop_claim", "i1 http://w1 n1 WebCart 1 %s", shard_id(1));
    shard_clock(shard, shard_now(shard) + 9000);
    shard_call(shard, "bgop_claim", "i1 http://w1 n1 WebCart 1");
    assert_int_equal(granted(shard, 1), 1);
    assert_string_equal(shard_field(shard, 1, "StartedAt"), "1700000039000");
    assert_string_equal(shard_field(shard, 1, "token"), "7340033");
    assert_string_equal(shard_command(shard, "HGET " SHARD_PREFIX ":leases %s", shard_id(1)),
                        "7340033 1700000064000 i1 WebCart -");
    assert_string_equal(shard_command(shard, "ZSCORE " SHARD_PREFIX ":running %s", shard_id(1)), "1700000069000");
    assert_string_equal(shard_places(shard, 1), "Running lr");
    shard_check(shard);
}

/* A verdict on it may stand in the log already, unread: it would end the attempt that begins anew. */
static void a_claim_asked_again_after_its_lease_is_not_granted(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ .timeout = "1000" });
    shard_submit(shard, 2, (struct shard_op){ .timeout = "60000" });
    shard_call(shard, "bgop_claim", "i1 http://w1 n1 WebCart 2 %s %s", shard_id(1), shard_id(2));
    shard_clock(shard, shard_now(shard) + 6000);
    shard_call(shard, "bgop_renew", "i1 http://w1 WebCart 2 %s %" PRIu64, shard_id(1), shard_token(shard, 1));
    shard_tick(shard); /* a verdict on the first: its Timeout and 5 s have passed, and it still runs */
    assert_non_null(strstr(shard->answer, "timed_out"));
    shard_call(shard, "bgop_claim", "i1 http://w1 n1 WebCart 2");
    assert_int_equal(granted(shard, 1), 0);
    assert_int_equal(granted(shard, 2), 1);
    shard_clock(shard, shard_now(shard) + SHARD_LEASE_MS);
    shard_call(shard, "bgop_claim", "i1 http://w1 n1 WebCart 2");
    assert_int_equal(granted(shard, 2), 0);
    assert_string_equal(shard_places(shard, 2), "Running lr");
}

/* A claim is a sign of life too: what it remembers for its worker must not be forgotten the next moment. */
static void a_claim_keeps_its_instance_known(void **state)
{
    struct shard *shard = *state;

    shard_call(shard, "bgop_renew", "i1 http://w1 WebCart 8");
    shard_clock(shard, shard_now(shard) + 3600000);
    shard_submit(shard, 1, (struct shard_op){ .payload = "work" });
    shard_call(shard, "bgop_claim", "i1 http://w1 n1 WebCart 1 %s", shard_id(1));
    shard_clock(shard, shard_now(shard) + 2000);
    shard_tick(shard);
    shard_call(shard, "bgop_claim", "i1 http://w1 n1 WebCart 1");
    assert_int_equal(granted(shard, 1), 1);
}

static void hints_come_first_then_the_oldest_whose_hint_may_be_lost(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ 0 });
    shard_submit(shard, 2, (struct shard_op){ 0 });
    shard_clock(shard, shard_now(shard) + 49);
    shard_submit(shard, 3, (struct shard_op){ 0 });
    shard_call(shard, "bgop_claim", "i1 http://w1 n1 WebCart 5");
    assert_string_equal(shard->answer, "OK 1700000030049 30000");
    shard_clock(shard, shard_now(shard) + 1);
    shard_call(shard, "bgop_claim", "i1 http://w1 n2 WebCart 2 %s", shard_id(3));
    assert_int_equal(granted(shard, 1), 1);
    assert_int_equal(granted(shard, 2), 0);
    assert_int_equal(granted(shard, 3), 1);
    shard_call(shard, "bgop_claim", "i1 http://w1 n3 WebCart 2");
    assert_int_equal(granted(shard, 2), 1);
}

static void want_bounds_a_grant_and_stale_hints_do_not_count(void **state)
{
    struct shard *shard = *state;

    for (int number = 1; number <= 4; number++)
        shard_submit(shard, number, (struct shard_op){ 0 });
    shard_claim(shard, 1);
    shard_call(shard, "bgop_claim", "i1 http://w1 n1 WebCart 2 %s %s %s %s %s %s", shard_id(9), shard_id(1),
               shard_id(2), shard_id(2), shard_id(3), shard_id(4));
    assert_int_equal(granted(shard, 2), 1);
    assert_int_equal(granted(shard, 3), 1);
    assert_int_equal(granted(shard, 4), 0);
}

static void another_types_hint_is_not_granted(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ .type = "XClean" });
    shard_call(shard, "bgop_claim", "i1 http://w1 n1 WebCart 2 %s", shard_id(1));
    assert_int_equal(granted(shard, 1), 0);
    assert_string_equal(shard_places(shard, 1), "New p");
}

static void an_answer_is_bounded_by_bytes(void **state)
{
    struct shard *shard = *state;
    static char payload[300001];
    int count = 0;

    memset(payload, 'x', sizeof payload - 1);
    for (int number = 1; number <= 6; number++)
        shard_submit(shard, number, (struct shard_op){ .payload = payload });
    shard_call(shard, "bgop_claim", "i1 http://w1 n1 WebCart 6 %s %s %s %s %s %s", shard_id(1), shard_id(2),
               shard_id(3), shard_id(4), shard_id(5), shard_id(6));
    for (int number = 1; number <= 6; number++)
        count += strcmp(shard_places(shard, number), "Running lr") == 0;
    assert_int_equal(count, 4); /* the first that reaches 1 MiB is the last */
}

static void tokens_rise_with_attempts_and_generations(void **state)
{
    struct shard *shard = *state;
    uint64_t last = 0;

    shard_submit(shard, 1, (struct shard_op){ .retry_limit = "9" });
    for (int attempt = 1; attempt <= 4; attempt++) {
        uint64_t token;

        if (attempt == 3)
            shard_arm(shard);
        shard_claim(shard, 1);
        token = strtoull(shard_field(shard, 1, "token"), NULL, 10);
        assert_true(token > last);
        assert_true(token == shard_token(shard, attempt));
        last = token;
        shard_apply(shard, "returned", 1, attempt, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        shard_test(a_grant_says_what_a_handler_needs),
        shard_test(the_same_nonce_gets_the_same_answer_and_another_claims_anew),
        shard_test(a_claim_asked_again_starts_and_is_leased_from_then_on),
        shard_test(a_claim_asked_again_after_its_lease_is_not_granted),
        shard_test(a_claim_keeps_its_instance_known),
        shard_test(hints_come_first_then_the_oldest_whose_hint_may_be_lost),
        shard_test(want_bounds_a_grant_and_stale_hints_do_not_count),
        shard_test(another_types_hint_is_not_granted),
        shard_test(an_answer_is_bounded_by_bytes),
        shard_test(tokens_rise_with_attempts_and_generations),
    };

    return shard_tests_run(tests);
}
