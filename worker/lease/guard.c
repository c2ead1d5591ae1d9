/* Takes no lock that anybody holds while waiting, and calls neither Redis nor Kafka: what it watches may hang in either. */
#include "worker/lease/guard.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/wait.h"
#include "common/base/thread.h"

enum { CHECK_EVERY_MS = 200 };

struct guard {
    struct inflight *inflight;
    const struct renewal *renewal;
    const struct types *types;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping;
    atomic_llong beat_boot_ms; /* 0: none expected */
};

static void check_stall(const struct guard *guard, int64_t now)
{
    int64_t beat = atomic_load(&guard->beat_boot_ms);

    if (beat == 0 || now - beat < GUARD_STALL_MS)
        return;
    log_event(LOG_LEVEL_ERROR, "stalled",
              "loop=consume stalled_ms=%lld action=abort next=\"its service manager or container runtime has to start "
              "it again; its work goes to other workers\"",
              (long long)(now - beat));
    abort();
}

static void *guard_loop(void *arg)
{
    struct guard *guard = arg;
    bool stopping = false;

    pthread_setname_np(pthread_self(), "guard");
    while (!stopping) {
        int64_t now = clock_boot_ms();

        check_stall(guard, now);
        if (inflight_stop_expiring(guard->inflight, now + lease_margin_ms(renewal_lease_ms(guard->renewal))) > 0)
            types_wake(guard->types);
        pthread_mutex_lock(&guard->lock);
        if (!guard->stopping)
            wait_cond(&guard->changed, &guard->lock, CHECK_EVERY_MS);
        stopping = guard->stopping;
        pthread_mutex_unlock(&guard->lock);
    }
    return NULL;
}

struct guard *guard_start(struct inflight *inflight, const struct renewal *renewal, const struct types *types,
                          struct err *err)
{
    struct guard *guard = xcalloc(1, sizeof *guard);

    guard->inflight = inflight;
    guard->renewal = renewal;
    guard->types = types;
    pthread_mutex_init(&guard->lock, NULL);
    wait_cond_init(&guard->changed);
    if (thread_start(&guard->thread, guard_loop, guard, "the guard's", err) == ST_OK)
        return guard;
    pthread_cond_destroy(&guard->changed);
    pthread_mutex_destroy(&guard->lock);
    free(guard);
    return NULL;
}

void guard_stop(struct guard *guard)
{
    pthread_mutex_lock(&guard->lock);
    guard->stopping = true;
    pthread_cond_signal(&guard->changed);
    pthread_mutex_unlock(&guard->lock);
    pthread_join(guard->thread, NULL);
    pthread_cond_destroy(&guard->changed);
    pthread_mutex_destroy(&guard->lock);
    free(guard);
}

void guard_beat(struct guard *guard)
{
    atomic_store(&guard->beat_boot_ms, clock_boot_ms());
}

int64_t guard_stalled_ms(const struct guard *guard)
{
    int64_t beat = atomic_load(&guard->beat_boot_ms);

    return beat == 0 ? 0 : clock_boot_ms() - beat;
}

void guard_rest(struct guard *guard)
{
    atomic_store(&guard->beat_boot_ms, 0);
}
