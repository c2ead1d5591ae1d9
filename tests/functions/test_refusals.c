/* Commands that cannot be brought on, beside other work: what is refused is in bgop.rejects all the same, the loop goes on
 * turning, and no command is lost. One story in order. */
#include "tests/functions/coordinator_stack.h"

enum { PAIRS = 200 };

/* Without waiting for each: so they are fetched together. */
static void send_away(const char *name, const char *value)
{
    char topic[300];
    struct err err = ERR_INIT;

    config_topic(&stack.config, name, topic, sizeof topic);
    stack.outstanding++;
    assert_int_equal(kafka_producer_send(stack.producer, topic, 0, NULL, 0, value, strlen(value), NULL, NULL, &err),
                     ST_OK);
}

static bool seen[PAIRS];

static void on_reject(void *arg, const struct kafka_message *message)
{
    const char *at = memmem(message->value, message->value_size, "bad-", 4);
    int number;

    (void)arg;
    if (at && sscanf(at, "bad-%d", &number) == 1 && number >= 0 && number < PAIRS)
        seen[number] = true;
}

static int count_seen(void)
{
    struct kafka_settings settings = config_kafka(&stack.config, "test");
    struct err err = ERR_INIT;
    int count = 0;

    assert_int_equal(kafka_read_all(&settings, "bgop.rejects", 0, 10000, on_reject, NULL, &err), ST_OK);
    for (int i = 0; i < PAIRS; i++)
        count += seen[i];
    return count;
}

static int64_t pending_commands(void)
{
    struct kafka_settings settings = config_kafka(&stack.config, "test");
    struct err err = ERR_INIT;
    struct kafka_consumer *asking = kafka_consumer_new(&settings, "bgop-intake", NULL, &err);
    int64_t committed = -1, start, end = 0;

    assert_non_null(asking);
    assert_int_equal(kafka_consumer_committed(asking, "bgop.command", 1, 10000, &committed, &err), ST_OK);
    assert_int_equal(kafka_consumer_log_range(asking, "bgop.command", 0, 10000, &start, &end, &err), ST_OK);
    kafka_consumer_free(asking);
    return end - (committed < 0 ? 0 : committed);
}

static struct kafka_consumer *other;
static int joined; /* partitions that the other one was given */

static void on_joined(void *arg, struct kafka_position *positions, size_t count)
{
    (void)arg;
    (void)positions;
    joined = (int)count;
}

/* Another member can only join when this one takes part: its consumer is polled. (How long the mock broker may take for it
 * says STACK_SESSION_MS.) */
static void while_commands_wait_for_redis_the_group_can_be_balanced_and_the_process_can_leave(void **state)
{
    struct kafka_settings settings = config_kafka(&stack.config, "test");
    struct kafka_consumer_events events = { .on_assigned = on_joined };
    struct err err = ERR_INIT;
    struct kafka_message message;
    char cancel[128];
    int64_t begin_ms;
    char id[ID_SIZE];

    (void)state;
    id_make(id, &(struct id_parts){ .partition = 1, .offset = 500 }); /* there is no such operation yet: it waits */
    snprintf(cancel, sizeof cancel, "{\"Command\":\"cancel\",\"Id\":\"%s\"}", id);
    stack_start(0, false);
    stack_wait_ready(0);
    redis_server_kill(&stack.server);
    for (int i = 0; i < 10; i++)
        send_away("command", cancel);
    EVENTUALLY(kafka_producer_poll(stack.producer, 10) >= 0 && stack.outstanding == 0);
    other = kafka_consumer_new(&settings, "bgop-intake", &events, &err);
    assert_non_null(other);
    assert_int_equal(kafka_consumer_subscribe(other, &(struct kafka_subscription){ "bgop.submit", 0, NULL }, 1, &err),
                     ST_OK);
    EVENTUALLY(!kafka_consumer_poll(other, 10, &message) && joined > 0);
    assert_int_equal(joined, 1); /* the first one is a member still */
    begin_ms = clock_boot_ms();
    assert_int_equal(stack_stop(0), 0);
    assert_true(clock_boot_ms() - begin_ms < 15000);
}

/* Whatever became of the case: the next one finds a Redis, and nobody else in the group. */
static int leave_to_the_next_one(void **state)
{
    (void)state;
    kafka_consumer_free(other);
    if (stack.coordinators[0].coordinator)
        stack_stop(0);
    stack_redis_back();
    return 0;
}

/* They were not acknowledged, so the next one brings them on. */
static void what_waited_is_there_for_the_next_one(void **state)
{
    (void)state;
    assert_int_equal(pending_commands(), 10);
    stack_start(0, false);
    EVENTUALLY(pending_commands() == 0);
}

static char canceled[ID_SIZE];

/* The first place in partition 1: its key is of another type than a record's, so the command cannot be resolved. */
static void block_commands(void)
{
    char rest[64];

    id_make(canceled, &(struct id_parts){ .shard = routing_shard("c", 1, 1, 0, STACK_SHARDS), .partition = 1 });
    snprintf(rest, sizeof rest, "op:%s", canceled);
    stack_ask("SET", stack_key(stack_shard(canceled), rest), "not a record");
}

static void unblock_commands(void)
{
    struct redis_reply *reply;
    struct err err = ERR_INIT;
    char rest[64];

    snprintf(rest, sizeof rest, "op:%s", canceled);
    assert_int_equal(redis_call(stack.redis, &reply, &err, "DEL", stack_key(stack_shard(canceled), rest), NULL), ST_OK);
    redis_reply_free(reply);
}

static void what_is_refused_is_told_whatever_becomes_of_the_commands_beside_it(void **state)
{
    char bad[128], cancel[128];

    (void)state;
    assert_int_equal(stack_stop(0), 0);
    block_commands();
    snprintf(cancel, sizeof cancel, "{\"Command\":\"cancel\",\"Id\":\"%s\"}", canceled);
    for (int i = 0; i < PAIRS; i++) { /* before the start, so that both are in the first batch */
        snprintf(bad, sizeof bad, "{\"Type\":\"WebCart\",\"bad-%d\":1}", i);
        send_away("submit", bad);
        send_away("command", cancel);
    }
    EVENTUALLY(kafka_producer_poll(stack.producer, 10) >= 0 && stack.outstanding == 0);
    stack_start(0, false);
    stack_wait_ready(0);
    assert_int_equal(pending_commands(), PAIRS);
    unblock_commands();
    assert_string_equal(stack_submit(1, "c", "{\"Type\":\"WebCart\",\"ParentKey\":\"c\"}"), canceled);
    EVENTUALLY(stack_is(canceled, "Canceled"));
    EVENTUALLY(pending_commands() == 0);
    EVENTUALLY(count_seen() == PAIRS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(while_commands_wait_for_redis_the_group_can_be_balanced_and_the_process_can_leave,
                                  leave_to_the_next_one),
        cmocka_unit_test(what_waited_is_there_for_the_next_one),
        cmocka_unit_test(what_is_refused_is_told_whatever_becomes_of_the_commands_beside_it),
    };

    return cmocka_run_group_tests(tests, stack_setup, stack_teardown);
}
