/* bgop_stats and bgop_history remember what is over: whatever happens between two calls, they answer what a library answers
 * that has just been loaded and remembers nothing. Ticks come or not, clocks leap and are set back, the same operations fail
 * again, the data go and others come. */
#include "tests/functions/read_queue.h"

#include <inttypes.h>
#include <string.h>

enum { NUMBERS = 200, SEEDS = 3, STEPS = 60, MINUTE = 60000, ATTEMPTS = 1 << 20 };

static unsigned seed;
static int submitted;

static unsigned random_below(unsigned bound)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 16) % bound;
}

/* ---- the same as without a memory ---- */

static void same_of(const char *question)
{
    static char remembered[1 << 16];

    shard_command(shard, "FCALL_RO bgop_%s", question);
    snprintf(remembered, sizeof remembered, "%.65000s", shard->answer);
    assert_true(remembered[0] == '{');
    shard_command(shard, "FCALL_RO copy_%s", question);
    if (strcmp(shard->answer, remembered) != 0)
        fail_msg("%s, seed %u: remembered %s\nis %s", question, seed, remembered, shard->answer);
}

static void same(void)
{
    shard_copy(shard);
    same_of("stats 0");
    same_of("history 0");
    same_of("stats 1 bgop:{3}");
    same_of("stats 1 bgop:{3} 7");
    same_of("history 1 bgop:{0}");
}

/* ---- what happens ---- */

static void later(int64_t ms)
{
    shard_clock(shard, shard_now(shard) + ms);
}

static void submit_some(int count)
{
    if (submitted + count > NUMBERS)
        return;
    reads_submit(shard, 3, submitted + 1, count, "WebCart " PLAIN);
    if (submitted % 2)
        reads_submit(shard, 0, submitted + 1, count, "WebCart " PLAIN);
    submitted += count;
}

/* Goes on with an operation of shard 3, as its status allows. */
static void run_one(int number, const char *text)
{
    int64_t token;
    char status[32];

    snprintf(status, sizeof status, "%.31s",
             shard_command(shard, "HGET " SHARD_PREFIX ":op:%s Status", reads_id(3, number)));
    token = shard_number(shard, "HGET " SHARD_PREFIX ":op:%s token", reads_id(3, number));
    if (strcmp(status, "New") == 0 || strcmp(status, "Waiting") == 0)
        reads_claim(shard, number);
    else if (strcmp(status, "Running") == 0)
        reads_apply(shard,
                    random_below(3) == 0 ? "ok"
                    : random_below(2)    ? "error"
                                         : "permanent",
                    number, (int)(token % ATTEMPTS), text);
    else if (strcmp(status, "Error") == 0)
        reads_apply(shard, "redrive", number, (int)(token % ATTEMPTS), "");
}

static void run_some(void)
{
    static const char *const texts[] = { "no", "timed out", "exit status 3" };

    for (int i = 0; i < 12 && submitted > 0; i++) {
        run_one((int)random_below((unsigned)submitted) + 1, texts[random_below(TEST_COUNT(texts))]);
        later(random_below(3) == 0);
    }
}

static void go(void)
{
    static const int64_t leaps[] = {
        0, 1, 1000, 20000, MINUTE, 5 * MINUTE, 61 * MINUTE, 130 * MINUTE, 1000 * (int64_t)MINUTE
    };

    later(leaps[random_below(random_below(4) == 0 ? TEST_COUNT(leaps) : 5)]);
    if (random_below(3) > 0)
        reads_tick(shard);
}

static void step(void)
{
    switch (random_below(4)) {
    case 0: submit_some((int)random_below(20) + 1); break;
    case 1: go(); break;
    default: run_some(); break;
    }
}

/* ---- the claims ---- */

static void what_is_remembered_is_what_is_there(void **state)
{
    (void)state;
    for (unsigned number = 1; number <= SEEDS; number++) {
        seed = number;
        submitted = 0;
        read_setup(NULL);
        for (int i = 0; i < STEPS; i++) {
            step();
            same();
        }
        read_teardown(NULL);
    }
}

/* Somebody looks in a minute that is not over, and more is counted in it; then it is over. */
static void a_minute_that_is_not_over_is_not_remembered(void **state)
{
    (void)state;
    read_setup(NULL);
    submitted = 0;
    shard_copy(shard);
    later(10 * MINUTE);
    reads_tick(shard);
    for (int i = 0; i < 3; i++) {
        submit_some(5);
        same();
        submit_some(5); /* in the same ms */
        same();
        later(MINUTE); /* nothing has been written in the next one: the last may still be counted in */
        same();
        later(-MINUTE);
        submit_some(5);
        later(MINUTE);
        same();
        reads_tick(shard);
        same();
    }
    read_teardown(NULL);
}

/* Somebody looks after a minute is over and before a tick has rolled it up, and again after. */
static void what_is_rolled_up_is_not_counted_twice(void **state)
{
    (void)state;
    read_setup(NULL);
    submitted = 0;
    for (int n = 1; n <= 6; n++) {
        submit_some(2);
        later(200);
        reads_claim(shard, 2 * n);
        same();
        reads_tick(shard);
        same();
        later(MINUTE);
    }
    read_teardown(NULL);
}

static void an_error_that_fails_again_in_the_same_ms_has_its_new_text(void **state)
{
    (void)state;
    read_setup(NULL);
    submitted = 0;
    submit_some(1);
    reads_claim(shard, 1);
    reads_apply(shard, "permanent", 1, 1, "first");
    same();
    reads_apply(shard, "redrive", 1, 1, "");
    reads_claim(shard, 1);
    reads_apply(shard, "permanent", 1, 2, "second");
    same();
    read_teardown(NULL);
}

/* The same Ids fail again, with other texts, as many as before. */
static void an_error_that_failed_again_has_its_new_text(void **state)
{
    (void)state;
    read_setup(NULL);
    submitted = 0;
    submit_some(10);
    for (int round = 1; round <= 3; round++) {
        char text[32];

        snprintf(text, sizeof text, "of round %d", round);
        for (int n = 1; n <= 10; n++) {
            reads_claim(shard, n);
            later(1);
            reads_apply(shard, "permanent", n, round, text);
        }
        later(1);
        reads_tick(shard);
        same();
        same_of("stats 0");
        assert_non_null(strstr(shard->answer, text));
        for (int n = 1; n <= 10; n++) {
            reads_apply(shard, "redrive", n, round, "");
            if (n == 5)
                same();
        }
        same();
    }
    read_teardown(NULL);
}

/* What ticks have taken away is gone, for who looks by a clock that was set back to it, too. */
static void what_was_taken_away_is_forgotten(void **state)
{
    static const int steps[] = { 30, 130 };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(steps); i++) {
        read_setup(NULL);
        submitted = 0;
        for (int minute = 0; minute < 5; minute++) {
            submit_some(4);
            later(MINUTE);
            reads_tick(shard);
            same();
        }
        for (int step = 0; step < 4; step++) {
            later(steps[i] * MINUTE);
            for (int tick = 0; tick < 20; tick++) {
                later(1000);
                reads_tick(shard);
            }
            same();
        }
        later(-4 * steps[i] * MINUTE - 80000);
        same();
        read_teardown(NULL);
    }
}

/* Nothing has ticked for hours: then a tick skips minutes that somebody has looked at. */
static void what_was_skipped_is_forgotten(void **state)
{
    (void)state;
    read_setup(NULL);
    submitted = 0;
    for (int minute = 1; minute <= 140; minute++) {
        submit_some(1);
        later(MINUTE);
        if (minute % 20 == 0)
            shard_command(shard, "FCALL_RO bgop_history 0");
    }
    reads_tick(shard);
    later(-70 * MINUTE);
    same();
    read_teardown(NULL);
}

static void a_clock_that_is_set_back_does_not_mislead(void **state)
{
    (void)state;
    read_setup(NULL);
    submitted = 0;
    for (int i = 0; i < 8; i++) {
        submit_some(4);
        later(MINUTE);
        reads_tick(shard);
        same();
    }
    shard_clock(shard, shard_now(shard) - 5 * MINUTE);
    same();
    submit_some(4);
    same();
    for (int i = 0; i < 8; i++) {
        later(MINUTE);
        same();
        submit_some(4);
        reads_tick(shard);
        same();
    }
    read_teardown(NULL);
}

/* Another queue stands where one was remembered: same server, same library, same generation, same Ids. */
static void nothing_is_remembered_over_flushall(void **state)
{
    (void)state;
    read_setup(NULL);
    for (int life = 0; life < 3; life++) {
        submitted = 0;
        submit_some(10 + 10 * life);
        for (int n = 1; n <= 5; n++) {
            reads_claim(shard, n);
            reads_apply(shard, "permanent", n, 1, life == 0 ? "before" : "after");
        }
        later(3 * MINUTE);
        reads_tick(shard);
        same();
        later(-3 * MINUTE + 1000);
        shard_command(shard, "FLUSHALL");
        shard->status_next = shard->submit_next = 0;
        reads_arm(shard);
    }
    read_teardown(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_remembered_is_what_is_there),
        cmocka_unit_test(a_minute_that_is_not_over_is_not_remembered),
        cmocka_unit_test(what_is_rolled_up_is_not_counted_twice),
        cmocka_unit_test(an_error_that_failed_again_has_its_new_text),
        cmocka_unit_test(an_error_that_fails_again_in_the_same_ms_has_its_new_text),
        cmocka_unit_test(what_was_taken_away_is_forgotten),
        cmocka_unit_test(what_was_skipped_is_forgotten),
        cmocka_unit_test(a_clock_that_is_set_back_does_not_mislead),
        cmocka_unit_test(nothing_is_remembered_over_flushall),
    };

    return read_tests_run(tests);
}
