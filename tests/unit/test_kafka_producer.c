/* The producer against librdkafka's mock broker: every accepted message is reported exactly once, whatever happens. */
#include "tests/support/test.h"

#include <dlfcn.h>
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/kafka/kafka.h"

enum { WAIT_MS = 20000, OUT_OF_ORDER_SEQUENCE_NUMBER = 45, MESSAGES = 3000, THREADS = 3 };

static struct {
    struct kafka_mock *mock;
    struct kafka_settings settings;
    atomic_int reports[MESSAGES]; /* by message: how often it was reported */
    int by_status[ST_FAILED + 1];
    int64_t last_offset;
    char last_text[256];
} world;

/* librdkafka's own, but when it is to have none. */
static bool no_topics;

rd_kafka_topic_t *rd_kafka_topic_new(rd_kafka_t *rk, const char *topic, rd_kafka_topic_conf_t *conf)
{
    rd_kafka_topic_t *(*real)(rd_kafka_t *, const char *, rd_kafka_topic_conf_t *);

    *(void **)&real = dlsym(RTLD_NEXT, "rd_kafka_topic_new");
    return no_topics ? NULL : real(rk, topic, conf);
}

static void on_delivery(void *producer_arg, const struct kafka_delivery *delivery)
{
    size_t number = (size_t)(uintptr_t)delivery->arg;

    assert_ptr_equal(producer_arg, &world);
    assert_true(number < MESSAGES);
    atomic_fetch_add(&world.reports[number], 1);
    world.by_status[delivery->status]++;
    world.last_offset = delivery->offset;
    snprintf(world.last_text, sizeof world.last_text, "%s", delivery->text);
}

static void forget_reports(void)
{
    memset(world.by_status, 0, sizeof world.by_status);
    for (size_t i = 0; i < MESSAGES; i++)
        atomic_store(&world.reports[i], 0);
}

static struct kafka_producer *new_producer(void)
{
    struct err err = ERR_INIT;
    struct kafka_producer *producer = kafka_producer_new(&world.settings, 0, on_delivery, &world, &err);

    assert_non_null(producer);
    kafka_producer_know(producer, "t");
    forget_reports();
    return producer;
}

static enum status send_one(struct kafka_producer *producer, size_t number)
{
    return kafka_producer_send(producer, "t", KAFKA_PARTITION_BY_KEY, "k", 1, "value", 5, NULL, (void *)number, NULL);
}

static void expect_reported_once(size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (atomic_load(&world.reports[i]) != 1)
            fail_msg("message %zu was reported %d times", i, atomic_load(&world.reports[i]));
}

static void poll_until_reported(struct kafka_producer *producer, int count)
{
    int64_t end_ms = clock_boot_ms() + WAIT_MS;
    int reported;

    do {
        kafka_producer_poll(producer, 10);
        reported = 0;
        for (int i = 0; i <= ST_FAILED; i++)
            reported += world.by_status[i];
        if (clock_boot_ms() > end_ms)
            fail_msg("%d of %d reported", reported, count);
    } while (reported < count);
}

static void a_report_names_the_offset(void **state)
{
    struct err err = ERR_INIT;
    struct kafka_producer *producer = new_producer();

    (void)state;
    assert_int_equal(send_one(producer, 0), ST_OK);
    assert_int_equal(kafka_producer_flush(producer, WAIT_MS, &err), ST_OK);
    expect_reported_once(1);
    assert_int_equal(world.by_status[ST_OK], 1);
    assert_int_equal(world.last_offset, 0);
    assert_int_equal(send_one(producer, 1), ST_OK);
    assert_int_equal(kafka_producer_flush(producer, WAIT_MS, &err), ST_OK);
    assert_int_equal(world.last_offset, 1);
    kafka_producer_free(producer);
}

static void keys_are_placed_as_by_javas_murmur2(void **state)
{
    struct err err = ERR_INIT;
    struct kafka_producer *producer = new_producer();
    struct kafka_consumer *consumer = kafka_consumer_new(&world.settings, "none", NULL, &err);
    int64_t ends[4];

    (void)state;
    /* murmur2("21") = -973932308; & 0x7fffffff = 1173551340; mod 4 = 0 (org.apache.kafka UtilsTest) */
    assert_int_equal(
        kafka_producer_send(producer, "four", KAFKA_PARTITION_BY_KEY, "21", 2, "v", 1, NULL, (void *)0, &err), ST_OK);
    /* murmur2("foobar") = -790332482; & 0x7fffffff = 1357151166; mod 4 = 2 */
    assert_int_equal(
        kafka_producer_send(producer, "four", KAFKA_PARTITION_BY_KEY, "foobar", 6, "v", 1, NULL, (void *)1, &err),
        ST_OK);
    assert_int_equal(kafka_producer_flush(producer, WAIT_MS, &err), ST_OK);
    assert_int_equal(kafka_consumer_log_ends(consumer, "four", (const int[]){ 0, 1, 2, 3 }, 4, WAIT_MS, ends, &err),
                     ST_OK);
    assert_int_equal(ends[0], 1);
    assert_int_equal(ends[1], 0);
    assert_int_equal(ends[2], 1);
    assert_int_equal(ends[3], 0);
    kafka_consumer_free(consumer);
    kafka_producer_free(producer);
}

static void a_message_that_is_too_large_is_refused_at_once(void **state)
{
    struct err err = ERR_INIT;
    struct kafka_producer *producer = new_producer();
    char *large = calloc(1, 2000000);

    (void)state;
    assert_int_equal(kafka_producer_send(producer, "t", 0, NULL, 0, large, 2000000, NULL, NULL, &err), ST_INVALID);
    assert_non_null(strstr(err.text, "too large"));
    free(large);
    kafka_producer_free(producer);
    expect_reported_once(0);
    assert_int_equal(atomic_load(&world.reports[0]), 0);
}

static void a_full_queue_says_so_and_takes_nothing(void **state)
{
    struct kafka_property small = { (char *)"queue.buffering.max.messages", (char *)"10" };
    struct kafka_settings settings = { .brokers = "127.0.0.1:1", .properties = &small, .property_count = 1 };
    struct err err = ERR_INIT;
    struct kafka_producer *producer = kafka_producer_new(&settings, 0, on_delivery, &world, &err);

    (void)state;
    assert_non_null(producer);
    forget_reports();
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(send_one(producer, i), ST_OK);
    assert_int_equal(send_one(producer, 10), ST_LIMIT);
    assert_int_equal(kafka_producer_flush(producer, 300, &err), ST_AGAIN);
    assert_non_null(strstr(err.text, "127.0.0.1:1"));
    assert_non_null(strstr(err.text, "refused"));
    kafka_producer_free(producer); /* reports what it still held */
    expect_reported_once(10);
    assert_int_equal(world.by_status[ST_AGAIN], 10);
    assert_int_equal(atomic_load(&world.reports[10]), 0);
}

static void learning_says_whether_the_topic_was_heard_of(void **state)
{
    struct kafka_settings nowhere = { .brokers = "127.0.0.1:1" };
    struct err err = ERR_INIT;
    struct kafka_producer *producer = kafka_producer_new(&world.settings, 0, on_delivery, &world, &err);

    (void)state;
    assert_non_null(producer);
    assert_true(kafka_producer_learn(producer, "t", WAIT_MS));
    forget_reports();
    assert_int_equal(send_one(producer, 0), ST_OK);
    assert_int_equal(kafka_producer_flush(producer, WAIT_MS, &err), ST_OK);
    assert_int_equal(world.by_status[ST_OK], 1);
    kafka_producer_free(producer);
    producer = kafka_producer_new(&nowhere, 0, on_delivery, &world, &err);
    assert_non_null(producer);
    assert_false(kafka_producer_learn(producer, "t", 100));
    kafka_producer_free(producer);
}

static void a_fatal_producer_is_replaced_and_nothing_is_reported_twice(void **state)
{
    struct err err = ERR_INIT;
    struct kafka_producer *producer = new_producer();

    (void)state;
    kafka_mock_fail_produce(world.mock, OUT_OF_ORDER_SEQUENCE_NUMBER, 1);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(send_one(producer, i), ST_OK);
    poll_until_reported(producer, 100);
    expect_reported_once(100);
    assert_true(world.by_status[ST_AGAIN] > 0);
    assert_int_equal(world.by_status[ST_INVALID], 0);
    forget_reports(); /* and the new one works */
    assert_int_equal(send_one(producer, 0), ST_OK);
    assert_int_equal(kafka_producer_flush(producer, WAIT_MS, &err), ST_OK);
    expect_reported_once(1);
    assert_int_equal(world.by_status[ST_OK], 1);
    kafka_producer_free(producer);
}

/* As while a coordinator starts: nobody polls but who is told that there is no room, and the error is not told to whom it
 * befell. */
static void who_only_sends_learns_that_the_producer_is_fatal(void **state)
{
    struct err err = ERR_INIT;
    struct kafka_producer *producer = new_producer();
    enum status st = ST_OK;
    int64_t until = clock_boot_ms() + WAIT_MS;
    size_t n = 0;

    (void)state;
    kafka_mock_fail_produce(world.mock, OUT_OF_ORDER_SEQUENCE_NUMBER, 1);
    for (; st == ST_OK && n < MESSAGES && clock_boot_ms() < until; n++) {
        st = send_one(producer, n);
        usleep(1000);
    }
    assert_int_equal(st, ST_LIMIT);
    kafka_producer_poll(producer, 0);
    assert_int_equal(send_one(producer, n - 1), ST_OK);
    assert_int_equal(kafka_producer_flush(producer, WAIT_MS, &err), ST_OK);
    expect_reported_once(n);
    kafka_producer_free(producer);
}

static void make_fatal(struct kafka_producer *producer)
{
    forget_reports();
    kafka_mock_fail_produce(world.mock, OUT_OF_ORDER_SEQUENCE_NUMBER, 1);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(send_one(producer, i), ST_OK);
    poll_until_reported(producer, 100);
}

/* Replaced twice: what it was told of is only a name the second time. */
static void a_topic_that_could_not_be_told_of_is_learned_by_sending(void **state)
{
    struct err err = ERR_INIT;
    struct kafka_producer *producer = new_producer();

    (void)state;
    no_topics = true;
    make_fatal(producer);
    make_fatal(producer);
    kafka_producer_know(producer, "four");
    no_topics = false;
    make_fatal(producer);
    forget_reports();
    assert_int_equal(send_one(producer, 0), ST_OK);
    assert_int_equal(kafka_producer_flush(producer, WAIT_MS, &err), ST_OK);
    assert_int_equal(world.by_status[ST_OK], 1);
    kafka_producer_free(producer);
}

/* The port was closed for a while, and is not any more: what fails now fails for another reason. */
static void trouble_that_is_over_explains_no_later_error(void **state)
{
    struct err err = ERR_INIT;
    struct kafka_producer *producer = new_producer();

    (void)state;
    assert_int_equal(send_one(producer, 0), ST_OK);
    assert_int_equal(kafka_producer_flush(producer, WAIT_MS, &err), ST_OK);
    kafka_mock_set_down(world.mock, true);
    assert_int_equal(send_one(producer, 1), ST_OK);
    assert_int_equal(kafka_producer_flush(producer, 1500, &err), ST_AGAIN);
    assert_null(strstr(err.text, "no answer"));
    kafka_mock_set_down(world.mock, false);
    assert_int_equal(kafka_producer_flush(producer, WAIT_MS, &err), ST_OK);
    for (size_t i = 2; i < MESSAGES && kafka_producer_flush(producer, 0, &err) == ST_OK; i++)
        assert_int_equal(send_one(producer, i), ST_OK); /* until one is still on its way */
    assert_non_null(strstr(err.text, "no answer"));
    kafka_producer_free(producer);
}

struct sender {
    pthread_t thread;
    struct kafka_producer *producer;
    size_t first, count;
};

static void *send_many(void *arg)
{
    struct sender *sender = arg;

    for (size_t i = 0; i < sender->count; i++)
        while (send_one(sender->producer, sender->first + i) != ST_OK)
            sched_yield();
    return NULL;
}

static void threads_may_send_while_it_is_replaced(void **state)
{
    struct kafka_producer *producer = new_producer();
    struct sender senders[THREADS];

    (void)state;
    kafka_mock_fail_produce(world.mock, OUT_OF_ORDER_SEQUENCE_NUMBER, 1);
    for (size_t i = 0; i < THREADS; i++) {
        senders[i] =
            (struct sender){ .producer = producer, .first = i * MESSAGES / THREADS, .count = MESSAGES / THREADS };
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_many, &senders[i]), 0);
    }
    poll_until_reported(producer, MESSAGES);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(senders[i].thread, NULL);
    expect_reported_once(MESSAGES);
    assert_true(world.by_status[ST_AGAIN] > 0);
    kafka_producer_free(producer);
}

static int world_begin(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    world.mock = kafka_mock_new(&err);
    if (!world.mock || kafka_mock_create_topic(world.mock, "t", 1, &err) != ST_OK ||
        kafka_mock_create_topic(world.mock, "four", 4, &err) != ST_OK)
        return -1;
    world.settings = (struct kafka_settings){ .brokers = kafka_mock_brokers(world.mock), .client_id = "test" };
    return 0;
}

static int world_end(void **state)
{
    (void)state;
    kafka_mock_free(world.mock);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_names_the_offset),
        cmocka_unit_test(keys_are_placed_as_by_javas_murmur2),
        cmocka_unit_test(a_message_that_is_too_large_is_refused_at_once),
        cmocka_unit_test(a_full_queue_says_so_and_takes_nothing),
        cmocka_unit_test(learning_says_whether_the_topic_was_heard_of),
        cmocka_unit_test(a_fatal_producer_is_replaced_and_nothing_is_reported_twice),
        cmocka_unit_test(who_only_sends_learns_that_the_producer_is_fatal),
        cmocka_unit_test(a_topic_that_could_not_be_told_of_is_learned_by_sending),
        cmocka_unit_test(trouble_that_is_over_explains_no_later_error),
        cmocka_unit_test(threads_may_send_while_it_is_replaced),
    };

    return cmocka_run_group_tests(tests, world_begin, world_end);
}
