#include "coordinator/source/common_point.h"

static bool same_message(const struct fingerprint *a, const struct fingerprint *b)
{
    return a->offset == b->offset && a->crc == b->crc && a->timestamp_ms == b->timestamp_ms;
}

static bool on_first(void *arg, const struct fingerprint *message)
{
    struct fingerprint *first = arg;

    *first = *message;
    return false;
}

/* Halves: all that the log holds lie before all that it does not. *held: how many it holds. */
static enum status points_held(const struct common_log *log, const struct point *points, size_t count, size_t *held,
                               struct err *err)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct fingerprint found = { .offset = -1 };
        int64_t offset = points[middle].message.offset;

        if (log->read(log->arg, offset, offset + 1, on_first, &found, err) != ST_OK)
            return err->status;
        if (same_message(&found, &points[middle].message))
            low = middle + 1;
        else
            high = middle;
    }
    *held = low;
    return ST_OK;
}

struct walk {
    const struct common_log *log;
    struct fingerprint last;
};

static bool on_message(void *arg, const struct fingerprint *message)
{
    struct walk *walk = arg;
    enum common_known known = walk->log->know(walk->log->arg, message);

    if (known == COMMON_SAME)
        walk->last = *message;
    return known != COMMON_OTHER;
}

enum status common_point_find(const struct common_log *log, const struct point *points, size_t count, int64_t *from,
                              struct fingerprint *last, struct err *err)
{
    struct walk walk = { .log = log, .last = { .offset = -1 } };
    size_t begin = 0, end = count, held = 0;
    int64_t low = log->start, high = log->end;

    while (begin < end && points[begin].message.offset < log->start)
        begin++;
    while (end > begin && points[end - 1].message.offset >= log->end)
        end--;
    if (points_held(log, points + begin, end - begin, &held, err) != ST_OK)
        return err->status;
    if (held > 0) {
        walk.last = points[begin + held - 1].message;
        low = walk.last.offset + 1;
    }
    if (begin + held < end)
        high = points[begin + held].message.offset;
    if (log->know && low < high && log->read(log->arg, low, high, on_message, &walk, err) != ST_OK)
        return err->status;
    *last = walk.last;
    *from = walk.last.offset >= 0 ? walk.last.offset + 1 : log->start;
    return ST_OK;
}
