#include "coordinator/source/reader.h"

#include <stdio.h>
#include <string.h>

#include "common/base/crash_point.h"

/* ---- the consumer's events ---- */

static bool reader_has(const struct reader *reader, const char *topic)
{
    return strcmp(topic, reader->topic) == 0;
}

void reader_assign(struct reader *reader, const struct kafka_position *positions, size_t count)
{
    reader->interrupted = true;
    for (size_t i = 0; i < count; i++) {
        if (reader_has(reader, positions[i].topic))
            sources_assign(&reader->sources, positions[i].partition);
    }
}

void reader_position(struct reader *reader, struct kafka_position *positions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        positions[i].offset = KAFKA_OFFSET_STORED;
        if (reader_has(reader, positions[i].topic))
            positions[i].offset = source_position(&reader->sources, positions[i].partition);
    }
    atomic_store(&reader->loop->assigned, true);
}

void reader_revoke(struct reader *reader, const struct kafka_position *positions, size_t count)
{
    reader->interrupted = true;
    for (size_t i = 0; i < count; i++) {
        if (reader_has(reader, positions[i].topic))
            sources_revoke(&reader->sources, positions[i].partition);
    }
}

static void on_end(void *arg, const char *topic, int partition, int64_t next_offset)
{
    struct reader *reader = arg;
    struct err err = ERR_INIT;

    if (reader_has(reader, topic) && cursors_end(&reader->sources.cursors, partition, next_offset, &err) != ST_OK)
        source_contradicted(&reader->sources, partition, err.text);
}

void reader_out_of_range(void *arg, const char *topic, int partition, const char *text)
{
    struct reader *reader = arg;

    (void)text;
    if (reader_has(reader, topic) && reader->sources.cursors.sources[partition].state == SOURCE_READY)
        sources_assign(&reader->sources, partition); /* loading compares it with the log's range */
}

void reader_outage(void *arg, const char *text)
{
    struct reader *reader = arg;

    sources_outage(&reader->sources, text);
}

/* ---- collecting ---- */

bool reader_interrupted(struct reader *reader)
{
    bool interrupted = reader->interrupted;

    reader->interrupted = false;
    return interrupted;
}

bool reader_accept(struct reader *reader, struct kafka_message *message, struct fingerprint *fingerprint)
{
    struct cursors *cursors = &reader->sources.cursors;
    struct err err = ERR_INIT;

    if (cursors->sources[message->partition].state == SOURCE_READY) {
        *fingerprint = message_fingerprint(message);
        if (cursors_pass(cursors, message->partition, fingerprint, &err) == ST_OK)
            return true;
        source_contradicted(&reader->sources, message->partition, err.text);
    }
    kafka_message_release(message);
    return false;
}

bool reader_next(struct reader *reader, int wait_ms, struct kafka_message *message)
{
    if (kafka_consumer_poll(reader->consumer, 0, message))
        return true;
    if (wait_ms <= 0)
        return false;
    kafka_consumer_wait(reader->consumer, &reader->loop->wake.fd, 1, loop_stopping(reader->loop) ? 0 : wait_ms);
    return kafka_consumer_poll(reader->consumer, 0, message);
}

/* ---- storing ---- */

void reader_store_position(struct reader *reader, const char *topic, int partition, int64_t next)
{
    struct err err = ERR_INIT;

    crash_point(CRASH_STORE_BEFORE);
    if (kafka_consumer_store(reader->consumer, topic, partition, next, &err) != ST_OK)
        log_error_text(LOG_LEVEL_DEBUG, "offset not stored", err.text, "topic=%s partition=%d", topic, partition);
}

void reader_store(struct reader *reader)
{
    struct cursors *cursors = &reader->sources.cursors;

    for (int p = 0; p < cursors->partitions; p++) {
        struct source *source = &cursors->sources[p];

        if (source->state != SOURCE_READY || source->waiting > 0 || source->done == source->read)
            continue;
        cursors_done(cursors, p);
        reader_store_position(reader, reader->topic, p, source->done);
    }
}

/* ---- start and end ---- */

void reader_init(struct reader *reader, void *owner, struct loop *loop, enum log_kind kind, const char *name,
                 int partitions, int shards)
{
    const struct config *config = loop->shared->config;

    *reader = (struct reader){ .loop = loop, .owner = owner };
    config_topic(config, name, reader->topic, sizeof reader->topic);
    sources_init(&reader->sources, loop, kind, reader->topic, partitions, shards);
    gate_copies_init(&reader->gates, loop->redis, (int)config->shards);
}

enum status reader_open(struct reader *reader, const char *group, const struct kafka_subscription *topics, size_t count,
                        struct kafka_consumer_events events, struct err *err)
{
    const struct config *config = reader->loop->shared->config;
    struct kafka_settings settings = config_kafka(config, reader->loop->name);
    char name[TOPIC_SIZE];

    events.arg = reader;
    events.on_end = on_end;
    if (!events.on_outage)
        events.on_outage = reader_outage;
    if (!events.on_out_of_range)
        events.on_out_of_range = reader_out_of_range;
    snprintf(name, sizeof name, "%s-%s", config->prefix, group);
    reader->consumer = reader->sources.consumer = kafka_consumer_new(&settings, name, &events, err);
    if (!reader->consumer)
        return err->status;
    return kafka_consumer_subscribe(reader->consumer, topics, count, err);
}

void reader_close(struct reader *reader)
{
    kafka_consumer_free(reader->consumer);
    reader->consumer = reader->sources.consumer = NULL;
}

void reader_release(struct reader *reader)
{
    gate_copies_release(&reader->gates);
    sources_release(&reader->sources);
}
