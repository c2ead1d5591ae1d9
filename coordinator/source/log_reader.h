/* A partition's log as common_point.h wants it: read by hand from Kafka. */
#ifndef BGOP_COORDINATOR_SOURCE_LOG_READER_H
#define BGOP_COORDINATOR_SOURCE_LOG_READER_H

#include "coordinator/loop/loop.h"
#include "coordinator/source/common_point.h"

struct log_reader {
    struct loop *loop;
    struct kafka_reader *reader; /* owned */
    const char *topic;
    int partition;
    int64_t start, end;                  /* of the log, when it was opened */
    const struct kafka_message *message; /* the one that is told of */
    struct err known;                    /* what became of knowing of messages: ends the reading; the caller's */
    void *owner;                         /* the caller, for common_log.know */
    bool (*on)(void *arg, const struct fingerprint *message);
    void *arg;
};

/* Asks where the log begins and ends. To be closed whatever it answers. */
enum status log_reader_open(struct log_reader *log, struct loop *loop, const char *topic, int partition,
                            struct err *err) MUST_CHECK;
void log_reader_close(struct log_reader *log);
/* For struct common_log; arg is the log_reader. */
enum status log_reader_read(void *arg, int64_t from, int64_t to,
                            bool (*on)(void *on_arg, const struct fingerprint *message), void *on_arg, struct err *err);

#endif
