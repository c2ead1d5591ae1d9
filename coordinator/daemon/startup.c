/* The steps are a table, gone through in order; a step that finds a server away is tried again until it is there, one
 * that finds what only a person can change ends the process. */
#include "coordinator/daemon/startup.h"

#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/service/service.h"
#include "coordinator/daemon/genesis.h"
#include "coordinator/daemon/redis_checks.h"
#include "coordinator/daemon/topics.h"

enum { RETRY_MS = 500 };

struct startup {
    struct shared *shared;
    struct redis *redis;
    struct appender appender;
    struct topics topics;
    struct service service;
};

/* ---- the steps, in order ---- */

static enum status step_redis(struct startup *startup, struct err *err)
{
    if (redis_connect(startup->redis, err) != ST_OK)
        return err->status;
    return redis_checks_run(startup->redis, err);
}

static enum status step_queue(struct startup *startup, struct err *err)
{
    struct genesis_wanted wanted = { startup->shared->config, startup->shared->instance, startup->shared->rebuild };

    return genesis_precheck(&wanted, startup->redis, err);
}

static enum status step_kafka(struct startup *startup, struct err *err)
{
    return topics_check(&startup->topics, startup->shared->config, err);
}

static enum status step_genesis(struct startup *startup, struct err *err)
{
    struct shared *shared = startup->shared;
    struct genesis_wanted wanted = { shared->config, shared->instance, shared->rebuild };
    enum status st =
        genesis_settle(&wanted, startup->redis, &startup->appender, shared->genesis, sizeof shared->genesis, err);

    if (st != ST_MISSING || !err->server)
        return st;
    err->status = ST_AGAIN; /* the topics are there: a broker that does not know one of them yet will */
    return ST_AGAIN;
}

static enum status server_functions(void *arg, struct redis *redis, struct err *err)
{
    struct library library;
    bool loaded;

    (void)arg;
    if (functions_load(redis, &loaded, err) != ST_OK)
        return err->status;
    if (loaded)
        log_event(LOG_LEVEL_INFO, "functions loaded", "bytes=%zu redis=%s", functions_code_size, redis_address(redis));
    if (functions_look(redis, "coordinator", &library, err) != ST_OK)
        return err->status;
    return redis_user_check(redis, &library, err);
}

static enum status step_functions(struct startup *startup, struct err *err)
{
    return redis_each_there(startup->redis, server_functions, NULL, err);
}

static const struct step {
    const char *outage; /* what is away while it answers ST_AGAIN */
    enum status (*run)(struct startup *startup, struct err *err);
} steps[] = {
    { "redis", step_redis },   { "kafka", step_queue },     { "kafka", step_kafka },
    { "kafka", step_genesis }, { "redis", step_functions },
};

/* ---- running them ---- */

static const char *of(const struct step *step, const struct err *err)
{
    return err->server ? err->server : step->outage;
}

static enum status step_run(const struct step *step, struct startup *startup, struct err *err)
{
    struct outage outage = { 0 };
    const char *away = step->outage;

    for (;;) {
        enum status st;

        *err = (struct err)ERR_INIT;
        st = step->run(startup, err);
        if (redis_is_refusal(err)) /* what a person must change is no outage */
            st = err->status = ST_INVALID;
        if (outage.on && (st != ST_AGAIN || strcmp(away, of(step, err)) != 0))
            outage_end(&outage, away); /* a step may ask both servers */
        if (st != ST_AGAIN)
            return st;
        away = of(step, err);
        service_tell(&startup->service, clock_boot_ms(), "waiting to start: %s", err->text);
        outage_begin(&outage, away, err->text);
        if (atomic_load(&startup->shared->stop))
            return ST_AGAIN;
        nanosleep(&(struct timespec){ .tv_nsec = RETRY_MS * 1000000L }, NULL);
    }
}

static enum status startup_open(struct startup *startup, struct err *err)
{
    const struct config *config = startup->shared->config;

    topics_init(&startup->topics, config);
    startup->redis = redis_new(config->redis_url, (int)config->redis_timeout_ms, err);
    if (!startup->redis)
        return err->status;
    if (appender_start(&startup->appender, config, &startup->shared->counters, err) != ST_OK)
        return err->status;
    startup->appender.stop = &startup->shared->stop;
    return ST_OK;
}

int startup_run(struct shared *shared, bool rebuild)
{
    struct startup startup = { .shared = shared };
    struct err err = ERR_INIT;
    enum status st;

    shared->rebuild = rebuild;
    st = startup_open(&startup, &err);

    for (size_t i = 0; i < sizeof steps / sizeof *steps && st == ST_OK && !atomic_load(&shared->stop); i++)
        st = step_run(&steps[i], &startup, &err);
    if (startup.appender.producer)
        appender_stop(&startup.appender);
    redis_free(startup.redis);
    topics_release(&startup.topics);
    if (st == ST_OK || st == ST_AGAIN)
        return 0;
    log_error_text(LOG_LEVEL_ERROR, "cannot start", err.text, "exit=%d", st == ST_INVALID ? EXIT_CONFIG : EXIT_FAILED);
    return st == ST_INVALID ? EXIT_CONFIG : EXIT_FAILED;
}
