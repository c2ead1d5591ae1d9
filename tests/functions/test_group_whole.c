/* A group whose members all succeed, told in one call, is written once a member. It ends as if each entry had come in a
 * call of its own, and whatever makes it less simple is applied entry by entry. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/groups.h"
#include "tests/support/test.h"

/* Every key with what it holds, in order. Of streams and fences, which tell how many calls there were, and of the worker,
 * whose claims are numbered, the name alone. */
static const char dump_script[] =
    "local keys, all = redis.call('KEYS', '*'), {}\n"
    "table.sort(keys)\n"
    "local read = {string = {'GET'}, hash = {'HGETALL'}, list = {'LRANGE', 0, -1}, zset = {'ZRANGE', 0, -1, 'WITHSCORES'}}\n"
    "for _, key in ipairs(keys) do\n"
    "  local how = read[redis.call('TYPE', key).ok]\n"
    "  local held = how and not key:find(':fences$') and not key:find(':w:i1$') and redis.call(how[1], key, unpack(how, 2)) or ''\n"
    "  if how and how[1] == 'HGETALL' and held ~= '' then\n"
    "    local fields = {}\n"
    "    for i = 1, #held, 2 do fields[#fields + 1] = held[i] .. '=' .. held[i + 1] end\n"
    "    table.sort(fields)\n"
    "    held = fields\n"
    "  end\n"
    "  all[#all + 1] = key .. ': ' .. (type(held) == 'table' and table.concat(held, ' ') or held)\n"
    "end\n"
    "return table.concat(all, '\\n')";

static void dump(struct shard *shard, char *text, size_t room)
{
    redisReply *reply = redisCommand(shard->redis, "EVAL %s 0", dump_script);

    assert_non_null(reply);
    assert_int_equal(reply->type, REDIS_REPLY_STRING);
    assert_true(reply->len < room);
    memcpy(text, reply->str, reply->len + 1);
    freeReplyObject(reply);
}

/* ---- what a worker tells ---- */

struct entry {
    const char *kind;
    int op;
    int duration_ms;
    const char *result; /* NULL: none */
    int attempt;        /* 0: the first */
};

static const struct entry all_ok[] = {
    { "ok", 2, 10, NULL, 0 },
    { "ok", 3, 20, NULL, 0 },
    { "ok", 1, 30, NULL, 0 },
};

/* Of the group that 1 leads. */
static void entry_write(struct shard *shard, const struct entry *entry, char *text, size_t room)
{
    snprintf(text, room, "%s %s %" PRIu64 " %" PRId64 " %d http://w1 \"\" \"\" %s %s \"\"", entry->kind,
             shard_id(entry->op), shard_token(shard, entry->attempt ? entry->attempt : 1), shard->now_ms - 100,
             entry->duration_ms, entry->result ? entry->result : "\"\"", shard_id(1));
}

/* Every entry in a call of its own, or all in one. Answers how many entries of `changes` the calls made. */
static int64_t tell(struct shard *shard, const struct entry *entries, size_t count, bool at_once)
{
    int64_t before = shard_number(shard, "XLEN " SHARD_PREFIX ":changes");
    char all[2048] = "", one[256];

    for (size_t i = 0; i < count; i++) {
        entry_write(shard, &entries[i], one, sizeof one);
        if (!at_once) {
            shard_apply_entries(shard, one);
            continue;
        }
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i > 0 ? " " : "", one);
    }
    if (at_once)
        shard_apply_entries(shard, all);
    return shard_number(shard, "XLEN " SHARD_PREFIX ":changes") - before;
}

/* ---- the same either way ---- */

static void assert_same_lines(char *some, char *others)
{
    char *left = NULL, *right = NULL, *line = strtok_r(some, "\n", &left), *other = strtok_r(others, "\n", &right);

    for (; line || other; line = strtok_r(NULL, "\n", &left), other = strtok_r(NULL, "\n", &right))
        if (!line || !other || strcmp(line, other) != 0)
            fail_msg("at once: %s\napart:   %s", line ? line : "nothing", other ? other : "nothing");
}

/* Puts the shard into the state that the entries find. */
typedef void prepared(struct shard *shard);

static void expect_same(prepared *prepare, const struct entry *entries, size_t count)
{
    static char apart[1 << 16], together[1 << 16];
    void *state;
    struct shard *shard;

    for (int at_once = 0; at_once < 2; at_once++) {
        groups_setup(&state);
        shard = state;
        prepare(shard);
        tell(shard, entries, count, at_once);
        dump(shard, at_once ? together : apart, sizeof apart);
        shard_teardown(&state);
    }
    assert_same_lines(together, apart);
}

static void all_succeed(void **state)
{
    static const struct entry entries[] = {
        { "ok", 2, 10, "made", 0 },
        { "ok", 3, 20, NULL, 0 },
        { "ok", 1, 30, "led", 0 },
    };

    (void)state;
    expect_same(groups_three, entries, TEST_COUNT(entries));
}

static void three_run_of_which_one_is_large(struct shard *shard, int large_op)
{
    char large[1100] = "";

    groups_arm(shard, 4, 100000, 2);
    memset(large, 'x', sizeof large - 1);
    for (int op = 1; op <= 3; op++)
        groups_submit(shard, op, (struct shard_op){ .payload = op == large_op ? large : "small" });
    groups_claim(shard, 1, "1 2 3");
}

static void a_large_leader(struct shard *shard)
{
    three_run_of_which_one_is_large(shard, 1);
}
static void a_large_follower(struct shard *shard)
{
    three_run_of_which_one_is_large(shard, 3);
}

static void payloads_of_every_size(void **state)
{
    (void)state;
    expect_same(a_large_leader, all_ok, TEST_COUNT(all_ok));
    expect_same(a_large_follower, all_ok, TEST_COUNT(all_ok));
}

static void cancels_are_wished(struct shard *shard)
{
    groups_three(shard);
    shard_apply(shard, "cancel", 1, 1, "");
    shard_apply(shard, "cancel", 3, 1, "not needed");
}

static void a_cancel_that_comes_too_late(void **state)
{
    (void)state;
    expect_same(cancels_are_wished, all_ok, TEST_COUNT(all_ok));
}

static void one_of_another_parent_runs_too(struct shard *shard)
{
    groups_three(shard);
    shard_submit(shard, 11, (struct shard_op){ .type = "ExternalObject", .parent_key = "other" });
    groups_claim(shard, 11, "11");
}

/* Others' entries stand between those of the group. */
static void others_in_the_same_call(void **state)
{
    static const struct entry entries[] = {
        { "ok", 2, 10, NULL, 0 },
        { "error", 11, 15, NULL, 0 },
        { "ok", 3, 20, NULL, 0 },
        { "ok", 1, 30, NULL, 0 },
    };

    (void)state;
    expect_same(one_of_another_parent_runs_too, entries, TEST_COUNT(entries));
}

/* ---- what is less simple ---- */

static void a_follower_that_failed(void **state)
{
    static const struct entry entries[] = {
        { "ok", 2, 10, NULL, 0 },
        { "error", 3, 20, NULL, 0 },
        { "ok", 1, 30, NULL, 0 },
    };

    (void)state;
    expect_same(groups_three, entries, TEST_COUNT(entries));
}

static void a_follower_that_is_not_told_of(void **state)
{
    static const struct entry entries[] = { { "ok", 2, 10, NULL, 0 }, { "ok", 1, 30, NULL, 0 } };

    (void)state;
    expect_same(groups_three, entries, TEST_COUNT(entries));
}

static void a_leader_that_failed(void **state)
{
    static const struct entry entries[] = {
        { "ok", 2, 10, NULL, 0 },
        { "ok", 3, 20, NULL, 0 },
        { "permanent", 1, 30, NULL, 0 },
    };

    (void)state;
    expect_same(groups_three, entries, TEST_COUNT(entries));
}

static void one_told_before(struct shard *shard)
{
    groups_three(shard);
    groups_apply(shard, "ok", 2, 1, 1, "");
}

static void one_left_before(struct shard *shard)
{
    groups_three(shard);
    groups_apply(shard, "error", 2, 1, 1, "no");
}

/* Its success is heard of after its failure. */
static void a_follower_that_had_left(void **state)
{
    (void)state;
    expect_same(one_left_before, all_ok, TEST_COUNT(all_ok));
}

static void the_leader_tries_again(struct shard *shard)
{
    groups_submit_all(shard, 1, 1);
    groups_claim(shard, 1, "1");
    shard_apply(shard, "error", 1, 1, "no");
    groups_submit_all(shard, 2, 3);
    groups_claim(shard, 1, "1 2 3");
}

static void attempts_of_different_numbers(void **state)
{
    static const struct entry entries[] = {
        { "ok", 2, 10, NULL, 0 },
        { "ok", 3, 20, NULL, 0 },
        { "ok", 1, 30, NULL, 2 },
    };

    (void)state;
    expect_same(the_leader_tries_again, entries, TEST_COUNT(entries));
}

/* Of followers, attempts that Redis does not know, numbered as their leader's. */
static void unknown_attempts(void **state)
{
    static const struct entry entries[] = {
        { "ok", 2, 10, NULL, 2 },
        { "ok", 3, 20, NULL, 2 },
        { "ok", 1, 30, NULL, 2 },
    };

    (void)state;
    expect_same(the_leader_tries_again, entries, TEST_COUNT(entries));
}

static void a_follower_told_twice(void **state)
{
    static const struct entry twice[] = {
        { "ok", 2, 10, NULL, 0 },
        { "ok", 3, 20, NULL, 0 },
        { "error", 3, 25, NULL, 0 },
        { "ok", 1, 30, NULL, 0 },
    };

    (void)state;
    expect_same(one_told_before, all_ok, TEST_COUNT(all_ok));
    expect_same(groups_three, twice, TEST_COUNT(twice));
}

static void a_follower_of_a_later_attempt(void **state)
{
    static const struct entry entries[] = { { "ok", 2, 10, NULL, 0 },
                                            { "ok", 3, 20, NULL, 2 },
                                            { "ok", 1, 30, NULL, 0 } };

    (void)state;
    expect_same(groups_three, entries, TEST_COUNT(entries));
}

static void a_leader_of_a_later_attempt(void **state)
{
    static const struct entry entries[] = { { "ok", 2, 10, NULL, 0 },
                                            { "ok", 3, 20, NULL, 0 },
                                            { "ok", 1, 30, NULL, 2 } };

    (void)state;
    expect_same(groups_three, entries, TEST_COUNT(entries));
}

static void a_sequence_runs_and_goes_on(struct shard *shard, int first)
{
    char number[] = "1";

    groups_arm(shard, 3, GROUPS_MERGE_MAX_BYTES, GROUPS_LIMIT);
    for (int op = 1; op <= 4; op++, number[0]++)
        groups_submit(shard, op,
                      (struct shard_op){ .payload = "x",
                                         .sequence_group = op < first ? "" : "s",
                                         .sequence_number = op < first ? "" : number });
    groups_claim(shard, 1, "1 2 3");
}

static void its_leader_is_of_a_sequence(struct shard *shard)
{
    a_sequence_runs_and_goes_on(shard, 1);
}

static void its_followers_are_of_a_sequence(struct shard *shard)
{
    a_sequence_runs_and_goes_on(shard, 2);
}

static void members_of_a_sequence_group(void **state)
{
    (void)state;
    expect_same(its_leader_is_of_a_sequence, all_ok, TEST_COUNT(all_ok));
    expect_same(its_followers_are_of_a_sequence, all_ok, TEST_COUNT(all_ok));
}

/* A stranger who names a running leader is none of its group. */
static void one_that_is_not_in_the_group(void **state)
{
    static const struct entry entries[] = {
        { "ok", 2, 10, NULL, 0 },
        { "ok", 3, 20, NULL, 0 },
        { "ok", 11, 25, NULL, 0 },
        { "ok", 1, 30, NULL, 0 },
    };

    (void)state;
    expect_same(one_of_another_parent_runs_too, entries, TEST_COUNT(entries));
}

/* ---- what it takes, and leaves ---- */

static void a_group_stands_ended(struct shard *shard)
{
    groups_stand(shard, 1, "Complete D");
    groups_leads(shard, 1, 1, "2");
    for (int op = 2; op <= 3; op++) {
        groups_stand(shard, op, "Merged D");
        groups_follows(shard, op, 1, 1);
        groups_field(shard, op, "ExpiresAt", shard_field(shard, 1, "ExpiresAt"));
    }
    assert_string_equal(shard_command(shard, "KEYS *:group:*"), "");
}

/* A second entry that changes nothing costs an entry of `changes`: what was known of the follower is read again. */
static void what_is_known_of_a_follower_does_not_outlive_its_next_entry(void **state)
{
    static const struct entry entries[] = {
        { "ok", 2, 10, NULL, 0 },
        { "ok", 3, 20, NULL, 0 },
        { "error", 3, 25, NULL, 0 },
        { "ok", 1, 30, NULL, 0 },
    };

    groups_three(*state);
    assert_int_equal(tell(*state, entries, TEST_COUNT(entries), true), 2);
    a_group_stands_ended(*state);
}

/* Commands that the server ran inside the call, of one kind. */
static int64_t calls_of(struct shard *shard, const char *command)
{
    char name[64];
    const char *at;

    snprintf(name, sizeof name, "cmdstat_%s:calls=", command);
    shard_command(shard, "INFO commandstats");
    at = strstr(shard->answer, name);
    return at ? strtoll(at + strlen(name), NULL, 10) : 0;
}

static void a_member_is_written_once_and_not_read(void **state)
{
    static const char *const commands[] = { "hset", "hmget" };
    struct shard *shard = *state;
    int64_t calls[2][2];

    for (int followers = 1; followers <= 2; followers++) {
        struct entry told[] = { all_ok[0], all_ok[1], all_ok[2] };

        shard_teardown(state);
        groups_setup(state);
        groups_submit_all(shard, 1, followers + 1);
        groups_claim(shard, 1, followers == 1 ? "1 2" : "1 2 3");
        if (followers == 1)
            told[1] = all_ok[2];
        for (int i = 0; i < 2; i++)
            calls[followers - 1][i] = -calls_of(shard, commands[i]);
        assert_int_equal(tell(shard, told, (size_t)followers + 1, true), 1);
        for (int i = 0; i < 2; i++)
            calls[followers - 1][i] += calls_of(shard, commands[i]);
    }
    assert_int_equal(calls[1][0] - calls[0][0], 1);
    assert_int_equal(calls[1][1] - calls[0][1], 0);
}

#define test(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(all_succeed),
        test(payloads_of_every_size),
        test(a_cancel_that_comes_too_late),
        test(others_in_the_same_call),
        test(a_follower_that_failed),
        test(a_follower_that_is_not_told_of),
        test(a_leader_that_failed),
        test(a_follower_that_had_left),
        test(attempts_of_different_numbers),
        test(unknown_attempts),
        test(a_follower_told_twice),
        test(a_follower_of_a_later_attempt),
        test(a_leader_of_a_later_attempt),
        test(members_of_a_sequence_group),
        test(one_that_is_not_in_the_group),
        groups_test(what_is_known_of_a_follower_does_not_outlive_its_next_entry),
        groups_test(a_member_is_written_once_and_not_read),
    };

    return shard_tests_run(tests);
}
