/* bgop_ingest: what a submission becomes. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/shard.h"
#include "tests/support/test.h"

static void a_record_holds_what_is_specific_to_it(void **state)
{
    struct shard *shard = *state;

    shard_submit(
        shard, 1,
        (struct shard_op){ .payload = "work", .retry_backoff = "1000", .retry_limit = "3", .timeout = "60000" });
    assert_string_equal(shard->answer, "OK 1700000030000 WebCart 08P03000000001000A");
    assert_string_equal(
        shard_command(shard, "HGETALL " SHARD_PREFIX ":op:%s", shard_id(1)),
        "Status New SystemModstamp 1700000030000 Type WebCart SubmittedAt 1700000030000 crc 1001 in work");
    assert_string_equal(shard_places(shard, 1), "New p");
}

static void what_differs_from_the_types_defaults_is_stored(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1,
                 (struct shard_op){ .type = "ExternalObject",
                                    .parent_key = "acct 1",
                                    .name = "n 1",
                                    .retry_backoff = "7",
                                    .retry_limit = "0",
                                    .timeout = "9",
                                    .sequence_group = "g",
                                    .sequence_number = "3",
                                    .process_after = "1" });
    assert_string_equal(shard_field(shard, 1, "ParentKey"), "acct 1");
    assert_string_equal(shard_field(shard, 1, "Name"), "n 1");
    assert_string_equal(shard_field(shard, 1, "RetryBackoff"), "7");
    assert_string_equal(shard_field(shard, 1, "RetryLimit"), "0");
    assert_string_equal(shard_field(shard, 1, "Timeout"), "9");
    assert_string_equal(shard_field(shard, 1, "SequenceGroup"), "g");
    assert_string_equal(shard_field(shard, 1, "SequenceNumber"), "3");
    assert_string_equal(shard_field(shard, 1, "ProcessAfter"), "1");
    assert_string_equal(shard_places(shard, 1), "New p"); /* ProcessAfter has passed */
    assert_string_equal(shard_command(shard, "ZRANGE '" SHARD_PREFIX ":parent:acct 1' 0 -1"), shard_id(1));
    assert_string_equal(shard_field(shard, 1, "in"), "");
}

static void process_after_in_the_future_schedules(void **state)
{
    struct shard *shard = *state;
    char after[32];

    snprintf(after, sizeof after, "%" PRId64, shard->now_ms + 1);
    shard_submit(shard, 1, (struct shard_op){ .process_after = after });
    assert_string_equal(shard->answer, "OK 1700000030000"); /* no hint */
    assert_string_equal(shard_places(shard, 1), "Scheduled d");
    snprintf(after, sizeof after, "%" PRId64, shard->now_ms);
    shard_submit(shard, 2, (struct shard_op){ .process_after = after });
    assert_string_equal(shard_places(shard, 2), "New p");
    shard_tick(shard);
    assert_string_equal(shard_places(shard, 1), "Scheduled d");
    shard_clock(shard, shard_now(shard) + 1);
    assert_string_equal(shard_tick(shard), "OK 1700000030001 -1 0 0 WebCart 08P03000000001000A");
    assert_string_equal(shard_places(shard, 1), "New p");
    assert_string_equal(shard_field(shard, 1, "ProcessAfter"), "1700000030001");
}

static void a_large_payload_has_its_own_key_and_leaves_with_completion(void **state)
{
    struct shard *shard = *state;
    char payload[3000];

    memset(payload, 'x', sizeof payload - 1);
    payload[sizeof payload - 1] = '\0';
    shard_submit(shard, 1, (struct shard_op){ .payload = payload });
    assert_string_equal(shard_field(shard, 1, "in"), "");
    assert_string_equal(shard_field(shard, 1, "large"), "2999");
    assert_string_equal(shard_command(shard, "GET " SHARD_PREFIX ":in:%s", shard_id(1)), payload);
    shard_claim(shard, 1);
    assert_non_null(strstr(shard->answer, payload));
    shard_apply(shard, "error", 1, 1, "no");
    assert_int_equal(shard_number(shard, "EXISTS " SHARD_PREFIX ":in:%s", shard_id(1)), 1);
    shard_claim(shard, 1);
    shard_apply(shard, "ok", 1, 2, "");
    assert_int_equal(shard_number(shard, "EXISTS " SHARD_PREFIX ":in:%s", shard_id(1)), 0);
}

static void a_small_payload_is_emptied_at_completion(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ .payload = "work" });
    shard_claim(shard, 1);
    shard_apply(shard, "ok", 1, 1, "");
    assert_string_equal(shard_command(shard, "HGET " SHARD_PREFIX ":op:%s in", shard_id(1)), "\"\"");
}

static void the_fence_admits_each_message_once(void **state)
{
    struct shard *shard = *state;
    uint64_t before;

    assert_memory_equal(shard_call(shard, "bgop_ingest", "2 0 0 10 9 5 6 4 0 100 99 7 8 0"), "OK ", 3);
    before = shard_digest(shard);
    assert_string_equal(shard_call(shard, "bgop_ingest", "2 0 0 10 9 5 6 4 100 200 99 7 8 0"), "FENCE 0 10 9 5 6");
    assert_string_equal(shard_call(shard, "bgop_ingest", "2 0 20 30 9 5 6 4 0 1 1 1 1 0"),
                        "FENCE 0 10 9 5 6 4 100 99 7 8");
    assert_string_equal(shard_call(shard, "bgop_ingest", "1 9 5 6 7 8 9 0"), "FENCE 9 0 -1 0 0");
    assert_true(before == shard_digest(shard));
    assert_memory_equal(shard_call(shard, "bgop_ingest", "2 0 10 10 9 5 6 4 100 110 -1 0 -1 0"), "OK ", 3);
    assert_string_equal(shard_command(shard, "HMGET " SHARD_PREFIX ":fences s0 s4"), "10 9 5 6 110 -1 0 0");
}

static void a_name_again_is_a_duplicate_or_a_reject_that_names_the_holder(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ .name = "n", .content = "77" });
    shard_submit(shard, 2, (struct shard_op){ .name = "n", .content = "77" });
    assert_string_equal(shard->answer, "OK 1700000030000");
    shard_submit(shard, 3, (struct shard_op){ .name = "n", .content = "78" });
    assert_string_equal(shard->answer, "REJECT 08P03000000003000A "
                                       "Name: 'n' is held by 08P03000000001000A with other content");
    assert_int_equal(
        shard_number(shard, "EXISTS " SHARD_PREFIX ":op:%s " SHARD_PREFIX ":op:%s", shard_id(2), shard_id(3)), 0);
    assert_string_equal(shard_command(shard, "HMGET " SHARD_PREFIX ":counts accepted duplicates"), "1 1");
    assert_string_equal(shard_command(shard, "HGET " SHARD_PREFIX ":names n"),
                        "[[\"08P03000000001000A\",\"WebCart\",\"n\",\"77\"]]");
}

static void a_name_is_unique_within_type_and_routing_key(void **state)
{
    struct shard *shard = *state;
    const struct shard_op ops[] = {
        { .name = "n", .content = "1" },
        { .name = "n", .content = "2", .type = "XClean" },
        { .name = "n", .content = "3", .parent_key = "p" },
        { .name = "n", .content = "4", .parent_key = "q" },
        { .name = "n", .content = "5", .sequence_group = "g", .sequence_number = "1" },
    };

    for (int number = 0; number < (int)TEST_COUNT(ops); number++) {
        shard_submit(shard, number, ops[number]);
        assert_string_equal(shard_field(shard, number, "Status"), "New");
    }
    shard_submit(shard, 9,
                 (struct shard_op){
                     .name = "n", .content = "9", .parent_key = "p", .sequence_group = "g", .sequence_number = "1" });
    assert_non_null(strstr(shard->answer, "is held by 08P03000000002000A"));
}

static void a_name_twice_in_one_call_is_seen(void **state)
{
    struct shard *shard = *state;

    uint64_t before = shard_digest(shard);

    shard_call(
        shard, "bgop_ingest",
        "1 0 0 3 2 5 6 2 "
        "%s WebCart \"\" n \"\" \"\" \"\" \"\" \"\" \"\" 1 \"\" 77 \"\" a %s WebCart \"\" n \"\" \"\" \"\" \"\" \"\" "
        "\"\" 2 \"\" 77 \"\" a "
        "%s WebCart \"\" n \"\" \"\" \"\" \"\" \"\" \"\" 3 \"\" 78 \"\" b",
        shard_id(1), shard_id(2), shard_id(3));
    assert_string_equal(shard->answer, "REJECT 08P03000000003000A Name: 'n' is held by 08P03000000001000A with "
                                       "other content");
    assert_true(before == shard_digest(shard)); /* not even what is good of it */
    shard_call(
        shard, "bgop_ingest",
        "1 0 0 3 2 5 6 3 "
        "%s WebCart \"\" n \"\" \"\" \"\" \"\" \"\" \"\" 1 \"\" 77 \"\" a %s WebCart \"\" n \"\" \"\" \"\" \"\" \"\" "
        "\"\" 2 \"\" 77 \"\" a",
        shard_id(1), shard_id(2));
    assert_string_equal(shard->answer, "OK 1700000030000 WebCart 08P03000000001000A");
    assert_string_equal(shard_command(shard, "HMGET " SHARD_PREFIX ":counts accepted duplicates rejected"), "1 1 3");
}

static void the_same_id_again_is_a_duplicate_and_another_message_a_reject(void **state)
{
    struct shard *shard = *state;
    char again[256];

    shard_submit(shard, 1, (struct shard_op){ .payload = "a" });
    shard_claim(shard, 1);
    shard_submit(shard, 1, (struct shard_op){ .payload = "a" });
    assert_string_equal(shard->answer, "OK 1700000030000");
    assert_string_equal(shard_places(shard, 1), "Running lr");
    snprintf(again, sizeof again,
             "1 0 2 3 2 5 6 0 %s WebCart \"\" \"\" \"\" \"\" \"\" \"\" \"\" \"\" 9 \"\" \"\" \"\" a", shard_id(1));
    assert_string_equal(shard_call(shard, "bgop_ingest", "%s", again),
                        "REJECT 08P03000000001000A Id 08P03000000001000A is held by another submission");
    assert_string_equal(shard_places(shard, 1), "Running lr");
}

static void an_unknown_type_is_a_reject(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ .type = "Nonsense" });
    assert_string_equal(shard->answer, "REJECT 08P03000000001000A Type: 'Nonsense' is not known to this queue");
    assert_int_equal(shard_number(shard, "HEXISTS " SHARD_PREFIX ":fences s0"), 0);
}

static void hints_and_streams_are_one_entry_per_call_and_type(void **state)
{
    struct shard *shard = *state;

    shard_call(
        shard, "bgop_ingest",
        "1 0 0 3 2 5 6 0 "
        "%s WebCart \"\" \"\" \"\" \"\" \"\" \"\" \"\" \"\" 1 \"\" \"\" \"\" a %s XClean \"\" \"\" \"\" \"\" \"\" "
        "\"\" \"\" \"\" 2 \"\" \"\" \"\" a "
        "%s WebCart \"\" \"\" \"\" \"\" \"\" \"\" \"\" \"\" 3 \"\" \"\" \"\" b",
        shard_id(1), shard_id(2), shard_id(3));
    assert_string_equal(shard->answer,
                        "OK 1700000030000 WebCart 08P03000000001000A 08P03000000003000A XClean 08P03000000002000A");
    assert_string_equal(shard_command(shard, "XRANGE " SHARD_PREFIX ":born - +"),
                        "1700000030000-0 ids 08P03000000001000A 08P03000000002000A 08P03000000003000A");
    assert_string_equal(shard_command(shard, "XRANGE " SHARD_PREFIX ":changes - +"),
                        "1700000030000-0 New 08P03000000001000A 08P03000000003000A New 08P03000000002000A");
}

/* Sets maxmemory so that this share of it is in use, and lets the shard look. */
static void use_memory(struct shard *shard, double share)
{
    const char *info = shard_command(shard, "INFO memory");
    double used = strtod(strstr(info, "used_memory:") + strlen("used_memory:"), NULL);

    shard_command(shard, "CONFIG SET maxmemory %" PRId64, share > 0 ? (int64_t)(used / share) : 0);
    shard_clock(shard, shard_now(shard) + 1000);
    shard_tick(shard);
}

static void short_of_memory_intake_waits_and_what_ends_is_kept_shorter(void **state)
{
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ 0 });
    shard_submit(shard, 2, (struct shard_op){ 0 });
    use_memory(shard, 0.75);
    shard_claim(shard, 1);
    shard_apply(shard, "ok", 1, 1, "");
    assert_int_equal(strtoll(shard_field(shard, 1, "ExpiresAt"), NULL, 10) - shard->now_ms, 360 * 1000);
    assert_memory_equal(shard_submit(shard, 3, (struct shard_op){ 0 }), "OK ", 3);
    use_memory(shard, 0.9);
    assert_string_equal(shard_submit(shard, 4, (struct shard_op){ 0 }),
                        "OOM more than 80% of maxmemory is used: intake waits");
    assert_memory_equal(shard_call(shard, "bgop_ingest", "1 4 0 9 8 5 6 0"), "OK ", 3);
    use_memory(shard, 1.5); /* Redis itself refuses now: work goes on */
    shard_claim(shard, 2);
    shard_apply(shard, "ok", 2, 1, "");
    assert_string_equal(shard_field(shard, 2, "Status"), "Complete");
    use_memory(shard, 0);
    assert_memory_equal(shard_submit(shard, 4, (struct shard_op){ 0 }), "OK ", 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        shard_test(a_record_holds_what_is_specific_to_it),
        shard_test(what_differs_from_the_types_defaults_is_stored),
        shard_test(process_after_in_the_future_schedules),
        shard_test(a_large_payload_has_its_own_key_and_leaves_with_completion),
        shard_test(a_small_payload_is_emptied_at_completion),
        shard_test(the_fence_admits_each_message_once),
        shard_test(a_name_again_is_a_duplicate_or_a_reject_that_names_the_holder),
        shard_test(a_name_is_unique_within_type_and_routing_key),
        shard_test(a_name_twice_in_one_call_is_seen),
        shard_test(the_same_id_again_is_a_duplicate_and_another_message_a_reject),
        shard_test(an_unknown_type_is_a_reject),
        shard_test(short_of_memory_intake_waits_and_what_ends_is_kept_shorter),
        shard_test(hints_and_streams_are_one_entry_per_call_and_type),
    };

    return shard_tests_run(tests);
}
