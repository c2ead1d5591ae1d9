/* bgop dev and bgopctl, as a person uses them: the real programs, all of them, on the mock broker. */
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "common/base/clock.h"
#include "common/record/id.h"
#include "tests/support/folder.h"
#include "tests/support/http_client.h"
#include "tests/support/program.h"
#include "tests/support/test.h"

enum { READY_MS = 60000, LINE_SIZE = 256 };

static struct program dev;
static char folder[] = "/tmp/bgop-test-dev-XXXXXX", port_file[64];
static char temporary[64]; /* TMPDIR of it: a path that a shell would take apart */

/* ---- one bgop dev ---- */
static void pause_ms(long ms)
{
    const struct timespec pause = { ms / 1000, (ms % 1000) * 1000000 };

    nanosleep(&pause, NULL);
}

/* The lines of the port file go into the environment: bgopctl reads them there. */
static bool take_port_file(void)
{
    FILE *file = fopen(port_file, "r");
    char line[LINE_SIZE];

    if (!file)
        return false;
    while (fgets(line, sizeof line, file)) {
        char *value = strchr(line, '=');

        assert_non_null(value);
        *value++ = '\0';
        value[strcspn(value, "\n")] = '\0';
        if (value[0] == '\'') { /* for a shell */
            value++;
            value[strcspn(value, "'")] = '\0';
        }
        setenv(line, value, 1);
    }
    fclose(file);
    return true;
}

static void start_dev(const char *const *words)
{
    int64_t deadline = clock_boot_ms() + READY_MS;

    program_start(&dev, words, NULL, PROGRAM_BOTH_OUTPUTS);
    while (!take_port_file()) {
        if (kill(dev.pid, 0) != 0 || clock_boot_ms() > deadline) {
            char *output;

            kill(dev.pid, SIGTERM);
            program_end(&dev, &output);
            fail_msg("bgop dev is not ready: %s", output);
        }
        pause_ms(20);
    }
}

/* Most do nothing; one answers its payload, one fails for good. */
static void write_handlers(const char *config)
{
    char script[96];
    FILE *file;

    snprintf(script, sizeof script, "%s/fail", folder);
    file = fopen(script, "w");
    assert_non_null(file);
    fputs("echo no such site >&2\nexit 65\n", file);
    fclose(file);
    file = fopen(config, "w");
    assert_non_null(file);
    fprintf(file,
            "[type WebCart]\nhandler = noop\n[type XClean]\nhandler = noop\n[type Sweeper]\nhandler = noop\n"
            "[type ExternalServiceCallback]\nhandler = exec\ncommand = /bin/cat\n"
            "[type SiteTaskCreate]\nhandler = exec\ncommand = /bin/sh %s\n",
            script);
    fclose(file);
}

static int setup_all(void **state)
{
    char config[96];

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(port_file, sizeof port_file, "%s/env", folder);
    snprintf(temporary, sizeof temporary, "%s/it's a $folder", folder);
    assert_int_equal(mkdir(temporary, 0700), 0);
    setenv("TMPDIR", temporary, 1);
    snprintf(config, sizeof config, "%s/bgop.ini", folder);
    write_handlers(config);
    start_dev((const char *[]){ "bgop", "dev", "--port-file", port_file, "--config", config, NULL });
    return 0;
}

static int teardown_all(void **state)
{
    (void)state;
    if (dev.pid > 0) {
        kill(dev.pid, SIGTERM);
        program_end(&dev, NULL);
    }
    folder_remove(folder);
    return 0;
}

/* ---- bgopctl ---- */
#define CTL(expected_code, ...) ctl((expected_code), NULL, (const char *[]){ "bgopctl", __VA_ARGS__, NULL })
#define CTL_READS(expected_code, input, ...) \
    ctl((expected_code), (input), (const char *[]){ "bgopctl", __VA_ARGS__, NULL })

/* Both outputs, good until the next call. */
static const char *ctl(int expected_code, const char *input, const char *const *words)
{
    static char *output;
    int code;

    free(output);
    code = program_run(words, input, PROGRAM_BOTH_OUTPUTS, &output);
    if (code != expected_code)
        fail_msg("bgopctl %s %s: exit code %d instead of %d: %s", words[1], words[2] ? words[2] : "", code,
                 expected_code, output);
    return output;
}

static void assert_says(const char *output, const char *words)
{
    if (!strstr(output, words))
        fail_msg("\"%s\" is not in: %s", words, output);
}

/* A first line that is an Id. */
static void take_id(char id[ID_SIZE], const char *output)
{
    struct id_parts parts;

    if (!id_parse(output, ID_LENGTH, &parts) || output[ID_LENGTH] != '\n')
        fail_msg("not an Id: %s", output);
    memcpy(id, output, ID_LENGTH);
    id[ID_LENGTH] = '\0';
}

static void an_operation_goes_its_whole_way(void **state)
{
    char id[ID_SIZE];
    json_t *record;

    (void)state;
    take_id(id, CTL(0, "submit", "--type", "WebCart", "--parent", "acct-1", "--name", "first", "--payload", "hello"));
    assert_says(CTL(0, "wait", id, "--timeout", "30"), "Complete");
    record = json_loads(CTL(0, "get", id, "--json"), 0, NULL);
    assert_non_null(record);
    assert_string_equal(json_string_value(json_object_get(record, "Id")), id);
    assert_string_equal(json_string_value(json_object_get(record, "Status")), "Complete");
    assert_true(json_is_array(json_object_get(record, "tries")));
    assert_non_null(json_object_get(record, "out"));
    json_decref(record);
    assert_says(CTL(0, "get", "first"), id);
    assert_says(CTL(0, "--json", "lookup", "ParentKey", "acct-1"), id);
    assert_says(CTL(0, "why", id), "complete");
}

static void records_are_read_over_http(void **state)
{
    const char *address = getenv("BGOP_HTTP"), *token = getenv("BGOP_HTTP_TOKEN");
    char headers[256], id[ID_SIZE], path[128];
    const struct http_reply *reply;
    struct stat about;

    (void)state;
    assert_non_null(token);
    assert_int_equal(strncmp(address, "http://127.0.0.1:", 17), 0);
    assert_int_equal(strncmp(token, "00Dxx0000000001!", 16), 0);
    assert_int_equal(stat(port_file, &about), 0);
    assert_int_equal(about.st_mode & 077, 0);
    take_id(id, CTL(0, "submit", "--type", "WebCart"));
    CTL(0, "wait", id, "--timeout", "30");
    snprintf(path, sizeof path, "/services/data/v66.0/sobjects/BackgroundOperation/%s?fields=Status", id);
    snprintf(headers, sizeof headers, "Authorization: Bearer %s\r\n", token);
    reply = http_client_ask(atoi(address + 17), "GET", path, headers, NULL);
    assert_says(reply->body, "\"Status\":\"Complete\"}");
    assert_int_equal(http_client_ask(atoi(address + 17), "GET", path, "", NULL)->status, 401);
}

static void the_page_knows_who_may_act(void **state)
{
    const char *address = getenv("BGOP_HTTP");
    char headers[256];

    (void)state;
    assert_int_equal(http_client_ask(atoi(address + 17), "GET", "/", "", NULL)->status, 200);
    snprintf(headers, sizeof headers, "Authorization: Bearer %s\r\n", getenv("BGOP_HTTP_TOKEN"));
    assert_says(http_client_ask(atoi(address + 17), "GET", "/bgop/v1/session", headers, NULL)->body, "\"reader\"");
    snprintf(headers, sizeof headers, "Authorization: Bearer %s\r\n", getenv("BGOP_HTTP_OPERATOR_TOKEN"));
    assert_says(http_client_ask(atoi(address + 17), "GET", "/bgop/v1/session", headers, NULL)->body, "\"operator\"");
}

static void results_are_shown(void **state)
{
    char id[ID_SIZE];

    (void)state;
    take_id(id, CTL_READS(0, "line one\n", "submit", "--type", "ExternalServiceCallback", "-"));
    assert_says(CTL(0, "wait", id, "--timeout", "30"), "Complete");
    assert_says(CTL(0, "get", id), "\nResult\nline one");
    assert_says(CTL(0, "get", "--json", id), "\"out\": \"line one");
}

static void what_failed_for_good_is_told_with_its_reason(void **state)
{
    char id[ID_SIZE];
    const char *output;

    (void)state;
    take_id(id, CTL(0, "submit", "--type", "SiteTaskCreate", "--payload", "x"));
    assert_says(CTL(2, "wait", id, "--timeout", "30"), "Error");
    output = CTL(0, "get", id);
    assert_says(output, "no such site");
    assert_says(output, "Failed attempts");
    assert_says(output, "ATTEMPT");
    assert_says(CTL(0, "why", id), "failed for good");
    assert_says(CTL(0, "list", "--status", "Error"), "no such site");
    assert_says(CTL(0, "stats"), "no such site");
    assert_says(CTL(0, "blocked", "--json"), "[]");
}

static void many_lines_are_submitted_and_bad_ones_named(void **state)
{
    char input[8192], *to = input;
    const char *output;
    char id[ID_SIZE];

    (void)state;
    for (int i = 0; i < 50; i++)
        to += snprintf(to, sizeof input - (size_t)(to - input),
                       "{\"Type\":\"XClean\",\"ParentKey\":\"many\",\"Payload\":{\"n\":%d}}\n", i);
    snprintf(to, sizeof input - (size_t)(to - input),
             "{\"Type\":\"XClaen\"}\n{\"Type\":\"XClean\",\"Nmae\":\"x\"}\n{oops\n\n");
    output = CTL_READS(1, input, "submit", "--from", "-");
    assert_says(output, "line 51: ");
    assert_says(output, "did you mean XClean");
    assert_says(output, "line 52: ");
    assert_says(output, "Nmae");
    assert_says(output, "line 53: ");
    assert_says(output, "submitted 50 in ");
    assert_says(output, "3 wrong");
    for (const char *line = output; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        if (strncmp(line, ID_PREFIX, 3) == 0) {
            take_id(id, line);
            break;
        }
    }
    assert_says(CTL(0, "wait", "--timeout", "30", id), "Complete");
}

static const char *submit_file(int expected_code, const char *bytes, size_t size)
{
    char path[] = "/tmp/bgop-lines-XXXXXX";
    int fd = mkstemp(path);
    const char *output;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    close(fd);
    output = CTL(expected_code, "submit", "--from", path);
    unlink(path);
    return output;
}

/* As editors and spreadsheets of other systems write it. */
static void lines_of_odd_files_are_read_or_named(void **state)
{
    static const char odd[] = "\xef\xbb\xbf{\"Type\":\"XClean\",\"ParentKey\":\"odd\"}\r\n"
                              "\r\n \t\n\n"
                              "\xef\xbb\xbf{\"Type\":\"XClean\",\"ParentKey\":\"odd\"}\n" /* behind a cat */
                              "{\"Type\":\"XClean\"}\0\n"
                              "\0\n"
                              "{\"Type\":\"XClean\",\"ParentKey\":\"odd\"}"; /* no line end */
    static const char utf16[] = "\xff\xfe{\0\"\0", utf16_big[] = "\xfe\xff\0{\0\"";
    static const char last[] = "\n{\"Type\":\"XClean\"}";
    size_t size = 3000000;
    char *long_line = malloc(size);
    const char *output;

    (void)state;
    output = submit_file(1, odd, sizeof odd - 1);
    assert_says(output, "submitted 3 in ");
    assert_says(output, "line 6: ");
    assert_says(output, "line 7: ");
    assert_says(output, "2 wrong");
    assert_says(submit_file(64, utf16, sizeof utf16), "is UTF-16: save it as UTF-8");
    assert_says(submit_file(64, utf16_big, sizeof utf16_big), "is UTF-16: save it as UTF-8");
    memset(long_line, 'x', size);
    memcpy(long_line + size - (sizeof last - 1), last, sizeof last - 1);
    output = submit_file(1, long_line, size);
    assert_says(output, "line 1: longer than ");
    assert_says(output, "submitted 1 in ");
    free(long_line);
    assert_says(submit_file(0, "", 0), "submitted 0 in ");
}

static void lists_filter_and_limit(void **state)
{
    json_t *rows;
    char id[ID_SIZE];

    (void)state;
    for (int i = 0; i < 3; i++)
        take_id(id, CTL(0, "submit", "--type", "Sweeper", "--parent", "listed"));
    CTL(0, "wait", id);
    rows = json_loads(CTL(0, "list", "--parent", "listed", "--limit", "2", "--json"), 0, NULL);
    assert_int_equal(json_array_size(rows), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 0), "Type")), "Sweeper");
    json_decref(rows);
    assert_says(CTL(0, "list", "--type", "Sweeper"), "listed");
    assert_says(CTL(0, "list", "--json", "--parent", "nobody"), "[]");
    assert_says(CTL(64, "list", "--status", "Complet"), "did you mean Complete?");
    assert_says(CTL(64, "list", "--limit", "none"), "--limit none");
    assert_says(
        CTL(0, "find", "{\"where\":[[\"ParentKey\",\"=\",\"listed\"]],\"fields\":[\"Id\",\"Status\"],\"limit\":5}"),
        "Status");
}

static void what_waits_for_its_time_can_be_canceled(void **state)
{
    char id[ID_SIZE];

    (void)state;
    take_id(id, CTL(0, "submit", "--type", "WebCart", "--after", "+1h"));
    assert_says(CTL(124, "wait", id, "--timeout", "0.2"), "time is up");
    assert_says(CTL(0, "cancel", id, "--reason", "not wanted"), "canceled");
    assert_says(CTL(3, "wait", id, "--timeout", "10"), "Canceled");
    assert_says(CTL(0, "cancel", id), "already");
    assert_says(CTL(1, "redrive", id), "only what ended in Error");
}

static void what_is_paused_waits_until_it_is_resumed(void **state)
{
    char id[ID_SIZE], other[ID_SIZE];

    (void)state;
    assert_says(CTL(64, "pause"), "--type or --parent");
    assert_says(CTL(64, "resume", "--type", "WebCart", "--parent", "k"), "--type or --parent");
    assert_says(CTL(0, "pause", "--type", "WebCart", "--reason", "a look"), "Type WebCart is paused");
    assert_says(CTL(0, "pause", "--parent", "stopped", "--json"), "{\"paused\":true}");
    take_id(id, CTL(0, "submit", "--type", "WebCart"));
    take_id(other, CTL(0, "submit", "--type", "Sweeper", "--parent", "stopped"));
    CTL(124, "wait", id, other, "--timeout", "1");
    assert_says(CTL(0, "resume", "--type", "WebCart"), "resumed");
    assert_says(CTL(0, "resume", "--parent", "stopped"), "resumed");
    assert_says(CTL(0, "wait", id, other, "--timeout", "30"), "Complete");
}

static void numbers_workers_and_the_record_are_told(void **state)
{
    json_t *stats, *workers;

    (void)state;
    stats = json_loads(CTL(0, "stats", "--json"), 0, NULL);
    assert_string_equal(json_string_value(json_object_get(stats, "mode")), "OPEN");
    json_decref(stats);
    assert_says(CTL(0, "stats"), "accepted");
    workers = json_loads(CTL(0, "workers", "--json"), 0, NULL);
    assert_int_equal(json_array_size(workers), 1);
    assert_says(json_string_value(json_object_get(json_array_get(workers, 0), "types")), "WebCart");
    assert_says(json_string_value(json_object_get(json_array_get(workers, 0), "uri")), "http://");
    json_decref(workers);
    assert_says(CTL(0, "workers"), "INSTANCE");
    assert_says(CTL(0, "describe"), "RetryBackoff");
    assert_says(CTL(0, "describe"), "ExternalConnectivityPoller (reserved)");
}

static void mistakes_are_named_with_what_would_be_right(void **state)
{
    (void)state;
    assert_says(CTL(64, "submti"), "did you mean submit?");
    assert_says(CTL(64, "submit", "--typ", "WebCart"), "did you mean --type?");
    assert_says(CTL(64, "submit"), "--type");
    assert_says(CTL(64, "submit", "--type", "WebCrat"), "did you mean WebCart?");
    assert_says(CTL(64, "submit", "--type", "ExternalConnectivityPoller"), "reserved");
    assert_says(CTL(64, "submit", "--type", "WebCart", "--retry-limit", "-1"), "--retry-limit -1");
    assert_says(CTL(64, "submit", "--type", "WebCart", "--after", "tomorrow"), "--after tomorrow");
    assert_says(CTL(64, "submit", "--type", "WebCart", "--sequence-group", "g"), "Sequence");
    assert_says(CTL(1, "get", "08P000000000000AAA"), "no operation");
    assert_says(CTL(1, "get", "nobody"), "no operation with the Id or Name nobody");
    assert_says(CTL(69, "stats", "--redis", "unix:///nowhere/redis.sock"), "/nowhere/redis.sock");
    assert_says(CTL(69, "submit", "--type", "WebCart", "--kafka", "127.0.0.1:1"), "127.0.0.1:1");
    assert_says(CTL(78, "stats", "--redis", "http://x"), "redis://");
    assert_says(CTL(0, "help", "wait"), "--timeout");
    assert_says(CTL(0, "help"), "redrive");
}

/* ---- the end ---- */
static void a_signal_stops_everything_and_leaves_nothing(void **state)
{
    char *output;

    (void)state;
    kill(dev.pid, SIGTERM);
    assert_int_equal(program_end(&dev, &output), 0);
    dev.pid = 0;
    assert_says(output, "bgop is ready");
    assert_says(output, "\n  HTTP      http://127.0.0.1:");
    assert_says(output, "For development only");
    assert_says(output, "BGOP_KAFKA=");
    assert_says(output, "it'\\''s a $folder/bgop-dev-");
    free(output);
    assert_int_equal(rmdir(temporary), 0); /* it is empty */
    unsetenv("TMPDIR");
    assert_int_not_equal(access(port_file, F_OK), 0);
    assert_says(CTL(69, "stats"), "127.0.0.1");
}

static pid_t child_named(const char *name)
{
    char path[64], list[512] = "", *pids = list, *end;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)dev.pid, (int)dev.pid);
    file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(list, sizeof list, file));
    fclose(file);
    for (long pid = strtol(pids, &end, 10); end != pids; pid = strtol(pids = end, &end, 10)) {
        char comm[64] = "";

        snprintf(path, sizeof path, "/proc/%ld/comm", pid);
        file = fopen(path, "r");
        if (file && fgets(comm, sizeof comm, file) && strncmp(comm, name, strlen(name)) == 0) {
            fclose(file);
            return (pid_t)pid;
        }
        if (file)
            fclose(file);
    }
    fail_msg("no child %s", name);
    return 0;
}

/* A shell that leaves sends SIGHUP, and so does the kernel. */
static void a_terminal_that_closes_stops_everything(void **state)
{
    static const char *const names[] = { "redis-server", "bgop-coordinato", "bgop-worker" };
    pid_t children[3];
    char *output;

    (void)state;
    start_dev((const char *[]){ "bgop", "dev", "--port-file", port_file, NULL });
    for (int i = 0; i < 3; i++)
        children[i] = child_named(names[i]);
    kill(dev.pid, SIGUSR1); /* asks for nothing */
    kill(children[1], SIGUSR1);
    kill(children[2], SIGUSR1);
    kill(dev.pid, SIGHUP);
    kill(dev.pid, SIGHUP);
    assert_int_equal(program_end(&dev, &output), 0);
    dev.pid = 0;
    free(output);
    for (int i = 0; i < 3; i++)
        assert_int_not_equal(kill(children[i], 0), 0);
}

static void a_dead_child_ends_it_with_a_reason(void **state)
{
    char *output;

    (void)state;
    start_dev((const char *[]){ "bgop", "dev", "--quiet", "--port-file", port_file, NULL });
    kill(child_named("bgop-worker"), SIGKILL);
    assert_int_equal(program_end(&dev, &output), 1);
    dev.pid = 0;
    assert_says(output, "worker-1 was ended by signal 9");
    assert_null(strstr(output, "bgop is ready"));
    free(output);
}

/* Is this socket one of the process's descriptors behind the three? */
static bool has_socket(pid_t pid, const char *socket)
{
    char path[64], target[128];

    for (int fd = 3; fd < 256; fd++) {
        ssize_t size;

        snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
        size = readlink(path, target, sizeof target - 1);
        target[size < 0 ? 0 : size] = '\0';
        if (strcmp(target, socket) == 0)
            return true;
    }
    return false;
}

/* The mock broker's port must be free when bgop dev is gone, and nobody else may write on its connections. */
static void assert_inherited_no_socket(pid_t child)
{
    char path[64], target[128];
    int sockets = 0;

    for (int fd = 3; fd < 256; fd++) {
        ssize_t size;

        snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)dev.pid, fd);
        size = readlink(path, target, sizeof target - 1);
        target[size < 0 ? 0 : size] = '\0';
        if (strncmp(target, "socket:", 7) == 0 && has_socket(child, target))
            fail_msg("%d has %s of its parent", (int)child, target);
        sockets += strncmp(target, "socket:", 7) == 0;
    }
    assert_true(sockets > 0);
}

static void children_die_with_a_killed_parent(void **state)
{
    static const char *const names[] = { "redis-server", "bgop-coordinat", "bgop-worker" };
    pid_t children[TEST_COUNT(names)];
    char kept[128];

    (void)state;
    snprintf(kept, sizeof kept, "%s/kept", folder);
    start_dev((const char *[]){ "bgop", "dev", "--quiet", "--port-file", port_file, "--keep", kept, NULL });
    for (size_t i = 0; i < TEST_COUNT(names); i++)
        assert_inherited_no_socket(children[i] = child_named(names[i]));
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0); /* so that they can be waited for here */
    kill(dev.pid, SIGKILL);
    assert_int_equal(program_end(&dev, NULL), 128 + SIGKILL);
    dev.pid = 0;
    for (size_t i = 0; i < TEST_COUNT(names); i++) {
        int status;

        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    }
}

static void what_it_cannot_do_it_says(void **state)
{
    char *output;

    (void)state;
    assert_int_equal(program_run((const char *[]){ "bgop", "submit", NULL }, NULL, PROGRAM_BOTH_OUTPUTS, &output), 64);
    assert_says(output, "bgopctl submit");
    free(output);
    assert_int_equal(
        program_run((const char *[]){ "bgop", "dev", "--workers", "99", NULL }, NULL, PROGRAM_BOTH_OUTPUTS, &output),
        64);
    assert_says(output, "--workers 99");
    free(output);
    assert_int_equal(
        program_run((const char *[]){ "bgop", "dev", "--keep", "/tmp", NULL }, NULL, PROGRAM_BOTH_OUTPUTS, &output),
        64);
    assert_says(output, "empty folder");
    free(output);
    assert_int_equal(program_run((const char *[]){ "bgop", "dev", "--config", "/nowhere.ini", NULL }, NULL,
                                 PROGRAM_BOTH_OUTPUTS, &output),
                     78);
    assert_says(output, "/nowhere.ini");
    free(output);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_operation_goes_its_whole_way),
        cmocka_unit_test(records_are_read_over_http),
        cmocka_unit_test(the_page_knows_who_may_act),
        cmocka_unit_test(results_are_shown),
        cmocka_unit_test(what_failed_for_good_is_told_with_its_reason),
        cmocka_unit_test(many_lines_are_submitted_and_bad_ones_named),
        cmocka_unit_test(lines_of_odd_files_are_read_or_named),
        cmocka_unit_test(lists_filter_and_limit),
        cmocka_unit_test(what_waits_for_its_time_can_be_canceled),
        cmocka_unit_test(what_is_paused_waits_until_it_is_resumed),
        cmocka_unit_test(numbers_workers_and_the_record_are_told),
        cmocka_unit_test(mistakes_are_named_with_what_would_be_right),
        cmocka_unit_test(a_signal_stops_everything_and_leaves_nothing),
        cmocka_unit_test(a_terminal_that_closes_stops_everything),
        cmocka_unit_test(a_dead_child_ends_it_with_a_reason),
        cmocka_unit_test(children_die_with_a_killed_parent),
        cmocka_unit_test(what_it_cannot_do_it_says),
    };

    return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
