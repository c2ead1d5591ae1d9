#include "coordinator/source/points.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/record/keys.h"

enum { SECONDS = 30, MINUTES = 60, HOURS = 170, POINTS_KEY_SIZE = 64 };

static const char *points_key(char room[POINTS_KEY_SIZE], const char *topic, int partition)
{
    snprintf(room, POINTS_KEY_SIZE, "%s:%s:%d", key_name(KEY_POINTS), topic, partition);
    return room;
}

enum status point_note(struct redis *redis, const char *topic, int partition, const struct fingerprint *message,
                       int64_t at_ms, struct err *err)
{
    char key[POINTS_KEY_SIZE], second[16], minute[16], hour[16], text[80];
    int64_t at_s = at_ms > 0 ? at_ms / 1000 : 0;
    struct redis_reply *reply;

    snprintf(second, sizeof second, "s%d", (int)(at_s % SECONDS));
    snprintf(minute, sizeof minute, "m%d", (int)(at_s / 60 % MINUTES));
    snprintf(hour, sizeof hour, "h%d", (int)(at_s / 3600 % HOURS));
    snprintf(text, sizeof text, "%" PRId64 " %" PRIu32 " %" PRId64, message->offset, message->crc,
             message->timestamp_ms);
    if (redis_call(redis, &reply, err, "HSET", points_key(key, topic, partition), second, text, minute, text, hour,
                   text, NULL) != ST_OK)
        return err->status;
    redis_reply_free(reply);
    return ST_OK;
}

enum status points_read(struct redis *redis, const char *topic, int partition, struct point *points, size_t *count,
                        struct err *err)
{
    char key[POINTS_KEY_SIZE];
    struct redis_reply *reply;

    *count = 0;
    if (redis_call(redis, &reply, err, "HGETALL", points_key(key, topic, partition), NULL) != ST_OK)
        return err->status;
    for (size_t i = 0; i + 1 < redis_reply_count(reply) && *count < POINTS_MAX; i += 2) {
        struct point *point = &points[*count];
        const char *text = redis_reply_text(redis_reply_at(reply, i + 1), NULL);

        snprintf(point->slot, sizeof point->slot, "%.15s", redis_reply_text(redis_reply_at(reply, i), NULL));
        *count += sscanf(text, "%" SCNd64 " %" SCNu32 " %" SCNd64, &point->message.offset, &point->message.crc,
                         &point->message.timestamp_ms) == 3;
    }
    redis_reply_free(reply);
    return ST_OK;
}

enum status points_forget(struct redis *redis, const char *topic, int partition, const struct point *points,
                          size_t count, int64_t from, struct err *err)
{
    char key[POINTS_KEY_SIZE];
    struct redis_reply *reply;

    points_key(key, topic, partition);
    for (size_t i = 0; i < count; i++) {
        if (!points[i].slot[0] || points[i].message.offset < from)
            continue;
        if (redis_call(redis, &reply, err, "HDEL", key, points[i].slot, NULL) != ST_OK)
            return err->status;
        redis_reply_free(reply);
    }
    return ST_OK;
}

static int by_offset(const void *a, const void *b)
{
    int64_t one = ((const struct point *)a)->message.offset, other = ((const struct point *)b)->message.offset;

    return (one > other) - (one < other);
}

size_t points_sort(struct point *points, size_t count)
{
    size_t kept = 0;

    qsort(points, count, sizeof *points, by_offset);
    for (size_t i = 0; i < count; i++) {
        if (points[i].message.offset >= 0 && (kept == 0 || points[kept - 1].message.offset != points[i].message.offset))
            points[kept++] = points[i];
    }
    return kept;
}
