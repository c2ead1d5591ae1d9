#include "coordinator/intake/scheduled.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/memory.h"

enum {
    BUDGET = 500,          /* items of each kind in one call */
    TRY_AGAIN_US = 50000,  /* after a call that failed ... */
    GIVE_UP_US = 2000000,  /* ... until so long behind the last time that was noted: the owner has ticked since */
    OWNERS_SPARE_MS = 500, /* how late an owner's tick may be */
};

void scheduled_init(struct scheduled *scheduled, struct loop *loop, const struct gate_copies *gates)
{
    *scheduled = (struct scheduled){ .loop = loop, .gates = gates };
    scheduled->of = xcalloc((size_t)gates->shards, sizeof *scheduled->of);
    scheduled->due = xcalloc((size_t)gates->shards, sizeof *scheduled->due);
    for (int s = 0; s < gates->shards; s++)
        scheduled->of[s].at_us = INT64_MAX;
}

void scheduled_release(struct scheduled *scheduled)
{
    free(scheduled->of);
    free(scheduled->due);
    *scheduled = (struct scheduled){ 0 };
}

void scheduled_note(struct scheduled *scheduled, int shard, int64_t at_us)
{
    int64_t owners_us = (tick_most_ms(scheduled->loop->shared->config, true) + OWNERS_SPARE_MS) * 1000;
    struct scheduled_shard *of = &scheduled->of[shard];

    if (tick_request(&scheduled->loop->shared->tick_requests, shard, at_us) || at_us > clock_boot_us() + owners_us)
        return;
    if (of->at_us == INT64_MAX || at_us > of->until_us)
        of->until_us = at_us;
    if (at_us < of->at_us)
        of->at_us = at_us;
}

int scheduled_wait_ms(const struct scheduled *scheduled, int max_ms)
{
    int64_t now_us = clock_boot_us(), soonest_us = now_us + (int64_t)max_ms * 1000;

    for (int s = 0; s < scheduled->gates->shards; s++) {
        if (scheduled->of[s].at_us < soonest_us)
            soonest_us = scheduled->of[s].at_us;
    }
    return soonest_us <= now_us ? 0 : (int)((soonest_us - now_us + 999) / 1000);
}

/* Again as long as something that was noted is still to come. */
static void scheduled_answered(struct scheduled *scheduled, int shard, enum status st, const struct tick_answer *answer)
{
    struct scheduled_shard *of = &scheduled->of[shard];
    int64_t now_us = clock_boot_us(), next_us = now_us + TRY_AGAIN_US, last_us = of->until_us + GIVE_UP_US;

    if (st == ST_OK) {
        counter_add(&scheduled->loop->shared->counters.guest_ticks, 1);
        appender_hint(&scheduled->loop->appender, shard, &answer->hints);
        next_us = answer->sleep_ms < 0 ? INT64_MAX : now_us + answer->sleep_ms * 1000;
        last_us = of->until_us + 1000; /* the clocks differ by parts of a millisecond */
    }
    of->at_us = next_us <= last_us ? next_us : INT64_MAX;
}

/* Those that are due, can be ticked, and whose timers nobody in this process has begun to run since. */
static int scheduled_collect(struct scheduled *scheduled)
{
    int64_t now_us = clock_boot_us();
    int count = 0;

    for (int s = 0; s < scheduled->gates->shards; s++) {
        struct scheduled_shard *of = &scheduled->of[s];

        if (of->at_us > now_us)
            continue;
        if (tick_request(&scheduled->loop->shared->tick_requests, s, now_us))
            of->at_us = INT64_MAX;
        else if (gate_usable(&scheduled->gates->at[s]))
            scheduled->due[count++] = s;
        else
            scheduled_answered(scheduled, s, ST_AGAIN, NULL);
    }
    return count;
}

void scheduled_run(struct scheduled *scheduled)
{
    struct redis *redis = scheduled->loop->redis;
    int count = scheduled_collect(scheduled), sent = 0;
    bool ours = redis_connected(redis) && scheduled->gates->connection == redis_connection_number(redis);
    struct err err = ERR_INIT;

    while (ours && sent < count &&
           tick_send(redis, scheduled->due[sent], scheduled->gates->at[scheduled->due[sent]].generation, 0, BUDGET,
                     &err) == ST_OK)
        sent++;
    for (int i = 0; i < count; i++) {
        struct tick_answer answer = { 0 };
        enum status st = i < sent ? tick_receive(redis, &answer, &err) : ST_AGAIN;

        scheduled_answered(scheduled, scheduled->due[i], st, &answer);
        tick_answer_release(&answer);
    }
}
