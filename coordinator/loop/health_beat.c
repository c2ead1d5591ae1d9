/* One turn: what this process sees, to shard 0, and how its partitions are, to the shard of each; then a second of sleep. A
 * partition is told of when something about it has changed, and else every fifth time: a call for each of many shards, every
 * second, would be most of what an idle queue costs. */
#include "coordinator/loop/health_beat.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/checksum.h"
#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/record/keys.h"
#include "common/redis/functions.h"

enum { SOURCE_NAME_SIZE = 320, OUTAGE_SIZE = 256, BEAT_MS = 1000, TURNS = 5 };

static const char *const state_names[] = { "",
#define XX(name) #name,
                                           HEALTH_STATES(XX)
#undef XX
};

/* ---- one partition ---- */

/* What was told of it last. */
struct told {
    enum health_state state;
    uint32_t why; /* checksum */
};

struct teller {
    struct loop *loop;
    struct health_progress *progress[LOG_KIND_COUNT];
    struct told *told[LOG_KIND_COUNT];
    unsigned turn;
    uint64_t known;      /* connection on which the queue was found to be ours; 0: none */
    uint64_t connection; /* on which all partitions were made known; 0: none */
    /* of the call at hand */
    struct source_beat *states;
    char (*names)[SOURCE_NAME_SIZE], (*whys)[HEALTH_WHY_SIZE];
    size_t count;
    int calls; /* not answered yet */
};

/* Messages wait, and the position has not moved for a while? Then why says where it stands. */
static bool source_lags(struct teller *teller, enum log_kind kind, int partition, char *why)
{
    const struct log_end *end = &teller->loop->shared->ends.of[kind][partition];
    struct health_progress *progress = &teller->progress[kind][partition];
    int64_t read = atomic_load(&end->read), known = atomic_load(&end->answer), now_ms = clock_boot_ms();

    if (!health_lags(progress, read, known, now_ms))
        return false;
    snprintf(why, HEALTH_WHY_SIZE, "stands at %" PRId64 ", the log ends at %" PRId64 ", and it does not move", read,
             known);
    return true;
}

static bool is_news(struct told *told, enum health_state state, const char *why)
{
    struct told now = { state, checksum_crc32c(0, why, strlen(why)) };
    bool news = told->state != now.state || told->why != now.why;

    *told = now;
    return news;
}

/* all: whatever was told before. */
static void teller_add(struct teller *teller, enum log_kind kind, int partition, bool all)
{
    static const char *const logs[LOG_KIND_COUNT] = { "submit", "status" };
    struct shared *shared = teller->loop->shared;
    char topic[SOURCE_NAME_SIZE - 16], *why = teller->whys[teller->count];
    enum health_state state;

    pthread_mutex_lock(&shared->health.lock);
    state = shared->health.of[kind][partition].state;
    memcpy(why, shared->health.of[kind][partition].why, HEALTH_WHY_SIZE);
    pthread_mutex_unlock(&shared->health.lock);
    if (state == HEALTH_reads && source_lags(teller, kind, partition, why))
        state = HEALTH_lags;
    if (!is_news(&teller->told[kind][partition], state, why) && !all &&
        (teller->turn + (unsigned)partition) % TURNS != 0)
        return;
    if (state == HEALTH_ABSENT && !all)
        return;
    snprintf(teller->names[teller->count], SOURCE_NAME_SIZE, "%s[%d]",
             config_topic(shared->config, logs[kind], topic, sizeof topic), partition);
    teller->states[teller->count] = (struct source_beat){
        .source = teller->names[teller->count],
        .state = state_names[state == HEALTH_ABSENT ? HEALTH_known : state],
        .why = why,
    };
    teller->count++;
}

/* ---- a beat ---- */

static enum status send_process(struct redis *redis, const struct shared *shared, bool left, struct err *err)
{
    char kafka[OUTAGE_SIZE], away[OUTAGE_SIZE];
    struct beat beat = {
        .kind = "coordinator", .instance = shared->instance, .left = left, .kafka = kafka, .redis = away
    };

    outage_is_on("kafka", kafka, sizeof kafka);
    outage_is_on("redis", away, sizeof away);
    return beat_send(redis, &beat, err);
}

static enum status send_sources(struct teller *teller, int shard, bool all, struct err *err)
{
    struct shared *shared = teller->loop->shared;
    enum status st = ST_OK;

    teller->count = 0;
    for (int k = 0; k < LOG_KIND_COUNT; k++) {
        for (int p = shard; p < shared->health.count[k]; p += (int)shared->config->shards)
            teller_add(teller, (enum log_kind)k, p, all);
    }
    if (teller->count > 0)
        st = sources_send(teller->loop->redis, shard, shared->instance, teller->states, teller->count, err);
    teller->calls += teller->count > 0 && st == ST_OK;
    return st;
}

static void teller_beat(struct teller *teller)
{
    struct loop *loop = teller->loop;
    struct err err = ERR_INIT;
    bool new_connection, told = true;
    enum status st;

    if (!loop_redis_is_ours(loop, &teller->known, &err)) /* a Redis that is away is told by the loops */
        return;
    new_connection = teller->connection != redis_connection_number(loop->redis);
    st = send_process(loop->redis, loop->shared, false, &err);
    teller->calls = st == ST_OK;
    for (int shard = 0; shard < loop->shared->config->shards && st == ST_OK; shard++)
        st = send_sources(teller, shard, new_connection, &err);
    for (; teller->calls > 0; teller->calls--)
        told &= beat_receive(loop->redis, &err) == ST_OK;
    if (st == ST_OK && told)
        teller->connection = redis_connection_number(loop->redis);
    else /* what was not told is told again */
        teller->connection = 0;
    if (st != ST_OK || !told)
        log_error_text(LOG_LEVEL_DEBUG, "health not told", err.text, "loop=%s", loop->name);
}

void health_beat_run(struct loop *loop)
{
    const struct health *health = &loop->shared->health;
    size_t most = 0;
    struct teller teller = { .loop = loop };

    for (int k = 0; k < LOG_KIND_COUNT; k++) {
        teller.progress[k] = xcalloc((size_t)health->count[k], sizeof *teller.progress[k]);
        teller.told[k] = xcalloc((size_t)health->count[k], sizeof *teller.told[k]);
        most += (size_t)health->count[k];
    }
    teller.states = xcalloc(most, sizeof *teller.states);
    teller.names = xcalloc(most, sizeof *teller.names);
    teller.whys = xcalloc(most, sizeof *teller.whys);
    atomic_store(&loop->assigned, true);
    while (!loop_stopping(loop)) {
        teller_beat(&teller);
        teller.turn++;
        loop_pause(loop, BEAT_MS);
    }
    for (int k = 0; k < LOG_KIND_COUNT; k++) {
        free(teller.progress[k]);
        free(teller.told[k]);
    }
    free(teller.states);
    free(teller.names);
    free(teller.whys);
}

void health_leave(struct shared *shared)
{
    struct err err = ERR_INIT;
    struct redis *redis = redis_new(shared->config->redis_url, (int)shared->config->redis_timeout_ms, &err);

    if (redis && (send_process(redis, shared, true, &err) != ST_OK || beat_receive(redis, &err) != ST_OK))
        log_error_text(LOG_LEVEL_DEBUG, "health not told", err.text, "of=leaving");
    redis_free(redis);
}
