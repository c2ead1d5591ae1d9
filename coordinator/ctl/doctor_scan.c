/* The walk over all keys of the queue. Every key is met once or more; records go to bgop_check in batches, indexes are
 * remembered and looked through afterwards, member by member. */
#include "coordinator/ctl/doctor.h"

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

static void take_record(struct doctor *doctor, int shard, const struct redis_reply *reply, size_t at)
{
    const char *id = text_at(reply, at), *type = text_at(reply, at + 1);
    size_t wrong = (size_t)redis_reply_int(redis_reply_at(reply, at + 5), 0);
    struct seen *seen;
    int status;

    if (!*type && !*text_at(reply, at + 2))
        return; /* removed meanwhile */
    seen = doctor_seen(doctor, id);
    status = record_status_find(text_at(reply, at + 2));
    if (seen->read)
        return; /* SCAN may come by twice */
    seen->read = true;
    seen->type = doctor_type(doctor, type);
    seen->status = (uint8_t)(status < 0 ? OP_STATUS_COUNT : status);
    seen->final = strcmp(text_at(reply, at + 3), "1") == 0;
    seen->stamp_ms = redis_reply_int(redis_reply_at(reply, at + 4), 0);
    seen->position = stream_position(text_at(reply, 0));
    doctor->operations++;
    for (size_t w = 0; w < wrong; w++)
        doctor_find(doctor, shard, "record", id, text_at(reply, at + 6 + 2 * w), text_at(reply, at + 7 + 2 * w), NULL);
}

static int records_flush(struct doctor *doctor, int shard, struct batch *batch)
{
    struct redis_reply *reply = NULL;
    int code =
        batch->count ? doctor_check(doctor, shard, "records", NULL, batch->subjects, batch->count, &reply) : EXIT_OK;

    for (size_t at = 1; at + 5 < redis_reply_count(reply);
         at += 6 + 2 * (size_t)redis_reply_int(redis_reply_at(reply, at + 5), 0))
        take_record(doctor, shard, reply, at);
    redis_reply_free(reply);
    batch_clear(batch);
    return code;
}

/* (subject, index, what is wrong)* */
static int others_flush(struct doctor *doctor, int shard, const char *check, const char *index, const char *mend,
                        struct batch *batch)
{
    struct redis_reply *reply = NULL;
    int code =
        batch->count ? doctor_check(doctor, shard, check, index, batch->subjects, batch->count, &reply) : EXIT_OK;

    doctor->entries += (long long)batch->count;
    for (size_t i = 0; i + 2 < redis_reply_count(reply); i += 3)
        doctor_find(doctor, shard, mend, text_at(reply, i), text_at(reply, i + 1), text_at(reply, i + 2), NULL);
    redis_reply_free(reply);
    batch_clear(batch);
    return code;
}

/* ---- keys ---- */

static bool begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool any_begins(const char *text, const char *const *prefixes)
{
    for (; *prefixes; prefixes++) {
        if (begins(text, *prefixes))
            return true;
    }
    return false;
}

static int take_key(struct scan *scan, int shard, const char *name)
{
    static const char *const belongings[] = { "in:", "out:",    "tries:", "commands:", "done:",
                                              "w:",  "worker:", "aside:", "group:",    NULL };
    static const char *const looked_through[] = {
        "pending:", "due",       "running",     "errors",      "blocked",      "parent:",     "seq:",  "aside:",
        "leases",   "cancels",   "seq_active:", "seq_failed:", "seq_released", "seq_failing", "names", "done:",
        "lane:",    "lane_out:", "parked",      NULL
    };
    struct doctor *doctor = scan->doctor;

    if (begins(name, "op:")) {
        struct batch *batch = &scan->records[shard];

        batch->subjects[batch->count++] = xstrdup(name + strlen("op:"));
        return batch->count == DOCTOR_BATCH ? records_flush(doctor, shard, batch) : EXIT_OK;
    }
    if (any_begins(name, looked_through) && strcmp(name, "names_gone") != 0) {
        GROW(doctor->indexes, doctor->index_count, doctor->index_capacity);
        doctor->indexes[doctor->index_count++] = (struct index_key){ shard, xstrdup(name) };
    }
    if (any_begins(name, belongings)) {
        struct batch *batch = &scan->keys[shard];

        batch->subjects[batch->count++] = xstrdup(name);
        return batch->count == DOCTOR_BATCH ? others_flush(doctor, shard, "keys", NULL, "key", batch) : EXIT_OK;
    }
    return EXIT_OK;
}

/* "bgop:{7}:rest" */
static int split_key(struct scan *scan, const char *key)
{
    char *end;
    long shard;

    if (!begins(key, "bgop:{"))
        return EXIT_OK;
    shard = strtol(key + strlen("bgop:{"), &end, 10);
    if (!begins(end, "}:") || shard < 0 || shard >= scan->doctor->session->shards)
        return EXIT_OK;
    return take_key(scan, (int)shard, end + 2);
}

static void draw(struct scan *scan)
{
    char text[64], number[32];

    snprintf(text, sizeof text, "%s operations", format_count(number, scan->doctor->operations));
    progress_draw(&scan->doctor->progress, scan->keys_all ? (double)scan->keys_met / (double)scan->keys_all : -1, text);
}

static int scan_keys(struct scan *scan)
{
    struct session *session = scan->doctor->session;
    char cursor[32] = "0";
    int code = EXIT_OK;

    do {
        struct redis_reply *reply = NULL;
        struct err err = ERR_INIT;
        const struct redis_reply *keys;

        if (redis_call(session->redis, &reply, &err, "SCAN", cursor, "MATCH", "bgop:{*", "COUNT", "500", NULL) != ST_OK)
            return session_fail_status(&err);
        snprintf(cursor, sizeof cursor, "%s", text_at(reply, 0));
        keys = redis_reply_at(reply, 1);
        for (size_t i = 0; i < redis_reply_count(keys) && code == EXIT_OK; i++)
            code = split_key(scan, text_at(keys, i));
        scan->keys_met += (long long)redis_reply_count(keys);
        redis_reply_free(reply);
        draw(scan);
    } while (code == EXIT_OK && strcmp(cursor, "0") != 0);
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

        code = doctor_ask(walk->doctor, &reply, walk->index->shard, walk->verb, walk->index->name,
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
    json_array_foreach(list, i, holder)
    {
        const char *id = json_string_value(json_array_get(holder, 0));

        if (id && !doctor_seen_find(holders->doctor, id))
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
        int code = doctor_ask(holders->doctor, &reply, holders->shard, "XRANGE", "names_gone",
                              (const char *const[]){ from, "+", "COUNT", "500", NULL });

        if (code != EXIT_OK)
            return code;
        count = redis_reply_count(reply);
        for (size_t i = 0; i < count; i++) {
            const struct redis_reply *entry = redis_reply_at(reply, i);

            json_object_del(holders->gone, text_at(redis_reply_at(entry, 1), 1));
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
        char key[64];
        int code;

        snprintf(key, sizeof key, "op:%.18s", id);
        code = doctor_ask(holders->doctor, &reply, holders->shard, "EXISTS", key, NULL);
        if (code != EXIT_OK)
            return code;
        if (redis_reply_int(reply, 1) == 0)
            doctor_find(holders->doctor, holders->shard, "name", json_string_value(name), "names",
                        "is held by an operation that is gone, for ever", id);
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
    static const char *const hashes[] = { "leases", "cancels", NULL }, *const sets[] = { "seq_active:", "seq_failed:",
                                                                                         "lane_out:", NULL };
    struct members members = { .doctor = doctor, .index = index, .check = "members", .mend = "member" };
    struct walk walk = { doctor, index, "ZSCAN", 2 };
    int code;

    if (begins(index->name, "done:"))
        return EXIT_OK; /* doctor_streams */
    if (strcmp(index->name, "names") == 0)
        return scan_names(doctor, index);
    if (strcmp(index->name, "seq_released") == 0 || strcmp(index->name, "seq_failing") == 0) {
        members.check = "groups";
        members.mend = "group";
        walk.verb = "HSCAN";
    } else if (any_begins(index->name, hashes) || strcmp(index->name, "parked") == 0) {
        walk.verb = "HSCAN";
    } else if (any_begins(index->name, sets)) {
        walk.verb = "SSCAN";
        walk.step = 1;
    }
    code = walk_index(&walk, take_member, &members);
    if (code == EXIT_OK)
        code = members_flush(&members);
    batch_clear(&members.batch);
    if (code == EXIT_OK && begins(index->name, "seq:"))
        code = scan_one(doctor, index, "groups", "group", index->name + strlen("seq:"));
    else if (code == EXIT_OK && begins(index->name, "lane:"))
        code = scan_one(doctor, index, "lanes", "lane", index->name + strlen("lane:"));
    return code;
}

int doctor_scan(struct doctor *doctor)
{
    size_t shards = (size_t)doctor->session->shards;
    struct scan scan = { .doctor = doctor,
                         .records = xcalloc(shards, sizeof *scan.records),
                         .keys = xcalloc(shards, sizeof *scan.keys) };
    struct redis_reply *reply = NULL;
    int code = EXIT_OK;

    if (redis_call(doctor->session->redis, &reply, NULL, "DBSIZE", NULL) == ST_OK)
        scan.keys_all = redis_reply_int(reply, 0);
    redis_reply_free(reply);
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
