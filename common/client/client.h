/* The inside of libbgop. Unlike the daemons it may not die for want of memory, so it does not use base/memory.h nor
 * the Kafka and Redis edges built on it: submit.c is its own sole user of librdkafka, link_server.c of hiredis. */
#ifndef BGOP_CLIENT_CLIENT_H
#define BGOP_CLIENT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/client/bgop.h"
#include "common/client/link.h"

enum {
    CLIENT_TIMEOUT_MS = 5000,
    CLIENT_LINGER_MS = 5,
    CLIENT_IN_FLIGHT_MAX = 20000,
    CLIENT_PAYLOAD_MAX_BYTES = 256 * 1024,
    CLIENT_BUFFER_KIBIBYTES = 64 * 1024, /* payloads in flight */
    CLIENT_DELIVERY_MS = 120000,         /* Kafka may be away that long before a submission is given up */
    CLIENT_RETRIEVE_MAX = LINK_IDS_MAX,
    CLIENT_META_MS = 5000, /* how long epochs are believed */
};

struct rd_kafka_s;

struct bgop {
    char *brokers, *topic;
    char **properties; /* name, value, ..., NULL */
    int timeout_ms, linger_ms;
    size_t in_flight_max, payload_max_bytes;

    struct rd_kafka_s *producer; /* NULL until the first submission, and after a fatal error */
    bool producer_fatal;         /* to be replaced at the next occasion (reliability: possibly persisted) */
    bool topic_found;
    int delivered;    /* reports served by the poll that runs */
    char outage[256]; /* why its brokers are away, as librdkafka said last */
    int outage_code;
    size_t in_flight;

    struct link link;
    int shards;               /* 0: not known */
    char epochs[1024];        /* by partition */
    struct place *places;     /* by partition: what was asked of it last; NULL: nothing yet (place.c) */
    uint64_t troubles;        /* times its brokers were away: they may have come back with another log */
    int64_t meta_tried_at_ms; /* CLOCK_BOOTTIME; 0: never */

    char error[1024];
};

/* Remembers the text and returns the code. */
enum bgop_code client_fail(struct bgop *bgop, enum bgop_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same, with what the link said. */
enum bgop_code client_fail_link(struct bgop *bgop, enum bgop_code code);
enum bgop_code client_no_memory(struct bgop *bgop);

/* Shard count and epochs from Redis, at most every CLIENT_META_MS (or, while it failed, once a second). */
enum bgop_code client_read_meta(struct bgop *bgop);

/* The Id of the submission that Kafka acknowledged at that place; crc: its checksum_message. "" while it cannot be told:
 * Redis is away, or the history of its partition was rewritten and has no new epoch yet. Waits for that a little. */
void client_name_place(struct bgop *bgop, char id[BGOP_ID_SIZE], int partition, int64_t offset, const char *routing_key,
                       size_t key_size, uint32_t crc);
void client_forget_places(struct bgop *bgop);

void client_close_producer(struct bgop *bgop);
/* Does the submit topic exist? Asks all topics, because asking for one would create it where brokers may. */
enum bgop_code client_find_topic(struct bgop *bgop);
enum bgop_code client_open_producer(struct bgop *bgop);
/* Waits ms milliseconds. */
void client_nap(int ms);
/* Waits ms milliseconds, serving delivery reports meanwhile. */
void client_pause(struct bgop *bgop, int ms);

#endif
