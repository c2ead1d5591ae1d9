#include "common/redis/sentinel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/redis/edge.h"
#include "common/server/sentinel.h"

enum {
    SENTINELS_MAX = 16,
    ASK_TIMEOUT_MS = 1000,  /* of one Sentinel: another may answer */
    LOOK_EVERY_MS = 250,    /* do they name another primary? */
    AGAIN_AFTER_MS = 5000,  /* another Sentinel is looked for, when the one that was asked is gone */
    AGAIN_TIMEOUT_MS = 200, /* and so long: what we have works perhaps */
};

struct sentinel {
    struct redis_address address;
    int timeout_ms;
    struct redis_address at[SENTINELS_MAX]; /* in the order in which they are asked */
    int count;
    struct redis *asked;      /* the first of them, when it answers; NULL: none */
    char host[256], port[16]; /* what it named */
    bool asking;              /* it owes an answer, which nobody waits for */
    int64_t looked_at_ms, again_at_ms;
};

struct sentinel *sentinel_new(const struct redis_address *address, int timeout_ms)
{
    struct sentinel *sentinel = xcalloc(1, sizeof *sentinel);
    const char *rest = address->seeds;
    char host[256];
    int port;

    sentinel->address = *address;
    sentinel->timeout_ms = timeout_ms < ASK_TIMEOUT_MS ? timeout_ms : ASK_TIMEOUT_MS;
    while (sentinel->count < SENTINELS_MAX && redis_address_seed(&rest, host, sizeof host, &port))
        redis_address_of_sentinel(&sentinel->at[sentinel->count++], address, host, port);
    return sentinel;
}

static void stop_asking(struct sentinel *sentinel)
{
    redis_free(sentinel->asked);
    sentinel->asked = NULL;
    sentinel->asking = false;
}

void sentinel_free(struct sentinel *sentinel)
{
    if (!sentinel)
        return;
    stop_asking(sentinel);
    explicit_bzero(sentinel, sizeof *sentinel); /* passwords */
    free(sentinel);
}

/* ---- asking one ---- */

/* The names of the primaries that it does know. */
static void read_known(struct redis *redis, char *known, size_t room)
{
    struct redis_reply *reply;
    struct err ignored = ERR_INIT;
    size_t used = 0;

    known[0] = '\0';
    if (redis_call(redis, &reply, &ignored, "SENTINEL", "MASTERS", NULL) != ST_OK)
        return;
    for (size_t i = 0; i < redis_reply_count(reply) && used < room; i++) {
        const struct redis_reply *primary = redis_reply_at(reply, i);

        for (size_t f = 0; f + 1 < redis_reply_count(primary) && used < room; f += 2) {
            if (strcmp(redis_reply_text(redis_reply_at(primary, f), NULL), "name") == 0) {
                used += (size_t)snprintf(known + used, room - used, "%s%s", used ? ", " : "",
                                         redis_reply_text(redis_reply_at(primary, f + 1), NULL));
            }
        }
    }
    redis_reply_free(reply);
}

static bool read_named(struct sentinel *sentinel, const struct redis_reply *reply)
{
    const char *host = redis_reply_text(redis_reply_at(reply, 0), NULL);
    const char *port = redis_reply_text(redis_reply_at(reply, 1), NULL);

    return text_copy(sentinel->host, sizeof sentinel->host, host, strlen(host)) &&
           text_copy(sentinel->port, sizeof sentinel->port, port, strlen(port)) && *host && *port;
}

/* true: it names one, and stays connected. */
static bool ask(struct sentinel *sentinel, const struct redis_address *at, struct sentinel_tried *tried)
{
    struct redis_reply *reply;
    struct err err = ERR_INIT;
    char known[200], text[sizeof err.text + 400];
    bool named;

    stop_asking(sentinel);
    sentinel->asked = redis_new_at(at, sentinel->timeout_ms);
    if (redis_call(sentinel->asked, &reply, &err, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", sentinel->address.primary,
                   NULL) != ST_OK) {
        snprintf(text, sizeof text, "%s%s%s%s", err.status == ST_INVALID ? "Redis at " : "",
                 err.status == ST_INVALID ? at->text : "", err.status == ST_INVALID ? ": " : "", err.text);
        sentinel_failed(tried, text);
        stop_asking(sentinel);
        return false;
    }
    named = read_named(sentinel, reply);
    redis_reply_free(reply);
    if (named)
        return true;
    read_known(sentinel->asked, known, sizeof known);
    sentinel_knows_not(tried, at->text, sentinel->address.primary, known);
    stop_asking(sentinel);
    return false;
}

/* ---- connecting ---- */

static void put_first(struct sentinel *sentinel, int number)
{
    struct redis_address found = sentinel->at[number];

    memmove(&sentinel->at[1], &sentinel->at[0], (size_t)number * sizeof found);
    sentinel->at[0] = found;
}

static enum status fail(const struct sentinel *sentinel, const struct sentinel_tried *tried, struct err *err)
{
    char text[sizeof err->text];

    sentinel_why(tried, sentinel->address.primary, text, sizeof text);
    return err_set_server(err, ST_AGAIN, "redis", "%s", text);
}

enum status sentinel_connect(struct sentinel *sentinel, sentinel_try *try, void *arg, struct err *err)
{
    struct sentinel_tried tried = { .text = "" };
    char before[sizeof sentinel->host + sizeof sentinel->port] = "", named[sizeof before];

    for (int i = 0; i < sentinel->count; i++) {
        struct redis_address primary;
        int64_t port = 0;

        if (!ask(sentinel, &sentinel->at[i], &tried))
            continue;
        snprintf(named, sizeof named, "%s %s", sentinel->host, sentinel->port);
        if (strcmp(named, before) == 0) /* it was just tried */
            continue;
        memcpy(before, named, sizeof before);
        if (!text_parse_int64(sentinel->port, 1, 65535, &port))
            continue;
        redis_address_at(&primary, &sentinel->address, sentinel->host, (int)port);
        if (try(arg, &primary, err) == ST_OK) {
            put_first(sentinel, i);
            sentinel->looked_at_ms = sentinel->again_at_ms = clock_boot_ms();
            return ST_OK;
        }
        if (redis_is_refusal(err))
            return err->status;
        sentinel_names_in_vain(&tried, sentinel->at[i].text, err->text);
    }
    return fail(sentinel, &tried, err);
}

/* ---- looking whether it is still the one ---- */

/* The one that was asked is gone: another takes its place, if it answers soon. */
static void ask_another(struct sentinel *sentinel, int64_t now)
{
    struct err err = ERR_INIT;

    stop_asking(sentinel);
    if (now - sentinel->again_at_ms < AGAIN_AFTER_MS)
        return;
    sentinel->again_at_ms = now;
    put_first(sentinel, sentinel->count - 1);
    sentinel->asked = redis_new_at(&sentinel->at[0], AGAIN_TIMEOUT_MS);
    if (redis_connect(sentinel->asked, &err) != ST_OK)
        stop_asking(sentinel);
}

static bool names_another(const struct sentinel *sentinel, const struct redis_reply *reply)
{
    const char *host = redis_reply_text(redis_reply_at(reply, 0), NULL);
    const char *port = redis_reply_text(redis_reply_at(reply, 1), NULL);

    return *host && (strcmp(host, sentinel->host) != 0 || strcmp(port, sentinel->port) != 0);
}

static bool ask_again(struct sentinel *sentinel, struct err *err)
{
    struct redis_command command;
    enum status st;

    redis_command_init(&command);
    redis_command_add_text(&command, "SENTINEL");
    redis_command_add_text(&command, "GET-MASTER-ADDR-BY-NAME");
    redis_command_add_text(&command, sentinel->address.primary);
    st = redis_enqueue(sentinel->asked, &command, err);
    redis_command_release(&command);
    return st == ST_OK;
}

bool sentinel_moved(struct sentinel *sentinel)
{
    int64_t now = clock_boot_ms();
    struct redis_reply *reply = NULL;
    struct err err = ERR_INIT;
    bool another;

    if (now - sentinel->looked_at_ms < LOOK_EVERY_MS)
        return false;
    sentinel->looked_at_ms = now;
    if (!sentinel->asked || !redis_connected(sentinel->asked))
        ask_another(sentinel, now);
    if (!sentinel->asked)
        return false;
    if (!sentinel->asking)
        sentinel->asking = ask_again(sentinel, &err);
    if (redis_poll(sentinel->asked, &reply, &err) != ST_OK || reply) /* it writes, too */
        sentinel->asking = false;
    another = names_another(sentinel, reply);
    redis_reply_free(reply);
    return another;
}
