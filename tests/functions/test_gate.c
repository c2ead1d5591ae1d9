/* The gate: who may call, when, and how a shard comes through a recovery. */
#include <stdlib.h>
#include <string.h>

#include "tests/support/shard.h"
#include "tests/support/test.h"

/* Every mutating function with arguments that are right. */
static const struct {
    const char *function, *arguments;
    bool replay;
} calls[] = {
    { "bgop_ingest", "1 0 0 1 0 5 6 0", true },
    { "bgop_claim", "i1 http://w1 n1 WebCart 1", false },
    { "bgop_renew", "i1 http://w1 WebCart 8", false },
    { "bgop_reassert", "i1 http://w1 WebCart 8", true },
    { "bgop_apply", "0 1 0 5 6", true },
    { "bgop_tick", "0 100", false },
    { "bgop_open", " ", true },
};

static void every_function_refuses_a_server_that_was_never_armed(void **state)
{
    struct shard *shard = *state;

    for (size_t i = 0; i < TEST_COUNT(calls); i++)
        assert_string_equal(shard_call(shard, calls[i].function, "%s", calls[i].arguments), "FENCED 0");
}

static void every_function_refuses_another_generation_and_names_its_own(void **state)
{
    struct shard *shard = *state;
    uint64_t before;

    shard_arm(shard);
    before = shard_digest(shard);
    for (int step = -1; step <= 1; step += 2) {
        shard->generation += step;
        for (size_t i = 0; i < TEST_COUNT(calls); i++)
            assert_string_equal(shard_call(shard, calls[i].function, "%s", calls[i].arguments), "FENCED 7");
        shard->generation -= step;
    }
    assert_true(before == shard_digest(shard));
}

static void recovering_lets_replay_through_and_nothing_else(void **state)
{
    struct shard *shard = *state;

    shard_arm_only(shard, 1, 1);
    for (size_t i = 0; i < TEST_COUNT(calls); i++) {
        const char *answer = shard_call(shard, calls[i].function, "%s", calls[i].arguments);

        if (calls[i].replay)
            assert_true(strncmp(answer, "OK", 2) == 0 || strncmp(answer, "WAIT", 4) == 0);
        else
            assert_string_equal(answer, "RECOVERING generation 7");
    }
}

static void arm_takes_only_a_higher_generation(void **state)
{
    struct shard *shard = *state;
    uint64_t before;

    shard_arm(shard);
    before = shard_digest(shard);
    assert_string_equal(shard_call(shard, "bgop_arm", "0 0 30000 1000 30 15"), "STALE 7");
    shard->generation = 6;
    assert_string_equal(shard_call(shard, "bgop_arm", "0 0 30000 1000 30 15"), "STALE 7");
    assert_true(before == shard_digest(shard));
    shard->generation = 8;
    assert_memory_equal(shard_call(shard, "bgop_arm", "0 0 30000 1000 30 15"), "OK ", 3);
    assert_string_equal(shard_call(shard, "bgop_claim", "i1 u n1 WebCart 1"), "RECOVERING generation 8");
}

static void arm_keeps_the_version_of_settings_that_did_not_change(void **state)
{
    struct shard *shard = *state;

    shard_arm(shard);
    shard_arm(shard);
    assert_string_equal(shard_command(shard, "HGET " SHARD_PREFIX ":types WebCart"), "1");
    shard->generation++;
    shard_call(shard, "bgop_arm",
               "0 0 30000 1000 30 15 WebCart '{\"retry_backoff_ms\":5,\"retry_limit\":1,"
               "\"timeout_ms\":10,\"retention_s\":3600,\"retention_error_s\":7200}'");
    assert_string_equal(shard_command(shard, "HGET " SHARD_PREFIX ":types WebCart"), "2");
    assert_string_equal(shard_command(shard, "HGET " SHARD_PREFIX ":types WebCart:1"),
                        "{\"retry_backoff_ms\":1000,\"retry_limit\":3,\"timeout_ms\":60000,\"retention_s\":3600,"
                        "\"retention_error_s\":7200,\"merge_max\":1}");
}

static void a_record_keeps_the_settings_it_was_made_with(void **state)
{
    struct shard *shard = *state;

    shard_arm(shard);
    shard_submit(shard, 1, (struct shard_op){ 0 });
    shard->generation++;
    shard_call(shard, "bgop_arm",
               "0 0 30000 1000000 30 15 WebCart '{\"retry_backoff_ms\":5,\"retry_limit\":0,"
               "\"timeout_ms\":10,\"retention_s\":3600,\"retention_error_s\":7200}'");
    shard_call(shard, "bgop_open", " ");
    shard_submit(shard, 2, (struct shard_op){ 0 });
    assert_string_equal(shard_field(shard, 1, "v"), "");
    assert_string_equal(shard_field(shard, 2, "v"), "2");
    for (int number = 1; number <= 2; number++) {
        shard_call(shard, "bgop_claim", "i1 http://w1 m%d WebCart 1 %s", number, shard_id(number));
        if (strstr(shard->answer, number == 1 ? " 60000 " : " 10 ") == NULL)
            fail_msg("timeout of %d: %s", number, shard->answer);
        shard_apply(shard, "error", number, 1, "no");
    }
    assert_string_equal(shard_places(shard, 1), "Waiting p"); /* 3 retries */
    assert_string_equal(shard_places(shard, 2), "Error eD");  /* none */
}

static void open_waits_until_every_fence_has_reached_its_mark(void **state)
{
    struct shard *shard = *state;

    shard_arm_only(shard, 1, 2);
    assert_string_equal(shard_call(shard, "bgop_open", " "), "WAIT status 0 < 1");
    shard_apply_entries(shard, "");
    assert_string_equal(shard_call(shard, "bgop_open", " "), "WAIT submit partition 0 0 < 2");
    shard_submit(shard, 1, (struct shard_op){ 0 });
    assert_string_equal(shard_call(shard, "bgop_open", " "), "WAIT submit partition 0 1 < 2");
    shard_submit(shard, 2, (struct shard_op){ 0 });
    assert_memory_equal(shard_call(shard, "bgop_open", " "), "OK ", 3);
    assert_memory_equal(shard_call(shard, "bgop_open", " "), "OK ", 3);
    assert_memory_equal(shard_call(shard, "bgop_claim", "i1 u n1 WebCart 1"), "OK ", 3);
}

static void flushing_the_server_closes_the_shard(void **state)
{
    struct shard *shard = *state;

    shard_arm(shard);
    shard_command(shard, "FLUSHALL");
    shard_clock(shard, 0);
    assert_string_equal(shard_call(shard, "bgop_tick", "0 100"), "FENCED 0");
    assert_string_equal(shard_command(shard, "KEYS bgop*"), "");
}

static void a_restart_closes_the_shard_until_it_is_armed_again(void **state)
{
    struct shard *shard = *state;

    shard_arm(shard);
    shard_submit(shard, 1, (struct shard_op){ .payload = "work" });
    shard_claim(shard, 1);
    redis_server_kill(shard->server);
    redis_server_again(shard->server);
    shard_reconnect(shard);
    for (size_t i = 0; i < TEST_COUNT(calls); i++)
        assert_string_equal(shard_call(shard, calls[i].function, "%s", calls[i].arguments), "FENCED 0");
    assert_string_equal(shard_places(shard, 1), "Running lr");
    shard_arm(shard);
    assert_string_equal(shard_places(shard, 1), "Running lr");
    shard->generation--; /* the token of the claim */
    shard_apply(shard, "ok", 1, 1, "");
    assert_string_equal(shard->answer, "FENCED 8");
}

static void nothing_is_taken_back_before_the_floor_that_opening_sets(void **state)
{
    struct shard *shard = *state;

    shard_arm(shard);
    shard_submit(shard, 1, (struct shard_op){ 0 });
    shard_claim(shard, 1);
    shard_clock(shard, shard_now(shard) + 10 * SHARD_LEASE_MS); /* a long outage: its lease is over */
    shard->generation++;
    shard_arm_only(shard, 0, 0);
    shard_call(shard, "bgop_open", " ");
    shard_clock(shard, shard_now(shard) + SHARD_LEASE_MS - 1);
    shard_tick(shard);
    assert_string_equal(shard_places(shard, 1), "Running lr");
    shard_clock(shard, shard_now(shard) + 1);
    shard_tick(shard);
    assert_string_equal(shard_places(shard, 1), "Waiting p");
}

static void time_never_falls(void **state)
{
    struct shard *shard = *state;
    int64_t now;

    shard_arm(shard);
    now = shard->now_ms;
    shard_submit(shard, 1, (struct shard_op){ 0 });
    shard_clock(shard, shard_now(shard) - 5000);
    shard_submit(shard, 2, (struct shard_op){ 0 });
    assert_int_equal(strtoll(shard_field(shard, 1, "SubmittedAt"), NULL, 10), now);
    assert_int_equal(strtoll(shard_field(shard, 2, "SubmittedAt"), NULL, 10), now);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        shard_test_unarmed(every_function_refuses_a_server_that_was_never_armed),
        shard_test_unarmed(every_function_refuses_another_generation_and_names_its_own),
        shard_test_unarmed(recovering_lets_replay_through_and_nothing_else),
        shard_test_unarmed(arm_takes_only_a_higher_generation),
        shard_test_unarmed(arm_keeps_the_version_of_settings_that_did_not_change),
        shard_test_unarmed(a_record_keeps_the_settings_it_was_made_with),
        shard_test_unarmed(open_waits_until_every_fence_has_reached_its_mark),
        shard_test_unarmed(flushing_the_server_closes_the_shard),
        shard_test_unarmed(a_restart_closes_the_shard_until_it_is_armed_again),
        shard_test_unarmed(nothing_is_taken_back_before_the_floor_that_opening_sets),
        shard_test_unarmed(time_never_falls),
    };

    return cmocka_run_group_tests(tests, shard_server_start_aof, shard_server_stop);
}
