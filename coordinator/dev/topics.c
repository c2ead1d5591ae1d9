/* The mock broker and its topics. */
#include <pthread.h>
#include <stdlib.h>

#include "common/base/memory.h"
#include "coordinator/dev/dev.h"

/* Now and then librdkafka's mock answers a request only when its thread wakes up by itself, a second later. So all
 * topics are asked for at once, each by a thread of its own. */
struct topic {
    struct dev *dev;
    const char *name;
    int partitions;
    pthread_t thread;
    bool started;
    enum status st;
    struct err err;
};

static void *create_topic(void *arg)
{
    struct topic *topic = arg;
    char name[300];

    config_topic(topic->dev->config, topic->name, name, sizeof name);
    topic->st = kafka_mock_create_topic(topic->dev->mock, name, topic->partitions, &topic->err);
    return NULL;
}

static int create_topics(struct topic *topics, size_t count)
{
    int code = EXIT_OK;

    for (size_t i = 0; i < count; i++)
        topics[i].started = pthread_create(&topics[i].thread, NULL, create_topic, &topics[i]) == 0;
    for (size_t i = 0; i < count; i++) {
        if (topics[i].started)
            pthread_join(topics[i].thread, NULL);
        else
            create_topic(&topics[i]);
        if (topics[i].st != ST_OK)
            code = dev_fail(EXIT_FAILED, "%s", topics[i].err.text);
    }
    return code;
}

/* What coordinator and workers expect to be there; the mock does not let them create topics. */
static size_t list_topics(struct dev *dev, struct topic *topics)
{
    const struct config *config = dev->config;
    const struct {
        const char *name;
        int64_t partitions;
    } fixed[] = {
        { "control", 1 },
        { "submit", config->submit_partitions },
        { "command", config->submit_partitions },
        { "status", config->shards },
        { "rejects", 1 },
    };
    size_t count = 0;

    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        topics[count++] = (struct topic){ .dev = dev, .name = fixed[i].name, .partitions = (int)fixed[i].partitions };
    for (size_t i = 0; i < config->type_count; i++) {
        if (!config->types[i].reserved) {
            topics[count++] =
                (struct topic){ .dev = dev, .name = config->types[i].name, .partitions = (int)config->shards };
        }
    }
    return count;
}

int dev_start_kafka(struct dev *dev)
{
    enum { FIXED_MAX = 8 };
    struct err err = ERR_INIT;
    struct topic *topics;
    int code;

    dev->mock = kafka_mock_new(&err);
    if (!dev->mock)
        return dev_fail(EXIT_FAILED, "%s", err.text);
    topics = xcalloc(dev->config->type_count + FIXED_MAX, sizeof *topics);
    code = create_topics(topics, list_topics(dev, topics));
    free(topics);
    return code;
}
