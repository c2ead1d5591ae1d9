/* What Redis has lost of an operation and Kafka may have still: its Id says where its submission lies. */
#include "coordinator/ctl/doctor/doctor.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/checksum.h"
#include "common/base/memory.h"
#include "common/codec/codec.h"
#include "common/kafka/kafka.h"

struct original {
    struct submission submission;
    char crc[16]; /* as its record has it; empty: the record is gone */
    bool found;   /* a message lies there, and is the one that the record was made of */
    bool read;    /* and it can be read: submission is to be released */
};

static void on_message(void *arg, const struct kafka_message *message)
{
    struct original *original = arg;
    char crc[16], *memory;

    snprintf(
        crc, sizeof crc, "%" PRIu32,
        checksum_message(message->key, message->key_size, message->value, message->value_size, message->timestamp_ms));
    original->found = strcmp(crc, original->crc) == 0;
    if (!original->found ||
        codec_read_submission(&original->submission, message->value, message->value_size, NULL) != ST_OK)
        return;
    original->read = true;
    if (!original->submission.payload || original->submission.payload_memory)
        return;
    memory = xmemdup(original->submission.payload, original->submission.payload_size); /* it goes with the message */
    original->submission.payload = original->submission.payload_memory = memory;
}

/* ST_MISSING: Kafka has it no longer, or there lies another (the record's epoch is over). */
static enum status find_original(struct doctor *doctor, const struct finding *finding, const struct id_parts *parts,
                                 struct original *original, struct err *err)
{
    struct kafka_settings settings = config_kafka(&doctor->session->config, "bgopctl");
    struct redis_reply *reply = NULL;
    char topic[300], key[DOCTOR_KEY_SIZE];
    enum status st = redis_call(doctor->session->redis, &reply, err, "HGET",
                                key_format(key, sizeof key, KEY_OP, finding->shard, finding->subject), "crc", NULL);

    if (st != ST_OK)
        return st;
    snprintf(original->crc, sizeof original->crc, "%s", redis_reply_text(reply, NULL));
    redis_reply_free(reply);
    config_topic(&doctor->session->config, "submit", topic, sizeof topic);
    st = kafka_read_one(&settings, topic, parts->partition, parts->offset, SESSION_TIMEOUT_MS, on_message, original,
                        err);
    if (st == ST_OK && !original->found) {
        return err_set(err, ST_MISSING, "another submission lies at %s[%d] offset %" PRId64, topic, parts->partition,
                       parts->offset);
    }
    return st == ST_OK && !original->read ? err_set(err, ST_MISSING, "its submission cannot be read") : st;
}

static enum status fetch(struct doctor *doctor, const struct finding *finding, struct original *original,
                         struct err *err)
{
    struct id_parts parts;

    submission_init(&original->submission);
    if (!id_parse(finding->subject, strlen(finding->subject), &parts))
        return err_set(err, ST_MISSING, "it is no Id");
    return find_original(doctor, finding, &parts, original, err);
}

int doctor_mend_payload(struct doctor *doctor, struct finding *finding)
{
    struct original original = { 0 };
    struct err err = ERR_INIT;
    enum status st = fetch(doctor, finding, &original, &err);
    int code = EXIT_OK;

    if (st == ST_OK) {
        code =
            doctor_mend_with(doctor, finding, "payload",
                             &(struct doctor_bytes){ original.submission.payload, original.submission.payload_size });
    }
    if (st == ST_OK && code == EXIT_OK && !finding->mended)
        st = err_set(&err, ST_MISSING, "what Kafka has is of another size than the record says");
    if (st == ST_MISSING)
        doctor_advise(finding, "%s: `bgopctl cancel %s`, and submit it again", err.text, finding->subject);
    else if (st != ST_OK)
        doctor_advise(finding, "Kafka was not asked: %s", err.text);
    submission_release(&original.submission);
    return code;
}

int doctor_mend_name(struct doctor *doctor, struct finding *finding)
{
    struct original original = { 0 };
    struct err err = ERR_INIT;
    enum status st = fetch(doctor, finding, &original, &err);
    char content[32] = "";
    int code;

    if (st == ST_OK)
        snprintf(content, sizeof content, "%" PRIu64, submission_content(&original.submission));
    else
        doctor_advise(finding, "%s: the same submission again is refused, not counted as a duplicate", err.text);
    code = doctor_mend_with(doctor, finding, "record", &(struct doctor_bytes){ content, strlen(content) });
    submission_release(&original.submission);
    return code;
}
