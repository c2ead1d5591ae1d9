/* Two queues are never mixed: who is configured with another prefix, another number of shards or another Kafka than the
 * queue of its Redis is refused before it writes anything, and says what to set. What is another queue's in the status log
 * is dropped. */
#include "tests/functions/coordinator_stack.h"

#include <unistd.h>

#include "coordinator/loop/counters.h"
#include "tests/support/program.h"

static struct kafka_mock *other; /* another queue's Kafka */
static char config_file[64];

static void config_write_file(const char *queue)
{
    FILE *file = fopen(config_file, "w");

    assert_non_null(file);
    fprintf(file, "[queue]\n%s\n[worker]\nlisten = 127.0.0.1:0\n[type WebCart]\nhandler = noop\n", queue);
    fclose(file);
}

static int setup(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    stack_open();
    other = kafka_mock_new(&err);
    assert_non_null(other);
    snprintf(config_file, sizeof config_file, "/tmp/bgop-queue-XXXXXX");
    close(mkstemp(config_file));
    setenv("BGOP_KAFKA", kafka_mock_brokers(stack.mock), 1);
    setenv("BGOP_REDIS", stack.server.url, 1);
    stack_start(0, false);
    stack_wait_ready(0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stack_close();
    kafka_mock_free(other);
    unlink(config_file);
    return 0;
}

static void ends(int expected_code, const char *says, const char *const *words)
{
    char *output;
    int code = program_run(words, NULL, PROGRAM_BOTH_OUTPUTS, &output);

    if (code != expected_code || !strstr(output, says))
        fail_msg("%s %s: exit code %d instead of %d, or without \"%s\": %s", words[0], words[1], code, expected_code,
                 says, output);
    free(output);
}

/* The worker, and all of bgopctl that writes. */
static void all_are_refused(const char *says)
{
    static const char *const commands[][6] = {
        { "submit", "--type", "WebCart" },
        { "cancel", "08P00000000000000AAA" },
        { "pause", "--type", "WebCart" },
        { "resume", "--type", "WebCart" },
    };

    ends(78, says, (const char *[]){ "bgop-worker", "--config", config_file, NULL });
    for (size_t i = 0; i < TEST_COUNT(commands); i++) {
        const char *words[10] = { "bgopctl", commands[i][0], "--config", config_file };

        for (size_t k = 1; commands[i][k]; k++)
            words[3 + k] = commands[i][k];
        if (strcmp(commands[i][0], "cancel") == 0) {
            words[4] = stack_submit(1, "c", "{\"Type\":\"WebCart\",\"ParentKey\":\"c\"}");
            EVENTUALLY(stack_is(words[4], "New"));
        }
        ends(78, says, words);
        if (strcmp(commands[i][0], "cancel") == 0)
            assert_true(stack_is(words[4], "New"));
    }
}

static void another_prefix_is_refused(void **state)
{
    (void)state;
    config_write_file("prefix = other");
    all_are_refused(
        "belongs to a queue with prefix = bgop, but the configuration says other: set [queue] prefix = bgop");
}

static void another_number_of_shards_is_refused(void **state)
{
    (void)state;
    config_write_file("shards = 8");
    all_are_refused("belongs to a queue with shards = 4, but the configuration says 8");
    config_write_file("shards = 16"); /* the default, but said */
    all_are_refused("belongs to a queue with shards = 4, but the configuration says 16");
    config_write_file(""); /* nothing is said of it: it is read */
    ends(0, "08P", (const char *[]){ "bgopctl", "submit", "--config", config_file, "--type", "WebCart", NULL });
}

static void another_kafka_is_refused(void **state)
{
    (void)state;
    config_write_file("");
    setenv("BGOP_KAFKA", kafka_mock_brokers(other), 1);
    all_are_refused("belongs to a queue on the Kafka cluster mockCluster");
    setenv("BGOP_KAFKA", kafka_mock_brokers(stack.mock), 1);
}

static int topics_of(struct kafka_mock *mock, const char *prefix)
{
    struct kafka_settings settings = { .brokers = kafka_mock_brokers(mock), .client_id = "test" };
    char name[64];
    struct kafka_topic topic = { .name = name };
    struct err err = ERR_INIT;

    snprintf(name, sizeof name, "%s.submit", prefix);
    assert_int_equal(kafka_topics_look(&settings, &topic, 1, 5000, &err), ST_OK);
    return topic.found;
}

/* One of its own configuration: that of the stack belongs to the coordinator that runs. */
static int coordinator_code(const char *prefix, const char *brokers)
{
    const char *const options[][3] = {
        { "queue", "prefix", prefix },         { "kafka", "brokers", brokers },      { "queue", "shards", "4" },
        { "queue", "submit_partitions", "2" }, { "redis", "url", stack.server.url },
    };
    struct config config;
    struct coordinator *coordinator;
    struct err err = ERR_INIT;
    int code;

    config_init(&config);
    for (size_t i = 0; i < TEST_COUNT(options); i++)
        assert_int_equal(config_set(&config, options[i][0], options[i][1], options[i][2], &err), ST_OK);
    coordinator = coordinator_new(&config, false);
    code = coordinator_run(coordinator);
    coordinator_free(coordinator);
    config_release(&config);
    return code;
}

static void a_coordinator_that_does_not_fit_makes_no_topics(void **state)
{
    (void)state;
    assert_int_equal(coordinator_code("other", kafka_mock_brokers(stack.mock)), EXIT_CONFIG);
    assert_int_equal(topics_of(stack.mock, "other"), 0);
    assert_int_equal(coordinator_code("bgop", kafka_mock_brokers(other)), EXIT_CONFIG);
    assert_int_equal(topics_of(other, "bgop"), 0);
}

static void another_queues_outcomes_are_counted_and_dropped(void **state)
{
    const struct counters *counters = coordinator_counters(stack.coordinators[0].coordinator);
    const char *id = stack_submit(0, "f", "{\"Type\":\"WebCart\",\"ParentKey\":\"f\"}");
    struct status_entry entry = { .kind = ENTRY_OK, .started_at_ms = -1, .duration_ms = 5, .retry_after_ms = -1 };
    struct buf buf;

    (void)state;
    EVENTUALLY((entry.token = stack_claim(id, "WebCart")) != 0);
    memcpy(entry.id, id, sizeof entry.id);
    buf_init(&buf, 1 << 20);
    codec_write_status_batch(&buf, &entry, 1, "http://w", "w-1", "another");
    stack_produce("status", stack_shard(id), buf.data, buf.size);
    EVENTUALLY(atomic_load(&counters->foreign_batches) == 1);
    assert_false(stack_is(id, "Complete"));
    buf_clear(&buf);
    codec_write_status_batch(&buf, &entry, 1, "http://w", "w-1", stack_ask("HGET", "bgop:meta", "genesis"));
    stack_produce("status", stack_shard(id), buf.data, buf.size);
    EVENTUALLY(stack_is(id, "Complete"));
    buf_release(&buf);
}

/* Made by an older version: named at the next start. */
static void a_queue_without_a_name_gets_it_at_the_next_start(void **state)
{
    struct redis_reply *reply;
    struct err err = ERR_INIT;
    char cluster[128];

    (void)state;
    snprintf(cluster, sizeof cluster, "%s", stack_ask("HGET", "bgop:meta", "cluster"));
    assert_true(cluster[0]);
    assert_int_equal(stack_stop(0), 0);
    assert_int_equal(redis_call(stack.redis, &reply, &err, "HDEL", "bgop:meta", "shards", "prefix", "cluster", NULL),
                     ST_OK);
    redis_reply_free(reply);
    stack_start(0, false);
    stack_wait_ready(0);
    assert_string_equal(stack_ask("HGET", "bgop:meta", "shards"), "4");
    assert_string_equal(stack_ask("HGET", "bgop:meta", "prefix"), "bgop");
    assert_string_equal(stack_ask("HGET", "bgop:meta", "cluster"), cluster);
}

static void redis_do(const char *verb, const char *key, const char *field, const char *value)
{
    struct redis_reply *reply;
    struct err err = ERR_INIT;

    assert_int_equal(redis_call(stack.redis, &reply, &err, verb, key, field, value, NULL), ST_OK);
    redis_reply_free(reply);
}

/* Emptied and set up anew under it: what it would report is of the queue that is gone. */
static void a_worker_whose_queue_was_replaced_ends(void **state)
{
    struct program worker;
    char *output;

    (void)state;
    config_write_file("");
    program_start(&worker, (const char *[]){ "bgop-worker", "--config", config_file, NULL }, NULL,
                  PROGRAM_BOTH_OUTPUTS);
    EVENTUALLY(strcmp(stack_ask("ZCARD", stack_key(0, "workers"), NULL), "0") != 0);
    assert_int_equal(stack_stop(0), 0);
    redis_do("HSET", "bgop:meta", "genesis", "another");
    redis_do("HINCRBY", stack_key(0, "gate"), "gen", "1");
    assert_int_equal(program_end(&worker, &output), EXIT_CONFIG);
    if (!strstr(output, "another queue"))
        fail_msg("%s", output);
    free(output);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_prefix_is_refused),
        cmocka_unit_test(another_number_of_shards_is_refused),
        cmocka_unit_test(another_kafka_is_refused),
        cmocka_unit_test(a_coordinator_that_does_not_fit_makes_no_topics),
        cmocka_unit_test(another_queues_outcomes_are_counted_and_dropped),
        cmocka_unit_test(a_queue_without_a_name_gets_it_at_the_next_start),
        cmocka_unit_test(a_worker_whose_queue_was_replaced_ends),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
