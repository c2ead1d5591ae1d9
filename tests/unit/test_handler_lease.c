/* No handler outlives its lease, whatever becomes of its worker: real processes, and short leases. */
#include "handler_fixture.h"
#include "tests/support/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char folder[] = "/tmp/bgop-test-XXXXXX";

static struct fixture *open_command(const char *format, ...) __attribute__((format(printf, 1, 2)));
static struct fixture *open_command(const char *format, ...)
{
    char command[600];
    va_list args;

    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    return fixture_open("exec", (struct type_config){ .command = command });
}

static struct execution *with_lease(struct fixture *fixture, int64_t lease_ms, int64_t end_boot_ms)
{
    struct claimed op = fixture_op(1, "", 0);
    struct execution *execution = fixture_execution(fixture, &op, 1);

    execution->lease_ms = lease_ms;
    atomic_store(&execution->lease_end_boot_ms, end_boot_ms);
    return execution;
}

static bool is_there(const char *name)
{
    char path[100];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

static pid_t await_pid(const char *name)
{
    char path[100];
    int pid = 0;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    for (int64_t until = clock_boot_ms() + 20000; pid == 0; usleep(2000)) {
        FILE *file = fopen(path, "re");

        if (file && fscanf(file, "%d", &pid) != 1)
            pid = 0;
        if (file)
            fclose(file);
        if (clock_boot_ms() > until)
            fail_msg("waited 20 s in vain for %s", path);
    }
    return pid;
}

static bool process_lives(pid_t pid)
{
    return kill(pid, 0) == 0 || errno != ESRCH;
}

/* ---- the worker lives, and nobody extends the lease ---- */

static void handler_that_goes_on_is_killed_before_its_lease_ends(void **state)
{
    struct fixture *fixture = open_command("sh -c 'trap \"\" TERM; sleep 100'");
    int64_t end = clock_boot_ms() + 6000;
    struct execution *execution = with_lease(fixture, 6000, end);

    (void)state;
    fixture_start(fixture, execution);
    fixture_wait(fixture, 1);
    assert_outcome(&execution->members[0].outcome, ENTRY_RETURNED, "stopped: the worker lost its lease");
    assert_in_range(clock_boot_ms(), end - 2 * lease_margin_ms(6000), end);
    fixture_close(fixture);
}

static void handler_is_asked_first_and_has_not_succeeded(void **state)
{
    struct fixture *fixture = open_command("sh -c 'trap \"echo >%s/asked; exit 0\" TERM; sleep 100 & wait'", folder);
    struct execution *execution = with_lease(fixture, 9000, clock_boot_ms() + 4000);

    (void)state;
    fixture_start(fixture, execution);
    fixture_wait(fixture, 1);
    assert_outcome(&execution->members[0].outcome, ENTRY_RETURNED, "stopped: the worker lost its lease");
    assert_true(is_there("asked"));
    fixture_close(fixture);
}

static void extended_lease_lets_it_run(void **state)
{
    struct fixture *fixture = open_command("sh -c 'sleep 2; echo done'");
    struct execution *execution = with_lease(fixture, 1500, clock_boot_ms() + 1500);

    (void)state;
    fixture_start(fixture, execution);
    while (!atomic_load(&execution->finished)) {
        atomic_store(&execution->lease_end_boot_ms, clock_boot_ms() + 1500);
        fixture->type.handler->wake(fixture->type.state);
        usleep(50000);
    }
    fixture_wait(fixture, 1);
    assert_outcome(&execution->members[0].outcome, ENTRY_OK, "");
    assert_result(&execution->members[0].outcome, "done\n");
    fixture_close(fixture);
}

static void nothing_is_started_with_a_lease_that_has_ended(void **state)
{
    struct fixture *fixture = open_command("sh -c 'echo >%s/started'", folder);
    struct execution *execution = with_lease(fixture, 30000, clock_boot_ms() - 1);

    (void)state;
    fixture_start(fixture, execution);
    fixture_wait(fixture, 1);
    assert_outcome(&execution->members[0].outcome, ENTRY_RETURNED, "stopped: the worker lost its lease");
    assert_false(is_there("started"));
    fixture_close(fixture);
}

/* A socket whose other end closes with something unread forgets what it was about to hand over. */
static void report_is_not_lost_when_the_lease_is_extended_at_the_end(void **state)
{
    struct fixture *fixture = open_command("true");

    (void)state;
    for (size_t i = 0; i < FIXTURE_MOST; i++) {
        struct execution *execution = with_lease(fixture, 30000, clock_boot_ms() + 30000);

        fixture_start(fixture, execution);
        while (!atomic_load(&execution->finished)) {
            atomic_fetch_add(&execution->lease_end_boot_ms, 1);
            fixture->type.handler->wake(fixture->type.state);
            usleep(50);
        }
        fixture_wait(fixture, i + 1);
        assert_outcome(&execution->members[0].outcome, ENTRY_OK, "");
    }
    fixture_close(fixture);
}

/* ---- the worker does not ---- */

/* What a worker is that cannot do anything: a child of the test, which is stopped. */
static pid_t start_worker(const char *command, int64_t lease_end_boot_ms)
{
    pid_t worker = fork();

    if (worker == 0) {
        struct fixture *fixture = open_command("%s", command);

        fixture_start(fixture, with_lease(fixture, 6000, lease_end_boot_ms));
        pause();
    }
    return worker;
}

static void handlers_of_a_stopped_worker_end_before_their_lease(void **state)
{
    static const char *const commands[] = {
        "sh -c 'trap \"\" TERM; echo $$ >%s/pid-%d; sleep 100'",
        "sh -c 'sleep 100 & echo $! >%s/pid-%d; wait'",
        "sh -c 'setsid sh -c \"echo \\$\\$ >%s/pid-%d; sleep 100\" & sleep 100'",
    };

    (void)state;
    for (int i = 0; i < 3; i++) {
        int64_t end = clock_boot_ms() + 5000;
        char command[300], name[20];
        pid_t worker, handler;

        snprintf(command, sizeof command, commands[i], folder, i);
        snprintf(name, sizeof name, "pid-%d", i);
        worker = start_worker(command, end);
        handler = await_pid(name);
        kill(worker, SIGSTOP);
        assert_true(process_lives(handler));
        while (process_lives(handler) && clock_boot_ms() < end)
            usleep(2000);
        if (process_lives(handler))
            fail_msg("the handler %s lives when its lease ends", command);
        kill(worker, SIGKILL);
        waitpid(worker, NULL, 0);
    }
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
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
        cmocka_unit_test(handler_that_goes_on_is_killed_before_its_lease_ends),
        cmocka_unit_test(handler_is_asked_first_and_has_not_succeeded),
        cmocka_unit_test(extended_lease_lets_it_run),
        cmocka_unit_test(nothing_is_started_with_a_lease_that_has_ended),
        cmocka_unit_test(report_is_not_lost_when_the_lease_is_extended_at_the_end),
        cmocka_unit_test(handlers_of_a_stopped_worker_end_before_their_lease),
    };

    signal(SIGPIPE, SIG_IGN); /* as the worker does */
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
