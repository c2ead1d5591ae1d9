/* Fences against the ends of Kafka's logs, and timers that nobody looks at. */
#include "coordinator/ctl/doctor/doctor.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/memory.h"
#include "common/kafka/kafka.h"
#include "common/redis/functions.h"

enum { LOOKS = 3, LOOK_PAUSE_MS = 500, TICKS_MAX = 200 };

/* What is late for so long is looked at by nobody. */
static const struct timer {
    const char *name;
    int64_t late_ms;
} timers[] = { { "due", 10000 }, { "running", 60000 } };

static int64_t redis_now_ms(struct session *session)
{
    struct redis_reply *reply = NULL;
    int64_t now_ms = 0;

    if (redis_call(session->redis, &reply, NULL, "TIME", NULL) == ST_OK)
        now_ms = redis_reply_int(redis_reply_at(reply, 0), 0) * 1000;
    redis_reply_free(reply);
    return now_ms;
}

/* ---- Kafka ---- */

struct logs {
    struct doctor *doctor;
    struct kafka_settings settings;
    char submit[300], command[300], status[300], intake[300];
    struct shard_fences *fences; /* of each shard; read before any log's end */
    int read;                    /* partitions of the submit topic that the queue reads */
    int64_t asked_ms;            /* Redis' time before all of it was asked for */
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

    if (next > end) {
        snprintf(text, sizeof text,
                 "stands at %" PRId64 ", beyond the log's end %" PRId64 ": Kafka lost its tail, or is another cluster",
                 next, end);
    } else if (next > 0 && next < start) {
        snprintf(
            text, sizeof text,
            "stands at %" PRId64 ", and the log begins at %" PRId64
            ": what is between was never recorded, and must be submitted again. `bgopctl recover` goes on without it",
            next, start);
    } else {
        return;
    }
    doctor_find(doctor, shard, NULL, subject, "fences", text, NULL);
}

/* Behind an open transaction nothing is read: neither a mismatch nor a coordinator's fault, but to be known. */
static void note_held(struct doctor *doctor, const char *topic, int partition, const struct kafka_log *log)
{
    if (log->stable < log->end) {
        json_array_append_new(doctor->held, json_pack("{s:s, s:i, s:I, s:I}", "topic", topic, "partition", partition,
                                                      "stable", (json_int_t)log->stable, "end", (json_int_t)log->end));
    }
}

static long long lag_behind(const struct kafka_log *log, int64_t next)
{
    int64_t from = next < log->start ? log->start : next;

    return log->end > from ? log->end - from : 0;
}

/* The partitions of a topic, as long as that exists: count of them, to be freed by the caller. */
static enum status describe_topic(struct logs *logs, const char *topic, struct kafka_log **list, int *count,
                                  struct err *err)
{
    struct kafka_topic wanted = { .name = topic };
    enum status st = kafka_topics_look(&logs->settings, &wanted, 1, SESSION_TIMEOUT_MS, err);

    *list = NULL;
    if (st == ST_OK && !wanted.found) {
        st = err_set(err, ST_AGAIN, "Kafka at %s has no topic %s: is it another cluster than the queue's?",
                     logs->settings.brokers, topic);
    }
    if (st != ST_OK)
        return st;
    *count = wanted.found_partitions;
    *list = xcalloc((size_t)*count, sizeof **list);
    return kafka_logs_look(&logs->settings, topic, logs->intake, *count, SESSION_TIMEOUT_MS, *list, err);
}

/* Partitions that were added to the submit topic: producers fill them, and nobody reads them yet. */
static void find_unread(struct logs *logs, int partition, int count, const struct kafka_log *log)
{
    char subject[340], text[256];

    if (partition < logs->read || log->start >= log->end)
        return;
    snprintf(subject, sizeof subject, "%s[%d]", logs->submit, partition);
    snprintf(text, sizeof text,
             "holds %" PRId64 " messages and is not read: the topic has %d partitions, the queue reads %d. Set [queue] "
             "submit_partitions = %d and restart the coordinators",
             log->end - log->start, count, logs->read, count);
    doctor_find(logs->doctor, 0, NULL, subject, "fences", text, NULL);
}

/* bgop:meta's number: what bgopctl is configured with may be another. */
static enum status query_read_positions(struct logs *logs, struct err *err)
{
    struct redis *redis = logs->doctor->session->redis;
    struct redis_reply *reply = NULL;
    enum status st = redis_call(redis, &reply, err, "HGET", key_name(KEY_META), "submit_partitions", NULL);

    if (st == ST_OK)
        logs->read = (int)redis_reply_int(reply, ID_PARTITIONS_MAX);
    redis_reply_free(reply);
    return st;
}

static void check_submit_fences(struct logs *logs, int partition, const struct kafka_log *log)
{
    char subject[340];

    snprintf(subject, sizeof subject, "%s[%d]", logs->submit, partition);
    for (int shard = 0; shard < logs->doctor->session->shards; shard++) {
        const struct shard_fences *fences = &logs->fences[shard];

        for (size_t i = 0; i < fences->submit_count; i++) {
            if (fences->submit[i].partition == partition)
                find_fence(logs->doctor, shard, subject, fences->submit[i].next, log->start, log->end);
        }
    }
}

/* Submissions and commands: what the intake's group has not committed. */
static enum status check_intake(struct logs *logs, const char *topic, bool fenced, struct err *err)
{
    struct kafka_log *list = NULL;
    int count = 0;
    enum status st = describe_topic(logs, topic, &list, &count, err);

    for (int partition = 0; partition < count && st == ST_OK; partition++) {
        if (fenced) {
            check_submit_fences(logs, partition, &list[partition]);
            find_unread(logs, partition, count, &list[partition]);
        }
        logs->doctor->submit_lag += lag_behind(&list[partition], list[partition].committed);
        note_held(logs->doctor, topic, partition, &list[partition]);
    }
    free(list);
    return st;
}

static enum status check_status(struct logs *logs, struct err *err)
{
    struct doctor *doctor = logs->doctor;
    struct kafka_log *list = NULL;
    int count = 0, shards = doctor->session->shards;
    enum status st = describe_topic(logs, logs->status, &list, &count, err);

    if (st == ST_OK && count < shards) {
        st =
            err_set(err, ST_FAILED, "topic %s has %d partitions, and the queue %d shards", logs->status, count, shards);
    }
    for (int shard = 0; shard < shards && st == ST_OK; shard++) {
        int64_t next = logs->fences[shard].status.next;
        char subject[340];

        snprintf(subject, sizeof subject, "%s[%d]", logs->status, shard);
        find_fence(doctor, shard, subject, next, list[shard].start, list[shard].end);
        doctor->status_lag += lag_behind(&list[shard], next);
        if (lag_behind(&list[shard], next) == 0)
            doctor->read_to_ms[shard] = logs->asked_ms;
        note_held(doctor, logs->status, shard, &list[shard]);
    }
    free(list);
    return st;
}

static enum status check_topics(struct logs *logs, struct err *err)
{
    struct doctor *doctor = logs->doctor;
    int64_t asked_ms = redis_now_ms(doctor->session);
    enum status st = read_fences(logs, err);

    logs->asked_ms = asked_ms;
    doctor->submit_lag = doctor->status_lag = 0;
    if (st == ST_OK)
        st = query_read_positions(logs, err);
    if (st == ST_OK)
        st = check_intake(logs, logs->submit, true, err);
    if (st == ST_OK)
        st = check_intake(logs, logs->command, false, err);
    if (st == ST_OK)
        st = check_status(logs, err);
    if (st != ST_OK)
        doctor->submit_lag = doctor->status_lag = -1;
    return st;
}

static int check_logs(struct doctor *doctor)
{
    const struct config *config = &doctor->session->config;
    struct logs logs = {
        .doctor = doctor,
        .settings = config_kafka(config, "bgopctl"),
        .fences = xcalloc((size_t)doctor->session->shards, sizeof *logs.fences),
    };
    struct err err = ERR_INIT;
    enum status st;

    config_topic(config, "submit", logs.submit, sizeof logs.submit);
    config_topic(config, "command", logs.command, sizeof logs.command);
    config_topic(config, "status", logs.status, sizeof logs.status);
    snprintf(logs.intake, sizeof logs.intake, "%s-intake", config->prefix);
    st = check_topics(&logs, &err);
    for (int shard = 0; shard < doctor->session->shards; shard++)
        shard_fences_release(&logs.fences[shard]);
    free(logs.fences);
    return st == ST_OK ? EXIT_OK : session_fail_status(&err);
}

/* ---- timers ---- */

/* How late the first of a zset of times is; its Id in id. */
static int first_late(struct doctor *doctor, int shard, const char *name, char id[ID_SIZE], int64_t *late_ms)
{
    struct redis_reply *reply = NULL;
    int code =
        doctor_read(doctor, &reply, shard, "ZRANGE", name, (const char *const[]){ "0", "0", "WITHSCORES", NULL });

    *late_ms = -1;
    if (code == EXIT_OK && redis_reply_count(reply) == 2) {
        snprintf(id, ID_SIZE, "%.18s", redis_reply_text(redis_reply_at(reply, 0), NULL));
        *late_ms = redis_now_ms(doctor->session) - strtoll(redis_reply_text(redis_reply_at(reply, 1), NULL), NULL, 10);
    }
    redis_reply_free(reply);
    return code;
}

/* Late at every look: nobody runs the timers of this shard. */
static int check_timer(struct doctor *doctor, int shard, const struct timer *timer)
{
    char id[ID_SIZE] = "", text[160], length[32];
    int64_t late_ms = -1;

    for (int look = 0; look < LOOKS; look++) {
        int code = first_late(doctor, shard, timer->name, id, &late_ms);

        if (code != EXIT_OK || late_ms <= timer->late_ms)
            return code;
        nanosleep(&(struct timespec){ 0, LOOK_PAUSE_MS * 1000000L }, NULL);
    }
    snprintf(text, sizeof text, "is %s overdue: does a coordinator run the timers of this shard?",
             format_length(length, late_ms));
    doctor_find(doctor, shard, "timer", id, timer->name, text, NULL);
    return EXIT_OK;
}

/* A call fires some hundreds. What it answers for workers (hints) they find by themselves; its verdicts are asked for
 * again by whoever runs the shard next. */
int doctor_mend_timer(struct doctor *doctor, struct finding *finding)
{
    const struct timer *timer = strcmp(finding->index, timers[0].name) == 0 ? &timers[0] : &timers[1];
    char id[ID_SIZE], read_to[32];
    int64_t late_ms = INT64_MAX;
    int code = EXIT_OK;

    snprintf(read_to, sizeof read_to, "%" PRId64, doctor->read_to_ms[finding->shard]);
    for (int tick = 0; tick < TICKS_MAX && code == EXIT_OK && late_ms > timer->late_ms; tick++) {
        struct redis_reply *reply = NULL;

        code =
            doctor_function(doctor, &reply, finding->shard, "bgop_tick", (const char *const[]){ read_to, "200", NULL });
        redis_reply_free(reply);
        if (code == EXIT_OK)
            code = first_late(doctor, finding->shard, timer->name, id, &late_ms);
    }
    finding->mended = code == EXIT_OK && late_ms <= timer->late_ms;
    if (finding->mended) {
        doctor_advise(finding, "what was overdue was fired now; without a coordinator the next will be late as well");
    } else if (doctor->read_to_ms[finding->shard] == 0) {
        doctor_advise(finding,
                      "its status log is not applied to the end, so no lease may be judged: start a coordinator");
    }
    return code;
}

int doctor_offsets(struct doctor *doctor)
{
    int code = EXIT_OK;

    for (int shard = 0; shard < doctor->session->shards && code == EXIT_OK; shard++) {
        for (size_t i = 0; i < sizeof timers / sizeof *timers && code == EXIT_OK; i++)
            code = check_timer(doctor, shard, &timers[i]);
    }
    return code == EXIT_OK ? check_logs(doctor) : code;
}
