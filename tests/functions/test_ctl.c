/* bgopctl's commands that steer and examine a queue: the real program against a coordinator of this process, the mock
 * broker and a real Redis. This test is the worker, so each operation stands where a case needs it. */
#include "tests/functions/coordinator_stack.h"

#include <ctype.h>
#include <jansson.h>
#include <signal.h>

#include "tests/support/program.h"

#define CTL(expected_code, ...) ctl((expected_code), (const char *[]){ "bgopctl", __VA_ARGS__, NULL })

/* Both outputs, good until the next call. */
static const char *ctl(int expected_code, const char *const *words)
{
    static char *output;
    int code;

    free(output);
    code = program_run(words, NULL, PROGRAM_BOTH_OUTPUTS, &output);
    if (code != expected_code)
        fail_msg("bgopctl %s: exit code %d instead of %d: %s", words[1], code, expected_code, output);
    return output;
}

static void assert_says(const char *output, const char *words)
{
    if (!strstr(output, words))
        fail_msg("\"%s\" is not in: %s", words, output);
}

static int setup(void **state)
{
    (void)state;
    stack_open();
    setenv("BGOP_KAFKA", kafka_mock_brokers(stack.mock), 1);
    setenv("BGOP_REDIS", stack.server.url, 1);
    setenv("COLUMNS", "200", 1);
    stack_start(0, false);
    stack_wait_ready(0);
    return 0;
}

/* ---- what the cases are made of ---- */

static void run_redis(const char *verb, const char *key, const char *a, const char *b)
{
    struct redis_reply *reply = NULL;
    struct err err = ERR_INIT;

    if (redis_call(stack.redis, &reply, &err, verb, key, a, b, NULL) != ST_OK)
        fail_msg("%s %s: %s", verb, key, err.text);
    redis_reply_free(reply);
}

/* Its Id, good for many calls: the stack's own are used again soon. */
static const char *submit(const char *parent, const char *more)
{
    static char kept[64][ID_SIZE];
    static int next;
    char json[512], *id = kept[next++ % 64];

    snprintf(json, sizeof json, "{\"Type\":\"WebCart\",\"ParentKey\":\"%s\"%s}", parent, more);
    memcpy(id, stack_submit(0, parent, json), ID_SIZE);
    EVENTUALLY(*stack_field(id, "Status"));
    return id;
}

static void fail_for_good(const char *id, const char *text)
{
    stack_end(id, "WebCart", ENTRY_PERMANENT, text, "Error");
}

static const char *failed(const char *parent, const char *text)
{
    const char *id = submit(parent, "");

    fail_for_good(id, text);
    return id;
}

/* ---- redrive, cancel ---- */

static void a_condition_redrives_all_that_match(void **state)
{
    const char *ids[3];
    const char *other = failed("r-other", "timeout");
    json_t *lines;

    (void)state;
    for (int i = 0; i < 3; i++)
        ids[i] = failed("r", i < 2 ? "timeout" : "refused");
    lines = json_loads(CTL(0, "redrive", "--where", "ParentKey = 'r'", "--dry-run", "--json"), 0, NULL);
    assert_int_equal(json_array_size(lines), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(lines, 0), "Error")), "timeout");
    assert_string_equal(json_string_value(json_object_get(json_array_get(lines, 0), "ParentKey")), "r");
    assert_int_equal(json_integer_value(json_object_get(json_array_get(lines, 0), "count")), 2);
    json_decref(lines);
    assert_says(CTL(0, "redrive", "--dry-run", "--where", "ParentKey = 'r'"), "3 would be redriven; nothing was sent");
    assert_true(stack_is(ids[0], "Error"));
    assert_says(CTL(0, "redrive", "--where", "ParentKey = 'r' AND Error LIKE 'time%'", "--reason", "it's back"),
                "2 redriven");
    assert_true(stack_is(ids[0], "Waiting") && stack_is(ids[1], "Waiting"));
    assert_true(stack_is(ids[2], "Error") && stack_is(other, "Error"));
    assert_says(CTL(0, "get", ids[0]), "it's back");
    assert_says(CTL(0, "get", ids[0], "--json"), "\"command\": \"redrive\"");
    assert_says(CTL(0, "get", ids[0], "--json"), "\"redrives\": 1");
    assert_says(CTL(0, "redrive", "--where", "ParentKey = 'r'"), "1 redriven");
}

static void what_fails_again_is_not_redriven_by_a_command_for_the_attempt_before(void **state)
{
    const char *id = failed("token", "no");
    char json[256], token[32];

    (void)state;
    snprintf(token, sizeof token, "%s", stack_field(id, "token"));
    CTL(0, "redrive", id);
    fail_for_good(id, "again");
    snprintf(json, sizeof json, "{\"Command\":\"redrive\",\"Id\":\"%s\",\"Token\":\"%s\"}", id, token);
    stack_produce("command", 1, json, strlen(json));
    assert_says(CTL(0, "cancel", submit("token-2", "")), "canceled"); /* read behind it */
    assert_true(stack_is(id, "Error"));
}

static void a_rate_bounds_how_many_are_sent_a_second(void **state)
{
    int64_t begun_ms = clock_boot_ms();

    (void)state;
    for (int i = 0; i < 6; i++)
        failed("rate", "no");
    begun_ms = clock_boot_ms();
    assert_says(CTL(0, "redrive", "--where", "ParentKey = 'rate'", "--rate", "5/s"), "6 redriven");
    assert_true(clock_boot_ms() - begun_ms >= 1000);
    assert_says(CTL(64, "redrive", "--where", "ParentKey = 'rate'", "--rate", "fast"), "--rate fast");
    assert_says(CTL(64, "redrive", "--where", "ParentKey = 'rate'", "--rate", "0"), "--rate 0");
}

/* Whose name is the last word in parentheses of an output, or its only line; good until the next call. */
static const char *action_in(const char *output)
{
    static char name[32];
    const char *at = strstr(output, "act");

    assert_non_null(at);
    snprintf(name, sizeof name, "%.*s", (int)strspn(at, "abcdefghijklmnopqrstuv0123456789"), at);
    return name;
}

/* A member of an action as text; good until the next call. */
static const char *action_says(const char *name, const char *member)
{
    static char text[512];
    json_t *action = json_loads(CTL(0, "actions", name, "--json"), 0, NULL), *value = json_object_get(action, member);

    if (json_is_integer(value))
        snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else
        snprintf(text, sizeof text, "%s", json_is_string(value) ? json_string_value(value) : "null");
    json_decref(action);
    return text;
}

static void an_action_goes_on_without_who_asked_for_it(void **state)
{
    struct program program;
    char *output, name[32];

    (void)state;
    for (int i = 0; i < 10; i++)
        failed("stop", "it's");
    program_start(&program,
                  (const char *[]){ "bgopctl", "redrive", "--where", "ParentKey = 'stop'", "--rate", "8/s", NULL },
                  NULL, PROGRAM_BOTH_OUTPUTS);
    EVENTUALLY(strcmp(stack_ask("HGET", stack_key(routing_shard("stop", 4, 0, 0, STACK_SHARDS), "counts"), "redriven"),
                      "2") >= 0);
    kill(program.pid, SIGINT);
    assert_int_equal(program_end(&program, &output), 1);
    assert_says(output, "stopped watching: act");
    assert_says(output, "--abort` stops it");
    snprintf(name, sizeof name, "%s", action_in(strstr(output, "stopped watching")));
    free(output);
    assert_says(CTL(0, "actions", name, "--follow"), "10 redriven");
    assert_says(CTL(0, "query",
                    "SELECT COUNT() FROM BackgroundOperation WHERE ParentKey = 'stop' AND "
                    "Status = 'Waiting'"),
                "10");
}

static void an_action_is_listed_aborted_and_says_who(void **state)
{
    char name[32];
    json_t *list;

    (void)state;
    for (int i = 0; i < 5; i++)
        failed("slow", "no");
    snprintf(
        name, sizeof name, "%s",
        action_in(CTL(0, "redrive", "--where", "ParentKey = 'slow'", "--rate", "1/s", "--reason", "try", "--detach")));
    EVENTUALLY(strcmp(action_says(name, "done"), "1") >= 0);
    assert_says(CTL(0, "actions", name, "--abort", "--reason", "enough"), "Aborted");
    assert_says(action_says(name, "error"), ": enough");
    assert_true(strchr(action_says(name, "who"), '@') != NULL);
    assert_string_equal(action_says(name, "matching"), "5");
    assert_says(CTL(1, "actions", name, "--follow"), "was aborted: aborted by ");
    list = json_loads(CTL(0, "actions", "--json", "--limit", "1"), 0, NULL);
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "id")), name);
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "reason")), "try");
    json_decref(list);
    assert_says(CTL(0, "actions"), "ParentKey = 'slow'");
    assert_says(CTL(1, "actions", "act0"), "there is no action act0");
    assert_says(CTL(1, "actions", "act0", "--abort"), "no such action");
    assert_says(CTL(64, "actions", "--abort"), "needs the name of an action");
    assert_says(CTL(64, "actions", "--limit", "0"), "--limit 0");
    assert_says(CTL(64, "cancel", "x", "--detach"), "--detach goes with --where");
}

/* A coordinator ends between two steps: the next one goes on where it stopped. */
static void an_action_goes_on_under_the_next_coordinator(void **state)
{
    char name[32];

    (void)state;
    for (int i = 0; i < 8; i++)
        failed("next", "no");
    snprintf(name, sizeof name, "%s",
             action_in(CTL(0, "redrive", "--where", "ParentKey = 'next'", "--rate", "4/s", "--detach")));
    EVENTUALLY(strcmp(action_says(name, "done"), "2") >= 0);
    stack_stop(0);
    assert_string_equal(action_says(name, "state"), "Running");
    assert_says(CTL(1, "actions", name, "--follow", "--timeout", "0.3"), "no coordinator has run ");
    stack_start(0, false);
    assert_says(CTL(0, "actions", name, "--follow", "--timeout", "60"), "8 redriven");
    stack_wait_ready(0);
}

static void what_was_redriven_too_often_is_refused_and_says_why(void **state)
{
    const char *id = failed("limit", "no");
    char key[64];

    (void)state;
    snprintf(key, sizeof key, "op:%s", id);
    run_redis("HSET", stack_key(stack_shard(id), key), "redrives", "10");
    assert_says(CTL(1, "redrive", id), "redriven 10 times, and redrive_limit of WebCart is 10");
    assert_says(CTL(1, "redrive", "--where", "ParentKey = 'limit'"), "0 redriven, 1 not");
    assert_says(CTL(0, "redrive", "--where", "ParentKey = 'limit'", "--dry-run"), "REFUSED");
    assert_true(stack_is(id, "Error"));
}

static void a_condition_cancels_what_has_not_ended(void **state)
{
    const char *ended = submit("c", ""), *waiting = submit("c", ""), *running = submit("c", "");

    (void)state;
    stack_end(ended, "WebCart", ENTRY_OK, NULL, "Complete");
    EVENTUALLY(stack_claim(running, "WebCart") != 0);
    assert_says(CTL(0, "cancel", "--where", "ParentKey = 'c'", "--reason", "not wanted"), "2 canceled");
    assert_true(stack_is(waiting, "Canceled"));
    EVENTUALLY(stack_is(running, "Canceled")); /* when its lease ends: nobody renews it */
}

static void what_cannot_be_steered_is_said(void **state)
{
    const char *id = submit("s", "");

    (void)state;
    assert_says(CTL(64, "redrive"), "--where");
    assert_says(CTL(64, "cancel", id, "--where", "Type = 'WebCart'"), "not both");
    assert_says(CTL(64, "cancel", "--where", "Typ = 'WebCart'"), "Type");
    assert_says(CTL(64, "cancel", "--where", "Type = "), "--where");
    assert_says(CTL(1, "redrive", id), "only what ended in Error");
    assert_says(CTL(1, "cancel", "08P000000000000AAA"), "no operation");
    assert_says(CTL(0, "cancel", "--where", "ParentKey = 'nobody at all'"), "0 canceled");
    assert_says(CTL(0, "cancel", "--where", "ParentKey = 'nobody at all'", "--json"), "\"matching\": 0");
}

/* Redis takes no writes for a while: so there is an Id and no record yet. */
static void what_was_submitted_a_moment_ago_is_waited_for(void **state)
{
    const char *id;

    (void)state;
    run_redis("CLIENT", "PAUSE", "700", "WRITE");
    id = stack_submit(0, "soon", "{\"Type\":\"WebCart\",\"ParentKey\":\"soon\"}");
    assert_says(CTL(0, "get", id), "soon");
    assert_says(CTL(0, "cancel", id), "canceled");
    id = stack_submit(0, "soon", "{\"Type\":\"NoSuchType\",\"ParentKey\":\"soon\"}");
    assert_says(CTL(1, "why", id), "no such operation");
}

static void an_id_is_taken_in_any_case_of_its_letters(void **state)
{
    const char *id = submit("any-case", "");
    char lower[ID_SIZE], where[64];

    (void)state;
    for (int i = 0; i <= ID_LENGTH; i++)
        lower[i] = (char)tolower(id[i]);
    assert_says(CTL(0, "get", lower), id);
    assert_says(CTL(0, "why", lower), id);
    assert_says(CTL(0, "lookup", "Id", lower), id);
    snprintf(where, sizeof where, "Id = '%s'; -- as told on the phone", lower);
    assert_says(CTL(0, "cancel", "--where", where, "--dry-run"), "1 would be canceled");
    assert_says(CTL(0, "cancel", lower), "canceled");
    assert_says(CTL(3, "wait", lower, "--timeout", "5"), "Canceled");
}

static const char *id_of(int shard, int partition, int64_t offset)
{
    static char id[ID_SIZE];

    id_make(id, &(struct id_parts){ .shard = shard, .partition = partition, .offset = offset });
    return id;
}

/* Nobody reads: what was acknowledged is not denied, and a cancel of it is sent and meets it. */
static void what_is_not_read_yet_is_not_denied(void **state)
{
    char id[ID_SIZE], words[64];
    const char *output;
    json_t *report;

    (void)state;
    stack_stop(0);
    memcpy(id, stack_submit(0, "later", "{\"Type\":\"WebCart\",\"ParentKey\":\"later\"}"), ID_SIZE);
    snprintf(words, sizeof words, "bgop.submit[0] at offset %lld", (long long)stack.last.offset);
    output = CTL(1, "why", id);
    assert_says(output, "not recorded yet: its submission is in ");
    assert_says(output, words);
    assert_null(strstr(output, "no such operation"));
    output = CTL(124, "wait", id, "--timeout", "0.1");
    assert_says(output, "not recorded yet: its submission is in ");
    report = json_loads(CTL(1, "doctor", "--json"), 0, NULL); /* no coordinator runs */
    assert_true(json_integer_value(json_object_get(json_object_get(report, "lag"), "submit")) >= 1);
    assert_int_equal(json_array_size(json_object_get(report, "openTransactions")), 0);
    json_decref(report);
    output = CTL(1, "redrive", id);
    assert_says(output, "not recorded yet");
    output = CTL(1, "cancel", id, "--timeout", "0.1", "--reason", "in time");
    assert_says(output, "is not recorded yet; the cancel is in the log and will meet it: its submission is in ");
    stack_start(0, false);
    stack_wait_ready(0);
    EVENTUALLY(stack_is(id, "Canceled"));
    assert_says(CTL(0, "get", id), "in time");
}

static void ids_of_nothing_are_told_from_each_other(void **state)
{
    char query[200], id[ID_SIZE];

    (void)state;
    memcpy(id, stack_submit(0, "refused", "{\"Type\":\"NoSuchType\",\"ParentKey\":\"refused\"}"), ID_SIZE);
    assert_says(CTL(1, "get", id), "no such operation: its submission was read, and refused (topic bgop.rejects");
    assert_says(CTL(1, "get", id_of(1, 0, 99999999)),
                "no such operation: it was never submitted: bgop.submit[0] ends at");
    assert_says(CTL(1, "cancel", id_of(1, 0, 99999999)), "it was never submitted");
    snprintf(query, sizeof query, "SELECT Id FROM BackgroundOperation WHERE Type = 'WebCart' AND Id = '%s'",
             id_of(1, 0, 99999999));
    assert_says(CTL(0, "query", query), "it was never submitted");
    assert_says(CTL(1, "redrive", id_of(9, 0, 1)), "not of this queue: it names shard 9, and there are 4");
    assert_says(CTL(1, "redrive", id_of(1, 7, 1)), "not of this queue: it names partition 7 of bgop.submit");
    run_redis("HSET", "bgop:epochs", "1", "A");
    assert_says(CTL(1, "redrive", id_of(1, 1, 0)), "Kafka lost its submission after it was acknowledged");
    run_redis("HDEL", "bgop:epochs", "1", NULL);
    setenv("BGOP_KAFKA", "127.0.0.1:1", 1);
    assert_says(CTL(1, "get", id_of(1, 0, 99999999)), "not known: asking for topics: Kafka at 127.0.0.1:1 unreachable");
    setenv("BGOP_KAFKA", kafka_mock_brokers(stack.mock), 1);
}

static void what_is_tried_again_by_itself_is_not_redriven(void **state)
{
    const char *id = submit("timed", ",\"RetryBackoff\":600000");

    (void)state;
    stack_end(id, "WebCart", ENTRY_ERROR, "no", "Waiting");
    stack_end(id, "WebCart", ENTRY_ERROR, "no", "Error");
    assert_says(CTL(1, "redrive", id), "tried again by itself");
    assert_says(CTL(0, "cancel", id), "canceled");
}

/* ---- pause, watch, top ---- */

static void what_is_paused_is_listed(void **state)
{
    json_t *list;

    (void)state;
    assert_says(CTL(64, "pause", "--type", "WebCrat"), "did you mean WebCart?");
    assert_says(CTL(64, "resume", "--type", "WebCrat"), "did you mean WebCart?");
    assert_says(CTL(0, "paused"), "nothing is paused");
    assert_says(CTL(0, "paused", "--json"), "[]");
    CTL(0, "pause", "--type", "Sweeper", "--reason", "a look");
    CTL(0, "pause", "--parent", "stopped: here");
    list = json_loads(CTL(0, "paused", "--json"), 0, NULL);
    assert_int_equal(json_array_size(list), 2);
    json_decref(list);
    assert_says(CTL(0, "paused"), "a look");
    assert_says(CTL(0, "paused"), "stopped: here");
    CTL(0, "resume", "--parent", "stopped: here");
    CTL(0, "resume", "--type", "Sweeper");
    EVENTUALLY(strstr(CTL(0, "paused"), "nothing is paused"));
}

static void changes_are_watched(void **state)
{
    struct program program;
    char *output, *line;
    const char *id, *other;
    json_t *change;

    (void)state;
    program_start(
        &program,
        (const char *[]){ "bgopctl", "watch", "--json", "--since", "now-1s", "--parent", "w", "--count", "2", NULL },
        NULL, 0);
    other = submit("w-2", "");
    id = submit("w", "");
    CTL(0, "cancel", id);
    assert_int_equal(program_end(&program, &output), 0);
    assert_null(strstr(output, other));
    line = strchr(output, '\n');
    assert_non_null(line);
    *line = '\0';
    change = json_loads(output, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(change, "Id")), id);
    assert_string_equal(json_string_value(json_object_get(change, "Status")), "New");
    assert_string_equal(json_string_value(json_object_get(change, "Type")), "WebCart");
    json_decref(change);
    assert_says(line + 1, "Canceled");
    free(output);
    assert_says(CTL(0, "watch", "--since", "now-10m", "--status", "Canceled", "--parent", "w", "--count", "1"), id);
    assert_says(CTL(64, "watch", "--status", "Cancelled"), "did you mean Canceled?");
    assert_says(CTL(64, "watch", "--type", "WebCrat"), "did you mean WebCart?");
    assert_says(CTL(64, "watch", "--since", "yesterday"), "--since yesterday");
}

static void a_watch_waits_for_a_redis_that_goes_away(void **state)
{
    struct program program;
    char *output, first[256];
    const char *before = submit("w-3", ""), *id;

    (void)state;
    program_start(&program,
                  (const char *[]){ "bgopctl", "watch", "--since", "now-10s", "--parent", "w-3", "--count", "2", NULL },
                  NULL, PROGRAM_BOTH_OUTPUTS);
    assert_non_null(fgets(first, sizeof first, program.output));
    assert_says(first, before);
    redis_server_kill(&stack.server);
    redis_server_again(&stack.server);
    id = submit("w-3", "");
    assert_int_equal(program_end(&program, &output), 0);
    assert_says(output, id);
    free(output);
}

static void what_runs_is_shown_with_its_worker(void **state)
{
    const char *id = submit("top", "");
    json_t *workers, *worker;

    (void)state;
    EVENTUALLY(stack_claim(id, "WebCart") != 0);
    workers = json_loads(CTL(0, "workers", "--json"), 0, NULL);
    assert_int_equal(json_array_size(workers), 1);
    worker = json_array_get(workers, 0);
    assert_string_equal(json_string_value(json_object_get(worker, "instance")), "w-1");
    assert_string_equal(json_string_value(json_object_get(worker, "uri")), "http://w");
    json_decref(workers);
}

static void top_prints_once_without_a_terminal(void **state)
{
    json_t *answer;

    (void)state;
    assert_says(CTL(0, "top"), "a second (last minute):");
    answer = json_loads(CTL(0, "top", "--json"), 0, NULL);
    assert_string_equal(json_string_value(json_object_get(answer, "mode")), "OPEN");
    assert_true(json_is_array(json_object_get(answer, "running")));
    json_decref(answer);
    assert_says(CTL(64, "top", "--interval", "0"), "--interval 0");
}

/* ---- doctor ---- */

static json_t *doctor(int expected_code, const char *fix)
{
    json_t *report =
        json_loads(fix ? CTL(expected_code, "doctor", "--json", fix) : CTL(expected_code, "doctor", "--json"), 0, NULL);

    assert_non_null(report);
    return report;
}

/* The worker that this test has been leaves, as one that drained does. */
static void worker_leaves(void)
{
    const struct beat beat = { .kind = "worker", .instance = "w-1", .left = true };
    struct err err = ERR_INIT;

    for (int shard = 0; shard < STACK_SHARDS; shard++) {
        struct beat of_shard = beat;

        of_shard.shard = shard;
        assert_int_equal(beat_send(stack.redis, &of_shard, &err), ST_OK);
        assert_int_equal(beat_receive(stack.redis, &err), ST_OK);
    }
}

/* Of a partition that no coordinator reads, so that none says otherwise. */
static void source_is(const char *state, const char *why)
{
    const struct source_beat source = { "bgop.other[7]", state, why };
    struct err err = ERR_INIT;

    assert_int_equal(sources_send(stack.redis, 3, "c", &source, 1, &err), ST_OK);
    assert_int_equal(beat_receive(stack.redis, &err), ST_OK);
}

static void what_is_wrong_comes_first_and_says_what_to_do(void **state)
{
    static const char line[] = "NOT WELL  source halted: bgop.other[7], for ";
    const char *output;
    json_t *report, *trouble;

    (void)state;
    worker_leaves();
    EVENTUALLY(stack_health_has("[]"));
    assert_null(strstr(CTL(0, "stats"), "NOT WELL"));
    source_is("halted", "Kafka lost \033 its tail");
    output = CTL(0, "stats");
    assert_memory_equal(output, line, strlen(line));
    assert_says(output, ": Kafka lost \\x1b its tail\n");
    assert_memory_equal(CTL(0, "top"), line, strlen(line));
    output = CTL(1, "doctor");
    assert_memory_equal(output, line, strlen(line));
    assert_says(output, "what to do: Read the text");
    assert_says(output, "all agree");
    report = json_loads(CTL(1, "doctor", "--json", "--fix"), 0, NULL);
    assert_int_equal(json_array_size(json_object_get(report, "mismatches")), 0);
    trouble = json_array_get(json_object_get(report, "health"), 0);
    assert_string_equal(json_string_value(json_object_get(trouble, "what")), "source halted");
    assert_memory_equal(json_string_value(json_object_get(trouble, "advice")), "Read the text", 13);
    json_decref(report);
    source_is("reads", "");
    assert_null(strstr(CTL(0, "stats"), "NOT WELL"));
    assert_null(strstr(CTL(0, "doctor"), "NOT WELL"));
    run_redis("DEL", stack_key(3, "source:bgop.other[7]"), NULL, NULL);
    run_redis("ZREM", stack_key(3, "sources"), "bgop.other[7]", NULL);
}

static void doctor_finds_nothing_in_a_healthy_queue(void **state)
{
    json_t *report;

    (void)state;
    worker_leaves();
    report = doctor(0, NULL);
    assert_int_equal(json_array_size(json_object_get(report, "mismatches")), 0);
    assert_true(json_integer_value(json_object_get(report, "operations")) > 20);
    assert_int_equal(json_integer_value(json_object_get(report, "shards")), STACK_SHARDS);
    json_decref(report);
    assert_says(CTL(0, "doctor"), "all agree");
}

static bool named(const json_t *mismatches, const char *index)
{
    json_t *mismatch;
    size_t i;

    json_array_foreach(mismatches, i, mismatch)
    {
        if (strcmp(json_string_value(json_object_get(mismatch, "index")), index) == 0)
            return true;
    }
    return false;
}

/* What is broken by hand is named by its index (a list that NULL closes), then mended; the second look finds nothing. */
static void expect_mended(const char *const *indexes, bool mendable)
{
    json_t *report = doctor(1, NULL), *mismatches = json_object_get(report, "mismatches");

    for (; *indexes; indexes++) {
        if (!named(mismatches, *indexes))
            fail_msg("%s is not named: %s", *indexes, json_dumps(mismatches, JSON_COMPACT));
    }
    json_decref(report);
    json_decref(doctor(mendable ? 0 : 1, "--fix"));
    if (mendable)
        json_decref(doctor(0, NULL));
}

#define EXPECT_MENDED(...) expect_mended((const char *const[]){ __VA_ARGS__, NULL }, true)

/* Three times, as some of these would hide each other. */
static void doctor_names_and_mends_what_is_broken(void **state)
{
    const char *id = submit("d", ",\"Name\":\"doc\""), *over = failed("d", "no");
    int shard = stack_shard(id);
    char name[64];

    (void)state;
    worker_leaves();
    run_redis("ZREM", stack_key(shard, "pending:WebCart"), id, NULL);
    run_redis("ZREM", stack_key(shard, "parent:d"), id, NULL);
    run_redis("HINCRBY", stack_key(shard, "counts"), "WebCart:New", "3");
    run_redis("DEL", stack_key(shard, "done:604800"), NULL, NULL);
    run_redis("HDEL", stack_key(shard, "names"), "doc", NULL);
    EXPECT_MENDED("pending:WebCart", "parent:d", "counts", "done", "names");
    run_redis("HINCRBY", stack_key(shard, "counts"), "XClean:Complete", "1");
    run_redis("DEL", stack_key(shard, "born"), NULL, NULL);
    run_redis("SREM", stack_key(shard, "retentions"), "604800", NULL);
    run_redis("HSET", stack_key(shard, "names"), "gone", "[[\"08P000000000000AAA\",\"WebCart\",\"d\",\"1\"]]");
    EXPECT_MENDED("counts", "born", "done:604800", "names");
    run_redis("HSET", stack_key(shard, "parked"), "08P000000000000AAA", "[]");
    run_redis("ZREM", stack_key(stack_shard(over), "errors"), over, NULL);
    snprintf(name, sizeof name, "out:%s", "08P000000000000AAA");
    run_redis("SET", stack_key(shard, name), "x", NULL);
    EXPECT_MENDED("parked", "errors", name);
    assert_says(CTL(0, "get", "doc"), id);
}

static void doctor_tells_what_only_a_person_can_mend(void **state)
{
    char fence[160];

    (void)state;
    snprintf(fence, sizeof fence, "%s", stack_ask("HGET", stack_key(1, "fences"), "t"));
    run_redis("HSET", stack_key(1, "fences"), "t", "999999999 -1 0 0");
    expect_mended((const char *const[]){ "fences", NULL }, false);
    assert_says(CTL(1, "doctor"), "beyond the log's end");
    run_redis("HSET", stack_key(1, "fences"), "t", *fence ? fence : "0 -1 0 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_condition_redrives_all_that_match),
        cmocka_unit_test(what_fails_again_is_not_redriven_by_a_command_for_the_attempt_before),
        cmocka_unit_test(a_rate_bounds_how_many_are_sent_a_second),
        cmocka_unit_test(an_action_goes_on_without_who_asked_for_it),
        cmocka_unit_test(an_action_is_listed_aborted_and_says_who),
        cmocka_unit_test(an_action_goes_on_under_the_next_coordinator),
        cmocka_unit_test(what_was_redriven_too_often_is_refused_and_says_why),
        cmocka_unit_test(a_condition_cancels_what_has_not_ended),
        cmocka_unit_test(what_cannot_be_steered_is_said),
        cmocka_unit_test(what_was_submitted_a_moment_ago_is_waited_for),
        cmocka_unit_test(an_id_is_taken_in_any_case_of_its_letters),
        cmocka_unit_test(what_is_not_read_yet_is_not_denied),
        cmocka_unit_test(ids_of_nothing_are_told_from_each_other),
        cmocka_unit_test(what_is_tried_again_by_itself_is_not_redriven),
        cmocka_unit_test(what_is_paused_is_listed),
        cmocka_unit_test(changes_are_watched),
        cmocka_unit_test(what_runs_is_shown_with_its_worker),
        cmocka_unit_test(top_prints_once_without_a_terminal),
        cmocka_unit_test(a_watch_waits_for_a_redis_that_goes_away),
        cmocka_unit_test(what_is_wrong_comes_first_and_says_what_to_do),
        cmocka_unit_test(doctor_finds_nothing_in_a_healthy_queue),
        cmocka_unit_test(doctor_names_and_mends_what_is_broken),
        cmocka_unit_test(doctor_tells_what_only_a_person_can_mend),
    };

    return cmocka_run_group_tests(tests, setup, stack_teardown);
}
