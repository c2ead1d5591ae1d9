#include "coordinator/intake/command_log.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "coordinator/source/log_reader.h"
#include "coordinator/source/messages.h"
#include "coordinator/source/rewind.h"

enum { AGAIN_MS = 500 };

void command_log_release(struct command_log *log)
{
    free(log->list);
    *log = (struct command_log){ 0 };
}

void command_log_assigned(struct command_log *log, int partition)
{
    GROW(log->list, log->count, log->capacity);
    log->list[log->count++] = (struct command_partition){ .partition = partition, .unchecked = true };
}

void command_log_revoked(struct command_log *log)
{
    log->count = 0;
}

static struct command_partition *find(const struct command_log *log, int partition)
{
    for (size_t i = 0; i < log->count; i++) {
        if (log->list[i].partition == partition)
            return &log->list[i];
    }
    return NULL;
}

void command_log_out_of_range(struct command_log *log, int partition)
{
    struct command_partition *of = find(log, partition);

    if (of)
        of->unchecked = of->out_of_range = true;
}

void command_log_doubt(struct command_log *log)
{
    for (size_t i = 0; i < log->count; i++)
        log->list[i].unchecked = true;
}

void command_log_read(struct command_log *log, const struct kafka_message *message)
{
    struct command_partition *of = find(log, message->partition);

    if (!of)
        return;
    if (of->next == 0)
        of->first = message->offset;
    of->next = message->offset + 1;
}

void command_log_note(struct command_log *log, const struct kafka_message *message)
{
    const struct command_partition *of = find(log, message->partition);
    struct fingerprint fingerprint;
    struct err err = ERR_INIT;

    if (!of || of->unchecked)
        return;
    fingerprint = message_fingerprint(message);
    if (point_note(log->loop->redis, "command", message->partition, &fingerprint, clock_wall_ms(), &err) != ST_OK) {
        log_error_text(LOG_LEVEL_DEBUG, "point not noted", err.text, "topic=%s partition=%d", log->topic,
                       message->partition);
    }
}

/* ---- comparing ---- */

static enum status read_from(struct command_log *log, struct command_partition *of, int64_t offset, struct err *err)
{
    of->first = of->next = 0;
    if (commands_wait_from(log->commands, of->partition, offset))
        return ST_OK;
    return kafka_consumer_seek(log->consumer, log->topic, of->partition, offset, err);
}

static enum status rewind_commands(struct command_log *log, struct command_partition *of,
                                   const struct log_reader *reader, const struct point *points, size_t count,
                                   const struct epoch *epoch, struct err *err)
{
    if (rewind_record(log->loop, "command", of->partition, epoch, err) != ST_OK ||
        read_from(log, of, epoch->from, err) != ST_OK ||
        points_forget(log->loop->redis, "command", of->partition, points, count, epoch->from, err) != ST_OK)
        return err->status;
    rewind_report(log->loop, log->topic, of->partition, epoch, reader->end);
    return ST_OK;
}

/* Nothing that was read has a point: if there was anything, it is read again. */
static enum status compare_none(struct command_log *log, struct command_partition *of, const struct log_reader *reader,
                                struct err *err)
{
    return of->next == 0 ? ST_OK : read_from(log, of, of->first < reader->end ? of->first : reader->end, err);
}

/* *rewound: its log had gone backwards, and is read from the common point on. */
static enum status compare(struct command_log *log, struct command_partition *of, struct log_reader *reader,
                           struct point *points, bool *rewound, struct err *err)
{
    struct common_log common = { .read = log_reader_read, .arg = reader };
    struct epoch epoch = { 0 }; /* commands have none: what is between from and lost_to */
    size_t count;

    if (points_read(log->loop->redis, "command", of->partition, points, &count, err) != ST_OK)
        return err->status;
    count = points_sort(points, count);
    if (count == 0 && of->next == 0)
        return ST_OK;
    if (log_reader_open(reader, log->loop, log->topic, of->partition, err) != ST_OK)
        return err->status;
    if (count == 0)
        return compare_none(log, of, reader, err);
    if (points[count - 1].message.offset < reader->start) /* retention took them: nothing is known of what is there */
        return ST_OK;
    common.start = reader->start;
    common.end = reader->end;
    if (common_point_find(&common, points, count, &epoch.from, &epoch.last, err) != ST_OK)
        return err->status;
    epoch.lost_to = points[count - 1].message.offset + 1;
    *rewound = epoch.from < epoch.lost_to;
    if (*rewound)
        return rewind_commands(log, of, reader, points, count, &epoch, err);
    return of->next > epoch.from ? read_from(log, of, epoch.from, err) : ST_OK;
}

static enum status check_one(struct command_log *log, struct command_partition *of, struct err *err)
{
    struct point *points = xcalloc(POINTS_MAX, sizeof *points);
    struct log_reader reader = { 0 };
    bool rewound = false;
    enum status st = compare(log, of, &reader, points, &rewound, err);

    log_reader_close(&reader);
    free(points);
    if (st == ST_OK && !rewound && of->out_of_range)
        st = commands_recover(log->consumer, log->topic, of->partition);
    if (st == ST_OK)
        of->unchecked = of->out_of_range = false;
    return st;
}

void command_log_check(struct command_log *log)
{
    struct err err = ERR_INIT;
    enum status st = ST_OK;

    if (clock_boot_ms() < log->again_at_ms)
        return;
    for (size_t i = 0; i < log->count && st == ST_OK; i++) {
        loop_beat(log->loop);
        if (log->list[i].unchecked)
            st = check_one(log, &log->list[i], &err);
    }
    if (st == ST_OK)
        return;
    log->again_at_ms = clock_boot_ms() + AGAIN_MS;
    log_error_text(LOG_LEVEL_WARNING, "commands not compared", err.text, "topic=%s", log->topic);
}
