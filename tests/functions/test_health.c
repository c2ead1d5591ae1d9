/* `health` of bgop_stats: each kind of trouble is told with where, since when and why, by the age of the last beat, and
 * goes when it is over; what comes and goes by the thousand leaves nothing behind. */
#include "tests/functions/read_queue.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/record/actions.h"
#include "common/record/health.h"

enum { COORDINATOR_LATE = HEALTH_COORDINATOR_LATE_MS, TOLD = HEALTH_TOLD_MS, FORGOTTEN = HEALTH_FORGOTTEN_MS };

static int64_t start_ms; /* when the test began, as shard_clock counts */

/* ---- what the processes do ---- */

static void coordinator(const char *instance, const char *state, const char *kafka, const char *redis)
{
    shard_command(shard, "FCALL bgop_beat 1 bgop:{0} coordinator %s %s '%s' '%s'", instance, state, kafka, redis);
    assert_memory_equal(shard->answer, "OK ", 3);
}

static void source_at(const char *reader, int of_shard, const char *name, const char *state, const char *why)
{
    shard_command(shard, "FCALL bgop_source 1 bgop:{%d} %s %s %s '%s'", of_shard, reader, name, state, why);
    assert_memory_equal(shard->answer, "OK ", 3);
}

static void source(const char *state, const char *why)
{
    source_at("c1", 2, "bgop.submit[2]", state, why);
}

static void renew(const char *instance)
{
    for (int s = 0; s < READS_SHARDS; s++) {
        shard_command(shard, "FCALL bgop_renew 1 bgop:{%d} %" PRId64 " %s http://%s WebCart 4", s, shard->generation,
                      instance, instance);
        assert_memory_equal(shard->answer, "OK ", 3);
    }
}

static void later(int64_t ms)
{
    shard_clock(shard, shard_now(shard) + ms);
}

/* One coordinator lives, all the while. */
static void later_with_c1(int64_t ms)
{
    for (; ms > 1000; ms -= 1000) {
        later(1000);
        coordinator("c1", "runs", "", "");
    }
    later(ms);
    coordinator("c1", "runs", "", "");
}

/* ---- what is told ---- */

static char told[1 << 16];

/* "what|where|since in ms after the test began|text" of each, a line each. */
static const char *health(void)
{
    json_t *stats = reads_json(shard, "bgop_stats 0"), *list = json_object_get(stats, "health"), *one;
    size_t i, used = 0;

    assert_true(json_is_array(list));
    told[0] = '\0';
    json_array_foreach(list, i, one)
    {
        json_t *since = json_object_get(one, "since");
        char text[32] = "null";

        assert_int_equal(json_object_size(one), 4);
        if (json_is_integer(since))
            snprintf(text, sizeof text, "%" PRId64, (int64_t)json_integer_value(since) - SHARD_T0 - start_ms);
        used += (size_t)snprintf(
            told + used, sizeof told - used, "%s|%s|%s|%s\n", json_string_value(json_object_get(one, "what")),
            json_string_value(json_object_get(one, "where")), text, json_string_value(json_object_get(one, "text")));
    }
    json_decref(stats);
    return told;
}

static void well(void)
{
    if (*health())
        fail_msg("not well: %s", told);
}

/* The only trouble: begins so, and its text has this. */
static void only(const char *head, const char *text)
{
    health();
    if (strncmp(told, head, strlen(head)) != 0 || !strstr(told, text) || strchr(told, '\n') != told + strlen(told) - 1)
        fail_msg("expected %s ... %s, told was: %s", head, text, told);
}

static int begin(void **state)
{
    read_setup(state);
    start_ms = shard_now(shard);
    coordinator("c1", "runs", "", "");
    return 0;
}

#define health_test(test) cmocka_unit_test_setup_teardown(test, begin, read_teardown)

/* ---- coordinators ---- */

static void a_queue_that_is_served_is_well(void **state)
{
    (void)state;
    well();
    source("reads", "");
    renew("w1");
    well();
}

static void a_redis_without_a_queue_is_told(void **state)
{
    (void)state;
    shard_command(shard, "DEL bgop:meta");
    only("no queue|this Redis|null|", "no coordinator has set up");
}

static void the_only_coordinator_is_missed_within_its_bound(void **state)
{
    (void)state;
    later(COORDINATOR_LATE);
    well();
    later(1);
    health();
    assert_non_null(strstr(told, "no coordinator|the queue|0|no coordinator runs"));
    assert_non_null(strstr(told, "coordinator gone|coordinator c1|0|ended without leaving"));
    later(10 * FORGOTTEN); /* nobody is there who could forget it */
    assert_non_null(strstr(health(), "no coordinator|the queue|0|"));
    coordinator("c2", "runs", "", "");
    well();
}

static void one_that_left_is_no_alarm_but_none_at_all_is(void **state)
{
    (void)state;
    coordinator("c2", "runs", "", "");
    coordinator("c1", "left", "", "");
    well();
    coordinator("c2", "left", "", "");
    only("no coordinator|the queue|0|", "no coordinator runs");
    assert_null(strstr(told, "gone"));
    coordinator("c2", "runs", "", "");
    well();
}

static void one_that_others_took_over_from_is_told_for_a_while(void **state)
{
    (void)state;
    coordinator("c2", "runs", "", "");
    later_with_c1(COORDINATOR_LATE + 1000);
    only("coordinator gone|coordinator c2|0|", "ended without leaving");
    later_with_c1(TOLD - COORDINATOR_LATE - 1000);
    only("coordinator gone|coordinator c2|0|", "");
    later_with_c1(1000);
    well();
    assert_int_equal(shard_number(shard, "ZCARD bgop:{0}:coordinators"), 2);
    later_with_c1(FORGOTTEN);
    assert_int_equal(shard_number(shard, "ZCARD bgop:{0}:coordinators"), 1);
    assert_int_equal(shard_number(shard, "EXISTS bgop:{0}:coordinator:c2"), 0);
}

static void a_clock_that_was_set_back_hides_nobodys_death(void **state)
{
    (void)state;
    coordinator("c2", "runs", "", "");
    later(-3600 * 1000);
    coordinator("c1", "runs", "", "");
    only("clock behind|Redis|null|", "");
    shard_command(shard, "ZADD bgop:{0}:coordinators %" PRId64 " c2",
                  SHARD_T0 + start_ms - 3600 * 1000 - COORDINATOR_LATE - 1);
    assert_non_null(strstr(health(), "coordinator gone|coordinator c2"));
}

static void an_outage_is_told_by_who_sees_it_since_its_beginning(void **state)
{
    (void)state;
    later(500);
    coordinator("c1", "runs", "127.0.0.1:9092: refused", "");
    only("Kafka outage|coordinator c1|500|127.0.0.1:9092: refused", "");
    later(1000);
    coordinator("c1", "runs", "127.0.0.1:9092: timed out", "");
    only("Kafka outage|coordinator c1|500|", "refused");
    coordinator("c1", "runs", "", "OOM command not allowed");
    only("Redis outage|coordinator c1|1500|", "OOM");
    coordinator("c1", "runs", "", "");
    well();
}

/* ---- partitions ---- */

static void a_halted_partition_is_told_until_it_is_read_again(void **state)
{
    (void)state;
    source("reads", "");
    later(700);
    source("halted", "Kafka lost its tail");
    only("source halted|bgop.submit[2]|700|Kafka lost its tail", "");
    later(900);
    source("halted", "Kafka lost its tail");
    only("source halted|bgop.submit[2]|700|", "tail");
    source("healing", "rewinding");
    only("source healing|bgop.submit[2]|1600|rewinding", "");
    source("reads", "");
    well();
}

static void what_was_halted_is_told_when_who_said_so_is_dead(void **state)
{
    (void)state;
    source("halted", "Kafka lost its tail");
    later(COORDINATOR_LATE + 1);
    assert_non_null(strstr(health(), "source halted|bgop.submit[2]|0|Kafka lost its tail"));
    later(100 * FORGOTTEN);
    assert_non_null(strstr(health(), "source halted|bgop.submit[2]|0|Kafka lost its tail"));
    coordinator("c2", "runs", "", "");
    only("source halted|bgop.submit[2]|0|", "tail");
    source_at("c2", 2, "bgop.submit[2]", "reads", "");
    well();
}

static void a_partition_nobody_reads_is_told(void **state)
{
    (void)state;
    source("reads", "");
    source_at("c1", 1, "bgop.status[1]", "known", "");
    later_with_c1(HEALTH_SOURCE_UNREAD_MS);
    well();
    later_with_c1(1);
    health();
    assert_non_null(
        strstr(told, "source unread|bgop.submit[2]|0|no coordinator reads it; the last to do so was coordinator c1"));
    assert_non_null(strstr(told, "source unread|bgop.status[1]|0|no coordinator reads it; nobody has so far"));
    source("reads", "");
    source_at("c1", 1, "bgop.status[1]", "known", ""); /* that says of nobody that he reads it */
    only("source unread|bgop.status[1]|0|", "");
    source_at("c1", 1, "bgop.status[1]", "reads", "");
    source_at("c1", 1, "bgop.status[1]", "known", "");
    well();
    later(COORDINATOR_LATE + HEALTH_SOURCE_UNREAD_MS); /* it follows from there being no coordinator: said once */
    assert_null(strstr(health(), "unread"));
}

static void a_partition_that_waits_is_told_when_it_lasts(void **state)
{
    (void)state;
    source("waits", "redis-memory");
    later_with_c1(HEALTH_SOURCE_WAITING_MS - 1);
    source("waits", "redis-memory");
    well();
    later_with_c1(1);
    source("waits", "redis-memory");
    only("source waiting|bgop.submit[2]|0|", "redis-memory");
    source("reads", "");
    well();
}

static void a_partition_that_lags_is_told(void **state)
{
    (void)state;
    source("lags", "stands at 5, the log ends at 9");
    only("source lagging|bgop.submit[2]|0|stands at 5", "ends at 9");
    source("reads", "");
    well();
}

/* ---- shards ---- */

static void a_shard_that_replays_its_log_is_told(void **state)
{
    (void)state;
    later(100);
    shard_command(shard, "FCALL bgop_arm 1 bgop:{2} %" PRId64 " 5 0 30000 1000 30 15", shard->generation + 1);
    only("shard not open|shard 2|100|", "replays its log");
    shard_command(shard, "HSET bgop:{2}:gate status_mark 0");
    shard_command(shard, "FCALL bgop_open 1 bgop:{2} %" PRId64, shard->generation + 1);
    well();
}

static void a_shard_that_was_never_armed_is_told(void **state)
{
    (void)state;
    shard_command(shard, "HSET bgop:meta shards %d", READS_SHARDS + 1);
    only("shard not open|shard 4|null|", "never armed");
}

static void a_shard_armed_on_another_server_is_told(void **state)
{
    (void)state;
    shard_command(shard, "HSET bgop:{1}:gate run somewhere");
    only("shard not open|shard 1|", "no coordinator has armed it again");
}

/* ---- the clock ---- */

static void settle(int64_t expected_ms)
{
    for (int s = 0; s < READS_SHARDS; s++) {
        shard_command(shard, "FCALL bgop_clock 1 bgop:{%d} %" PRId64 " %" PRId64, s, shard->generation,
                      SHARD_T0 + expected_ms);
        assert_memory_equal(shard->answer, "OK ", 3);
    }
}

static void a_clock_that_is_ahead_is_told_until_it_is_believed(void **state)
{
    (void)state;
    renew("w1");
    shard_doubt_clock(shard);
    later(3600000);
    settle(start_ms + 1000);
    coordinator("c1", "runs", "", "");
    only("clock ahead|Redis|1000|",
         "the clock of shard 0's server was set forward by 3599.0 s: timers and leases go on by the time before");
    settle(INT64_C(4000000000000));
    renew("w1");
    well();
}

static void a_clock_that_was_set_back_is_told_until_it_has_caught_up(void **state)
{
    (void)state;
    renew("w1");
    later(-HEALTH_CLOCK_GAP_MS);
    coordinator("c1", "runs", "", "");
    well();
    later(-1);
    coordinator("c1", "runs", "", "");
    only("clock behind|Redis|null|", "set back by 15.0 s: timers, leases and retries stand still until it is ");
    later(1);
    coordinator("c1", "runs", "", "");
    well();
}

/* ---- workers ---- */

static void a_worker_that_died_is_told_for_a_while(void **state)
{
    (void)state;
    renew("w1");
    renew("w2");
    later_with_c1(SHARD_LEASE_MS);
    renew("w1");
    well();
    later_with_c1(1);
    only("worker gone|worker w2|0|ended without leaving (status page http://w2)", "");
    renew("w1");
    later_with_c1(TOLD - 1);
    health();
    assert_non_null(strstr(told, "worker gone|worker w2|0|"));
    later_with_c1(1);
    assert_null(strstr(health(), "worker w2"));
}

static void a_worker_that_left_is_no_alarm(void **state)
{
    (void)state;
    renew("w1");
    for (int s = 0; s < READS_SHARDS; s++)
        shard_command(shard, "FCALL bgop_beat 1 bgop:{%d} worker w1 left '' ''", s);
    later_with_c1(SHARD_LEASE_MS + 1000);
    well();
    for (int s = 0; s < READS_SHARDS; s++) {
        assert_int_equal(shard_number(shard, "ZCARD bgop:{%d}:workers", s), 0);
        assert_int_equal(shard_number(shard, "EXISTS bgop:{%d}:w:w1", s), 0);
    }
}

/* While a shard is closed, and a lease's time after, nobody could renew there: silence proves nothing. */
static void a_worker_that_could_not_renew_is_not_missed(void **state)
{
    (void)state;
    renew("w1");
    for (int s = 0; s < READS_SHARDS; s++)
        shard_command(shard, "FCALL bgop_arm 1 bgop:{%d} %" PRId64 " 0 0 %d 1000 30 15", s, shard->generation + 1,
                      SHARD_LEASE_MS);
    later_with_c1(SHARD_LEASE_MS + 1000);
    assert_null(strstr(health(), "worker gone"));
    for (int s = 0; s < READS_SHARDS; s++)
        shard_command(shard, "FCALL bgop_open 1 bgop:{%d} %" PRId64, s, shard->generation + 1);
    well();
    later_with_c1(SHARD_LEASE_MS);
    only("worker gone|worker w1|0|", "");
}

static void an_outage_of_a_worker_is_told(void **state)
{
    (void)state;
    renew("w1");
    shard_command(shard, "FCALL bgop_beat 1 bgop:{0} worker w1 runs 'no brokers' ''");
    only("Kafka outage|worker w1|0|no brokers", "");
    later(1000);
    shard_command(shard, "FCALL bgop_beat 1 bgop:{0} worker w1 runs '' ''");
    well();
    shard_command(shard, "FCALL bgop_beat 1 bgop:{0} worker nobody runs 'no brokers' ''"); /* it never renewed */
    assert_int_equal(shard_number(shard, "EXISTS bgop:{0}:w:nobody"), 0);
}

/* ---- bounds ---- */

static void a_thousand_that_come_and_go_leave_nothing(void **state)
{
    (void)state;
    for (int n = 0; n < 1000; n++) {
        char instance[16];

        snprintf(instance, sizeof instance, "c%d", n + 2);
        coordinator(instance, "runs", "away", "");
        shard_command(shard, "FCALL bgop_renew 1 bgop:{0} %" PRId64 " w%d http://w WebCart 4", shard->generation, n);
    }
    later_with_c1(SHARD_LEASE_MS + 1000);
    health();
    assert_non_null(strstr(told, "coordinator gone|others|0|and 980 more"));
    assert_non_null(strstr(told, "worker gone|others|0|and 980 more"));
    later(FORGOTTEN);
    for (int n = 0; n < 12; n++) {
        coordinator("c1", "runs", "", "");
        reads_tick(shard);
        later(1000);
    }
    coordinator("c1", "runs", "", "");
    well();
    assert_int_equal(shard_number(shard, "ZCARD bgop:{0}:coordinators"), 1);
    assert_int_equal(shard_number(shard, "ZCARD bgop:{0}:workers"), 0);
    assert_int_equal(shard_number(shard, "EXISTS bgop:{0}:coordinator:c500 bgop:{0}:w:w500"), 0);
}

/* A cluster asks shard by shard: each tells of its own, and the first of the coordinators. */
static void one_shard_tells_of_its_own(void **state)
{
    json_t *stats;

    (void)state;
    source("halted", "why");
    stats = reads_json(shard, "bgop_stats 1 bgop:{2}");
    assert_int_equal(json_array_size(json_object_get(stats, "health")), 1);
    json_decref(stats);
    stats = reads_json(shard, "bgop_stats 1 bgop:{0}");
    assert_int_equal(json_array_size(json_object_get(stats, "health")), 0);
    json_decref(stats);
}

/* c1 beats all the while, and does not run it: its thread for actions hangs, say. */
static void an_action_that_nobody_runs_is_told(void **state)
{
    (void)state;
    shard_command(shard, "FCALL bgop_action_create 1 bgop:{0} act1 pause '' WebCart '' why anna ''");
    assert_memory_equal(shard->answer, "OK ", 3);
    later_with_c1(HEALTH_ACTION_HALTED_MS);
    well();
    later_with_c1(1);
    only("action halted|action act1|0|", "pause has settled 0 operations, and no coordinator has begun");
    shard_command(shard, "FCALL bgop_action_take 1 bgop:{0} c1 runs");
    well();
    later_with_c1(HEALTH_ACTION_HALTED_MS + ACTION_BOUND_LEASE_MS + 1);
    assert_non_null(strstr(health(), "and coordinator c1 runs it no longer"));
    shard_command(shard, "FCALL bgop_action_abort 1 bgop:{0} act1 anna ''");
    well();
}

static void what_is_wrong_is_refused_and_writes_nothing(void **state)
{
    static const char *const wrong[][2] = {
        { "bgop_beat 1 bgop:{0} coordinator c9 runs ''", "INVALID kind, instance" },
        { "bgop_beat 1 bgop:{0} other c9 runs '' ''", "INVALID kind: other" },
        { "bgop_beat 1 bgop:{0} coordinator '' runs '' ''", "INVALID instance" },
        { "bgop_beat 1 bgop:{0} coordinator 'c 9' runs '' ''", "INVALID instance" },
        { "bgop_beat 1 bgop:{0} coordinator c9 sleeps '' ''", "INVALID state: sleeps" },
        { "bgop_beat 0 coordinator c9 runs '' ''", "INVALID one key" },
        { "bgop_source 1 bgop:{0}", "INVALID instance" },
        { "bgop_source 1 bgop:{0} c9 t[0] reads", "INVALID sources: incomplete" },
        { "bgop_source 1 bgop:{0} c9 t[0] reads '' t1 reads ''", "INVALID source: t1" },
        { "bgop_source 1 bgop:{0} c9 t[0] reads '' t[1] sleeps ''", "INVALID state: sleeps" },
    };
    uint64_t before = shard_digest(shard);

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(wrong); i++) {
        shard_command(shard, "FCALL %s", wrong[i][0]);
        if (!strstr(shard->answer, wrong[i][1]))
            fail_msg("%s: expected %s, got %s", wrong[i][0], wrong[i][1], shard->answer);
    }
    shard_command(shard, "FCALL bgop_beat 1 bgop:{77} coordinator c9 runs '' ''"); /* no such shard: no queue there */
    assert_string_equal(shard->answer, "WAIT");
    assert_int_equal(shard_digest(shard), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        health_test(a_queue_that_is_served_is_well),
        health_test(a_redis_without_a_queue_is_told),
        health_test(the_only_coordinator_is_missed_within_its_bound),
        health_test(one_that_left_is_no_alarm_but_none_at_all_is),
        health_test(one_that_others_took_over_from_is_told_for_a_while),
        health_test(a_clock_that_was_set_back_hides_nobodys_death),
        health_test(an_outage_is_told_by_who_sees_it_since_its_beginning),
        health_test(a_halted_partition_is_told_until_it_is_read_again),
        health_test(what_was_halted_is_told_when_who_said_so_is_dead),
        health_test(a_partition_nobody_reads_is_told),
        health_test(a_partition_that_waits_is_told_when_it_lasts),
        health_test(a_partition_that_lags_is_told),
        health_test(a_shard_that_replays_its_log_is_told),
        health_test(a_shard_that_was_never_armed_is_told),
        health_test(a_shard_armed_on_another_server_is_told),
        health_test(an_action_that_nobody_runs_is_told),
        health_test(a_clock_that_is_ahead_is_told_until_it_is_believed),
        health_test(a_clock_that_was_set_back_is_told_until_it_has_caught_up),
        health_test(a_worker_that_died_is_told_for_a_while),
        health_test(a_worker_that_left_is_no_alarm),
        health_test(a_worker_that_could_not_renew_is_not_missed),
        health_test(an_outage_of_a_worker_is_told),
        health_test(a_thousand_that_come_and_go_leave_nothing),
        health_test(one_shard_tells_of_its_own),
        health_test(what_is_wrong_is_refused_and_writes_nothing),
    };

    return read_tests_run(tests);
}
