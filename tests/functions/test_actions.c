/* The record of an action in Redis: one of two coordinators runs it, a step counts once, what another has taken over is no
 * longer its own, and what has ended goes on no more. */
#include "tests/functions/read_queue.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/record/actions.h"

#define CREATE(action, rest) command("FCALL bgop_action_create 1 bgop:{0} " action " " rest)
#define WHERE                "redrive \"Type = 'WebCart'\" \"\" \"\" again anna 50"

static const char *command(const char *text)
{
    return shard_command(shard, "%s", text);
}

/* Begins the last answer so? */
static void says(const char *answer, const char *beginning)
{
    if (strncmp(answer, beginning, strlen(beginning)) != 0)
        fail_msg("expected %s, got %s", beginning, answer);
}

/* "OK <now> <rest>": is the rest this? */
static void rest_is(const char *answer, const char *expected)
{
    const char *rest = strncmp(answer, "OK ", 3) == 0 ? strchr(answer + 3, ' ') : NULL;

    if (strcmp(rest ? rest + 1 : strncmp(answer, "OK ", 3) == 0 ? "" : answer, expected) != 0)
        fail_msg("expected %s, got %s", expected, answer);
}

static const char *take(const char *instance)
{
    return shard_command(shard, "FCALL bgop_action_take 1 bgop:{0} %s runs", instance);
}

static const char *step(const char *owner, int from, int done, int skipped, int failed, const char *failures)
{
    return shard_command(shard, "FCALL bgop_action_step 1 bgop:{0} %s %d %d %d %d %s", owner, from, done, skipped,
                         failed, failures);
}

static const char *found(const char *owner, int from, int last, const char *ids)
{
    return shard_command(shard, "FCALL bgop_action_found 1 bgop:{0} %s %d %d '%s'", owner, from, last, ids);
}

/* So many Ids joined by blanks. */
static const char *ids(int count)
{
    static char text[600 * 19 + 1];

    for (int i = 0; i < count; i++)
        snprintf(text + 19 * i, sizeof text - (size_t)(19 * i), "%s%s", reads_id(1, i + 1), i + 1 < count ? " " : "");
    return text;
}

static const char *field(const char *action, const char *name)
{
    return shard_command(shard, "HGET bgop:{0}:action:%s %s", action, name);
}

static void later(int64_t ms)
{
    shard_clock(shard, shard_now(shard) + ms);
}

/* With 1,200 Ids found by c1. */
static void created_and_found(void)
{
    rest_is(CREATE("act1", WHERE), "Running");
    rest_is(take("c1"), "act1 1");
    rest_is(found("act1 c1 1", 0, 0, ids(500)), "Running");
    rest_is(found("act1 c1 1", 500, 0, ids(500)), "Running");
    rest_is(found("act1 c1 1", 1000, 1, ids(200)), "Running");
}

/* ---- cases ---- */

static void an_action_is_worked_off_step_by_step(void **state)
{
    (void)state;
    created_and_found();
    assert_string_equal(field("act1", "matching"), "1200");
    rest_is(step("act1 c1 1", 0, 300, 10, 2, "08Px 'became Complete' 08Py gone"), "Running");
    assert_string_equal(shard_command(shard, "HEXISTS bgop:{0}:action_ids:act1 0"), "1");
    rest_is(step("act1 c1 1", 312, 188, 0, 0, ""), "Running");
    assert_string_equal(shard_command(shard, "HEXISTS bgop:{0}:action_ids:act1 0"), "0");
    assert_string_equal(shard_command(shard, "HLEN bgop:{0}:action_ids:act1"), "2");
    rest_is(step("act1 c1 1", 500, 500, 0, 0, ""), "Running");
    rest_is(step("act1 c1 1", 1000, 199, 0, 1, "08Pz 'two\nlines'"), "Complete");
    assert_string_equal(field("act1", "done"), "1187");
    assert_string_equal(field("act1", "skipped"), "10");
    assert_string_equal(field("act1", "failed"), "3");
    assert_string_equal(shard_command(shard, "EXISTS bgop:{0}:action_ids:act1"), "0");
    rest_is(take("c1"), "");
    command("FCALL_RO bgop_actions 0 act1");
    assert_non_null(strstr(shard->answer,
                           "\"failures\":[{\"Id\":\"08Px\",\"text\":\"became Complete\"},"
                           "{\"Id\":\"08Py\",\"text\":\"gone\"},{\"Id\":\"08Pz\",\"text\":\"two lines\"}]"));
}

static void a_step_counts_once(void **state)
{
    (void)state;
    created_and_found();
    rest_is(step("act1 c1 1", 0, 100, 0, 0, ""), "Running");
    says(step("act1 c1 1", 0, 100, 0, 0, ""), "STALE its cursor is 100");
    says(step("act1 c1 1", 100, 401, 0, 0, ""), "INVALID more than there are in a chunk");
    says(step("act1 c1 1", 100, 1, 0, 1, "08Px"), "INVALID failures");
    says(step("act1 c1 1", 1000, 0, 0, 0, ""), "STALE");
    assert_string_equal(field("act1", "done"), "100");
}

static void of_two_coordinators_one_runs_it(void **state)
{
    (void)state;
    created_and_found();
    rest_is(take("c2"), "");
    says(step("act1 c2 1", 0, 1, 0, 0, ""), "STALE it is run by c1");
    later(ACTION_BOUND_LEASE_MS - 1);
    rest_is(take("c2"), "");
    rest_is(take("c1"), "act1 1"); /* it lives: the lease begins anew */
    later(ACTION_BOUND_LEASE_MS - 1);
    rest_is(take("c2"), "");
}

static void what_a_dead_coordinator_ran_another_takes_over(void **state)
{
    (void)state;
    created_and_found();
    rest_is(step("act1 c1 1", 0, 500, 0, 0, ""), "Running");
    later(ACTION_BOUND_LEASE_MS + 1);
    command("FCALL_RO bgop_actions 0 act1");
    assert_non_null(strstr(shard->answer, "\"coordinator\":null"));
    rest_is(take("c2"), "act1 2");
    says(step("act1 c1 1", 500, 500, 0, 0, ""), "STALE it is run by c2"); /* it was only slow */
    rest_is(take("c1"), "");
    rest_is(step("act1 c2 2", 500, 500, 0, 0, ""), "Running");
    assert_string_equal(field("act1", "done"), "1000");
}

/* The fence alone would not tell them apart when Redis has forgotten a take-over. */
static void a_redis_that_went_backwards_does_not_mix_two_owners(void **state)
{
    (void)state;
    created_and_found();
    command("HSET bgop:{0}:action:act1 owner c2 fence 1");
    says(step("act1 c1 1", 0, 1, 0, 0, ""), "STALE it is run by c2");
}

static void who_leaves_gives_back_at_once(void **state)
{
    (void)state;
    created_and_found();
    says(command("FCALL bgop_action_take 1 bgop:{0} c1 left"), "OK");
    rest_is(take("c2"), "act1 2");
}

static void a_search_that_was_cut_off_begins_anew(void **state)
{
    (void)state;
    rest_is(CREATE("act1", WHERE), "Running");
    rest_is(take("c1"), "act1 1");
    rest_is(found("act1 c1 1", 0, 0, ids(500)), "Running");
    says(found("act1 c1 1", 1000, 0, ids(500)), "STALE 500 were found");
    says(found("act1 c1 1", 500, 0, ids(499)), "INVALID Ids");
    says(step("act1 c1 1", 0, 1, 0, 0, ""), "INVALID more than there are");
    later(ACTION_BOUND_LEASE_MS + 1);
    rest_is(take("c2"), "act1 2");
    rest_is(found("act1 c2 2", 0, 1, ids(3)), "Running");
    assert_string_equal(field("act1", "matching"), "3");
    assert_string_equal(shard_command(shard, "HLEN bgop:{0}:action_ids:act1"), "1");
    says(found("act1 c2 2", 0, 1, ids(3)), "STALE");
}

static void nothing_found_is_complete(void **state)
{
    (void)state;
    rest_is(CREATE("act1", WHERE), "Running");
    rest_is(take("c1"), "act1 1");
    rest_is(found("act1 c1 1", 0, 1, ""), "Complete");
}

static void what_was_aborted_goes_no_further_and_counts_what_was_done(void **state)
{
    (void)state;
    created_and_found();
    rest_is(command("FCALL bgop_action_abort 1 bgop:{0} act1 anna 'the wrong one'"), "Aborted");
    assert_string_equal(field("act1", "error"), "aborted by anna: the wrong one");
    rest_is(step("act1 c1 1", 0, 50, 0, 0, ""), "Aborted"); /* it was under way */
    assert_string_equal(field("act1", "done"), "50");
    rest_is(found("act1 c1 1", 0, 1, ids(1)), "Aborted");
    rest_is(command("FCALL bgop_action_fail 1 bgop:{0} act1 c1 1 late"), "Aborted");
    rest_is(take("c1"), "");
    rest_is(command("FCALL bgop_action_abort 1 bgop:{0} act1 ben ''"), "Aborted");
    assert_string_equal(field("act1", "error"), "aborted by anna: the wrong one");
    says(command("FCALL bgop_action_abort 1 bgop:{0} actx ben ''"), "MISSING");
    assert_string_equal(command("HMGET bgop:{0}:counts actions_Aborted actions_Error"), "1 (nil)"); /* once */
}

/* A resume that overtook the pause before it would leave the Type paused. */
static void pauses_of_one_thing_go_one_after_the_other(void **state)
{
    (void)state;
    rest_is(CREATE("act1", "pause '' WebCart '' '' '' ''"), "Running");
    later(1);
    rest_is(CREATE("act2", "resume '' WebCart '' '' '' ''"), "Running");
    later(1);
    rest_is(CREATE("act3", "pause '' WebCart '' '' '' ''"), "Running");
    later(1);
    rest_is(CREATE("act4", "resume '' '' WebCart '' '' ''"), "Running"); /* a ParentKey of this name */
    later(1);
    rest_is(CREATE("act5", "pause '' Sweeper '' '' '' ''"), "Running");
    rest_is(take("c1"), "act1 1 act4 1 act5 1");
    rest_is(take("c2"), "");
    rest_is(take("c1"), "act1 1 act4 1 act5 1");
    rest_is(step("act1 c1 1", 0, 1, 0, 0, ""), "Complete");
    rest_is(take("c2"), "act2 1");
    rest_is(take("c1"), "act4 1 act5 1");
    rest_is(command("FCALL bgop_action_abort 1 bgop:{0} act2 anna ''"), "Aborted");
    rest_is(take("c1"), "act3 1 act4 1 act5 1");
}

static void one_that_cannot_go_on_says_why(void **state)
{
    (void)state;
    rest_is(CREATE("act1", WHERE), "Running");
    rest_is(take("c1"), "act1 1");
    rest_is(command("FCALL bgop_action_fail 1 bgop:{0} act1 c1 1 'no effect'"), "Error");
    assert_string_equal(field("act1", "error"), "no effect");
    says(command("FCALL bgop_action_fail 1 bgop:{0} actx c1 1 'no effect'"), "MISSING");
    rest_is(CREATE("act2", "pause '' WebCart '' '' '' ''"), "Running");
    rest_is(take("c1"), "act2 1");
    rest_is(command("FCALL bgop_action_fail 1 bgop:{0} act2 c1 1 'no effect'"), "Error");
    rest_is(step("act2 c1 1", 0, 0, 0, 1, ""), "Error"); /* its last step is counted, and it is not Complete */
    assert_string_equal(field("act2", "failed"), "1");
    assert_string_equal(command("HMGET bgop:{0}:counts actions_Aborted actions_Error"), "(nil) 2");
}

/* Redis lost power in the middle of a call: what is left of it goes when it is met. */
static void half_of_a_call_leaves_nothing_behind(void **state)
{
    (void)state;
    command("ZADD bgop:{0}:actions 1 actx");
    command("ZADD bgop:{0}:actions_running 1 actx");
    command("HSET bgop:{0}:action_ids:actx 0 08P");
    rest_is(take("c1"), "");
    assert_string_equal(command("EXISTS bgop:{0}:actions_running bgop:{0}:action_ids:actx"), "0");
    assert_string_equal(command("FCALL_RO bgop_actions 0"), "{\"actions\":[]}");
    created_and_found();
    rest_is(command("FCALL bgop_action_abort 1 bgop:{0} act1 anna ''"), "Aborted");
    command("ZADD bgop:{0}:actions_running 1 act1");
    rest_is(take("c1"), "");
    assert_string_equal(command("ZCARD bgop:{0}:actions_running"), "0");
}

static void what_is_asked_for_twice_is_one(void **state)
{
    (void)state;
    created_and_found();
    rest_is(CREATE("act1", WHERE), "Running");
    assert_string_equal(field("act1", "matching"), "1200");
    assert_string_equal(shard_command(shard, "ZCARD bgop:{0}:actions"), "1");
}

static void wrong_arguments_are_refused_and_write_nothing(void **state)
{
    static const char *const wrong[] = {
        "x1 " WHERE,
        "act1 delete a '' '' '' '' ''",
        "act1 cancel '' '' '' '' '' ''",
        "act1 cancel a WebCart '' '' '' ''",
        "act1 cancel '' WebCart '' '' '' ''",
        "act1 pause a '' '' '' '' ''",
        "act1 pause '' WebCart acct '' '' ''",
        "act1 cancel a '' '' '' '' 0",
        "act1 cancel a '' '' '' '' x",
        "act1 cancel '' '' '' '' '' '' 08P",
        "act1 cancel a '' ''",
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(wrong); i++)
        says(shard_command(shard, "FCALL bgop_action_create 1 bgop:{0} %s", wrong[i]), "INVALID");
    says(command("FCALL bgop_action_create 1 bgop:{1} act1 " WHERE), "INVALID");
    assert_string_equal(command("EXISTS bgop:{0}:actions"), "0");
    says(command("FCALL_RO bgop_actions 0 501"), "MALFORMED_QUERY");
    says(command("FCALL_RO bgop_actions 0 x"), "MALFORMED_QUERY");
    says(command("FCALL_RO bgop_actions 1 bgop:{1}"), "MALFORMED_QUERY");
    command("DEL bgop:{0}:gate");
    says(CREATE("act1", WHERE), "WAIT");
}

static void old_ones_that_have_ended_are_forgotten(void **state)
{
    (void)state;
    rest_is(CREATE("act1", WHERE), "Running");
    for (int i = 2; i <= ACTION_BOUND_KEPT + 5; i++) {
        shard_command(shard, "FCALL bgop_action_create 1 bgop:{0} act%d pause '' WebCart '' '' '' ''", i);
        shard_command(shard, "FCALL bgop_action_abort 1 bgop:{0} act%d anna ''", i);
        later(1);
    }
    assert_true(shard_number(shard, "ZCARD bgop:{0}:actions") <= ACTION_BOUND_KEPT + 2); /* with the one that runs */
    assert_string_equal(command("EXISTS bgop:{0}:action:act2"), "0");
    assert_string_equal(field("act1", "state"), "Running"); /* the oldest of all */
    later(ACTION_BOUND_KEPT_DAYS * INT64_C(86400000) + 1);
    for (int i = 0; i < 11; i++)
        shard_command(shard, "FCALL bgop_action_create 1 bgop:{0} actn%d pause '' WebCart '' '' '' ''", i);
    assert_string_equal(command("ZCARD bgop:{0}:actions"), "12");
    assert_string_equal(field("act1", "state"), "Running");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        read_test(an_action_is_worked_off_step_by_step),
        read_test(a_step_counts_once),
        read_test(of_two_coordinators_one_runs_it),
        read_test(what_a_dead_coordinator_ran_another_takes_over),
        read_test(a_redis_that_went_backwards_does_not_mix_two_owners),
        read_test(who_leaves_gives_back_at_once),
        read_test(a_search_that_was_cut_off_begins_anew),
        read_test(nothing_found_is_complete),
        read_test(what_was_aborted_goes_no_further_and_counts_what_was_done),
        read_test(pauses_of_one_thing_go_one_after_the_other),
        read_test(one_that_cannot_go_on_says_why),
        read_test(half_of_a_call_leaves_nothing_behind),
        read_test(what_is_asked_for_twice_is_one),
        read_test(wrong_arguments_are_refused_and_write_nothing),
        read_test(old_ones_that_have_ended_are_forgotten),
    };

    return read_tests_run(tests);
}
