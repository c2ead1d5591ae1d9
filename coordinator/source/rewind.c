#include "coordinator/source/rewind.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/crash_point.h"
#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/record/id.h"
#include "common/record/keys.h"
#include "common/record/routing.h"
#include "common/codec/codec.h"
#include "coordinator/source/log_reader.h"

void rewinder_init(struct rewinder *rewinder, struct reader *reader, struct epochs *epochs)
{
    *rewinder = (struct rewinder){
        .loop = reader->loop, .gates = &reader->gates, .sources = &reader->sources, .epochs = epochs
    };
    rewinder->noted_at_ms = xcalloc((size_t)reader->sources.cursors.partitions, sizeof *rewinder->noted_at_ms);
}

void rewinder_release(struct rewinder *rewinder)
{
    free(rewinder->noted_at_ms);
    *rewinder = (struct rewinder){ 0 };
}

static const char *rewinder_topic(const struct rewinder *rewinder)
{
    return rewinder->epochs ? "submit" : "status";
}

/* ---- 1: the last common point ---- */

/* A rewriting as it is found and done. */
struct rewriting {
    struct rewinder *rewinder;
    int partition;
    struct log_reader log;
    struct point *points; /* of the ring and beside the fences */
    size_t point_count;
    struct epoch epoch; /* from, lost_to, last; of submit the number */
};

/* Where its record is, if it has one: by what can be read of it, as intake does. */
static int message_shard(const struct kafka_message *message, int shards)
{
    struct submission submission;
    struct err err = ERR_INIT;
    const char *key = "";
    size_t size = 0;
    int shard;

    submission_init(&submission);
    if (codec_read_submission(&submission, message->value, message->value_size, &err) == ST_OK)
        key = submission_routing_key(&submission, &size);
    shard = routing_shard(key, size, message->partition, message->offset, shards);
    submission_release(&submission);
    return shard;
}

/* Is there a record of that place in any shard? */
static enum status place_taken(struct redis *redis, struct id_parts *parts, int shards, bool *taken, struct err *err)
{
    struct redis_command command;
    enum status worst = ST_OK;
    int sent = 0;

    *taken = false;
    redis_command_init(&command);
    for (; sent < shards && worst == ST_OK; sent += worst == ST_OK) {
        char key[KEY_SIZE], id[ID_SIZE];

        parts->shard = sent;
        id_make(id, parts);
        redis_command_clear(&command);
        redis_command_add_text(&command, "EXISTS");
        redis_command_add_text(&command, key_format(key, sizeof key, KEY_OP, sent, id));
        worst = redis_send(redis, &command, err);
    }
    redis_command_release(&command);
    for (int s = 0; s < sent; s++) {
        struct redis_reply *reply;
        enum status st = redis_receive(redis, &reply, err);

        worst = st != ST_OK ? st : worst;
        if (st != ST_OK)
            continue;
        *taken |= redis_reply_int(reply, 0) > 0;
        redis_reply_free(reply);
    }
    return worst;
}

static enum common_known rewriting_know(void *arg, const struct fingerprint *fingerprint)
{
    struct log_reader *log = arg;
    struct rewinder *rewinder = log->owner;
    int shards = rewinder->sources->cursors.shards;
    const struct kafka_message *message = log->message;
    struct id_parts parts = { .partition = message->partition, .offset = message->offset };
    struct err *err = &log->known;
    char id[ID_SIZE];
    bool found = false;

    parts.shard = message_shard(message, shards);
    if (epochs_find_record(rewinder->loop->redis, rewinder->epochs, &parts, fingerprint->crc, id, &found, err) != ST_OK)
        return COMMON_UNKNOWN;
    if (found)
        return COMMON_SAME;
    parts.epoch = epoch_of(rewinder->epochs, message->partition, message->offset);
    if (place_taken(rewinder->loop->redis, &parts, shards, &found, err) != ST_OK)
        return COMMON_UNKNOWN;
    return found ? COMMON_OTHER : COMMON_UNKNOWN;
}

/* Those of the ring and those beside the fences, sorted; and up to where anything was applied. */
static enum status rewriting_points(struct rewriting *rewriting, struct err *err)
{
    const struct rewinder *rewinder = rewriting->rewinder;
    const struct source *source = &rewinder->sources->cursors.sources[rewriting->partition];
    int shards = rewinder->sources->cursors.shards;

    rewriting->points = xcalloc((size_t)POINTS_MAX + (size_t)shards, sizeof *rewriting->points);
    if (points_read(rewinder->loop->redis, rewinder_topic(rewinder), rewriting->partition, rewriting->points,
                    &rewriting->point_count, err) != ST_OK)
        return err->status;
    for (int s = 0; s < shards; s++) {
        const struct cursor *cursor = &source->cursors[s];

        rewriting->points[rewriting->point_count++] = (struct point){ .message = cursor->fingerprint };
        if (cursor->next > rewriting->epoch.lost_to)
            rewriting->epoch.lost_to = cursor->next;
    }
    rewriting->point_count = points_sort(rewriting->points, rewriting->point_count);
    return ST_OK;
}

static enum status rewriting_find(struct rewriting *rewriting, struct err *err)
{
    struct rewinder *rewinder = rewriting->rewinder;
    struct common_log log = {
        .read = log_reader_read,
        .know = rewinder->epochs ? rewriting_know : NULL,
        .arg = &rewriting->log,
    };

    if (log_reader_open(&rewriting->log, rewinder->loop, rewinder->sources->topic, rewriting->partition, err) !=
            ST_OK ||
        rewriting_points(rewriting, err) != ST_OK)
        return err->status;
    rewriting->log.owner = rewinder;
    log.start = rewriting->log.start;
    log.end = rewriting->log.end < rewriting->epoch.lost_to ? rewriting->log.end : rewriting->epoch.lost_to;
    return common_point_find(&log, rewriting->points, rewriting->point_count, &rewriting->epoch.from,
                             &rewriting->epoch.last, err);
}

/* ---- 2: the control topic ---- */

enum status rewind_record(struct loop *loop, const char *topic, int partition, const struct epoch *epoch,
                          struct err *err)
{
    struct control control = CONTROL_INIT;

    text_copy(control.topic, sizeof control.topic, topic, strlen(topic));
    text_copy(control.instance, sizeof control.instance, loop->shared->instance, strlen(loop->shared->instance));
    control.at_ms = clock_wall_ms();
    control.partition = partition;
    control.epoch = epoch->number > 0 ? epoch->number : -1;
    control.rewind_from = epoch->from;
    control.lost_to = epoch->lost_to;
    control.last_offset = epoch->last.offset;
    control.last_crc = epoch->last.crc;
    control.last_at_ms = epoch->last.timestamp_ms;
    if (control_append(&loop->appender, &control, err) != ST_OK)
        return err->status;
    return appender_wait(&loop->appender, err);
}

void rewind_report(struct loop *loop, const char *topic, int partition, const struct epoch *epoch, int64_t log_end)
{
    counter_add(&loop->shared->counters.rewinds, 1);
    if (epoch->lost_to > epoch->from)
        counter_add(&loop->shared->counters.lost_messages, epoch->lost_to - epoch->from);
    log_event(LOG_LEVEL_ERROR, "kafka went backwards",
              "topic=%s partition=%d lost-from=%" PRId64 " lost-to=%" PRId64 " log-end=%" PRId64 " epoch=%d", topic,
              partition, epoch->from, epoch->lost_to, log_end, epoch->number);
}

/* Above everything that was ever written: a Redis that went backwards may have forgotten some. */
static enum status rewriting_number(struct rewriting *rewriting, struct err *err)
{
    struct rewinder *rewinder = rewriting->rewinder;
    struct control_history history = { 0 };
    const struct epoch *newest = epoch_newest(rewinder->epochs, rewriting->partition);
    int highest = newest ? newest->number : 0;
    enum status st = control_read(rewinder->loop->shared->config, &history, err);

    for (size_t i = 0; i < history.rewind_count; i++) {
        const struct control *control = &history.rewinds[i];

        if (strcmp(control->topic, "submit") == 0 && control->partition == rewriting->partition &&
            control->epoch > highest)
            highest = control->epoch;
    }
    control_history_release(&history);
    rewriting->epoch.number = highest + 1;
    if (st == ST_OK && rewriting->epoch.number >= ID_EPOCHS_MAX) {
        return err_set(
            err, ST_INVALID,
            "%s[%d]: Kafka's history was rewritten for the %dth time: Ids count no further. Make a queue with "
            "another prefix, and submit there",
            rewinder->sources->topic, rewriting->partition, ID_EPOCHS_MAX);
    }
    return st;
}

static enum status rewriting_record(struct rewriting *rewriting, struct err *err)
{
    struct rewinder *rewinder = rewriting->rewinder;

    if (rewind_record(rewinder->loop, rewinder_topic(rewinder), rewriting->partition, &rewriting->epoch, err) != ST_OK)
        return err->status;
    crash_point(CRASH_REWIND_RECORDED);
    return ST_OK;
}

/* ---- 3 and 4: Redis ---- */

/* One that stands below the common point stays; but what lies beside it was not compared, so it is compared no more. */
static struct fence_move rewind_move(const struct rewinder *rewinder, int partition, int shard,
                                     const struct epoch *epoch)
{
    const struct cursor *cursor = &rewinder->sources->cursors.sources[partition].cursors[shard];
    bool above = cursor->next > epoch->from;

    return (struct fence_move){
        .partition = partition,
        .from = cursor->next,
        .next = above ? epoch->from : cursor->next,
        .fingerprint = above ? epoch->last : FINGERPRINT_NONE,
    };
}

static enum status fence_put_back(struct rewinder *rewinder, int partition, int shard, const struct epoch *epoch,
                                  struct err *err)
{
    int fence_shard = rewinder->epochs ? shard : partition;
    const struct gate *gate = &rewinder->gates->at[fence_shard];
    struct fence_rewind call = {
        .shard = fence_shard,
        .generation = gate->generation,
        .status = !rewinder->epochs,
        .move = rewind_move(rewinder, partition, shard, epoch),
    };
    struct fence stands;

    if (!gate_usable(gate))
        return err_set(err, ST_AGAIN, "shard %d is not armed", fence_shard);
    if (call.move.from == 0) /* nothing was ever applied */
        return ST_OK;
    if (rewind_send(rewinder->loop->redis, &call, err) != ST_OK)
        return err->status;
    return rewind_receive(rewinder->loop->redis, &stands, err) == ST_STALE ? err_set(err, ST_AGAIN, "%s", err->text)
                                                                           : err->status;
}

static enum status fences_put_back(struct rewinder *rewinder, int partition, const struct epoch *epoch, struct err *err)
{
    for (int s = 0; s < rewinder->sources->cursors.shards; s++) {
        if (fence_put_back(rewinder, partition, s, epoch, err) != ST_OK)
            return err->status;
    }
    crash_point(CRASH_REWIND_FENCES);
    if (rewinder->epochs)
        return epoch_settled(rewinder->loop->redis, partition, err);
    return ST_OK;
}

/* ---- all of it ---- */

static enum status rewriting_run(struct rewriting *rewriting, struct err *err)
{
    struct rewinder *rewinder = rewriting->rewinder;
    struct redis *redis = rewinder->loop->redis;
    const char *topic = rewinder_topic(rewinder);
    int partition = rewriting->partition;

    if (rewriting_find(rewriting, err) != ST_OK || (rewinder->epochs && rewriting_number(rewriting, err) != ST_OK) ||
        rewriting_record(rewriting, err) != ST_OK)
        return err->status;
    if (rewinder->epochs) {
        if (epoch_write(redis, partition, &rewriting->epoch, true, err) != ST_OK)
            return err->status;
        epochs_add(rewinder->epochs, partition, &rewriting->epoch);
        crash_point(CRASH_REWIND_EPOCH);
    }
    if (fences_put_back(rewinder, partition, &rewriting->epoch, err) != ST_OK)
        return err->status;
    return points_forget(redis, topic, partition, rewriting->points, rewriting->point_count, rewriting->epoch.from,
                         err);
}

enum status source_rewind(struct rewinder *rewinder, int partition, struct err *err)
{
    struct rewriting rewriting = { .rewinder = rewinder, .partition = partition };
    enum status st = rewriting_run(&rewriting, err);

    log_reader_close(&rewriting.log);
    free(rewriting.points);
    if (st == ST_OK)
        rewind_report(rewinder->loop, rewinder->sources->topic, partition, &rewriting.epoch, rewriting.log.end);
    if (st == ST_INVALID)
        source_halt(rewinder->sources, partition, err->text);
    else
        sources_assign(rewinder->sources, partition); /* its fences are elsewhere now, or were not where we thought */
    return st;
}

enum status sources_rewind(struct rewinder *rewinder, struct err *err)
{
    struct sources *sources = rewinder->sources;
    enum status worst = ST_OK;

    for (int p = 0; p < sources->cursors.partitions && sources->owned > 0; p++) {
        enum status st = ST_OK;

        loop_beat(rewinder->loop);
        if (sources->cursors.sources[p].state == SOURCE_REWRITTEN)
            st = source_rewind(rewinder, p, err);
        worst = st != ST_OK && st != ST_INVALID ? st : worst;
    }
    return worst;
}

bool source_rewind_pending(struct rewinder *rewinder, int partition, struct err *err)
{
    const struct partition_epochs *of = &rewinder->epochs->of[partition];
    const struct epoch *newest = epoch_newest(rewinder->epochs, partition);

    if (of->pending == 0 || !newest || newest->number != of->pending)
        return false;
    if (fences_put_back(rewinder, partition, newest, err) == ST_OK) {
        log_event(LOG_LEVEL_WARNING, "rewind finished", "topic=%s partition=%d epoch=%d", rewinder->sources->topic,
                  partition, newest->number);
    }
    return true;
}

/* ---- points ---- */

void sources_note_points(struct rewinder *rewinder)
{
    const struct cursors *cursors = &rewinder->sources->cursors;
    int64_t now_ms = clock_boot_ms();
    struct err err = ERR_INIT;

    for (int p = 0; p < cursors->partitions; p++) {
        const struct source *source = &cursors->sources[p];
        const struct fingerprint *last = &source->done_last;

        if (source->state != SOURCE_READY || source->unverified > 0 || last->offset < 0 ||
            last->offset == source->noted || now_ms - rewinder->noted_at_ms[p] < POINTS_EVERY_MS)
            continue;
        if (point_note(rewinder->loop->redis, rewinder_topic(rewinder), p, last, clock_wall_ms(), &err) != ST_OK) {
            if (!redis_connected(rewinder->loop->redis))
                return; /* the next turn tells of the outage */
            continue;   /* of a cluster only the server of this key is away */
        }
        rewinder->noted_at_ms[p] = now_ms;
        cursors->sources[p].noted = last->offset;
    }
}
