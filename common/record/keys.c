#include "common/record/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"

#define SHARD(name)   name
#define CHANNEL(name) name
#define QUEUE(name)   "bgop:" name
static const char *const names[KEY_COUNT] = {
#define XX(id, scope, name, of, type, writers, holds) scope(name),
    REDIS_KEYS(XX)
#undef XX
};

const char *key_format(char *room, size_t size, enum redis_key key, int shard, const char *of)
{
    if (key == KEY_SHARD)
        snprintf(room, size, "bgop:{%d}", shard);
    else
        snprintf(room, size, "bgop:{%d}:%s%s%s", shard, names[key], of ? ":" : "", of ? of : "");
    return room;
}

const char *key_format_rest(char *room, size_t size, int shard, const char *rest)
{
    snprintf(room, size, "bgop:{%d}:%s", shard, rest);
    return room;
}

const char *key_name(enum redis_key key)
{
    return names[key];
}

const char *key_rest(const char *key, int *shard)
{
    static const char head[] = "bgop:{";
    char *end;
    long number;

    if (strncmp(key, head, sizeof head - 1) != 0)
        return NULL;
    number = strtol(key + sizeof head - 1, &end, 10);
    if (end == key + sizeof head - 1 || strncmp(end, "}:", 2) != 0 || number < 0 || number > 65535)
        return NULL;
    *shard = (int)number;
    return end + 2;
}

const char *key_rest_of(const char *rest, enum redis_key key)
{
    size_t length = strlen(names[key]);

    if (strncmp(rest, names[key], length) != 0)
        return NULL;
    return rest[length] == ':' ? rest + length + 1 : rest[length] == '\0' ? rest + length : NULL;
}
