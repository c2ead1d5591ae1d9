/* Producers and people: submissions to bgop.submit, commands to the status log. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/record/routing.h"
#include "tests/simulation/world.h"

/* ---- submissions ---- */

/* Names are unique within Type and routing key: equal numbers are one Name. */
static int name_number(const struct submission_message *message)
{
    int parent = message->parent_key[0] == '\0' ? 0 : message->parent_key[1] - '0' + 1;

    return message->name[0] == '\0' ? 0 : 1 + message->type * 10000 + parent * 1000 + message->name[1] - 'a';
}

/* Likewise of sequence groups: within Type and ParentKey. */
static int sequence_id(const struct submission_message *message)
{
    int parent = message->parent_key[0] == '\0' ? 0 : message->parent_key[1] - '0' + 1;

    return message->sequence_group[0] == '\0'
               ? 0
               : 1 + message->type * 100 + parent * 10 + message->sequence_group[1] - '0';
}

/* Operations of a Type that merges or limits take turns, within Type and ParentKey. */
static int lane_id(const struct submission_message *message)
{
    const struct sim_type *type = &sim_types[message->type];

    if (message->parent_key[0] == '\0' || (type->merge_max == 1 && type->max_running_per_parent == 0))
        return 0;
    return 1 + message->type * 10 + message->parent_key[1] - '0';
}

static void op_describe(struct world *world, const struct submission_message *message, int partition, int64_t offset)
{
    struct history *history = &world->history;
    const struct sim_type *type = &sim_types[message->type];
    struct history_op op = {
        .type = message->type,
        .shard = message->shard,
        .parent = message->parent_key[0] == '\0' ? -1 : message->parent_key[1] - '0',
        .poison = message->poison,
        .name = name_number(message),
        .process_after_ms = message->process_after_ms,
        .backoff_ms = message->backoff_ms < 0 ? type->backoff_ms : message->backoff_ms,
        .limit = message->limit < 0 ? type->limit : message->limit,
        .retention_ms = 1000 * type->retention_s,
        .sequence = sequence_id(message),
        .sequence_number = message->sequence_number,
        .sequence_fails = strcmp(type->on_sequence_failure, "fail") == 0,
        .lane = lane_id(message),
        .lane_most = type->merge_max > 1 ? 1 : type->max_running_per_parent,
        .group_most = type->merge_max,
        .group_bytes = type->merge_max_bytes,
        .bytes = message->payload_size,
    };

    GROW(history->ops, history->op_count, history->op_capacity);
    history->ops[history->op_count++] = op;
    GROW(world->places, world->place_count, world->place_capacity);
    memset(&world->places[world->place_count], 0, sizeof *world->places);
    world->places[world->place_count].partition = partition;
    world->places[world->place_count++].offset = offset;
}

static void message_place(struct submission_message *message, int partition, int64_t offset)
{
    const char *key = message->parent_key[0] != '\0'       ? message->parent_key
                      : message->sequence_group[0] != '\0' ? message->sequence_group
                                                           : message->name;
    struct id_parts parts = { .partition = partition, .offset = offset };

    message->shard = parts.shard = routing_shard(key, strlen(key), partition, offset, SHARDS);
    id_make(message->id, &parts);
}

void user_submit(struct world *world)
{
    struct random *random = &world->random;
    int partition = random_below(random, PARTITIONS);
    struct submit_topic *topic = &world->submit[partition];
    struct submission_message message = {
        .op = (int)world->history.op_count,
        .type = random_below(random, TYPES),
        .process_after_ms = -1,
        .backoff_ms = -1,
        .limit = -1,
        .timeout_ms = -1,
        .sequence_number = -1,
        .crc = (uint32_t)random_next(random),
        .poison = random_chance(random, 200),
        .payload_size = random_chance(random, 500) ? 1500 : random_below(random, 60),
    };
    bool taking_turns;

    taking_turns = sim_types[message.type].merge_max > 1 || sim_types[message.type].max_running_per_parent > 0;
    if (random_chance(random, taking_turns ? 9500 : 4000)) {
        int one = random_below(random, PARENTS), other = random_below(random, PARENTS); /* few, and some hot */

        snprintf(message.parent_key, sizeof message.parent_key, "p%d", taking_turns && other < one ? other : one);
    }
    if (random_chance(random, 2500)) {
        snprintf(message.sequence_group, sizeof message.sequence_group, "s%d", random_below(random, 2));
        message.sequence_number = random_below(random, 12);
    } else if (random_chance(random, 1000)) {
        snprintf(message.name, sizeof message.name, "n%c", 'a' + random_below(random, 6));
    }
    snprintf(message.content, sizeof message.content, "c%d", random_below(random, 3));
    if (random_chance(random, 1500))
        message.process_after_ms = world->now_ms + random_between(random, -1000, 20000);
    if (random_chance(random, 2000))
        message.backoff_ms = random_below(random, 3000);
    if (random_chance(random, 2000))
        message.limit = random_below(random, 4);
    if (random_chance(random, 1000))
        message.timeout_ms = random_between(random, 1000, 30000);
    GROW(topic->messages, topic->count, topic->capacity);
    message_place(&message, partition, (int64_t)topic->count);
    op_describe(world, &message, partition, (int64_t)topic->count);
    topic->messages[topic->count++] = message;
    world_event(world, (struct event){ EVENT_SUBMIT, .op = message.op, .a = partition, .b = (int64_t)topic->count - 1,
                                       .c = message.process_after_ms });
}

/* ---- the status log ---- */

void status_append(struct world *world, int shard, const struct log_entry *entries, size_t count)
{
    struct status_topic *topic = &world->status[shard];
    struct log_batch batch = { topic->entry_count, count };

    for (size_t i = 0; i < count; i++) {
        int kind = 0;

        GROW(topic->entries, topic->entry_count, topic->entry_capacity);
        topic->entries[topic->entry_count++] = entries[i];
        if (entries[i].op < 0) {
            world_event(world, (struct event){ EVENT_PAUSE, .op = -1, .a = shard, .b = (int64_t)topic->count,
                                               .c = entries[i].paused, .d = strcmp(entries[i].kind, "resume") == 0 });
            continue;
        }
        for (int k = ENTRY_OK; k < ENTRY_KIND_END; k++)
            kind = strcmp(entries[i].kind, entry_kind_name((enum entry_kind)k)) == 0 ? k : kind;
        world_event(world, (struct event){ EVENT_ENTRY, .op = entries[i].op, .token = entries[i].token, .a = shard,
                                           .b = (int64_t)topic->count, .c = kind, .d = entries[i].retry_after_ms });
    }
    GROW(topic->batches, topic->count, topic->capacity);
    topic->batches[topic->count++] = batch;
}

/* ---- commands: resolved by a coordinator into entries that carry the token it saw ---- */

/* One that runs, leader or follower; -1: the worker asked runs nothing. */
static int running_choose(struct world *world)
{
    const struct worker *worker = &world->workers[random_below(&world->random, WORKERS)];
    const struct execution *execution;
    int member;

    if (worker->execution_count == 0)
        return -1;
    execution = &worker->executions[random_below(&world->random, worker->execution_count)];
    member = random_between(&world->random, -1, execution->follower_count - 1);
    return member < 0 ? execution->op : execution->followers[member].op;
}

static void entry_choose(struct world *world, struct log_entry *entry)
{
    int op = random_chance(&world->random, 5000) ? running_choose(world) : -1;
    const struct submission_message *message;
    redisReply *reply;

    if (op < 0)
        op = random_below(&world->random, (int)world->history.op_count);
    message = world_op(world, op);
    reply = world_command(world, "HMGET bgop:{%d}:op:%s Status token", message->shard, message->id);
    entry->op = op;
    entry->token = reply->element[1]->str == NULL ? 0 : strtoull(reply->element[1]->str, NULL, 10);
    if (reply->element[0]->str != NULL && strcmp(reply->element[0]->str, "Error") == 0)
        entry->kind = "redrive";
    freeReplyObject(reply);
}

void user_command(struct world *world)
{
    struct random *random = &world->random;
    struct log_entry entry = {
        .kind = "cancel", .started_ms = -1, .duration_ms = -1, .retry_after_ms = -1, .worker = -1, .leader = -1
    };
    const struct submission_message *message;

    if (world->history.op_count == 0)
        return;
    for (int i = random_below(random, 6); i >= 0 && strcmp(entry.kind, "cancel") == 0; i--) /* an Error, if it can */
        entry_choose(world, &entry);
    message = world_op(world, entry.op);
    for (int times = random_chance(random, 1000) ? 2 : 1; times > 0; times--)
        status_append(world, message->shard, &entry, 1);
    if (!random_chance(random, 4000))
        return;
    coordinator_status(world, &world->coordinators[0], message->shard,
                       20); /* sometimes it is heard of while that runs */
    for (int w = 0; w < WORKERS; w++)
        worker_renew(world, &world->workers[w], message->shard);
}

/* ---- pause and resume: a Type's in every shard, a ParentKey's in its own ---- */

static void pause_append(struct world *world, int what, bool pauses)
{
    const struct log_entry entry = { .kind = pauses ? "pause" : "resume",
                                     .op = -1,
                                     .paused = what,
                                     .started_ms = -1,
                                     .duration_ms = -1,
                                     .retry_after_ms = -1,
                                     .worker = -1,
                                     .leader = -1 };
    char parent[16] = "";
    int only = -1;

    if (what >= PAUSED_PARENT) {
        snprintf(parent, sizeof parent, "p%d", what - PAUSED_PARENT);
        only = routing_shard(parent, strlen(parent), 0, 0, SHARDS);
    }
    world->paused[what] = pauses;
    for (int s = 0; s < SHARDS; s++) {
        redisReply *aside;

        if (only >= 0 && only != s)
            continue;
        status_append(world, s, &entry, 1);
        aside = world_command(world, "ZCARD bgop:{%d}:aside:%s:%s", s, parent[0] != '\0' ? "P" : "T",
                              parent[0] != '\0' ? parent : sim_types[what].name);
        world->seen[EFFECT_LAID_ASIDE] += aside->integer;
        freeReplyObject(aside);
        aside = world_command(world, "ZCARD bgop:{%d}:lane:%s:p0", s, sim_types[TYPE_SiteTaskCreate].name);
        world->seen[EFFECT_LIMITED] += aside->integer;
        freeReplyObject(aside);
    }
    world->seen[EFFECT_PAUSED] += pauses;
}

/* What is paused comes back soon; now and then a resume of what is not paused, or the same pause again. */
void user_pause(struct world *world)
{
    struct random *random = &world->random;
    int what =
        random_chance(random, 5000) ? random_below(random, TYPES) : PAUSED_PARENT + random_below(random, PARENTS);
    int paused = 0;

    for (int i = 0; i < PAUSED_MAX; i++)
        paused += world->paused[i];
    if (paused > 0 && random_chance(random, 7000)) {
        int nth = random_below(random, paused);

        for (what = 0; !world->paused[what] || nth-- > 0; what++)
            ;
        return pause_append(world, what, false);
    }
    pause_append(world, what, !random_chance(random, 500));
}

void user_resume_all(struct world *world)
{
    for (int what = 0; what < PAUSED_MAX; what++) {
        if (world->paused[what])
            pause_append(world, what, false);
    }
}

/* In a drain: whoever holds a sequence group gets another chance or is given up. */
void user_unblock(struct world *world)
{
    for (int s = 0; s < SHARDS; s++) {
        redisReply *held = world_command(world, "ZRANGE bgop:{%d}:blocked 0 4", s);

        for (size_t i = 0; i < held->elements; i++) {
            struct log_entry entry = {
                .kind = "redrive", .started_ms = -1, .duration_ms = -1, .retry_after_ms = -1, .worker = -1, .leader = -1
            };
            redisReply *token = world_command(world, "HGET bgop:{%d}:op:%s token", s, held->element[i]->str);

            entry.op = world_op_find(world, held->element[i]->str);
            entry.token = token->str == NULL ? 0 : strtoull(token->str, NULL, 10);
            freeReplyObject(token);
            if (random_chance(&world->random, 3000))
                entry.kind = "cancel";
            status_append(world, s, &entry, 1);
            world->seen[EFFECT_BLOCKED]++;
        }
        freeReplyObject(held);
    }
}
