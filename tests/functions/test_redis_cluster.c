/* The Redis edge against a real cluster: who has which key, what a server that has it not says, slots and primaries on the
 * move. */
#include "tests/support/test.h"

#include <signal.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/record/keys.h"
#include "common/redis/functions.h"
#include "common/redis/redis.h"
#include "common/server/cluster_map.h"
#include "tests/support/redis_cluster.h"

enum { TIMEOUT_MS = 5000, SHARDS = 16 };

static struct redis_cluster cluster;

static struct redis *open_redis(void)
{
    struct err err = ERR_INIT;
    struct redis *redis = redis_new(cluster.url, TIMEOUT_MS, &err);

    if (!redis)
        fail_msg("%s", err.text);
    return redis;
}

static int shard_slot(int shard)
{
    char key[KEY_SIZE];

    key_format(key, sizeof key, KEY_SHARD, shard, NULL);
    return cluster_slot(key, strlen(key));
}

static const char *gate_key(char key[KEY_SIZE], int shard)
{
    return key_format(key, KEY_SIZE, KEY_GATE, shard, NULL);
}

static enum status call(struct redis *redis, struct err *err, const char *a, const char *b, const char *c,
                        const char *d)
{
    struct redis_reply *reply;
    enum status st;

    *err = (struct err)ERR_INIT;
    st = redis_call(redis, &reply, err, a, b, c, d, NULL);
    redis_reply_free(reply);
    return st;
}

static void must_call(struct redis *redis, const char *a, const char *b, const char *c, const char *d)
{
    struct err err = ERR_INIT;

    if (call(redis, &err, a, b, c, d) != ST_OK)
        fail_msg("%s %s: %s", a, b, err.text);
}

static void send_words(struct redis *redis, const char *a, const char *b, const char *c)
{
    struct redis_command command;
    struct err err = ERR_INIT;

    redis_command_init(&command);
    redis_command_add_text(&command, a);
    redis_command_add_text(&command, b);
    redis_command_add_text(&command, c);
    assert_int_equal(redis_send(redis, &command, &err), ST_OK);
    redis_command_release(&command);
}

static void expect_text(struct redis *redis, const char *text)
{
    struct redis_reply *reply;
    struct err err = ERR_INIT;

    if (redis_receive(redis, &reply, &err) != ST_OK)
        fail_msg("%s", err.text);
    assert_string_equal(redis_reply_text(reply, NULL), text);
    redis_reply_free(reply);
}

/* A field of each shard's gate, by one pipeline; the answers come in the order of the sends. */
static void read_all(struct redis *redis, const char *field, const char *prefix)
{
    char key[KEY_SIZE], text[32];

    for (int s = 0; s < SHARDS; s++)
        send_words(redis, "HGET", gate_key(key, s), field);
    for (int s = 0; s < SHARDS; s++) {
        snprintf(text, sizeof text, "%s%d", prefix, s);
        expect_text(redis, text);
    }
}

static void write_all(struct redis *redis, const char *field, const char *prefix)
{
    char key[KEY_SIZE], text[32];

    for (int s = 0; s < SHARDS; s++) {
        snprintf(text, sizeof text, "%s%d", prefix, s);
        must_call(redis, "HSET", gate_key(key, s), field, text);
    }
}

static void keys_lie_where_redis_says(void **state)
{
    static const char *const keys[] = { "bgop:{7}:gate", "bgop:meta", "bgop:epochs", "{}x",
                                        "a{}{b}",        "a{b",       "a}b{c}d",     "" };

    (void)state;
    assert_int_equal(cluster_slot("123456789", 9), 0x31C3); /* of the specification */
    for (size_t i = 0; i < TEST_COUNT(keys); i++) {
        if (*keys[i])
            assert_int_equal(redis_cluster_call(&cluster, 0, "CLUSTER KEYSLOT %s", keys[i])->integer,
                             cluster_slot(keys[i], strlen(keys[i])));
    }
}

static void a_pipeline_over_all_servers_answers_in_order(void **state)
{
    struct redis *redis = open_redis();
    struct err err = ERR_INIT;
    int counts[REDIS_CLUSTER_MAX] = { 0 };

    (void)state;
    assert_int_equal(redis_connect(redis, &err), ST_OK);
    assert_true(redis_connected(redis));
    assert_true(redis_is_cluster(redis));
    assert_int_equal(redis_connection_number(redis), cluster.primaries);
    write_all(redis, "name", "shard ");
    read_all(redis, "name", "shard ");
    must_call(redis, "HSET", key_name(KEY_META), "shards", "16");
    for (int s = 0; s < SHARDS; s++)
        counts[redis_cluster_owner_of(&cluster, s)]++;
    for (int i = 0; i < cluster.primaries; i++)
        assert_true(counts[i] > 0); /* else it was no test of several servers */
    redis_free(redis);
}

static enum status load(void *arg, struct redis *server, struct err *err)
{
    bool loaded;
    enum status st = functions_load(server, &loaded, err);

    *(int *)arg += loaded;
    return st;
}

static void each_server_gets_the_functions(void **state)
{
    struct redis *redis = open_redis();
    struct err err = ERR_INIT;
    int loaded = 0;

    (void)state;
    assert_int_equal(redis_each_server(redis, load, &loaded, &err), ST_OK);
    assert_int_equal(loaded, cluster.primaries);
    assert_int_equal(redis_each_server(redis, load, &loaded, &err), ST_OK);
    assert_int_equal(loaded, cluster.primaries);
    redis_free(redis);
}

static struct gate gate_of(struct redis *redis, int shard)
{
    struct gate gate = { 0 };
    struct err err = ERR_INIT;

    if (gate_send(redis, shard, &err) != ST_OK || gate_receive(redis, "", &gate, &err) != ST_OK)
        fail_msg("%s", err.text);
    return gate;
}

static void arm(struct redis *redis, int shard, int64_t generation)
{
    struct arm arm = { .shard = shard, .generation = generation, .queue = { 30000, 3600000, 30, 30 } };
    struct err err = ERR_INIT;
    bool opened;

    if (arm_send(redis, &arm, &err) != ST_OK || arm_receive(redis, &err) != ST_OK)
        fail_msg("arm: %s", err.text);
    if (open_send(redis, shard, generation, &err) != ST_OK || open_receive(redis, &opened, &err) != ST_OK || !opened)
        fail_msg("open: %s", err.text);
}

static enum status tick(struct redis *redis, int shard, int64_t generation, struct err *err)
{
    struct tick_answer answer = { 0 };
    enum status st;

    *err = (struct err)ERR_INIT;
    st = tick_send(redis, shard, generation, 0, 100, err);
    if (st == ST_OK)
        st = tick_receive(redis, &answer, err);
    tick_answer_release(&answer);
    return st;
}

static void each_shard_is_armed_for_its_own_server(void **state)
{
    struct redis *redis = open_redis();
    struct err err = ERR_INIT;
    char run_id[64];

    (void)state;
    assert_int_equal(functions_run_id(redis, run_id, &err), ST_OK);
    for (int s = 0; s < SHARDS; s++) {
        assert_false(gate_of(redis, s).armed_for_this_server);
        arm(redis, s, 10 + s);
        assert_true(gate_of(redis, s).armed_for_this_server);
        assert_int_equal(tick(redis, s, 10 + s, &err), ST_OK);
    }
    redis_free(redis);
}

/* From here on: one slot goes from its server to another, under calls. */
static void a_shard_on_its_way_waits_and_is_fenced_where_it_arrives(void **state)
{
    struct redis *redis = open_redis();
    struct err err = ERR_INIT;
    int shard = 3, slot = shard_slot(shard), from = redis_cluster_owner(&cluster, slot),
        to = (from + 1) % cluster.primaries;
    char key[KEY_SIZE], run_id[64];

    (void)state;
    assert_int_equal(functions_run_id(redis, run_id, &err), ST_OK);
    assert_int_equal(tick(redis, shard, 13, &err), ST_OK);
    redis_cluster_migration_begin(&cluster, slot, from, to);
    assert_int_equal(tick(redis, shard, 13, &err), ST_AGAIN); /* ASK: it would find a part of the shard there */
    assert_non_null(strstr(err.text, "is being moved"));
    assert_true(redis_connected(redis));
    assert_int_equal(tick(redis, shard == 0 ? 1 : 0, 10, &err), ST_OK); /* others do not wait */
    redis_cluster_migrate_keys(&cluster, slot, from, to, 1);
    assert_int_equal(tick(redis, shard, 13, &err), ST_AGAIN);
    redis_cluster_migration_end(&cluster, slot, from, to);

    assert_int_equal(tick(redis, shard, 13, &err),
                     ST_FENCED); /* MOVED: repeated at the new server, whose run id is another */
    assert_false(gate_of(redis, shard).armed_for_this_server);
    arm(redis, shard, 113);
    assert_int_equal(tick(redis, shard, 113, &err), ST_OK);
    assert_int_equal(call(redis, &err, "HGET", gate_key(key, shard), "name", NULL), ST_OK);
    read_all(redis, "name", "shard ");
    redis_free(redis);
}

/* A pipeline that was sent with an old map: each of its calls is repeated where its slot is now. */
static void a_pipeline_with_an_old_map_is_repeated_in_order(void **state)
{
    struct redis *old = open_redis(), *redis = open_redis();
    struct err err = ERR_INIT;
    int slot = shard_slot(5), from = redis_cluster_owner(&cluster, slot), to = (from + 1) % cluster.primaries;

    (void)state;
    assert_int_equal(redis_connect(old, &err), ST_OK);
    redis_cluster_migration_begin(&cluster, slot, from, to);
    redis_cluster_migration_end(&cluster, slot, from, to);
    read_all(old, "name", "shard ");
    write_all(redis, "name", "again ");
    read_all(old, "name", "again ");
    arm(redis, 5, 215);
    redis_free(old);
    redis_free(redis);
}

/* Keys that are no shard's have no others beside them: what a server has not is asked for at the other one. */
static void a_single_key_on_its_way_is_followed(void **state)
{
    struct redis *redis = open_redis();
    int slot = cluster_slot("bgop:meta", strlen("bgop:meta")), from = redis_cluster_owner(&cluster, slot);
    int to = (from + 1) % cluster.primaries;

    (void)state;
    must_call(redis, "HSET", key_name(KEY_META), "shards", "16");
    redis_cluster_migration_begin(&cluster, slot, from, to);
    send_words(redis, "HGET", key_name(KEY_META), "shards");
    expect_text(redis, "16");
    redis_cluster_migrate_keys(&cluster, slot, from, to, 100);
    send_words(redis, "HGET", key_name(KEY_META), "shards"); /* ASK */
    send_words(redis, "HGET", key_name(KEY_META), "shards");
    expect_text(redis, "16");
    expect_text(redis, "16");
    redis_cluster_migration_end(&cluster, slot, from, to);
    send_words(redis, "HGET", key_name(KEY_META), "shards");
    expect_text(redis, "16");
    redis_free(redis);
}

/* ---- one of them is away ---- */

static enum status visited(void *arg, struct redis *server, struct err *err)
{
    (void)server;
    (void)err;
    ++*(int *)arg;
    return ST_OK;
}

static int64_t ask_gate(struct redis *redis, int shard, enum status want)
{
    int64_t began = clock_boot_ms();
    struct err err = ERR_INIT;
    char key[KEY_SIZE];

    if (call(redis, &err, "HGET", gate_key(key, shard), "name", NULL) != want)
        fail_msg("shard %d: %s", shard, err.text);
    return clock_boot_ms() - began;
}

static void a_server_that_stands_still_is_waited_for_once(void **state)
{
    enum { PATIENCE_MS = 500 };
    int shard = 0, other = redis_cluster_shard_elsewhere(&cluster, shard, SHARDS), visits = 0;
    pid_t pid = cluster.servers[redis_cluster_owner_of(&cluster, shard)].pid;
    struct err err = ERR_INIT;
    struct redis *redis = redis_new(cluster.url, PATIENCE_MS, &err);

    (void)state;
    redis_cluster_set_timeout(&cluster, 60000); /* nobody takes its place */
    ask_gate(redis, shard, ST_OK);
    kill(pid, SIGSTOP);
    assert_true(ask_gate(redis, shard, ST_AGAIN) >= PATIENCE_MS);
    assert_true(redis_shard_away(redis, shard));
    for (int i = 0; i < 50; i++) {
        assert_true(ask_gate(redis, shard, ST_AGAIN) < PATIENCE_MS);
        ask_gate(redis, other, ST_OK);
        assert_int_equal(redis_connect(redis, &err), ST_OK);
    }
    assert_true(redis_connected(redis));
    assert_false(redis_shard_away(redis, other));
    assert_int_equal(redis_each_there(redis, visited, &visits, &err), ST_OK);
    assert_int_equal(visits, cluster.primaries - 1);
    assert_int_equal(redis_each_server(redis, visited, &visits, &err), ST_AGAIN);
    kill(pid, SIGCONT);
    for (int i = 0; i < 1000 && redis_shard_away(redis, shard); i++)
        assert_int_equal(redis_connect(redis, &err), ST_OK);
    ask_gate(redis, shard, ST_OK);
    redis_cluster_set_timeout(&cluster, 500);
    redis_free(redis);
}

static int await_arrived(struct redis *redis)
{
    int number = -1;

    for (int i = 0; i < 1000 && number < 0; i++) {
        number = redis_arrived(redis);
        if (number < 0)
            nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    }
    return number;
}

static void an_answer_does_not_wait_for_another_servers(void **state)
{
    struct redis *redis = open_redis();
    int shard = 0, other = redis_cluster_shard_elsewhere(&cluster, shard, SHARDS);
    pid_t pid = cluster.servers[redis_cluster_owner_of(&cluster, shard)].pid;
    char key[KEY_SIZE], text[32];
    struct redis_reply *reply;
    struct err err = ERR_INIT;

    (void)state;
    redis_cluster_set_timeout(&cluster, 60000);
    ask_gate(redis, shard, ST_OK);
    kill(pid, SIGSTOP);
    send_words(redis, "HGET", gate_key(key, shard), "name");
    send_words(redis, "HGET", gate_key(key, shard), "name");
    send_words(redis, "HGET", gate_key(key, other), "name");
    assert_int_equal(await_arrived(redis), 2);
    snprintf(text, sizeof text, "again %d", other);
    expect_text(redis, text);
    assert_int_equal(redis_arrived(redis), -1);
    redis_give_up_oldest(redis);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(redis_arrived(redis), 0);
        assert_int_equal(redis_receive(redis, &reply, &err), ST_AGAIN);
    }
    assert_true(redis_shard_away(redis, shard));
    kill(pid, SIGCONT);
    redis_cluster_set_timeout(&cluster, 500);
    redis_free(redis);
}

/* ---- failover ---- */

static bool works_again(struct redis *redis, int shard, enum status want, struct err *err)
{
    for (int i = 0; i < 1000; i++) {
        enum status st = tick(redis, shard, 10 + shard, err);

        if (st == want)
            return true;
        if (st != ST_AGAIN)
            return false;
        nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
    }
    return false;
}

static void a_killed_primary_is_replaced_and_its_shards_are_fenced(void **state)
{
    struct redis *redis = open_redis();
    struct err err = ERR_INIT;
    int shard = 0, other = 1, owner = redis_cluster_owner_of(&cluster, shard);
    char run_id[64];

    (void)state;
    while (redis_cluster_owner_of(&cluster, other) == owner || other == 3 || other == 5)
        other++;
    assert_int_equal(functions_run_id(redis, run_id, &err), ST_OK);
    assert_int_equal(tick(redis, shard, 10 + shard, &err), ST_OK);
    redis_cluster_call(&cluster, owner, "WAIT 1 1000");
    redis_cluster_kill(&cluster, owner);
    assert_int_equal(tick(redis, shard, 10 + shard, &err), ST_AGAIN);
    assert_true(redis_shard_away(redis, shard));
    assert_false(redis_shard_away(redis, other));
    if (!works_again(redis, shard, ST_FENCED, &err)) /* with the functions: a replica has them */
        fail_msg("%s", err.text);
    assert_int_not_equal(redis_cluster_owner_of(&cluster, shard), owner);
    redis_cluster_await_served(&cluster);
    assert_int_equal(functions_run_id(redis, run_id, &err), ST_OK);
    assert_false(gate_of(redis, shard).armed_for_this_server);
    assert_true(gate_of(redis, other).armed_for_this_server);
    assert_int_equal(tick(redis, other, 10 + other, &err), ST_OK);
    read_all(redis, "name", "again ");
    arm(redis, shard, 300);
    assert_int_equal(tick(redis, shard, 300, &err), ST_OK);
    redis_free(redis);
}

static void nobody_serves_what_has_no_replica_left(void **state)
{
    struct redis *redis = open_redis();
    struct err err = ERR_INIT;
    int owner = redis_cluster_owner_of(&cluster, 0), other = 1;
    char key[KEY_SIZE];

    (void)state;
    while (redis_cluster_owner_of(&cluster, other) == owner)
        other++;
    gate_key(key, other);
    assert_int_equal(redis_connect(redis, &err), ST_OK);
    redis_cluster_kill(&cluster, owner);
    for (int i = 0; i < 1000 && !strstr(err.text, "CLUSTERDOWN"); i++) {
        (void)!call(redis, &err, "HGET", key, "name", NULL);
        nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
    }
    if (!strstr(err.text, "CLUSTERDOWN"))
        fail_msg("%s", err.text);
    assert_int_equal(call(redis, &err, "HGET", gate_key(key, 0), "name", NULL), ST_AGAIN);
    assert_true(redis_shard_away(redis, 0));
    redis_cluster_again(&cluster, owner);
    for (int i = 0; i < 1000 && redis_shard_away(redis, 0); i++) {
        assert_int_equal(redis_connect(redis, &err), ST_OK); /* to those that are there */
        nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
    }
    assert_false(redis_shard_away(redis, 0));
    assert_true(redis_connected(redis));
    redis_free(redis);
}

/* Also when the cluster knows that it is dead and has nobody for its slots. */
static void others_serve_without_full_coverage(void **state)
{
    int shard = 0, other = redis_cluster_shard_elsewhere(&cluster, shard, SHARDS),
        owner = redis_cluster_owner_of(&cluster, shard);
    int at = redis_cluster_owner_of(&cluster, other);
    struct redis *redis = open_redis();
    struct err err = ERR_INIT;

    (void)state;
    redis_cluster_await_served(&cluster);
    for (int i = 0; i < cluster.count; i++) {
        if (cluster.servers[i].pid)
            redis_cluster_call(&cluster, i, "CONFIG SET cluster-require-full-coverage no");
    }
    assert_int_equal(redis_connect(redis, &err), ST_OK);
    redis_cluster_kill(&cluster, owner);
    for (int i = 0; i < 1000 && strstr(redis_cluster_call(&cluster, at, "CLUSTER INFO")->str, "cluster_slots_fail:0");
         i++)
        nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
    assert_null(strstr(redis_cluster_call(&cluster, at, "CLUSTER INFO")->str, "cluster_slots_fail:0"));
    for (int i = 0; i < 30; i++) {
        ask_gate(redis, other, ST_OK);
        ask_gate(redis, shard, ST_AGAIN);
        assert_true(redis_shard_away(redis, shard));
        assert_int_equal(redis_connect(redis, &err), ST_OK);
        nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL); /* the map is asked for again meanwhile */
    }
    redis_free(redis);
}

static int setup(void **state)
{
    (void)state;
    redis_cluster_start(&cluster, 3, true);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    redis_cluster_stop(&cluster);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_lie_where_redis_says),
        cmocka_unit_test(a_pipeline_over_all_servers_answers_in_order),
        cmocka_unit_test(each_server_gets_the_functions),
        cmocka_unit_test(each_shard_is_armed_for_its_own_server),
        cmocka_unit_test(a_shard_on_its_way_waits_and_is_fenced_where_it_arrives),
        cmocka_unit_test(a_pipeline_with_an_old_map_is_repeated_in_order),
        cmocka_unit_test(a_single_key_on_its_way_is_followed),
        cmocka_unit_test(a_server_that_stands_still_is_waited_for_once),
        cmocka_unit_test(an_answer_does_not_wait_for_another_servers),
        cmocka_unit_test(a_killed_primary_is_replaced_and_its_shards_are_fenced),
        cmocka_unit_test(nobody_serves_what_has_no_replica_left),
        cmocka_unit_test(others_serve_without_full_coverage),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
