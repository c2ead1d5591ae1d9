/* What must hold in Redis after every step, whatever happened: counters against indexes (cheap), and now and then every
 * record against every index. And the looks at records that the history is made of. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/record/tables.h"
#include "tests/simulation/agree.h"
#include "tests/simulation/world.h"

enum { AGREEMENT_EVERY = 400, LATE_MS = 10000 };

/* structure.lua, a library of its own beside the queue's. */
void structure_load(struct world *world)
{
    FILE *file = fopen(SIM_STRUCTURE_LUA, "r");
    char code[32768];
    size_t size = file == NULL ? 0 : fread(code, 1, sizeof code - 1, file);

    if (file == NULL || size == sizeof code - 1)
        return world_fail(world, "cannot read %s", SIM_STRUCTURE_LUA);
    fclose(file);
    code[size] = '\0';
    freeReplyObject(world_command(world, "FUNCTION LOAD REPLACE %s", code));
}

static void script_send(struct world *world, const char *function, int shard)
{
    char line[512];
    int used = snprintf(line, sizeof line, "FCALL_RO %s 0 bgop:{%d} %d", function, shard, world->rollbacks == 0);

    for (int t = 0; t < TYPES; t++)
        used += snprintf(line + used, sizeof line - (size_t)used, " %s %d", sim_types[t].name,
                         sim_types[t].merge_max > 1 ? 1 : sim_types[t].max_running_per_parent);
    world_send(world, line);
}

static void script_answer(struct world *world, int shard)
{
    redisReply *reply = world_answer(world);

    if (reply->type == REDIS_REPLY_STRING && reply->len > 0)
        world_fail(world, "shard %d: %.900s", shard, reply->str);
    freeReplyObject(reply);
}

bool structure_is_done(struct world *world)
{
    int64_t left = 0;

    for (int s = 0; s < SHARDS; s++)
        script_send(world, "sim_left", s);
    for (int s = 0; s < SHARDS; s++) {
        redisReply *reply = world_answer(world);

        left += reply->integer;
        freeReplyObject(reply);
    }
    return left == 0;
}

void structure_check_end(struct world *world)
{
    for (int s = 0; s < SHARDS; s++) {
        world_send(world, "FCALL_RO sim_late 0 bgop:{%d} %lld", s, (long long)world->now_ms - LATE_MS);
        script_answer(world, s);
        agreement_check(world, s);
    }
}

static void fences_answer(struct world *world, int shard)
{
    redisReply *reply = world_answer(world);
    int64_t expected[] = { world->status_fence[shard], world->submit_fence[0][shard], world->submit_fence[1][shard] };

    for (int i = 0; i < 3; i++) {
        int64_t stored = reply->element[i]->str == NULL ? 0 : strtoll(reply->element[i]->str, NULL, 10);

        if (stored != expected[i])
            world_fail(world, "shard %d: fence %d stands at %" PRId64 ", its answers said %" PRId64, shard, i, stored,
                       expected[i]);
    }
    freeReplyObject(reply);
}

void structure_check(struct world *world, bool full)
{
    for (int s = 0; s < SHARDS; s++) {
        script_send(world, "sim_cheap", s);
        world_send(world, "HMGET bgop:{%d}:fences t s0 s1", s);
        if (full)
            script_send(world, "sim_full", s);
    }
    for (int s = 0; s < SHARDS; s++) {
        script_answer(world, s);
        fences_answer(world, s);
        if (full)
            script_answer(world, s);
    }
    for (int s = 0; full && s < SHARDS && world->step % AGREEMENT_EVERY == 1; s++)
        agreement_check(world, s);
}

/* ---- looks at records ---- */

struct look {
    int status;
    bool final;
    uint64_t token;
    int64_t retry_count;
    bool in_group; /* what follows means something */
    int leader, group_leader, attempt;
    int64_t followers;
};

static void record_send(struct world *world, int op)
{
    const struct submission_message *message = world_op(world, op);

    world_send(world,
               "HMGET bgop:{%d}:op:%s Status token ExpiresAt RetryCount GroupLeaderId "
               "ExecutionGroup NumFollowers",
               message->shard, message->id);
}

static void group_look(struct world *world, const redisReply *reply, struct look *look)
{
    const char *leader = reply->element[4]->str, *group = reply->element[5]->str, *followers = reply->element[6]->str;
    char group_leader[ID_SIZE] = "";

    look->in_group = leader != NULL || group != NULL || followers != NULL;
    look->leader = leader == NULL ? -1 : world_op_find(world, leader);
    look->followers = followers == NULL ? -1 : strtoll(followers, NULL, 10);
    look->group_leader = look->attempt = -1;
    if (group == NULL || strlen(group) < ID_LENGTH + 2)
        return;
    memcpy(group_leader, group, ID_LENGTH);
    look->group_leader = world_op_find(world, group_leader);
    look->attempt = (int)strtol(group + ID_LENGTH + 1, NULL, 10);
}

static void look_event(struct world *world, int op, const struct look *look)
{
    if (look->in_group)
        world_event(world, (struct event){ EVENT_MEMBER, .op = op, .token = look->token, .a = look->leader,
                                           .b = look->followers, .c = look->attempt, .d = look->group_leader });
}

static bool record_answer(struct world *world, struct look *look)
{
    redisReply *reply = world_answer(world);
    bool exists = reply->element[0]->str != NULL;

    if (exists) {
        look->status = record_status_find(reply->element[0]->str);
        look->token = reply->element[1]->str == NULL ? 0 : strtoull(reply->element[1]->str, NULL, 10);
        look->final = reply->element[2]->str != NULL;
        look->retry_count = reply->element[3]->str == NULL ? 0 : strtoll(reply->element[3]->str, NULL, 10);
        group_look(world, reply, look);
    }
    freeReplyObject(reply);
    return exists;
}

void world_observe(struct world *world, const int *ops, size_t count)
{
    struct look look;
    bool open[SHARDS];

    for (int s = 0; s < SHARDS; s++)
        world_gate_send(world, s);
    for (size_t i = 0; i < count; i++)
        record_send(world, ops[i]);
    for (int s = 0; s < SHARDS; s++)
        world_gate_answer(world, &open[s]);
    for (size_t i = 0; i < count; i++) {
        if (!record_answer(world, &look))
            continue;
        world_event(world, (struct event){ EVENT_OBSERVE, .op = ops[i], .token = look.token, .a = look.status,
                                           .b = look.final, .c = open[world_op(world, ops[i])->shard] });
        if (open[world_op(world, ops[i])->shard])
            look_event(world, ops[i], &look);
    }
}

/* ---- the end ---- */

static void check_tries(struct world *world, int op, const redisReply *tries)
{
    long last = 0;

    for (size_t i = 0; i < tries->elements; i++) {
        long attempt = strtol(tries->element[i]->str + strlen("{\"attempt\":"), NULL, 10);

        if (attempt <= last && world->rollbacks == 0)
            world_fail(world, "operation %d: attempt %ld failed after attempt %ld", op, attempt, last);
        last = attempt;
    }
}

/* Attempts that count: without lost leases. */
static int64_t failed_attempts(struct world *world, int op)
{
    redisReply *tries = world_answer(world);
    int64_t failed = 0;

    for (size_t i = 0; i < tries->elements; i++)
        failed += strstr(tries->element[i]->str, "\"error\":\"lease lost") == NULL;
    check_tries(world, op, tries);
    freeReplyObject(tries);
    return failed;
}

static void totals_dump(struct world *world)
{
    int64_t totals[3] = { 0 };
    static const struct {
        enum sim_effect effect;
        const char *name;
    } effects[] = {
        { EFFECT_LEASE_LOST, "lost" },      { EFFECT_SUPERSEDED, "superseded" }, { EFFECT_ADOPTED, "adopted" },
        { EFFECT_PARKED, "parked" },        { EFFECT_CANCELED, "canceled" },     { EFFECT_REDRIVEN, "redriven" },
        { EFFECT_DUPLICATE, "duplicates" }, { EFFECT_RETRIED, "retried" },
    };

    for (int s = 0; s < SHARDS; s++) {
        redisReply *reply = world_command(world, "HMGET bgop:{%d}:counts accepted duplicates rejected", s);

        for (int i = 0; i < 3; i++)
            totals[i] += reply->element[i]->str == NULL ? 0 : strtoll(reply->element[i]->str, NULL, 10);
        freeReplyObject(reply);
        for (size_t i = 0; i < sizeof effects / sizeof *effects; i++) {
            reply = world_command(world, "HGET bgop:{%d}:counts %s", s, effects[i].name);
            world->seen[effects[i].effect] += reply->str == NULL ? 0 : strtoll(reply->str, NULL, 10);
            freeReplyObject(reply);
        }
    }
    world_event(world, (struct event){ EVENT_TOTALS, .op = -1, .a = totals[0], .b = totals[1], .c = totals[2] });
}

static void counts_dump(struct world *world)
{
    for (int t = 0; t < TYPES; t++) {
        for (int status = 0; status < OP_STATUS_COUNT; status++) {
            int64_t count = 0;

            for (int s = 0; s < SHARDS; s++) {
                redisReply *reply = world_command(world, "HGET bgop:{%d}:counts %s:%s", s, sim_types[t].name,
                                                  record_statuses[status].name);

                count += reply->str == NULL ? 0 : strtoll(reply->str, NULL, 10);
                freeReplyObject(reply);
            }
            world_event(world, (struct event){ EVENT_COUNT, .op = -1, .a = t, .b = status, .c = count });
        }
    }
}

static void fences_dump(struct world *world)
{
    for (int p = 0; p < PARTITIONS; p++)
        world_event(world,
                    (struct event){ EVENT_END, .op = -1, .a = p, .b = -1, .c = (int64_t)world->submit[p].count });
    for (int s = 0; s < SHARDS; s++) {
        redisReply *reply = world_command(world, "HMGET bgop:{%d}:fences t s0 s1", s);

        world_event(world,
                    (struct event){ EVENT_END, .op = -1, .a = -1, .b = s, .c = (int64_t)world->status[s].count });
        for (int i = 0; i < 3; i++)
            world_event(
                world,
                (struct event){ EVENT_LAST_FENCE, .op = -1, .a = i - 1, .b = s,
                                .c = reply->element[i]->str == NULL ? 0 : strtoll(reply->element[i]->str, NULL, 10) });
        freeReplyObject(reply);
    }
}

void world_dump(struct world *world)
{
    fences_dump(world);
    for (int op = 0; op < (int)world->history.op_count; op++) {
        record_send(world, op);
        world_send(world, "LRANGE bgop:{%d}:tries:%s 0 -1", world_op(world, op)->shard, world_op(world, op)->id);
    }
    for (int op = 0; op < (int)world->history.op_count; op++) {
        struct look look;
        bool exists = record_answer(world, &look);
        int64_t failed = failed_attempts(world, op);

        if (exists) {
            world_event(world, (struct event){ EVENT_FINAL, .op = op, .token = look.token, .a = look.status,
                                               .b = look.final, .c = look.retry_count, .d = failed });
            look_event(world, op, &look);
            world->seen[EFFECT_MERGED] += look.status == OP_MERGED;
            world->seen[EFFECT_OUTLIVED_LEADER] += look.status == OP_COMPLETE && look.leader >= 0;
        } else {
            world_event(world, (struct event){ EVENT_REMOVED, .op = op });
            world->seen[EFFECT_REMOVED]++;
        }
    }
    counts_dump(world);
    totals_dump(world);
    world->history.retry_max_ms = RETRY_MAX_MS;
    world->history.ended = true;
}
