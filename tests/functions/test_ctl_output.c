/* bgopctl's output beside a running queue: lost output is told and goes nowhere else, and what records hold commands no
 * terminal. The coordinator is of this process, with the mock broker and a real Redis; this test is the worker. */
#include "tests/functions/coordinator_stack.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coordinator/ctl/commands.h"
#include "tests/support/program.h"

#define EVIL_JSON "\\u001b]0;pwned\\u0007\\r\\u009b31m\\u202e\\nx"
#define EVIL                   \
    "\033]0;pwned\a\r\xc2\x9b" \
    "31m\xe2\x80\xae\nx"
#define EVIL_SHOWN "\\x1b]0;pwned\\x07\\x0d\\u009b31m\\u202e\\nx"
#define TRACE      "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

static char evil_id[ID_SIZE], name_id[ID_SIZE];

static int run(unsigned flags, char **output, const char *const *words)
{
    const char *all[12] = { "bgopctl" };

    for (size_t i = 0; i < TEST_COUNT(all) - 2 && words[i]; i++)
        all[i + 1] = words[i];
    return program_run(all, NULL, flags, output);
}

static void fail_for_good(const char *id, const char *text)
{
    stack_end(id, "WebCart", ENTRY_PERMANENT, text, "Error");
}

static int setup(void **state)
{
    (void)state;
    stack_open();
    setenv("BGOP_KAFKA", kafka_mock_brokers(stack.mock), 1);
    setenv("BGOP_REDIS", stack.server.url, 1);
    stack_start(0, false);
    stack_wait_ready(0);
    memcpy(name_id,
           stack_submit(0, "DEL canary", "{\"Type\":\"WebCart\",\"ParentKey\":\"DEL canary\",\"Name\":\"DEL canary\"}"),
           ID_SIZE);
    memcpy(evil_id,
           stack_submit(0, EVIL,
                        "{\"Type\":\"WebCart\",\"ParentKey\":\"" EVIL_JSON "\",\"Name\":\"" EVIL_JSON
                        "\",\"SequenceGroup\":\"" EVIL_JSON "\",\"SequenceNumber\":1}"),
           ID_SIZE);
    EVENTUALLY(*stack_field(evil_id, "Status") && *stack_field(name_id, "Status"));
    fail_for_good(evil_id, EVIL);
    fail_for_good(name_id, "\r\nDEL canary\r\n");
    return 0;
}

/* Of every command words that print something here. */
static const struct {
    const char *name, *words[7];
} printing[] = {
    { "get", { "get", evil_id } },
    { "get", { "get", evil_id, "--json" } },
    { "query", { "query", "SELECT Id, Name, ParentKey, Error FROM BackgroundOperation" } },
    { "query", { "query", "SELECT Id, Name, ParentKey, Error FROM BackgroundOperation", "--json" } },
    { "query", { "query", "SELECT ParentKey, COUNT(Id) FROM BackgroundOperation GROUP BY ParentKey" } },
    { "query", { "query", "SELECT COUNT() FROM BackgroundOperation" } },
    { "query",
      { "query",
        "SELECT Id FROM BackgroundOperation WHERE Name = '"
        "\xc2\x9b"
        "'",
        "--explain" } },
    { "list", { "list" } },
    { "list", { "list", "--json" } },
    { "why", { "why", evil_id } },
    { "why", { "why", evil_id, "--json" } },
    { "stats", { "stats" } },
    { "stats", { "stats", "--json" } },
    { "stats", { "stats", "--watch" } },
    { "stats", { "stats", "--watch", "--json" } },
    { "top", { "top" } },
    { "top", { "top", "--json" } },
    { "watch", { "watch", "--since", "now-1h" } },
    { "watch", { "watch", "--since", "now-1h", "--json" } },
    { "describe", { "describe" } },
    { "describe", { "describe", "--json" } },
    { "updated", { "updated", "now-2h", "now+2m" } },
    { "updated", { "updated", "now-2h", "now+2m", "--json" } },
    { "deleted", { "deleted", "now-2h", "now", "--json" } },
    { "doctor", { "doctor" } },
    { "doctor", { "doctor", "--json" } },
    { "recover", { "recover" } },
    { "shards", { "shards" } },
    { "shards", { "shards", "--json" } },
    { "lookup", { "lookup", "Name", EVIL } },
    { "lookup", { "lookup", "Name", EVIL, "--json" } },
    { "find", { "find", "{\"fields\":[\"Id\",\"Name\",\"ParentKey\",\"Error\"]}" } },
    { "find", { "find", "{\"fields\":[\"Id\",\"Name\",\"ParentKey\",\"Error\"]}", "--json" } },
    { "workers", { "workers", "--json" } },
    { "paused", { "paused", "--json" } },
    { "blocked", { "blocked", "--json" } },
    { "actions", { "actions", "--json" } },
    { "pause", { "pause", "--parent", EVIL, "--reason", EVIL } },
    { "resume", { "resume", "--parent", EVIL } },
    { "cancel", { "cancel", "--where", "Name = 'nobody'" } },
    { "redrive", { "redrive", "--where", "Name = 'nobody'", "--dry-run" } },
    { "submit", { "submit", "--type", "WebCart" } },
    { "help", { "help" } },
    { "completion", { "completion", "zsh" } },
};

static void lost_output_is_told_by_every_command(void **state)
{
    (void)state;
    for (size_t i = 0; i < TEST_COUNT(printing); i++) {
        for (unsigned flags = PROGRAM_OUTPUT_FULL; flags <= PROGRAM_OUTPUT_CLOSED; flags *= 2) {
            const char *says = flags == PROGRAM_OUTPUT_FULL ? "cannot write standard output: No space left on device\n"
                                                            : "cannot write standard output: Bad file descriptor\n";
            char *output = NULL;
            int code = run(flags, &output, printing[i].words);

            if (code != 1 || !strstr(output, says))
                fail_msg("%s %s: exit code %d: %s", printing[i].name, printing[i].words[1], code, output);
            free(output);
        }
    }
}

static void no_command_is_forgotten(void **state)
{
    (void)state;
    for (size_t c = 0; c < command_count; c++) {
        bool found = strcmp(commands[c]->name, "wait") == 0; /* its exit code says how it ended: see below */

        for (size_t i = 0; i < TEST_COUNT(printing); i++)
            found |= strcmp(printing[i].name, commands[c]->name) == 0;
        if (!found)
            fail_msg("%s has no line in this table", commands[c]->name);
    }
}

static void a_reader_that_leaves_ends_every_command_quietly(void **state)
{
    (void)state;
    for (size_t i = 0; i < TEST_COUNT(printing); i++) {
        char *output = NULL;
        int code = run(PROGRAM_OUTPUT_UNREAD, &output, printing[i].words);

        if (code > 1 || strstr(output, "cannot write") || strstr(output, "Broken pipe") ||
            (*output && strchr(output, '\n') != output + strlen(output) - 1))
            fail_msg("%s %s: exit code %d: %s", printing[i].name, printing[i].words[1], code, output);
        free(output);
    }
}

static void an_exit_code_that_says_something_stays(void **state)
{
    char *output = NULL;

    (void)state;
    assert_int_equal(run(PROGRAM_OUTPUT_FULL, &output, (const char *const[]){ "wait", evil_id, NULL }), 2);
    assert_non_null(strstr(output, "No space left"));
    free(output);
}

static void an_id_that_cannot_be_printed_is_told_all_the_same(void **state)
{
    static const unsigned losses[] = { PROGRAM_OUTPUT_FULL, PROGRAM_OUTPUT_CLOSED, PROGRAM_OUTPUT_UNREAD };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(losses); i++) {
        char id[ID_SIZE], *output = NULL, *at;

        assert_int_equal(run(losses[i], &output, (const char *const[]){ "submit", "--type", "WebCart", NULL }), 1);
        at = strstr(output, "submitted as 08P");
        if (!at)
            fail_msg("%s", output);
        snprintf(id, sizeof id, "%.18s", at + strlen("submitted as "));
        EVENTUALLY(stack_is(id, "New"));
        free(output);
    }
}

static void ids_of_many_lines_are_not_lost_either(void **state)
{
    static const char line[] = "{\"Type\":\"WebCart\"}\n";
    char *lines = calloc(600, sizeof line), *output = NULL;
    int count = 0;

    (void)state;
    for (int i = 0; i < 600; i++)
        strcpy(lines + (size_t)i * strlen(line), line);
    assert_int_equal(program_run((const char *const[]){ "bgopctl", "submit", "--from", "-", NULL }, lines,
                                 PROGRAM_OUTPUT_FULL, &output),
                     1);
    for (const char *at = output; (at = strstr(at, "\n08P")); at++)
        count++;
    if (count + (strncmp(output, "08P", 3) == 0) != 600 || !strstr(output, "submitted 600"))
        fail_msg("%d Ids: %.400s", count, output);
    free(output);
    free(lines);
}

/* Descriptor 1 was the Redis socket: a row "DEL canary" became a command, once there were more than a buffer holds. (What
 * the server counts as DEL is no sign of it: functions delete too, when the time has come.) */
static void a_closed_output_is_not_the_redis_socket(void **state)
{
    static const char canary[] = "{\"Type\":\"WebCart\",\"ParentKey\":\"DEL canary\"}";
    const char *last = NULL;
    char *output = NULL;

    (void)state;
    for (int i = 0; i < 500; i++)
        last = stack_submit(0, "DEL canary", canary);
    EVENTUALLY(*stack_field(last, "Status"));
    stack_ask("SET", "canary", "alive");
    stack_ask("CONFIG", "RESETSTAT", NULL);
    run(PROGRAM_OUTPUT_CLOSED, &output,
        (const char *const[]){ "query", "SELECT ParentKey FROM BackgroundOperation", NULL });
    free(output);
    run(PROGRAM_OUTPUT_CLOSED, &output, (const char *const[]){ "list", "--limit", "all", NULL });
    free(output);
    run(PROGRAM_OUTPUT_CLOSED | PROGRAM_INPUT_CLOSED, &output, (const char *const[]){ "get", name_id, NULL });
    free(output);
    run(PROGRAM_OUTPUT_CLOSED, &output, (const char *const[]){ "watch", "--since", "now-1h", NULL });
    free(output);
    assert_string_equal(stack_ask("GET", "canary", NULL), "alive");
    assert_null(strstr(stack_ask("INFO", "errorstats", NULL), "errorstat_ERR:")); /* unknown command */
}

static void a_closed_input_is_no_empty_payload(void **state)
{
    static const char *const words[][5] = { { "submit", "--type", "WebCart", "-", NULL },
                                            { "submit", "--from", "-", NULL } };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(words); i++) {
        char *output = NULL;
        int code = run(PROGRAM_BOTH_OUTPUTS | PROGRAM_INPUT_CLOSED, &output, words[i]);

        if (code != 1 || strstr(output, "08P"))
            fail_msg("%s: exit code %d: %s", words[i][1], code, output);
        free(output);
    }
}

/* ---- on a terminal ---- */

/* What the words print there. */
static const char *on_terminal(const char *const *words)
{
    static char text[1 << 20];
    struct winsize size = { .ws_row = 50, .ws_col = 400 };
    size_t used = 0;
    ssize_t got;
    int terminal, status;
    pid_t pid = forkpty(&terminal, NULL, NULL, &size);

    assert_true(pid >= 0);
    if (pid == 0) {
        char path[4096];
        const char *all[12] = { "bgopctl" };
        ssize_t length = readlink("/proc/self/exe", path, sizeof path - 16);

        path[length < 0 ? 0 : length] = '\0';
        strcpy(strrchr(path, '/') + 1, "bgopctl");
        for (size_t i = 0; i < TEST_COUNT(all) - 2 && words[i]; i++)
            all[i + 1] = words[i];
        setenv("NO_COLOR", "1", 1);
        execv(path, (char *const *)(void *)(uintptr_t)all);
        _exit(127);
    }
    while ((got = read(terminal, text + used, sizeof text - 1 - used)) > 0)
        used += (size_t)got;
    text[used] = '\0';
    close(terminal);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return text;
}

static void no_record_commands_a_terminal(void **state)
{
    (void)state;
    for (size_t i = 0; i < TEST_COUNT(printing); i++) {
        bool endless = strstr("stats top watch", printing[i].name) != NULL;
        const char *text;

        if (endless && printing[i].words[1] && strcmp(printing[i].words[1], "--json") != 0)
            continue;
        if (strcmp(printing[i].name, "top") == 0)
            continue; /* until q is pressed */
        text = on_terminal(printing[i].words);
        if (strstr(text, "\033]0") || strchr(text, '\a') || strstr(text, "\xc2\x9b") || strstr(text, "\xe2\x80\xae"))
            fail_msg("%s %s: %s", printing[i].name, printing[i].words[1], text);
    }
    assert_non_null(strstr(on_terminal((const char *const[]){ "get", evil_id, NULL }), EVIL_SHOWN));
    assert_non_null(strstr(
        on_terminal((const char *const[]){ "stats", "--print-config", "--kafka", "\xc2\x9b:1", NULL }), "\\u009b:1"));
    assert_non_null(strstr(on_terminal((const char *const[]){ "list", "--limit", "all", NULL }), EVIL_SHOWN));
    assert_non_null(strstr(
        on_terminal((const char *const[]){ "watch", "--since", "now-1h", "--count", "1", "--status", "Error", NULL }),
        EVIL_SHOWN));
    assert_non_null(strstr(on_terminal((const char *const[]){ "lookup", "Name", EVIL, "--json", NULL }), evil_id));
    assert_non_null(strstr(on_terminal((const char *const[]){ "get", "no" EVIL, NULL }), EVIL_SHOWN));
}

/* ---- traces ---- */

static const char *submit_traced(const char *trace)
{
    static char id[ID_SIZE];
    const char *headers[] = { "traceparent", trace, NULL }, json[] = "{\"Type\":\"WebCart\",\"ParentKey\":\"t\"}";
    struct err err = ERR_INIT;

    stack.outstanding++;
    assert_int_equal(
        kafka_producer_send(stack.producer, "bgop.submit", 0, NULL, 0, json, strlen(json), headers, NULL, &err), ST_OK);
    EVENTUALLY(kafka_producer_poll(stack.producer, 10) >= 0 && stack.outstanding == 0);
    id_make(id, &(struct id_parts){ .shard = routing_shard("t", 1, 0, stack.last.offset, STACK_SHARDS),
                                    .offset = stack.last.offset });
    EVENTUALLY(*stack_field(id, "Status"));
    return id;
}

static void a_bad_trace_is_dropped_and_its_operation_taken(void **state)
{
    static const char *const bad[] = { "x\r\nContent-Length:0\r\n\r\nPUT /pwned HTTP/1.1\r\nA:", TRACE "\r\n",
                                       "00-ab-cd-01", "" };

    (void)state;
    assert_string_equal(stack_field(submit_traced(TRACE), "trace"), TRACE);
    for (size_t i = 0; i < TEST_COUNT(bad); i++)
        assert_string_equal(stack_field(submit_traced(bad[i]), "trace"), "");
}

/* Written by an older coordinator, or by hand. */
static void a_bad_trace_of_a_record_goes_no_further(void **state)
{
    const char *id = submit_traced(TRACE);
    struct claim call = { .shard = stack_shard(id),
                          .generation = stack_generation(stack_shard(id)),
                          .instance = "w-1",
                          .worker_uri = "http://w",
                          .nonce = "trace",
                          .type = "WebCart",
                          .want = 1,
                          .ids = (const char(*)[ID_SIZE])id,
                          .id_count = 1 };
    struct claim_answer answer = { 0 };
    struct redis_reply *reply = NULL;
    struct err err = ERR_INIT;
    char rest[64];

    (void)state;
    snprintf(rest, sizeof rest, "op:%s", id);
    assert_int_equal(
        redis_call(stack.redis, &reply, &err, "HSET", stack_key(stack_shard(id), rest), "trace", "x\r\nA: b", NULL),
        ST_OK);
    redis_reply_free(reply);
    assert_int_equal(claim_send(stack.redis, &call, &err), ST_OK);
    assert_int_equal(claim_receive(stack.redis, &answer, &err), ST_OK);
    assert_int_equal(answer.count, 1);
    assert_string_equal(answer.ops[0].id, id);
    assert_string_equal(answer.ops[0].traceparent, "");
    claim_answer_release(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_command_is_forgotten),
        cmocka_unit_test(a_closed_output_is_not_the_redis_socket),
        cmocka_unit_test(lost_output_is_told_by_every_command),
        cmocka_unit_test(a_reader_that_leaves_ends_every_command_quietly),
        cmocka_unit_test(an_exit_code_that_says_something_stays),
        cmocka_unit_test(an_id_that_cannot_be_printed_is_told_all_the_same),
        cmocka_unit_test(ids_of_many_lines_are_not_lost_either),
        cmocka_unit_test(a_closed_input_is_no_empty_payload),
        cmocka_unit_test(no_record_commands_a_terminal),
        cmocka_unit_test(a_bad_trace_is_dropped_and_its_operation_taken),
        cmocka_unit_test(a_bad_trace_of_a_record_goes_no_further),
    };

    signal(SIGPIPE, SIG_IGN);
    setenv("TZ", "UTC0", 1); /* times are compared */
    return cmocka_run_group_tests(tests, setup, stack_teardown);
}
