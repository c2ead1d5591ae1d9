/* The functions' calls and answers byte by byte, against a server that notes commands and answers what it is told:
 * arguments in the order of common/functions/README.md, and every shape of answer, wrong ones too. */
#include "tests/support/test.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <hiredis/hiredis.h>

#include "common/redis/functions.h"

#define TRACE "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

static struct {
    char path[64];
    int listener;
    pthread_t thread;
    struct redis *redis;
    pthread_mutex_t lock;
    char command[4096]; /* the last one; elements joined by |, without FCALL ... 1 */
    const char *answer; /* to every command but PING */
} fake = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void note_command(const redisReply *command)
{
    char *to = fake.command, *end = fake.command + sizeof fake.command;

    for (size_t i = 0; i < command->elements && to < end; i++)
        to += snprintf(to, (size_t)(end - to), "%s%s", i ? "|" : "", command->element[i]->str);
}

static void serve_command(int client, const redisReply *command)
{
    const char *answer = "+PONG\r\n";

    if (strcmp(command->element[0]->str, "PING") != 0) {
        pthread_mutex_lock(&fake.lock);
        note_command(command);
        answer = fake.answer;
        pthread_mutex_unlock(&fake.lock);
    }
    if (write(client, answer, strlen(answer)) < 0)
        perror("write");
}

static void *serve(void *arg)
{
    int client = accept(fake.listener, NULL, NULL);
    redisReader *reader = redisReaderCreate();
    char bytes[4096];
    ssize_t size;
    void *command;

    while ((size = read(client, bytes, sizeof bytes)) > 0) {
        redisReaderFeed(reader, bytes, (size_t)size);
        while (redisReaderGetReply(reader, &command) == REDIS_OK && command) {
            serve_command(client, command);
            freeReplyObject(command);
        }
    }
    redisReaderFree(reader);
    close(client);
    return arg;
}

static int begin(void **state)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct err err = ERR_INIT;
    char url[96];

    (void)state;
    snprintf(fake.path, sizeof fake.path, "/tmp/bgop-wire-%d.sock", getpid());
    memcpy(address.sun_path, fake.path, strlen(fake.path) + 1);
    unlink(fake.path);
    fake.listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(fake.listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(fake.listener, 1) != 0)
        return -1;
    pthread_create(&fake.thread, NULL, serve, NULL);
    snprintf(url, sizeof url, "unix://%s", fake.path);
    fake.redis = redis_new(url, 5000, &err);
    return redis_connect(fake.redis, &err) == ST_OK ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    redis_free(fake.redis);
    pthread_join(fake.thread, NULL);
    close(fake.listener);
    unlink(fake.path);
    return 0;
}

static void answer_with(const char *answer)
{
    pthread_mutex_lock(&fake.lock);
    fake.answer = answer;
    pthread_mutex_unlock(&fake.lock);
}

static void expect_command(const char *command)
{
    pthread_mutex_lock(&fake.lock);
    assert_string_equal(fake.command, command);
    pthread_mutex_unlock(&fake.lock);
}

#define ID1 "08P03000000001AAAA"
#define ID2 "08P03000000002AAAA"

/* ---- ingest ---- */

static void submissions_go_out_field_by_field(void **state)
{
    struct submission full, bare;
    struct fence_move moves[] = { { 1, 10, 20, { 19, 4294967295u, 1700000000000 } }, { 2, 0, 1, { -1, 0, 0 } } };
    struct ingest_op ops[] = {
        { .id = ID1, .submission = &full, .crc = 77, .submitted_at_ms = 1700000000001, .traceparent = "00-t" },
        { .id = ID2, .submission = &bare, .crc = 78, .traceparent = NULL },
    };
    struct ingest call = { .shard = 3,
                           .generation = 9,
                           .moves = moves,
                           .move_count = 2,
                           .ops = ops,
                           .op_count = 2,
                           .rejected = 4,
                           .replay = true };
    struct ingest_answer answer;
    struct err err = ERR_INIT;
    char expected[1024];

    (void)state;
    submission_init(&full);
    submission_init(&bare);
    snprintf(bare.type, sizeof bare.type, "XClean");
    snprintf(full.type, sizeof full.type, "WebCart");
    snprintf(full.parent_key, sizeof full.parent_key, "p k");
    snprintf(full.name, sizeof full.name, "n");
    snprintf(full.sequence_group, sizeof full.sequence_group, "g");
    full.process_after_ms = 5, full.retry_backoff_ms = 0, full.retry_limit = 1, full.timeout_ms = 2;
    full.sequence_number = 999999999;
    full.payload = "pay", full.payload_size = 3;
    answer_with("*6\r\n$2\r\nOK\r\n:123\r\n"
                "$7\r\nWebCart\r\n$18\r\n" ID1 "\r\n$6\r\nXClean\r\n$37\r\n" ID1 " " ID2 "\r\n");
    assert_int_equal(ingest_send(fake.redis, &call, &err), ST_OK);
    assert_int_equal(ingest_receive(fake.redis, &answer, &err), ST_OK);
    snprintf(expected, sizeof expected,
             "FCALL|bgop_ingest|1|bgop:{3}|9|2|1|10|20|19|4294967295|1700000000000|2|0|1|-1|0|0|4|#vvvvvvvvvvvvvvv|" ID1
             "|WebCart|p k|n|5|0|1|2|g|999999999|77|1700000000001|%llu|00-t|pay|" ID2 "|XClean|||||||||78||||",
             (unsigned long long)submission_content(&full));
    expect_command(expected);
    assert_int_equal(answer.now_ms, 123);
    assert_int_equal(answer.reject_count, 0);
    assert_int_equal(answer.hints.count, 2);
    assert_string_equal(answer.hints.types[0].type, "WebCart");
    assert_string_equal(answer.hints.types[1].ids, ID1 " " ID2);
    assert_int_equal(answer.hints.types[1].ids_size, 37);
    ingest_answer_release(&answer);
    submission_release(&full);
    submission_release(&bare);
}

/* What all say alike goes once, what none says not at all; a lone one says all of it in its row. */
static void what_is_alike_in_a_batch_goes_out_once(void **state)
{
    struct submission submission;
    struct ingest_op ops[] = { { .id = ID1, .submission = &submission, .crc = 7 },
                               { .id = ID2, .submission = &submission, .crc = 8 } };
    struct ingest call = { .shard = 3, .generation = 9, .ops = ops, .op_count = 2 };
    struct ingest_answer answer;
    struct err err = ERR_INIT;

    (void)state;
    submission_init(&submission);
    snprintf(submission.type, sizeof submission.type, "XClean");
    submission.payload = "pay", submission.payload_size = 3;
    for (call.op_count = 2; call.op_count > 0; call.op_count--) {
        answer_with("*2\r\n$2\r\nOK\r\n:123\r\n");
        assert_int_equal(ingest_send(fake.redis, &call, &err), ST_OK);
        assert_int_equal(ingest_receive(fake.redis, &answer, &err), ST_OK);
        expect_command(call.op_count == 2 ? "FCALL|bgop_ingest|1|bgop:{3}|9|0|0|#vc--------v---c|XClean|pay|" ID1
                                            "|7|" ID2 "|8"
                                          : "FCALL|bgop_ingest|1|bgop:{3}|9|0|0|#vv--------v---v|" ID1 "|XClean|7|pay");
        ingest_answer_release(&answer);
    }
    submission_release(&submission);
}

static void what_cannot_be_recorded_is_told_with_its_reason(void **state)
{
    struct ingest call = { .shard = 0, .generation = 1 };
    struct ingest_answer answer;
    struct err err = ERR_INIT;

    (void)state;
    answer_with("*5\r\n$6\r\nREJECT\r\n$18\r\n" ID2 "\r\n$5\r\ntaken\r\n$18\r\n" ID1 "\r\n$3\r\ntoo\r\n");
    assert_int_equal(ingest_send(fake.redis, &call, &err), ST_OK);
    assert_int_equal(ingest_receive(fake.redis, &answer, &err), ST_MISSING);
    assert_int_equal(answer.reject_count, 2);
    assert_string_equal(answer.rejects[0].id, ID2);
    assert_string_equal(answer.rejects[0].reason, "taken");
    assert_string_equal(answer.rejects[1].reason, "too");
    ingest_answer_release(&answer);
}

static void a_refused_fence_tells_where_it_stands(void **state)
{
    struct ingest call = { .shard = 0, .generation = 1 };
    struct ingest_answer answer;
    struct err err = ERR_INIT;

    (void)state;
    answer_with(
        "*6\r\n$5\r\nFENCE\r\n$1\r\n7\r\n$2\r\n41\r\n$2\r\n40\r\n$10\r\n4294967295\r\n$13\r\n1700000000000\r\n");
    assert_int_equal(ingest_send(fake.redis, &call, &err), ST_OK);
    assert_int_equal(ingest_receive(fake.redis, &answer, &err), ST_STALE);
    expect_command("FCALL|bgop_ingest|1|bgop:{0}|1|0|0");
    assert_int_equal(answer.fence_count, 1);
    assert_int_equal(answer.fences[0].partition, 7);
    assert_int_equal(answer.fences[0].next, 41);
    assert_int_equal(answer.fences[0].fingerprint.offset, 40);
    assert_true(answer.fences[0].fingerprint.crc == 4294967295u);
    assert_true(answer.fences[0].fingerprint.timestamp_ms == 1700000000000);
    ingest_answer_release(&answer);
}

static void a_rewind_goes_out_and_a_fence_that_stands_elsewhere_is_told(void **state)
{
    struct fence_rewind call = { 3, 9, false, { 7, 50, 41, { 40, 4294967295u, 1700000000000 } } };
    struct fence fence;
    struct err err = ERR_INIT;

    (void)state;
    answer_with("*2\r\n$2\r\nOK\r\n:123\r\n");
    assert_int_equal(rewind_send(fake.redis, &call, &err), ST_OK);
    assert_int_equal(rewind_receive(fake.redis, &fence, &err), ST_OK);
    expect_command("FCALL|bgop_rewind|1|bgop:{3}|9|s7|50|41|40|4294967295|1700000000000");
    call.status = true;
    answer_with("*5\r\n$5\r\nFENCE\r\n$2\r\n48\r\n$2\r\n47\r\n$1\r\n5\r\n$1\r\n6\r\n");
    assert_int_equal(rewind_send(fake.redis, &call, &err), ST_OK);
    assert_int_equal(rewind_receive(fake.redis, &fence, &err), ST_STALE);
    expect_command("FCALL|bgop_rewind|1|bgop:{3}|9|t|50|41|40|4294967295|1700000000000");
    assert_int_equal(fence.next, 48);
}

/* ---- claim ---- */

static void a_claim_asks_and_reads_payloads(void **state)
{
    static const char ids[2][ID_SIZE] = { ID1, ID2 };
    struct claim call = { 5, 8, "i1", "http://w", "nonce", "WebCart", 500, ids, 2 };
    struct claim_answer answer;
    struct err err = ERR_INIT;

    (void)state;
    answer_with(
        "*21\r\n$2\r\nOK\r\n:50\r\n:30000\r\n"
        "$18\r\n" ID1
        "\r\n$16\r\n9007199254740993\r\n:1500\r\n$1\r\np\r\n$0\r\n\r\n$0\r\n\r\n$0\r\n\r\n$3\r\nabc\r\n$0\r\n\r\n"
        "$18\r\n" ID2 "\r\n$1\r\n2\r\n$3\r\n700\r\n$0\r\n\r\n$1\r\ng\r\n$1\r\n7\r\n$55\r\n" TRACE
        "\r\n$0\r\n\r\n$18\r\n" ID1 "\r\n");
    assert_int_equal(claim_send(fake.redis, &call, &err), ST_OK);
    assert_int_equal(claim_receive(fake.redis, &answer, &err), ST_OK);
    expect_command("FCALL|bgop_claim|1|bgop:{5}|8|i1|http://w|nonce|WebCart|500|" ID1 "|" ID2);
    assert_int_equal(answer.count, 2);
    assert_int_equal(answer.lease_ms, 30000);
    assert_true(answer.ops[0].token == 9007199254740993u);
    assert_int_equal(answer.ops[0].timeout_ms, 1500);
    assert_string_equal(answer.ops[0].parent_key, "p");
    assert_int_equal(answer.ops[0].sequence_number, -1);
    assert_int_equal(answer.ops[0].payload_size, 3);
    assert_memory_equal(answer.ops[0].payload, "abc", 3);
    assert_string_equal(answer.ops[0].leader_id, "");
    assert_string_equal(answer.ops[1].id, ID2);
    assert_string_equal(answer.ops[1].sequence_group, "g");
    assert_int_equal(answer.ops[1].sequence_number, 7);
    assert_string_equal(answer.ops[1].traceparent, TRACE);
    assert_string_equal(answer.ops[1].leader_id, ID1);
    claim_answer_release(&answer);
}

/* ---- leases ---- */

static void renewing_names_tokens_and_hears_of_losses_and_cancels(void **state)
{
    struct lease_ref leases[] = { { ID1, 7340033, "WebCart", 123 }, { ID2, 7340034, "XClean", 456 } };
    struct renew call = { 2, 7, "i1", "http://w", "WebCart XClean", 64, leases, 2 };
    struct renew_answer answer;
    struct err err = ERR_INIT;

    (void)state;
    answer_with("*8\r\n$2\r\nOK\r\n:60\r\n:30000\r\n:3\r\n:1\r\n$18\r\n" ID2 "\r\n$18\r\n" ID1 "\r\n$3\r\nwhy\r\n");
    assert_int_equal(renew_send(fake.redis, &call, &err), ST_OK);
    assert_int_equal(renew_receive(fake.redis, &answer, &err), ST_OK);
    expect_command("FCALL|bgop_renew|1|bgop:{2}|7|i1|http://w|WebCart XClean|64|" ID1 "|7340033|" ID2 "|7340034");
    assert_int_equal(answer.workers, 3);
    assert_int_equal(answer.lost_count, 1);
    assert_string_equal(answer.lost[0], ID2);
    assert_int_equal(answer.cancel_count, 1);
    assert_string_equal(answer.cancels[0].id, ID1);
    assert_string_equal(answer.cancels[0].reason, "why");
    renew_answer_release(&answer);

    answer_with("*5\r\n$2\r\nOK\r\n:60\r\n:30000\r\n:3\r\n:0\r\n");
    assert_int_equal(reassert_send(fake.redis, &call, &err), ST_OK);
    assert_int_equal(renew_receive(fake.redis, &answer, &err), ST_OK);
    expect_command("FCALL|bgop_reassert|1|bgop:{2}|7|i1|http://w|WebCart XClean|64|" ID1 "|7340033|WebCart|123|" ID2
                   "|7340034|XClean|456");
    assert_int_equal(answer.lost_count + answer.cancel_count, 0);
    renew_answer_release(&answer);
}

/* ---- the status log ---- */

static void entries_go_out_with_absent_values_empty(void **state)
{
    struct status_entry entries[] = {
        { .kind = ENTRY_ERROR,
          .id = ID1,
          .token = 7340033,
          .started_at_ms = 100,
          .duration_ms = 20,
          .retry_after_ms = 3000,
          .text = "no",
          .text_size = 2,
          .result = "res",
          .result_size = 3,
          .leader_id = ID2,
          .command_id = "c" },
        { .kind = ENTRY_CANCEL, .id = ID2, .token = 0, .started_at_ms = -1, .duration_ms = -1, .retry_after_ms = -1 },
    };
    struct apply_entry applied[] = { { &entries[0], "http://w" }, { &entries[1], NULL } };
    struct apply call = { 6, 7, { 6, 11, 13, { 12, 5, 99 } }, applied, 2 };
    struct apply_answer answer;
    struct err err = ERR_INIT;

    (void)state;
    answer_with("*4\r\n$2\r\nOK\r\n:70\r\n$7\r\nWebCart\r\n$18\r\n" ID1 "\r\n");
    assert_int_equal(apply_send(fake.redis, &call, &err), ST_OK);
    assert_int_equal(apply_receive(fake.redis, &answer, &err), ST_OK);
    expect_command("FCALL|bgop_apply|1|bgop:{6}|7|11|13|12|5|99|#vvvvvvvvvvv|error|" ID1
                   "|7340033|100|20|http://w|no|3000|res|" ID2 "|c|cancel|" ID2 "|0||||||||");
    assert_int_equal(answer.now_ms, 70);
    assert_int_equal(answer.hints.count, 1);
    apply_answer_release(&answer);

    answer_with("*5\r\n$5\r\nFENCE\r\n$2\r\n13\r\n$2\r\n12\r\n$1\r\n5\r\n$2\r\n99\r\n");
    assert_int_equal(apply_send(fake.redis, &call, &err), ST_OK);
    assert_int_equal(apply_receive(fake.redis, &answer, &err), ST_STALE);
    assert_int_equal(answer.fence.next, 13);
    assert_int_equal(answer.fence.fingerprint.offset, 12);
    apply_answer_release(&answer);
}

static void a_tick_answers_verdicts_and_hints(void **state)
{
    struct tick_answer answer;
    struct err err = ERR_INIT;

    (void)state;
    answer_with("*14\r\n$2\r\nOK\r\n:80\r\n:-1\r\n:4\r\n:1\r\n$18\r\n" ID1
                "\r\n$7\r\n7340033\r\n$9\r\ntimed_out\r\n$3\r\n100\r\n"
                "$4\r\n5000\r\n$10\r\ntimed  out\r\n$18\r\n" ID1 "\r\n$7\r\nWebCart\r\n$18\r\n" ID2 "\r\n");
    assert_int_equal(tick_send(fake.redis, 4, 7, 1700000000000, 200, &err), ST_OK);
    assert_int_equal(tick_receive(fake.redis, &answer, &err), ST_OK);
    expect_command("FCALL|bgop_tick|1|bgop:{4}|7|1700000000000|200");
    assert_int_equal(answer.sleep_ms, -1);
    assert_int_equal(answer.overdue, 4);
    assert_int_equal(answer.verdict_count, 1);
    assert_int_equal(answer.verdicts[0].kind, ENTRY_TIMED_OUT);
    assert_true(answer.verdicts[0].token == 7340033);
    assert_int_equal(answer.verdicts[0].started_at_ms, 100);
    assert_int_equal(answer.verdicts[0].duration_ms, 5000);
    assert_string_equal(answer.verdicts[0].text, "timed  out");
    assert_string_equal(answer.verdicts[0].leader_id, ID1);
    assert_int_equal(answer.hints.count, 1);
    assert_string_equal(answer.hints.types[0].ids, ID2);
    tick_answer_release(&answer);
}

/* ---- recovery ---- */

/* Settings from `first` on in the order of their table, and what arming writes of them. */
static struct type_settings settings_of(const char *name, int first, const char *choice, bool declared,
                                        struct buf *text)
{
    struct type_settings type = { .name = name, .declared = declared };

    buf_init(text, 1024);
    buf_printf(text, "%s|{", name);

#define INT(setting, ...)    buf_printf(text, "\"" #setting "\":%d,", (int)(type.setting = first++));
#define CHOICE(setting, ...) buf_printf(text, "\"" #setting "\":\"%s\",", type.setting = choice);
    TYPE_SETTINGS(INT, CHOICE)
#undef INT
#undef CHOICE
    buf_printf(text, "\"declared\":%s}", declared ? "true" : "false");
    return type;
}

static void arming_sends_marks_and_settings(void **state)
{
    struct buf first, second;
    char expected[4096];
    struct type_settings types[] = { settings_of("WebCart", 999999900, "hold", false, &first),
                                     settings_of("Mine", 1, "skip", true, &second) };
    struct fence marks[] = { { .partition = 0, .next = 10 }, { .partition = 3, .next = 0 } };
    struct arm call = { 1, 12, { 30000, 86400000, 7, 15 }, types, 2, 99, marks, 2 };
    struct err err = ERR_INIT;
    bool opened;

    (void)state;
    answer_with("*2\r\n$2\r\nOK\r\n:80\r\n");
    assert_int_equal(arm_send(fake.redis, &call, &err), ST_OK);
    assert_int_equal(arm_receive(fake.redis, &err), ST_OK);
    assert_non_null(strstr(second.data, "Mine|{\"retry_backoff_ms\":1,\"retry_limit\":2,"));
    snprintf(expected, sizeof expected, "FCALL|bgop_arm|1|bgop:{1}|12|99|2|0|10|3|0|30000|86400000|7|15|%s|%s",
             first.data, second.data);
    expect_command(expected);
    answer_with("-STALE 13\r\n");
    assert_int_equal(arm_send(fake.redis, &call, &err), ST_OK);
    assert_int_equal(arm_receive(fake.redis, &err), ST_STALE);

    answer_with("*2\r\n$4\r\nWAIT\r\n$12\r\nstatus 1 < 2\r\n");
    assert_int_equal(open_send(fake.redis, 1, 12, &err), ST_OK);
    assert_int_equal(open_receive(fake.redis, &opened, &err), ST_OK);
    assert_false(opened);
    assert_string_equal(err.text, "status 1 < 2");
    answer_with("*2\r\n$2\r\nOK\r\n:5\r\n");
    assert_int_equal(open_send(fake.redis, 1, 12, &err), ST_OK);
    assert_int_equal(open_receive(fake.redis, &opened, &err), ST_OK);
    assert_true(opened);
    expect_command("FCALL|bgop_open|1|bgop:{1}|12");
    buf_release(&first);
    buf_release(&second);
}

static void gates_and_fences_are_plain_reads(void **state)
{
    struct gate gate;
    struct shard_fences fences;
    struct err err = ERR_INIT;

    (void)state;
    answer_with("*3\r\n$2\r\n12\r\n$3\r\nabc\r\n$4\r\nOPEN\r\n");
    assert_int_equal(gate_send(fake.redis, 7, &err), ST_OK);
    assert_int_equal(gate_receive(fake.redis, "abc", &gate, &err), ST_OK);
    expect_command("HMGET|bgop:{7}:gate|gen|run|mode");
    assert_int_equal(gate.generation, 12);
    assert_int_equal(gate.mode, GATE_OPEN);
    assert_true(gate.armed_for_this_server);
    assert_int_equal(gate_send(fake.redis, 7, &err), ST_OK);
    assert_int_equal(gate_receive(fake.redis, "abd", &gate, &err), ST_OK);
    assert_false(gate.armed_for_this_server);
    answer_with("*3\r\n$-1\r\n$-1\r\n$-1\r\n");
    assert_int_equal(gate_send(fake.redis, 7, &err), ST_OK);
    assert_int_equal(gate_receive(fake.redis, "", &gate, &err), ST_OK);
    assert_int_equal(gate.mode, GATE_ABSENT);
    assert_false(gate.armed_for_this_server);

    answer_with("*4\r\n$2\r\ns5\r\n$10\r\n9 8 77 100\r\n$1\r\nt\r\n$8\r\n3 -1 0 0\r\n");
    assert_int_equal(fences_send(fake.redis, 7, &err), ST_OK);
    assert_int_equal(fences_receive(fake.redis, &fences, &err), ST_OK);
    expect_command("HGETALL|bgop:{7}:fences");
    assert_int_equal(fences.submit_count, 1);
    assert_int_equal(fences.submit[0].partition, 5);
    assert_int_equal(fences.submit[0].next, 9);
    assert_int_equal(fences.submit[0].fingerprint.crc, 77);
    assert_int_equal(fences.status.next, 3);
    assert_int_equal(fences.status.fingerprint.offset, -1);
    shard_fences_release(&fences);
    answer_with("*2\r\n$2\r\ns5\r\n$3\r\nbad\r\n");
    assert_int_equal(fences_send(fake.redis, 7, &err), ST_OK);
    assert_int_equal(fences_receive(fake.redis, &fences, &err), ST_AGAIN);
}

static void answers_of_another_library_are_no_verdict(void **state)
{
    static const char *const wrong[] = { "+OK\r\n",
                                         "*0\r\n",
                                         "*1\r\n$2\r\nOK\r\n",
                                         "*2\r\n$3\r\nYES\r\n:1\r\n",
                                         "$-1\r\n",
                                         "*6\r\n$2\r\nOK\r\n:1\r\n:1\r\n:1\r\n:1000\r\n:1\r\n" };
    struct claim claim = { 0, 1, "i", "u", "n", "t", 1, NULL, 0 };
    struct renew renew = { .instance = "i", .worker_uri = "u" };
    struct ingest ingest = { .shard = 0 };
    struct err err = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(wrong); i++) {
        struct ingest_answer ingested;
        struct claim_answer claimed;
        struct renew_answer renewed;
        struct tick_answer ticked;

        answer_with(wrong[i]);
        assert_int_equal(ingest_send(fake.redis, &ingest, &err), ST_OK);
        assert_int_equal(ingest_receive(fake.redis, &ingested, &err), i == 5 ? ST_OK : ST_AGAIN);
        ingest_answer_release(&ingested);
        assert_int_equal(claim_send(fake.redis, &claim, &err), ST_OK);
        assert_int_equal(claim_receive(fake.redis, &claimed, &err), ST_AGAIN);
        claim_answer_release(&claimed);
        assert_int_equal(renew_send(fake.redis, &renew, &err), ST_OK);
        assert_int_equal(renew_receive(fake.redis, &renewed, &err), ST_AGAIN);
        renew_answer_release(&renewed);
        assert_int_equal(tick_send(fake.redis, 0, 1, 1, 1, &err), ST_OK);
        assert_int_equal(tick_receive(fake.redis, &ticked, &err), ST_AGAIN);
        tick_answer_release(&ticked);
    }
    assert_non_null(strstr(err.text, "another version"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(submissions_go_out_field_by_field),
        cmocka_unit_test(what_is_alike_in_a_batch_goes_out_once),
        cmocka_unit_test(what_cannot_be_recorded_is_told_with_its_reason),
        cmocka_unit_test(a_refused_fence_tells_where_it_stands),
        cmocka_unit_test(a_rewind_goes_out_and_a_fence_that_stands_elsewhere_is_told),
        cmocka_unit_test(a_claim_asks_and_reads_payloads),
        cmocka_unit_test(renewing_names_tokens_and_hears_of_losses_and_cancels),
        cmocka_unit_test(entries_go_out_with_absent_values_empty),
        cmocka_unit_test(a_tick_answers_verdicts_and_hints),
        cmocka_unit_test(arming_sends_marks_and_settings),
        cmocka_unit_test(gates_and_fences_are_plain_reads),
        cmocka_unit_test(answers_of_another_library_are_no_verdict),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
