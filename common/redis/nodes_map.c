#include "common/redis/nodes_map.h"

#include <string.h>

#include "common/redis/edge.h"

enum { LEARN_TIMEOUT_MS = 1000 }; /* of one server: another may answer */

/* [first, last, [host, port, id, ...] of its primary, [...] of its replicas...] */
static bool enter_range(struct cluster_map *map, const struct redis_reply *range, const char *asked_host)
{
    const struct redis_reply *primary = redis_reply_at(range, 2);
    const char *host = redis_reply_text(redis_reply_at(primary, 0), NULL);

    return cluster_map_enter(
        map, redis_reply_int(redis_reply_at(range, 0), -1), redis_reply_int(redis_reply_at(range, 1), -1),
        *host && strcmp(host, "?") != 0 ? host : asked_host, redis_reply_int(redis_reply_at(primary, 1), 0));
}

static enum status ask(struct cluster_map *map, const struct redis_address *address, int timeout_ms, struct err *err)
{
    struct redis *redis = redis_new_at(address, timeout_ms < LEARN_TIMEOUT_MS ? timeout_ms : LEARN_TIMEOUT_MS);
    struct redis_reply *reply;
    enum status st = redis_call(redis, &reply, err, "CLUSTER", "SLOTS", NULL);

    if (st == ST_INVALID && strstr(err->text, "cluster support disabled")) {
        st = err_set(
            err, ST_INVALID,
            "Redis at %s: it was asked for its cluster (CLUSTER SLOTS), and is a single server: give its address "
            "alone, redis://%s",
            address->text, address->text);
    } else if (st == ST_INVALID) { /* an error that only its log explains */
        st = err_set_server(err, ST_AGAIN, "redis", "Redis at %s: CLUSTER SLOTS: %s", address->text, err->text);
    }
    if (st == ST_OK) {
        cluster_map_clear_slots(map);
        for (size_t i = 0; i < redis_reply_count(reply); i++)
            (void)enter_range(map, redis_reply_at(reply, i), address->host); /* else it is missed as uncovered */
    }
    redis_reply_free(reply);
    redis_free(redis);
    return st;
}

static enum status ask_known(struct cluster_map *map, const struct redis_address *address, int timeout_ms,
                             struct err *err)
{
    enum status st = ST_AGAIN;

    for (int i = 0; i < map->count && st == ST_AGAIN; i++) {
        struct redis_address known;

        if (!map->nodes[i].serves || map->nodes[i].away)
            continue;
        redis_address_at(&known, address, map->nodes[i].host, map->nodes[i].port);
        st = ask(map, &known, timeout_ms, err);
    }
    return st;
}

enum status nodes_map_learn(struct cluster_map *map, const struct redis_address *address, int timeout_ms,
                            struct err *err)
{
    const char *rest = address->seeds;
    enum status st = ask_known(map, address, timeout_ms, err);
    char host[256];
    int port;

    while (st == ST_AGAIN && redis_address_seed(&rest, host, sizeof host, &port)) {
        struct redis_address seed;

        redis_address_at(&seed, address, host, port);
        st = ask(map, &seed, timeout_ms, err);
    }
    if (st == ST_OK)
        *err = (struct err)ERR_INIT;
    return st;
}

enum status nodes_map_fail_uncovered(const char *text, int uncovered, int first, struct err *err)
{
    return err_set_server(
        err, ST_AGAIN, "redis",
        "Redis Cluster at %s: %d slots are served by nobody, from slot %d on: is a primary down without a "
        "replica? redis-cli --cluster check says more, redis-cli --cluster fix gives them to the others",
        text, uncovered, first);
}
