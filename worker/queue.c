#include "worker/queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/memory.h"

enum { LOOK_AGAIN_MS = 250, TOPICS_TIMEOUT_MS = 5000 };

/* The shard count was fixed at the queue's first start: it is read, not configured. */
static enum status read_shards(struct redis *redis, int *shard_count, struct err *err)
{
    struct redis_reply *reply = NULL;
    enum status status = redis_call(redis, &reply, err, "HGET", "bgop:meta", "shards", NULL);
    int64_t shards;

    if (status != ST_OK)
        return status;
    shards = redis_reply_int(reply, 0);
    redis_reply_free(reply);
    if (shards < 1 || shards > ID_SHARDS_MAX)
        return err_set(err, ST_MISSING,
                       "Redis at %s holds no queue yet (bgop:meta): has a bgop-coordinator been started?",
                       redis_address(redis));
    *shard_count = (int)shards;
    return ST_OK;
}

static enum status check_topics(struct kafka_topic *topics, size_t count, int shard_count, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (!topics[i].found)
            return err_set(err, ST_MISSING, "topic %s does not exist yet: the coordinator creates it", topics[i].name);
        if (topics[i].found_partitions != shard_count)
            return err_set(err, ST_INVALID,
                           "topic %s has %d partitions, the queue has %d shards: they must be equal. "
                           "Delete the topic (hints are only wake-ups) and start the coordinator again",
                           topics[i].name, topics[i].found_partitions, shard_count);
    }
    return ST_OK;
}

static enum status look_at_topics(const struct config *config, const struct types *types, int shard_count,
                                  struct err *err)
{
    struct kafka_settings settings = config_kafka(config, "bgop-worker");
    struct kafka_topic *topics = xcalloc(types->count + 1, sizeof *topics);
    char status_topic[320];
    enum status status;

    for (size_t i = 0; i < types->count; i++)
        topics[i].name = types->topics[i];
    topics[types->count].name = config_topic(config, "status", status_topic, sizeof status_topic);
    status = kafka_topics_look(&settings, topics, types->count + 1, TOPICS_TIMEOUT_MS, err);
    if (status == ST_OK)
        status = check_topics(topics, types->count + 1, shard_count, err);
    free(topics);
    return status;
}

enum status queue_wait(const struct config *config, const struct types *types, const volatile sig_atomic_t *stop,
                       int *shard_count, struct err *err)
{
    struct redis *redis = redis_new(config->redis_url, (int)config->redis_timeout_ms, err);
    struct outage outage = { 0 };
    enum status status = redis ? ST_AGAIN : err->status;
    int shards = 0;

    *shard_count = 0;
    while (redis && !*stop) {
        status = read_shards(redis, &shards, err);
        if (status == ST_OK)
            status = look_at_topics(config, types, shards, err);
        if (status == ST_OK || status == ST_INVALID)
            break;
        outage_begin(&outage, "start", err->text);
        usleep(LOOK_AGAIN_MS * 1000);
    }
    if (status == ST_OK) {
        outage_end(&outage, "start");
        *shard_count = shards;
    } else if (*stop) {
        status = ST_OK;
    }
    if (redis)
        redis_free(redis);
    return status;
}
