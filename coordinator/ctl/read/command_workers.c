/* workers: who runs what, from the shards' `workers`, `w:<instance>` and `leases`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/record/keys.h"
#include "coordinator/ctl/commands.h"
#include "coordinator/ctl/print.h"

static struct {
    const char *ids;
} options;

static const struct flag flags[] = {
    { "ids", NULL, "also the Ids of what each one runs", &options.ids },
};

struct worker {
    char *instance, *uri, *types;
    int64_t slots, seen_at_ms; /* latest of all shards, Redis time */
    char (*ids)[ID_SIZE];
    size_t count, capacity;
};
struct workers {
    struct worker *list;
    size_t count, capacity;
    int64_t now_ms;
};

static struct worker *worker_of(struct workers *workers, const char *instance)
{
    for (size_t i = 0; i < workers->count; i++) {
        if (strcmp(workers->list[i].instance, instance) == 0)
            return &workers->list[i];
    }
    GROW(workers->list, workers->count, workers->capacity);
    workers->list[workers->count] =
        (struct worker){ .instance = xstrdup(instance), .uri = xstrdup(""), .types = xstrdup("") };
    return &workers->list[workers->count++];
}

static void workers_release(struct workers *workers)
{
    for (size_t i = 0; i < workers->count; i++) {
        free(workers->list[i].instance);
        free(workers->list[i].uri);
        free(workers->list[i].types);
        free(workers->list[i].ids);
    }
    free(workers->list);
}

static enum status read_key(struct session *session, struct redis_reply **reply, struct err *err, const char *verb,
                            int shard, enum redis_key of, const char *name, const char *argument, const char *option)
{
    char key[544];

    key_format(key, sizeof key, of, shard, name);
    return argument && option ? redis_call(session->redis, reply, err, verb, key, "0", argument, option, NULL)
                              : redis_call(session->redis, reply, err, verb, key, NULL);
}

/* "token backstop_ms instance Type payload" */
static void take_lease(struct workers *workers, const char *id, const char *lease)
{
    const char *at = strchr(lease, ' ');
    char instance[400];
    struct worker *worker;

    at = at ? strchr(at + 1, ' ') : NULL;
    if (!at || strlen(id) != ID_LENGTH)
        return;
    snprintf(instance, sizeof instance, "%.*s", (int)strcspn(at + 1, " "), at + 1);
    worker = worker_of(workers, instance);
    GROW(worker->ids, worker->count, worker->capacity);
    memcpy(worker->ids[worker->count++], id, ID_SIZE);
}

static enum status read_shard(struct session *session, struct workers *workers, int shard, struct err *err)
{
    struct redis_reply *reply = NULL;
    enum status st = read_key(session, &reply, err, "ZRANGE", shard, KEY_WORKERS, NULL, "-1", "WITHSCORES");

    if (st != ST_OK)
        return st;
    for (size_t i = 0; i + 1 < redis_reply_count(reply); i += 2) {
        struct worker *worker = worker_of(workers, redis_reply_text(redis_reply_at(reply, i), NULL));
        int64_t seen = strtoll(redis_reply_text(redis_reply_at(reply, i + 1), NULL), NULL, 10);

        worker->seen_at_ms = seen > worker->seen_at_ms ? seen : worker->seen_at_ms;
    }
    redis_reply_free(reply);
    st = read_key(session, &reply, err, "HGETALL", shard, KEY_LEASES, NULL, NULL, NULL);
    if (st != ST_OK)
        return st;
    for (size_t i = 0; i + 1 < redis_reply_count(reply); i += 2) {
        take_lease(workers, redis_reply_text(redis_reply_at(reply, i), NULL),
                   redis_reply_text(redis_reply_at(reply, i + 1), NULL));
    }
    redis_reply_free(reply);
    return ST_OK;
}

/* uri, types and slots are the same in every shard it speaks to: the first that knows it is enough. */
static enum status read_about(struct session *session, struct worker *worker, struct err *err)
{
    for (int shard = 0; shard < session->shards && !*worker->uri; shard++) {
        struct redis_reply *reply = NULL;
        enum status st = read_key(session, &reply, err, "HGETALL", shard, KEY_INSTANCE, worker->instance, NULL, NULL);

        if (st != ST_OK)
            return st;
        for (size_t i = 0; i + 1 < redis_reply_count(reply); i += 2) {
            const char *field = redis_reply_text(redis_reply_at(reply, i), NULL);
            const char *value = redis_reply_text(redis_reply_at(reply, i + 1), NULL);

            if (strcmp(field, "uri") == 0) {
                free(worker->uri);
                worker->uri = xstrdup(value);
            } else if (strcmp(field, "types") == 0) {
                free(worker->types);
                worker->types = xstrdup(value);
            } else if (strcmp(field, "slots") == 0) {
                worker->slots = strtoll(value, NULL, 10);
            }
        }
        redis_reply_free(reply);
    }
    return ST_OK;
}

static enum status read_workers(struct session *session, struct workers *workers, struct err *err)
{
    struct redis_reply *reply = NULL;
    enum status st = redis_call(session->redis, &reply, err, "TIME", NULL);

    if (st != ST_OK)
        return st;
    workers->now_ms = strtoll(redis_reply_text(redis_reply_at(reply, 0), NULL), NULL, 10) * 1000;
    redis_reply_free(reply);
    for (int shard = 0; shard < session->shards && st == ST_OK; shard++)
        st = read_shard(session, workers, shard, err);
    for (size_t i = 0; i < workers->count && st == ST_OK; i++)
        st = read_about(session, &workers->list[i], err);
    return st;
}

static json_t *ids_json(const struct worker *worker)
{
    json_t *ids = json_array();

    for (size_t i = 0; i < worker->count; i++)
        json_array_append_new(ids, json_string(worker->ids[i]));
    return ids;
}

static void print_workers_json(const struct workers *workers)
{
    json_t *list = json_array();

    for (size_t i = 0; i < workers->count; i++) {
        const struct worker *worker = &workers->list[i];

        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:o}", "instance", worker->instance,
                                              "uri", worker->uri, "types", worker->types, "slots",
                                              (json_int_t)worker->slots, "running", (json_int_t)worker->count,
                                              "seenAtMs", (json_int_t)worker->seen_at_ms, "ids", ids_json(worker)));
    }
    print_json(stdout, list);
    json_decref(list);
}

static void add_worker(struct table *table, const struct workers *workers, const struct worker *worker)
{
    char text[64], length[32];
    int64_t ago_ms = workers->now_ms - worker->seen_at_ms;

    table_add(table, worker->instance);
    table_add(table, worker->uri);
    snprintf(text, sizeof text, "%zu/%lld", worker->count, (long long)worker->slots);
    table_add(table, text);
    if (!worker->seen_at_ms)
        snprintf(text, sizeof text, "gone");
    else
        snprintf(text, sizeof text, "%s ago", format_length(length, ago_ms < 0 ? 0 : ago_ms / 1000 * 1000));
    table_add(table, text);
    table_add(table, worker->types);
}

static void print_workers(const struct workers *workers)
{
    static const struct column columns[] = {
        { "INSTANCE", COLUMN_SHRINK }, { "STATUS PAGE", COLUMN_SHRINK }, { "RUNNING", COLUMN_RIGHT }, { "SEEN", 0 },
        { "TYPES", COLUMN_SHRINK },
    };
    struct table table;

    table_init(&table, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < workers->count; i++)
        add_worker(&table, workers, &workers->list[i]);
    if (workers->count)
        table_print(&table, stdout, terminal_width(stdout), false);
    else
        fprintf(stderr, "no workers\n");
    table_release(&table);
    for (size_t i = 0; options.ids && i < workers->count; i++) {
        for (size_t k = 0; k < workers->list[i].count; k++)
            printf("%s%s  %s\n", i || k ? "" : "\n", shown(workers->list[i].ids[k]), shown(workers->list[i].instance));
    }
}

static int run(struct session *session, int count, char **operands)
{
    struct workers workers = { 0 };
    struct err err = ERR_INIT;
    int code = session_shards(session);

    (void)count, (void)operands;
    if (code != EXIT_OK)
        return code;
    if (read_workers(session, &workers, &err) != ST_OK)
        code = session_fail_status(&err);
    else if (session->json)
        print_workers_json(&workers);
    else
        print_workers(&workers);
    workers_release(&workers);
    return code;
}

const struct subcommand command_workers = {
    .name = "workers",
    .usage = "[--ids]",
    .about = "the live workers and what they run",
    .help = "RUNNING is operations and slots. An instance that is \"gone\" still holds leases; they are taken\n"
            "back when they end.",
    .flags = COMMAND_FLAGS(flags),
    .run = run,
};
