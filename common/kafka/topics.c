/* Questions and orders about topics, by a handle that lives for one call. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/kafka/edge.h"

struct question {
    struct kafka_client client; /* first: librdkafka's opaque */
    rd_kafka_t *rk;
    int64_t begin_ms;
    int timeout_ms;
};

static enum status question_begin(struct question *question, const struct kafka_settings *settings, int timeout_ms,
                                  struct err *err)
{
    struct err why = ERR_INIT;

    *question = (struct question){ .begin_ms = clock_boot_ms(), .timeout_ms = timeout_ms };
    kafka_client_init(&question->client, settings);
    question->rk = kafka_question_handle(&question->client, settings, &why);
    if (question->rk)
        return ST_OK;
    kafka_client_release(&question->client);
    if (err)
        *err = why;
    return why.status;
}

static void question_end(struct question *question)
{
    rd_kafka_destroy(question->rk);
    kafka_client_release(&question->client);
}

static enum status question_error(struct question *question, rd_kafka_resp_err_t code, const char *what,
                                  struct err *err)
{
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_poll(question->rk, 0); /* let the error callback say what the trouble is */
    return kafka_error(&question->client, code, what, (int)(clock_boot_ms() - question->begin_ms), err);
}

/* All topics in one answer; asking for one by name might create it. */
static enum status ask_metadata(struct question *question, const struct rd_kafka_metadata **metadata, struct err *err)
{
    rd_kafka_resp_err_t code = rd_kafka_metadata(question->rk, 1, NULL, metadata, question->timeout_ms);

    return question_error(question, code, "asking for topics", err);
}

enum status kafka_topics_look(const struct kafka_settings *settings, struct kafka_topic *topics, size_t count,
                              int timeout_ms, struct err *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    struct question question;
    enum status st = question_begin(&question, settings, timeout_ms, err);

    if (st != ST_OK)
        return st;
    st = ask_metadata(&question, &metadata, err);
    for (size_t i = 0; st == ST_OK && i < count; i++) {
        topics[i].found = false;
        topics[i].found_partitions = topics[i].found_replicas = 0;
        for (int j = 0; j < metadata->topic_cnt; j++) {
            if (strcmp(metadata->topics[j].topic, topics[i].name) == 0 && metadata->topics[j].partition_cnt > 0) {
                topics[i].found = true;
                topics[i].found_partitions = metadata->topics[j].partition_cnt;
                topics[i].found_replicas = metadata->topics[j].partitions[0].replica_cnt;
            }
        }
    }
    if (metadata)
        rd_kafka_metadata_destroy(metadata);
    question_end(&question);
    return st;
}

enum status kafka_cluster_id(const struct kafka_settings *settings, char *id, size_t room, int timeout_ms,
                             struct err *err)
{
    struct question question;
    enum status st = question_begin(&question, settings, timeout_ms, err);
    char *found;

    if (st != ST_OK)
        return st;
    found = rd_kafka_clusterid(question.rk, timeout_ms);
    if (!found)
        st = question_error(&question, RD_KAFKA_RESP_ERR__TIMED_OUT, "asking for the cluster's id", err);
    else if (!text_copy(id, room, found, strlen(found)))
        st = err_set(err, ST_FAILED, "the cluster's id is longer than %zu bytes", room);
    if (found)
        rd_kafka_mem_free(question.rk, found);
    question_end(&question);
    return st;
}

int kafka_broker_count(const struct kafka_settings *settings, int timeout_ms)
{
    const struct rd_kafka_metadata *metadata = NULL;
    struct question question;
    int count = -1;

    if (question_begin(&question, settings, timeout_ms, NULL) != ST_OK)
        return -1;
    if (ask_metadata(&question, &metadata, NULL) == ST_OK) {
        count = metadata->broker_cnt;
        rd_kafka_metadata_destroy(metadata);
    }
    question_end(&question);
    return count;
}

/* ---- the admin interface ---- */

/* Admin requests go to the controller; a mock cluster has none, so that they would wait until their time is up. */
static enum status check_admin(struct question *question, const char *what, struct err *err)
{
    char *cluster = rd_kafka_clusterid(question->rk, question->timeout_ms);
    bool mock = cluster && strncmp(cluster, "mockCluster", 11) == 0;

    if (!cluster)
        return question_error(question, RD_KAFKA_RESP_ERR__TIMED_OUT, what, err);
    rd_kafka_mem_free(question->rk, cluster);
    if (mock) {
        return err_set(err, ST_INVALID, "%s: the mock broker at %s does not serve this request", what,
                       question->client.brokers);
    }
    return ST_OK;
}

/* The answer to an admin request; NULL: err says why. */
static rd_kafka_event_t *admin_wait(struct question *question, rd_kafka_queue_t *queue, const char *what,
                                    struct err *err)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, question->timeout_ms + 1000);
    rd_kafka_resp_err_t code = event ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__TIMED_OUT;

    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return event;
    question_error(question, code, what, err);
    if (event)
        rd_kafka_event_destroy(event);
    return NULL;
}

static rd_kafka_AdminOptions_t *admin_options(struct question *question, rd_kafka_admin_op_t op)
{
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(question->rk, op);
    char text[128];

    rd_kafka_AdminOptions_set_request_timeout(options, question->timeout_ms, text, sizeof text);
    return options;
}

static rd_kafka_NewTopic_t *new_topic(const struct kafka_topic *topic, struct err *err)
{
    char text[256];
    char retention[24], in_sync[12];
    rd_kafka_NewTopic_t *made = rd_kafka_NewTopic_new(topic->name, topic->partitions,
                                                      topic->replicas ? topic->replicas : -1, text, sizeof text);

    if (!made) {
        err_set(err, ST_INVALID, "topic %s: %s", topic->name, text);
        return NULL;
    }
    snprintf(retention, sizeof retention, "%lld", (long long)topic->retention_ms);
    rd_kafka_NewTopic_set_config(made, "retention.ms", retention);
    rd_kafka_NewTopic_set_config(made, "cleanup.policy", "delete");
    if (topic->min_in_sync) {
        snprintf(in_sync, sizeof in_sync, "%d", topic->min_in_sync);
        rd_kafka_NewTopic_set_config(made, "min.insync.replicas", in_sync);
    }
    return made;
}

static enum status created(rd_kafka_event_t *event, struct err *err)
{
    size_t count;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);

    for (size_t i = 0; i < count; i++) {
        rd_kafka_resp_err_t code = rd_kafka_topic_result_error(results[i]);

        if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
            return err_set(err, ST_INVALID, "creating topic %s: %s", rd_kafka_topic_result_name(results[i]),
                           rd_kafka_topic_result_error_string(results[i]));
        }
    }
    return ST_OK;
}

static enum status create_topics(struct question *question, rd_kafka_NewTopic_t **made, size_t count, struct err *err)
{
    rd_kafka_AdminOptions_t *options = admin_options(question, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(question->rk);
    rd_kafka_event_t *event;
    struct err why = ERR_INIT;
    enum status st;

    rd_kafka_CreateTopics(question->rk, made, count, options, queue);
    event = admin_wait(question, queue, "creating topics", &why);
    st = event ? created(event, err) : err_set(err, why.status, "%s", why.text);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    return st;
}

enum status kafka_topics_create(const struct kafka_settings *settings, const struct kafka_topic *topics, size_t count,
                                int timeout_ms, struct err *err)
{
    rd_kafka_NewTopic_t **made = calloc(count + 1, sizeof(rd_kafka_NewTopic_t *));
    size_t made_count = 0;
    struct question question;
    enum status st = made ? question_begin(&question, settings, timeout_ms, err) : ST_FAILED;

    if (st != ST_OK) {
        free(made);
        return st;
    }
    for (size_t i = 0; i < count && st == ST_OK; i++) {
        if (topics[i].found)
            continue;
        made[made_count] = new_topic(&topics[i], err);
        if (made[made_count])
            made_count++;
        else
            st = ST_INVALID;
    }
    if (st == ST_OK && made_count > 0)
        st = check_admin(&question, "creating topics", err);
    if (st == ST_OK && made_count > 0)
        st = create_topics(&question, made, made_count, err);
    rd_kafka_NewTopic_destroy_array(made, made_count);
    free(made);
    question_end(&question);
    return st;
}

/* The value of one setting in a DescribeConfigs answer. */
static enum status described(rd_kafka_event_t *event, const char *name, char *value, size_t room, struct err *err)
{
    size_t count, entries;
    const rd_kafka_ConfigResource_t **resources =
        rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &count);
    const rd_kafka_ConfigEntry_t **list;

    if (count == 0 || rd_kafka_ConfigResource_error(resources[0]) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return err_set(err, ST_MISSING, "topic setting %s: %s", name,
                       count ? rd_kafka_ConfigResource_error_string(resources[0]) : "no answer");
    }
    list = rd_kafka_ConfigResource_configs(resources[0], &entries);
    for (size_t i = 0; i < entries; i++) {
        const char *found = rd_kafka_ConfigEntry_value(list[i]);

        if (strcmp(rd_kafka_ConfigEntry_name(list[i]), name) == 0 && found) {
            text_copy(value, room, found, strlen(found));
            return ST_OK;
        }
    }
    return err_set(err, ST_MISSING, "topic setting %s: the brokers do not tell", name);
}

static enum status ask_setting(struct question *question, const char *topic, const char *name, char *value, size_t room,
                               struct err *err)
{
    rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_AdminOptions_t *options = admin_options(question, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(question->rk);
    rd_kafka_event_t *event;
    struct err why = ERR_INIT;
    enum status st;

    rd_kafka_DescribeConfigs(question->rk, &resource, 1, options, queue);
    event = admin_wait(question, queue, "asking for topic settings", &why);
    st = event ? described(event, name, value, room, err) : err_set(err, why.status, "%s", why.text);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ConfigResource_destroy(resource);
    return st;
}

enum status kafka_topic_setting(const struct kafka_settings *settings, const char *topic, const char *name, char *value,
                                size_t room, int timeout_ms, struct err *err)
{
    struct question question;
    enum status st = question_begin(&question, settings, timeout_ms, err);

    if (st != ST_OK)
        return st;
    st = check_admin(&question, "asking for topic settings", err);
    if (st == ST_OK)
        st = ask_setting(&question, topic, name, value, room, err);
    else if (st == ST_INVALID)
        st = err_set(err, ST_MISSING, "topic setting %s: the brokers do not tell", name);
    question_end(&question);
    return st;
}
