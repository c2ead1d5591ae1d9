#include "worker/renewal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"

enum {
    LEASE_MARGIN_MS = 3000,
    LOOK_AGAIN_MS = 100, /* at a gate that is not open */
    RENEWALS_PER_LEASE = 6,
};

/* One call under way. */
struct renewal_call {
    int shard;
    uint64_t number;
};

struct renewal {
    struct renewal_parts parts;
    struct redis *redis;
    pthread_t thread;
    atomic_bool stopping;
    atomic_int workers;
    struct outage outage;
    int64_t next_boot_ms;  /* of the next renewal of all shards */
    atomic_llong lease_ms; /* as the last answer said */
    uint64_t last_number;
    uint64_t run_id_connection; /* connection on which run_id was read */
    char run_id[64];
    struct lease_list leases;
    struct renewal_call *calls;
    size_t call_count, call_capacity;
    int64_t sent_boot_ms;
};

int64_t renewal_margin_ms(int64_t lease_ms)
{
    return lease_ms / 3 < LEASE_MARGIN_MS ? lease_ms / 3 : LEASE_MARGIN_MS;
}

int renewal_workers(const struct renewal *renewal)
{
    int workers = atomic_load(&renewal->workers);

    return workers > 1 ? workers : 1;
}

int64_t renewal_lease_ms(const struct renewal *renewal)
{
    return atomic_load(&renewal->lease_ms);
}

static void redis_is_away(struct renewal *renewal, const char *text)
{
    outage_begin(&renewal->outage, "redis", text);
    shard_gates_close_all(renewal->parts.gates);
}

/* ---- looking at gates ---- */

static enum status look_send(struct renewal *renewal, struct err *err)
{
    struct shard_gates *gates = renewal->parts.gates;
    enum status status;

    renewal->call_count = 0;
    for (int shard = 0; shard < gates->shard_count; shard++) {
        if (atomic_load(&gates->shards[shard].state) == GATE_READY)
            continue;
        status = gate_send(renewal->redis, shard, err);
        if (status != ST_OK)
            return status;
        GROW(renewal->calls, renewal->call_count, renewal->call_capacity);
        renewal->calls[renewal->call_count++] = (struct renewal_call){ shard, 0 };
    }
    return ST_OK;
}

/* The run id belongs to a connection: another one may be to another server. */
static enum status learn_run_id(struct renewal *renewal, struct err *err)
{
    enum status status = redis_connect(renewal->redis, err);

    if (status != ST_OK || renewal->run_id_connection == redis_connection_number(renewal->redis))
        return status;
    status = functions_run_id(renewal->redis, renewal->run_id, err);
    if (status == ST_OK)
        renewal->run_id_connection = redis_connection_number(renewal->redis);
    return status;
}

/* All gates that are not open, in one round trip. Answers whether Redis was there. */
static bool look_at_gates(struct renewal *renewal)
{
    struct shard_gates *gates = renewal->parts.gates;
    struct err err = ERR_INIT;
    enum status status;

    if (shard_gates_ready_count(gates) == gates->shard_count)
        return true;
    status = learn_run_id(renewal, &err);
    if (status == ST_OK)
        status = look_send(renewal, &err);
    for (size_t i = 0; i < renewal->call_count && status == ST_OK; i++) {
        struct gate gate;

        status = gate_receive(renewal->redis, renewal->run_id, &gate, &err);
        if (status == ST_OK)
            shard_gates_adopt(gates, renewal->calls[i].shard, &gate);
    }
    if (status == ST_OK) {
        outage_end(&renewal->outage, "redis");
        return true;
    }
    redis_disconnect(renewal->redis); /* replies may be outstanding */
    redis_is_away(renewal, err.text);
    return false;
}

/* ---- renewing ---- */

/* Calls for one shard: its leases in portions, or one without any. */
static enum status send_shard(struct renewal *renewal, int shard, bool reassert, struct err *err)
{
    const struct renewal_parts *parts = &renewal->parts;
    struct renew call = {
        .shard = shard,
        .generation = atomic_load(&parts->gates->shards[shard].generation),
        .instance = parts->identity->instance,
        .worker_uri = parts->identity->uri,
        .types = parts->types->names,
        .slots = parts->slots,
    };
    uint64_t number = renewal->last_number + 1;
    size_t done = 0;
    enum status status;

    inflight_list(parts->inflight, shard, number, &renewal->leases);
    do {
        size_t left = renewal->leases.count - done;

        call.leases = renewal->leases.leases + done;
        call.lease_count = left < LEASES_PER_CALL ? left : LEASES_PER_CALL;
        status = reassert ? reassert_send(renewal->redis, &call, err) : renew_send(renewal->redis, &call, err);
        if (status != ST_OK)
            return status;
        GROW(renewal->calls, renewal->call_count, renewal->call_capacity);
        renewal->calls[renewal->call_count++] = (struct renewal_call){ shard, number };
        renewal->last_number = number++;
        done += call.lease_count;
    } while (done < renewal->leases.count);
    return ST_OK;
}

static void take_answer(struct renewal *renewal, const struct renewal_call *call, struct renew_answer *answer)
{
    const struct renewal_parts *parts = &renewal->parts;

    atomic_store(&renewal->lease_ms, answer->lease_ms);
    atomic_store(&renewal->workers, answer->workers);
    parts->gates->shards[call->shard].reasserted = true;
    if (inflight_renewed(parts->inflight, call->shard, call->number, renewal->sent_boot_ms + answer->lease_ms, answer) >
        0)
        types_wake(parts->types);
}

static void receive_all(struct renewal *renewal)
{
    struct shard_gates *gates = renewal->parts.gates;

    for (size_t i = 0; i < renewal->call_count; i++) {
        struct renew_answer answer = { 0 };
        struct err err = ERR_INIT;
        enum status status = renew_receive(renewal->redis, &answer, &err);

        if (status == ST_OK)
            take_answer(renewal, &renewal->calls[i], &answer);
        else if (status == ST_FENCED || status == ST_RECOVERING)
            shard_gates_close(gates, renewal->calls[i].shard);
        else if (!redis_connected(renewal->redis))
            redis_is_away(renewal, err.text);
        else
            log_error_text(LOG_LEVEL_WARNING, "renewal refused", err.text, "shard=%d", renewal->calls[i].shard);
        renew_answer_release(&answer);
    }
}

static void renew(struct renewal *renewal, bool (*wanted)(const struct shard_gate *gate), bool reassert)
{
    struct shard_gates *gates = renewal->parts.gates;
    struct err err = ERR_INIT;

    renewal->call_count = 0;
    renewal->sent_boot_ms = clock_boot_ms();
    for (int shard = 0; shard < gates->shard_count; shard++)
        if (wanted(&gates->shards[shard]) && send_shard(renewal, shard, reassert, &err) != ST_OK) {
            redis_disconnect(renewal->redis);
            redis_is_away(renewal, err.text);
            return;
        }
    receive_all(renewal);
}

static bool is_ready(const struct shard_gate *gate)
{
    return atomic_load(&gate->state) == GATE_READY;
}

static bool is_replaying(const struct shard_gate *gate)
{
    return atomic_load(&gate->state) == GATE_REPLAYING;
}

static bool is_to_be_reasserted(const struct shard_gate *gate)
{
    return is_replaying(gate) && !gate->reasserted;
}

static void *renewal_loop(void *arg)
{
    struct renewal *renewal = arg;
    struct shard_gates *gates = renewal->parts.gates;

    pthread_setname_np(pthread_self(), "renewal");
    while (!atomic_load(&renewal->stopping)) {
        bool there = look_at_gates(renewal), all_ready;
        int64_t now = clock_boot_ms(), wait_ms;

        if (there)
            renew(renewal, is_to_be_reasserted, true);
        if (there && now >= renewal->next_boot_ms) {
            renewal->next_boot_ms = now + renewal_lease_ms(renewal) / RENEWALS_PER_LEASE;
            renew(renewal, is_ready, false);
            renew(renewal, is_replaying, true);
        }
        all_ready = shard_gates_ready_count(gates) == gates->shard_count;
        wait_ms = renewal->next_boot_ms - clock_boot_ms();
        if (!all_ready && !(wait_ms < LOOK_AGAIN_MS))
            wait_ms = LOOK_AGAIN_MS;
        if (!there)
            wait_ms = LOOK_AGAIN_MS;
        shard_gates_wait(gates, wait_ms > 0 ? (int)wait_ms : 0);
    }
    return NULL;
}

/* ---- life ---- */

struct renewal *renewal_start(const struct renewal_parts *parts, struct err *err)
{
    struct renewal *renewal = xcalloc(1, sizeof *renewal);

    renewal->parts = *parts;
    atomic_init(&renewal->lease_ms, parts->config->lease_ms);
    renewal->redis = redis_new(parts->config->redis_url, (int)parts->config->redis_timeout_ms, err);
    if (!renewal->redis || pthread_create(&renewal->thread, NULL, renewal_loop, renewal) != 0) {
        if (renewal->redis)
            err_set(err, ST_FAILED, "cannot start the renewal thread");
        redis_free(renewal->redis);
        free(renewal);
        return NULL;
    }
    return renewal;
}

void renewal_stop(struct renewal *renewal)
{
    struct shard_gates *gates = renewal->parts.gates;

    atomic_store(&renewal->stopping, true);
    pthread_mutex_lock(&gates->lock);
    gates->look = true;
    pthread_cond_signal(&gates->changed);
    pthread_mutex_unlock(&gates->lock);
    pthread_join(renewal->thread, NULL);
    redis_free(renewal->redis);
    lease_list_release(&renewal->leases);
    free(renewal->calls);
    free(renewal);
}
