#include "coordinator/source/epochs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/record/id.h"
#include "common/record/keys.h"
#include "common/record/rewinds.h"

void epochs_init(struct epochs *epochs, int partitions)
{
    *epochs = (struct epochs){ .partitions = partitions };
    epochs->of = xcalloc((size_t)partitions, sizeof *epochs->of);
}

static void epochs_clear(struct epochs *epochs)
{
    for (int p = 0; p < epochs->partitions; p++) {
        free(epochs->of[p].list);
        epochs->of[p] = (struct partition_epochs){ 0 };
    }
}

void epochs_release(struct epochs *epochs)
{
    epochs_clear(epochs);
    free(epochs->of);
    *epochs = (struct epochs){ 0 };
}

/* ---- what they say ---- */

int epoch_of(const struct epochs *epochs, int partition, int64_t offset)
{
    const struct partition_epochs *of = &epochs->of[partition];

    for (size_t i = of->count; i > 0; i--) {
        if (of->list[i - 1].from <= offset)
            return of->list[i - 1].number;
    }
    return 0;
}

bool epoch_repeated(const struct epochs *epochs, int partition, int64_t offset)
{
    const struct partition_epochs *of = &epochs->of[partition];

    for (size_t i = 0; i < of->count; i++) {
        if (of->list[i].from <= offset && offset < of->list[i].lost_to)
            return true;
    }
    return false;
}

const struct epoch *epoch_newest(const struct epochs *epochs, int partition)
{
    const struct partition_epochs *of = &epochs->of[partition];

    return of->count > 0 ? &of->list[of->count - 1] : NULL;
}

void epochs_add(struct epochs *epochs, int partition, const struct epoch *epoch)
{
    struct partition_epochs *of = &epochs->of[partition];
    size_t at = of->count;

    while (at > 0 && of->list[at - 1].number >= epoch->number)
        at--;
    if (at < of->count && of->list[at].number == epoch->number) {
        of->list[at] = *epoch;
        return;
    }
    GROW(of->list, of->count, of->capacity);
    memmove(&of->list[at + 1], &of->list[at], (of->count - at) * sizeof *of->list);
    of->list[at] = *epoch;
    of->count++;
}

/* ---- Redis ---- */

/* Beside the entries: "partition" -> the epoch that is pending. */
static void epochs_take_rewind(struct epochs *epochs, const char *field, const char *text)
{
    struct rewind_entry entry;
    int64_t partition, pending;

    if (rewind_entry_read(&entry, field, text)) {
        if (entry.partition < epochs->partitions) {
            epochs_add(epochs, entry.partition,
                       &(struct epoch){ .number = entry.epoch,
                                        .from = entry.from,
                                        .lost_to = entry.lost_to,
                                        .last = { entry.last_offset, entry.last_crc, entry.last_at_ms } });
        }
    } else if (text_parse_int64(field, 0, epochs->partitions - 1, &partition) &&
               text_parse_int64(text, 1, ID_EPOCHS_MAX - 1, &pending)) {
        epochs->of[partition].pending = (int)pending;
    }
}

/* One that only bgop:epochs knows (a person set it) holds for everything. */
static void epochs_take(struct epochs *epochs, const char *field, const char *text)
{
    struct epoch epoch = { .number = id_epoch_number(text[0]), .last = { .offset = -1 } };
    const struct epoch *newest;
    int64_t partition;

    if (!text_parse_int64(field, 0, epochs->partitions - 1, &partition) || epoch.number == 0)
        return;
    newest = epoch_newest(epochs, (int)partition);
    if (!newest || newest->number < epoch.number)
        epochs_add(epochs, (int)partition, &epoch);
}

static enum status epochs_read_key(struct redis *redis, struct epochs *epochs, enum redis_key key,
                                   void (*take)(struct epochs *epochs, const char *field, const char *text),
                                   struct err *err)
{
    struct redis_reply *reply;

    if (redis_call(redis, &reply, err, "HGETALL", key_name(key), NULL) != ST_OK)
        return err->status;
    for (size_t i = 0; i + 1 < redis_reply_count(reply); i += 2) {
        take(epochs, redis_reply_text(redis_reply_at(reply, i), NULL),
             redis_reply_text(redis_reply_at(reply, i + 1), NULL));
    }
    redis_reply_free(reply);
    return ST_OK;
}

enum status epochs_read(struct redis *redis, struct epochs *epochs, struct err *err)
{
    epochs_clear(epochs);
    if (epochs_read_key(redis, epochs, KEY_REWINDS, epochs_take_rewind, err) != ST_OK)
        return err->status;
    return epochs_read_key(redis, epochs, KEY_EPOCHS, epochs_take, err);
}

static enum status set(struct redis *redis, enum redis_key key, const char *field, const char *text, struct err *err)
{
    struct redis_reply *reply;

    if (redis_call(redis, &reply, err, "HSET", key_name(key), field, text, NULL) != ST_OK)
        return err->status;
    redis_reply_free(reply);
    return ST_OK;
}

/* The order: who dies in between leaves a rewind that the next one finishes, and never an epoch without its offset. */
enum status epoch_write(struct redis *redis, int partition, const struct epoch *epoch, bool pending, struct err *err)
{
    const struct rewind_entry entry = {
        partition,       epoch->number,           epoch->from, epoch->lost_to, epoch->last.offset,
        epoch->last.crc, epoch->last.timestamp_ms
    };
    char field[REWIND_FIELD_SIZE], text[REWIND_TEXT_SIZE], name[16], number[16];

    rewind_entry_write(&entry, field, text);
    snprintf(name, sizeof name, "%d", partition);
    snprintf(number, sizeof number, "%d", epoch->number);
    if (set(redis, KEY_REWINDS, field, text, err) != ST_OK ||
        (pending && set(redis, KEY_REWINDS, name, number, err) != ST_OK))
        return err->status;
    return set(redis, KEY_EPOCHS, name, (char[]){ id_epoch_digit(epoch->number), '\0' }, err);
}

enum status epoch_settled(struct redis *redis, int partition, struct err *err)
{
    struct redis_reply *reply;
    char name[16];

    snprintf(name, sizeof name, "%d", partition);
    if (redis_call(redis, &reply, err, "HDEL", key_name(KEY_REWINDS), name, NULL) != ST_OK)
        return err->status;
    redis_reply_free(reply);
    return ST_OK;
}

static enum status record_has_crc(struct redis *redis, int shard, const char *id, uint32_t crc, bool *has,
                                  struct err *err)
{
    struct redis_reply *reply;
    char key[KEY_SIZE];

    if (redis_call(redis, &reply, err, "HGET", key_format(key, sizeof key, KEY_OP, shard, id), "crc", NULL) != ST_OK)
        return err->status;
    *has = redis_reply_int(reply, -1) == (int64_t)crc;
    redis_reply_free(reply);
    return ST_OK;
}

enum status epochs_find_record(struct redis *redis, const struct epochs *epochs, struct id_parts *parts, uint32_t crc,
                               char id[ID_SIZE], bool *found, struct err *err)
{
    enum status st = ST_OK;

    *found = false;
    for (int number = epoch_of(epochs, parts->partition, parts->offset); number >= 0 && !*found && st == ST_OK;
         number--) {
        parts->epoch = number;
        id_make(id, parts);
        st = record_has_crc(redis, parts->shard, id, crc, found, err);
    }
    return st;
}

/* ---- the control topic ---- */

static enum status epoch_restore(struct redis *redis, const struct epochs *known, const struct control *control,
                                 struct err *err)
{
    const struct epoch *newest;
    struct epoch epoch = {
        .number = control->epoch,
        .from = control->rewind_from,
        .lost_to = control->lost_to,
        .last = { control->last_offset, control->last_crc, control->last_at_ms },
    };

    if (strcmp(control->topic, "submit") != 0 || control->epoch <= 0 || control->epoch >= ID_EPOCHS_MAX ||
        control->rewind_from < 0 || control->partition < 0 || control->partition >= known->partitions)
        return ST_OK;
    newest = epoch_newest(known, control->partition);
    if (newest && newest->number >= epoch.number)
        return ST_OK;
    log_event(LOG_LEVEL_WARNING, "epoch restored", "partition=%d epoch=%d from=%" PRId64, control->partition,
              control->epoch, control->rewind_from);
    return epoch_write(redis, control->partition, &epoch, false, err);
}

enum status epochs_restore(struct redis *redis, const struct control_history *history, struct err *err)
{
    struct epochs known;
    enum status st = ST_OK;

    if (history->rewind_count == 0)
        return ST_OK;
    epochs_init(&known, ID_PARTITIONS_MAX);
    st = epochs_read(redis, &known, err);
    for (size_t i = 0; i < history->rewind_count && st == ST_OK; i++)
        st = epoch_restore(redis, &known, &history->rewinds[i], err);
    epochs_release(&known);
    return st;
}
