#include "common/reading/reading.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/reading/parts.h"
#include "common/record/id.h"
#include "common/record/keys.h"

/* ---- one call ---- */

static enum status call_send(struct redis *redis, int shard, const char *function, const char *const *args,
                             size_t count, struct err *err)
{
    struct redis_command command;
    enum status st;
    char key[KEY_SIZE];

    redis_command_init(&command);
    redis_command_add_text(&command, "FCALL_RO");
    redis_command_add_text(&command, function);
    redis_command_add_text(&command, shard == READING_ALL_SHARDS ? "0" : "1");
    if (shard != READING_ALL_SHARDS)
        redis_command_add_text(&command, key_format(key, sizeof key, KEY_SHARD, shard, NULL));
    for (size_t i = 0; i < count; i++)
        redis_command_add_text(&command, args[i]);
    st = redis_send(redis, &command, err);
    redis_command_release(&command);
    return st;
}

static enum status call_receive(struct redis *redis, json_t **answer, struct err *err)
{
    struct redis_reply *reply = NULL;
    json_error_t error;
    size_t size;
    const char *text;
    enum status st = redis_receive(redis, &reply, err);

    *answer = NULL;
    if (st != ST_OK)
        return st;
    text = redis_reply_text(reply, &size);
    *answer = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    redis_reply_free(reply);
    if (*answer)
        return ST_OK;
    return err_set(err, ST_FAILED, "Redis at %s: the answer is not JSON: %s", redis_address(redis), error.text);
}

enum status reading_shards(struct redis *redis, int *shards, struct err *err)
{
    struct redis_reply *reply = NULL;
    enum status st = redis_call(redis, &reply, err, "HGET", key_name(KEY_META), "shards", NULL);
    int64_t number = redis_reply_int(reply, 0);

    redis_reply_free(reply);
    if (st == ST_OK && (number < 0 || number > ID_SHARDS_MAX))
        return err_set(err, ST_FAILED, "bgop:meta says %lld shards", (long long)number);
    *shards = (int)number;
    return st;
}

/* ---- parts ---- */

enum status parts_ask(const struct reading *reading, struct part *parts, size_t count)
{
    enum status st = ST_OK;
    size_t sent = 0;

    for (; sent < count && st == ST_OK; sent += st == ST_OK) {
        st = call_send(reading->redis, parts[sent].shard, reading->function,
                       parts[sent].args ? parts[sent].args : reading->args,
                       parts[sent].args ? parts[sent].count : reading->count, reading->err);
    }
    for (size_t i = 0; i < sent; i++) {
        struct err err = ERR_INIT;
        enum status received = call_receive(reading->redis, &parts[i].answer, &err);

        if (received != ST_OK && st == ST_OK) {
            *reading->err = err;
            st = received;
        }
    }
    for (size_t i = 0; i < count && st != ST_OK; i++) {
        json_decref(parts[i].answer);
        parts[i].answer = NULL;
    }
    return st;
}

enum status parts_ask_all(const struct reading *reading, struct part **parts)
{
    *parts = xcalloc((size_t)reading->shards, sizeof **parts);
    for (int s = 0; s < reading->shards; s++)
        (*parts)[s].shard = s;
    return parts_ask(reading, *parts, (size_t)reading->shards);
}

void parts_release(struct part *parts, size_t count)
{
    for (size_t i = 0; parts && i < count; i++)
        json_decref(parts[i].answer);
    free(parts);
}

enum status part_ask_one(const struct reading *reading, int shard, json_t **answer)
{
    struct part part = { .shard = shard };
    enum status st = parts_ask(reading, &part, 1);

    *answer = part.answer;
    return st;
}

int part_of_id(const struct reading *reading, const char *id)
{
    struct id_parts parts;
    char complete[ID_SIZE];

    return id_read(complete, id, strlen(id), &parts) && parts.shard < reading->shards ? parts.shard : 0;
}

/* ---- which function is merged how ---- */

/* Shard 0 says what any would. */
static enum status ask_any(const struct reading *reading, json_t **answer)
{
    return part_ask_one(reading, 0, answer);
}

static enum status ask_of_id(const struct reading *reading, json_t **answer)
{
    return part_ask_one(reading, reading->count > 0 ? part_of_id(reading, reading->args[0]) : 0, answer);
}

static const struct {
    const char *function;
    enum status (*merge)(const struct reading *reading, json_t **answer);
    bool of_records; /* refused while there is no queue */
} merges[] = {
    { "bgop_describe", ask_any, false },        { "bgop_why", ask_of_id, false },
    { "bgop_retrieve", merge_retrieve, true },  { "bgop_find", merge_find, true },
    { "bgop_lookup", merge_lookup, true },      { "bgop_get_updated", merge_window, true },
    { "bgop_get_deleted", merge_window, true }, { "bgop_blocked", merge_blocked, false },
    { "bgop_stats", merge_stats, false },       { "bgop_history", merge_history, false },
    { "bgop_actions", ask_any, false }, /* shard 0 has them */
};

enum status reading_merged(struct redis *redis, json_t **answer, const char *function, const char *const *args,
                           size_t count, struct err *err)
{
    struct reading reading = { .redis = redis, .function = function, .args = args, .count = count, .err = err };

    *answer = NULL;
    if (reading_shards(redis, &reading.shards, err) != ST_OK)
        return err->status;
    for (size_t i = 0; i < sizeof merges / sizeof *merges; i++) {
        if (strcmp(merges[i].function, function) != 0)
            continue;
        if (reading.shards == 0 && merges[i].of_records)
            return err_set(err, ST_RECOVERING, "RECOVERING no coordinator has set up a queue on this Redis yet");
        return merges[i].merge(&reading, answer);
    }
    return err_set(err, ST_FAILED, "%s is not known to read all shards of a cluster", function);
}

enum status reading_ask(struct redis *redis, json_t **answer, int shard, const char *function, const char *const *args,
                        size_t count, struct err *err)
{
    *answer = NULL;
    if (shard == READING_ALL_SHARDS && redis_is_cluster(redis))
        return reading_merged(redis, answer, function, args, count, err);
    if (call_send(redis, shard, function, args, count, err) != ST_OK)
        return err->status;
    return call_receive(redis, answer, err);
}
