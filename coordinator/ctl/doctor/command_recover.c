/* recover: what the coordinators wait for a person to decide. A partition whose log begins above what was read of it
 * (retention took the rest) goes on at the log's start, without what is gone. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/codec/codec.h"
#include "common/kafka/kafka.h"
#include "common/record/keys.h"
#include "common/redis/functions.h"
#include "coordinator/ctl/commands.h"
#include "coordinator/ctl/doctor/doctor.h"

enum { FLUSH_MS = 10000, CONTROL_BYTES = 4096 };

static struct {
    const char *apply;
} options;

static const struct flag flags[] = {
    { "apply", NULL, "do it; without it only what would be done is told", &options.apply },
};

struct recovering {
    struct session *session;
    struct kafka_settings settings;
    struct kafka_producer *producer; /* NULL: nothing was decided yet */
    enum status delivered;
    int found;
};

/* ---- deciding: the control topic first, then the fence ---- */

static void on_delivery(void *arg, const struct kafka_delivery *delivery)
{
    struct recovering *recovering = arg;

    recovering->delivered = delivery->status;
}

static enum status record(struct recovering *recovering, const struct fence_rewind *call, struct err *err)
{
    struct control control = CONTROL_INIT;
    char topic[300];
    struct buf value;
    enum status st;

    if (!recovering->producer)
        recovering->producer = kafka_producer_new(&recovering->settings, 0, on_delivery, recovering, err);
    if (!recovering->producer)
        return err->status;
    snprintf(control.topic, sizeof control.topic, call->status ? "status" : "submit");
    snprintf(control.instance, sizeof control.instance, "bgopctl recover");
    control.at_ms = clock_wall_ms();
    control.partition = call->status ? call->shard : call->move.partition;
    control.rewind_from = call->move.next;
    control.lost_to = call->move.next;
    control.shard = call->shard;
    control.decided = true;
    config_topic(&recovering->session->config, "control", topic, sizeof topic);
    recovering->delivered = ST_AGAIN;
    buf_init(&value, CONTROL_BYTES);
    codec_write_control(&value, &control);
    st = kafka_producer_send(recovering->producer, topic, 0, NULL, 0, value.data, value.size, NULL, NULL, err);
    buf_release(&value);
    if (st == ST_OK)
        st = kafka_producer_flush(recovering->producer, FLUSH_MS, err);
    if (st == ST_OK && recovering->delivered != ST_OK)
        return err_set(err, ST_AGAIN, "Kafka did not take the record of the decision into %s: nothing was done", topic);
    return st;
}

static enum status read_generation(struct session *session, int shard, int64_t *generation, struct err *err)
{
    struct redis_reply *reply = NULL;
    char key[KEY_SIZE];
    enum status st = redis_call(session->redis, &reply, err, "HGET", key_format(key, sizeof key, KEY_GATE, shard, NULL),
                                "gen", NULL);

    *generation = st == ST_OK ? strtoll(redis_reply_text(reply, NULL), NULL, 10) : 0;
    redis_reply_free(reply);
    return st;
}

static enum status decide(struct recovering *recovering, struct fence_rewind *call, struct err *err)
{
    struct redis *redis = recovering->session->redis;
    struct fence stands;
    enum status st = read_generation(recovering->session, call->shard, &call->generation, err);

    if (st == ST_OK)
        st = record(recovering, call, err);
    if (st == ST_OK)
        st = rewind_send(redis, call, err);
    return st == ST_OK ? rewind_receive(redis, &stands, err) : st;
}

/* ---- finding ---- */

static int consider(struct recovering *recovering, const char *topic, int partition, int shard,
                    const struct fence *fence, const struct kafka_log *log)
{
    struct fence_rewind call = {
        .shard = shard,
        .status = strcmp(topic, "status") == 0,
        .move = { partition, fence->next, log->start, { .offset = -1 } },
    };
    struct err err = ERR_INIT;

    if (fence->next == 0 || fence->next >= log->start)
        return EXIT_OK;
    recovering->found++;
    printf("%s.%s[%d], shard %d: read up to %" PRId64 ", and the log begins at %" PRId64
           ": retention took what is between; %s\n",
           recovering->session->config.prefix, topic, partition, shard, fence->next, log->start,
           options.apply ? "goes on at the log's start" : "--apply goes on at the log's start, without it");
    if (!options.apply)
        return EXIT_OK;
    return decide(recovering, &call, &err) == ST_OK ? EXIT_OK : session_fail_status(&err);
}

static int consider_shard(struct recovering *recovering, int shard, const struct kafka_log *submit, int partitions,
                          const struct kafka_log *status)
{
    struct redis *redis = recovering->session->redis;
    struct shard_fences fences = { 0 };
    struct err err = ERR_INIT;
    int code = EXIT_OK;

    if (fences_send(redis, shard, &err) != ST_OK || fences_receive(redis, &fences, &err) != ST_OK)
        return session_fail_status(&err);
    for (size_t i = 0; i < fences.submit_count && code == EXIT_OK; i++) {
        const struct fence *fence = &fences.submit[i];

        if (fence->partition >= 0 && fence->partition < partitions)
            code = consider(recovering, "submit", fence->partition, shard, fence, &submit[fence->partition]);
    }
    if (code == EXIT_OK)
        code = consider(recovering, "status", shard, shard, &fences.status, &status[shard]);
    shard_fences_release(&fences);
    return code;
}

static enum status read_logs(struct recovering *recovering, const char *name, struct kafka_log **logs, int *count,
                             struct err *err)
{
    const struct config *config = &recovering->session->config;
    char topic[300], group[300];
    struct kafka_topic look = { .name = config_topic(config, name, topic, sizeof topic) };
    enum status st = kafka_topics_look(&recovering->settings, &look, 1, SESSION_TIMEOUT_MS, err);

    if (st == ST_OK && !look.found)
        st = err_set(err, ST_AGAIN, "Kafka at %s has no topic %s", recovering->settings.brokers, topic);
    if (st != ST_OK)
        return st;
    *count = look.found_partitions;
    *logs = calloc((size_t)*count + 1, sizeof **logs);
    if (!*logs)
        return err_set(err, ST_FAILED, "out of memory");
    snprintf(group, sizeof group, "%s-intake", config->prefix);
    return kafka_logs_look(&recovering->settings, topic, group, *count, SESSION_TIMEOUT_MS, *logs, err);
}

static int consider_all(struct recovering *recovering)
{
    struct kafka_log *submit = NULL, *status = NULL;
    struct err err = ERR_INIT;
    int partitions = 0, shards = 0, code = EXIT_OK;

    if (read_logs(recovering, "submit", &submit, &partitions, &err) != ST_OK ||
        read_logs(recovering, "status", &status, &shards, &err) != ST_OK)
        code = session_fail_status(&err);
    if (code == EXIT_OK && shards < recovering->session->shards) {
        code = session_fail(EXIT_FAILED, "the status topic has %d partitions, and the queue %d shards", shards,
                            recovering->session->shards);
    }
    for (int s = 0; s < recovering->session->shards && code == EXIT_OK; s++)
        code = consider_shard(recovering, s, submit, partitions, status);
    free(submit);
    free(status);
    return code;
}

static int run(struct session *session, int count, char **operands)
{
    struct recovering recovering = { .session = session, .settings = config_kafka(&session->config, "bgopctl") };
    int code = session_redis(session);

    (void)count, (void)operands;
    if (code == EXIT_OK)
        code = session_shards(session);
    if (code == EXIT_OK)
        code = consider_all(&recovering);
    kafka_producer_free(recovering.producer);
    if (code == EXIT_OK && recovering.found == 0)
        puts("nothing waits for a decision");
    return code;
}

const struct subcommand command_recover = {
    .name = "recover",
    .usage = "[--apply]",
    .about = "partitions that wait for a decision: what is gone; --apply goes on",
    .help =
        "A partition waits when Kafka's retention took messages before they were read: nobody but their producers knows\n"
        "them. Without --apply nothing is changed. With it the partition goes on at the log's start, which is written to\n"
        "the control topic; the coordinators see it within seconds. What was lost otherwise (a broker's tail) they put\n"
        "right by themselves.",
    .flags = COMMAND_FLAGS(flags),
    .run = run,
};
