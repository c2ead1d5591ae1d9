/* Workers as step functions: claim (asking again with the same nonce when the reply was lost), renew, reassert after a
 * recovery, crash. What they run stands in execution.c. */
#include <stdio.h>
#include <string.h>

#include "tests/simulation/world.h"

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

/* What the record and its history say right after the claim: the checker holds the retry law against them. */
static void claim_send(struct world *world, int op)
{
    const struct submission_message *message = world_op(world, op);

    world_send(world, "HMGET bgop:{%d}:op:%s RetryCount lost crashes alone", message->shard, message->id);
    world_send(world, "LRANGE bgop:{%d}:tries:%s 0 -1", message->shard, message->id);
}

/* Members of a group are announced as such. */
static void claim_event(struct world *world, const struct worker *worker, const struct execution *execution, int member)
{
    int op = member < 0 ? execution->op : execution->followers[member].op;
    uint64_t token = member < 0 ? execution->token : execution->followers[member].token;
    redisReply *record = world_answer(world), *tries = world_answer(world);
    int64_t retry = record->element[0]->str == NULL ? 0 : strtoll(record->element[0]->str, NULL, 10), finished = -1;
    bool alone = record->element[1]->str != NULL || record->element[2]->str != NULL || record->element[3]->str != NULL;

    world->seen[EFFECT_ALONE] += record->element[3]->str != NULL;
    for (size_t i = tries->elements; i > 0 && finished < 0; i--) {
        const char *try = tries->element[i - 1]->str, *at = strstr(try, "\"finished\":");

        if (strstr(try, "\"error\":\"lease lost") == NULL && at != NULL)
            finished = strtoll(at + 11, NULL, 10);
    }
    if (execution->follower_count > 0)
        world_event(world, (struct event){ EVENT_GROUP, .op = op, .token = token, .a = execution->op,
                                           .b = (int64_t)execution->token, .c = retry >= 2 || alone });
    world_event(world, (struct event){ EVENT_CLAIM, .op = op, .token = token, .a = worker->number,
                                       .b = execution->started_ms, .c = retry, .d = finished });
    freeReplyObject(record);
    freeReplyObject(tries);
}

/* Renewed later than this, it may be judged as timed out at any time. */
static void lease_event(struct world *world, const struct worker *worker, struct execution *execution, int64_t until_ms)
{
    int64_t backstop_ms = execution->started_ms + execution->timeout_ms + 5000;

    if (until_ms > backstop_ms)
        until_ms = backstop_ms;
    execution->lease_until_ms = until_ms;
    execution->rollbacks = world->rollbacks;
    for (int m = -1; m < execution->follower_count; m++) {
        int op = m < 0 ? execution->op : execution->followers[m].op;
        uint64_t token = m < 0 ? execution->token : execution->followers[m].token;

        world_event(world, (struct event){ EVENT_LEASE, .op = op, .token = token, .a = worker->number, .b = until_ms });
    }
}

/* ---- claim ---- */

static int row_op(struct world *world, const redisReply *answer, size_t row)
{
    int op = world_op_find(world, answer_text(answer, row));

    if (op < 0)
        world_fail(world, "granted an unknown operation %s", answer_text(answer, row));
    else if ((int)answer->element[row + 7]->len != world_op(world, op)->payload_size)
        world_fail(world, "operation %d was granted with a payload of %d bytes", op,
                   (int)answer->element[row + 7]->len);
    return op;
}

/* A row without a leader begins an execution; one with a leader belongs to the execution before it. */
static void row_read(struct world *world, struct worker *worker, int shard, const redisReply *answer, size_t row)
{
    struct execution *execution = &worker->executions[worker->execution_count];
    int op = row_op(world, answer, row);
    uint64_t token = strtoull(answer_text(answer, row + 1), NULL, 10);
    const char *leader = answer_text(answer, row + 8);

    if (world->failure[0] != '\0')
        return;
    if (leader[0] == '\0') {
        if (worker->execution_count == SLOTS)
            return world_fail(world, "granted more than was wanted");
        memset(execution, 0, sizeof *execution);
        execution->op = op;
        execution->shard = shard;
        execution->token = token;
        execution->timeout_ms = answer_int(answer, row + 2);
        execution->started_ms = answer_int(answer, 1);
        worker->execution_count++;
        return;
    }
    execution--;
    if (worker->execution_count == 0 || world_op_find(world, leader) != execution->op ||
        execution->follower_count == MEMBERS - 1)
        return world_fail(world, "operation %d was granted behind another than its leader, or as one too many", op);
    execution->followers[execution->follower_count++] = (struct member){ .op = op, .token = token };
}

static void granted(struct world *world, struct worker *worker, int shard, const redisReply *answer)
{
    int first = worker->execution_count;
    bool open;

    if (answer->elements <= 3)
        return;
    for (size_t i = 3; i + 8 < answer->elements; i += 9)
        row_read(world, worker, shard, answer, i);
    if (world->failure[0] != '\0')
        return;
    world_gate_send(world, shard);
    for (size_t i = 3; i + 8 < answer->elements; i += 9)
        claim_send(world, world_op_find(world, answer_text(answer, i)));
    world_gate_answer(world, &open);
    if (!open)
        world_fail(world, "granted by a shard that is not open");
    for (int i = first; i < worker->execution_count; i++) {
        struct execution *execution = &worker->executions[i];

        execution_plan(world, execution);
        for (int m = -1; m < execution->follower_count; m++)
            claim_event(world, worker, execution, m);
        lease_event(world, worker, execution, world->now_ms + LEASE_MS);
        world->seen[EFFECT_GROUPED] += execution->follower_count > 0;
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
    uint64_t leader_token = 0;

    claim->unseen_count = 0;
    for (size_t i = 3; i + 8 < answer->elements && claim->unseen_count < SLOTS * MEMBERS; i += 9) {
        struct unseen *unseen = &claim->unseen[claim->unseen_count++];
        bool leads = i + 17 < answer->elements && answer_text(answer, i + 17)[0] != '\0';

        unseen->op = world_op_find(world, answer_text(answer, i));
        unseen->token = strtoull(answer_text(answer, i + 1), NULL, 10);
        unseen->leader = world_op_find(world, answer_text(answer, i + 8));
        if (unseen->leader < 0)
            leader_token = unseen->token;
        if (unseen->leader >= 0 || leads)
            world_event(world, (struct event){ EVENT_GROUP, .op = unseen->op, .token = unseen->token,
                                               .a = unseen->leader < 0 ? unseen->op : unseen->leader,
                                               .b = (int64_t)leader_token });
        world_event(world, (struct event){ EVENT_GRANT, .op = unseen->op, .token = unseen->token });
        unseen->started_ms = answer_int(answer, 1);
        unseen->until_ms = unseen->started_ms + LEASE_MS;
    }
}

/* Leaders hold leases, for the time that this answer said, unless Redis went back to an earlier one of the same nonce;
 * followers are still theirs, or not. */
static bool unseen_holds(struct world *world, const struct claim_state *claim, const struct unseen *unseen, int kept,
                         int shard)
{
    const char *id = world_op(world, unseen->op)->id;
    bool holds = unseen->until_ms > world->now_ms;
    redisReply *reply;

    if (unseen->leader < 0) {
        reply = world_command(world, "HGET bgop:{%d}:leases %s", shard, id);
        holds &= reply->str != NULL && strtoull(reply->str, NULL, 10) == unseen->token;
        freeReplyObject(reply);
        reply = world_command(world, "HGET bgop:{%d}:op:%s StartedAt", shard, id);
        holds &= reply->str != NULL && strtoll(reply->str, NULL, 10) == unseen->started_ms;
    } else {
        reply = world_command(world, "HMGET bgop:{%d}:op:%s token Status", shard, id);
        holds = reply->element[0]->str != NULL && strtoull(reply->element[0]->str, NULL, 10) == unseen->token &&
                strcmp(reply->element[1]->str, "Merged") == 0;
        while (kept > 0 && claim->unseen[kept - 1].op != unseen->leader)
            kept--;
        holds &= kept > 0;
    }
    freeReplyObject(reply);
    return holds;
}

static int unseen_keep(struct world *world, struct claim_state *claim, int shard)
{
    int kept = 0;

    for (int i = 0; i < claim->unseen_count; i++) {
        if (unseen_holds(world, claim, &claim->unseen[i], kept, shard))
            claim->unseen[kept++] = claim->unseen[i];
    }
    claim->unseen_count = kept;
    return kept;
}

static void unseen_check(struct world *world, const struct claim_state *claim, int count, const redisReply *answer)
{
    for (int n = 0; n < count; n++) {
        bool found = false;

        for (size_t i = 3; i + 8 < answer->elements; i += 9)
            found |= world_op_find(world, answer_text(answer, i)) == claim->unseen[n].op &&
                     world_op_find(world, answer_text(answer, i + 8)) == claim->unseen[n].leader;
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

/* ---- renew, reassert ---- */

/* Nobody had renewed it when it was judged; that its worker came back does not undo what is in the log by then. */
static bool is_judged(const struct world *world, const struct execution *execution)
{
    const struct status_topic *topic = &world->status[execution->shard];

    for (size_t i = 0; i < topic->entry_count; i++) {
        const struct log_entry *entry = &topic->entries[i];

        if (entry->op == execution->op && entry->token == execution->token && entry->worker < 0 &&
            (strcmp(entry->kind, "lost") == 0 || strcmp(entry->kind, "timed_out") == 0))
            return true;
    }
    return false;
}

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
    if (!execution->done && execution->lease_until_ms > world->now_ms && execution->rollbacks == world->rollbacks &&
        !is_judged(world, execution))
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
            if (worker->executions[i].op != op || (worker->executions[i].done && !random_chance(&world->random, 5000)))
                continue;
            world->seen[EFFECT_GROUP_LOST] += worker->executions[i].follower_count > 0;
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

            if (execution->op == op)
                execution_cancel(world, execution, -1);
            for (int m = 0; m < execution->follower_count; m++) {
                if (execution->followers[m].op == op)
                    execution_cancel(world, execution, m);
            }
        }
    }
}

/* It holds a newer attempt of the same operation too: Redis says nothing of the older one, and that is no lease. */
static bool is_older(const struct worker *worker, const struct execution *execution)
{
    for (int i = 0; i < worker->execution_count; i++) {
        if (worker->executions[i].op == execution->op && worker->executions[i].token > execution->token)
            return true;
    }
    return false;
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
    call_text(world, sim_type_names);
    call_int(world, SLOTS);
    for (int i = 0; i < worker->execution_count; i++) {
        const struct execution *execution = &worker->executions[i];

        if (execution->shard != shard)
            continue;
        call_text(world, world_op(world, execution->op)->id);
        call_token(world, execution->token);
        world->places[execution->op].heard_token = execution->token;
        world->places[execution->op].heard_ms = world->now_ms;
        if (reassert) {
            call_text(world, sim_types[world_op(world, execution->op)->type].name);
            call_int(world, execution->started_ms);
            world->seen[EFFECT_GROUP_REASSERTED] += execution->follower_count > 0;
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
        if (worker->executions[i].shard == shard && !is_older(worker, &worker->executions[i]))
            lease_event(world, worker, &worker->executions[i], world->now_ms + LEASE_MS);
    }
}

void worker_crash(struct world *world, struct worker *worker)
{
    while (worker->execution_count > 0)
        execution_stop(world, worker, worker->execution_count - 1);
    worker_start(world, worker->number);
}
