#include "tests/support/test.h"

#include <string.h>

#include "coordinator/source/messages.h"
#include "coordinator/source/round.h"

/* ---- the answer of a round ---- */

struct answer {
    enum status st;
    const char *text;
};

/* How a round ends whose calls were all sent, and answered so. */
static enum status end_of(const struct answer *answers, size_t count, struct err *err)
{
    struct round round = { 0 };

    for (size_t i = 0; i < count; i++)
        assert_true(round_sent(&round, ST_OK));
    assert_int_equal(round.sent, count);
    for (size_t i = 0; i < count; i++) {
        err_set(&round.why, answers[i].st, "%s", answers[i].text);
        round_note(&round, answers[i].st);
    }
    return round_end(&round, err);
}

#define END_OF(err, ...) \
    end_of((const struct answer[]){ __VA_ARGS__ }, TEST_COUNT(((const struct answer[]){ __VA_ARGS__ })), (err))

static void a_round_without_trouble_ends_well_and_says_nothing(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(END_OF(&err, { ST_OK, "" }, { ST_OK, "" }), ST_OK);
    assert_int_equal(err.status, ST_OK);
    assert_string_equal(err.text, "");
}

static void a_gate_outranks_a_server_that_is_away_in_whatever_order(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(END_OF(&err, { ST_FENCED, "gate" }, { ST_AGAIN, "away" }), ST_FENCED);
    assert_string_equal(err.text, "gate");
    assert_int_equal(END_OF(&err, { ST_AGAIN, "away" }, { ST_OK, "" }, { ST_FENCED, "gate" }), ST_FENCED);
    assert_string_equal(err.text, "gate");
    assert_int_equal(err.status, ST_FENCED);
}

static void a_shard_that_recovers_is_a_gate_that_we_did_not_know(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(END_OF(&err, { ST_AGAIN, "away" }, { ST_RECOVERING, "replays" }), ST_FENCED);
    assert_string_equal(err.text, "replays");
    assert_int_equal(err.status, ST_FENCED);
}

static void of_two_of_a_kind_the_first_says_why(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(END_OF(&err, { ST_AGAIN, "connection reset" }, { ST_AGAIN, "lost with it" }), ST_AGAIN);
    assert_string_equal(err.text, "connection reset");
    assert_int_equal(END_OF(&err, { ST_FENCED, "generation 7" }, { ST_RECOVERING, "generation 8" }), ST_FENCED);
    assert_string_equal(err.text, "generation 7");
}

static void everything_else_is_to_be_tried_again(void **state)
{
    static const enum status others[] = { ST_INVALID, ST_MISSING, ST_STALE, ST_LIMIT, ST_FAILED };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(others); i++) {
        struct err err = ERR_INIT;

        assert_int_equal(END_OF(&err, { others[i], "why" }), ST_AGAIN);
        assert_int_equal(err.status, ST_AGAIN);
        assert_string_equal(err.text, "why");
    }
}

static void what_could_not_be_sent_ends_the_round_and_is_not_received(void **state)
{
    struct round round = { 0 };
    struct err err = ERR_INIT;

    (void)state;
    assert_true(round_sent(&round, ST_OK));
    err_set_server(&round.why, ST_AGAIN, "redis", "refused");
    assert_false(round_sent(&round, ST_AGAIN));
    assert_int_equal(round.sent, 1);
    round_note(&round, ST_OK);
    assert_int_equal(round_end(&round, &err), ST_AGAIN);
    assert_string_equal(err.server, "redis");
}

/* Without a loop: nobody may be asked about the library before it matters. */
static void refused_calls_are_judged_only_when_nothing_else_is_wrong(void **state)
{
    struct round round = { 0 };
    struct err err = ERR_INIT;

    (void)state;
    assert_false(round_confirm_refusals(&round, NULL));
    err_set(&round.why, ST_INVALID, "no such argument");
    round_refused(&round);
    err_set(&round.why, ST_AGAIN, "away");
    round_note(&round, ST_AGAIN);
    assert_false(round_confirm_refusals(&round, NULL));
    assert_int_equal(round_end(&round, &err), ST_AGAIN);
    assert_string_equal(err.text, "away");
}

/* ---- queues of a batch ---- */

static void items_queue_by_shard_in_the_order_of_reading(void **state)
{
    struct shard_queues queues;

    (void)state;
    shard_queues_init(&queues, 4, 3);
    assert_int_equal(shard_queues_add(&queues, 2, 10), 0);
    assert_int_equal(shard_queues_add(&queues, 0, 10), 1);
    assert_int_equal(shard_queues_add(&queues, 2, 10), 2);
    assert_int_equal(queues.head[2], 0);
    assert_int_equal(queues.next[0], 2);
    assert_int_equal(queues.next[2], -1);
    assert_int_equal(queues.head[1], -1);
    assert_int_equal(queues.touched_count, 2);
    assert_int_equal(queues.touched[0], 2);
    assert_int_equal(queues.touched[1], 0);
    queues.head[2] = -1; /* done with; a later one is its first, and the shard is not counted twice */
    assert_int_equal(shard_queues_add(&queues, 2, 10), 3);
    assert_int_equal(queues.head[2], 3);
    assert_int_equal(queues.touched_count, 2);
    shard_queues_clear(&queues);
    assert_int_equal(queues.head[2], -1);
    assert_int_equal(queues.touched_count, 0);
    assert_int_equal(shard_queues_add(&queues, 2, 10), 0);
    assert_int_equal(queues.head[2], 0);
    shard_queues_release(&queues);
}

static void a_batch_is_full_by_number_or_by_size(void **state)
{
    struct shard_queues queues;

    (void)state;
    shard_queues_init(&queues, 2, 1);
    assert_false(shard_queues_full(&queues));
    shard_queues_add(&queues, 0, BATCH_MAX_BYTES - 1);
    assert_false(shard_queues_full(&queues));
    shard_queues_add(&queues, 0, 0);
    assert_true(shard_queues_full(&queues));
    shard_queues_clear(&queues);
    shard_queues_add(&queues, 0, BATCH_MAX_BYTES);
    assert_true(shard_queues_full(&queues));
    shard_queues_release(&queues);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_round_without_trouble_ends_well_and_says_nothing),
        cmocka_unit_test(a_gate_outranks_a_server_that_is_away_in_whatever_order),
        cmocka_unit_test(a_shard_that_recovers_is_a_gate_that_we_did_not_know),
        cmocka_unit_test(of_two_of_a_kind_the_first_says_why),
        cmocka_unit_test(everything_else_is_to_be_tried_again),
        cmocka_unit_test(what_could_not_be_sent_ends_the_round_and_is_not_received),
        cmocka_unit_test(refused_calls_are_judged_only_when_nothing_else_is_wrong),
        cmocka_unit_test(items_queue_by_shard_in_the_order_of_reading),
        cmocka_unit_test(a_batch_is_full_by_number_or_by_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
