/* Every key of the queue (common/record/keys.h) is damaged by hand, and `bgopctl doctor --fix` names and mends it; a key that
 * is added without a row here, or a reason why it has none, fails this test. No coordinator runs meanwhile, so nothing heals
 * by itself. */
#include "tests/functions/coordinator_stack.h"

#include <jansson.h>

#include "common/record/keys.h"
#include "tests/support/program.h"

#define NOBODY "08P000000000zzzEAA" /* no operation of this queue */

/* What stands in the shard of ParentKey k: a New with Name and large payload, b Running, c failed for good, d Scheduled; e
 * failed for good and holds f in sequence group g; r runs and holds s in h; q is first in its own; l leads m in an execution
 * group, n waits for its lane. */
static char ids[128][ID_SIZE];
static int shard;
static int64_t status_read_to; /* where the fence of its status log stands after setup */

/* Nothing stands there (never read, or removed): 0. */
static int64_t status_fence(void)
{
    return strtoll(stack_ask("HGET", stack_key(shard, "fences"), "t"), NULL, 10);
}

static void submit(char letter, const char *type, const char *more, const char *payload)
{
    static char json[4096];

    snprintf(json, sizeof json, "{\"Type\":\"%s\",\"ParentKey\":\"k\",\"Payload\":\"%s\"%s}", type, payload, more);
    memcpy(ids[(int)letter], stack_submit(letter == 'd' ? 1 : 0, "k", json), ID_SIZE);
    EVENTUALLY(*stack_field(ids[(int)letter], "Status"));
}

static void fail_for_good(char letter)
{
    uint64_t token;

    EVENTUALLY((token = stack_claim(ids[(int)letter], "WebCart")) != 0);
    stack_report(ids[(int)letter], token, ENTRY_PERMANENT, "no");
    EVENTUALLY(stack_is(ids[(int)letter], "Error"));
}

static int setup(void **state)
{
    static char large[2001];

    (void)state;
    memset(large, 'x', sizeof large - 1);
    stack_open();
    stack_set("queue", "lease_ms", "600000");
    stack_set("type ExternalObject", "merge_max", "2");
    setenv("BGOP_KAFKA", kafka_mock_brokers(stack.mock), 1);
    setenv("BGOP_REDIS", stack.server.url, 1);
    stack_start(0, false);
    stack_wait_ready(0);
    submit('b', "WebCart", "", "b");
    EVENTUALLY(stack_claim(ids['b'], "WebCart") != 0);
    submit('c', "WebCart", "", "c");
    fail_for_good('c');
    submit('d', "WebCart", ",\"ProcessAfter\":\"2090-01-01T00:00:00Z\"", "d");
    submit('e', "WebCart", ",\"SequenceGroup\":\"g\",\"SequenceNumber\":1", "e");
    submit('f', "WebCart", ",\"SequenceGroup\":\"g\",\"SequenceNumber\":2", "f");
    fail_for_good('e');
    submit('r', "WebCart", ",\"SequenceGroup\":\"h\",\"SequenceNumber\":1", "r");
    submit('s', "WebCart", ",\"SequenceGroup\":\"h\",\"SequenceNumber\":2", "s");
    EVENTUALLY(stack_claim(ids['r'], "WebCart") != 0);
    submit('q', "WebCart", ",\"SequenceGroup\":\"q\",\"SequenceNumber\":1", "q");
    submit('l', "ExternalObject", "", "l");
    submit('m', "ExternalObject", "", "m");
    submit('n', "ExternalObject", "", "n");
    EVENTUALLY((stack_claim(ids['l'], "ExternalObject"), stack_is(ids['m'], "Merged")));
    submit('a', "WebCart", ",\"Name\":\"doc\"", large);
    shard = stack_shard(ids['a']);
    status_read_to = status_fence();
    assert_true(status_read_to > 0);
    return stack_stop(0);
}

/* ---- bgopctl doctor ---- */

static bool all_mended(const json_t *report)
{
    const json_t *mismatches = json_object_get(report, "mismatches");

    for (size_t i = 0; i < json_array_size(mismatches); i++)
        if (!json_is_true(json_object_get(json_array_get(mismatches, i), "mended")))
            return false;
    return json_is_array(mismatches);
}

/* agree: nothing is wrong, or no longer. That no coordinator runs makes the exit code 1 all the same. */
static json_t *doctor(bool agree, const char *fix)
{
    const char *words[] = { "bgopctl", "doctor", "--json", fix, NULL };
    char *output = NULL;
    int code = program_run(words, NULL, PROGRAM_BOTH_OUTPUTS, &output);
    json_t *report = json_loads(output, 0, NULL);
    bool is_well = json_array_size(json_object_get(report, "health")) == 0;

    if (!report || all_mended(report) != agree || code != (agree && is_well ? 0 : 1))
        fail_msg("exit code %d, and %s was expected: %s", code, agree ? "agreement" : "a mismatch", output);
    free(output);
    return report;
}

static const json_t *mismatch_of(const json_t *report, const char *index)
{
    const json_t *mismatch;
    size_t i;

    json_array_foreach(json_object_get(report, "mismatches"), i,
                       mismatch) if (strcmp(json_string_value(json_object_get(mismatch, "index")), index) ==
                                     0) return mismatch;
    return NULL;
}

/* ---- damage ---- */

/* A command, its words apart by blanks: a key of the shard as $name, an Id as @letter, a blank inside a word as ~. */
static void run(const char *text)
{
    struct redis_command command;
    struct redis_reply *reply = NULL;
    struct err err = ERR_INIT;
    char words[8][256];
    size_t count = 0;

    redis_command_init(&command);
    for (const char *at = text; *at; at += strspn(at, " ")) {
        char *to = words[count], *end = to + sizeof words[count];

        for (; *at && *at != ' '; at++) {
            if (*at == '$')
                to += snprintf(to, (size_t)(end - to), "bgop:{%d}:", shard);
            else if (*at == '@')
                to += snprintf(to, (size_t)(end - to), "%s", ids[(int)*++at]);
            else
                *to++ = *at == '~' ? ' ' : *at;
        }
        *to = '\0';
        redis_command_add_text(&command, words[count++]);
    }
    if (redis_send(stack.redis, &command, &err) != ST_OK || redis_receive(stack.redis, &reply, &err) != ST_OK)
        fail_msg("%s: %s", text, err.text);
    redis_reply_free(reply);
    redis_command_release(&command);
}

static const struct {
    int round; /* of one round: all at once, and each is named by another index */
    enum redis_key key;
    const char *damage;
    const char *index; /* as doctor names it */
} damages[] = {
    { 1, KEY_FENCES, "HSET $fences s0 0~-1~0~0", "fences" },
    { 1, KEY_IN, "DEL $in:@a", "in" },
    { 1, KEY_OUT, "SET $out:" NOBODY " x", "out:" NOBODY },
    { 1, KEY_TRIES, "RPUSH $tries:" NOBODY " x", "tries:" NOBODY },
    { 1, KEY_COMMANDS, "RPUSH $commands:" NOBODY " x", "commands:" NOBODY },
    { 1, KEY_BORN, "DEL $born", "born" },
    { 1, KEY_PENDING, "ZREM $pending:WebCart @a", "pending:WebCart" },
    { 1, KEY_DUE, "ZREM $due @d", "due" },
    { 1, KEY_CANCELS, "HSET $cancels @a why", "cancels" },
    { 1, KEY_LANE, "ZREM $lane:ExternalObject:k @n", "lane:ExternalObject:k" },
    { 1, KEY_ERRORS, "ZREM $errors @c", "errors" },
    { 1, KEY_SEQ_ACTIVE, "SREM $seq_active:WebCart:k:h @r", "seq_active:WebCart:k:h" },
    { 1, KEY_NAMES, "HDEL $names doc", "names" },
    { 1, KEY_PARENT, "ZREM $parent:k @a", "parent:k" },
    { 1, KEY_COUNTS, "HINCRBY $counts WebCart:New 3", "counts" },
    { 1, KEY_PARKED, "HSET $parked " NOBODY " []", "parked" },
    { 1, KEY_SWEEPS, "HSET $sweeps born nonsense", "sweeps" },
    { 2, KEY_FENCES, "HSET $fences s0 nonsense", "fences" },
    { 2, KEY_IN, "SETRANGE $in:@a 2000 more", "in" },
    { 2, KEY_BORN, "XADD $born * ids @a", "born" },
    { 2, KEY_LEASES, "HDEL $leases @b", "leases" },
    { 2, KEY_RETENTIONS, "DEL $retentions", "done:604800" },
    { 2, KEY_SEQ, "ZREM $seq:WebCart:k:g @f", "seq:WebCart:k:g" },
    { 2, KEY_SEQ_RELEASED, "HDEL $seq_released WebCart:k:q", "seq_released" },
    { 2, KEY_NAMES, "HSET $names doc nonsense", "names" },
    { 2, KEY_WORKER, "DEL $worker:http://w", "worker:http://w" },
    { 2, KEY_PARKED, "HSET $parked " NOBODY " nonsense", "parked" },
    { 3, KEY_FENCES, "HSET $fences s1 1~2", "fences" },
    { 3, KEY_BORN, "XADD $born * ids @b~@b~@c", "born" },
    { 3, KEY_RUNNING, "ZREM $running @b", "running" },
    { 3, KEY_LANE_OUT, "SREM $lane_out:ExternalObject:k @l", "lane_out:ExternalObject:k" },
    { 3, KEY_DONE, "DEL $done:604800", "done" },
    { 3, KEY_SEQ_FAILED, "SREM $seq_failed:WebCart:k:g @e", "seq_failed:WebCart:k:g" },
    { 3, KEY_SEQ_FAILING, "HSET $seq_failing WebCart:k:q @a", "seq_failing" },
    { 3, KEY_NAMES, "HSET $names other nonsense", "names" },
    { 3, KEY_URIS, "DEL $uris", "worker:http://w" },
    { 3, KEY_PARKED_AT, "ZADD $parked_at 5 " NOBODY, "parked_at" },
    { 4, KEY_FENCES, "HDEL $fences s0", "fences" },
    { 4, KEY_GROUP, "DEL $group:@l-1", "group" },
    { 4, KEY_RETENTIONS, "SADD $retentions never", "retentions" },
    { 4, KEY_CHANGES, "DEL $changes", "changes" },
    { 4, KEY_BLOCKED, "ZREM $blocked @e", "blocked" },
    { 4, KEY_ASIDE, "ZADD $aside:T:WebCart 5 " NOBODY, "aside:T:WebCart" },
    { 4, KEY_NAMES, "HSET $names doc [[\"@a\",\"WebCart\",\"k\",\"\"]]", "names" },
    { 4, KEY_WORKERS, "DEL $workers", "w:w-1" },
    { 5, KEY_FENCES, "HSET $fences t nonsense", "fences" },
    { 5, KEY_RESUMING, "ZADD $aside:P:k 5 @f", "aside:P:k" },
    { 5, KEY_NAMES, "HSET $names doc [[\"@a\",\"WebCart\",\"l\",\"1\"]]", "names" },
    { 5, KEY_INSTANCE, "DEL $w:w-1", "workers" },
    { 6, KEY_FENCES, "HSET $fences x 1~-1~0~0", "fences" },
    { 6, KEY_NAMES_GONE, "HSET $names gone [[\"" NOBODY "\",\"WebCart\",\"k\",\"1\"]]", "names" },
    { 7, KEY_OP, "DEL $op:@c", "errors" }, /* last: nothing brings it back */
};
enum { ROUNDS = 7 };

/* What nothing else in Redis or Kafka tells, or nobody's to mend. */
static const struct {
    enum redis_key key;
    const char *why;
} exempt[] = {
    { KEY_GATE, "a coordinator arms it anew" },
    { KEY_TYPES, "a coordinator writes it when it arms, from its configuration" },
    { KEY_DELETED, "a log: what was removed stands nowhere else" },
    { KEY_PAUSED, "a person's order" },
    { KEY_STATS, "measurements" },
    { KEY_COORDINATORS, "coordinators write it anew once a second, and nothing is decided by it" },
    { KEY_COORDINATOR, "as coordinators" },
    { KEY_SOURCES, "as coordinators" },
    { KEY_SOURCE, "as coordinators" },
    { KEY_ACTIONS, "a log of what people asked for: it stands nowhere else, and no operation depends on it" },
    { KEY_ACTIONS_RUNNING, "as actions" },
    { KEY_ACTION, "as actions" },
    { KEY_ACTION_IDS, "as actions" },
    { KEY_META, "what the queue is: a coordinator refuses to start without it" },
    { KEY_EPOCHS, "the control topic's" },
    { KEY_REWINDS, "the control topic's" },
    { KEY_POINTS, "nothing says what was there; the next message writes a point" },
    { KEY_HINTS, "a channel" },
    { KEY_LISTENERS, "a channel" },
};

static void each_damaged_key_is_named_and_mended(void **state)
{
    (void)state;
    json_decref(doctor(true, NULL));
    for (int round = 1; round <= ROUNDS; round++) {
        json_t *report;

        for (size_t i = 0; i < TEST_COUNT(damages); i++)
            if (damages[i].round == round)
                run(damages[i].damage);
        report = doctor(true, "--fix");
        for (size_t i = 0; i < TEST_COUNT(damages); i++)
            if (damages[i].round == round && !mismatch_of(report, damages[i].index))
                fail_msg("%s: not named: %s", damages[i].damage, json_dumps(report, JSON_COMPACT));
        json_decref(report);
        json_decref(doctor(true, NULL));
    }
}

static void every_key_has_a_damage_or_a_reason(void **state)
{
    bool told[KEY_COUNT] = { false };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(damages); i++)
        told[damages[i].key] = true;
    for (size_t i = 0; i < TEST_COUNT(exempt); i++) {
        assert_false(told[exempt[i].key]);
        told[exempt[i].key] = *exempt[i].why != '\0';
    }
    for (int key = 0; key < KEY_COUNT; key++)
        if (!told[key])
            fail_msg("a damage of key %s (%d), or a reason why it has none, is missing", key_name((enum redis_key)key),
                     key);
}

/* The payload and the checksum of a Name come from the submit topic, not from thin air. */
static void what_was_lost_comes_back_from_kafka(void **state)
{
    char rest[64], before[256];
    json_t *report;

    (void)state;
    snprintf(before, sizeof before, "%s", stack_ask("HGET", stack_key(shard, "names"), "doc"));
    assert_true(strlen(before) > 50);
    snprintf(rest, sizeof rest, "in:%s", ids['a']);
    run("DEL $in:@a");
    run("HDEL $names doc");
    report = doctor(false, NULL); /* says so, and touches nothing */
    assert_non_null(mismatch_of(report, "in"));
    assert_string_equal(stack_ask("EXISTS", stack_key(shard, rest), NULL), "0");
    json_decref(report);
    json_decref(doctor(true, "--fix"));
    assert_string_equal(stack_ask("STRLEN", stack_key(shard, rest), NULL), "2000");
    assert_string_equal(stack_ask("HGET", stack_key(shard, "names"), "doc"), before);
}

/* Where another message lies in its place, or none, a person is told what to do. */
static void what_kafka_has_no_longer_is_told(void **state)
{
    char crc[32], rest[64];
    json_t *report;
    const char *text;

    (void)state;
    snprintf(crc, sizeof crc, "%s", stack_field(ids['a'], "crc"));
    run("HSET $op:@a crc 1");
    run("DEL $in:@a");
    report = doctor(false, "--fix");
    text = json_string_value(json_object_get(mismatch_of(report, "in"), "text"));
    if (!strstr(text, "another submission lies at bgop.submit[0]") || !strstr(text, "bgopctl cancel"))
        fail_msg("%s", text);
    json_decref(report);
    run("HDEL $names doc"); /* that can be held again all the same */
    report = doctor(false, "--fix");
    assert_non_null(strstr(json_string_value(json_object_get(mismatch_of(report, "names"), "text")), "is refused"));
    assert_true(json_is_true(json_object_get(mismatch_of(report, "names"), "mended")));
    json_decref(report);
    snprintf(rest, sizeof rest, "HSET $op:@a crc %s", crc);
    run(rest);
    json_decref(doctor(true, "--fix"));
}

static void what_is_overdue_is_fired(void **state)
{
    json_t *report;

    (void)state;
    stack_start(0, false); /* reads its status log again: the fence of it was among the damages */
    stack_wait_ready(0);
    EVENTUALLY(status_fence() >= status_read_to);
    stack_stop(0);
    run("HSET $op:@d ProcessAfter 1700000000000");
    run("ZADD $due 1700000000000 @d");
    report = doctor(false, NULL);
    assert_non_null(strstr(json_string_value(json_object_get(mismatch_of(report, "due"), "text")), "overdue"));
    json_decref(report);
    report = doctor(true, "--fix");
    assert_non_null(strstr(json_string_value(json_object_get(mismatch_of(report, "due"), "text")), "was fired"));
    json_decref(report);
    assert_true(stack_is(ids['d'], "New"));
    run("HSET $gate floor 0");
    run("ZADD $running 1700000000000 @b"); /* its worker is gone, and so is the coordinator that would see it */
    json_decref(doctor(true, "--fix"));
    assert_true(stack_is(ids['b'], "Waiting"));
    json_decref(doctor(true, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_has_a_damage_or_a_reason), cmocka_unit_test(what_was_lost_comes_back_from_kafka),
        cmocka_unit_test(what_kafka_has_no_longer_is_told),   cmocka_unit_test(each_damaged_key_is_named_and_mended),
        cmocka_unit_test(what_is_overdue_is_fired),
    };

    return cmocka_run_group_tests(tests, setup, stack_teardown);
}
