/* The reporter against librdkafka's mock broker: whatever happens, a group's leader comes last in the log, and a leader
 * that is in the log has all its followers before it. */
#include "handler_fixture.h"

#include "common/kafka/kafka.h"
#include "worker/report/report_items.h"
#include "worker/report/reporter.h"

enum { SHARDS = 16, MOST_SEEN = 4096, WAIT_MS = 20000 };
enum { MESSAGE_TOO_LARGE = 10, NOT_ENOUGH_REPLICAS = 19, TOPIC_AUTHORIZATION_FAILED = 29, NO_ERROR = 0 };

static struct {
    struct kafka_mock *mock;
    int shard; /* each test has one of its own */
    struct config config;
    struct kafka_settings settings;
    struct inflight inflight;
    struct reporter *reporter;
    struct type_config type_config;
    struct served_type type;
} world;
static const struct identity identity = { .instance = "i1", .uri = "http://w" };

static int start_mock(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    world.mock = kafka_mock_new(&err);
    assert_non_null(world.mock);
    assert_int_equal(kafka_mock_create_topic(world.mock, "bgop.status", SHARDS, &err), ST_OK);
    return 0;
}

static int stop_mock(void **state)
{
    (void)state;
    kafka_mock_free(world.mock);
    return 0;
}

static int open_world(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    world.shard++;
    config_init(&world.config);
    assert_int_equal(config_set(&world.config, "kafka", "brokers", kafka_mock_brokers(world.mock), &err), ST_OK);
    world.type_config = (struct type_config){ .name = (char *)"ExternalObject", .merge_max = 500 };
    world.type = (struct served_type){ .config = &world.type_config, .group = true };
    inflight_init(&world.inflight, SHARDS);
    return 0;
}

static void start(void)
{
    struct err err = ERR_INIT;

    world.settings = config_kafka(&world.config, "test");
    world.reporter = reporter_start(&world.config, &identity, &world.inflight, &err);
    assert_non_null(world.reporter);
}

static int close_world(void **state)
{
    (void)state;
    if (world.reporter)
        reporter_stop(world.reporter, WAIT_MS);
    world.reporter = NULL;
    for (int s = 0; s < world.inflight.shard_count; s++)
        assert_null(world.inflight.shards[s].first);
    inflight_release(&world.inflight);
    config_release(&world.config);
    return 0;
}

/* ---- what is reported ---- */

/* The log's readers want Ids that are well-formed. */
static struct claimed op_of(int number)
{
    struct claimed op = fixture_op(number, "", 0);

    id_make(op.id, &(struct id_parts){ .shard = world.shard, .offset = number });
    return op;
}

/* An execution of `count` members, numbered from first; all ok with a result of result_size bytes. The member in the
 * middle leads, as it may when members are ordered by their sequences. */
static struct execution *execution_of(int first, int count, size_t result_size)
{
    struct claim_answer answer = { .now_ms = 5000, .lease_ms = 30000, .count = (size_t)count };
    char *result = xcalloc(1, result_size + 1);
    struct execution *execution;

    memset(result, 'r', result_size);
    answer.ops = xcalloc((size_t)count, sizeof *answer.ops);
    for (int i = 0; i < count; i++) {
        answer.ops[i] = op_of(first + i);
        if (i != count / 2)
            memcpy(answer.ops[i].leader_id, op_of(first + count / 2).id, ID_SIZE);
    }
    execution = claim_batch_new(&answer, &world.type, world.shard, clock_boot_ms())->executions;
    assert_int_equal(execution->member_count, count);
    assert_int_equal(execution->leader, count / 2);
    inflight_add(&world.inflight, execution, 1);
    execution_settle(execution, ENTRY_OK, NULL, 0);
    for (int i = 0; i < count; i++)
        outcome_set_result(&execution->members[i].outcome, result, result_size, result_size);
    execution_finished(execution, clock_boot_ms());
    free(result);
    return execution;
}

static void report(int first, int count, size_t result_size)
{
    struct execution *execution = execution_of(first, count, result_size);

    reporter_add(world.reporter, &execution, 1);
}

static void wait_until_delivered(void)
{
    int64_t until = clock_boot_ms() + WAIT_MS;

    while (reporter_undelivered(world.reporter) > 0) {
        if (clock_boot_ms() > until)
            fail_msg("%zu operations undelivered", reporter_undelivered(world.reporter));
        usleep(1000);
    }
}

/* ---- what is in the log ---- */

static struct {
    struct {
        char id[ID_SIZE], leader_id[ID_SIZE];
        int message;
        size_t result_size;
    } all[MOST_SEEN];
    int count, messages;
} seen;

static void on_message(void *arg, const struct kafka_message *message)
{
    struct status_batch batch;

    (void)arg;
    assert_int_equal(codec_read_status_batch(&batch, message->value, message->value_size, NULL), ST_OK);
    for (size_t i = 0; i < batch.count; i++) {
        assert_true(seen.count < MOST_SEEN);
        memcpy(seen.all[seen.count].id, batch.entries[i].id, ID_SIZE);
        memcpy(seen.all[seen.count].leader_id, batch.entries[i].leader_id, ID_SIZE);
        seen.all[seen.count].result_size = batch.entries[i].result_size;
        seen.all[seen.count++].message = seen.messages;
    }
    seen.messages++;
    status_batch_release(&batch);
}

static void read_log(void)
{
    struct err err = ERR_INIT;

    memset(&seen, 0, sizeof seen);
    if (kafka_read_all(&world.settings, "bgop.status", world.shard, WAIT_MS, on_message, NULL, &err) != ST_OK)
        fail_msg("%s", err.text);
}

/* Place of the first entry of the n-th operation; -1: none. */
static int place_of(int number)
{
    struct claimed op = op_of(number);

    for (int i = 0; i < seen.count; i++)
        if (strcmp(seen.all[i].id, op.id) == 0)
            return i;
    return -1;
}

/* The group's entries are all there, all name its leader (nobody does for one alone), whose first one is behind the
 * others'. */
static void expect_group(int first, int count)
{
    struct claimed leader = op_of(first + count / 2);
    int last = place_of(first + count / 2);

    if (last < 0)
        fail_msg("the leader is missing");
    for (int i = 0; i < count; i++) {
        int at = place_of(first + i);

        if (at < 0 || at > last)
            fail_msg("member %d of %d: its entry stands at %d, its leader's at %d", i, count, at, last);
        assert_string_equal(seen.all[at].leader_id, count > 1 ? leader.id : "");
    }
}

/* ---- tests ---- */

static void a_group_is_one_part_of_one_message_and_its_leader_comes_last(void **state)
{
    struct execution *executions[8];

    (void)state;
    start();
    for (int i = 0; i < 8; i++) /* 1 ... 8 members: 36 in all */
        executions[i] = execution_of(100 * i, i + 1, 10);
    reporter_add(world.reporter, executions, 8);
    wait_until_delivered();
    read_log();
    assert_int_equal(seen.count, 36);
    assert_int_equal(seen.messages, 1);
    for (int i = 0; i < 8; i++)
        expect_group(100 * i, i + 1);
    assert_int_equal(reporter_delivered(world.reporter, ENTRY_OK), 36);
}

/* Reports 100, with a pause behind each; answers how long that took until all were delivered. */
static int64_t report_one_by_one(void)
{
    int64_t begun = clock_boot_ms();

    for (int i = 0; i < 100; i++) {
        report(i, 1, 10);
        usleep(500);
    }
    wait_until_delivered();
    return clock_boot_ms() - begun;
}

static void what_a_backlogged_type_did_is_told_of_together(void **state)
{
    int64_t took;

    (void)state;
    atomic_store(&world.type.backlogged, true);
    start();
    took = report_one_by_one();
    read_log();
    assert_int_equal(seen.count, 100);
    assert_in_range(seen.messages, 1, took / 5 + 2); /* each gathers for 5 ms */
}

static void groups_that_fit_are_never_divided(void **state)
{
    struct execution *executions[10];

    (void)state;
    start();
    for (int i = 0; i < 10; i++)
        executions[i] = execution_of(1000 * i, 120, 2000); /* 264 KB each: two do not fit into a message */
    reporter_add(world.reporter, executions, 10);
    wait_until_delivered();
    read_log();
    assert_int_equal(seen.count, 1200);
    assert_int_equal(seen.messages, 10);
    for (int i = 0; i < 10; i++) {
        expect_group(1000 * i, 120);
        assert_int_equal(seen.all[place_of(1000 * i)].message, seen.all[place_of(1000 * i + 119)].message);
    }
}

static void the_largest_group_fits_into_one_message(void **state)
{
    (void)state;
    start();
    report(0, STATUS_BATCH_MAX_ENTRIES, 500);
    wait_until_delivered();
    read_log();
    assert_int_equal(seen.messages, 1);
    expect_group(0, STATUS_BATCH_MAX_ENTRIES);
}

static void a_leader_waits_until_the_other_messages_are_delivered(void **state)
{
    (void)state;
    start();
    report(0, 60, RESULT_MAX_BYTES); /* the mock keeps 5 MB of a partition */
    report(200, 1, 10);
    report(300, 100, RESULT_MAX_BYTES / 2);
    wait_until_delivered();
    read_log();
    assert_int_equal(seen.count, 161);
    assert_in_range(seen.messages, 9, 20);
    expect_group(0, 60);
    expect_group(300, 100);
    assert_int_equal(seen.all[place_of(30)].result_size, RESULT_MAX_BYTES);
}

/* Every second request of the first ones fails, for good as far as librdkafka is concerned: the reporter sends again. */
static void failed_deliveries_in_between_do_not_change_the_order(void **state)
{
    (void)state;
    start();
    for (int i = 0; i < 5; i++) {
        kafka_mock_fail_produce(world.mock, NO_ERROR, 1);
        kafka_mock_fail_produce(world.mock, TOPIC_AUTHORIZATION_FAILED, 1);
    }
    report(0, 60, RESULT_MAX_BYTES);
    report(300, 60, RESULT_MAX_BYTES);
    wait_until_delivered();
    read_log();
    expect_group(0, 60);
    expect_group(300, 60);
}

static void refused_messages_are_sent_in_parts_and_the_leader_last(void **state)
{
    (void)state;
    start();
    kafka_mock_fail_produce(world.mock, MESSAGE_TOO_LARGE, 2); /* all together, then the first group alone */
    report(0, 10, 1000);
    report(100, 10, 1000);
    wait_until_delivered();
    read_log();
    assert_int_equal(seen.count, 20);
    assert_true(seen.messages >= 11);
    expect_group(0, 10);
    expect_group(100, 10);
}

/* What this client's own settings refuse: the group goes in parts, one result too many is left out. */
static void small_message_limits_are_met(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(config_set(&world.config, "kafka", "message.max.bytes", "20000", &err), ST_OK);
    start();
    report(0, 10, 3000);
    report(100, 3, RESULT_MAX_BYTES);
    report(200, 1, 10);
    wait_until_delivered();
    read_log();
    assert_int_equal(seen.count, 14);
    expect_group(0, 10);
    expect_group(100, 3);
    assert_int_equal(seen.all[place_of(3)].result_size, 3000);
    assert_int_equal(seen.all[place_of(101)].result_size, 0);
}

/* The worker dies (or gives up) when some followers are in the log: the leader is not, so its lease runs out and what
 * is missing comes back. */
static void a_death_in_between_leaves_no_leader_in_the_log(void **state)
{
    (void)state;
    start();
    kafka_mock_fail_produce(world.mock, NO_ERROR, 2);
    kafka_mock_fail_produce(world.mock, NOT_ENOUGH_REPLICAS, 1000);
    report(0, 100, RESULT_MAX_BYTES);
    for (int64_t until = clock_boot_ms() + WAIT_MS; reporter_delivered(world.reporter, ENTRY_OK) == 0;) {
        assert_true(clock_boot_ms() < until);
        usleep(1000);
    }
    assert_false(reporter_stop(world.reporter, 100));
    world.reporter = NULL;
    read_log();
    assert_in_range(seen.count, 1, 99);
    assert_int_equal(place_of(50), -1);
}

static void followers_without_their_leader_are_given_back_by_its_name(void **state)
{
    struct claim_answer answer = { .now_ms = 5000, .lease_ms = 30000, .count = 2 };
    struct execution *execution;

    (void)state;
    start();
    answer.ops = xcalloc(2, sizeof *answer.ops);
    for (int i = 0; i < 2; i++) {
        answer.ops[i] = op_of(i);
        memcpy(answer.ops[i].leader_id, op_of(9).id, ID_SIZE);
    }
    execution = claim_batch_new(&answer, &world.type, world.shard, clock_boot_ms())->executions;
    inflight_add(&world.inflight, execution, 1);
    execution_settlef(execution, ENTRY_RETURNED, "granted without its leader");
    execution_finished(execution, clock_boot_ms());
    reporter_add(world.reporter, &execution, 1);
    wait_until_delivered();
    read_log();
    assert_int_equal(seen.count, 2);
    for (int i = 0; i < 2; i++)
        assert_string_equal(seen.all[i].leader_id, op_of(9).id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)
        TEST(a_group_is_one_part_of_one_message_and_its_leader_comes_last),
        TEST(what_a_backlogged_type_did_is_told_of_together),
        TEST(groups_that_fit_are_never_divided),
        TEST(the_largest_group_fits_into_one_message),
        TEST(a_leader_waits_until_the_other_messages_are_delivered),
        TEST(failed_deliveries_in_between_do_not_change_the_order),
        TEST(refused_messages_are_sent_in_parts_and_the_leader_last),
        TEST(small_message_limits_are_met),
        TEST(followers_without_their_leader_are_given_back_by_its_name),
        TEST(a_death_in_between_leaves_no_leader_in_the_log), /* last: the broker goes on refusing */
    };

    return cmocka_run_group_tests(tests, start_mock, stop_mock);
}
