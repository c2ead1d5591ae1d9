#include "coordinator/ctl/missing.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/kafka/kafka.h"
#include "common/record/keys.h"
#include "common/record/rewinds.h"

enum { LOGS_FRESH_MS = 1000 };

static void set(struct missing *missing, enum missing_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void set(struct missing *missing, enum missing_kind kind, const char *format, ...)
{
    va_list args;

    missing->kind = kind;
    va_start(args, format);
    vsnprintf(missing->text, sizeof missing->text, format, args);
    va_end(args);
}

/* ---- Redis ---- */

static enum status read_number(struct session *session, const char *key, const char *field, int64_t *number,
                               struct err *err)
{
    struct redis_reply *reply = NULL;
    enum status st = redis_connect(session->redis, err);

    if (st == ST_OK)
        st = redis_call(session->redis, &reply, err, "HGET", key, field, NULL);
    if (st == ST_OK)
        *number = strtoll(redis_reply_text(reply, NULL), NULL, 10); /* a fence: "next ..." */
    redis_reply_free(reply);
    return st;
}

enum status session_read_epoch(struct session *session, int partition, int *epoch, struct err *err)
{
    struct redis_reply *reply = NULL;
    char field[16];
    enum status st;

    snprintf(field, sizeof field, "%d", partition);
    st = redis_call(session->redis, &reply, err, "HGET", key_name(KEY_EPOCHS), field, NULL);
    *epoch = st == ST_OK ? id_epoch_number(redis_reply_text(reply, NULL)[0]) : 0;
    redis_reply_free(reply);
    return st;
}

/* Was the history of its partition rewritten at its offset, or before it, since it was submitted? An epoch that a person set
 * holds from the beginning. */
static enum status read_rewritten(struct session *session, const struct id_parts *parts, bool *rewritten,
                                  struct err *err)
{
    struct redis_reply *reply = NULL;
    enum status st = redis_call(session->redis, &reply, err, "HGETALL", key_name(KEY_REWINDS), NULL);
    struct rewind_entry entry;

    *rewritten = true;
    for (size_t i = 0; st == ST_OK && i + 1 < redis_reply_count(reply); i += 2) {
        if (!rewind_entry_read(&entry, redis_reply_text(redis_reply_at(reply, i), NULL),
                               redis_reply_text(redis_reply_at(reply, i + 1), NULL)) ||
            !rewind_entry_is_later(&entry, parts))
            continue;
        *rewritten = entry.from <= parts->offset;
        if (*rewritten)
            break;
    }
    redis_reply_free(reply);
    return st;
}

/* Is it an Id of this queue? ST_MISSING: no, and missing says why not. */
static enum status check_place(struct session *session, const struct id_parts *parts, struct missing *missing,
                               struct err *err)
{
    int64_t shards = 0, partitions = 0;
    int epoch = 0;
    bool rewritten = false;
    enum status st = read_number(session, key_name(KEY_META), "shards", &shards, err);

    if (st == ST_OK)
        st = read_number(session, key_name(KEY_META), "submit_partitions", &partitions, err);
    if (st == ST_OK)
        st = session_read_epoch(session, parts->partition, &epoch, err);
    if (st == ST_OK && parts->epoch < epoch)
        st = read_rewritten(session, parts, &rewritten, err);
    if (st != ST_OK)
        return st;
    if (parts->shard >= shards) {
        set(missing, MISSING_ELSEWHERE,
            "no such operation: its Id is not of this queue: it names shard %d, and there are %d", parts->shard,
            (int)shards);
    } else if (partitions > 0 && parts->partition >= partitions) {
        set(missing, MISSING_ELSEWHERE,
            "no such operation: its Id is not of this queue: it names partition %d of %s.submit, and there are %d",
            parts->partition, session->config.prefix, (int)partitions);
    } else if (parts->epoch > epoch) {
        set(missing, MISSING_ELSEWHERE,
            "no such operation: its Id is of epoch %d of %s.submit[%d], which is in epoch %d", parts->epoch,
            session->config.prefix, parts->partition, epoch);
    } else if (rewritten) {
        set(missing, MISSING_LOST,
            "no such operation: Kafka lost its submission after it was acknowledged, before it was recorded (the history "
            "of %s.submit[%d] was rewritten, now it is of epoch %d); submit it again",
            session->config.prefix, parts->partition, epoch);
    } else {
        return ST_OK;
    }
    return ST_MISSING;
}

static enum status read_fence(struct session *session, const struct id_parts *parts, int64_t *next, struct err *err)
{
    char key[64], field[32];

    key_format(key, sizeof key, KEY_FENCES, parts->shard, NULL);
    snprintf(field, sizeof field, "s%d", parts->partition);
    return read_number(session, key, field, next, err);
}

/* ---- Kafka ---- */

/* Bounds of the submit topic and what the intake has committed; kept for a moment, for whoever asks for many Ids. */
static enum status read_logs(struct session *session, int partition, struct err *err)
{
    struct kafka_settings settings = config_kafka(&session->config, "bgopctl");
    char name[300], group[300];
    struct kafka_topic topic = { .name = config_topic(&session->config, "submit", name, sizeof name) };
    enum status st;

    if (session->logs && clock_boot_ms() - session->logs_read_ms < LOGS_FRESH_MS) {
        return partition < session->log_count ? ST_OK
                                              : err_set(err, ST_MISSING, "%s has no partition %d", name, partition);
    }
    if (session->logs_err.status != ST_OK)
        return err_set(err, session->logs_err.status, "%s", session->logs_err.text);
    st = kafka_topics_look(&settings, &topic, 1, SESSION_TIMEOUT_MS, err);
    if (st != ST_OK)
        session->logs_err = *err;
    if (st != ST_OK)
        return st;
    if (partition >= topic.found_partitions)
        return err_set(err, ST_MISSING, "Kafka at %s has no %s[%d]", settings.brokers, name, partition);
    free(session->logs);
    session->log_count = topic.found_partitions;
    session->logs = xcalloc((size_t)session->log_count, sizeof *session->logs);
    snprintf(group, sizeof group, "%s-intake", session->config.prefix);
    st = kafka_logs_look(&settings, name, group, session->log_count, SESSION_TIMEOUT_MS, session->logs, err);
    session->logs_read_ms = clock_boot_ms();
    if (st != ST_OK) {
        free(session->logs);
        session->logs = NULL;
    }
    return st;
}

/* ---- telling ---- */

static void explain_read(struct session *session, struct missing *missing)
{
    set(missing, MISSING_READ,
        "no such operation: its submission was read, and refused (topic %s.rejects says why), a duplicate of its Name, or "
        "aborted by its producer; or the operation was removed after its end",
        session->config.prefix);
}

static void explain_pending(struct session *session, const struct id_parts *parts, const struct kafka_log *log,
                            int64_t read_to, struct missing *missing)
{
    char held[200] = "";

    missing->held = log->stable < log->end && parts->offset >= log->stable;
    if (missing->held) {
        snprintf(held, sizeof held,
                 "; an open transaction holds everything from offset %" PRId64
                 " on, until its producer commits, aborts or "
                 "times out",
                 log->stable);
    }
    set(missing, MISSING_PENDING,
        "not recorded yet: its submission is in %s.submit[%d] at offset %" PRId64 ", which was read up to %" PRId64
        " so "
        "far%s",
        session->config.prefix, parts->partition, parts->offset, read_to,
        *held ? held : "; a coordinator has to read on");
}

static void explain(struct session *session, const struct id_parts *parts, const struct kafka_log *log, int64_t fence,
                    struct missing *missing)
{
    int64_t read_to = log->committed > fence ? log->committed : fence;

    if (parts->offset < log->start) {
        set(missing, MISSING_READ,
            "no such operation: it was removed after its end, or refused; its submission is not in %s.submit[%d] any more, "
            "which begins at offset %" PRId64,
            session->config.prefix, parts->partition, log->start);
    } else if (parts->offset >= log->end) {
        set(missing, MISSING_NEVER, "no such operation: it was never submitted: %s.submit[%d] ends at offset %" PRId64,
            session->config.prefix, parts->partition, log->end);
    } else if (parts->offset < read_to) {
        explain_read(session, missing);
    } else {
        explain_pending(session, parts, log, read_to, missing);
    }
}

void missing_explain(struct session *session, const char *id, struct missing *missing)
{
    struct id_parts parts;
    struct err err = ERR_INIT;
    int64_t fence = 0;
    enum status st;

    *missing = (struct missing){ .kind = MISSING_UNKNOWN };
    if (!id_parse(id, strlen(id), &parts)) {
        set(missing, MISSING_ELSEWHERE, "no such operation: this is not an Id");
        return;
    }
    st = check_place(session, &parts, missing, &err);
    if (st == ST_MISSING)
        return;
    if (st == ST_OK)
        st = read_fence(session, &parts, &fence, &err);
    if (st == ST_OK && fence > parts.offset) { /* Kafka need not be asked */
        explain_read(session, missing);
        return;
    }
    if (st == ST_OK)
        st = read_logs(session, parts.partition, &err);
    if (st == ST_OK) {
        explain(session, &parts, &session->logs[parts.partition], fence, missing);
    } else {
        set(missing, MISSING_UNKNOWN,
            "not recorded so far; whether its submission is still to be read is not known: %s", err.text);
    }
}

bool missing_may_come(const struct missing *missing)
{
    return missing->kind == MISSING_PENDING || missing->kind == MISSING_UNKNOWN;
}

int missing_fail(struct session *session, const char *id)
{
    struct missing missing;

    missing_explain(session, id, &missing);
    return session_fail(EXIT_FAILED, "%s: %s", id, missing.text);
}
