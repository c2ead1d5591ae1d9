/* The walk over all keys of the queue. Every key is met once or more; records go to bgop_check in batches, indexes are
 * remembered and looked through afterwards, member by member. */
#include "coordinator/ctl/doctor/doctor.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/record/tables.h"

/* ---- subjects of one shard, until there are enough for a call ---- */

struct batch {
    char *subjects[DOCTOR_BATCH];
    size_t count;
};

struct scan {
    struct doctor *doctor;
    struct batch *records, *keys; /* of each shard */
    long long keys_met, keys_all;
    int code; /* of bgopctl; not EXIT_OK: it is over */
};

static void batch_clear(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        free(batch->subjects[i]);
    batch->count = 0;
}

static const char *text_at(const struct redis_reply *reply, size_t index)
{
    return redis_reply_text(redis_reply_at(reply, index), NULL);
}

static size_t wrongs_at(const struct redis_reply *reply, size_t at)
{
    return (size_t)redis_reply_int(redis_reply_at(reply, at + WIRE_CHECKED_RECORD_WRONGS), 0);
}

static void take_record(struct doctor *doctor, int shard, const struct redis_reply *reply, size_t at)
{
    const char *id = text_at(reply, at + WIRE_CHECKED_RECORD_ID), *type = text_at(reply, at + WIRE_CHECKED_RECORD_TYPE);
    const char *status_name = text_at(reply, at + WIRE_CHECKED_RECORD_STATUS);
    size_t wrongs = wrongs_at(reply, at), wrong = at + WIRE_CHECKED_RECORD_SIZE;
    struct seen *seen;
    int status;

    if (!*type && !*status_name)
        return; /* removed meanwhile */
    seen = doctor_record(doctor, id);
    status = record_status_find(status_name);
    if (seen->read)
        return; /* SCAN may come by twice */
    seen->read = true;
    seen->type = doctor_type(doctor, type);
    seen->status = (uint8_t)(status < 0 ? OP_STATUS_COUNT : status);
    seen->final = strcmp(text_at(reply, at + WIRE_CHECKED_RECORD_FINAL), "1") == 0;
    seen->stamp_ms = redis_reply_int(redis_reply_at(reply, at + WIRE_CHECKED_RECORD_MODSTAMP), 0);
    seen->position = stream_position(text_at(reply, WIRE_CHECKED_POSITION));
    doctor->operations++;
    for (; wrongs-- > 0; wrong += WIRE_WRONG_SIZE) {
        doctor_find(doctor, shard, "record", id, text_at(reply, wrong + WIRE_WRONG_INDEX),
                    text_at(reply, wrong + WIRE_WRONG_TEXT), NULL);
    }
}

static int records_flush(struct doctor *doctor, int shard, struct batch *batch)
{
    struct redis_reply *reply = NULL;
    int code =
        batch->count ? doctor_check(doctor, shard, "records", NULL, batch->subjects, batch->count, &reply) : EXIT_OK;

    for (size_t at = WIRE_CHECKED_SIZE; at + WIRE_CHECKED_RECORD_SIZE <= redis_reply_count(reply);
         at += WIRE_CHECKED_RECORD_SIZE + WIRE_WRONG_SIZE * wrongs_at(reply, at))
        take_record(doctor, shard, reply, at);
    redis_reply_free(reply);
    batch_clear(batch);
    return code;
}

static int others_flush(struct doctor *doctor, int shard, const char *check, const char *index, const char *mend,
                        struct batch *batch)
{
    struct redis_reply *reply = NULL;
    int code =
        batch->count ? doctor_check(doctor, shard, check, index, batch->subjects, batch->count, &reply) : EXIT_OK;

    doctor->entries += (long long)batch->count;
    for (size_t i = 0; i + WIRE_FOUND_SIZE <= redis_reply_count(reply); i += WIRE_FOUND_SIZE) {
        doctor_find(doctor, shard, mend, text_at(reply, i + WIRE_FOUND_SUBJECT), text_at(reply, i + WIRE_FOUND_INDEX),
                    text_at(reply, i + WIRE_FOUND_TEXT), NULL);
    }
    redis_reply_free(reply);
    batch_clear(batch);
    return code;
}

/* ---- keys ---- */

static bool is_any(const char *name, const enum redis_key *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (key_rest_of(name, keys[i]))
            return true;
    }
    return false;
}

static int take_key(struct scan *scan, int shard, const char *name)
{
    static const enum redis_key belongings[] = { KEY_IN,       KEY_OUT,    KEY_TRIES, KEY_COMMANDS, KEY_DONE,
                                                 KEY_INSTANCE, KEY_WORKER, KEY_ASIDE, KEY_GROUP };
    static const enum redis_key looked_through[] = {
        KEY_PENDING,      KEY_DUE,         KEY_RUNNING, KEY_ERRORS,  KEY_BLOCKED,    KEY_PARENT,
        KEY_SEQ,          KEY_ASIDE,       KEY_LEASES,  KEY_CANCELS, KEY_SEQ_ACTIVE, KEY_SEQ_FAILED,
        KEY_SEQ_RELEASED, KEY_SEQ_FAILING, KEY_NAMES,   KEY_DONE,    KEY_LANE,       KEY_LANE_OUT,
        KEY_PARKED,       KEY_PARKED_AT,   KEY_WORKERS, KEY_URIS,    KEY_SWEEPS,     KEY_RETENTIONS,
    };
    struct doctor *doctor = scan->doctor;
    const char *id = key_rest_of(name, KEY_OP);

    if (id) {
        struct batch *batch = &scan->records[shard];

        batch->subjects[batch->count++] = xstrdup(id);
        return batch->count == DOCTOR_BATCH ? records_flush(doctor, shard, batch) : EXIT_OK;
    }
    if (is_any(name, looked_through, sizeof looked_through / sizeof *looked_through)) {
        GROW(doctor->indexes, doctor->index_count, doctor->index_capacity);
        doctor->indexes[doctor->index_count++] = (struct index_key){ shard, xstrdup(name) };
    }
    if (is_any(name, belongings, sizeof belongings / sizeof *belongings)) {
        struct batch *batch = &scan->keys[shard];

        batch->subjects[batch->count++] = xstrdup(name);
        return batch->count == DOCTOR_BATCH ? others_flush(doctor, shard, "keys", NULL, "key", batch) : EXIT_OK;
    }
    return EXIT_OK;
}

static int split_key(struct scan *scan, const char *key)
{
    int shard;
    const char *name = key_rest(key, &shard);

    return name && shard < scan->doctor->session->shards ? take_key(scan, shard, name) : EXIT_OK;
}

static void draw(struct scan *scan)
{
    char text[64], number[32];

    snprintf(text, sizeof text, "%s operations", format_count(number, scan->doctor->operations));
    progress_draw(&scan->doctor->progress, scan->keys_all ? (double)scan->keys_met / (double)scan->keys_all : -1, text);
}

/* SCAN and DBSIZE are of one server: of a cluster all that have shards are asked. */
static enum status scan_server(void *arg, struct redis *server, struct err *err)
{
    struct scan *scan = arg;
    char cursor[32] = "0";

    do {
        struct redis_reply *reply = NULL;
        const struct redis_reply *keys;

        if (redis_call(server, &reply, err, "SCAN", cursor, "MATCH", KEY_EVERYTHING, "COUNT", "500", NULL) != ST_OK)
            return err->status;
        snprintf(cursor, sizeof cursor, "%s", text_at(reply, 0));
        keys = redis_reply_at(reply, 1);
        for (size_t i = 0; i < redis_reply_count(keys) && scan->code == EXIT_OK; i++)
            scan->code = split_key(scan, text_at(keys, i));
        scan->keys_met += (long long)redis_reply_count(keys);
        redis_reply_free(reply);
        draw(scan);
    } while (scan->code == EXIT_OK && strcmp(cursor, "0") != 0);
    return ST_OK;
}

static enum status count_keys(void *arg, struct redis *server, struct err *err)
{
    struct scan *scan = arg;
    struct redis_reply *reply = NULL;

    if (redis_call(server, &reply, err, "DBSIZE", NULL) == ST_OK)
        scan->keys_all += redis_reply_int(reply, 0);
    redis_reply_free(reply);
    return err->status;
}

static int scan_keys(struct scan *scan)
{
    struct session *session = scan->doctor->session;
    struct err err = ERR_INIT;
    int code;

    if (redis_each_server(session->redis, scan_server, scan, &err) != ST_OK)
        return session_fail_status(&err);
    code = scan->code;
    for (int shard = 0; shard < session->shards && code == EXIT_OK; shard++) {
        code = records_flush(scan->doctor, shard, &scan->records[shard]);
        if (code == EXIT_OK)
            code = others_flush(scan->doctor, shard, "keys", NULL, "key", &scan->keys[shard]);
    }
    return code;
}

/* ---- members of indexes ---- */

struct walk {
    struct doctor *doctor;
    const struct index_key *index;
    const char *verb;
    int step;
};

/* Calls take for each member (with its value, of a hash), in slices. */
static int walk_index(const struct walk *walk, int (*take)(void *arg, const char *member, const char *value), void *arg)
{
    char cursor[32] = "0";
    int code = EXIT_OK;

    do {
        struct redis_reply *reply = NULL;
        const struct redis_reply *members;

        code = doctor_read(walk->doctor, &reply, walk->index->shard, walk->verb, walk->index->name,
                           (const char *const[]){ cursor, "COUNT", "200", NULL });
        if (code != EXIT_OK)
            return code;
        snprintf(cursor, sizeof cursor, "%s", text_at(reply, 0));
        members = redis_reply_at(reply, 1);
        for (size_t i = 0; i < redis_reply_count(members) && code == EXIT_OK; i += (size_t)walk->step)
            code = take(arg, text_at(members, i), walk->step == 2 ? text_at(members, i + 1) : "");
        redis_reply_free(reply);
    } while (code == EXIT_OK && strcmp(cursor, "0") != 0);
    return code;
}

struct members {
    struct doctor *doctor;
    const struct index_key *index;
    const char *check, *mend;
    struct batch batch;
};

static int members_flush(struct members *members)
{
    bool of_index = strcmp(members->check, "members") == 0;

    return others_flush(members->doctor, members->index->shard, members->check, of_index ? members->index->name : NULL,
                        members->mend, &members->batch);
}

static int take_member(void *arg, const char *member, const char *value)
{
    struct members *members = arg;

    (void)value;
    members->batch.subjects[members->batch.count++] = xstrdup(member);
    return members->batch.count == DOCTOR_BATCH ? members_flush(members) : EXIT_OK;
}

/* ---- names: Name -> JSON list of [Id, Type, routing key, content] ---- */

struct holders {
    struct doctor *doctor;
    int shard;
    json_t *gone;
}; /* gone: Id -> Name, of those without a record */

static int take_name(void *arg, const char *name, const char *value)
{
    struct holders *holders = arg;
    json_t *list = json_loads(value, 0, NULL), *holder;
    size_t i;

    holders->doctor->entries++;
    if (!json_is_array(list))
        doctor_find(holders->doctor, holders->shard, "name", name, "names", "what stands there cannot be read", NULL);
    json_array_foreach(list, i, holder)
    {
        const char *id = json_string_value(json_array_get(holder, WIRE_HOLDER_ID));

        if (id && !doctor_record_find(holders->doctor, id))
            json_object_set_new_nocheck(holders->gone, id, json_stringn_nocheck(name, strlen(name)));
    }
    json_decref(list);
    return EXIT_OK;
}

/* A holder may be removed for a day: names_gone says so. */
static int read_names_gone(struct holders *holders)
{
    char from[64] = "-";
    size_t count;

    do {
        struct redis_reply *reply = NULL;
        int code = doctor_read(holders->doctor, &reply, holders->shard, "XRANGE", key_name(KEY_NAMES_GONE),
                               (const char *const[]){ from, "+", "COUNT", "500", NULL });

        if (code != EXIT_OK)
            return code;
        count = redis_reply_count(reply);
        for (size_t i = 0; i < count; i++) {
            const struct redis_reply *entry = redis_reply_at(reply, i);

            const struct redis_reply *fields = redis_reply_at(entry, 1);

            for (size_t n = 0; n < redis_reply_count(fields); n += WIRE_NAME_GONE_SIZE)
                json_object_del(holders->gone, text_at(fields, n + WIRE_NAME_GONE_ID));
            snprintf(from, sizeof from, "(%s", text_at(entry, 0));
        }
        redis_reply_free(reply);
    } while (count > 0);
    return EXIT_OK;
}

static int find_holders(struct holders *holders)
{
    const char *id;
    json_t *name;

    json_object_foreach(holders->gone, id, name)
    {
        struct redis_reply *reply = NULL;
        int code = doctor_read_of(holders->doctor, &reply, holders->shard, "EXISTS", KEY_OP, id, NULL);

        if (code != EXIT_OK)
            return code;
        if (redis_reply_int(reply, 1) == 0) {
            doctor_find(holders->doctor, holders->shard, "name", json_string_value(name), "names",
                        "is held by an operation that is gone, for ever", id);
        }
        redis_reply_free(reply);
    }
    return EXIT_OK;
}

static int scan_names(struct doctor *doctor, const struct index_key *index)
{
    struct holders holders = { .doctor = doctor, .shard = index->shard, .gone = json_object() };
    struct walk walk = { doctor, index, "HSCAN", 2 };
    int code = walk_index(&walk, take_name, &holders);

    if (code == EXIT_OK && json_object_size(holders.gone))
        code = read_names_gone(&holders);
    if (code == EXIT_OK)
        code = find_holders(&holders);
    json_decref(holders.gone);
    return code;
}

/* ---- each index by its kind ---- */

/* The group or lane itself. */
static int scan_one(struct doctor *doctor, const struct index_key *index, const char *check, const char *mend,
                    const char *name)
{
    struct members members = { .doctor = doctor, .index = index, .check = check, .mend = mend };
    int code;

    take_member(&members, name, "");
    code = members_flush(&members);
    batch_clear(&members.batch);
    return code;
}

static int scan_index(struct doctor *doctor, const struct index_key *index)
{
    static const enum redis_key hashes[] = { KEY_LEASES, KEY_CANCELS, KEY_PARKED, KEY_SWEEPS };
    static const enum redis_key groups[] = { KEY_SEQ_RELEASED, KEY_SEQ_FAILING };
    static const enum redis_key sets[] = { KEY_SEQ_ACTIVE, KEY_SEQ_FAILED, KEY_LANE_OUT, KEY_RETENTIONS };
    struct members members = { .doctor = doctor, .index = index, .check = "members", .mend = "member" };
    struct walk walk = { doctor, index, "ZSCAN", 2 };
    const char *of;
    int code;

    if (key_rest_of(index->name, KEY_DONE))
        return EXIT_OK; /* doctor_streams */
    if (key_rest_of(index->name, KEY_NAMES))
        return scan_names(doctor, index);
    if (is_any(index->name, groups, sizeof groups / sizeof *groups)) {
        members.check = "groups";
        members.mend = "group";
        walk.verb = "HSCAN";
    } else if (is_any(index->name, hashes, sizeof hashes / sizeof *hashes)) {
        walk.verb = "HSCAN";
    } else if (is_any(index->name, sets, sizeof sets / sizeof *sets)) {
        walk.verb = "SSCAN";
        walk.step = 1;
    }
    code = walk_index(&walk, take_member, &members);
    if (code == EXIT_OK)
        code = members_flush(&members);
    batch_clear(&members.batch);
    if (code == EXIT_OK && (of = key_rest_of(index->name, KEY_SEQ)) != NULL)
        code = scan_one(doctor, index, "groups", "group", of);
    else if (code == EXIT_OK && (of = key_rest_of(index->name, KEY_LANE)) != NULL)
        code = scan_one(doctor, index, "lanes", "lane", of);
    return code;
}

int doctor_scan(struct doctor *doctor)
{
    size_t shards = (size_t)doctor->session->shards;
    struct scan scan = { .doctor = doctor,
                         .records = xcalloc(shards, sizeof *scan.records),
                         .keys = xcalloc(shards, sizeof *scan.keys) };
    struct err err = ERR_INIT;
    int code;

    if (redis_each_server(doctor->session->redis, count_keys, &scan, &err) != ST_OK)
        scan.keys_all = 0; /* then no bar shows how far it is */
    code = scan_keys(&scan);
    for (size_t i = 0; i < shards; i++) {
        batch_clear(&scan.records[i]);
        batch_clear(&scan.keys[i]);
    }
    free(scan.records);
    free(scan.keys);
    for (size_t i = 0; i < doctor->index_count && code == EXIT_OK; i++)
        code = scan_index(doctor, &doctor->indexes[i]);
    return code;
}
