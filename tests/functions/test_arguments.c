/* Wrong arguments change nothing: functions do not roll back, so they look at everything before they write. */
#include <string.h>

#include "tests/support/shard.h"
#include "tests/support/test.h"

#define ID   "08P03000000001000A"
#define OP   ID " WebCart \"\" \"\" \"\" \"\" \"\" \"\" \"\" \"\" 1 \"\" \"\" \"\" work"
#define NEXT "08P03000000002000A"
#define SETTINGS \
    "'{\"retry_backoff_ms\":1,\"retry_limit\":1,\"timeout_ms\":1,\"retention_s\":1,\"retention_error_s\":1}'"

/* clang-format off: a table */
static const struct {
    const char *function, *arguments;
} wrong[] = {
    { "bgop_ingest", "" },
    { "bgop_ingest", "x" },
    { "bgop_ingest", "1 0 1 2 1 5 6" },
    { "bgop_ingest", "1 x 1 2 1 5 6 0" },
    { "bgop_ingest", "1 0 1 2 1 5 x 0" },
    { "bgop_ingest", "1 0 2 1 1 5 6 0" },
    { "bgop_ingest", "1 0 1 2 1 5 6 x" },
    { "bgop_ingest", "1 0 1 2 1 5 6 0 " NEXT " WebCart" },
    { "bgop_ingest",
      "1 0 1 3 1 5 6 0 " NEXT
      " WebCart \"\" \"\" \"\" \"\" \"\" \"\" \"\" \"\" 1 \"\" \"\" \"\" work short WebCart \"\" \"\" \"\" "
      "\"\" \"\" \"\" \"\" \"\" 1 \"\" \"\" \"\" work" },
    { "bgop_ingest", "1 0 1 2 1 5 6 0 " NEXT " \"\" \"\" \"\" \"\" \"\" \"\" \"\" \"\" \"\" 1 \"\" \"\" \"\" work" },
    { "bgop_ingest", "1 0 1 2 1 5 6 0 " NEXT " WebCart \"\" \"\" soon \"\" \"\" \"\" \"\" \"\" 1 \"\" \"\" \"\" work" },
    { "bgop_ingest", "1 0 1 2 1 5 6 0 " NEXT " WebCart \"\" \"\" \"\" -5 \"\" \"\" \"\" \"\" 1 \"\" \"\" \"\" work" },
    { "bgop_ingest", "1 0 1 2 1 5 6 0 " NEXT " WebCart \"\" \"\" \"\" \"\" 1.5 \"\" \"\" \"\" 1 \"\" \"\" \"\" work" },
    { "bgop_ingest", "1 0 1 2 1 5 6 0 " NEXT " WebCart \"\" \"\" \"\" \"\" \"\" 1e3 \"\" \"\" 1 \"\" \"\" \"\" work" },
    { "bgop_ingest", "1 0 1 2 1 5 6 0 " NEXT " WebCart \"\" \"\" \"\" \"\" \"\" \"\" g one 1 \"\" \"\" \"\" work" },
    { "bgop_ingest",
      "1 0 1 2 1 5 6 0 " NEXT " WebCart \"\" \"\" \"\" \"\" \"\" \"\" \"\" \"\" \"\" \"\" \"\" \"\" work" },
    { "bgop_ingest", "1 0 1 2 1 5 6 0 " NEXT " WebCart \"\" \"\" \"\" \"\" \"\" \"\" \"\" \"\" 1 soon \"\" \"\" work" },
    { "bgop_ingest", "1 0 1 2 1 5 6 0 #vc WebCart " NEXT },
    { "bgop_ingest", "1 0 1 2 1 5 6 0 #vx--------v---- WebCart " NEXT " 1" },
    { "bgop_ingest", "1 0 1 2 1 5 6 0 #vc--------v---- WebCart " NEXT },
    { "bgop_ingest", "1 0 1 2 1 5 6 0 #vc--------v----" },
    { "bgop_ingest", "1 0 1 2 1 5 6 0 #cc--------v---- " NEXT " WebCart 1" },
    { "bgop_ingest", "1 0 1 2 1 5 6 0 #vc--------c---- WebCart soon " NEXT },
    { "bgop_ingest", "1 0 1 2 1 5 6 0 #vc------c-v---- WebCart group " NEXT " 1" },
    { "bgop_claim", "" },
    { "bgop_claim", "i1 http://w1 n1 WebCart" },
    { "bgop_claim", "\"\" http://w1 n1 WebCart 1 " ID },
    { "bgop_claim", "'i 1' http://w1 n1 WebCart 1 " ID },
    { "bgop_claim", "i1 http://w1 \"\" WebCart 1 " ID },
    { "bgop_claim", "i1 http://w1 'n 1' WebCart 1 " ID },
    { "bgop_claim", "i1 http://w1 n1 WebCart 0 " ID },
    { "bgop_claim", "i1 http://w1 n1 WebCart 501 " ID },
    { "bgop_claim", "i1 http://w1 n1 WebCart many " ID },
    { "bgop_renew", "" },
    { "bgop_renew", "\"\" http://w1 WebCart 8" },
    { "bgop_renew", "i1 http://w1 WebCart x" },
    { "bgop_renew", "i1 http://w1 WebCart 8 " ID },
    { "bgop_renew", "i1 http://w1 WebCart 8 short 1" },
    { "bgop_renew", "i1 http://w1 WebCart 8 " ID " x" },
    { "bgop_reassert", "" },
    { "bgop_reassert", "i1 http://w1 WebCart 8 " ID " 7340033 WebCart" },
    { "bgop_reassert", "i1 http://w1 WebCart 8 " ID " -1 WebCart 1" },
    { "bgop_apply", "" },
    { "bgop_apply", "0 1 0 5" },
    { "bgop_apply", "1 0 0 5 6" },
    { "bgop_apply", "0 1 0 5 x" },
    { "bgop_apply", "0 1 0 5 6 ok" },
    { "bgop_apply", "0 1 0 5 6 good " ID " 7340033 1 1 w \"\" \"\" \"\" \"\" \"\"" },
    { "bgop_apply",
      "0 1 0 5 6 ok " ID " 7340033 1 1 w \"\" \"\" \"\" \"\" \"\" ok short 7340033 1 1 w \"\" \"\" \"\" \"\" \"\"" },
    { "bgop_apply", "0 1 0 5 6 ok " ID " x 1 1 w \"\" \"\" \"\" \"\" \"\"" },
    { "bgop_apply", "0 1 0 5 6 #cvc-------- good 7340033 " ID },
    { "bgop_apply", "0 1 0 5 6 #cvc-------- ok x " ID },
    { "bgop_apply", "0 1 0 5 6 #cvv-------- ok " ID },
    { "bgop_apply", "0 1 0 5 6 #cv--------- ok short" },
    { "bgop_tick", "" },
    { "bgop_tick", "x 100" },
    { "bgop_tick", "1 0" },
    { "bgop_tick", "1 501" },
    { "bgop_tick", "1" },
    { "bgop_arm", "" },
    { "bgop_arm", "0 0 30000 1000 30" },
    { "bgop_arm", "0 1 0 30000 1000 30 15" },
    { "bgop_arm", "x 0 30000 1000 30 15" },
    { "bgop_arm", "0 0 30000 1000 30 15 WebCart" },
    { "bgop_arm", "0 0 30000 1000 30 15 WebCart {}" },
    { "bgop_arm", "0 0 30000 1000 30 15 WebCart {" },
    { "bgop_arm", "0 0 30000 1000 30 15 WebCart 5" },
    { "bgop_arm", "0 0 30000 1000 30 15 Web:Cart " SETTINGS },
    { "bgop_arm", "0 0 30000 1000 30 15 \"\" " SETTINGS },
};
/* clang-format on */

static void wrong_arguments_are_refused_and_change_nothing(void **state)
{
    struct shard *shard = *state;
    uint64_t before;

    shard_submit(shard, 1, (struct shard_op){ .payload = "x" });
    before = shard_digest(shard);
    for (size_t i = 0; i < TEST_COUNT(wrong); i++) {
        bool arms = strcmp(wrong[i].function, "bgop_arm") == 0;

        shard->generation += arms; /* a higher one: it would be taken */
        shard_call(shard, wrong[i].function, "%s", wrong[i].arguments);
        shard->generation -= arms;
        if (strncmp(shard->answer, "INVALID ", 8) != 0)
            fail_msg("%s %s: %s", wrong[i].function, wrong[i].arguments, shard->answer);
        if (shard_digest(shard) != before)
            fail_msg("%s %s: has written", wrong[i].function, wrong[i].arguments);
    }
}

static void more_than_500_items_are_refused(void **state)
{
    static char text[501 * 128];
    static const struct {
        const char *function, *head, *item;
    } calls[] = {
        { "bgop_ingest", "1 0 1 2 1 5 6 0", " " OP },
        { "bgop_claim", "i1 http://w1 n1 WebCart 500", " " ID },
        { "bgop_renew", "i1 http://w1 WebCart 8", " " ID " 1" },
        { "bgop_reassert", "i1 http://w1 WebCart 8", " " ID " 1 WebCart 1" },
        { "bgop_apply", "0 1 0 5 6", " ok " ID " 1 1 1 w \"\" \"\" \"\" \"\" \"\"" },
    };
    struct shard *shard = *state;

    shard_submit(shard, 1, (struct shard_op){ 0 });
    for (size_t i = 0; i < TEST_COUNT(calls); i++) {
        uint64_t before = shard_digest(shard);
        size_t used = (size_t)snprintf(text, sizeof text, "%s", calls[i].head);

        for (int item = 0; item < 501; item++)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s", calls[i].item);
        shard_call(shard, calls[i].function, "%s", text);
        assert_memory_equal(shard->answer, "INVALID ", 8);
        assert_true(before == shard_digest(shard));
    }
}

static void a_call_needs_exactly_one_key(void **state)
{
    static const char *const functions[] = { "bgop_ingest", "bgop_claim", "bgop_renew", "bgop_reassert",
                                             "bgop_apply",  "bgop_tick",  "bgop_arm",   "bgop_open" };
    struct shard *shard = *state;

    for (size_t i = 0; i < TEST_COUNT(functions); i++) {
        assert_memory_equal(shard_command(shard, "FCALL %s 0 7", functions[i]), "INVALID ", 8);
        assert_memory_equal(shard_command(shard, "FCALL %s 2 a b 7", functions[i]), "INVALID ", 8);
    }
}

/* 500 at once, of every kind of list a call hands on to Redis. */
static void the_largest_calls_pass(void **state)
{
    static char text[1 << 20];
    struct shard *shard = *state;
    size_t used = (size_t)snprintf(text, sizeof text, "1 0 0 500 499 5 6 0");

    for (int n = 0; n < 500; n++)
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 " %s WebCart p%d n%d \"\" \"\" \"\" \"\" \"\" \"\" %d \"\" 7 \"\" work", shard_id(n),
                                 n % 7, n, n);
    assert_memory_equal(shard_call(shard, "bgop_ingest", "%s", text), "OK ", 3);
    used = (size_t)snprintf(text, sizeof text, "i1 http://w1 n1 WebCart 500");
    for (int n = 0; n < 500; n++)
        used += (size_t)snprintf(text + used, sizeof text - used, " %s", shard_id(n));
    assert_memory_equal(shard_call(shard, "bgop_claim", "%s", text), "OK ", 3);
    assert_int_equal(shard_number(shard, "HLEN " SHARD_PREFIX ":leases"), 500);
    used = (size_t)snprintf(text, sizeof text, "0 1 0 5 6");
    for (int n = 0; n < 500; n++)
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 " %s %s 7340033 1700000029000 %d http://w1 no \"\" \"\" \"\" \"\"",
                                 n % 2 == 0 ? "permanent" : "ok", shard_id(n), n * 100);
    assert_memory_equal(shard_call(shard, "bgop_apply", "%s", text), "OK ", 3);
    assert_int_equal(shard_number(shard, "ZCARD " SHARD_PREFIX ":errors"), 250);
    shard_clock(shard, shard_now(shard) + 7200 * 1000);
    shard_tick(shard);
    shard_tick(shard);
    assert_int_equal(shard_number(shard, "EVAL \"return #redis.call('KEYS', '*:op:*')\" 0"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        shard_test(wrong_arguments_are_refused_and_change_nothing),
        shard_test(more_than_500_items_are_refused),
        shard_test(a_call_needs_exactly_one_key),
        shard_test(the_largest_calls_pass),
    };

    return shard_tests_run(tests);
}
