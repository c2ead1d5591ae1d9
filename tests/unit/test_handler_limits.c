/* Handlers that run wild: each is ended with the limit's name, and its neighbours do not notice. Real processes; the
 * payload is what the handler's shell does. */
#include "handler_fixture.h"
#include "tests/support/folder.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { NEIGHBOURS = 5 };

static char folder[] = "/tmp/bgop-test-XXXXXX";

static struct fixture *open_limited(struct type_config limits)
{
    limits.command = (char *)"sh -c 'eval \"$(cat)\"'";
    return fixture_open("exec", limits);
}

static struct execution *start(struct fixture *fixture, int n, const char *payload)
{
    struct claimed op = fixture_op(n, payload, strlen(payload));
    struct execution *execution = fixture_execution(fixture, &op, 1);

    fixture_start(fixture, execution);
    return execution;
}

/* Nothing of any handler is left: orphans would come to this process. */
static void assert_nothing_left(void)
{
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void expect_killed(struct type_config limits, const char *payload, const char *text)
{
    struct fixture *fixture = open_limited(limits);
    struct execution *wild = start(fixture, 1, payload), *neighbours[NEIGHBOURS];

    for (int i = 0; i < NEIGHBOURS; i++)
        neighbours[i] = start(fixture, 2 + i, "echo fine");
    fixture_wait(fixture, 1 + NEIGHBOURS);
    for (int i = 0; i < NEIGHBOURS; i++) {
        assert_outcome(&neighbours[i]->members[0].outcome, ENTRY_OK, "");
        assert_result(&neighbours[i]->members[0].outcome, "fine\n");
    }
    assert_outcome(&wild->members[0].outcome, ENTRY_CRASHED, text);
    assert_nothing_left();
    fixture_close(fixture);
}

static void memory_hog_is_killed(void **state)
{
    struct type_config limits = { .memory_max_mb = 64 };

    (void)state;
    expect_killed(limits, "head -c 150000000 /dev/zero | { tail -c 149000000 | sleep 100; }",
                  "killed: more than 64 MiB of memory (memory_max_mb of the Type)");
    expect_killed(limits, "for i in 1 2 3 4; do head -c 30000000 /dev/zero | tail -c 29000000 | sleep 100 & done; wait",
                  "killed: more than 64 MiB of memory (memory_max_mb of the Type)"); /* together */
}

/* One step between two looks: the kernel refuses it. */
static void memory_hog_in_a_hurry_is_refused(void **state)
{
    struct fixture *fixture = open_limited((struct type_config){ .memory_max_mb = 64 });

    (void)state;
    assert_outcome(fixture_run(fixture, fixture_op(1, "python3 -c 'bytearray(1 << 30)'", 31)), ENTRY_ERROR,
                   "MemoryError");
    fixture_close(fixture);
}

static const char *write_storm(void)
{
    static char path[100];
    FILE *file;

    snprintf(path, sizeof path, "%s/storm", folder);
    file = fopen(path, "we");
    assert_non_null(file);
    fprintf(file,
            "#!/bin/sh\n[ $1 -gt 0 ] || exec sleep 100\nsetsid %s $(($1 - 1)) &\nsetsid %s $(($1 - 1)) &\n"
            "sleep 100\n",
            path, path);
    fclose(file);
    assert_int_equal(chmod(path, 0755), 0);
    return path;
}

static void fork_storm_is_killed(void **state)
{
    struct type_config limits = { .processes_max = 40 };
    char storm[120];

    (void)state;
    expect_killed(limits, "f() { if [ $1 -gt 0 ]; then f $(($1 - 1)) & f $(($1 - 1)) & fi; sleep 100; }; f 8",
                  "killed: more than 40 processes and threads (processes_max of the Type)");
    snprintf(storm, sizeof storm, "%s 8", write_storm());
    expect_killed(limits, storm, "killed: more than 40 processes and threads (processes_max of the Type)");
}

static void thread_storm_is_killed(void **state)
{
    (void)state;
    expect_killed((struct type_config){ .processes_max = 40 },
                  "python3 -c 'import threading, time\n"
                  "for i in range(60): threading.Thread(target=time.sleep, args=(100,)).start()'",
                  "killed: more than 40 processes and threads (processes_max of the Type)");
}

static void endless_loops_are_killed(void **state)
{
    struct type_config limits = { .cpu_max_s = 1 };

    (void)state;
    expect_killed(limits, "while :; do :; done", "killed: more than 1 s of CPU time (cpu_max_s of the Type)");
    expect_killed(limits, "while :; do (i=0; while [ $i -lt 3000 ]; do i=$((i + 1)); done); done",
                  "killed: more than 1 s of CPU time (cpu_max_s of the Type)"); /* by children that end */
}

static void flood_of_output_is_killed(void **state)
{
    struct type_config limits = { .output_max_mb = 2 };

    (void)state;
    expect_killed(limits, "yes", "killed: more than 2 MiB of output (output_max_mb of the Type)");
    expect_killed(limits, "yes >&2", "killed: more than 2 MiB of output (output_max_mb of the Type)");
    expect_killed(limits, "setsid yes >&2 & trap '' TERM; yes",
                  "killed: more than 2 MiB of output (output_max_mb of the Type)");
}

static void what_stays_below_its_limits_is_left_alone(void **state)
{
    struct fixture *fixture = open_limited((struct type_config){
        .memory_max_mb = 64, .processes_max = 40, .cpu_max_s = 20, .output_max_mb = 2, .open_files_max = 50 });
    const struct outcome *outcome;

    (void)state;
    outcome = &start(fixture, 1, "head -c 1500000 /dev/zero >&2; sleep 0.5 & sleep 0.6; ulimit -Sn; ulimit -Hn")
                   ->members[0]
                   .outcome;
    fixture_wait(fixture, 1);
    assert_outcome(outcome, ENTRY_OK, "");
    assert_result(outcome, "50\n50\n");
    fixture_close(fixture);
}

static void child_that_holds_the_pipes_delays_nobody(void **state)
{
    struct fixture *fixture = open_limited((struct type_config){ .processes_max = 1000 });
    int64_t began = clock_boot_ms();
    struct execution *execution = start(fixture, 1, "setsid sleep 100 & echo done");

    (void)state;
    fixture_wait(fixture, 1);
    assert_result(&execution->members[0].outcome, "done\n");
    assert_in_range(clock_boot_ms() - began, 0, 50000);
    assert_nothing_left();
    fixture_close(fixture);
}

/* Whom the kernel takes first when there is no memory left. */
static void handlers_are_the_first_to_go(void **state)
{
    struct fixture *fixture = open_limited((struct type_config){ 0 });
    FILE *file = fopen("/proc/self/oom_score_adj", "re");
    const struct outcome *outcome = fixture_run(fixture, fixture_op(1, "cat /proc/self/oom_score_adj", 28));
    long mine = 1000;

    (void)state;
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld", &mine), 1);
    fclose(file);
    assert_outcome(outcome, ENTRY_OK, "");
    assert_int_equal(strtol(outcome->result, NULL, 10), mine + 500 < 1000 ? mine + 500 : 1000);
    fixture_close(fixture);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) && prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    folder_remove(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_hog_is_killed),
        cmocka_unit_test(memory_hog_in_a_hurry_is_refused),
        cmocka_unit_test(fork_storm_is_killed),
        cmocka_unit_test(thread_storm_is_killed),
        cmocka_unit_test(endless_loops_are_killed),
        cmocka_unit_test(flood_of_output_is_killed),
        cmocka_unit_test(what_stays_below_its_limits_is_left_alone),
        cmocka_unit_test(child_that_holds_the_pipes_delays_nobody),
        cmocka_unit_test(handlers_are_the_first_to_go),
    };

    signal(SIGPIPE, SIG_IGN); /* as the worker does */
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
