/* Execution groups at the claim: who goes along with whom. ExternalObject merges up to four. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/groups.h"
#include "tests/support/test.h"

/* ---- forming ---- */

static void what_waits_in_the_lane_goes_along(void **state)
{
    struct shard *shard = *state;

    groups_submit_all(shard, 1, 3);
    groups_stand(shard, 1, "New p");
    groups_stand(shard, 2, "Waiting ");
    groups_not_granted(shard, "ExternalObject", 2);
    groups_claim(shard, 1, "1 2 3");
    groups_stand(shard, 1, "Running lr");
    groups_stand(shard, 2, "Merged ");
    groups_leads(shard, 1, 1, "2");
    groups_follows(shard, 2, 1, 1);
    groups_follows(shard, 3, 1, 1);
    groups_field(shard, 2, "WorkerUri", "http://w1");
    groups_field(shard, 2, "StartedAt", shard_field(shard, 1, "StartedAt"));
    groups_field(shard, 2, "ExpiresAt", "");
}

static void a_lone_operation_is_no_group(void **state)
{
    struct shard *shard = *state;

    groups_submit_all(shard, 1, 1);
    groups_claim(shard, 1, "1");
    groups_is_lone(shard, 1);
    groups_submit_all(shard, 2, 3); /* come while it runs: they are the next group */
    groups_stand(shard, 2, "Waiting ");
    shard_apply(shard, "ok", 1, 1, "");
    groups_hinted(shard, 2);
    groups_stand(shard, 2, "Waiting p");
    groups_claim(shard, 2, "2 3");
    groups_leads(shard, 2, 1, "1");
}

static void operations_without_a_parent_key_do_not_merge(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ .type = "ExternalObject" });
    shard_submit(shard, 2, (struct shard_op){ .type = "ExternalObject" });
    groups_claim(shard, 1, "1");
    groups_stand(shard, 2, "New p");
}

static void a_group_has_as_many_as_the_type_merges(void **state)
{
    struct shard *shard = *state;

    groups_submit_all(shard, 1, 6);
    groups_claim(shard, 1, "1 2 3 4");
    groups_leads(shard, 1, 1, "3");
    groups_stand(shard, 5, "Waiting ");
    shard_apply(shard, "returned", 2, 1, "");
    groups_stand(shard, 5, "Waiting ");
}

static void a_group_has_no_more_bytes_than_the_type_merges(void **state)
{
    struct shard *shard = *state;
    char large[1200] = "", half[400] = "";

    memset(large, 'x', sizeof large - 1);
    memset(half, 'x', sizeof half - 1);
    groups_submit(shard, 1, (struct shard_op){ .payload = half });
    groups_submit(shard, 2, (struct shard_op){ .payload = half });
    groups_submit(shard, 3, (struct shard_op){ .payload = half });
    groups_submit(shard, 4, (struct shard_op){ .payload = large }); /* in a key of its own */
    groups_submit(shard, 5, (struct shard_op){ .payload = "x" });
    groups_claim(shard, 1, "1 2");
    groups_apply(shard, "ok", 2, 1, 1, "");
    shard_apply(shard, "ok", 1, 1, "");
    groups_claim(shard, 3, "3"); /* 4 is too large, and 5 does not overtake it */
    shard_apply(shard, "ok", 3, 1, "");
    groups_claim(shard, 4, "4"); /* a leader of any size */
}

static void an_answer_holds_whole_groups(void **state)
{
    struct shard *shard = *state;

    groups_arm(shard, 300, 1000000, 0);
    groups_submit_all(shard, 1, 300);
    for (int op = 301; op <= 600; op++)
        shard_submit(shard, op, (struct shard_op){ .type = "ExternalObject", .parent_key = "q" });
    shard_call(shard, "bgop_claim", "i1 http://w1 many ExternalObject 8 %s %s", shard_id(1), shard_id(301));
    groups_stand(shard, 300, "Merged ");
    groups_stand(shard, 301, "New p"); /* has no room in the same answer, and waits for the next call */
}

/* ---- sequence groups ---- */

static void members_of_a_sequence_go_along_in_order(void **state)
{
    struct shard *shard = *state;

    groups_member(shard, 1, "g", "30");
    groups_member(shard, 2, "g", "20");
    groups_submit_all(shard, 3, 3);
    groups_member(shard, 4, "g", "40");
    groups_stand(shard, 1, "Waiting ");
    groups_stand(shard, 2, "Waiting p");
    groups_claim(shard, 2, "2 1 4 3");
    groups_apply(shard, "ok", 3, 1, 2, "");
    groups_apply(shard, "error", 1, 1, 2, "no"); /* number 30 */
    groups_apply(shard, "skipped", 4, 1, 2, "");
    shard_apply(shard, "ok", 2, 1, "");
    groups_stand(shard, 1, "Waiting p");
    groups_stand(shard, 4, "Waiting ");
    groups_claim(shard, 1, "1 4");
    groups_apply(shard, "ok", 4, 2, 1, "");
    shard_apply(shard, "ok", 1, 2, "");
    groups_stand(shard, 4, "Merged D");
}

static void nobody_overtakes_a_member_that_runs_alone(void **state)
{
    struct shard *shard = *state;

    groups_member(shard, 1, "g", "1");
    groups_member(shard, 2, "g", "2");
    groups_claim(shard, 1, "1 2");
    groups_apply(shard, "skipped", 2, 1, 1, "");
    shard_apply(shard, "crashed", 1, 1, "");
    groups_stand(shard, 1, "Waiting p");
    groups_claim(shard, 1, "1");
    groups_stand(shard, 2, "Waiting ");
    shard_apply(shard, "error", 1, 2, "no"); /* timed: 2 waits for it */
    groups_stand(shard, 1, "Error de");
    groups_stand(shard, 2, "Waiting ");
    groups_submit_all(shard, 3, 3);
    groups_claim(shard, 3, "3");
    shard_apply(shard, "ok", 3, 1, "");
    groups_later(shard, 3000);
    groups_claim(shard, 1, "1");
    shard_apply(shard, "ok", 1, 3, "");
    groups_stand(shard, 2, "Waiting p");
}

static void a_group_takes_what_fits_of_a_sequence(void **state)
{
    struct shard *shard = *state;
    char number[8];

    for (int op = 1; op <= 7; op++) {
        snprintf(number, sizeof number, "%d", op);
        groups_member(shard, op, "g", number);
    }
    groups_claim(shard, 1, "1 2 3 4");
    groups_stand(shard, 5, "Waiting ");
    for (int op = 2; op <= 4; op++)
        groups_apply(shard, "ok", op, 1, 1, "");
    groups_stand(shard, 5, "Waiting ");
    shard_apply(shard, "ok", 1, 1, "");
    groups_hinted(shard, 5);
    groups_claim(shard, 5, "5 6 7");
}

/* ---- lost replies ---- */

static void the_same_nonce_is_granted_the_same_group(void **state)
{
    struct shard *shard = *state;
    char first[4096];

    groups_submit_all(shard, 1, 3);
    shard_call(shard, "bgop_claim", "i1 http://w1 once ExternalObject 1 %s", shard_id(1));
    snprintf(first, sizeof first, "%s", strstr(shard->answer, shard_id(1)));
    shard_clock(shard, shard_now(shard) + 500);
    shard_call(shard, "bgop_claim", "i1 http://w1 once ExternalObject 1 %s", shard_id(1));
    assert_string_equal(strstr(shard->answer, shard_id(1)), first);
    groups_field(shard, 3, "StartedAt", shard_field(shard, 1, "StartedAt"));
    groups_leads(shard, 1, 1, "2");
    shard_apply(shard, "cancel", 3, 1, "");
    shard_call(shard, "bgop_renew", "i1 http://w1 ExternalObject 8 %s %" PRIu64, shard_id(1), shard_token(shard, 1));
    assert_non_null(strstr(shard->answer, shard_id(3)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        groups_test(what_waits_in_the_lane_goes_along),
        groups_test(a_lone_operation_is_no_group),
        groups_test(operations_without_a_parent_key_do_not_merge),
        groups_test(a_group_has_as_many_as_the_type_merges),
        groups_test(a_group_has_no_more_bytes_than_the_type_merges),
        groups_test(an_answer_holds_whole_groups),
        groups_test(members_of_a_sequence_go_along_in_order),
        groups_test(nobody_overtakes_a_member_that_runs_alone),
        groups_test(a_group_takes_what_fits_of_a_sequence),
        groups_test(the_same_nonce_is_granted_the_same_group),
    };

    return shard_tests_run(tests);
}
