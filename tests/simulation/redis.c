/* The real redis-server under the simulation: calls with their digests, restarts, rollbacks (its AOF cut at the size
 * it had after an earlier step). appendfsync no: every reply is in the file, and the file is as long as the replies
 * say. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/redis/functions.h"
#include "tests/simulation/world.h"

enum { ARGS_MAX = 8192, ARG_TEXT_MAX = 1 << 20 };

static struct {
    const char *argv[ARGS_MAX];
    size_t sizes[ARGS_MAX];
    int argc, shard;
    char text[ARG_TEXT_MAX];
    size_t used;
    redisReply *reply;
} at_hand;

static const char clock_begin[] = "-- clock: begin\n", clock_end[] = "-- clock: end";
static const char clock_of_simulation[] =
    "-- clock: begin\nlocal GAP_MS = 1e15\nlocal function clock_ms() return tonumber(redis.call('GET', 'sim:now')) end\n";

/* ---- replies: what is sent together is one round trip, and round trips are most of a run's time ---- */

static redisReply *reply_next(struct world *world)
{
    void *reply = NULL;

    if (redisGetReply(world->redis, &reply) != REDIS_OK || reply == NULL) {
        fprintf(stderr, "redis-server: %s\n", world->redis->errstr);
        exit(1);
    }
    return reply;
}

/* The answer to what was sent last; nobody waits for those before it that are owed. */
static redisReply *reply_read(struct world *world)
{
    for (; world->owed > 0; world->owed--) {
        redisReply *reply = reply_next(world);

        if (reply->type == REDIS_REPLY_ERROR)
            world_fail(world, "%s", reply->str);
        freeReplyObject(reply);
    }
    return reply_next(world);
}

static redisReply *reply_checked(struct world *world, const char *what)
{
    redisReply *reply = reply_read(world);

    if (reply->type == REDIS_REPLY_ERROR)
        world_fail(world, "%s: %s", what, reply->str);
    return reply;
}

void world_send(struct world *world, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    redisvAppendCommand(world->redis, format, args);
    va_end(args);
}

redisReply *world_answer(struct world *world)
{
    return reply_checked(world, "sent");
}

/* ---- calls ---- */

void call_text(struct world *world, const char *text)
{
    size_t size = strlen(text);

    if (at_hand.argc == ARGS_MAX || at_hand.used + size + 1 > sizeof at_hand.text)
        return world_fail(world, "a call with too many arguments");
    memcpy(at_hand.text + at_hand.used, text, size + 1);
    at_hand.argv[at_hand.argc] = at_hand.text + at_hand.used;
    at_hand.sizes[at_hand.argc++] = size;
    at_hand.used += size + 1;
}

void call_int(struct world *world, int64_t number)
{
    char text[32];

    snprintf(text, sizeof text, "%" PRId64, number);
    call_text(world, text);
}

void call_token(struct world *world, uint64_t token)
{
    char text[32];

    snprintf(text, sizeof text, "%" PRIu64, token);
    call_text(world, text);
}

void call_begin(struct world *world, const char *function, int shard, int64_t generation)
{
    char prefix[32];

    at_hand.argc = 0;
    at_hand.used = 0;
    at_hand.shard = shard;
    snprintf(prefix, sizeof prefix, "bgop:{%d}", shard);
    call_text(world, "FCALL");
    call_text(world, function);
    call_text(world, "1");
    call_text(world, prefix);
    call_int(world, generation);
}

static uint64_t digest_text(uint64_t digest, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        digest = (digest ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    return (digest ^ 0xff) * UINT64_C(0x100000001b3);
}

static uint64_t digest_reply(uint64_t digest, const redisReply *reply)
{
    char number[32];

    if (reply->type == REDIS_REPLY_ARRAY) {
        for (size_t i = 0; i < reply->elements; i++)
            digest = digest_reply(digest, reply->element[i]);
        return digest;
    }
    if (reply->type == REDIS_REPLY_INTEGER) {
        snprintf(number, sizeof number, "%lld", reply->integer);
        return digest_text(digest, number, strlen(number));
    }
    return reply->str == NULL ? digest : digest_text(digest, reply->str, (size_t)reply->len);
}

static enum refusal refusal_of(struct world *world, const redisReply *reply)
{
    static const struct {
        const char *word;
        enum refusal refusal;
    } refusals[] = {
        { "FENCED ", REFUSED_FENCED },
        { "RECOVERING ", REFUSED_RECOVERING },
        { "STALE ", REFUSED_STALE },
    };

    if (reply->type != REDIS_REPLY_ERROR)
        return REFUSED_NOT;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        if (strncmp(reply->str, refusals[i].word, strlen(refusals[i].word)) == 0)
            return refusals[i].refusal;
    }
    world_fail(world, "%s: %s", at_hand.argv[1], reply->str);
    return REFUSED_FENCED;
}

const redisReply *call_send(struct world *world, enum refusal *refused)
{
    uint64_t digest = UINT64_C(0xcbf29ce484222325);

    *refused = REFUSED_FENCED;
    if (at_hand.reply != NULL)
        freeReplyObject(at_hand.reply);
    redisAppendCommandArgv(world->redis, at_hand.argc, at_hand.argv, at_hand.sizes);
    at_hand.reply = reply_read(world);
    for (int i = 1; i < at_hand.argc; i++)
        digest = digest_text(digest, at_hand.argv[i], at_hand.sizes[i]);
    world_event(world, (struct event){ EVENT_CALL, .op = -1, .a = at_hand.shard, .b = (int64_t)digest,
                                       .c = (int64_t)digest_reply(UINT64_C(0xcbf29ce484222325), at_hand.reply) });
    *refused = refusal_of(world, at_hand.reply);
    if (*refused == REFUSED_FENCED || *refused == REFUSED_STALE)
        world->seen[EFFECT_FENCED]++;
    return *refused == REFUSED_NOT ? at_hand.reply : NULL;
}

const char *answer_text(const redisReply *answer, size_t index)
{
    return index < answer->elements && answer->element[index]->str != NULL ? answer->element[index]->str : "";
}

int64_t answer_int(const redisReply *answer, size_t index)
{
    if (index >= answer->elements)
        return -1;
    if (answer->element[index]->type == REDIS_REPLY_INTEGER)
        return answer->element[index]->integer;
    return strtoll(answer_text(answer, index), NULL, 10);
}

redisReply *world_command(struct world *world, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    redisvAppendCommand(world->redis, format, args);
    va_end(args);
    return reply_checked(world, format);
}

static void command_done(redisReply *reply)
{
    freeReplyObject(reply);
}

void world_clock(struct world *world, int64_t now_ms)
{
    world->now_ms = now_ms;
    world_send(world, "SET sim:now %lld", (long long)now_ms);
    world->owed++;
}

void world_gate_send(struct world *world, int shard)
{
    world_send(world, "HMGET bgop:{%d}:gate gen run mode", shard);
}

int64_t world_gate_answer(struct world *world, bool *open)
{
    redisReply *reply = world_answer(world);
    int64_t generation = 0;

    *open = false;
    if (reply->element[0]->str != NULL && strcmp(reply->element[1]->str, world->run_id) == 0) {
        generation = strtoll(reply->element[0]->str, NULL, 10);
        *open = strcmp(reply->element[2]->str, "OPEN") == 0;
    }
    command_done(reply);
    return generation;
}

int64_t world_gate(struct world *world, int shard, bool *open)
{
    world_gate_send(world, shard);
    return world_gate_answer(world, open);
}

/* ---- its life ---- */

static void world_connect(struct world *world)
{
    redisReply *reply;
    const char *run_id;

    world->owed = 0;
    world->redis = redis_server_connect(&world->server);
    command_done(world_command(world, "CONFIG SET auto-aof-rewrite-percentage 0"));
    reply = world_command(world, "INFO server");
    run_id = strstr(reply->str, "run_id:");
    snprintf(world->run_id, sizeof world->run_id, "%.40s", run_id == NULL ? "" : run_id + 7);
    command_done(reply);
    world_clock(world, world->now_ms);
}

void world_redis_start(struct world *world)
{
    const char *begin = strstr(functions_code, clock_begin), *end = strstr(functions_code, clock_end);
    size_t room = functions_code_size + sizeof clock_of_simulation;
    char *code = malloc(room);

    redis_server_start(&world->server, true);
    world_connect(world);
    snprintf(code, room, "%.*s%s%s", (int)(begin - functions_code), functions_code, clock_of_simulation, end);
    command_done(world_command(world, "FUNCTION LOAD REPLACE %s", code));
    command_done(world_command(world, "HSET bgop:meta shards %d submit_partitions %d", SHARDS, PARTITIONS));
    free(code);
    structure_load(world);
}

void world_snapshot(struct world *world)
{
    struct snapshot *snapshot = &world->snapshots[world->snapshot_count++ % SNAPSHOTS];

    if (world->snapshot_oldest < world->snapshot_count - SNAPSHOTS)
        world->snapshot_oldest = world->snapshot_count - SNAPSHOTS;
    snapshot->aof_size = redis_server_written(&world->server);
    snapshot->step = world->step;
    memcpy(snapshot->submit_fence, world->submit_fence, sizeof world->submit_fence);
    memcpy(snapshot->status_fence, world->status_fence, sizeof world->status_fence);
}

void world_restart(struct world *world)
{
    redisFree(world->redis);
    redis_server_kill(&world->server);
    redis_server_again(&world->server);
    world_connect(world);
    world->restarts++;
    world_event(world, (struct event){ EVENT_RESTART, .op = -1 });
}

static void fence_events(struct world *world)
{
    for (int s = 0; s < SHARDS; s++) {
        for (int p = 0; p < PARTITIONS; p++)
            world_event(world, (struct event){ EVENT_FENCE, .op = -1, .a = p, .b = s, .c = world->submit_fence[p][s] });
        world_event(world, (struct event){ EVENT_FENCE, .op = -1, .a = -1, .b = s, .c = world->status_fence[s] });
    }
}

/* Mostly a few steps back, sometimes many. */
void world_rollback(struct world *world)
{
    int known = world->snapshot_count - world->snapshot_oldest;
    int back = random_between(&world->random, 1, random_chance(&world->random, 3000) ? SNAPSHOTS - 1 : 25);
    const struct snapshot *snapshot;

    if (back >= known || !world->rollbacks_allowed)
        return;
    world->snapshot_count -= back;
    snapshot = &world->snapshots[(world->snapshot_count - 1) % SNAPSHOTS];
    redisFree(world->redis);
    redis_server_kill(&world->server);
    redis_server_backwards(&world->server, snapshot->aof_size);
    redis_server_again(&world->server);
    memcpy(world->submit_fence, snapshot->submit_fence, sizeof world->submit_fence);
    memcpy(world->status_fence, snapshot->status_fence, sizeof world->status_fence);
    world_connect(world);
    world->rollbacks++;
    world->seen[EFFECT_ROLLED_BACK] += back;
    world_event(world, (struct event){ EVENT_ROLLBACK, .op = -1, .a = world->step - snapshot->step });
    fence_events(world);
}
