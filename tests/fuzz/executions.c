#include "tests/fuzz/executions.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/record/retry.h"

/* A complaint of each input would be all that a fuzzer's output says. */
__attribute__((constructor)) static void be_quiet(void)
{
    log_start("fuzz", LOG_LEVEL_ERROR, false);
}

static struct claimed claimed_at(int n, bool group)
{
    struct claimed op = {
        .token = (1ull << 20) * 7 + 3,
        .timeout_ms = 20000,
        .parent_key = "acct-42",
        .sequence_group = group && n < 2 ? "steps" : "",
        .traceparent = "",
        .sequence_number = group && n < 2 ? n + 1 : -1,
        .payload = "{\"n\":1}",
        .payload_size = 7,
    };

    snprintf(op.id, sizeof op.id, "08P00000000000%d", n); /* 15 characters: the check suffix follows */
    id_suffix(op.id, op.id + 15);
    return op;
}

void fuzz_execution_begin(struct fuzz_execution *made, bool group, void *prepared)
{
    struct claim_answer answer = { .now_ms = 1700000000000, .lease_ms = 30000, .count = group ? FUZZ_MEMBERS : 1 };

    *made = (struct fuzz_execution){ .config = { .name = (char *)(uintptr_t) "WebCart", .merge_max = FUZZ_MEMBERS } };
    made->type = (struct served_type){ .config = &made->config, .prepared = prepared, .group = group };
    answer.ops = xcalloc(answer.count, sizeof *answer.ops);
    for (size_t i = 0; i < answer.count; i++) {
        answer.ops[i] = claimed_at((int)i, group);
        if (i > 0)
            memcpy(answer.ops[i].leader_id, answer.ops[0].id, ID_SIZE);
    }
    made->execution = claim_batch_new(&answer, &made->type, 3, clock_boot_ms())->executions;
}

static struct status_entry entry_of(const struct member *member)
{
    const struct outcome *outcome = &member->outcome;
    struct status_entry entry = { .kind = outcome->kind,
                                  .token = member->token,
                                  .started_at_ms = 1700000000000,
                                  .duration_ms = 1,
                                  .retry_after_ms = outcome->retry_after_ms,
                                  .text = outcome->text,
                                  .text_size = outcome->text ? strlen(outcome->text) : 0,
                                  .result = outcome->result,
                                  .result_size = outcome->result_size };

    memcpy(entry.id, member->id, ID_SIZE);
    return entry;
}

static void check_outcome(const struct outcome *outcome)
{
    FUZZ_CHECK(entry_kind_name(outcome->kind));
    FUZZ_CHECK(outcome->retry_after_ms >= -1 && outcome->retry_after_ms <= RETRY_DELAY_MAX_MS);
    FUZZ_CHECK(outcome->result_size <= RESULT_MAX_BYTES && (outcome->result || !outcome->result_size));
    if (outcome->text)
        FUZZ_CHECK(text_utf8_length(outcome->text, strlen(outcome->text)) > 0 &&
                   text_utf8_length(outcome->text, strlen(outcome->text)) <= RECORD_STRING_MAX_CHARACTERS &&
                   !strpbrk(outcome->text, "\r\n\033"));
}

static void check_same(const struct status_entry *read, const struct status_entry *written)
{
    FUZZ_CHECK(read->kind == written->kind && strcmp(read->id, written->id) == 0);
    FUZZ_CHECK(read->retry_after_ms == written->retry_after_ms);
    FUZZ_CHECK(strcmp(read->text ? read->text : "", written->text ? written->text : "") == 0);
    FUZZ_CHECK(read->result_size == written->result_size &&
               (!read->result_size || memcmp(read->result, written->result, read->result_size) == 0));
}

void fuzz_execution_end(struct fuzz_execution *made)
{
    struct execution *execution = made->execution;
    struct status_entry entries[FUZZ_MEMBERS];
    size_t count = (size_t)execution->member_count;
    struct status_batch back;
    struct buf buf;

    execution_finished(execution, clock_boot_ms());
    buf_init(&buf, 1 << 20);
    for (size_t i = 0; i < count; i++) {
        check_outcome(&execution->members[i].outcome);
        entries[i] = entry_of(&execution->members[i]);
    }
    codec_write_status_batch(&buf, entries, count, "http://w:1", "w-1", "q");
    FUZZ_CHECK(!buf.overflow && codec_read_status_batch(&back, buf.data, buf.size, NULL) == ST_OK);
    FUZZ_CHECK(back.count == count);
    for (size_t i = 0; i < count; i++)
        check_same(&back.entries[i], &entries[i]);
    status_batch_release(&back);
    buf_release(&buf);
    execution_free(execution);
}
