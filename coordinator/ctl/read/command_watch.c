/* watch: the stream of changes of all shards, line by line, as they happen. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/base/process.h"
#include "common/base/text.h"
#include "common/record/keys.h"
#include "common/record/tables.h"
#include "common/view/changes.h"
#include "coordinator/ctl/commands.h"
#include "coordinator/ctl/print.h"

enum { BLOCK_MS = 1000, AGAIN_MS = 1000, LIMIT_MAX = 1000000000 };

static struct {
    const char *type, *status, *parent, *since, *count;
} options;

static const struct flag flags[] = {
    { "type", "TYPE", "only this Type", &options.type },
    { "status", "STATUS", "only changes to this status", &options.status },
    { "parent", "KEY", "only this ParentKey", &options.parent },
    { "since", "TIME", "from this time on, not from now: ISO 8601, epoch ms, or a distance such as now-10m",
      &options.since },
    { "count", "N", "end after so many changes", &options.count },
};

/* One status of one entry, with the Ids that got it. */
struct kept {
    int64_t at_ms;
    char *status, *ids;
};

struct watch {
    struct session *session;
    struct changes changes;
    struct kept *kept; /* of one read */
    size_t count, capacity;
    int64_t since_ms; /* -1: now */
    int64_t left;     /* lines until the end */
    bool away;        /* Redis does not answer: said once */
};

/* ---- reading ---- */

static int begin(struct watch *watch)
{
    struct err err = ERR_INIT;

    changes_init(&watch->changes, watch->session->redis, watch->session->shards);
    if (watch->since_ms > 0)
        changes_seek_time(&watch->changes, watch->since_ms);
    else if (changes_seek_end(&watch->changes, &err) != ST_OK)
        return session_fail_status(&err);
    return EXIT_OK;
}

static void keep_change(void *arg, const struct change *change)
{
    struct watch *watch = arg;

    if (options.status && strcmp(options.status, change->status) != 0)
        return;
    GROW(watch->kept, watch->count, watch->capacity);
    watch->kept[watch->count++] = (struct kept){ change->at_ms, xstrdup(change->status), xstrdup(change->ids) };
}

/* ---- lines ---- */

static void print_line(const struct watch *watch, const struct kept *change, const char *id, const char *type,
                       const char *parent, const char *error)
{
    char time[64];

    if (watch->session->json) {
        json_t *line = json_pack("{s:s, s:s, s:s, s:s?, s:s?, s:s?}", "at", clock_format(time, change->at_ms, "+0000"),
                                 "Id", id, "Status", change->status, "Type", *type ? type : NULL, "ParentKey",
                                 *parent ? parent : NULL, "Error", *error ? error : NULL);

        print_json(stdout, line);
        json_decref(line);
    } else {
        printf("%s  %s  %-9s  %s%s%s%s%s\n", format_moment(time, change->at_ms, true), id, shown(change->status),
               *type ? shown(type) : "(removed)", *parent ? "  " : "", shown(parent), *error ? "  " : "", shown(error));
    }
}

static enum status send_record_read(struct watch *watch, const char *id, struct err *err)
{
    struct redis_command command;
    struct id_parts parts;
    char key[64];
    enum status st;

    if (!id_parse(id, ID_LENGTH, &parts))
        return err_set(err, ST_FAILED, "the log of changes names %s, which is not an Id", id);
    key_format(key, sizeof key, KEY_OP, parts.shard, id);
    redis_command_init(&command);
    for (const char *const *word = (const char *const[]){ "HMGET", key, "Type", "ParentKey", "Status", "Error", NULL };
         *word; word++)
        redis_command_add_text(&command, *word);
    st = redis_send(watch->session->redis, &command, err);
    redis_command_release(&command);
    return st;
}

static void print_one(struct watch *watch, const struct kept *change, const char *id, const struct redis_reply *reply)
{
    const char *type = redis_reply_text(redis_reply_at(reply, 0), NULL);
    const char *parent = redis_reply_text(redis_reply_at(reply, 1), NULL);
    bool is_error =
        strcmp(change->status, "Error") == 0 && strcmp(redis_reply_text(redis_reply_at(reply, 2), NULL), "Error") == 0;

    if (!watch->left || (options.type && strcmp(options.type, type) != 0) ||
        (options.parent && strcmp(options.parent, parent) != 0))
        return;
    print_line(watch, change, id, type, parent, is_error ? redis_reply_text(redis_reply_at(reply, 3), NULL) : "");
    watch->left--;
}

/* Ids of one change: their records in one round trip. */
static enum status print_change(struct watch *watch, const struct kept *change, struct err *err)
{
    char id[ID_SIZE] = "";
    size_t size = strlen(change->ids), sent = 0;
    enum status st = ST_OK;

    for (size_t at = 0; at + ID_LENGTH <= size && st == ST_OK; at += ID_LENGTH + 1, sent++) {
        memcpy(id, change->ids + at, ID_LENGTH);
        st = send_record_read(watch, id, err);
    }
    for (size_t i = 0; i < sent && st == ST_OK; i++) {
        struct redis_reply *reply = NULL;

        st = redis_receive(watch->session->redis, &reply, err);
        memcpy(id, change->ids + i * (ID_LENGTH + 1), ID_LENGTH);
        if (st == ST_OK)
            print_one(watch, change, id, reply);
        redis_reply_free(reply);
    }
    if (st != ST_OK)
        redis_disconnect(watch->session->redis);
    return st;
}

static int compare_changes(const void *a, const void *b)
{
    const struct kept *x = a, *y = b;

    return x->at_ms < y->at_ms ? -1 : x->at_ms > y->at_ms;
}

static enum status print_changes(struct watch *watch, struct err *err)
{
    enum status st = ST_OK;

    if (watch->count)
        qsort(watch->kept, watch->count, sizeof *watch->kept, compare_changes);
    for (size_t i = 0; i < watch->count; i++) {
        if (st == ST_OK)
            st = print_change(watch, &watch->kept[i], err);
        free(watch->kept[i].status);
        free(watch->kept[i].ids);
    }
    watch->count = 0;
    (void)process_flush();
    return st;
}

/* ---- the command ---- */

/* A server that goes away is waited for; nothing is lost meanwhile but what the log of changes drops. */
static void wait_for_server(struct watch *watch, const struct err *err)
{
    if (!watch->away)
        session_fail(EXIT_UNREACHABLE, "%s; waiting for it", err->text);
    watch->away = true;
    nanosleep(&(struct timespec){ AGAIN_MS / 1000, 0 }, NULL);
}

static int follow(struct watch *watch)
{
    while (watch->left && !process_output_gone()) {
        struct err err = ERR_INIT;
        enum status st = changes_read(&watch->changes, BLOCK_MS, keep_change, watch, &err);

        if (st == ST_OK && watch->away) {
            watch->away = false;
            session_fail(EXIT_OK, "Redis answers again");
        }
        if (st == ST_OK)
            st = print_changes(watch, &err);
        if (st == ST_AGAIN || st == ST_RECOVERING)
            wait_for_server(watch, &err);
        else if (st != ST_OK)
            return session_fail_status(&err);
    }
    return EXIT_OK;
}

static int check_options(struct watch *watch)
{
    int code = argument_check_status(options.status);
    const char *wrong = NULL;

    watch->left = INT64_MAX;
    watch->since_ms = -1;
    if (options.since)
        wrong = argument_time(options.since, clock_wall_ms(), &watch->since_ms);
    if (code == EXIT_OK && wrong) {
        code = session_fail(EXIT_USAGE_ERROR,
                            "--since %s: a time is expected: 2026-11-23T10:00:00Z, epoch "
                            "milliseconds, or a distance such as now-10m; this %s",
                            options.since, wrong);
    }
    if (code == EXIT_OK && options.count && !text_parse_int64(options.count, 1, LIMIT_MAX, &watch->left))
        code = session_fail(EXIT_USAGE_ERROR, "--count %s: a number from 1 is expected", options.count);
    return code;
}

static int run(struct session *session, int count, char **operands)
{
    struct watch watch = { .session = session };
    int code = check_options(&watch);

    (void)count, (void)operands;
    if (code == EXIT_OK)
        code = session_redis(session);
    if (code == EXIT_OK)
        code = session_shards(session);
    if (code == EXIT_OK)
        code = argument_check_type(session, options.type);
    if (code == EXIT_OK)
        code = begin(&watch);
    if (code == EXIT_OK)
        code = follow(&watch);
    changes_release(&watch.changes);
    free(watch.kept);
    return code;
}

const struct subcommand command_watch = {
    .name = "watch",
    .usage = "[--type T] [--status S] [--parent K] [--since TIME] [--count N]",
    .about = "the stream of changes, until Ctrl-C",
    .help = "A line for each change of a status: when, Id, status, Type, ParentKey, Error. --json: one object a line.\n"
            "A Redis that goes away is waited for; the stream goes on where it was.",
    .flags = COMMAND_FLAGS(flags),
    .run = run,
};
