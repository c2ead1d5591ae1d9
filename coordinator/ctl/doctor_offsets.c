/* Fences against the ends of Kafka's logs, and timers that nobody looks at. */
#include "coordinator/ctl/doctor.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/memory.h"
#include "common/kafka/kafka.h"
#include "common/redis/functions.h"

enum { LATE_DUE_MS = 10000, LATE_LEASE_MS = 60000, LOOKS = 3, LOOK_PAUSE_MS = 500 };

/* ---- Kafka ---- */

struct logs {
    struct doctor *doctor;
    struct kafka_consumer *consumer;
    char submit[300], status[300];
    struct shard_fences *fences; /* of each shard; read before any log's end */
    int64_t *committed;          /* of the intake, by submit partition */
    int partitions;
};

static enum status read_fences(struct logs *logs, struct err *err)
{
    struct session *session = logs->doctor->session;
    enum status st = ST_OK;

    for (int shard = 0; shard < session->shards && st == ST_OK; shard++) {
        st = fences_send(session->redis, shard, err);
        if (st == ST_OK)
            st = fences_receive(session->redis, &logs->fences[shard], err);
    }
    return st;
}

static void find_fence(struct doctor *doctor, int shard, const char *subject, int64_t next, int64_t start, int64_t end)
{
    char text[256];

    if (next > end)
        snprintf(text, sizeof text,
                 "stands at %" PRId64 ", beyond the log's end %" PRId64 ": Kafka lost its tail, or is another cluster",
                 next, end);
    else if (next > 0 && next < start)
        snprintf(text, sizeof text,
                 "stands at %" PRId64 ", and the log begins at %" PRId64 ": what is between was never recorded", next,
                 start);
    else
        return;
    doctor_find(doctor, shard, NULL, subject, "fences", text, NULL);
}

static enum status check_submit(struct logs *logs, struct err *err)
{
    struct doctor *doctor = logs->doctor;
    enum status st = ST_OK;

    doctor->submit_lag = 0;
    for (int partition = 0; partition < logs->partitions && st == ST_OK; partition++) {
        int64_t start, end;

        st = kafka_consumer_log_range(logs->consumer, logs->submit, partition, SESSION_TIMEOUT_MS, &start, &end, err);
        if (st != ST_OK)
            break;
        for (int shard = 0; shard < doctor->session->shards; shard++) {
            for (size_t i = 0; i < logs->fences[shard].submit_count; i++) {
                const struct fence *fence = &logs->fences[shard].submit[i];
                char subject[340];

                snprintf(subject, sizeof subject, "%s[%d]", logs->submit, partition);
                if (fence->partition == partition)
                    find_fence(doctor, shard, subject, fence->next, start, end);
            }
        }
        if (logs->committed[partition] < start)
            logs->committed[partition] = start;
        if (end > logs->committed[partition])
            doctor->submit_lag += end - logs->committed[partition];
    }
    return st;
}

static enum status check_status(struct logs *logs, struct err *err)
{
    struct doctor *doctor = logs->doctor;
    enum status st = ST_OK;

    doctor->status_lag = 0;
    for (int shard = 0; shard < doctor->session->shards && st == ST_OK; shard++) {
        int64_t start, end, next = logs->fences[shard].status.next;
        char subject[340];

        st = kafka_consumer_log_range(logs->consumer, logs->status, shard, SESSION_TIMEOUT_MS, &start, &end, err);
        if (st != ST_OK)
            break;
        snprintf(subject, sizeof subject, "%s[%d]", logs->status, shard);
        find_fence(doctor, shard, subject, next, start, end);
        next = next < start ? start : next;
        if (end > next)
            doctor->status_lag += end - next;
    }
    return st;
}

static enum status open_logs(struct logs *logs, struct err *err)
{
    const struct config *config = &logs->doctor->session->config;
    struct kafka_settings settings = config_kafka(config, "bgopctl");
    struct kafka_topic topics[2] = { { .name = logs->submit }, { .name = logs->status } };
    char group[300];
    enum status st = kafka_topics_look(&settings, topics, 2, SESSION_TIMEOUT_MS, err);

    if (st != ST_OK)
        return st;
    for (int i = 0; i < 2; i++) {
        if (!topics[i].found)
            return err_set(err, ST_AGAIN, "Kafka at %s has no topic %s: is it another cluster than the queue's?",
                           settings.brokers, topics[i].name);
    }
    if (topics[1].found_partitions < logs->doctor->session->shards)
        return err_set(err, ST_FAILED, "topic %s has %d partitions, and the queue %d shards", logs->status,
                       topics[1].found_partitions, logs->doctor->session->shards);
    logs->partitions = topics[0].found_partitions;
    logs->committed = xcalloc((size_t)logs->partitions + 1, sizeof *logs->committed);
    snprintf(group, sizeof group, "%s-intake", config->prefix);
    logs->consumer = kafka_consumer_new(&settings, group, &(struct kafka_consumer_events){ 0 }, err);
    return logs->consumer ? kafka_consumer_committed(logs->consumer, logs->submit, logs->partitions, SESSION_TIMEOUT_MS,
                                                     logs->committed, err)
                          : ST_FAILED;
}

static int check_logs(struct doctor *doctor)
{
    struct logs logs = { .doctor = doctor, .fences = xcalloc((size_t)doctor->session->shards, sizeof *logs.fences) };
    struct err err = ERR_INIT;
    enum status st;

    config_topic(&doctor->session->config, "submit", logs.submit, sizeof logs.submit);
    config_topic(&doctor->session->config, "status", logs.status, sizeof logs.status);
    st = read_fences(&logs, &err);
    if (st == ST_OK)
        st = open_logs(&logs, &err);
    if (st == ST_OK)
        st = check_submit(&logs, &err);
    if (st == ST_OK)
        st = check_status(&logs, &err);
    kafka_consumer_free(logs.consumer);
    for (int shard = 0; shard < doctor->session->shards; shard++)
        shard_fences_release(&logs.fences[shard]);
    free(logs.fences);
    free(logs.committed);
    return st == ST_OK ? EXIT_OK : session_fail_status(&err);
}

/* ---- timers ---- */

static int64_t redis_now_ms(struct session *session)
{
    struct redis_reply *reply = NULL;
    int64_t now_ms = 0;

    if (redis_call(session->redis, &reply, NULL, "TIME", NULL) == ST_OK)
        now_ms = redis_reply_int(redis_reply_at(reply, 0), 0) * 1000;
    redis_reply_free(reply);
    return now_ms;
}

/* How late the first of a zset of times is; its Id in id. */
static int first_late(struct doctor *doctor, int shard, const char *name, char id[ID_SIZE], int64_t *late_ms)
{
    struct redis_reply *reply = NULL;
    int code = doctor_ask(doctor, &reply, shard, "ZRANGE", name, (const char *const[]){ "0", "0", "WITHSCORES", NULL });

    *late_ms = -1;
    if (code == EXIT_OK && redis_reply_count(reply) == 2) {
        snprintf(id, ID_SIZE, "%.18s", redis_reply_text(redis_reply_at(reply, 0), NULL));
        *late_ms = redis_now_ms(doctor->session) - strtoll(redis_reply_text(redis_reply_at(reply, 1), NULL), NULL, 10);
    }
    redis_reply_free(reply);
    return code;
}

/* Late at every look: nobody runs the timers of this shard. */
static int check_timer(struct doctor *doctor, int shard, const char *name, int64_t limit_ms)
{
    char id[ID_SIZE] = "", text[160], length[32];
    int64_t late_ms = -1;

    for (int look = 0; look < LOOKS; look++) {
        int code = first_late(doctor, shard, name, id, &late_ms);

        if (code != EXIT_OK || late_ms <= limit_ms)
            return code;
        nanosleep(&(struct timespec){ 0, LOOK_PAUSE_MS * 1000000L }, NULL);
    }
    snprintf(text, sizeof text, "is %s overdue: does a coordinator run the timers of this shard?",
             format_length(length, late_ms));
    doctor_find(doctor, shard, NULL, id, name, text, NULL);
    return EXIT_OK;
}

int doctor_offsets(struct doctor *doctor)
{
    int code = EXIT_OK;

    for (int shard = 0; shard < doctor->session->shards && code == EXIT_OK; shard++) {
        code = check_timer(doctor, shard, "due", LATE_DUE_MS);
        if (code == EXIT_OK)
            code = check_timer(doctor, shard, "running", LATE_LEASE_MS);
    }
    return code == EXIT_OK ? check_logs(doctor) : code;
}
