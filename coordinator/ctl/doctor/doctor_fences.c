/* Fences against the records: an operation is recorded and its partition's fence moved in one call, so no fence stands below
 * what is recorded of the partition's present epoch. One that does, or cannot be read, would have messages applied again, or
 * nothing at all. */
#include "coordinator/ctl/doctor/doctor.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/kafka/kafka.h"

enum {
    BATCH = DOCTOR_BATCH * WIRE_CHECK_FENCE_SIZE,
    SUBJECTS_MAX = 2 * ID_PARTITIONS_MAX * WIRE_CHECK_FENCE_SIZE, /* partitions, and what should not be there */
};

struct least {
    struct doctor *doctor;
    int64_t *next; /* [shards][ID_PARTITIONS_MAX]: behind the last operation that is recorded */
    int epochs[ID_PARTITIONS_MAX];
};

static int read_epochs(struct least *least)
{
    struct redis_reply *reply = NULL;
    struct err err = ERR_INIT;

    if (redis_call(least->doctor->session->redis, &reply, &err, "HGETALL", key_name(KEY_EPOCHS), NULL) != ST_OK)
        return session_fail_status(&err);
    for (size_t i = 0; i + 1 < redis_reply_count(reply); i += 2) {
        int64_t partition = redis_reply_int(redis_reply_at(reply, i), -1);

        if (partition >= 0 && partition < ID_PARTITIONS_MAX)
            least->epochs[partition] = id_epoch_number(*redis_reply_text(redis_reply_at(reply, i + 1), NULL));
    }
    redis_reply_free(reply);
    return EXIT_OK;
}

static void find_least(struct least *least)
{
    for (size_t i = 0; i < least->doctor->map_capacity; i++) {
        const struct seen *seen = &least->doctor->map[i];
        struct id_parts parts;
        int64_t *next;

        if (!seen->read || !id_parse(seen->id, ID_LENGTH, &parts) || parts.shard >= least->doctor->session->shards ||
            parts.epoch != least->epochs[parts.partition])
            continue;
        next = &least->next[(size_t)parts.shard * ID_PARTITIONS_MAX + (size_t)parts.partition];
        *next = parts.offset + 1 > *next ? parts.offset + 1 : *next;
    }
}

/* What is asked of bgop_check: field and least of each, one behind the other. */
struct subjects {
    char *list[SUBJECTS_MAX];
    size_t count;
};

static void add_subject(struct subjects *subjects, const char *field, int64_t next)
{
    char text[32];

    snprintf(text, sizeof text, "%" PRId64, next);
    subjects->list[subjects->count + WIRE_CHECK_FENCE_FIELD] = xstrdup(field);
    subjects->list[subjects->count + WIRE_CHECK_FENCE_LEAST] = xstrdup(text);
    subjects->count += WIRE_CHECK_FENCE_SIZE;
}

/* Partitions that records are of, and whatever else the hash holds. */
static void list_subjects(const struct least *least, int shard, const struct redis_reply *fields,
                          struct subjects *subjects)
{
    const int64_t *next = &least->next[(size_t)shard * ID_PARTITIONS_MAX];
    char field[16];

    for (int partition = 0; partition < ID_PARTITIONS_MAX; partition++) {
        snprintf(field, sizeof field, "s%d", partition);
        if (next[partition] > 0)
            add_subject(subjects, field, next[partition]);
    }
    for (size_t i = 0; i < redis_reply_count(fields); i++) {
        const char *name = redis_reply_text(redis_reply_at(fields, i), NULL);
        char *end = NULL;
        long partition = *name == 's' ? strtol(name + 1, &end, 10) : -1;
        bool listed = end && *end == '\0' && partition >= 0 && partition < ID_PARTITIONS_MAX && next[partition] > 0;

        if (!listed && subjects->count < SUBJECTS_MAX)
            add_subject(subjects, name, 0);
    }
}

static const char *least_of(const struct subjects *subjects, const char *field)
{
    for (size_t i = 0; i < subjects->count; i += WIRE_CHECK_FENCE_SIZE) {
        if (strcmp(subjects->list[i + WIRE_CHECK_FENCE_FIELD], field) == 0)
            return subjects->list[i + WIRE_CHECK_FENCE_LEAST];
    }
    return "0";
}

static int check_shard(struct least *least, int shard)
{
    struct doctor *doctor = least->doctor;
    struct redis_reply *fields = NULL;
    struct subjects *subjects = xcalloc(1, sizeof *subjects);
    int code = doctor_read(doctor, &fields, shard, "HKEYS", key_name(KEY_FENCES), NULL);

    if (code == EXIT_OK)
        list_subjects(least, shard, fields, subjects);
    for (size_t from = 0; from < subjects->count && code == EXIT_OK; from += BATCH) {
        size_t left = subjects->count - from;
        struct redis_reply *reply = NULL;

        code = doctor_check(doctor, shard, "fences", NULL, subjects->list + from, left < BATCH ? left : BATCH, &reply);
        for (size_t i = 0; i + WIRE_FOUND_SIZE <= redis_reply_count(reply); i += WIRE_FOUND_SIZE) {
            const char *field = redis_reply_text(redis_reply_at(reply, i + WIRE_FOUND_SUBJECT), NULL);

            doctor_find(doctor, shard, "fence", field, "fences",
                        redis_reply_text(redis_reply_at(reply, i + WIRE_FOUND_TEXT), NULL), least_of(subjects, field));
        }
        redis_reply_free(reply);
    }
    for (size_t i = 0; i < subjects->count; i++)
        free(subjects->list[i]);
    free(subjects);
    redis_reply_free(fields);
    return code;
}

int doctor_fences(struct doctor *doctor)
{
    struct least least = { .doctor = doctor };
    int code = read_epochs(&least);

    least.next = xcalloc((size_t)doctor->session->shards * ID_PARTITIONS_MAX, sizeof *least.next);
    find_least(&least);
    for (int shard = 0; shard < doctor->session->shards && code == EXIT_OK; shard++)
        code = check_shard(&least, shard);
    free(least.next);
    return code;
}

/* Everything below what the intake's group has committed is applied in every shard: a fence that cannot be read is put there,
 * unless a record says that it stood further on. */
static enum status query_committed(struct doctor *doctor, int partition, int64_t *committed, struct err *err)
{
    const struct config *config = &doctor->session->config;
    struct kafka_settings settings = config_kafka(config, "bgopctl");
    struct kafka_log *logs = xcalloc((size_t)partition + 1, sizeof *logs);
    char topic[300], group[300];
    enum status st;

    config_topic(config, "submit", topic, sizeof topic);
    snprintf(group, sizeof group, "%s-intake", config->prefix);
    st = kafka_logs_look(&settings, topic, group, partition + 1, SESSION_TIMEOUT_MS, logs, err);
    *committed = logs[partition].committed <= logs[partition].end ? logs[partition].committed : 0;
    free(logs);
    return st;
}

int doctor_mend_fence(struct doctor *doctor, struct finding *finding)
{
    struct err err = ERR_INIT;
    int64_t least = strtoll(finding->argument, NULL, 10), committed = 0;
    char text[32];

    if (finding->subject[0] == 's' && strstr(finding->text, "cannot be read") &&
        query_committed(doctor, (int)strtol(finding->subject + 1, NULL, 10) % ID_PARTITIONS_MAX, &committed, &err) !=
            ST_OK) {
        doctor_advise(finding, "where it is to stand only Kafka knows: %s", err.text);
        return EXIT_OK;
    }
    snprintf(text, sizeof text, "%" PRId64, committed > least ? committed : least);
    return doctor_mend_with(doctor, finding, "fence", &(struct doctor_bytes){ text, strlen(text) });
}
