/* What libbgop reads of records: one, and the ends of many. */
#include "common/client/client.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/record/id.h"

/* 15 or 18 characters -> 18. */
static enum bgop_code complete_id(struct bgop *bgop, char to[ID_SIZE], const char *id)
{
    size_t size = strlen(id);
    struct id_parts parts;

    if (!id_parse(id, size, &parts))
        return client_fail(bgop, BGOP_INVALID, "%.40s is not an Id: 15 or 18 characters beginning " ID_PREFIX, id);
    memcpy(to, id, 15);
    id_suffix(to, to + 15);
    return BGOP_OK;
}

/* "[{...}]" -> "{...}": the one element of an array's text. */
static char *only_element(const char *array)
{
    const char *from = strchr(array, '{'), *to = strrchr(array, '}');
    char *object = NULL;

    if (from && to && to > from) {
        size_t size = (size_t)(to - from) + 1;

        object = client_calloc(1, size + 1);
        if (object)
            memcpy(object, from, size);
    }
    return object;
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
    code = link_call(&bgop->link, &reply, 5, (const char *[]){ "FCALL_RO", "bgop_retrieve", "0", "*", id });
    if (code != BGOP_OK)
        return client_fail_link(bgop, code);
    found = strchr(link_reply_text(reply), '{');
    *json = found ? only_element(link_reply_text(reply)) : NULL;
    link_reply_free(reply);
    if (!found)
        return client_fail(bgop, BGOP_MISSING,
                           "there is no operation %s: not recorded yet, refused, a duplicate, or removed", id);
    return *json ? BGOP_OK : client_no_memory(bgop);
}

/* ---- waiting ---- */
struct waiting {
    char id[ID_SIZE];
    struct id_parts parts;
    size_t index;               /* in the caller's arrays */
    bool passed;                /* the fence was beyond its submission before the record was last looked for */
};

/* Error without ExpiresAt: awaits its retry, or is final and holds a sequence group. bgop_why knows. */
static enum bgop_outcome error_outcome(struct bgop *bgop, const char *id)
{
    struct redisReply *reply;
    enum bgop_outcome outcome = BGOP_PENDING;
    json_t *why;

    if (link_call(&bgop->link, &reply, 4, (const char *[]){ "FCALL_RO", "bgop_why", "0", id }) != BGOP_OK)
        return BGOP_PENDING;
    why = json_loads(link_reply_text(reply), 0, NULL);
    link_reply_free(reply);
    if (why) {
        const char *status = json_string_value(json_object_get(why, "status"));
        json_t *next = json_object_get(why, "nextAttemptAt");

        if (status && strcmp(status, "Error") == 0 && (!next || json_is_null(next)))
            outcome = BGOP_ERROR;
    }
    json_decref(why);
    return outcome;
}

static bool is_set(const json_t *row, const char *field)
{
    const json_t *value = json_object_get(row, field);

    return value && !json_is_null(value);
}

static enum bgop_outcome row_outcome(struct bgop *bgop, const struct waiting *waiting, const json_t *row)
{
    const char *status = json_string_value(json_object_get(row, "Status"));

    if (!status)
        return waiting->passed ? BGOP_GONE : BGOP_PENDING;
    if (strcmp(status, "Complete") == 0)
        return BGOP_COMPLETE;
    if (strcmp(status, "Canceled") == 0)
        return BGOP_CANCELED;
    if (strcmp(status, "Merged") == 0)
        return is_set(row, "ExpiresAt") ? BGOP_MERGED : BGOP_PENDING; /* set when its leader has completed */
    if (strcmp(status, "Error") == 0)
        return is_set(row, "ExpiresAt") ? BGOP_ERROR : error_outcome(bgop, waiting->id);
    return BGOP_PENDING;
}

static enum bgop_code retrieve(struct bgop *bgop, const struct waiting *waiting, size_t count, json_t **rows)
{
    const char *argv[4 + CLIENT_RETRIEVE_MAX] = { "FCALL_RO", "bgop_retrieve", "0", "Id,Status,FinishedAt,ExpiresAt" };
    struct redisReply *reply;
    enum bgop_code code;

    for (size_t i = 0; i < count; i++)
        argv[4 + i] = waiting[i].id;
    code = link_call(&bgop->link, &reply, 4 + (int)count, argv);
    if (code != BGOP_OK)
        return client_fail_link(bgop, code);
    *rows = json_loads(link_reply_text(reply), 0, NULL);
    link_reply_free(reply);
    if (*rows && json_array_size(*rows) == count)
        return BGOP_OK;
    json_decref(*rows);
    return client_fail(bgop, BGOP_FAILED, "Redis at %s: bgop_retrieve answered something else than %zu rows",
                       bgop->link.address, count);
}

/* Was the submission read already? Then a record that is not there will not come. */
static bool fence_passed(struct bgop *bgop, const struct waiting *waiting)
{
    char key[64], field[32];
    struct redisReply *reply;
    bool passed = false;

    snprintf(key, sizeof key, "bgop:{%d}:fences", waiting->parts.shard);
    snprintf(field, sizeof field, "s%d", waiting->parts.partition);
    if (link_call(&bgop->link, &reply, 3, (const char *[]){ "HGET", key, field }) == BGOP_OK)
        passed = strtoll(link_reply_text(reply), NULL, 10) > waiting->parts.offset;
    link_reply_free(reply);
    return passed;
}

/* Looks once at all that wait; those that ended leave the array. */
static enum bgop_code look(struct bgop *bgop, struct waiting *waiting, size_t *count, enum bgop_outcome *outcomes)
{
    size_t kept = 0;
    enum bgop_code code = BGOP_OK;

    for (size_t from = 0; from < *count; from += CLIENT_RETRIEVE_MAX) {
        size_t chunk = *count - from < CLIENT_RETRIEVE_MAX ? *count - from : CLIENT_RETRIEVE_MAX;
        json_t *rows = NULL;

        if (code == BGOP_OK)
            code = retrieve(bgop, waiting + from, chunk, &rows);
        for (size_t i = from; i < from + chunk; i++) {
            const json_t *row = rows ? json_array_get(rows, i - from) : NULL;
            enum bgop_outcome outcome = code == BGOP_OK ? row_outcome(bgop, &waiting[i], row) : BGOP_PENDING;

            if (outcomes)
                outcomes[waiting[i].index] = outcome;
            if (outcome != BGOP_PENDING)
                continue;
            if (code == BGOP_OK && !json_is_object(row))
                waiting[i].passed = fence_passed(bgop, &waiting[i]);
            waiting[kept++] = waiting[i];
        }
        json_decref(rows);
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
        if (left <= 0)
            return client_fail(bgop, BGOP_TIMED_OUT, "%zu of the operations have not ended after %d ms", count,
                               timeout_ms);
        client_pause(bgop, left < pause_ms ? (int)left : pause_ms);
        pause_ms = next_pause_ms(pause_ms, clock_boot_ms() - begin_ms - pause_ms);
    }
}

enum bgop_code bgop_wait(struct bgop *bgop, const char *const *ids, size_t count, int timeout_ms,
                         enum bgop_outcome *outcomes)
{
    struct waiting *waiting = client_calloc(count ? count : 1, sizeof *waiting);
    enum bgop_code code;

    if (!waiting)
        return client_no_memory(bgop);
    code = start_waiting(bgop, waiting, ids, count, outcomes);
    if (code == BGOP_OK && count)
        code = wait_loop(bgop, waiting, count, timeout_ms, outcomes);
    free(waiting);
    return code;
}
