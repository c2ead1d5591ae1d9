/* Workers as step functions: claim (asking again with the same nonce when the reply was lost), run, report through the
 * status log (again when the delivery is unknown), renew, reassert after a recovery, crash. Most heed the end of their
 * leases; some hang and report long after. */
#include <stdio.h>
#include <string.h>

#include "tests/simulation/world.h"

enum { KILL_BEFORE_LEASE_ENDS_MS = 3000 };

void worker_start(struct world *world, int number)
{
    struct worker *worker = &world->workers[number];
    int incarnation = worker->incarnation + 1;

    memset(worker, 0, sizeof *worker);
    worker->number = number;
    worker->incarnation = incarnation;
    for (int s = 0; s < SHARDS; s++) {
        for (int t = 0; t < TYPES; t++)
            worker->hint_offset[s][t] = world->hints[s][t].count; /* the group goes on where it stood */
    }
}

static void instance_args(struct world *world, const struct worker *worker)
{
    char text[32];

    snprintf(text, sizeof text, "w%d-%d", worker->number, worker->incarnation);
    call_text(world, text);
    snprintf(text, sizeof text, "http://w%d", worker->number);
    call_text(world, text);
}

static bool generation_known(struct world *world, struct worker *worker, int shard)
{
    bool open;

    if (worker->generation[shard] == 0) {
        worker->generation[shard] = world_gate(world, shard, &open);
        worker->must_reassert[shard] = true;
    }
    return worker->generation[shard] != 0;
}

static void refused_handle(struct worker *worker, int shard, enum refusal refused)
{
    if (refused == REFUSED_FENCED)
        worker->generation[shard] = 0;
    else if (refused == REFUSED_RECOVERING)
        worker->must_reassert[shard] = true;
}

/* ---- executions ---- */

static void execution_stop(struct world *world, struct worker *worker, int index)
{
    struct execution *execution = &worker->executions[index];

    if (!execution->ended_event)
        world_event(world,
                    (struct event){ EVENT_STOP, .op = execution->op, .token = execution->token, .a = worker->number });
    worker->executions[index] = worker->executions[--worker->execution_count];
}

/* How this attempt will end, and when. */
static void execution_plan(struct world *world, struct execution *execution)
{
    static const struct {
        const char *kind;
        int weight;
    } outcomes[] = {
        { "ok", 62 }, { "error", 24 }, { "permanent", 3 }, { "crashed", 5 }, { "returned", 4 }, { "skipped", 2 },
    };
    struct random *random = &world->random;
    int pick = random_below(random, 100);
    int64_t duration_ms =
        random_chance(random, 500) ? random_between(random, 20000, 90000) : random_below(random, 2500);

    execution->kind = "ok";
    for (size_t i = 0; !world->quiet && i < sizeof outcomes / sizeof *outcomes; i++) {
        execution->kind = outcomes[i].kind;
        pick -= outcomes[i].weight;
        if (pick < 0)
            break;
    }
    if (world->quiet)
        duration_ms = 50;
    execution->hung = !world->quiet && random_chance(random, 300);
    execution->retry_after_ms =
        strcmp(execution->kind, "error") == 0 && random_chance(random, 1000) ? random_below(random, 8000) : -1;
    if (!execution->hung && duration_ms > execution->timeout_ms) {
        duration_ms = execution->timeout_ms;
        execution->kind = "timed_out";
        execution->retry_after_ms = -1;
    }
    execution->end_ms = world->now_ms + duration_ms;
}

/* What the record and its history say right after the claim: the checker holds the retry law against them. */
static void claim_send(struct world *world, const struct execution *execution)
{
    const char *id = world_op(world, execution->op)->id;

    world_send(world, "HMGET bgop:{%d}:op:%s RetryCount crashes", execution->shard, id);
    world_send(world, "LRANGE bgop:{%d}:tries:%s 0 -1", execution->shard, id);
}

static void claim_event(struct world *world, const struct worker *worker, const struct execution *execution)
{
    redisReply *record = world_answer(world), *tries = world_answer(world);
    int64_t retry = record->element[0]->str == NULL ? 0 : strtoll(record->element[0]->str, NULL, 10), finished = -1;

    for (size_t i = tries->elements; i > 0 && finished < 0; i--) {
        const char *try = tries->element[i - 1]->str, *at = strstr(try, "\"finished\":");

        if (strstr(try, "\"error\":\"lease lost") == NULL && at != NULL)
            finished = strtoll(at + 11, NULL, 10);
    }
    world_event(world, (struct event){ EVENT_CLAIM, .op = execution->op, .token = execution->token, .a = worker->number,
                                       .b = execution->started_ms, .c = retry, .d = finished });
    freeReplyObject(record);
    freeReplyObject(tries);
}

static void lease_event(struct world *world, const struct worker *worker, struct execution *execution, int64_t until_ms)
{
    int64_t backstop_ms = execution->started_ms + execution->timeout_ms + 5000;

    if (until_ms > backstop_ms)
        until_ms = backstop_ms;
    execution->lease_until_ms = until_ms;
    execution->rollbacks = world->rollbacks;
    world_event(world, (struct event){ EVENT_LEASE, .op = execution->op, .token = execution->token, .a = worker->number,
                                       .b = until_ms });
}

/* ---- claim ---- */

static bool execution_read(struct world *world, struct execution *execution, int shard, const redisReply *answer,
                           size_t row)
{
    memset(execution, 0, sizeof *execution);
    execution->op = world_op_find(world, answer_text(answer, row));
    execution->shard = shard;
    execution->token = strtoull(answer_text(answer, row + 1), NULL, 10);
    execution->timeout_ms = answer_int(answer, row + 2);
    execution->started_ms = answer_int(answer, 1);
    if (execution->op < 0)
        world_fail(world, "granted an unknown operation %s", answer_text(answer, row));
    else if ((int)answer->element[row + 7]->len != world_op(world, execution->op)->payload_size)
        world_fail(world, "operation %d was granted with a payload of %d bytes", execution->op,
                   (int)answer->element[row + 7]->len);
    return world->failure[0] == '\0';
}

static void granted(struct world *world, struct worker *worker, int shard, const redisReply *answer)
{
    int first = worker->execution_count;
    bool open;

    if (answer->elements <= 3)
        return;
    world_gate_send(world, shard);
    for (size_t i = 3; i + 8 < answer->elements; i += 9) {
        struct execution *execution = &worker->executions[worker->execution_count];

        if (worker->execution_count == SLOTS)
            return world_fail(world, "granted more than was wanted");
        if (!execution_read(world, execution, shard, answer, i))
            return;
        worker->execution_count++;
        claim_send(world, execution);
    }
    world_gate_answer(world, &open);
    if (!open)
        world_fail(world, "granted by a shard that is not open");
    for (int i = first; i < worker->execution_count; i++) {
        execution_plan(world, &worker->executions[i]);
        claim_event(world, worker, &worker->executions[i]);
        lease_event(world, worker, &worker->executions[i], world->now_ms + LEASE_MS);
    }
}

/* Hinted Ids of some messages; the same message may be read again. */
static void hint_args(struct world *world, struct worker *worker, int shard, int type)
{
    const struct hint_topic *topic = &world->hints[shard][type];
    int args = 0;

    while (worker->hint_offset[shard][type] < topic->count && args < 20) {
        const struct hint *hint = &topic->hints[worker->hint_offset[shard][type]];

        for (int i = 0; i < hint->count; i++, args++) {
            if (hint->ops[i] >= 0)
                call_text(world, world_op(world, hint->ops[i])->id);
        }
        if (random_chance(&world->random, 500))
            break;
        worker->hint_offset[shard][type]++;
    }
}

/* What a lost reply granted: asked again with its nonce, the same comes, as far as that lease is still held. */
static void unseen_note(struct world *world, struct claim_state *claim, const redisReply *answer)
{
    claim->unseen_count = 0;
    for (size_t i = 3; i + 8 < answer->elements; i += 9) {
        struct unseen *unseen = &claim->unseen[claim->unseen_count++];
        int64_t timeout_ms = answer_int(answer, i + 2);

        unseen->op = world_op_find(world, answer_text(answer, i));
        unseen->token = strtoull(answer_text(answer, i + 1), NULL, 10);
        world_event(world, (struct event){ EVENT_GRANT, .op = unseen->op, .token = unseen->token });
        unseen->until_ms = answer_int(answer, 1) + (timeout_ms + 5000 < LEASE_MS ? timeout_ms + 5000 : LEASE_MS);
    }
}

static int unseen_keep(struct world *world, struct claim_state *claim, int shard)
{
    int kept = 0;

    for (int i = 0; i < claim->unseen_count; i++) {
        const char *id = world_op(world, claim->unseen[i].op)->id;
        redisReply *lease = world_command(world, "HGET bgop:{%d}:leases %s", shard, id);

        if (lease->str != NULL && strtoull(lease->str, NULL, 10) == claim->unseen[i].token &&
            claim->unseen[i].until_ms > world->now_ms)
            claim->unseen[kept++] = claim->unseen[i];
        freeReplyObject(lease);
    }
    claim->unseen_count = kept;
    return kept;
}

static void unseen_check(struct world *world, const struct claim_state *claim, int count, const redisReply *answer)
{
    for (int n = 0; n < count; n++) {
        bool found = false;

        for (size_t i = 3; i + 8 < answer->elements; i += 9)
            found |= world_op_find(world, answer_text(answer, i)) == claim->unseen[n].op;
        if (!found)
            world_fail(world, "the same nonce was not granted operation %d again", claim->unseen[n].op);
    }
}

void worker_claim(struct world *world, struct worker *worker, int shard, int type, bool pull)
{
    enum refusal refused;
    const redisReply *answer;
    struct claim_state *claim = &worker->claim[shard][type];
    char nonce[32];
    int want = SLOTS - worker->execution_count, unseen_count;

    if (want == 0 || !generation_known(world, worker, shard) || worker->must_reassert[shard])
        return;
    if (claim->waiting) {
        want = claim->want;
    } else {
        claim->nonce = ++worker->nonce;
        claim->want = want;
        claim->unseen_count = 0;
    }
    if (want > SLOTS - worker->execution_count)
        return; /* what it may be granted has to fit */
    unseen_count = unseen_keep(world, claim, shard);
    snprintf(nonce, sizeof nonce, "n%d", claim->nonce);
    call_begin(world, "bgop_claim", shard, worker->generation[shard]);
    instance_args(world, worker);
    call_text(world, nonce);
    call_text(world, sim_types[type].name);
    call_int(world, want);
    if (!pull)
        hint_args(world, worker, shard, type);
    answer = call_send(world, &refused);
    if (answer == NULL)
        return refused_handle(worker, shard, refused);
    if (!world->quiet && random_chance(&world->random, 400)) {
        world->seen[EFFECT_LOST_REPLY]++;
        unseen_note(world, claim, answer);
        claim->waiting = true;
        return;
    }
    world->seen[EFFECT_SAME_NONCE] += claim->waiting && unseen_count > 0;
    unseen_check(world, claim, unseen_count, answer);
    claim->waiting = false;
    granted(world, worker, shard, answer);
}

/* ---- run ---- */

void worker_run(struct world *world, struct worker *worker)
{
    for (int i = worker->execution_count - 1; i >= 0; i--) {
        struct execution *execution = &worker->executions[i];
        bool kept = execution->hung || execution->done; /* an outcome is kept whatever becomes of the lease */

        if (!kept && execution->lease_until_ms - KILL_BEFORE_LEASE_ENDS_MS < world->now_ms &&
            execution->end_ms > execution->lease_until_ms - KILL_BEFORE_LEASE_ENDS_MS) {
            execution_stop(world, worker, i);
            continue;
        }
        if (!execution->done && execution->end_ms <= world->now_ms) {
            execution->done = execution->ended_event = true;
            world_event(world, (struct event){ EVENT_STOP, .op = execution->op, .token = execution->token,
                                               .a = worker->number });
        }
    }
}

/* ---- report ---- */

static struct log_entry entry_of(const struct worker *worker, const struct execution *execution)
{
    return (struct log_entry){ .kind = execution->kind,
                               .op = execution->op,
                               .token = execution->token,
                               .started_ms = execution->started_ms,
                               .duration_ms = execution->end_ms - execution->started_ms,
                               .retry_after_ms = execution->retry_after_ms,
                               .worker = worker->number };
}

/* A batch a shard of what is done (now and then only some of it): delivered; delivered but not known to be; not
 * delivered. What is not known to be delivered is reported again. */
void worker_report(struct world *world, struct worker *worker)
{
    for (int s = 0; s < SHARDS; s++) {
        struct log_entry entries[SLOTS];
        size_t count = 0;
        int delivery = world->quiet ? 0 : random_below(&world->random, 20);

        for (int i = worker->execution_count - 1; i >= 0; i--) {
            struct execution *execution = &worker->executions[i];

            if (!execution->done || execution->shard != s || (!world->quiet && random_chance(&world->random, 1500)))
                continue;
            entries[count++] = entry_of(worker, execution);
            if (delivery > 1)
                execution_stop(world, worker, i);
            else if (world->quiet)
                execution_stop(world, worker, i);
        }
        if (count > 0 && delivery != 1)
            status_append(world, s, entries, count);
        if (count > 0 && !world->quiet && random_chance(&world->random, 300))
            status_append(world, s, entries, count);
    }
}

/* ---- renew, reassert ---- */

/* Nobody is robbed: while a lease holds, what runs is not lost, nor canceled under its worker, unless Redis went
 * backwards; and then only where its record moved on meanwhile. */
static void check_lost(struct world *world, const struct execution *execution)
{
    redisReply *reply = world_command(world, "HMGET bgop:{%d}:op:%s Status token", execution->shard,
                                      world_op(world, execution->op)->id);
    const char *status = reply->element[0]->str == NULL ? "" : reply->element[0]->str;
    uint64_t token = reply->element[1]->str == NULL ? 0 : strtoull(reply->element[1]->str, NULL, 10);
    bool ended = status[0] == '\0' || strcmp(status, "Complete") == 0 || strcmp(status, "Canceled") == 0;

    if (!ended && token < execution->token)
        world_fail(world, "operation %d: an attempt newer than the record is called lost", execution->op);
    if (!execution->done && execution->lease_until_ms > world->now_ms && execution->rollbacks == world->rollbacks)
        world_fail(world, "operation %d lost a lease that lasts %lld ms more", execution->op,
                   (long long)(execution->lease_until_ms - world->now_ms));
    freeReplyObject(reply);
}

/* Lost: what runs is stopped; an outcome at hand is dropped, or reported all the same. A worker may hold two attempts
 * of one operation (the older one until its report is known to be delivered): lost is the newest then. */
static void lost_handle(struct world *world, struct worker *worker, const redisReply *answer)
{
    int64_t count = answer_int(answer, 4);

    for (int64_t n = 0; n < count; n++) {
        int op = world_op_find(world, answer_text(answer, 5 + (size_t)n)), newest = -1;

        for (int i = 0; i < worker->execution_count; i++) {
            if (worker->executions[i].op == op &&
                (newest < 0 || worker->executions[i].token > worker->executions[newest].token))
                newest = i;
        }
        if (newest < 0)
            return world_fail(world, "lost what it did not have");
        check_lost(world, &worker->executions[newest]);
        for (int i = worker->execution_count - 1; i >= 0; i--) {
            if (worker->executions[i].op == op && (!worker->executions[i].done || random_chance(&world->random, 5000)))
                execution_stop(world, worker, i);
        }
    }
}

static void cancels_handle(struct world *world, struct worker *worker, const redisReply *answer)
{
    for (size_t n = 5 + (size_t)answer_int(answer, 4); n + 1 < answer->elements; n += 2) {
        int op = world_op_find(world, answer_text(answer, n));

        for (int i = 0; i < worker->execution_count; i++) {
            struct execution *execution = &worker->executions[i];

            if (execution->op != op || execution->done || execution->told)
                continue;
            execution->told = true;
            if (random_chance(&world->random, 7000)) {
                execution->kind = "error";
                execution->end_ms = world->now_ms;
            }
        }
    }
}

void worker_renew(struct world *world, struct worker *worker, int shard)
{
    enum refusal refused;
    const redisReply *answer;
    bool reassert;

    if (!generation_known(world, worker, shard))
        return;
    reassert = worker->must_reassert[shard];
    call_begin(world, reassert ? "bgop_reassert" : "bgop_renew", shard, worker->generation[shard]);
    instance_args(world, worker);
    call_text(world, "WebCart Sweeper XClean");
    call_int(world, SLOTS);
    for (int i = 0; i < worker->execution_count; i++) {
        const struct execution *execution = &worker->executions[i];

        if (execution->shard != shard)
            continue;
        call_text(world, world_op(world, execution->op)->id);
        call_token(world, execution->token);
        if (reassert) {
            call_text(world, sim_types[world_op(world, execution->op)->type].name);
            call_int(world, execution->started_ms);
        }
    }
    answer = call_send(world, &refused);
    if (answer == NULL)
        return refused_handle(worker, shard, refused);
    if (!world->quiet && random_chance(&world->random, 200)) {
        world->seen[EFFECT_LOST_REPLY]++;
        return;
    }
    worker->must_reassert[shard] = false;
    lost_handle(world, worker, answer);
    cancels_handle(world, worker, answer);
    for (int i = 0; i < worker->execution_count; i++) {
        if (worker->executions[i].shard == shard)
            lease_event(world, worker, &worker->executions[i], world->now_ms + LEASE_MS);
    }
}

void worker_crash(struct world *world, struct worker *worker)
{
    while (worker->execution_count > 0)
        execution_stop(world, worker, worker->execution_count - 1);
    worker_start(world, worker->number);
}
