/* hiredis directly: the client library is not what is tested here. */
#include "tests/support/shard.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/record/health.h"
#include "common/record/tables.h"
#include "common/redis/functions.h"
#include "tests/support/test.h"

enum { ARGS_MAX = 8192, TEXT_MAX = 1 << 20 };

#define GAP_NONE_MS INT64_C(1000000000000000)

static const char clock_begin[] = "-- clock: begin\n", clock_end[] = "-- clock: end";
static const char clock_of_test[] = "local function clock_ms() return tonumber(redis.call('GET', 'sim:now')) end\n";

/* ---- commands ---- */

static size_t answer_add(struct shard *shard, size_t used, const char *text, size_t size)
{
    if (used > 0 && used + 1 < sizeof shard->answer)
        shard->answer[used++] = ' ';
    if (size > sizeof shard->answer - used - 1)
        size = sizeof shard->answer - used - 1;
    memcpy(shard->answer + used, text, size);
    shard->answer[used + size] = '\0';
    return used + size;
}

static size_t answer_flatten(struct shard *shard, const redisReply *reply, size_t used)
{
    char number[32];

    switch (reply->type) {
    case REDIS_REPLY_ARRAY:
        for (size_t i = 0; i < reply->elements; i++)
            used = answer_flatten(shard, reply->element[i], used);
        return used;
    case REDIS_REPLY_INTEGER:
        snprintf(number, sizeof number, "%lld", reply->integer);
        return answer_add(shard, used, number, strlen(number));
    case REDIS_REPLY_NIL: return answer_add(shard, used, "(nil)", 5);
    default:
        return reply->len == 0 ? answer_add(shard, used, "\"\"", 2)
                               : answer_add(shard, used, reply->str, (size_t)reply->len);
    }
}

static const char *command_run(struct shard *shard, int argc, const char **argv, const size_t *sizes)
{
    redisReply *reply = redisCommandArgv(shard->redis, argc, argv, sizes);

    if (reply == NULL)
        fail_msg("redis: %s", shard->redis->errstr);
    shard->answer[0] = '\0';
    answer_flatten(shard, reply, 0);
    freeReplyObject(reply);
    return shard->answer;
}

/* Splits text at blanks, in place; "..." and '...' are one argument. */
static int arguments_split(char *text, const char **argv, size_t *sizes, int argc)
{
    while (*text != '\0') {
        char quote = *text == '"' || *text == '\'' ? *text : ' ';
        char *begin = quote == ' ' ? text : text + 1, *end;

        if (quote == ' ' && *text == ' ') {
            text++;
            continue;
        }
        end = strchr(begin, quote);
        if (end == NULL)
            end = begin + strlen(begin);
        assert_true(argc < ARGS_MAX);
        argv[argc] = begin;
        sizes[argc++] = (size_t)(end - begin);
        text = *end == '\0' ? end : end + 1;
    }
    return argc;
}

static const char *text_run(struct shard *shard, const char *function, char *text)
{
    static const char *argv[ARGS_MAX];
    static size_t sizes[ARGS_MAX];
    char generation[32];
    int argc = 0;

    if (function != NULL) {
        const char *head[] = { "FCALL", function, "1", SHARD_PREFIX, generation };

        snprintf(generation, sizeof generation, "%" PRId64, shard->generation);
        for (; argc < (int)TEST_COUNT(head); argc++)
            argv[argc] = head[argc], sizes[argc] = strlen(head[argc]);
    }
    argc = arguments_split(text, argv, sizes, argc);
    return command_run(shard, argc, argv, sizes);
}

static const char *format_run(struct shard *shard, const char *function, const char *format, va_list args)
{
    char *text = malloc(TEXT_MAX);
    const char *answer;

    assert_true(vsnprintf(text, TEXT_MAX, format, args) < TEXT_MAX);
    answer = text_run(shard, function, text);
    free(text);
    return answer;
}

const char *shard_call(struct shard *shard, const char *function, const char *format, ...)
{
    va_list args;
    const char *answer;

    va_start(args, format);
    answer = format_run(shard, function, format, args);
    va_end(args);
    return answer;
}

const char *shard_command(struct shard *shard, const char *format, ...)
{
    va_list args;
    const char *answer;

    va_start(args, format);
    answer = format_run(shard, NULL, format, args);
    va_end(args);
    return answer;
}

int64_t shard_number(struct shard *shard, const char *format, ...)
{
    va_list args;
    const char *answer;

    va_start(args, format);
    answer = format_run(shard, NULL, format, args);
    va_end(args);
    return strtoll(answer, NULL, 10);
}

/* ---- its life ---- */

/* name, of four letters: of the library, and how its functions begin. The time may leap by gap_ms from one call to the next. */
static void library_load(struct shard *shard, const char *name, int64_t gap_ms)
{
    const char *begin = strstr(functions_code, clock_begin), *end = strstr(functions_code, clock_end);
    size_t room = functions_code_size + sizeof clock_of_test + 64;
    char *code = malloc(room);
    const char *argv[] = { "FUNCTION", "LOAD", "REPLACE", code };
    size_t sizes[] = { 8, 4, 7, 0 };

    assert_non_null(begin);
    assert_non_null(end);
    sizes[3] = (size_t)snprintf(code, room, "%.*s%slocal GAP_MS = %" PRId64 "\n%s%s", (int)(begin - functions_code),
                                functions_code, clock_begin, gap_ms, clock_of_test, end);
    memcpy(strstr(code, "name=bgop") + 5, name, 4);
    for (char *at = code; (at = strstr(at, "bgop_")) != NULL; at += 5)
        memcpy(at, name, 4);
    assert_string_equal(command_run(shard, TEST_COUNT(argv), argv, sizes), name);
    free(code);
}

void shard_clock(struct shard *shard, int64_t ms)
{
    shard->now_ms = SHARD_T0 + ms;
    shard_command(shard, "SET sim:now %" PRId64, shard->now_ms);
}

int64_t shard_now(const struct shard *shard)
{
    return shard->now_ms - SHARD_T0;
}

void shard_open(struct shard *shard, struct redis_server *server)
{
    memset(shard, 0, offsetof(struct shard, answer));
    shard->server = server;
    shard->generation = SHARD_GENERATION;
    shard->redis = redis_server_connect(server);
    shard_command(shard, "FLUSHALL");
    library_load(shard, "bgop", GAP_NONE_MS);
    shard_clock(shard, 0);
}

void shard_doubt_clock(struct shard *shard)
{
    library_load(shard, "bgop", HEALTH_CLOCK_GAP_MS);
}

void shard_copy(struct shard *shard)
{
    library_load(shard, "copy", GAP_NONE_MS);
}

void shard_reconnect(struct shard *shard)
{
    redisFree(shard->redis);
    shard->redis = redis_server_connect(shard->server);
    shard_command(shard, "SET sim:now %" PRId64, shard->now_ms);
}

void shard_close(struct shard *shard)
{
    redisFree(shard->redis);
    shard->redis = NULL;
}

void shard_arm_only(struct shard *shard, int64_t status_mark, int64_t submit_mark)
{
    static const char settings[] = "{\"retry_backoff_ms\":%d,\"retry_limit\":%d,\"timeout_ms\":%d,\"retention_s\":3600,"
                                   "\"retention_error_s\":7200,\"merge_max\":1}";
    char text[8192];
    int used = snprintf(text, sizeof text, "%" PRId64 " 1 0 %" PRId64 " %d %d 30 15", status_mark, submit_mark,
                        SHARD_LEASE_MS, SHARD_RETRY_MAX_MS);

#define XX(name, backoff, limit, timeout, merge, reserved)                                        \
    used += snprintf(text + used, sizeof text - (size_t)used, " %s '", #name);                    \
    used += snprintf(text + used, sizeof text - (size_t)used, settings, backoff, limit, timeout); \
    used += snprintf(text + used, sizeof text - (size_t)used, "'");
    RECORD_TYPES(XX)
#undef XX
    shard_call(shard, "bgop_arm", "%s", text);
    assert_memory_equal(shard->answer, "OK ", 3);
}

void shard_arm(struct shard *shard)
{
    if (shard_command(shard, "EXISTS " SHARD_PREFIX ":gate")[0] == '1')
        shard->generation++;
    shard_arm_only(shard, 0, 0);
    shard_call(shard, "bgop_open", " ");
    assert_memory_equal(shard->answer, "OK ", 3);
    shard_clock(shard, shard_now(shard) + SHARD_LEASE_MS);
}

/* ---- operations ---- */

const char *shard_id(int number)
{
    static char ids[64][24];
    static int next;

    next = (next + 1) % 64;
    snprintf(ids[next], sizeof ids[next], "08P03%09d000A", number % 1000000000);
    ids[next][18] = '\0';
    return ids[next];
}

uint64_t shard_token(const struct shard *shard, int attempt)
{
    return (uint64_t)shard->generation * 1048576 + (uint64_t)attempt;
}

const char *shard_field(struct shard *shard, int number, const char *field)
{
    static char values[16][2048];
    static int next;
    char *value = values[next = (next + 1) % 16];

    shard_command(shard, "HGET " SHARD_PREFIX ":op:%s %s", shard_id(number), field);
    snprintf(value, sizeof values[0], "%.2000s", strcmp(shard->answer, "(nil)") == 0 ? "" : shard->answer);
    return value;
}

static const char *given(const char *text)
{
    return text == NULL ? "" : text;
}

const char *shard_submit(struct shard *shard, int number, struct shard_op op)
{
    int64_t from = shard->submit_next;

    shard_call(shard, "bgop_ingest",
               "1 0 %" PRId64 " %" PRId64 " %" PRId64
               " 5 6 0 %s %s '%s' '%s' \"%s\" \"%s\" \"%s\" \"%s\" '%s' \"%s\" %d \"\" \"%s\" "
               "\"\" '%s'",
               from, from + 1, from, shard_id(number), op.type == NULL ? "WebCart" : op.type, given(op.parent_key),
               given(op.name), given(op.process_after), given(op.retry_backoff), given(op.retry_limit),
               given(op.timeout), given(op.sequence_group), given(op.sequence_number), number + 1000, given(op.content),
               given(op.payload));
    if (strncmp(shard->answer, "OK ", 3) == 0)
        shard->submit_next++;
    return shard->answer;
}

void shard_claim(struct shard *shard, int number)
{
    static int nonce;
    char type[64];

    snprintf(type, sizeof type, "%s", shard_field(shard, number, "Type"));
    shard_call(shard, "bgop_claim", "i1 http://w1 shard-claim-%d %s 1 %s", ++nonce, type, shard_id(number));
    if (strstr(shard->answer, shard_id(number)) == NULL)
        fail_msg("operation %d was not granted: %s", number, shard->answer);
}

const char *shard_apply_entries(struct shard *shard, const char *entries)
{
    int64_t from = shard->status_next;

    shard_call(shard, "bgop_apply", "%" PRId64 " %" PRId64 " %" PRId64 " 5 6 %s", from, from + 1, from, entries);
    if (strncmp(shard->answer, "OK ", 3) == 0)
        shard->status_next++;
    return shard->answer;
}

const char *shard_apply(struct shard *shard, const char *kind, int number, int attempt, const char *text)
{
    char entry[4096];

    snprintf(entry, sizeof entry, "%s %s %" PRIu64 " %" PRId64 " 10 http://w1 \"%s\" \"\" \"\" \"\" \"\"", kind,
             shard_id(number), attempt == 0 ? 0 : shard_token(shard, attempt), shard->now_ms - 10, given(text));
    return shard_apply_entries(shard, entry);
}

const char *shard_tick(struct shard *shard)
{
    return shard_call(shard, "bgop_tick", "%" PRId64 " 500", shard->now_ms);
}

/* ---- what Redis holds ---- */

static bool present(struct shard *shard, const char *command)
{
    shard_command(shard, "%s", command);
    return strcmp(shard->answer, "(nil)") != 0;
}

const char *shard_places(struct shard *shard, int number)
{
    static const struct {
        char letter;
        const char *command;
    } places[] = {
        { 'd', "ZSCORE " SHARD_PREFIX ":due %s" },     { 'l', "HGET " SHARD_PREFIX ":leases %s" },
        { 'r', "ZSCORE " SHARD_PREFIX ":running %s" }, { 'e', "ZSCORE " SHARD_PREFIX ":errors %s" },
        { 'c', "HGET " SHARD_PREFIX ":cancels %s" },
    };
    static char text[64];
    char command[256];
    size_t used = (size_t)snprintf(text, sizeof text, "%s ", shard_field(shard, number, "Status"));

    snprintf(command, sizeof command, "ZSCORE " SHARD_PREFIX ":pending:%s %s", shard_field(shard, number, "Type"),
             shard_id(number));
    if (present(shard, command))
        text[used++] = 'p';
    for (size_t i = 0; i < TEST_COUNT(places); i++) {
        snprintf(command, sizeof command, places[i].command, shard_id(number));
        if (present(shard, command))
            text[used++] = places[i].letter;
    }
    shard_command(shard, "XRANGE " SHARD_PREFIX ":done:3600 - +");
    if (strstr(shard->answer, shard_id(number)) != NULL)
        text[used++] = 'D';
    shard_command(shard, "XRANGE " SHARD_PREFIX ":done:7200 - +");
    if (strstr(shard->answer, shard_id(number)) != NULL)
        text[used++] = 'D';
    text[used] = '\0';
    return text;
}

static const char digest_script[] = "local keys, all = redis.call('KEYS', '*'), {}\n"
                                    "table.sort(keys)\n"
                                    "for _, key in ipairs(keys) do\n"
                                    "  all[#all + 1] = key\n"
                                    "  all[#all + 1] = redis.call('DUMP', key)\n"
                                    "end\n"
                                    "return redis.sha1hex(table.concat(all, '\\n'))";

uint64_t shard_digest(struct shard *shard)
{
    const char *argv[] = { "EVAL", digest_script, "0" };
    const size_t sizes[] = { 4, sizeof digest_script - 1, 1 };
    char *end;
    uint64_t digest;

    command_run(shard, TEST_COUNT(argv), argv, sizes);
    shard->answer[15] = '\0';
    digest = strtoull(shard->answer, &end, 16);
    assert_int_equal(*end, '\0');
    return digest;
}

/* ---- fixtures ---- */

static struct redis_server fixture_server;
static struct shard fixture_shard;

int shard_server_start(void **state)
{
    (void)state;
    redis_server_start(&fixture_server, false);
    return 0;
}

int shard_server_start_aof(void **state)
{
    (void)state;
    redis_server_start(&fixture_server, true);
    return 0;
}

int shard_server_stop(void **state)
{
    (void)state;
    redis_server_stop(&fixture_server);
    return 0;
}

int shard_setup_unarmed(void **state)
{
    shard_open(&fixture_shard, &fixture_server);
    *state = &fixture_shard;
    return 0;
}

int shard_setup(void **state)
{
    shard_setup_unarmed(state);
    shard_arm(&fixture_shard);
    return 0;
}

int shard_teardown(void **state)
{
    shard_check(*state);
    shard_close(*state);
    return 0;
}
