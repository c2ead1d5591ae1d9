/* What must hold in Redis after every step, whatever happened: counters against indexes (cheap), and now and then every
 * record against every index. And the looks at records that the history is made of. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/record/tables.h"
#include "tests/simulation/world.h"

/* KEYS[1] the shard's prefix; answers what is wrong, or "". Names of Types in ARGV. */
static const char cheap_script[] =
    "local p, n, wrong = KEYS[1], {}, {}\n"
    "local counts = redis.call('HGETALL', p .. ':counts')\n"
    "for i = 1, #counts, 2 do\n"
    "  local status = counts[i]:match(':(%a+)$')\n"
    "  if status then n[status] = (n[status] or 0) + tonumber(counts[i + 1]) end\n"
    "  if tonumber(counts[i + 1]) < 0 then wrong[#wrong + 1] = counts[i] .. ' ' .. counts[i + 1] end\n"
    "end\n"
    "local function same(what, a, b) if a ~= b then wrong[#wrong + 1] = what .. ' ' .. a .. ' ~= ' .. b end end\n"
    "local pending = 0\n"
    "for _, type in ipairs(ARGV) do pending = pending + redis.call('ZCARD', p .. ':pending:' .. type) end\n"
    "local running = n.Running or 0\n"
    "local claimable = (n.New or 0) + (n.Waiting or 0)\n"
    "if pending > claimable then same('pending', pending, claimable) end\n" /* sequences hold some */
    "same('leases', redis.call('HLEN', p .. ':leases'), running)\n"
    "same('running', redis.call('ZCARD', p .. ':running'), running)\n"
    "same('errors', redis.call('ZCARD', p .. ':errors'), n.Error or 0)\n"
    "return table.concat(wrong, ', ')";

static const char full_script[] =
    "local p, counts, wrong, done, groups = KEYS[1], {}, {}, {}, {}\n"
    "local function is(id, what, expected, found)\n"
    "  if (expected and true or false) ~= (found and true or false) then wrong[#wrong + 1] = id .. ' ' .. what end\n"
    "end\n"
    "for _, retention in ipairs(redis.call('SMEMBERS', p .. ':retentions')) do\n"
    "  for _, entry in ipairs(redis.call('XRANGE', p .. ':done:' .. retention, '-', '+')) do\n"
    "    for id in entry[2][2]:gmatch('%S+') do done[id] = true end\n"
    "  end\n"
    "end\n"
    "local born = {}\n"
    "for _, entry in ipairs(redis.call('XRANGE', p .. ':born', '-', '+')) do\n"
    "  for id in entry[2][2]:gmatch('%S+') do\n"
    "    if born[id] then wrong[#wrong + 1] = id .. ' born twice' end\n"
    "    born[id] = true\n"
    "  end\n"
    "end\n"
    "for _, key in ipairs(redis.call('KEYS', p .. ':op:*')) do\n"
    "  local id = key:match('([^:]+)$')\n"
    "  local f = redis.call('HMGET', key, 'Status', 'Type', 'ExpiresAt', 'token', 'FinishedAt', 'Error', "
    "'RetryCount', 'ParentKey', 'SequenceGroup')\n"
    "  local status, final = f[1], f[3]\n"
    "  counts[f[2] .. ':' .. status] = (counts[f[2] .. ':' .. status] or 0) + 1\n"
    "  local lease = redis.call('HGET', p .. ':leases', id)\n"
    "  local free, waits = true, status == 'New' or status == 'Waiting'\n"
    "  if f[9] then\n"
    "    local name = f[2] .. ':' .. (f[8] or '') .. ':' .. f[9]\n"
    "    local member = redis.call('ZSCORE', p .. ':seq:' .. name, id)\n"
    "    free, groups[name] = redis.call('HGET', p .. ':seq_released', name) == id, true\n"
    "    if status == 'Complete' or status == 'Canceled' then is(id, 'seq', false, member) end\n"
    "    if waits or status == 'Scheduled' or status == 'Running' or status == 'Error' and not final then\n"
    "      is(id, 'seq', true, member)\n"
    "    end\n"
    "    is(id, 'seq_active', status == 'Running', redis.call('SISMEMBER', p .. ':seq_active:' .. name, id) == 1)\n"
    "  end\n"
    "  local held = status == 'Error' and redis.call('ZSCORE', p .. ':blocked', id)\n"
    "  is(id, 'pending', waits and free, redis.call('ZSCORE', p .. ':pending:' .. f[2], id))\n"
    "  is(id, 'due', status == 'Scheduled' or status == 'Error' and not final and not held, "
    "redis.call('ZSCORE', p .. ':due', id))\n"
    "  if held then is(id, 'ExpiresAt', false, final) end\n"
    "  is(id, 'lease', status == 'Running', lease)\n"
    "  is(id, 'running', status == 'Running', redis.call('ZSCORE', p .. ':running', id))\n"
    "  is(id, 'errors', status == 'Error', redis.call('ZSCORE', p .. ':errors', id))\n"
    "  is(id, 'Error', status == 'Error', f[6])\n"
    "  is(id, 'FinishedAt', status == 'Error' or status == 'Complete', f[5])\n"
    "  if status ~= 'Error' then is(id, 'ExpiresAt', status == 'Complete' or status == 'Canceled', final) end\n"
    "  if final then is(id, 'done', true, done[id]) end\n"
    "  if lease and lease:match('^%S+') ~= f[4] then wrong[#wrong + 1] = id .. ' lease of another token' end\n"
    "  if status ~= 'Running' then is(id, 'cancels', false, redis.call('HGET', p .. ':cancels', id)) end\n"
    "  is(id, 'born', true, born[id])\n"
    "end\n"
    "local stored = redis.call('HGETALL', p .. ':counts')\n"
    "for i = 1, #stored, 2 do\n"
    "  if stored[i]:find(':') and tonumber(stored[i + 1]) ~= (counts[stored[i]] or 0) then\n"
    "    wrong[#wrong + 1] = 'count ' .. stored[i]\n"
    "  end\n"
    "end\n"
    "for name in pairs(groups) do\n"
    "  local first = redis.call('ZRANGE', p .. ':seq:' .. name, 0, 0)[1]\n"
    "  local status = first and redis.call('HGET', p .. ':op:' .. first, 'Status')\n"
    "  local busy = redis.call('EXISTS', p .. ':seq_active:' .. name) == 1 or "
    "redis.call('HEXISTS', p .. ':seq_failing', name) == 1\n"
    "  local next = not busy and (status == 'New' or status == 'Waiting') and first or false\n"
    "  if redis.call('HGET', p .. ':seq_released', name) ~= next then wrong[#wrong + 1] = 'sequence ' .. name end\n"
    "end\n"
    "local members = redis.call('ZRANGE', p .. ':due', 0, -1)\n"
    "for _, id in ipairs(redis.call('HKEYS', p .. ':cancels')) do members[#members + 1] = id end\n"
    "for _, id in ipairs(members) do\n"
    "  if redis.call('EXISTS', p .. ':op:' .. id) == 0 then wrong[#wrong + 1] = id .. ' has no record' end\n"
    "end\n"
    "return table.concat(wrong, ', ')";

static void script_run(struct world *world, const char *script, int shard)
{
    redisReply *reply = world_command(world,
                                      "EVAL %s 1 bgop:{%d} "
                                      "WebCart Sweeper XClean",
                                      script, shard);

    if (reply->type == REDIS_REPLY_STRING && reply->len > 0)
        world_fail(world, "shard %d: %s", shard, reply->str);
    freeReplyObject(reply);
}

static void fences_check(struct world *world, int shard)
{
    redisReply *reply = world_command(world, "HMGET bgop:{%d}:fences t s0 s1", shard);
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
        script_run(world, cheap_script, s);
        fences_check(world, s);
        if (full)
            script_run(world, full_script, s);
    }
}

/* ---- looks at records ---- */

struct look {
    int status;
    bool final;
    uint64_t token;
    int64_t retry_count;
};

static bool record_look(struct world *world, int op, struct look *look)
{
    const struct submission_message *message = world_op(world, op);
    redisReply *reply =
        world_command(world, "HMGET bgop:{%d}:op:%s Status token ExpiresAt RetryCount", message->shard, message->id);
    bool exists = reply->element[0]->str != NULL;

    if (exists) {
        look->status = record_status_find(reply->element[0]->str);
        look->token = reply->element[1]->str == NULL ? 0 : strtoull(reply->element[1]->str, NULL, 10);
        look->final = reply->element[2]->str != NULL;
        look->retry_count = reply->element[3]->str == NULL ? 0 : strtoll(reply->element[3]->str, NULL, 10);
    }
    freeReplyObject(reply);
    return exists;
}

void world_observe(struct world *world, const int *ops, size_t count, int shard)
{
    struct look look;
    bool open;

    world_gate(world, shard, &open);
    for (size_t i = 0; i < count; i++) {
        if (record_look(world, ops[i], &look))
            world_event(world, (struct event){ EVENT_OBSERVE, .op = ops[i], .token = look.token, .a = look.status,
                                               .b = look.final, .c = open });
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
    const struct submission_message *message = world_op(world, op);
    redisReply *tries = world_command(world, "LRANGE bgop:{%d}:tries:%s 0 -1", message->shard, message->id);
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
        struct look look;

        if (record_look(world, op, &look)) {
            world_event(world,
                        (struct event){ EVENT_FINAL, .op = op, .token = look.token, .a = look.status, .b = look.final,
                                        .c = look.retry_count, .d = failed_attempts(world, op) });
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
