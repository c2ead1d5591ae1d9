/* What libbgop reads of records: one, and the ends of many. */
#include "common/base/text.h"
#include "common/client/client.h"
#include "common/codec/jsontext.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/record/id.h"
#include "common/record/keys.h"
#include "common/record/rewinds.h"

/* 15 or 18 characters, 18 in any case -> 18. */
static enum bgop_code complete_id(struct bgop *bgop, char to[ID_SIZE], const char *id)
{
    struct id_parts parts;

    if (!id_read(to, id, strlen(id), &parts))
        return client_fail(bgop, BGOP_INVALID, "%.40s is not an Id: 15 or 18 characters beginning " ID_PREFIX, id);
    return BGOP_OK;
}

/* "[{...}]" -> "{...}": the one element of an array's text. */
static char *only_element(const char *array)
{
    const char *from = strchr(array, '{'), *to = strrchr(array, '}');
    char *object = NULL;

    if (from && to && to > from) {
        size_t size = (size_t)(to - from) + 1;

        object = calloc(1, size + 1);
        if (object)
            memcpy(object, from, size);
    }
    return object;
}

/* Was the submission read already? Then a record that is not there will not come. */
static bool fence_passed(struct bgop *bgop, const struct id_parts *parts)
{
    char key[64], field[32];
    struct redisReply *reply;
    bool passed = false;

    key_format(key, sizeof key, KEY_FENCES, parts->shard, NULL);
    snprintf(field, sizeof field, "s%d", parts->partition);
    if (link_call(&bgop->link, &reply, 3, (const char *[]){ "HGET", key, field }) == BGOP_OK)
        passed = strtoll(link_reply_text(reply), NULL, 10) > parts->offset;
    link_reply_free(reply);
    return passed;
}

/* Kafka lost this submission after it was acknowledged: the history of its partition was rewritten from an offset on that is
 * not above it, so what comes there now has Ids of a later epoch. */
static bool history_rewritten(struct bgop *bgop, const struct id_parts *parts)
{
    struct redisReply *reply;
    bool rewritten = false;

    if (link_call(&bgop->link, &reply, 2, (const char *[]){ "HGETALL", key_name(KEY_REWINDS) }) != BGOP_OK)
        return false;
    for (size_t i = 0; i + 1 < link_reply_count(reply); i += 2) {
        struct rewind_entry entry;

        rewritten |= rewind_entry_read(&entry, link_reply_text(link_reply_at(reply, i)),
                                       link_reply_text(link_reply_at(reply, i + 1))) &&
                     rewind_entry_is_later(&entry, parts) && entry.from <= parts->offset;
    }
    link_reply_free(reply);
    return rewritten;
}

static enum bgop_code fail_missing(struct bgop *bgop, const char *id)
{
    struct id_parts parts;

    if (id_parse(id, ID_LENGTH, &parts) && history_rewritten(bgop, &parts)) {
        return client_fail(
            bgop, BGOP_MISSING,
            "there is no operation %s: Kafka lost its submission after it was acknowledged, before it was "
            "recorded; submit it again",
            id);
    }
    if (id_parse(id, ID_LENGTH, &parts) && fence_passed(bgop, &parts)) {
        return client_fail(bgop, BGOP_MISSING,
                           "there is no operation %s: its submission was read, and refused or a duplicate, or it was "
                           "removed after its end",
                           id);
    }
    return client_fail(bgop, BGOP_MISSING,
                       "operation %s is not recorded: its submission is not read yet, or was refused, or never made",
                       id);
}

static int shard_of(const char *id)
{
    struct id_parts parts = { 0 };

    return id_parse(id, ID_LENGTH, &parts) ? parts.shard : 0;
}

enum bgop_code bgop_get(struct bgop *bgop, const char *given, char **json)
{
    struct redisReply *reply;
    char id[ID_SIZE];
    enum bgop_code code = complete_id(bgop, id, given);
    bool found;

    *json = NULL;
    if (code != BGOP_OK)
        return code;
    code = link_read(&bgop->link, &reply, "bgop_retrieve", shard_of(id), (const char *[]){ "*", id }, 2);
    if (code != BGOP_OK)
        return client_fail_link(bgop, code);
    found = strchr(link_reply_text(reply), '{');
    *json = found ? only_element(link_reply_text(reply)) : NULL;
    link_reply_free(reply);
    if (!found)
        return fail_missing(bgop, id);
    return *json ? BGOP_OK : client_no_memory(bgop);
}

/* ---- waiting ---- */
struct waiting {
    char id[ID_SIZE];
    struct id_parts parts;
    size_t index; /* in the caller's arrays */
    bool passed;  /* the fence was beyond its submission before the record was last looked for */
};

/* What of a record, or of bgop_why's answer, tells whether it has ended. Read without a tree: nothing is allocated, and
 * jansson aborts without memory. */
struct row {
    bool there; /* it is an object */
    char status[16];
    bool expires, next_attempt; /* ExpiresAt, nextAttemptAt is set */
};

static bool is(const char *name, size_t size, const char *word)
{
    return strlen(word) == size && memcmp(name, word, size) == 0;
}

static enum status on_row_member(void *arg, const char *name, size_t size, struct jsontext value, struct err *err)
{
    struct row *row = arg;

    (void)err;
    if ((is(name, size, "Status") || is(name, size, "status")) && jsontext_is_string(value))
        text_copy(row->status, sizeof row->status, value.text + 1, value.size - 2);
    if (is(name, size, "ExpiresAt"))
        row->expires = !jsontext_is_null(value);
    if (is(name, size, "nextAttemptAt"))
        row->next_attempt = !jsontext_is_null(value);
    return ST_OK;
}

static struct row read_row(const char *text, size_t size)
{
    struct row row = { 0 };

    row.there = jsontext_walk(text, size, on_row_member, &row, NULL) == ST_OK;
    return row;
}

/* Error without ExpiresAt: awaits its retry, or is final and holds a sequence group. bgop_why knows. */
static enum bgop_outcome error_outcome(struct bgop *bgop, const char *id)
{
    struct redisReply *reply;
    struct row why;

    if (link_read(&bgop->link, &reply, "bgop_why", shard_of(id), (const char *[]){ id }, 1) != BGOP_OK)
        return BGOP_PENDING;
    why = read_row(link_reply_text(reply), strlen(link_reply_text(reply)));
    link_reply_free(reply);
    return strcmp(why.status, "Error") == 0 && !why.next_attempt ? BGOP_ERROR : BGOP_PENDING;
}

static enum bgop_outcome row_outcome(struct bgop *bgop, const struct waiting *waiting, const struct row *row)
{
    if (!*row->status)
        return waiting->passed ? BGOP_GONE : BGOP_PENDING;
    if (strcmp(row->status, "Complete") == 0)
        return BGOP_COMPLETE;
    if (strcmp(row->status, "Canceled") == 0)
        return BGOP_CANCELED;
    if (strcmp(row->status, "Merged") == 0)
        return row->expires ? BGOP_MERGED : BGOP_PENDING; /* set when its leader has completed */
    if (strcmp(row->status, "Error") == 0)
        return row->expires ? BGOP_ERROR : error_outcome(bgop, waiting->id);
    return BGOP_PENDING;
}

struct rows {
    struct row at[CLIENT_RETRIEVE_MAX];
    size_t count;
};

static void on_row(void *arg, struct jsontext value)
{
    struct rows *rows = arg;

    if (rows->count < CLIENT_RETRIEVE_MAX)
        rows->at[rows->count] = read_row(value.text, value.size);
    rows->count++;
}

/* Of one shard, or of all of a single server; the rows go to their places. */
static enum bgop_code retrieve_some(struct bgop *bgop, const struct waiting *waiting, const size_t *places,
                                    size_t count, struct rows *rows)
{
    const char *args[1 + CLIENT_RETRIEVE_MAX] = { "Id,Status,FinishedAt,ExpiresAt" };
    struct rows found = { .count = 0 };
    struct redisReply *reply;
    enum status read;
    enum bgop_code code;

    for (size_t i = 0; i < count; i++)
        args[1 + i] = waiting[places[i]].id;
    code = link_read(&bgop->link, &reply, "bgop_retrieve", waiting[places[0]].parts.shard, args, 1 + (int)count);
    if (code != BGOP_OK)
        return client_fail_link(bgop, code);
    read = jsontext_each(link_reply_text(reply), strlen(link_reply_text(reply)), on_row, &found, NULL);
    link_reply_free(reply);
    for (size_t i = 0; i < count && i < found.count; i++)
        rows->at[places[i]] = found.at[i];
    if (read == ST_OK && found.count == count)
        return BGOP_OK;
    return client_fail(bgop, BGOP_FAILED, "Redis at %s: bgop_retrieve answered something else than %zu rows",
                       bgop->link.to.text, count);
}

static enum bgop_code retrieve(struct bgop *bgop, const struct waiting *waiting, size_t count, struct rows *rows)
{
    bool asked[CLIENT_RETRIEVE_MAX] = { false };
    enum bgop_code code = BGOP_OK;

    rows->count = count;
    for (size_t first = 0; first < count && code == BGOP_OK; first++) {
        size_t places[CLIENT_RETRIEVE_MAX], some = 0;

        for (size_t i = first; i < count; i++) {
            if (asked[i] || (link_is_cluster(&bgop->link) && waiting[i].parts.shard != waiting[first].parts.shard))
                continue;
            asked[i] = true;
            places[some++] = i;
        }
        if (some > 0)
            code = retrieve_some(bgop, waiting, places, some, rows);
    }
    return code;
}

/* Looks once at all that wait; those that ended leave the array. */
static enum bgop_code look(struct bgop *bgop, struct waiting *waiting, size_t *count, enum bgop_outcome *outcomes)
{
    size_t kept = 0;
    enum bgop_code code = BGOP_OK;

    for (size_t from = 0; from < *count; from += CLIENT_RETRIEVE_MAX) {
        size_t chunk = *count - from < CLIENT_RETRIEVE_MAX ? *count - from : CLIENT_RETRIEVE_MAX;
        struct rows rows;

        if (code == BGOP_OK)
            code = retrieve(bgop, waiting + from, chunk, &rows);
        for (size_t i = from; i < from + chunk; i++) {
            const struct row *row = &rows.at[i - from]; /* as long as code is OK */
            enum bgop_outcome outcome = code == BGOP_OK ? row_outcome(bgop, &waiting[i], row) : BGOP_PENDING;

            if (outcomes)
                outcomes[waiting[i].index] = outcome;
            if (outcome != BGOP_PENDING)
                continue;
            if (code == BGOP_OK && !row->there)
                waiting[i].passed = fence_passed(bgop, &waiting[i].parts) || history_rewritten(bgop, &waiting[i].parts);
            waiting[kept++] = waiting[i];
        }
    }
    *count = kept;
    return code;
}

static enum bgop_code start_waiting(struct bgop *bgop, struct waiting *waiting, const char *const *ids, size_t count,
                                    enum bgop_outcome *outcomes)
{
    enum bgop_code code = BGOP_OK;

    for (size_t i = 0; i < count && code == BGOP_OK; i++) {
        waiting[i].index = i;
        if (outcomes)
            outcomes[i] = BGOP_PENDING;
        code = complete_id(bgop, waiting[i].id, ids[i]);
        if (code == BGOP_OK)
            (void)id_parse(waiting[i].id, ID_LENGTH, &waiting[i].parts);
    }
    return code;
}

/* Pauses grow with what a look costs: at most a tenth of Redis is spent on looking. */
static int next_pause_ms(int pause_ms, int64_t look_ms)
{
    int64_t next = pause_ms * 3 / 2 < 500 ? pause_ms * 3 / 2 : 500;

    return (int)(next > 10 * look_ms ? next : 10 * look_ms);
}

static enum bgop_code wait_loop(struct bgop *bgop, struct waiting *waiting, size_t count, int timeout_ms,
                                enum bgop_outcome *outcomes)
{
    int64_t deadline = clock_boot_ms() + timeout_ms;
    bool heard = false;
    int pause_ms = 10;

    for (;;) {
        int64_t begin_ms = clock_boot_ms(), left;
        enum bgop_code code = look(bgop, waiting, &count, outcomes);

        heard = heard || code == BGOP_OK || code == BGOP_RECOVERING;
        if (code != BGOP_OK && code != BGOP_RECOVERING && !(code == BGOP_UNREACHABLE && heard))
            return code;
        if (!count)
            return BGOP_OK;
        left = timeout_ms < 0 ? pause_ms : deadline - clock_boot_ms();
        if (left <= 0 && code != BGOP_OK)
            return code;
        if (left <= 0) {
            return client_fail(bgop, BGOP_TIMED_OUT, "%zu of the operations have not ended after %d ms", count,
                               timeout_ms);
        }
        client_pause(bgop, left < pause_ms ? (int)left : pause_ms);
        pause_ms = next_pause_ms(pause_ms, clock_boot_ms() - begin_ms - pause_ms);
    }
}

enum bgop_code bgop_wait(struct bgop *bgop, const char *const *ids, size_t count, int timeout_ms,
                         enum bgop_outcome *outcomes)
{
    struct waiting *waiting = calloc(count ? count : 1, sizeof *waiting);
    enum bgop_code code;

    if (!waiting)
        return client_no_memory(bgop);
    code = start_waiting(bgop, waiting, ids, count, outcomes);
    if (code == BGOP_OK && count)
        code = wait_loop(bgop, waiting, count, timeout_ms, outcomes);
    free(waiting);
    return code;
}
