/* The small decisions: settings of servers, genesis, generations, memory, commands, tick requests, crash points. */
#include "common/record/routing.h"
#include "tests/support/test.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/status/arming.h"
#include "coordinator/intake/commands.h"
#include "coordinator/loop/counters.h"
#include "coordinator/daemon/genesis.h"
#include "coordinator/intake/memory_limit.h"
#include "coordinator/daemon/redis_checks.h"
#include "coordinator/status/armed_settings.h"
#include "coordinator/status/timers.h"
#include "coordinator/daemon/topics.h"
#include "coordinator/loop/tick_requests.h"

static void redis_settings_are_refused_or_doubted(void **state)
{
    static const struct {
        const char *name, *value;
        enum setting_verdict verdict;
    } cases[] = {
        { "redis_version", "7.0.15", SETTING_FINE },
        { "redis_version", "6.2.14", SETTING_REFUSED },
        { "role", "master", SETTING_FINE },
        { "role", "slave", SETTING_REFUSED },
        { "cluster_enabled", "1", SETTING_REFUSED },
        { "maxmemory-policy", "noeviction", SETTING_FINE },
        { "maxmemory-policy", "allkeys-lru", SETTING_REFUSED },
        { "appendonly", "no", SETTING_REFUSED },
        { "appendfsync", "no", SETTING_DOUBTFUL },
        { "appendfsync", "everysec", SETTING_FINE },
        { "hash-max-listpack-value", "64", SETTING_DOUBTFUL },
        { "hash-max-listpack-value", "1024", SETTING_FINE },
        { "port", "6379", SETTING_FINE },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        struct err err = ERR_INIT;

        print_message("%s %s\n", cases[i].name, cases[i].value);
        assert_int_equal(redis_check_value(cases[i].name, cases[i].value, &err), cases[i].verdict);
        assert_int_equal(err.text[0] != '\0', cases[i].verdict != SETTING_FINE);
        if (err.text[0])
            assert_non_null(strstr(err.text, cases[i].name));
    }
}

static void an_info_text_is_read_line_by_line(void **state)
{
    static const char info[] = "# Memory\r\nused_memory:1000\r\nused_memory_rss:2000\r\nmaxmemory:0\r\nrole:master\r\n";
    char role[16];

    (void)state;
    assert_int_equal(info_number(info, "used_memory"), 1000);
    assert_int_equal(info_number(info, "used_memory_rss"), 2000);
    assert_int_equal(info_number(info, "maxmemory"), 0);
    assert_int_equal(info_number(info, "memory"), -1);
    assert_true(info_text(info, "role", role, sizeof role));
    assert_string_equal(role, "master");
}

static void ingest_pauses_at_80_percent_and_resumes_below_78(void **state)
{
    (void)state;
    assert_false(memory_pauses(false, 1000000, 0));
    assert_false(memory_pauses(false, 799, 1000));
    assert_true(memory_pauses(false, 800, 1000));
    assert_true(memory_pauses(true, 790, 1000));
    assert_false(memory_pauses(true, 779, 1000));
}

static void every_topic_has_its_partitions_and_retention(void **state)
{
    struct config config;
    struct topics topics;
    int hints = 0;

    (void)state;
    config_init(&config);
    topics_init(&topics, &config);
    for (size_t i = 0; i < topics.count; i++) {
        const struct kafka_topic *topic = &topics.list[i];

        if (strcmp(topic->name, "bgop.submit") == 0)
            assert_int_equal(topic->partitions, config.submit_partitions);
        else if (strcmp(topic->name, "bgop.control") == 0)
            assert_int_equal(topic->retention_ms, -1);
        else if (strcmp(topic->name, "bgop.status") == 0)
            assert_int_equal(topic->partitions, config.shards);
        hints += strcmp(topic->name, "bgop.WebCart") == 0;
        assert_string_not_equal(topic->name, "bgop.ExternalConnectivityPoller");
    }
    assert_int_equal(hints, 1);
    topics_release(&topics);
    config_release(&config);
}

static void copies_are_chosen_by_the_number_of_brokers(void **state)
{
    static const struct {
        int64_t replicas, min_in_sync;
        int brokers, expected_replicas, expected_min;
        const char *error;
    } cases[] = {
        { 0, 0, 1, 0, 0, NULL },
        { 0, 0, 2, 0, 0, NULL },
        { 0, 0, 3, 3, 2, NULL },
        { 0, 0, 5, 3, 2, NULL },
        { 5, 0, 5, 5, 4, NULL },
        { 2, 0, 3, 2, 0, NULL },
        { 0, 1, 3, 3, 1, NULL },
        { 3, 0, 2, 0, 0, "topic_replicas = 3: the cluster has 2 brokers" },
        { 2, 3, 3, 0, 0, "topic_min_in_sync = 3: more than there are copies" },
        { 0, 2, 1, 0, 0, "topic_min_in_sync = 2: more than there are copies" },
        { 0, 0, -1, 0, 0, "do not say how many" },
    };
    struct config config;
    struct topics topics;

    (void)state;
    config_init(&config);
    topics_init(&topics, &config);
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        struct err err = ERR_INIT;
        enum status st;

        config.topic_replicas = cases[i].replicas;
        config.topic_min_in_sync = cases[i].min_in_sync;
        st = topics_choose_copies(&topics, &config, cases[i].brokers, &err);
        assert_int_equal(st == ST_OK, !cases[i].error);
        if (cases[i].error) {
            assert_non_null(strstr(err.text, cases[i].error));
            continue;
        }
        assert_int_equal(topics.list[0].replicas, cases[i].expected_replicas);
        assert_int_equal(topics.list[topics.count - 1].min_in_sync, cases[i].expected_min);
    }
    topics_release(&topics);
    config_release(&config);
}

static void a_wrong_partition_count_is_refused_with_what_to_change(void **state)
{
    struct kafka_topic topic = { .name = "bgop.status", .partitions = 16, .found = true, .found_partitions = 12 };
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(topic_partitions_check(&topic, &err), ST_INVALID);
    assert_non_null(strstr(err.text, "bgop.status has 12 partitions"));
    assert_non_null(strstr(err.text, "shards"));
    topic.found_partitions = 16;
    assert_int_equal(topic_partitions_check(&topic, &err), ST_OK);
}

static void partitions_that_were_added_are_no_reason_to_refuse(void **state)
{
    struct kafka_topic topic = { .name = "bgop.submit", .partitions = 3, .found = true, .found_partitions = 4 };
    struct config config;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(topic_partitions_check(&topic, &err), ST_OK);
    topic.any_count = true; /* the command topic's may lag behind submit_partitions, too */
    topic.found_partitions = 1;
    assert_int_equal(topic_partitions_check(&topic, &err), ST_OK);
    config_init(&config);
    assert_non_null(strstr(topic_surplus_advice(&config, "bgop.submit"), "submit_partitions"));
    assert_null(topic_surplus_advice(&config, "bgop.status"));
    config_release(&config);
}

static void more_submit_partitions_than_redis_knows_of_are_taken_in_fewer_are_not(void **state)
{
    (void)state;
    assert_true(submit_partitions_adopted("3", 4));
    assert_false(submit_partitions_adopted("4", 4));
    assert_false(submit_partitions_adopted("4", 3));
    assert_false(submit_partitions_adopted("", 4));
    assert_false(submit_partitions_adopted("many", 4));
}

static void topic_settings_are_refused_or_doubted(void **state)
{
    static const struct {
        int64_t retention_ms;
        const char *name, *value;
        enum setting_verdict verdict;
    } cases[] = {
        { 1000, "cleanup.policy", "delete", SETTING_FINE },
        { 1000, "cleanup.policy", "compact", SETTING_REFUSED },
        { 1000, "cleanup.policy", "compact,delete", SETTING_REFUSED },
        { 1000, "retention.ms", "1000", SETTING_FINE },
        { 1000, "retention.ms", "5000", SETTING_FINE },
        { 1000, "retention.ms", "-1", SETTING_FINE },
        { 1000, "retention.ms", "999", SETTING_DOUBTFUL },
        { -1, "retention.ms", "604800000", SETTING_REFUSED },
        { -1, "retention.ms", "-1", SETTING_FINE },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        struct kafka_topic topic = { .name = "t", .retention_ms = cases[i].retention_ms };
        struct err err = ERR_INIT;

        print_message("%s %s\n", cases[i].name, cases[i].value);
        assert_int_equal(topic_setting_check(&topic, cases[i].name, cases[i].value, &err), cases[i].verdict);
    }
}

static void genesis_says_who_lost_what(void **state)
{
    static const struct {
        const char *kafka;
        int64_t generation;
        const char *redis;
        enum genesis_finding finding;
    } cases[] = {
        { "", 0, "", GENESIS_NONE },        { "a", 0, "", GENESIS_UNUSED }, { "a", 5, "", GENESIS_REDIS_LOST },
        { "", 0, "a", GENESIS_KAFKA_LOST }, { "a", 5, "a", GENESIS_KNOWN }, { "a", 5, "b", GENESIS_DIFFERENT },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        struct control_history history = { .generation = cases[i].generation };

        memcpy(history.genesis, cases[i].kafka, strlen(cases[i].kafka) + 1);
        assert_int_equal(genesis_find(&history, cases[i].redis), cases[i].finding);
    }
}

static void the_first_genesis_and_the_highest_generation_count(void **state)
{
    struct control_history history = { .shards = -1 };

    (void)state;
    control_history_add(&history, &(struct control){ .genesis_id = "first", .shards = 16, .generation = -1 });
    control_history_add(&history, &(struct control){ .genesis_id = "second", .shards = 8, .generation = -1 });
    control_history_add(&history, &(struct control){ .generation = 90, .shards = -1 });
    control_history_add(&history, &(struct control){ .generation = 70, .shards = -1 });
    assert_string_equal(history.genesis, "first");
    assert_int_equal(history.shards, 16);
    assert_int_equal(history.generation, 90);
    control_history_add(&history, &(struct control){ .generation = INT64_MAX, .shards = -1 });
    assert_int_equal(history.generation, 90); /* nothing could be above it */
}

static void a_generation_is_above_all_that_is_known(void **state)
{
    (void)state;
    assert_int_equal(generation_next(100, 0, 50), 101);
    assert_int_equal(generation_next(100, 200, 50), 201);
    assert_int_equal(generation_next(0, 0, 1700000000), 1700000001);
}

static void the_digest_of_settings_follows_the_configuration(void **state)
{
    struct config config;
    struct armed_settings before, same, after;
    struct err err = ERR_INIT;

    (void)state;
    config_init(&config);
    armed_settings_init(&before, &config);
    armed_settings_init(&same, &config);
    assert_int_equal(config_set(&config, "type WebCart", "retry_limit", "9", &err), ST_OK);
    armed_settings_init(&after, &config);
    assert_string_equal(before.digest, same.digest);
    assert_string_not_equal(before.digest, after.digest);
    assert_int_equal(before.type_count, 11);
    armed_settings_release(&before);
    armed_settings_release(&same);
    armed_settings_release(&after);
    config_release(&config);
}

static void commands_go_to_the_shard_of_their_operation(void **state)
{
    struct command command = { .kind = COMMAND_CANCEL };
    struct err err = ERR_INIT;

    (void)state;
    id_make(command.id, &(struct id_parts){ .shard = 7, .partition = 1, .offset = 99 });
    assert_int_equal(command_shard(&command, 16, &err), 7);
    assert_int_equal(command_shard(&command, 4, &err), -1);
    assert_non_null(strstr(err.text, command.id));
    command.id[0] = '\0';
    assert_int_equal(command_shard(&command, 16, &err), -1);
    command.kind = COMMAND_PAUSE;
    snprintf(command.type, sizeof command.type, "WebCart");
    assert_int_equal(command_shard(&command, 16, &err), COMMAND_ALL_SHARDS);
    command.type[0] = '\0';
    snprintf(command.parent_key, sizeof command.parent_key, "acct-1");
    assert_int_equal(command_shard(&command, 16, &err), routing_shard("acct-1", 6, 3, 99, 16));
}

static void a_wake_is_the_earliest_that_was_said(void **state)
{
    struct tick_requests requests;
    struct wake wake;

    (void)state;
    wake_init(&wake);
    tick_requests_init(&requests, 2);
    tick_request_plan(&requests, 1, &wake, 1000);
    assert_true(tick_request_take(&requests, 1) == INT64_MAX);
    assert_true(tick_request(&requests, 1, 500));
    assert_true(tick_request(&requests, 1, 300));
    assert_true(tick_request(&requests, 1, 400));
    assert_true(tick_request_take(&requests, 0) == INT64_MAX);
    assert_int_equal(tick_request_take(&requests, 1), 300);
    assert_true(tick_request_take(&requests, 1) == INT64_MAX);
    tick_requests_release(&requests);
    wake_release(&wake);
}

static bool is_woken(const struct wake *wake)
{
    struct pollfd fd = { .fd = wake->fd, .events = POLLIN };

    return poll(&fd, 1, 0) == 1;
}

static void a_loop_is_woken_only_for_what_it_would_sleep_past(void **state)
{
    struct tick_requests requests;
    struct wake wake;

    (void)state;
    wake_init(&wake);
    tick_requests_init(&requests, 2);
    assert_false(tick_request(&requests, 0, 500)); /* nobody here runs its timers */
    tick_request_plan(&requests, 0, &wake, 1000);
    assert_true(tick_request(&requests, 0, 400));
    assert_false(is_woken(&wake)); /* it does not wait: it will take the request before it does */
    wake_prepare(&wake);
    assert_true(tick_request(&requests, 0, 1500));
    assert_false(is_woken(&wake)); /* by then it has ticked */
    assert_true(tick_request(&requests, 0, 900));
    assert_true(is_woken(&wake));
    wake_done(&wake);
    assert_false(is_woken(&wake));
    tick_request_leave(&requests, 0, NULL);
    assert_true(tick_request(&requests, 0, 500));
    tick_request_leave(&requests, 0, &wake);
    assert_false(tick_request(&requests, 0, 500));
    tick_requests_release(&requests);
    wake_release(&wake);
}

static void shards_tick_one_after_the_other_unless_something_is_due(void **state)
{
    int64_t now_us = 5000000, seen[4];

    (void)state;
    for (int s = 0; s < 4; s++) {
        seen[s] = timer_next_us(now_us, -1, 100, s, 4);
        assert_true(seen[s] > now_us && seen[s] <= now_us + 100000);
        assert_int_equal(timer_next_us(seen[s], 5000, 100, s, 4), seen[s] + 100000);
        for (int k = 0; k < s; k++)
            assert_true(seen[k] != seen[s]);
    }
    assert_int_equal(timer_next_us(now_us, 0, 100, 3, 4), now_us);
    assert_int_equal(timer_next_us(now_us, 7, 100, 3, 4), now_us + 7000);
}

static void a_quiet_shard_is_ticked_less_often(void **state)
{
    struct config config = { .tick_max_ms = 1000, .lease_ms = 30000 };

    (void)state;
    assert_int_equal(tick_most_ms(&config, false), 1000);
    assert_int_equal(tick_most_ms(&config, true), TICK_QUIET_MS);
    config.lease_ms = 3000; /* a lease that is taken behind a tick is judged when it ends */
    assert_int_equal(tick_most_ms(&config, true), 1500);
    config.lease_ms = 1000;
    assert_int_equal(tick_most_ms(&config, false), 500);
}

static void the_stats_line_has_every_counter(void **state)
{
    struct counters counters = { 0 };
    struct buf line;

    (void)state;
    buf_init(&line, 4096);
    counter_add(&counters.hinted, 12);
    counters_print(&counters, &line);
    assert_non_null(strstr(line.data, "submissions=0 "));
    assert_non_null(strstr(line.data, " hinted=12 "));
    buf_release(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(redis_settings_are_refused_or_doubted),
        cmocka_unit_test(an_info_text_is_read_line_by_line),
        cmocka_unit_test(ingest_pauses_at_80_percent_and_resumes_below_78),
        cmocka_unit_test(every_topic_has_its_partitions_and_retention),
        cmocka_unit_test(copies_are_chosen_by_the_number_of_brokers),
        cmocka_unit_test(a_wrong_partition_count_is_refused_with_what_to_change),
        cmocka_unit_test(partitions_that_were_added_are_no_reason_to_refuse),
        cmocka_unit_test(more_submit_partitions_than_redis_knows_of_are_taken_in_fewer_are_not),
        cmocka_unit_test(topic_settings_are_refused_or_doubted),
        cmocka_unit_test(genesis_says_who_lost_what),
        cmocka_unit_test(the_first_genesis_and_the_highest_generation_count),
        cmocka_unit_test(a_generation_is_above_all_that_is_known),
        cmocka_unit_test(the_digest_of_settings_follows_the_configuration),
        cmocka_unit_test(commands_go_to_the_shard_of_their_operation),
        cmocka_unit_test(a_wake_is_the_earliest_that_was_said),
        cmocka_unit_test(a_loop_is_woken_only_for_what_it_would_sleep_past),
        cmocka_unit_test(shards_tick_one_after_the_other_unless_something_is_due),
        cmocka_unit_test(a_quiet_shard_is_ticked_less_often),
        cmocka_unit_test(the_stats_line_has_every_counter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
