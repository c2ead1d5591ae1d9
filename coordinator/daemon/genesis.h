/* The queue's birth certificate lies in both stores: in the control topic and in bgop:meta. When they disagree, one of
 * them lost its data or is another queue's, and only a person can know what is right. */
#ifndef BGOP_COORDINATOR_DAEMON_GENESIS_H
#define BGOP_COORDINATOR_DAEMON_GENESIS_H

#include "coordinator/loop/appender.h"
#include "coordinator/loop/control.h"

/*     enum          what is found                                      what is done */
/* clang-format off */
#define GENESIS_FINDINGS(XX)                                                                                    \
    XX(KNOWN,        "both have the same")                              /* go on */                             \
    XX(NONE,         "neither has one")                                 /* first start: make one */             \
    XX(UNUSED,       "only Kafka has one, and nothing was ever armed")  /* a first start that was cut short */  \
    XX(REDIS_LOST,   "only Kafka has one, with history")                /* halt; --rebuild replays Kafka */     \
    XX(KAFKA_LOST,   "only Redis has one")                              /* halt; --rebuild writes it again */   \
    XX(DIFFERENT,    "they differ")                                     /* halt: two queues */
/* clang-format on */
enum genesis_finding {
#define XX(id, text) GENESIS_##id,
    GENESIS_FINDINGS(XX)
#undef XX
};

/* Pure. redis_genesis: "" when bgop:meta has none. */
enum genesis_finding genesis_find(const struct control_history *history, const char *redis_genesis);

/* Does the configuration take in partitions of the submit topic that bgop:meta does not know of yet? Pure. */
bool submit_partitions_adopted(const char *stored, int64_t configured);

/* What bgop:meta must agree with. */
struct genesis_wanted {
    const struct config *config;
    const char *instance;
    bool rebuild;
};
/* Before anything is made on Kafka: does what Redis says of its queue fit the configuration? ST_INVALID: another prefix, number
 * of shards or of partitions, or a Kafka that does not have this queue (with --rebuild it need not). */
enum status genesis_precheck(const struct genesis_wanted *wanted, struct redis *redis, struct err *err) MUST_CHECK;
/* Reads both, settles, and answers the genesis. ST_INVALID: a person must decide; err says what was found and what can
 * be done. ST_AGAIN: a server is away. */
enum status genesis_settle(const struct genesis_wanted *wanted, struct redis *redis, struct appender *appender,
                           char *genesis, size_t room, struct err *err) MUST_CHECK;

#endif
