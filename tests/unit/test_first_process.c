/* Signals of the daemons, and the program that finds itself to be pid 1: in children of the test, the latter in a pid
 * namespace of its own (skipped where none may be made). */
#include "tests/support/test.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/first_process.h"
#include "common/base/signals.h"

enum { SKIPPED = 77, ORPHANS = 40 };

static volatile sig_atomic_t stops, nows;

static void on_stop(bool now)
{
    stops++;
    nows += now;
}

static int exit_code_of(void (*run)(void))
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        run();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void check(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "in the child: %s\n", what);
    _exit(1);
}

/* ---- signals ---- */

static void take_all_signals(void)
{
    static const int drain[] = { SIGHUP, SIGHUP, SIGTERM }, now[] = { SIGINT, SIGQUIT, SIGPWR, SIGTERM };
    static const int pointless[] = { SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGXFSZ };

    signals_catch(on_stop);
    for (size_t i = 0; i < sizeof pointless / sizeof *pointless; i++)
        raise(pointless[i]);
    raise(SIGRTMIN);
    raise(SIGRTMAX);
    check(stops == 0, "what asks for nothing is ignored");
    for (size_t i = 0; i < 3; i++)
        raise(drain[i]);
    check(stops == 3 && nows == 0, "a terminal that closes, even twice, asks for no hurry");
    for (int i = 0; i < 4; i++)
        raise(now[i]);
    check(stops == 7 && nows == 4, "a second one means now");
    raise(SIGHUP);
    check(nows == 4, "SIGHUP never does");
    signals_ignore();
    raise(SIGTERM);
    check(stops == 8, "on the way out nothing is asked");
}

static void under_nohup(void)
{
    sigset_t set;

    signal(SIGHUP, SIG_IGN);
    signals_catch(on_stop);
    raise(SIGHUP);
    check(stops == 0, "SIGHUP stays ignored");
    sigemptyset(&set);
    signals_add_stops(&set);
    check(!sigismember(&set, SIGHUP) && sigismember(&set, SIGTERM), "and is not waited for");
    signals_restore();
    raise(SIGHUP); /* of a child as well */
}

static void a_child_gets_the_defaults_back(void)
{
    signals_catch(on_stop);
    signals_restore();
    raise(SIGUSR1);
}

static void signals_mean_what_the_table_says(void **state)
{
    (void)state;
    assert_int_equal(exit_code_of(take_all_signals), 0);
    assert_int_equal(exit_code_of(under_nohup), 0);
    assert_int_equal(exit_code_of(a_child_gets_the_defaults_back), 128 + SIGUSR1);
}

/* ---- pid 1 ---- */

static void in_a_namespace(void (*run)(void))
{
    pid_t pid;
    int status;

    if (unshare(CLONE_NEWPID) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0)
        _exit(SKIPPED);
    pid = fork();
    if (pid == 0) {
        check(getpid() == 1, "this is pid 1");
        first_process();
        check(getpid() != 1, "the program goes on in a child");
        run();
        _exit(0);
    }
    check(pid > 0 && waitpid(pid, &status, 0) == pid, "there was a first process");
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

/* Its orphans go to pid 1. */
static void leave_orphans(void)
{
    pid_t orphans[ORPHANS];

    for (int i = 0; i < ORPHANS; i++) {
        int pipe_ends[2];

        check(pipe(pipe_ends) == 0, "pipe");
        if (fork() == 0) {
            pid_t orphan = fork();

            if (orphan == 0)
                _exit(0);
            _exit(write(pipe_ends[1], &orphan, sizeof orphan) == sizeof orphan ? 0 : 1);
        }
        check(read(pipe_ends[0], &orphans[i], sizeof orphans[i]) == sizeof orphans[i], "read");
        close(pipe_ends[0]);
        close(pipe_ends[1]);
    }
    while (wait(NULL) > 0)
        continue;
    alarm(20); /* ends it when they stay */
    for (int i = 0; i < ORPHANS; i++)
        while (kill(orphans[i], 0) == 0)
            usleep(1000);
    _exit(42);
}

static void be_told_to_stop(void)
{
    signals_catch(on_stop);
    kill(1, SIGTERM); /* as `docker stop` does */
    alarm(0);
    while (stops == 0)
        usleep(1000);
    _exit(43);
}

static void end_by_a_signal(void)
{
    signal(SIGTERM, SIG_DFL);
    kill(1, SIGTERM);
    for (;;)
        pause();
}

static void orphans(void)
{
    in_a_namespace(leave_orphans);
}

static void stop(void)
{
    in_a_namespace(be_told_to_stop);
}

static void signaled(void)
{
    in_a_namespace(end_by_a_signal);
}

static void the_first_process_reaps_passes_signals_on_and_ends_as_the_program(void **state)
{
    int code = exit_code_of(orphans);

    (void)state;
    if (code == SKIPPED)
        skip();
    assert_int_equal(code, 42);
    assert_int_equal(exit_code_of(stop), 43);
    assert_int_equal(exit_code_of(signaled), 128 + SIGTERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signals_mean_what_the_table_says),
        cmocka_unit_test(the_first_process_reaps_passes_signals_on_and_ends_as_the_program),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
