#include "coordinator/daemon/topics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/text.h"
#include "coordinator/source/sources.h"

#define DAY_MS (INT64_C(24) * 3600 * 1000)

/* Submissions can be replayed for as long as they are kept; outcomes and commands are kept longer than any operation
 * whose submission can be replayed lives. Hints are worthless after seconds. */
/* clang-format off */
#define QUEUE_TOPICS(XX)                          \
    XX("submit", submit_partitions, 7 * DAY_MS)   \
    XX("command", submit_partitions, 30 * DAY_MS) \
    XX("status", shards, 30 * DAY_MS)             \
    XX("control", one, INT64_C(-1))               \
    XX("rejects", one, 30 * DAY_MS)
/* clang-format on */
#define HINT_RETENTION_MS DAY_MS
enum { USUAL_REPLICAS = 3 };

static void topics_add(struct topics *topics, const struct config *config, const char *name, int64_t partitions,
                       int64_t retention_ms)
{
    char topic[300];

    topics->list = xrealloc(topics->list, (topics->count + 1) * sizeof *topics->list);
    topics->list[topics->count++] = (struct kafka_topic){
        .name = xstrdup(config_topic(config, name, topic, sizeof topic)),
        .partitions = (int)partitions,
        .any_count = strcmp(name, "command") == 0,
        .retention_ms = retention_ms,
    };
}

void topics_init(struct topics *topics, const struct config *config)
{
    int64_t submit_partitions = config->submit_partitions, shards = config->shards, one = 1;

    *topics = (struct topics){ 0 };
#define XX(name, partitions, retention_ms) topics_add(topics, config, name, partitions, retention_ms);
    QUEUE_TOPICS(XX)
#undef XX
    for (size_t i = 0; i < config->type_count; i++) {
        if (!config->types[i].reserved)
            topics_add(topics, config, config->types[i].name, shards, HINT_RETENTION_MS);
    }
}

void topics_release(struct topics *topics)
{
    for (size_t i = 0; i < topics->count; i++)
        free((char *)(uintptr_t)topics->list[i].name);
    free(topics->list);
    *topics = (struct topics){ 0 };
}

enum status topics_choose_copies(struct topics *topics, const struct config *config, int brokers, struct err *err)
{
    int replicas = (int)config->topic_replicas, min_in_sync = (int)config->topic_min_in_sync;

    if (brokers < 1)
        return err_set_server(err, ST_AGAIN, "kafka", "the brokers do not say how many they are");
    if (!replicas && brokers >= USUAL_REPLICAS)
        replicas = USUAL_REPLICAS;
    if (!min_in_sync && replicas >= USUAL_REPLICAS)
        min_in_sync = replicas - 1;
    if (replicas > brokers) {
        return err_set(err, ST_INVALID, "[queue] topic_replicas = %d: the cluster has %d brokers, so at most that many",
                       replicas, brokers);
    }
    if (min_in_sync > (replicas ? replicas : brokers)) {
        return err_set(err, ST_INVALID,
                       "[queue] topic_min_in_sync = %d: more than there are copies, so nothing could be "
                       "written",
                       min_in_sync);
    }
    for (size_t i = 0; i < topics->count; i++) {
        topics->list[i].replicas = replicas;
        topics->list[i].min_in_sync = min_in_sync;
    }
    return ST_OK;
}

/* ---- judging ---- */

enum status topic_partitions_check(const struct kafka_topic *topic, struct err *err)
{
    if (topic->any_count || topic->found_partitions >= topic->partitions)
        return ST_OK;
    return err_set(err, ST_INVALID,
                   "topic %s has %d partitions, but the configuration says %d: set [queue] shards (status "
                   "and Types) or submit_partitions (submit) to what the queue was made with, add partitions to submit "
                   "if it is to "
                   "grow, or delete the topic when it was made by mistake and is empty",
                   topic->name, topic->found_partitions, topic->partitions);
}

const char *topic_surplus_advice(const struct config *config, const char *topic)
{
    char submit[300];

    config_topic(config, "submit", submit, sizeof submit);
    return strcmp(topic, submit) == 0 ? submit_surplus_advice : NULL;
}

/* More partitions than are used disturb nobody. All of the command topic's are read, however many: a command has no
 * place in Redis that its partition belongs to. */
static void topics_report_surplus(const struct topics *topics, const struct config *config)
{
    for (size_t i = 0; i < topics->count; i++) {
        const struct kafka_topic *topic = &topics->list[i];

        if (topic->found_partitions <= topic->partitions)
            continue;
        if (topic->any_count) {
            log_event(LOG_LEVEL_INFO, "partitions added", "topic=%s found=%d configured=%d all-are-read=true",
                      topic->name, topic->found_partitions, topic->partitions);
        } else {
            kafka_surplus_tell(topic->name, topic->found_partitions, topic->partitions,
                               topic_surplus_advice(config, topic->name));
        }
    }
}

enum setting_verdict topic_setting_check(const struct kafka_topic *topic, const char *name, const char *value,
                                         struct err *err)
{
    int64_t ms;

    if (strcmp(name, "cleanup.policy") == 0 && strstr(value, "compact")) {
        err_set(err, ST_INVALID, "topic %s has cleanup.policy=%s, which drops messages by key: set it to delete",
                topic->name, value);
        return SETTING_REFUSED;
    }
    if (strcmp(name, "retention.ms") != 0 || !text_parse_int64(value, -1, INT64_MAX, &ms) || ms == -1)
        return SETTING_FINE;
    if (topic->retention_ms == -1) {
        err_set(err, ST_INVALID, "topic %s has retention.ms=%s, but it must be kept for ever: set retention.ms=-1",
                topic->name, value);
        return SETTING_REFUSED;
    }
    if (ms >= topic->retention_ms)
        return SETTING_FINE;
    err_set(err, ST_INVALID, "topic %s has retention.ms=%s, less than the %" PRId64 " ms that recovery counts on",
            topic->name, value, topic->retention_ms);
    return SETTING_DOUBTFUL;
}

/* ---- asking ---- */

static enum status topic_check_setting(const struct kafka_topic *topic, const struct kafka_settings *settings,
                                       const char *name, struct err *err)
{
    char value[128];
    enum status st = kafka_topic_setting(settings, topic->name, name, value, sizeof value, TOPICS_QUERY_MS, err);

    if (st == ST_MISSING) {
        *err = (struct err)ERR_INIT; /* a mock broker does not tell */
        return ST_OK;
    }
    if (st != ST_OK)
        return st;
    switch (topic_setting_check(topic, name, value, err)) {
    case SETTING_REFUSED: return ST_INVALID;
    case SETTING_DOUBTFUL:
        log_error_text(LOG_LEVEL_WARNING, "topic setting", err->text, "topic=%s", topic->name);
        *err = (struct err)ERR_INIT;
        return ST_OK;
    case SETTING_FINE: break;
    }
    return ST_OK;
}

/* Only topics that hold what cannot be had again: hints may vanish. */
static bool topic_matters(const struct kafka_topic *topic)
{
    return topic->retention_ms != HINT_RETENTION_MS;
}

/* What does not fit is told one by one, so that all of it can be mended at once. */
struct misfits {
    size_t count;
    struct err first;
};

static void misfits_add(struct misfits *misfits, struct err *err)
{
    if (misfits->count++ == 0)
        misfits->first = *err;
    log_error_text(LOG_LEVEL_ERROR, "topic does not fit", err->text, "number=%zu", misfits->count);
    *err = (struct err)ERR_INIT;
}

static enum status misfits_verdict(const struct misfits *misfits, struct err *err)
{
    if (misfits->count == 0)
        return ST_OK;
    *err = misfits->first;
    return misfits->count == 1 ? err->status : err_prefix(err, "%zu things do not fit, all told above", misfits->count);
}

/* Whoever may not create topics can have them made: with what is listed here. */
static enum status tell_missing(const struct kafka_topic *missing, size_t count, struct err *refused, struct err *err)
{
    struct misfits misfits = { 0 };

    for (size_t i = 0; i < count; i++) {
        err_set(err, ST_INVALID,
                "topic %s is missing: make it with %d partitions, retention.ms=%" PRId64 ", cleanup.policy=delete",
                missing[i].name, missing[i].partitions, missing[i].retention_ms);
        misfits_add(&misfits, err);
    }
    return err_set(err, ST_INVALID, "%s; or have an operator make the %zu topics that are missing, told above",
                   refused->text, count);
}

static bool topics_missing(const struct topics *topics)
{
    size_t i = 0;

    while (i < topics->count && topics->list[i].found)
        i++;
    return i < topics->count;
}

static enum status topics_create_missing(struct topics *topics, const struct config *config,
                                         const struct kafka_settings *settings, struct err *err)
{
    struct kafka_topic *missing = xcalloc(topics->count, sizeof *missing);
    struct err refused = ERR_INIT;
    size_t count = 0;
    enum status st = ST_OK;

    if (topics_missing(topics))
        st = topics_choose_copies(topics, config, kafka_broker_count(settings, TOPICS_QUERY_MS), err);
    for (size_t i = 0; i < topics->count; i++) {
        if (!topics->list[i].found)
            missing[count++] = topics->list[i];
    }
    if (st == ST_OK && count > 0) {
        log_event(LOG_LEVEL_INFO, "topics create", "count=%zu first=%s replicas=%d", count, missing[0].name,
                  missing[0].replicas);
        st = kafka_topics_create(settings, missing, count, TOPICS_QUERY_MS, &refused);
        if (st == ST_INVALID && strcasestr(refused.text, "authorization failed"))
            st = tell_missing(missing, count, &refused, err);
        else if (st != ST_OK)
            *err = refused;
    }
    free(missing);
    return st;
}

static void brokers_check(const struct topics *topics, const struct kafka_settings *settings)
{
    char value[128];
    struct err err = ERR_INIT;
    int brokers = kafka_broker_count(settings, TOPICS_QUERY_MS);

    if (brokers > 0 && brokers < USUAL_REPLICAS) {
        log_event(LOG_LEVEL_WARNING, "few brokers", "brokers=%d advice=three-brokers-and-replication-3-survive-a-loss",
                  brokers);
    }
    for (size_t i = 0; brokers >= USUAL_REPLICAS && i < topics->count; i++) {
        if (topics->list[i].found_replicas < 2) {
            log_event(LOG_LEVEL_WARNING, "topic setting", "topic=%s replicas=%d advice=3", topics->list[i].name,
                      topics->list[i].found_replicas);
        }
    }
    if (kafka_topic_setting(settings, topics->list[0].name, "min.insync.replicas", value, sizeof value, TOPICS_QUERY_MS,
                            &err) == ST_OK &&
        brokers >= 3 && strcmp(value, "1") == 0)
        log_event(LOG_LEVEL_WARNING, "topic setting", "topic=%s min.insync.replicas=1 advice=2", topics->list[0].name);
    if (kafka_topic_setting(settings, topics->list[0].name, "unclean.leader.election.enable", value, sizeof value,
                            TOPICS_QUERY_MS, &err) == ST_OK &&
        strcmp(value, "true") == 0) {
        log_event(LOG_LEVEL_WARNING, "topic setting", "topic=%s unclean.leader.election.enable=true advice=false",
                  topics->list[0].name);
    }
}

/* The wrong count of an existing topic is found before others are created beside it. */
static enum status topics_describe(struct topics *topics, const struct kafka_settings *settings, struct err *err)
{
    struct misfits misfits = { 0 };

    if (kafka_topics_look(settings, topics->list, topics->count, TOPICS_QUERY_MS, err) != ST_OK)
        return err->status;
    for (size_t i = 0; i < topics->count; i++) {
        if (topics->list[i].found && topic_partitions_check(&topics->list[i], err) != ST_OK)
            misfits_add(&misfits, err);
    }
    return misfits_verdict(&misfits, err);
}

static enum status topics_check_settings(const struct topics *topics, const struct kafka_settings *settings,
                                         struct err *err)
{
    static const char *const names[] = { "cleanup.policy", "retention.ms" };
    struct misfits misfits = { 0 };

    for (size_t i = 0; i < topics->count; i++) {
        const struct kafka_topic *topic = &topics->list[i];

        if (!topic->found)
            return err_set(err, ST_AGAIN, "topic %s is not there yet", topic->name);
        for (size_t n = 0; topic_matters(topic) && n < sizeof names / sizeof *names; n++) {
            enum status st = topic_check_setting(topic, settings, names[n], err);

            if (st == ST_INVALID)
                misfits_add(&misfits, err);
            else if (st != ST_OK)
                return st;
        }
    }
    return misfits_verdict(&misfits, err);
}

enum status topics_check(struct topics *topics, const struct config *config, struct err *err)
{
    struct kafka_settings asked = config_kafka(config, "bgop-coordinator"), *settings = &asked;

    if (topics_describe(topics, settings, err) != ST_OK ||
        topics_create_missing(topics, config, settings, err) != ST_OK ||
        topics_describe(topics, settings, err) != ST_OK || topics_check_settings(topics, settings, err) != ST_OK)
        return err->status;
    brokers_check(topics, settings);
    topics_report_surplus(topics, config);
    return ST_OK;
}
