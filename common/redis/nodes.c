/* A call that is outstanding is kept with its bytes until it is answered, so that it can be repeated at another server. Two
 * orders are kept: `calls` is that of the sends, in which receives answer; each node's `sent` is that of its own replies. To
 * answer a call, the replies of its server are read up to its own; those before it wait in their calls.
 *
 * A server that was lost (node_lost) is away until a probe finds that it answers: meanwhile its calls fail at once, so that
 * nobody waits for it who has others to serve, and the map is asked for elsewhere: another server may have its slots.
 *
 * A map that turned out wrong (MOVED, a server that is gone) is asked for anew from whichever server answers, over a connection
 * that is made for it: those at hand may have replies outstanding. */
#include "common/redis/nodes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/record/keys.h"
#include "common/redis/edge.h"
#include "common/redis/functions.h"
#include "common/redis/nodes_map.h"
#include "common/redis/probe.h"

enum {
    REDIRECTS_MAX = 5,
    LEARN_PAUSE_MS = 100, /* between two maps */
};

struct call {
    char *bytes;
    size_t size;
    int slot;   /* -1: any server will do */
    bool whole; /* of a shard: not to be answered by a server that has only a part of it */
    int redirects;
    int node; /* where it is outstanding, or was answered */
    bool answered;
    enum status status;
    struct redis_reply *reply;
    struct err err;
};

struct node {
    struct redis *redis;  /* NULL: never asked */
    uint64_t connections; /* as they were last counted */
    char run_id[64];
    uint64_t run_id_connection;    /* the connection over which it was asked for; 0: none */
    struct call **sent;            /* NULL: an ASKING, whose reply says nothing */
    size_t first, count, capacity; /* of sent: those from first on are outstanding */
    int unsubscribing;             /* so many SUNSUBSCRIBE are unanswered */
    struct probe probe;            /* of one that is away */
    struct err why;                /* it is away */
};

struct nodes {
    struct redis_address address;
    int timeout_ms;
    struct cluster_map map;
    bool learned, stale;
    int64_t tried_at_ms; /* when a map was last asked for; 0: never */
    struct err unknown;  /* why there is no map */
    struct node at[CLUSTER_NODES_MAX];
    struct call **calls;
    size_t first, count, capacity;
    bool unwritten; /* something was sent since the pipelines were written */
    int answering;  /* the node of the last answer; -1: none */
    uint64_t connections;
};

struct nodes *nodes_new(const struct redis_address *address, int timeout_ms)
{
    struct nodes *nodes = xcalloc(1, sizeof *nodes);

    nodes->address = *address;
    nodes->timeout_ms = timeout_ms;
    nodes->answering = -1;
    cluster_map_clear(&nodes->map);
    return nodes;
}

static void call_free(struct call *call)
{
    redis_reply_free(call->reply);
    free(call->bytes);
    free(call);
}

void nodes_disconnect(struct nodes *nodes)
{
    for (int i = 0; i < nodes->map.count; i++) {
        if (nodes->at[i].redis)
            redis_disconnect(nodes->at[i].redis);
        nodes->at[i].first = nodes->at[i].count = 0;
        nodes->at[i].unsubscribing = 0;
    }
    for (size_t i = nodes->first; i < nodes->count; i++)
        call_free(nodes->calls[i]);
    nodes->first = nodes->count = 0;
    nodes->answering = -1;
}

/* Who left the cluster for good is forgotten with the whole map, when there is no room for who joined. */
static void forget_nodes(struct nodes *nodes)
{
    nodes_disconnect(nodes);
    for (int i = 0; i < nodes->map.count; i++) {
        redis_free(nodes->at[i].redis);
        probe_release(&nodes->at[i].probe);
        free(nodes->at[i].sent);
        nodes->at[i] = (struct node){ 0 };
    }
    cluster_map_clear(&nodes->map);
    nodes->learned = false;
}

void nodes_free(struct nodes *nodes)
{
    if (!nodes)
        return;
    forget_nodes(nodes);
    free(nodes->calls);
    memset(nodes->address.password, 0, sizeof nodes->address.password);
    free(nodes);
}

/* ---- the map and the connections ---- */

/* again: also when it was asked for a moment ago. */
static enum status learn(struct nodes *nodes, bool again, struct err *err)
{
    int64_t now = clock_boot_ms();
    enum status st;

    if (nodes->learned && !nodes->stale)
        return ST_OK;
    if (!again && nodes->tried_at_ms && now - nodes->tried_at_ms < LEARN_PAUSE_MS) {
        if (!nodes->learned)
            *err = nodes->unknown;
        return nodes->learned ? ST_OK : err->status;
    }
    if (nodes->map.count == CLUSTER_NODES_MAX && nodes->first == nodes->count)
        forget_nodes(nodes);
    st = nodes_map_learn(&nodes->map, &nodes->address, nodes->timeout_ms, err);
    nodes->tried_at_ms = clock_boot_ms();
    nodes->learned = st == ST_OK;
    nodes->stale = false;
    nodes->unknown = *err;
    return st;
}

static struct redis *node_redis(struct nodes *nodes, int node)
{
    struct node *at = &nodes->at[node];
    struct redis_address address;

    if (!at->redis) {
        redis_address_at(&address, &nodes->address, nodes->map.nodes[node].host, nodes->map.nodes[node].port);
        at->redis = redis_new_at(&address, nodes->timeout_ms);
    }
    return at->redis;
}

static void count_connections(struct nodes *nodes, int node)
{
    uint64_t connections = redis_connection_number(nodes->at[node].redis);

    nodes->connections += connections - nodes->at[node].connections;
    nodes->at[node].connections = connections;
}

static bool node_connected(const struct nodes *nodes, int node)
{
    return nodes->map.nodes[node].serves && nodes->at[node].redis && redis_connected(nodes->at[node].redis);
}

/* Its connection ended, or none came about. Another server may have its slots by now. */
static void node_lost(struct nodes *nodes, int node, const struct err *why)
{
    nodes->map.nodes[node].away = true;
    nodes->at[node].why = *why;
    nodes->stale = true;
}

/* Is there any use in sending to it? */
static bool node_there(struct nodes *nodes, int node)
{
    struct cluster_node *known = &nodes->map.nodes[node];

    if (known->away)
        known->away = !probe_answers(&nodes->at[node].probe, known->host, known->port);
    return !known->away;
}

static enum status node_connect(struct nodes *nodes, int node, struct err *err)
{
    enum status st;

    if (!node_there(nodes, node)) {
        nodes->stale = true;
        *err = nodes->at[node].why;
        return err->status;
    }
    st = redis_connect(node_redis(nodes, node), err);
    count_connections(nodes, node);
    if (st != ST_OK)
        node_lost(nodes, node, err);
    return st;
}

enum status nodes_connect(struct nodes *nodes, struct err *err)
{
    struct err why = ERR_INIT;
    int first, uncovered, connected = 0;

    if (learn(nodes, !nodes->learned, err) != ST_OK)
        return err->status;
    uncovered = cluster_map_uncovered(&nodes->map, &first);
    if (uncovered > 0) {
        nodes->stale = true;
        return nodes_map_fail_uncovered(nodes->address.text, uncovered, first, err);
    }
    for (int i = 0; i < nodes->map.count; i++) {
        if (nodes->map.nodes[i].serves)
            connected += node_connect(nodes, i, &why) == ST_OK;
    }
    if (connected == 0)
        *err = why;
    return connected > 0 ? ST_OK : err->status;
}

bool nodes_connected(const struct nodes *nodes)
{
    bool any = false;

    for (int i = 0; i < nodes->map.count; i++) {
        any |= node_connected(nodes, i);
        if (nodes->map.nodes[i].serves && !nodes->map.nodes[i].away && !node_connected(nodes, i))
            return false;
    }
    return any && nodes->learned;
}

bool nodes_away(const struct nodes *nodes, int shard)
{
    char key[KEY_SIZE];
    bool any = false;
    int node;

    key_format(key, sizeof key, KEY_SHARD, shard, NULL);
    node = nodes->map.slots[cluster_slot(key, strlen(key))];
    for (int i = 0; i < nodes->map.count; i++)
        any |= nodes->map.nodes[i].serves && !nodes->map.nodes[i].away;
    return any && (node == CLUSTER_NO_NODE || !node_connected(nodes, node));
}

uint64_t nodes_connection_number(const struct nodes *nodes)
{
    return nodes->connections;
}

static enum status nodes_visit(struct nodes *nodes, int node, redis_visit *visit, void *arg, struct err *err)
{
    struct redis *redis = nodes->at[node].redis;
    enum status st = visit(arg, redis, err);

    count_connections(nodes, node);
    if (st != ST_OK && !redis_connected(redis))
        node_lost(nodes, node, err);
    return st;
}

enum status nodes_each(struct nodes *nodes, bool all, redis_visit *visit, void *arg, struct err *err)
{
    BGOP_ASSERT(nodes->first == nodes->count);
    if (nodes_connect(nodes, err) != ST_OK)
        return err->status;
    for (int i = 0; all && i < nodes->map.count; i++) {
        if (nodes->map.nodes[i].serves && !node_connected(nodes, i)) {
            *err = nodes->at[i].why;
            return err->status;
        }
    }
    for (int i = 0; i < nodes->map.count; i++) {
        struct err why = ERR_INIT;

        if (!node_connected(nodes, i) || nodes_visit(nodes, i, visit, arg, &why) == ST_OK)
            continue;
        if (all || !nodes->map.nodes[i].away) {
            *err = why;
            return err->status;
        }
    }
    return ST_OK;
}

/* ---- which server is which ---- */

enum status nodes_identify(struct nodes *nodes, struct err *err)
{
    if (nodes_connect(nodes, err) != ST_OK)
        return err->status;
    for (int i = 0; i < nodes->map.count; i++) {
        struct node *node = &nodes->at[i];

        if (!node_connected(nodes, i) || node->run_id_connection == redis_connection_number(node->redis))
            continue;
        if (functions_run_id(node->redis, node->run_id, err) == ST_OK) {
            count_connections(nodes, i);
            node->run_id_connection = redis_connection_number(node->redis);
        } else if (redis_connected(node->redis)) {
            return err->status;
        } else {
            node_lost(nodes, i, err);
            *err = (struct err)ERR_INIT;
        }
    }
    return ST_OK;
}

const char *nodes_run_id(const struct nodes *nodes)
{
    const struct node *node = nodes->answering >= 0 ? &nodes->at[nodes->answering] : NULL;

    return node && node->redis && node->run_id_connection == redis_connection_number(node->redis) ? node->run_id : "";
}

/* ---- sending ---- */

static int node_for(const struct nodes *nodes, int slot)
{
    if (slot >= 0)
        return nodes->map.slots[slot];
    for (int i = 0; i < nodes->map.count; i++) {
        if (node_connected(nodes, i))
            return i;
    }
    for (int i = 0; i < nodes->map.count; i++) {
        if (nodes->map.nodes[i].serves)
            return i;
    }
    return CLUSTER_NO_NODE;
}

static void node_push(struct node *node, struct call *call)
{
    if (node->first == node->count)
        node->first = node->count = 0;
    GROW(node->sent, node->count, node->capacity);
    node->sent[node->count++] = call;
}

static void call_fail(struct nodes *nodes, struct call *call, const struct err *err)
{
    call->answered = true;
    call->err = *err;
    call->status = err->status;
    nodes->stale = true;
}

/* At the server of its slot, or at this one. A server that cannot be reached answers the call with that. */
static void call_send(struct nodes *nodes, struct call *call, int node, bool asking)
{
    static const char asking_bytes[] = "*1\r\n$6\r\nASKING\r\n";
    struct err err = ERR_INIT;
    struct redis *redis;
    enum status st = ST_OK;

    call->node = node;
    if (node == CLUSTER_NO_NODE) {
        (void)!nodes_map_fail_uncovered(nodes->address.text, 1, call->slot, &err);
        call_fail(nodes, call, &err);
        return;
    }
    if (!node_there(nodes, node)) {
        call_fail(nodes, call, &nodes->at[node].why);
        return;
    }
    redis = node_redis(nodes, node);
    if (asking) {
        st = redis_send_written(redis, asking_bytes, sizeof asking_bytes - 1, &err);
        if (st == ST_OK)
            node_push(&nodes->at[node], NULL);
    }
    if (st == ST_OK)
        st = redis_send_written(redis, call->bytes, call->size, &err);
    if (st == ST_OK) {
        node_push(&nodes->at[node], call);
    } else {
        node_lost(nodes, node, &err);
        call_fail(nodes, call, &err);
    }
    count_connections(nodes, node);
    nodes->unwritten = true;
}

static void find_key(struct call *call, const struct redis_command *command)
{
    enum { LOOKED_AT = 4 };
    const char *args[LOOKED_AT];
    size_t sizes[LOOKED_AT], count = command->count < LOOKED_AT ? command->count : LOOKED_AT, key;

    for (size_t i = 0; i < count; i++) {
        args[i] = command->args[i].data;
        sizes[i] = command->args[i].size;
    }
    key = cluster_key_index(args, sizes, count);
    call->slot = key ? cluster_slot(args[key], sizes[key]) : -1;
    call->whole = key && sizes[key] > strlen("bgop:{") && memcmp(args[key], "bgop:{", strlen("bgop:{")) == 0;
}

static void calls_push(struct nodes *nodes, struct call *call)
{
    if (nodes->first == nodes->count)
        nodes->first = nodes->count = 0;
    GROW(nodes->calls, nodes->count, nodes->capacity);
    nodes->calls[nodes->count++] = call;
}

enum status nodes_send(struct nodes *nodes, const struct redis_command *command, struct err *err)
{
    struct call *call;

    if (learn(nodes, false, err) != ST_OK)
        return err->status;
    call = xcalloc(1, sizeof *call);
    call->bytes = xmalloc(redis_command_wire_max(command));
    call->size = (size_t)(redis_command_write(command, call->bytes) - call->bytes);
    find_key(call, command);
    calls_push(nodes, call);
    call_send(nodes, call, node_for(nodes, call->slot), false);
    return ST_OK;
}

/* ---- receiving ---- */

static void call_answer(struct call *call, enum status st, struct redis_reply *reply, const struct err *err)
{
    call->answered = true;
    call->status = st;
    call->reply = reply;
    if (st != ST_OK)
        call->err = *err;
}

/* Its slot is elsewhere for good: the map is told, and asked for anew soon, since other slots may have gone along. */
static void follow_moved(struct nodes *nodes, struct call *call, const struct cluster_redirect *redirect, int node)
{
    nodes->map.slots[redirect->slot] = (int16_t)node;
    nodes->map.nodes[node].serves = true;
    nodes->stale = true;
    call_send(nodes, call, node, false);
}

static void follow(struct nodes *nodes, struct call *call, const struct cluster_redirect *redirect,
                   const struct err *said)
{
    const char *host = *redirect->host ? redirect->host : nodes->map.nodes[call->node].host;
    int node = cluster_map_node(&nodes->map, host, redirect->port);
    struct err err = *said;

    if (redirect->kind == CLUSTER_ASK && call->whole) {
        err_set_server(&err, ST_AGAIN, "redis",
                       "slot %d is being moved from %s:%d to %s:%d: its shard waits until all of it is there",
                       redirect->slot, nodes->map.nodes[call->node].host, nodes->map.nodes[call->node].port, host,
                       redirect->port);
        call_answer(call, ST_AGAIN, NULL, &err);
    } else if (node == CLUSTER_NO_NODE || ++call->redirects > REDIRECTS_MAX) {
        nodes->stale = true;
        call_answer(call, ST_AGAIN, NULL, &err);
    } else if (redirect->kind == CLUSTER_ASK) {
        call_send(nodes, call, node, true);
    } else {
        follow_moved(nodes, call, redirect, node);
    }
}

/* Reads the next reply of a node into its call. */
static void take_reply(struct nodes *nodes, int number)
{
    struct node *node = &nodes->at[number];
    struct cluster_redirect redirect;
    struct redis_reply *reply;
    struct err err = ERR_INIT;
    struct call *call;
    enum status st;

    BGOP_ASSERT(node->first < node->count);
    call = node->sent[node->first++];
    st = redis_receive(node->redis, &reply, &err);
    if (!redis_connected(node->redis))
        node_lost(nodes, number, &err);
    if (!call) {
        redis_reply_free(reply);
        return;
    }
    redirect = cluster_redirect_read(redis_error_reply(node->redis));
    if (st != ST_OK && redirect.kind != CLUSTER_STAYS) {
        follow(nodes, call, &redirect, &err);
        return;
    }
    if (st == ST_AGAIN && (!*redis_error_reply(node->redis) || strstr(err.text, "CLUSTERDOWN")))
        nodes->stale = true;
    call_answer(call, st, reply, &err);
}

/* So that all servers work while the first one is waited for. */
static void write_all(struct nodes *nodes)
{
    struct err err = ERR_INIT;

    for (int i = 0; nodes->unwritten && i < nodes->map.count; i++) {
        if (nodes->at[i].first < nodes->at[i].count)
            (void)!redis_write_out(nodes->at[i].redis, &err); /* its receives will tell */
    }
    nodes->unwritten = false;
}

enum status nodes_receive(struct nodes *nodes, struct redis_reply **reply, struct err *err)
{
    struct call *call;
    enum status st;

    BGOP_ASSERT(nodes->first < nodes->count); /* else: a receive without a send */
    call = nodes->calls[nodes->first];
    while (!call->answered) {
        write_all(nodes);
        take_reply(nodes, call->node);
    }
    nodes->first++;
    nodes->answering = call->node;
    *reply = call->reply;
    call->reply = NULL;
    st = call->status;
    if (st != ST_OK)
        *err = call->err;
    call_free(call);
    return st;
}

/* An answer is read from a server only when none is at hand. */
static int answered_call(const struct nodes *nodes)
{
    for (size_t i = nodes->first; i < nodes->count; i++) {
        if (nodes->calls[i]->answered)
            return (int)(i - nodes->first);
    }
    return -1;
}

int nodes_arrived(struct nodes *nodes)
{
    struct call **calls = nodes->calls + nodes->first, *call;
    int index = answered_call(nodes);

    write_all(nodes);
    for (int i = 0; index < 0 && i < nodes->map.count; i++) {
        while (nodes->at[i].first < nodes->at[i].count && redis_answer_here(nodes->at[i].redis))
            take_reply(nodes, i);
    }
    write_all(nodes); /* what was repeated elsewhere */
    index = index < 0 ? answered_call(nodes) : index;
    if (index > 0) {
        call = calls[index];
        memmove(&calls[1], &calls[0], (size_t)index * sizeof *calls);
        calls[0] = call;
    }
    return index;
}

void nodes_give_up(struct nodes *nodes)
{
    const struct call *call = nodes->calls[nodes->first];
    struct err err = ERR_INIT;

    BGOP_ASSERT(nodes->first < nodes->count && !call->answered);
    redis_give_up(nodes->at[call->node].redis, &err);
    node_lost(nodes, call->node, &err);
}

size_t nodes_descriptors(const struct nodes *nodes, int *descriptors, size_t room)
{
    size_t count = 0;

    for (int i = 0; i < nodes->map.count; i++) {
        if (nodes->at[i].redis)
            count += redis_descriptors(nodes->at[i].redis, descriptors + count, room - count);
    }
    return count;
}

/* ---- connections that are not waited for ---- */

static enum status enqueue_at(struct nodes *nodes, int node, const struct redis_command *command, struct err *err)
{
    bool unsubscribes = command->args[0].size == strlen("SUNSUBSCRIBE") &&
                        memcmp(command->args[0].data, "SUNSUBSCRIBE", strlen("SUNSUBSCRIBE")) == 0;
    enum status st;

    if (node == CLUSTER_NO_NODE)
        return nodes_map_fail_uncovered(nodes->address.text, 1, 0, err);
    if (!node_connected(nodes, node))
        return err_set_server(err, ST_AGAIN, "redis", "%s", nodes->at[node].why.text);
    st = redis_enqueue(node_redis(nodes, node), command, err);
    if (st == ST_OK && unsubscribes)
        nodes->at[node].unsubscribing++;
    return st;
}

enum status nodes_enqueue(struct nodes *nodes, const struct redis_command *command, struct err *err)
{
    struct call key = { .slot = -1 };
    enum status st = ST_OK;

    find_key(&key, command);
    if (key.slot >= 0)
        return enqueue_at(nodes, node_for(nodes, key.slot), command, err);
    for (int i = 0; i < nodes->map.count && st == ST_OK; i++) { /* a sign of life: from all */
        if (node_connected(nodes, i))
            st = enqueue_at(nodes, i, command, err);
    }
    return st;
}

/* A server whose slot goes ends its subscriptions. Unasked, that is the end of this map. */
static bool is_slot_gone(struct node *node, const struct redis_reply *reply)
{
    if (strcmp(redis_reply_text(redis_reply_at(reply, 0), NULL), "sunsubscribe") != 0)
        return false;
    if (node->unsubscribing == 0)
        return true;
    node->unsubscribing--;
    return false;
}

/* One that was away, or has the slots of one that is: what is said there is to be heard again. */
static bool is_one_back(struct nodes *nodes)
{
    struct err err = ERR_INIT;

    if (nodes->stale && learn(nodes, false, &err) != ST_OK)
        return false;
    for (int i = 0; i < nodes->map.count; i++) {
        if (nodes->map.nodes[i].serves && !node_connected(nodes, i)) {
            nodes->stale = true;
            if (node_there(nodes, i))
                return true;
        }
    }
    return false;
}

enum status nodes_poll(struct nodes *nodes, struct redis_reply **reply, struct err *err)
{
    enum status st = ST_OK;

    *reply = NULL;
    if (is_one_back(nodes))
        st = err_set_server(err, ST_AGAIN, "redis", "Redis at %s: a server is back", nodes->address.text);
    for (int i = 0; i < nodes->map.count && st == ST_OK && !*reply; i++) {
        if (!node_connected(nodes, i))
            continue;
        st = redis_poll(nodes->at[i].redis, reply, err);
        if (st != ST_OK && !redis_connected(nodes->at[i].redis))
            node_lost(nodes, i, err);
        if (st == ST_OK && *reply && is_slot_gone(&nodes->at[i], *reply)) {
            redis_reply_free(*reply);
            *reply = NULL;
            st = redis_break(nodes->at[i].redis, "a slot was moved away, and its subscriptions ended", err);
        }
    }
    if (st != ST_OK) {
        nodes_disconnect(nodes);
        nodes->stale = true;
    }
    return st;
}
