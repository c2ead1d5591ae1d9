#include "coordinator/daemon/redis_checks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/text.h"
#include "common/server/causes.h"

enum { REDIS_MAJOR_MIN = 7, LISTPACK_VALUE_MIN = 1024, LISTPACK_ENTRIES_MIN = 48 };

/* clang-format off */
static bool is_yes(const char *value) { return strcmp(value, "yes") == 0 || strcmp(value, "1") == 0; }
static bool is_noeviction(const char *value) { return strcmp(value, "noeviction") == 0; }
static bool is_master(const char *value) { return strcmp(value, "master") == 0; }
static bool is_no_sentinel(const char *value) { return strcmp(value, "sentinel") != 0; }
static bool is_zero(const char *value) { return strcmp(value, "0") == 0; }
static bool is_new_enough(const char *value) { return strtol(value, NULL, 10) >= REDIS_MAJOR_MIN; }
static bool is_synced(const char *value) { return strcmp(value, "no") != 0; }
static bool is_large_value(const char *value) { return strtol(value, NULL, 10) >= LISTPACK_VALUE_MIN; }
static bool is_many_entries(const char *value) { return strtol(value, NULL, 10) >= LISTPACK_ENTRIES_MIN; }

static const struct setting {
    const char *name;
    const char *info;                   /* its name in INFO, which every user may ask; NULL: CONFIG GET only */
    bool (*fine)(const char *value);
    enum setting_verdict otherwise;
    const char *advice;
} settings[] = {
    { "redis_version", "redis_version", is_new_enough, SETTING_REFUSED,
      "Redis 7.0 or newer is needed (functions)" },
    { "redis_mode", "redis_mode", is_no_sentinel, SETTING_REFUSED,
      REDIS_IS_SENTINEL ": write redis+sentinel://host:port/NAME" },
    { "role", "role", is_master, SETTING_REFUSED,
      "this server is a replica: connect to its primary, or by the Sentinels that know it" },
    { "cluster_enabled", "cluster_enabled", is_zero, SETTING_REFUSED,
      "it is a node of a Redis Cluster: name several of them, redis://host:port,host:port, or redis+cluster://host:port" },
    { "maxmemory-policy", "maxmemory_policy", is_noeviction, SETTING_REFUSED,
      "records would be evicted: set maxmemory-policy noeviction" },
    { "appendonly", "aof_enabled", is_yes, SETTING_REFUSED,
      "records would not survive a restart: set appendonly yes" },
    { "appendfsync", NULL, is_synced, SETTING_DOUBTFUL,
      "a power cut loses what the kernel has not written: set appendfsync everysec or always" },
    { "hash-max-listpack-value", NULL, is_large_value, SETTING_DOUBTFUL,
      "records with payloads take three times the memory: set hash-max-listpack-value 1024" },
    { "hash-max-listpack-entries", NULL, is_many_entries, SETTING_DOUBTFUL,
      "records take three times the memory: set hash-max-listpack-entries 48 or more" },
};
/* clang-format on */
enum { SETTING_COUNT = sizeof settings / sizeof *settings };

static enum setting_verdict setting_check(const struct setting *setting, const char *value, struct err *err)
{
    if (setting->fine(value))
        return SETTING_FINE;
    err_set(err, ST_INVALID, "%s is %s: %s", setting->name, value, setting->advice);
    return setting->otherwise;
}

enum setting_verdict redis_check_value(const char *name, const char *value, struct err *err)
{
    for (int i = 0; i < SETTING_COUNT; i++) {
        if (strcmp(settings[i].name, name) == 0)
            return setting_check(&settings[i], value, err);
    }
    return SETTING_FINE;
}

bool info_text(const char *info, const char *name, char *value, size_t room)
{
    size_t size = strlen(name);

    for (const char *line = info; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, size) == 0 && line[size] == ':')
            return text_copy(value, room, line + size + 1, strcspn(line + size + 1, "\r\n"));
    }
    return false;
}

/* Settings that could not be asked for. */
struct unknown {
    char names[256];
    struct err why;
};

static void unknown_add(struct unknown *unknown, const char *name, const struct err *why)
{
    size_t used = strlen(unknown->names);

    snprintf(unknown->names + used, sizeof unknown->names - used, "%s%s", used ? " " : "", name);
    unknown->why = *why;
}

/* A server that forbids a question (a hosted one, an ACL) is not refused for it, but cannot be vouched for. */
static bool is_forbidden(enum status st, const char *name, struct unknown *unknown, struct err *err)
{
    if (st != ST_INVALID && !redis_is_refusal(err))
        return false;
    unknown_add(unknown, name, err);
    *err = (struct err)ERR_INIT;
    return true;
}

static enum status config_get(struct redis *redis, const char *name, char *value, size_t room, struct unknown *unknown,
                              struct err *err)
{
    struct redis_reply *reply;
    enum status st = redis_call(redis, &reply, err, "CONFIG", "GET", name, NULL);

    value[0] = '\0';
    if (is_forbidden(st, name, unknown, err))
        return ST_OK;
    if (st != ST_OK)
        return st;
    text_copy(value, room, redis_reply_text(redis_reply_at(reply, 1), NULL),
              strlen(redis_reply_text(redis_reply_at(reply, 1), NULL)));
    redis_reply_free(reply);
    return ST_OK;
}

static enum status setting_fetch_and_check(struct redis *redis, const struct setting *setting, const char *info,
                                           struct unknown *unknown, struct err *err)
{
    char value[128] = "";
    struct err why = ERR_INIT;

    if (!(setting->info && info_text(info, setting->info, value, sizeof value)) &&
        config_get(redis, setting->name, value, sizeof value, unknown, err) != ST_OK)
        return err->status;
    if (!value[0])
        return ST_OK;
    switch (setting_check(setting, value, &why)) {
    case SETTING_REFUSED: return err_set(err, ST_INVALID, "Redis at %s: %s", redis_address(redis), why.text);
    case SETTING_DOUBTFUL:
        log_error_text(LOG_LEVEL_WARNING, "redis setting", why.text, "server=%s", redis_address(redis));
        return ST_OK;
    case SETTING_FINE: break;
    }
    return ST_OK;
}

/* Redis 7.0 reads its append-only file as the default user, also when that is switched off: what a function wrote is refused
 * when it may not write it, and gone after a restart. */
static enum status default_user_check(struct redis *redis, struct unknown *unknown, struct err *err)
{
    struct redis_reply *reply;
    enum status st =
        redis_call(redis, &reply, err, "ACL", "DRYRUN", "default", "HSET", "bgop:{0}:gate", "now", "0", NULL);
    const char *says;

    if (is_forbidden(st, "default-user", unknown, err))
        return ST_OK;
    if (st != ST_OK)
        return st;
    says = redis_reply_text(reply, NULL);
    if (strcmp(says, "OK") != 0) {
        st = err_set(
            err, ST_INVALID,
            "Redis at %s: %s. It reads its append-only file as that user, and would forget at its next start what "
            "was written: ACL SETUSER default ~* &* +@all (it may stay off), and the same in the file of users",
            redis_address(redis), says);
    }
    redis_reply_free(reply);
    return st;
}

/* Of a cluster's servers each says so; and by Sentinels a replica is left as soon as they name another. */
static bool expected(const struct redis *asked, const struct setting *setting)
{
    return (redis_is_cluster(asked) && setting->fine == is_zero) ||
           (redis_is_by_sentinel(asked) && setting->fine == is_master);
}

static enum status server_check(void *asked, struct redis *redis, struct err *err)
{
    struct unknown unknown = { .names = "" };
    struct redis_reply *info;
    enum status st = redis_call(redis, &info, err, "INFO", NULL);

    for (int i = 0; i < SETTING_COUNT && st == ST_OK; i++) {
        if (!expected(asked, &settings[i]))
            st = setting_fetch_and_check(redis, &settings[i], redis_reply_text(info, NULL), &unknown, err);
    }
    redis_reply_free(info);
    if (st == ST_OK)
        st = default_user_check(redis, &unknown, err);
    if (st == ST_OK && unknown.names[0]) {
        log_error_text(LOG_LEVEL_WARNING, "redis settings not checked", unknown.why.text, "settings=\"%s\"",
                       unknown.names);
    }
    return st;
}

enum status redis_checks_run(struct redis *redis, struct err *err)
{
    return redis_each_there(redis, server_check, redis, err);
}
