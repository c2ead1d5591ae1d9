#include "coordinator/ctl/submit/submit.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/record/keys.h"

enum { LOOK_PAUSE_MS = 20, NO_PROGRESS_MS = 15000 };

int mock_limit_init(struct mock_limit *limit, struct session *session)
{
    struct redis_reply *reply = NULL;
    struct err err = ERR_INIT;
    int code = session_shards(session);

    *limit = (struct mock_limit){ 0 };
    if (code != EXIT_OK)
        return code;
    if (redis_call(session->redis, &reply, &err, "HGET", key_name(KEY_META), "broker", NULL) != ST_OK)
        return session_fail_status(&err);
    limit->on = strcmp(redis_reply_text(reply, NULL), "mock") == 0;
    redis_reply_free(reply);
    return EXIT_OK;
}

void mock_limit_sent(struct mock_limit *limit, int partition, int64_t offset, size_t size)
{
    if (!limit->on || partition < 0 || partition >= MOCK_PARTITIONS_MAX)
        return;
    limit->sent_bytes[partition] += (int64_t)size;
    limit->unmeasured_bytes += (int64_t)size;
    if (offset >= limit->next[partition])
        limit->next[partition] = offset + 1;
}

/* A partition is read up to the furthest of its fences: each shard's moves only with messages of its own. */
static void take_fences(struct mock_limit *limit, const struct redis_reply *fences)
{
    for (size_t i = 0; i + 1 < redis_reply_count(fences); i += 2) {
        const char *field = redis_reply_text(redis_reply_at(fences, i), NULL);
        long partition = field[0] == 's' ? strtol(field + 1, NULL, 10) : -1;

        if (partition < 0 || partition >= MOCK_PARTITIONS_MAX)
            continue;
        if (strtoll(redis_reply_text(redis_reply_at(fences, i + 1), NULL), NULL, 10) >= limit->next[partition])
            limit->sent_bytes[partition] = 0;
    }
}

static bool measure_unread(struct mock_limit *limit, struct session *session)
{
    char key[64];

    for (int shard = 0; shard < session->shards; shard++) {
        struct redis_reply *fences = NULL;

        key_format(key, sizeof key, KEY_FENCES, shard, NULL);
        if (redis_call(session->redis, &fences, NULL, "HGETALL", key, NULL) != ST_OK)
            return false;
        take_fences(limit, fences);
        redis_reply_free(fences);
    }
    limit->unmeasured_bytes = 0;
    return true;
}

static int64_t most_unread(const struct mock_limit *limit)
{
    int64_t most = 0;

    for (int i = 0; i < MOCK_PARTITIONS_MAX; i++)
        most = limit->sent_bytes[i] > most ? limit->sent_bytes[i] : most;
    return most;
}

bool mock_limit_wait(struct mock_limit *limit, struct session *session)
{
    int64_t deadline = clock_boot_ms() + NO_PROGRESS_MS;

    if (!limit->on || limit->unmeasured_bytes < MOCK_MEASURE_BYTES)
        return true;
    while (most_unread(limit) > MOCK_UNREAD_MAX_BYTES / 2) {
        struct timespec pause = { 0, LOOK_PAUSE_MS * 1000000L };

        if (bgop_flush(session->client, SESSION_TIMEOUT_MS) != BGOP_OK || !measure_unread(limit, session))
            return false;
        if (most_unread(limit) <= MOCK_UNREAD_MAX_BYTES / 2)
            break;
        if (clock_boot_ms() > deadline)
            return false;
        nanosleep(&pause, NULL);
    }
    return true;
}
