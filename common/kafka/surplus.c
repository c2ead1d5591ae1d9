/* Partitions that were added to a topic later. The number that the queue uses was fixed when it was made (shards), or is
 * the configuration's to raise (submit_partitions); until then such partitions are nobody's. */
#include <pthread.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/kafka/consumer.h"

enum { COUNT_TIMEOUT_MS = 1000 };

/* What this process has told: the start and each loop find the same. */
static struct told {
    char *topic;
    int found;
} * told;
static size_t told_count, told_capacity;
static pthread_mutex_t told_lock = PTHREAD_MUTEX_INITIALIZER;

static bool told_already(const char *topic, int found)
{
    size_t i = 0;

    while (i < told_count && strcmp(told[i].topic, topic) != 0)
        i++;
    if (i == told_count) {
        GROW(told, told_count, told_capacity);
        told[told_count++] = (struct told){ xstrdup(topic), 0 };
    }
    if (found <= told[i].found)
        return true;
    told[i].found = found;
    return false;
}

void kafka_surplus_tell(const char *topic, int found, int used, const char *advice)
{
    struct err err = ERR_INIT;
    bool already;

    pthread_mutex_lock(&told_lock);
    already = told_already(topic, found);
    pthread_mutex_unlock(&told_lock);
    if (already)
        return;
    err_set(&err, ST_MISSING, "topic %s has %d partitions and the queue uses %d: the others are ignored. %s", topic,
            found, used, advice ? advice : "Nothing of the queue's is written there: nothing is to be done");
    log_error_text(LOG_LEVEL_WARNING, "partitions ignored", err.text, "topic=%s found=%d configured=%d", topic, found,
                   used);
}

/* The group hands a member its share only: how many there are, the brokers know. */
static int partition_count(struct kafka_consumer *consumer, const char *topic, int least)
{
    rd_kafka_topic_t *one = rd_kafka_topic_new(consumer->rk, topic, NULL);
    const struct rd_kafka_metadata *metadata;

    if (!one)
        return least;
    if (rd_kafka_metadata(consumer->rk, 0, one, &metadata, COUNT_TIMEOUT_MS) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (metadata->topic_cnt == 1 && metadata->topics[0].partition_cnt > least)
            least = metadata->topics[0].partition_cnt;
        rd_kafka_metadata_destroy(metadata);
    }
    rd_kafka_topic_destroy(one);
    return least;
}

static const struct kafka_subscription *subscription_of(const struct kafka_consumer *consumer, const char *topic)
{
    for (size_t i = 0; i < consumer->subscription_count; i++) {
        if (strcmp(consumer->subscriptions[i].topic, topic) == 0)
            return &consumer->subscriptions[i];
    }
    return NULL;
}

rd_kafka_topic_partition_list_t *kafka_surplus_drop(struct kafka_consumer *consumer,
                                                    const rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_topic_partition_list_t *ours = rd_kafka_topic_partition_list_new(list ? list->cnt : 0);

    for (int i = 0; list && i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *each = &list->elems[i];
        const struct kafka_subscription *known = subscription_of(consumer, each->topic);

        if (!known || known->partitions == 0 || each->partition < known->partitions) {
            rd_kafka_topic_partition_list_add(ours, each->topic, each->partition)->offset = each->offset;
        } else {
            kafka_surplus_tell(each->topic, partition_count(consumer, each->topic, each->partition + 1),
                               known->partitions, known->advice);
        }
    }
    return ours;
}
