#include "coordinator/timers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "coordinator/crash.h"

void timers_init(struct timers *timers, struct loop *loop, struct gates *gates, struct sources *sources)
{
    size_t shards = (size_t)sources->cursors.partitions;

    *timers = (struct timers){ .loop = loop, .gates = gates, .sources = sources };
    timers->at = xcalloc(shards, sizeof *timers->at);
    timers->due = xcalloc(shards, sizeof *timers->due);
    for (int s = 0; s < sources->cursors.partitions; s++)
        timers_reset(timers, s);
}

void timers_release(struct timers *timers)
{
    free(timers->at);
    free(timers->due);
    *timers = (struct timers){ 0 };
}

void timers_reset(struct timers *timers, int shard)
{
    timers->at[shard] = (struct timer){ 0 };
}

void timers_soon(struct timers *timers, int shard)
{
    timers->at[shard].at_us = 0;
}

/* ---- when ---- */

static bool timer_runs(const struct timers *timers, int shard)
{
    const struct gate *gate = &timers->gates->at[shard];

    return timers->sources->cursors.sources[shard].state != SOURCE_ABSENT && gate_usable(gate) &&
           gate->mode == GATE_OPEN;
}

/* The log is applied as far as its end was when it was asked for: the time before the question counts. */
static void timer_read(struct timers *timers, int shard)
{
    const struct source *source = &timers->sources->cursors.sources[shard];
    struct timer *timer = &timers->at[shard];
    int64_t end;

    if (timer->asked_ms == 0 || source->state != SOURCE_READY)
        return;
    end = log_end_answer(&timers->loop->shared->ends, LOG_STATUS, shard, timer->question);
    if (end < 0 || source->done < end)
        return;
    timer->read_to_ms = timer->asked_ms;
    timer->asked_ms = 0;
    timer->at_us = 0;
}

int timers_wait_ms(struct timers *timers, int max_ms)
{
    int64_t now_us = clock_boot_us(), soonest_us = now_us + (int64_t)max_ms * 1000;

    for (int s = 0; s < timers->sources->cursors.partitions; s++) {
        int64_t said_us;

        if (!timer_runs(timers, s))
            continue;
        said_us = wakes_take(&timers->loop->shared->wakes, s);
        if (said_us < timers->at[s].at_us)
            timers->at[s].at_us = said_us;
        timer_read(timers, s);
        if (timers->at[s].at_us < soonest_us)
            soonest_us = timers->at[s].at_us;
    }
    return soonest_us <= now_us ? 0 : (int)((soonest_us - now_us + 999) / 1000);
}

static void timers_collect(struct timers *timers)
{
    int64_t now_us = clock_boot_us();

    timers->due_count = 0;
    for (int s = 0; s < timers->sources->cursors.partitions; s++) {
        if (timer_runs(timers, s) && timers->at[s].at_us <= now_us)
            timers->due[timers->due_count++] = s;
    }
}

/* ---- one answer ---- */

static enum status verdicts_append(struct timers *timers, int shard, const struct tick_answer *answer, struct err *err)
{
    struct status_entry *entries = xcalloc(answer->verdict_count, sizeof *entries);
    struct appender *appender = &timers->loop->appender;

    for (size_t i = 0; i < answer->verdict_count; i++) {
        const struct verdict *verdict = &answer->verdicts[i];

        entries[i] = (struct status_entry){
            .kind = verdict->kind,
            .token = verdict->token,
            .started_at_ms = verdict->started_at_ms,
            .duration_ms = verdict->duration_ms,
            .retry_after_ms = -1,
            .text = verdict->text,
            .text_size = strlen(verdict->text),
        };
        memcpy(entries[i].id, verdict->id, sizeof entries[i].id);
        memcpy(entries[i].leader_id, verdict->leader_id, sizeof entries[i].leader_id);
        log_event(LOG_LEVEL_WARNING, "verdict", "op=%s token=%" PRIu64 " kind=%s", verdict->id, verdict->token,
                  entry_kind_name(verdict->kind));
    }
    buf_clear(&appender->buf);
    codec_write_status_batch(&appender->buf, entries, answer->verdict_count, NULL, timers->loop->shared->instance);
    free(entries);
    counter_add(&timers->loop->shared->counters.verdicts, (int64_t)answer->verdict_count);
    return appender_send(appender, "status", shard, appender->buf.data, appender->buf.size, err);
}

/* Leases wait to be judged: note the time, then ask for the log's end. */
static void timer_ask(struct timers *timers, int shard, int64_t now_ms)
{
    struct timer *timer = &timers->at[shard];

    if (timer->asked_ms != 0)
        return;
    timer->asked_ms = now_ms;
    timer->question = log_end_ask(&timers->loop->shared->ends, LOG_STATUS, shard);
}

/* When nothing is due sooner, each shard has its own turn in every tick_max_ms: once a second a tick does about a
 * millisecond of housekeeping, and 16 of them in a row would show in the latency of everything else. */
int64_t timer_next_us(int64_t now_us, int64_t sleep_ms, int64_t tick_max_ms, int shard, int shards)
{
    int64_t every_us = tick_max_ms * 1000, phase_us = every_us * shard / shards;
    int64_t turn_us = now_us - (now_us - phase_us) % every_us + every_us;

    return sleep_ms >= 0 && now_us + sleep_ms * 1000 < turn_us ? now_us + sleep_ms * 1000 : turn_us;
}

static void timer_answered(struct timers *timers, int shard, const struct tick_answer *answer)
{
    struct err err = ERR_INIT;

    crash_point(CRASH_TICK_AFTER);
    counter_add(&timers->loop->shared->counters.ticks, 1);
    timers->at[shard].at_us =
        timer_next_us(clock_boot_us(), answer->sleep_ms, timers->loop->shared->config->tick_max_ms, shard,
                      timers->sources->cursors.partitions);
    appender_hint(&timers->loop->appender, shard, &answer->hints);
    if (answer->verdict_count > 0 && verdicts_append(timers, shard, answer, &err) != ST_OK)
        log_error_text(LOG_LEVEL_WARNING, "verdicts not sent", err.text, "shard=%d", shard);
    if (answer->overdue > 0)
        timer_ask(timers, shard, answer->now_ms);
}

/* ---- a round ---- */

/* Verdicts that did not arrive are answered by a later tick again. */
static void verdicts_wait(struct timers *timers)
{
    struct err err = ERR_INIT;

    if (timers->loop->appender.outstanding == 0)
        return;
    if (appender_wait(&timers->loop->appender, &err) != ST_OK)
        log_error_text(LOG_LEVEL_WARNING, "verdicts not delivered", err.text, "loop=%s", timers->loop->name);
    else
        crash_point(CRASH_VERDICT_AFTER);
}

static enum status timers_receive(struct timers *timers, int sent, struct err *err)
{
    enum status worst = ST_OK;

    for (int i = 0; i < sent; i++) {
        struct tick_answer answer = { 0 };
        struct err mine = ERR_INIT;
        enum status st = tick_receive(timers->loop->redis, &answer, &mine);

        if (st == ST_OK) {
            timer_answered(timers, timers->due[i], &answer);
        } else {
            worst = st == ST_RECOVERING ? ST_FENCED : st;
            *err = mine;
        }
        tick_answer_release(&answer);
    }
    verdicts_wait(timers);
    return worst;
}

enum status timers_run(struct timers *timers, struct err *err)
{
    struct redis *redis = timers->loop->redis;
    enum status worst = ST_OK, received;
    int sent = 0;

    timers_collect(timers);
    if (timers->due_count == 0)
        return ST_OK;
    if (redis_connect(redis, err) != ST_OK)
        return ST_AGAIN;
    if (timers->gates->connection != redis_connection_number(redis))
        return err_set(err, ST_FENCED, "a new connection");
    while (worst == ST_OK && sent < timers->due_count) {
        int s = timers->due[sent];

        worst = tick_send(redis, s, timers->gates->at[s].generation, timers->at[s].read_to_ms, TICK_BUDGET, err);
        sent += worst == ST_OK;
    }
    crash_point(CRASH_TICK_SENT);
    received = timers_receive(timers, sent, err);
    return worst != ST_OK ? worst : received;
}
