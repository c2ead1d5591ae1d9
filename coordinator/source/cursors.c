/* A source's cursors are allocated while it is ours: partitions x shards would be 4 million at the bounds. */
#include "coordinator/source/cursors.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/base/memory.h"

void cursors_init(struct cursors *cursors, const char *topic, int partitions, int shards)
{
    *cursors = (struct cursors){ .partitions = partitions, .shards = shards, .topic = topic };
    cursors->sources = xcalloc((size_t)partitions, sizeof *cursors->sources);
}

void cursors_release(struct cursors *cursors)
{
    for (int p = 0; p < cursors->partitions; p++)
        free(cursors->sources[p].cursors);
    free(cursors->sources);
    *cursors = (struct cursors){ 0 };
}

bool cursors_has_partition(const struct cursors *cursors, int partition)
{
    return partition >= 0 && partition < cursors->partitions;
}

void cursors_assign(struct cursors *cursors, int partition)
{
    struct source *source = &cursors->sources[partition];
    struct cursor *kept = source->cursors ? source->cursors : xcalloc((size_t)cursors->shards, sizeof *source->cursors);

    *source = (struct source){
        .state = SOURCE_LOADING,
        .fetching = source->fetching,
        .cursors = kept,
        .read_last = FINGERPRINT_NONE,
        .done_last = FINGERPRINT_NONE,
        .noted = -1,
    };
    for (int s = 0; s < cursors->shards; s++)
        kept[s] = (struct cursor){ .fingerprint = FINGERPRINT_NONE, .verified = true };
}

void cursors_revoke(struct cursors *cursors, int partition)
{
    free(cursors->sources[partition].cursors);
    cursors->sources[partition] = (struct source){ .state = SOURCE_ABSENT };
}

void cursors_load(struct cursors *cursors, int partition, int shard, const struct fence *fence, int64_t now_ms)
{
    struct source *source = &cursors->sources[partition];

    BGOP_ASSERT(source->state == SOURCE_LOADING && shard < cursors->shards);
    source->cursors[shard] = (struct cursor){
        .next = fence->next,
        .fingerprint = fence->fingerprint,
        .verified = fence->fingerprint.offset < 0,
        .moved_at_ms = now_ms,
    };
}

void cursors_halt(struct cursors *cursors, int partition)
{
    if (cursors->sources[partition].state != SOURCE_ABSENT)
        cursors->sources[partition].state = SOURCE_HALTED;
}

void cursors_rewritten(struct cursors *cursors, int partition)
{
    if (cursors->sources[partition].state != SOURCE_ABSENT)
        cursors->sources[partition].state = SOURCE_REWRITTEN;
}

/* ---- where to start ---- */

/* clang-format off */
#define REWINDS "It is rewound to what is common"
#define WAITS \
    "This partition waits for a person: bgopctl doctor says what is gone, bgopctl recover goes on without it. Other " \
    "partitions go on"
/*     enum      what becomes of it, what is wrong, before an offset; what it means */
#define CONTRADICTIONS(XX)                                                                          \
    XX(TAIL,     REWRITTEN, "Kafka lost its tail: the log ends below the applied offset",           \
                 "What was acknowledged above its end is gone. " REWINDS)                           \
    XX(UNREAD,   REWRITTEN, "Kafka lost its tail: the log ends below what was read,",               \
                 "What was acknowledged above its end is gone. " REWINDS)                           \
    XX(START,    HALTED, "retention passed by: the log starts above the offset to be read next,",   \
                 "What lies between must be submitted again. " WAITS)                               \
    XX(MISSING,  REWRITTEN, "Kafka's history was rewritten: no message is left at offset",          \
                 "It was applied before the log went backwards. " REWINDS)                          \
    XX(OTHER,    REWRITTEN, "Kafka's history was rewritten: another message stands at offset",      \
                 "It was applied as something else before. " REWINDS)
enum contradiction {
#define XX(id, state, what, means) CONTRADICTION_##id,
    CONTRADICTIONS(XX)
#undef XX
};
/* clang-format on */

static enum status source_contradicts(struct cursors *cursors, int partition, enum contradiction contradiction,
                                      int64_t offset, struct err *err)
{
    static const struct {
        enum source_state state;
        const char *what, *means;
    } of[] = {
#define XX(id, state, what, means) { SOURCE_##state, what, means },
        CONTRADICTIONS(XX)
#undef XX
    };

    cursors->sources[partition].state = of[contradiction].state;
    return err_set(err, ST_INVALID, "%s[%d]: %s %" PRId64 ". %s", cursors->topic, partition, of[contradiction].what,
                   offset, of[contradiction].means);
}

/* A cursor that never moved has no history: what retention took before the first start was not ours to read. Its
 * fence follows at once (its age makes it an idle one), so that the next start knows. */
static void cursor_skip(struct cursor *cursor, int64_t log_start, const struct cursors *cursors, int partition,
                        struct err *warning)
{
    if (log_start == 0)
        return;
    cursor->moved_at_ms = INT64_MIN / 2;
    err_set(warning, ST_MISSING, "%s[%d]: the log starts at %" PRId64 " and was never read: starting there",
            cursors->topic, partition, log_start);
}

/* Retention took the messages around a fingerprint: nothing is missing, but nothing can be compared either. */
static void cursor_forgive(struct cursor *cursor, int64_t log_start, const struct cursors *cursors, int partition,
                           struct err *warning)
{
    if (cursor->verified || cursor->fingerprint.offset >= log_start)
        return;
    cursor->verified = true;
    err_set(warning, ST_MISSING,
            "%s[%d]: the log now starts at %" PRId64 ", above the last applied message %" PRId64
            ": nothing is missing, but its history can no longer be compared",
            cursors->topic, partition, log_start, cursor->fingerprint.offset);
}

static enum status cursors_check_range(struct cursors *cursors, int partition, int64_t log_start, int64_t log_end,
                                       struct err *warning, struct err *err)
{
    struct source *source = &cursors->sources[partition];

    for (int s = 0; s < cursors->shards; s++) {
        struct cursor *cursor = &source->cursors[s];

        if (cursor->waits)
            continue;
        if (cursor->next == 0) {
            cursor_skip(cursor, log_start, cursors, partition, warning);
            continue;
        }
        if (cursor->next > log_end)
            return source_contradicts(cursors, partition, CONTRADICTION_TAIL, cursor->next, err);
        if (cursor->next < log_start)
            return source_contradicts(cursors, partition, CONTRADICTION_START, cursor->next, err);
        cursor_forgive(cursor, log_start, cursors, partition, warning);
    }
    return ST_OK;
}

enum status cursors_start(struct cursors *cursors, int partition, int64_t log_start, int64_t log_end, int64_t *start,
                          struct err *warning, struct err *err)
{
    struct source *source = &cursors->sources[partition];
    int64_t smallest = INT64_MAX;

    BGOP_ASSERT(source->state == SOURCE_LOADING);
    if (cursors_check_range(cursors, partition, log_start, log_end, warning, err) != ST_OK)
        return err->status;
    for (int s = 0; s < cursors->shards; s++) {
        const struct cursor *cursor = &source->cursors[s];
        int64_t from = cursor->verified ? cursor->next : cursor->fingerprint.offset;

        if (cursor->waits)
            continue;
        from = from < log_start ? log_start : from;
        smallest = from < smallest ? from : smallest;
        source->unverified += !cursor->verified;
    }
    if (smallest == INT64_MAX) /* all wait */
        smallest = log_end;
    source->state = SOURCE_READY;
    source->read = source->done = smallest;
    *start = smallest;
    return ST_OK;
}

/* ---- reading ---- */

static enum status cursors_verify(struct cursors *cursors, int partition, const struct fingerprint *message,
                                  struct err *err)
{
    struct source *source = &cursors->sources[partition];

    for (int s = 0; s < cursors->shards && source->unverified > 0; s++) {
        struct cursor *cursor = &source->cursors[s];
        const struct fingerprint *stored = &cursor->fingerprint;

        if (cursor->verified || stored->offset > message->offset)
            continue;
        if (stored->offset < message->offset)
            return source_contradicts(cursors, partition, CONTRADICTION_MISSING, stored->offset, err);
        if (stored->crc != message->crc || stored->timestamp_ms != message->timestamp_ms)
            return source_contradicts(cursors, partition, CONTRADICTION_OTHER, stored->offset, err);
        cursor->verified = true;
        source->unverified--;
    }
    return ST_OK;
}

enum status cursors_pass(struct cursors *cursors, int partition, const struct fingerprint *message, struct err *err)
{
    struct source *source = &cursors->sources[partition];

    if (source->unverified > 0 && cursors_verify(cursors, partition, message, err) != ST_OK)
        return err->status;
    source->read = message->offset + 1;
    source->read_last = *message;
    return ST_OK;
}

enum status cursors_end(struct cursors *cursors, int partition, int64_t log_end, struct err *err)
{
    struct source *source = &cursors->sources[partition];
    struct fingerprint end = { .offset = log_end };

    if (source->state != SOURCE_READY)
        return ST_OK;
    if (log_end < source->read)
        return source_contradicts(cursors, partition, CONTRADICTION_UNREAD, source->read, err);
    for (int s = 0; s < cursors->shards && source->unverified > 0; s++) {
        if (!source->cursors[s].verified && source->cursors[s].fingerprint.offset < log_end)
            return cursors_verify(cursors, partition, &end, err);
    }
    source->read = log_end;
    return ST_OK;
}

bool cursors_is_pending(const struct cursors *cursors, int partition, int shard, int64_t offset)
{
    const struct source *source = &cursors->sources[partition];

    return source->state == SOURCE_READY && !source->cursors[shard].waits && offset >= source->cursors[shard].next;
}

/* ---- shards that wait ---- */

void cursors_wait(struct cursors *cursors, int shard)
{
    for (int p = 0; p < cursors->partitions; p++) {
        struct source *source = &cursors->sources[p];
        struct cursor *cursor = source->cursors ? &source->cursors[shard] : NULL;

        if (!cursor || cursor->waits)
            continue;
        if (source->state == SOURCE_READY && !cursor->verified)
            source->unverified--;
        cursor->verified = cursor->waits = true;
        source->waiting++;
    }
}

bool cursors_waits(const struct cursors *cursors, int shard)
{
    for (int p = 0; p < cursors->partitions; p++) {
        const struct source *source = &cursors->sources[p];

        if (source->cursors && source->cursors[shard].waits)
            return true;
    }
    return false;
}

/* ---- applying ---- */

void cursors_move(struct cursors *cursors, const struct fence_move *move, int shard, int64_t now_ms)
{
    struct cursor *cursor = &cursors->sources[move->partition].cursors[shard];

    cursor->next = move->next;
    cursor->fingerprint = move->fingerprint;
    cursor->moved_at_ms = now_ms;
}

void cursors_refused(struct cursors *cursors, int shard, const struct fence *fence, int64_t now_ms)
{
    struct source *source =
        cursors_has_partition(cursors, fence->partition) ? &cursors->sources[fence->partition] : NULL;
    struct cursor *cursor = source && source->cursors ? &source->cursors[shard] : NULL;

    if (!cursor || source->state != SOURCE_READY || cursor->waits)
        return;
    if (fence->next < cursor->next)
        source->state = SOURCE_LOADING;
    cursor->next = fence->next;
    cursor->fingerprint = fence->fingerprint;
    cursor->moved_at_ms = now_ms;
}

void cursors_done(struct cursors *cursors, int partition)
{
    struct source *source = &cursors->sources[partition];

    if (source->state != SOURCE_READY || source->waiting > 0)
        return;
    source->done = source->read;
    source->done_last = source->read_last;
}

/* ---- idle fences ---- */

/* Only what was compared may be moved over, and only with a fingerprint to put beside the new fence (or none when
 * nothing was ever read here). */
static bool cursor_idle(const struct source *source, const struct cursor *cursor)
{
    return source->state == SOURCE_READY && source->unverified == 0 && !cursor->waits && cursor->next < source->done;
}

bool cursors_behind(const struct cursors *cursors, int shard, int64_t max_messages, int64_t max_age_ms, int64_t now_ms)
{
    for (int p = 0; p < cursors->partitions; p++) {
        const struct source *source = &cursors->sources[p];
        const struct cursor *cursor = source->cursors ? &source->cursors[shard] : NULL;

        if (cursor && cursor_idle(source, cursor) &&
            (source->done - cursor->next > max_messages || now_ms - cursor->moved_at_ms >= max_age_ms))
            return true;
    }
    return false;
}

bool cursors_idle_move(const struct cursors *cursors, int partition, int shard, struct fence_move *move)
{
    const struct source *source = &cursors->sources[partition];
    const struct cursor *cursor = source->cursors ? &source->cursors[shard] : NULL;

    if (!cursor || !cursor_idle(source, cursor))
        return false;
    *move = (struct fence_move){
        .partition = partition,
        .from = cursor->next,
        .next = source->done,
        .fingerprint = source->done_last.offset >= cursor->fingerprint.offset ? source->done_last : cursor->fingerprint,
    };
    return true;
}

size_t cursors_idle_moves(const struct cursors *cursors, int shard, struct fence_move *moves)
{
    size_t count = 0;

    for (int p = 0; p < cursors->partitions; p++)
        count += cursors_idle_move(cursors, p, shard, &moves[count]);
    return count;
}
