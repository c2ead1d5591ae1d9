/* For tests of handlers: executions as a claim would make them, and a sink that collects what comes back. */
#ifndef BGOP_TESTS_HANDLER_FIXTURE_H
#define BGOP_TESTS_HANDLER_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/base/wait.h"
#include "worker/handlers/handler.h"

enum { FIXTURE_MOST = 64, FIXTURE_WAIT_MS = 30000, FIXTURE_TOKEN = 7 };

struct fixture {
    struct type_config config;
    struct served_type type;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct execution *finished[FIXTURE_MOST];
    size_t count;
};

static inline void fixture_on_finished(void *arg, struct execution *const *executions, size_t count)
{
    struct fixture *fixture = arg;

    pthread_mutex_lock(&fixture->lock);
    for (size_t i = 0; i < count; i++) {
        execution_finished(executions[i], clock_boot_ms());
        fixture->finished[fixture->count++] = executions[i];
    }
    pthread_cond_broadcast(&fixture->changed);
    pthread_mutex_unlock(&fixture->lock);
}

/* config: the options that matter; name and merge_max are filled in when absent. */
static inline struct fixture *fixture_open(const char *handler, struct type_config config)
{
    struct fixture *fixture = xcalloc(1, sizeof *fixture);
    struct handler_sink sink = { fixture_on_finished, fixture };
    struct err err = ERR_INIT;

    pthread_mutex_init(&fixture->lock, NULL);
    wait_cond_init(&fixture->changed);
    if (!config.name)
        config.name = (char *)"WebCart";
    if (config.merge_max == 0)
        config.merge_max = 1;
    fixture->config = config;
    fixture->type.config = &fixture->config;
    fixture->type.group = config.merge_max > 1;
    fixture->type.handler = handler_find(handler);
    assert_non_null(fixture->type.handler);
    if (fixture->type.handler->prepare)
        assert_int_equal(fixture->type.handler->prepare(&fixture->config, &fixture->type.prepared, &err), ST_OK);
    fixture->type.state = fixture->type.handler->open(&sink, &err);
    if (!fixture->type.state)
        fail_msg("%s", err.text);
    return fixture;
}

static inline void fixture_close(struct fixture *fixture)
{
    fixture->type.handler->close(fixture->type.state);
    if (fixture->type.handler->discard)
        fixture->type.handler->discard(fixture->type.prepared);
    for (size_t i = 0; i < fixture->count; i++)
        execution_free(fixture->finished[i]);
    pthread_cond_destroy(&fixture->changed);
    pthread_mutex_destroy(&fixture->lock);
    free(fixture);
}

/* One granted operation with the n-th Id of the tests. Texts are borrowed. */
static inline struct claimed fixture_op(int n, const char *payload, size_t size)
{
    struct claimed op = {
        .token = (1ull << 20) * FIXTURE_TOKEN + 3,
        .timeout_ms = 20000,
        .parent_key = "acct-42",
        .sequence_group = "",
        .traceparent = "",
        .sequence_number = -1,
        .payload = payload,
        .payload_size = size,
    };

    snprintf(op.id, sizeof op.id, "08P0%014d", n);
    return op;
}

/* One execution of these operations, the first of which leads. */
static inline struct execution *fixture_execution(struct fixture *fixture, const struct claimed *ops, size_t count)
{
    struct claim_answer answer = { .now_ms = 1700000000000, .lease_ms = 30000, .count = count };
    struct claim_batch *batch;

    answer.ops = xmemdup(ops, count * sizeof *ops);
    for (size_t i = 1; i < count; i++)
        memcpy(answer.ops[i].leader_id, ops[0].id, ID_SIZE);
    batch = claim_batch_new(&answer, &fixture->type, 3, clock_boot_ms());
    assert_int_equal(batch->count, 1);
    return batch->executions;
}

static inline void fixture_start(struct fixture *fixture, struct execution *execution)
{
    fixture->type.handler->start(fixture->type.state, &execution, 1);
}

static inline void fixture_stop(struct fixture *fixture, struct execution *execution, enum stop_reason why)
{
    atomic_store(&execution->stop, (int)why);
    fixture->type.handler->wake(fixture->type.state);
}

/* Waits until so many executions came back. */
static inline void fixture_wait(struct fixture *fixture, size_t count)
{
    int64_t end_ms = clock_boot_ms() + FIXTURE_WAIT_MS, left_ms;

    pthread_mutex_lock(&fixture->lock);
    while (fixture->count < count && (left_ms = end_ms - clock_boot_ms()) > 0)
        wait_cond(&fixture->changed, &fixture->lock, (int)left_ms);
    if (fixture->count < count)
        fail_msg("waited %d ms for %zu executions to finish; %zu did", FIXTURE_WAIT_MS, count, fixture->count);
    pthread_mutex_unlock(&fixture->lock);
}

/* Runs one lone operation to its end and answers its outcome. */
static inline const struct outcome *fixture_run(struct fixture *fixture, struct claimed op)
{
    struct execution *execution = fixture_execution(fixture, &op, 1);
    size_t before = fixture->count; /* nothing else runs */

    fixture_start(fixture, execution);
    fixture_wait(fixture, before + 1);
    return &execution->members[0].outcome;
}

static inline void assert_outcome(const struct outcome *outcome, enum entry_kind kind, const char *text)
{
    assert_string_equal(entry_kind_name(outcome->kind), entry_kind_name(kind));
    assert_string_equal(outcome->text ? outcome->text : "", text);
}

static inline void assert_result(const struct outcome *outcome, const char *expected)
{
    assert_string_equal(outcome->result ? outcome->result : "", expected);
    assert_int_equal(outcome->result_size, strlen(expected));
}

#endif
