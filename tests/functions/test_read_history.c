/* getUpdated and getDeleted against random histories: windows list exactly the records whose last change lies in them,
 * and a copy that is kept by these calls alone becomes equal to the queue. Clocks stand still, run and leap; several
 * changes come within one millisecond; records are removed; pages are fetched while all this goes on. */
#include "tests/functions/read_queue.h"

#include <inttypes.h>
#include <string.h>

enum { NUMBERS = 1500, SEEDS = 4, STEPS = 120, MINUTE = 60000, ATTEMPTS = 1 << 20 };
#define FAR "2023-11-30"

static unsigned seed;
static int submitted[READS_SHARDS]; /* numbers 1 to this */

static unsigned random_below(unsigned bound)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 16) % bound;
}

/* ---- the history ---- */

static void submit_some(void)
{
    int s = (int)random_below(READS_SHARDS), count = (int)random_below(random_below(6) == 0 ? 250 : 12) + 1;

    if (submitted[s] + count >= NUMBERS)
        return;
    reads_submit(shard, s, submitted[s] + 1, count,
                 random_below(2) ? "WebCart \"\" \"\" \"\" 500 \"\" \"\" \"\" \"\""
                                 : "Declared acct-1 \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
    submitted[s] += count;
}

static void field_read(int number, const char *field, char value[64])
{
    shard_command(shard, "HGET " SHARD_PREFIX ":op:%s %s", reads_id(3, number), field);
    snprintf(value, 64, "%.60s", shard->answer);
}

/* Whatever may happen next to a random operation of shard 3. */
static void change_one(void)
{
    static const char *const outcomes[] = { "ok", "ok", "error", "permanent", "returned" };
    int number = submitted[3] == 0 ? 0 : (int)random_below((unsigned)submitted[3]) + 1;
    char status[64], token[64];

    field_read(number, "Status", status);
    if (strcmp(status, "New") == 0 || strcmp(status, "Waiting") == 0) {
        if (random_below(8) == 0)
            reads_apply(shard, "cancel", number, 0, "");
        else
            reads_claim(shard, number);
    } else if (strcmp(status, "Running") == 0) {
        field_read(number, "token", token);
        reads_apply(shard, outcomes[random_below(TEST_COUNT(outcomes))], number,
                    (int)(strtoull(token, NULL, 10) % ATTEMPTS), "no");
    } else if (strcmp(status, "Error") == 0 && random_below(3) == 0) {
        field_read(number, "token", token);
        reads_apply(shard, "redrive", number, (int)(strtoull(token, NULL, 10) % ATTEMPTS), "");
    }
}

static void step(void)
{
    static const int64_t leaps[] = { 0, 0, 0, 1, 3, 700, 15000, 70000, 400000, 2500000 };

    for (unsigned i = random_below(5); i > 0; i--) {
        if (random_below(5) == 0)
            submit_some();
        else
            change_one();
    }
    if (random_below(4) == 0)
        reads_tick(shard);
    shard_clock(shard, shard_now(shard) + leaps[random_below(TEST_COUNT(leaps))]);
}

static void start(unsigned number)
{
    seed = number;
    memset(submitted, 0, sizeof submitted);
    read_setup(NULL);
    shard->status_next = 0;
}

static void finish(void)
{
    read_teardown(NULL);
}

/* ---- what is listed ---- */

static int64_t stamp_of(int s, int number)
{
    shard_command(shard, "HGET bgop:{%d}:op:%s SystemModstamp", s, reads_id(s, number));
    return strcmp(shard->answer, "(nil)") == 0 ? -1 : strtoll(shard->answer, NULL, 10);
}

static void id_read(const char *id, int *s, int *number)
{
    *s = id[5] - '0';
    *number = 0;
    for (int i = 6; i < 15; i++)
        *number = *number * 62 + (id[i] <= '9' ? id[i] - '0' : id[i] <= 'Z' ? id[i] - 'A' + 10 : id[i] - 'a' + 36);
}

static void cursor_read(json_t *answer, char cursor[128])
{
    const char *next = json_string_value(json_object_get(answer, "cursor"));

    snprintf(cursor, 128, "%s", next == NULL ? "" : next);
}

/* Windows that have been covered: every record once, in the window of its last change, and in no other. */
static void window_check(int64_t from, int64_t to)
{
    static int times[READS_SHARDS][NUMBERS];
    char cursor[128] = "";

    memset(times, 0, sizeof times);
    do {
        json_t *answer = reads_json(shard, "bgop_get_updated 0 %" PRId64 " %" PRId64 " %s", from, to, cursor), *id;
        size_t i;

        assert_true(json_array_size(json_object_get(answer, "ids")) <= 500);
        json_array_foreach(json_object_get(answer, "ids"), i, id)
        {
            int s, number;

            id_read(json_string_value(id), &s, &number);
            times[s][number]++;
        }
        cursor_read(answer, cursor);
        json_decref(answer);
    } while (cursor[0] != '\0');
    for (int s = 0; s < READS_SHARDS; s++) {
        for (int n = 1; n <= submitted[s]; n++) {
            int64_t stamp = stamp_of(s, n);

            if (times[s][n] != (stamp >= from && stamp < to))
                fail_msg("%d.%d, stamped %" PRId64 ", is listed %d times in [%" PRId64 ", %" PRId64 ")", s, n, stamp,
                         times[s][n], from, to);
        }
    }
}

static void a_window_lists_exactly_what_was_last_changed_in_it(void **state)
{
    (void)state;
    for (unsigned number = 1; number <= SEEDS; number++) {
        int64_t begun, minutes;

        start(number);
        begun = SHARD_T0 / MINUTE * MINUTE;
        for (int i = 0; i < STEPS; i++)
            step();
        shard_clock(shard, shard_now(shard) + 2 * MINUTE);
        reads_tick(shard);
        shard_clock(shard, shard_now(shard) + 1); /* what is stamped this very ms is not listed yet */
        minutes = (shard->now_ms - begun) / MINUTE;
        window_check(begun, begun + minutes * MINUTE);
        for (int i = 0; i < 6; i++) {
            int64_t from = begun + random_below((unsigned)minutes) * MINUTE;

            window_check(from, from + (1 + random_below(30)) * MINUTE);
        }
        finish();
    }
}

/* ---- a copy ---- */

static struct copy {
    int64_t stamps[READS_SHARDS][NUMBERS]; /* 0: not in it */
    char updated[64], deleted[64];         /* from when on to ask */
} copy;

/* One window from where the last one was covered to; every page is followed by more history when asked to. */
static void copy_updated(bool goes_on)
{
    char cursor[128] = "", covered[64] = "";

    do {
        json_t *answer = reads_json(shard, "bgop_get_updated 0 %s " FAR " %s", copy.updated, cursor), *id;
        size_t i;

        json_array_foreach(json_object_get(answer, "ids"), i, id)
        {
            int s, number;
            int64_t stamp;

            id_read(json_string_value(id), &s, &number);
            stamp = stamp_of(s, number);
            assert_true(stamp > 0);
            copy.stamps[s][number] = stamp;
        }
        snprintf(covered, sizeof covered, "%s", json_string_value(json_object_get(answer, "latestDateCovered")));
        cursor_read(answer, cursor);
        json_decref(answer);
        if (goes_on && cursor[0] != '\0')
            step();
    } while (cursor[0] != '\0');
    snprintf(copy.updated, sizeof copy.updated, "%s", covered);
}

static void copy_deleted(bool goes_on)
{
    char cursor[128] = "", covered[64] = "";

    do {
        json_t *answer = reads_json(shard, "bgop_get_deleted 0 %s " FAR " %s", copy.deleted, cursor), *row;
        size_t i;

        json_array_foreach(json_object_get(answer, "deletedRecords"), i, row)
        {
            int s, number;

            id_read(json_string_value(json_object_get(row, "id")), &s, &number);
            copy.stamps[s][number] = 0;
        }
        snprintf(covered, sizeof covered, "%s", json_string_value(json_object_get(answer, "latestDateCovered")));
        cursor_read(answer, cursor);
        json_decref(answer);
        if (goes_on && cursor[0] != '\0')
            step();
    } while (cursor[0] != '\0');
    snprintf(copy.deleted, sizeof copy.deleted, "%s", covered);
}

static void a_copy_kept_by_these_calls_becomes_equal_to_the_queue(void **state)
{
    (void)state;
    for (unsigned number = 11; number <= 10 + SEEDS; number++) {
        int removed = 0;

        start(number);
        memset(&copy, 0, sizeof copy);
        snprintf(copy.updated, sizeof copy.updated, "2023-11-14T22:13:00Z");
        snprintf(copy.deleted, sizeof copy.deleted, "2023-11-14T22:13:00Z");
        for (int i = 0; i < STEPS; i++) {
            step();
            if (random_below(6) == 0) {
                copy_updated(true);
                copy_deleted(true);
            }
        }
        shard_clock(shard, shard_now(shard) + 1);
        reads_tick(shard);
        shard_clock(shard, shard_now(shard) + 1);
        copy_updated(false);
        copy_deleted(false);
        for (int s = 0; s < READS_SHARDS; s++) {
            for (int n = 1; n <= submitted[s]; n++) {
                int64_t stamp = stamp_of(s, n);

                removed += stamp < 0;
                if (copy.stamps[s][n] != (stamp < 0 ? 0 : stamp))
                    fail_msg("seed %u: %d.%d is stamped %" PRId64 ", in the copy %" PRId64, number, s, n, stamp,
                             copy.stamps[s][n]);
            }
        }
        assert_true(removed > 0);
        finish();
    }
}

/* ---- stamps ---- */

static json_t *known[NUMBERS]; /* the records of shard 3 as they were seen last */

/* Types that merge, take turns, and end what stands behind a failed one. */
static void types_add(void)
{
    static const char common[] =
        "\"retry_backoff_ms\":1000,\"retry_limit\":3,\"timeout_ms\":60000,\"retention_s\":3600,"
        "\"retention_error_s\":7200";

    shard->generation++;
    shard_command(shard,
                  "HSET " SHARD_PREFIX ":types ExternalObject 1 ExternalObject:1 '{%s,\"merge_max\":4,"
                  "\"merge_max_bytes\":1000}' Sweeper 1 Sweeper:1 '{%s,\"merge_max\":1,\"max_running_per_parent\":1}' "
                  "XClean 1 XClean:1 '{%s,\"merge_max\":1,\"on_sequence_failure\":\"fail\"}'",
                  common, common, common);
    for (int s = 0; s < READS_SHARDS; s++)
        shard_command(shard, "HSET bgop:{%d}:gate gen %" PRId64, s, shard->generation);
}

static void submit_any(void)
{
    static const char *const kinds[] = { "ExternalObject a \"\" \"\" \"\" \"\" \"\" \"\" \"\"",
                                         "ExternalObject a \"\" \"\" \"\" \"\" \"\" g 1",
                                         "WebCart b \"\" \"\" \"\" \"\" \"\" g 1",
                                         "XClean c \"\" \"\" \"\" \"\" \"\" g 1",
                                         "Sweeper d \"\" \"\" \"\" \"\" \"\" \"\" \"\"" };
    int count = (int)random_below(4) + 1;

    if (submitted[3] + count > 200)
        return;
    reads_submit(shard, 3, submitted[3] + 1, count, kinds[random_below(TEST_COUNT(kinds))]);
    submitted[3] += count;
}

/* A claim, an outcome of whatever kind, or a command, as the status of a random operation allows. */
static void change_any(void)
{
    static const char *const outcomes[] = { "ok",      "ok",      "error",      "permanent", "returned",
                                            "crashed", "skipped", "unanswered", "timed_out" };
    static int nonce;
    int number = (int)random_below((unsigned)submitted[3]) + 1;
    char status[64], token[64], type[64], leader[64], entry[512];

    field_read(number, "Status", status);
    field_read(number, "token", token);
    field_read(number, "Type", type);
    field_read(number, "GroupLeaderId", leader);
    if (strcmp(status, "New") == 0 || strcmp(status, "Waiting") == 0) {
        shard_call(shard, "bgop_claim", "i1 http://w1 any-%d %s 1 %s", ++nonce, type, reads_id(3, number));
    } else if (strcmp(status, "Running") == 0 || strcmp(status, "Merged") == 0) {
        snprintf(entry, sizeof entry, "%s %s %s %" PRId64 " 10 http://w1 no \"\" \"\" %s \"\"",
                 outcomes[random_below(TEST_COUNT(outcomes))], reads_id(3, number), token, shard->now_ms - 10,
                 leader[0] == '(' ? "\"\"" : leader);
        shard_apply_entries(shard, entry);
    } else if (strcmp(status, "Error") == 0) {
        reads_apply(shard, random_below(2) ? "redrive" : "cancel", number, (int)(strtoull(token, NULL, 10) % ATTEMPTS),
                    "");
    }
}

/* Whatever looks different has another stamp than before. */
static void stamps_check(void)
{
    char ids[READS_SHARDS * 4096] = "";
    json_t *all, *record;
    size_t used = 0, i;

    for (int n = 1; n <= submitted[3]; n++)
        used += (size_t)snprintf(ids + used, sizeof ids - used, " %s", reads_id(3, n));
    all = reads_json(shard, "bgop_retrieve 0 *%s", ids);
    json_array_foreach(all, i, record)
    {
        json_t *before = known[i];

        if (json_is_object(before) && json_is_object(record) && !json_equal(before, record) &&
            json_equal(json_object_get(before, "SystemModstamp"), json_object_get(record, "SystemModstamp")))
            fail_msg("%zu changed in silence: %s, was %s", i + 1, json_dumps(record, 0), json_dumps(before, 0));
        json_decref(before);
        known[i] = json_incref(record);
    }
    json_decref(all);
}

static void what_is_seen_of_a_record_changes_with_its_stamp_only(void **state)
{
    (void)state;
    for (unsigned number = 21; number <= 20 + SEEDS; number++) {
        start(number);
        types_add();
        memset(known, 0, sizeof known);
        for (int i = 0; i < 2 * STEPS; i++) {
            if (random_below(4) == 0 || submitted[3] == 0)
                submit_any();
            else
                change_any();
            stamps_check();
            shard_clock(shard, shard_now(shard) + 1 + (random_below(10) == 0 ? 40000 : 0));
            if (random_below(3) > 0)
                continue;
            reads_tick(shard);
            stamps_check();
            shard_clock(shard, shard_now(shard) + 1);
        }
        for (int n = 0; n < NUMBERS; n++)
            json_decref(known[n]);
        finish();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_lists_exactly_what_was_last_changed_in_it),
        cmocka_unit_test(a_copy_kept_by_these_calls_becomes_equal_to_the_queue),
        cmocka_unit_test(what_is_seen_of_a_record_changes_with_its_stamp_only),
    };

    return read_tests_run(tests);
}
