#include "common/config/queue_identity.h"

#include <stdio.h>
#include <string.h>

#include "common/base/text.h"
#include "common/record/keys.h"

enum { CLUSTER_ASK_MS = 5000 };

static void take(char *to, size_t room, const struct redis_reply *reply, size_t index)
{
    const char *text = redis_reply_text(redis_reply_at(reply, index), NULL);

    text_copy(to, room, text, strlen(text));
}

enum status queue_identity_read(struct redis *redis, struct queue_identity *identity, struct err *err)
{
    struct redis_reply *reply;

    if (redis_call(redis, &reply, err, "HMGET", key_name(KEY_META), "genesis", "shards", "submit_partitions", "prefix",
                   "cluster", NULL) != ST_OK)
        return err->status;
    take(identity->genesis, sizeof identity->genesis, reply, 0);
    take(identity->shards, sizeof identity->shards, reply, 1);
    take(identity->submit_partitions, sizeof identity->submit_partitions, reply, 2);
    take(identity->prefix, sizeof identity->prefix, reply, 3);
    take(identity->cluster, sizeof identity->cluster, reply, 4);
    redis_reply_free(reply);
    return ST_OK;
}

enum status queue_option_check(const char *option, const char *stored, const char *given, struct err *err)
{
    if (!stored[0] || strcmp(stored, given) == 0)
        return ST_OK;
    return err_set(err, ST_INVALID,
                   "this Redis belongs to a queue with %s = %s, but the configuration says %s: set [queue] "
                   "%s = %s, or use another Redis (one queue per server)",
                   option, stored, given, option, stored);
}

enum status queue_identity_check(const struct queue_identity *identity, const struct config *config, bool shards,
                                 struct err *err)
{
    char given[16];

    snprintf(given, sizeof given, "%d", (int)config->shards);
    if (shards && queue_option_check("shards", identity->shards, given, err) != ST_OK)
        return err->status;
    return queue_option_check("prefix", identity->prefix, config->prefix, err);
}

enum status queue_cluster_check(const struct queue_identity *identity, const struct config *config,
                                const char *client_id, struct err *err)
{
    struct kafka_settings settings = config_kafka(config, client_id);
    char cluster[sizeof identity->cluster];

    if (!identity->cluster[0])
        return ST_OK;
    if (kafka_cluster_id(&settings, cluster, sizeof cluster, CLUSTER_ASK_MS, err) != ST_OK)
        return err->status;
    if (strcmp(cluster, identity->cluster) == 0)
        return ST_OK;
    return err_set(
        err, ST_INVALID,
        "this Redis belongs to a queue on the Kafka cluster %s, but Kafka at %s is the cluster %s: one of the "
        "two is another queue's. Correct [kafka] brokers (BGOP_KAFKA) or [redis] url (BGOP_REDIS)",
        identity->cluster, settings.brokers, cluster);
}
