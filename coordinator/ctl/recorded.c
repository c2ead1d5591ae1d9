/* An Id is known as soon as Kafka has the submission, some milliseconds before Redis has its record. Who names such an
 * Id right away is not told that there is no such operation. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/record/keys.h"
#include "coordinator/ctl/missing.h"

enum { SETTLED_WITHIN_MS = 1000, RECORDED_WITHIN_MS = 3000, ASK_KAFKA_AFTER_MS = 300, LOOK_EVERY_MS = 20 };

static int64_t read_number(struct session *session, const char *verb, const char *key, const char *field,
                           enum status *st)
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

bool session_is_recorded(struct session *session, const char *id)
{
    struct id_parts parts;
    char key[64];
    enum status st = ST_OK;

    if (!id_parse(id, ID_LENGTH, &parts) || session_redis(session) != EXIT_OK)
        return true;
    key_format(key, sizeof key, KEY_OP, parts.shard, id);
    return read_number(session, "EXISTS", key, NULL, &st) > 0 || st != ST_OK;
}

/* Its record is there, or its submission was read and there is none: refused, a duplicate, or removed. An error ends
 * the waiting too: whoever asks next will be told of it. */
static bool is_decided(struct session *session, const char *id)
{
    struct id_parts parts;
    char key[64], field[32];
    enum status st = ST_OK;

    if (!id_parse(id, ID_LENGTH, &parts) || session_is_recorded(session, id))
        return true;
    key_format(key, sizeof key, KEY_FENCES, parts.shard, NULL);
    snprintf(field, sizeof field, "s%d", parts.partition);
    return read_number(session, "HGET", key, field, &st) > parts.offset || st != ST_OK;
}

/* Kafka is asked only when Redis lets wait: is it worth waiting on? */
static bool may_come_soon(struct session *session, const char *id)
{
    struct missing missing;

    missing_explain(session, id, &missing);
    return missing_may_come(&missing) && !missing.held;
}

void session_await_records(struct session *session, char (*ids)[ID_SIZE], size_t count)
{
    int64_t begun = clock_boot_ms();

    if (session_redis(session) != EXIT_OK)
        return;
    for (size_t i = 0; i < count; i++) {
        bool asked = false;

        while (!is_decided(session, ids[i])) {
            int64_t waited = clock_boot_ms() - begun;

            if (waited >= RECORDED_WITHIN_MS)
                return;
            if (waited >= ASK_KAFKA_AFTER_MS && !asked && !may_come_soon(session, ids[i]))
                break;
            asked = waited >= ASK_KAFKA_AFTER_MS;
            usleep(LOOK_EVERY_MS * 1000);
        }
    }
}

void session_settle_id(struct session *session, char id[ID_SIZE])
{
    int64_t begun = clock_boot_ms();
    struct id_parts parts;
    int epoch;

    if (!id_parse(id, ID_LENGTH, &parts) || session_redis(session) != EXIT_OK)
        return;
    do {
        if (session_is_recorded(session, id) || session_read_epoch(session, parts.partition, &epoch, NULL) != ST_OK)
            return;
        if (epoch != parts.epoch) {
            parts.epoch = epoch;
            id_make(id, &parts);
        }
        if (is_decided(session, id))
            return;
        usleep(LOOK_EVERY_MS * 1000);
    } while (clock_boot_ms() - begun < SETTLED_WITHIN_MS);
}
