#include "coordinator/status/clock_watch.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/record/health.h"

enum { ANSWERS_MAX = 3 }; /* of one shard, each later than the call allowed for; the next turn goes on */

#define TIME_MAX_MS INT64_C(9007199254740991)

/* ---- one shard ---- */

int64_t shard_clock_expected(const struct shard_clock *clock, int64_t now_us)
{
    if (clock->believe)
        return TIME_MAX_MS;
    return clock->at_us == 0 ? 0 : clock->now_ms + (now_us - clock->at_us) / 1000;
}

static void shard_clock_know(struct shard_clock *clock, int64_t now_ms, int64_t at_us)
{
    clock->now_ms = now_ms;
    clock->at_us = at_us;
}

enum clock_verdict shard_clock_take(struct shard_clock *clock, const struct clock_answer *answer, int64_t sent_us,
                                    int64_t received_us)
{
    if (answer->ahead_ms == 0) {
        *clock = (struct shard_clock){ 0 };
        shard_clock_know(clock, answer->now_ms, sent_us);
        return CLOCK_BELIEVED;
    }
    if (clock->at_us != 0 &&
        answer->now_ms + answer->ahead_ms <= shard_clock_expected(clock, received_us) + HEALTH_CLOCK_GAP_MS)
        return CLOCK_SLOW_ANSWER;
    if (clock->at_us == 0)
        shard_clock_know(clock, answer->now_ms, sent_us);
    if (clock->doubted_since_us == 0)
        clock->doubted_since_us = received_us;
    clock->believe = received_us - clock->doubted_since_us >= HEALTH_CLOCK_DOUBTED_MS * INT64_C(1000);
    return CLOCK_AHEAD;
}

/* ---- those of a loop ---- */

void clock_watch_init(struct clock_watch *watch, struct loop *loop, struct gate_copies *gates)
{
    *watch = (struct clock_watch){ .loop = loop, .gates = gates };
    watch->at = xcalloc((size_t)gates->shards, sizeof *watch->at);
}

void clock_watch_release(struct clock_watch *watch)
{
    free(watch->at);
    *watch = (struct clock_watch){ 0 };
}

void clock_watch_forget(struct clock_watch *watch, int shard)
{
    watch->doubted -= watch->at[shard].doubted_since_us != 0;
    watch->at[shard] = (struct shard_clock){ 0 };
}

void clock_watch_note(struct clock_watch *watch, int shard, int64_t now_ms, int64_t sent_us)
{
    if (watch->at[shard].doubted_since_us == 0)
        shard_clock_know(&watch->at[shard], now_ms, sent_us);
}

/* One line for all shards of the loop: they jump together. */
static void clock_watch_log(const struct clock_watch *watch, int before, int shard, int64_t ahead_ms)
{
    if (before == 0 && watch->doubted > 0) {
        log_event(LOG_LEVEL_WARNING, "clock of Redis set forward",
                  "shard=%d ahead_ms=%" PRId64
                  " timers=\"go on by the time before, until it has stayed so for a while\"",
                  shard, ahead_ms);
    } else if (before > 0 && watch->doubted == 0) {
        log_event(LOG_LEVEL_WARNING, "clock of Redis believed again", "shard=%d", shard);
    }
}

static enum status clock_watch_ask(struct clock_watch *watch, int shard, enum clock_verdict *verdict, struct err *err)
{
    struct redis *redis = watch->loop->redis;
    struct shard_clock *clock = &watch->at[shard];
    int64_t sent_us = clock_boot_us();
    int before = watch->doubted;
    struct clock_answer answer;

    if (clock_send(redis, shard, watch->gates->at[shard].generation, shard_clock_expected(clock, sent_us), err) !=
            ST_OK ||
        clock_receive(redis, &answer, err) != ST_OK)
        return err->status;
    watch->doubted -= clock->doubted_since_us != 0;
    *verdict = shard_clock_take(clock, &answer, sent_us, clock_boot_us());
    watch->doubted += clock->doubted_since_us != 0;
    clock_watch_log(watch, before, shard, answer.ahead_ms);
    return ST_OK;
}

enum status clock_watch_settle(struct clock_watch *watch, const int *shards, int count, struct err *err)
{
    for (int i = 0; i < count; i++) {
        enum clock_verdict verdict = CLOCK_SLOW_ANSWER;

        if (watch->gates->away[shards[i]] || !gate_usable(&watch->gates->at[shards[i]]))
            continue;
        for (int asked = 0; asked < ANSWERS_MAX && verdict == CLOCK_SLOW_ANSWER; asked++) {
            if (clock_watch_ask(watch, shards[i], &verdict, err) == ST_OK)
                continue;
            if (!gate_copies_lose(watch->gates, shards[i], err))
                return err->status;
            *err = (struct err)ERR_INIT;
            break;
        }
    }
    return ST_OK;
}
