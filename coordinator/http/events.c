/* A thread that asks Redis, and a feed that all clients read (common/http/feed.h). Four times a second it looks what came
 * behind the last entry of each shard's `changes`, once a second for the numbers of bgop_stats; of many shards every few
 * seconds, since each costs as much as it would alone. Events:
 *
 *   hello    {"resumed":true}: false: what came since is not known any more, read everything anew
 *   stats    the answer of bgop_stats
 *   changes  {"counts":{Status:n},"changed":[[Id,Status]..],"more":false}: at most CHANGED_MAX; more: there were more
 *   away     {"message":".."}: Redis does not answer; every second while that is so
 *
 * An id is the feed's position of the event and a number of this process, so that it is good for nobody else's. */
#include "coordinator/http/events.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/base/thread.h"
#include "common/base/wait.h"
#include "common/query/ask.h"
#include "common/record/id.h"
#include "common/view/changes.h"

enum {
    KEPT_BYTES = 512 * 1024,
    EVENT_MAX_BYTES = KEPT_BYTES / 4,
    ROUND_MS = 250,
    ROUNDS_A_STATS = 4,
    SHARDS_A_SECOND = 64,  /* numbers of more shards are asked for less often */
    LINGER_MS = 15 * 1000, /* behind the last client */
    TIMEOUT_MS = 3000,     /* of Redis */
    CHANGED_MAX = 200,     /* Ids of an event */
};

struct events {
    struct http_feed *feed;
    struct redis *redis;
    pthread_t thread;
    pthread_mutex_t lock; /* of stopping and asked */
    pthread_cond_t changed;
    bool started, stopping, asked; /* asked: somebody came */
    uint64_t process;              /* this process's number in ids */
    /* the thread's own: */
    struct changes changes; /* without positions: to be begun at the end of each shard */
    int64_t left_at_ms;     /* since when nobody looks */
    unsigned round;
};

/* ---- putting ---- */

static void put(struct events *events, const char *name, const char *data, size_t size)
{
    struct buf text;

    buf_init(&text, EVENT_MAX_BYTES);
    buf_printf(&text, "id: %016" PRIx64 "-", events->process);
    buf_printf(&text, "%016" PRIx64 "\nevent: %s\ndata: ",
               http_feed_end(events->feed) + text.size + 16 + strlen("\nevent: \ndata: \n\n") + strlen(name) + size,
               name);
    buf_append(&text, data, size);
    buf_append_string(&text, "\n\n");
    if (!text.overflow)
        http_feed_put(events->feed, text.data, text.size);
    buf_release(&text);
}

static void put_json(struct events *events, const char *name, const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(15));

    if (text)
        put(events, name, text, strlen(text));
    free(text);
}

/* ---- changes ---- */

struct told {
    json_t *counts, *changed;
    bool more;
};

/* "08P... 08P...": the first ones by name, all of them by number. */
static void take_change(void *arg, const struct change *change)
{
    struct told *told = arg;
    size_t number = (change->ids_size + 1) / (ID_LENGTH + 1);
    json_t *count = json_object_get(told->counts, change->status);

    if (count)
        json_integer_set(count, json_integer_value(count) + (json_int_t)number);
    else
        json_object_set_new(told->counts, change->status, json_integer((json_int_t)number));
    for (size_t i = 0; i < number; i++) {
        if (json_array_size(told->changed) == CHANGED_MAX) {
            told->more = true;
            return;
        }
        json_array_append_new(told->changed,
                              json_pack("[s#, s]", change->ids + i * (ID_LENGTH + 1), ID_LENGTH, change->status));
    }
}

static enum status find_ends(struct events *events, struct err *err)
{
    struct ask ask = { .redis = events->redis, .err = err };
    int shards = 0;

    if (ask_shards(&ask, &shards) != ST_OK)
        return err->status;
    changes_release(&events->changes);
    changes_init(&events->changes, events->redis, shards);
    return changes_seek_end(&events->changes, err);
}

/* More than a shard's part of a round is not made up for: what changes so fast is counted, and not followed. */
static enum status tell_changes(struct events *events, struct err *err)
{
    struct told told = { json_object(), json_array(), false };
    enum status st = changes_read(&events->changes, 0, take_change, &told, err);
    bool more = told.more || events->changes.more;

    if (st == ST_OK && json_object_size(told.counts) > 0) {
        json_t *event = json_pack("{s:O, s:O, s:b}", "counts", told.counts, "changed", told.changed, "more", more);

        put_json(events, "changes", event);
        json_decref(event);
    }
    json_decref(told.counts);
    json_decref(told.changed);
    return st == ST_OK && more ? find_ends(events, err) : st;
}

static enum status tell_stats(struct events *events, struct err *err)
{
    struct ask ask = { .redis = events->redis, .err = err };
    json_t *stats = NULL;
    enum status st = ask_function(&ask, &stats, ASK_ALL_SHARDS, "bgop_stats", NULL, 0);

    if (st == ST_OK)
        put_json(events, "stats", stats);
    json_decref(stats);
    return st;
}

/* ---- the thread ---- */

/* Where Redis is, and what it said, is not for browsers. */
static void tell_away(struct events *events)
{
    static const char text[] = "{\"message\":\"The queue's records cannot be read just now\"}";

    changes_release(&events->changes);
    put(events, "away", text, strlen(text));
}

static void one_round(struct events *events)
{
    struct err err = ERR_INIT;
    unsigned rounds = ROUNDS_A_STATS * (1 + (unsigned)events->changes.shards / SHARDS_A_SECOND);
    bool whole = events->round++ % rounds == 0;
    enum status st = ST_OK;

    if (!events->changes.positions && !whole)
        return; /* away: once a second is enough */
    if (!events->changes.positions)
        st = find_ends(events, &err);
    else
        st = tell_changes(events, &err);
    if (st == ST_OK && whole)
        st = tell_stats(events, &err);
    if (st != ST_OK)
        tell_away(events);
}

/* Waits for the next round, or, when nobody has looked for a while, until somebody does. false: the end. */
static bool wait_for_round(struct events *events)
{
    int64_t now_ms = clock_boot_ms();
    bool watched = http_feed_clients(events->feed) > 0;

    if (watched)
        events->left_at_ms = now_ms;
    pthread_mutex_lock(&events->lock);
    if (now_ms - events->left_at_ms < LINGER_MS && !events->stopping && !events->asked) {
        (void)wait_cond(&events->changed, &events->lock, ROUND_MS);
    } else if (!watched && !events->asked) {
        redis_disconnect(events->redis);
        changes_release(&events->changes);
        while (!events->stopping && !events->asked)
            pthread_cond_wait(&events->changed, &events->lock);
    }
    if (events->asked) {
        events->left_at_ms = now_ms;
        events->round = 0; /* numbers at once */
    }
    events->asked = false;
    watched = !events->stopping;
    pthread_mutex_unlock(&events->lock);
    return watched;
}

static void *run(void *arg)
{
    struct events *events = arg;

    while (wait_for_round(events))
        one_round(events);
    return NULL;
}

/* ---- from outside ---- */

struct events *events_start(const char *redis_url, struct err *err)
{
    struct events *events = xcalloc(1, sizeof *events);

    wait_cond_init(&events->changed);
    pthread_mutex_init(&events->lock, NULL);
    events->feed = http_feed_new(KEPT_BYTES, EVENTS_CLIENTS_MAX);
    events->left_at_ms = clock_boot_ms() - LINGER_MS;
    events->redis = redis_new(redis_url, TIMEOUT_MS, err);
    if (getrandom(&events->process, sizeof events->process, 0) != (ssize_t)sizeof events->process)
        events->process = (uint64_t)clock_wall_ms();
    events->started = events->redis && thread_start(&events->thread, run, events, "the page's reader", err) == ST_OK;
    if (events->started)
        return events;
    events_free(events);
    return NULL;
}

void events_close(struct events *events)
{
    http_feed_close(events->feed);
}

void events_free(struct events *events)
{
    if (!events)
        return;
    pthread_mutex_lock(&events->lock);
    events->stopping = true;
    pthread_cond_signal(&events->changed);
    pthread_mutex_unlock(&events->lock);
    if (events->started)
        pthread_join(events->thread, NULL);
    changes_release(&events->changes);
    redis_free(events->redis);
    http_feed_free(events->feed);
    pthread_cond_destroy(&events->changed);
    pthread_mutex_destroy(&events->lock);
    free(events);
}

/* The position behind the event of this id; no position that is kept: none of ours. */
static uint64_t position_of(const struct events *events, const char *after)
{
    uint64_t process = 0, position = 0;
    int used = 0;

    if (!after)
        return http_feed_end(events->feed);
    if (sscanf(after, "%16" SCNx64 "-%16" SCNx64 "%n", &process, &position, &used) != 2 || after[used] ||
        process != events->process)
        return UINT64_MAX;
    return position;
}

bool events_follow(struct events *events, const struct http_request *request, struct http_answer *answer,
                   const char *after)
{
    enum http_feed_joined joined = http_feed_join(events->feed, request, answer, position_of(events, after));

    if (joined == HTTP_FEED_FULL)
        return false;
    buf_printf(&answer->body, "retry: 2000\nevent: hello\ndata: {\"resumed\":%s}\n\n",
               after && joined == HTTP_FEED_JOINED ? "true" : "false");
    answer->content_type = "text/event-stream";
    pthread_mutex_lock(&events->lock);
    events->asked = true;
    pthread_cond_signal(&events->changed);
    pthread_mutex_unlock(&events->lock);
    return true;
}
