#include "coordinator/ctl/shards/shard_move.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/record/keys.h"
#include "coordinator/ctl/shards/server_slots.h"

enum {
    TIMEOUT_MS = 20000,
    ROUNDS_MAX = 20,    /* of copying what changed, before the shard stands still */
    FEW = 100,          /* keys that changed: no further round */
    DROPPED_MS = 30000, /* that the source may need to hear that the slot is another's, and to drop its keys */
};

struct mover {
    struct shard_copy copy;
    struct redis *listens;
    char source_id[CLUSTER_ID_SIZE], target_id[CLUSTER_ID_SIZE];
};

/* ---- single commands ---- */

static enum status set_slot(struct mover *mover, struct redis *server, const char *state, const char *id,
                            struct err *err)
{
    struct redis_reply *reply = NULL;
    enum status st = redis_call(server, &reply, err, "CLUSTER", "SETSLOT", mover->copy.slot, state, id, NULL);

    if (st == ST_OK)
        redis_reply_free(reply);
    else
        err_prefix(err, "Redis at %s: CLUSTER SETSLOT %s %s", redis_address(server), mover->copy.slot, state);
    return st;
}

/* ---- beginning and undoing ---- */

/* What a server says of the slot. */
static enum status slot_state(struct mover *mover, struct redis *server, enum cluster_slot_state *state,
                              struct err *err)
{
    struct redis_reply *reply = NULL;
    struct cluster_line self;
    enum status st = server_self(server, &reply, &self, err);

    *state = st == ST_OK ? cluster_line_slot(&self, mover->copy.number) : SLOT_ELSEWHERE;
    redis_reply_free(reply);
    return st;
}

/* The source goes on, and the target drops what it has. err says why, and what could not be undone. */
static enum status undo(struct mover *mover, struct err *err)
{
    struct err why = *err, more = ERR_INIT;
    enum cluster_slot_state state;
    enum status st = set_slot(mover, mover->copy.source, "STABLE", NULL, &more);

    if (st == ST_OK)
        st = slot_state(mover, mover->copy.target, &state, &more);
    if (st == ST_OK && state == SLOT_ARRIVES)
        st = shard_copy_drop(&mover->copy, &more);
    if (st == ST_OK && state == SLOT_ARRIVES)
        st = set_slot(mover, mover->copy.target, "STABLE", NULL, &more);
    if (st == ST_OK)
        return why.status;
    return err_set_server(err, ST_AGAIN, "redis",
                          "%.450s; and it could not be undone: %.450s: move it again with --again", why.text,
                          more.text);
}

static enum status refuse(struct mover *mover, struct err *err, const char *what)
{
    return err_set_server(err, ST_INVALID, "redis", "Redis at %s %s", redis_address(mover->copy.target), what);
}

/* May it be moved there? */
static enum status check_target(struct mover *mover, const char *nodes, const struct cluster_line *source,
                                const struct cluster_line *target, bool again, struct err *err)
{
    enum cluster_slot_state here = cluster_line_slot(source, mover->copy.number),
                            there = cluster_line_slot(target, mover->copy.number);
    struct cluster_line known;

    memcpy(mover->source_id, source->id, sizeof mover->source_id);
    memcpy(mover->target_id, target->id, sizeof mover->target_id);
    if (!target->primary)
        return refuse(mover, err, "is a replica: name its primary");
    if (!cluster_line_of(nodes, target->id, &known) || !*known.host)
        return refuse(mover, err, "is of another cluster, or its server does not know it yet: CLUSTER MEET");
    if (known.lost)
        return refuse(mover, err, "is taken for dead by the server that has the shard");
    snprintf(mover->copy.host, sizeof mover->copy.host, "%s", known.host);
    snprintf(mover->copy.port, sizeof mover->copy.port, "%d", known.port);
    if (here == SLOT_LEAVES && there != SLOT_ARRIVES)
        return refuse(mover, err, "is not where this shard is being moved to: redis-cli --cluster check says where");
    if (!again && there == SLOT_ARRIVES)
        return refuse(mover, err, "gets this shard already: somebody moves it, or that broke off; if so, --again");
    return ST_OK;
}

static enum status prepare(struct mover *mover, bool again, struct shard_moved *moved, struct err *err)
{
    struct redis_reply *sources = NULL, *targets = NULL;
    struct cluster_line source, target;
    enum status st;

    st = server_self(mover->copy.source, &sources, &source, err);
    if (st == ST_OK)
        st = server_self(mover->copy.target, &targets, &target, err);
    if (st == ST_OK) {
        moved->was_there = strcmp(source.id, target.id) == 0;
        if (!moved->was_there)
            st = check_target(mover, redis_reply_text(sources, NULL), &source, &target, again, err);
    }
    redis_reply_free(sources);
    redis_reply_free(targets);
    if (st != ST_OK || moved->was_there)
        return st;
    st = set_slot(mover, mover->copy.source, "STABLE", NULL, err);
    if (st == ST_OK)
        st = set_slot(mover, mover->copy.target, "IMPORTING", mover->source_id, err);
    return st == ST_OK ? ST_OK : undo(mover, err);
}

/* ---- the move ---- */

static enum status copy_at_work(struct mover *mover, struct err *err)
{
    enum status st = shard_copy_drop(&mover->copy, err);

    if (st == ST_OK)
        st = changed_keys_begin(&mover->copy.changed, mover->copy.source, mover->listens, &mover->copy.prefixes, err);
    if (st == ST_OK)
        st = shard_copy_all(&mover->copy, err);
    for (int round = 0; st == ST_OK && round < ROUNDS_MAX; round++) {
        st = changed_keys_take_all(&mover->copy.changed, err);
        key_list_unique(&mover->copy.changed.keys);
        if (st != ST_OK || mover->copy.changed.keys.count <= FEW)
            break;
        st = shard_copy_changed(&mover->copy, err);
    }
    return st;
}

/* Nothing changes any more: each call of the shard has a key that is not there (bgop:{s}), and is sent away. */
static enum status copy_rest(struct mover *mover, struct shard_moved *moved, struct err *err)
{
    long long here = 0, there = 0, before = mover->copy.copied;
    enum status st = set_slot(mover, mover->copy.source, "MIGRATING", mover->target_id, err);

    mover->copy.in_a_hurry = true;
    if (st == ST_OK)
        st = changed_keys_take_all(&mover->copy.changed, err);
    if (st == ST_OK)
        st = shard_copy_changed(&mover->copy, err);
    if (st == ST_OK)
        st = shard_copy_last(&mover->copy, err);
    if (st == ST_OK)
        st = server_count_keys(mover->copy.source, mover->copy.number, &here, err);
    if (st == ST_OK)
        st = server_count_keys(mover->copy.target, mover->copy.number, &there, err);
    if (st == ST_OK && here != there) {
        st = err_set_server(err, ST_AGAIN, "redis",
                            "%lld keys were to be moved, and %lld arrived: who else writes to it?", here, there);
    }
    moved->keys = here;
    moved->keys_held_up = mover->copy.copied - before;
    return st;
}

/* The target gets the slot. Whether it did is its own to say: an answer may be lost. */
static enum status hand_over(struct mover *mover, struct err *err)
{
    enum cluster_slot_state state;
    struct err more = ERR_INIT;

    if (set_slot(mover, mover->copy.target, "NODE", mover->target_id, err) == ST_OK)
        return ST_OK;
    if (slot_state(mover, mover->copy.target, &state, &more) != ST_OK) {
        return err_set_server(err, ST_AGAIN, "redis",
                              "%.450s; whether the shard is moved is not known, and it is held up: %.450s: when that "
                              "server answers, move it again with --again",
                              err->text, more.text);
    }
    return state == SLOT_HERE ? ST_OK : undo(mover, err);
}

/* The source's line of itself and its keys of the slot. false: it does not know yet that the slot is another's. One that has
 * no slot left may follow the target, as Redis has it by itself, and then has the same keys for good. */
static bool has_dropped(struct mover *mover, bool *follows, enum status *st, struct err *err)
{
    struct redis_reply *reply = NULL;
    struct cluster_line self = { 0 };
    enum cluster_slot_state state = SLOT_HERE;
    long long left = 0;

    *st = server_self(mover->copy.source, &reply, &self, err);
    if (*st == ST_OK)
        state = cluster_line_slot(&self, mover->copy.number);
    redis_reply_free(reply);
    *follows = *st == ST_OK && !self.primary;
    if (*st != ST_OK || *follows || state == SLOT_HERE || state == SLOT_LEAVES)
        return *follows;
    *st = server_count_keys(mover->copy.source, mover->copy.number, &left, err);
    return *st == ST_OK && left == 0;
}

/* Only when the source has heard that the slot is another's, and dropped its keys, it may be told that the move is over. */
static enum status await_dropped(struct mover *mover, struct err *err)
{
    int64_t until = clock_boot_ms() + DROPPED_MS;
    bool follows = false;
    enum status st = ST_OK;

    while (!has_dropped(mover, &follows, &st, err) && st == ST_OK) {
        if (clock_boot_ms() > until) {
            return err_set_server(err, ST_AGAIN, "redis",
                                  "the shard is moved, but Redis at %s keeps its keys: see CLUSTER NODES there",
                                  redis_address(mover->copy.source));
        }
        nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
    }
    if (st == ST_OK && !follows)
        st = set_slot(mover, mover->copy.source, "NODE", mover->target_id, err);
    return st == ST_OK ? ST_OK : err_prefix(err, "the shard is moved, but not yet cleared away");
}

static enum status run(struct mover *mover, bool again, struct shard_moved *moved, struct err *err)
{
    int64_t began = clock_boot_ms(), stood_still;
    enum status st = prepare(mover, again, moved, err);

    if (st != ST_OK || moved->was_there)
        return st;
    st = copy_at_work(mover, err);
    stood_still = clock_boot_ms();
    if (st == ST_OK)
        st = copy_rest(mover, moved, err);
    st = st == ST_OK ? hand_over(mover, err) : undo(mover, err);
    moved->held_up_ms = clock_boot_ms() - stood_still;
    if (st == ST_OK)
        st = await_dropped(mover, err);
    moved->took_ms = clock_boot_ms() - began;
    return st;
}

/* Which server has the slot: each is asked for itself. */
static enum status look_for_slot(void *arg, struct redis *server, struct err *err)
{
    struct mover *mover = arg;
    enum cluster_slot_state state;
    enum status st = slot_state(mover, server, &state, err);

    if (!mover->copy.source && (state == SLOT_HERE || state == SLOT_LEAVES))
        mover->copy.source = redis_new_beside(server, NULL, 0, TIMEOUT_MS);
    return st;
}

/* Shards that have the same slot go together. */
static void find_prefixes(struct mover *mover, int shard, int shards)
{
    static const enum redis_key go_last[] = { KEY_FENCES, KEY_GATE };
    char key[KEY_SIZE], prefix[KEY_SIZE + 2], last[KEY_SIZE];

    mover->copy.number = shard_slot(shard);
    snprintf(mover->copy.slot, sizeof mover->copy.slot, "%d", mover->copy.number);
    for (int i = 0; i < shards; i++) {
        if (shard_slot(i) != mover->copy.number)
            continue;
        key_format(key, sizeof key, KEY_SHARD, i, NULL);
        snprintf(prefix, sizeof prefix, "%s:", key);
        key_list_add(&mover->copy.prefixes, prefix, strlen(prefix));
        for (size_t n = 0; n < sizeof go_last / sizeof *go_last; n++) {
            key_format(last, sizeof last, go_last[n], i, NULL);
            key_list_add(&mover->copy.last, last, strlen(last));
        }
    }
}

enum status shard_move(struct redis *cluster, const struct shard_move *move, struct shard_moved *moved, struct err *err)
{
    struct mover mover = { .copy = { .chunk = SHARD_COPY_CHUNK, .progress = move->progress, .arg = move->arg } };
    enum status st;

    *moved = (struct shard_moved){ 0 };
    find_prefixes(&mover, move->shard, move->shards);
    st = redis_each_server(cluster, look_for_slot, &mover, err);
    if (st == ST_OK && !mover.copy.source) {
        st = err_set_server(err, ST_AGAIN, "redis", "no server of the cluster has slot %s, of shard %d",
                            mover.copy.slot, move->shard);
    }
    if (st == ST_OK) {
        mover.copy.target = redis_new_beside(cluster, move->host, move->port, TIMEOUT_MS);
        mover.listens = redis_new_beside(mover.copy.source, NULL, 0, TIMEOUT_MS);
        snprintf(moved->from, sizeof moved->from, "%s", redis_address(mover.copy.source));
        snprintf(moved->to, sizeof moved->to, "%s", redis_address(mover.copy.target));
        st = run(&mover, move->again, moved, err);
    }
    key_list_release(&mover.copy.prefixes);
    key_list_release(&mover.copy.last);
    changed_keys_release(&mover.copy.changed);
    redis_free(mover.listens);
    redis_free(mover.copy.target);
    redis_free(mover.copy.source);
    return st;
}
