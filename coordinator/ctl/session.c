#include "coordinator/ctl/session.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/base/process.h"
#include "common/config/queue_identity.h"
#include "common/kafka/kafka.h"
#include "common/reading/reading.h"
#include "common/record/keys.h"
#include "coordinator/ctl/print.h"

enum { RECOVERING_PAUSE_MS = 200, LINGER_MS = 5 };

void session_init(struct session *session)
{
    *session = (struct session){ 0 };
    config_init(&session->config);
}

void session_release(struct session *session)
{
    bgop_close(session->client);
    kafka_producer_free(session->commands);
    redis_free(session->redis);
    free(session->logs);
    config_release(&session->config);
}

int session_fail(int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    process_complain_args("bgopctl", format, args);
    va_end(args);
    return code;
}

/* What a read-only function refuses because of what it was asked. */
static bool is_wrong_question(const char *text)
{
    static const char *const codes[] = { "INVALID_FIELD", "INVALID_TYPE", "MALFORMED_ID", "MALFORMED_QUERY",
                                         "INVALID_REPLICATION_DATE" };

    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        const char *at = strstr(text, codes[i]); /* behind the server's address, perhaps */

        if (at && (at == text || at[-1] == ' '))
            return true;
    }
    return false;
}

int session_fail_status(const struct err *err)
{
    switch (err->status) {
    case ST_INVALID:
        return session_fail(is_wrong_question(err->text) ? EXIT_USAGE_ERROR : EXIT_FAILED, "%s", err->text);
    case ST_AGAIN: return session_fail(redis_is_refusal(err) ? EXIT_CONFIG : EXIT_UNREACHABLE, "%s", err->text);
    case ST_RECOVERING:
        return session_fail(EXIT_UNREACHABLE,
                            "the queue is replaying its log (RECOVERING), for more than %d s now: try again shortly, "
                            "and see `bgopctl stats`",
                            SESSION_RECOVERING_MS / 1000);
    default: return session_fail(EXIT_FAILED, "%s", err->text);
    }
}

int session_fail_client(struct session *session, enum bgop_code code)
{
    int exit_code = code == BGOP_UNREACHABLE || code == BGOP_RECOVERING ? EXIT_UNREACHABLE
                    : code == BGOP_INVALID                              ? EXIT_USAGE_ERROR
                                                                        : EXIT_FAILED;
    struct err err = ERR_INIT;

    err_set(&err, ST_AGAIN, "%s", session->client ? bgop_error(session->client) : "");
    if (redis_is_refusal(&err))
        exit_code = EXIT_CONFIG;

    return session_fail(exit_code, "%s", session->client ? bgop_error(session->client) : bgop_code_text(code));
}

int session_redis(struct session *session)
{
    struct err err = ERR_INIT;

    if (!session->redis)
        session->redis = redis_new(session->config.redis_url, SESSION_TIMEOUT_MS, &err);
    if (!session->redis)
        return session_fail(EXIT_CONFIG, "%s", err.text);
    return redis_connect(session->redis, &err) == ST_OK ? EXIT_OK : session_fail_status(&err);
}

int session_client_reads(struct session *session)
{
    const struct config *config = &session->config;
    const char **properties;
    char text[1024];
    enum bgop_code code;

    if (session->client)
        return EXIT_OK;
    properties = xcalloc(2 * config->property_count + 1, sizeof *properties);
    for (size_t i = 0; i < config->property_count; i++) {
        properties[2 * i] = config->properties[i].name;
        properties[2 * i + 1] = config->properties[i].value;
    }
    code = bgop_open(&session->client,
                     &(struct bgop_config){
                         .kafka = config->brokers,
                         .redis = config->redis_url,
                         .prefix = config->prefix,
                         .kafka_properties = properties,
                         .timeout_ms = SESSION_TIMEOUT_MS,
                         .linger_ms = LINGER_MS,
                         .payload_max_bytes = (size_t)config->payload_max_bytes,
                     },
                     text, sizeof text);
    free(properties);
    if (code != BGOP_OK)
        return session_fail(EXIT_CONFIG, "%s", text);
    return EXIT_OK;
}

int session_client(struct session *session)
{
    int exit_code = session_client_reads(session);
    enum bgop_code code;

    if (exit_code != EXIT_OK)
        return exit_code;
    exit_code = session_queue_check(session); /* first: else a topic is missing, and why is not told */
    if (exit_code != EXIT_OK)
        return exit_code;
    code = bgop_check(session->client);
    return code == BGOP_OK ? EXIT_OK : session_fail_client(session, code);
}

int session_queue_check(struct session *session)
{
    struct queue_identity queue;
    struct err err = ERR_INIT;
    int code = session_redis(session);
    enum status st = ST_OK;

    if (code != EXIT_OK)
        return code;
    st = queue_identity_read(session->redis, &queue, &err);
    if (st == ST_OK)
        st = queue_identity_check(&queue, &session->config, session->config.shards_given, &err);
    if (st == ST_OK)
        st = queue_cluster_check(&queue, &session->config, "bgopctl", &err);
    if (st == ST_INVALID)
        return session_fail(EXIT_CONFIG, "%s", err.text);
    return st == ST_OK ? EXIT_OK : session_fail_status(&err);
}

int session_shards(struct session *session)
{
    struct redis_reply *reply = NULL;
    struct err err = ERR_INIT;
    int code = session->shards ? EXIT_OK : session_redis(session);

    if (session->shards || code != EXIT_OK)
        return code;
    if (redis_call(session->redis, &reply, &err, "HGET", key_name(KEY_META), "shards", NULL) != ST_OK)
        return session_fail_status(&err);
    session->shards = (int)redis_reply_int(reply, 0);
    redis_reply_free(reply);
    if (session->shards < 1 || session->shards > ID_SHARDS_MAX) {
        session->shards = 0;
        return session_fail(
            EXIT_UNREACHABLE,
            "Redis at %s has no bgop:meta: the queue has not been started there; start bgop-coordinator",
            redis_address(session->redis));
    }
    return EXIT_OK;
}

/* ---- asking the read-only functions ---- */
int session_call(struct session *session, json_t **answer, const char *function, const char *const *args, size_t count)
{
    int code = session_redis(session);
    int64_t deadline = clock_boot_ms() + SESSION_RECOVERING_MS;

    *answer = NULL;
    if (code != EXIT_OK)
        return code;
    for (;;) {
        struct timespec pause = { 0, RECOVERING_PAUSE_MS * 1000000L };
        struct err err = ERR_INIT;
        enum status st = reading_ask(session->redis, answer, READING_ALL_SHARDS, function, args, count, &err);

        if (st != ST_RECOVERING || clock_boot_ms() >= deadline)
            return st == ST_OK ? EXIT_OK : session_fail_status(&err);
        nanosleep(&pause, NULL);
    }
}

static const char *next_cursor(const json_t *page)
{
    return json_string_value(json_object_get(page, "cursor"));
}

int session_call_pages(struct session *session, const char *function, const char *const *args, size_t count,
                       session_on_page *on_page, void *arg)
{
    const char **all = xcalloc(count + 1, sizeof *all);
    json_t *page = NULL;
    int code;
    bool more;

    memcpy(all, args, count * sizeof *all);
    do {
        json_t *last = page;

        all[count] = last ? next_cursor(last) : NULL;
        code = session_call(session, &page, function, all, all[count] ? count + 1 : count);
        json_decref(last);
        more = code == EXIT_OK && on_page(arg, page) && next_cursor(page);
    } while (more);
    json_decref(page);
    free(all);
    return code;
}

int session_find(struct session *session, json_t *query, session_on_page *on_page, void *arg)
{
    bool more = true;
    int code = EXIT_OK;

    while (more && code == EXIT_OK) {
        char *text = json_dumps(query, JSON_COMPACT);
        json_t *page = NULL;

        code = session_call(session, &page, "bgop_find", (const char *[]){ text }, 1);
        more = code == EXIT_OK && on_page(arg, page) && next_cursor(page);
        if (more)
            json_object_set(query, "cursor", json_object_get(page, "cursor"));
        json_decref(page);
        free(text);
    }
    return code;
}

int session_retrieve(struct session *session, json_t **rows, const char *fields, char (*ids)[ID_SIZE], size_t count)
{
    const char *args[1 + SESSION_RETRIEVE_MAX] = { fields };
    int code = EXIT_OK;

    *rows = json_array();
    for (size_t from = 0; from < count && code == EXIT_OK; from += SESSION_RETRIEVE_MAX) {
        size_t chunk = count - from < SESSION_RETRIEVE_MAX ? count - from : SESSION_RETRIEVE_MAX;
        json_t *part = NULL;

        for (size_t i = 0; i < chunk; i++)
            args[1 + i] = ids[from + i];
        code = session_call(session, &part, "bgop_retrieve", args, 1 + chunk);
        if (code == EXIT_OK && json_array_size(part) != chunk) {
            code =
                session_fail(EXIT_FAILED, "bgop_retrieve answered %zu rows for %zu Ids", json_array_size(part), chunk);
        }
        if (code == EXIT_OK)
            json_array_extend(*rows, part);
        json_decref(part);
    }
    if (code == EXIT_OK)
        return code;
    json_decref(*rows);
    *rows = NULL;
    return code;
}

/* ---- operands ---- */
static int resolve_name(struct session *session, const char *name, char id[ID_SIZE])
{
    json_t *answer = NULL, *ids;
    struct id_parts parts;
    const char *first;
    int code = session_call(session, &answer, "bgop_lookup", (const char *[]){ "Name", name }, 2);

    if (code != EXIT_OK)
        return code;
    ids = json_object_get(answer, "ids");
    first = json_string_value(json_array_get(ids, 0));
    if (!first) {
        code = session_fail(EXIT_FAILED, "there is no operation with the Id or Name %s%s", name,
                            strncmp(name, ID_PREFIX, 3) == 0 && strlen(name) == ID_LENGTH
                                ? " (as an Id it is mistyped: its last three characters do not match the others)"
                                : "");
    } else if (json_array_size(ids) > 1) {
        session_fail(EXIT_FAILED, "%zu operations have the Name %s; give one of their Ids:", json_array_size(ids),
                     name);
        for (size_t i = 0; i < json_array_size(ids); i++)
            fprintf(stderr, "  %s\n", shown(json_string_value(json_array_get(ids, i))));
        code = EXIT_FAILED;
    } else if (!id_read(id, first, strlen(first), &parts)) {
        code = session_fail(EXIT_FAILED, "bgop_lookup answered %s, which is not an Id", first);
    }
    json_decref(answer);
    return code;
}

int session_resolve(struct session *session, const char *operand, char id[ID_SIZE])
{
    struct id_parts parts;

    return id_read(id, operand, strlen(operand), &parts) ? EXIT_OK : resolve_name(session, operand, id);
}

int session_resolve_all(struct session *session, char **operands, int count, char (**ids)[ID_SIZE])
{
    int code = EXIT_OK;

    *ids = xcalloc((size_t)count, ID_SIZE);
    for (int i = 0; i < count && code == EXIT_OK; i++)
        code = session_resolve(session, operands[i], (*ids)[i]);
    return code;
}
