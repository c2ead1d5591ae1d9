/* A turn calls timers_wait_ms to know how long it may wait for messages, and timers_run behind applying them. Between
 * the two, whoever makes something due says so: outcomes of this loop by timers_make_due, intake loops by a tick
 * request. */
#include "coordinator/status/timers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/crash_point.h"
#include "common/base/memory.h"
#include "coordinator/source/round.h"
#include "coordinator/source/waiting.h"

void timers_init(struct timers *timers, struct reader *reader, struct clock_watch *clocks)
{
    size_t shards = (size_t)reader->sources.cursors.partitions;

    *timers =
        (struct timers){ .loop = reader->loop, .gates = &reader->gates, .sources = &reader->sources, .clocks = clocks };
    timers->at = xcalloc(shards, sizeof *timers->at);
    timers->due = xcalloc(shards, sizeof *timers->due);
    for (int s = 0; s < reader->sources.cursors.partitions; s++)
        timers_reset(timers, s);
}

void timers_release(struct timers *timers)
{
    for (int s = 0; timers->at && s < timers->sources->cursors.partitions; s++)
        tick_request_leave(&timers->loop->shared->tick_requests, s, &timers->loop->wake);
    free(timers->at);
    free(timers->due);
    *timers = (struct timers){ 0 };
}

void timers_reset(struct timers *timers, int shard)
{
    timers->at[shard] = (struct timer){ 0 };
}

void timers_note_work(struct timers *timers, int shard)
{
    timers->at[shard].busy_until_us = clock_boot_us() + TIMER_QUIET_AFTER_MS * INT64_C(1000);
}

void timers_make_due(struct timers *timers, int shard)
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

/* The log is applied as far as its end was when it was queried: the time before the query counts. */
static void timer_take_end(struct timers *timers, int shard)
{
    const struct source *source = &timers->sources->cursors.sources[shard];
    struct timer *timer = &timers->at[shard];
    int64_t end;

    if (timer->queried_at_ms == 0 || source->state != SOURCE_READY)
        return;
    end = log_end_result(&timers->loop->shared->ends, LOG_STATUS, shard, timer->query);
    if (end < 0 || source->done < end)
        return;
    timer->read_to_ms = timer->queried_at_ms;
    timer->queried_at_ms = 0;
    timer->at_us = 0;
}

int timers_wait_ms(struct timers *timers, int max_ms)
{
    struct tick_requests *requests = &timers->loop->shared->tick_requests;
    int64_t now_us = clock_boot_us(), soonest_us = now_us + (int64_t)max_ms * 1000;

    for (int s = 0; s < timers->sources->cursors.partitions; s++) {
        int64_t requested_us;

        if (!timer_runs(timers, s)) {
            tick_request_leave(requests, s, &timers->loop->wake);
            continue;
        }
        tick_request_plan(requests, s, &timers->loop->wake, timers->at[s].at_us);
        requested_us = tick_request_take(requests, s);
        if (requested_us < timers->at[s].at_us)
            timers->at[s].at_us = requested_us;
        timer_take_end(timers, s);
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
    codec_write_status_batch(&appender->buf, entries, answer->verdict_count, NULL, timers->loop->shared->instance,
                             timers->loop->shared->genesis);
    BGOP_ASSERT(!appender->buf.overflow); /* no memory: half a batch would be none */
    free(entries);
    counter_add(&timers->loop->shared->counters.verdicts, (int64_t)answer->verdict_count);
    return appender_send(appender, "status", shard, appender->buf.data, appender->buf.size, err);
}

/* Leases wait to be judged: note the time, then query the log's end. */
static void timer_query_end(struct timers *timers, int shard, int64_t now_ms)
{
    struct timer *timer = &timers->at[shard];

    if (timer->queried_at_ms != 0)
        return;
    timer->queried_at_ms = now_ms;
    timer->query = log_end_query(&timers->loop->shared->ends, LOG_STATUS, shard);
}

/* When nothing is due sooner, each shard has its own turn in every most_ms: once a second a tick does about a
 * millisecond of housekeeping, and 16 of them in a row would show in the latency of everything else. */
int64_t timer_next_us(int64_t now_us, int64_t sleep_ms, int64_t most_ms, int shard, int shards)
{
    int64_t every_us = most_ms * 1000, phase_us = every_us * shard / shards;
    int64_t turn_us = now_us - (now_us - phase_us) % every_us + every_us;

    return sleep_ms >= 0 && now_us + sleep_ms * 1000 < turn_us ? now_us + sleep_ms * 1000 : turn_us;
}

static void timer_answered(struct timers *timers, int shard, const struct tick_answer *answer)
{
    struct timer *timer = &timers->at[shard];
    int64_t now_us = clock_boot_us();
    struct err err = ERR_INIT;

    crash_point(CRASH_TICK_AFTER);
    counter_add(&timers->loop->shared->counters.ticks, 1);
    timer->at_us = timer_next_us(now_us, answer->sleep_ms,
                                 tick_most_ms(timers->loop->shared->config, now_us >= timer->busy_until_us), shard,
                                 timers->sources->cursors.partitions);
    appender_hint(&timers->loop->appender, shard, &answer->hints);
    if (answer->verdict_count > 0 && verdicts_append(timers, shard, answer, &err) != ST_OK)
        log_error_text(LOG_LEVEL_WARNING, "verdicts not sent", err.text, "shard=%d", shard);
    if (answer->overdue > 0)
        timer_query_end(timers, shard, answer->now_ms);
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

static void timer_receive(struct timers *timers, int shard, struct round *round)
{
    struct tick_answer answer = { 0 };
    enum status st = tick_receive(timers->loop->redis, &answer, &round->why);

    if (st == ST_OK) {
        clock_watch_note(timers->clocks, shard, answer.now_ms, timers->sent_us);
        timer_answered(timers, shard, &answer);
    } else if (!shard_waits(timers->sources, timers->gates, shard, &round->why)) {
        round_note(round, st);
    }
    tick_answer_release(&answer);
}

static enum status timer_send(struct timers *timers, int shard, struct err *err)
{
    return tick_send(timers->loop->redis, shard, timers->gates->at[shard].generation, timers->at[shard].read_to_ms,
                     TICK_BUDGET, err);
}

enum status timers_run(struct timers *timers, struct err *err)
{
    struct redis *redis = timers->loop->redis;
    struct round round = { 0 };

    timers_collect(timers);
    if (timers->due_count == 0)
        return ST_OK;
    if (redis_connect(redis, err) != ST_OK)
        return ST_AGAIN;
    if (timers->gates->connection != redis_connection_number(redis))
        return err_set(err, ST_FENCED, "a new connection");
    timers->sent_us = clock_boot_us();
    while (round.sent < timers->due_count &&
           round_sent(&round, timer_send(timers, timers->due[round.sent], &round.why)))
        ;
    crash_point(CRASH_TICK_SENT);
    for (int i = 0; i < round.sent; i++)
        timer_receive(timers, timers->due[i], &round);
    verdicts_wait(timers);
    return round_end(&round, err);
}
