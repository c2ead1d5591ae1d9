/* For tests of the reading functions: a private redis-server for the file, in it the queue of reads.h, a new one for each
 * test. */
#ifndef TESTS_FUNCTIONS_READ_QUEUE_H
#define TESTS_FUNCTIONS_READ_QUEUE_H

#include "tests/support/test.h"

#include "tests/support/reads.h"

#define PLAIN "\"\" \"\" \"\" \"\" \"\" \"\" \"\" \"\"" /* ParentKey to SequenceNumber, all absent */

static struct redis_server server;
static struct shard *shard; /* of the test that runs */

static inline int read_server_start(void **state)
{
    (void)state;
    redis_server_start(&server, false);
    return 0;
}

static inline int read_server_stop(void **state)
{
    (void)state;
    redis_server_stop(&server);
    return 0;
}

static inline int read_setup(void **state)
{
    (void)state;
    shard = test_malloc(sizeof *shard);
    reads_open(shard, &server);
    return 0;
}

static inline int read_teardown(void **state)
{
    (void)state;
    reads_close(shard);
    test_free(shard);
    return 0;
}

#define read_test(test)       cmocka_unit_test_setup_teardown(test, read_setup, read_teardown)
#define read_tests_run(tests) cmocka_run_group_tests(tests, read_server_start, read_server_stop)

#endif
