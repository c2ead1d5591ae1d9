/* What a producer of the queue must be, in a daemon as in libbgop: each message once in the log, kept once it is
 * acknowledged, in the partition that Kafka's Java client would choose (common/record/routing.h computes it). */
#ifndef BGOP_SERVER_PRODUCER_SETTINGS_H
#define BGOP_SERVER_PRODUCER_SETTINGS_H

/* clang-format off */
#define PRODUCER_SETTINGS(XX)        \
    XX("enable.idempotence", "true") \
    XX("acks", "all")                \
    XX("partitioner", "murmur2_random")
/* clang-format on */

#endif
