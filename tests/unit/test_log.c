/* Log lines as they arrive on stderr, read back through a pipe. */
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/process.h"
#include "tests/support/test.h"

enum { CAPTURE_SIZE = 256 * 1024 };
static char captured[CAPTURE_SIZE];
static int stderr_copy;
static FILE *capture;

static void capture_start(void)
{
    capture = tmpfile();
    assert_non_null(capture);
    stderr_copy = dup(STDERR_FILENO);
    dup2(fileno(capture), STDERR_FILENO);
}

static const char *capture_end(void)
{
    dup2(stderr_copy, STDERR_FILENO);
    close(stderr_copy);
    rewind(capture);
    size_t size = fread(captured, 1, sizeof captured - 1, capture);
    captured[size] = '\0';
    fclose(capture);
    return captured;
}

/* Behind the time and one blank. */
static const char *behind_time(const char *line)
{
    assert_true(strlen(line) > 25);
    assert_int_equal(line[10], 'T');
    assert_int_equal(line[23], 'Z');
    return line + 25;
}

static void a_line_says_when_who_and_what(void **state)
{
    (void)state;
    log_start("worker", LOG_LEVEL_INFO, false);
    capture_start();
    log_event(LOG_LEVEL_INFO, "claimed", "op=%s attempt=%d", "08P5", 2);
    assert_string_equal(behind_time(capture_end()), "info worker claimed op=08P5 attempt=2\n");
}

static void an_event_may_have_no_fields(void **state)
{
    (void)state;
    log_start("worker", LOG_LEVEL_INFO, false);
    capture_start();
    log_event(LOG_LEVEL_ERROR, "stopped", "%s", "");
    assert_string_equal(behind_time(capture_end()), "error worker stopped\n");
}

static void free_text_is_quoted_and_one_line(void **state)
{
    (void)state;
    log_start("worker", LOG_LEVEL_INFO, false);
    capture_start();
    log_error_text(LOG_LEVEL_WARNING, "failed", "a\"b\nc\xff", "op=%s", "08P5\n");
    assert_string_equal(behind_time(capture_end()), "warning worker failed op=08P5\\n error=\"a\\\"b\\nc\\xff\"\n");
}

/* $JOURNAL_STREAM as systemd sets it, for what standard error is now or for another stream. */
static void journal_stream(bool ours)
{
    char stream[64];
    struct stat status;

    fstat(STDERR_FILENO, &status);
    snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino + !ours);
    setenv("JOURNAL_STREAM", stream, 1);
}

static void the_journal_is_told_priorities(void **state)
{
    const char *text;

    (void)state;
    capture_start();
    journal_stream(true);
    log_start("worker", LOG_LEVEL_DEBUG, false);
    log_event(LOG_LEVEL_ERROR, "a", "%s", "");
    log_event(LOG_LEVEL_WARNING, "b", "%s", "");
    log_event(LOG_LEVEL_INFO, "c", "%s", "");
    log_event(LOG_LEVEL_DEBUG, "d", "%s", "");
    process_complain("bgop-worker", "no such file:\n  a.ini");
    text = capture_end();
    assert_memory_equal(text, "<3>", 3);
    assert_non_null(strstr(text, "\n<4>"));
    assert_non_null(strstr(text, "\n<6>"));
    assert_non_null(strstr(text, "\n<7>"));
    assert_non_null(strstr(text, "\n<3>bgop-worker: no such file:\n<3>  a.ini\n"));
}

/* As of a child of a service whose standard error is a file. */
static void another_stream_is_told_none(void **state)
{
    (void)state;
    capture_start();
    journal_stream(false);
    log_start("worker", LOG_LEVEL_INFO, false);
    log_event(LOG_LEVEL_ERROR, "stopped", "%s", "");
    process_complain("bgop-worker", "no");
    assert_string_equal(behind_time(capture_end()), "error worker stopped\nbgop-worker: no\n");
    unsetenv("JOURNAL_STREAM");
}

static void levels_above_the_set_one_are_silent(void **state)
{
    (void)state;
    log_start("worker", LOG_LEVEL_WARNING, false);
    capture_start();
    log_event(LOG_LEVEL_WARNING, "told", "a=%d", 1);
    assert_string_equal(behind_time(capture_end()), "warning worker told a=1\n");
    capture_start();
    log_event(LOG_LEVEL_INFO, "claimed", "a=%d", 1);
    log_error_text(LOG_LEVEL_DEBUG, "claimed", "text", "a=%d", 1);
    assert_string_equal(capture_end(), "");
}

static void levels_are_read_by_name(void **state)
{
    enum log_level level = LOG_LEVEL_ERROR;

    (void)state;
    assert_true(log_level_parse("debug", &level));
    assert_int_equal(level, LOG_LEVEL_DEBUG);
    assert_true(log_level_parse("error", &level));
    assert_int_equal(level, LOG_LEVEL_ERROR);
    assert_false(log_level_parse("loud", &level));
    assert_false(log_level_parse("", &level));
    assert_int_equal(level, LOG_LEVEL_ERROR);
}

static void json_lines_have_the_fields_as_members(void **state)
{
    (void)state;
    log_start("coordinator", LOG_LEVEL_INFO, true);
    capture_start();
    log_error_text(LOG_LEVEL_INFO, "claimed now", "x\"y\n\xff", "op=%s n=%d code=%s uri=%s list=%s empty= last=%d",
                   "08P5", -3, "007", "http://a/?b=c", "a b c", 1);
    const char *line = capture_end();
    assert_int_equal(line[strlen(line) - 1], '\n');
    json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(object);
    const struct {
        const char *name, *value;
    } texts[] = {
        { "level", "info" },
        { "component", "coordinator" },
        { "event", "claimed now" },
        { "op", "08P5" },
        { "code", "007" },
        { "uri", "http://a/?b=c" },
        { "list", "a b c" },
        { "empty", "" },
        { "error", "x\"y\n\xef\xbf\xbd" },
    };
    for (size_t i = 0; i < TEST_COUNT(texts); i++)
        assert_string_equal(json_string_value(json_object_get(object, texts[i].name)), texts[i].value);
    assert_int_equal(json_integer_value(json_object_get(object, "n")), -3);
    assert_int_equal(json_integer_value(json_object_get(object, "last")), 1);
    assert_true(json_is_string(json_object_get(object, "time")));
    json_decref(object);
}

static void json_lines_stay_json_whatever_the_fields_hold(void **state)
{
    static const char *const fields[] = {
        "",      " ",         "=",
        "==",    "a",         "a b",
        "a=",    "=a",        "a==b",
        " a=1 ", "a=1  b=2",  "a=\"x\"",
        "a=1 b", "a=1 b c=2", "a=\n\x01\xff",
        "a=1 =", "a= =b",     "a=999999999999999999999",
    };

    (void)state;
    log_start("x", LOG_LEVEL_INFO, true);
    for (size_t i = 0; i < TEST_COUNT(fields); i++) {
        capture_start();
        log_event(LOG_LEVEL_INFO, "e", "%s", fields[i]);
        json_t *object = json_loads(capture_end(), 0, NULL);
        if (!object)
            fail_msg("fields \"%s\": %s", fields[i], captured);
        json_decref(object);
    }
}

static void an_outage_is_told_once_at_each_end(void **state)
{
    struct outage outage = { 0 };

    (void)state;
    log_start("worker", LOG_LEVEL_INFO, false);
    capture_start();
    outage_end(&outage, "redis 127.0.0.1:6379");
    outage_begin(&outage, "redis 127.0.0.1:6379", "connection refused");
    outage_begin(&outage, "redis 127.0.0.1:6379", "connection refused");
    outage_end(&outage, "redis 127.0.0.1:6379");
    outage_end(&outage, "redis 127.0.0.1:6379");
    char *first = (char *)(uintptr_t)capture_end(), *second = strchr(first, '\n') + 1;
    second[-1] = '\0';
    assert_string_equal(behind_time(first),
                        "warning worker outage began of=\"redis 127.0.0.1:6379\" error=\"connection refused\"");
    assert_memory_equal(behind_time(second), "info worker outage ended lasted_ms=", 35);
    assert_ptr_equal(strchr(second, '\n') + 1, second + strlen(second));
}

enum { THREADS = 4, LINES = 250 };

static void *log_many(void *arg)
{
    for (int i = 0; i < LINES; i++)
        log_event(LOG_LEVEL_INFO, "line", "thread=%d fill=%0100d end=1", *(int *)arg, i);
    return NULL;
}

static void lines_of_threads_do_not_mix(void **state)
{
    pthread_t threads[THREADS];
    int numbers[THREADS], count = 0;

    (void)state;
    log_start("x", LOG_LEVEL_INFO, false);
    capture_start();
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, log_many, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    char *rest = (char *)(uintptr_t)capture_end();
    for (char *line = strsep(&rest, "\n"); line && *line; line = strsep(&rest, "\n"), count++) {
        assert_int_equal(strlen(line), strlen(captured));
        assert_string_equal(line + strlen(line) - 6, " end=1");
    }
    assert_int_equal(count, THREADS * LINES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_says_when_who_and_what),
        cmocka_unit_test(an_event_may_have_no_fields),
        cmocka_unit_test(free_text_is_quoted_and_one_line),
        cmocka_unit_test(the_journal_is_told_priorities),
        cmocka_unit_test(another_stream_is_told_none),
        cmocka_unit_test(levels_above_the_set_one_are_silent),
        cmocka_unit_test(levels_are_read_by_name),
        cmocka_unit_test(json_lines_have_the_fields_as_members),
        cmocka_unit_test(json_lines_stay_json_whatever_the_fields_hold),
        cmocka_unit_test(an_outage_is_told_once_at_each_end),
        cmocka_unit_test(lines_of_threads_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
