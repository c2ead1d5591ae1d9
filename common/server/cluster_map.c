#include "common/server/cluster_map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/text.h"

enum { POLYNOMIAL = 0x1021, CRC_TOP_BIT = 0x8000 };

/* CRC-16/XMODEM, as Redis Cluster's specification has it. Keys' tags are a few characters: no table. */
static unsigned crc16(const char *data, size_t size)
{
    unsigned crc = 0;

    for (size_t i = 0; i < size; i++) {
        crc ^= (unsigned)(unsigned char)data[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & CRC_TOP_BIT ? crc << 1 ^ POLYNOMIAL : crc << 1) & 0xFFFF;
    }
    return crc;
}

int cluster_slot(const char *key, size_t size)
{
    const char *open = memchr(key, '{', size);
    const char *close = open ? memchr(open + 1, '}', size - (size_t)(open + 1 - key)) : NULL;

    if (close && close > open + 1)
        return (int)(crc16(open + 1, (size_t)(close - open - 1)) % CLUSTER_SLOTS);
    return (int)(crc16(key, size) % CLUSTER_SLOTS);
}

void cluster_map_clear(struct cluster_map *map)
{
    map->count = 0;
    cluster_map_clear_slots(map);
}

void cluster_map_clear_slots(struct cluster_map *map)
{
    for (int i = 0; i < map->count; i++)
        map->nodes[i].serves = false;
    for (int i = 0; i < CLUSTER_SLOTS; i++)
        map->slots[i] = CLUSTER_NO_NODE;
}

int cluster_map_node(struct cluster_map *map, const char *host, int64_t port)
{
    struct cluster_node *node = &map->nodes[map->count];

    if (!*host || port < 1 || port > 65535)
        return CLUSTER_NO_NODE;
    for (int i = 0; i < map->count; i++) {
        if (map->nodes[i].port == port && strcasecmp(map->nodes[i].host, host) == 0)
            return i;
    }
    if (map->count == CLUSTER_NODES_MAX || !text_copy(node->host, sizeof node->host, host, strlen(host)))
        return CLUSTER_NO_NODE;
    node->port = (int)port;
    node->serves = node->away = false;
    return map->count++;
}

bool cluster_map_enter(struct cluster_map *map, int64_t first, int64_t last, const char *host, int64_t port)
{
    int node = cluster_map_node(map, host, port);

    if (node == CLUSTER_NO_NODE || first < 0 || last < first || last >= CLUSTER_SLOTS)
        return false;
    map->nodes[node].serves = true;
    for (int64_t slot = first; slot <= last; slot++)
        map->slots[slot] = (int16_t)node;
    return true;
}

int cluster_map_uncovered(const struct cluster_map *map, int *first)
{
    int uncovered = 0;

    *first = -1;
    for (int i = CLUSTER_SLOTS - 1; i >= 0; i--) {
        if (map->slots[i] != CLUSTER_NO_NODE)
            continue;
        uncovered++;
        *first = i;
    }
    return uncovered;
}

/* host:port, [v6]:port, v6:port (as Redis writes it), or :port. */
static bool read_place(struct cluster_redirect *redirect, const char *place)
{
    size_t size = strcspn(place, " \r\n");
    const char *colon = memrchr(place, ':', size);
    const char *host = place, *end = colon;
    char port[8];
    int64_t number;

    if (!colon || !text_copy(port, sizeof port, colon + 1, size - (size_t)(colon + 1 - place)) ||
        !text_parse_int64(port, 1, 65535, &number))
        return false;
    if (*host == '[' && end > host && end[-1] == ']') {
        host++;
        end--;
    }
    redirect->port = (int)number;
    if (end - host == 1 && *host == '?') /* it does not know its own name: the one it was asked by */
        end = host;
    return text_copy(redirect->host, sizeof redirect->host, host, (size_t)(end - host));
}

struct cluster_redirect cluster_redirect_read(const char *error)
{
    struct cluster_redirect redirect = { .kind = CLUSTER_STAYS };
    enum cluster_redirect_kind kind = strncmp(error, "MOVED ", 6) == 0 ? CLUSTER_MOVED
                                      : strncmp(error, "ASK ", 4) == 0 ? CLUSTER_ASK
                                                                       : CLUSTER_STAYS;
    const char *slot = strchr(error, ' '), *place = slot ? strchr(slot + 1, ' ') : NULL;
    char *end;
    long number;

    if (kind == CLUSTER_STAYS || !place)
        return redirect;
    number = strtol(slot + 1, &end, 10);
    if (end != place || number < 0 || number >= CLUSTER_SLOTS || !read_place(&redirect, place + 1))
        return (struct cluster_redirect){ .kind = CLUSTER_STAYS };
    redirect.kind = kind;
    redirect.slot = (int)number;
    return redirect;
}

/* ---- where the key stands ---- */

/* By a command's name: the index of its key. Every other command of ours has it behind its name. */
static const struct {
    const char *name;
    size_t key, count; /* count: the argument that says whether there is a key; 0: there is */
} commands[] = {
    { "FCALL", 3, 2 },    { "FCALL_RO", 3, 2 }, { "PUBSUB", 2, 0 },   { "PING", 0, 0 },    { "INFO", 0, 0 },
    { "TIME", 0, 0 },     { "CONFIG", 0, 0 },   { "FUNCTION", 0, 0 }, { "SCAN", 0, 0 },    { "DBSIZE", 0, 0 },
    { "CLUSTER", 0, 0 },  { "SCRIPT", 0, 0 },   { "ACL", 0, 0 },      { "CLIENT", 0, 0 },  { "BGREWRITEAOF", 0, 0 },
    { "ASKING", 0, 0 },   { "COMMAND", 0, 0 },  { "MEMORY", 2, 0 },   { "OBJECT", 2, 0 },  { "FLUSHALL", 0, 0 },
    { "LASTSAVE", 0, 0 }, { "ROLE", 0, 0 },     { "WAIT", 0, 0 },     { "DEBUG", 0, 0 },   { "XINFO", 2, 0 },
    { "SHUTDOWN", 0, 0 }, { "EVAL", 3, 2 },     { "SLOWLOG", 0, 0 },  { "LATENCY", 0, 0 },
};

static bool is(const char *data, size_t size, const char *name)
{
    return strlen(name) == size && strncasecmp(data, name, size) == 0;
}

size_t cluster_key_index(const char *const *args, const size_t *sizes, size_t count)
{
    size_t index = 1;

    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (!is(args[0], sizes[0], commands[i].name))
            continue;
        index = commands[i].key;
        if (commands[i].count &&
            (count <= commands[i].count || is(args[commands[i].count], sizes[commands[i].count], "0")))
            index = 0;
        break;
    }
    return index < count ? index : 0;
}
