/* Who requests writes at_us, then reads planned_us; the loop writes planned_us, then reads at_us. So one of the two sees the
 * other's, in whatever order they come (all of it is sequentially consistent). */
#include "coordinator/loop/tick_requests.h"

#include <stdlib.h>

#include "common/base/memory.h"

int64_t tick_most_ms(const struct config *config, bool quiet)
{
    int64_t most_ms = quiet && config->tick_max_ms < TICK_QUIET_MS ? TICK_QUIET_MS : config->tick_max_ms;

    return most_ms > config->lease_ms / 2 ? config->lease_ms / 2 : most_ms;
}

void tick_requests_init(struct tick_requests *tick_requests, int shards)
{
    tick_requests->shards = shards;
    tick_requests->of = xcalloc((size_t)shards, sizeof *tick_requests->of);
    for (int s = 0; s < shards; s++) {
        atomic_init(&tick_requests->of[s].at_us, INT64_MAX);
        atomic_init(&tick_requests->of[s].planned_us, INT64_MAX);
    }
}

void tick_requests_release(struct tick_requests *tick_requests)
{
    free(tick_requests->of);
    tick_requests->of = NULL;
}

bool tick_request(struct tick_requests *tick_requests, int shard, int64_t at_us)
{
    struct tick_request *request = &tick_requests->of[shard];
    struct wake *runner = atomic_load(&request->runner);
    int64_t known = atomic_load(&request->at_us);

    if (!runner)
        return false;
    while (at_us < known && !atomic_compare_exchange_weak(&request->at_us, &known, at_us))
        ;
    if (at_us < atomic_load(&request->planned_us))
        wake_up(runner);
    return true;
}

void tick_request_plan(struct tick_requests *tick_requests, int shard, struct wake *runner, int64_t planned_us)
{
    atomic_store(&tick_requests->of[shard].runner, runner);
    atomic_store(&tick_requests->of[shard].planned_us, planned_us);
}

void tick_request_leave(struct tick_requests *tick_requests, int shard, const struct wake *runner)
{
    struct wake *mine = atomic_load(&tick_requests->of[shard].runner);

    if (mine && mine == runner) /* else another loop of this process has taken it over already */
        atomic_compare_exchange_strong(&tick_requests->of[shard].runner, &mine, NULL);
}

int64_t tick_request_take(struct tick_requests *tick_requests, int shard)
{
    struct tick_request *request = &tick_requests->of[shard];

    return atomic_load(&request->at_us) == INT64_MAX ? INT64_MAX : atomic_exchange(&request->at_us, INT64_MAX);
}
