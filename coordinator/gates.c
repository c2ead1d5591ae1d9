#include "coordinator/gates.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/memory.h"

void gates_init(struct gates *gates, struct redis *redis, int shards)
{
    *gates = (struct gates){ .redis = redis, .shards = shards };
    gates->at = xcalloc((size_t)shards, sizeof *gates->at);
}

void gates_release(struct gates *gates)
{
    free(gates->at);
    *gates = (struct gates){ 0 };
}

bool gate_usable(const struct gate *gate)
{
    return gate->mode != GATE_ABSENT && gate->armed_for_this_server;
}

/* The run id belongs to a server, so it is asked again on every new connection. */
static enum status gates_identify(struct gates *gates, struct err *err)
{
    if (redis_connect(gates->redis, err) != ST_OK)
        return err->status;
    if (gates->connection == redis_connection_number(gates->redis))
        return ST_OK;
    if (functions_run_id(gates->redis, gates->run_id, err) != ST_OK)
        return err->status;
    gates->connection = redis_connection_number(gates->redis);
    return ST_OK;
}

static enum status gates_receive(struct gates *gates, int shard, int *changed, struct err *err)
{
    struct gate before = gates->at[shard], *gate = &gates->at[shard];

    if (gate_receive(gates->redis, gates->run_id, gate, err) != ST_OK) {
        *gate = before;
        return err->status;
    }
    if (gate_usable(&before) && (!gate_usable(gate) || gate->generation != before.generation))
        ++*changed;
    return ST_OK;
}

enum status gates_look(struct gates *gates, const int *shards, int count, int *changed, struct err *err)
{
    enum status worst = gates_identify(gates, err);
    int sent = 0;

    *changed = 0;
    if (!shards)
        count = gates->shards;
    while (worst == ST_OK && sent < count) {
        worst = gate_send(gates->redis, shards ? shards[sent] : sent, err);
        sent += worst == ST_OK;
    }
    for (int i = 0; i < sent; i++) {
        enum status st = gates_receive(gates, shards ? shards[i] : i, changed, err);

        worst = st != ST_OK ? st : worst;
    }
    if (worst == ST_OK)
        gates->looked_at_ms = clock_boot_ms();
    return worst;
}

bool gates_all_usable(const struct gates *gates)
{
    for (int s = 0; s < gates->shards; s++) {
        if (!gate_usable(&gates->at[s]))
            return false;
    }
    return true;
}

bool gates_all_open(const struct gates *gates)
{
    for (int s = 0; s < gates->shards; s++) {
        if (!gate_usable(&gates->at[s]) || gates->at[s].mode != GATE_OPEN)
            return false;
    }
    return true;
}
