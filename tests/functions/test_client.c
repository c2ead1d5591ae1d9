/* libbgop against a real redis-server with the real functions and librdkafka's mock broker (client_queue.h). */
#include "tests/functions/client_queue.h"

#include <ctype.h>
#include <jansson.h>

#include "common/base/checksum.h"
#include "common/record/routing.h"
#include "tests/support/program.h"

/* ---- submitting ---- */
static void a_delivery_report_names_the_operation(void **state)
{
    struct bgop_submission keyed = web_cart("acct-42"), lone = web_cart(NULL);
    struct id_parts parts;

    (void)state;
    for (int i = 0; i < 20; i++)
        OK(bgop_submit(bgop, i % 2 ? &keyed : &lone, keep, NULL));
    OK(bgop_flush(bgop, 10000));
    assert_int_equal(delivered_count, 20);
    for (int i = 0; i < 20; i++) {
        const struct bgop_delivery *d = &delivered[i];

        assert_int_equal(d->code, BGOP_OK);
        assert_true(id_parse(d->id, ID_LENGTH, &parts));
        assert_int_equal(parts.partition, d->partition);
        assert_int_equal(parts.offset, d->offset);
        assert_int_equal(parts.epoch, d->partition == 2 ? 1 : 0);
        assert_true(parts.shard == routing_shard("acct-42", 7, 0, 0, SHARDS) ||
                    parts.shard == (d->partition + d->offset) % SHARDS);
    }
}

/* The record of another message at the place that the submission of that key will get. */
static void take_next_place(const char *key, const struct bgop_delivery *last, char id[ID_SIZE])
{
    struct id_parts parts = { .shard = routing_shard(key, strlen(key), 0, 0, SHARDS),
                              .epoch = last->partition == 2,
                              .partition = last->partition,
                              .offset = last->offset + 1 };
    char redis_key[64];

    id_make(id, &parts);
    snprintf(redis_key, sizeof redis_key, "bgop:{%d}:op:%s", parts.shard, id);
    redis_run("HSET", redis_key, "crc", "7");
}

/* Kafka lost its tail and gives the offset out again. */
static void an_id_that_another_operation_has_is_never_told(void **state)
{
    const struct bgop_config config = { .kafka = kafka_mock_brokers(mock), .redis = server.url, .timeout_ms = 300 };
    struct bgop_submission submission = web_cart("taken");
    struct id_parts parts;
    char id[ID_SIZE], partition[16];

    (void)state;
    bgop_close(bgop);
    assert_int_equal(bgop_open(&bgop, &config, NULL, 0), BGOP_OK);
    OK(bgop_submit(bgop, &submission, keep, NULL));
    OK(bgop_flush(bgop, 10000));
    take_next_place("taken", &delivered[0], id);
    bgop_close(bgop); /* as `bgopctl submit` does, each a process of its own: it knows of no earlier offset */
    assert_int_equal(bgop_open(&bgop, &config, NULL, 0), BGOP_OK);
    OK(bgop_submit(bgop, &submission, keep, NULL));
    OK(bgop_flush(bgop, 10000));
    assert_int_equal(delivered[1].offset, delivered[0].offset + 1);
    assert_int_equal(delivered[1].code, BGOP_OK);
    assert_string_equal(delivered[1].id, ""); /* the partition has no new epoch yet */

    take_next_place("taken", &delivered[1], id);
    snprintf(partition, sizeof partition, "%d", delivered[0].partition);
    redis_run("HSET", "bgop:epochs", partition,
              "5"); /* a coordinator has found it; the handle read the epochs before */
    OK(bgop_submit(bgop, &submission, keep, NULL));
    OK(bgop_flush(bgop, 10000));
    assert_true(id_parse(delivered[2].id, ID_LENGTH, &parts));
    assert_int_equal(parts.epoch, 5);
    redis_run("HSET", "bgop:epochs", partition, delivered[0].partition == 2 ? "1" : "0");
}

static char recorded[ID_SIZE];

/* Records it, as far as its submitter looks: under the Id of its place, with its checksum. */
static void record_message(void *arg, const struct kafka_message *message)
{
    struct id_parts parts = { .partition = message->partition,
                              .offset = message->offset,
                              .epoch = message->partition == 2 };
    char key[64], crc[16];

    (void)arg;
    if (!message->key || strncmp(message->key, "early", 5) != 0)
        return;
    parts.shard = routing_shard("early", 5, 0, 0, SHARDS);
    id_make(recorded, &parts);
    snprintf(key, sizeof key, "bgop:{%d}:op:%s", parts.shard, recorded);
    snprintf(crc, sizeof crc, "%lu",
             (unsigned long)checksum_message(message->key, message->key_size, message->value, message->value_size,
                                             message->timestamp_ms));
    redis_run("HSET", key, "crc", crc);
}

static void an_id_is_told_also_when_its_record_is_there_before_the_report(void **state)
{
    const struct bgop_config config = { .kafka = kafka_mock_brokers(mock), .redis = server.url, .timeout_ms = 300 };
    const struct kafka_settings settings = { .brokers = kafka_mock_brokers(mock), .client_id = "test" };
    struct bgop_submission submission = web_cart("early");
    struct err err = ERR_INIT;

    (void)state;
    bgop_close(bgop);
    assert_int_equal(bgop_open(&bgop, &config, NULL, 0), BGOP_OK);
    OK(bgop_submit(bgop, &submission, keep, NULL)); /* its report waits until the handle is polled */
    recorded[0] = '\0';
    while (!recorded[0]) {
        for (int p = 0; p < PARTITIONS; p++)
            assert_int_equal(kafka_read_all(&settings, "bgop.submit", p, 10000, record_message, NULL, &err), ST_OK);
    }
    OK(bgop_flush(bgop, 10000));
    assert_string_equal(delivered[0].id, recorded);
}

static void what_kafka_lost_before_it_was_recorded_is_gone_and_not_waited_for(void **state)
{
    struct bgop_submission submission = web_cart("lost");
    enum bgop_outcome outcome = BGOP_PENDING;
    const char *ids[1];
    char field[32], rewind[64], *json;

    (void)state;
    OK(bgop_submit(bgop, &submission, keep, NULL));
    OK(bgop_flush(bgop, 10000));
    snprintf(field, sizeof field, "%d:5", delivered[0].partition);
    snprintf(rewind, sizeof rewind, "%lld %lld -1 0 0", (long long)delivered[0].offset,
             (long long)delivered[0].offset + 1);
    redis_run("HSET", "bgop:rewinds", field, rewind);
    ids[0] = delivered[0].id;
    OK(bgop_wait(bgop, ids, 1, 5000, &outcome));
    assert_int_equal(outcome, BGOP_GONE);
    assert_int_equal(bgop_get(bgop, ids[0], &json), BGOP_MISSING);
    assert_non_null(strstr(bgop_error(bgop), "Kafka lost its submission"));
    redis_run("DEL", "bgop:rewinds", NULL, NULL);
}

static void wrong_submissions_are_refused_with_a_reason_and_no_report(void **state)
{
    struct bgop_submission cases[4] = { web_cart("a"), web_cart("a"), web_cart("a"), web_cart("a") };
    char text[400], *payload = calloc(1, 300000);

    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    cases[0].type = "";
    cases[1].name = text;
    cases[2].sequence_group = "g";
    cases[3].payload = payload;
    cases[3].payload_size = 300000;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        assert_int_equal(bgop_submit(bgop, &cases[i], keep, NULL), BGOP_INVALID);
        assert_true(strlen(bgop_error(bgop)) > 10);
    }
    assert_int_equal(bgop_in_flight(bgop), 0);
    assert_int_equal(delivered_count, 0);
    free(payload);
}

static void more_than_may_be_in_flight_is_full_and_goes_on_after_a_poll(void **state)
{
    const struct bgop_config config = {
        .kafka = kafka_mock_brokers(mock), .redis = server.url, .in_flight_max = 3, .linger_ms = 50
    };
    struct bgop_submission submission = web_cart("a");
    enum bgop_code code = BGOP_OK;
    int taken = 0;

    (void)state;
    bgop_close(bgop);
    assert_int_equal(bgop_open(&bgop, &config, NULL, 0), BGOP_OK);
    while (taken < 4 && (code = bgop_submit(bgop, &submission, keep, NULL)) == BGOP_OK)
        taken++;
    assert_int_equal(taken, 3);
    assert_int_equal(code, BGOP_FULL);
    OK(bgop_flush(bgop, 10000));
    OK(bgop_submit(bgop, &submission, keep, NULL));
    OK(bgop_flush(bgop, 10000));
    assert_int_equal(delivered_count, 4);
}

static void closing_reports_what_was_not_delivered_as_unknown(void **state)
{
    const struct bgop_config config = { .kafka = kafka_mock_brokers(mock), .redis = server.url, .linger_ms = 60000 };
    struct bgop_submission submission = web_cart("a");

    (void)state;
    bgop_close(bgop);
    assert_int_equal(bgop_open(&bgop, &config, NULL, 0), BGOP_OK);
    OK(bgop_submit(bgop, &submission, keep, NULL));
    assert_int_equal(bgop_flush(bgop, 50), BGOP_TIMED_OUT);
    bgop_close(bgop);
    bgop = NULL;
    assert_int_equal(delivered_count, 1);
    assert_int_not_equal(delivered[0].code, BGOP_OK);
    assert_string_equal(delivered[0].id, "");
}

static void without_redis_a_submission_is_delivered_but_has_no_id(void **state)
{
    const struct bgop_config config = { .kafka = kafka_mock_brokers(mock), .redis = "unix:///nowhere/redis.sock" };
    struct bgop_submission submission = web_cart("a");

    (void)state;
    bgop_close(bgop);
    assert_int_equal(bgop_open(&bgop, &config, NULL, 0), BGOP_OK);
    OK(bgop_submit(bgop, &submission, keep, NULL));
    OK(bgop_flush(bgop, 10000));
    assert_int_equal(delivered[0].code, BGOP_OK);
    assert_string_equal(delivered[0].id, "");
    assert_true(delivered[0].offset >= 0);
    assert_int_equal(bgop_check(bgop), BGOP_UNREACHABLE);
    assert_non_null(strstr(bgop_error(bgop), "/nowhere/redis.sock"));
}

/* ---- reading ---- */
static void get_answers_the_whole_record(void **state)
{
    struct bgop_submission submission = web_cart("acct-42");
    const char *id = submit(&submission);
    char *json = NULL;
    json_t *record;

    (void)state;
    OK(bgop_get(bgop, id, &json));
    record = json_loads(json, 0, NULL);
    assert_non_null(record);
    assert_string_equal(json_string_value(json_object_get(record, "Id")), id);
    assert_string_equal(json_string_value(json_object_get(record, "Status")), "New");
    assert_string_equal(json_string_value(json_object_get(record, "ParentKey")), "acct-42");
    assert_int_equal(json_integer_value(json_object_get(record, "RetryLimit")), 3);
    json_decref(record);
    bgop_free(json);
}

static void an_id_may_have_lost_the_case_of_its_letters(void **state)
{
    struct bgop_submission submission = web_cart("acct-42");
    const char *id = submit(&submission);
    char upper[ID_SIZE], lower[ID_SIZE], *json = NULL;
    enum bgop_outcome outcome;

    (void)state;
    for (int i = 0; i <= ID_LENGTH; i++) {
        upper[i] = (char)toupper(id[i]);
        lower[i] = (char)tolower(id[i]);
    }
    OK(bgop_get(bgop, lower, &json));
    assert_non_null(strstr(json, id));
    bgop_free(json);
    OK(bgop_get(bgop, upper, &json));
    assert_non_null(strstr(json, id));
    bgop_free(json);
    assert_int_equal(bgop_wait(bgop, (const char *const[]){ lower }, 1, 0, &outcome), BGOP_TIMED_OUT);
    lower[15] = '\0'; /* 15 characters tell nothing */
    assert_int_equal(bgop_get(bgop, lower, &json), BGOP_INVALID);
}

static void get_tells_missing_from_malformed(void **state)
{
    char id[ID_SIZE], *json;
    const struct id_parts parts = { .shard = 1, .partition = 1, .offset = 999 };

    (void)state;
    id_make(id, &parts);
    assert_int_equal(bgop_get(bgop, id, &json), BGOP_MISSING);
    assert_null(json);
    assert_int_equal(bgop_get(bgop, "hello", &json), BGOP_INVALID);
    assert_non_null(strstr(bgop_error(bgop), "hello"));
    id[15] = 'A'; /* says that the P of 08P is a small one */
    assert_int_equal(bgop_get(bgop, id, &json), BGOP_INVALID);
}

static void wait_tells_how_each_ended(void **state)
{
    struct bgop_submission submission = web_cart("acct-1");
    char ids[4][ID_SIZE];
    const char *list[4] = { ids[0], ids[1], ids[2], ids[3] };
    enum bgop_outcome outcomes[4];

    (void)state;
    submission.retry_limit = 0;
    for (int i = 0; i < 4; i++)
        memcpy(ids[i], submit(&submission), ID_SIZE);
    assert_int_equal(bgop_wait(bgop, list, 4, 0, outcomes), BGOP_TIMED_OUT);
    apply_one(ids[0], claim_one(ids[0]), ENTRY_OK, NULL);
    apply_one(ids[1], claim_one(ids[1]), ENTRY_PERMANENT, "no such cart");
    apply_one(ids[2], 0, ENTRY_CANCEL, "not wanted");
    assert_int_equal(bgop_wait(bgop, list, 4, 100, outcomes), BGOP_TIMED_OUT);
    assert_int_equal(outcomes[0], BGOP_COMPLETE);
    assert_int_equal(outcomes[1], BGOP_ERROR);
    assert_int_equal(outcomes[2], BGOP_CANCELED);
    assert_int_equal(outcomes[3], BGOP_PENDING);
    ids[0][15] = '\0'; /* 15 characters are an Id as well */
    OK(bgop_wait(bgop, list, 3, 5000, NULL));
}

static void an_error_with_retries_left_has_not_ended(void **state)
{
    struct bgop_submission submission = web_cart("acct-1");
    enum bgop_outcome outcome;
    const char *id;

    (void)state;
    submission.retry_limit = 2;
    id = submit(&submission);
    apply_one(id, claim_one(id), ENTRY_ERROR, "first");  /* retry 1 is immediate */
    apply_one(id, claim_one(id), ENTRY_ERROR, "second"); /* retry 2 is timed: Error, and due */
    assert_int_equal(bgop_wait(bgop, &id, 1, 50, &outcome), BGOP_TIMED_OUT);
    assert_int_equal(outcome, BGOP_PENDING);
}

static void what_was_read_but_has_no_record_is_gone(void **state)
{
    struct bgop_submission submission = web_cart("acct-1");
    struct id_parts parts;
    enum bgop_outcome outcomes[2];
    char earlier[ID_SIZE];
    const char *id = submit(&submission), *ids[2] = { id, earlier };

    (void)state;
    apply_one(id, claim_one(id), ENTRY_OK, NULL);
    assert_true(id_parse(id, ID_LENGTH, &parts));
    parts.offset = 0;
    if (delivered[delivered_count - 1].offset == 0) { /* then one later was never submitted: not gone */
        parts.offset = 1000;
        id_make(earlier, &parts);
        assert_int_equal(bgop_wait(bgop, ids, 2, 100, outcomes), BGOP_TIMED_OUT);
        assert_int_equal(outcomes[1], BGOP_PENDING);
        return;
    }
    id_make(earlier, &parts);
    OK(bgop_wait(bgop, ids, 2, 5000, outcomes));
    assert_int_equal(outcomes[0], BGOP_COMPLETE);
    assert_int_equal(outcomes[1], BGOP_GONE);
}

static void wait_for_a_follower_is_over_when_its_leader_completes(void **state)
{
    struct bgop_submission merging = web_cart("acct-1");
    char leader[ID_SIZE], follower[ID_SIZE];
    const char *id = follower;
    enum bgop_outcome outcome;
    uint64_t token;

    (void)state;
    merging.type = "ExternalObject";
    memcpy(leader, submit(&merging), ID_SIZE);
    memcpy(follower, submit(&merging), ID_SIZE);
    token = claim_group(leader, "ExternalObject", 2); /* the first attempt of both */
    apply_one(follower, token, ENTRY_OK, NULL);
    assert_int_equal(bgop_wait(bgop, &id, 1, 50, &outcome), BGOP_TIMED_OUT);
    apply_one(leader, token, ENTRY_OK, NULL);
    OK(bgop_wait(bgop, &id, 1, 5000, &outcome));
    assert_int_equal(outcome, BGOP_MERGED);
}

static void wait_outlasts_a_restart_of_redis(void **state)
{
    struct bgop_submission submission = web_cart("acct-1");
    const char *id = submit(&submission);
    enum bgop_outcome outcome;

    (void)state;
    assert_int_equal(bgop_wait(bgop, &id, 1, 0, &outcome), BGOP_TIMED_OUT);
    redis_server_kill(&server);
    assert_int_equal(bgop_wait(bgop, &id, 1, 100, &outcome), BGOP_UNREACHABLE); /* never heard in this call */
    assert_non_null(strstr(bgop_error(bgop), server.socket));
    redis_server_again(&server);
    redis_disconnect(redis);
    start_queue();
    assert_int_equal(bgop_wait(bgop, &id, 1, 100, &outcome), BGOP_TIMED_OUT);
}

static void a_recovery_is_told_as_such(void **state)
{
    struct bgop_submission submission = web_cart("acct-1");
    const char *id = submit(&submission);
    char *json;

    (void)state;
    redis_run("HSET", "bgop:{0}:gate", "mode", "RECOVERING");
    redis_run("HSET", "bgop:{1}:gate", "mode", "RECOVERING");
    redis_run("HSET", "bgop:{2}:gate", "mode", "RECOVERING");
    redis_run("HSET", "bgop:{3}:gate", "mode", "RECOVERING");
    assert_int_equal(bgop_get(bgop, id, &json), BGOP_RECOVERING);
    assert_int_equal(bgop_wait(bgop, &id, 1, 50, NULL), BGOP_RECOVERING);
}

/* ---- settings ---- */
static void wrong_settings_are_told_at_open(void **state)
{
    static const char *const unknown[] = { "no.such.property", "1", NULL };
    const struct {
        struct bgop_config config;
        const char *word;
    } cases[] = {
        { { .redis = "http://127.0.0.1" }, "redis://" },
        { { .redis = "redis://127.0.0.1:99999" }, "redis://" },
        { { .redis = "redis://secret@127.0.0.1" }, "redis://" },
        { { .redis = "unix://relative" }, "redis://" },
        { { .redis = "rediss://h?tls_ca_file=/nowhere/ca" }, "tls_ca_file: /nowhere/ca: No such file" },
        { { .kafka_properties = unknown }, "no.such.property" },
    };
    struct bgop *opened;
    char text[512];

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        assert_int_equal(bgop_open(&opened, &cases[i].config, text, sizeof text), BGOP_INVALID);
        assert_null(opened);
        assert_non_null(strstr(text, cases[i].word));
        assert_null(strstr(text, "secret"));
    }
}

static void an_unreachable_kafka_is_told_with_its_address(void **state)
{
    const struct bgop_config config = { .kafka = "127.0.0.1:1", .redis = server.url, .timeout_ms = 300 };
    struct bgop_submission submission = web_cart("a");

    (void)state;
    bgop_close(bgop);
    assert_int_equal(bgop_open(&bgop, &config, NULL, 0), BGOP_OK);
    assert_int_equal(bgop_submit(bgop, &submission, keep, NULL), BGOP_UNREACHABLE);
    assert_non_null(strstr(bgop_error(bgop), "127.0.0.1:1"));
    assert_int_equal(delivered_count, 0);
}

/* ---- the example, as a program of its own ---- */
struct found {
    const char *payload;
    int partition;
    int64_t offset;
};

static void on_submission(void *arg, const struct kafka_message *message)
{
    struct found *found = arg;

    if (memmem(message->value, message->value_size, found->payload, strlen(found->payload))) {
        found->partition = message->partition;
        found->offset = message->offset;
    }
}

/* What the example submitted, once the broker has it. */
static void find_submission(struct found *found)
{
    struct kafka_settings settings = { .brokers = kafka_mock_brokers(mock), .client_id = "test" };

    found->partition = -1;
    for (int turn = 0; turn < 200 && found->partition < 0; turn++) {
        for (int partition = 0; partition < PARTITIONS; partition++)
            FINE(kafka_read_all(&settings, "bgop.submit", partition, 10000, on_submission, found, &err));
    }
    assert_true(found->partition >= 0);
}

static void the_example_submits_waits_and_prints_its_record(void **state)
{
    struct found found = { .payload = "from-the-example" };
    struct bgop_delivery delivery = { .code = BGOP_OK };
    struct submission submission;
    struct program example;
    char *output;

    (void)state;
    setenv("BGOP_KAFKA", kafka_mock_brokers(mock), 1);
    setenv("BGOP_REDIS", server.url, 1);
    program_start(&example, (const char *[]){ "bgop_example", "WebCart", found.payload, NULL }, NULL, 0);
    find_submission(&found);
    id_make(delivery.id, &(struct id_parts){ .epoch = found.partition == 2,
                                             .partition = found.partition,
                                             .offset = found.offset,
                                             .shard = routing_shard(NULL, 0, found.partition, found.offset, SHARDS) });
    submission_init(&submission);
    snprintf(submission.type, sizeof submission.type, "WebCart");
    ingest(&delivery, &submission);
    apply_one(delivery.id, claim_one(delivery.id), ENTRY_OK, NULL);
    assert_int_equal(program_end(&example, &output), 0);
    assert_non_null(strstr(output, delivery.id));
    assert_non_null(strstr(output, "\"Status\":\"Complete\""));
    free(output);
}

static void every_code_has_a_meaning(void **state)
{
    (void)state;
#define XX(name, number, meaning) assert_string_equal(bgop_code_text(BGOP_##name), meaning);
    BGOP_CODES(XX)
#undef XX
    assert_string_equal(bgop_code_text((enum bgop_code)99), "no such code");
    assert_string_equal(bgop_version(), BGOP_VERSION);
}

int main(void)
{
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CLAIM(a_delivery_report_names_the_operation),
        CLAIM(an_id_that_another_operation_has_is_never_told),
        CLAIM(an_id_is_told_also_when_its_record_is_there_before_the_report),
        CLAIM(what_kafka_lost_before_it_was_recorded_is_gone_and_not_waited_for),
        CLAIM(wrong_submissions_are_refused_with_a_reason_and_no_report),
        CLAIM(more_than_may_be_in_flight_is_full_and_goes_on_after_a_poll),
        CLAIM(closing_reports_what_was_not_delivered_as_unknown),
        CLAIM(without_redis_a_submission_is_delivered_but_has_no_id),
        CLAIM(get_answers_the_whole_record),
        CLAIM(an_id_may_have_lost_the_case_of_its_letters),
        CLAIM(get_tells_missing_from_malformed),
        CLAIM(wait_tells_how_each_ended),
        CLAIM(an_error_with_retries_left_has_not_ended),
        CLAIM(what_was_read_but_has_no_record_is_gone),
        CLAIM(wait_for_a_follower_is_over_when_its_leader_completes),
        CLAIM(wait_outlasts_a_restart_of_redis),
        CLAIM(a_recovery_is_told_as_such),
        CLAIM(wrong_settings_are_told_at_open),
        CLAIM(an_unreachable_kafka_is_told_with_its_address),
        CLAIM(the_example_submits_waits_and_prints_its_record),
        CLAIM(every_code_has_a_meaning),
    };

    return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
