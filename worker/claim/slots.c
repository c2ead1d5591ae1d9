/* A slot is reserved (a call asks for it), then running (granted), then free. `reserved` is the claiming thread's alone, so
 * the sum is read without a lock: others only free what runs.
 *
 * A shortage (no process, no memory, no descriptor) lowers a Type's slots to what worked. More are tried again by half as
 * many at a time; a try that fails doubles the pause before the next one, a try that works halves it. */
#include "worker/claim/slots.h"

#include <poll.h>

#include "common/base/clock.h"
#include "common/base/log.h"

void slots_init(struct slots *slots, int concurrency)
{
    slots->concurrency = concurrency;
    slots->reserved = 0;
    slots->freed_seen = 0;
    atomic_init(&slots->running, 0);
    atomic_init(&slots->freed, 0);
    pthread_mutex_init(&slots->lock, NULL);
    wake_init(&slots->wake);
}

void slots_release(struct slots *slots)
{
    wake_release(&slots->wake);
    pthread_mutex_destroy(&slots->lock);
}

/* ---- shortage ---- */

void slots_short(struct slots *slots, struct served_type *type, const char *why)
{
    struct shortage *shortage = &type->shortage;
    int works = atomic_load(&type->running) - 1;
    int64_t now = clock_boot_ms();

    pthread_mutex_lock(&slots->lock);
    if (!atomic_load(&shortage->on)) {
        *shortage = (struct shortage){ .slots = type->concurrency, .pause_ms = SHORTAGE_PAUSE_LEAST_MS };
        shortage->next_try_boot_ms = now + shortage->pause_ms;
        atomic_store(&shortage->on, true);
        log_error_text(LOG_LEVEL_WARNING, "shortage began", why, "type=%s running=%d of=%d", type->config->name, works,
                       type->concurrency);
    } else if (shortage->tried_more) {
        shortage->pause_ms *= 2;
        if (shortage->pause_ms > SHORTAGE_PAUSE_MOST_MS)
            shortage->pause_ms = SHORTAGE_PAUSE_MOST_MS;
        shortage->next_try_boot_ms = now + shortage->pause_ms;
    }
    shortage->tried_more = false;
    shortage->worked = false;
    shortage->failed_boot_ms = now;
    if (works < shortage->slots)
        shortage->slots = works;
    pthread_mutex_unlock(&slots->lock);
}

void slots_worked(struct slots *slots, struct served_type *type, int64_t started_boot_ms)
{
    struct shortage *shortage = &type->shortage;

    if (!atomic_load(&shortage->on))
        return;
    pthread_mutex_lock(&slots->lock);
    shortage->worked |= started_boot_ms >= shortage->failed_boot_ms;
    pthread_mutex_unlock(&slots->lock);
}

/* Slots that this Type may use just now. */
static int usable(struct slots *slots, struct served_type *type)
{
    struct shortage *shortage = &type->shortage;
    int64_t now;
    int count;

    if (!atomic_load(&shortage->on))
        return type->concurrency;
    now = clock_boot_ms();
    pthread_mutex_lock(&slots->lock);
    if (now >= shortage->next_try_boot_ms && shortage->slots < type->concurrency) {
        if (shortage->tried_more && shortage->pause_ms > SHORTAGE_PAUSE_LEAST_MS)
            shortage->pause_ms /= 2; /* that worked */
        shortage->tried_more = true;
        shortage->slots += 1 + shortage->slots / 2;
        shortage->next_try_boot_ms = now + shortage->pause_ms;
    } else if (now >= shortage->next_try_boot_ms && shortage->worked) {
        atomic_store(&shortage->on, false);
        log_event(LOG_LEVEL_INFO, "shortage ended", "type=%s", type->config->name);
    }
    count = shortage->slots;
    pthread_mutex_unlock(&slots->lock);
    return count < type->concurrency ? count : type->concurrency;
}

/* ---- slots ---- */

int slots_left(struct slots *slots, struct served_type *type)
{
    int of_type = usable(slots, type) - type->reserved - atomic_load(&type->running);
    int of_worker = slots->concurrency - slots->reserved - atomic_load(&slots->running);
    int left = of_type < of_worker ? of_type : of_worker;

    return left > 0 ? left : 0;
}

/* Where handlers hold most slots, a call for one of them costs Redis as much as one for eight, and what is granted together
 * mostly ends together, in one shard, so that one message tells of it. Half of the slots are enough. */
bool slots_gather(struct slots *slots, struct served_type *type, size_t waiting, int64_t now_boot_ms)
{
    int most = type->concurrency < slots->concurrency ? type->concurrency : slots->concurrency;
    int left = slots_left(slots, type);

    if (left == 0 || (size_t)left >= waiting || left * 2 >= most)
        return false;
    if (type->gather_until_boot_ms == 0)
        type->gather_until_boot_ms = now_boot_ms + SLOTS_GATHER_MS;
    return now_boot_ms < type->gather_until_boot_ms;
}

bool slots_all_taken(const struct slots *slots)
{
    return slots->concurrency <= slots->reserved + atomic_load(&slots->running);
}

void slots_reserve(struct slots *slots, struct served_type *type, int count)
{
    slots->reserved += count;
    type->reserved += count;
    type->gather_until_boot_ms = 0;
}

void slots_unreserve(struct slots *slots, struct served_type *type, int count)
{
    slots->reserved -= count;
    type->reserved -= count;
}

void slots_run(struct slots *slots, struct served_type *type, int count)
{
    atomic_fetch_add(&slots->running, count);
    atomic_fetch_add(&type->running, count);
}

void slots_free(struct slots *slots, struct served_type *type, int count)
{
    atomic_fetch_sub(&slots->running, count);
    atomic_fetch_sub(&type->running, count);
    atomic_fetch_add(&slots->freed, 1u);
    wake_up(&slots->wake);
}

void slots_wait(struct slots *slots, int timeout_ms)
{
    struct pollfd woken = { .fd = slots->wake.fd, .events = POLLIN };

    wake_prepare(&slots->wake);
    if (atomic_load(&slots->freed) == slots->freed_seen)
        poll(&woken, 1, timeout_ms);
    wake_done(&slots->wake);
    slots->freed_seen = atomic_load(&slots->freed);
}
