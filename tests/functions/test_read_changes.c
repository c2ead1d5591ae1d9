/* bgop_get_updated and bgop_get_deleted: windows, the minute rule, pages, what the logs still answer for.
 * The clock's minutes: SHARD_T0 is 22:13:20, so a minute begins at 40,000. */
#include "tests/functions/read_queue.h"

#include <string.h>

#define COVERED(minute) "\"latestDateCovered\":\"2023-11-14T22:" minute ":00.000+0000\",\"cursor\":null}"

static void an_id_stands_where_its_last_change_is(void **state)
{
    (void)state;
    shard_clock(shard, 50000); /* 22:14:10 */
    reads_submit(shard, 3, 1, 2, "WebCart " PLAIN);
    shard_clock(shard, 110000); /* 22:15:10 */
    reads_claim(shard, 1);
    reads_submit(shard, 0, 1, 1, "WebCart " PLAIN);
    shard_clock(shard, 170000); /* 22:16:10 */
    reads_apply(shard, "ok", 1, 1, "");
    shard_clock(shard, 171000);
    reads_tick(shard);
    reads_expect(shard, "{\"ids\":[\"08P003000000002EAA\"]," COVERED("15"),
                 "bgop_get_updated 0 2023-11-14T22:14:00Z 2023-11-14T22:15:00Z");
    reads_expect(shard, "{\"ids\":[\"08P000000000001EAA\"]," COVERED("16"),
                 "bgop_get_updated 0 2023-11-14T22:15:00.000Z 2023-11-14T23:16:00+01:00");
    reads_expect(shard, "{\"ids\":[\"08P003000000001EAA\"]," COVERED("16"),
                 "bgop_get_updated 0 2023-11-14T22:16:00Z 2023-11-14T22:20:00Z");
    reads_expect(shard,
                 "{\"ids\":[\"08P003000000002EAA\",\"08P000000000001EAA\",\"08P003000000001EAA\"]," COVERED("16"),
                 "bgop_get_updated 0 1699999200000 1700003600000");
    reads_expect(shard, "{\"ids\":[\"08P000000000001EAA\"]," COVERED("16"),
                 "bgop_get_updated 1 bgop:{0} 1699999200000 1700003600000");
}

static void seconds_are_cut_and_a_window_is_a_minute_at_least(void **state)
{
    (void)state;
    shard_clock(shard, 50000);
    reads_submit(shard, 3, 1, 1, "WebCart " PLAIN);
    shard_clock(shard, 110000);
    reads_tick(shard);
    reads_refused(shard, "INVALID_REPLICATION_DATE", "at least one minute",
                  "bgop_get_updated 0 2023-11-14T22:14:05Z 2023-11-14T22:14:55Z");
    reads_refused(shard, "INVALID_REPLICATION_DATE", "at least one minute",
                  "bgop_get_updated 0 2023-11-14T22:15:05Z 2023-11-14T22:14:55Z");
    reads_expect(shard, "{\"ids\":[\"08P003000000001EAA\"]," COVERED("15"),
                 "bgop_get_updated 0 2023-11-14T22:14:55Z 2023-11-14T22:15:05Z");
    reads_refused(shard, "INVALID_REPLICATION_DATE", "start is no readable date: 'yesterday'",
                  "bgop_get_updated 0 yesterday 2023-11-14T22:15:05Z");
    reads_refused(shard, "INVALID_REPLICATION_DATE", "end is no readable date",
                  "bgop_get_updated 0 2023-11-14T22:15:05Z 2023-02-29T00:00:00Z");
    reads_refused(shard, "INVALID_REPLICATION_DATE", "give start and end", "bgop_get_deleted 0 2023-11-14T22:15:05Z");
    reads_refused(shard, "MALFORMED_QUERY", "does not belong",
                  "bgop_get_updated 0 2023-11-14T22:14:00Z 2023-11-14T22:15:00Z 9:9:9");
}

static void start_is_as_old_as_the_logs_answer_for(void **state)
{
    (void)state;
    reads_tick(shard);
    json_decref(reads_json(shard, "bgop_get_updated 0 2023-10-15 2023-11-14"));
    reads_refused(shard, "INVALID_REPLICATION_DATE", "2023-10-15T00:00:00.000+0000, the earliest",
                  "bgop_get_updated 0 2023-10-14T23:59:00Z 2023-11-14");
    json_decref(reads_json(shard, "bgop_get_deleted 0 2023-10-30 2023-11-14"));
    reads_refused(shard, "INVALID_REPLICATION_DATE", "earliest date available",
                  "bgop_get_deleted 0 2023-10-29T23:59:00Z 2023-11-14");
    shard_command(shard, "HSET bgop:{2}:gate changes_from 1699999205000 deleted_from 1699999205000"); /* 22:00:05 */
    reads_refused(shard, "INVALID_REPLICATION_DATE", "2023-11-14T22:01:00.000+0000",
                  "bgop_get_updated 0 2023-11-14T22:00:00Z 2023-11-14T22:10:00Z");
    reads_expect(shard,
                 "{\"deletedRecords\":[],\"earliestDateAvailable\":\"2023-11-14T22:01:00.000+0000\"," COVERED("10"),
                 "bgop_get_deleted 0 2023-11-14T22:01:00Z 2023-11-14T22:10:00Z");
}

static void removed_records_are_listed_once_and_no_longer_as_updated(void **state)
{
    (void)state;
    shard_clock(shard, 50000);
    reads_submit(shard, 3, 1, 2, "WebCart " PLAIN);
    reads_claim(shard, 1);
    reads_apply(shard, "ok", 1, 1, "");
    shard_clock(shard, 50000 + 3600000 + 1000); /* retention: an hour */
    reads_tick(shard);
    shard_clock(shard, 50000 + 3600000 + 2000);
    reads_tick(shard);
    reads_expect(shard, "[null]", "bgop_retrieve 0 Id %s", reads_id(3, 1));
    reads_expect(shard,
                 "{\"ids\":[\"08P003000000002EAA\"],\"latestDateCovered\":\"2023-11-14T23:00:00.000+0000\","
                 "\"cursor\":null}",
                 "bgop_get_updated 0 2023-11-14T22:00:00Z 2023-11-14T23:00:00Z");
    reads_expect(
        shard,
        "{\"deletedRecords\":[{\"id\":\"08P003000000001EAA\",\"deletedDate\":\"2023-11-14T23:14:11.000+0000\"}],"
        "\"earliestDateAvailable\":\"2023-10-30T00:00:00.000+0000\","
        "\"latestDateCovered\":\"2023-11-14T23:14:00.000+0000\",\"cursor\":null}",
        "bgop_get_deleted 0 2023-11-14T23:14:00Z 2023-11-15");
    reads_expect(shard,
                 "{\"deletedRecords\":[],\"earliestDateAvailable\":\"2023-10-30T00:00:00.000+0000\"," COVERED("20"),
                 "bgop_get_deleted 0 2023-11-14T22:00:00Z 2023-11-14T22:20:00Z");
}

/* Counts how often a page lists each number (of reads_id). */
static void page_count(json_t *answer, int times[])
{
    json_t *id;
    size_t i;

    assert_true(json_array_size(json_object_get(answer, "ids")) <= 500);
    json_array_foreach(json_object_get(answer, "ids"), i, id)
    {
        int number = 0;

        for (const char *c = json_string_value(id) + 6; c < json_string_value(id) + 15; c++)
            number = number * 62 + (*c <= '9' ? *c - '0' : *c <= 'Z' ? *c - 'A' + 10 : *c - 'a' + 36);
        times[number]++;
    }
}

/* All pages of a window; between them, when asked to, one listed and one not yet listed operation changes. */
static int window_walk(const char *from, int times[], bool changing, char covered[64])
{
    char cursor[128] = "";
    int pages = 0;

    do {
        json_t *answer = reads_json(shard, "bgop_get_updated 0 %s 2023-11-15 %s", from, cursor);
        const char *next = json_string_value(json_object_get(answer, "cursor"));

        page_count(answer, times);
        snprintf(covered, 64, "%s", json_string_value(json_object_get(answer, "latestDateCovered")));
        snprintf(cursor, sizeof cursor, "%s", next == NULL ? "" : next);
        json_decref(answer);
        if (changing) {
            shard_clock(shard, 61000 + pages * 1000);
            reads_claim(shard, 1 + pages);
            reads_claim(shard, 1200 - pages);
        }
        pages++;
    } while (cursor[0] != '\0');
    return pages;
}

/* Of a window that reaches to now, while records change: each at most once, and what is missing is in the next. */
static void pages_do_not_repeat_and_the_next_window_has_the_rest(void **state)
{
    char covered[64];
    int times[1201] = { 0 }, again[1201] = { 0 };

    (void)state;
    for (int i = 0; i < 12; i++) {
        shard_clock(shard, 50000 + 10 * i);
        reads_submit(shard, 3, 1 + 100 * i, 100, "WebCart " PLAIN);
    }
    shard_clock(shard, 60000);
    reads_tick(shard);
    assert_int_equal(window_walk("2023-11-14T22:00:00Z", times, true, covered), 3);
    assert_string_equal(covered, "2023-11-14T22:14:00.000+0000");
    for (int n = 1; n <= 1200; n++) {
        bool moved_before_its_page = n > 1198;

        if (times[n] != (moved_before_its_page ? 0 : 1))
            fail_msg("%d was listed %d times", n, times[n]);
    }
    shard_clock(shard, 70000);
    reads_tick(shard);
    assert_int_equal(window_walk(covered, again, false, covered), 3);
    for (int n = 1; n <= 1200; n++) {
        if (again[n] != 1)
            fail_msg("%d was listed %d times in the next window", n, again[n]);
    }
}

/* What is covered is what no shard can stamp any more: a shard that stands still holds it back, and a clock that
 * stepped back does not bring changes into a window that was answered. */
static void what_is_covered_is_what_every_shard_has_passed(void **state)
{
    (void)state;
    shard_clock(shard, 170000); /* 22:16:10 */
    reads_tick(shard);
    shard_clock(shard, 300000); /* 22:18:20: only shard 3 has been heard of */
    reads_submit(shard, 3, 1, 1, "WebCart " PLAIN);
    shard_clock(shard, 300001); /* what is stamped this very ms may not be all */
    reads_expect(shard, "{\"ids\":[\"08P003000000001EAA\"]," COVERED("16"),
                 "bgop_get_updated 0 2023-11-14T22:00:00Z 2023-11-14T23:00:00Z");
    reads_expect(shard, "{\"ids\":[\"08P003000000001EAA\"]," COVERED("18"),
                 "bgop_get_updated 1 bgop:{3} 2023-11-14T22:00:00Z 2023-11-14T23:00:00Z");
    shard_clock(shard, 200000); /* steps back */
    reads_submit(shard, 3, 2, 1, "WebCart " PLAIN);
    reads_expect(shard, "{\"ids\":[]," COVERED("16"), "bgop_get_updated 0 2023-11-14T22:00:00Z 2023-11-14T23:00:00Z");
    shard_clock(shard, 420000);
    reads_tick(shard);
    reads_expect(shard, "{\"ids\":[\"08P003000000001EAA\",\"08P003000000002EAA\"]," COVERED("20"),
                 "bgop_get_updated 0 2023-11-14T22:16:00Z 2023-11-14T23:00:00Z");
}

/* Trimmed by tick itself: what is gone is not answered for. */
static void a_trimmed_log_says_from_when_on_it_is_whole(void **state)
{
    static const int64_t day = 86400000;

    (void)state;
    reads_submit(shard, 3, 1, 1, "WebCart \"\" \"\" 1710000000000 \"\" \"\" \"\" \"\" \"\"");
    shard_clock(shard, 5 * day);
    reads_submit(shard, 3, 2, 1, "WebCart \"\" \"\" 1710000000000 \"\" \"\" \"\" \"\" \"\"");
    shard_clock(shard, 31 * day);
    reads_tick(shard);
    assert_int_equal(shard_number(shard, "XLEN " SHARD_PREFIX ":changes"), 1);
    reads_refused(shard, "INVALID_REPLICATION_DATE", "earliest date available",
                  "bgop_get_updated 0 2023-11-16T00:00:00Z 2023-12-15T00:00:00Z");
    json_decref(reads_json(shard, "bgop_get_updated 0 2023-11-19T22:14:00Z 2023-12-15T00:00:00Z"));
}

static void a_recovering_shard_is_an_error(void **state)
{
    (void)state;
    shard_command(shard, "HSET bgop:{1}:gate mode RECOVERING");
    reads_refused(shard, "RECOVERING", "shard 1", "bgop_get_updated 0 2023-11-14T22:00:00Z 2023-11-15");
    reads_refused(shard, "RECOVERING", "shard 1", "bgop_get_deleted 0 2023-11-14T22:00:00Z 2023-11-15");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        read_test(an_id_stands_where_its_last_change_is),
        read_test(seconds_are_cut_and_a_window_is_a_minute_at_least),
        read_test(start_is_as_old_as_the_logs_answer_for),
        read_test(removed_records_are_listed_once_and_no_longer_as_updated),
        read_test(pages_do_not_repeat_and_the_next_window_has_the_rest),
        read_test(what_is_covered_is_what_every_shard_has_passed),
        read_test(a_trimmed_log_says_from_when_on_it_is_whole),
        read_test(a_recovering_shard_is_an_error),
    };

    return read_tests_run(tests);
}
