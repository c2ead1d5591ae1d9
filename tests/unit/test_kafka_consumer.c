/* The consumer against librdkafka's mock broker. One story in order, since joining a group costs three seconds. */
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/kafka/kafka.h"

enum { WAIT_MS = 20000, EACH = 10 }; /* messages in each of the two partitions that are read; a third was added */

static struct {
    struct kafka_mock *mock;
    struct kafka_settings settings;
    struct kafka_producer *producer;
    struct kafka_consumer *consumer;
    int delivered;
    int assigned, revoked; /* partitions */
    int64_t start[2];      /* answered on assignment */
    int64_t end[2];        /* on_end */
    int64_t heal_at;       /* where an out-of-range position is put */
    int out_of_range, outages, recoveries;
    char outage_text[512];
} world;

/* ST_OK, or the test fails with what the error says. */
static void expect_ok(enum status st, const struct err *err)
{
    if (st != ST_OK)
        fail_msg("%d: %s", (int)st, err->text);
}

static void on_delivery(void *arg, const struct kafka_delivery *delivery)
{
    (void)arg;
    assert_int_equal(delivery->status, ST_OK);
    world.delivered++;
}

static void on_assigned(void *arg, struct kafka_position *positions, size_t count)
{
    (void)arg;
    world.assigned = (int)count;
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(positions[i].topic, "t");
        assert_in_range(positions[i].partition, 0, 1);
        positions[i].offset = world.start[positions[i].partition];
    }
}

static void on_revoked(void *arg, const struct kafka_position *positions, size_t count, bool lost)
{
    (void)arg;
    (void)lost;
    for (size_t i = 0; i < count; i++)
        assert_in_range(positions[i].partition, 0, 1);
    world.revoked += (int)count;
}

static void on_end(void *arg, const char *topic, int partition, int64_t next_offset)
{
    (void)arg;
    assert_string_equal(topic, "t");
    assert_in_range(partition, 0, 1);
    world.end[partition] = next_offset;
}

static void on_out_of_range(void *arg, const char *topic, int partition, const char *text)
{
    struct err err = ERR_INIT;

    (void)arg;
    assert_true(text[0] != '\0');
    world.out_of_range++;
    expect_ok(kafka_consumer_seek(world.consumer, topic, partition, world.heal_at, &err), &err);
}

static void on_outage(void *arg, const char *text)
{
    (void)arg;
    if (text) {
        world.outages++;
        snprintf(world.outage_text, sizeof world.outage_text, "%s", text);
    } else {
        world.recoveries++;
    }
}

static void produce(int partition, int count)
{
    struct err err = ERR_INIT;
    const char *const headers[] = { "traceparent", "00-ab-cd-01", NULL };
    int want = world.delivered + count;

    for (int i = 0; i < count; i++) {
        char value[32];

        snprintf(value, sizeof value, "p%d", partition);
        assert_int_equal(
            kafka_producer_send(world.producer, "t", partition, "key", 3, value, strlen(value), headers, NULL, &err),
            ST_OK);
    }
    assert_int_equal(kafka_producer_flush(world.producer, WAIT_MS, &err), ST_OK);
    assert_int_equal(world.delivered, want);
}

static struct kafka_consumer *new_consumer(void)
{
    static const struct kafka_subscription topics[] = { { "t", 2, NULL } };
    struct err err = ERR_INIT;
    struct kafka_consumer_events events = {
        .on_assigned = on_assigned,
        .on_revoked = on_revoked,
        .on_end = on_end,
        .on_out_of_range = on_out_of_range,
        .on_outage = on_outage,
    };
    struct kafka_consumer *consumer = kafka_consumer_new(&world.settings, "g", &events, &err);

    assert_non_null(consumer);
    expect_ok(kafka_consumer_subscribe(consumer, topics, 1, &err), &err);
    return consumer;
}

/* The next message, or the test fails saying what was waited for. */
static struct kafka_message next_message(const char *what)
{
    struct kafka_message message;
    int64_t end_ms = clock_boot_ms() + WAIT_MS;

    while (!kafka_consumer_poll(world.consumer, 100, &message))
        if (clock_boot_ms() > end_ms)
            fail_msg("no message within %d ms: %s", WAIT_MS, what);
    return message;
}

/* Reads until both ends are reached; counts messages and the smallest offset per partition. */
static void read_to_ends(int counts[2], int64_t first[2])
{
    struct kafka_message message;
    int64_t end_ms = clock_boot_ms() + WAIT_MS;

    counts[0] = counts[1] = 0;
    first[0] = first[1] = -1;
    world.end[0] = world.end[1] = -1;
    while (world.end[0] < 0 || world.end[1] < 0) {
        if (clock_boot_ms() > end_ms)
            fail_msg("ends not reached: %lld %lld", (long long)world.end[0], (long long)world.end[1]);
        if (!kafka_consumer_poll(world.consumer, 100, &message))
            continue;
        assert_in_range(message.partition, 0, 1);
        counts[message.partition]++;
        if (first[message.partition] < 0)
            first[message.partition] = message.offset;
        kafka_message_release(&message);
    }
}

/* Polls that nothing comes for a moment (what is prefetched would come at once). */
static void expect_silence(int partition)
{
    struct kafka_message message;

    for (int i = 0; i < 5; i++)
        if (kafka_consumer_poll(world.consumer, 50, &message)) {
            assert_int_not_equal(message.partition, partition);
            kafka_message_release(&message);
        }
}

static int world_begin(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    world.mock = kafka_mock_new(&err);
    if (!world.mock || kafka_mock_create_topic(world.mock, "t", 3, &err) != ST_OK)
        return -1;
    world.settings = (struct kafka_settings){ .brokers = kafka_mock_brokers(world.mock), .client_id = "test" };
    world.producer = kafka_producer_new(&world.settings, 0, on_delivery, NULL, &err);
    return world.producer ? 0 : -1;
}

static int world_end(void **state)
{
    (void)state;
    kafka_consumer_free(world.consumer);
    kafka_producer_free(world.producer);
    kafka_mock_free(world.mock);
    return 0;
}

static void reading_starts_where_the_callee_says(void **state)
{
    int counts[2];
    int64_t first[2];

    (void)state;
    produce(0, EACH);
    produce(1, EACH);
    produce(2, EACH);
    world.start[0] = 3;
    world.start[1] = KAFKA_OFFSET_STORED;
    world.consumer = new_consumer();
    read_to_ends(counts, first);
    assert_int_equal(world.assigned, 2);
    assert_int_equal(counts[0], EACH - 3);
    assert_int_equal(first[0], 3);
    assert_int_equal(counts[1], EACH); /* nothing committed: from the beginning */
    assert_int_equal(first[1], 0);
    assert_int_equal(world.end[0], EACH);
    assert_int_equal(world.end[1], EACH);
}

/* Nothing of it came with what was read before, or comes now; its messages stay, and nothing is committed there. */
static void a_partition_beyond_the_known_ones_is_never_read(void **state)
{
    struct err err = ERR_INIT;
    int64_t start, end, offsets[3] = { 0, 0, 0 };

    (void)state;
    produce(2, 1);
    expect_silence(2);
    assert_int_equal(world.end[0], EACH);
    expect_ok(kafka_consumer_log_range(world.consumer, "t", 2, WAIT_MS, &start, &end, &err), &err);
    assert_int_equal(end - start, EACH + 1);
    expect_ok(kafka_consumer_committed(world.consumer, "t", 3, WAIT_MS, offsets, &err), &err);
    assert_int_equal(offsets[2], -1);
    assert_int_equal(kafka_consumer_seek(world.consumer, "t", 2, 0, &err), ST_STALE);
}

static void a_message_shows_all_its_parts(void **state)
{
    struct kafka_message message;
    const char *header;
    size_t size;

    (void)state;
    produce(1, 1);
    message = next_message("the one just produced");
    assert_string_equal(message.topic, "t");
    assert_int_equal(message.partition, 1);
    assert_int_equal(message.offset, EACH);
    assert_true(message.timestamp_ms > INT64_C(1600000000000));
    assert_int_equal(message.key_size, 3);
    assert_memory_equal(message.key, "key", 3);
    assert_int_equal(message.value_size, 2);
    assert_memory_equal(message.value, "p1", 2);
    header = kafka_message_header(&message, "traceparent", &size);
    assert_int_equal(size, 11);
    assert_memory_equal(header, "00-ab-cd-01", 11);
    assert_null(kafka_message_header(&message, "other", &size));
    kafka_message_release(&message);
}

static void a_seek_goes_back(void **state)
{
    struct err err = ERR_INIT;
    struct kafka_message message;

    (void)state;
    expect_ok(kafka_consumer_seek(world.consumer, "t", 0, 7, &err), &err);
    for (int64_t offset = 7; offset < EACH; offset++) {
        message = next_message("after a seek");
        assert_int_equal(message.partition, 0);
        assert_int_equal(message.offset, offset);
        kafka_message_release(&message);
    }
    assert_int_equal(kafka_consumer_seek(world.consumer, "t", 9, 0, &err), ST_STALE);
    assert_int_equal(kafka_consumer_seek(world.consumer, "u", 0, 0, &err), ST_STALE);
}

static void a_paused_partition_is_silent_and_resumes_where_told(void **state)
{
    struct err err = ERR_INIT;
    struct kafka_message message;

    (void)state;
    expect_ok(kafka_consumer_pause(world.consumer, "t", 0, &err), &err);
    expect_ok(kafka_consumer_pause(world.consumer, "t", 0, &err), &err);
    produce(0, 3); /* offsets 10 .. 12 */
    expect_silence(0);
    expect_ok(kafka_consumer_resume(world.consumer, "t", 0, 11, &err), &err);
    message = next_message("after resuming");
    assert_int_equal(message.partition, 0);
    assert_int_equal(message.offset, 11);
    kafka_message_release(&message);
    message = next_message("after resuming");
    assert_int_equal(message.offset, 12);
    kafka_message_release(&message);
    expect_ok(kafka_consumer_resume(world.consumer, "t", 0, 12, &err), &err); /* not paused: a seek */
    message = next_message("after resuming what was not paused");
    assert_int_equal(message.offset, 12);
    kafka_message_release(&message);
}

static void logs_tell_their_range(void **state)
{
    struct err err = ERR_INIT;
    int64_t start, end, ends[2];

    (void)state;
    expect_ok(kafka_consumer_log_range(world.consumer, "t", 0, WAIT_MS, &start, &end, &err), &err);
    assert_int_equal(start, 0);
    assert_int_equal(end, EACH + 3);
    expect_ok(kafka_consumer_log_ends(world.consumer, "t", (const int[]){ 1, 0 }, 2, WAIT_MS, ends, &err), &err);
    assert_int_equal(ends[0], EACH + 1);
    assert_int_equal(ends[1], EACH + 3);
    assert_int_equal(kafka_consumer_log_range(world.consumer, "t", 7, 2000, &start, &end, &err), ST_MISSING);
}

static void stored_offsets_are_committed_in_the_background(void **state)
{
    struct err err = ERR_INIT;
    struct kafka_message message;
    int64_t offsets[2] = { -1, -1 };
    int64_t end_ms = clock_boot_ms() + WAIT_MS;

    (void)state;
    expect_ok(kafka_consumer_store(world.consumer, "t", 0, 5, &err), &err);
    assert_int_equal(kafka_consumer_store(world.consumer, "t", 9, 5, &err), ST_STALE);
    while (offsets[0] != 5) {
        expect_ok(kafka_consumer_committed(world.consumer, "t", 2, WAIT_MS, offsets, &err), &err);
        if (kafka_consumer_poll(world.consumer, 50, &message))
            kafka_message_release(&message);
        if (clock_boot_ms() > end_ms)
            fail_msg("committed: %lld, not 5", (long long)offsets[0]);
    }
    assert_int_equal(offsets[1], -1); /* read, but never stored */
}

static void a_position_out_of_range_is_told_not_skipped(void **state)
{
    struct err err = ERR_INIT;
    struct kafka_message message;

    (void)state;
    world.heal_at = 12;
    expect_ok(kafka_consumer_seek(world.consumer, "t", 0, 1000, &err), &err);
    message = next_message("after an out-of-range position was healed");
    assert_int_equal(world.out_of_range, 1);
    assert_int_equal(message.partition, 0);
    assert_int_equal(message.offset, 12);
    kafka_message_release(&message);
    produce(0, 1);
    produce(1, 1); /* the other partition goes on where it was */
    for (int i = 0; i < 2; i++) {
        message = next_message("of both partitions after healing");
        assert_int_equal(message.offset, message.partition == 0 ? EACH + 3 : EACH + 1);
        kafka_message_release(&message);
    }
}

static void an_outage_is_told_once_at_both_ends(void **state)
{
    struct kafka_message message;
    int64_t end_ms = clock_boot_ms() + WAIT_MS;

    (void)state;
    kafka_mock_set_down(world.mock, true);
    while (!world.outages) {
        assert_false(kafka_consumer_poll(world.consumer, 50, &message));
        if (clock_boot_ms() > end_ms)
            fail_msg("no outage told");
    }
    for (int i = 0; i < 20; i++)
        assert_false(kafka_consumer_poll(world.consumer, 50, &message));
    assert_int_equal(world.outages, 1);
    assert_int_equal(world.recoveries, 0);
    assert_non_null(strstr(world.outage_text, world.settings.brokers));
    kafka_mock_set_down(world.mock, false);
    end_ms = clock_boot_ms() + WAIT_MS;
    while (!world.recoveries) {
        if (kafka_consumer_poll(world.consumer, 50, &message))
            kafka_message_release(&message);
        if (clock_boot_ms() > end_ms)
            fail_msg("no recovery told");
    }
    assert_int_equal(world.outages, 1);
    produce(1, 1);
    message = next_message("after the outage");
    assert_int_equal(message.partition, 1);
    kafka_message_release(&message);
}

static void leaving_revokes_and_the_next_one_starts_at_the_committed_offset(void **state)
{
    struct err err = ERR_INIT;
    int counts[2];
    int64_t first[2];

    (void)state;
    expect_ok(kafka_consumer_store(world.consumer, "t", 0, 8, &err), &err); /* committed on leaving */
    world.revoked = 0;
    kafka_consumer_free(world.consumer);
    assert_int_equal(world.revoked, 2);
    world.start[0] = world.start[1] = KAFKA_OFFSET_STORED;
    world.consumer = new_consumer();
    read_to_ends(counts, first);
    assert_int_equal(first[0], 8);
    assert_int_equal(first[1], 0);
}

static void leaving_a_dead_broker_takes_no_eternity(void **state)
{
    int64_t begin_ms;

    (void)state;
    kafka_mock_set_down(world.mock, true);
    begin_ms = clock_boot_ms();
    kafka_consumer_free(world.consumer);
    world.consumer = NULL;
    assert_true(clock_boot_ms() - begin_ms < 15000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_starts_where_the_callee_says),
        cmocka_unit_test(a_partition_beyond_the_known_ones_is_never_read),
        cmocka_unit_test(a_message_shows_all_its_parts),
        cmocka_unit_test(a_seek_goes_back),
        cmocka_unit_test(a_paused_partition_is_silent_and_resumes_where_told),
        cmocka_unit_test(logs_tell_their_range),
        cmocka_unit_test(stored_offsets_are_committed_in_the_background),
        cmocka_unit_test(a_position_out_of_range_is_told_not_skipped),
        cmocka_unit_test(an_outage_is_told_once_at_both_ends),
        cmocka_unit_test(leaving_revokes_and_the_next_one_starts_at_the_committed_offset),
        cmocka_unit_test(leaving_a_dead_broker_takes_no_eternity),
    };

    return cmocka_run_group_tests(tests, world_begin, world_end);
}
