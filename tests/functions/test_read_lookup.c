/* bgop_lookup, bgop_why and bgop_stats. */
#include "tests/functions/read_queue.h"

#include <string.h>

/* ---- lookup ---- */

static void records_are_found_by_id_and_by_name(void **state)
{
    (void)state;
    reads_submit(shard, 3, 1, 1, "WebCart \"\" import-7 \"\" \"\" \"\" \"\" \"\" \"\"");
    reads_submit(shard, 0, 2, 1, "Declared acct-1 import-7 \"\" \"\" \"\" \"\" \"\" \"\"");
    reads_submit(shard, 0, 3, 1, "WebCart " PLAIN);
    reads_expect(shard, "{\"ids\":[\"08P003000000001EAA\"],\"cursor\":null}", "bgop_lookup 0 Id 08P003000000001");
    reads_expect(shard, "{\"ids\":[],\"cursor\":null}", "bgop_lookup 0 Id 08P003000000009");
    reads_expect(shard, "{\"ids\":[],\"cursor\":null}", "bgop_lookup 0 Id garbage");
    reads_expect(shard, "{\"ids\":[\"08P000000000002EAA\",\"08P003000000001EAA\"],\"cursor\":null}",
                 "bgop_lookup 0 Name import-7");
    reads_expect(shard, "{\"ids\":[\"08P003000000001EAA\"],\"cursor\":null}", "bgop_lookup 1 bgop:{3} Name import-7");
    reads_expect(shard, "{\"ids\":[],\"cursor\":null}", "bgop_lookup 0 Name Import-7");
    reads_expect(shard, "{\"ids\":[\"08P000000000003EAA\"],\"cursor\":null}", "bgop_lookup 0 Name BO-08P000000000003");
    reads_expect(shard, "{\"ids\":[],\"cursor\":null}", "bgop_lookup 0 Name BO-08P000000000004");
    shard_command(shard, "DEL bgop:{3}:op:08P003000000001EAA"); /* removed; its Name is kept for a day */
    reads_expect(shard, "{\"ids\":[\"08P000000000002EAA\"],\"cursor\":null}", "bgop_lookup 0 Name import-7");
}

static void a_parent_keys_records_come_newest_first_in_pages(void **state)
{
    json_t *answer, *second;

    (void)state;
    for (int i = 0; i < 7; i++) {
        reads_submit(shard, 3, 1 + 100 * i, 100, "WebCart acct-1 \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
        shard_clock(shard, 31000 + i);
    }
    answer = reads_json(shard, "bgop_lookup 0 ParentKey acct-1");
    assert_int_equal(json_array_size(json_object_get(answer, "ids")), 500);
    assert_string_equal(json_string_value(json_array_get(json_object_get(answer, "ids"), 0)), reads_id(3, 700));
    second =
        reads_json(shard, "bgop_lookup 0 ParentKey acct-1 %s", json_string_value(json_object_get(answer, "cursor")));
    assert_int_equal(json_array_size(json_object_get(second, "ids")), 200);
    assert_string_equal(json_string_value(json_array_get(json_object_get(second, "ids"), 199)), reads_id(3, 1));
    assert_true(json_is_null(json_object_get(second, "cursor")));
    json_decref(answer);
    json_decref(second);
    reads_expect(shard, "{\"ids\":[],\"cursor\":null}", "bgop_lookup 0 ParentKey acct");
}

static void a_workers_records_stand_where_they_ran_last(void **state)
{
    (void)state;
    reads_submit(shard, 3, 1, 3, "WebCart " PLAIN);
    reads_claim(shard, 1);
    shard_clock(shard, 31000);
    reads_claim(shard, 2);
    reads_apply(shard, "error", 1, 1, "x");
    shard_clock(shard, 32000);
    reads_claim(shard, 1); /* again: stands once, at its latest attempt */
    reads_expect(shard, "{\"ids\":[\"08P003000000001EAA\",\"08P003000000002EAA\"],\"cursor\":null}",
                 "bgop_lookup 0 WorkerUri http://w1");
    shard_call(shard, "bgop_claim", "i2 http://w2 n1 WebCart 1 %s", reads_id(3, 3));
    reads_expect(shard, "{\"ids\":[\"08P003000000003EAA\"],\"cursor\":null}", "bgop_lookup 0 WorkerUri http://w2");
    shard_command(shard, "HSET bgop:{3}:op:%s WorkerUri http://w2", reads_id(3, 2)); /* taken over elsewhere */
    reads_expect(shard, "{\"ids\":[\"08P003000000001EAA\"],\"cursor\":null}", "bgop_lookup 0 WorkerUri http://w1");
    /* What Redis forgot and the worker asserted again counts, once. */
    shard_command(shard, "HSET bgop:{3}:op:%s WorkerUri http://w1 StartedAt 1700000000500", reads_id(3, 2));
    shard_command(shard, "XADD bgop:{3}:worker:http://w1 1700000040000-1 ids %s", reads_id(3, 2));
    shard_command(shard, "XADD bgop:{3}:worker:http://w1 1700000050000-1 ids %s", reads_id(3, 2));
    reads_expect(shard, "{\"ids\":[\"08P003000000002EAA\",\"08P003000000001EAA\"],\"cursor\":null}",
                 "bgop_lookup 0 WorkerUri http://w1");
}

static void only_fields_with_id_lookup_may_be_looked_up(void **state)
{
    (void)state;
    reads_refused(shard, "INVALID_FIELD", "Type can not be looked up (property idLookup)",
                  "bgop_lookup 0 Type WebCart");
    reads_refused(shard, "INVALID_FIELD", "did you mean ParentKey?", "bgop_lookup 0 Parent acct-1");
    reads_refused(shard, "MALFORMED_QUERY", "a field, a value", "bgop_lookup 0 Name");
    reads_refused(shard, "MALFORMED_QUERY", "does not belong", "bgop_lookup 0 ParentKey acct-1 zzz");
    shard_command(shard, "HSET bgop:{2}:gate mode RECOVERING");
    reads_refused(shard, "RECOVERING", "shard 2", "bgop_lookup 0 Name x");
}

/* ---- why ---- */

/* Status, part of the reason, the next attempt's time ("" = null) of an operation of shard 3. */
static void check_why(int number, const char *status, const char *part, const char *next)
{
    json_t *answer = reads_json(shard, "bgop_why 0 %s", reads_id(3, number));
    const char *reason = json_string_value(json_object_get(answer, "reason"));
    const char *at = json_string_value(json_object_get(answer, "nextAttemptAt"));

    assert_string_equal(json_string_value(json_object_get(answer, "status")), status);
    if (strstr(reason, part) == NULL)
        fail_msg("'%s' is not in: %s", part, reason);
    assert_string_equal(at == NULL ? "" : at, next);
    assert_true(json_is_array(json_object_get(answer, "blockedBy")));
    json_decref(answer);
}

static void why_says_what_an_operation_waits_for(void **state)
{
    (void)state;
    reads_submit(shard, 3, 1, 1, "WebCart \"\" \"\" 1700000090000 \"\" \"\" \"\" \"\" \"\"");
    reads_submit(shard, 3, 2, 6, "WebCart " PLAIN);
    check_why(1, "Scheduled", "ProcessAfter is in 60 s", "2023-11-14T22:14:50.000+0000");
    check_why(3, "New", "waits for a worker that serves WebCart, 1 before it here; no live worker serves this Type",
              "");
    shard_call(shard, "bgop_renew", "i1 http://w1 'Declared WebCart' 4");
    check_why(2, "New", "waits for a worker that serves WebCart, 0 before it here", "");
    assert_null(strstr(reads_ask(shard, "bgop_why 0 %s", reads_id(3, 2)), "no live worker"));

    reads_claim(shard, 2);
    check_why(2, "Running", "attempt 1 runs at http://w1, started 0.0 s ago", "");
    reads_apply(shard, "cancel", 2, 1, "stop it");
    check_why(2, "Running", "cancel requested", "");
    reads_claim(shard, 3);
    reads_apply(shard, "error", 3, 1, "no such host");
    check_why(3, "Waiting", "released for another attempt since", "");
    reads_claim(shard, 3);
    reads_apply(shard, "error", 3, 2, "no such host");
    check_why(3, "Error", "attempt 2 failed ('no such host'): retry 2 of 3 is due in 3.0 s",
              "2023-11-14T22:13:53.000+0000");
    reads_claim(shard, 4);
    reads_apply(shard, "permanent", 4, 1, "bad input");
    check_why(4, "Error", "failed for good after 0 retries: 'bad input'", "");
    reads_claim(shard, 5);
    reads_apply(shard, "ok", 5, 1, "");
    check_why(5, "Complete", "complete; to be removed in 3600 s", "");
    reads_apply(shard, "cancel", 6, 0, "changed my mind");
    check_why(6, "Canceled", "canceled: 'changed my mind'", "");
    shard_command(shard, "HSET bgop:{3}:op:%s Status Merged GroupLeaderId %s", reads_id(3, 7), reads_id(3, 2));
    check_why(7, "Merged", "runs in the execution group of", "");
}

static void predecessors_of_a_sequence_are_named(void **state)
{
    json_t *answer;

    (void)state;
    reads_submit(shard, 3, 1, 1, "WebCart acct-1 \"\" \"\" \"\" \"\" \"\" g 1");
    reads_submit(shard, 3, 2, 1, "WebCart acct-1 \"\" \"\" \"\" \"\" \"\" g 2");
    shard_command(shard, "ZREM bgop:{3}:pending:WebCart %s", reads_id(3, 2)); /* held: as sequences will do */
    shard_command(shard, "DEL bgop:{3}:seq:WebCart:acct-1:g");
    shard_command(shard, "ZADD bgop:{3}:seq:WebCart:acct-1:g 1 %s 2 %s", reads_id(3, 1), reads_id(3, 2));
    answer = reads_json(shard, "bgop_why 0 %s", reads_id(3, 2));
    assert_string_equal(json_string_value(json_object_get(answer, "reason")),
                        "waits for 1 unfinished before it in sequence group 'g'");
    assert_string_equal(json_string_value(json_array_get(json_object_get(answer, "blockedBy"), 0)), reads_id(3, 1));
    json_decref(answer);
}

static void why_answers_for_unknown_ids_and_while_recovering(void **state)
{
    (void)state;
    reads_submit(shard, 3, 1, 1, "WebCart " PLAIN);
    reads_expect(
        shard,
        "{\"status\":null,\"reason\":\"no record: not read yet, refused (see the topic of rejects), a duplicate of its "
        "Name, or removed after ExpiresAt\",\"blockedBy\":[],\"nextAttemptAt\":null,\"mode\":\"OPEN\"}",
        "bgop_why 0 %s", reads_id(3, 9));
    reads_refused(shard, "MALFORMED_ID", "'08P1'", "bgop_why 0 08P1");
    reads_refused(shard, "MALFORMED_ID", "08P003000000001AAA", "bgop_why 0 08P003000000001AAA");
    shard_command(shard, "HSET bgop:{3}:gate mode RECOVERING");
    assert_non_null(strstr(reads_ask(shard, "bgop_why 0 %s", reads_id(3, 1)), "\"status\":\"New\""));
    assert_non_null(strstr(reads_ask(shard, "bgop_why 0 %s", reads_id(3, 1)), "\"mode\":\"RECOVERING\""));
    assert_non_null(strstr(reads_ask(shard, "bgop_why 0 %s", reads_id(3, 9)), "not known so far"));
}

/* ---- stats ---- */

static int64_t number_at(json_t *json, const char *path)
{
    char parts[128], *next = parts, *part;

    snprintf(parts, sizeof parts, "%s", path);
    while ((part = strsep(&next, ".")) != NULL)
        json = json_object_get(json, part);
    return json_is_number(json) ? (int64_t)json_number_value(json) : -1;
}

static void stats_counts_what_there_is(void **state)
{
    json_t *stats;

    (void)state;
    shard_clock(shard, 120000);
    reads_submit(shard, 0, 1, 3, "Declared " PLAIN);
    reads_submit(shard, 3, 1, 6, "WebCart " PLAIN);
    reads_submit(shard, 3, 1, 1, "WebCart " PLAIN); /* a duplicate */
    shard_clock(shard, 121000);
    shard_call(shard, "bgop_renew", "i1 http://w1 WebCart 4");
    for (int n = 1; n <= 4; n++)
        reads_claim(shard, n);
    reads_apply(shard, "ok", 1, 1, "");
    reads_apply(shard, "permanent", 2, 1, "no such host");
    reads_apply(shard, "permanent", 3, 1, "no such host");
    stats = reads_json(shard, "bgop_stats 0");
    assert_string_equal(json_string_value(json_object_get(stats, "mode")), "OPEN");
    assert_int_equal(number_at(stats, "byType.WebCart.New"), 2);
    assert_int_equal(number_at(stats, "byType.WebCart.Running"), 1);
    assert_int_equal(number_at(stats, "byType.WebCart.Complete"), 1);
    assert_int_equal(number_at(stats, "byType.WebCart.Error"), 2);
    assert_int_equal(number_at(stats, "byType.Declared.New"), 3);
    assert_int_equal(number_at(stats, "byType.Declared.Complete"), -1);
    assert_int_equal(number_at(stats, "oldestWaitingMs.WebCart"), 1000);
    assert_int_equal(number_at(stats, "oldestWaitingMs.Declared"), 1000);
    assert_int_equal(number_at(stats, "accepted"), 9);
    assert_int_equal(number_at(stats, "duplicates"), 1);
    assert_int_equal(number_at(stats, "rejected"), 0);
    assert_int_equal(number_at(stats, "workers"), 1);
    assert_int_equal(number_at(stats, "totals.finished"), 1);
    assert_int_equal(number_at(stats, "totals.failed"), 2);
    assert_int_equal(number_at(stats, "wait.count"), 4);
    assert_in_range(number_at(stats, "wait.p50"), 850, 1200);
    assert_int_equal(number_at(stats, "run.count"), 3);
    assert_in_range(number_at(stats, "run.p99"), 9, 12);
    assert_true(json_number_value(json_object_get(json_object_get(json_object_get(stats, "rates"), "accepted"), "1m")) >
                0.1);
    assert_int_equal(json_array_size(json_object_get(stats, "errors")), 1);
    assert_int_equal(number_at(json_array_get(json_object_get(stats, "errors"), 0), "count"), 2);
    json_decref(stats);
    stats = reads_json(shard, "bgop_stats 1 bgop:{0}");
    assert_int_equal(number_at(stats, "accepted"), 3);
    json_decref(stats);
}

static void rates_cover_minutes_that_were_rolled(void **state)
{
    json_t *stats, *rates;

    (void)state;
    shard_clock(shard, 100000); /* 20 s into a minute */
    shard_tick(shard);
    for (int i = 0; i < 3; i++)
        reads_submit(shard, 3, 1 + 100 * i, 100, "WebCart " PLAIN);
    shard_clock(shard, 100000 + 3 * 60000);
    shard_tick(shard);
    stats = reads_json(shard, "bgop_stats 0");
    rates = json_object_get(json_object_get(stats, "rates"), "accepted");
    assert_true(json_number_value(json_object_get(rates, "1m")) == 0.0);
    assert_true(json_number_value(json_object_get(rates, "5m")) > 0.8);
    assert_true(json_number_value(json_object_get(rates, "60m")) > 0.08);
    json_decref(stats);
}

static void stats_says_the_mode(void **state)
{
    json_t *stats;

    (void)state;
    shard_command(shard, "HSET bgop:{2}:gate mode RECOVERING");
    stats = reads_json(shard, "bgop_stats 0");
    assert_string_equal(json_string_value(json_object_get(stats, "mode")), "RECOVERING");
    assert_int_equal(json_integer_value(json_array_get(json_object_get(stats, "recovering"), 0)), 2);
    json_decref(stats);
    shard_command(shard, "FLUSHALL");
    shard_clock(shard, 0);
    stats = reads_json(shard, "bgop_stats 0");
    assert_string_equal(json_string_value(json_object_get(stats, "mode")), "EMPTY");
    assert_int_equal(json_object_size(json_object_get(stats, "byType")), 0);
    json_decref(stats);
    reads_refused(shard, "MALFORMED_QUERY", "no arguments", "bgop_stats 0 x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        read_test(records_are_found_by_id_and_by_name),
        read_test(a_parent_keys_records_come_newest_first_in_pages),
        read_test(a_workers_records_stand_where_they_ran_last),
        read_test(only_fields_with_id_lookup_may_be_looked_up),
        read_test(why_says_what_an_operation_waits_for),
        read_test(predecessors_of_a_sequence_are_named),
        read_test(why_answers_for_unknown_ids_and_while_recovering),
        read_test(stats_counts_what_there_is),
        read_test(rates_cover_minutes_that_were_rolled),
        read_test(stats_says_the_mode),
    };

    return read_tests_run(tests);
}
