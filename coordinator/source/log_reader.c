#include "coordinator/source/log_reader.h"

#include "coordinator/source/messages.h"

enum { READ_MS = 10000 };

enum status log_reader_open(struct log_reader *log, struct loop *loop, const char *topic, int partition,
                            struct err *err)
{
    struct kafka_settings settings = config_kafka(loop->shared->config, loop->name);

    *log = (struct log_reader){ .loop = loop, .topic = topic, .partition = partition, .known = ERR_INIT };
    log->reader = kafka_reader_new(&settings, err);
    if (!log->reader)
        return err->status;
    return kafka_reader_range(log->reader, topic, partition, READ_MS, &log->start, &log->end, err);
}

void log_reader_close(struct log_reader *log)
{
    kafka_reader_free(log->reader);
    log->reader = NULL;
}

static bool on_message(void *arg, const struct kafka_message *message)
{
    struct log_reader *log = arg;
    struct fingerprint fingerprint = message_fingerprint(message);

    loop_beat(log->loop);
    log->message = message;
    return log->on(log->arg, &fingerprint) && log->known.status == ST_OK;
}

enum status log_reader_read(void *arg, int64_t from, int64_t to,
                            bool (*on)(void *on_arg, const struct fingerprint *message), void *on_arg, struct err *err)
{
    struct log_reader *log = arg;
    enum status st;

    log->on = on;
    log->arg = on_arg;
    st = kafka_reader_read(log->reader, log->topic, log->partition, from, to, READ_MS, on_message, log, err);
    if (st == ST_OK && log->known.status != ST_OK)
        *err = log->known;
    return st == ST_OK ? log->known.status : st;
}
