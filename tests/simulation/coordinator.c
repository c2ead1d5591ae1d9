/* Coordinators as step functions: intake with cursors and fences, the status log, ticks with read_to, and recovery
 * (taking a generation, arming, replaying, opening). Two of them own everything at once: fences must make that safe. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "tests/simulation/world.h"

enum { VERDICT_FIELDS = 7 };

void coordinator_start(struct world *world, struct coordinator *coordinator)
{
    (void)world;
    memset(coordinator, 0, sizeof *coordinator);
}

static void hint_append(struct world *world, int shard, int type, const char *ids)
{
    struct hint_topic *topic = &world->hints[shard][type];
    struct hint hint = { .count = 0 };

    for (const char *id = ids; *id != '\0'; id += id[ID_LENGTH] == ' ' ? ID_LENGTH + 1 : ID_LENGTH) {
        char one[ID_SIZE];

        snprintf(one, sizeof one, "%.18s", id);
        if (hint.count < HINT_IDS) /* the rest is lost: as if a message were */
            hint.ops[hint.count++] = world_op_find(world, one);
    }
    GROW(topic->hints, topic->count, topic->capacity);
    topic->hints[topic->count++] = hint;
}

/* (Type, Ids)* from index on; now and then their message is lost. */
static void hints_produce(struct world *world, int shard, const redisReply *answer, size_t index)
{
    for (; index + 1 < answer->elements; index += 2) {
        for (int type = 0; type < TYPES; type++) {
            if (strcmp(answer_text(answer, index), sim_types[type].name) == 0 &&
                (world->quiet || !random_chance(&world->random, 500)))
                hint_append(world, shard, type, answer_text(answer, index + 1));
        }
    }
}

/* ---- recovery ---- */

static void arm(struct world *world, struct coordinator *coordinator, int shard)
{
    enum refusal refused;
    const redisReply *answer;
    int64_t generation = ++world->generation; /* produced to the control topic before it is used */

    call_begin(world, "bgop_arm", shard, generation);
    call_int(world, (int64_t)world->status[shard].count);
    call_int(world, PARTITIONS);
    for (int p = 0; p < PARTITIONS; p++) {
        call_int(world, p);
        call_int(world, world->submit[p].committed);
    }
    call_int(world, LEASE_MS);
    call_int(world, RETRY_MAX_MS);
    call_int(world, 30);
    call_int(world, 15);
    for (int t = 0; t < TYPES; t++) {
        char settings[256];

        snprintf(settings, sizeof settings,
                 "{\"retry_backoff_ms\":%" PRId64 ",\"retry_limit\":%" PRId64 ",\"timeout_ms\":%" PRId64
                 ",\"retention_s\":%" PRId64 ",\"retention_error_s\":%" PRId64
                 ",\"merge_max\":%d,\"merge_max_bytes\":%d,\"max_running_per_parent\":%d"
                 ",\"on_sequence_failure\":\"%s\"}",
                 sim_types[t].backoff_ms, sim_types[t].limit, sim_types[t].timeout_ms, sim_types[t].retention_s,
                 sim_types[t].retention_error_s, sim_types[t].merge_max, sim_types[t].merge_max_bytes,
                 sim_types[t].max_running_per_parent, sim_types[t].on_sequence_failure);
        call_text(world, sim_types[t].name);
        call_text(world, settings);
    }
    answer = call_send(world, &refused);
    if (answer != NULL)
        world_event(world, (struct event){ EVENT_ARM, .op = -1, .a = shard, .b = generation });
    coordinator->generation[shard] = 0;
}

/* What Redis holds is the truth: read again after a start, a refusal, a new generation. */
static void fences_read(struct world *world, struct coordinator *coordinator, int shard)
{
    redisReply *reply = world_command(world, "HGETALL bgop:{%d}:fences", shard);

    for (int p = 0; p < PARTITIONS; p++)
        coordinator->cursor[p][shard] = 0;
    coordinator->status_cursor[shard] = 0;
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        const char *name = reply->element[i]->str;
        int64_t next = strtoll(reply->element[i + 1]->str, NULL, 10);

        if (name[0] == 't')
            coordinator->status_cursor[shard] = next;
        else
            coordinator->cursor[name[1] - '0'][shard] = next;
    }
    freeReplyObject(reply);
}

/* Knows the shard's generation: reads the gate, arms when nobody has. */
static bool generation_known(struct world *world, struct coordinator *coordinator, int shard)
{
    bool open;

    if (coordinator->generation[shard] != 0)
        return true;
    coordinator->generation[shard] = world_gate(world, shard, &open);
    if (coordinator->generation[shard] == 0) {
        arm(world, coordinator, shard);
        return false;
    }
    fences_read(world, coordinator, shard);
    coordinator->opened[shard] = false;
    coordinator->mark[shard].set = false;
    return true;
}

static void try_open(struct world *world, struct coordinator *coordinator, int shard)
{
    enum refusal refused;
    const redisReply *answer;
    bool open;

    if (coordinator->opened[shard] || world_gate(world, shard, &open) != coordinator->generation[shard])
        return;
    coordinator->opened[shard] = open;
    if (open)
        return;
    call_begin(world, "bgop_open", shard, coordinator->generation[shard]);
    answer = call_send(world, &refused);
    if (answer != NULL && strcmp(answer_text(answer, 0), "OK") == 0) {
        world->floor_ms[shard] = world->now_ms + LEASE_MS;
        world_event(world, (struct event){ EVENT_OPEN, .op = -1, .a = shard, .b = coordinator->generation[shard] });
    }
}

static void forget(struct coordinator *coordinator, int shard, enum refusal refused)
{
    if (refused == REFUSED_FENCED)
        coordinator->generation[shard] = 0;
}

/* The caller never sees this answer: what Redis did stays done. */
static bool reply_lost(struct world *world)
{
    if (world->quiet || !random_chance(&world->random, 200))
        return false;
    world->seen[EFFECT_LOST_REPLY]++;
    return true;
}

/* ---- intake ---- */

static const char *payload_of(const struct submission_message *message)
{
    static char payload[2048];

    memset(payload, 'x', sizeof payload);
    payload[message->payload_size] = '\0';
    return payload;
}

static void number_or_absent(struct world *world, int64_t number)
{
    if (number < 0)
        call_text(world, "");
    else
        call_int(world, number);
}

static void op_args(struct world *world, const struct submission_message *message)
{
    call_text(world, message->id);
    call_text(world, sim_types[message->type].name);
    call_text(world, message->parent_key);
    call_text(world, message->name);
    number_or_absent(world, message->process_after_ms);
    number_or_absent(world, message->backoff_ms);
    number_or_absent(world, message->limit);
    number_or_absent(world, message->timeout_ms);
    call_text(world, message->sequence_group);
    number_or_absent(world, message->sequence_number);
    call_int(world, message->crc);
    call_text(world, ""); /* SubmittedAt: now */
    call_text(world, message->content);
    call_text(world, "");
    call_text(world, payload_of(message));
}

static bool is_rejected(const struct submission_message *message)
{
    return message->poison || message->told;
}

/* One shard's part of the messages [from, next) of a partition; rejects are counted in the shard they would go to. */
static void ingest_args(struct world *world, struct coordinator *coordinator, int partition, int shard, int64_t next)
{
    const struct submit_topic *topic = &world->submit[partition];
    int64_t from = coordinator->cursor[partition][shard], rejected = 0;

    call_begin(world, "bgop_ingest", shard, coordinator->generation[shard]);
    call_int(world, 1);
    call_int(world, partition);
    call_int(world, from);
    call_int(world, next);
    call_int(world, next - 1);
    call_int(world, topic->messages[next - 1].crc);
    call_int(world, 0);
    for (int64_t i = from; i < next; i++)
        rejected += topic->messages[i].shard == shard && is_rejected(&topic->messages[i]);
    call_int(world, rejected);
    for (int64_t i = from; i < next; i++) {
        if (topic->messages[i].shard == shard && !is_rejected(&topic->messages[i]))
            op_args(world, &topic->messages[i]);
    }
}

/* What Redis would not record is told; the next call goes without it. */
static void rejects_tell(struct world *world, int partition, const redisReply *answer)
{
    struct submit_topic *topic = &world->submit[partition];

    for (size_t i = 1; i + 1 < answer->elements; i += 2) {
        for (size_t k = 0; k < topic->count; k++)
            topic->messages[k].told |= strcmp(topic->messages[k].id, answer_text(answer, i)) == 0;
    }
    world->seen[EFFECT_REJECTED]++;
}

static void rejects_forget(struct world *world, int partition)
{
    for (size_t k = 0; k < world->submit[partition].count; k++)
        world->submit[partition].messages[k].told = false;
}

/* NULL: it came to nothing. */
static const redisReply *ingest_send(struct world *world, struct coordinator *coordinator, int partition, int shard,
                                     int64_t next)
{
    enum refusal refused;
    const redisReply *answer;

    for (;;) {
        ingest_args(world, coordinator, partition, shard, next);
        answer = call_send(world, &refused);
        if (answer == NULL)
            forget(coordinator, shard, refused);
        if (answer == NULL || strcmp(answer_text(answer, 0), "REJECT") != 0)
            return answer;
        rejects_tell(world, partition, answer);
        if (reply_lost(world)) /* told, and no more: whoever reads it again finds the same */
            return NULL;
    }
}

static void ingest_shard(struct world *world, struct coordinator *coordinator, int partition, int shard, int64_t next)
{
    int64_t from = coordinator->cursor[partition][shard];
    const redisReply *answer;

    if (from >= next || !generation_known(world, coordinator, shard))
        return;
    from = coordinator->cursor[partition][shard];
    if (from >= next)
        return;
    answer = ingest_send(world, coordinator, partition, shard, next);
    rejects_forget(world, partition);
    if (answer == NULL)
        return;
    if (strcmp(answer_text(answer, 0), "FENCE") == 0) {
        world->seen[EFFECT_FENCE_REFUSED]++;
        coordinator->cursor[partition][shard] = answer_int(answer, 2);
        return;
    }
    world_event(world, (struct event){ EVENT_INGEST, .op = -1, .a = partition, .b = shard, .c = from, .d = next });
    world->submit_fence[partition][shard] = next;
    if (reply_lost(world))
        return;
    coordinator->cursor[partition][shard] = next;
    hints_produce(world, shard, answer, 2);
}

void coordinator_intake(struct world *world, struct coordinator *coordinator, int partition, int most)
{
    struct submit_topic *topic = &world->submit[partition];
    int64_t position = INT64_MAX, next;

    for (int s = 0; s < SHARDS; s++) {
        if (!generation_known(world, coordinator, s))
            return;
        if (coordinator->cursor[partition][s] < position)
            position = coordinator->cursor[partition][s];
    }
    next = position + most < (int64_t)topic->count ? position + most : (int64_t)topic->count;
    for (int s = 0; s < SHARDS; s++)
        ingest_shard(world, coordinator, partition, s, next);
    if (random_chance(&world->random, 2000)) { /* the group's offset: a mirror, committed now and then */
        position = INT64_MAX;
        for (int s = 0; s < SHARDS; s++)
            position = coordinator->cursor[partition][s] < position ? coordinator->cursor[partition][s] : position;
        if (topic->committed < position)
            topic->committed = position;
    }
    for (int s = 0; s < SHARDS; s++) {
        if (coordinator->generation[s] != 0)
            try_open(world, coordinator, s);
    }
}

/* ---- the status log ---- */

/* Entries without an Id: the Type stands in place of the leader Id, the ParentKey in place of the result. */
static void pause_args(struct world *world, const struct log_entry *entry)
{
    char parent[16] = "";
    bool of_type = entry->paused < PAUSED_PARENT;

    if (!of_type)
        snprintf(parent, sizeof parent, "p%d", entry->paused - PAUSED_PARENT);
    call_text(world, entry->kind);
    call_text(world, "");
    call_int(world, 0);
    for (int i = 0; i < 3; i++)
        call_text(world, "");
    call_text(world, "looked at");
    call_text(world, "");
    call_text(world, parent);
    call_text(world, of_type ? sim_types[entry->paused].name : "");
    call_text(world, "");
}

static void entry_args(struct world *world, const struct log_entry *entry)
{
    char uri[32] = "";

    if (entry->op < 0)
        return pause_args(world, entry);

    if (entry->worker >= 0)
        snprintf(uri, sizeof uri, "http://w%d", entry->worker);
    call_text(world, entry->kind);
    call_text(world, world_op(world, entry->op)->id);
    call_token(world, entry->token);
    number_or_absent(world, entry->started_ms);
    number_or_absent(world, entry->duration_ms);
    call_text(world, uri);
    call_text(world, strcmp(entry->kind, "error") == 0 ? "it failed" : "");
    number_or_absent(world, entry->retry_after_ms);
    call_text(world, strcmp(entry->kind, "ok") == 0 && entry->op % 7 == 0 ? "result" : "");
    call_text(world, entry->leader < 0 ? "" : world_op(world, entry->leader)->id);
    call_text(world, "");
}

/* What has just become of the operations is what finality is held against later. */
static void applied_observe(struct world *world, int shard, int64_t from, int64_t next)
{
    const struct status_topic *topic = &world->status[shard];
    int ops[64];
    size_t count = 0;

    for (int64_t i = from; i < next; i++) {
        for (size_t n = 0; n < topic->batches[i].count && count < sizeof ops / sizeof *ops; n++) {
            if (topic->entries[topic->batches[i].first + n].op >= 0)
                ops[count++] = topic->entries[topic->batches[i].first + n].op;
        }
    }
    world_observe(world, ops, count);
}

void coordinator_status(struct world *world, struct coordinator *coordinator, int shard, int most)
{
    const struct status_topic *topic = &world->status[shard];
    int64_t from, next;
    enum refusal refused;
    const redisReply *answer;

    if (!generation_known(world, coordinator, shard))
        return;
    from = coordinator->status_cursor[shard];
    next = from + most < (int64_t)topic->count ? from + most : (int64_t)topic->count;
    if (next <= from)
        return try_open(world, coordinator, shard);
    call_begin(world, "bgop_apply", shard, coordinator->generation[shard]);
    call_int(world, from);
    call_int(world, next);
    call_int(world, next - 1);
    call_int(world, next * 7);
    call_int(world, 0);
    for (int64_t i = from; i < next; i++) {
        for (size_t n = 0; n < topic->batches[i].count; n++)
            entry_args(world, &topic->entries[topic->batches[i].first + n]);
    }
    answer = call_send(world, &refused);
    if (answer == NULL)
        return forget(coordinator, shard, refused);
    if (strcmp(answer_text(answer, 0), "FENCE") == 0) {
        world->seen[EFFECT_FENCE_REFUSED]++;
        coordinator->status_cursor[shard] = answer_int(answer, 1);
        return;
    }
    world_event(world, (struct event){ EVENT_APPLY, .op = -1, .a = shard, .b = from, .c = next });
    world->status_fence[shard] = next;
    applied_observe(world, shard, from, next);
    if (reply_lost(world))
        return;
    coordinator->status_cursor[shard] = next;
    hints_produce(world, shard, answer, 2);
    try_open(world, coordinator, shard);
}

/* ---- ticks ---- */

/* The time up to which the log is known to be applied: first the time, then the end of the log; when everything below
 * that end is applied, that time counts. */
static void read_to_move(struct world *world, struct coordinator *coordinator, int shard)
{
    if (coordinator->mark[shard].set && coordinator->status_cursor[shard] >= coordinator->mark[shard].end) {
        coordinator->read_to_ms[shard] = coordinator->mark[shard].time_ms;
        coordinator->mark[shard].set = false;
    }
    if (!coordinator->mark[shard].set) {
        coordinator->mark[shard].time_ms = world->now_ms;
        coordinator->mark[shard].end = (int64_t)world->status[shard].count;
        coordinator->mark[shard].set = true;
    }
}

/* A dead worker is not its operation's failure: timed out is who was renewed later than the backstop only. */
static void timed_out_check(struct world *world, const struct log_entry *entry)
{
    if (strcmp(entry->kind, "timed_out") != 0)
        return;
    world->seen[EFFECT_TIMED_OUT]++;
    if (world->places[entry->op].heard_token != entry->token ||
        world->places[entry->op].heard_ms < entry->started_ms + entry->duration_ms)
        world_fail(world, "operation %d timed out, and nobody said that it ran so long", entry->op);
}

/* A verdict is (Id, token, kind, StartedAt, duration, text, leader Id); now and then its message is lost. */
static void verdicts_append(struct world *world, int shard, const redisReply *answer)
{
    size_t count = (size_t)answer_int(answer, 4);

    for (size_t i = 0; i < count; i++) {
        struct log_entry entry = { .retry_after_ms = -1, .worker = -1, .leader = -1 };
        size_t at = 5 + VERDICT_FIELDS * i;

        entry.kind = strcmp(answer_text(answer, at + 2), "lost") == 0 ? "lost" : "timed_out";
        entry.op = world_op_find(world, answer_text(answer, at));
        entry.token = strtoull(answer_text(answer, at + 1), NULL, 10);
        entry.started_ms = answer_int(answer, at + 3);
        entry.duration_ms = answer_int(answer, at + 4);
        if (answer_text(answer, at + 6)[0] != '\0')
            entry.leader = world_op_find(world, answer_text(answer, at + 6));
        if (entry.op < 0)
            return world_fail(world, "a verdict on an unknown operation %s", answer_text(answer, at));
        timed_out_check(world, &entry);
        if (world->quiet || !random_chance(&world->random, 500))
            status_append(world, shard, &entry, 1);
    }
}

static int64_t leases_lost(struct world *world, int shard)
{
    redisReply *reply = world_command(world, "HGET bgop:{%d}:counts lost", shard);
    int64_t lost = reply->str == NULL ? 0 : strtoll(reply->str, NULL, 10);

    freeReplyObject(reply);
    return lost;
}

void coordinator_tick(struct world *world, struct coordinator *coordinator, int shard)
{
    bool below_floor = world->now_ms < world->floor_ms[shard];
    int64_t lost = below_floor ? leases_lost(world, shard) : 0;
    enum refusal refused;
    const redisReply *answer;

    if (!generation_known(world, coordinator, shard))
        return;
    read_to_move(world, coordinator, shard);
    call_begin(world, "bgop_tick", shard, coordinator->generation[shard]);
    call_int(world, coordinator->read_to_ms[shard]);
    call_int(world, random_chance(&world->random, 1000) ? 2 : 500);
    answer = call_send(world, &refused);
    if (answer == NULL)
        return forget(coordinator, shard, refused);
    if (below_floor && (answer_int(answer, 4) > 0 || leases_lost(world, shard) != lost))
        world_fail(world, "shard %d judged leases before its floor", shard);
    if (reply_lost(world))
        return;
    verdicts_append(world, shard, answer);
    hints_produce(world, shard, answer, 5 + VERDICT_FIELDS * (size_t)answer_int(answer, 4));
}
