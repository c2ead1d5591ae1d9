/* Queries against the library in a private redis-server: asked, and answered as one text. */
#ifndef TESTS_FUNCTIONS_QUERY_QUEUE_H
#define TESTS_FUNCTIONS_QUERY_QUEUE_H

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/query/query.h"
#include "tests/support/reads.h"
#include "tests/support/test.h"

struct query_queue {
    struct shard shard;
    struct redis *redis;
    struct query_options options;
    struct buf rows; /* of the last query: JSON, a blank between */
    int stop_after;  /* rows; 0: never */
};

static inline void query_queue_open(struct query_queue *queue, struct redis_server *server)
{
    struct err err = ERR_INIT;

    reads_open(&queue->shard, server);
    queue->redis = redis_new(server->url, 5000, &err);
    assert_non_null(queue->redis);
    buf_init(&queue->rows, 1 << 24);
}

static inline void query_queue_close(struct query_queue *queue)
{
    redis_free(queue->redis);
    buf_release(&queue->rows);
    reads_close(&queue->shard);
}

static inline bool query_queue_row(void *arg, const json_t *row)
{
    struct query_queue *queue = arg;
    char *text = json_dumps(row, JSON_COMPACT | JSON_REAL_PRECISION(15));

    if (queue->rows.size > 0)
        buf_append_char(&queue->rows, ' ');
    buf_append_string(&queue->rows, text);
    free(text);
    return queue->stop_after == 0 || --queue->stop_after > 0;
}

/* Rows as one text, or the error's; of SELECT COUNT() the number. */
static inline const char *query_queue_ask(struct query_queue *queue, const char *text)
{
    struct err err = ERR_INIT;
    struct query *query = query_parse(text, strlen(text), &err);
    int64_t total = 0;
    enum status st = ST_INVALID;

    buf_clear(&queue->rows);
    buf_append_string(&queue->rows, "");
    if (query)
        st = query_run(query, queue->redis, &queue->options, query_queue_row, queue, &total, &err);
    if (st != ST_OK)
        buf_append_string(&queue->rows, err.text);
    else if (query->count_only)
        buf_printf(&queue->rows, "%" PRId64, total);
    query_free(query);
    return queue->rows.data;
}

static inline void query_queue_expect(struct query_queue *queue, const char *text, const char *rows)
{
    const char *got = query_queue_ask(queue, text);

    if (strcmp(got, rows) != 0)
        fail_msg("%s: expected\n%s, got\n%s", text, rows, got);
}

/* A record of shard 3 that a leader's execution carried along, by hand: the Types of reads.h are never merged. */
static inline void query_queue_merge(struct shard *shard, int number, int leader)
{
    char id[32], leader_id[32], type[32];

    snprintf(id, sizeof id, "%s", reads_id(3, number));
    snprintf(leader_id, sizeof leader_id, "%s", reads_id(3, leader));
    shard_command(shard, "HSET bgop:{3}:op:%s Status Merged GroupLeaderId %s ExecutionGroup %s-1 WorkerUri http://w1",
                  id, leader_id, leader_id);
    shard_command(shard, "HSET bgop:{3}:op:%s ExecutionGroup %s-1", leader_id, leader_id);
    shard_command(shard, "HINCRBY bgop:{3}:op:%s NumFollowers 1", leader_id);
    snprintf(type, sizeof type, "%.30s", shard_command(shard, "HGET bgop:{3}:op:%s Type", id));
    shard_command(shard, "ZREM bgop:{3}:pending:%s %s", type, id);
    shard_command(shard, "HINCRBY bgop:{3}:counts %s:New -1", type);
    shard_command(shard, "HINCRBY bgop:{3}:counts %s:Merged 1", type);
}

static inline void query_queue_submit(struct query_queue *queue, int number, const char *type_to_number)
{
    shard_clock(&queue->shard, 30000 + 1000 * number);
    reads_submit(&queue->shard, 3, number, 1, type_to_number);
}

/* n1 New, n2 Scheduled, (no Name) Waiting, n4 Running, n5 Complete, n6 Error, n7 Canceled, n8 Merged under n5; and n9,
 * New, of another shard and Type; a second between them. */
static inline void query_queue_fill(struct query_queue *queue)
{
    struct shard *shard = &queue->shard;

    query_queue_submit(queue, 1, "WebCart acct-1 n1 \"\" \"\" \"\" \"\" \"\" \"\"");
    query_queue_submit(queue, 2, "WebCart acct-1 n2 1700000900000 \"\" 9 \"\" \"\" \"\"");
    query_queue_submit(queue, 3, "WebCart Acct-1 \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
    reads_claim(shard, 3);
    reads_apply(shard, "error", 3, 1, "try again");
    query_queue_submit(queue, 4, "WebCart 42 n4 \"\" \"\" \"\" \"\" \"\" \"\"");
    reads_claim(shard, 4);
    query_queue_submit(queue, 5, "WebCart 42 N5 \"\" \"\" \"\" 1234 \"\" \"\"");
    reads_claim(shard, 5);
    reads_apply(shard, "ok", 5, 1, "");
    query_queue_submit(queue, 6, "WebCart \"\" n6 \"\" \"\" \"\" \"\" g 6");
    reads_claim(shard, 6);
    reads_apply(shard, "permanent", 6, 1, "No such 100% host");
    query_queue_submit(queue, 7, "WebCart \"\" n7 \"\" \"\" \"\" \"\" \"\" \"\"");
    reads_apply(shard, "cancel", 7, 0, "no longer");
    query_queue_submit(queue, 8, "WebCart \"\" n8 \"\" \"\" \"\" \"\" \"\" \"\"");
    query_queue_merge(shard, 8, 5);
    shard_clock(shard, 39000);
    reads_submit(shard, 0, 9, 1, "Declared acct-2 n9 \"\" \"\" \"\" \"\" h 7");
    shard_clock(shard, 40000);
}

#endif
