/* Both places are read (the control topic by control_read, bgop:meta by queue_identity_read), genesis_find judges,
 * genesis_act does what its table says. What is made is written to Kafka first: a start that was cut short between is
 * found as UNUSED. */
#include "coordinator/daemon/genesis.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "common/base/clock.h"
#include "common/base/crash_point.h"
#include "common/base/log.h"
#include "common/base/text.h"
#include "common/config/queue_identity.h"
#include "common/record/id.h"
#include "common/record/keys.h"
#include "coordinator/source/epochs.h"

enum genesis_finding genesis_find(const struct control_history *history, const char *redis_genesis)
{
    if (!history->genesis[0])
        return redis_genesis[0] ? GENESIS_KAFKA_LOST : GENESIS_NONE;
    if (!redis_genesis[0])
        return history->generation > 0 ? GENESIS_REDIS_LOST : GENESIS_UNUSED;
    return strcmp(history->genesis, redis_genesis) == 0 ? GENESIS_KNOWN : GENESIS_DIFFERENT;
}

/* ---- bgop:meta ---- */

bool submit_partitions_adopted(const char *stored, int64_t configured)
{
    int64_t known;

    return text_parse_int64(stored, 1, ID_PARTITIONS_MAX, &known) && configured > known;
}

/* The topic has them (topics.h): from here on coordinators with the smaller number do not start any more. */
static enum status meta_adopt(struct redis *redis, const struct queue_identity *meta, const struct config *config,
                              struct err *err)
{
    struct redis_reply *reply;
    char partitions[16];

    snprintf(partitions, sizeof partitions, "%d", (int)config->submit_partitions);
    if (redis_call(redis, &reply, err, "HSET", key_name(KEY_META), "submit_partitions", partitions, NULL) != ST_OK)
        return err->status;
    redis_reply_free(reply);
    log_event(LOG_LEVEL_INFO, "partitions adopted", "topic=%s.submit before=%s now=%s", config->prefix,
              meta->submit_partitions, partitions);
    return ST_OK;
}

static enum status meta_check(const struct queue_identity *meta, const struct config *config, struct err *err)
{
    char partitions[16];

    snprintf(partitions, sizeof partitions, "%d", (int)config->submit_partitions);
    if (!submit_partitions_adopted(meta->submit_partitions, config->submit_partitions) &&
        queue_option_check("submit_partitions", meta->submit_partitions, partitions, err) != ST_OK)
        return err->status;
    return queue_identity_check(meta, config, true, err);
}

static enum status meta_write(struct redis *redis, const struct config *config, const char *genesis,
                              const char *cluster, struct err *err)
{
    struct redis_reply *reply;
    char shards[16], partitions[16], created[32];

    snprintf(shards, sizeof shards, "%d", (int)config->shards);
    snprintf(partitions, sizeof partitions, "%d", (int)config->submit_partitions);
    snprintf(created, sizeof created, "%" PRId64, clock_wall_ms());
    if (redis_call(redis, &reply, err, "HSET", key_name(KEY_META), "genesis", genesis, "shards", shards,
                   "submit_partitions", partitions, "prefix", config->prefix, "cluster", cluster, "created", created,
                   NULL) != ST_OK)
        return err->status;
    redis_reply_free(reply);
    return ST_OK;
}

/* What an older version did not write, and the cluster when the queue has moved: workers compare theirs with it. */
static enum status meta_complete(struct redis *redis, const struct queue_identity *meta, const struct config *config,
                                 const char *cluster, struct err *err)
{
    struct redis_reply *reply;
    char shards[16], partitions[16];

    if (meta->shards[0] && meta->submit_partitions[0] && meta->prefix[0] && strcmp(meta->cluster, cluster) == 0)
        return ST_OK;
    snprintf(shards, sizeof shards, "%d", (int)config->shards);
    snprintf(partitions, sizeof partitions, "%d", (int)config->submit_partitions);
    if (redis_call(redis, &reply, err, "HSET", key_name(KEY_META), "shards", meta->shards[0] ? meta->shards : shards,
                   "submit_partitions", meta->submit_partitions[0] ? meta->submit_partitions : partitions, "prefix",
                   config->prefix, "cluster", cluster, NULL) != ST_OK)
        return err->status;
    redis_reply_free(reply);
    log_event(LOG_LEVEL_INFO, "queue named", "prefix=%s cluster=%s", config->prefix, cluster);
    return ST_OK;
}

/* Another cluster with the same genesis is a copy: its offsets may differ, which the fingerprints will tell. */
static enum status cluster_check(const struct config *config, const struct queue_identity *meta, char *cluster,
                                 size_t room, struct err *err)
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
    struct control control = CONTROL_INIT;

    control.shards = (int32_t)wanted->config->shards;
    control.at_ms = clock_wall_ms();
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
    control_history_release(history);
    return control_read(wanted->config, history, err);
}

/* ---- settling ---- */

static enum status genesis_halt(enum genesis_finding finding, const struct control_history *history,
                                const struct queue_identity *meta, struct err *err)
{
    if (finding == GENESIS_REDIS_LOST) {
        return err_set(
            err, ST_INVALID,
            "Redis is empty, but the control topic has history (queue %s, generation %" PRId64
            "): Redis lost its data, or this is the wrong one. Restore it; or start once with --rebuild: then "
            "every submission still in Kafka is replayed, then every outcome (finished operations stay finished "
            "as far as their outcomes are still there)",
            history->genesis, history->generation);
    }
    if (finding == GENESIS_KAFKA_LOST) {
        return err_set(
            err, ST_INVALID,
            "Redis belongs to queue %s, but the control topic is empty: Kafka lost its data, or "
            "this is the wrong cluster. Restore it; or start once with --rebuild: then the queue goes on from "
            "what Redis knows",
            meta->genesis);
    }
    return err_set(err, ST_INVALID,
                   "Redis belongs to queue %s, Kafka to queue %s: they do not go together. Correct the "
                   "addresses; or empty this Redis and start once with --rebuild to fill it from Kafka",
                   meta->genesis, history->genesis);
}

static enum status genesis_act(enum genesis_finding finding, const struct genesis_wanted *wanted,
                               struct control_history *history, const struct queue_identity *meta,
                               struct appender *appender, struct err *err)
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

static enum status genesis_settle_with(const struct genesis_wanted *wanted, struct redis *redis,
                                       struct appender *appender, struct control_history *history, char *genesis,
                                       size_t room, struct err *err)
{
    struct queue_identity meta;
    char cluster[sizeof meta.cluster];
    enum genesis_finding finding;

    if (control_read(wanted->config, history, err) != ST_OK || queue_identity_read(redis, &meta, err) != ST_OK ||
        cluster_check(wanted->config, &meta, cluster, sizeof cluster, err) != ST_OK)
        return err->status;
    finding = genesis_find(history, meta.genesis);
    if (genesis_act(finding, wanted, history, &meta, appender, err) != ST_OK)
        return err->status;
    if (history->shards > 0 && history->shards != wanted->config->shards) {
        return err_set(err, ST_INVALID,
                       "this queue was made with %d shards, but the configuration says %d: set [queue] "
                       "shards = %d",
                       history->shards, (int)wanted->config->shards, history->shards);
    }
    if (meta_check(&meta, wanted->config, err) != ST_OK || epochs_restore(redis, history, err) != ST_OK)
        return err->status;
    text_copy(genesis, room, history->genesis, strlen(history->genesis));
    if (!meta.genesis[0])
        return meta_write(redis, wanted->config, genesis, cluster, err);
    if (meta_complete(redis, &meta, wanted->config, cluster, err) != ST_OK)
        return err->status;
    if (submit_partitions_adopted(meta.submit_partitions, wanted->config->submit_partitions))
        return meta_adopt(redis, &meta, wanted->config, err);
    return ST_OK;
}

enum status genesis_settle(const struct genesis_wanted *wanted, struct redis *redis, struct appender *appender,
                           char *genesis, size_t room, struct err *err)
{
    struct control_history history = { .shards = -1 };
    enum status st = genesis_settle_with(wanted, redis, appender, &history, genesis, room, err);

    control_history_release(&history);
    return st;
}

/* ---- before topics are made ---- */

/* A copy of the queue's Kafka has its control topic. */
static enum status cluster_has_queue(const struct config *config, bool *has, struct err *err)
{
    struct kafka_settings settings = config_kafka(config, "bgop-coordinator");
    char name[300];
    struct kafka_topic control = { .name = config_topic(config, "control", name, sizeof name) };

    *has = false;
    if (kafka_topics_look(&settings, &control, 1, CONTROL_READ_MS, err) != ST_OK)
        return err->status;
    *has = control.found;
    return ST_OK;
}

enum status genesis_precheck(const struct genesis_wanted *wanted, struct redis *redis, struct err *err)
{
    struct queue_identity meta;
    struct err unlike = ERR_INIT;
    bool copy;

    if (queue_identity_read(redis, &meta, err) != ST_OK)
        return err->status;
    if (!meta.genesis[0])
        return ST_OK;
    if (meta_check(&meta, wanted->config, err) != ST_OK)
        return err->status;
    if (wanted->rebuild || queue_cluster_check(&meta, wanted->config, "bgop-coordinator", &unlike) == ST_OK)
        return ST_OK;
    if (unlike.status != ST_INVALID) {
        *err = unlike; /* it is away */
        return err->status;
    }
    if (cluster_has_queue(wanted->config, &copy, err) != ST_OK || copy)
        return err->status; /* of a copy the control topic will tell */
    return err_set(err, ST_INVALID, "%s. If the queue's Kafka was lost, start once with --rebuild", unlike.text);
}
