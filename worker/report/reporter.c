/* An outcome's way: incoming (any thread; under the lock) -> pending, by shard (this thread's) -> a report under way (librdkafka
 * holds its items) -> delivered and freed, or pending again. Nothing is ordered here but a group (report_items.h); tokens
 * decide.
 *
 * A lone outcome leaves at once: the producer's linger is 0. Where many come, or where hints of its Type wait for a slot,
 * outcomes gather for some milliseconds: nobody's slot waits for them, and a message for each claim's answer would cost
 * Kafka, Redis and the coordinator more than the work. */
#include "worker/report/reporter.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/crash_point.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/pace.h"
#include "common/base/stage.h"
#include "common/kafka/kafka.h"
#include "worker/report/report_items.h"
#include "common/base/wait.h"
#include "common/base/thread.h"

enum {
    POLL_EVERY_MS = 5, /* for delivery reports, while some are due */
    IDLE_WAIT_MS = 500,
    SEND_AGAIN_MS = 200,
    GATHER_MOST = 2000, /* with so many outcomes there is nothing to wait for */
    BACKLOG_GATHER_MS = 5,
};

struct report { /* one message under way */
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
    bool patient; /* gathers only because of a backlog: what belongs to none ends it */

    atomic_size_t undelivered, bytes; /* operations; their texts and results */
    atomic_ullong delivered[ENTRY_KIND_END];

    struct items *pending; /* per shard; the thread's own from here */
    int shard_count;
    size_t reports; /* under way */
    int64_t send_again_boot_ms;
    struct pace pace;
    size_t gathered; /* outcomes since the last sending */
    bool urgent;     /* one of these is of no backlog */
    struct outage outage;
    struct buf message;
    struct status_entry entries[STATUS_BATCH_MAX_ENTRIES];
};

static bool is_urgent(const struct execution *execution)
{
    return !atomic_load_explicit(&execution->type->backlogged, memory_order_relaxed);
}

/* ---- from other threads ---- */

void reporter_add(struct reporter *reporter, struct execution *const *executions, size_t count)
{
    size_t bytes = 0, operations = 0;

    for (size_t i = 0; i < count; i++) {
        bytes += execution_report_bytes(executions[i]);
        operations += (size_t)executions[i]->member_count;
    }
    atomic_fetch_add(&reporter->bytes, bytes);
    atomic_fetch_add(&reporter->undelivered, operations);
    pthread_mutex_lock(&reporter->lock);
    for (size_t i = 0; i < count; i++) {
        executions[i]->queue_next = reporter->incoming;
        reporter->incoming = executions[i];
    }
    if (reporter->waiting || (reporter->patient && is_urgent(executions[0])))
        pthread_cond_signal(&reporter->changed);
    pthread_mutex_unlock(&reporter->lock);
}

bool reporter_full(const struct reporter *reporter)
{
    return atomic_load(&reporter->undelivered) >= REPORTER_MOST_OPERATIONS ||
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

static struct items *pending_of(struct reporter *reporter, const struct execution *execution)
{
    return &reporter->pending[execution->shard];
}

/* The status log has it, or it is given up. */
static void item_release(struct reporter *reporter, const struct item *item)
{
    struct execution *execution = item->execution;

    if (!items_done(pending_of(reporter, execution), item))
        return;
    inflight_remove(reporter->inflight, execution);
    atomic_fetch_sub(&reporter->bytes, execution_report_bytes(execution));
    atomic_fetch_sub(&reporter->undelivered, (size_t)execution->member_count);
    execution_free(execution);
}

static void item_delivered(struct reporter *reporter, const struct item *item)
{
    const struct execution *execution = item->execution;
    int first = item_first(item), end = first + (int)item_entries(item);

    stage_point(STAGE_REPORTED, execution->members[first].id);
    for (int i = first; i < end; i++)
        atomic_fetch_add(&reporter->delivered[execution->members[i].outcome.kind], 1);
    item_release(reporter, item);
}

static void requeue(struct reporter *reporter, const struct item *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        items_add(pending_of(reporter, items[i].execution), items[i]);
}

/* false: it has no result. */
static bool drop_result(struct reporter *reporter, const struct item *item)
{
    struct outcome *outcome = &item->execution->members[item_first(item)].outcome;

    if (!outcome->result)
        return false;
    atomic_fetch_sub(&reporter->bytes, outcome->result_size);
    free(outcome->result);
    outcome->result = NULL;
    outcome->result_size = 0;
    return true;
}

/* Refused for good: too large for Kafka's settings. Each item goes alone next time; what was alone goes in parts, or
 * without its result. false: it cannot be smaller. */
static bool reduce(struct reporter *reporter, const struct item *items, size_t count, const char *text)
{
    log_error_text(LOG_LEVEL_ERROR, "outcome refused", text, "shard=%d items=%zu op=%s", items[0].execution->shard,
                   count, items[0].execution->members[item_first(&items[0])].id);
    for (size_t i = 0; i < count; i++)
        items[i].execution->report_alone = true;
    if (count == 1 && item_entries(&items[0]) > 1) {
        items_split(pending_of(reporter, items[0].execution), items[0].execution);
        return true;
    }
    if (count == 1 && !drop_result(reporter, &items[0]))
        return false;
    requeue(reporter, items, count);
    return true;
}

static void on_delivery(void *arg, const struct kafka_delivery *delivery)
{
    struct reporter *reporter = arg;
    struct report *report = delivery->arg;

    reporter->reports--;
    crash_point(CRASH_DELIVERY_BEFORE);
    if (delivery->status == ST_OK) {
        for (size_t i = 0; i < report->count; i++)
            item_delivered(reporter, &report->items[i]);
        outage_end(&reporter->outage, "status log");
        crash_point(CRASH_DELIVERY_AFTER);
    } else if (delivery->status != ST_INVALID || !reduce(reporter, report->items, report->count, delivery->text)) {
        outage_begin(&reporter->outage, "status log", delivery->text);
        requeue(reporter, report->items, report->count);
        reporter->send_again_boot_ms = clock_boot_ms() + SEND_AGAIN_MS;
    }
    free(report);
}

/* ---- packing ---- */

static enum status produce(struct reporter *reporter, int shard, const struct item *items, size_t count,
                           struct err *err)
{
    struct report *report = xmalloc(sizeof *report + count * sizeof *items);
    size_t entries = 0;
    enum status st;

    report->count = count;
    memcpy(report->items, items, count * sizeof *items);
    for (size_t i = 0; i < count; i++)
        entries += item_fill(&items[i], reporter->entries + entries);
    buf_clear(&reporter->message);
    codec_write_status_batch(&reporter->message, reporter->entries, entries, reporter->identity->uri,
                             reporter->identity->instance, reporter->identity->queue);
    BGOP_ASSERT(!reporter->message.overflow);
    crash_point(CRASH_PRODUCE_BEFORE);
    st = kafka_producer_send(reporter->producer, reporter->topic, shard, NULL, 0, reporter->message.data,
                             reporter->message.size, NULL, report, err);
    crash_point(CRASH_PRODUCE_AFTER);
    if (st == ST_OK)
        reporter->reports++;
    else
        free(report);
    return st;
}

/* Sends the next portion; answers how many items have left the front of the list, 0: Kafka takes no more now. */
static size_t send_portion(struct reporter *reporter, int shard, size_t first)
{
    struct items *pending = &reporter->pending[shard];
    size_t count = items_portion(pending, first);
    struct err err = ERR_INIT;
    enum status st = produce(reporter, shard, pending->all + first, count, &err);
    struct item refused[STATUS_BATCH_MAX_ENTRIES];

    if (st == ST_OK)
        return count;
    memcpy(refused, pending->all + first, count * sizeof *refused); /* the list may move */
    if (st == ST_INVALID && reduce(reporter, refused, count, err.text))
        return count;
    if (st != ST_LIMIT) /* a full queue is no news: delivery reports empty it */
        outage_begin(&reporter->outage, "status log", err.text);
    reporter->send_again_boot_ms = clock_boot_ms() + (st == ST_LIMIT ? POLL_EVERY_MS : SEND_AGAIN_MS);
    if (st != ST_INVALID)
        return 0;
    requeue(reporter, refused, count); /* nobody is to wait behind it */
    return count;
}

static void send_shard(struct reporter *reporter, int shard)
{
    struct items *pending = &reporter->pending[shard];
    size_t sent = 0, count, end = pending->count; /* what is added meanwhile goes with the next round */

    while (sent < end && (count = send_portion(reporter, shard, sent)) > 0)
        sent += count;
    memmove(pending->all, pending->all + sent, (pending->count - sent) * sizeof *pending->all);
    pending->count -= sent;
}

/* ---- the thread ---- */

static bool anything_pending(const struct reporter *reporter)
{
    for (int i = 0; i < reporter->shard_count; i++) {
        if (reporter->pending[i].count > 0)
            return true;
    }
    return false;
}

static void enqueue_pending(struct reporter *reporter, struct execution *taken)
{
    struct execution *next;

    for (; taken; taken = next) {
        next = taken->queue_next;
        pace_count(&reporter->pace, (size_t)taken->member_count, clock_boot_ms());
        reporter->gathered += (size_t)taken->member_count;
        reporter->urgent = reporter->urgent || is_urgent(taken);
        items_add_execution(pending_of(reporter, taken), taken);
    }
}

/* What was added, into the lists of its shards. Answers whether to go on. */
static bool take_incoming(struct reporter *reporter)
{
    struct execution *taken;
    bool go_on;

    pthread_mutex_lock(&reporter->lock);
    taken = reporter->incoming;
    reporter->incoming = NULL;
    go_on = !reporter->stopping;
    pthread_mutex_unlock(&reporter->lock);
    enqueue_pending(reporter, taken);
    return go_on;
}

/* Takes what was added, after waiting for it. Answers whether to go on. */
static bool dequeue_incoming(struct reporter *reporter)
{
    bool busy = reporter->reports > 0 || anything_pending(reporter);

    pthread_mutex_lock(&reporter->lock);
    if (!reporter->incoming && !reporter->stopping) {
        reporter->waiting = true;
        wait_cond(&reporter->changed, &reporter->lock, busy ? POLL_EVERY_MS : IDLE_WAIT_MS);
        reporter->waiting = false;
    }
    pthread_mutex_unlock(&reporter->lock);
    return take_incoming(reporter);
}

/* Those that have come since it gathers, under the lock. */
static bool urgent_came(const struct reporter *reporter)
{
    for (const struct execution *one = reporter->incoming; one; one = one->queue_next) {
        if (is_urgent(one))
            return true;
    }
    return false;
}

/* Sleeps while more outcomes come: under load only, and not when there are many already. */
static void gather(struct reporter *reporter)
{
    int gather_ms = pace_gather_ms(&reporter->pace, clock_boot_ms());
    bool patient = gather_ms == 0 && !reporter->urgent;
    int64_t now = clock_boot_ms(), end = now + (patient ? BACKLOG_GATHER_MS : gather_ms);

    if (now == end || reporter->gathered >= GATHER_MOST)
        return;
    pthread_mutex_lock(&reporter->lock);
    reporter->patient = patient; /* `waiting` is off: only the end signals, and what is urgent when it is patient */
    for (; now < end && !reporter->stopping && !(patient && urgent_came(reporter)); now = clock_boot_ms())
        wait_cond(&reporter->changed, &reporter->lock, (int)(end - now));
    reporter->patient = false;
    pthread_mutex_unlock(&reporter->lock);
    take_incoming(reporter);
}

static void send_all(struct reporter *reporter)
{
    if (anything_pending(reporter))
        gather(reporter);
    reporter->gathered = 0;
    reporter->urgent = false;
    for (int shard = 0; shard < reporter->shard_count; shard++) {
        if (reporter->pending[shard].count > 0)
            send_shard(reporter, shard);
    }
}

static void *reporter_loop(void *arg)
{
    struct reporter *reporter = arg;

    pthread_setname_np(pthread_self(), "reporter");
    while (dequeue_incoming(reporter)) {
        if (clock_boot_ms() >= reporter->send_again_boot_ms)
            send_all(reporter);
        kafka_producer_poll(reporter->producer, 0);
    }
    return NULL;
}

/* ---- life ---- */

/* What is not delivered is given up: its leases run out. (A leader joins its list when its followers were given up.) */
static void give_up_pending(struct reporter *reporter)
{
    enqueue_pending(reporter, reporter->incoming);
    for (int shard = 0; shard < reporter->shard_count; shard++) {
        for (size_t i = 0; i < reporter->pending[shard].count; i++) {
            struct item item = reporter->pending[shard].all[i];

            item_release(reporter, &item);
        }
    }
}

static void reporter_free(struct reporter *reporter)
{
    kafka_producer_free(reporter->producer); /* the last delivery reports come now */
    give_up_pending(reporter);
    for (int i = 0; i < reporter->shard_count; i++)
        items_release(&reporter->pending[i]);
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
    if (reporter->producer)
        kafka_producer_know(reporter->producer, reporter->topic);
    if (reporter->producer && thread_start(&reporter->thread, reporter_loop, reporter, "the reporter's", err) == ST_OK)
        return reporter;
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
