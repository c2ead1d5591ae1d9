#include "common/client/link_cluster.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "common/server/cluster_map.h"

enum { REDIRECTS_MAX = 5, KEY_LOOKED_AT = 4 };

struct link_nodes {
    struct cluster_map map;
    bool learned;
    struct link *at[CLUSTER_NODES_MAX]; /* NULL: not spoken to yet */
};

void link_cluster_close(struct link *link)
{
    for (int i = 0; link->nodes && i < CLUSTER_NODES_MAX; i++) {
        if (!link->nodes->at[i])
            continue;
        link_server_close(link->nodes->at[i]);
        memset(link->nodes->at[i]->to.password, 0, sizeof link->nodes->at[i]->to.password);
        free(link->nodes->at[i]);
    }
    free(link->nodes);
    link->nodes = NULL;
}

static enum bgop_code fail_like(struct link *link, enum bgop_code code, const char *text)
{
    text_copy(link->error, sizeof link->error, text, strlen(text));
    return code;
}

static struct link *node_link(struct link *link, int node)
{
    struct link *at = link->nodes->at[node];

    if (at)
        return at;
    at = calloc(1, sizeof *at);
    if (at) {
        redis_address_at(&at->to, &link->to, link->nodes->map.nodes[node].host, link->nodes->map.nodes[node].port);
        at->timeout_ms = link->timeout_ms;
    }
    return link->nodes->at[node] = at;
}

/* ---- the map ---- */

static int64_t number_at(const struct redisReply *range, size_t index)
{
    const struct redisReply *element = link_reply_at(range, index);

    return element && element->type == REDIS_REPLY_INTEGER ? element->integer : -1;
}

static void enter(struct cluster_map *map, const struct redisReply *ranges, const char *asked_host)
{
    cluster_map_clear_slots(map);
    for (size_t i = 0; i < link_reply_count(ranges); i++) {
        const struct redisReply *range = link_reply_at(ranges, i), *primary = link_reply_at(range, 2);
        const char *host = link_reply_text(link_reply_at(primary, 0));

        (void)cluster_map_enter(map, number_at(range, 0), number_at(range, 1),
                                *host && strcmp(host, "?") != 0 ? host : asked_host, number_at(primary, 1));
    }
}

static enum bgop_code ask_map(struct link *link, int node)
{
    struct link *at = node_link(link, node);
    struct redisReply *reply;
    char host[256];
    enum bgop_code code;

    if (!at)
        return fail_like(link, BGOP_NO_MEMORY, "out of memory");
    code = link_server_call(at, &reply, 2, (const char *[]){ "CLUSTER", "SLOTS" });
    if (code != BGOP_OK)
        return fail_like(link, code, at->error);
    text_copy(host, sizeof host, at->to.host, strlen(at->to.host));
    enter(&link->nodes->map, reply, host);
    link_reply_free(reply);
    link->nodes->learned = true;
    return BGOP_OK;
}

/* From those that are known, then from those of the address. */
static enum bgop_code learn(struct link *link)
{
    const char *rest = link->to.seeds;
    enum bgop_code code = BGOP_UNREACHABLE;
    char host[256];
    int port;

    if (!link->nodes) {
        link->nodes = calloc(1, sizeof *link->nodes);
        if (!link->nodes)
            return fail_like(link, BGOP_NO_MEMORY, "out of memory");
        cluster_map_clear(&link->nodes->map);
    }
    if (link->nodes->learned)
        return BGOP_OK;
    for (int i = 0; i < link->nodes->map.count && code == BGOP_UNREACHABLE; i++) {
        if (link->nodes->map.nodes[i].serves)
            code = ask_map(link, i);
    }
    while (code == BGOP_UNREACHABLE && redis_address_seed(&rest, host, sizeof host, &port)) {
        int node = cluster_map_node(&link->nodes->map, host, port);

        code = node == CLUSTER_NO_NODE ? fail_like(link, BGOP_FAILED, "the cluster has too many servers")
                                       : ask_map(link, node);
    }
    return code;
}

/* ---- calls ---- */

static int node_for(const struct link *link, int argc, const char *const *argv)
{
    size_t sizes[KEY_LOOKED_AT], count = argc < KEY_LOOKED_AT ? (size_t)argc : KEY_LOOKED_AT, key;
    const struct cluster_map *map = &link->nodes->map;

    for (size_t i = 0; i < count; i++)
        sizes[i] = strlen(argv[i]);
    key = cluster_key_index(argv, sizes, count);
    if (key)
        return map->slots[cluster_slot(argv[key], sizes[key])];
    for (int i = 0; i < map->count; i++) {
        if (map->nodes[i].serves)
            return i;
    }
    return CLUSTER_NO_NODE;
}

/* What the server said of another one; link->error holds it within a text. */
static struct cluster_redirect redirect_of(const struct link *at)
{
    const char *moved = strstr(at->error, "MOVED ");

    return cluster_redirect_read(moved ? moved : "");
}

enum bgop_code link_cluster_call(struct link *link, struct redisReply **reply, int argc, const char *const *argv)
{
    enum bgop_code code = learn(link);
    int node = code == BGOP_OK ? node_for(link, argc, argv) : CLUSTER_NO_NODE;

    *reply = NULL;
    for (int tries = 0; code == BGOP_OK; tries++) {
        struct link *at = node == CLUSTER_NO_NODE ? NULL : node_link(link, node);
        struct cluster_redirect redirect;

        if (!at) {
            link->nodes->learned = false;
            return fail_like(link, BGOP_UNREACHABLE,
                             "Redis Cluster: nobody serves the slot of this key: see redis-cli "
                             "--cluster check");
        }
        code = link_server_call(at, reply, argc, argv);
        if (code == BGOP_OK)
            return code;
        fail_like(link, code, at->error);
        link->nodes->learned = link->nodes->learned && code != BGOP_UNREACHABLE;
        redirect = redirect_of(at);
        if (redirect.kind != CLUSTER_MOVED || tries == REDIRECTS_MAX)
            return code;
        node = cluster_map_node(&link->nodes->map, *redirect.host ? redirect.host : at->to.host, redirect.port);
        code = BGOP_OK;
    }
    return code;
}
