/* Each function of the queue called for a batch in every shard, in one pipeline: see functions_calls.h. */
#include "tests/bench/functions_calls.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"

void functions_need(struct load *load, enum status st, const struct err *err)
{
    if (st == ST_OK)
        return;
    fprintf(stderr, "bench_functions: %s\n", err->text);
    redis_server_stop(&load->server);
    exit(1);
}

static void write_submission(struct load *load, int shard, int n, struct submission *submission)
{
    int parents = load->shape->merging ? load->batch / MERGED + 1 : PARENT_KEYS / SHARDS;

    submission_init(submission);
    text_copy(submission->type, sizeof submission->type, "SiteTaskCreate", 14);
    if (load->shape->parent)
        snprintf(submission->parent_key, sizeof submission->parent_key, "account-%03d", n % parents * SHARDS + shard);
    if (load->shape->named)
        snprintf(submission->name, sizeof submission->name, "task-1-%d", n * SHARDS + shard);
    if (load->shape->sequence) {
        snprintf(submission->sequence_group, sizeof submission->sequence_group, "steps-1");
        submission->sequence_number = n / parents;
    }
    submission->payload = load->payload;
    submission->payload_size = PAYLOAD;
}

static void hints_take(struct load *load, int shard, const struct hints *hints)
{
    struct shard_load *of = &load->shards[shard];

    of->hinted_count = 0;
    for (size_t i = 0; i < hints->count; i++) {
        for (size_t at = 0; at + ID_LENGTH <= hints->types[i].ids_size; at += ID_LENGTH + 1)
            text_copy(of->hinted[of->hinted_count++], ID_SIZE, hints->types[i].ids + at, ID_LENGTH);
    }
}

static void ingest_send_batch(struct load *load, int shard)
{
    struct err err = ERR_INIT;
    struct shard_load *of = &load->shards[shard];
    struct fence_move move = { 0, of->submit_next, of->submit_next + 1, { of->submit_next, 1, 1700000000000 } };

    of->submit_next++;
    for (int i = 0; i < load->batch; i++, of->made++) {
        struct id_parts parts = { .shard = shard, .offset = of->made };

        write_submission(load, shard, of->made, &load->submissions[i]);
        load->ops[i] =
            (struct ingest_op){ .submission = &load->submissions[i], .crc = 3000000000u + (uint32_t)of->made };
        id_make(load->ops[i].id, &parts);
    }
    functions_need(load,
                   ingest_send(load->redis,
                               &(struct ingest){ .shard = shard,
                                                 .generation = load->generation,
                                                 .moves = &move,
                                                 .move_count = 1,
                                                 .ops = load->ops,
                                                 .op_count = (size_t)load->batch },
                               &err),
                   &err);
}

void functions_ingest(struct load *load)
{
    struct err err = ERR_INIT;
    struct ingest_answer answer;

    for (int shard = 0; shard < SHARDS; shard++)
        ingest_send_batch(load, shard);
    for (int shard = 0; shard < SHARDS; shard++) {
        functions_need(load, ingest_receive(load->redis, &answer, &err), &err);
        hints_take(load, shard, &answer.hints);
        ingest_answer_release(&answer);
    }
}

void functions_claim(struct load *load)
{
    struct err err = ERR_INIT;

    for (int shard = 0; shard < SHARDS; shard++) {
        struct shard_load *of = &load->shards[shard];
        char nonce[24];
        struct claim claim = { .shard = shard,
                               .generation = load->generation,
                               .instance = "worker-1-0123456789abcdef",
                               .worker_uri = "http://127.0.0.1:40123",
                               .nonce = nonce,
                               .type = "SiteTaskCreate",
                               .want = (int)of->hinted_count,
                               .ids = (const char(*)[ID_SIZE])of->hinted,
                               .id_count = of->hinted_count };

        snprintf(nonce, sizeof nonce, "%" PRId64, ++of->nonce);
        if (of->hinted_count > 0)
            functions_need(load, claim_send(load->redis, &claim, &err), &err);
    }
    for (int shard = 0; shard < SHARDS; shard++) {
        if (load->shards[shard].hinted_count > 0)
            functions_need(load, claim_receive(load->redis, &load->shards[shard].claimed, &err), &err);
    }
}

static void apply_send_batch(struct load *load, int shard)
{
    struct err err = ERR_INIT;
    struct shard_load *of = &load->shards[shard];

    for (size_t i = 0; i < of->claimed.count; i++) {
        const struct claimed *op = &of->claimed.ops[of->claimed.count - 1 - i]; /* leaders behind their followers */

        load->entries[i] = (struct status_entry){ .kind = ENTRY_OK,
                                                  .token = op->token,
                                                  .started_at_ms = of->claimed.now_ms,
                                                  .duration_ms = 3,
                                                  .retry_after_ms = -1 };
        memcpy(load->entries[i].id, op->id, ID_SIZE);
        if (load->shape->merging)
            memcpy(load->entries[i].leader_id, op->leader_id[0] ? op->leader_id : op->id, ID_SIZE);
        load->applied[i] = (struct apply_entry){ &load->entries[i], "http://127.0.0.1:40123" };
    }
    functions_need(
        load,
        apply_send(load->redis,
                   &(struct apply){
                       .shard = shard,
                       .generation = load->generation,
                       .move = { shard, of->status_next, of->status_next + 1, { of->status_next, 1, 1700000000000 } },
                       .entries = load->applied,
                       .entry_count = of->claimed.count },
                   &err),
        &err);
    of->status_next++;
}

bool functions_apply(struct load *load)
{
    struct err err = ERR_INIT;
    struct apply_answer answer;
    bool more = false, sent[SHARDS];

    for (int shard = 0; shard < SHARDS; shard++) {
        sent[shard] = load->shards[shard].hinted_count > 0;
        if (sent[shard])
            apply_send_batch(load, shard);
    }
    for (int shard = 0; shard < SHARDS; shard++) {
        if (!sent[shard])
            continue;
        functions_need(load, apply_receive(load->redis, &answer, &err), &err);
        hints_take(load, shard, &answer.hints);
        apply_answer_release(&answer);
        claim_answer_release(&load->shards[shard].claimed);
        more = more || load->shards[shard].hinted_count > 0;
    }
    return more;
}

void functions_remove(struct load *load)
{
    struct err err = ERR_INIT;
    struct tick_answer answer;

    for (bool more = true; more;) {
        more = false;
        for (int shard = 0; shard < SHARDS; shard++)
            functions_need(load, tick_send(load->redis, shard, load->generation, 1700000000000, 500, &err), &err);
        for (int shard = 0; shard < SHARDS; shard++) {
            functions_need(load, tick_receive(load->redis, &answer, &err), &err);
            more = more || answer.sleep_ms == 0;
            tick_answer_release(&answer);
        }
    }
}

static void shard_arm(struct load *load, int shard, int retention_s)
{
    struct err err = ERR_INIT;
    struct type_settings type = { .name = "SiteTaskCreate",
                                  .retry_backoff_ms = 10000,
                                  .retry_limit = 3,
                                  .timeout_ms = 900000,
                                  .retention_s = retention_s,
                                  .retention_error_s = 604800,
                                  .on_sequence_failure = "hold",
                                  .merge_max = load->shape->merging ? 100 : 1,
                                  .merge_max_bytes = 1048576 };
    struct arm arm = { .shard = shard,
                       .generation = load->generation,
                       .queue = { 30000, 3600000, 30, 15 },
                       .types = &type,
                       .type_count = 1 };
    bool opened;

    functions_need(load, arm_send(load->redis, &arm, &err), &err);
    functions_need(load, arm_receive(load->redis, &err), &err);
    functions_need(load, open_send(load->redis, shard, load->generation, &err), &err);
    functions_need(load, open_receive(load->redis, &opened, &err), &err);
}

void functions_arm(struct load *load, int retention_s)
{
    load->generation++;
    for (int shard = 0; shard < SHARDS; shard++)
        shard_arm(load, shard, retention_s);
}
