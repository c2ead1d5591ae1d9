/* A claim call lives from its first sending to its answer. Redis grants under the call's nonce, and remembers per instance
 * and Type what the last nonce was granted: so a call whose reply was lost is sent again as it was, and answered as it was.
 * Three kinds of answer:
 *
 *   granted          executions start; the Ids that the call carried are acknowledged, granted or not (another worker has
 *                    them, or they wait for something and will be hinted again)
 *   FENCED, RECOVERING, no Redis     says nothing about any operation: the gate closes, call and hints stay. Of a cluster one
 *                    server may be away: then the gates of its shards close
 *   refused          INVALID: nothing was done under this nonce, so the call is over; else it is repeated later
 *
 * Nothing is waited for here. A lane has one call under way at most, all lanes together as many as there are slots for
 * (`sent`, a ring, in the order of the calls; in that order one server answers, of a cluster each its own). A turn takes
 * what has arrived, answer by answer, and behind each asks with the slots that it left or freed: so Redis has the next
 * calls while one answer is worked on. */
#include "worker/claim/claims.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/crash_point.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/pace.h"
#include "common/base/stage.h"

enum {
    CLAIM_MOST_IDS = CLAIM_MOST_OPERATIONS,
    TRUNCATED_BYTES = 512 * 1024, /* of payloads: from here on an answer may have been cut */
    PULL_WANT = 64,
    PULL_EVERY_MS = 4000, /* each lane, by all workers together ... */
    PULL_LEAST_MS = 10,   /* ... but no more calls than one in this time */
    PULL_FIRST_MS = 1000, /* after the start */
    UNHINTED_PULL_EVERY_MS =
        100,             /* each lane of a Type that has work and whose hints go elsewhere, by all workers together */
    BUSY_FOR_MS = 10000, /* a Type has work: since the last hint or grant */
    ORPHAN_PULL_EVERY_MS = 20, /* at a lane where a look found something ... */
    ORPHAN_FOR_MS = 2000,      /* ... in this time: its hints reach nobody */
    BACK_OFF_MS = 200,         /* after a refusal that is no verdict */
    UNFIT_MS = 5000,           /* after a group that this worker cannot run */
    LOOK_AGAIN_MS = 10,        /* for what has no descriptor: a gate that opens, a reporter that has room again */
    GATHERED_IDS = 128,        /* with so many there is nothing to wait for */
};

struct claims {
    struct claims_parts parts;
    struct redis *redis;
    struct lane **sent; /* ring of all lanes: calls under way, the oldest first */
    size_t sent_first, sent_count;
    size_t first;           /* lane at which the next turn begins: slots go round */
    int64_t looked_boot_ms; /* when lanes were last looked at: what was due then is blocked by something else */
    uint64_t last_nonce;
    struct pace pace;         /* of what is granted */
    _Atomic uint64_t granted; /* the status page reads it */
    unsigned random;
    bool draining;
    struct outage outage; /* refusals of a Redis that is there: OOM, BUSY ...; its absence is renewal's */
};

/* ---- choosing ---- */

static int64_t jitter(struct claims *claims, int64_t ms)
{
    return ms / 2 + (int64_t)rand_r(&claims->random) % (ms + 1);
}

static void open_call(struct claims *claims, struct lane *lane, size_t id_count, int want)
{
    slots_reserve(claims->parts.slots, lane->type, want);
    lane->gather_until_boot_ms = 0;
    lane->call = (struct claim_call){
        .open = true,
        .nonce = ++claims->last_nonce,
        .id_count = id_count,
        .want = want,
        .backlog_epoch = lane->backlog.epoch,
    };
}

static void close_call(struct claims *claims, struct lane *lane)
{
    slots_unreserve(claims->parts.slots, lane->type, lane->call.want);
    lane->call.open = false;
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* Its answer will come late, or never. */
static void park_call(struct claims *claims, struct lane *lane)
{
    slots_unreserve(claims->parts.slots, lane->type, lane->call.want);
    lane->call.parked = true;
}

/* Asks for no more than there are slots by now. What it was granted already, if it was, may be more: the rest is given back. */
static bool unpark_call(struct claims *claims, struct lane *lane)
{
    struct claim_call *call = &lane->call;
    int left = slots_left(claims->parts.slots, lane->type);

    if (left == 0)
        return false;
    call->want = least(call->want, left);
    call->id_count = call->id_count < (size_t)call->want ? call->id_count : (size_t)call->want;
    slots_reserve(claims->parts.slots, lane->type, call->want);
    call->parked = false;
    return true;
}

/* Between two pulls of a lane by this worker. */
static int64_t pull_every_ms(const struct claims *claims)
{
    int64_t all = (int64_t)claims->parts.lanes->count * PULL_LEAST_MS;

    return (all > PULL_EVERY_MS ? all : PULL_EVERY_MS) * renewal_workers(claims->parts.renewal);
}

/* Hints of a worker that died, and all hints while the consumer group is being balanced, reach nobody for up to its
 * session timeout. So what a Type with work has pending elsewhere is pulled often; what was released just
 * now is left to its hint. */
static bool unhinted_pull_due(const struct lane *lane, int64_t now)
{
    return now < lane->type->busy_until_boot_ms && !lane_is_hinted(lane, now) &&
           now >= lane->next_unhinted_pull_boot_ms;
}

static int64_t unhinted_pull_every_ms(struct claims *claims, const struct lane *lane, int64_t now)
{
    return now < lane->orphan_until_boot_ms
               ? ORPHAN_PULL_EVERY_MS
               : jitter(claims, UNHINTED_PULL_EVERY_MS * renewal_workers(claims->parts.renewal));
}

static void note_work(struct lane *lane, int64_t now)
{
    lane->type->busy_until_boot_ms = now + BUSY_FOR_MS;
}

/* The slots for a call to this lane; 0: not now. Where most slots are taken by calls under way, not by what runs, those calls
 * leave or free many soon: a call for a few would cost Redis as much as one for many, and small ones would breed small ones. */
static int slots_for_call(const struct claims *claims, const struct lane *lane)
{
    struct slots *slots = claims->parts.slots;
    int left = slots_left(slots, lane->type);
    bool more_soon = claims->sent_count > 0 && slots->reserved > atomic_load(&slots->running);

    return more_soon && (size_t)left < lane->backlog.id_count && left < CLAIM_MOST_IDS ? 0 : left;
}

/* Under load a lane's hints gather for some milliseconds, from the first on. */
static bool still_gathers(struct claims *claims, struct lane *lane, int64_t now)
{
    if (lane->gather_until_boot_ms == 0)
        lane->gather_until_boot_ms = now + pace_gather_ms(&claims->pace, now);
    return now < lane->gather_until_boot_ms && lane->backlog.id_count < GATHERED_IDS;
}

/* Opens a call for the lane when there is something to ask for. A pull comes before hints when it is due: it takes the
 * oldest, which hints that were lost would leave behind for ever under a load that never ends. */
static bool open_if_wanted(struct claims *claims, struct lane *lane, int64_t now, bool *no_slots)
{
    size_t hinted = lane->backlog.id_count;
    bool pull = now >= lane->next_pull_boot_ms || (!hinted && unhinted_pull_due(lane, now));
    int left;

    if (hinted)
        note_work(lane, now);
    if (!pull && (!hinted || still_gathers(claims, lane, now)))
        return false;
    left = slots_for_call(claims, lane);
    if (left == 0 || (!pull && slots_gather(claims->parts.slots, lane->type, lane->backlog.id_count, now))) {
        *no_slots = true;
        return false;
    }
    if (pull) {
        lane->next_pull_boot_ms = now + jitter(claims, pull_every_ms(claims));
        lane->next_unhinted_pull_boot_ms = now + unhinted_pull_every_ms(claims, lane, now);
        open_call(claims, lane, 0, least(left, PULL_WANT));
    } else {
        int want = least(left, hinted < CLAIM_MOST_IDS ? (int)hinted : CLAIM_MOST_IDS);

        open_call(claims, lane, (size_t)want, want);
    }
    return true;
}

/* ---- asking ---- */

static enum status send_call(struct claims *claims, struct lane *lane, int64_t generation, struct err *err)
{
    char ids[CLAIM_MOST_IDS][ID_SIZE], nonce[24];
    struct claim claim = {
        .shard = lane->shard,
        .generation = generation,
        .instance = claims->parts.identity->instance,
        .worker_uri = claims->parts.identity->uri,
        .nonce = nonce,
        .type = lane->type->config->name,
        .want = lane->call.want,
        .ids = ids,
    };

    if (lane->call.backlog_epoch == lane->backlog.epoch) /* else its hints are somebody else's now; the nonce will do */
        claim.id_count = backlog_peek(&lane->backlog, ids, lane->call.id_count);
    snprintf(nonce, sizeof nonce, "%" PRIu64, lane->call.nonce);
    lane->call.sent_boot_ms = clock_boot_ms();
    crash_point(CRASH_CLAIM_BEFORE);
    return claim_send(claims->redis, &claim, err);
}

/* Redis is away: what is under way was answered to nobody, and is sent again under the same nonce. */
static void redis_lost(struct claims *claims)
{
    redis_disconnect(claims->redis);
    gate_cache_close_all(claims->parts.gates);
    for (; claims->sent_count > 0; claims->sent_count--) {
        claims->sent[claims->sent_first]->call.sent = false;
        claims->sent_first = (claims->sent_first + 1) % claims->parts.lanes->count;
    }
}

/* Takes the lane of this call, counted from the oldest, out of the ring. */
static struct lane *take_sent(struct claims *claims, int number)
{
    size_t room = claims->parts.lanes->count, first = claims->sent_first;
    struct lane *lane = claims->sent[(first + (size_t)number) % room];

    for (size_t i = (size_t)number; i > 0; i--)
        claims->sent[(first + i) % room] = claims->sent[(first + i - 1) % room];
    claims->sent_first = (first + 1) % room;
    claims->sent_count--;
    lane->call.sent = false;
    return lane;
}

static enum status put_under_way(struct claims *claims, struct lane *lane, int64_t generation, struct err *err)
{
    enum status st = send_call(claims, lane, generation, err);

    if (st != ST_OK)
        return st;
    claims->sent[(claims->sent_first + claims->sent_count++) % claims->parts.lanes->count] = lane;
    lane->call.sent = true;
    return ST_OK;
}

/* Sends a call for every lane that has one to be sent, or wants one. */
static void calls_send(struct claims *claims, bool *no_slots)
{
    const struct lanes *lanes = claims->parts.lanes;
    bool may_open = !claims->draining && !reporter_full(claims->parts.reporter);
    int64_t now = clock_boot_ms(), generation;
    struct err err = ERR_INIT;

    claims->looked_boot_ms = now;
    for (size_t i = 0; i < lanes->count; i++) {
        struct lane *lane = &lanes->all[(claims->first + i) % lanes->count];

        if (lane->call.sent || now < lane->not_before_boot_ms ||
            !gate_cache_ready(claims->parts.gates, lane->shard, &generation))
            continue;
        if (!lane->call.open && (!may_open || !open_if_wanted(claims, lane, now, no_slots)))
            continue;
        if (lane->call.parked && !unpark_call(claims, lane)) {
            *no_slots = true;
            continue;
        }
        if (put_under_way(claims, lane, generation, &err) != ST_OK) {
            redis_lost(claims);
            return;
        }
    }
    claims->first = (claims->first + 1) % lanes->count;
}

/* ---- answers ---- */

/* A group without its leader; or one whose Type merges by the coordinator's configuration and not by this worker's: its
 * handler does not speak the group protocol. */
static bool is_unfit(const struct execution *execution)
{
    return execution->orphans_of[0] || (execution->member_count > 1 && !execution->type->group);
}

/* Why it is not to be started; NULL: it is. Else the worker leaves, or the answer took so long that the lease is about
 * to end. */
static const char *reason_to_return(const struct claims *claims, const struct execution *execution, int64_t now)
{
    int64_t margin = lease_margin_ms(renewal_lease_ms(claims->parts.renewal));

    if (is_unfit(execution)) {
        return execution->orphans_of[0] ? "granted without its leader"
                                        : "this worker's configuration does not merge this Type (merge_max)";
    }
    if (claims->draining)
        return "the worker shut down";
    return now + margin < atomic_load(&execution->lease_end_boot_ms) ? NULL : "claimed too late to be started";
}

static void return_execution(struct claims *claims, struct execution *execution, const char *why)
{
    struct lane *lane = lanes_at(claims->parts.lanes, execution->type->index, execution->shard);

    if (is_unfit(execution)) {
        log_error_text(LOG_LEVEL_ERROR, "group given back", why, "op=%s type=%s members=%d",
                       execution_leader(execution)->id, execution->type->config->name, execution->member_count);
        lane->not_before_boot_ms = clock_boot_ms() + UNFIT_MS; /* not again and again: it waits for other settings */
    }
    execution_settlef(execution, ENTRY_RETURNED, "%s", why);
    claims->parts.sink.finished(claims->parts.sink.arg, &execution, 1);
}

/* most: slots that the call had. */
static void start(struct claims *claims, struct served_type *type, struct claim_batch *batch, size_t most)
{
    struct execution *all[CLAIM_MOST_IDS];
    size_t count = batch->count, started = 0;
    struct execution *executions = batch->executions; /* the batch may be gone when its last one is finished */
    int64_t now = clock_boot_ms();

    for (size_t i = 0; i < count; i++)
        stage_point(STAGE_GRANTED, execution_leader(&executions[i])->id);
    slots_run(claims->parts.slots, type, (int)count);
    inflight_add(claims->parts.inflight, executions, count);
    crash_point(CRASH_START_BEFORE);
    for (size_t i = 0; i < count; i++) {
        const char *why = i < most ? reason_to_return(claims, &executions[i], now) : "its slot was another's by then";

        if (why)
            return_execution(claims, &executions[i], why);
        else
            all[started++] = &executions[i];
        if (started == CLAIM_MOST_IDS || (started > 0 && i + 1 == count)) {
            type->handler->start(type->state, all, started);
            started = 0;
        }
    }
}

static bool is_granted(const struct claim_answer *answer, const char id[ID_SIZE])
{
    for (size_t i = 0; i < answer->count; i++) {
        if (strcmp(answer->ops[i].id, id) == 0)
            return true;
    }
    return false;
}

/* An Id may come twice: from Redis and from Kafka. */
static bool is_first(char (*ids)[ID_SIZE], size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(ids[i], ids[index]) == 0)
            return false;
    }
    return true;
}

/* An answer has bounds of its own: where groups are made, or with large payloads, Redis may have stopped early. */
static bool is_truncated(const struct lane *lane, const struct claim_answer *answer)
{
    size_t executions = 0, bytes = 0;

    for (size_t i = 0; i < answer->count; i++) {
        executions += answer->ops[i].leader_id[0] == '\0';
        bytes += answer->ops[i].payload_size;
    }
    return executions < (size_t)lane->call.want && (lane->type->group || bytes >= TRUNCATED_BYTES);
}

/* How many of the Ids that were asked for have their verdict, granted or not. All; but of an answer that was cut only
 * those up to the last granted one (they are looked at in order): the others are asked for again. */
static size_t acknowledged_count(const struct lane *lane, const struct claim_answer *answer)
{
    char ids[CLAIM_MOST_IDS][ID_SIZE];
    size_t count;

    if (!is_truncated(lane, answer))
        return lane->call.id_count;
    count = backlog_peek(&lane->backlog, ids, lane->call.id_count);
    while (count > 0 && !(is_granted(answer, ids[count - 1]) && is_first(ids, count - 1)))
        count--;
    return count > 0 ? count : lane->call.id_count;
}

static void apply_grants(struct claims *claims, struct lane *lane, struct claim_answer *answer,
                         struct hints_reader *hints)
{
    struct claim_call call = lane->call;
    struct claim_batch *batch;

    close_call(claims, lane);
    claims->granted += answer->count;
    pace_count(&claims->pace, answer->count, clock_boot_ms());
    if (call.id_count == 0 && answer->count > 0 && lane->backlog.id_count == 0) {
        lane->next_pull_boot_ms = 0; /* there may be more */
        lane->orphan_until_boot_ms = clock_boot_ms() + ORPHAN_FOR_MS;
    }
    if (answer->count > 0)
        note_work(lane, clock_boot_ms());
    if (hints && call.backlog_epoch == lane->backlog.epoch)
        hints_acknowledge(hints, lane, acknowledged_count(lane, answer));
    batch = claim_batch_new(answer, lane->type, lane->shard, call.sent_boot_ms);
    if (batch)
        start(claims, lane->type, batch, (size_t)call.want);
}

/* No verdict: keep the hints and the call, ask again. */
static void defer_call(struct claims *claims, struct lane *lane, enum status st, const struct err *err)
{
    lane->not_before_boot_ms = clock_boot_ms() + BACK_OFF_MS;
    if (redis_shard_away(claims->redis, lane->shard)) {
        gate_cache_close(claims->parts.gates, lane->shard);
        park_call(claims, lane);
    } else if (!redis_connected(claims->redis)) {
        redis_lost(claims); /* the calls may have been executed: their nonces will tell */
    } else if (st == ST_FENCED || st == ST_RECOVERING) {
        gate_cache_close(claims->parts.gates, lane->shard);
    } else {
        outage_begin(&claims->outage, "claims", err->text);
        if (st == ST_INVALID) /* nothing was done under this nonce */
            close_call(claims, lane);
    }
}

/* Takes the answer that is the next; it is that of the call with this number. */
static void call_receive(struct claims *claims, int number, struct hints_reader *hints)
{
    struct lane *lane = take_sent(claims, number);
    struct claim_answer answer = { 0 };
    struct err err = ERR_INIT;
    enum status st = claim_receive(claims->redis, &answer, &err);

    crash_point(CRASH_CLAIM_AFTER);
    if (st == ST_OK) {
        apply_grants(claims, lane, &answer, hints);
        outage_end(&claims->outage, "claims");
    } else {
        defer_call(claims, lane, st, &err);
    }
}

/* Its server has the oldest call for longer than an answer may take: it stands still, or the way to it is cut. */
static bool is_silent(const struct claims *claims)
{
    const struct lane *oldest = claims->sent[claims->sent_first];

    return claims->sent_count > 0 &&
           clock_boot_ms() - oldest->call.sent_boot_ms > claims->parts.config->redis_timeout_ms;
}

static bool answers_take(struct claims *claims, struct hints_reader *hints, bool *no_slots)
{
    bool received = false;
    int number;

    while (claims->sent_count > 0 && (number = redis_arrived(claims->redis)) >= 0) {
        received = true;
        call_receive(claims, number, hints);
        *no_slots = false;
        calls_send(claims, no_slots);
    }
    return received;
}

/* Hints wait that no call under way asks for, for want of slots and not of a server. */
static bool is_backlogged(const struct claims *claims, int type_index)
{
    const struct lanes *lanes = claims->parts.lanes;
    int64_t generation;

    for (int shard = 0; shard < lanes->shard_count; shard++) {
        const struct lane *lane = lanes_at(lanes, type_index, shard);

        if (lane->backlog.id_count > (lane->call.open ? lane->call.id_count : 0) &&
            gate_cache_ready(claims->parts.gates, shard, &generation))
            return true;
    }
    return false;
}

/* For the reporter. */
static void note_backlogs(struct claims *claims)
{
    const struct lanes *lanes = claims->parts.lanes;

    for (size_t first = 0; first < lanes->count; first += (size_t)lanes->shard_count) {
        struct served_type *type = lanes->all[first].type;

        atomic_store_explicit(&type->backlogged, is_backlogged(claims, type->index), memory_order_relaxed);
    }
}

enum claims_wait claims_turn(struct claims *claims, struct hints_reader *hints)
{
    bool no_slots = false, received;

    calls_send(claims, &no_slots);
    received = answers_take(claims, hints, &no_slots);
    if (is_silent(claims)) {
        redis_give_up_oldest(claims->redis);
        received |= answers_take(claims, hints, &no_slots);
    }
    note_backlogs(claims);
    return received ? CLAIMS_MORE : no_slots ? CLAIMS_NO_SLOTS : CLAIMS_IDLE;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* When this lane wants to be looked at without anything having come. */
static int64_t lane_next_boot_ms(const struct lane *lane, int64_t now)
{
    int64_t next = lane->next_pull_boot_ms;

    if (lane->call.sent)
        return INT64_MAX;
    if (lane->call.open)
        return lane->not_before_boot_ms;
    if (now < lane->type->busy_until_boot_ms) {
        int64_t unhinted = lane->next_unhinted_pull_boot_ms;

        if (unhinted < lane->hinted_until_boot_ms)
            unhinted = lane->hinted_until_boot_ms;
        next = unhinted < next ? unhinted : next;
    }
    if (lane->backlog.id_count > 0) /* now, or when its pause is over, or that of its slots */
        next = most(lane->gather_until_boot_ms, lane->type->gather_until_boot_ms);
    return next > lane->not_before_boot_ms ? next : lane->not_before_boot_ms;
}

int claims_wait_ms(const struct claims *claims, int max_ms)
{
    const struct lanes *lanes = claims->parts.lanes;
    int64_t now = clock_boot_ms(), soonest = now + max_ms;

    if (reporter_full(claims->parts.reporter) ||
        gate_cache_ready_count(claims->parts.gates) < claims->parts.gates->shard_count)
        soonest = now + LOOK_AGAIN_MS;
    for (size_t i = 0; i < lanes->count; i++) {
        int64_t next = lane_next_boot_ms(&lanes->all[i], now);

        if (next > claims->looked_boot_ms && next < soonest)
            soonest = next;
    }
    return soonest > now ? (int)(soonest - now) : 0;
}

bool claims_gather(struct claims *claims)
{
    return pace_gather_ms(&claims->pace, clock_boot_ms()) > 0;
}

size_t claims_descriptors(const struct claims *claims, int *descriptors, size_t room)
{
    return claims->sent_count > 0 ? redis_descriptors(claims->redis, descriptors, room) : 0;
}

/* ---- life ---- */

struct claims *claims_start(const struct claims_parts *parts, struct err *err)
{
    struct claims *claims = xcalloc(1, sizeof *claims);
    int64_t now = clock_boot_ms();

    claims->parts = *parts;
    claims->sent = xcalloc(parts->lanes->count, sizeof *claims->sent);
    claims->random = (unsigned)clock_boot_us();
    for (size_t i = 0; i < parts->lanes->count; i++)
        parts->lanes->all[i].next_pull_boot_ms = now + jitter(claims, PULL_FIRST_MS);
    claims->redis = redis_new(parts->config->redis_url, (int)parts->config->redis_timeout_ms, err);
    if (claims->redis)
        return claims;
    claims_stop(claims);
    return NULL;
}

void claims_stop(struct claims *claims)
{
    if (claims->redis)
        redis_free(claims->redis);
    free(claims->sent);
    free(claims);
}

void claims_drain(struct claims *claims)
{
    claims->draining = true;
}

bool claims_open(const struct claims *claims)
{
    for (size_t i = 0; i < claims->parts.lanes->count; i++) {
        if (claims->parts.lanes->all[i].call.open)
            return true;
    }
    return false;
}

uint64_t claims_granted(const struct claims *claims)
{
    return claims->granted;
}
