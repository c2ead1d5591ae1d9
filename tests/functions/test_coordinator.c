/* The coordinator on the mock broker and a real Redis: one story in order, since joining a group costs seconds. */
#include "tests/functions/coordinator_stack.h"

#include <glob.h>
#include <unistd.h>

#include "coordinator/loop/counters.h"

static int setup(void **state)
{
    (void)state;
    stack_open();
    stack_start(0, false);
    stack_wait_ready(0);
    return 0;
}

static void a_submission_becomes_a_record_under_the_id_of_its_place(void **state)
{
    const char *id = stack_submit(1, "acct-1", "{\"Type\":\"WebCart\",\"ParentKey\":\"acct-1\",\"Payload\":{\"a\":1}}");

    (void)state;
    EVENTUALLY(stack_is(id, "New"));
    assert_string_equal(stack_field(id, "in"), "{\"a\":1}");
    EVENTUALLY(strstr(stack_hints(id, "WebCart").last, id));
}

static void an_outcome_completes_it(void **state)
{
    const char *id = stack_submit(0, "acct-2", "{\"Type\":\"WebCart\",\"ParentKey\":\"acct-2\"}");

    (void)state;
    stack_end(id, "WebCart", ENTRY_OK, NULL, "Complete");
}

static void a_bad_message_is_rejected_with_its_reason_and_delays_nobody(void **state)
{
    size_t before = stack_read("rejects", 0).count;
    const char *id;

    (void)state;
    stack_submit(0, "", "{\"Type\":\"WebCart\",\"Bogus\":1}");
    id = stack_submit(0, "k", "{\"Type\":\"WebCart\",\"ParentKey\":\"k\"}");
    EVENTUALLY(stack_is(id, "New"));
    assert_int_equal(stack_read("rejects", 0).count, before + 1);
    assert_non_null(strstr(stack_read("rejects", 0).last, "Bogus"));
}

static void a_name_taken_by_other_content_is_rejected(void **state)
{
    size_t before = stack_read("rejects", 0).count;
    const char *id = stack_submit(0, "p", "{\"Type\":\"WebCart\",\"ParentKey\":\"p\",\"Name\":\"n\",\"Payload\":1}");

    (void)state;
    EVENTUALLY(stack_is(id, "New"));
    stack_submit(0, "p", "{\"Type\":\"WebCart\",\"ParentKey\":\"p\",\"Name\":\"n\",\"Payload\":2}");
    EVENTUALLY(stack_read("rejects", 0).count == before + 1);
    assert_non_null(strstr(stack_read("rejects", 0).last, id));
}

struct hinted {
    const char *id;
    int times;
};

static void on_hint(void *arg, const struct kafka_message *message)
{
    struct hinted *hinted = arg;

    hinted->times += memmem(message->value, message->value_size, hinted->id, ID_LENGTH) != NULL;
}

static int hints_of(const char *id)
{
    struct kafka_settings settings = config_kafka(&stack.config, "test");
    struct hinted hinted = { .id = id };
    struct err err = ERR_INIT;

    assert_int_equal(kafka_read_all(&settings, "bgop.WebCart", stack_shard(id), 10000, on_hint, &hinted, &err), ST_OK);
    return hinted.times;
}

static void a_failure_is_retried_at_once_and_then_on_time(void **state)
{
    const char *id = stack_submit(0, "r", "{\"Type\":\"WebCart\",\"ParentKey\":\"r\"}");
    int64_t failed_at_ms, waited_ms;

    (void)state;
    stack_end(id, "WebCart", ENTRY_ERROR, "first", "Waiting");
    stack_end(id, "WebCart", ENTRY_ERROR, "second", "Error");
    failed_at_ms = strtoll(stack_field(id, "FinishedAt"), NULL, 10);
    EVENTUALLY(stack_is(id, "Waiting"));
    waited_ms = strtoll(stack_field(id, "SystemModstamp"), NULL, 10) - failed_at_ms;
    if (waited_ms < 300 - 5)
        fail_msg("retry 2 of R = 100 ms came after %" PRId64 " ms", waited_ms);
    EVENTUALLY(hints_of(id) >= 3); /* for each of its three attempts */
}

static void a_scheduled_operation_is_released_when_it_is_due(void **state)
{
    char json[128];
    const char *id;
    int64_t due_ms = clock_wall_ms() + 700;

    (void)state;
    snprintf(json, sizeof json, "{\"Type\":\"WebCart\",\"ParentKey\":\"s\",\"ProcessAfter\":%" PRId64 "}", due_ms);
    id = stack_submit(1, "s", json);
    EVENTUALLY(stack_is(id, "New"));
    assert_true(strtoll(stack_field(id, "SystemModstamp"), NULL, 10) >= due_ms);
}

static void a_cancel_command_cancels(void **state)
{
    const char *id = stack_submit(1, "c", "{\"Type\":\"WebCart\",\"ParentKey\":\"c\"}");
    char json[128];

    (void)state;
    EVENTUALLY(stack_is(id, "New"));
    snprintf(json, sizeof json, "{\"Command\":\"cancel\",\"Id\":\"%s\",\"Reason\":\"test\"}", id);
    stack_produce("command", 1, json, strlen(json));
    EVENTUALLY(stack_is(id, "Canceled"));
}

static void a_command_that_cannot_be_resolved_is_rejected(void **state)
{
    static const char json[] = "{\"Command\":\"cancel\",\"Id\":\"nobody\"}";
    size_t before = stack_read("rejects", 0).count;

    (void)state;
    stack_produce("command", 0, json, strlen(json));
    EVENTUALLY(stack_read("rejects", 0).count == before + 1);
    assert_non_null(strstr(stack_read("rejects", 0).last, "bgop.command"));
}

static void unreadable_bytes_in_the_status_log_are_passed(void **state)
{
    const char *id = stack_submit(0, "u", "{\"Type\":\"WebCart\",\"ParentKey\":\"u\"}");

    (void)state;
    stack_produce("status", stack_shard(id), "\xff\xff rubbish", 10);
    stack_end(id, "WebCart", ENTRY_OK, NULL, "Complete");
}

static void a_lease_that_nobody_renews_is_taken_back(void **state)
{
    const char *id = stack_submit(0, "l", "{\"Type\":\"WebCart\",\"ParentKey\":\"l\"}");
    uint64_t token, again;

    (void)state;
    EVENTUALLY((token = stack_claim(id, "WebCart")) != 0);
    EVENTUALLY(stack_is(id, "Waiting"));
    assert_string_equal(stack_field(id, "lost"), "1");
    EVENTUALLY((again = stack_claim(id, "WebCart")) != 0);
    assert_true(again > token);
    stack_report(id, token, ENTRY_OK, NULL); /* the first holder, too late: a second execution is counted */
    stack_report(id, again, ENTRY_OK, NULL);
    EVENTUALLY(stack_is(id, "Complete"));
}

/* ---- health ---- */

static void a_coordinator_says_that_it_is_there_and_what_it_reads(void **state)
{
    (void)state;
    EVENTUALLY(strcmp(stack_ask("HGET", stack_key(0, "source:bgop.submit[0]"), "state"), "reads") == 0);
    EVENTUALLY(strcmp(stack_ask("HGET", stack_key(1, "source:bgop.submit[1]"), "state"), "reads") == 0);
    EVENTUALLY(strcmp(stack_ask("HGET", stack_key(3, "source:bgop.status[3]"), "state"), "reads") == 0);
    assert_false(stack_health_has("coordinator"));
    assert_false(stack_health_has("source"));
    assert_false(stack_health_has("shard"));
}

/* ---- several coordinators ---- */

static void a_second_coordinator_shares_the_work_and_disturbs_nobody(void **state)
{
    int64_t generation = stack_generation(0);
    const char *ids[8];

    (void)state;
    stack_start(1, false);
    stack_wait_ready(1);
    EVENTUALLY(coordinator_ready(stack.coordinators[0].coordinator));
    assert_int_equal(stack_generation(0), generation);
    for (int i = 0; i < 8; i++) {
        char key[32], json[96];

        snprintf(key, sizeof key, "two-%d", i);
        snprintf(json, sizeof json, "{\"Type\":\"Sweeper\",\"ParentKey\":\"%s\"}", key);
        ids[i] = stack_submit(i % STACK_PARTITIONS, key, json);
    }
    for (int i = 0; i < 8; i++) {
        stack_end(ids[i], "Sweeper", ENTRY_OK, NULL, "Complete");
    }
}

/* Who runs a shard's timers does not hear of what another one records: that one ticks the shard itself, in time. */
static void what_another_coordinator_records_is_released_when_it_is_due(void **state)
{
    const char *ids[8];
    int64_t guest_ticks = 0, due_ms = clock_wall_ms() + 400;

    (void)state;
    for (int i = 0; i < 8; i++) {
        char key[32], json[128];

        snprintf(key, sizeof key, "later-%d", i);
        snprintf(json, sizeof json, "{\"Type\":\"Sweeper\",\"ParentKey\":\"%s\",\"ProcessAfter\":%" PRId64 "}", key,
                 due_ms);
        ids[i] = stack_submit(i % STACK_PARTITIONS, key, json);
    }
    for (int i = 0; i < 8; i++) {
        EVENTUALLY(stack_is(ids[i], "New"));
        assert_true(strtoll(stack_field(ids[i], "SystemModstamp"), NULL, 10) >= due_ms);
    }
    for (int i = 0; i < 2; i++)
        guest_ticks += atomic_load(&coordinator_counters(stack.coordinators[i].coordinator)->guest_ticks);
    assert_true(guest_ticks > 0);
}

/* Redis is away meanwhile: what the other one takes over, and what it had paused, goes on when Redis is back. */
static void one_that_leaves_is_taken_over_from(void **state)
{
    const char *id;
    int code;

    (void)state;
    redis_server_kill(&stack.server);
    code = stack_stop(0);
    redis_server_again(&stack.server);
    assert_int_equal(code, 0);
    for (int p = 0; p < STACK_PARTITIONS; p++) {
        id = stack_submit(p, "over", "{\"Type\":\"Sweeper\",\"ParentKey\":\"over\"}");
        stack_end(id, "Sweeper", ENTRY_OK, NULL, "Complete");
    }
}

/* ---- Redis loses the functions ---- */

static bool stack_redis(const char *first, const char *second, const char *third, const char *fourth)
{
    struct redis_reply *reply;
    struct err err = ERR_INIT;
    bool fine = redis_call(stack.redis, &reply, &err, first, second, third, fourth, NULL) == ST_OK;

    snprintf(stack.text, sizeof stack.text, "%s", fine ? redis_reply_text(reply, NULL) : err.text);
    redis_reply_free(reply);
    return fine;
}

static int64_t loads(void)
{
    return atomic_load(&coordinator_counters(stack.coordinators[1].coordinator)->loads);
}

/* A whole life, on whatever functions are there: nothing is cut, nobody is started again. */
static void an_operation_runs_through(const char *key)
{
    char json[96];
    const char *id;

    snprintf(json, sizeof json, "{\"Type\":\"Sweeper\",\"ParentKey\":\"%s\"}", key);
    id = stack_submit(0, key, json);
    stack_end(id, "Sweeper", ENTRY_OK, NULL, "Complete");
}

/* A library, and who is to have loaded it: its functions answer wrongly, or as ours of that version would. */
static void load_strange(const char *name, const char *functions)
{
    char code[1024];

    snprintf(code, sizeof code, "#!lua name=%s\n%s", name, functions);
    if (!stack_redis("FUNCTION", "LOAD", "REPLACE", code))
        fail_msg("%s", stack.text);
}

#define STRANGE_APPLY                                                                                           \
    "redis.register_function('bgop_apply', function() return redis.error_reply('INVALID what is that?') end)\n" \
    "redis.register_function('bgop_ingest', function() return redis.error_reply('INVALID what is that?') end)\n"

static void functions_that_are_gone_are_loaded_again(void **state)
{
    int64_t before = loads();

    (void)state;
    assert_true(stack_redis("FUNCTION", "FLUSH", NULL, NULL));
    an_operation_runs_through("flushed");
    EVENTUALLY(loads() == before + 1); /* said once, whoever found it */
    assert_true(stack_redis("FUNCTION", "DELETE", "bgop", NULL));
    EVENTUALLY(loads() == before + 2); /* also when nothing is to be done */
    an_operation_runs_through("deleted");
    assert_true(loads() == before + 2);
}

/* Older ones under our names, one of which refuses everything: it is no verdict on an outcome or a submission. */
static void older_functions_are_replaced_and_their_refusals_are_no_verdicts(void **state)
{
    int64_t before = loads();
    size_t rejects = stack_read("rejects", 0).count;

    (void)state;
    load_strange("bgop", STRANGE_APPLY);
    an_operation_runs_through("without-a-version");
    EVENTUALLY(loads() == before + 1);
    load_strange("bgop", STRANGE_APPLY
                 "redis.register_function{function_name = 'bgop_library', flags = {'no-writes'}, callback = function() "
                 "return {'0.0.9', 'of-old'} end}\n");
    an_operation_runs_through("older");
    EVENTUALLY(loads() == before + 2);
    assert_int_equal(stack_read("rejects", 0).count, rejects);
    assert_int_equal(atomic_load(&coordinator_counters(stack.coordinators[1].coordinator)->bad_entries), 0);
}

/* Our own code, in which this is replaced by that. */
static void load_changed(const char *this, const char *that)
{
    const char *at = strstr(functions_code, this);
    size_t room = functions_code_size + strlen(that) + 1;
    char *code = malloc(room);

    assert_non_null(at);
    snprintf(code, room, "%.*s%s%s", (int)(at - functions_code), functions_code, that, at + strlen(this));
    if (!stack_redis("FUNCTION", "LOAD", "REPLACE", code))
        fail_msg("%s", stack.text);
    free(code);
}

/* Refuses the first call that brings more than fences. */
#define REFUSES_ONCE(function, fences)                                                                                \
    "(function() local once return function(keys, args) if not once and #args > " #fences " then once = true return " \
    "redis.error_reply('INVALID only once') end return " #function "(keys, args) end end)()"

/* A strange library refused it, and was replaced by ours before anybody asked whose word that was: ours is asked again. */
static void a_refusal_by_what_was_there_before_is_no_verdict(void **state)
{
    size_t rejects = stack_read("rejects", 0).count;
    int64_t before = loads();

    (void)state;
    load_changed("'bgop_ingest', ingest", "'bgop_ingest', " REFUSES_ONCE(ingest, 16));
    an_operation_runs_through("refused-once");
    load_changed("callback = apply", "callback = " REFUSES_ONCE(apply, 6));
    an_operation_runs_through("applied-at-last");
    assert_int_equal(stack_read("rejects", 0).count, rejects);
    assert_int_equal(atomic_load(&coordinator_counters(stack.coordinators[1].coordinator)->bad_entries), 0);
    assert_true(stack_redis("FUNCTION", "DELETE", "bgop", NULL));
    EVENTUALLY(loads() == before + 1);
}

static long times_looked(void)
{
    const char *found;

    assert_true(stack_redis("INFO", "commandstats", NULL, NULL));
    found = strstr(stack.text, "cmdstat_fcall_ro:calls=");
    return found ? strtol(strchr(found, '=') + 1, NULL, 10) : 0;
}

/* Newer ones are left alone, however long: else two coordinators would load theirs in turns. What they refuse waits. */
static void newer_functions_are_left_alone(void **state)
{
    int64_t before = loads();
    size_t rejects = stack_read("rejects", 0).count;
    const char *id;
    long asked;

    (void)state;
    load_strange("bgop", STRANGE_APPLY
                 "redis.register_function{function_name = 'bgop_library', flags = {'no-writes'}, callback = function() "
                 "return {'99.0.0', 'to-come'} end}\n");
    id = stack_submit(0, "newer", "{\"Type\":\"Sweeper\",\"ParentKey\":\"newer\"}");
    asked = times_looked();
    EVENTUALLY(times_looked() >= asked + 3);
    assert_int_equal(loads(), before);
    assert_true(stack_is(id, ""));
    assert_true(stack_redis("FUNCTION", "DELETE", "bgop", NULL));
    EVENTUALLY(stack_is(id, "New"));
    EVENTUALLY(loads() == before + 1); /* another loop may use them before they are counted */
    assert_int_equal(stack_read("rejects", 0).count, rejects);
}

/* Somebody else's library has one of our names: a person must remove it, and then all goes on by itself. */
static void a_foreign_library_is_waited_for(void **state)
{
    int64_t before = loads();

    (void)state;
    assert_true(stack_redis("FUNCTION", "FLUSH", NULL, NULL));
    for (bool loaded = false; !loaded;) { /* between the flush and our own loading */
        loaded = stack_redis("FUNCTION", "LOAD",
                             "#!lua name=theirs\nredis.register_function('bgop_tick', function() end)", NULL);
        if (!loaded)
            assert_true(stack_redis("FUNCTION", "FLUSH", NULL, NULL));
    }
    EVENTUALLY(!stack_redis("FCALL_RO", "bgop_library", "0", NULL));
    assert_true(stack_redis("FUNCTION", "DELETE", "theirs", NULL));
    an_operation_runs_through("foreign");
    assert_true(loads() > before);
}

/* ---- Redis comes back ---- */

static void a_restarted_redis_is_armed_anew_and_nothing_is_recorded_twice(void **state)
{
    int64_t generation = stack_generation(1), accepted;
    const char *id;

    (void)state;
    id = stack_submit(0, "before", "{\"Type\":\"Sweeper\",\"ParentKey\":\"before\"}");
    EVENTUALLY(stack_is(id, "New"));
    accepted = stack_count("accepted");
    redis_server_kill(&stack.server);
    redis_server_again(&stack.server);
    EVENTUALLY(stack_generation(1) > generation);
    EVENTUALLY(strcmp(stack_ask("HGET", stack_key(1, "gate"), "mode"), "OPEN") == 0);
    EVENTUALLY(stack_count("accepted") == accepted); /* what a slow disk lost in other shards is replayed there */
    stack_end(id, "Sweeper", ENTRY_OK, NULL, "Complete");
}

/* Cuts the append-only file in the last command of the call that recorded this operation, as a loss of power may. */
static void tear(const char *id)
{
    static char data[1 << 22], pattern[160], key[64];
    const char *call, *end, *path;
    glob_t found;
    FILE *file;
    size_t size;

    snprintf(pattern, sizeof pattern, "%s/appendonlydir/*.incr.aof", stack.server.directory);
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    path = found.gl_pathv[found.gl_pathc - 1];
    file = fopen(path, "r");
    assert_non_null(file);
    size = fread(data, 1, sizeof data, file);
    fclose(file);
    snprintf(key, sizeof key, "op:%s", id);
    call = memmem(data, size, key, strlen(key));
    assert_non_null(call);
    end = memmem(call, size - (size_t)(call - data), "*1\r\n$4\r\nEXEC", 12);
    assert_non_null(end);
    assert_int_equal(truncate(path, end - data - 3), 0);
    globfree(&found);
}

/* Redis 7.0 forgets the torn call, and leaves it in the file: at its next start it would run half of it. */
static void a_torn_call_is_not_run_by_a_later_start(void **state)
{
    int64_t generation = stack_generation(1), accepted, waiting;
    const char *id;

    (void)state;
    id = stack_submit(0, "torn", "{\"Type\":\"Sweeper\",\"ParentKey\":\"torn\"}");
    EVENTUALLY(stack_is(id, "New"));
    accepted = stack_count("accepted");
    waiting = stack_count("Sweeper:New");
    for (int start = 0; start < 2; start++) {
        redis_server_kill(&stack.server);
        if (start == 0)
            tear(id);
        redis_server_again(&stack.server);
        EVENTUALLY(stack_generation(1) > generation);
        generation = stack_generation(1);
        EVENTUALLY(strcmp(stack_ask("HGET", stack_key(1, "gate"), "mode"), "OPEN") == 0);
        EVENTUALLY(stack_is(id, "New"));
        EVENTUALLY(stack_info_number("aof_rewrites") == 1); /* one has begun */
        EVENTUALLY(stack_info_number("aof_rewrite_in_progress") == 0);
    }
    EVENTUALLY(stack_count("accepted") == accepted);
    assert_int_equal(stack_count("Sweeper:New"), waiting);
}

static void a_redis_that_is_away_is_waited_for(void **state)
{
    const char *id;

    (void)state;
    redis_server_kill(&stack.server);
    id = stack_submit(1, "away", "{\"Type\":\"Sweeper\",\"ParentKey\":\"away\"}");
    redis_server_again(&stack.server);
    EVENTUALLY(stack_is(id, "New"));
}

/* A Redis that went backwards: fences and records of the last submissions are gone, Kafka still has them. */
static void a_redis_that_went_backwards_is_brought_forward(void **state)
{
    char old_fence[128], first[ID_SIZE], record[64];
    const char *id = stack_submit(0, "back", "{\"Type\":\"Sweeper\",\"ParentKey\":\"back\"}");
    int shard = stack_shard(id);
    int64_t accepted;

    (void)state;
    memcpy(first, id, sizeof first);
    EVENTUALLY(stack_is(first, "New"));
    snprintf(old_fence, sizeof old_fence, "%s", stack_ask("HGET", stack_key(shard, "fences"), "s0"));
    accepted = stack_count("accepted");
    id = stack_submit(0, "back", "{\"Type\":\"Sweeper\",\"ParentKey\":\"back\",\"Payload\":\"second\"}");
    EVENTUALLY(stack_is(id, "New"));

    struct redis_reply *reply;
    struct err err = ERR_INIT;
    snprintf(record, sizeof record, "op:%s", id);
    assert_int_equal(redis_call(stack.redis, &reply, &err, "DEL", stack_key(shard, record), NULL), ST_OK);
    redis_reply_free(reply);
    assert_int_equal(redis_call(stack.redis, &reply, &err, "HSET", stack_key(shard, "fences"), "s0", old_fence, NULL),
                     ST_OK);
    redis_reply_free(reply);
    redis_server_kill(&stack.server);
    redis_server_again(&stack.server);
    EVENTUALLY(stack_is(id, "New"));
    EVENTUALLY(strcmp(stack_ask("HGET", stack_key(shard, "gate"), "mode"), "OPEN") == 0);
    assert_int_equal(stack_count("accepted"), accepted + 2);
}

static void ingest_pauses_while_redis_is_nearly_full(void **state)
{
    const char *before = stack_submit(0, "full", "{\"Type\":\"Sweeper\",\"ParentKey\":\"full\"}"), *id;
    char limit[32];

    (void)state;
    EVENTUALLY(stack_is(before, "New"));
    snprintf(limit, sizeof limit, "%" PRId64, stack_info_number("used_memory") * 110 / 100);
    stack_config("maxmemory", limit);
    EVENTUALLY(!coordinator_ready(stack.coordinators[1].coordinator));
    id = stack_submit(0, "full", "{\"Type\":\"Sweeper\",\"ParentKey\":\"full\",\"Payload\":\"later\"}");
    stack_end(before, "Sweeper", ENTRY_OK, NULL, "Complete"); /* what is recorded still ends */
    assert_true(stack_is(id, ""));
    stack_config("maxmemory", "0");
    EVENTUALLY(stack_is(id, "New"));
}

/* ---- what only a person can decide ---- */

static void an_empty_redis_beside_a_queue_with_history_halts_until_rebuild(void **state)
{
    struct redis_reply *reply;
    struct err err = ERR_INIT;
    const char *id = stack_submit(0, "rebuild", "{\"Type\":\"Sweeper\",\"ParentKey\":\"rebuild\"}");

    (void)state;
    EVENTUALLY(stack_is(id, "New"));
    assert_int_equal(redis_call(stack.redis, &reply, &err, "FLUSHALL", "SYNC", NULL), ST_OK);
    redis_reply_free(reply);
    assert_int_equal(stack_join(1), EXIT_CONFIG);
    stack_start(0, false);
    assert_int_equal(stack_join(0), EXIT_CONFIG);
    stack_start(0, true);
    EVENTUALLY(stack_is(id, "New"));
    assert_int_equal(stack_stop(0), 0);
}

/* As a server of a cluster that comes back empty, while another has bgop:meta. */
static void a_shard_that_is_gone_halts_until_rebuild(void **state)
{
    const char *id = stack_submit(0, "gone", "{\"Type\":\"Sweeper\",\"ParentKey\":\"gone\"}");
    char pattern[32];
    struct redis_reply *keys, *reply;
    struct err err = ERR_INIT;

    (void)state;
    stack_start(0, false);
    EVENTUALLY(stack_is(id, "New"));
    snprintf(pattern, sizeof pattern, "bgop:{%d}:*", routing_shard("gone", 4, 0, 0, STACK_SHARDS));
    assert_int_equal(redis_call(stack.redis, &keys, &err, "KEYS", pattern, NULL), ST_OK);
    for (size_t i = 0; i < redis_reply_count(keys); i++) {
        assert_int_equal(
            redis_call(stack.redis, &reply, &err, "DEL", redis_reply_text(redis_reply_at(keys, i), NULL), NULL), ST_OK);
        redis_reply_free(reply);
    }
    redis_reply_free(keys);
    assert_int_equal(stack_join(0), EXIT_CONFIG);
    stack_start(0, false);
    assert_int_equal(stack_join(0), EXIT_CONFIG);
    stack_start(0, true);
    EVENTUALLY(stack_is(id, "New"));
    assert_int_equal(stack_stop(0), 0);
}

static void another_shard_count_is_refused(void **state)
{
    (void)state;
    stack_set("queue", "shards", "8");
    stack_start(0, false);
    assert_int_equal(stack_join(0), EXIT_CONFIG);
    stack_set("queue", "shards", "4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_submission_becomes_a_record_under_the_id_of_its_place),
        cmocka_unit_test(an_outcome_completes_it),
        cmocka_unit_test(a_bad_message_is_rejected_with_its_reason_and_delays_nobody),
        cmocka_unit_test(a_name_taken_by_other_content_is_rejected),
        cmocka_unit_test(a_failure_is_retried_at_once_and_then_on_time),
        cmocka_unit_test(a_scheduled_operation_is_released_when_it_is_due),
        cmocka_unit_test(a_cancel_command_cancels),
        cmocka_unit_test(a_command_that_cannot_be_resolved_is_rejected),
        cmocka_unit_test(unreadable_bytes_in_the_status_log_are_passed),
        cmocka_unit_test(a_lease_that_nobody_renews_is_taken_back),
        cmocka_unit_test(a_coordinator_says_that_it_is_there_and_what_it_reads),
        cmocka_unit_test(a_second_coordinator_shares_the_work_and_disturbs_nobody),
        cmocka_unit_test(what_another_coordinator_records_is_released_when_it_is_due),
        cmocka_unit_test(one_that_leaves_is_taken_over_from),
        cmocka_unit_test(functions_that_are_gone_are_loaded_again),
        cmocka_unit_test(older_functions_are_replaced_and_their_refusals_are_no_verdicts),
        cmocka_unit_test(a_refusal_by_what_was_there_before_is_no_verdict),
        cmocka_unit_test(newer_functions_are_left_alone),
        cmocka_unit_test(a_foreign_library_is_waited_for),
        cmocka_unit_test(a_restarted_redis_is_armed_anew_and_nothing_is_recorded_twice),
        cmocka_unit_test(a_torn_call_is_not_run_by_a_later_start),
        cmocka_unit_test(a_redis_that_is_away_is_waited_for),
        cmocka_unit_test(a_redis_that_went_backwards_is_brought_forward),
        cmocka_unit_test(ingest_pauses_while_redis_is_nearly_full),
        cmocka_unit_test(an_empty_redis_beside_a_queue_with_history_halts_until_rebuild),
        cmocka_unit_test(a_shard_that_is_gone_halts_until_rebuild),
        cmocka_unit_test(another_shard_count_is_refused),
    };

    return cmocka_run_group_tests(tests, setup, stack_teardown);
}
