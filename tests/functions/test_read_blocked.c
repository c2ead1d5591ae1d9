/* What is shown of sequence groups: bgop_why and bgop_blocked. */
#include "tests/functions/read_queue.h"

#include <string.h>

static void member(int number)
{
    char text[128];

    snprintf(text, sizeof text, "WebCart acct-1 \"\" \"\" \"\" \"\" \"\" g %d", number);
    reads_submit(shard, 3, number, 1, text);
}

static bool why_says(int number, const char *part)
{
    return strstr(reads_ask(shard, "bgop_why 0 %s", reads_id(3, number)), part) != NULL;
}

static void why_names_the_ones_before_it(void **state)
{
    char expected[128];

    (void)state;
    for (int number = 1; number <= 3; number++)
        member(number);
    assert_true(why_says(1, "claimable since"));
    assert_true(why_says(3, "waits for 2 unfinished before it in sequence group 'g'"));
    snprintf(expected, sizeof expected, "\"blockedBy\":[\"%s\",\"%s\"]", reads_id(3, 1), reads_id(3, 2));
    assert_true(why_says(3, expected));
}

static void why_names_a_higher_one_that_runs(void **state)
{
    (void)state;
    member(2);
    reads_claim(shard, 2);
    member(1);
    assert_true(why_says(1, "waits for one of sequence group 'g' that runs"));
    assert_true(why_says(1, reads_id(3, 2)));
}

static void blocked_names_the_one_that_holds_a_group(void **state)
{
    (void)state;
    for (int number = 1; number <= 3; number++)
        member(number);
    reads_expect(shard, "{\"groups\":[],\"total\":0}", "bgop_blocked 0");
    reads_claim(shard, 1);
    reads_apply(shard, "permanent", 1, 1, "no");
    reads_expect(shard,
                 "{\"groups\":[{\"Id\":\"08P003000000001EAA\",\"Type\":\"WebCart\",\"ParentKey\":\"acct-1\","
                 "\"SequenceGroup\":\"g\",\"SequenceNumber\":1,\"Error\":\"no\","
                 "\"since\":\"2023-11-14T22:13:50.000+0000\",\"waiting\":2}],\"total\":1}",
                 "bgop_blocked 0");
    assert_true(why_says(1, "2 behind it in sequence group 'g' wait for its redrive or cancel"));
    assert_true(why_says(2, reads_id(3, 1)));
    reads_apply(shard, "redrive", 1, 1, "");
    reads_expect(shard, "{\"groups\":[],\"total\":0}", "bgop_blocked 1 bgop:{3} 500");
}

static void blocked_is_asked_with_a_limit_or_nothing(void **state)
{
    (void)state;
    reads_refused(shard, "MALFORMED_QUERY", "limit", "bgop_blocked 0 0");
    reads_refused(shard, "MALFORMED_QUERY", "limit", "bgop_blocked 0 501");
    reads_refused(shard, "MALFORMED_QUERY", "limit", "bgop_blocked 0 x");
    reads_refused(shard, "MALFORMED_QUERY", "limit", "bgop_blocked 0 1 2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        read_test(why_names_the_ones_before_it),
        read_test(why_names_a_higher_one_that_runs),
        read_test(blocked_names_the_one_that_holds_a_group),
        read_test(blocked_is_asked_with_a_limit_or_nothing),
    };

    return read_tests_run(tests);
}
