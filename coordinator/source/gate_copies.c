#include "coordinator/source/gate_copies.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "coordinator/source/round.h"

void gate_copies_init(struct gate_copies *gates, struct redis *redis, int shards)
{
    *gates = (struct gate_copies){ .redis = redis, .shards = shards };
    gates->at = xcalloc((size_t)shards, sizeof *gates->at);
    gates->away = xcalloc((size_t)shards, sizeof *gates->away);
}

void gate_copies_release(struct gate_copies *gates)
{
    free(gates->at);
    free(gates->away);
    *gates = (struct gate_copies){ 0 };
}

bool gate_usable(const struct gate *gate)
{
    return gate->mode != GATE_ABSENT && gate->armed_for_this_server;
}

/* The run id belongs to a server, so it is read again on every new connection. */
static enum status gate_copies_identify(struct gate_copies *gates, struct err *err)
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

static enum status gate_copy_receive(struct gate_copies *gates, int shard, int *changed, struct err *err)
{
    struct gate before = gates->at[shard], *gate = &gates->at[shard];

    if (gate_receive(gates->redis, gates->run_id, gate, err) != ST_OK) {
        *gate = before;
        return gate_copies_lose(gates, shard, err) ? ST_OK : err->status;
    }
    gates->away[shard] = false;
    if (gate_usable(&before) && (!gate_usable(gate) || gate->generation != before.generation))
        ++*changed;
    return ST_OK;
}

enum status gate_copies_refresh(struct gate_copies *gates, const int *shards, int count, int *changed, struct err *err)
{
    struct round round = { 0 };

    *changed = 0;
    if (gate_copies_identify(gates, err) != ST_OK)
        return err->status;
    if (!shards)
        count = gates->shards;
    while (round.sent < count &&
           round_sent(&round, gate_send(gates->redis, shards ? shards[round.sent] : round.sent, &round.why)))
        ;
    for (int i = 0; i < round.sent; i++)
        round_note(&round, gate_copy_receive(gates, shards ? shards[i] : i, changed, &round.why));
    if (round.worst.status == ST_OK)
        gates->refreshed_at_ms = clock_boot_ms();
    return round_end(&round, err);
}

bool gate_copies_all_usable(const struct gate_copies *gates)
{
    for (int s = 0; s < gates->shards; s++) {
        if (!gate_usable(&gates->at[s]) && !gates->away[s])
            return false;
    }
    return true;
}

bool gate_copies_lose(struct gate_copies *gates, int shard, const struct err *why)
{
    if (why->status != ST_AGAIN || !redis_shard_away(gates->redis, shard))
        return false;
    gates->at[shard] = (struct gate){ 0 };
    gates->away[shard] = true;
    gates->why = *why;
    return true;
}

bool gate_copies_any_away(const struct gate_copies *gates)
{
    for (int s = 0; s < gates->shards; s++) {
        if (gates->away[s])
            return true;
    }
    return false;
}

void gate_copies_report(const struct gate_copies *gates, struct loop *loop)
{
    if (gate_copies_any_away(gates))
        loop_failed(loop, &gates->why);
    else
        loop_redis_works(loop);
}

bool gate_copies_all_open(const struct gate_copies *gates)
{
    for (int s = 0; s < gates->shards; s++) {
        if (!gate_usable(&gates->at[s]) || gates->at[s].mode != GATE_OPEN)
            return false;
    }
    return true;
}
