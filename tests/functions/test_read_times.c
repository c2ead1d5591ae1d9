/* The Lua reader of times, cut out of the library as it is loaded, against the C reader's cases. */
#include "tests/functions/read_queue.h"

#include <inttypes.h>
#include <string.h>

#include "common/redis/functions.h"
#include "tests/support/times.h"

extern const char functions_code[];

/* A script that answers what one function of read/times.lua answers: "<ms>", or "- <what is wrong>". */
static char *script_of(const char *function)
{
    const char *from = strstr(functions_code, "-- ---- times.lua ----");
    const char *end = from ? strstr(from + 1, "-- ---- ") : NULL;
    size_t size = from ? (end ? (size_t)(end - from) : strlen(from)) : 0;
    char *script = test_malloc(size + 400);

    assert_non_null(from);
    snprintf(script, size + 400,
             "local read = {part = function(_, body) body() end}\n%.*s\n"
             "local answers = {}\n"
             "for i, text in ipairs(ARGV) do\n"
             "  local ms, wrong = read.%s(text)\n"
             "  answers[i] = ms and string.format('%%.0f', ms) or '- ' .. wrong\n"
             "end\nreturn answers",
             (int)size, from, function);
    return script;
}

static redisReply *read_all(const char *function)
{
    const char *args[3 + TIME_CASES] = { "EVAL", NULL, "0" };
    char *script = script_of(function);
    redisReply *reply;

    args[1] = script;
    for (size_t i = 0; i < TIME_CASES; i++)
        args[3 + i] = time_cases[i].text;
    reply = redisCommandArgv(shard->redis, (int)(3 + TIME_CASES), args, NULL);
    assert_non_null(reply);
    if (reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s", reply->str);
    assert_int_equal(reply->elements, TIME_CASES);
    test_free(script);
    return reply;
}

static void the_lua_reader_reads_as_the_c_reader(void **state)
{
    redisReply *reply = read_all("date_parse"), *recent = read_all("date_parse_recent");

    (void)state;
    for (size_t i = 0; i < TIME_CASES; i++) {
        const struct time_case *it = &time_cases[i];
        const char *got = reply->element[i]->str, *now = recent->element[i]->str;
        char expected[32];

        snprintf(expected, sizeof expected, "%" PRId64, it->ms);
        if (it->wrong ? strncmp(got, "- ", 2) != 0 || !strstr(got, it->wrong) : strcmp(got, expected) != 0)
            fail_msg("\"%s\": %s instead of %s", it->text, got, it->wrong ? it->wrong : expected);
        if (!it->wrong && it->ms < TIME_CASE_2000 ? !strstr(now, "before 2000") : strcmp(got, now) != 0)
            fail_msg("\"%s\" as a time of now: %s", it->text, now);
    }
    freeReplyObject(reply);
    freeReplyObject(recent);
}

static void windows_take_times_as_people_write_them(void **state)
{
    static const char *const starts[] = { "2023-11-14T22:14Z", "2023-11-15T00:14:00+02", "1700000040000",
                                          "1.70000004e12", "20231114T2214Z" };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(starts); i++)
        json_decref(reads_json(shard, "bgop_get_updated 0 %s 2023-11-14T22:16Z", starts[i]));
}

static void windows_of_seconds_are_refused_with_the_unit(void **state)
{
    (void)state;
    reads_refused(shard, "INVALID_REPLICATION_DATE", "milliseconds", "bgop_get_updated 0 1700000040 1700000100");
    reads_refused(shard, "INVALID_REPLICATION_DATE", "milliseconds", "bgop_get_deleted 0 1700000040 1700000100");
    reads_refused(shard, "INVALID_REPLICATION_DATE", "milliseconds",
                  "bgop_get_updated 0 1700000040000000 1700000100000000");
    reads_refused(shard, "INVALID_REPLICATION_DATE", "week date", "bgop_get_updated 0 2023-W46-2 2023-11-15");
    reads_refused(shard, "INVALID_REPLICATION_DATE", "no zone", "bgop_get_updated 0 2023-11-14T22:14:00 2023-11-15");
}

static void conditions_take_any_time_but_no_seconds(void **state)
{
    (void)state;
    json_decref(reads_json(shard, "bgop_find 0 {\"where\":[[\"SubmittedAt\",\">\",0]]}"));
    json_decref(reads_json(shard, "bgop_find 0 {\"where\":[[\"SubmittedAt\",\">\",\"1960-01-01\"]]}"));
    json_decref(reads_json(shard, "bgop_find 0 {\"where\":[[\"SubmittedAt\",\">\",\"2023-11-14T22:14Z\"]]}"));
    reads_refused(shard, "MALFORMED_QUERY", "milliseconds",
                  "bgop_find 0 {\"where\":[[\"SubmittedAt\",\">\",1700000000]]}");
    reads_refused(shard, "MALFORMED_QUERY", "milliseconds",
                  "bgop_find 0 {\"where\":[[\"SubmittedAt\",\">\",\"1700000000\"]]}");
    reads_refused(shard, "MALFORMED_QUERY", "not in the calendar",
                  "bgop_find 0 {\"where\":[[\"SubmittedAt\",\">\",\"2023-02-30\"]]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        read_test(the_lua_reader_reads_as_the_c_reader),
        read_test(windows_take_times_as_people_write_them),
        read_test(windows_of_seconds_are_refused_with_the_unit),
        read_test(conditions_take_any_time_but_no_seconds),
    };

    return read_tests_run(tests);
}
