/* What may come by itself (a server that is away, a queue or topics that no coordinator has made yet) is waited for, and told
 * as one outage. What a person has to change ends the waiting. */
#include "worker/daemon/queue_wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/service/service.h"

enum { RETRY_MS = 250, TOPICS_TIMEOUT_MS = 5000 };

/* The shard count was fixed at the queue's first start: it is read. One that is configured all the same must be that one. */
static enum status read_queue(const struct config *config, struct redis *redis, struct queue_identity *queue,
                              int *shard_count, struct err *err)
{
    int64_t shards;

    if (queue_identity_read(redis, queue, err) != ST_OK)
        return err->status;
    if (!text_parse_int64(queue->shards, 1, ID_SHARDS_MAX, &shards)) {
        return err_set(err, ST_MISSING,
                       "Redis at %s holds no queue yet (bgop:meta): has a bgop-coordinator been started?",
                       redis_address(redis));
    }
    *shard_count = (int)shards;
    return queue_identity_check(queue, config, config->shards_given, err);
}

/* Before anything is claimed: else each call would be refused in its turn, in the middle of its work perhaps. */
static enum status check_user(struct redis *redis, struct err *err)
{
    struct library library;
    enum status st = functions_look(redis, "worker", &library, err);

    return st == ST_OK ? redis_user_check(redis, &library, err) : st;
}

static enum status check_topics(struct kafka_topic *topics, size_t count, int shard_count, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (!topics[i].found)
            return err_set(err, ST_MISSING, "topic %s does not exist yet: the coordinator creates it", topics[i].name);
        if (topics[i].found_partitions < shard_count) {
            return err_set(err, ST_INVALID,
                           "topic %s has %d partitions, the queue has %d shards: there must be one for each. "
                           "Delete the topic (hints are only wake-ups) and start the coordinator again",
                           topics[i].name, topics[i].found_partitions, shard_count);
        }
        if (topics[i].found_partitions > shard_count)
            kafka_surplus_tell(topics[i].name, topics[i].found_partitions, shard_count, NULL);
    }
    return ST_OK;
}

static enum status find_topics(const struct config *config, const struct types *types, int shard_count, struct err *err)
{
    struct kafka_settings settings = config_kafka(config, "bgop-worker");
    struct kafka_topic *topics = xcalloc(types->count + 1, sizeof *topics);
    char status_topic[320];
    enum status st;

    for (size_t i = 0; i < types->count; i++)
        topics[i].name = types->topics[i];
    topics[types->count].name = config_topic(config, "status", status_topic, sizeof status_topic);
    st = kafka_topics_look(&settings, topics, types->count + 1, TOPICS_TIMEOUT_MS, err);
    if (st == ST_OK)
        st = check_topics(topics, types->count + 1, shard_count, err);
    free(topics);
    return st;
}

enum status queue_wait(const struct config *config, const struct types *types, const volatile sig_atomic_t *stop,
                       char genesis[QUEUE_GENESIS_SIZE], int *shard_count, struct err *err)
{
    struct queue_identity queue = { 0 };
    struct redis *redis = redis_new(config->redis_url, (int)config->redis_timeout_ms, err);
    struct outage outage = { 0 };
    struct service service = { 0 };
    enum status st = redis ? ST_AGAIN : err->status;
    int shards = 0;

    *shard_count = 0;
    while (redis && !*stop) {
        st = read_queue(config, redis, &queue, &shards, err);
        if (st == ST_OK)
            st = check_user(redis, err);
        if (redis_is_refusal(err)) /* what a person must change is no outage */
            st = err->status = ST_INVALID;
        if (st == ST_OK)
            st = queue_cluster_check(&queue, config, "bgop-worker", err);
        if (st == ST_OK)
            st = find_topics(config, types, shards, err);
        if (st == ST_OK || st == ST_INVALID)
            break;
        outage_begin(&outage, "start", err->text);
        service_tell(&service, clock_boot_ms(), "waiting to start: %s", err->text);
        usleep(RETRY_MS * 1000);
    }
    if (st == ST_OK) {
        outage_end(&outage, "start");
        *shard_count = shards;
        memcpy(genesis, queue.genesis, sizeof queue.genesis);
    } else if (*stop) {
        st = ST_OK;
    }
    if (redis)
        redis_free(redis);
    return st;
}
