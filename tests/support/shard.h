/* One shard under test: the library with a clock that the test moves, functions called as README.md of
 * common/functions says, and questions about what Redis holds afterwards. Answers are flat arrays, kept as one text
 * (elements separated by blanks, an empty one as ""), so that an expectation is one line. */
#ifndef TESTS_SUPPORT_SHARD_H
#define TESTS_SUPPORT_SHARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/support/redis_server.h"

#define SHARD_PREFIX "bgop:{3}"
#define SHARD_T0     INT64_C(1700000000000) /* where its clock begins */
enum { SHARD_GENERATION = 7, SHARD_LEASE_MS = 30000, SHARD_RETRY_MAX_MS = 3600000 };

struct shard {
    struct redis_server *server;
    redisContext *redis;
    int64_t now_ms;
    int64_t generation;
    int64_t submit_next, status_next; /* where its fences stand: partition 0, and the status log */
    char answer[1 << 20];             /* of the last call; an error as its text */
};

/* Connects, empties the server, loads the library with the test's clock at SHARD_T0; not armed. */
void shard_open(struct shard *shard, struct redis_server *server);
void shard_close(struct shard *shard);
/* Connects again (after a restart of the server); the clock stands where it stood. */
void shard_reconnect(struct shard *shard);
/* Arms with the record's own Types (retention 1 h, of errors 2 h) under the next generation and opens. The lease
 * floor is passed: the clock moves by a lease. */
void shard_arm(struct shard *shard);
void shard_arm_only(struct shard *shard, int64_t status_mark, int64_t submit_mark);
/* Moves the clock to ms after SHARD_T0. */
void shard_clock(struct shard *shard, int64_t ms);
/* From now on its time may leap as little from one call to the next as in a real queue (HEALTH_CLOCK_GAP_MS): tests that
 * move the clock by hours are otherwise believed. */
void shard_doubt_clock(struct shard *shard);
/* Loads the library once more beside itself, with copy_stats in the place of bgop_stats and so on: it remembers nothing. */
void shard_copy(struct shard *shard);
/* now, as shard_clock counts. */
int64_t shard_now(const struct shard *shard);

/* FCALL function 1 prefix generation arguments..., of one text: arguments separated by blanks, "" is an empty one.
 * Answers shard->answer. */
const char *shard_call(struct shard *shard, const char *function, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Any command, likewise; keys are given in full. */
const char *shard_command(struct shard *shard, const char *format, ...) __attribute__((format(printf, 2, 3)));
int64_t shard_number(struct shard *shard, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* An Id with a number of the test's choice: valid in length and prefix. */
const char *shard_id(int number);
uint64_t shard_token(const struct shard *shard, int attempt);
/* A field of the record of shard_id(number); "" when absent. In a buffer of its own, good for some calls. */
const char *shard_field(struct shard *shard, int number, const char *field);

/* What a submission may say; zero: what is shown. */
struct shard_op {
    const char *type; /* WebCart */
    const char *parent_key, *name, *sequence_group, *payload, *content;
    const char *process_after, *retry_backoff, *retry_limit, *timeout, *sequence_number;
};
/* Ingests one operation behind the last one; answers the answer. */
const char *shard_submit(struct shard *shard, int number, struct shard_op op);
/* Claims it as instance i1, worker http://w1; the test fails when it is not granted. */
void shard_claim(struct shard *shard, int number);
/* Applies one entry of a kind at the status log's end: token of the attempt, StartedAt = now - 10, 10 ms. */
const char *shard_apply(struct shard *shard, const char *kind, int number, int attempt, const char *text);
const char *shard_apply_entries(struct shard *shard, const char *entries);
const char *shard_tick(struct shard *shard);

/* Every index an operation may be in, one letter each for those it is in, in this order:
 * p pending, d due, l leases, r running, e errors, c cancels, D done; and its status in front: "Running lr". */
const char *shard_places(struct shard *shard, int number);
/* Fails the test unless counts and every index agree with the records: an operation is where its status says, and
 * nowhere else. */
void shard_check(struct shard *shard);
/* Of the DUMP of every key: to see that nothing changed. */
uint64_t shard_digest(struct shard *shard);

/* cmocka fixtures: one server for the program, an empty armed shard for each test (*state is a struct shard); the
 * teardown is a shard_check. */
int shard_server_start(void **state);
int shard_server_start_aof(void **state);
int shard_server_stop(void **state);
int shard_setup(void **state);
int shard_setup_unarmed(void **state);
int shard_teardown(void **state);
#define shard_test(test)         cmocka_unit_test_setup_teardown(test, shard_setup, shard_teardown)
#define shard_test_unarmed(test) cmocka_unit_test_setup_teardown(test, shard_setup_unarmed, shard_teardown)
#define shard_tests_run(tests)   cmocka_run_group_tests(tests, shard_server_start, shard_server_stop)

#endif
