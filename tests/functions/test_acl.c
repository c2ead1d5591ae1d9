/* Every program as its user of deploy/redis/users.acl, exactly as the file says, through a queue's whole life: Redis must
 * never refuse one of them. And what each says when it is refused. */
#include "tests/functions/coordinator_stack.h"

#include <signal.h>
#include <unistd.h>

#include "tests/support/http_client.h"
#include "tests/support/port.h"
#include "tests/support/program.h"

#define PASSWORD                "s3cret-%20word" /* percent-encoded in URLs */
#define CTL(expected_code, ...) ctl("operator", (expected_code), (const char *[]){ "bgopctl", __VA_ARGS__, NULL })

static char port[8];
static int http_port;
static struct program worker;

/* ---- users ---- */

static bool redis_words(int count, const char *const *words)
{
    struct redis_command command;
    struct redis_reply *reply = NULL;
    struct err err = ERR_INIT;
    bool fine;

    redis_command_init(&command);
    for (int i = 0; i < count; i++)
        redis_command_add_text(&command, words[i]);
    fine = redis_send(stack.redis, &command, &err) == ST_OK && redis_receive(stack.redis, &reply, &err) == ST_OK;
    redis_command_release(&command);
    snprintf(stack.text, sizeof stack.text, "%s", fine ? redis_reply_text(reply, NULL) : err.text);
    redis_reply_free(reply);
    return fine;
}

#define REDIS(...)                                         \
    do {                                                   \
        const char *const words_[] = { __VA_ARGS__ };      \
        if (!redis_words((int)TEST_COUNT(words_), words_)) \
            fail_msg("%s: %s", words_[0], stack.text);     \
    } while (0)

/* One line of the file: user NAME rules... */
static void user_set(char *line)
{
    const char *words[512] = { "ACL", "SETUSER" };
    int count = 2;
    char *rest = NULL;

    assert_string_equal(strtok_r(line, " \n", &rest), "user");
    for (char *word = strtok_r(NULL, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest))
        words[count++] = word;
    words[count++] = ">s3cret- word";
    if (!redis_words(count, words))
        fail_msg("%s: %s", words[2], stack.text);
}

static void users_set(void)
{
    FILE *file = fopen(BGOP_USERS_ACL, "r");
    char line[8192];

    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        user_set(line);
    fclose(file);
}

/* Users and port are the server's alone: lost when it is started again. */
static void server_prepare(void)
{
    REDIS("CONFIG", "SET", "port", port);
    users_set();
}

static const char *url_of(const char *user, const char *password)
{
    static char urls[4][160];
    static int n;
    char *url = urls[n++ % 4];

    snprintf(url, sizeof urls[0], "redis://bgop-%s:%s@127.0.0.1:%s", user, password, port);
    return url;
}

/* ---- programs ---- */

static const char *run(const char *const *words, int expected_code)
{
    static char *output;
    int code;

    free(output);
    code = program_run(words, NULL, PROGRAM_BOTH_OUTPUTS, &output);
    if (code != expected_code)
        fail_msg("%s %s: exit code %d instead of %d: %s", words[0], words[1], code, expected_code, output);
    if (strstr(output, "s3cret"))
        fail_msg("a password is shown: %s", output);
    return output;
}

static const char *ctl(const char *user, int expected_code, const char *const *words)
{
    setenv("BGOP_REDIS", url_of(user, PASSWORD), 1);
    return run(words, expected_code);
}

static void says(const char *output, const char *words)
{
    if (!strstr(output, words))
        fail_msg("\"%s\" is not in: %s", words, output);
}

static char config_file[] = "/tmp/bgop-test-acl-XXXXXX";

static void worker_start(void)
{
    setenv("BGOP_REDIS", url_of("worker", PASSWORD), 1);
    program_start(&worker, (const char *[]){ "bgop-worker", "--config", config_file, NULL }, NULL,
                  PROGRAM_BOTH_OUTPUTS);
}

static void worker_stop(void)
{
    char *output;

    kill(worker.pid, SIGTERM);
    assert_int_equal(program_end(&worker, &output), 0);
    if (strstr(output, "outage began of=\"claims\"") || strstr(output, "refused") || strstr(output, "s3cret"))
        fail_msg("the worker was refused: %s", output);
    free(output);
}

static char token_file[] = "/tmp/bgop-test-acl-XXXXXX";

static void serve_http(void)
{
    char listen[32];
    FILE *file = fdopen(mkstemp(token_file), "w");

    assert_non_null(file);
    fputs("token", file);
    fclose(file);
    http_port = port_take();
    snprintf(listen, sizeof listen, "127.0.0.1:%d", http_port);
    stack_set("http", "listen", listen);
    stack_set("http", "token_file", token_file);
}

static int setup(void **state)
{
    FILE *file;

    (void)state;
    stack_open();
    snprintf(port, sizeof port, "%d", port_take());
    server_prepare();
    stack_set("redis", "url", url_of("coordinator", PASSWORD));
    serve_http();
    stack_set("type ExternalObject", "merge_max", "4");
    file = fdopen(mkstemp(config_file), "w");
    fputs("[worker]\nlisten = 127.0.0.1:0\n[queue]\nlease_ms = 1000\nshards = 4\nsubmit_partitions = 2\n[type "
          "WebCart]\nhandler = exec\n"
          "command = /bin/sh -c 'read p; case $p in fail) echo no >&2; exit 65;; again) exit 1;; esac; sleep $p'\n"
          "[type ExternalObject]\nhandler = noop\nmerge_max = 4\n",
          file);
    fclose(file);
    setenv("BGOP_KAFKA", kafka_mock_brokers(stack.mock), 1);
    setenv("COLUMNS", "200", 1);
    stack_start(0, false);
    stack_wait_ready(0);
    worker_start();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stack_close();
    unlink(config_file);
    unlink(token_file);
    return 0;
}

/* ---- the whole life ---- */

static const char *submitted(const char *type, const char *payload, const char *more, const char *value)
{
    static char ids[16][ID_SIZE];
    static int n;
    const char *output = CTL(0, "submit", "--type", type, "--parent", "acl", "--payload", payload, more, value);

    memcpy(ids[n % 16], output, ID_LENGTH);
    return ids[n++ % 16];
}

/* What Redis refused anybody, as it tells it itself. */
static void nobody_was_refused(void)
{
    struct redis_reply *reply;
    struct err err = ERR_INIT;

    assert_int_equal(redis_call(stack.redis, &reply, &err, "ACL", "LOG", NULL), ST_OK);
    for (size_t i = 0; i < redis_reply_count(reply); i++) {
        const struct redis_reply *entry = redis_reply_at(reply, i);

        if (strcmp(redis_reply_text(redis_reply_at(entry, 7), NULL), "config|get") == 0)
            continue; /* asked for at start, and done without */
        fail_msg("refused: %s, of %s (%s)", redis_reply_text(redis_reply_at(entry, 7), NULL),
                 redis_reply_text(redis_reply_at(entry, 9), NULL), redis_reply_text(redis_reply_at(entry, 5), NULL));
    }
    redis_reply_free(reply);
}

static void work_is_submitted_done_retried_and_failed(void **state)
{
    const char *done = submitted("WebCart", "0", "--name", "acl-1"),
               *failed = submitted("WebCart", "fail", "--name", "acl-2");
    const char *retried = submitted("WebCart", "again", "--backoff", "1");

    (void)state;
    CTL(0, "wait", done, "--timeout", "30");
    CTL(2, "wait", failed, retried, "--timeout", "30");
    says(CTL(0, "get", failed), "no");
    CTL(0, "pause", "--type", "ExternalObject"); /* so that some wait when the first is claimed, and are taken along */
    for (int n = 0; n < 6; n++)
        submitted("ExternalObject", "x", "--timeout", "9000");
    CTL(0, "resume", "--type", "ExternalObject");
    CTL(0, "submit", "--type", "WebCart", "--parent", "acl", "--payload", "0", "--sequence-group", "g", "--sequence",
        "1");
    CTL(0, "submit", "--type", "WebCart", "--after", "2099-01-01T00:00:00Z");
    EVENTUALLY(strstr(CTL(0, "list", "--type", "ExternalObject", "--json"), "\"Complete\""));
    assert_non_null(strstr(CTL(0, "list", "--type", "ExternalObject", "--json"), "\"Merged\""));
    nobody_was_refused();
}

/* What /metrics of a worker and of a coordinator is made from. */
static void the_numbers_of_the_queue_are_for_everybody(void **state)
{
    static const char *const users[] = { "worker", "coordinator", "operator", "monitor" };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(users); i++) {
        struct err err = ERR_INIT;
        struct redis *redis = redis_new(url_of(users[i], PASSWORD), 5000, &err);
        struct redis_reply *reply = NULL;

        if (!redis || redis_connect(redis, &err) != ST_OK ||
            redis_call(redis, &reply, &err, "FCALL_RO", "bgop_stats", "0", NULL) != ST_OK)
            fail_msg("%s: %s", users[i], err.text);
        redis_reply_free(reply);
        redis_free(redis);
    }
}

static void operators_look_steer_and_mend(void **state)
{
    const char *runs = submitted("WebCart", "30", "--name", "runs"), *id;
    char from[32], to[32];

    (void)state;
    EVENTUALLY(stack_is(runs, "Running"));
    CTL(0, "workers");
    CTL(0, "why", runs);
    CTL(0, "cancel", runs, "--reason", "enough");
    EVENTUALLY(stack_is(runs, "Canceled"));
    CTL(0, "pause", "--type", "WebCart", "--reason", "acl");
    id = submitted("WebCart", "0", "--name", "paused");
    CTL(0, "paused");
    CTL(0, "cancel", id);
    CTL(0, "resume", "--type", "WebCart");
    CTL(0, "redrive", "--where", "Status = 'Error' AND Type = 'WebCart'", "--reason", "again");
    CTL(0, "query", "SELECT Id, Name FROM BackgroundOperation WHERE Status = 'Complete' ORDER BY Name LIMIT 5");
    CTL(0, "query", "SELECT Status, COUNT(Id) FROM BackgroundOperation GROUP BY Status");
    CTL(0, "stats");
    CTL(0, "blocked");
    CTL(0, "describe");
    snprintf(from, sizeof from, "%" PRId64, clock_wall_ms() - 3600000);
    snprintf(to, sizeof to, "%" PRId64, clock_wall_ms() + 3600000);
    CTL(0, "updated", from, to);
    CTL(0, "deleted", from, to);
    CTL(0, "list", "--status", "Scheduled");
}

static void get(const char *path, int status)
{
    char whole[512];
    const struct http_reply *reply;

    snprintf(whole, sizeof whole, "/services/data/v66.0%s", path);
    reply = http_client_ask(http_port, "GET", whole, "Authorization: Bearer token\r\n", NULL);
    if (reply->status != status)
        fail_msg("%s: %d %s", path, reply->status, reply->body);
}

#define SELECT "/query?q=SELECT+Id+FROM+BackgroundOperation"
#define OBJECT "/sobjects/BackgroundOperation"

static void clients_over_http_read(void **state)
{
    static const char *const conditions[] = {
        "",
        "+WHERE+Status='Error'+ORDER+BY+FinishedAt+DESC",
        "+WHERE+Status='New'+ORDER+BY+Id",
        "+ORDER+BY+LastModifiedDate+DESC+LIMIT+5",
        "+ORDER+BY+LastModifiedDate+LIMIT+5",
        "+ORDER+BY+SubmittedAt",
        "+WHERE+ParentKey='acl'+ORDER+BY+Name",
        "+WHERE+Name='acl-1'",
        "+WHERE+Status='Scheduled'+ORDER+BY+ProcessAfter",
        "+WHERE+Status='Running'",
        "+WHERE+WorkerUri!=null",
        "+WHERE+Status='Error'+ORDER+BY+FinishedAt",
    };
    char path[512];

    (void)state;
    get(OBJECT "/describe", 200);
    get(OBJECT "/Name/acl-1", 200);
    get(OBJECT "/ParentKey/acl", 300);
    get(OBJECT "/WorkerUri/http%3A%2F%2Fnobody", 404);
    for (size_t i = 0; i < TEST_COUNT(conditions); i++) {
        snprintf(path, sizeof path, SELECT "%s", conditions[i]);
        get(path, 200);
    }
    get("/query?q=SELECT+Type,Status,COUNT(Id)+FROM+BackgroundOperation+GROUP+BY+Type,Status", 200);
    snprintf(path, sizeof path, OBJECT "/updated?start=%" PRId64 "&end=%" PRId64, clock_wall_ms() - 3600000,
             clock_wall_ms() + 3600000);
    get(path, 200);
    snprintf(path, sizeof path, OBJECT "/deleted?start=%" PRId64 "&end=%" PRId64, clock_wall_ms() - 3600000,
             clock_wall_ms() + 3600000);
    get(path, 200);
}

/* A timer and a turn of nobody, and a counter that is wrong: doctor finds and mends all. */
static void doctor_mends(void **state)
{
    (void)state;
    REDIS("ZADD", "bgop:{1}:due", "5", "08P03000000001000A");
    REDIS("HINCRBY", "bgop:{1}:counts", "WebCart:New", "3");
    REDIS("SADD", "bgop:{1}:lane_out:ExternalObject:nobody", "08P03000000001000A");
    CTL(1, "doctor");
    CTL(0, "doctor", "--fix");
    CTL(0, "doctor");
}

static void monitors_read_and_change_nothing(void **state)
{
    struct program watch;

    (void)state;
    setenv("BGOP_REDIS", url_of("monitor", PASSWORD), 1);
    for (size_t i = 0; i < 5; i++) {
        static const char *const reads[][4] = { { "bgopctl", "list" },
                                                { "bgopctl", "stats" },
                                                { "bgopctl", "blocked" },
                                                { "bgopctl", "workers" },
                                                { "bgopctl", "get", "acl-1" } };

        ctl("monitor", 0, reads[i]);
    }
    program_start(&watch, (const char *[]){ "bgopctl", "watch", NULL }, NULL, PROGRAM_BOTH_OUTPUTS);
    EVENTUALLY(redis_words(2, (const char *[]){ "INFO", "commandstats" }) && strstr(stack.text, "cmdstat_xread:"));
    kill(watch.pid, SIGTERM);
    program_end(&watch, NULL);
    nobody_was_refused();
    says(ctl("monitor", 78, (const char *[]){ "bgopctl", "doctor", NULL }), "bgop-monitor");
    REDIS("ACL", "LOG", "RESET");
}

static void restarts_are_survived(void **state)
{
    const char *id;

    (void)state;
    worker_stop();
    assert_int_equal(stack_stop(0), 0);
    redis_server_kill(&stack.server);
    redis_server_again(&stack.server);
    redis_disconnect(stack.redis);
    server_prepare();
    stack_start(0, false);
    stack_wait_ready(0);
    worker_start();
    id = submitted("WebCart", "0", "--name", "after");
    CTL(0, "wait", id, "--timeout", "30");
    nobody_was_refused();
}

/* ---- every command on the lists is used: by somebody until now, or in a function ---- */

static void the_lists_hold_nothing_that_nobody_uses(void **state)
{
    FILE *file = fopen(BGOP_USERS_ACL, "r");
    char line[8192], quoted[64], counted[64], *rest = NULL;

    (void)state;
    assert_non_null(file);
    REDIS("INFO", "commandstats");
    while (fgets(line, sizeof line, file)) {
        for (char *word = strtok_r(line, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest)) {
            if (word[0] != '+')
                continue;
            snprintf(counted, sizeof counted, "cmdstat_%s:", word + 1);
            snprintf(quoted, sizeof quoted, "'%.*s'", (int)strcspn(word + 1, "|"), word + 1);
            for (char *c = quoted; *c; c++)
                *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
            if (!strstr(stack.text, counted) && !strstr(functions_code, quoted))
                fail_msg("nobody uses %s", word);
        }
    }
    fclose(file);
}

/* ---- refusals ---- */

static const char *coordinator_run_as(const char *user, const char *password, int expected_code)
{
    setenv("BGOP_REDIS", url_of(user, password), 1);
    return run((const char *[]){ "bgop-coordinator", "--config", config_file, NULL }, expected_code);
}

static void who_is_refused_says_who_what_and_how_to_allow_it(void **state)
{
    (void)state;
    worker_stop();
    assert_int_equal(stack_stop(0), 0);
    says(coordinator_run_as("coordinator", "s3cretwrong", 78), "bgop-coordinator");
    says(coordinator_run_as("nobody", "s3cretwrong", 78), "WRONGPASS");
    says(coordinator_run_as("monitor", PASSWORD, 78), "bgop-monitor");
    REDIS("ACL", "SETUSER", "bgop-coordinator", "-zadd", "-xadd");
    says(coordinator_run_as("coordinator", PASSWORD, 78), "ACL SETUSER bgop-coordinator ~bgop:* +xadd +zadd");
    REDIS("ACL", "SETUSER", "bgop-coordinator", "+zadd", "+xadd", "-function|load", "-function|list");
    says(coordinator_run_as("coordinator", PASSWORD, 78), "+function|list");
    REDIS("ACL", "SETUSER", "bgop-coordinator", "+function|load", "+function|list", "resetkeys", "~other:*");
    says(coordinator_run_as("coordinator", PASSWORD, 78), "~bgop:*");
    REDIS("ACL", "SETUSER", "bgop-coordinator", "resetkeys", "~bgop:*", "-info");
    says(coordinator_run_as("coordinator", PASSWORD, 78), "+info");
    REDIS("ACL", "SETUSER", "bgop-coordinator", "+info");
    REDIS("ACL", "SETUSER", "bgop-worker", "-lrange");
    setenv("BGOP_REDIS", url_of("worker", PASSWORD), 1);
    says(run((const char *[]){ "bgop-worker", "--config", config_file, NULL }, 78), "+lrange");
    setenv("BGOP_REDIS", url_of("worker", "s3cretwrong"), 1);
    says(run((const char *[]){ "bgop-worker", "--config", config_file, NULL }, 78), "bgop-worker");
    REDIS("ACL", "SETUSER", "bgop-worker", "+lrange");
    setenv("BGOP_REDIS", url_of("operator", "s3cretwrong"), 1);
    says(run((const char *[]){ "bgopctl", "list", NULL }, 78), "user \"bgop-operator\"");
    says(run((const char *[]){ "bgop-coordinator", "--print-config", NULL }, 0), "[redis]");
}

/* How often Redis has refused this command, as it counts. */
static int64_t times_refused(const char *command)
{
    struct redis_reply *reply;
    struct err err = ERR_INIT;
    int64_t times = 0;

    assert_int_equal(redis_call(stack.redis, &reply, &err, "ACL", "LOG", NULL), ST_OK);
    for (size_t i = 0; i < redis_reply_count(reply); i++)
        if (strcmp(redis_reply_text(redis_reply_at(redis_reply_at(reply, i), 7), NULL), command) == 0)
            times += redis_reply_int(redis_reply_at(redis_reply_at(reply, i), 1), 0);
    redis_reply_free(reply);
    return times;
}

static size_t count_of(const char *output, const char *words)
{
    size_t count = 0;

    for (const char *at = output; (at = strstr(at, words)); at++)
        count++;
    return count;
}

/* Allowed less while it runs: it says so once, keeps trying, and goes on when it is allowed again. */
static void a_refusal_while_it_runs_is_said_once(void **state)
{
    static const char *const withdrawn[] = { "zrange", "fcall" };
    struct program coordinator;
    char *output;
    size_t outages;

    (void)state;
    setenv("BGOP_REDIS", url_of("coordinator", PASSWORD), 1);
    program_start(&coordinator, (const char *[]){ "bgop-coordinator", "--config", config_file, NULL }, NULL,
                  PROGRAM_BOTH_OUTPUTS);
    for (size_t i = 0; i < TEST_COUNT(withdrawn); i++) {
        char rule[32];
        const char *id;

        id = submitted("WebCart", "0", "--parent", "before");
        EVENTUALLY(stack_is(id, "New"));
        REDIS("ACL", "LOG", "RESET");
        snprintf(rule, sizeof rule, "-%s", withdrawn[i]);
        REDIS("ACL", "SETUSER", "bgop-coordinator", rule);
        EVENTUALLY(times_refused(withdrawn[i]) >= 5);
        rule[0] = '+';
        REDIS("ACL", "SETUSER", "bgop-coordinator", rule);
        id = submitted("WebCart", "0", "--parent", "after");
        EVENTUALLY(stack_is(id, "New"));
    }
    kill(coordinator.pid, SIGTERM);
    assert_int_equal(program_end(&coordinator, &output), 0);
    outages = count_of(output,
                       "outage began"); /* each loop has its own connection, and its own say; one may last over both */
    if (outages < 1 || outages > 2 * TEST_COUNT(withdrawn)) {
        fputs(output, stderr);
        fail_msg("said %zu times", outages);
    }
    says(output, "bgop-coordinator");
    assert_int_equal(count_of(output, "s3cret"), 0);
    free(output);
}

/* The coordinator's user may not run CONFIG: what INFO tells is refused all the same. */
static void settings_are_judged_without_config(void **state)
{
    (void)state;
    stack_config("maxmemory-policy", "allkeys-lru");
    says(coordinator_run_as("coordinator", PASSWORD, 78), "maxmemory-policy is allkeys-lru");
    stack_config("maxmemory-policy", "noeviction");
    stack_config("appendonly", "no");
    says(coordinator_run_as("coordinator", PASSWORD, 78), "appendonly");
    stack_config("appendonly", "yes");
}

static void a_default_user_without_rights_is_refused(void **state)
{
    (void)state;
    REDIS("ACL", "SETUSER", "default", "-hset");
    says(coordinator_run_as("coordinator", PASSWORD, 78), "ACL SETUSER default ~* &* +@all");
    REDIS("ACL", "SETUSER", "default", "+@all");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_is_submitted_done_retried_and_failed),
        cmocka_unit_test(the_numbers_of_the_queue_are_for_everybody),
        cmocka_unit_test(operators_look_steer_and_mend),
        cmocka_unit_test(clients_over_http_read),
        cmocka_unit_test(doctor_mends),
        cmocka_unit_test(monitors_read_and_change_nothing),
        cmocka_unit_test(the_lists_hold_nothing_that_nobody_uses),
        cmocka_unit_test(restarts_are_survived),
        cmocka_unit_test(who_is_refused_says_who_what_and_how_to_allow_it),
        cmocka_unit_test(a_refusal_while_it_runs_is_said_once),
        cmocka_unit_test(settings_are_judged_without_config),
        cmocka_unit_test(a_default_user_without_rights_is_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
