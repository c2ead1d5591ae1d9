#include "tests/support/test.h"

#include <string.h>

#include "common/config/config.h"
#include "common/record/routing.h"
#include "coordinator/intake/batch.h"

enum { PARTITIONS = 2, SHARDS = 4, MAX = 2000 };

static struct config config;
static struct batch batch;
static struct cursors cursors;
static struct batch_rules rules;
static struct ingest_call call;
static struct epochs epochs;

static int setup(void **state)
{
    struct err err = ERR_INIT, warning = ERR_INIT;
    int64_t from;

    (void)state;
    config_init(&config);
    batch_init(&batch, MAX, SHARDS);
    cursors_init(&cursors, "t.submit", PARTITIONS, SHARDS);
    for (int p = 0; p < PARTITIONS; p++) {
        cursors_assign(&cursors, p);
        assert_int_equal(cursors_start(&cursors, p, 0, 1000000, &from, &warning, &err), ST_OK);
    }
    call = (struct ingest_call){ 0 };
    epochs_init(&epochs, PARTITIONS);
    rules = (struct batch_rules){ SHARDS, 1000, config_type_lookup(&config), &epochs };
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ingest_call_release(&call);
    batch_release(&batch);
    epochs_release(&epochs);
    cursors_release(&cursors);
    config_release(&config);
    return 0;
}

/* A message as a consumer would hand it over; nothing of it is owned. */
static struct batch_item *add(int partition, int64_t offset, const char *json, struct err *err)
{
    struct kafka_message message = {
        .topic = "t.submit",
        .partition = partition,
        .offset = offset,
        .timestamp_ms = 1700000000000 + offset,
        .value = json,
        .value_size = strlen(json),
    };
    struct fingerprint fingerprint = message_fingerprint(&message);

    return batch_add(&batch, &rules, &message, &fingerprint, err);
}

static struct batch_item *add_parent(int partition, int64_t offset, const char *parent)
{
    static char json[16][128];
    static int n;
    struct err err = ERR_INIT;

    snprintf(json[n % 16], sizeof json[0], "{\"Type\":\"WebCart\",\"ParentKey\":\"%s\"}", parent);
    return add(partition, offset, json[n++ % 16], &err);
}

static void a_message_is_routed_by_its_own_key(void **state)
{
    struct batch_item *item = add_parent(1, 77, "acct-42");
    struct id_parts parts;

    (void)state;
    assert_false(item->rejected);
    assert_int_equal(item->shard, routing_shard("acct-42", 7, 1, 77, SHARDS));
    assert_true(id_parse(item->id, ID_LENGTH, &parts));
    assert_int_equal(parts.partition, 1);
    assert_int_equal(parts.offset, 77);
    assert_int_equal(parts.shard, item->shard);
    assert_int_equal(parts.epoch, 0);
}

static void the_epoch_of_the_partition_is_in_the_id(void **state)
{
    struct id_parts parts;

    (void)state;
    epochs_add(&epochs, 1, &(struct epoch){ .number = 3 });
    assert_true(id_parse(add_parent(1, 5, "a")->id, ID_LENGTH, &parts));
    assert_int_equal(parts.epoch, 3);
}

static void what_cannot_be_read_is_a_reject_with_a_reason(void **state)
{
    struct err err = ERR_INIT;
    struct batch_item *item = add(0, 4, "{\"Type\":", &err);

    (void)state;
    assert_true(item->rejected);
    assert_int_equal(item->shard, 4 % SHARDS);
    assert_true(err.text[0] != '\0');
}

static void what_breaks_a_rule_is_a_reject_in_the_shard_of_its_key(void **state)
{
    struct err err = ERR_INIT;
    struct batch_item *item = add(0, 4, "{\"Type\":\"NoSuchType\",\"ParentKey\":\"acct-42\"}", &err);

    (void)state;
    assert_true(item->rejected);
    assert_int_equal(item->shard, routing_shard("acct-42", 7, 0, 4, SHARDS));
    assert_non_null(strstr(err.text, "NoSuchType"));
}

static void the_reserved_type_is_refused(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    assert_true(add(0, 4, "{\"Type\":\"ExternalConnectivityPoller\"}", &err)->rejected);
    assert_non_null(strstr(err.text, "ExternalConnectivityPoller"));
}

static void a_payload_beyond_the_limit_is_refused(void **state)
{
    char payload[1002] = "", json[2048];
    struct err err = ERR_INIT;

    (void)state;
    memset(payload, 'x', sizeof payload - 1);
    snprintf(json, sizeof json, "{\"Type\":\"WebCart\",\"Payload\":\"%s\"}", payload);
    assert_true(add(0, 4, json, &err)->rejected);
    assert_non_null(strstr(err.text, "ayload"));
}

static void a_call_carries_its_shards_items_and_the_moves_of_their_partitions(void **state)
{
    int shard = add_parent(0, 10, "k")->shard;

    (void)state;
    add_parent(1, 3, "k");
    add_parent(0, 12, "k");
    assert_true(batch_build_call(&batch, shard, &cursors, CALL_MAX_ITEMS, &call));
    assert_int_equal(call.call.op_count, 3);
    assert_int_equal(call.call.move_count, 2);
    assert_int_equal(call.moves[0].partition, 0);
    assert_int_equal(call.moves[0].from, 0);
    assert_int_equal(call.moves[0].next, 13);
    assert_int_equal(call.moves[0].fingerprint.offset, 12);
    assert_int_equal(call.moves[1].partition, 1);
    assert_int_equal(call.moves[1].next, 4);
    batch_finish_call(&batch, &call);
    assert_false(batch_build_call(&batch, shard, &cursors, CALL_MAX_ITEMS, &call));
}

static void rejects_are_counted_and_move_the_fence(void **state)
{
    struct err err = ERR_INIT;
    int shard = add(0, 4, "rubbish", &err)->shard;

    (void)state;
    assert_true(batch_build_call(&batch, shard, &cursors, CALL_MAX_ITEMS, &call));
    assert_int_equal(call.call.op_count, 0);
    assert_int_equal(call.call.rejected, 1);
    assert_int_equal(call.moves[0].next, 5);
}

static void items_below_the_cursor_are_skipped(void **state)
{
    int shard = add_parent(0, 10, "k")->shard;
    struct fence_move move = { 0, 0, 11, { 10, 1, 2 } };

    (void)state;
    add_parent(0, 12, "k");
    cursors_move(&cursors, &move, shard, 0);
    assert_true(batch_build_call(&batch, shard, &cursors, CALL_MAX_ITEMS, &call));
    assert_int_equal(call.call.op_count, 1);
    assert_int_equal(call.skipped, 1);
    assert_int_equal(call.moves[0].from, 11);
}

static void a_long_queue_goes_in_several_calls_whose_moves_join(void **state)
{
    int shard = -1;

    (void)state;
    for (int64_t offset = 0; offset < 1200; offset++) {
        struct err err = ERR_INIT;
        shard = add(0, offset, "{\"Type\":\"WebCart\",\"ParentKey\":\"hot\"}", &err)->shard;
    }
    for (int n = 0; n < 3; n++) {
        assert_true(batch_build_call(&batch, shard, &cursors, CALL_MAX_ITEMS, &call));
        assert_int_equal(call.call.op_count, n < 2 ? 500 : 200);
        assert_int_equal(call.moves[0].from, n * 500);
        cursors_move(&cursors, &call.moves[0], shard, 0);
        batch_finish_call(&batch, &call);
    }
    assert_false(batch_build_call(&batch, shard, &cursors, CALL_MAX_ITEMS, &call));
}

static void a_refused_call_is_worked_out_again(void **state)
{
    int shard = add_parent(0, 10, "k")->shard;
    struct fence stands = { 0, 11, { 10, 1, 2 } };

    (void)state;
    add_parent(0, 20, "k");
    assert_true(batch_build_call(&batch, shard, &cursors, CALL_MAX_ITEMS, &call));
    cursors_refused(&cursors, shard, &stands, 0);
    assert_true(batch_build_call(&batch, shard, &cursors, CALL_MAX_ITEMS, &call));
    assert_int_equal(call.call.op_count, 1);
    assert_int_equal(call.moves[0].from, 11);
    assert_int_equal(call.moves[0].next, 21);
}

static void nothing_of_a_halted_partition_is_taken(void **state)
{
    int shard = add_parent(0, 10, "k")->shard;

    (void)state;
    cursors_halt(&cursors, 0);
    assert_false(batch_build_call(&batch, shard, &cursors, CALL_MAX_ITEMS, &call));
}

static void a_batch_that_is_used_again_knows_nothing_of_before(void **state)
{
    struct batch_item *item = add_parent(0, 10, "k");

    (void)state;
    item->removed = item->repeated = item->rejected = item->bad_traceparent = true;
    batch_clear(&batch);
    assert_ptr_equal(add_parent(0, 11, "k"), item);
    assert_false(item->removed || item->repeated || item->rejected || item->bad_traceparent);
    assert_true(batch_build_call(&batch, item->shard, &cursors, 1, &call));
    assert_int_equal(call.call.op_count, 1);
}

static void an_item_that_redis_refuses_becomes_a_reject(void **state)
{
    int shard = add_parent(0, 10, "k")->shard;
    const struct batch_item *second = add_parent(0, 11, "k");

    (void)state;
    add_parent(0, 12, "k");
    assert_true(batch_build_call(&batch, shard, &cursors, 2, &call));
    assert_ptr_equal(batch_reject_item(&batch, &call, second->id), second);
    assert_null(batch_reject_item(&batch, &call, second->id));        /* it is one already */
    assert_null(batch_reject_item(&batch, &call, batch.items[2].id)); /* not of this call */
    assert_true(batch_build_call(&batch, shard, &cursors, 2, &call));
    assert_int_equal(call.call.op_count, 1);
    assert_string_equal(call.ops[0].id, batch.items[0].id);
    assert_int_equal(call.call.rejected, 1);
    assert_int_equal(call.moves[0].next, 12);
}

static void fingerprints_differ_by_key_value_and_time(void **state)
{
    struct kafka_message a = {
        .offset = 1, .timestamp_ms = 5, .key = "k", .key_size = 1, .value = "v", .value_size = 1
    };
    struct kafka_message b = a;
    uint32_t crc = message_fingerprint(&a).crc;

    (void)state;
    b.timestamp_ms = 6;
    assert_int_not_equal(message_fingerprint(&b).crc, crc);
    b = a;
    b.value = "w";
    assert_int_not_equal(message_fingerprint(&b).crc, crc);
    b = a;
    b.key = "j";
    assert_int_not_equal(message_fingerprint(&b).crc, crc);
    b = a;
    b.offset = 9;
    assert_int_equal(message_fingerprint(&b).crc, crc);
}

static void a_message_without_a_time_has_time_zero(void **state)
{
    struct kafka_message a = { .offset = 1, .timestamp_ms = -1 };

    (void)state;
    assert_int_equal(message_fingerprint(&a).timestamp_ms, 0);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_message_is_routed_by_its_own_key),
        T(the_epoch_of_the_partition_is_in_the_id),
        T(what_cannot_be_read_is_a_reject_with_a_reason),
        T(what_breaks_a_rule_is_a_reject_in_the_shard_of_its_key),
        T(the_reserved_type_is_refused),
        T(a_payload_beyond_the_limit_is_refused),
        T(a_call_carries_its_shards_items_and_the_moves_of_their_partitions),
        T(rejects_are_counted_and_move_the_fence),
        T(items_below_the_cursor_are_skipped),
        T(a_long_queue_goes_in_several_calls_whose_moves_join),
        T(a_refused_call_is_worked_out_again),
        T(a_batch_that_is_used_again_knows_nothing_of_before),
        T(nothing_of_a_halted_partition_is_taken),
        T(an_item_that_redis_refuses_becomes_a_reject),
        T(fingerprints_differ_by_key_value_and_time),
        T(a_message_without_a_time_has_time_zero),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
