/* The functions as C calls against the real library: loading, and one operation's whole way. */
#include "tests/support/test.h"

#include <string.h>

#include "common/redis/functions.h"
#include "tests/support/redis_server.h"

enum { SHARD = 3, GENERATION = 7 };

static struct redis_server server;
static struct redis *redis;
static struct err err;

static void command(const char *a, const char *b, const char *c, const char *d)
{
    struct redis_reply *reply;

    assert_int_equal(redis_call(redis, &reply, &err, a, b, c, d, NULL), ST_OK);
    redis_reply_free(reply);
}

static int begin(void **state)
{
    (void)state;
    redis_server_start(&server, false);
    redis = redis_new(server.url, 5000, &err);
    return 0;
}

static int end(void **state)
{
    (void)state;
    redis_free(redis);
    redis_server_stop(&server);
    return 0;
}

/* ---- loading ---- */

static void a_missing_library_is_no_verdict(void **state)
{
    struct ingest_answer answer;

    (void)state;
    assert_int_equal(ingest_send(redis, &(struct ingest){ .shard = SHARD, .generation = GENERATION }, &err), ST_OK);
    assert_int_equal(ingest_receive(redis, &answer, &err), ST_AGAIN);
    assert_non_null(strstr(err.text, "not loaded"));
}

static void a_function_of_a_foreign_library_is_named(void **state)
{
    bool loaded;

    (void)state;
    command("FUNCTION", "LOAD", "#!lua name=other\nredis.register_function('bgop_claim', function() end)", NULL);
    assert_int_equal(functions_load(redis, &loaded, &err), ST_INVALID);
    assert_false(loaded);
    assert_non_null(
        strstr(err.text, "bgop_claim belongs to another library, other; remove it (FUNCTION DELETE other)"));
    command("FUNCTION", "DELETE", "other", NULL);
}

static void the_library_is_loaded_when_it_differs(void **state)
{
    bool loaded;

    (void)state;
    assert_int_equal(functions_load(redis, &loaded, &err), ST_OK);
    assert_true(loaded);
    assert_int_equal(functions_load(redis, &loaded, &err), ST_OK);
    assert_false(loaded);
    command("FUNCTION", "LOAD", "REPLACE", "#!lua name=bgop\nredis.register_function('bgop_old', function() end)");
    assert_int_equal(functions_load(redis, &loaded, &err), ST_OK);
    assert_true(loaded);
}

/* ---- the way of an operation ---- */

static struct type_settings web_cart = {
    .name = "WebCart",
    .retry_backoff_ms = 1000,
    .retry_limit = 3,
    .timeout_ms = 60000,
    .retention_s = 3600,
    .retention_error_s = 7200,
    .merge_max = 1,
    .merge_max_bytes = 1048576,
    .on_sequence_failure = "hold",
};

static struct gate gate_now(void)
{
    char run_id[64];
    struct gate gate;

    assert_int_equal(functions_run_id(redis, run_id, &err), ST_OK);
    assert_int_equal(gate_send(redis, SHARD, &err), ST_OK);
    assert_int_equal(gate_receive(redis, run_id, &gate, &err), ST_OK);
    return gate;
}

static void a_shard_is_armed_then_opened(void **state)
{
    struct arm arm = { .shard = SHARD,
                       .generation = GENERATION,
                       .queue = { 30000, 86400000, 7, 15 },
                       .types = &web_cart,
                       .type_count = 1,
                       .status_mark = 0 };
    bool opened;

    (void)state;
    assert_int_equal(gate_now().mode, GATE_ABSENT);
    assert_int_equal(arm_send(redis, &arm, &err), ST_OK);
    assert_int_equal(arm_receive(redis, &err), ST_OK);
    assert_int_equal(gate_now().mode, GATE_RECOVERING);
    assert_int_equal(gate_now().generation, GENERATION);
    assert_true(gate_now().armed_for_this_server);
    assert_int_equal(open_send(redis, SHARD, GENERATION, &err), ST_OK);
    assert_int_equal(open_receive(redis, &opened, &err), ST_OK);
    assert_true(opened);
    assert_int_equal(gate_now().mode, GATE_OPEN);
    assert_int_equal(arm_send(redis, &arm, &err), ST_OK);
    assert_int_equal(arm_receive(redis, &err), ST_STALE);
}

static char id[ID_SIZE];

static void submissions_are_recorded_once(void **state)
{
    struct submission submission;
    struct fence_move move = { 0, 0, 1, { 0, 5, 1700000000000 } };
    struct ingest_op op = { .submission = &submission, .crc = 5, .traceparent = "" };
    struct ingest call = {
        .shard = SHARD, .generation = GENERATION, .moves = &move, .move_count = 1, .ops = &op, .op_count = 1
    };
    struct ingest_answer answer;
    struct shard_fences fences;

    (void)state;
    id_make(id, &(struct id_parts){ .shard = SHARD, .partition = 0, .offset = 0 });
    memcpy(op.id, id, sizeof id);
    submission_init(&submission);
    snprintf(submission.type, sizeof submission.type, "WebCart");
    snprintf(submission.parent_key, sizeof submission.parent_key, "p");
    snprintf(submission.name, sizeof submission.name, "n");
    submission.payload = "a\0b";
    submission.payload_size = 3;
    assert_int_equal(ingest_send(redis, &call, &err), ST_OK);
    assert_int_equal(ingest_receive(redis, &answer, &err), ST_OK);
    assert_true(answer.now_ms > 1600000000000);
    assert_int_equal(answer.reject_count, 0);
    assert_int_equal(answer.hints.count, 1);
    assert_string_equal(answer.hints.types[0].type, "WebCart");
    assert_string_equal(answer.hints.types[0].ids, id);
    ingest_answer_release(&answer);
    assert_int_equal(ingest_send(redis, &call, &err), ST_OK); /* a replay */
    assert_int_equal(ingest_receive(redis, &answer, &err), ST_STALE);
    assert_int_equal(answer.fence_count, 1);
    assert_int_equal(answer.fences[0].partition, 0);
    assert_int_equal(answer.fences[0].next, 1);
    ingest_answer_release(&answer);
    assert_int_equal(fences_send(redis, SHARD, &err), ST_OK);
    assert_int_equal(fences_receive(redis, &fences, &err), ST_OK);
    assert_int_equal(fences.submit_count, 1);
    assert_int_equal(fences.submit[0].next, 1);
    assert_int_equal(fences.submit[0].fingerprint.crc, 5);
    assert_int_equal(fences.status.next, 0);
    shard_fences_release(&fences);
    submission_release(&submission);
}

static uint64_t token;
static int64_t started_at_ms;

static void a_claim_grants_the_payload_and_a_token(void **state)
{
    char ids[1][ID_SIZE];
    struct claim call = { SHARD, GENERATION, "i1", "http://w", "n1", "WebCart", 5, (const char(*)[ID_SIZE])ids, 1 };
    struct claim_answer answer;

    (void)state;
    memcpy(ids[0], id, ID_SIZE);
    assert_int_equal(claim_send(redis, &call, &err), ST_OK);
    assert_int_equal(claim_receive(redis, &answer, &err), ST_OK);
    assert_int_equal(answer.count, 1);
    assert_string_equal(answer.ops[0].id, id);
    assert_true(answer.ops[0].token == ((uint64_t)GENERATION << 20) + 1);
    assert_int_equal(answer.ops[0].timeout_ms, 60000);
    assert_string_equal(answer.ops[0].parent_key, "p");
    assert_int_equal(answer.ops[0].payload_size, 3);
    assert_memory_equal(answer.ops[0].payload, "a\0b", 3);
    assert_int_equal(answer.lease_ms, 30000);
    token = answer.ops[0].token;
    started_at_ms = answer.now_ms;
    claim_answer_release(&answer);
    call.generation++;
    assert_int_equal(claim_send(redis, &call, &err), ST_OK);
    assert_int_equal(claim_receive(redis, &answer, &err), ST_FENCED);
    assert_string_equal(err.text, "FENCED 7"); /* GENERATION, which the gate has */
}

static void leases_are_renewed_and_told_lost(void **state)
{
    struct lease_ref leases[2] = { { .token = token, .type = "WebCart" }, { .token = token + 5, .type = "WebCart" } };
    struct renew call = { SHARD, GENERATION, "i1", "http://w", "WebCart", 4, leases, 2 };
    struct renew_answer answer;

    (void)state;
    memcpy(leases[0].id, id, ID_SIZE);
    id_make(leases[1].id, &(struct id_parts){ .shard = SHARD, .offset = 99 });
    assert_int_equal(renew_send(redis, &call, &err), ST_OK);
    assert_int_equal(renew_receive(redis, &answer, &err), ST_OK);
    assert_int_equal(answer.workers, 1);
    assert_int_equal(answer.lost_count, 1);
    assert_string_equal(answer.lost[0], leases[1].id);
    assert_int_equal(answer.cancel_count, 0);
    renew_answer_release(&answer);
    leases[0].started_at_ms = started_at_ms;
    call.lease_count = 1;
    assert_int_equal(reassert_send(redis, &call, &err), ST_OK);
    assert_int_equal(renew_receive(redis, &answer, &err), ST_OK);
    assert_int_equal(answer.lost_count, 0);
    renew_answer_release(&answer);
}

static void an_outcome_is_applied_once(void **state)
{
    struct status_entry entry = { .kind = ENTRY_ERROR,
                                  .token = token,
                                  .started_at_ms = started_at_ms,
                                  .duration_ms = 5,
                                  .retry_after_ms = -1,
                                  .text = "no luck",
                                  .text_size = 7 };
    struct apply_entry applied = { &entry, "http://w" };
    struct apply call = { SHARD, GENERATION, { SHARD, 0, 1, { 0, 6, 1700000000001 } }, &applied, 1 };
    struct apply_answer answer;
    struct redis_reply *reply;
    char key[64];

    (void)state;
    memcpy(entry.id, id, ID_SIZE);
    assert_int_equal(apply_send(redis, &call, &err), ST_OK);
    assert_int_equal(apply_receive(redis, &answer, &err), ST_OK);
    assert_int_equal(answer.hints.count, 1); /* retry 1 is immediate */
    assert_string_equal(answer.hints.types[0].ids, id);
    apply_answer_release(&answer);
    assert_int_equal(apply_send(redis, &call, &err), ST_OK);
    assert_int_equal(apply_receive(redis, &answer, &err), ST_STALE);
    assert_int_equal(answer.fence.next, 1);
    assert_int_equal(answer.fence.fingerprint.crc, 6);
    apply_answer_release(&answer);
    snprintf(key, sizeof key, "bgop:{%d}:op:%s", SHARD, id);
    assert_int_equal(redis_call(redis, &reply, &err, "HGET", key, "Status", NULL), ST_OK);
    assert_string_equal(redis_reply_text(reply, NULL), "Waiting");
    redis_reply_free(reply);
}

/* Two coordinators append the same command when one of them dies: its columns have nothing that varies. */
static void entries_that_are_all_alike_are_applied(void **state)
{
    struct status_entry entry = {
        .kind = ENTRY_CANCEL, .started_at_ms = -1, .duration_ms = -1, .retry_after_ms = -1, .command_id = "2-4"
    };
    struct apply_entry applied[2] = { { &entry, "" }, { &entry, "" } };
    struct apply call = { SHARD, GENERATION, { SHARD, 1, 3, { 2, 6, 1700000000002 } }, applied, 2 };
    struct apply_answer answer;
    struct redis_reply *reply;
    char key[64];

    (void)state;
    memcpy(entry.id, id, ID_SIZE);
    assert_int_equal(apply_send(redis, &call, &err), ST_OK);
    assert_int_equal(apply_receive(redis, &answer, &err), ST_OK);
    apply_answer_release(&answer);
    snprintf(key, sizeof key, "bgop:{%d}:op:%s", SHARD, id);
    assert_int_equal(redis_call(redis, &reply, &err, "HGET", key, "Status", NULL), ST_OK);
    assert_string_equal(redis_reply_text(reply, NULL), "Canceled");
    redis_reply_free(reply);
}

static void a_tick_tells_when_to_come_again(void **state)
{
    struct tick_answer answer;

    (void)state;
    assert_int_equal(tick_send(redis, SHARD, GENERATION, started_at_ms, 100, &err), ST_OK);
    assert_int_equal(tick_receive(redis, &answer, &err), ST_OK);
    assert_int_equal(answer.verdict_count, 0);
    assert_int_equal(answer.hints.count, 0);
    assert_true(answer.sleep_ms >= -1);
    tick_answer_release(&answer);
    assert_int_equal(tick_send(redis, SHARD, GENERATION, started_at_ms, 0, &err), ST_OK);
    assert_int_equal(tick_receive(redis, &answer, &err), ST_INVALID);
    tick_answer_release(&answer);
}

static void a_recovering_shard_says_so(void **state)
{
    struct arm arm = { .shard = SHARD,
                       .generation = GENERATION + 1,
                       .queue = { 30000, 86400000, 7, 15 },
                       .types = &web_cart,
                       .type_count = 1,
                       .status_mark = 100 };
    struct tick_answer answer;
    bool opened;

    (void)state;
    assert_int_equal(arm_send(redis, &arm, &err), ST_OK);
    assert_int_equal(arm_receive(redis, &err), ST_OK);
    assert_int_equal(tick_send(redis, SHARD, GENERATION + 1, started_at_ms, 100, &err), ST_OK);
    assert_int_equal(tick_receive(redis, &answer, &err), ST_RECOVERING);
    tick_answer_release(&answer);
    assert_int_equal(open_send(redis, SHARD, GENERATION + 1, &err), ST_OK);
    assert_int_equal(open_receive(redis, &opened, &err), ST_OK);
    assert_false(opened);
    assert_non_null(strstr(err.text, "100")); /* which mark is not reached */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_library_is_no_verdict),
        cmocka_unit_test(a_function_of_a_foreign_library_is_named),
        cmocka_unit_test(the_library_is_loaded_when_it_differs),
        cmocka_unit_test(a_shard_is_armed_then_opened),
        cmocka_unit_test(submissions_are_recorded_once),
        cmocka_unit_test(a_claim_grants_the_payload_and_a_token),
        cmocka_unit_test(leases_are_renewed_and_told_lost),
        cmocka_unit_test(an_outcome_is_applied_once),
        cmocka_unit_test(entries_that_are_all_alike_are_applied),
        cmocka_unit_test(a_tick_tells_when_to_come_again),
        cmocka_unit_test(a_recovering_shard_says_so),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
