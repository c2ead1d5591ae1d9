/* A list for each shard, not a table by Id: every renewal walks it anyway, and losses and cancels are so rare that each walk
 * can look them up in the answer (sorted once). */
#include "worker/lease/inflight.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"

void inflight_init(struct inflight *inflight, int shard_count)
{
    inflight->shard_count = shard_count;
    inflight->shards = xcalloc((size_t)shard_count, sizeof *inflight->shards);
    for (int i = 0; i < shard_count; i++)
        pthread_mutex_init(&inflight->shards[i].lock, NULL);
}

void inflight_release(struct inflight *inflight)
{
    for (int i = 0; i < inflight->shard_count; i++)
        pthread_mutex_destroy(&inflight->shards[i].lock);
    free(inflight->shards);
    memset(inflight, 0, sizeof *inflight);
}

void inflight_add(struct inflight *inflight, struct execution *executions, size_t count)
{
    struct inflight_shard *shard = &inflight->shards[executions->shard];

    pthread_mutex_lock(&shard->lock);
    for (size_t i = 0; i < count; i++) {
        executions[i].previous = NULL;
        executions[i].next = shard->first;
        if (shard->first)
            shard->first->previous = &executions[i];
        shard->first = &executions[i];
    }
    pthread_mutex_unlock(&shard->lock);
}

void inflight_remove(struct inflight *inflight, struct execution *execution)
{
    struct inflight_shard *shard = &inflight->shards[execution->shard];

    pthread_mutex_lock(&shard->lock);
    if (execution->next)
        execution->next->previous = execution->previous;
    if (execution->previous)
        execution->previous->next = execution->next;
    else
        shard->first = execution->next;
    pthread_mutex_unlock(&shard->lock);
}

/* ---- renewal ---- */

void lease_list_release(struct lease_list *list)
{
    free(list->leases);
    memset(list, 0, sizeof *list);
}

void inflight_list(struct inflight *inflight, int shard_number, uint64_t number, struct lease_list *list)
{
    struct inflight_shard *shard = &inflight->shards[shard_number];

    list->count = 0;
    pthread_mutex_lock(&shard->lock);
    for (struct execution *execution = shard->first; execution; execution = execution->next) {
        const struct member *leader = execution_leader(execution);
        struct lease_ref *lease;

        if (execution->orphans_of[0])
            continue; /* it has none */
        GROW(list->leases, list->count, list->capacity);
        lease = &list->leases[list->count];
        memcpy(lease->id, leader->id, ID_SIZE);
        lease->token = leader->token;
        lease->type = execution->type->config->name;
        lease->started_at_ms = execution->started_at_ms;
        execution->renewal = number + list->count++ / LEASES_PER_CALL;
    }
    pthread_mutex_unlock(&shard->lock);
}

/* Tells it once. */
static int stop(struct execution *execution, enum stop_reason why)
{
    int none = STOP_NONE;

    if (atomic_load(&execution->finished) || !atomic_compare_exchange_strong(&execution->stop, &none, (int)why))
        return 0;
    log_event(LOG_LEVEL_WARNING, "stopping", "op=%s type=%s attempt=%u members=%d why=%s",
              execution_leader(execution)->id, execution->type->config->name,
              token_attempt(execution_leader(execution)->token), execution->member_count, stop_reason_name(why));
    return 1;
}

static int compare_ids(const void *left, const void *right)
{
    return memcmp(left, right, ID_LENGTH);
}

static bool is_lost(const struct execution *execution, const struct renew_answer *answer)
{
    return answer->lost_count > 0 && bsearch(execution_leader(execution)->id, answer->lost, answer->lost_count,
                                             sizeof *answer->lost, compare_ids);
}

/* The cancel of one member of a group does not end the work of the others: it takes effect when the group fails, or
 * when all its members are canceled. */
static bool is_canceled(struct execution *execution, const struct renew_answer *answer)
{
    int canceled = 0;

    if (answer->cancel_count == 0)
        return false;
    for (int i = 0; i < execution->member_count; i++) {
        struct member *member = &execution->members[i];

        member->canceled |=
            bsearch(member->id, answer->cancels, answer->cancel_count, sizeof *answer->cancels, compare_ids) != NULL;
        canceled += member->canceled;
    }
    return canceled == execution->member_count;
}

int inflight_renewed(struct inflight *inflight, int shard_number, uint64_t number, int64_t lease_end_boot_ms,
                     struct renew_answer *answer)
{
    struct inflight_shard *shard = &inflight->shards[shard_number];
    int told = 0;

    if (answer->lost_count > 0)
        qsort(answer->lost, answer->lost_count, sizeof *answer->lost, compare_ids);
    if (answer->cancel_count > 0)
        qsort(answer->cancels, answer->cancel_count, sizeof *answer->cancels, compare_ids);
    pthread_mutex_lock(&shard->lock);
    for (struct execution *execution = shard->first; execution; execution = execution->next) {
        if (execution->renewal != number)
            continue;
        if (is_lost(execution, answer)) {
            told += stop(execution, STOP_LOST_LEASE);
            continue; /* somebody else may have it: it ends at the old end at the latest */
        }
        atomic_store(&execution->lease_end_boot_ms, lease_end_boot_ms);
        if (is_canceled(execution, answer))
            told += stop(execution, STOP_CANCEL);
    }
    pthread_mutex_unlock(&shard->lock);
    return told;
}

/* ---- stopping ---- */

static int stop_those(struct inflight *inflight, int64_t lease_end_before_boot_ms, enum stop_reason why)
{
    int told = 0;

    for (int i = 0; i < inflight->shard_count; i++) {
        pthread_mutex_lock(&inflight->shards[i].lock);
        for (struct execution *execution = inflight->shards[i].first; execution; execution = execution->next) {
            if (atomic_load(&execution->lease_end_boot_ms) < lease_end_before_boot_ms)
                told += stop(execution, why);
        }
        pthread_mutex_unlock(&inflight->shards[i].lock);
    }
    return told;
}

int inflight_stop_expiring(struct inflight *inflight, int64_t lease_end_before_boot_ms)
{
    return stop_those(inflight, lease_end_before_boot_ms, STOP_LOST_LEASE);
}

int inflight_stop_all(struct inflight *inflight, enum stop_reason why)
{
    return stop_those(inflight, INT64_MAX, why);
}

void inflight_visit(struct inflight *inflight, void (*visit)(void *arg, const struct execution *execution), void *arg)
{
    for (int i = 0; i < inflight->shard_count; i++) {
        pthread_mutex_lock(&inflight->shards[i].lock);
        for (const struct execution *execution = inflight->shards[i].first; execution; execution = execution->next) {
            if (!atomic_load(&execution->finished))
                visit(arg, execution);
        }
        pthread_mutex_unlock(&inflight->shards[i].lock);
    }
}
