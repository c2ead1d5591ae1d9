/* shards: on which server of a Redis Cluster each shard is, and moving one to another while it is used. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/text.h"
#include "coordinator/ctl/commands.h"
#include "coordinator/ctl/interrupt.h"
#include "coordinator/ctl/print.h"
#include "coordinator/ctl/shards/server_slots.h"
#include "coordinator/ctl/shards/shard_move.h"

static struct {
    const char *to, *again;
} options;

static const struct flag flags[] = {
    { "to", "HOST:PORT", "move the shards that are named to this primary", &options.to },
    { "again", NULL, "begin again what broke off: nobody else moves them now", &options.again },
};

/* ---- where they are ---- */

struct place {
    char server[320]; /* "": it is away */
    long long keys;   /* -1: not known */
    enum cluster_slot_state state;
};
struct places {
    struct place *of; /* by shard */
    int count;
};

static enum status look_at_server(void *arg, struct redis *server, struct err *err)
{
    struct places *places = arg;
    struct redis_reply *reply = NULL;
    struct cluster_line self;
    enum status st = server_self(server, &reply, &self, err);

    for (int i = 0; i < places->count && st == ST_OK; i++) {
        struct place *place = &places->of[i];
        enum cluster_slot_state state = cluster_line_slot(&self, shard_slot(i));

        if (state != SLOT_HERE && state != SLOT_LEAVES)
            continue;
        place->state = state;
        snprintf(place->server, sizeof place->server, "%s", redis_address(server));
        st = server_count_keys(server, shard_slot(i), &place->keys, err);
    }
    redis_reply_free(reply);
    return st;
}

/* Who is no cluster has them all, and does not count their keys. */
static enum status look(struct redis *redis, struct places *places, struct err *err)
{
    for (int i = 0; i < places->count; i++) {
        places->of[i].keys = -1;
        if (!redis_is_cluster(redis))
            snprintf(places->of[i].server, sizeof places->of[i].server, "%s", redis_address(redis));
    }
    return redis_is_cluster(redis) ? redis_each_there(redis, look_at_server, places, err) : ST_OK;
}

static const char *state_text(const struct place *place)
{
    return !*place->server ? "its server is away" : place->state == SLOT_LEAVES ? "held up: being moved" : "";
}

static void print_places_json(const struct places *places)
{
    json_t *rows = json_array();

    for (int i = 0; i < places->count; i++) {
        const struct place *place = &places->of[i];

        json_array_append_new(rows, json_pack("{s:i,s:i,s:o,s:o,s:s}", "shard", i, "slot", shard_slot(i), "server",
                                              *place->server ? json_string(place->server) : json_null(), "keys",
                                              place->keys >= 0 ? json_integer(place->keys) : json_null(), "state",
                                              state_text(place)));
    }
    print_json(stdout, rows);
    json_decref(rows);
}

static void print_places(const struct places *places)
{
    static const struct column columns[] = {
        { "SHARD", COLUMN_RIGHT },   { "SLOT", COLUMN_RIGHT | COLUMN_EXTRA },
        { "SERVER", COLUMN_SHRINK }, { "KEYS", COLUMN_RIGHT },
        { "STATE", COLUMN_SHRINK },
    };
    struct table table;
    char text[32];

    table_init(&table, columns, sizeof columns / sizeof *columns);
    for (int i = 0; i < places->count; i++) {
        snprintf(text, sizeof text, "%d", i);
        table_add(&table, text);
        snprintf(text, sizeof text, "%d", shard_slot(i));
        table_add(&table, text);
        table_add(&table, places->of[i].server);
        table_add(&table, places->of[i].keys >= 0 ? format_count(text, places->of[i].keys) : "");
        table_add(&table, state_text(&places->of[i]));
    }
    table_print(&table, stdout, terminal_width(stdout), false);
    table_release(&table);
}

static int list(struct session *session)
{
    struct places places = { xcalloc((size_t)session->shards, sizeof *places.of), session->shards };
    struct err err = ERR_INIT;
    int code = EXIT_OK;

    if (look(session->redis, &places, &err) != ST_OK)
        code = session_fail_status(&err);
    else if (session->json)
        print_places_json(&places);
    else
        print_places(&places);
    free(places.of);
    return code;
}

/* ---- moving ---- */

struct showing {
    struct progress progress;
    int shard;
};

static bool on_progress(void *arg, long long copied, long long all)
{
    struct showing *showing = arg;
    char text[96], done[32], of[32];

    if (showing->progress.on) {
        snprintf(text, sizeof text, "shard %d: %s of %s keys", showing->shard, format_count(done, copied),
                 format_count(of, all));
        progress_draw(&showing->progress, all > copied ? (double)copied / (double)all : 1, text);
    }
    return !interrupted();
}

static void tell(const struct session *session, int shard, const struct shard_moved *moved)
{
    char keys[32], held_up[32];

    if (session->json) {
        json_t *row = json_pack("{s:i,s:s,s:s,s:b,s:I,s:I,s:I,s:I}", "shard", shard, "from", moved->from, "to",
                                moved->to, "moved", !moved->was_there, "keys", (json_int_t)moved->keys, "keysHeldUp",
                                (json_int_t)moved->keys_held_up, "ms", (json_int_t)moved->took_ms, "heldUpMs",
                                (json_int_t)moved->held_up_ms);

        print_json(stdout, row);
        json_decref(row);
    } else if (moved->was_there) {
        printf("shard %d is at %s already\n", shard, shown(moved->to));
    } else {
        printf("shard %d: %s keys, from %s to %s; held up for %s\n", shard, format_count(keys, moved->keys),
               shown(moved->from), shown(moved->to), format_length(held_up, moved->held_up_ms));
    }
    fflush(stdout);
}

static int move(struct session *session, int shard, const char *host, int port)
{
    struct showing showing = { .shard = shard };
    const struct shard_move order = {
        .shard = shard,
        .shards = session->shards,
        .host = host,
        .port = port,
        .again = options.again != NULL,
        .progress = on_progress,
        .arg = &showing,
    };
    struct shard_moved moved;
    struct err err = ERR_INIT;
    enum status st;

    progress_start(&showing.progress);
    st = shard_move(session->redis, &order, &moved, &err);
    progress_end(&showing.progress);
    if (st == ST_OK)
        tell(session, shard, &moved);
    else if (st == ST_LIMIT)
        return session_fail(EXIT_FAILED, "shard %d stays at %s: interrupted, and undone", shard, moved.from);
    else if (st == ST_INVALID)
        return session_fail(EXIT_FAILED, "shard %d: %s", shard, err.text);
    else
        return session_fail_status(&err);
    return EXIT_OK;
}

/* "10.0.0.3:6379", "[::1]:6379" */
static bool read_server(const char *text, char *host, size_t room, int *port)
{
    const char *colon = strrchr(text, ':');
    size_t size = colon ? (size_t)(colon - text) : 0;
    int64_t number;

    if (size > 2 && *text == '[' && text[size - 1] == ']') {
        text++;
        size -= 2;
    }
    if (size == 0 || !text_parse_int64(colon + 1, 1, 65535, &number))
        return false;
    *port = (int)number;
    return text_copy(host, room, text, size);
}

static int move_all(struct session *session, int count, char **operands)
{
    char host[256];
    int port, code = EXIT_OK;

    if (!redis_is_cluster(session->redis)) {
        return session_fail(EXIT_CONFIG,
                            "Redis at %s is one server, and has all shards: of a cluster name several of its "
                            "servers, redis://host:port,host:port",
                            redis_address(session->redis));
    }
    if (!read_server(options.to, host, sizeof host, &port))
        return session_fail(EXIT_USAGE_ERROR, "--to: HOST:PORT of a primary is expected: %s", shown(options.to));
    for (int i = 0; i < count; i++) {
        int64_t shard;

        if (!text_parse_int64(operands[i], 0, session->shards - 1, &shard)) {
            return session_fail(EXIT_USAGE_ERROR, "a shard from 0 to %d is expected: %s", session->shards - 1,
                                shown(operands[i]));
        }
    }
    interrupt_catch();
    for (int i = 0; i < count && code == EXIT_OK; i++)
        code = move(session, (int)strtol(operands[i], NULL, 10), host, port);
    return code;
}

static int run(struct session *session, int count, char **operands)
{
    int code;

    if ((count > 0) != (options.to != NULL))
        return session_fail(EXIT_USAGE_ERROR, "shards that are to be moved and --to HOST:PORT belong together");
    code = session_shards(session);
    if (code != EXIT_OK)
        return code;
    return count > 0 ? move_all(session, count, operands) : list(session);
}

const struct subcommand command_shards = {
    .name = "shards",
    .usage = "[SHARD... --to HOST:PORT]",
    .about = "on which server of a Redis Cluster each shard is; moves shards to another",
    .help =
        "A shard is moved while work goes on: its keys are copied first, and it is held up only for what changed "
        "meanwhile, some hundredths of a second. Ctrl-C undoes the move. It is an administrator's: deploy/SHARDS.md has "
        "the rights that the login of the configuration needs on both servers.",
    .flags = COMMAND_FLAGS(flags),
    .min_operands = 0,
    .max_operands = -1,
    .run = run,
};
