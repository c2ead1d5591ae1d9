/* What takes more than one look. Streams of batches: read behind the records, so whoever was there is in them.
 * Counters: records were read one after the other while the queue went on; what the log of changes says since each was
 * read brings all of them to the one moment at which the counters were read. */
#include "coordinator/ctl/doctor/doctor.h"

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
            doctor_read(doctor, &reply, shard, "XRANGE", name, (const char *const[]){ next, to, "COUNT", "100", NULL });
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

enum marking_of { MARKING_BORN, MARKING_DONE, MARKING_CHANGES };
struct marking {
    struct doctor *doctor;
    int shard;
    enum marking_of of;
    struct stream_position position; /* of the entry */
};

static void mark(void *arg, const char *id)
{
    struct marking *marking = arg;
    struct seen *seen = doctor_record_find(marking->doctor, id);

    if (!seen)
        return;
    if (marking->of == MARKING_BORN && seen->born)
        doctor_find(marking->doctor, marking->shard, "born_twice", id, "born", "is there twice", NULL);
    if (marking->of == MARKING_BORN)
        seen->born = true;
    else if (marking->of == MARKING_DONE)
        seen->done = true;
    else
        seen->changed |= marking->position.ms == (uint64_t)seen->stamp_ms;
}

static int mark_entry(void *arg, struct stream_position position, const struct redis_reply *fields)
{
    struct marking *marking = arg;

    marking->position = position;
    for (size_t i = 1; i < redis_reply_count(fields); i += 2)
        each_id(text_at(fields, i), mark, arg);
    return EXIT_OK;
}

static bool change_is_missing(const struct doctor *doctor, const struct seen *seen, int shard)
{
    return !seen->changed && seen->stamp_ms >= doctor->changes_complete_ms[shard];
}

/* It was not in a stream that was read after it: unless it has changed since, or is gone, something is wrong. */
static int find_unmarked(struct doctor *doctor, const struct seen *seen)
{
    struct redis_reply *reply = NULL;
    struct id_parts parts;
    char id[ID_SIZE], *subjects[] = { id };
    bool there, same, final;
    int code;

    memcpy(id, seen->id, sizeof id);
    if (!id_parse(id, ID_LENGTH, &parts))
        return EXIT_OK;
    code = doctor_check(doctor, parts.shard, "records", NULL, subjects, 1, &reply);
    if (code != EXIT_OK)
        return code;
    there = *text_at(reply, WIRE_CHECKED_SIZE + WIRE_CHECKED_RECORD_TYPE) != '\0';
    same = there && redis_reply_int(redis_reply_at(reply, WIRE_CHECKED_SIZE + WIRE_CHECKED_RECORD_MODSTAMP), 0) ==
                        seen->stamp_ms;
    final = strcmp(text_at(reply, WIRE_CHECKED_SIZE + WIRE_CHECKED_RECORD_FINAL), "1") == 0;
    if (there && !seen->born)
        doctor_find(doctor, parts.shard, "born", id, "born", "is not there: find and list do not see it", NULL);
    if (same && final && seen->final && !seen->done)
        doctor_find(doctor, parts.shard, "done", id, "done", "is in none of these: it would never be removed", NULL);
    if (same && change_is_missing(doctor, seen, parts.shard)) {
        doctor_find(doctor, parts.shard, "change", id, "changes", "its last change is not there: getUpdated misses it",
                    NULL);
    }
    redis_reply_free(reply);
    return EXIT_OK;
}

/* Those that `retentions` names: also such as began while the keys were scanned. */
static int read_done(struct doctor *doctor, int shard)
{
    struct redis_reply *reply = NULL;
    struct marking marking = { .doctor = doctor, .shard = shard, .of = MARKING_DONE };
    int code = doctor_read(doctor, &reply, shard, "SMEMBERS", key_name(KEY_RETENTIONS), NULL);

    for (size_t i = 0; i < redis_reply_count(reply) && code == EXIT_OK; i++) {
        char name[64];

        snprintf(name, sizeof name, "%s:%.32s", key_name(KEY_DONE), text_at(reply, i));
        code = read_stream(doctor, shard, name, "-", "+", mark_entry, &marking);
    }
    redis_reply_free(reply);
    return code;
}

/* Where it is complete from is asked behind it: what was trimmed meanwhile is not missed. */
static int read_changes(struct doctor *doctor, int shard)
{
    struct marking marking = { .doctor = doctor, .shard = shard, .of = MARKING_CHANGES };
    struct redis_reply *reply = NULL;
    int code = read_stream(doctor, shard, key_name(KEY_CHANGES), "-", "+", mark_entry, &marking);

    if (code == EXIT_OK) {
        code = doctor_read(doctor, &reply, shard, "HGET", key_name(KEY_GATE),
                           (const char *const[]){ "changes_from", NULL });
    }
    doctor->changes_complete_ms[shard] = redis_reply_int(reply, 0);
    redis_reply_free(reply);
    return code;
}

/* ---- twice in born ---- */

struct twice {
    const char *id;
    int met;
    struct stream_position at[2];
};

static int find_twice(void *arg, struct stream_position position, const struct redis_reply *fields)
{
    struct twice *twice = arg;

    for (size_t i = 1; i < redis_reply_count(fields); i += 2) {
        for (const char *at = text_at(fields, i); (at = strstr(at, twice->id)) != NULL; at += ID_LENGTH) {
            if (twice->met < 2)
                twice->at[twice->met++] = position;
        }
    }
    return EXIT_OK;
}

int doctor_mend_born(struct doctor *doctor, struct finding *finding)
{
    struct twice twice = { .id = finding->subject };
    char entries[128];
    int code = read_stream(doctor, finding->shard, key_name(KEY_BORN), "-", "+", find_twice, &twice);

    if (code != EXIT_OK)
        return code;
    snprintf(entries, sizeof entries, "%" PRIu64 "-%" PRIu64 " %" PRIu64 "-%" PRIu64, twice.at[0].ms,
             twice.at[0].sequence, twice.at[1].ms, twice.at[1].sequence);
    finding->mended = twice.met < 2; /* what was mended before has mended this */
    return finding->mended
               ? EXIT_OK
               : doctor_mend_with(doctor, finding, finding->what, &(struct doctor_bytes){ entries, strlen(entries) });
}

int doctor_streams(struct doctor *doctor)
{
    int code = EXIT_OK;

    for (int shard = 0; shard < doctor->session->shards && code == EXIT_OK; shard++) {
        struct marking marking = { .doctor = doctor, .shard = shard, .of = MARKING_BORN };

        code = read_stream(doctor, shard, key_name(KEY_BORN), "-", "+", mark_entry, &marking);
        if (code == EXIT_OK)
            code = read_done(doctor, shard);
        if (code == EXIT_OK)
            code = read_changes(doctor, shard);
    }
    for (size_t i = 0; i < doctor->index_count && code == EXIT_OK; i++) { /* what `retentions` has forgotten */
        const struct index_key *index = &doctor->indexes[i];
        struct marking marking = { .doctor = doctor, .shard = index->shard, .of = MARKING_DONE };

        if (key_rest_of(index->name, KEY_DONE))
            code = read_stream(doctor, index->shard, index->name, "-", "+", mark_entry, &marking);
    }
    for (size_t i = 0; i < doctor->map_capacity && code == EXIT_OK; i++) {
        const struct seen *seen = &doctor->map[i];

        struct id_parts parts;

        if (seen->id[0] && seen->read && id_parse(seen->id, ID_LENGTH, &parts) &&
            (!seen->born || (seen->final && !seen->done) || change_is_missing(doctor, seen, parts.shard)))
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
    struct seen *seen = doctor_record(counting->doctor, id);

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

    doctor_record(counting->doctor, id)->status = OP_STATUS_COUNT;
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
        int code;

        if (!seen->id[0] || seen->type != SEEN_TYPE_UNKNOWN || seen->status == OP_STATUS_COUNT ||
            !id_parse(seen->id, ID_LENGTH, &parts) || parts.shard != shard)
            continue;
        code = doctor_read_of(doctor, &reply, shard, "HGET", KEY_OP, seen->id, (const char *const[]){ "Type", NULL });
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
    for (size_t i = WIRE_CHECKED_COUNTS_SIZE; i + WIRE_COUNT_SIZE <= redis_reply_count(reply); i += WIRE_COUNT_SIZE) {
        const char *name = text_at(reply, i + WIRE_COUNT_NAME), *colon = strrchr(name, ':');
        int status = colon ? record_status_find(colon + 1) : -1;
        char type[300];

        snprintf(type, sizeof type, "%.*s", (int)(colon ? colon - name : 0), name);
        if (status >= 0) {
            stored[doctor_type(doctor, type) * OP_STATUS_COUNT + status] =
                redis_reply_int(redis_reply_at(reply, i + WIRE_COUNT_NUMBER), 0);
        }
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
    int code = doctor_read(doctor, &reply, shard, "HMGET", key_name(KEY_GATE),
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
        code = read_stream(doctor, shard, key_name(KEY_CHANGES), from, text_at(reply, 0), change_entry, &counting);
    range_text(from, doctor->deleted_from[shard]);
    if (code == EXIT_OK)
        code = read_stream(doctor, shard, key_name(KEY_DELETED), from, text_at(reply, 1), removed_entry, &counting);
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
