/* A run: weighted random steps, faults among them, then a drain without faults and the dump. */
#include "tests/simulation/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/record/tables.h"

const struct sim_type sim_types[TYPES] = {
#define XX(name, backoff, limit, timeout, retention, retention_error, on_sequence_failure, merge, bytes, running) \
    { #name, backoff, limit, timeout, retention, retention_error, #on_sequence_failure, merge, bytes, running },
    SIM_TYPES(XX)
#undef XX
};

const char sim_type_names[] = ""
#define XX(name, ...) #name " "
    SIM_TYPES(XX)
#undef XX
    ;

enum { FULL_CHECK_EVERY = 25, DRAIN_MAX = 600 };

void world_fail(struct world *world, const char *format, ...)
{
    va_list args;
    int used;

    if (world->failure[0] != '\0')
        return;
    used = snprintf(world->failure, sizeof world->failure, "step %d: ", world->step);
    va_start(args, format);
    vsnprintf(world->failure + used, sizeof world->failure - (size_t)used, format, args);
    va_end(args);
}

void world_event(struct world *world, struct event event)
{
    event.step = world->step;
    event.at_ms = world->now_ms;
    history_add(&world->history, event);
}

const struct submission_message *world_op(const struct world *world, int op)
{
    return &world->submit[world->places[op].partition].messages[world->places[op].offset];
}

int world_op_find(const struct world *world, const char *id)
{
    struct id_parts parts;

    if (!id_parse(id, strlen(id), &parts) || parts.partition >= PARTITIONS ||
        parts.offset >= (int64_t)world->submit[parts.partition].count)
        return -1;
    return world->submit[parts.partition].messages[parts.offset].op;
}

/* ---- steps ---- */

static void step_submit(struct world *world)
{
    for (int i = random_between(&world->random, 1, 4); i > 0; i--)
        user_submit(world);
}

static struct coordinator *any_coordinator(struct world *world)
{
    return &world->coordinators[random_below(&world->random, COORDINATORS)];
}

static struct worker *any_worker(struct world *world)
{
    return &world->workers[random_below(&world->random, WORKERS)];
}

static void step_intake(struct world *world)
{
    struct coordinator *coordinator = any_coordinator(world);

    coordinator_intake(world, coordinator, random_below(&world->random, PARTITIONS),
                       random_between(&world->random, 1, 12));
}

static void step_status(struct world *world)
{
    struct coordinator *coordinator = any_coordinator(world);

    coordinator_status(world, coordinator, random_below(&world->random, SHARDS), random_between(&world->random, 1, 6));
}

static void step_tick(struct world *world)
{
    struct coordinator *coordinator = any_coordinator(world);

    coordinator_tick(world, coordinator, random_below(&world->random, SHARDS));
}

static void step_claim(struct world *world)
{
    struct worker *worker = any_worker(world);
    int shard = random_below(&world->random, SHARDS), type = random_below(&world->random, TYPES);
    bool again = random_chance(&world->random, 7000); /* what was not answered is asked again, mostly at once */

    for (int s = 0; s < SHARDS; s++) {
        for (int t = 0; t < TYPES; t++) {
            if (again && worker->claim[s][t].waiting) {
                shard = s;
                type = t;
            }
        }
    }
    worker_claim(world, worker, shard, type, random_chance(&world->random, 3000));
}

static void step_run(struct world *world)
{
    struct worker *worker = any_worker(world);

    worker_run(world, worker);
    worker_report(world, worker);
}

static void step_renew(struct world *world)
{
    struct worker *worker = any_worker(world);

    for (int s = 0; s < SHARDS; s++)
        worker_renew(world, worker, s);
}

static void step_coordinator_crash(struct world *world)
{
    coordinator_start(world, any_coordinator(world));
}

static void step_worker_crash(struct world *world)
{
    worker_crash(world, any_worker(world));
}

static void step_jump(struct world *world)
{
    int64_t jump_ms = random_chance(&world->random, 500) ? 3600000 : random_between(&world->random, 1000, 20000);

    world_clock(world, world->now_ms + jump_ms);
}

static const struct {
    void (*run)(struct world *world);
    int weight;
} steps[] = {
    { step_submit, 1400 },     { step_intake, 1700 },
    { step_status, 1800 },     { step_tick, 900 },
    { step_claim, 1800 },      { step_run, 1600 },
    { step_renew, 900 },       { user_command, 250 },
    { user_pause, 60 },        { step_coordinator_crash, 40 },
    { step_worker_crash, 50 }, { step_jump, 60 },
    { world_restart, 15 },     { world_rollback, 25 },
};

static void step_any(struct world *world)
{
    int total = 0, pick;

    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        total += steps[i].weight;
    pick = random_below(&world->random, total);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        pick -= steps[i].weight;
        if (pick < 0)
            return steps[i].run(world);
    }
}

static void world_step(struct world *world, bool full)
{
    world->step++;
    world_clock(world, world->now_ms + random_below(&world->random, 300));
    step_any(world);
    structure_check(world, full);
    if (world->history.op_count > 0) {
        int count = (int)world->history.op_count;
        int ops[2];

        for (int i = 0; i < 2; i++)
            ops[i] = random_below(&world->random, count);
        world_observe(world, ops, 2);
    }
    world_snapshot(world);
}

/* ---- the drain: no faults, all outcomes ok, until nothing is left to do ---- */

static bool drained(struct world *world)
{
    for (int s = 0; s < SHARDS; s++) {
        if (world->status_fence[s] != (int64_t)world->status[s].count)
            return false;
        for (int p = 0; p < PARTITIONS; p++) {
            if (world->submit_fence[p][s] != (int64_t)world->submit[p].count)
                return false;
        }
    }
    for (int w = 0; w < WORKERS; w++) {
        if (world->workers[w].execution_count > 0)
            return false;
    }
    return structure_is_done(world);
}

static int64_t logged(const struct world *world)
{
    int64_t count = 0;

    for (int s = 0; s < SHARDS; s++)
        count += (int64_t)world->status[s].count;
    return count;
}

/* Workers claim in turn, and renew when leases begin to need it; time goes faster while nothing happens. */
static void drain_step(struct world *world, int round)
{
    int64_t before = logged(world);

    world->step++;
    world_clock(world, world->now_ms + 500);
    user_unblock(world);
    for (int c = 0; c < COORDINATORS; c++) {
        for (int p = 0; p < PARTITIONS; p++)
            coordinator_intake(world, &world->coordinators[c], p, 50);
        for (int s = 0; s < SHARDS; s++) {
            coordinator_status(world, &world->coordinators[c], s, 20);
            coordinator_tick(world, &world->coordinators[c], s);
        }
    }
    for (int w = 0; w < WORKERS; w++) {
        for (int s = 0; s < SHARDS; s++) {
            if (round % 3 == 0)
                worker_renew(world, &world->workers[w], s);
            for (int t = 0; t < TYPES && round % WORKERS == w; t++)
                worker_claim(world, &world->workers[w], s, t, false);
        }
        worker_run(world, &world->workers[w]);
        worker_report(world, &world->workers[w]);
    }
    if (logged(world) == before)
        world_clock(world, world->now_ms + 1000);
}

static void world_drain(struct world *world)
{
    int rounds = 0;

    world->quiet = true;
    user_resume_all(world);
    while (world->failure[0] == '\0' && !drained(world)) {
        drain_step(world, rounds);
        structure_check(world, rounds % FULL_CHECK_EVERY == 0);
        if (++rounds > DRAIN_MAX)
            world_fail(world, "something is never done");
    }
    structure_check(world, true);
    structure_check_end(world);
}

/* ---- a run ---- */

bool world_run(struct world *world, uint64_t seed, int step_count, bool rollbacks)
{
    memset(world, 0, sizeof *world);
    world->random.state = seed * UINT64_C(0x2545f4914f6cdd1d);
    world->now_ms = INT64_C(1700000000000);
    world->rollbacks_allowed = rollbacks;
    history_init(&world->history);
    world_redis_start(world);
    for (int w = 0; w < WORKERS; w++)
        worker_start(world, w);
    for (int i = 0; i < step_count && world->failure[0] == '\0'; i++)
        world_step(world, i % FULL_CHECK_EVERY == 0);
    if (world->failure[0] == '\0')
        world_drain(world);
    if (world->failure[0] == '\0')
        world_dump(world);
    return world->failure[0] == '\0';
}

void world_end(struct world *world)
{
    if (world->redis != NULL)
        redisFree(world->redis);
    redis_server_stop(&world->server);
    for (int p = 0; p < PARTITIONS; p++)
        free(world->submit[p].messages);
    for (int s = 0; s < SHARDS; s++) {
        free(world->status[s].batches);
        free(world->status[s].entries);
        for (int t = 0; t < TYPES; t++)
            free(world->hints[s][t].hints);
    }
    free(world->places);
    history_release(&world->history);
}
