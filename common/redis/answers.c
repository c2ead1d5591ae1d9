/* The mutating functions' answers: the sole reader of these replies. An answer of another shape comes from another
 * version of the library (a newer coordinator may have loaded it): no verdict, so ST_AGAIN. */
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/redis/wire.h"

static enum status not_understood(struct redis_reply *reply, const char *function, struct err *err)
{
    redis_reply_free(reply);
    return err_set(err, ST_AGAIN, "the answer of %s is not what this program expects: is another version of our "
                   "function library loaded?", function);
}

static const char *text_at(const struct redis_reply *reply, size_t index)
{
    return redis_reply_text(redis_reply_at(reply, index), NULL);
}

static int64_t int_at(const struct redis_reply *reply, size_t index)
{
    return redis_reply_int(redis_reply_at(reply, index), -1);
}

static bool says(const struct redis_reply *reply, const char *word)
{
    return strcmp(text_at(reply, 0), word) == 0;
}

static void id_at(const struct redis_reply *reply, size_t index, char id[ID_SIZE])
{
    size_t size;
    const char *text = redis_reply_text(redis_reply_at(reply, index), &size);

    text_copy(id, ID_SIZE, text, size);
}

/* (Type, Ids joined by blanks)* from first to the end. */
static void read_hints(const struct redis_reply *reply, size_t first, struct hints *hints)
{
    size_t count = redis_reply_count(reply);

    hints->count = 0;
    hints->types = first < count ? xcalloc((count - first) / 2, sizeof *hints->types) : NULL;
    for (size_t i = first; i + 1 < count; i += 2) {
        struct hint_ids *ids = &hints->types[hints->count++];
        const char *text = redis_reply_text(redis_reply_at(reply, i + 1), &ids->ids_size);

        ids->type = xstrdup(text_at(reply, i));
        ids->ids = xmemdup(text, ids->ids_size);
    }
}

static void release_hints(struct hints *hints)
{
    for (size_t i = 0; i < hints->count; i++) {
        free(hints->types[i].type);
        free(hints->types[i].ids);
    }
    free(hints->types);
    *hints = (struct hints){ NULL, 0 };
}

/* next, fp_offset, fp_crc, fp_timestamp */
static struct fence read_fence(const struct redis_reply *reply, size_t first, int partition)
{
    return (struct fence){
        .partition = partition,
        .next = int_at(reply, first),
        .fingerprint = { int_at(reply, first + 1), (uint32_t)int_at(reply, first + 2), int_at(reply, first + 3) },
    };
}

/* ---- ingest ---- */

static enum status read_refused_fences(struct redis_reply *reply, struct ingest_answer *answer, struct err *err)
{
    size_t count = redis_reply_count(reply);

    answer->fences = xcalloc(count / 5 + 1, sizeof *answer->fences);
    for (size_t i = 1; i + 4 < count; i += 5)
        answer->fences[answer->fence_count++] = read_fence(reply, i + 1, (int)int_at(reply, i));
    redis_reply_free(reply);
    return err_set(err, ST_STALE, "%zu fences stand elsewhere", answer->fence_count);
}

enum status ingest_receive(struct redis *redis, struct ingest_answer *answer, struct err *err)
{
    struct redis_reply *reply;
    int64_t rejects;
    enum status st = redis_receive(redis, &reply, err);

    *answer = (struct ingest_answer){ 0 };
    if (st != ST_OK)
        return st;
    if (says(reply, "FENCE"))
        return read_refused_fences(reply, answer, err);
    rejects = int_at(reply, 2);
    if (!says(reply, "OK") || rejects < 0 || (size_t)rejects > redis_reply_count(reply) / 2)
        return not_understood(reply, "bgop_ingest", err);
    answer->now_ms = int_at(reply, 1);
    answer->rejects = xcalloc((size_t)rejects + 1, sizeof *answer->rejects);
    for (size_t i = 0; i < (size_t)rejects; i++) {
        id_at(reply, 3 + 2 * i, answer->rejects[i].id);
        answer->rejects[i].reason = xstrdup(text_at(reply, 4 + 2 * i));
        answer->reject_count++;
    }
    read_hints(reply, 3 + 2 * (size_t)rejects, &answer->hints);
    redis_reply_free(reply);
    return ST_OK;
}

void ingest_answer_release(struct ingest_answer *answer)
{
    for (size_t i = 0; i < answer->reject_count; i++)
        free(answer->rejects[i].reason);
    free(answer->rejects);
    free(answer->fences);
    release_hints(&answer->hints);
    *answer = (struct ingest_answer){ 0 };
}

/* ---- claim ---- */

enum { CLAIM_HEAD = 3, CLAIM_FIELDS = 9 };

static void read_claimed(const struct redis_reply *reply, size_t first, struct claimed *op)
{
    id_at(reply, first, op->id);
    op->token = (uint64_t)int_at(reply, first + 1);
    op->timeout_ms = int_at(reply, first + 2);
    op->parent_key = text_at(reply, first + 3);
    op->sequence_group = text_at(reply, first + 4);
    op->sequence_number = int_at(reply, first + 5);
    op->traceparent = text_at(reply, first + 6);
    op->payload = redis_reply_text(redis_reply_at(reply, first + 7), &op->payload_size);
    id_at(reply, first + 8, op->leader_id);
}

enum status claim_receive(struct redis *redis, struct claim_answer *answer, struct err *err)
{
    struct redis_reply *reply;
    size_t count;
    enum status st = redis_receive(redis, &reply, err);

    *answer = (struct claim_answer){ 0 };
    if (st != ST_OK)
        return st;
    count = redis_reply_count(reply);
    if (!says(reply, "OK") || count < CLAIM_HEAD || (count - CLAIM_HEAD) % CLAIM_FIELDS != 0)
        return not_understood(reply, "bgop_claim", err);
    answer->now_ms = int_at(reply, 1);
    answer->lease_ms = int_at(reply, 2);
    answer->count = (count - CLAIM_HEAD) / CLAIM_FIELDS;
    answer->ops = xcalloc(answer->count + 1, sizeof *answer->ops);
    for (size_t i = 0; i < answer->count; i++)
        read_claimed(reply, CLAIM_HEAD + i * CLAIM_FIELDS, &answer->ops[i]);
    answer->memory = reply;                         /* texts and payloads stay where hiredis put them */
    return ST_OK;
}

void claim_answer_release(struct claim_answer *answer)
{
    free(answer->ops);
    redis_reply_free(answer->memory);
    *answer = (struct claim_answer){ 0 };
}

/* ---- renew, reassert ---- */

enum status renew_receive(struct redis *redis, struct renew_answer *answer, struct err *err)
{
    struct redis_reply *reply;
    size_t count, first;
    int64_t lost;
    enum status st = redis_receive(redis, &reply, err);

    *answer = (struct renew_answer){ 0 };
    if (st != ST_OK)
        return st;
    count = redis_reply_count(reply);
    lost = int_at(reply, 4);
    if (!says(reply, "OK") || lost < 0 || (size_t)lost > count - 5)
        return not_understood(reply, "bgop_renew", err);
    answer->now_ms = int_at(reply, 1);
    answer->lease_ms = int_at(reply, 2);
    answer->workers = (int)int_at(reply, 3);
    answer->lost_count = (size_t)lost;
    answer->lost = xcalloc(answer->lost_count + 1, sizeof *answer->lost);
    for (size_t i = 0; i < answer->lost_count; i++)
        id_at(reply, 5 + i, answer->lost[i]);
    first = 5 + answer->lost_count;
    answer->cancels = xcalloc((count - first) / 2 + 1, sizeof *answer->cancels);
    for (size_t i = first; i + 1 < count; i += 2) {
        struct renew_cancel *cancel = &answer->cancels[answer->cancel_count++];

        id_at(reply, i, cancel->id);
        cancel->reason = xstrdup(text_at(reply, i + 1));
    }
    redis_reply_free(reply);
    return ST_OK;
}

void renew_answer_release(struct renew_answer *answer)
{
    for (size_t i = 0; i < answer->cancel_count; i++)
        free(answer->cancels[i].reason);
    free(answer->cancels);
    free(answer->lost);
    *answer = (struct renew_answer){ 0 };
}

/* ---- apply ---- */

enum status apply_receive(struct redis *redis, struct apply_answer *answer, struct err *err)
{
    struct redis_reply *reply;
    enum status st = redis_receive(redis, &reply, err);

    *answer = (struct apply_answer){ 0 };
    if (st != ST_OK)
        return st;
    if (says(reply, "FENCE")) {
        answer->fence = read_fence(reply, 1, 0);
        redis_reply_free(reply);
        return err_set(err, ST_STALE, "the status fence stands at %lld", (long long)answer->fence.next);
    }
    if (!says(reply, "OK") || redis_reply_count(reply) < 2)
        return not_understood(reply, "bgop_apply", err);
    answer->now_ms = int_at(reply, 1);
    read_hints(reply, 2, &answer->hints);
    redis_reply_free(reply);
    return ST_OK;
}

void apply_answer_release(struct apply_answer *answer)
{
    release_hints(&answer->hints);
    *answer = (struct apply_answer){ 0 };
}

/* ---- tick ---- */

enum { TICK_HEAD = 5, VERDICT_FIELDS = 7 };

static bool kind_of(const char *name, enum entry_kind *kind)
{
    static const struct { enum entry_kind kind; const char *name; } kinds[] = {
#define XX(id, value, text) { ENTRY_##id, text },
        ENTRY_KINDS(XX)
#undef XX
    };

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(name, kinds[i].name) == 0) {
            *kind = kinds[i].kind;
            return true;
        }
    return false;
}

static bool read_verdict(const struct redis_reply *reply, size_t first, struct verdict *verdict)
{
    size_t size;
    const char *text = redis_reply_text(redis_reply_at(reply, first + 5), &size);

    id_at(reply, first, verdict->id);
    verdict->token = (uint64_t)int_at(reply, first + 1);
    verdict->started_at_ms = int_at(reply, first + 3);
    verdict->duration_ms = int_at(reply, first + 4);
    text_copy(verdict->text, sizeof verdict->text, text, size);
    id_at(reply, first + 6, verdict->leader_id);
    return kind_of(text_at(reply, first + 2), &verdict->kind);
}

enum status tick_receive(struct redis *redis, struct tick_answer *answer, struct err *err)
{
    struct redis_reply *reply;
    int64_t verdicts;
    bool understood = true;
    enum status st = redis_receive(redis, &reply, err);

    *answer = (struct tick_answer){ 0 };
    if (st != ST_OK)
        return st;
    verdicts = int_at(reply, 4);
    if (!says(reply, "OK") || verdicts < 0 || (size_t)verdicts > redis_reply_count(reply) / VERDICT_FIELDS)
        return not_understood(reply, "bgop_tick", err);
    answer->now_ms = int_at(reply, 1);
    answer->sleep_ms = int_at(reply, 2);
    answer->overdue = int_at(reply, 3);
    answer->verdicts = xcalloc((size_t)verdicts + 1, sizeof *answer->verdicts);
    for (size_t i = 0; i < (size_t)verdicts && understood; i++)
        understood = read_verdict(reply, TICK_HEAD + i * VERDICT_FIELDS, &answer->verdicts[answer->verdict_count++]);
    if (!understood) {
        tick_answer_release(answer);
        return not_understood(reply, "bgop_tick", err);
    }
    read_hints(reply, TICK_HEAD + (size_t)verdicts * VERDICT_FIELDS, &answer->hints);
    redis_reply_free(reply);
    return ST_OK;
}

void tick_answer_release(struct tick_answer *answer)
{
    free(answer->verdicts);
    release_hints(&answer->hints);
    *answer = (struct tick_answer){ 0 };
}

/* ---- arm, open ---- */

enum status arm_receive(struct redis *redis, struct err *err)
{
    struct redis_reply *reply;
    enum status st = redis_receive(redis, &reply, err);

    if (st == ST_OK && !says(reply, "OK"))
        return not_understood(reply, "bgop_arm", err);
    redis_reply_free(reply);
    return st;
}

enum status open_receive(struct redis *redis, bool *opened, struct err *err)
{
    struct redis_reply *reply;
    enum status st = redis_receive(redis, &reply, err);

    *opened = false;
    if (st != ST_OK)
        return st;
    *opened = says(reply, "OK");
    if (!*opened && !says(reply, "WAIT"))
        return not_understood(reply, "bgop_open", err);
    if (!*opened && err) {
        err->status = ST_OK;
        text_copy(err->text, sizeof err->text, text_at(reply, 1), strlen(text_at(reply, 1)));
    }
    redis_reply_free(reply);
    return ST_OK;
}
