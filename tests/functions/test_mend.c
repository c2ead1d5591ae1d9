/* bgop_check and bgop_mend: every index is broken by hand, is named, and is mended. Every test ends with a shard_check
 * of its own kind (tests/support/shard.c), so what mend says is not taken on trust. */
#include "tests/support/groups.h"
#include "tests/support/shard.h"
#include "tests/support/test.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define P SHARD_PREFIX ":"
static const struct shard_op in_group_1 = { .parent_key = "k", .sequence_group = "g", .sequence_number = "1" };
static const struct shard_op in_group_2 = { .parent_key = "k", .sequence_group = "g", .sequence_number = "2" };

/* FCALL_RO bgop_check 1 prefix ... */
static const char *check(struct shard *shard, const char *arguments)
{
    return shard_command(shard, "FCALL_RO bgop_check 1 " SHARD_PREFIX " %s", arguments);
}

/* What is wrong with one record: "index text ...", "" when nothing is. */
static const char *wrong_with(struct shard *shard, int number)
{
    char arguments[64];
    const char *answer;

    snprintf(arguments, sizeof arguments, "records %s", shard_id(number));
    answer = check(shard, arguments);
    for (int blanks = 0; blanks < 6; blanks++) { /* position, Id, Type, Status, final, SystemModstamp */
        answer = strchr(answer, ' ');
        assert_non_null(answer);
        answer++;
    }
    return strncmp(answer, "0", 1) == 0 ? "" : answer;
}

static void assert_has(const char *text, const char *words)
{
    if (!strstr(text, words))
        fail_msg("\"%s\" is not in: %s", words, text);
}

/* One of each kind: 1 New, 2 Running, 3 Scheduled, 4 Error and timed, 5 Error for good, 6 Complete, 7 Canceled,
 * 8 fails for good and holds 9 in a sequence group, 10 runs and holds 11 in another; 12 Complete and 13 Canceled in two more. */
static void fill(struct shard *shard)
{
    shard_submit(shard, 1, (struct shard_op){ .parent_key = "p", .name = "one", .content = "1" });
    shard_submit(shard, 2, (struct shard_op){ .parent_key = "p", .payload = "x" });
    shard_submit(shard, 3, (struct shard_op){ .process_after = "1800000000000" });
    shard_submit(shard, 4, (struct shard_op){ .retry_backoff = "1000" });
    shard_submit(shard, 5, (struct shard_op){ .retry_limit = "0" });
    shard_submit(shard, 6, (struct shard_op){ 0 });
    shard_submit(shard, 7, (struct shard_op){ 0 });
    shard_submit(shard, 8, in_group_1);
    shard_submit(shard, 9, in_group_2);
    shard_submit(shard, 10, (struct shard_op){ .sequence_group = "h", .sequence_number = "1" });
    shard_submit(shard, 11, (struct shard_op){ .sequence_group = "h", .sequence_number = "2" });
    shard_submit(shard, 12, (struct shard_op){ .sequence_group = "i", .sequence_number = "1" });
    shard_submit(shard, 13, (struct shard_op){ .sequence_group = "j", .sequence_number = "1" });
    shard_claim(shard, 12);
    shard_apply(shard, "ok", 12, 1, "");
    shard_apply(shard, "cancel", 13, 0, "");
    shard_claim(shard, 2);
    for (int attempt = 1; attempt <= 2; attempt++) {
        shard_claim(shard, 4);
        shard_apply(shard, "error", 4, attempt, "no");
    }
    shard_claim(shard, 5);
    shard_apply(shard, "error", 5, 1, "no");
    shard_claim(shard, 6);
    shard_apply(shard, "ok", 6, 1, "");
    shard_apply(shard, "cancel", 7, 0, "not wanted");
    shard_claim(shard, 8);
    shard_apply(shard, "permanent", 8, 1, "no");
    shard_claim(shard, 10);
}

static void a_healthy_shard_raises_no_alarm(void **state)
{
    struct shard *shard = *state;
    static const char *const members[] = {
        "pending:WebCart", "due", "leases", "running", "errors", "parent:p", "blocked",
    };

    fill(shard);
    for (int number = 1; number <= 13; number++) {
        if (*wrong_with(shard, number))
            fail_msg("%d: %s", number, wrong_with(shard, number));
    }
    for (size_t i = 0; i < TEST_COUNT(members); i++) {
        for (int number = 1; number <= 13; number++) {
            char arguments[128];

            snprintf(arguments, sizeof arguments, "members %s %s", members[i], shard_id(number));
            if (shard_number(shard, "EXISTS " P "%s", members[i]) == 1 && *check(shard, arguments))
                fail_msg("%s", shard->answer);
        }
    }
    assert_string_equal(check(shard, "groups WebCart:k:g WebCart::h"), "");
}

/* %d: nothing; the Id of the operation stands for @. */
static const struct {
    const char *what, *broken;
    int number;
    const char *index;
} breaks[] = {
    { "pending lost", "ZREM " P "pending:WebCart @", 1, "pending:WebCart" },
    { "pending of what runs", "ZADD " P "pending:WebCart 5 @", 2, "pending:WebCart" },
    { "parent lost", "ZREM " P "parent:p @", 1, "parent:p" },
    { "parent at another time", "ZADD " P "parent:p 5 @", 1, "parent:p" },
    { "name lost", "HDEL " P "names one", 1, "names" },
    { "lease lost", "HDEL " P "leases @", 2, "leases" },
    { "lease of another attempt", "HSET " P "leases @ '7 1 i1 WebCart p'", 2, "leases" },
    { "running lost", "ZREM " P "running @", 2, "running" },
    { "lease of what does not run", "HSET " P "leases @ '7 1 i1 WebCart p'", 1, "leases" },
    { "running though new", "ZADD " P "running 5 @", 1, "running" },
    { "cancel of what does not run", "HSET " P "cancels @ why", 1, "cancels" },
    { "due lost", "ZREM " P "due @", 3, "due" },
    { "due at another time", "ZADD " P "due 5 @", 3, "due" },
    { "retry lost", "ZREM " P "due @", 4, "due" },
    { "due though for good", "ZADD " P "due 5 @", 5, "due" },
    { "error lost", "ZREM " P "errors @", 5, "errors" },
    { "error of what is complete", "ZADD " P "errors 5 @", 6, "errors" },
    { "complete without expiry", "HDEL " P "op:@ ExpiresAt", 6, "ExpiresAt" },
    { "canceled without expiry", "HDEL " P "op:@ ExpiresAt", 7, "ExpiresAt" },
    { "holder forgotten by its group", "ZREM " P "seq:WebCart:k:g @", 8, "seq:WebCart:k:g" },
    { "holder not among the blocked", "ZREM " P "blocked @", 8, "blocked" },
    { "holder that expires", "HSET " P "op:@ ExpiresAt 1900000000000", 8, "ExpiresAt" },
    { "holder not known to have failed", "SREM " P "seq_failed:WebCart:k:g @", 8, "seq_failed:WebCart:k:g" },
    { "complete member without expiry", "HDEL " P "op:@ ExpiresAt", 12, "ExpiresAt" },
    { "canceled member without expiry", "HDEL " P "op:@ ExpiresAt", 13, "ExpiresAt" },
    { "member lost", "ZREM " P "seq:WebCart:k:g @", 9, "seq:WebCart:k:g" },
    { "member at another place", "ZADD " P "seq:WebCart:k:g 7 @", 9, "seq:WebCart:k:g" },
    { "held member in pending", "ZADD " P "pending:WebCart 5 @", 9, "pending:WebCart" },
    { "running member not active", "SREM " P "seq_active:WebCart::h @", 10, "seq_active:WebCart::h" },
    { "waiting member active", "SADD " P "seq_active:WebCart::h @", 11, "seq_active:WebCart::h" },
};

static void command_with_id(struct shard *shard, const char *command, int number)
{
    char text[256], *at;

    snprintf(text, sizeof text, "%s", command);
    while ((at = strchr(text, '@'))) {
        char rest[256];

        snprintf(rest, sizeof rest, "%s", at + 1);
        snprintf(at, sizeof text - (size_t)(at - text), "%s%s", shard_id(number), rest);
    }
    shard_command(shard, "%s", text);
}

static void each_broken_index_is_named_and_mended(void **state)
{
    struct shard *shard = *state;

    fill(shard);
    for (size_t i = 0; i < TEST_COUNT(breaks); i++) {
        int number = breaks[i].number;

        command_with_id(shard, breaks[i].broken, number);
        if (!strstr(wrong_with(shard, number), breaks[i].index))
            fail_msg("%s: not named: %s", breaks[i].what, wrong_with(shard, number));
        shard_call(shard, "bgop_mend", "record %s", shard_id(number));
        if (strncmp(shard->answer, "OK ", 3) != 0 || !strstr(shard->answer, breaks[i].index))
            fail_msg("%s: not mended: %s", breaks[i].what, shard->answer);
        if (*wrong_with(shard, number))
            fail_msg("%s: still wrong: %s", breaks[i].what, wrong_with(shard, number));
        shard_check(shard);
    }
}

static void members_of_nothing_are_named_and_removed(void **state)
{
    struct shard *shard = *state;
    static const struct {
        const char *index, *add;
    } cases[] = {
        { "pending:WebCart", "ZADD " P "pending:WebCart 5 @" },
        { "pending:XClean", "ZADD " P "pending:XClean 5 @" },
        { "due", "ZADD " P "due 5 @" },
        { "errors", "ZADD " P "errors 5 @" },
        { "leases", "HSET " P "leases @ '7 1 i1 WebCart p'" },
        { "running", "ZADD " P "running 5 @" },
        { "cancels", "HSET " P "cancels @ why" },
        { "parent:q", "ZADD " P "parent:q 5 @" },
        { "blocked", "ZADD " P "blocked 5 @" },
        { "seq:WebCart:z:z", "ZADD " P "seq:WebCart:z:z 5 @" },
        { "seq_active:WebCart:z:z", "SADD " P "seq_active:WebCart:z:z @" },
        { "seq_failed:WebCart:z:z", "SADD " P "seq_failed:WebCart:z:z @" },
        { "aside:T:WebCart", "ZADD " P "aside:T:WebCart 5 @" },
    };

    fill(shard);
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        char arguments[128];

        command_with_id(shard, cases[i].add, 99);
        snprintf(arguments, sizeof arguments, "members %s %s", cases[i].index, shard_id(99));
        assert_has(check(shard, arguments), "there is no such operation");
        shard_call(shard, "bgop_mend", "member %s %s", cases[i].index, shard_id(99));
        assert_has(shard->answer, cases[i].index);
        assert_string_equal(check(shard, arguments), "");
    }
}

static void a_record_in_the_index_of_another_is_named(void **state)
{
    struct shard *shard = *state;
    char arguments[128];

    fill(shard);
    command_with_id(shard, "ZADD " P "pending:XClean 5 @", 1);
    snprintf(arguments, sizeof arguments, "members pending:XClean %s", shard_id(1));
    assert_has(check(shard, arguments), "belongs elsewhere");
    shard_call(shard, "bgop_mend", "member pending:XClean %s", shard_id(1));
    assert_string_equal(check(shard, arguments), "");
}

static void a_group_that_lets_the_wrong_one_go_is_set_right(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, in_group_1);
    shard_submit(shard, 2, in_group_2);
    shard_command(shard, "HDEL " P "seq_released WebCart:k:g");
    assert_has(check(shard, "groups WebCart:k:g"), "instead of");
    shard_call(shard, "bgop_mend", "group WebCart:k:g");
    assert_string_equal(check(shard, "groups WebCart:k:g"), "");
    shard_command(shard, "HSET " P "seq_released WebCart:k:g %s", shard_id(2));
    assert_has(check(shard, "groups WebCart:k:g"), "instead of");
    shard_call(shard, "bgop_mend", "group WebCart:k:g");
    assert_string_equal(check(shard, "groups WebCart:k:g"), "");
    shard_claim(shard, 1);
}

static void keys_of_nothing_are_named_and_put_right(void **state)
{
    struct shard *shard = *state;
    char name[64], arguments[128];
    static const char *const of_records[] = { "in", "out", "tries", "commands" };

    fill(shard);
    for (size_t i = 0; i < TEST_COUNT(of_records); i++) {
        snprintf(name, sizeof name, "%s:%s", of_records[i], shard_id(99));
        snprintf(arguments, sizeof arguments, "keys %s", name);
        shard_command(shard, "SET " P "%s x", name);
        assert_has(check(shard, arguments), "no such operation");
        shard_call(shard, "bgop_mend", "key %s", name);
        assert_int_equal(shard_number(shard, "EXISTS " P "%s", name), 0);
    }
    shard_command(shard, "XADD " P "done:7 1700000000000-1 ids %s", shard_id(6));
    shard_command(shard, "HSET " P "w:i9 uri u");
    shard_command(shard, "XADD " P "worker:u9 1700000000000-1 ids %s", shard_id(6));
    shard_command(shard, "ZADD " P "aside:T:WebCart 5 %s", shard_id(1));
    snprintf(arguments, sizeof arguments, "keys done:7 w:i9 worker:u9 aside:T:WebCart w:i1");
    assert_has(check(shard, arguments), "retentions");
    assert_has(shard->answer, "workers");
    assert_has(shard->answer, "uris");
    assert_has(shard->answer, "neither paused");
    assert_null(strstr(shard->answer, "w:i1 "));
    shard_call(shard, "bgop_mend", "key done:7");
    shard_call(shard, "bgop_mend", "key w:i9");
    shard_call(shard, "bgop_mend", "key worker:u9");
    shard_call(shard, "bgop_mend", "key aside:T:WebCart");
    assert_string_equal(check(shard, arguments), "");
    shard_tick(shard);
    assert_string_equal(check(shard, arguments), "");
}

/* Laid aside, paused and being resumed: all of it is as it should be. */
static void a_pause_raises_no_alarm(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ .parent_key = "p" });
    shard_submit(shard, 2, in_group_1);
    shard_submit(shard, 3, in_group_2);
    shard_apply_entries(shard, "pause '' 0 -1 -1 '' why -1 '' WebCart ''");
    shard_call(shard, "bgop_claim", "i1 http://w1 n1 WebCart 9 %s %s %s", shard_id(1), shard_id(2), shard_id(3));
    for (int number = 1; number <= 3; number++)
        assert_string_equal(wrong_with(shard, number), "");
    assert_string_equal(check(shard, "keys aside:T:WebCart"), "");
    shard_apply_entries(shard, "resume '' 0 -1 -1 '' why -1 '' WebCart ''");
    for (int number = 1; number <= 3; number++)
        assert_string_equal(wrong_with(shard, number), "");
    shard_tick(shard);
    for (int number = 1; number <= 3; number++)
        assert_string_equal(wrong_with(shard, number), "");
}

static void counters_and_streams_are_put_right_on_demand(void **state)
{
    struct shard *shard = *state;

    fill(shard);
    shard_command(shard, "HINCRBY " P "counts WebCart:New 3");
    shard_call(shard, "bgop_mend", "count WebCart:New -3");
    shard_check(shard);
    shard_command(shard, "DEL " P "born " P "done:3600 " P "done:7200");
    for (int number = 1; number <= 13; number++)
        shard_call(shard, "bgop_mend", "born %s", shard_id(number));
    for (int number = 5; number <= 7; number++)
        shard_call(shard, "bgop_mend", "done %s", shard_id(number));
    shard_call(shard, "bgop_mend", "done %s", shard_id(1));
    assert_true(strncmp(shard->answer, "OK ", 3) == 0 && !strstr(shard->answer, "done"));
}

static void what_lies_parked_for_a_record_is_applied(void **state)
{
    struct shard *shard = *state;

    fill(shard);
    shard_command(shard,
                  "HSET " P "parked %s '[[\"cancel\",\"%s\",\"0\",\"-1\",\"-1\",\"\",\"late\",\"-1\",\"\",\"\",\"\"]]'",
                  shard_id(1), shard_id(1));
    assert_has(wrong_with(shard, 1), "parked");
    shard_call(shard, "bgop_mend", "record %s", shard_id(1));
    assert_string_equal(wrong_with(shard, 1), "");
    assert_string_equal(shard_field(shard, 1, "Status"), "Canceled");
}

static void what_lies_parked_is_dropped_in_the_end(void **state)
{
    struct shard *shard = *state;
    char arguments[64];

    snprintf(arguments, sizeof arguments, "members parked %s", shard_id(99));
    shard_apply(shard, "ok", 99, 1, "");
    assert_string_equal(check(shard, arguments), "");
    shard_command(shard, "DEL " P "parked_at");
    assert_has(check(shard, arguments), "for ever");
    shard_call(shard, "bgop_mend", "member parked %s", shard_id(99));
    assert_string_equal(check(shard, arguments), "");
    shard_command(shard, "ZADD " P "parked_at 5 %s", shard_id(98));
    snprintf(arguments, sizeof arguments, "members parked_at %s", shard_id(98));
    assert_has(check(shard, arguments), "nothing lies parked");
    shard_call(shard, "bgop_mend", "member parked_at %s", shard_id(98));
    assert_string_equal(check(shard, arguments), "");
}

static void what_nobody_can_mend_is_left_alone(void **state)
{
    struct shard *shard = *state;

    fill(shard);
    shard_command(shard, "HSET " P "op:%s large 5000", shard_id(1));
    assert_has(wrong_with(shard, 1), "payload is lost");
    shard_call(shard, "bgop_mend", "record %s", shard_id(1));
    assert_null(strstr(shard->answer, "in"));
    assert_has(wrong_with(shard, 1), "payload is lost");
}

static void a_lease_that_was_put_again_ends_by_itself(void **state)
{
    struct shard *shard = *state;

    fill(shard);
    shard_command(shard, "HDEL " P "leases %s", shard_id(2));
    shard_command(shard, "ZREM " P "running %s", shard_id(2));
    shard_call(shard, "bgop_mend", "record %s", shard_id(2));
    assert_string_equal(shard_places(shard, 2), "Running lr");
    shard_clock(shard, shard_now(shard) + SHARD_LEASE_MS + 1);
    shard_call(shard, "bgop_tick", "%" PRId64 " 100", shard->now_ms);
    assert_string_equal(shard_field(shard, 2, "Status"), "Waiting");
}

/* ---- lanes and execution groups: ExternalObject merges up to four, everything of ParentKey p ---- */

static void expect_mended(struct shard *shard, int number, const char *index)
{
    assert_has(wrong_with(shard, number), index);
    shard_call(shard, "bgop_mend", "record %s", shard_id(number));
    assert_has(shard->answer, index);
    assert_string_equal(wrong_with(shard, number), "");
}

static void all_are_well(struct shard *shard, int from, int to)
{
    for (int number = from; number <= to; number++) {
        if (*wrong_with(shard, number))
            fail_msg("%d: %s", number, wrong_with(shard, number));
    }
}

static void lanes_and_groups_raise_no_alarm(void **state)
{
    struct shard *shard = *state;

    for (int number = 1; number <= 6; number++)
        groups_submit(shard, number, (struct shard_op){ .payload = "x" });
    all_are_well(shard, 1, 6);
    groups_claim(shard, 1, "1 2 3 4");
    all_are_well(shard, 1, 6);
    groups_apply(shard, "ok", 2, 1, 1, "");
    groups_apply(shard, "error", 3, 1, 1, "no");
    all_are_well(shard, 1, 6);
    assert_string_equal(check(shard, "lanes ExternalObject:p"), "");
    shard_apply(shard, "ok", 1, 1, "");
    all_are_well(shard, 1, 6);
}

static void what_has_lost_its_lane_gets_it_back(void **state)
{
    struct shard *shard = *state;

    for (int number = 1; number <= 3; number++)
        groups_submit(shard, number, (struct shard_op){ .payload = "x" });
    shard_command(shard, "ZREM " P "lane:ExternalObject:p %s", shard_id(3));
    expect_mended(shard, 3, "lane:ExternalObject:p");
    shard_check(shard);
    shard_command(shard, "ZADD " P "pending:ExternalObject 5 %s", shard_id(2));
    expect_mended(shard, 2, "pending:ExternalObject");
    shard_check(shard);
    shard_command(shard, "SREM " P "lane_out:ExternalObject:p %s", shard_id(1));
    assert_has(check(shard, "lanes ExternalObject:p"), "lets nobody go");
    shard_call(shard, "bgop_mend", "record %s", shard_id(1));
    shard_call(shard, "bgop_mend", "lane ExternalObject:p");
    all_are_well(shard, 1, 3);
    assert_string_equal(check(shard, "lanes ExternalObject:p"), "");
    shard_check(shard);
    shard_command(shard, "SADD " P "lane_out:ExternalObject:q %s", shard_id(1));
    assert_has(shard_command(shard, "FCALL_RO bgop_check 1 " SHARD_PREFIX " members lane_out:ExternalObject:q %s",
                             shard_id(1)),
               "belongs elsewhere");
    shard_call(shard, "bgop_mend", "member lane_out:ExternalObject:q %s", shard_id(1));
    assert_has(shard->answer, "lane_out:ExternalObject:q");
}

static void followers_without_a_leader_go_on(void **state)
{
    struct shard *shard = *state;

    for (int number = 1; number <= 3; number++)
        groups_submit(shard, number, (struct shard_op){ .payload = "x" });
    groups_claim(shard, 1, "1 2 3");
    groups_apply(shard, "ok", 2, 1, 1, "");
    shard_command(shard, "LREM " P "group:%s-1 0 %s", shard_id(1), shard_id(3));
    expect_mended(shard, 3, "group");
    shard_command(shard, "HDEL " P "leases %s", shard_id(1));
    expect_mended(shard, 1, "leases");
    shard_command(shard, "DEL " P "group:%s-1", shard_id(1));
    shard_apply(shard, "ok", 1, 1, "");
    expect_mended(shard, 2, "group");
    assert_string_equal(shard_field(shard, 2, "Status"), "Merged");
    assert_true(*shard_field(shard, 2, "ExpiresAt"));
    expect_mended(shard, 3, "group");
    assert_string_equal(shard_field(shard, 3, "Status"), "Waiting");
    shard_command(shard, "RPUSH " P "group:%s-9 %s", shard_id(1), shard_id(1));
    assert_has(shard_command(shard, "FCALL_RO bgop_check 1 " SHARD_PREFIX " keys group:%s-9", shard_id(1)),
               "its leader does not run");
    shard_call(shard, "bgop_mend", "key group:%s-9", shard_id(1));
    all_are_well(shard, 1, 3);
}

/* ---- after mending, the queue runs on to its end ---- */

/* Three of one lane are claimed together, one waits for the next turn; 6 and 7 are a sequence group in the lane of another
 * Type, 8 runs beside them, 9 waits for a place. */
enum { ALL_LANED = 9 };

static void fill_lanes(struct shard *shard)
{
    const struct shard_op sweeper = { .type = "Sweeper", .parent_key = "q:r", .payload = "x" };
    struct shard_op member = sweeper;

    groups_submit_all(shard, 1, 4);
    groups_submit(shard, 5, (struct shard_op){ .payload = "y" });
    groups_claim(shard, 1, "1 2 3 4");
    groups_apply(shard, "ok", 2, 1, 1, "");
    member.sequence_group = "s";
    member.sequence_number = "1";
    shard_submit(shard, 6, member);
    member.sequence_number = "2";
    shard_submit(shard, 7, member);
    shard_submit(shard, 8, sweeper);
    shard_submit(shard, 9, sweeper);
    shard_claim(shard, 6);
    shard_claim(shard, 8);
    for (int number = 1; number <= ALL_LANED; number++)
        assert_string_equal(wrong_with(shard, number), "");
}

static bool is_at(struct shard *shard, int number, const char *status)
{
    return strcmp(shard_field(shard, number, "Status"), status) == 0;
}

static int attempt_of(struct shard *shard, int number)
{
    return (int)(strtoull(shard_field(shard, number, "token"), NULL, 10) % (1 << 20));
}

/* Claims what it gets and lets it succeed, followers first, until nothing is left. */
static void run_on(struct shard *shard)
{
    static int nonce;

    for (int round = 0; round < 2 * ALL_LANED; round++) {
        for (int leader = 1; leader <= ALL_LANED; leader++) {
            if (!is_at(shard, leader, "Running"))
                continue;
            for (int number = 1; number <= ALL_LANED; number++)
                if (is_at(shard, number, "Merged") && !*shard_field(shard, number, "ok") &&
                    strcmp(shard_field(shard, number, "GroupLeaderId"), shard_id(leader)) == 0)
                    groups_apply(shard, "ok", number, attempt_of(shard, number), leader, "");
            shard_apply(shard, "ok", leader, attempt_of(shard, leader), "");
        }
        groups_later(shard, 100);
        shard_call(shard, "bgop_claim", "i1 http://w1 on-%d ExternalObject 9", ++nonce);
        shard_call(shard, "bgop_claim", "i1 http://w1 on-%d Sweeper 9", ++nonce);
    }
}

static const struct {
    const char *what, *broken;
    int number;
    const char *index;
} laned[] = {
    { "leader's lease lost", "HDEL " P "leases @", 1, "leases" },
    { "leader's running lost", "ZREM " P "running @", 1, "running" },
    { "leader's lease without its ParentKey", "HSET " P "leases @ '7340033 1700000125000 i1 ExternalObject plg'", 1,
      "leases" },
    { "leader's lease that names no followers", "HSET " P "leases @ '7340033 1700000125000 i1 ExternalObject pl p'", 1,
      "leases" },
    { "leader's turn lost", "SREM " P "lane_out:ExternalObject:p @", 1, "lane_out:ExternalObject:p" },
    { "group lost", "DEL " P "group:08P03000000001000A-1", 3, "group" },
    { "group without its leader", "LPOP " P "group:08P03000000001000A-1", 3, "group" },
    { "follower not in its group", "LREM " P "group:08P03000000001000A-1 0 @", 3, "group" },
    { "who waits for a turn lost", "ZREM " P "lane:ExternalObject:p @", 5, "lane:ExternalObject:p" },
    { "member's lease lost", "HDEL " P "leases @", 6, "leases" },
    { "member's lease that names no group", "HSET " P "leases @ '7340033 1700000125000 i1 Sweeper pl q:r'", 6,
      "leases" },
    { "lease of another payload", "HSET " P "leases @ '7340033 1700000125000 i1 Sweeper Lsl q:r'", 6, "leases" },
    { "lease of another Type", "HSET " P "leases @ '7340033 1700000125000 i1 WebCart psl q:r'", 6, "leases" },
    { "lease of another ParentKey", "HSET " P "leases @ '7340033 1700000125000 i1 Sweeper psl q'", 6, "leases" },
    { "lease without a backstop", "HSET " P "leases @ '7340033 x i1 Sweeper psl q:r'", 6, "leases" },
    { "lease that is cut", "HSET " P "leases @ 7340033", 6, "leases" },
    { "member not active", "SREM " P "seq_active:Sweeper:q%3Ar:s @", 6, "seq_active:" },
    { "member's place lost", "ZREM " P "seq:Sweeper:q%3Ar:s @", 7, "seq:" },
    { "limited one's lease lost", "HDEL " P "leases @", 8, "leases" },
    { "limited one's turn lost", "SREM " P "lane_out:Sweeper:q:r @", 8, "lane_out:Sweeper:q:r" },
    { "limited one that waits, lost", "ZREM " P "lane:Sweeper:q:r @", 9, "lane:Sweeper:q:r" },
};

static void what_was_mended_runs_on_to_the_end(void **state)
{
    struct shard *shard = *state;
    struct redis_server *server = shard->server;

    for (size_t i = 0; i < TEST_COUNT(laned); i++) {
        shard_close(shard);
        shard_open(shard, server);
        groups_arm(shard, GROUPS_MERGE_MAX, GROUPS_MERGE_MAX_BYTES, GROUPS_LIMIT);
        fill_lanes(shard);
        command_with_id(shard, laned[i].broken, laned[i].number);
        if (!strstr(wrong_with(shard, laned[i].number), laned[i].index))
            fail_msg("%s: not named: %s", laned[i].what, wrong_with(shard, laned[i].number));
        for (int number = 1; number <= ALL_LANED; number++)
            shard_call(shard, "bgop_mend", "record %s", shard_id(number));
        for (int number = 1; number <= ALL_LANED; number++)
            if (*wrong_with(shard, number))
                fail_msg("%s: %d is still wrong: %s", laned[i].what, number, wrong_with(shard, number));
        run_on(shard);
        for (int number = 1; number <= ALL_LANED; number++)
            if (!is_at(shard, number, "Complete") &&
                !(is_at(shard, number, "Merged") && *shard_field(shard, number, "ExpiresAt")))
                fail_msg("%s: %d stands at %s", laned[i].what, number, shard_places(shard, number));
        assert_int_equal(shard_number(shard, "EXISTS " P "lane:ExternalObject:p " P "lane_out:ExternalObject:p " P
                                             "lane:Sweeper:q:r " P "lane_out:Sweeper:q:r " P "seq:Sweeper:q%%3Ar:s " P
                                             "seq_active:Sweeper:q%%3Ar:s " P "leases " P "running"),
                         0);
        shard_check(shard);
    }
}

/* Generations are seconds since 1970 in life, and tokens have 16 digits. */
static void a_lease_that_was_put_again_has_its_whole_token(void **state)
{
    struct shard *shard = *state;
    char renewal[128];

    shard->generation = 1790000000;
    shard_arm(shard);
    shard_submit(shard, 1, (struct shard_op){ 0 });
    shard_claim(shard, 1);
    shard_command(shard, "HDEL " P "leases %s", shard_id(1));
    expect_mended(shard, 1, "leases");
    snprintf(renewal, sizeof renewal, "OK %" PRId64 " 30000 1 0", shard->now_ms);
    assert_string_equal(
        shard_call(shard, "bgop_renew", "i1 http://w1 WebCart 8 %s %" PRIu64, shard_id(1), shard_token(shard, 1)),
        renewal);
}

/* Its worker, if there is one, is known again at the next renewal only; who is asked meanwhile says what it knows. */
static void a_lease_that_lost_its_end_only_keeps_its_worker(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ 0 });
    shard_claim(shard, 1);
    shard_command(shard, "ZREM " P "running %s", shard_id(1));
    expect_mended(shard, 1, "running");
    assert_has(shard_command(shard, "HGET " P "leases %s", shard_id(1)), " i1 WebCart -");
}

static void the_gate_and_wrong_arguments_refuse(void **state)
{
    struct shard *shard = *state;

    assert_has(check(shard, "nothing x"), "INVALID");
    assert_has(check(shard, "members gate x"), "INVALID");
    shard_call(shard, "bgop_mend", "everything x");
    assert_has(shard->answer, "INVALID");
    shard_command(shard, "FCALL bgop_mend 1 " SHARD_PREFIX " 1 record %s", shard_id(1));
    assert_has(shard->answer, "FENCED");
    shard->generation++;
    shard_arm_only(shard, 0, 0);
    assert_has(check(shard, "groups g"), "RECOVERING");
    shard_call(shard, "bgop_mend", "record %s", shard_id(1));
    assert_has(shard->answer, "RECOVERING");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        shard_test(a_healthy_shard_raises_no_alarm),
        shard_test(each_broken_index_is_named_and_mended),
        shard_test(members_of_nothing_are_named_and_removed),
        shard_test(a_record_in_the_index_of_another_is_named),
        shard_test(a_group_that_lets_the_wrong_one_go_is_set_right),
        shard_test(keys_of_nothing_are_named_and_put_right),
        shard_test(a_pause_raises_no_alarm),
        shard_test(counters_and_streams_are_put_right_on_demand),
        shard_test(what_lies_parked_for_a_record_is_applied),
        shard_test(what_lies_parked_is_dropped_in_the_end),
        shard_test(what_nobody_can_mend_is_left_alone),
        shard_test(a_lease_that_was_put_again_ends_by_itself),
        groups_test(lanes_and_groups_raise_no_alarm),
        groups_test(what_has_lost_its_lane_gets_it_back),
        groups_test(followers_without_a_leader_go_on),
        groups_test(what_was_mended_runs_on_to_the_end),
        shard_test(a_lease_that_was_put_again_has_its_whole_token),
        shard_test(a_lease_that_lost_its_end_only_keeps_its_worker),
        shard_test(the_gate_and_wrong_arguments_refuse),
    };

    return shard_tests_run(tests);
}
