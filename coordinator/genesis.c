#include "coordinator/genesis.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/text.h"
#include "coordinator/crash.h"

/* bgop:meta, as far as it is compared. */
struct meta {
    char genesis[64], shards[16], submit_partitions[16], prefix[256], cluster[128];
};

enum genesis_finding genesis_find(const struct control_history *history, const char *redis_genesis)
{
    if (!history->genesis[0])
        return redis_genesis[0] ? GENESIS_KAFKA_LOST : GENESIS_NONE;
    if (!redis_genesis[0])
        return history->generation > 0 ? GENESIS_REDIS_LOST : GENESIS_UNUSED;
    return strcmp(history->genesis, redis_genesis) == 0 ? GENESIS_KNOWN : GENESIS_DIFFERENT;
}

/* ---- bgop:meta ---- */

static void meta_take(char *to, size_t room, const struct redis_reply *reply, size_t index)
{
    const char *text = redis_reply_text(redis_reply_at(reply, index), NULL);

    text_copy(to, room, text, strlen(text));
}

static enum status meta_read(struct redis *redis, struct meta *meta, struct err *err)
{
    struct redis_reply *reply;

    if (redis_call(redis, &reply, err, "HMGET", "bgop:meta", "genesis", "shards", "submit_partitions", "prefix",
                   "cluster", NULL) != ST_OK)
        return err->status;
    meta_take(meta->genesis, sizeof meta->genesis, reply, 0);
    meta_take(meta->shards, sizeof meta->shards, reply, 1);
    meta_take(meta->submit_partitions, sizeof meta->submit_partitions, reply, 2);
    meta_take(meta->prefix, sizeof meta->prefix, reply, 3);
    meta_take(meta->cluster, sizeof meta->cluster, reply, 4);
    redis_reply_free(reply);
    return ST_OK;
}

static enum status meta_differs(const char *option, const char *stored, const char *given, struct err *err)
{
    if (!stored[0] || strcmp(stored, given) == 0)
        return ST_OK;
    return err_set(err, ST_INVALID,
                   "this Redis belongs to a queue with %s = %s, but the configuration says %s: set [queue] "
                   "%s = %s, or use another Redis (one queue per server)",
                   option, stored, given, option, stored);
}

static enum status meta_check(const struct meta *meta, const struct config *config, struct err *err)
{
    char shards[16], partitions[16];

    snprintf(shards, sizeof shards, "%d", (int)config->shards);
    snprintf(partitions, sizeof partitions, "%d", (int)config->submit_partitions);
    if (meta_differs("shards", meta->shards, shards, err) != ST_OK ||
        meta_differs("submit_partitions", meta->submit_partitions, partitions, err) != ST_OK)
        return err->status;
    return meta_differs("prefix", meta->prefix, config->prefix, err);
}

static enum status meta_write(struct redis *redis, const struct config *config, const char *genesis,
                              const char *cluster, struct err *err)
{
    struct redis_reply *reply;
    char shards[16], partitions[16], created[32];

    snprintf(shards, sizeof shards, "%d", (int)config->shards);
    snprintf(partitions, sizeof partitions, "%d", (int)config->submit_partitions);
    snprintf(created, sizeof created, "%" PRId64, clock_wall_ms());
    if (redis_call(redis, &reply, err, "HSET", "bgop:meta", "genesis", genesis, "shards", shards, "submit_partitions",
                   partitions, "prefix", config->prefix, "cluster", cluster, "created", created, NULL) != ST_OK)
        return err->status;
    redis_reply_free(reply);
    return ST_OK;
}

/* Another cluster with the same genesis is a copy: its offsets may differ, which the fingerprints will tell. */
static enum status cluster_ask(const struct config *config, const struct meta *meta, char *cluster, size_t room,
                               struct err *err)
{
    struct kafka_settings settings = config_kafka(config, "bgop-coordinator");

    if (kafka_cluster_id(&settings, cluster, room, CONTROL_READ_MS, err) != ST_OK)
        return err->status;
    if (meta->cluster[0] && strcmp(meta->cluster, cluster) != 0)
        log_event(LOG_LEVEL_WARNING, "another cluster", "was=%s is=%s", meta->cluster, cluster);
    return ST_OK;
}

/* ---- the control topic ---- */

static enum status genesis_write(const struct genesis_wanted *wanted, struct appender *appender, const char *genesis,
                                 struct err *err)
{
    struct control control = {
        .generation = -1, .shard = -1, .shards = (int32_t)wanted->config->shards, .at_ms = clock_wall_ms()
    };

    text_copy(control.genesis_id, sizeof control.genesis_id, genesis, strlen(genesis));
    text_copy(control.instance, sizeof control.instance, wanted->instance, strlen(wanted->instance));
    if (control_append(appender, &control, err) != ST_OK)
        return err->status;
    return appender_wait(appender, err);
}

/* Two coordinators may both find nothing: the first record in the topic is the genesis, for both. */
static enum status genesis_make(const struct genesis_wanted *wanted, struct appender *appender,
                                struct control_history *history, struct err *err)
{
    unsigned char random[16];
    char genesis[2 * sizeof random + 1];

    if (getrandom(random, sizeof random, 0) != sizeof random)
        return err_set(err, ST_FAILED, "no random numbers to be had from the kernel");
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(genesis + 2 * i, 3, "%02x", random[i]);
    if (genesis_write(wanted, appender, genesis, err) != ST_OK)
        return err->status;
    crash_point(CRASH_GENESIS_AFTER);
    log_event(LOG_LEVEL_INFO, "genesis", "id=%s shards=%d", genesis, (int)wanted->config->shards);
    return control_read(wanted->config, history, err);
}

/* ---- settling ---- */

static enum status genesis_halt(enum genesis_finding finding, const struct control_history *history,
                                const struct meta *meta, struct err *err)
{
    if (finding == GENESIS_REDIS_LOST)
        return err_set(
            err, ST_INVALID,
            "Redis is empty, but the control topic has history (queue %s, generation %" PRId64
            "): Redis lost its data, or this is the wrong one. Restore it; or start once with --rebuild: then "
            "every submission still in Kafka is replayed, then every outcome (finished operations stay finished "
            "as far as their outcomes are still there)",
            history->genesis, history->generation);
    if (finding == GENESIS_KAFKA_LOST)
        return err_set(
            err, ST_INVALID,
            "Redis belongs to queue %s, but the control topic is empty: Kafka lost its data, or "
            "this is the wrong cluster. Restore it; or start once with --rebuild: then the queue goes on from "
            "what Redis knows",
            meta->genesis);
    return err_set(err, ST_INVALID,
                   "Redis belongs to queue %s, Kafka to queue %s: they do not go together. Correct the "
                   "addresses; or empty this Redis and start once with --rebuild to fill it from Kafka",
                   meta->genesis, history->genesis);
}

static enum status genesis_act(enum genesis_finding finding, const struct genesis_wanted *wanted,
                               struct control_history *history, const struct meta *meta, struct appender *appender,
                               struct err *err)
{
    switch (finding) {
    case GENESIS_KNOWN:
    case GENESIS_UNUSED: return ST_OK;
    case GENESIS_NONE: return genesis_make(wanted, appender, history, err);
    case GENESIS_REDIS_LOST:
        if (!wanted->rebuild)
            break;
        log_event(LOG_LEVEL_WARNING, "rebuild", "genesis=%s from=kafka", history->genesis);
        return ST_OK;
    case GENESIS_KAFKA_LOST:
        if (!wanted->rebuild)
            break;
        log_event(LOG_LEVEL_WARNING, "rebuild", "genesis=%s from=redis", meta->genesis);
        text_copy(history->genesis, sizeof history->genesis, meta->genesis, strlen(meta->genesis));
        return genesis_write(wanted, appender, meta->genesis, err);
    case GENESIS_DIFFERENT: break;
    }
    return genesis_halt(finding, history, meta, err);
}

enum status genesis_settle(const struct genesis_wanted *wanted, struct redis *redis, struct appender *appender,
                           char *genesis, size_t room, struct err *err)
{
    struct control_history history;
    struct meta meta;
    char cluster[sizeof meta.cluster];
    enum genesis_finding finding;

    if (control_read(wanted->config, &history, err) != ST_OK || meta_read(redis, &meta, err) != ST_OK ||
        cluster_ask(wanted->config, &meta, cluster, sizeof cluster, err) != ST_OK)
        return err->status;
    finding = genesis_find(&history, meta.genesis);
    if (genesis_act(finding, wanted, &history, &meta, appender, err) != ST_OK)
        return err->status;
    if (history.shards > 0 && history.shards != wanted->config->shards)
        return err_set(err, ST_INVALID,
                       "this queue was made with %d shards, but the configuration says %d: set [queue] "
                       "shards = %d",
                       history.shards, (int)wanted->config->shards, history.shards);
    if (meta_check(&meta, wanted->config, err) != ST_OK)
        return err->status;
    text_copy(genesis, room, history.genesis, strlen(history.genesis));
    return meta.genesis[0] ? ST_OK : meta_write(redis, wanted->config, genesis, cluster, err);
}
