/* What takes more than one look. Streams of batches: read behind the records, so whoever was there is in them.
 * Counters: records were read one after the other while the queue went on; what the log of changes says since each was
 * read brings all of them to the one moment at which the counters were read. */
#include "coordinator/ctl/doctor.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/record/tables.h"

static const char *text_at(const struct redis_reply *reply, size_t index)
{
    return redis_reply_text(redis_reply_at(reply, index), NULL);
}

/* Entries of a stream behind from, up to `to`; fields: an entry's names and values. */
typedef int on_entry(void *arg, struct stream_position position, const struct redis_reply *fields);

static int read_stream(struct doctor *doctor, int shard, const char *name, const char *from, const char *to,
                       on_entry *each, void *arg)
{
    char next[64];
    size_t count;
    int code = EXIT_OK;

    snprintf(next, sizeof next, "%s", from);
    do {
        struct redis_reply *reply = NULL;

        code =
            doctor_ask(doctor, &reply, shard, "XRANGE", name, (const char *const[]){ next, to, "COUNT", "100", NULL });
        if (code != EXIT_OK)
            return code;
        count = redis_reply_count(reply);
        for (size_t i = 0; i < count && code == EXIT_OK; i++) {
            const struct redis_reply *entry = redis_reply_at(reply, i);

            code = each(arg, stream_position(text_at(entry, 0)), redis_reply_at(entry, 1));
            snprintf(next, sizeof next, "(%s", text_at(entry, 0));
        }
        redis_reply_free(reply);
    } while (code == EXIT_OK && count > 0);
    return code;
}

/* Calls each for every Id of a text of Ids joined by blanks. */
static void each_id(const char *text, void (*each)(void *arg, const char *id), void *arg)
{
    char id[ID_SIZE];

    while (*text) {
        size_t size = strcspn(text, " ");

        if (size == ID_LENGTH) {
            memcpy(id, text, ID_LENGTH);
            id[ID_LENGTH] = '\0';
            each(arg, id);
        }
        text += size + strspn(text + size, " ");
    }
}

/* ---- born and done ---- */

struct marking {
    struct doctor *doctor;
    int shard;
    bool born;
};

static void mark(void *arg, const char *id)
{
    struct marking *marking = arg;
    struct seen *seen = doctor_seen_find(marking->doctor, id);

    if (!seen)
        return;
    if (marking->born && seen->born)
        doctor_find(marking->doctor, marking->shard, NULL, id, "born", "is there twice", NULL);
    if (marking->born)
        seen->born = true;
    else
        seen->done = true;
}

static int mark_entry(void *arg, struct stream_position position, const struct redis_reply *fields)
{
    (void)position;
    for (size_t i = 1; i < redis_reply_count(fields); i += 2)
        each_id(text_at(fields, i), mark, arg);
    return EXIT_OK;
}

/* It was not in a stream that was read after it: unless it has changed since, or is gone, something is wrong. */
static int find_unmarked(struct doctor *doctor, const struct seen *seen)
{
    struct redis_reply *reply = NULL;
    struct id_parts parts;
    char id[ID_SIZE], *subjects[] = { id };
    bool same, final;
    int code;

    memcpy(id, seen->id, sizeof id);
    if (!id_parse(id, ID_LENGTH, &parts))
        return EXIT_OK;
    code = doctor_check(doctor, parts.shard, "records", NULL, subjects, 1, &reply);
    if (code != EXIT_OK)
        return code;
    same = *text_at(reply, 2) && redis_reply_int(redis_reply_at(reply, 5), 0) == seen->stamp_ms;
    final = strcmp(text_at(reply, 4), "1") == 0;
    if (*text_at(reply, 2) && !seen->born)
        doctor_find(doctor, parts.shard, "born", id, "born", "is not there: find and list do not see it", NULL);
    if (same && final && seen->final && !seen->done)
        doctor_find(doctor, parts.shard, "done", id, "done", "is in none of these: it would never be removed", NULL);
    redis_reply_free(reply);
    return EXIT_OK;
}

/* Those that `retentions` names: also such as began while the keys were scanned. */
static int read_done(struct doctor *doctor, int shard)
{
    struct redis_reply *reply = NULL;
    struct marking marking = { doctor, shard, false };
    int code = doctor_ask(doctor, &reply, shard, "SMEMBERS", "retentions", NULL);

    for (size_t i = 0; i < redis_reply_count(reply) && code == EXIT_OK; i++) {
        char name[64];

        snprintf(name, sizeof name, "done:%.32s", text_at(reply, i));
        code = read_stream(doctor, shard, name, "-", "+", mark_entry, &marking);
    }
    redis_reply_free(reply);
    return code;
}

int doctor_streams(struct doctor *doctor)
{
    int code = EXIT_OK;

    for (int shard = 0; shard < doctor->session->shards && code == EXIT_OK; shard++) {
        struct marking marking = { doctor, shard, true };

        code = read_stream(doctor, shard, "born", "-", "+", mark_entry, &marking);
        if (code == EXIT_OK)
            code = read_done(doctor, shard);
    }
    for (size_t i = 0; i < doctor->index_count && code == EXIT_OK; i++) { /* what `retentions` has forgotten */
        const struct index_key *index = &doctor->indexes[i];
        struct marking marking = { doctor, index->shard, false };

        if (strncmp(index->name, "done:", strlen("done:")) == 0)
            code = read_stream(doctor, index->shard, index->name, "-", "+", mark_entry, &marking);
    }
    for (size_t i = 0; i < doctor->map_capacity && code == EXIT_OK; i++) {
        const struct seen *seen = &doctor->map[i];

        if (seen->id[0] && seen->read && (!seen->born || (seen->final && !seen->done)))
            code = find_unmarked(doctor, seen);
    }
    return code;
}

/* ---- counters ---- */

struct counting {
    struct doctor *doctor;
    int shard;
    int status;
    struct stream_position position;
};

static void change(void *arg, const char *id)
{
    struct counting *counting = arg;
    struct seen *seen = doctor_seen(counting->doctor, id);

    if (seen->read && !stream_position_before(seen->position, counting->position))
        return; /* read after this change */
    seen->status = (uint8_t)counting->status;
    seen->position = counting->position;
    seen->read = true;
}

static int change_entry(void *arg, struct stream_position position, const struct redis_reply *fields)
{
    struct counting *counting = arg;

    counting->position = position;
    for (size_t i = 0; i + 1 < redis_reply_count(fields); i += 2) {
        counting->status = record_status_find(text_at(fields, i));
        if (counting->status >= 0)
            each_id(text_at(fields, i + 1), change, counting);
    }
    return EXIT_OK;
}

static void removed(void *arg, const char *id)
{
    struct counting *counting = arg;

    doctor_seen(counting->doctor, id)->status = OP_STATUS_COUNT;
}

static int removed_entry(void *arg, struct stream_position position, const struct redis_reply *fields)
{
    (void)position;
    for (size_t i = 1; i < redis_reply_count(fields); i += 2)
        each_id(text_at(fields, i), removed, arg);
    return EXIT_OK;
}

/* Types of those that were met in the log of changes only. False: one is gone already, and its Type with it. */
static int read_types(struct doctor *doctor, int shard, bool *all)
{
    for (size_t i = 0; i < doctor->map_capacity; i++) {
        struct seen *seen = &doctor->map[i];
        struct redis_reply *reply = NULL;
        struct id_parts parts;
        char key[64];
        int code;

        if (!seen->id[0] || seen->type != SEEN_TYPE_UNKNOWN || seen->status == OP_STATUS_COUNT ||
            !id_parse(seen->id, ID_LENGTH, &parts) || parts.shard != shard)
            continue;
        snprintf(key, sizeof key, "op:%s", seen->id);
        code = doctor_ask(doctor, &reply, shard, "HGET", key, (const char *const[]){ "Type", NULL });
        if (code != EXIT_OK)
            return code;
        if (*redis_reply_text(reply, NULL))
            seen->type = doctor_type(doctor, redis_reply_text(reply, NULL));
        else
            *all = false;
        redis_reply_free(reply);
    }
    return EXIT_OK;
}

static void find_count(struct doctor *doctor, int shard, size_t type, int status, long long stored, long long counted)
{
    char name[320], text[96], difference[32];

    snprintf(name, sizeof name, "%s:%s", doctor->types[type], record_statuses[status].name);
    snprintf(text, sizeof text, "says %lld, and there are %lld", stored, counted);
    snprintf(difference, sizeof difference, "%lld", counted - stored);
    doctor_find(doctor, shard, "count", name, "counts", text, difference);
}

/* reply: positions, then (Type:Status, number)* */
static void compare(struct doctor *doctor, int shard, const struct redis_reply *reply)
{
    size_t cells;
    long long *stored, *counted;

    for (size_t i = 2; i + 1 < redis_reply_count(reply); i += 2) { /* also Types of which no record is left */
        const char *name = text_at(reply, i), *colon = strrchr(name, ':');
        char type[300];

        snprintf(type, sizeof type, "%.*s", (int)(colon ? colon - name : 0), name);
        doctor_type(doctor, type);
    }
    cells = doctor->type_count * OP_STATUS_COUNT;
    stored = xcalloc(cells + 1, sizeof *stored);
    counted = xcalloc(cells + 1, sizeof *counted);
    for (size_t i = 2; i + 1 < redis_reply_count(reply); i += 2) {
        const char *name = text_at(reply, i), *colon = strrchr(name, ':');
        int status = colon ? record_status_find(colon + 1) : -1;
        char type[300];

        snprintf(type, sizeof type, "%.*s", (int)(colon ? colon - name : 0), name);
        if (status >= 0)
            stored[doctor_type(doctor, type) * OP_STATUS_COUNT + status] =
                redis_reply_int(redis_reply_at(reply, i + 1), 0);
    }
    for (size_t i = 0; i < doctor->map_capacity; i++) {
        const struct seen *seen = &doctor->map[i];
        struct id_parts parts;

        if (seen->id[0] && seen->status < OP_STATUS_COUNT && seen->type != SEEN_TYPE_UNKNOWN &&
            id_parse(seen->id, ID_LENGTH, &parts) && parts.shard == shard)
            counted[seen->type * OP_STATUS_COUNT + seen->status]++;
    }
    for (size_t i = 0; i < cells; i++) {
        if (stored[i] != counted[i])
            find_count(doctor, shard, i / OP_STATUS_COUNT, (int)(i % OP_STATUS_COUNT), stored[i], counted[i]);
    }
    free(stored);
    free(counted);
}

static void range_text(char from[64], struct stream_position position)
{
    snprintf(from, 64, "(%" PRIu64 "-%" PRIu64, position.ms, position.sequence);
}

/* Was the log of changes trimmed over what is needed? */
static int is_trimmed(struct doctor *doctor, int shard, bool *trimmed)
{
    struct redis_reply *reply = NULL;
    int code = doctor_ask(doctor, &reply, shard, "HMGET", "gate",
                          (const char *const[]){ "changes_from", "deleted_from", NULL });

    if (code != EXIT_OK)
        return code;
    *trimmed = redis_reply_int(redis_reply_at(reply, 0), 0) > doctor->begun_ms ||
               redis_reply_int(redis_reply_at(reply, 1), 0) > doctor->begun_ms;
    redis_reply_free(reply);
    return EXIT_OK;
}

static int count_shard(struct doctor *doctor, int shard)
{
    struct counting counting = { .doctor = doctor, .shard = shard };
    struct redis_reply *reply = NULL;
    char from[64];
    bool trimmed = false, typed = true;
    int code = doctor_check(doctor, shard, "counts", NULL, NULL, 0, &reply);

    range_text(from, doctor->changes_from[shard]);
    if (code == EXIT_OK)
        code = read_stream(doctor, shard, "changes", from, text_at(reply, 0), change_entry, &counting);
    range_text(from, doctor->deleted_from[shard]);
    if (code == EXIT_OK)
        code = read_stream(doctor, shard, "deleted", from, text_at(reply, 1), removed_entry, &counting);
    if (code == EXIT_OK)
        code = read_types(doctor, shard, &typed);
    if (code == EXIT_OK)
        code = is_trimmed(doctor, shard, &trimmed);
    if (code == EXIT_OK && (trimmed || !typed))
        doctor->unsure++;
    else if (code == EXIT_OK)
        compare(doctor, shard, reply);
    redis_reply_free(reply);
    return code;
}

int doctor_counts(struct doctor *doctor)
{
    int code = EXIT_OK;

    for (int shard = 0; shard < doctor->session->shards && code == EXIT_OK; shard++)
        code = count_shard(doctor, shard);
    return code;
}
