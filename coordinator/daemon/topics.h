/* The topics of the queue: which there must be, with how many partitions, kept for how long. */
#ifndef BGOP_COORDINATOR_DAEMON_TOPICS_H
#define BGOP_COORDINATOR_DAEMON_TOPICS_H

#include "common/config/config.h"
#include "coordinator/daemon/setting_verdict.h"

enum { TOPICS_QUERY_MS = 10000 };

struct topics {
    struct kafka_topic *list;
    size_t count;
}; /* names owned */

/* All topics that this configuration needs. Pure. */
void topics_init(struct topics *topics, const struct config *config);
void topics_release(struct topics *topics);

/* Looks, creates what is missing, checks partition counts and how long they keep. ST_INVALID: err says what to change.
 * ST_AGAIN: brokers are away. */
enum status topics_check(struct topics *topics, const struct config *config, struct err *err) MUST_CHECK;
/* What to do about more partitions than are used; NULL: nothing. Pure. */
const char *topic_surplus_advice(const struct config *config, const char *topic);
/* How many copies of each topic, and how many of them before a message is acknowledged: as the options say, else by the number
 * of brokers. Pure. ST_INVALID: more copies than brokers. */
enum status topics_choose_copies(struct topics *topics, const struct config *config, int brokers,
                                 struct err *err) MUST_CHECK;
/* Fewer partitions than are needed; more are fine. Pure. ST_INVALID: err says what to change. */
enum status topic_partitions_check(const struct kafka_topic *topic, struct err *err) MUST_CHECK;
/* What one setting of a topic (cleanup.policy, retention.ms) means; err says what to change. Pure. */
enum setting_verdict topic_setting_check(const struct kafka_topic *topic, const char *name, const char *value,
                                         struct err *err);

#endif
