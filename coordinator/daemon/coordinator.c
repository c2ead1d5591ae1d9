#include "coordinator/daemon/coordinator.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/base/checksum.h"
#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/base/thread.h"
#include "common/service/service.h"
#include "coordinator/actions/actions.h"
#include "coordinator/http/endpoint.h"
#include "coordinator/intake/intake.h"
#include "coordinator/loop/end_poller.h"
#include "coordinator/loop/health_beat.h"
#include "coordinator/loop/loop_metrics.h"
#include "coordinator/daemon/startup.h"
#include "coordinator/status/statuslog.h"

enum { WATCH_MS = 100 }; /* a turn of the watching thread */

struct coordinator {
    struct shared shared;
    bool rebuild;
    struct loop *loops;
    int loop_count;
    bool was_ready;
    int64_t stats_at_ms;
    struct service service;
};

/* ---- life ---- */

static void loops_name(struct coordinator *coordinator, const char *kind, void (*run)(struct loop *), int64_t count)
{
    for (int64_t i = 1; i <= count; i++) {
        struct loop *loop = &coordinator->loops[coordinator->loop_count++];

        *loop = (struct loop){ .shared = &coordinator->shared, .run = run };
        wake_init(&loop->wake);
        snprintf(loop->name, sizeof loop->name, "%s-%" PRId64, kind, i);
    }
}

struct coordinator *coordinator_new(const struct config *config, bool rebuild)
{
    struct coordinator *coordinator = xcalloc(1, sizeof *coordinator);
    char host[64] = "";

    gethostname(host, sizeof host - 1);
    coordinator->rebuild = rebuild;
    coordinator->shared.config = config;
    snprintf(coordinator->shared.instance, sizeof coordinator->shared.instance, "%s-%d-%" PRIx64, host, (int)getpid(),
             (uint64_t)clock_wall_ms());
    pthread_mutex_init(&coordinator->shared.library_lock, NULL);
    tick_requests_init(&coordinator->shared.tick_requests, (int)config->shards);
    log_ends_init(&coordinator->shared.ends, (int)config->submit_partitions, (int)config->shards);
    health_init(&coordinator->shared.health, (int)config->submit_partitions, (int)config->shards);
    coordinator->loops = xcalloc((size_t)(config->intake_loops + config->status_loops + 3), sizeof *coordinator->loops);
    loops_name(coordinator, "status", statuslog_run, config->status_loops);
    loops_name(coordinator, "intake", intake_run, config->intake_loops);
    loops_name(coordinator, "ends", end_poller_run, 1);
    loops_name(coordinator, "actions", actions_run, 1);
    loops_name(coordinator, "health", health_beat_run, 1);
    coordinator->loops[coordinator->loop_count - 1].redis_only = true;
    return coordinator;
}

void coordinator_free(struct coordinator *coordinator)
{
    if (!coordinator)
        return;
    log_ends_release(&coordinator->shared.ends);
    health_release(&coordinator->shared.health);
    pthread_mutex_destroy(&coordinator->shared.library_lock);
    tick_requests_release(&coordinator->shared.tick_requests);
    for (int i = 0; i < coordinator->loop_count; i++)
        wake_release(&coordinator->loops[i].wake);
    free(coordinator->loops);
    free(coordinator);
}

void coordinator_stop(struct coordinator *coordinator)
{
    atomic_store(&coordinator->shared.stop, true);
}

bool coordinator_ready(const struct coordinator *coordinator)
{
    for (int i = 0; i < coordinator->loop_count; i++) {
        const struct loop *loop = &coordinator->loops[i];

        if (!atomic_load(&loop->assigned) || atomic_load(&loop->ready) != atomic_load(&loop->owned))
            return false;
    }
    return true;
}

const struct counters *coordinator_counters(const struct coordinator *coordinator)
{
    return &coordinator->shared.counters;
}

/* ---- loops ---- */

static void *loop_thread(void *arg)
{
    struct loop *loop = arg;
    struct err err = ERR_INIT;

    loop_beat(loop);
    if (loop_open(loop, &err) == ST_OK)
        loop->run(loop);
    else
        loop_fatal(loop, EXIT_CONFIG, err.text);
    loop_close(loop);
    atomic_store(&loop->beat_ms, 0);
    return NULL;
}

static void loops_start(struct coordinator *coordinator)
{
    for (int i = 0; i < coordinator->loop_count; i++) {
        struct loop *loop = &coordinator->loops[i];
        struct err err = ERR_INIT;

        loop->started = thread_start(&loop->thread, loop_thread, loop, "a loop's", &err) == ST_OK;
        if (!loop->started)
            loop_fatal(loop, EXIT_FAILED, err.text);
    }
}

static void loops_join(struct coordinator *coordinator)
{
    for (int i = 0; i < coordinator->loop_count; i++)
        wake_up(&coordinator->loops[i].wake);
    for (int i = 0; i < coordinator->loop_count; i++) {
        if (coordinator->loops[i].started)
            pthread_join(coordinator->loops[i].thread, NULL);
    }
}

/* ---- watching ---- */

/* librdkafka 2.0.2 takes any poll, of its other queues too, for a sign of life: a loop that hangs would keep its
 * partitions for ever. */
static void watch_loops(struct coordinator *coordinator)
{
    int64_t now_ms = clock_boot_ms();

    for (int i = 0; i < coordinator->loop_count; i++) {
        const struct loop *loop = &coordinator->loops[i];
        int64_t beat_ms = atomic_load(&loop->beat_ms);

        if (beat_ms == 0 || now_ms - beat_ms < WATCHDOG_MS)
            continue;
        log_event(LOG_LEVEL_ERROR, "loop stands still", "loop=%s ms=%" PRId64, loop->name, now_ms - beat_ms);
        abort();
    }
}

/* What the loops own of the two kinds, or of it what is ready. */
struct share {
    int shards, partitions;
};

static void count_share(const struct coordinator *coordinator, struct share *owned, struct share *ready)
{
    *owned = *ready = (struct share){ 0 };
    for (int i = 0; i < coordinator->loop_count; i++) {
        const struct loop *loop = &coordinator->loops[i];
        bool is_status = loop->run == statuslog_run;

        *(is_status ? &owned->shards : &owned->partitions) += atomic_load(&loop->owned);
        *(is_status ? &ready->shards : &ready->partitions) += atomic_load(&loop->ready);
    }
}

static void watch_ready(struct coordinator *coordinator)
{
    struct share owned, ready;

    if (coordinator->was_ready || !coordinator_ready(coordinator))
        return;
    coordinator->was_ready = true;
    count_share(coordinator, &owned, &ready);
    log_event(LOG_LEVEL_INFO, "ready", "shards=%d submit-partitions=%d", owned.shards, owned.partitions);
    service_ready();
}

static void watch_stats(struct coordinator *coordinator, int64_t now_ms)
{
    struct buf line;

    if (now_ms - coordinator->stats_at_ms < STATS_MS)
        return;
    coordinator->stats_at_ms = now_ms;
    buf_init(&line, 4096);
    counters_print(&coordinator->shared.counters, &line);
    log_event(LOG_LEVEL_INFO, "stats", "%s", line.data);
    buf_release(&line);
}

/* For `systemctl status`: what is away first, since everything else follows from it. */
static void tell_service(struct coordinator *coordinator, int64_t now_ms)
{
    const struct counters *counters = &coordinator->shared.counters;
    struct share owned, ready;
    char away[128];

    count_share(coordinator, &owned, &ready);
    if (outage_is_on("redis", away, sizeof away) || outage_is_on("kafka", away, sizeof away)) {
        service_tell(&coordinator->service, now_ms, "waiting: %s", away);
    } else if (!coordinator_ready(coordinator)) {
        service_tell(&coordinator->service, now_ms, "taking over: %d of %d shards and %d of %d submit partitions ready",
                     ready.shards, owned.shards, ready.partitions, owned.partitions);
    } else {
        service_tell(&coordinator->service, now_ms,
                     "serving %d shards and %d submit partitions; recorded %" PRId64 ", outcomes %" PRId64,
                     owned.shards, owned.partitions, atomic_load(&counters->ingested),
                     atomic_load(&counters->outcomes));
    }
}

static void watch(struct coordinator *coordinator)
{
    int64_t now_ms = clock_boot_ms();

    coordinator->stats_at_ms = now_ms;
    while (!atomic_load(&coordinator->shared.stop)) {
        nanosleep(&(struct timespec){ .tv_nsec = WATCH_MS * 1000000L }, NULL);
        now_ms = clock_boot_ms();
        watch_loops(coordinator);
        watch_ready(coordinator);
        watch_stats(coordinator, now_ms);
        if (service_is_due(&coordinator->service, now_ms))
            tell_service(coordinator, now_ms);
    }
}

/* ---- run ---- */

static void coordinator_log_start(const struct coordinator *coordinator)
{
    const struct config *config = coordinator->shared.config;

    log_event(LOG_LEVEL_INFO, "start",
              "version=%s kafka-library=\"%s\" functions=%016" PRIx64 " instance=%s kafka=%s "
              "prefix=%s shards=%" PRId64 " submit-partitions=%" PRId64 " loops=%d",
              BGOP_VERSION, kafka_version(), checksum_crc64(0, functions_code, functions_code_size),
              coordinator->shared.instance, config->brokers, config->prefix, config->shards, config->submit_partitions,
              coordinator->loop_count);
}

static int run_loops(struct coordinator *coordinator)
{
    int exit_code = startup_run(&coordinator->shared, coordinator->rebuild);
    if (exit_code != 0 || atomic_load(&coordinator->shared.stop))
        return exit_code;
    loops_start(coordinator);
    watch(coordinator);
    log_event(LOG_LEVEL_INFO, "stopping", "exit=%d", atomic_load(&coordinator->shared.exit_code));
    service_stopping();
    loops_join(coordinator);
    if (atomic_load(&coordinator->shared.exit_code) == 0)
        health_leave(&coordinator->shared); /* one that must end is told of as one that died */
    log_event(LOG_LEVEL_INFO, "stopped", "exit=%d", atomic_load(&coordinator->shared.exit_code));
    return atomic_load(&coordinator->shared.exit_code);
}

/* ---- what the endpoint asks ---- */

static void about_metrics(void *arg, struct metrics *metrics)
{
    struct coordinator *coordinator = arg;

    loop_metrics_put(metrics, &coordinator->shared);
}

static bool about_ready(void *arg, char *why, size_t size)
{
    struct coordinator *coordinator = arg;

    if (outage_is_on("redis", why, size) || outage_is_on("kafka", why, size))
        return false;
    if (!coordinator_ready(coordinator)) {
        snprintf(why, size, "not every shard and partition that it has is being read yet");
        return false;
    }
    snprintf(why, size, "ready");
    return true;
}

/* The endpoint is there before everything else, and until everything else has ended: whoever asks meanwhile is told to
 * come again. */
int coordinator_run(struct coordinator *coordinator)
{
    const struct endpoint_about about = { coordinator, about_metrics, about_ready };
    struct endpoint *endpoint;
    struct err err = ERR_INIT;
    enum status st;
    int exit_code;

    coordinator_log_start(coordinator);
    st = endpoint_start(&endpoint, coordinator->shared.config, &about, &err);
    if (st != ST_OK) {
        exit_code = st == ST_INVALID ? EXIT_CONFIG : EXIT_FAILED;
        log_error_text(LOG_LEVEL_ERROR, "cannot start", err.text, "exit=%d", exit_code);
        return exit_code;
    }
    exit_code = run_loops(coordinator);
    endpoint_stop(endpoint);
    return exit_code;
}
