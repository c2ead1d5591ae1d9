#include "coordinator/ctl/doctor/doctor.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/record/tables.h"

enum { MAP_FIRST = 1024, RECOVERING_PAUSE_MS = 200, ARGUMENTS_MAX = 16 };

void doctor_init(struct doctor *doctor, struct session *session)
{
    *doctor = (struct doctor){ .session = session, .submit_lag = -1, .status_lag = -1 };
    doctor->map_capacity = MAP_FIRST;
    doctor->held = json_array();
    doctor->map = xcalloc(MAP_FIRST, sizeof *doctor->map);
    doctor->changes_from = xcalloc((size_t)session->shards, sizeof *doctor->changes_from);
    doctor->changes_complete_ms = xcalloc((size_t)session->shards, sizeof *doctor->changes_complete_ms);
    doctor->read_to_ms = xcalloc((size_t)session->shards, sizeof *doctor->read_to_ms);
    doctor->deleted_from = xcalloc((size_t)session->shards, sizeof *doctor->deleted_from);
    progress_start(&doctor->progress);
}

void doctor_release(struct doctor *doctor)
{
    for (size_t i = 0; i < doctor->finding_count; i++) {
        free(doctor->findings[i].subject);
        free(doctor->findings[i].index);
        free(doctor->findings[i].text);
        free(doctor->findings[i].argument);
    }
    for (size_t i = 0; i < doctor->type_count; i++)
        free(doctor->types[i]);
    for (size_t i = 0; i < doctor->index_count; i++)
        free(doctor->indexes[i].name);
    free(doctor->findings);
    free(doctor->types);
    free(doctor->indexes);
    json_decref(doctor->held);
    free(doctor->map);
    free(doctor->changes_from);
    free(doctor->deleted_from);
    free(doctor->changes_complete_ms);
    free(doctor->read_to_ms);
}

void doctor_find(struct doctor *doctor, int shard, const char *what, const char *subject, const char *index,
                 const char *text, const char *argument)
{
    GROW(doctor->findings, doctor->finding_count, doctor->finding_capacity);
    doctor->findings[doctor->finding_count++] = (struct finding){
        .shard = shard,
        .what = what,
        .subject = xstrdup(subject),
        .index = xstrdup(index),
        .text = xstrdup(text),
        .argument = argument ? xstrdup(argument) : NULL,
    };
}

/* ---- operations ---- */

static size_t hash_of(const char *id)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (; *id; id++)
        hash = (hash ^ (unsigned char)*id) * UINT64_C(1099511628211);
    return (size_t)(hash ^ hash >> 29);
}

static struct seen *slot_of(struct seen *map, size_t capacity, const char *id)
{
    size_t at = hash_of(id) & (capacity - 1);

    while (map[at].id[0] && strcmp(map[at].id, id) != 0)
        at = (at + 1) & (capacity - 1);
    return &map[at];
}

static void map_grow(struct doctor *doctor)
{
    size_t capacity = doctor->map_capacity * 2;
    struct seen *map = xcalloc(capacity, sizeof *map);

    for (size_t i = 0; i < doctor->map_capacity; i++) {
        if (doctor->map[i].id[0])
            *slot_of(map, capacity, doctor->map[i].id) = doctor->map[i];
    }
    free(doctor->map);
    doctor->map = map;
    doctor->map_capacity = capacity;
}

struct seen *doctor_record(struct doctor *doctor, const char *id)
{
    struct seen *seen = slot_of(doctor->map, doctor->map_capacity, id);

    if (seen->id[0])
        return seen;
    if (doctor->map_count * 4 >= doctor->map_capacity * 3) {
        map_grow(doctor);
        seen = slot_of(doctor->map, doctor->map_capacity, id);
    }
    doctor->map_count++;
    *seen = (struct seen){ .type = SEEN_TYPE_UNKNOWN, .status = OP_STATUS_COUNT };
    snprintf(seen->id, sizeof seen->id, "%s", id);
    return seen;
}

struct seen *doctor_record_find(const struct doctor *doctor, const char *id)
{
    struct seen *seen = slot_of(doctor->map, doctor->map_capacity, id);

    return seen->id[0] ? seen : NULL;
}

uint16_t doctor_type(struct doctor *doctor, const char *type)
{
    for (size_t i = 0; i < doctor->type_count; i++) {
        if (strcmp(doctor->types[i], type) == 0)
            return (uint16_t)i;
    }
    GROW(doctor->types, doctor->type_count, doctor->type_capacity);
    doctor->types[doctor->type_count] = xstrdup(type);
    return (uint16_t)doctor->type_count++;
}

/* ---- positions in streams ---- */

struct stream_position stream_position(const char *text)
{
    char *end;
    struct stream_position position = { .ms = strtoull(text, &end, 10) };

    position.sequence = *end == '-' ? strtoull(end + 1, NULL, 10) : 0;
    return position;
}

bool stream_position_before(struct stream_position a, struct stream_position b)
{
    return a.ms < b.ms || (a.ms == b.ms && a.sequence < b.sequence);
}

/* ---- asking ---- */

static enum status run_once(struct session *session, const struct redis_command *command, struct redis_reply **reply,
                            struct err *err)
{
    enum status st = redis_send(session->redis, command, err);

    *reply = NULL;
    return st == ST_OK ? redis_receive(session->redis, reply, err) : st;
}

/* A shard that replays its log is waited for. */
static int run_command(struct session *session, const struct redis_command *command, struct redis_reply **reply)
{
    int64_t deadline = clock_boot_ms() + SESSION_RECOVERING_MS;
    struct err err = ERR_INIT;
    enum status st;

    while ((st = run_once(session, command, reply, &err)) == ST_RECOVERING && clock_boot_ms() < deadline)
        nanosleep(&(struct timespec){ 0, RECOVERING_PAUSE_MS * 1000000L }, NULL);
    return st == ST_OK ? EXIT_OK : session_fail_status(&err);
}

static void begin_call(struct redis_command *command, char key[32], const char *verb, const char *function, int shard)
{
    key_format(key, 32, KEY_SHARD, shard, NULL);
    redis_command_init(command);
    redis_command_add_text(command, verb);
    redis_command_add_text(command, function);
    redis_command_add_text(command, "1");
    redis_command_add_text(command, key);
}

int doctor_check(struct doctor *doctor, int shard, const char *what, const char *index, char *const *subjects,
                 size_t count, struct redis_reply **reply)
{
    struct redis_command command;
    char key[32];
    int code;

    begin_call(&command, key, "FCALL_RO", "bgop_check", shard);
    redis_command_add_text(&command, what);
    if (index)
        redis_command_add_text(&command, index);
    for (size_t i = 0; i < count; i++)
        redis_command_add_text(&command, subjects[i]);
    code = run_command(doctor->session, &command, reply);
    redis_command_release(&command);
    return code;
}

static int read_key(struct doctor *doctor, struct redis_reply **reply, const char *verb, const char *key,
                    const char *const *arguments)
{
    struct redis_command command;
    int code;

    redis_command_init(&command);
    redis_command_add_text(&command, verb);
    redis_command_add_text(&command, key);
    for (; arguments && *arguments; arguments++)
        redis_command_add_text(&command, *arguments);
    code = run_command(doctor->session, &command, reply);
    redis_command_release(&command);
    return code;
}

int doctor_read(struct doctor *doctor, struct redis_reply **reply, int shard, const char *verb, const char *name,
                const char *const *arguments)
{
    char key[DOCTOR_KEY_SIZE];

    return read_key(doctor, reply, verb, key_format_rest(key, sizeof key, shard, name), arguments);
}

int doctor_read_of(struct doctor *doctor, struct redis_reply **reply, int shard, const char *verb, enum redis_key of,
                   const char *name, const char *const *arguments)
{
    char key[DOCTOR_KEY_SIZE];

    return read_key(doctor, reply, verb, key_format(key, sizeof key, of, shard, name), arguments);
}

/* ---- mending ---- */

static int read_generation(struct doctor *doctor, int shard, char generation[32])
{
    struct redis_reply *reply = NULL;
    int code = doctor_read(doctor, &reply, shard, "HGET", key_name(KEY_GATE), (const char *const[]){ "gen", NULL });

    snprintf(generation, 32, "%s", redis_reply_text(reply, NULL));
    redis_reply_free(reply);
    return code;
}

int doctor_function(struct doctor *doctor, struct redis_reply **reply, int shard, const char *function,
                    const char *const *arguments)
{
    struct redis_command command;
    char key[32], generation[32];
    int code = read_generation(doctor, shard, generation);

    if (code != EXIT_OK)
        return code;
    begin_call(&command, key, "FCALL", function, shard);
    redis_command_add_text(&command, generation);
    for (; *arguments; arguments++)
        redis_command_add_text(&command, *arguments);
    code = run_command(doctor->session, &command, reply);
    redis_command_release(&command);
    return code;
}

int doctor_mend_with(struct doctor *doctor, struct finding *finding, const char *what,
                     const struct doctor_bytes *argument)
{
    struct redis_command command;
    struct redis_reply *reply = NULL;
    char key[32], generation[32];
    int code = read_generation(doctor, finding->shard, generation);

    if (code != EXIT_OK)
        return code;
    begin_call(&command, key, "FCALL", "bgop_mend", finding->shard);
    redis_command_add_text(&command, generation);
    redis_command_add_text(&command, what);
    if (strcmp(what, "member") == 0)
        redis_command_add_text(&command, finding->index);
    redis_command_add_text(&command, finding->subject);
    if (argument->data)
        redis_command_add(&command, argument->data, argument->size);
    code = run_command(doctor->session, &command, &reply);
    redis_command_release(&command);
    if (code != EXIT_OK)
        return code;
    for (size_t i = WIRE_ANSWER_SIZE; i < redis_reply_count(reply); i++)
        finding->mended |= strcmp(redis_reply_text(redis_reply_at(reply, i), NULL), finding->index) == 0;
    redis_reply_free(reply);
    return EXIT_OK;
}

int doctor_mend(struct doctor *doctor, struct finding *finding)
{
    static const struct {
        const char *what, *index; /* NULL: any */
        int (*mend)(struct doctor *doctor, struct finding *finding);
    } special[] = {
        { "record", "in", doctor_mend_payload },  { "record", "names", doctor_mend_name },
        { "born_twice", NULL, doctor_mend_born }, { "timer", NULL, doctor_mend_timer },
        { "fence", NULL, doctor_mend_fence },
    };

    for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
        if (strcmp(special[i].what, finding->what) == 0 &&
            (!special[i].index || strcmp(special[i].index, finding->index) == 0))
            return special[i].mend(doctor, finding);
    }
    return doctor_mend_with(
        doctor, finding, finding->what,
        &(struct doctor_bytes){ finding->argument, finding->argument ? strlen(finding->argument) : 0 });
}

void doctor_advise(struct finding *finding, const char *format, ...)
{
    struct buf text;
    va_list args;

    buf_init(&text, SIZE_MAX);
    buf_printf(&text, "%s; ", finding->text);
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    free(finding->text);
    finding->text = buf_take(&text);
}

/* ---- looking again ---- */

/* What bgop_check calls what bgop_mend calls so; NULL: not found by one look. */
static const char *check_name(const struct finding *finding)
{
    static const struct {
        const char *mend, *check;
    } names[] = {
        { "record", "records" }, { "member", "members" }, { "group", "groups" },
        { "lane", "lanes" },     { "key", "keys" },       { "fence", "fences" },
    };

    for (size_t i = 0; finding->what && i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i].mend, finding->what) == 0)
            return names[i].check;
    }
    return NULL;
}

/* Is this index still among what is wrong? */
static bool still_wrong(const struct redis_reply *reply, const struct finding *finding)
{
    bool record = strcmp(finding->what, "record") == 0;
    size_t first = record ? WIRE_CHECKED_SIZE + WIRE_CHECKED_RECORD_SIZE + WIRE_WRONG_INDEX : WIRE_FOUND_INDEX;

    for (size_t i = first; i < redis_reply_count(reply); i += record ? WIRE_WRONG_SIZE : WIRE_FOUND_SIZE) {
        if (strcmp(redis_reply_text(redis_reply_at(reply, i), NULL), finding->index) == 0)
            return true;
    }
    return false;
}

int doctor_recheck(struct doctor *doctor, bool mended)
{
    int code = EXIT_OK;

    for (size_t i = 0; i < doctor->finding_count && code == EXIT_OK; i++) {
        struct finding *finding = &doctor->findings[i];
        const char *name = finding->gone ? NULL : check_name(finding);
        struct redis_reply *reply = NULL;
        bool fence = name && strcmp(name, "fences") == 0;
        char *subjects[] = { finding->subject, finding->argument };

        if (!name)
            continue;
        code = doctor_check(doctor, finding->shard, name, strcmp(name, "members") == 0 ? finding->index : NULL,
                            subjects, fence ? WIRE_CHECK_FENCE_SIZE : 1, &reply);
        if (code == EXIT_OK && mended)
            finding->mended = !still_wrong(reply, finding);
        else if (code == EXIT_OK)
            finding->gone = !still_wrong(reply, finding);
        redis_reply_free(reply);
    }
    return code;
}
