/* The mutating functions' answers: the sole reader of these replies. An answer of another shape comes from another
 * version of the library (a newer coordinator may have loaded it): no verdict, so ST_AGAIN. */
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/functions/wire_tables.h"
#include "common/record/traceparent.h"
#include "common/redis/functions.h"

static enum status not_understood(struct redis_reply *reply, const char *function, struct err *err)
{
    redis_reply_free(reply);
    return err_set(err, ST_AGAIN,
                   "the answer of %s is not what this program expects: is another version of our "
                   "function library loaded?",
                   function);
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
    return strcmp(text_at(reply, WIRE_ANSWER_SAYS), word) == 0;
}

static void id_at(const struct redis_reply *reply, size_t index, char id[ID_SIZE])
{
    size_t size;
    const char *text = redis_reply_text(redis_reply_at(reply, index), &size);

    text_copy(id, ID_SIZE, text, size);
}

/* WIRE_HINT (Type, Ids joined by blanks)* from first to the end. */
static void read_hints(const struct redis_reply *reply, size_t first, struct hints *hints)
{
    size_t count = redis_reply_count(reply);

    hints->count = 0;
    hints->types = first < count ? xcalloc((count - first) / WIRE_HINT_SIZE, sizeof *hints->types) : NULL;
    for (size_t i = first; i + WIRE_HINT_SIZE <= count; i += WIRE_HINT_SIZE) {
        struct hint_ids *ids = &hints->types[hints->count++];
        const char *text = redis_reply_text(redis_reply_at(reply, i + WIRE_HINT_IDS), &ids->ids_size);

        ids->type = xstrdup(text_at(reply, i + WIRE_HINT_TYPE));
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

/* first: of a WIRE_FENCE. */
static struct fence read_fence(const struct redis_reply *reply, size_t first, int partition)
{
    return (struct fence){
        .partition = partition,
        .next = int_at(reply, first + WIRE_FENCE_NEXT),
        .fingerprint = { int_at(reply, first + WIRE_FENCE_FP_OFFSET),
                         (uint32_t)int_at(reply, first + WIRE_FENCE_FP_CRC),
                         int_at(reply, first + WIRE_FENCE_FP_TIMESTAMP) },
    };
}

enum { BEHIND_WORD = WIRE_REFUSED_SAYS + 1 }; /* FENCE or REJECT; what was refused follows */

/* ---- ingest ---- */

static enum status read_refused_fences(struct redis_reply *reply, struct ingest_answer *answer, struct err *err)
{
    size_t count = redis_reply_count(reply);

    answer->fences = xcalloc(count / WIRE_FENCE_AT_SIZE + 1, sizeof *answer->fences);
    for (size_t i = BEHIND_WORD; i + WIRE_FENCE_AT_SIZE <= count; i += WIRE_FENCE_AT_SIZE) {
        answer->fences[answer->fence_count++] =
            read_fence(reply, i + WIRE_FENCE_AT_NEXT, (int)int_at(reply, i + WIRE_FENCE_AT_PARTITION));
    }
    redis_reply_free(reply);
    return err_set(err, ST_STALE, "%zu fences stand elsewhere", answer->fence_count);
}

static enum status read_rejects(struct redis_reply *reply, struct ingest_answer *answer, struct err *err)
{
    size_t count = redis_reply_count(reply);

    answer->rejects = xcalloc(count / WIRE_REJECT_SIZE + 1, sizeof *answer->rejects);
    for (size_t i = BEHIND_WORD; i + WIRE_REJECT_SIZE <= count; i += WIRE_REJECT_SIZE) {
        struct ingest_reject *reject = &answer->rejects[answer->reject_count++];

        id_at(reply, i + WIRE_REJECT_ID, reject->id);
        reject->reason = xstrdup(text_at(reply, i + WIRE_REJECT_REASON));
    }
    redis_reply_free(reply);
    return err_set(err, ST_MISSING, "%zu operations cannot be recorded", answer->reject_count);
}

enum status ingest_receive(struct redis *redis, struct ingest_answer *answer, struct err *err)
{
    struct redis_reply *reply;
    enum status st = redis_receive(redis, &reply, err);

    *answer = (struct ingest_answer){ 0 };
    if (st != ST_OK)
        return st;
    if (says(reply, "FENCE"))
        return read_refused_fences(reply, answer, err);
    if (says(reply, "REJECT"))
        return read_rejects(reply, answer, err);
    if (!says(reply, "OK") || redis_reply_count(reply) < WIRE_ANSWER_SIZE ||
        (redis_reply_count(reply) - WIRE_ANSWER_SIZE) % WIRE_HINT_SIZE != 0)
        return not_understood(reply, "bgop_ingest", err);
    answer->now_ms = int_at(reply, WIRE_ANSWER_NOW);
    read_hints(reply, WIRE_ANSWER_SIZE, &answer->hints);
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

static void read_claimed(const struct redis_reply *reply, size_t first, struct claimed *op)
{
    id_at(reply, first + WIRE_CLAIMED_ID, op->id);
    op->token = (uint64_t)int_at(reply, first + WIRE_CLAIMED_TOKEN);
    op->timeout_ms = int_at(reply, first + WIRE_CLAIMED_TIMEOUT);
    op->parent_key = text_at(reply, first + WIRE_CLAIMED_PARENT_KEY);
    op->sequence_group = text_at(reply, first + WIRE_CLAIMED_SEQUENCE_GROUP);
    op->sequence_number = int_at(reply, first + WIRE_CLAIMED_SEQUENCE_NUMBER);
    op->traceparent = text_at(reply, first + WIRE_CLAIMED_TRACEPARENT);
    if (!traceparent_is_valid(op->traceparent, strlen(op->traceparent)))
        op->traceparent = ""; /* of a coordinator that did not check, or written by hand */
    op->payload = redis_reply_text(redis_reply_at(reply, first + WIRE_CLAIMED_PAYLOAD), &op->payload_size);
    id_at(reply, first + WIRE_CLAIMED_LEADER_ID, op->leader_id);
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
    if (!says(reply, "OK") || count < WIRE_CLAIM_ANSWER_SIZE ||
        (count - WIRE_CLAIM_ANSWER_SIZE) % WIRE_CLAIMED_SIZE != 0)
        return not_understood(reply, "bgop_claim", err);
    answer->now_ms = int_at(reply, WIRE_ANSWER_NOW);
    answer->lease_ms = int_at(reply, WIRE_CLAIM_ANSWER_LEASE_MS);
    answer->count = (count - WIRE_CLAIM_ANSWER_SIZE) / WIRE_CLAIMED_SIZE;
    answer->ops = xcalloc(answer->count + 1, sizeof *answer->ops);
    for (size_t i = 0; i < answer->count; i++)
        read_claimed(reply, WIRE_CLAIM_ANSWER_SIZE + i * WIRE_CLAIMED_SIZE, &answer->ops[i]);
    answer->memory = reply; /* texts and payloads stay where hiredis put them */
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
    lost = int_at(reply, WIRE_RENEW_ANSWER_LOST);
    if (!says(reply, "OK") || lost < 0 || (size_t)lost > count - WIRE_RENEW_ANSWER_SIZE)
        return not_understood(reply, "bgop_renew", err);
    answer->now_ms = int_at(reply, WIRE_ANSWER_NOW);
    answer->lease_ms = int_at(reply, WIRE_RENEW_ANSWER_LEASE_MS);
    answer->workers = (int)int_at(reply, WIRE_RENEW_ANSWER_WORKERS);
    answer->lost_count = (size_t)lost;
    answer->lost = xcalloc(answer->lost_count + 1, sizeof *answer->lost);
    for (size_t i = 0; i < answer->lost_count; i++)
        id_at(reply, WIRE_RENEW_ANSWER_SIZE + i, answer->lost[i]);
    first = WIRE_RENEW_ANSWER_SIZE + answer->lost_count;
    answer->cancels = xcalloc((count - first) / WIRE_CANCEL_SIZE + 1, sizeof *answer->cancels);
    for (size_t i = first; i + WIRE_CANCEL_SIZE <= count; i += WIRE_CANCEL_SIZE) {
        struct renew_cancel *cancel = &answer->cancels[answer->cancel_count++];

        id_at(reply, i + WIRE_CANCEL_ID, cancel->id);
        cancel->reason = xstrdup(text_at(reply, i + WIRE_CANCEL_REASON));
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
        answer->fence = read_fence(reply, WIRE_REFUSED_NEXT, 0);
        redis_reply_free(reply);
        return err_set(err, ST_STALE, "the status fence stands at %lld", (long long)answer->fence.next);
    }
    if (!says(reply, "OK") || redis_reply_count(reply) < WIRE_ANSWER_SIZE)
        return not_understood(reply, "bgop_apply", err);
    answer->now_ms = int_at(reply, WIRE_ANSWER_NOW);
    read_hints(reply, WIRE_ANSWER_SIZE, &answer->hints);
    redis_reply_free(reply);
    return ST_OK;
}

void apply_answer_release(struct apply_answer *answer)
{
    release_hints(&answer->hints);
    *answer = (struct apply_answer){ 0 };
}

enum status rewind_receive(struct redis *redis, struct fence *fence, struct err *err)
{
    struct redis_reply *reply;
    enum status st = redis_receive(redis, &reply, err);

    if (st != ST_OK)
        return st;
    if (says(reply, "FENCE")) {
        *fence = read_fence(reply, BEHIND_WORD, 0);
        redis_reply_free(reply);
        return err_set(err, ST_STALE, "the fence stands at %lld", (long long)fence->next);
    }
    if (!says(reply, "OK") || redis_reply_count(reply) < WIRE_ANSWER_SIZE)
        return not_understood(reply, "bgop_rewind", err);
    redis_reply_free(reply);
    return ST_OK;
}

enum status clock_receive(struct redis *redis, struct clock_answer *answer, struct err *err)
{
    struct redis_reply *reply;
    enum status st = redis_receive(redis, &reply, err);

    *answer = (struct clock_answer){ 0 };
    if (st != ST_OK)
        return st;
    if (!says(reply, "OK") || redis_reply_count(reply) < WIRE_CLOCK_ANSWER_SIZE)
        return not_understood(reply, "bgop_clock", err);
    answer->now_ms = int_at(reply, WIRE_ANSWER_NOW);
    answer->ahead_ms = int_at(reply, WIRE_CLOCK_ANSWER_AHEAD);
    redis_reply_free(reply);
    return ST_OK;
}

/* ---- tick ---- */

static bool kind_of(const char *name, enum entry_kind *kind)
{
    static const struct {
        enum entry_kind kind;
        const char *name;
    } kinds[] = {
#define XX(id, value, text) { ENTRY_##id, text },
        ENTRY_KINDS(XX)
#undef XX
    };

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(name, kinds[i].name) == 0) {
            *kind = kinds[i].kind;
            return true;
        }
    }
    return false;
}

static bool read_verdict(const struct redis_reply *reply, size_t first, struct verdict *verdict)
{
    size_t size;
    const char *text = redis_reply_text(redis_reply_at(reply, first + WIRE_VERDICT_TEXT), &size);

    id_at(reply, first + WIRE_VERDICT_ID, verdict->id);
    verdict->token = (uint64_t)int_at(reply, first + WIRE_VERDICT_TOKEN);
    verdict->started_at_ms = int_at(reply, first + WIRE_VERDICT_STARTED_AT);
    verdict->duration_ms = int_at(reply, first + WIRE_VERDICT_DURATION);
    text_copy(verdict->text, sizeof verdict->text, text, size);
    id_at(reply, first + WIRE_VERDICT_LEADER_ID, verdict->leader_id);
    return kind_of(text_at(reply, first + WIRE_VERDICT_KIND), &verdict->kind);
}

enum status tick_receive(struct redis *redis, struct tick_answer *answer, struct err *err)
{
    struct redis_reply *reply;
    size_t at = WIRE_TICK_ANSWER_SIZE;
    int64_t verdicts;
    bool understood = true;
    enum status st = redis_receive(redis, &reply, err);

    *answer = (struct tick_answer){ 0 };
    if (st != ST_OK)
        return st;
    verdicts = int_at(reply, WIRE_TICK_ANSWER_VERDICTS);
    if (!says(reply, "OK") || verdicts < 0 || (size_t)verdicts > redis_reply_count(reply) / WIRE_VERDICT_SIZE)
        return not_understood(reply, "bgop_tick", err);
    answer->now_ms = int_at(reply, WIRE_ANSWER_NOW);
    answer->sleep_ms = int_at(reply, WIRE_TICK_ANSWER_SLEEP_MS);
    answer->overdue = int_at(reply, WIRE_TICK_ANSWER_OVERDUE);
    answer->verdicts = xcalloc((size_t)verdicts + 1, sizeof *answer->verdicts);
    for (; answer->verdict_count < (size_t)verdicts && understood; at += WIRE_VERDICT_SIZE)
        understood = read_verdict(reply, at, &answer->verdicts[answer->verdict_count++]);
    if (!understood) {
        tick_answer_release(answer);
        return not_understood(reply, "bgop_tick", err);
    }
    read_hints(reply, at, &answer->hints);
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
        text_copy(err->text, sizeof err->text, text_at(reply, WIRE_OPEN_WAIT_AHEAD),
                  strlen(text_at(reply, WIRE_OPEN_WAIT_AHEAD)));
    }
    redis_reply_free(reply);
    return ST_OK;
}

enum status beat_receive(struct redis *redis, struct err *err)
{
    struct redis_reply *reply;
    enum status st = redis_receive(redis, &reply, err);

    if (st != ST_OK)
        return st;
    if (!says(reply, "OK") && !says(reply, "WAIT"))
        return not_understood(reply, "bgop_beat", err);
    redis_reply_free(reply);
    return ST_OK;
}
