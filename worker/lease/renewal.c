/* A turn of the thread has four phases, each a round trip at most (calls are pipelined: all are sent, then all answers are
 * received in the order of sending):
 *
 *   1. refresh     the gates that are not ready are read in Redis; a higher generation is adopted
 *   2. reassert    shards whose generation is new are told all that runs here, once: Redis may have forgotten it
 *   3. renew       every lease / 6: what runs in shards that are ready; where a shard replays its logs, reassert again
 *   4. wait        until the next renewal, or until the claiming thread closes a gate
 *
 * When phase 1 finds Redis away, 2 and 3 are left out. Of a cluster one server may be away: its shards' gates are closed, and
 * what is said of a shard below holds for all others. An answer is about the leases that its call carried: executions
 * remember the number of the call (inflight_list), so an answer that comes late extends nothing that was claimed since. */
#include "worker/lease/renewal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/thread.h"
#include "common/config/queue_identity.h"

enum {
    GATE_REFRESH_MS = 100, /* at a gate that is not open */
    RENEWALS_PER_LEASE = 6,
    IDLE_TURNS = 2, /* a shard where nothing of ours runs is told that we live every so many renewals */
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
    uint64_t outages_told_on; /* connection on which it was told last that there are none; 0: some were told */
    int64_t *told;            /* of each shard: the generation under which it was last told that we live */
    unsigned turn;
    struct lease_list leases;
    struct renewal_call *calls;
    size_t call_count, call_capacity;
    int64_t sent_boot_ms;
};

int renewal_workers(const struct renewal *renewal)
{
    int workers = atomic_load(&renewal->workers);

    return workers > 1 ? workers : 1;
}

int64_t renewal_lease_ms(const struct renewal *renewal)
{
    return atomic_load(&renewal->lease_ms);
}

static void redis_lost(struct renewal *renewal, const char *text)
{
    outage_begin(&renewal->outage, "redis", text);
    gate_cache_close_all(renewal->parts.gates);
}

/* Its server, and no other. */
static void shard_lost(struct renewal *renewal, int shard, const char *text)
{
    outage_begin(&renewal->outage, "redis", text);
    gate_cache_close(renewal->parts.gates, shard);
}

/* ---- gates ---- */

static enum status gates_send(struct renewal *renewal, struct err *err)
{
    struct gate_cache *gates = renewal->parts.gates;
    enum status st;

    renewal->call_count = 0;
    for (int shard = 0; shard < gates->shard_count; shard++) {
        if (atomic_load(&gates->shards[shard].state) == GATE_READY)
            continue;
        st = gate_send(renewal->redis, shard, err);
        if (st != ST_OK)
            return st;
        GROW(renewal->calls, renewal->call_count, renewal->call_capacity);
        renewal->calls[renewal->call_count++] = (struct renewal_call){ shard, 0 };
    }
    return ST_OK;
}

/* The run id belongs to a connection: another one may be to another server. */
static enum status read_run_id(struct renewal *renewal, struct err *err)
{
    enum status st = redis_connect(renewal->redis, err);

    if (st != ST_OK || renewal->run_id_connection == redis_connection_number(renewal->redis))
        return st;
    st = functions_run_id(renewal->redis, renewal->run_id, err);
    if (st == ST_OK)
        renewal->run_id_connection = redis_connection_number(renewal->redis);
    return st;
}

/* A failure is that of one server, and others are there? */
static bool is_of_one_server(const struct renewal *renewal)
{
    return redis_is_cluster(renewal->redis) && redis_connected(renewal->redis);
}

/* Another queue on the same addresses: what this worker runs is of one that is gone, and its reports would be dropped. */
static enum status check_queue(struct renewal *renewal, struct err *err)
{
    const char *ours = renewal->parts.identity->queue;
    struct queue_identity found;
    enum status st = queue_identity_read(renewal->redis, &found, err);

    if (st == ST_AGAIN && is_of_one_server(renewal)) { /* the one that knows: it is asked when it is back */
        *err = (struct err)ERR_INIT;
        return ST_OK;
    }
    if (st != ST_OK || !ours[0] || !found.genesis[0] || strcmp(ours, found.genesis) == 0)
        return st;
    log_event(LOG_LEVEL_ERROR, "another queue", "ours=%s found=%s redis=%s advice=start-this-worker-again", ours,
              found.genesis, redis_address(renewal->redis));
    _exit(EXIT_CONFIG); /* handlers die with it, by their hosts */
}

/* All gates that are not ready, in one round trip. Answers whether Redis was there. */
static bool gates_refresh(struct renewal *renewal)
{
    struct gate_cache *gates = renewal->parts.gates;
    struct err err = ERR_INIT;
    bool all_there = true;
    enum status st;

    if (gate_cache_ready_count(gates) == gates->shard_count)
        return true;
    st = read_run_id(renewal, &err);
    if (st == ST_OK)
        st = check_queue(renewal, &err);
    if (st == ST_OK)
        st = gates_send(renewal, &err);
    for (size_t i = 0; i < renewal->call_count && st == ST_OK; i++) {
        struct gate gate;

        st = gate_receive(renewal->redis, renewal->run_id, &gate, &err);
        if (st == ST_OK) {
            gate_cache_update(gates, renewal->calls[i].shard, &gate);
        } else if (st == ST_AGAIN && is_of_one_server(renewal)) {
            shard_lost(renewal, renewal->calls[i].shard, err.text);
            all_there = false;
            st = ST_OK;
        }
    }
    if (st == ST_OK && all_there)
        outage_end(&renewal->outage, "redis");
    if (st == ST_OK)
        return true;
    redis_disconnect(renewal->redis); /* replies may be outstanding */
    redis_lost(renewal, err.text);
    return false;
}

/* ---- renewing ---- */

/* Nothing of ours runs in this shard, it knows of us, and it is another's turn to hear it again. */
static bool may_wait(const struct renewal *renewal, int shard, int64_t generation)
{
    return renewal->leases.count == 0 && renewal->told[shard] == generation &&
           (renewal->turn + (unsigned)shard) % IDLE_TURNS != 0;
}

/* Calls for one shard: its leases in portions, or one without any. */
static enum status renewals_send(struct renewal *renewal, int shard, bool reassert, struct err *err)
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
    enum status st;

    inflight_list(parts->inflight, shard, number, &renewal->leases);
    if (!reassert && may_wait(renewal, shard, call.generation))
        return ST_OK;
    do {
        size_t left = renewal->leases.count - done;

        call.leases = renewal->leases.leases + done;
        call.lease_count = left < LEASES_PER_CALL ? left : LEASES_PER_CALL;
        st = reassert ? reassert_send(renewal->redis, &call, err) : renew_send(renewal->redis, &call, err);
        if (st != ST_OK)
            return st;
        GROW(renewal->calls, renewal->call_count, renewal->call_capacity);
        renewal->calls[renewal->call_count++] = (struct renewal_call){ shard, number };
        renewal->last_number = number++;
        done += call.lease_count;
    } while (done < renewal->leases.count);
    return ST_OK;
}

static void apply_answer(struct renewal *renewal, const struct renewal_call *call, struct renew_answer *answer)
{
    const struct renewal_parts *parts = &renewal->parts;

    atomic_store(&renewal->lease_ms, answer->lease_ms);
    atomic_store(&renewal->workers, answer->workers);
    parts->gates->shards[call->shard].reasserted = true;
    renewal->told[call->shard] = atomic_load(&parts->gates->shards[call->shard].generation);
    inflight_renewed(parts->inflight, call->shard, call->number, renewal->sent_boot_ms + answer->lease_ms, answer);
}

static void renewals_receive(struct renewal *renewal)
{
    struct gate_cache *gates = renewal->parts.gates;

    for (size_t i = 0; i < renewal->call_count; i++) {
        struct renew_answer answer = { 0 };
        struct err err = ERR_INIT;
        enum status st = renew_receive(renewal->redis, &answer, &err);

        if (st == ST_OK)
            apply_answer(renewal, &renewal->calls[i], &answer);
        else if (st == ST_FENCED || st == ST_RECOVERING)
            gate_cache_close(gates, renewal->calls[i].shard);
        else if (redis_shard_away(renewal->redis, renewal->calls[i].shard))
            shard_lost(renewal, renewal->calls[i].shard, err.text);
        else if (!redis_connected(renewal->redis))
            redis_lost(renewal, err.text);
        else
            log_error_text(LOG_LEVEL_WARNING, "renewal refused", err.text, "shard=%d", renewal->calls[i].shard);
        renew_answer_release(&answer);
    }
    types_wake(renewal->parts.types); /* leases last longer, something was told to stop: handlers look */
}

static void renew_shards(struct renewal *renewal, bool (*wanted)(const struct cached_gate *gate), bool reassert)
{
    struct gate_cache *gates = renewal->parts.gates;
    struct err err = ERR_INIT;

    renewal->call_count = 0;
    renewal->sent_boot_ms = clock_boot_ms();
    for (int shard = 0; shard < gates->shard_count; shard++) {
        if (wanted(&gates->shards[shard]) && renewals_send(renewal, shard, reassert, &err) != ST_OK) {
            redis_disconnect(renewal->redis);
            redis_lost(renewal, err.text);
            return;
        }
    }
    renewals_receive(renewal);
}

/* What the heartbeat has no room for, to shard 0: outages that some thread of ours sees, until they are told to be over. */
static void tell_outages(struct renewal *renewal)
{
    char kafka[256], status_log[256], claims[256];
    const struct beat beat = {
        .kind = "worker", .instance = renewal->parts.identity->instance, .kafka = kafka, .redis = claims
    };
    struct err err = ERR_INIT;
    bool on = outage_is_on("kafka", kafka, sizeof kafka);

    if (outage_is_on("status log", status_log, sizeof status_log) && !on) {
        memcpy(kafka, status_log, sizeof kafka);
        on = true;
    }
    on |= outage_is_on("claims", claims, sizeof claims);
    if (!on && renewal->outages_told_on == redis_connection_number(renewal->redis))
        return;
    renewal->outages_told_on = 0;
    if (beat_send(renewal->redis, &beat, &err) != ST_OK || beat_receive(renewal->redis, &err) != ST_OK)
        log_error_text(LOG_LEVEL_DEBUG, "outage not told", err.text, "instance=%s", beat.instance);
    else if (!on)
        renewal->outages_told_on = redis_connection_number(renewal->redis);
}

/* Every shard knows this worker, and would miss it. */
static void leave(struct renewal *renewal)
{
    struct beat beat = { .kind = "worker", .instance = renewal->parts.identity->instance, .left = true };
    struct err err = ERR_INIT;
    int sent = 0;

    for (; beat.shard < renewal->parts.gates->shard_count; beat.shard++) {
        if (beat_send(renewal->redis, &beat, &err) != ST_OK)
            break;
        sent++;
    }
    for (; sent > 0; sent--) {
        if (beat_receive(renewal->redis, &err) != ST_OK)
            log_error_text(LOG_LEVEL_DEBUG, "leaving not told", err.text, "instance=%s", beat.instance);
    }
}

static bool is_ready(const struct cached_gate *gate)
{
    return atomic_load(&gate->state) == GATE_READY;
}

static bool is_replaying(const struct cached_gate *gate)
{
    return atomic_load(&gate->state) == GATE_REPLAYING;
}

static bool is_to_be_reasserted(const struct cached_gate *gate)
{
    return is_replaying(gate) && !gate->reasserted;
}

static void *renewal_loop(void *arg)
{
    struct renewal *renewal = arg;
    struct gate_cache *gates = renewal->parts.gates;

    pthread_setname_np(pthread_self(), "renewal");
    while (!atomic_load(&renewal->stopping)) {
        bool connected = gates_refresh(renewal), all_ready;
        int64_t now = clock_boot_ms(), wait_ms;

        if (connected)
            renew_shards(renewal, is_to_be_reasserted, true);
        if (connected && now >= renewal->next_boot_ms) {
            renewal->next_boot_ms = now + renewal_lease_ms(renewal) / RENEWALS_PER_LEASE;
            renew_shards(renewal, is_ready, false);
            renew_shards(renewal, is_replaying, true);
            renewal->turn++;
            if (redis_connected(renewal->redis))
                tell_outages(renewal);
        }
        all_ready = gate_cache_ready_count(gates) == gates->shard_count;
        wait_ms = renewal->next_boot_ms - clock_boot_ms();
        if (!all_ready && !(wait_ms < GATE_REFRESH_MS))
            wait_ms = GATE_REFRESH_MS;
        if (!connected)
            wait_ms = GATE_REFRESH_MS;
        gate_cache_wait(gates, wait_ms > 0 ? (int)wait_ms : 0);
    }
    return NULL;
}

/* ---- life ---- */

struct renewal *renewal_start(const struct renewal_parts *parts, struct err *err)
{
    struct renewal *renewal = xcalloc(1, sizeof *renewal);

    renewal->parts = *parts;
    renewal->told = xcalloc((size_t)parts->gates->shard_count, sizeof *renewal->told);
    atomic_init(&renewal->lease_ms, parts->config->lease_ms);
    renewal->redis = redis_new(parts->config->redis_url, (int)parts->config->redis_timeout_ms, err);
    if (!renewal->redis || thread_start(&renewal->thread, renewal_loop, renewal, "the renewal's", err) != ST_OK) {
        redis_free(renewal->redis);
        free(renewal->told);
        free(renewal);
        return NULL;
    }
    return renewal;
}

void renewal_stop(struct renewal *renewal, bool all_reported)
{
    struct gate_cache *gates = renewal->parts.gates;

    atomic_store(&renewal->stopping, true);
    pthread_mutex_lock(&gates->lock);
    gates->refresh_wanted = true;
    pthread_cond_signal(&gates->changed);
    pthread_mutex_unlock(&gates->lock);
    pthread_join(renewal->thread, NULL);
    if (all_reported)
        leave(renewal);
    redis_free(renewal->redis);
    lease_list_release(&renewal->leases);
    free(renewal->told);
    free(renewal->calls);
    free(renewal);
}
