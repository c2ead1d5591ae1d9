/* Pause and resume of a Type and of a ParentKey: a claim lays aside what it meets, resume puts it back. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/shard.h"
#include "tests/support/test.h"

static void pause_type(struct shard *shard, const char *kind, const char *type)
{
    char entry[256];

    snprintf(entry, sizeof entry, "%s \"\" 0 \"\" \"\" \"\" why \"\" \"\" %s \"\"", kind, type);
    shard_apply_entries(shard, entry);
    assert_memory_equal(shard->answer, "OK ", 3);
}

static void pause_parent(struct shard *shard, const char *kind, const char *parent)
{
    char entry[256];

    snprintf(entry, sizeof entry, "%s \"\" 0 \"\" \"\" \"\" \"\" \"\" %s \"\" \"\"", kind, parent);
    shard_apply_entries(shard, entry);
    assert_memory_equal(shard->answer, "OK ", 3);
}

static void claim_all(struct shard *shard, const char *type)
{
    static int nonce;

    shard_clock(shard, shard_now(shard) + 6000); /* the oldest are claimed without a hint */
    shard_call(shard, "bgop_claim", "i9 http://w9 all-%d %s 100", ++nonce, type);
    assert_memory_equal(shard->answer, "OK ", 3);
}

static void stands(struct shard *shard, int op, const char *places)
{
    if (strcmp(shard_places(shard, op), places) != 0)
        fail_msg("operation %d stands at '%s', not at '%s'", op, shard_places(shard, op), places);
}

static void nothing_of_a_paused_type_is_claimed(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ 0 });
    shard_submit(shard, 2, (struct shard_op){ .type = "XClean" });
    pause_type(shard, "pause", "WebCart");
    claim_all(shard, "WebCart");
    stands(shard, 1, "Waiting ");
    claim_all(shard, "XClean");
    stands(shard, 2, "Running lr");
    shard_submit(shard, 3, (struct shard_op){ 0 });
    shard_call(shard, "bgop_claim", "i9 http://w9 hinted WebCart 1 %s", shard_id(3));
    stands(shard, 3, "Waiting ");
    shard_call(shard, "bgop_claim", "i9 http://w9 again WebCart 1 %s", shard_id(3));
    stands(shard, 3, "Waiting ");
    pause_type(shard, "resume", "WebCart");
    stands(shard, 1, "Waiting ");
    shard_tick(shard);
    assert_non_null(strstr(shard->answer, "WebCart 08P03000000001000A 08P03000000003000A"));
    stands(shard, 1, "Waiting p");
    stands(shard, 3, "Waiting p");
    shard_claim(shard, 1);
    assert_int_equal(shard_number(shard, "EXISTS " SHARD_PREFIX ":paused " SHARD_PREFIX ":resuming " SHARD_PREFIX
                                         ":aside:T:WebCart"),
                     0);
}

static void nothing_of_a_paused_parent_key_is_claimed(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ .parent_key = "p" });
    shard_submit(shard, 2, (struct shard_op){ .parent_key = "q" });
    shard_submit(shard, 3, (struct shard_op){ .parent_key = "p", .type = "XClean" });
    pause_parent(shard, "pause", "p");
    claim_all(shard, "WebCart");
    claim_all(shard, "XClean");
    stands(shard, 1, "Waiting ");
    stands(shard, 2, "Running lr");
    stands(shard, 3, "Waiting ");
    pause_parent(shard, "resume", "p");
    shard_tick(shard);
    stands(shard, 1, "Waiting p");
    stands(shard, 3, "Waiting p");
}

static void what_runs_goes_on_and_its_retries_wait(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ 0 });
    shard_submit(shard, 2, (struct shard_op){ 0 });
    shard_claim(shard, 1);
    shard_claim(shard, 2);
    pause_type(shard, "pause", "WebCart");
    shard_apply(shard, "ok", 1, 1, "");
    stands(shard, 1, "Complete D");
    shard_apply(shard, "error", 2, 1, "no");
    claim_all(shard, "WebCart");
    stands(shard, 2, "Waiting ");
}

static void what_is_paused_twice_is_released_by_the_last_resume(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ .parent_key = "p" });
    pause_type(shard, "pause", "WebCart");
    pause_parent(shard, "pause", "p");
    claim_all(shard, "WebCart");
    pause_type(shard, "resume", "WebCart");
    shard_tick(shard);
    claim_all(shard, "WebCart");
    stands(shard, 1, "Waiting ");
    pause_parent(shard, "resume", "p");
    shard_tick(shard);
    shard_claim(shard, 1);
}

static void paused_ones_can_be_canceled(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ .parent_key = "p" });
    pause_parent(shard, "pause", "p");
    claim_all(shard, "WebCart");
    shard_apply(shard, "cancel", 1, 0, "");
    stands(shard, 1, "Canceled D");
    assert_int_equal(shard_number(shard, "EXISTS " SHARD_PREFIX ":aside:P:p"), 0);
    pause_parent(shard, "resume", "p");
    shard_tick(shard);
    stands(shard, 1, "Canceled D");
}

static void a_resume_puts_back_500_a_tick(void **state)
{
    struct shard *shard = *state;

    for (int op = 1; op <= 600; op++)
        shard_submit(shard, op, (struct shard_op){ 0 });
    pause_type(shard, "pause", "WebCart");
    for (int i = 0; i < 6; i++)
        claim_all(shard, "WebCart");
    assert_int_equal(shard_number(shard, "ZCARD " SHARD_PREFIX ":aside:T:WebCart"), 600);
    pause_type(shard, "resume", "WebCart");
    shard_tick(shard);
    assert_non_null(strstr(shard->answer, " 0 0 0 WebCart")); /* sleep_ms 0: there is more */
    assert_int_equal(shard_number(shard, "ZCARD " SHARD_PREFIX ":pending:WebCart"), 500);
    shard_tick(shard);
    assert_int_equal(shard_number(shard, "ZCARD " SHARD_PREFIX ":pending:WebCart"), 600);
    assert_int_equal(shard_number(shard, "EXISTS " SHARD_PREFIX ":resuming"), 0);
}

static void a_pause_ends_what_is_left_of_a_resume(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ 0 });
    pause_type(shard, "pause", "WebCart");
    claim_all(shard, "WebCart");
    pause_type(shard, "resume", "WebCart");
    pause_type(shard, "pause", "WebCart");
    pause_type(shard, "pause", "WebCart"); /* read twice */
    shard_tick(shard);
    stands(shard, 1, "Waiting ");
    pause_type(shard, "resume", "WebCart");
    pause_type(shard, "resume", "WebCart");
    shard_tick(shard);
    stands(shard, 1, "Waiting p");
}

static void a_paused_sequence_keeps_its_order(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 2, (struct shard_op){ .sequence_group = "g", .sequence_number = "2" });
    pause_type(shard, "pause", "WebCart");
    claim_all(shard, "WebCart");
    stands(shard, 2, "Waiting ");
    shard_submit(shard, 1, (struct shard_op){ .sequence_group = "g", .sequence_number = "1" });
    claim_all(shard, "WebCart");
    stands(shard, 1, "Waiting ");
    pause_type(shard, "resume", "WebCart");
    shard_tick(shard);
    stands(shard, 1, "Waiting p");
    stands(shard, 2, "Waiting ");
    shard_claim(shard, 1);
    shard_apply(shard, "ok", 1, 1, "");
    stands(shard, 2, "Waiting p");
}

static void a_pause_of_nothing_or_of_both_is_refused(void **state)
{
    struct shard *shard = *state;

    shard_apply_entries(shard, "pause \"\" 0 \"\" \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
    assert_memory_equal(shard->answer, "INVALID ", 8);
    shard_apply_entries(shard, "resume \"\" 0 \"\" \"\" \"\" \"\" \"\" p WebCart \"\"");
    assert_memory_equal(shard->answer, "INVALID ", 8);
    shard_apply_entries(shard, "pause 08P03000000001000A 0 \"\" \"\" \"\" \"\" \"\" p \"\" \"\"");
    assert_memory_equal(shard->answer, "INVALID ", 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        shard_test(nothing_of_a_paused_type_is_claimed),
        shard_test(nothing_of_a_paused_parent_key_is_claimed),
        shard_test(what_runs_goes_on_and_its_retries_wait),
        shard_test(what_is_paused_twice_is_released_by_the_last_resume),
        shard_test(paused_ones_can_be_canceled),
        shard_test(a_resume_puts_back_500_a_tick),
        shard_test(a_pause_ends_what_is_left_of_a_resume),
        shard_test(a_paused_sequence_keeps_its_order),
        shard_test(a_pause_of_nothing_or_of_both_is_refused),
    };

    return shard_tests_run(tests);
}
