/* What becomes of each member of an execution group: outcomes, shared trouble, cancels, what Redis forgot, removal. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/groups.h"
#include "tests/support/test.h"

/* ---- outcomes ---- */

static void followers_of_a_leader_that_completes_stay_merged(void **state)
{
    struct shard *shard = *state;

    groups_three(shard);
    groups_apply(shard, "ok", 2, 1, 1, "");
    groups_stand(shard, 2, "Merged ");
    groups_field(shard, 2, "ExpiresAt", "");
    groups_apply(shard, "ok", 3, 1, 1, "");
    shard_apply(shard, "ok", 1, 1, "");
    groups_stand(shard, 1, "Complete D");
    groups_stand(shard, 2, "Merged D");
    groups_leads(shard, 1, 1, "2");
    groups_follows(shard, 2, 1, 1);
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

    groups_three(shard);
    groups_apply(shard, "error", 2, 1, 1, "bad row");
    groups_stand(shard, 2, "Waiting "); /* its lane is busy */
    groups_is_lone(shard, 2);
    groups_field(shard, 2, "RetryCount", "1");
    groups_leads(shard, 1, 1, "1");
    groups_apply(shard, "ok", 3, 1, 1, "");
    shard_apply(shard, "ok", 1, 1, "");
    groups_hinted(shard, 2);
    groups_leads(shard, 1, 1, "1");
    groups_stand(shard, 3, "Merged D");
    groups_submit_all(shard, 4, 4);
    groups_claim(shard, 2, "2 4"); /* retry 1 may merge again */
    groups_leads(shard, 2, 2, "1");
    groups_apply(shard, "ok", 4, 1, 2, "");
    shard_apply(shard, "error", 2, 2, "bad row");
    groups_stand(shard, 2, "Error de");
    groups_stand(shard, 4, "Complete D"); /* its leader did not complete */
    groups_follows(shard, 4, 2, 2);
    groups_is_lone(shard, 2);
    groups_later(shard, 3000);
    groups_submit_all(shard, 5, 5);
    groups_claim(shard, 2, "2"); /* from retry 2 on alone */
    shard_apply(shard, "ok", 2, 3, "");
    groups_stand(shard, 2, "Complete D");
    groups_stand(shard, 5, "Waiting p");
}

static void a_leader_whose_followers_all_failed_is_lone(void **state)
{
    struct shard *shard = *state;

    groups_three(shard);
    groups_apply(shard, "error", 2, 1, 1, "no");
    groups_apply(shard, "permanent", 3, 1, 1, "never");
    groups_is_lone(shard, 1);
    shard_apply(shard, "ok", 1, 1, "");
    groups_is_lone(shard, 1);
    groups_stand(shard, 3, "Error eD");
    groups_is_lone(shard, 3);
}

static void followers_of_a_leader_that_fails_complete_themselves(void **state)
{
    struct shard *shard = *state;

    groups_three(shard);
    groups_apply(shard, "ok", 2, 1, 1, "");
    groups_apply(shard, "skipped", 3, 1, 1, "");
    groups_stand(shard, 3, "Waiting ");
    groups_field(shard, 3, "RetryCount", "");
    shard_apply(shard, "permanent", 1, 1, "never");
    groups_stand(shard, 1, "Error eD");
    groups_is_lone(shard, 1);
    groups_stand(shard, 2, "Complete D");
    groups_follows(shard, 2, 1, 1);
    groups_field(shard, 2, "FinishedAt", shard_field(shard, 1, "FinishedAt"));
    groups_stand(shard, 3, "Waiting p");
    groups_is_lone(shard, 3);
}

static void a_follower_that_nobody_spoke_of_waits_again(void **state)
{
    struct shard *shard = *state;

    groups_three(shard);
    groups_apply(shard, "ok", 2, 1, 1, "");
    shard_apply(shard, "ok", 1, 1, "");
    groups_stand(shard, 3, "Waiting p");
    groups_is_lone(shard, 3);
    groups_leads(shard, 1, 1, "1");
    groups_field(shard, 3, "RetryCount", "");
}

static void results_and_large_payloads_of_followers(void **state)
{
    struct shard *shard = *state;
    char large[1100] = "";

    groups_arm(shard, 4, 100000, 2);
    memset(large, 'x', sizeof large - 1);
    groups_submit_all(shard, 1, 1);
    groups_submit(shard, 2, (struct shard_op){ .payload = large });
    groups_claim(shard, 1, "1 2");
    shard_command(shard, "EXISTS " SHARD_PREFIX ":in:%s", shard_id(2));
    assert_string_equal(shard->answer, "1");
    shard_apply_entries(shard, "");
    shard_call(shard, "bgop_apply", "1 2 1 5 6 ok %s %" PRIu64 " %" PRId64 " 5 http://w1 \"\" \"\" made %s \"\"",
               shard_id(2), shard_token(shard, 1), shard->now_ms, shard_id(1));
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

    groups_three(shard);
    for (int op = 2; op <= 3; op++)
        groups_apply(shard, "crashed", op, 1, 1, "signal 11");
    shard_apply(shard, "crashed", 1, 1, "signal 11");
    for (int op = 1; op <= 3; op++) {
        groups_field(shard, op, "RetryCount", "1");
        groups_field(shard, op, "crashes", "");
        groups_is_lone(shard, op);
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
    static const char *const kinds[] = { "crashed", "timed_out", "unanswered" };
    char number[8];

    for (int round = 0; round < 3; round++) {
        int first = 1 + round * 10;

        for (int op = first; op <= first + 2; op++)
            groups_submit(shard, op, (struct shard_op){ .retry_limit = "0" });
        shard_call(shard, "bgop_claim", "i1 http://w1 poison-%d ExternalObject 1 %s", round, shard_id(first));
        for (int op = first + 1; op <= first + 2; op++)
            groups_apply(shard, kinds[round], op, 1, first, "");
        shard_apply(shard, kinds[round], first, 1, "");
        for (int op = first; op <= first + 2; op++) {
            groups_field(shard, op, "RetryCount", "");
            snprintf(number, sizeof number, "%d", op);
            groups_claim(shard, op, number);
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
        groups_submit(shard, op, (struct shard_op){ .retry_limit = "0" });
    groups_claim(shard, 1, "1 2");
    groups_apply(shard, "error", 2, 1, 1, "bad row");
    groups_stand(shard, 2, "Error eD");
    shard_apply(shard, "ok", 1, 1, "");
    groups_is_lone(shard, 1);
}

static void a_lost_lease_gives_back_whoever_had_not_answered(void **state)
{
    struct shard *shard = *state;

    groups_three(shard);
    groups_apply(shard, "ok", 2, 1, 1, "");
    groups_later(shard, SHARD_LEASE_MS + 1);
    groups_stand(shard, 2, "Complete D");
    groups_stand(shard, 1, "Waiting p");
    groups_stand(shard, 3, "Waiting ");
    groups_is_lone(shard, 1);
    groups_is_lone(shard, 3);
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
        groups_submit(shard, op, (struct shard_op){ .timeout = "10000" });
    groups_claim(shard, 1, "1 2");
    shard_clock(shard, shard_now(shard) + 15000);
    shard_call(shard, "bgop_renew", "i1 http://w1 WebCart 8 %s %" PRIu64, shard_id(1), shard_token(shard, 1));
    groups_later(shard, 0);
    assert_non_null(strstr(shard->answer, " timed_out "));
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

    groups_submit_all(shard, 1, 3);
    shard_apply(shard, "cancel", 1, 0, "");
    groups_hinted(shard, 2);
    shard_apply(shard, "cancel", 3, 0, "");
    groups_stand(shard, 3, "Canceled D");
    groups_submit_all(shard, 4, 4);
    groups_claim(shard, 2, "2 4");
}

static void a_follower_is_canceled_unless_it_succeeds(void **state)
{
    struct shard *shard = *state;

    groups_three(shard);
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
    groups_is_lone(shard, 3);
    shard_apply(shard, "ok", 1, 1, "");
    groups_stand(shard, 2, "Merged D");
    groups_leads(shard, 1, 1, "1");
}

static void a_canceled_leader_that_fails_leaves_its_followers(void **state)
{
    struct shard *shard = *state;

    groups_three(shard);
    shard_apply(shard, "cancel", 1, 1, "");
    groups_apply(shard, "ok", 2, 1, 1, "");
    groups_apply(shard, "error", 3, 1, 1, "no");
    shard_apply(shard, "error", 1, 1, "stopped");
    groups_stand(shard, 1, "Canceled D");
    groups_is_lone(shard, 1);
    groups_stand(shard, 2, "Complete D");
    groups_stand(shard, 3, "Waiting p");
}

static void a_redriven_member_may_merge_again_and_so_often(void **state)
{
    struct shard *shard = *state;

    groups_submit_all(shard, 1, 1);
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

/* ---- what Redis forgot ---- */

/* Redis went backwards and forgot the claim; the worker reports. */
static void outcomes_of_a_forgotten_group_are_adopted(void **state)
{
    struct shard *shard = *state;

    groups_submit_all(shard, 1, 4);
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

static void reassert(struct shard *shard, int op, const char *type)
{
    shard_call(shard, "bgop_reassert", "i1 http://w1 %s 8 %s %" PRIu64 " %s %" PRId64, type, shard_id(op),
               shard_token(shard, 1), type, shard->now_ms);
    groups_stand(shard, op, "Running lr");
}

/* With whom it ran is forgotten, but its entry says that there were others: it is not ended for what may be their fault. */
static void a_shared_failure_of_a_forgotten_leader_ends_nobody(void **state)
{
    struct shard *shard = *state;

    groups_submit(shard, 1, (struct shard_op){ .retry_limit = "0" });
    groups_apply(shard, "unanswered", 1, 1, 1, "");
    groups_stand(shard, 1, "Waiting p");
    groups_claim(shard, 1, "1");
    shard_apply(shard, "unanswered", 1, 2, "");
    groups_stand(shard, 1, "Error eD");
}

static void a_shared_failure_of_a_reasserted_leader_ends_nobody_either(void **state)
{
    struct shard *shard = *state;

    groups_submit(shard, 1, (struct shard_op){ .retry_limit = "0" });
    reassert(shard, 1, "ExternalObject");
    groups_apply(shard, "timed_out", 1, 1, 1, "");
    groups_stand(shard, 1, "Waiting p");
    groups_claim(shard, 1, "1");
    shard_apply(shard, "timed_out", 1, 2, "");
    groups_stand(shard, 1, "Error eD");
}

/* Nobody ran with it, says its entry: what had ended it ends it again, whatever Redis forgot. */
static void a_failure_of_a_forgotten_lone_one_is_its_own(void **state)
{
    static const char *const kinds[] = { "timed_out", "unanswered", "lost" };
    struct shard *shard = *state;

    for (int op = 1; op <= (int)TEST_COUNT(kinds); op++) {
        groups_submit(shard, op, (struct shard_op){ .retry_limit = "0" });
        shard_apply(shard, kinds[op - 1], op, 1, "");
        groups_stand(shard, op, "Error eD");
        groups_submit(shard, op + 10, (struct shard_op){ .retry_limit = "0" });
        reassert(shard, op + 10, "ExternalObject");
        shard_apply(shard, kinds[op - 1], op + 10, 1, "");
        groups_stand(shard, op + 10, "Error eD");
    }
}

static void expect_verdict(struct shard *shard, int op, const char *leader)
{
    char expected[128];

    shard_clock(shard, shard_now(shard) + 15000); /* Timeout and 5 s */
    shard_call(shard, "bgop_renew", "i1 http://w1 ExternalObject 8 %s %" PRIu64, shard_id(op), shard_token(shard, 1));
    groups_later(shard, 0);
    snprintf(expected, sizeof expected, " timed out after 10000 ms %s", leader);
    if (strstr(shard->answer, expected) == NULL)
        fail_msg("no verdict '%s': %s", expected, shard->answer);
    shard_apply(shard, "ok", op, 1, "");
}

/* A verdict names a leader when others ran with it, or may have: then it is the log that knows. */
static void a_verdict_says_whether_others_ran_with_it(void **state)
{
    const struct shard_op timeout = { .timeout = "10000" };
    struct shard *shard = *state;

    groups_submit(shard, 1, timeout);
    groups_claim(shard, 1, "1");
    expect_verdict(shard, 1, "\"\"");
    groups_submit(shard, 2, timeout);
    groups_submit(shard, 3, timeout);
    groups_claim(shard, 2, "2 3");
    expect_verdict(shard, 2, shard_id(2));
    shard_apply(shard, "ok", 3, 1, "");
    groups_submit(shard, 4, timeout);
    reassert(shard, 4, "ExternalObject"); /* with whom is forgotten */
    expect_verdict(shard, 4, shard_id(4));
    shard_submit(shard, 5, (struct shard_op){ .type = "Sweeper", .parent_key = "p", .timeout = "10000" });
    reassert(shard, 5, "Sweeper"); /* in a lane, but alone for sure */
    expect_verdict(shard, 5, "\"\"");
}

/* Two entries of the leader in one call, with followers' changes between them. */
static void a_leader_that_is_canceled_as_it_returns_leaves_its_lane(void **state)
{
    struct shard *shard = *state;
    char entries[1024];

    groups_three(shard);
    snprintf(entries, sizeof entries,
             "ok %s %" PRIu64 " %" PRId64 " 10 http://w1 \"\" \"\" \"\" %s \"\" "
             "returned %s %" PRIu64 " %" PRId64 " 10 http://w1 \"\" \"\" \"\" \"\" \"\" "
             "cancel %s %" PRIu64 " \"\" \"\" \"\" \"\" \"\" \"\" \"\" \"\"",
             shard_id(2), shard_token(shard, 1), shard->now_ms - 10, shard_id(1), shard_id(1), shard_token(shard, 1),
             shard->now_ms - 10, shard_id(1), shard_token(shard, 1));
    shard_apply_entries(shard, entries);
    groups_stand(shard, 1, "Canceled D");
    groups_stand(shard, 2, "Complete D");
    groups_claim(shard, 3, "3");
}

/* Redis knows the first group only; a later attempt of its members is heard of. */
static void a_newer_attempt_ends_what_redis_knows_of_the_group(void **state)
{
    struct shard *shard = *state;

    groups_three(shard);
    groups_apply(shard, "ok", 2, 1, 1, "");
    shard_apply(shard, "ok", 3, 2, ""); /* of another execution */
    groups_stand(shard, 3, "Complete D");
    groups_leads(shard, 1, 1, "1");
    shard_apply(shard, "ok", 1, 2, "");
    groups_stand(shard, 1, "Complete D");
    groups_stand(shard, 2, "Complete D");
    groups_is_lone(shard, 1);
}

static void a_member_is_reasserted_out_of_its_old_group(void **state)
{
    struct shard *shard = *state;

    groups_three(shard);
    shard_call(shard, "bgop_reassert", "i2 http://w2 ExternalObject 8 %s %" PRIu64 " ExternalObject %" PRId64,
               shard_id(3), shard_token(shard, 2), shard->now_ms);
    groups_stand(shard, 3, "Running lr");
    groups_is_lone(shard, 3);
    groups_leads(shard, 1, 1, "1");
    shard_apply(shard, "ok", 3, 2, "");
    groups_apply(shard, "ok", 2, 1, 1, "");
    shard_apply(shard, "ok", 1, 1, "");
    groups_stand(shard, 2, "Merged D");
}

/* What the last call wrote to the stream of changes, when it was one entry. */
static const char *last_changes(struct shard *shard)
{
    return shard_command(shard, "XREVRANGE " SHARD_PREFIX ":changes + - COUNT 1");
}

/* 3 leaves the group that its leader ends: the leader is edited, and completes. */
static void the_last_change_that_is_told_is_the_status(void **state)
{
    struct shard *shard = *state;
    const char *told;

    groups_three(shard);
    groups_apply(shard, "ok", 2, 1, 1, "");
    shard_apply(shard, "ok", 1, 1, "");
    groups_stand(shard, 3, "Waiting p");
    told = last_changes(shard);
    assert_non_null(strstr(told, "Running"));
    assert_non_null(strstr(strstr(told, "Running"), "Complete"));
}

/* ---- removal ---- */

static void a_group_is_removed_together(void **state)
{
    struct shard *shard = *state;

    groups_three(shard);
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
    groups_three(shard);
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
        groups_test(outcomes_of_a_forgotten_group_are_adopted),
        groups_test(a_shared_failure_of_a_forgotten_leader_ends_nobody),
        groups_test(a_shared_failure_of_a_reasserted_leader_ends_nobody_either),
        groups_test(a_failure_of_a_forgotten_lone_one_is_its_own),
        groups_test(a_verdict_says_whether_others_ran_with_it),
        groups_test(a_leader_that_is_canceled_as_it_returns_leaves_its_lane),
        groups_test(a_newer_attempt_ends_what_redis_knows_of_the_group),
        groups_test(a_member_is_reasserted_out_of_its_old_group),
        groups_test(the_last_change_that_is_told_is_the_status),
        groups_test(a_group_is_removed_together),
        groups_test(a_leader_is_not_removed_before_its_followers),
    };

    return shard_tests_run(tests);
}
