/* Items are members: a group's outcomes may take more than one message. Nothing is ordered here; tokens decide.
 *
 * Under load batching comes by itself: while one round is packed and produced, the next outcomes gather. So the
 * producer's linger is 0, and a lone outcome leaves at once. */
#include "worker/reporter.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/kafka/kafka.h"
#include "worker/crash_point.h"
#include "worker/wait.h"

enum {
    POLL_EVERY_MS = 5, /* for delivery reports, while some are due */
    IDLE_WAIT_MS = 500,
    SEND_AGAIN_MS = 200,
    ENTRY_OVERHEAD_BYTES = 200, /* of one entry besides its texts, at most */
    KINDS = ENTRY_REDRIVE + 1,
};

struct item {
    struct execution *execution;
    int member;
};
struct items {
    struct item *all;
    size_t count, capacity;
};

struct report { /* one message under way */
    int shard;
    size_t count;
    struct item items[];
};

struct reporter {
    const struct identity *identity;
    struct inflight *inflight;
    char topic[320];
    struct kafka_producer *producer;
    struct kafka_settings settings;
    pthread_t thread;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct execution *incoming; /* under the lock; newest first */
    bool stopping, waiting;

    atomic_size_t undelivered, bytes; /* executions; texts and results of what is undelivered */
    atomic_ullong delivered[KINDS];

    struct items *pending; /* per shard; the thread's own from here */
    int shard_count;
    size_t reports; /* under way */
    int64_t send_again_boot_ms;
    struct outage outage;
    struct buf message;
    struct status_entry entries[STATUS_BATCH_MAX_ENTRIES];
};

/* ---- from other threads ---- */

static size_t outcome_bytes(const struct outcome *outcome)
{
    return (outcome->text ? strlen(outcome->text) : 0) + outcome->result_size;
}

static size_t execution_bytes(const struct execution *execution)
{
    size_t bytes = 0;

    for (int i = 0; i < execution->member_count; i++)
        bytes += outcome_bytes(&execution->members[i].outcome);
    return bytes;
}

void reporter_add(struct reporter *reporter, struct execution *const *executions, size_t count)
{
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++)
        bytes += execution_bytes(executions[i]);
    atomic_fetch_add(&reporter->bytes, bytes);
    atomic_fetch_add(&reporter->undelivered, count);
    pthread_mutex_lock(&reporter->lock);
    for (size_t i = 0; i < count; i++) {
        executions[i]->queue_next = reporter->incoming;
        reporter->incoming = executions[i];
    }
    if (reporter->waiting)
        pthread_cond_signal(&reporter->changed);
    pthread_mutex_unlock(&reporter->lock);
}

bool reporter_full(const struct reporter *reporter)
{
    return atomic_load(&reporter->undelivered) >= REPORTER_MOST_EXECUTIONS ||
           atomic_load(&reporter->bytes) >= REPORTER_MOST_BYTES;
}

size_t reporter_undelivered(const struct reporter *reporter)
{
    return atomic_load(&reporter->undelivered);
}

uint64_t reporter_delivered(const struct reporter *reporter, enum entry_kind kind)
{
    return atomic_load(&reporter->delivered[kind]);
}

/* ---- delivery reports ---- */

static void add_pending(struct reporter *reporter, struct item item)
{
    struct items *pending = &reporter->pending[item.execution->shard];

    GROW(pending->all, pending->count, pending->capacity);
    pending->all[pending->count++] = item;
}

/* One member less to report; the last one takes the execution with it. */
static void release(struct reporter *reporter, struct execution *execution)
{
    if (--execution->unreported > 0)
        return;
    inflight_remove(reporter->inflight, execution);
    atomic_fetch_sub(&reporter->bytes, execution_bytes(execution));
    execution_free(execution);
    atomic_fetch_sub(&reporter->undelivered, 1);
}

static void deliver(struct reporter *reporter, const struct item *item)
{
    atomic_fetch_add(&reporter->delivered[item->execution->members[item->member].outcome.kind], 1);
    release(reporter, item->execution);
}

/* Refused for good: too large for the broker's settings. Sent alone next time; when it was alone, without its result.
 */
static void shrink(struct reporter *reporter, const struct report *report, const char *text)
{
    struct outcome *outcome = &report->items[0].execution->members[report->items[0].member].outcome;

    log_error_text(LOG_LEVEL_ERROR, "outcome refused", text, "shard=%d entries=%zu", report->shard, report->count);
    for (size_t i = 0; i < report->count; i++)
        report->items[i].execution->report_alone = true;
    if (report->count == 1 && outcome->result) {
        atomic_fetch_sub(&reporter->bytes, outcome->result_size);
        free(outcome->result);
        outcome->result = NULL;
        outcome->result_size = 0;
    }
}

static void on_delivery(void *arg, const struct kafka_delivery *delivery)
{
    struct reporter *reporter = arg;
    struct report *report = delivery->arg;

    reporter->reports--;
    crash_point("delivery-before");
    if (delivery->status == ST_OK) {
        for (size_t i = 0; i < report->count; i++)
            deliver(reporter, &report->items[i]);
        outage_end(&reporter->outage, "status log");
        crash_point("delivery-after");
    } else {
        if (delivery->status == ST_INVALID)
            shrink(reporter, report, delivery->text);
        else
            outage_begin(&reporter->outage, "status log", delivery->text);
        for (size_t i = 0; i < report->count; i++)
            add_pending(reporter, report->items[i]);
        reporter->send_again_boot_ms = clock_boot_ms() + SEND_AGAIN_MS;
    }
    free(report);
}

/* ---- packing ---- */

static void fill_entry(struct status_entry *entry, const struct item *item)
{
    const struct execution *execution = item->execution;
    const struct member *member = &execution->members[item->member];
    const struct outcome *outcome = &member->outcome;

    *entry = (struct status_entry){
        .kind = outcome->kind,
        .token = member->token,
        .started_at_ms = execution->started_at_ms,
        .duration_ms = execution->duration_ms,
        .retry_after_ms = outcome->retry_after_ms,
        .text = outcome->text,
        .text_size = outcome->text ? strlen(outcome->text) : 0,
        .result = outcome->result,
        .result_size = outcome->result_size,
    };
    memcpy(entry->id, member->id, ID_SIZE);
    if (item->member != execution->leader)
        memcpy(entry->leader_id, execution_leader(execution)->id, ID_SIZE);
}

/* How many of the pending items fit into one message. */
static size_t portion(const struct items *pending, size_t first)
{
    size_t bytes = 0, count = 0;

    while (first + count < pending->count && count < STATUS_BATCH_MAX_ENTRIES) {
        const struct item *item = &pending->all[first + count];

        bytes += ENTRY_OVERHEAD_BYTES + outcome_bytes(&item->execution->members[item->member].outcome);
        if (count > 0 && (bytes > STATUS_BATCH_MAX_BYTES || item->execution->report_alone))
            break;
        count++;
        if (item->execution->report_alone)
            break;
    }
    return count;
}

static enum status produce(struct reporter *reporter, int shard, const struct item *items, size_t count,
                           struct err *err)
{
    struct report *report = xmalloc(sizeof *report + count * sizeof *items);
    enum status status;

    report->shard = shard;
    report->count = count;
    memcpy(report->items, items, count * sizeof *items);
    for (size_t i = 0; i < count; i++)
        fill_entry(&reporter->entries[i], &items[i]);
    buf_clear(&reporter->message);
    codec_write_status_batch(&reporter->message, reporter->entries, count, reporter->identity->uri,
                             reporter->identity->instance);
    BGOP_ASSERT(!reporter->message.overflow);
    crash_point("produce-before");
    status = kafka_producer_send(reporter->producer, reporter->topic, shard, NULL, 0, reporter->message.data,
                                 reporter->message.size, NULL, report, err);
    crash_point("produce-after");
    if (status == ST_OK)
        reporter->reports++;
    else
        free(report);
    return status;
}

/* What could not be sent stays at the front of its shard's list. */
static void send_shard(struct reporter *reporter, int shard)
{
    struct items *pending = &reporter->pending[shard];
    size_t sent = 0;

    while (sent < pending->count) {
        size_t count = portion(pending, sent);
        struct err err = ERR_INIT;
        enum status status = produce(reporter, shard, pending->all + sent, count, &err);

        if (status != ST_OK) {
            if (status != ST_LIMIT) /* a full queue is no news: delivery reports empty it */
                outage_begin(&reporter->outage, "status log", err.text);
            reporter->send_again_boot_ms = clock_boot_ms() + (status == ST_LIMIT ? POLL_EVERY_MS : SEND_AGAIN_MS);
            break;
        }
        sent += count;
    }
    memmove(pending->all, pending->all + sent, (pending->count - sent) * sizeof *pending->all);
    pending->count -= sent;
}

/* ---- the thread ---- */

static bool anything_pending(const struct reporter *reporter)
{
    for (int i = 0; i < reporter->shard_count; i++)
        if (reporter->pending[i].count > 0)
            return true;
    return false;
}

static void distribute(struct reporter *reporter, struct execution *taken)
{
    struct execution *next;

    for (; taken; taken = next) {
        next = taken->queue_next;
        taken->unreported = taken->member_count;
        for (int i = 0; i < taken->member_count; i++)
            add_pending(reporter, (struct item){ taken, i });
    }
}

/* Takes what was added, after waiting for it. Answers whether to go on. */
static bool take_incoming(struct reporter *reporter)
{
    bool busy = reporter->reports > 0 || anything_pending(reporter), go_on;
    struct execution *taken;

    pthread_mutex_lock(&reporter->lock);
    if (!reporter->incoming && !reporter->stopping) {
        reporter->waiting = true;
        wait_cond(&reporter->changed, &reporter->lock, busy ? POLL_EVERY_MS : IDLE_WAIT_MS);
        reporter->waiting = false;
    }
    taken = reporter->incoming;
    reporter->incoming = NULL;
    go_on = !reporter->stopping;
    pthread_mutex_unlock(&reporter->lock);
    distribute(reporter, taken);
    return go_on;
}

static void *reporter_loop(void *arg)
{
    struct reporter *reporter = arg;

    pthread_setname_np(pthread_self(), "reporter");
    while (take_incoming(reporter)) {
        if (clock_boot_ms() >= reporter->send_again_boot_ms)
            for (int shard = 0; shard < reporter->shard_count; shard++)
                if (reporter->pending[shard].count > 0)
                    send_shard(reporter, shard);
        kafka_producer_poll(reporter->producer, 0);
    }
    return NULL;
}

/* ---- life ---- */

/* What is not delivered is given up: its leases run out. */
static void abandon(struct reporter *reporter)
{
    distribute(reporter, reporter->incoming);
    for (int shard = 0; shard < reporter->shard_count; shard++)
        for (size_t i = 0; i < reporter->pending[shard].count; i++)
            release(reporter, reporter->pending[shard].all[i].execution);
}

static void reporter_free(struct reporter *reporter)
{
    kafka_producer_free(reporter->producer); /* the last delivery reports come now */
    abandon(reporter);
    for (int i = 0; i < reporter->shard_count; i++)
        free(reporter->pending[i].all);
    free(reporter->pending);
    buf_release(&reporter->message);
    pthread_cond_destroy(&reporter->changed);
    pthread_mutex_destroy(&reporter->lock);
    free(reporter);
}

struct reporter *reporter_start(const struct config *config, const struct identity *identity, struct inflight *inflight,
                                struct err *err)
{
    struct reporter *reporter = xcalloc(1, sizeof *reporter);

    reporter->identity = identity;
    reporter->inflight = inflight;
    reporter->shard_count = inflight->shard_count;
    reporter->pending = xcalloc((size_t)inflight->shard_count, sizeof *reporter->pending);
    config_topic(config, "status", reporter->topic, sizeof reporter->topic);
    buf_init(&reporter->message, 2 * STATUS_BATCH_MAX_BYTES);
    pthread_mutex_init(&reporter->lock, NULL);
    wait_cond_init(&reporter->changed);
    reporter->settings = config_kafka(config, identity->instance);
    reporter->producer = kafka_producer_new(&reporter->settings, 0, on_delivery, reporter, err);
    if (reporter->producer && pthread_create(&reporter->thread, NULL, reporter_loop, reporter) == 0)
        return reporter;
    if (reporter->producer)
        err_set(err, ST_FAILED, "cannot start the reporter thread");
    reporter_free(reporter);
    return NULL;
}

bool reporter_stop(struct reporter *reporter, int timeout_ms)
{
    int64_t until = clock_boot_ms() + timeout_ms;
    bool all;

    while (atomic_load(&reporter->undelivered) > 0 && clock_boot_ms() < until)
        usleep(POLL_EVERY_MS * 1000);
    pthread_mutex_lock(&reporter->lock);
    reporter->stopping = true;
    pthread_cond_signal(&reporter->changed);
    pthread_mutex_unlock(&reporter->lock);
    pthread_join(reporter->thread, NULL);
    all = atomic_load(&reporter->undelivered) == 0;
    reporter_free(reporter);
    return all;
}
