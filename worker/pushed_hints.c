#include "worker/pushed_hints.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/redis/listening.h"

enum {
    ASK_EVERY_MS = 25,           /* for the number of workers, while there is work; by one worker ... */
    ASK_LEAST_US = 500,          /* ... and by all of them together no more than one in this time */
    LISTEN_WHEN_GONE_MS = 15000, /* session timeout of the consumer group, and its balancing */
    LISTEN_ON_MS = 1000,         /* after the assignment: until its hints come */
    HEAR_EVERY_MS = 100,         /* when nothing is listened to: is the connection alive? */
    PING_EVERY_MS = 5000,        /* and so long an answer may take */
    LISTENERS = 6,               /* of a lane: of more workers each listens to a share */
    AGAIN_MS = 1000,             /* after an error */
    FULL_IDS = 64,               /* a lane with so many has no need of more */
    LOOK_AFTER_MS = 60, /* what was released before we listened is left to pulls: 50 ms later it may be taken */
};

struct pushed_hints {
    const struct types *types;
    struct lanes *lanes;
    struct redis *listening, *asking;
    bool is_listening; /* to the lanes; to nothing but the workers' channel otherwise */
    int64_t until_boot_ms;
    int64_t next_hear_boot_ms, next_ping_boot_ms, next_ask_boot_ms;
    int64_t not_before_boot_ms; /* after an error */
    bool pinged;                /* and nothing was heard since */
    int64_t asked_boot_ms;      /* for the number of workers, without an answer yet; 0: not */
    int workers;                /* as it was last; 0: not known */
    unsigned random;
    struct outage outage;
};

/* ---- life ---- */

struct pushed_hints *pushed_hints_start(const struct config *config, const struct types *types, struct lanes *lanes,
                                        struct err *err)
{
    struct pushed_hints *pushed = xcalloc(1, sizeof *pushed);

    pushed->random = (unsigned)clock_boot_us();
    pushed->types = types;
    pushed->lanes = lanes;
    pushed->listening = redis_new(config->redis_url, (int)config->redis_timeout_ms, err);
    pushed->asking = pushed->listening ? redis_new(config->redis_url, (int)config->redis_timeout_ms, err) : NULL;
    if (pushed->asking)
        return pushed;
    pushed_hints_stop(pushed);
    return NULL;
}

void pushed_hints_stop(struct pushed_hints *pushed)
{
    redis_free(pushed->listening);
    redis_free(pushed->asking);
    free(pushed);
}

/* Nothing depends on this: without it work waits for pulls. */
static void give_up_for_now(struct pushed_hints *pushed, const struct err *err)
{
    outage_begin(&pushed->outage, "pushed hints", err->text);
    redis_disconnect(pushed->listening);
    pushed->is_listening = false;
    pushed->not_before_boot_ms = clock_boot_ms() + AGAIN_MS; /* connecting may have taken its time */
}

/* ---- is somebody gone? ---- */

static bool has_work(const struct pushed_hints *pushed, int64_t now)
{
    for (size_t i = 0; i < pushed->types->count; i++)
        if (now < pushed->types->all[i].busy_until_boot_ms)
            return true;
    return false;
}

static void take_count(struct pushed_hints *pushed, int workers, int64_t now)
{
    if (workers < pushed->workers) {
        log_event(LOG_LEVEL_INFO, "worker gone", "workers=%d before=%d", workers, pushed->workers);
        pushed->until_boot_ms = now + LISTEN_WHEN_GONE_MS;
    }
    pushed->workers = workers;
}

/* Takes the answer if it has come; sends the question, if that is still to be done. */
static enum status take_answer(struct pushed_hints *pushed, int64_t now, struct err *err)
{
    int workers = -1;
    enum status status = listeners_take(pushed->asking, &workers, err);

    if (workers >= 0) {
        take_count(pushed, workers, now);
        pushed->asked_boot_ms = 0;
    } else if (status == ST_OK && now > pushed->asked_boot_ms + PING_EVERY_MS) {
        status = err_set(err, ST_AGAIN, "no answer");
    }
    return status;
}

static enum status ask(struct pushed_hints *pushed, int64_t now, struct err *err)
{
    enum status status = pushed->asked_boot_ms ? take_answer(pushed, now, err) : ST_OK;

    if (status != ST_OK || pushed->asked_boot_ms)
        return status;
    status = listeners_ask(pushed->asking, err);
    pushed->asked_boot_ms = now;
    return status == ST_OK ? take_answer(pushed, now, err) : status;
}

static void count_workers(struct pushed_hints *pushed, int64_t now)
{
    int64_t every = (int64_t)pushed->workers * ASK_LEAST_US / 1000;
    struct err err = ERR_INIT;

    if (now < pushed->next_ask_boot_ms || !(has_work(pushed, now) || pushed->is_listening))
        return;
    pushed->next_ask_boot_ms = now + (every > ASK_EVERY_MS ? every : ASK_EVERY_MS);
    if (ask(pushed, now, &err) == ST_OK)
        return;
    redis_disconnect(pushed->asking);
    pushed->asked_boot_ms = 0;
    pushed->workers = 0; /* when Redis is back, they come back one by one */
    pushed->next_ask_boot_ms = clock_boot_ms() + AGAIN_MS;
}

/* ---- listening ---- */

/* How many workers ask for a hint is bounded. That none chooses a lane is rare; it is looked at then. */
static bool is_chosen(struct pushed_hints *pushed)
{
    return pushed->workers <= LISTENERS || rand_r(&pushed->random) % pushed->workers < LISTENERS;
}

static enum status listen_or_not(struct pushed_hints *pushed, bool on, int64_t now, struct err *err)
{
    enum status status = ST_OK;

    for (size_t i = 0; i < pushed->lanes->count && status == ST_OK; i++) {
        struct lane *lane = &pushed->lanes->all[i];

        if (!on || is_chosen(pushed))
            status = listening_to(pushed->listening, lane->shard, lane->type->config->name, on, err);
        if (on)
            lane->next_look_boot_ms = now + LOOK_AFTER_MS;
    }
    pushed->is_listening = on;
    log_event(LOG_LEVEL_DEBUG, "pushed hints", "listening=%d", on);
    return status;
}

static enum status ping(struct pushed_hints *pushed, int64_t now, struct err *err)
{
    if (now < pushed->next_ping_boot_ms)
        return ST_OK;
    if (pushed->pinged)
        return err_set(err, ST_AGAIN, "Redis at %s: nothing heard for %d ms", redis_address(pushed->listening),
                       PING_EVERY_MS);
    pushed->pinged = true;
    pushed->next_ping_boot_ms = now + PING_EVERY_MS;
    return listening_ping(pushed->listening, err);
}

static enum status begin(struct pushed_hints *pushed, int64_t now, struct err *err)
{
    enum status status = listening_begin(pushed->listening, err);

    pushed->is_listening = pushed->pinged = false;
    pushed->next_ping_boot_ms = now + PING_EVERY_MS;
    return status;
}

/* ---- taking ---- */

static struct lane *lane_of(const struct pushed_hints *pushed, const struct heard *heard)
{
    if (heard->shard < 0 || heard->shard >= pushed->lanes->shard_count)
        return NULL;
    for (size_t i = 0; i < pushed->types->count; i++)
        if (strcmp(pushed->types->all[i].config->name, heard->type) == 0)
            return lanes_at(pushed->lanes, (int)i, heard->shard);
    return NULL;
}

static void take_hints(struct pushed_hints *pushed, const struct heard *heard, int64_t now)
{
    struct lane *lane = lane_of(pushed, heard);
    char id[ID_SIZE] = "";

    if (!lane || heard->ids_size < ID_LENGTH || lane_is_hinted(lane, now) || lane->backlog.id_count >= FULL_IDS)
        return;
    backlog_add_message(&lane->backlog, BACKLOG_NO_OFFSET);
    for (size_t at = 0; at + ID_LENGTH <= heard->ids_size; at += ID_LENGTH + 1) {
        memcpy(id, heard->ids + at, ID_LENGTH);
        backlog_add_id(&lane->backlog, id);
    }
}

static enum status take_all(struct pushed_hints *pushed, int64_t now, struct err *err)
{
    struct heard heard;
    enum status status;

    while ((status = listening_hear(pushed->listening, &heard, err)) == ST_OK && heard.kind != HEARD_NOTHING) {
        pushed->pinged = false;
        outage_end(&pushed->outage, "pushed hints");
        if (heard.kind == HEARD_HINTS)
            take_hints(pushed, &heard, now);
        heard_release(&heard);
    }
    return status;
}

static enum status hear(struct pushed_hints *pushed, bool listen, int64_t now, struct err *err)
{
    enum status status = ST_OK;

    if (!redis_connected(pushed->listening))
        status = begin(pushed, now, err);
    if (status == ST_OK && pushed->is_listening != listen)
        status = listen_or_not(pushed, listen, now, err);
    if (status == ST_OK)
        status = take_all(pushed, now, err);
    return status == ST_OK ? ping(pushed, now, err) : status;
}

bool pushed_hints_take(struct pushed_hints *pushed, bool assigned)
{
    int64_t now = clock_boot_ms();
    struct err err = ERR_INIT;
    bool listen;

    count_workers(pushed, now);
    if (!assigned && pushed->until_boot_ms < now + LISTEN_ON_MS)
        pushed->until_boot_ms = now + LISTEN_ON_MS;
    listen = now < pushed->until_boot_ms;
    if (now < pushed->not_before_boot_ms || (!listen && !pushed->is_listening && now < pushed->next_hear_boot_ms))
        return pushed->is_listening;
    pushed->next_hear_boot_ms = now + HEAR_EVERY_MS;
    if (hear(pushed, listen, now, &err) != ST_OK)
        give_up_for_now(pushed, &err);
    return pushed->is_listening;
}
