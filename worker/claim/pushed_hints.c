/* Two connections, neither of which is ever waited for. The subscriber carries Pub/Sub: the channel of the workers all the
 * time (being connected to it is what counts this worker), those of the lanes only while Kafka may bring no hints. The
 * counter asks how many subscribers the workers' channel has; when there are fewer than before, a worker has died, and its
 * hints reach nobody until the consumer group is balanced anew. One poll: count, subscribe or unsubscribe, drain, ping. */
#include "worker/claim/pushed_hints.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/redis/subscriber.h"

enum {
    COUNT_EVERY_MS = 25,            /* for the number of workers, while there is work; by one worker ... */
    COUNT_LEAST_US = 500,           /* ... and by all of them together no more than one in this time */
    SUBSCRIBE_WHEN_GONE_MS = 15000, /* session timeout of the consumer group, and its balancing */
    SUBSCRIBE_ON_MS = 1000,         /* after the assignment: until its hints come */
    FAST_WINDOW_MS = 100,           /* the fast way is for few: with more Ids than that in this time ... */
    FAST_WINDOW_IDS = 300,
    FAST_OFF_MS = 2000,   /* ... it is closed for so long, and hints come through Kafka alone */
    POLL_EVERY_MS = 100,  /* when nothing is listened to: is the connection alive? */
    PING_EVERY_MS = 5000, /* and so long an answer may take */
    SUBSCRIBERS_MAX = 6,  /* of a lane: of more workers each listens to a share */
    BACK_OFF_MS = 1000,   /* after an error */
    FULL_IDS = 64,        /* a lane with so many has no need of more */
    UNHINTED_PULL_AFTER_MS =
        60, /* what was released before we listened is left to pulls: 50 ms later it may be taken */
};

struct pushed_hints {
    const struct types *types;
    struct lanes *lanes;
    struct redis *subscriber, *counter;
    bool all, fast;            /* what the lanes are subscribed for; neither: to nothing but the workers' channel */
    unsigned owned_changes;    /* of the lanes, when that was set */
    int64_t until_boot_ms;     /* all */
    int64_t fast_from_boot_ms; /* closed until then */
    int64_t window_ms;         /* which of them the Ids below are of */
    int window_ids;
    int64_t next_poll_boot_ms, next_ping_boot_ms, next_count_boot_ms;
    int64_t not_before_boot_ms; /* after an error */
    bool pinged;                /* and nothing has come since */
    int64_t count_sent_boot_ms; /* for the number of workers, without an answer yet; 0: not */
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
    pushed->subscriber = redis_new(config->redis_url, (int)config->redis_timeout_ms, err);
    pushed->counter = pushed->subscriber ? redis_new(config->redis_url, (int)config->redis_timeout_ms, err) : NULL;
    if (pushed->counter)
        return pushed;
    pushed_hints_stop(pushed);
    return NULL;
}

void pushed_hints_stop(struct pushed_hints *pushed)
{
    redis_free(pushed->subscriber);
    redis_free(pushed->counter);
    free(pushed);
}

static void forget_subscriptions(struct pushed_hints *pushed)
{
    pushed->all = pushed->fast = false;
    for (size_t i = 0; i < pushed->lanes->count; i++)
        pushed->lanes->all[i].subscribed = false;
}

/* Nothing depends on this: without it work waits for Kafka, or for pulls. */
static void back_off(struct pushed_hints *pushed, const struct err *err)
{
    outage_begin(&pushed->outage, "pushed hints", err->text);
    redis_disconnect(pushed->subscriber);
    forget_subscriptions(pushed);
    pushed->not_before_boot_ms = clock_boot_ms() + BACK_OFF_MS; /* connecting may have taken its time */
}

/* ---- is somebody gone? ---- */

static bool has_work(const struct pushed_hints *pushed, int64_t now)
{
    for (size_t i = 0; i < pushed->types->count; i++) {
        if (now < pushed->types->all[i].busy_until_boot_ms)
            return true;
    }
    return false;
}

static void count_update(struct pushed_hints *pushed, int workers, int64_t now)
{
    if (workers < pushed->workers) {
        log_event(LOG_LEVEL_INFO, "worker gone", "workers=%d before=%d", workers, pushed->workers);
        pushed->until_boot_ms = now + SUBSCRIBE_WHEN_GONE_MS;
    }
    pushed->workers = workers;
}

/* Takes the answer if it has come; sends the question, if that is still to be done. */
static enum status count_receive(struct pushed_hints *pushed, int64_t now, struct err *err)
{
    int workers = -1;
    enum status st = subscribers_count_receive(pushed->counter, &workers, err);

    if (workers >= 0) {
        count_update(pushed, workers, now);
        pushed->count_sent_boot_ms = 0;
    } else if (st == ST_OK && now > pushed->count_sent_boot_ms + PING_EVERY_MS) {
        st = err_set(err, ST_AGAIN, "no answer");
    }
    return st;
}

static enum status count_poll(struct pushed_hints *pushed, int64_t now, struct err *err)
{
    enum status st = pushed->count_sent_boot_ms ? count_receive(pushed, now, err) : ST_OK;

    if (st != ST_OK || pushed->count_sent_boot_ms)
        return st;
    st = subscribers_count_send(pushed->counter, err);
    pushed->count_sent_boot_ms = now;
    return st == ST_OK ? count_receive(pushed, now, err) : st;
}

static bool counts(const struct pushed_hints *pushed, int64_t now)
{
    return has_work(pushed, now) || pushed->all;
}

static void count_when_due(struct pushed_hints *pushed, int64_t now)
{
    int64_t every = (int64_t)pushed->workers * COUNT_LEAST_US / 1000;
    struct err err = ERR_INIT;

    if (now < pushed->next_count_boot_ms || !counts(pushed, now))
        return;
    pushed->next_count_boot_ms = now + (every > COUNT_EVERY_MS ? every : COUNT_EVERY_MS);
    if (count_poll(pushed, now, &err) == ST_OK)
        return;
    redis_disconnect(pushed->counter);
    pushed->count_sent_boot_ms = 0;
    pushed->workers = 0; /* when Redis is back, they come back one by one */
    pushed->next_count_boot_ms = clock_boot_ms() + BACK_OFF_MS;
}

/* ---- subscriptions ---- */

/* How many workers ask for a hint is bounded. That none chooses a lane is rare; unhinted pulls find its work then. */
static bool is_chosen(struct pushed_hints *pushed)
{
    return pushed->workers <= SUBSCRIBERS_MAX || rand_r(&pushed->random) % pushed->workers < SUBSCRIBERS_MAX;
}

static enum status set_subscription(struct pushed_hints *pushed, struct lane *lane, bool on, struct err *err)
{
    if (lane->subscribed == on ||
        redis_shard_away(pushed->subscriber, lane->shard)) /* all are set anew when it is back */
        return ST_OK;
    lane->subscribed = on;
    return subscriber_subscribe(pushed->subscriber, lane->shard, lane->type->config->name, on, err);
}

/* all: to every lane, or a share; fast: to those whose hints Kafka brings to this worker. */
static enum status set_subscriptions(struct pushed_hints *pushed, bool all, bool fast, int64_t now, struct err *err)
{
    bool begins = all && !pushed->all;
    enum status st = ST_OK;

    for (size_t i = 0; i < pushed->lanes->count && st == ST_OK; i++) {
        struct lane *lane = &pushed->lanes->all[i];
        bool on = (fast && lane->owned) || (begins ? is_chosen(pushed) : all && lane->subscribed);

        st = set_subscription(pushed, lane, on, err);
        if (begins)
            lane->next_unhinted_pull_boot_ms = now + UNHINTED_PULL_AFTER_MS;
    }
    pushed->all = all;
    pushed->fast = fast;
    pushed->owned_changes = pushed->lanes->owned_changes;
    log_event(LOG_LEVEL_DEBUG, "pushed hints", "all=%d fast=%d", all, fast);
    return st;
}

static enum status ping(struct pushed_hints *pushed, int64_t now, struct err *err)
{
    if (now < pushed->next_ping_boot_ms)
        return ST_OK;
    if (pushed->pinged) {
        return err_set(err, ST_AGAIN, "Redis at %s: nothing heard for %d ms", redis_address(pushed->subscriber),
                       PING_EVERY_MS);
    }
    pushed->pinged = true;
    pushed->next_ping_boot_ms = now + PING_EVERY_MS;
    return subscriber_ping(pushed->subscriber, err);
}

static enum status connect_subscriber(struct pushed_hints *pushed, int64_t now, struct err *err)
{
    enum status st = subscriber_connect(pushed->subscriber, err);

    pushed->pinged = false;
    forget_subscriptions(pushed);
    pushed->next_ping_boot_ms = now + PING_EVERY_MS;
    return st;
}

/* ---- messages ---- */

static struct lane *lane_of(const struct pushed_hints *pushed, const struct published *published)
{
    if (published->shard < 0 || published->shard >= pushed->lanes->shard_count)
        return NULL;
    for (size_t i = 0; i < pushed->types->count; i++) {
        if (strcmp(pushed->types->all[i].config->name, published->type) == 0)
            return lanes_at(pushed->lanes, (int)i, published->shard);
    }
    return NULL;
}

/* Many a second: then batches are what counts, and Kafka's messages have them larger. */
static void count_fast(struct pushed_hints *pushed, size_t ids, int64_t now)
{
    if (now / FAST_WINDOW_MS != pushed->window_ms) {
        pushed->window_ms = now / FAST_WINDOW_MS;
        pushed->window_ids = 0;
    }
    pushed->window_ids += (int)ids;
    if (pushed->window_ids > FAST_WINDOW_IDS)
        pushed->fast_from_boot_ms = now + FAST_OFF_MS;
}

static void enqueue_hints(struct pushed_hints *pushed, const struct published *published, int64_t now)
{
    struct lane *lane = lane_of(pushed, published);
    char id[ID_SIZE] = "";

    if (!lane || published->ids_size < ID_LENGTH || lane->backlog.id_count >= FULL_IDS)
        return;
    count_fast(pushed, (published->ids_size + 1) / ID_SIZE, now);
    if (!lane->owned && lane_is_hinted(lane, now))
        return;
    backlog_add_message(&lane->backlog, BACKLOG_NO_OFFSET);
    for (size_t at = 0; at + ID_LENGTH <= published->ids_size; at += ID_LENGTH + 1) {
        memcpy(id, published->ids + at, ID_LENGTH);
        if (lane->owned)
            backlog_add_pushed_id(&lane->backlog, id, now);
        else
            backlog_add_id(&lane->backlog, id);
    }
}

static enum status drain(struct pushed_hints *pushed, int64_t now, struct err *err)
{
    struct published published;
    enum status st;

    while ((st = subscriber_receive(pushed->subscriber, &published, err)) == ST_OK &&
           published.kind != PUBLISHED_NOTHING) {
        pushed->pinged = false;
        outage_end(&pushed->outage, "pushed hints");
        if (published.kind == PUBLISHED_HINTS)
            enqueue_hints(pushed, &published, now);
        published_release(&published);
    }
    return st;
}

static enum status poll_subscriber(struct pushed_hints *pushed, bool all, bool fast, int64_t now, struct err *err)
{
    enum status st = ST_OK;

    if (!redis_connected(pushed->subscriber))
        st = connect_subscriber(pushed, now, err);
    if (st == ST_OK &&
        (pushed->all != all || pushed->fast != fast || pushed->owned_changes != pushed->lanes->owned_changes))
        st = set_subscriptions(pushed, all, fast, now, err);
    if (st == ST_OK)
        st = drain(pushed, now, err);
    return st == ST_OK ? ping(pushed, now, err) : st;
}

void pushed_hints_poll(struct pushed_hints *pushed, bool assigned, bool much)
{
    int64_t now = clock_boot_ms();
    struct err err = ERR_INIT;
    bool all, fast;

    if (much)
        pushed->fast_from_boot_ms = now + FAST_OFF_MS;
    fast = now >= pushed->fast_from_boot_ms;
    count_when_due(pushed, now);
    if (!assigned && pushed->until_boot_ms < now + SUBSCRIBE_ON_MS)
        pushed->until_boot_ms = now + SUBSCRIBE_ON_MS;
    all = now < pushed->until_boot_ms;
    if (now < pushed->not_before_boot_ms ||
        (!all && !fast && !pushed->all && !pushed->fast && now < pushed->next_poll_boot_ms))
        return;
    pushed->next_poll_boot_ms = now + POLL_EVERY_MS;
    if (poll_subscriber(pushed, all, fast, now, &err) != ST_OK)
        back_off(pushed, &err);
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int pushed_hints_wait_ms(const struct pushed_hints *pushed, int max_ms)
{
    int64_t now = clock_boot_ms(), next = now + max_ms;

    if (counts(pushed, now))
        next = sooner(next, pushed->next_count_boot_ms);
    if (!redis_connected(pushed->subscriber))
        next = sooner(next, pushed->not_before_boot_ms);
    else if (pushed->all)
        next = sooner(next, sooner(pushed->until_boot_ms, pushed->next_ping_boot_ms));
    else if (pushed->fast)
        next = sooner(next, pushed->next_ping_boot_ms);
    else
        next = sooner(next, pushed->next_poll_boot_ms);
    return next > now ? (int)(next - now) : 0;
}

size_t pushed_hints_descriptors(const struct pushed_hints *pushed, int *descriptors, size_t room)
{
    if (!pushed->all && !pushed->fast) /* only answers can come, and they have time */
        return 0;
    return redis_descriptors(pushed->subscriber, descriptors, room);
}
