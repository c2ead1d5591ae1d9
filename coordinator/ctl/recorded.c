/* An Id is known as soon as Kafka has the submission, some milliseconds before Redis has its record. Who names such an
 * Id right away is not told that there is no such operation. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "coordinator/ctl/session.h"

enum { RECORDED_WITHIN_MS = 3000, LOOK_EVERY_MS = 20 };

static int64_t ask_number(struct session *session, const char *verb, const char *key, const char *field, enum status *st)
{
    struct redis_reply *reply = NULL;
    int64_t number = 0;

    *st = redis_call(session->redis, &reply, NULL, verb, key, field, NULL); /* no field: the list ends before it */
    if (*st == ST_OK && redis_reply_kind(reply) == REDIS_INTEGER)
        number = redis_reply_int(reply, 0);
    else if (*st == ST_OK && redis_reply_kind(reply) == REDIS_TEXT)
        number = strtoll(redis_reply_text(reply, NULL), NULL, 10); /* a fence: "next ..." */
    redis_reply_free(reply);
    return number;
}

/* Its record is there, or its submission was read and there is none: refused, a duplicate, or removed. An error ends
 * the waiting too: whoever asks next will be told of it. */
static bool is_decided(struct session *session, const char *id)
{
    struct id_parts parts;
    char key[64], field[32];
    enum status st = ST_OK;

    if (!id_parse(id, ID_LENGTH, &parts))
        return true;
    snprintf(key, sizeof key, "bgop:{%d}:op:%s", parts.shard, id);
    if (ask_number(session, "EXISTS", key, NULL, &st) > 0 || st != ST_OK)
        return true;
    snprintf(key, sizeof key, "bgop:{%d}:fences", parts.shard);
    snprintf(field, sizeof field, "s%d", parts.partition);
    return ask_number(session, "HGET", key, field, &st) > parts.offset || st != ST_OK;
}

void session_await_records(struct session *session, char (*ids)[ID_SIZE], size_t count)
{
    int64_t until = clock_boot_ms() + RECORDED_WITHIN_MS;

    if (session_redis(session) != EXIT_OK)
        return;
    for (size_t i = 0; i < count; i++)
        while (!is_decided(session, ids[i])) {
            if (clock_boot_ms() >= until)
                return;
            usleep(LOOK_EVERY_MS * 1000);
        }
}
