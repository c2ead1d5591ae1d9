/* The function library on the server, and what stands beside it: the gate, the fences, the server's run id. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/functions/wire_tables.h"
#include "common/record/keys.h"
#include "common/redis/edge.h"
#include "common/redis/functions.h"

/* ---- loading ---- */

/* The value behind a name in a flat (name, value)* array; NULL: none. */
static const struct redis_reply *member(const struct redis_reply *flat, const char *name)
{
    for (size_t i = 0; i + 1 < redis_reply_count(flat); i += 2) {
        if (strcmp(redis_reply_text(redis_reply_at(flat, i), NULL), name) == 0)
            return redis_reply_at(flat, i + 1);
    }
    return NULL;
}

static bool same_code(const struct redis_reply *libraries)
{
    const struct redis_reply *code = member(redis_reply_at(libraries, 0), "library_code");
    size_t size;
    const char *text = redis_reply_text(code, &size);

    return size == functions_code_size && memcmp(text, functions_code, size) == 0;
}

/* Which library of the server has this function; "" when none has. */
static void find_owner(const struct redis_reply *libraries, const char *function, char *owner, size_t room)
{
    owner[0] = '\0';
    for (size_t i = 0; i < redis_reply_count(libraries); i++) {
        const struct redis_reply *library = redis_reply_at(libraries, i);
        const struct redis_reply *functions = member(library, "functions");

        for (size_t j = 0; j < redis_reply_count(functions); j++) {
            const char *name = redis_reply_text(member(redis_reply_at(functions, j), "name"), NULL);
            const char *text = redis_reply_text(member(library, "library_name"), NULL);

            if (strcmp(name, function) == 0)
                text_copy(owner, room, text, strlen(text));
        }
    }
}

/* Redis says "ERR Function bgop_claim already exists": say whose it is and what to do. */
static enum status explain_conflict(struct redis *redis, struct err *err)
{
    char function[128] = "", owner[128] = "";
    struct redis_reply *libraries;
    struct err ignored = ERR_INIT;
    const char *begin = strstr(err->text, "Function ");

    if (!begin || !strstr(err->text, "already exists"))
        return err_prefix(err, "Redis at %s: loading our function library", redis_address(redis));
    begin += strlen("Function ");
    text_copy(function, sizeof function, begin, strcspn(begin, " "));
    if (redis_call(redis, &libraries, &ignored, "FUNCTION", "LIST", NULL) == ST_OK)
        find_owner(libraries, function, owner, sizeof owner);
    redis_reply_free(libraries);
    return err_set(err, ST_INVALID,
                   "Redis at %s: function %s belongs to another library, %s; remove it (FUNCTION DELETE %s) or give "
                   "the queue a Redis server of its own",
                   redis_address(redis), function, owner[0] ? owner : "unknown", owner[0] ? owner : "<library>");
}

enum status functions_replace(struct redis *redis, struct err *err)
{
    struct redis_command *command = redis_scratch(redis);
    struct redis_reply *reply = NULL;
    enum status st;

    redis_command_add_text(command, "FUNCTION");
    redis_command_add_text(command, "LOAD");
    redis_command_add_text(command, "REPLACE");
    redis_command_add(command, functions_code, functions_code_size);
    st = redis_send(redis, command, err);
    if (st != ST_OK)
        return st;
    st = redis_receive(redis, &reply, err);
    redis_reply_free(reply);
    return st == ST_INVALID ? explain_conflict(redis, err) : st;
}

enum status functions_load(struct redis *redis, bool *loaded, struct err *err)
{
    struct redis_reply *libraries;
    enum status st;

    *loaded = false;
    st = redis_call(redis, &libraries, err, "FUNCTION", "LIST", "LIBRARYNAME", "bgop", "WITHCODE", NULL);
    if (st != ST_OK)
        return st == ST_INVALID ? err_prefix(err, "Redis at %s (is it 7.0 or newer?)", redis_address(redis)) : st;
    if (!same_code(libraries)) {
        st = functions_replace(redis, err);
        *loaded = st == ST_OK;
    }
    redis_reply_free(libraries);
    return st;
}

enum status redis_user_check(const struct redis *redis, const struct library *library, struct err *err)
{
    const char *user = redis_user(redis);

    if (!library->denied[0])
        return ST_OK;
    return err_set(err, ST_INVALID,
                   "Redis at %s: user \"%s\" may not run all that our functions need; allow it: "
                   "ACL SETUSER %s ~bgop:* %s (deploy/redis/users.acl lists all that each program needs)",
                   redis_address(redis), user, user, library->denied);
}

const char *functions_sha1(void)
{
    static _Thread_local char sha1[41];

    if (!sha1[0])
        snprintf(sha1, sizeof sha1, "%s", strstr(functions_code, "-- sha1 ") + strlen("-- sha1 "));
    return sha1;
}

bool functions_missing(const struct err *err)
{
    return err->status == ST_AGAIN && strstr(err->text, "ERR Function not found") != NULL;
}

static bool is_older(const char *version)
{
    int theirs[3] = { 0 }, ours[3] = { 0 };

    if (sscanf(version, "%d.%d.%d", &theirs[0], &theirs[1], &theirs[2]) < 1 ||
        sscanf(BGOP_VERSION, "%d.%d.%d", &ours[0], &ours[1], &ours[2]) < 1)
        return false;
    for (int i = 0; i < 3; i++) {
        if (theirs[i] != ours[i])
            return theirs[i] < ours[i];
    }
    return false;
}

static void read_library(const struct redis_reply *reply, struct library *library)
{
    size_t used = 0;

    *library = (struct library){ .found = LIBRARY_MISSING };
    if (redis_reply_count(reply) < WIRE_LIBRARY_ANSWER_SIZE)
        return;
    snprintf(library->version, sizeof library->version, "%s",
             redis_reply_text(redis_reply_at(reply, WIRE_LIBRARY_ANSWER_VERSION), NULL));
    snprintf(library->sha1, sizeof library->sha1, "%s",
             redis_reply_text(redis_reply_at(reply, WIRE_LIBRARY_ANSWER_DIGEST), NULL));
    for (size_t i = WIRE_LIBRARY_ANSWER_SIZE; i < redis_reply_count(reply) && used < sizeof library->denied; i++) {
        used += (size_t)snprintf(library->denied + used, sizeof library->denied - used, "%s+%s", used ? " " : "",
                                 redis_reply_text(redis_reply_at(reply, i), NULL));
    }
    library->found = strcmp(library->sha1, functions_sha1()) == 0 ? LIBRARY_OURS
                     : is_older(library->version)                 ? LIBRARY_OLDER
                                                                  : LIBRARY_OTHER;
}

enum status functions_look(struct redis *redis, const char *user, struct library *library, struct err *err)
{
    struct redis_reply *reply;
    enum status st = redis_call(redis, &reply, err, "FCALL_RO", "bgop_library", "0", user, NULL);

    *library = (struct library){ .found = LIBRARY_MISSING };
    if (st == ST_INVALID || (st == ST_AGAIN && functions_missing(err))) {
        *err = (struct err)ERR_INIT; /* a function of that name that is not ours says what it likes */
        return ST_OK;
    }
    if (st != ST_OK)
        return st;
    read_library(reply, library);
    redis_reply_free(reply);
    return ST_OK;
}

/* ---- the gate ---- */

enum status functions_run_id(struct redis *redis, char run_id[64], struct err *err)
{
    struct redis_reply *reply;
    const char *found;
    enum status st;

    run_id[0] = '\0';
    if (redis_is_cluster(redis))
        return redis_identify(redis, err);
    st = redis_call(redis, &reply, err, "INFO", "server", NULL);
    if (st != ST_OK)
        return st;
    found = strstr(redis_reply_text(reply, NULL), "run_id:");
    if (found)
        text_copy(run_id, 64, found + 7, strcspn(found + 7, "\r\n"));
    else
        st = err_set(err, ST_AGAIN, "Redis at %s: INFO server names no run_id", redis_address(redis));
    redis_reply_free(reply);
    return st;
}

enum status gate_send(struct redis *redis, int shard, struct err *err)
{
    struct redis_command *command = redis_scratch(redis);
    char key[KEY_SIZE];

    redis_command_add_text(command, "HMGET");
    redis_command_add_text(command, key_format(key, sizeof key, KEY_GATE, shard, NULL));
#define FIELD(layout, field, name) redis_command_add_text(command, name);
    WIRE_GATE_STATE(FIELD, GATE_STATE)
#undef FIELD
    return redis_send(redis, command, err);
}

enum status gate_receive(struct redis *redis, const char *run_id, struct gate *gate, struct err *err)
{
    struct redis_reply *reply;
    const char *mode, *run, *answering;
    enum status st = redis_receive(redis, &reply, err);

    *gate = (struct gate){ .generation = 0, .mode = GATE_ABSENT };
    if (st != ST_OK)
        return st;
    answering = redis_answering_run_id(redis);
    if (answering && !*answering) {
        redis_reply_free(reply);
        return err_set_server(err, ST_AGAIN, "redis",
                              "the server of a shard was connected anew, and is asked who it is");
    }
    mode = redis_reply_text(redis_reply_at(reply, WIRE_GATE_STATE_MODE), NULL);
    run = redis_reply_text(redis_reply_at(reply, WIRE_GATE_STATE_RUN), NULL);
    gate->generation = redis_reply_int(redis_reply_at(reply, WIRE_GATE_STATE_GENERATION), 0);
    if (strcmp(mode, "OPEN") == 0)
        gate->mode = GATE_OPEN;
    else if (mode[0])
        gate->mode = GATE_RECOVERING;
    gate->armed_for_this_server = mode[0] && strcmp(run, answering ? answering : run_id) == 0;
    redis_reply_free(reply);
    return ST_OK;
}

/* ---- fences ---- */

enum status fences_send(struct redis *redis, int shard, struct err *err)
{
    struct redis_command *command = redis_scratch(redis);
    char key[KEY_SIZE];

    redis_command_add_text(command, "HGETALL");
    redis_command_add_text(command, key_format(key, sizeof key, KEY_FENCES, shard, NULL));
    return redis_send(redis, command, err);
}

/* "next fp_offset fp_crc fp_timestamp" */
static bool parse_fence(const char *text, struct fence *fence)
{
    long long next, offset, timestamp;
    unsigned long crc;

    if (sscanf(text, "%lld %lld %lu %lld", &next, &offset, &crc, &timestamp) != 4)
        return false;
    fence->next = next;
    fence->fingerprint = (struct fingerprint){ offset, (uint32_t)crc, timestamp };
    return true;
}

static const struct fence fence_none = { .fingerprint = { .offset = -1 } };

enum status fences_receive(struct redis *redis, struct shard_fences *fences, struct err *err)
{
    struct redis_reply *reply;
    size_t count;
    enum status st = redis_receive(redis, &reply, err);

    *fences = (struct shard_fences){ .status = fence_none };
    if (st != ST_OK)
        return st;
    count = redis_reply_count(reply);
    fences->submit = xcalloc(count / 2 + 1, sizeof *fences->submit);
    for (size_t i = 0; i + 1 < count && st == ST_OK; i += 2) {
        const char *field = redis_reply_text(redis_reply_at(reply, i), NULL);
        const char *text = redis_reply_text(redis_reply_at(reply, i + 1), NULL);
        struct fence fence = fence_none;
        int64_t partition;

        if (!parse_fence(text, &fence)) {
            st = err_set(err, ST_AGAIN, "fence %s cannot be read: %s", field, text);
        } else if (strcmp(field, "t") == 0) {
            fences->status = fence;
        } else if (field[0] == 's' && text_parse_int64(field + 1, 0, ID_PARTITIONS_MAX - 1, &partition)) {
            fence.partition = (int)partition;
            fences->submit[fences->submit_count++] = fence;
        }
    }
    redis_reply_free(reply);
    if (st != ST_OK)
        shard_fences_release(fences);
    return st;
}

void shard_fences_release(struct shard_fences *fences)
{
    free(fences->submit);
    *fences = (struct shard_fences){ .status = fence_none };
}
