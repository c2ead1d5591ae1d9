/* Starting, serving, draining. What one part needs of another it gets as a pointer at its start; they are stopped in the
 * opposite order, but for renewal, which goes on until the last outcome is in the log. */
#include "worker/daemon/worker.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/trace.h"
#include "common/service/service.h"
#include "worker/claim/claims.h"
#include "worker/lease/guard.h"
#include "worker/claim/pushed_hints.h"
#include "worker/daemon/descriptors_needed.h"
#include "worker/daemon/queue_wait.h"
#include "worker/daemon/status_page.h"
#include "worker/traces/exporter.h"

enum {
    IDLE_WAIT_MS = 250,   /* with nothing to do: all that matters ends the wait, or has a time of its own */
    SLOT_WAIT_MS = 50,    /* while there is no free slot: a shortage ends by itself */
    POLL_MS = 20,         /* drain */
    OPEN_CALLS_MS = 3000, /* drain: for answers to claims under way */
    STOP_GRACE_MS = 5000, /* drain: for handlers that were told to stop (SIGTERM, 2 s, SIGKILL) */
    STATS_EVERY_MS = 60000,
    FLUSH_MS = 15000,      /* drain: for the last delivery reports */
    SPANS_FLUSH_MS = 3000, /* and for the last spans */
};

struct worker {
    const struct config *config;
    struct identity identity;
    struct types types;
    struct slots slots;
    struct status_page *page;
    struct exporter *spans; /* NULL: none are wanted */
    atomic_bool draining;
    struct service service;
    /* from here on known or started by worker_run, in this order */
    int shard_count;
    struct inflight inflight;
    struct gate_cache gates;
    struct lanes lanes;
    struct reporter *reporter;
    struct renewal *renewal;
    struct guard *guard;
    struct hints_reader *hints;
    struct pushed_hints *pushed;
    struct claims *claims;
};

/* ---- finished executions, from any thread ---- */

static void on_finished(void *arg, struct execution *const *executions, size_t count)
{
    struct worker *worker = arg;
    struct served_type *type = executions[0]->type; /* all of one Type */
    int64_t now = clock_boot_ms();

    for (size_t i = 0; i < count; i++) {
        if (executions[i]->shortage)
            slots_short(&worker->slots, type, execution_leader(executions[i])->outcome.text);
        else if (atomic_load(&type->shortage.on))
            slots_worked(&worker->slots, type, executions[i]->started_boot_ms);
        execution_conclude(executions[i], now);
        trace_point(TRACE_FINISHED, execution_leader(executions[i])->id);
    }
    if (type->traced)
        exporter_add(worker->spans, executions, count);
    for (size_t i = 0; i < count; i++)
        execution_let_go(executions[i]);
    reporter_add(worker->reporter, executions, count); /* from here on they are the reporter's */
    slots_free(&worker->slots, type, (int)count);
}

/* ---- life ---- */

static enum status start_spans(struct worker *worker, struct err *err)
{
    const struct exporter_parts parts = {
        .url = worker->config->traces_url,
        .headers_file = worker->config->traces_headers_file,
        .service_name = worker->config->traces_service_name,
        .prefix = worker->config->prefix,
        .instance = worker->identity.instance,
        .worker_uri = worker->identity.uri,
        .host = worker->identity.host,
    };

    return parts.url[0] ? exporter_start(&worker->spans, &parts, err) : ST_OK;
}

struct worker *worker_new(const struct config *config, struct err *err)
{
    struct worker *worker = xcalloc(1, sizeof *worker);
    struct handler_sink sink = { on_finished, worker };

    worker->config = config;
    identity_init(&worker->identity);
    if (types_choose(&worker->types, config, err) != ST_OK) {
        free(worker);
        return NULL;
    }
    slots_init(&worker->slots, (int)config->worker_concurrency);
    if (descriptors_check(&worker->types, worker->slots.concurrency, err) != ST_OK) {
        worker_free(worker);
        return NULL;
    }
    worker->page = status_page_start(config, &worker->identity, err);
    if (worker->page && start_spans(worker, err) == ST_OK && types_open(&worker->types, &sink, err) == ST_OK)
        return worker;
    worker_free(worker);
    return NULL;
}

void worker_free(struct worker *worker)
{
    if (worker->page)
        status_page_stop(worker->page);
    types_close(&worker->types);
    if (worker->spans)
        exporter_stop(worker->spans, SPANS_FLUSH_MS);
    types_release(&worker->types);
    slots_release(&worker->slots);
    free(worker);
}

const char *worker_uri(const struct worker *worker)
{
    return worker->identity.uri;
}

const char *worker_instance(const struct worker *worker)
{
    return worker->identity.instance;
}

/* ---- starting and ending the parts ---- */

static enum status start_renewal(struct worker *worker, struct err *err)
{
    const struct renewal_parts parts = {
        .config = worker->config,
        .identity = &worker->identity,
        .types = &worker->types,
        .slots = worker->slots.concurrency,
        .gates = &worker->gates,
        .inflight = &worker->inflight,
    };

    worker->renewal = renewal_start(&parts, err);
    return worker->renewal ? ST_OK : err->status;
}

static enum status start_claims(struct worker *worker, struct err *err)
{
    const struct claims_parts parts = {
        .config = worker->config,
        .identity = &worker->identity,
        .lanes = &worker->lanes,
        .gates = &worker->gates,
        .slots = &worker->slots,
        .inflight = &worker->inflight,
        .renewal = worker->renewal,
        .reporter = worker->reporter,
        .sink = { on_finished, worker },
    };

    worker->claims = claims_start(&parts, err);
    return worker->claims ? ST_OK : err->status;
}

static enum status start_parts(struct worker *worker, struct err *err)
{
    enum status st;

    inflight_init(&worker->inflight, worker->shard_count);
    gate_cache_init(&worker->gates, worker->shard_count);
    lanes_init(&worker->lanes, &worker->types, worker->shard_count);
    worker->reporter = reporter_start(worker->config, &worker->identity, &worker->inflight, err);
    if (!worker->reporter)
        return err->status;
    st = start_renewal(worker, err);
    if (st != ST_OK)
        return st;
    worker->guard = guard_start(&worker->inflight, worker->renewal, &worker->types, err);
    if (!worker->guard)
        return err->status;
    worker->hints = hints_start(worker->config, worker->identity.instance, &worker->types, &worker->lanes, err);
    if (!worker->hints)
        return err->status;
    worker->pushed = pushed_hints_start(worker->config, &worker->types, &worker->lanes, err);
    return worker->pushed ? start_claims(worker, err) : err->status;
}

/* Leases are renewed until the last outcome is delivered. Answers whether all were. */
static bool stop_parts(struct worker *worker)
{
    bool all;

    if (worker->claims)
        claims_stop(worker->claims);
    if (worker->pushed)
        pushed_hints_stop(worker->pushed);
    if (worker->hints)
        hints_stop(worker->hints);
    if (worker->guard)
        guard_stop(worker->guard);
    all = !worker->reporter || reporter_stop(worker->reporter, FLUSH_MS);
    if (worker->renewal)
        renewal_stop(worker->renewal, all);
    lanes_release(&worker->lanes);
    gate_cache_release(&worker->gates);
    inflight_release(&worker->inflight);
    return all;
}

/* ---- serving ---- */

static void log_stats(struct worker *worker)
{
    const struct reporter *reporter = worker->reporter;
    unsigned long long ok = reporter_delivered(reporter, ENTRY_OK),
                       returned = reporter_delivered(reporter, ENTRY_RETURNED);
    unsigned long long failed = 0;

    for (int kind = 0; kind < ENTRY_KIND_END; kind++) {
        if (kind != ENTRY_OK && kind != ENTRY_RETURNED && kind != ENTRY_SKIPPED)
            failed += reporter_delivered(reporter, (enum entry_kind)kind);
    }
    log_event(LOG_LEVEL_INFO, "stats",
              "claimed=%llu ok=%llu failed=%llu returned=%llu running=%d undelivered=%zu workers=%d",
              (unsigned long long)claims_granted(worker->claims), ok, failed, returned,
              atomic_load(&worker->slots.running), reporter_undelivered(reporter), renewal_workers(worker->renewal));
}

/* For `systemctl status`. */
static void tell_service(struct worker *worker, const char *doing)
{
    int64_t now_ms = clock_boot_ms();
    char away[128];

    if (!service_is_due(&worker->service, now_ms))
        return;
    if (outage_is_on("redis", away, sizeof away) || outage_is_on("kafka", away, sizeof away)) {
        service_tell(&worker->service, now_ms, "waiting: %s", away);
    } else {
        service_tell(&worker->service, now_ms, "%s: %d of %d running; %s", doing, atomic_load(&worker->slots.running),
                     worker->slots.concurrency, worker->types.names);
    }
}

/* Until Kafka or Redis has something for us, a slot that is waited for is free, or it is time for something. */
static void serve_wait(struct worker *worker, bool pushed, int wait_ms)
{
    int also[KAFKA_WAIT_ALSO_MAX] = { worker->slots.wake.fd };
    size_t count = 1;

    count += claims_descriptors(worker->claims, also + count, KAFKA_WAIT_ALSO_MAX / 2);
    if (pushed) {
        count += pushed_hints_descriptors(worker->pushed, also + count, KAFKA_WAIT_ALSO_MAX - count);
        wait_ms = pushed_hints_wait_ms(worker->pushed, wait_ms);
    }
    wait_ms = claims_wait_ms(worker->claims, wait_ms);
    if (wait_ms > 0)
        hints_wait(worker->hints, slots_all_taken(&worker->slots), also, count, wait_ms);
}

/* A turn of the main loop, in this order:
 *
 *   1. beat     the guard expects one every 30 s
 *   2. hints    what Kafka has
 *   3. pushed   what Redis pushes, unless no gate is ready: then Redis may be away, and renewal alone tries it
 *   4. claims   answers that have come are worked on, free slots are asked for
 *   5. wait     when none of that found anything. For a slot only after a second look that was announced: one that was
 *               freed since ends the wait. */
static void serve_turn(struct worker *worker, bool *no_slots)
{
    bool announced = *no_slots, some, pushed = gate_cache_ready_count(&worker->gates) > 0;
    enum claims_wait wait;

    if (announced)
        wake_prepare(&worker->slots.wake);
    some = hints_poll(worker->hints);
    if (pushed)
        pushed_hints_poll(worker->pushed, hints_assigned(worker->hints));
    wait = claims_turn(worker->claims, worker->hints);
    *no_slots = wait == CLAIMS_NO_SLOTS && atomic_load(&worker->slots.running) > 0; /* else they are reserved */
    if (!some && wait != CLAIMS_MORE && *no_slots == announced)
        serve_wait(worker, pushed, *no_slots ? SLOT_WAIT_MS : IDLE_WAIT_MS);
    if (announced)
        wake_done(&worker->slots.wake);
}

static void serve(struct worker *worker, const volatile sig_atomic_t *stop)
{
    int64_t next_stats = clock_boot_ms() + STATS_EVERY_MS;
    bool no_slots = false;

    while (!*stop) {
        guard_beat(worker->guard);
        tell_service(worker, "serving");
        if (clock_boot_ms() >= next_stats) {
            log_stats(worker);
            next_stats += STATS_EVERY_MS;
        }
        serve_turn(worker, &no_slots);
    }
}

static bool wait_until_none_runs(struct worker *worker, int64_t until_boot_ms)
{
    while (atomic_load(&worker->slots.running) > 0 && clock_boot_ms() < until_boot_ms) {
        slots_wait(&worker->slots, POLL_MS);
        tell_service(worker, "draining");
    }
    return atomic_load(&worker->slots.running) == 0;
}

/* No more claims; the partitions go to others at once; what runs gets drain_timeout_ms, then is stopped and given
 * back. */
static void drain(struct worker *worker)
{
    int64_t until = clock_boot_ms() + OPEN_CALLS_MS;

    log_event(LOG_LEVEL_INFO, "draining", "running=%d timeout_ms=%lld", atomic_load(&worker->slots.running),
              (long long)worker->config->drain_timeout_ms);
    atomic_store(&worker->draining, true);
    service_stopping();
    guard_rest(worker->guard);
    claims_drain(worker->claims);
    pushed_hints_stop(worker->pushed); /* others know at once that they have to do our share */
    worker->pushed = NULL;
    hints_stop(worker->hints);
    worker->hints = NULL;
    while (claims_open(worker->claims) && clock_boot_ms() < until) {
        claims_turn(worker->claims, NULL);
        if (claims_open(worker->claims))
            usleep(POLL_MS * 1000);
    }
    if (wait_until_none_runs(worker, clock_boot_ms() + worker->config->drain_timeout_ms))
        return;
    if (inflight_stop_all(&worker->inflight, STOP_DRAIN) > 0)
        types_wake(&worker->types);
    if (wait_until_none_runs(worker, clock_boot_ms() + STOP_GRACE_MS))
        return;
    log_event(LOG_LEVEL_ERROR, "handlers do not end", "running=%d", atomic_load(&worker->slots.running));
    _exit(EXIT_FAILED); /* their threads still hold what we would free; leases and hosts see to the rest */
}

static void show(struct worker *worker)
{
    const struct status_source source = {
        .identity = &worker->identity,
        .types = &worker->types,
        .slots = &worker->slots,
        .inflight = &worker->inflight,
        .gates = &worker->gates,
        .claims = worker->claims,
        .reporter = worker->reporter,
        .guard = worker->guard,
        .spans = worker->spans,
        .draining = &worker->draining,
    };

    status_page_show(worker->page, &source);
}

enum status worker_run(struct worker *worker, const volatile sig_atomic_t *stop, struct err *err)
{
    enum status st =
        queue_wait(worker->config, &worker->types, stop, worker->identity.queue, &worker->shard_count, err);
    bool all;

    if (st != ST_OK || worker->shard_count == 0)
        return st; /* told to stop before anything began, or what will never fit */
    st = start_parts(worker, err);
    if (st == ST_OK) {
        show(worker);
        log_event(LOG_LEVEL_INFO, "serving", "instance=%s uri=%s shards=%d slots=%d types=\"%s\"",
                  worker->identity.instance, worker->identity.uri, worker->shard_count, worker->slots.concurrency,
                  worker->types.names);
        service_ready();
        serve(worker, stop);
        drain(worker);
    }
    status_page_show(worker->page, &(struct status_source){ 0 });
    all = stop_parts(worker);
    if (st == ST_OK && !all) {
        st =
            err_set(err, ST_AGAIN, "some outcomes could not be delivered to the status log; their leases will run out");
    }
    return st;
}
