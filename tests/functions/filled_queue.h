/* What tests of readers have in common: a redis-server of the file's own, and a queue on it that is filled anew for each test. */
#ifndef TESTS_FUNCTIONS_FILLED_QUEUE_H
#define TESTS_FUNCTIONS_FILLED_QUEUE_H

#include "tests/functions/query_queue.h"

static struct redis_server server;
static struct query_queue *queue;

static int setup(void **state)
{
    (void)state;
    queue = test_calloc(1, sizeof *queue);
    query_queue_open(queue, &server);
    query_queue_fill(queue);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    query_queue_close(queue);
    test_free(queue);
    return 0;
}

#endif
