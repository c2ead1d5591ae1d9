/* Every call against records in every status: each row of "What is null when" (common/record/README.md), made through
 * the functions themselves, execution groups included. */
#include "tests/functions/read_queue.h"

#include <inttypes.h>
#include <string.h>

#include "common/record/tables.h"

/* ExternalObject merges, Sweeper runs one of a ParentKey at a time, XClean fails what stands behind a failed one. */
static void types_add(void)
{
    static const char common[] =
        "\"retry_backoff_ms\":1000,\"retry_limit\":3,\"timeout_ms\":60000,\"retention_s\":3600,"
        "\"retention_error_s\":7200";

    shard->generation++;
    for (int s = 0; s < READS_SHARDS; s++)
        shard_command(
            shard,
            "HSET bgop:{%d}:types ExternalObject 1 ExternalObject:1 '{%s,\"merge_max\":4,\"merge_max_bytes\":1000}' "
            "Sweeper 1 Sweeper:1 '{%s,\"merge_max\":1,\"max_running_per_parent\":1}' "
            "XClean 1 XClean:1 '{%s,\"merge_max\":1,\"on_sequence_failure\":\"fail\"}'",
            s, common, common, common);
    for (int s = 0; s < READS_SHARDS; s++)
        shard_command(shard, "HSET bgop:{%d}:gate gen %" PRId64, s, shard->generation);
}

static int setup(void **state)
{
    read_setup(state);
    types_add();
    return 0;
}

static void submit(int number, const char *text)
{
    reads_submit(shard, 3, number, 1, text);
}

/* The outcome of a follower names its leader. */
static void apply_follower(const char *kind, int number, int attempt, int leader, const char *text)
{
    char entry[1024];

    snprintf(entry, sizeof entry, "%s %s %" PRIu64 " %" PRId64 " 10 http://w1 \"%s\" \"\" \"\" %s \"\"", kind,
             reads_id(3, number), shard_token(shard, attempt), shard->now_ms - 10, text, reads_id(3, leader));
    shard_apply_entries(shard, entry);
    assert_memory_equal(shard->answer, "OK ", 3);
}

/* first leads the two behind it. */
static void group_of_three(int first, const char *parent)
{
    char text[128];

    snprintf(text, sizeof text, "ExternalObject %s \"\" \"\" \"\" \"\" \"\" \"\" \"\"", parent);
    for (int n = first; n < first + 3; n++)
        submit(n, text);
    reads_claim(shard, first);
}

/* ---- the rows ---- */

static void make_new(int n)
{
    submit(n, "WebCart acct-1 \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
}

static void make_scheduled(int n)
{
    submit(n, "WebCart \"\" \"\" 1700009000000 \"\" \"\" \"\" \"\" \"\"");
}

static void make_waiting_for_its_sequence(int n)
{
    submit(n + 1, "WebCart acct-2 \"\" \"\" \"\" \"\" \"\" g 1");
    submit(n, "WebCart acct-2 \"\" \"\" \"\" \"\" \"\" g 2");
}

static void make_waiting_for_its_turn(int n)
{
    submit(n + 1, "Sweeper acct-3 \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
    submit(n, "Sweeper acct-3 \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
    reads_claim(shard, n + 1);
}

static void make_waiting_for_its_retry(int n)
{
    submit(n, "WebCart " PLAIN);
    reads_claim(shard, n);
    reads_apply(shard, "error", n, 1, "no such host");
}

static void make_waiting_redriven(int n)
{
    submit(n, "WebCart " PLAIN);
    reads_claim(shard, n);
    reads_apply(shard, "permanent", n, 1, "no such host");
    reads_apply(shard, "redrive", n, 1, "");
}

static void make_running(int n)
{
    submit(n, "WebCart acct-1 \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
    reads_claim(shard, n);
}

static void make_running_leader(int n)
{
    group_of_three(n, "acct-4");
}

static void make_running_alone_of_a_merging_type(int n)
{
    submit(n, "ExternalObject acct-5 \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
    reads_claim(shard, n);
}

static void make_error_timed(int n)
{
    make_waiting_for_its_retry(n);
    reads_claim(shard, n);
    reads_apply(shard, "error", n, 2, "no such host");
}

static void make_error_for_good(int n)
{
    submit(n, "WebCart " PLAIN);
    reads_claim(shard, n);
    reads_apply(shard, "permanent", n, 1, "no such host");
}

static void make_error_that_never_ran(int n)
{
    submit(n + 1, "XClean acct-6 \"\" \"\" \"\" \"\" \"\" g 1");
    submit(n, "XClean acct-6 \"\" \"\" \"\" \"\" \"\" g 2");
    reads_claim(shard, n + 1);
    reads_apply(shard, "permanent", n + 1, 1, "no such host");
}

static void make_error_that_holds_its_sequence(int n)
{
    submit(n, "WebCart acct-7 \"\" \"\" \"\" \"\" \"\" g 1");
    submit(n + 1, "WebCart acct-7 \"\" \"\" \"\" \"\" \"\" g 2");
    reads_claim(shard, n);
    reads_apply(shard, "permanent", n, 1, "no such host");
}

static void make_error_that_left_its_group(int n)
{
    group_of_three(n - 1, "acct-8");
    apply_follower("permanent", n, 1, n - 1, "no such host");
}

static void make_complete(int n)
{
    make_running(n);
    reads_apply(shard, "ok", n, 1, "");
}

static void make_complete_leader(int n)
{
    group_of_three(n, "acct-9");
    apply_follower("ok", n + 1, 1, n, "");
    apply_follower("ok", n + 2, 1, n, "");
    reads_apply(shard, "ok", n, 1, "");
}

static void make_complete_of_a_failed_leader(int n)
{
    group_of_three(n - 1, "acct-10");
    apply_follower("ok", n, 1, n - 1, "");
    apply_follower("ok", n + 1, 1, n - 1, "");
    reads_apply(shard, "permanent", n - 1, 1, "no such host");
}

static void make_failed_leader(int n)
{
    make_complete_of_a_failed_leader(n + 1);
}

static void make_canceled(int n)
{
    make_new(n);
    reads_apply(shard, "cancel", n, 0, "unwanted");
}

static void make_canceled_after_an_attempt(int n)
{
    make_waiting_for_its_retry(n);
    reads_apply(shard, "cancel", n, 0, "unwanted");
}

static void make_merged_that_runs(int n)
{
    group_of_three(n - 1, "acct-11");
}

static void make_merged_that_succeeded(int n)
{
    group_of_three(n - 1, "acct-12");
    apply_follower("ok", n, 1, n - 1, "");
}

static void make_merged_whose_leader_ended(int n)
{
    make_complete_leader(n - 1);
}

/* shows: S StartedAt, W WorkerUri, F FinishedAt, X ExpiresAt, E Error, G ExecutionGroup, L GroupLeaderId, N
 * NumFollowers, A the next attempt's time (bgop_why). */
static const struct row {
    const char *name;
    void (*make)(int number);
    const char *status, *shows, *why;
} rows[] = {
    { "New", make_new, "New", "", "claimable since" },
    { "Scheduled", make_scheduled, "Scheduled", "A", "scheduled: ProcessAfter is in" },
    { "Waiting, sequence", make_waiting_for_its_sequence, "Waiting", "", "waits for 1 unfinished before it" },
    { "Waiting, turn", make_waiting_for_its_turn, "Waiting", "",
      "waits for its turn: 1 running execution of ParentKey 'acct-3' (at most 1), 0 before it" },
    { "Waiting, retry", make_waiting_for_its_retry, "Waiting", "SW", "released for another attempt since" },
    { "Waiting, redriven", make_waiting_redriven, "Waiting", "SW", "released for another attempt since" },
    { "Running", make_running, "Running", "SW", "attempt 1 runs at http://w1, started" },
    { "Running, leader", make_running_leader, "Running", "SWGN",
      "attempt 1 runs at http://w1, leads an execution group with 2 followers" },
    { "Running, alone", make_running_alone_of_a_merging_type, "Running", "SW", "attempt 1 runs at http://w1, started" },
    { "Error, timed", make_error_timed, "Error", "SWFEA", "retry 2 of 3 is due in" },
    { "Error, for good", make_error_for_good, "Error", "SWFXE", "failed for good after 0 retries" },
    { "Error, never ran", make_error_that_never_ran, "Error", "FXE", "failed for good" },
    { "Error, holds", make_error_that_holds_its_sequence, "Error", "SWFE", "1 behind it in sequence group" },
    { "Error, left its group", make_error_that_left_its_group, "Error", "SWFXE", "failed for good" },
    { "Error, leader", make_failed_leader, "Error", "SWFXE", "failed for good" },
    { "Complete", make_complete, "Complete", "SWFX", "complete; to be removed in" },
    { "Complete, leader", make_complete_leader, "Complete", "SWFXGN", "complete; to be removed in" },
    { "Complete, of a failed leader", make_complete_of_a_failed_leader, "Complete", "SWFXGL", "complete" },
    { "Canceled", make_canceled, "Canceled", "X", "canceled: 'unwanted'; to be removed in" },
    { "Canceled after an attempt", make_canceled_after_an_attempt, "Canceled", "SWX", "canceled: 'unwanted'" },
    { "Merged, runs", make_merged_that_runs, "Merged", "SWGL", "attempt 1 runs in the execution group of 08P" },
    { "Merged, succeeded", make_merged_that_succeeded, "Merged", "SWGL", ", which still runs" },
    { "Merged, leader ended", make_merged_whose_leader_ended, "Merged", "SWXGL",
      "merged: succeeded in the execution group of 08P" },
};

static int number_of(const struct row *row)
{
    return 10 + 10 * (int)(row - rows);
}

static void rows_make(void)
{
    for (size_t i = 0; i < TEST_COUNT(rows); i++)
        rows[i].make(number_of(&rows[i]));
    shard_clock(shard, shard_now(shard) + 3); /* not yet the next ms that something is due */
}

/* ---- the calls ---- */

static json_t *record_of(const struct row *row)
{
    json_t *answer = reads_json(shard, "bgop_retrieve 0 * %s", reads_id(3, number_of(row)));
    json_t *record = json_incref(json_array_get(answer, 0));

    json_decref(answer);
    if (!json_is_object(record))
        fail_msg("%s: there is no record", row->name);
    return record;
}

static bool shows(json_t *record, const char *field)
{
    return !json_is_null(json_object_get(record, field));
}

static void retrieve_shows_what_applies(void **state)
{
    static const struct {
        char letter;
        const char *field;
    } fields[] = { { 'S', "StartedAt" }, { 'W', "WorkerUri" },      { 'F', "FinishedAt" },    { 'X', "ExpiresAt" },
                   { 'E', "Error" },     { 'G', "ExecutionGroup" }, { 'L', "GroupLeaderId" }, { 'N', "NumFollowers" } };

    (void)state;
    rows_make();
    for (const struct row *row = rows; row < rows + TEST_COUNT(rows); row++) {
        json_t *record = record_of(row);

        if (strcmp(json_string_value(json_object_get(record, "Status")), row->status) != 0)
            fail_msg("%s is %s", row->name, json_string_value(json_object_get(record, "Status")));
        for (size_t f = 0; f < TEST_COUNT(fields); f++) {
            if (shows(record, fields[f].field) != (strchr(row->shows, fields[f].letter) != NULL))
                fail_msg("%s: %s is %s", row->name, fields[f].field, shows(record, fields[f].field) ? "shown" : "null");
        }
        for (const char *const *always =
                 (const char *const[]){ "Id", "Name", "Type", "SubmittedAt", "CreatedDate", "LastModifiedDate",
                                        "SystemModstamp", "RetryBackoff", "RetryCount", "RetryLimit", "Timeout", NULL };
             *always != NULL; always++) {
            if (!shows(record, *always))
                fail_msg("%s: %s is null", row->name, *always);
        }
        assert_true(json_is_false(json_object_get(record, "IsDeleted")));
        json_decref(record);
    }
}

static void the_fields_of_a_group_belong_together(void **state)
{
    json_t *leader, *follower;
    char expected[64];

    (void)state;
    group_of_three(1, "acct-1");
    leader = reads_json(shard, "bgop_retrieve 0 * %s %s", reads_id(3, 1), reads_id(3, 2));
    follower = json_array_get(leader, 1);
    snprintf(expected, sizeof expected, "%s-1", reads_id(3, 1));
    assert_string_equal(json_string_value(json_object_get(json_array_get(leader, 0), "ExecutionGroup")), expected);
    assert_string_equal(json_string_value(json_object_get(follower, "ExecutionGroup")), expected);
    assert_string_equal(json_string_value(json_object_get(follower, "GroupLeaderId")), reads_id(3, 1));
    assert_int_equal(json_integer_value(json_object_get(json_array_get(leader, 0), "NumFollowers")), 2);
    assert_string_equal(json_string_value(json_object_get(follower, "StartedAt")),
                        json_string_value(json_object_get(json_array_get(leader, 0), "StartedAt")));
    json_decref(leader);
}

static bool lists(json_t *ids, const char *member, const char *id)
{
    json_t *one;
    size_t i;

    json_array_foreach(ids, i, one)
    {
        const char *text = json_string_value(member == NULL ? one : json_object_get(one, member));

        if (text != NULL && strcmp(text, id) == 0)
            return true;
    }
    return false;
}

static void find_finds_it_by_its_status_and_by_what_it_shows(void **state)
{
    (void)state;
    rows_make();
    for (const struct row *row = rows; row < rows + TEST_COUNT(rows); row++) {
        json_t *record = record_of(row), *answer;

        for (int s = 0; s < OP_STATUS_COUNT; s++) {
            const char *status = record_statuses[s].name;

            answer = reads_json(shard, "bgop_find 0 '{\"where\":[[\"Status\",\"=\",\"%s\"]],\"limit\":200}'", status);
            if (lists(json_object_get(answer, "rows"), "Id", reads_id(3, number_of(row))) !=
                (strcmp(status, row->status) == 0))
                fail_msg("%s: among those in %s?", row->name, status);
            json_decref(answer);
        }
        for (int f = 0; f < FIELD_COUNT; f++) {
            char *value = json_dumps(json_object_get(record, record_fields[f].name), JSON_ENCODE_ANY);

            answer = reads_json(shard, "bgop_find 0 '{\"where\":[[\"%s\",\"=\",%s],[\"Id\",\"=\",\"%s\"]]}'",
                                record_fields[f].name, value, reads_id(3, number_of(row)));
            if (json_array_size(json_object_get(answer, "rows")) != 1 ||
                !json_equal(json_array_get(json_object_get(answer, "rows"), 0), record))
                fail_msg("%s: not found by %s = %s", row->name, record_fields[f].name, value);
            json_decref(answer);
            free(value);
        }
        json_decref(record);
    }
}

static void lookup_finds_it_by_each_of_its_keys(void **state)
{
    (void)state;
    rows_make();
    for (const struct row *row = rows; row < rows + TEST_COUNT(rows); row++) {
        json_t *record = record_of(row);

        for (int f = 0; f < FIELD_COUNT; f++) {
            json_t *value = json_object_get(record, record_fields[f].name), *answer;

            if (!(record_fields[f].properties & FIELD_L) || json_is_null(value))
                continue;
            answer = reads_json(shard, "bgop_lookup 0 %s %s", record_fields[f].name, json_string_value(value));
            if (!lists(json_object_get(answer, "ids"), NULL, reads_id(3, number_of(row))))
                fail_msg("%s: not found by %s %s", row->name, record_fields[f].name, json_string_value(value));
            json_decref(answer);
        }
        json_decref(record);
    }
}

static void why_says_what_it_waits_for(void **state)
{
    (void)state;
    rows_make();
    for (const struct row *row = rows; row < rows + TEST_COUNT(rows); row++) {
        json_t *answer = reads_json(shard, "bgop_why 0 %s", reads_id(3, number_of(row)));
        const char *reason = json_string_value(json_object_get(answer, "reason"));

        assert_string_equal(json_string_value(json_object_get(answer, "status")), row->status);
        if (strstr(reason, row->why) == NULL)
            fail_msg("%s: '%s' is not in: %s", row->name, row->why, reason);
        if (shows(answer, "nextAttemptAt") != (strchr(row->shows, 'A') != NULL))
            fail_msg("%s: nextAttemptAt", row->name);
        json_decref(answer);
    }
}

static void get_updated_lists_it_and_stats_counts_it(void **state)
{
    json_t *updated, *stats, *all;
    int counted = 0;

    (void)state;
    rows_make();
    updated = reads_json(shard, "bgop_get_updated 0 2023-11-14T22:00:00Z 2023-11-15");
    stats = reads_json(shard, "bgop_stats 0");
    for (const struct row *row = rows; row < rows + TEST_COUNT(rows); row++) {
        if (!lists(json_object_get(updated, "ids"), NULL, reads_id(3, number_of(row))))
            fail_msg("%s: not among the updated", row->name);
    }
    for (int s = 0; s < OP_STATUS_COUNT; s++) {
        json_t *statuses;
        const char *type;
        int64_t count = 0;

        json_object_foreach(json_object_get(stats, "byType"), type, statuses) count +=
            json_integer_value(json_object_get(statuses, record_statuses[s].name));
        all = reads_json(shard, "bgop_find 0 '{\"where\":[[\"Status\",\"=\",\"%s\"]],\"fields\":[],\"limit\":200}'",
                         record_statuses[s].name);
        assert_int_equal(json_array_size(json_object_get(all, "rows")), count);
        counted += (int)count;
        json_decref(all);
    }
    assert_int_equal(json_array_size(json_object_get(updated, "ids")), counted);
    json_decref(updated);
    json_decref(stats);
}

/* ---- lanes and groups, as why says it ---- */

static void why_is(int number, const char *part, int blocker)
{
    json_t *answer = reads_json(shard, "bgop_why 0 %s", reads_id(3, number));
    const char *reason = json_string_value(json_object_get(answer, "reason"));

    if (strstr(reason, part) == NULL)
        fail_msg("%d: '%s' is not in: %s", number, part, reason);
    if (blocker != 0 && !lists(json_object_get(answer, "blockedBy"), NULL, reads_id(3, blocker)))
        fail_msg("%d is not blocked by %d: %s", number, blocker, reason);
    json_decref(answer);
}

static void why_names_who_is_out_of_the_lane(void **state)
{
    (void)state;
    for (int n = 1; n <= 6; n++)
        submit(n, "ExternalObject acct-42 \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
    why_is(1, "claimable since", 0);
    why_is(3, "waits for its turn: 1 claimable one of ParentKey 'acct-42' (at most 1), 1 before it", 1);
    reads_claim(shard, 1); /* takes 2 to 4 along */
    why_is(1, "leads an execution group with 3 followers", 0);
    why_is(4, "attempt 1 runs in the execution group of ", 1);
    why_is(5, "waits for its turn: 1 running execution of ParentKey 'acct-42' (at most 1), 0 before it", 1);
    why_is(6, "1 before it", 1);
    reads_apply(shard, "cancel", 4, 1, "unwanted");
    why_is(4, "cancel requested", 1);
}

static void why_says_who_runs_alone(void **state)
{
    (void)state;
    group_of_three(1, "acct-1");
    shard_clock(shard, shard_now(shard) + SHARD_LEASE_MS + 1000);
    shard_tick(shard); /* the lease is lost: each of the three runs alone from here on */
    why_is(2, "it runs alone, after an execution group that failed as a whole", 0);
    reads_expect(shard,
                 "[{\"Status\":\"Waiting\",\"ExecutionGroup\":null,\"GroupLeaderId\":null,\"NumFollowers\":null}]",
                 "bgop_retrieve 0 Status,ExecutionGroup,GroupLeaderId,NumFollowers %s", reads_id(3, 2));
    reads_expect(shard,
                 "[{\"Status\":\"Waiting\",\"ExecutionGroup\":null,\"GroupLeaderId\":null,\"NumFollowers\":null}]",
                 "bgop_retrieve 0 Status,ExecutionGroup,GroupLeaderId,NumFollowers %s", reads_id(3, 1));
}

static void why_says_that_a_lane_is_paused(void **state)
{
    (void)state;
    for (int n = 1; n <= 2; n++)
        submit(n, "Sweeper acct-1 \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
    shard_apply_entries(shard, "pause \"\" 0 0 0 \"\" why \"\" acct-1 \"\" \"\"");
    assert_memory_equal(shard->answer, "OK ", 3);
    why_is(2, "; its ParentKey 'acct-1' is paused", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, read_teardown)
        TEST(retrieve_shows_what_applies),
        TEST(the_fields_of_a_group_belong_together),
        TEST(find_finds_it_by_its_status_and_by_what_it_shows),
        TEST(lookup_finds_it_by_each_of_its_keys),
        TEST(why_says_what_it_waits_for),
        TEST(get_updated_lists_it_and_stats_counts_it),
        TEST(why_names_who_is_out_of_the_lane),
        TEST(why_says_who_runs_alone),
        TEST(why_says_that_a_lane_is_paused),
    };

    return read_tests_run(tests);
}
