#include "tests/support/reads.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/record/id.h"
#include "tests/support/merged.h"
#include "tests/support/test.h"

enum { QUESTION_SIZE = 1 << 17 };

static void shard_number_arm(struct shard *shard, int s)
{
    static const char settings[] = "{\"retry_backoff_ms\":%d,\"retry_limit\":%d,\"timeout_ms\":%d,\"retention_s\":3600,"
                                   "\"retention_error_s\":7200,\"merge_max\":1%s}";
    char web_cart[256], declared[256];

    snprintf(web_cart, sizeof web_cart, settings, 1000, 3, 60000, "");
    snprintf(declared, sizeof declared, settings, 77, 2, 999, ",\"declared\":true");
    shard_command(shard, "FCALL bgop_arm 1 bgop:{%d} %" PRId64 " 0 0 %d %d 30 15 WebCart '%s' Declared '%s'", s,
                  shard->generation, SHARD_LEASE_MS, SHARD_RETRY_MAX_MS, web_cart, declared);
    assert_memory_equal(shard->answer, "OK ", 3);
    shard_command(shard, "FCALL bgop_open 1 bgop:{%d} %" PRId64, s, shard->generation);
    assert_memory_equal(shard->answer, "OK ", 3);
}

void reads_open(struct shard *shard, struct redis_server *server)
{
    shard_open(shard, server);
    reads_arm(shard);
    shard_clock(shard, SHARD_LEASE_MS);
}

void reads_arm(struct shard *shard)
{
    shard_clock(shard, shard_now(shard));
    shard_command(shard, "HSET bgop:meta shards %d", READS_SHARDS);
    for (int s = 0; s < READS_SHARDS; s++)
        shard_number_arm(shard, s);
}

void reads_close(struct shard *shard)
{
    shard_close(shard);
}

const char *reads_id(int shard_number, int number)
{
    static char ids[64][ID_SIZE];
    static int next;
    struct id_parts parts = { .shard = shard_number, .offset = number };

    next = (next + 1) % 64;
    id_make(ids[next], &parts);
    return ids[next];
}

void reads_submit(struct shard *shard, int shard_number, int first, int count, const char *type_to_number)
{
    char *text = malloc(QUESTION_SIZE);
    size_t used = (size_t)snprintf(text, QUESTION_SIZE, "FCALL bgop_ingest 1 bgop:{%d} %" PRId64 " 0 0", shard_number,
                                   shard->generation);

    for (int n = first; n < first + count; n++) {
        assert_true(used < QUESTION_SIZE - 1024);
        used += (size_t)snprintf(text + used, QUESTION_SIZE - used, " %s %s %d \"\" c%d \"\" payload",
                                 reads_id(shard_number, n), type_to_number, n + 1000, n);
    }
    shard_command(shard, "%s", text);
    free(text);
    assert_memory_equal(shard->answer, "OK ", 3);
}

void reads_claim(struct shard *shard, int number)
{
    static int nonce;
    char type[64];

    shard_command(shard, "HGET " SHARD_PREFIX ":op:%s Type", reads_id(3, number));
    snprintf(type, sizeof type, "%.60s", shard->answer);
    shard_call(shard, "bgop_claim", "i1 http://w1 n%d %s 1 %s", ++nonce, type, reads_id(3, number));
    if (strstr(shard->answer, reads_id(3, number)) == NULL)
        fail_msg("operation %d was not granted: %s", number, shard->answer);
}

void reads_apply(struct shard *shard, const char *kind, int number, int attempt, const char *text)
{
    char entry[4096];

    snprintf(entry, sizeof entry, "%s %s %" PRIu64 " %" PRId64 " 10 http://w1 \"%s\" \"\" \"\" \"\" \"\"", kind,
             reads_id(3, number), attempt == 0 ? 0 : shard_token(shard, attempt), shard->now_ms - 10, text);
    shard_apply_entries(shard, entry);
    assert_memory_equal(shard->answer, "OK ", 3);
}

void reads_tick(struct shard *shard)
{
    for (int s = 0; s < READS_SHARDS; s++) {
        shard_command(shard, "FCALL bgop_tick 1 bgop:{%d} %" PRId64 " %" PRId64 " 500", s, shard->generation,
                      shard->now_ms);
        assert_memory_equal(shard->answer, "OK ", 3);
    }
}

static const char *question_ask(struct shard *shard, const char *format, va_list args)
{
    char *question = malloc(QUESTION_SIZE);

    assert_true(vsnprintf(question, QUESTION_SIZE, format, args) < QUESTION_SIZE);
    shard_command(shard, "FCALL_RO %s", question);
    merged_check(shard, question, shard->answer);
    free(question);
    return shard->answer;
}

const char *reads_ask(struct shard *shard, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    question_ask(shard, format, args);
    va_end(args);
    return shard->answer;
}

json_t *reads_json(struct shard *shard, const char *format, ...)
{
    va_list args;
    json_error_t error;
    json_t *json;

    va_start(args, format);
    question_ask(shard, format, args);
    va_end(args);
    json = json_loads(shard->answer, JSON_REJECT_DUPLICATES, &error);
    if (json == NULL)
        fail_msg("%s: no JSON (%s): %s", format, error.text, shard->answer);
    return json;
}

void reads_expect(struct shard *shard, const char *answer, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    question_ask(shard, format, args);
    va_end(args);
    assert_string_equal(shard->answer, answer);
}

void reads_refused(struct shard *shard, const char *code, const char *part, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    question_ask(shard, format, args);
    va_end(args);
    if (strncmp(shard->answer, code, strlen(code)) != 0 || shard->answer[strlen(code)] != ' ')
        fail_msg("%s: expected %s, got %s", format, code, shard->answer);
    if (strstr(shard->answer, part) == NULL)
        fail_msg("%s: '%s' is not in: %s", format, part, shard->answer);
}
