/* Owned partitions and where reading goes on. A partition has up to four positions: `start`, where the assignment told the
 * consumer to begin; what was consumed; what was stored (everything below is handled: kafka_consumer_store); and what is
 * committed, which follows the stored one in the background. Only what is committed survives this process.
 *
 * The table is ours because librdkafka 2.0.2 must not be asked to resume what is not paused (it would rewind), and because a
 * partition whose position was out of range accepts no seek, only a new assignment. */
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/kafka/consumer.h"

void kafka_owned_clear(struct kafka_consumer *consumer)
{
    for (size_t i = 0; i < consumer->owned_count; i++)
        free(consumer->owned[i].topic);
    free(consumer->owned);
    consumer->owned = NULL;
    consumer->owned_count = 0;
}

struct owned_partition *kafka_owned_find(struct kafka_consumer *consumer, const char *topic, int partition)
{
    for (size_t i = 0; i < consumer->owned_count; i++) {
        if (consumer->owned[i].partition == partition && strcmp(consumer->owned[i].topic, topic) == 0)
            return &consumer->owned[i];
    }
    return NULL;
}

static enum status not_owned(const char *topic, int partition, struct err *err)
{
    return err_set(err, ST_STALE, "%s/%d is not assigned to this consumer", topic, partition);
}

void kafka_owned_fill(struct kafka_consumer *consumer, const rd_kafka_topic_partition_list_t *list)
{
    kafka_owned_clear(consumer);
    consumer->owned = xcalloc((size_t)list->cnt, sizeof *consumer->owned);
    consumer->owned_count = (size_t)list->cnt;
    for (int i = 0; i < list->cnt; i++) {
        consumer->owned[i] = (struct owned_partition){
            .topic = xstrdup(list->elems[i].topic),
            .partition = list->elems[i].partition,
            .start = list->elems[i].offset,
            .from_stored = list->elems[i].offset == RD_KAFKA_OFFSET_STORED,
        };
    }
}

static rd_kafka_topic_partition_list_t *list_of(const char *topic, int partition, int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = offset;
    return list;
}

/* A new assignment of the same partitions, with one position changed: what a partition in error needs. */
static enum status reassign(struct kafka_consumer *consumer, const struct owned_partition *changed, struct err *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)consumer->owned_count);
    rd_kafka_topic_partition_list_t *paused = rd_kafka_topic_partition_list_new((int)consumer->owned_count);
    rd_kafka_resp_err_t code;

    for (size_t i = 0; i < consumer->owned_count; i++) {
        rd_kafka_topic_partition_list_add(list, consumer->owned[i].topic, consumer->owned[i].partition);
        if (consumer->owned[i].paused)
            rd_kafka_topic_partition_list_add(paused, consumer->owned[i].topic, consumer->owned[i].partition);
    }
    code = rd_kafka_position(consumer->rk, list);
    for (int i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && i < list->cnt; i++) {
        if (&consumer->owned[i] == changed || list->elems[i].offset < 0)
            list->elems[i].offset = consumer->owned[i].start;
        else
            consumer->owned[i].start = list->elems[i].offset; /* known even if nothing is read before the next time */
    }
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        code = rd_kafka_assign(consumer->rk, list);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR && paused->cnt > 0)
        code = rd_kafka_pause_partitions(consumer->rk, paused);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_topic_partition_list_destroy(paused);
    return kafka_error(&consumer->client, code, "assigning again", 0, err);
}

/* rd_kafka_seek_partitions of 2.0.2 takes its milliseconds for microseconds and gives up after 5 of them. */
static rd_kafka_resp_err_t seek_partition(rd_kafka_t *rk, const struct owned_partition *owned)
{
    rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, owned->topic, NULL);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;

    if (topic) {
        code = rd_kafka_seek(topic, owned->partition, owned->start, KAFKA_CALL_TIMEOUT_MS);
        rd_kafka_topic_destroy(topic);
    }
    return code;
}

enum status kafka_consumer_seek(struct kafka_consumer *consumer, const char *topic, int partition, int64_t offset,
                                struct err *err)
{
    struct owned_partition *owned = kafka_owned_find(consumer, topic, partition);
    rd_kafka_resp_err_t code;

    if (!owned)
        return not_owned(topic, partition, err);
    owned->start = offset >= 0 ? offset : RD_KAFKA_OFFSET_BEGINNING;
    code = seek_partition(consumer->rk, owned);
    if (code == RD_KAFKA_RESP_ERR__STATE)
        return reassign(consumer, owned, err);
    return kafka_error(&consumer->client, code, "seeking", KAFKA_CALL_TIMEOUT_MS, err);
}

enum status kafka_consumer_store(struct kafka_consumer *consumer, const char *topic, int partition, int64_t next_offset,
                                 struct err *err)
{
    rd_kafka_topic_partition_list_t *list = list_of(topic, partition, next_offset);
    rd_kafka_resp_err_t code = rd_kafka_offsets_store(consumer->rk, list);

    if (list->elems[0].err != RD_KAFKA_RESP_ERR_NO_ERROR)
        code = list->elems[0].err;
    rd_kafka_topic_partition_list_destroy(list);
    return kafka_error(&consumer->client, code, "storing an offset", 0, err);
}

static enum status set_paused(struct kafka_consumer *consumer, struct owned_partition *owned, bool paused,
                              struct err *err)
{
    rd_kafka_topic_partition_list_t *list;
    rd_kafka_resp_err_t code;

    if (owned->paused == paused)
        return ST_OK;
    list = list_of(owned->topic, owned->partition, RD_KAFKA_OFFSET_INVALID);
    code = paused ? rd_kafka_pause_partitions(consumer->rk, list) : rd_kafka_resume_partitions(consumer->rk, list);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        code = list->elems[0].err;
    rd_kafka_topic_partition_list_destroy(list);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        owned->paused = paused;
    return kafka_error(&consumer->client, code, paused ? "pausing" : "resuming", 0, err);
}

/* librdkafka 2.0.2 would keep a partition paused that is given away and assigned again: it would never be read. */
void kafka_owned_resume(struct kafka_consumer *consumer)
{
    struct err err = ERR_INIT;

    for (size_t i = 0; i < consumer->owned_count; i++) {
        if (set_paused(consumer, &consumer->owned[i], false, &err) != ST_OK) {
            log_error_text(LOG_LEVEL_WARNING, "still paused", err.text, "topic=%s partition=%d",
                           consumer->owned[i].topic, consumer->owned[i].partition);
        }
    }
}

enum status kafka_consumer_pause(struct kafka_consumer *consumer, const char *topic, int partition, struct err *err)
{
    struct owned_partition *owned = kafka_owned_find(consumer, topic, partition);

    return owned ? set_paused(consumer, owned, true, err) : not_owned(topic, partition, err);
}

enum status kafka_consumer_resume(struct kafka_consumer *consumer, const char *topic, int partition, int64_t offset,
                                  struct err *err)
{
    struct owned_partition *owned = kafka_owned_find(consumer, topic, partition);
    enum status st;

    if (!owned)
        return not_owned(topic, partition, err);
    st = set_paused(consumer, owned, false, err); /* goes back to what was consumed; the seek has the last word */
    return st == ST_OK ? kafka_consumer_seek(consumer, topic, partition, offset, err) : st;
}
