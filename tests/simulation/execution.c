/* What workers run: alone or in groups. A handler ends in every way it may; its worker reports through the status log, the
 * leader's outcome behind its followers', and again when the delivery is unknown. Most heed the end of their leases; some
 * hang and report long after. */
#include <stdlib.h>
#include <string.h>

#include "tests/simulation/world.h"

enum { KILL_BEFORE_LEASE_ENDS_MS = 3000 };

/* ---- how it ends ---- */

static const char *kind_choose(struct world *world)
{
    static const struct {
        const char *kind;
        int weight;
    } kinds[] = {
        { "ok", 62 }, { "error", 24 }, { "permanent", 3 }, { "crashed", 5 }, { "returned", 4 }, { "skipped", 2 },
    };
    int pick = random_below(&world->random, 100);

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        pick -= kinds[i].weight;
        if (pick < 0)
            return kinds[i].kind;
    }
    return "ok";
}

static const char *member_kind_choose(struct world *world)
{
    static const char *const kinds[] = { "error", "error", "error", "permanent", "skipped", "returned", "unanswered" };

    return random_chance(&world->random, 7500) ? "ok"
                                               : kinds[random_below(&world->random, sizeof kinds / sizeof *kinds)];
}

/* The order in which a handler works: its sequence group's. */
static bool works_before(const struct world *world, int a, int b)
{
    const struct history_op *x = &world->history.ops[a], *y = &world->history.ops[b];

    if (x->sequence == 0 || x->sequence != y->sequence)
        return false;
    if (x->sequence_number != y->sequence_number)
        return x->sequence_number < y->sequence_number;
    return strcmp(world_op(world, a)->id, world_op(world, b)->id) < 0;
}

static bool follows_a_failed_one(const struct world *world, const struct execution *execution, int op)
{
    if (strcmp(execution->kind, "ok") != 0 && works_before(world, execution->op, op))
        return true;
    for (int m = 0; m < execution->follower_count; m++) {
        const struct member *member = &execution->followers[m];

        if ((member->kind == NULL || strcmp(member->kind, "ok") != 0) && works_before(world, member->op, op))
            return true;
    }
    return false;
}

/* Who stands behind a failed one of its sequence group is skipped. */
static void skip_the_rest(struct world *world, struct execution *execution)
{
    for (int round = 0; round < MEMBERS; round++) {
        if (strcmp(execution->kind, "ok") == 0 && follows_a_failed_one(world, execution, execution->op))
            execution->kind = "skipped";
        for (int m = 0; m < execution->follower_count; m++) {
            struct member *member = &execution->followers[m];

            if (member->kind != NULL && strcmp(member->kind, "ok") == 0 &&
                follows_a_failed_one(world, execution, member->op))
                member->kind = "skipped";
        }
    }
}

/* The whole ends in one way, what was answered before it remains; NULL: each member in its own. */
static void group_ends(struct world *world, struct execution *execution, const char *whole)
{
    execution->kind = whole != NULL ? whole : member_kind_choose(world);
    execution->retry_after_ms = -1;
    for (int m = 0; m < execution->follower_count; m++) {
        struct member *member = &execution->followers[m];

        member->kind = whole == NULL || (strcmp(whole, "returned") != 0 && random_chance(&world->random, 3000))
                           ? member_kind_choose(world)
                           : whole;
        member->retry_after_ms = -1;
        if (random_chance(&world->random, 300))
            member->kind = NULL;
    }
    skip_the_rest(world, execution);
}

static void group_plan(struct world *world, struct execution *execution)
{
    int pick = random_below(&world->random, 100);

    group_ends(world, execution, pick < 8 ? "crashed" : pick < 12 ? "unanswered" : pick < 15 ? "returned" : NULL);
}

void execution_plan(struct world *world, struct execution *execution)
{
    struct random *random = &world->random;
    int longer = execution->follower_count > 0 ? 4500 : 1000; /* long enough to hear of a cancel, of 10,000 */
    int64_t duration_ms = random_chance(random, 500)      ? random_between(random, 20000, 90000)
                          : random_chance(random, longer) ? random_between(random, 3000, 12000)
                                                          : random_below(random, 2500);

    execution->kind = world->quiet ? "ok" : kind_choose(world);
    if (world->quiet)
        duration_ms = 50;
    execution->hung = !world->quiet && random_chance(random, 300);
    execution->retry_after_ms =
        strcmp(execution->kind, "error") == 0 && random_chance(random, 1000) ? random_below(random, 8000) : -1;
    for (int m = 0; m < execution->follower_count; m++)
        execution->followers[m].kind = "ok";
    if (execution->follower_count > 0 && !world->quiet)
        group_plan(world, execution);
    if (!execution->hung && duration_ms > execution->timeout_ms) {
        duration_ms = execution->timeout_ms;
        execution->kind = "timed_out";
        execution->retry_after_ms = -1;
        group_ends(world, execution, "timed_out");
    }
    execution->end_ms = world->now_ms + duration_ms;
}

void execution_cancel(struct world *world, struct execution *execution, int member)
{
    bool *told = member < 0 ? &execution->told : &execution->followers[member].told;

    if (execution->done || *told)
        return;
    *told = true;
    world->seen[EFFECT_MEMBER_CANCELED] += member >= 0;
    if (!random_chance(&world->random, 7000))
        return;
    if (member >= 0) {
        execution->followers[member].kind = "error";
    } else {
        execution->kind = "error";
        execution->end_ms = world->now_ms;
    }
    skip_the_rest(world, execution);
}

/* ---- run ---- */

static void stop_events(struct world *world, const struct worker *worker, struct execution *execution)
{
    if (execution->ended_event)
        return;
    execution->ended_event = true;
    for (int m = -1; m < execution->follower_count; m++) {
        int op = m < 0 ? execution->op : execution->followers[m].op;
        uint64_t token = m < 0 ? execution->token : execution->followers[m].token;

        world_event(world, (struct event){ EVENT_STOP, .op = op, .token = token, .a = worker->number });
    }
}

void execution_stop(struct world *world, struct worker *worker, int index)
{
    stop_events(world, worker, &worker->executions[index]);
    worker->executions[index] = worker->executions[--worker->execution_count];
}

void worker_run(struct world *world, struct worker *worker)
{
    for (int i = worker->execution_count - 1; i >= 0; i--) {
        struct execution *execution = &worker->executions[i];
        bool kept = execution->hung || execution->done; /* an outcome is kept whatever becomes of the lease */

        if (!kept && execution->lease_until_ms - KILL_BEFORE_LEASE_ENDS_MS < world->now_ms &&
            execution->end_ms > execution->lease_until_ms - KILL_BEFORE_LEASE_ENDS_MS) {
            execution_stop(world, worker, i);
            continue;
        }
        if (!execution->done && execution->end_ms <= world->now_ms) {
            execution->done = true;
            stop_events(world, worker, execution);
        }
    }
}

/* ---- report ---- */

static struct log_entry entry_of(const struct worker *worker, const struct execution *execution, int member)
{
    struct log_entry entry = { .kind = execution->kind,
                               .op = execution->op,
                               .token = execution->token,
                               .started_ms = execution->started_ms,
                               .duration_ms = execution->end_ms - execution->started_ms,
                               .retry_after_ms = execution->retry_after_ms,
                               .worker = worker->number,
                               .leader = execution->follower_count > 0 ? execution->op : -1 };

    if (member >= 0) {
        entry.kind = execution->followers[member].kind;
        entry.op = execution->followers[member].op;
        entry.token = execution->followers[member].token;
        entry.retry_after_ms = execution->followers[member].retry_after_ms;
    }
    return entry;
}

static void effects_note(struct world *world, const struct log_entry *entry, bool leads)
{
    bool left = strcmp(entry->kind, "ok") != 0, follows = entry->leader >= 0 && !leads;

    world->seen[EFFECT_LEFT_GROUP] += follows && left;
    world->seen[EFFECT_LEADER_LEFT] += leads && left;
    world->seen[EFFECT_SKIPPED] += follows && strcmp(entry->kind, "skipped") == 0;
    world->seen[EFFECT_UNANSWERED] += strcmp(entry->kind, "unanswered") == 0;
}

/* The entries of one execution that are not known to be delivered; the leader's last, or (half) not yet. */
static size_t entries_of(struct world *world, const struct worker *worker, struct execution *execution, bool half,
                         bool known, struct log_entry *entries)
{
    size_t count = 0;

    for (int m = 0; m < execution->follower_count; m++) {
        struct member *member = &execution->followers[m];

        if (member->kind == NULL)
            world->seen[EFFECT_UNTOLD]++;
        if (member->kind == NULL || member->reported || (half && random_chance(&world->random, 3000)))
            continue;
        entries[count] = entry_of(worker, execution, m);
        effects_note(world, &entries[count++], false);
        member->reported = half && known;
    }
    if (half) {
        world->seen[EFFECT_FOLLOWERS_FIRST] += count > 0;
        return count;
    }
    entries[count] = entry_of(worker, execution, -1);
    effects_note(world, &entries[count++], execution->follower_count > 0);
    return count;
}

/* A batch a shard of what is done (now and then only some of it): delivered; delivered but not known to be; not
 * delivered. What is not known to be delivered is reported again. */
void worker_report(struct world *world, struct worker *worker)
{
    for (int s = 0; s < SHARDS; s++) {
        struct log_entry entries[SLOTS * MEMBERS];
        size_t count = 0;
        int delivery = world->quiet ? 0 : random_below(&world->random, 20);
        bool known = world->quiet || delivery > 1;

        for (int i = worker->execution_count - 1; i >= 0; i--) {
            struct execution *execution = &worker->executions[i];
            bool half;

            if (!execution->done || execution->shard != s || (!world->quiet && random_chance(&world->random, 1500)))
                continue;
            half = execution->follower_count > 0 && !world->quiet && random_chance(&world->random, 3000);
            count += entries_of(world, worker, execution, half, known, &entries[count]);
            if (known && !half)
                execution_stop(world, worker, i);
        }
        if (count > 0 && delivery != 1)
            status_append(world, s, entries, count);
        if (count > 0 && !world->quiet && random_chance(&world->random, 300))
            status_append(world, s, entries, count);
    }
}
