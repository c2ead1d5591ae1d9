/* Execution groups: who goes along with whom, and what becomes of each member. ExternalObject merges up to four. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/groups.h"
#include "tests/support/test.h"

static void submit(struct shard *shard, int from, int to)
{
    for (int op = from; op <= to; op++)
        groups_submit(shard, op, (struct shard_op){.payload = "x"});
}

static void member(struct shard *shard, int op, const char *group, const char *number)
{
    groups_submit(shard, op, (struct shard_op){.sequence_group = group, .sequence_number = number});
}

/* 1 leads 2 and 3. */
static void three(struct shard *shard)
{
    submit(shard, 1, 3);
    groups_claim(shard, 1, "1 2 3");
    shard_clock(shard, shard_now(shard) + 100);
}

/* The group's name: the leader's Id and attempt. */
static const char *group(int leader, int attempt)
{
    static char name[32];

    snprintf(name, sizeof name, "%s-%d", shard_id(leader), attempt);
    return name;
}

static void is_lone(struct shard *shard, int op)
{
    groups_field(shard, op, "ExecutionGroup", "");
    groups_field(shard, op, "GroupLeaderId", "");
    groups_field(shard, op, "NumFollowers", "");
}

static void follows(struct shard *shard, int op, int leader, int attempt)
{
    groups_field(shard, op, "ExecutionGroup", group(leader, attempt));
    groups_field(shard, op, "GroupLeaderId", shard_id(leader));
    groups_field(shard, op, "NumFollowers", "");
}

static void leads(struct shard *shard, int op, int attempt, const char *followers)
{
    groups_field(shard, op, "ExecutionGroup", followers[0] ? group(op, attempt) : "");
    groups_field(shard, op, "NumFollowers", followers);
    groups_field(shard, op, "GroupLeaderId", "");
}

/* ---- forming ---- */

static void what_waits_in_the_lane_goes_along(void **state)
{
    struct shard *shard = *state;

    submit(shard, 1, 3);
    groups_stand(shard, 1, "New p");
    groups_stand(shard, 2, "Waiting ");
    groups_not_granted(shard, "ExternalObject", 2);
    groups_claim(shard, 1, "1 2 3");
    groups_stand(shard, 1, "Running lr");
    groups_stand(shard, 2, "Merged ");
    leads(shard, 1, 1, "2");
    follows(shard, 2, 1, 1);
    follows(shard, 3, 1, 1);
    groups_field(shard, 2, "WorkerUri", "http://w1");
    groups_field(shard, 2, "StartedAt", shard_field(shard, 1, "StartedAt"));
    groups_field(shard, 2, "ExpiresAt", "");
}

static void a_lone_operation_is_no_group(void **state)
{
    struct shard *shard = *state;

    submit(shard, 1, 1);
    groups_claim(shard, 1, "1");
    is_lone(shard, 1);
    submit(shard, 2, 3); /* come while it runs: they are the next group */
    groups_stand(shard, 2, "Waiting ");
    shard_apply(shard, "ok", 1, 1, "");
    groups_hinted(shard, 2);
    groups_stand(shard, 2, "Waiting p");
    groups_claim(shard, 2, "2 3");
    leads(shard, 2, 1, "1");
}

static void operations_without_a_parent_key_do_not_merge(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){.type = "ExternalObject"});
    shard_submit(shard, 2, (struct shard_op){.type = "ExternalObject"});
    groups_claim(shard, 1, "1");
    groups_stand(shard, 2, "New p");
}

static void a_group_has_as_many_as_the_type_merges(void **state)
{
    struct shard *shard = *state;

    submit(shard, 1, 6);
    groups_claim(shard, 1, "1 2 3 4");
    leads(shard, 1, 1, "3");
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
    groups_submit(shard, 1, (struct shard_op){.payload = half});
    groups_submit(shard, 2, (struct shard_op){.payload = half});
    groups_submit(shard, 3, (struct shard_op){.payload = half});
    groups_submit(shard, 4, (struct shard_op){.payload = large}); /* in a key of its own */
    groups_submit(shard, 5, (struct shard_op){.payload = "x"});
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
    submit(shard, 1, 300);
    for (int op = 301; op <= 600; op++)
        shard_submit(shard, op, (struct shard_op){.type = "ExternalObject", .parent_key = "q"});
    shard_call(shard, "bgop_claim", "i1 http://w1 many ExternalObject 8 %s %s", shard_id(1), shard_id(301));
    groups_stand(shard, 300, "Merged ");
    groups_stand(shard, 301, "New p"); /* has no room in the same answer, and waits for the next call */
}

/* ---- outcomes ---- */

static void followers_of_a_leader_that_completes_stay_merged(void **state)
{
    struct shard *shard = *state;

    three(shard);
    groups_apply(shard, "ok", 2, 1, 1, "");
    groups_stand(shard, 2, "Merged ");
    groups_field(shard, 2, "ExpiresAt", "");
    groups_apply(shard, "ok", 3, 1, 1, "");
    shard_apply(shard, "ok", 1, 1, "");
    groups_stand(shard, 1, "Complete D");
    groups_stand(shard, 2, "Merged D");
    leads(shard, 1, 1, "2");
    follows(shard, 2, 1, 1);
    groups_field(shard, 2, "ExpiresAt", shard_field(shard, 1, "ExpiresAt"));
    groups_field(shard, 2, "FinishedAt", "");
    groups_field(shard, 2, "in", "\"\""); /* empty */
    assert_string_equal(shard_command(shard, "KEYS *:group:*"), "");
    assert_int_equal(shard_number(shard, "HGET " SHARD_PREFIX ":counts finished"), 3);
    shard_apply(shard, "error", 2, 1, "again"); /* nothing undoes it */
    groups_stand(shard, 2, "Merged D");
    shard_apply(shard, "redrive", 2, 1, "");
    shard_apply(shard, "cancel", 2, 1, "");
    groups_stand(shard, 2, "Merged D");
}

static void a_failed_follower_leaves_the_group_and_retries(void **state)
{
    struct shard *shard = *state;

    three(shard);
    groups_apply(shard, "error", 2, 1, 1, "bad row");
    groups_stand(shard, 2, "Waiting "); /* its lane is busy */
    is_lone(shard, 2);
    groups_field(shard, 2, "RetryCount", "1");
    leads(shard, 1, 1, "1");
    groups_apply(shard, "ok", 3, 1, 1, "");
    shard_apply(shard, "ok", 1, 1, "");
    groups_hinted(shard, 2);
    leads(shard, 1, 1, "1");
    groups_stand(shard, 3, "Merged D");
    submit(shard, 4, 4);
    groups_claim(shard, 2, "2 4"); /* retry 1 may merge again */
    leads(shard, 2, 2, "1");
    groups_apply(shard, "ok", 4, 1, 2, "");
    shard_apply(shard, "error", 2, 2, "bad row");
    groups_stand(shard, 2, "Error de");
    groups_stand(shard, 4, "Complete D"); /* its leader did not complete */
    follows(shard, 4, 2, 2);
    is_lone(shard, 2);
    groups_later(shard, 3000);
    submit(shard, 5, 5);
    groups_claim(shard, 2, "2"); /* from retry 2 on alone */
    shard_apply(shard, "ok", 2, 3, "");
    groups_stand(shard, 2, "Complete D");
    groups_stand(shard, 5, "Waiting p");
}

static void a_leader_whose_followers_all_failed_is_lone(void **state)
{
    struct shard *shard = *state;

    three(shard);
    groups_apply(shard, "error", 2, 1, 1, "no");
    groups_apply(shard, "permanent", 3, 1, 1, "never");
    is_lone(shard, 1);
    shard_apply(shard, "ok", 1, 1, "");
    is_lone(shard, 1);
    groups_stand(shard, 3, "Error eD");
    is_lone(shard, 3);
}

static void followers_of_a_leader_that_fails_complete_themselves(void **state)
{
    struct shard *shard = *state;

    three(shard);
    groups_apply(shard, "ok", 2, 1, 1, "");
    groups_apply(shard, "skipped", 3, 1, 1, "");
    groups_stand(shard, 3, "Waiting ");
    groups_field(shard, 3, "RetryCount", "");
    shard_apply(shard, "permanent", 1, 1, "never");
    groups_stand(shard, 1, "Error eD");
    is_lone(shard, 1);
    groups_stand(shard, 2, "Complete D");
    follows(shard, 2, 1, 1);
    groups_field(shard, 2, "FinishedAt", shard_field(shard, 1, "FinishedAt"));
    groups_stand(shard, 3, "Waiting p");
    is_lone(shard, 3);
}

static void a_follower_that_nobody_spoke_of_waits_again(void **state)
{
    struct shard *shard = *state;

    three(shard);
    groups_apply(shard, "ok", 2, 1, 1, "");
    shard_apply(shard, "ok", 1, 1, "");
    groups_stand(shard, 3, "Waiting p");
    is_lone(shard, 3);
    leads(shard, 1, 1, "1");
    groups_field(shard, 3, "RetryCount", "");
}

static void results_and_large_payloads_of_followers(void **state)
{
    struct shard *shard = *state;
    char large[1100] = "";

    groups_arm(shard, 4, 100000, 2);
    memset(large, 'x', sizeof large - 1);
    submit(shard, 1, 1);
    groups_submit(shard, 2, (struct shard_op){.payload = large});
    groups_claim(shard, 1, "1 2");
    shard_command(shard, "EXISTS " SHARD_PREFIX ":in:%s", shard_id(2));
    assert_string_equal(shard->answer, "1");
    shard_apply_entries(shard, "");
    shard_call(shard, "bgop_apply", "1 2 1 5 6 ok %s %" PRIu64 " %" PRId64 " 5 http://w1 \"\" \"\" made %s \"\"", shard_id(2),
               shard_token(shard, 1), shard->now_ms, shard_id(1));
    shard->status_next = 2;
    assert_string_equal(shard_command(shard, "GET " SHARD_PREFIX ":out:%s", shard_id(2)), "made");
    assert_string_equal(shard_command(shard, "EXISTS " SHARD_PREFIX ":in:%s", shard_id(2)), "0");
    shard_apply(shard, "ok", 1, 1, "");
    groups_stand(shard, 2, "Merged D");
}

/* ---- trouble that all of a group share ---- */

static void a_crash_makes_each_member_run_alone(void **state)
{
    struct shard *shard = *state;

    three(shard);
    for (int op = 2; op <= 3; op++)
        groups_apply(shard, "crashed", op, 1, 1, "signal 11");
    shard_apply(shard, "crashed", 1, 1, "signal 11");
    for (int op = 1; op <= 3; op++) {
        groups_field(shard, op, "RetryCount", "1");
        groups_field(shard, op, "crashes", "");
        is_lone(shard, op);
    }
    for (int op = 1; op <= 3; op++) {
        groups_claim(shard, op, op == 1 ? "1" : op == 2 ? "2" : "3");
        shard_apply(shard, op == 2 ? "crashed" : "ok", op, 2, "");
    }
    groups_field(shard, 2, "crashes", "1");
}

static void a_poisonous_member_ends_nobody_else(void **state)
{
    struct shard *shard = *state;
    static const char *const kinds[] = {"crashed", "timed_out", "unanswered"};

    for (int round = 0; round < 3; round++) {
        int first = 1 + round * 10;

        for (int op = first; op <= first + 2; op++)
            groups_submit(shard, op, (struct shard_op){.retry_limit = "0"});
        shard_call(shard, "bgop_claim", "i1 http://w1 poison-%d ExternalObject 1 %s", round, shard_id(first));
        for (int op = first + 1; op <= first + 2; op++)
            groups_apply(shard, kinds[round], op, 1, first, "");
        shard_apply(shard, kinds[round], first, 1, "");
        for (int op = first; op <= first + 2; op++) {
            groups_field(shard, op, "RetryCount", "");
            groups_claim(shard, op, (char[]){op / 10 ? '0' + (char)(op / 10) : '0' + (char)op,
                                             op / 10 ? '0' + (char)(op % 10) : 0, 0});
            shard_apply(shard, op == first + 1 ? kinds[round] : "ok", op, 2, "");
        }
        groups_stand(shard, first, "Complete D");
        groups_stand(shard, first + 1, "Error eD"); /* alone it is its own fault */
        groups_stand(shard, first + 2, "Complete D");
    }
}

static void an_error_of_its_own_counts_in_a_group_too(void **state)
{
    struct shard *shard = *state;

    for (int op = 1; op <= 2; op++)
        groups_submit(shard, op, (struct shard_op){.retry_limit = "0"});
    groups_claim(shard, 1, "1 2");
    groups_apply(shard, "error", 2, 1, 1, "bad row");
    groups_stand(shard, 2, "Error eD");
    shard_apply(shard, "ok", 1, 1, "");
    is_lone(shard, 1);
}

static void a_lost_lease_gives_back_whoever_had_not_answered(void **state)
{
    struct shard *shard = *state;

    three(shard);
    groups_apply(shard, "ok", 2, 1, 1, "");
    groups_later(shard, SHARD_LEASE_MS + 1);
    groups_stand(shard, 2, "Complete D");
    groups_stand(shard, 1, "Waiting p");
    groups_stand(shard, 3, "Waiting ");
    is_lone(shard, 1);
    is_lone(shard, 3);
    groups_field(shard, 1, "lost", ""); /* perhaps not its own fault */
    assert_string_equal(shard_command(shard, "LLEN " SHARD_PREFIX ":tries:%s", shard_id(3)), "1");
    assert_int_equal(shard_number(shard, "HGET " SHARD_PREFIX ":counts lost"), 2);
    groups_claim(shard, 1, "1");
    groups_later(shard, SHARD_LEASE_MS + 1);
    groups_field(shard, 1, "lost", "1");
    groups_apply(shard, "ok", 3, 1, 1, ""); /* late, but true */
    groups_stand(shard, 3, "Complete D");
}

static void a_backstop_ends_the_attempt_of_all(void **state)
{
    struct shard *shard = *state;

    for (int op = 1; op <= 2; op++)
        groups_submit(shard, op, (struct shard_op){.timeout = "10000"});
    groups_claim(shard, 1, "1 2");
    groups_later(shard, 15000);
    groups_stand(shard, 2, "Merged ");
    shard_apply(shard, "timed_out", 1, 1, "timed out after 10000 ms"); /* the verdict: about the lease only */
    groups_field(shard, 1, "RetryCount", "1");
    groups_field(shard, 2, "RetryCount", "1");
    groups_stand(shard, 1, "Waiting p");
    groups_stand(shard, 2, "Waiting ");
    shard_command(shard, "LINDEX " SHARD_PREFIX ":tries:%s 0", shard_id(2));
    assert_non_null(strstr(shard->answer, "timed out after 10000 ms"));
}

/* ---- cancels, redrives ---- */

static void a_canceled_head_leaves_the_lead_to_the_next(void **state)
{
    struct shard *shard = *state;

    submit(shard, 1, 3);
    shard_apply(shard, "cancel", 1, 0, "");
    groups_hinted(shard, 2);
    shard_apply(shard, "cancel", 3, 0, "");
    groups_stand(shard, 3, "Canceled D");
    submit(shard, 4, 4);
    groups_claim(shard, 2, "2 4");
}

static void a_follower_is_canceled_unless_it_succeeds(void **state)
{
    struct shard *shard = *state;

    three(shard);
    shard_apply(shard, "cancel", 2, 1, "not needed");
    shard_apply(shard, "cancel", 3, 1, "");
    groups_stand(shard, 2, "Merged c");
    shard_call(shard, "bgop_renew", "i1 http://w1 ExternalObject 8 %s %" PRIu64, shard_id(1), shard_token(shard, 1));
    assert_non_null(strstr(shard->answer, shard_id(2)));
    assert_non_null(strstr(shard->answer, "not needed"));
    groups_apply(shard, "ok", 2, 1, 1, "");
    groups_stand(shard, 2, "Merged ");
    groups_apply(shard, "error", 3, 1, 1, "no");
    groups_stand(shard, 3, "Canceled D");
    is_lone(shard, 3);
    shard_apply(shard, "ok", 1, 1, "");
    groups_stand(shard, 2, "Merged D");
    leads(shard, 1, 1, "1");
}

static void a_canceled_leader_that_fails_leaves_its_followers(void **state)
{
    struct shard *shard = *state;

    three(shard);
    shard_apply(shard, "cancel", 1, 1, "");
    groups_apply(shard, "ok", 2, 1, 1, "");
    groups_apply(shard, "error", 3, 1, 1, "no");
    shard_apply(shard, "error", 1, 1, "stopped");
    groups_stand(shard, 1, "Canceled D");
    is_lone(shard, 1);
    groups_stand(shard, 2, "Complete D");
    groups_stand(shard, 3, "Waiting p");
}

static void a_redriven_member_may_merge_again_and_so_often(void **state)
{
    struct shard *shard = *state;

    submit(shard, 1, 1);
    for (int round = 0; round < 3; round++) {
        groups_claim(shard, 1, "1");
        shard_apply(shard, "permanent", 1, round + 1, "never");
        shard_apply(shard, "redrive", 1, round + 1, "try it");
    }
    groups_stand(shard, 1, "Error eD"); /* twice: redrive_limit */
    groups_field(shard, 1, "redrives", "2");
    assert_int_equal(shard_number(shard, "HGET " SHARD_PREFIX ":counts redrive_refused"), 1);
    shard_command(shard, "LINDEX " SHARD_PREFIX ":commands:%s 0", shard_id(1));
    assert_non_null(strstr(shard->answer, "\"command\":\"redrive\""));
    assert_non_null(strstr(shard->answer, "\"reason\":\"try it\""));
}

/* ---- sequence groups ---- */

static void members_of_a_sequence_go_along_in_order(void **state)
{
    struct shard *shard = *state;

    member(shard, 1, "g", "30");
    member(shard, 2, "g", "20");
    submit(shard, 3, 3);
    member(shard, 4, "g", "40");
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

    member(shard, 1, "g", "1");
    member(shard, 2, "g", "2");
    groups_claim(shard, 1, "1 2");
    groups_apply(shard, "skipped", 2, 1, 1, "");
    shard_apply(shard, "crashed", 1, 1, "");
    groups_stand(shard, 1, "Waiting p");
    groups_claim(shard, 1, "1");
    groups_stand(shard, 2, "Waiting ");
    shard_apply(shard, "error", 1, 2, "no"); /* timed: 2 waits for it */
    groups_stand(shard, 1, "Error de");
    groups_stand(shard, 2, "Waiting ");
    submit(shard, 3, 3);
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
        member(shard, op, "g", number);
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

/* ---- replies and logs that were lost ---- */

static void the_same_nonce_is_granted_the_same_group(void **state)
{
    struct shard *shard = *state;
    char first[4096];

    submit(shard, 1, 3);
    shard_call(shard, "bgop_claim", "i1 http://w1 once ExternalObject 1 %s", shard_id(1));
    snprintf(first, sizeof first, "%s", strstr(shard->answer, shard_id(1)));
    shard_clock(shard, shard_now(shard) + 500);
    shard_call(shard, "bgop_claim", "i1 http://w1 once ExternalObject 1 %s", shard_id(1));
    assert_string_equal(strstr(shard->answer, shard_id(1)), first);
    groups_field(shard, 3, "StartedAt", shard_field(shard, 1, "StartedAt"));
    leads(shard, 1, 1, "2");
    shard_apply(shard, "cancel", 3, 1, "");
    shard_call(shard, "bgop_renew", "i1 http://w1 ExternalObject 8 %s %" PRIu64, shard_id(1), shard_token(shard, 1));
    assert_non_null(strstr(shard->answer, shard_id(3)));
}

/* Redis went backwards and forgot the claim; the worker reports. */
static void outcomes_of_a_forgotten_group_are_adopted(void **state)
{
    struct shard *shard = *state;

    submit(shard, 1, 4);
    shard_call(shard, "bgop_reassert", "i1 http://w1 ExternalObject 8 %s %" PRIu64 " ExternalObject %" PRId64,
               shard_id(2), shard_token(shard, 1), shard->now_ms);
    groups_stand(shard, 2, "Running lr");
    groups_stand(shard, 1, "Waiting "); /* one execution at a time */
    groups_not_granted(shard, "ExternalObject", 1);
    groups_apply(shard, "ok", 3, 1, 2, "");
    groups_stand(shard, 3, "Complete D");
    groups_apply(shard, "error", 4, 1, 2, "no");
    groups_stand(shard, 4, "Waiting ");
    shard_apply(shard, "ok", 2, 1, "");
    groups_stand(shard, 2, "Complete D");
    groups_claim(shard, 1, "1 4");
}

/* Whether others ran with it is forgotten too: so it is not ended for what may be their fault. */
static void a_shared_failure_of_a_forgotten_leader_ends_nobody(void **state)
{
    struct shard *shard = *state;

    groups_submit(shard, 1, (struct shard_op){.retry_limit = "0"});
    shard_apply(shard, "unanswered", 1, 1, "");
    groups_stand(shard, 1, "Waiting p");
    groups_claim(shard, 1, "1");
    shard_apply(shard, "unanswered", 1, 2, "");
    groups_stand(shard, 1, "Error eD");
}

static void a_shared_failure_of_a_reasserted_leader_ends_nobody_either(void **state)
{
    struct shard *shard = *state;

    groups_submit(shard, 1, (struct shard_op){.retry_limit = "0"});
    shard_call(shard, "bgop_reassert", "i1 http://w1 ExternalObject 8 %s %" PRIu64 " ExternalObject %" PRId64,
               shard_id(1), shard_token(shard, 1), shard->now_ms);
    groups_stand(shard, 1, "Running lr");
    shard_apply(shard, "timed_out", 1, 1, "");
    groups_stand(shard, 1, "Waiting p");
    groups_claim(shard, 1, "1");
    shard_apply(shard, "timed_out", 1, 2, "");
    groups_stand(shard, 1, "Error eD");
}

/* Redis knows the first group only; a later attempt of its members is heard of. */
static void a_newer_attempt_ends_what_redis_knows_of_the_group(void **state)
{
    struct shard *shard = *state;

    three(shard);
    groups_apply(shard, "ok", 2, 1, 1, "");
    shard_apply(shard, "ok", 3, 2, ""); /* of another execution */
    groups_stand(shard, 3, "Complete D");
    leads(shard, 1, 1, "1");
    shard_apply(shard, "ok", 1, 2, "");
    groups_stand(shard, 1, "Complete D");
    groups_stand(shard, 2, "Complete D");
    is_lone(shard, 1);
}

static void a_member_is_reasserted_out_of_its_old_group(void **state)
{
    struct shard *shard = *state;

    three(shard);
    shard_call(shard, "bgop_reassert", "i2 http://w2 ExternalObject 8 %s %" PRIu64 " ExternalObject %" PRId64,
               shard_id(3), shard_token(shard, 2), shard->now_ms);
    groups_stand(shard, 3, "Running lr");
    is_lone(shard, 3);
    leads(shard, 1, 1, "1");
    shard_apply(shard, "ok", 3, 2, "");
    groups_apply(shard, "ok", 2, 1, 1, "");
    shard_apply(shard, "ok", 1, 1, "");
    groups_stand(shard, 2, "Merged D");
}

/* ---- removal ---- */

static void a_group_is_removed_together(void **state)
{
    struct shard *shard = *state;

    three(shard);
    for (int op = 2; op <= 3; op++)
        groups_apply(shard, "ok", op, 1, 1, "");
    shard_apply(shard, "ok", 1, 1, "");
    groups_later(shard, 3600 * 1000 - 100);
    groups_stand(shard, 2, "Merged D");
    groups_later(shard, 200);
    for (int op = 1; op <= 3; op++)
        groups_field(shard, op, "Status", "");
    assert_string_equal(shard_command(shard, "KEYS *:lane*"), "");
    assert_string_equal(shard_command(shard, "KEYS *:group:*"), "");
}

static void a_leader_is_not_removed_before_its_followers(void **state)
{
    struct shard *shard = *state;

    shard->generation++;
    shard_call(shard, "bgop_arm",
               "0 0 %d %d 30 15 ExternalObject '{\"retry_backoff_ms\":1000,\"retry_limit\":3,\"timeout_ms\":60000,"
               "\"retention_s\":3600,\"retention_error_s\":60,\"merge_max\":4}'",
               SHARD_LEASE_MS, SHARD_RETRY_MAX_MS);
    shard_call(shard, "bgop_open", " ");
    groups_later(shard, SHARD_LEASE_MS);
    three(shard);
    groups_apply(shard, "ok", 2, 1, 1, "");
    groups_apply(shard, "permanent", 3, 1, 1, "never");
    shard_apply(shard, "permanent", 1, 1, "never");
    groups_later(shard, 61000);
    groups_field(shard, 3, "Status", "");
    groups_stand(shard, 1, "Error eD");
    groups_stand(shard, 2, "Complete D");
    groups_later(shard, 3600000);
    groups_field(shard, 1, "Status", "");
    groups_field(shard, 2, "Status", "");
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
        groups_test(followers_of_a_leader_that_completes_stay_merged),
        groups_test(a_failed_follower_leaves_the_group_and_retries),
        groups_test(a_leader_whose_followers_all_failed_is_lone),
        groups_test(followers_of_a_leader_that_fails_complete_themselves),
        groups_test(a_follower_that_nobody_spoke_of_waits_again),
        groups_test(results_and_large_payloads_of_followers),
        groups_test(a_crash_makes_each_member_run_alone),
        groups_test(a_poisonous_member_ends_nobody_else),
        groups_test(an_error_of_its_own_counts_in_a_group_too),
        groups_test(a_lost_lease_gives_back_whoever_had_not_answered),
        groups_test(a_backstop_ends_the_attempt_of_all),
        groups_test(a_canceled_head_leaves_the_lead_to_the_next),
        groups_test(a_follower_is_canceled_unless_it_succeeds),
        groups_test(a_canceled_leader_that_fails_leaves_its_followers),
        groups_test(a_redriven_member_may_merge_again_and_so_often),
        groups_test(members_of_a_sequence_go_along_in_order),
        groups_test(nobody_overtakes_a_member_that_runs_alone),
        groups_test(a_group_takes_what_fits_of_a_sequence),
        groups_test(the_same_nonce_is_granted_the_same_group),
        groups_test(outcomes_of_a_forgotten_group_are_adopted),
        groups_test(a_shared_failure_of_a_forgotten_leader_ends_nobody),
        groups_test(a_shared_failure_of_a_reasserted_leader_ends_nobody_either),
        groups_test(a_newer_attempt_ends_what_redis_knows_of_the_group),
        groups_test(a_member_is_reasserted_out_of_its_old_group),
        groups_test(a_group_is_removed_together),
        groups_test(a_leader_is_not_removed_before_its_followers),
    };

    return shard_tests_run(tests);
}
