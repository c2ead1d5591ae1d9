/* What exec owes to its host: why a command cannot be run, what this worker itself lacks, and that nothing stays behind.
 * Real processes. What changes the process itself (limits, users) happens in a child of the test. */
#include "handler_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/base/descriptors.h"
#include "tests/support/folder.h"
#include "worker/handlers/exec_trouble.h"

static char folder[] = "/tmp/bgop-test-XXXXXX";

static const char *write_file(const char *name, const char *bytes, size_t size, mode_t mode)
{
    static char path[200];
    int fd;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
    return path;
}

static struct fixture *open_command(const char *command)
{
    return fixture_open("exec", (struct type_config){ .command = (char *)command });
}

/* ---- troubles in words ---- */

static void expect_error(const char *command, const char *part1, const char *part2)
{
    struct fixture *fixture = open_command(command);
    const struct outcome *outcome = fixture_run(fixture, fixture_op(1, "x", 1));

    assert_string_equal(entry_kind_name(outcome->kind), "error");
    if (!strstr(outcome->text, part1) || !strstr(outcome->text, part2))
        fail_msg("%s: expected \"%s\" and \"%s\" in: %s", command, part1, part2, outcome->text);
    fixture_close(fixture);
}

static void what_is_wrong_with_a_command_is_said(void **state)
{
    static const struct {
        const char *bytes;
        mode_t mode;
        const char *part1, *part2;
    } cases[] = {
        { "#!/usr/bin/python3\r\nprint(1)\r\n", 0755, "No such file", "its first line ends in CRLF" },
        { "#!/usr/bin/env sh\r\necho 1\r\n", 0755, "exit code 127", "its first line ends in CRLF" },
        { "#! /no/such/interpreter -x\n", 0755, "No such file",
          "the interpreter that its first line names: /no/such/i" },
        { "#!/etc/passwd\n", 0755, "Permission denied",
          "the interpreter that its first line names, /etc/passwd, is not" },
        { "#!/bin/sh\necho 1\n", 0644, "Permission denied", "it is not executable: chmod +x /tmp/" },
        { "echo 1\n", 0755, "Exec format error", "first line names its interpreter, as in #!/bin/sh" },
        { "\xef\xbb\xbf#!/bin/sh\necho 1\n", 0755, "Exec format error", "a byte order mark stands before its #!" },
        { "", 0755, "Exec format error", "it is empty" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_error(write_file("handler", cases[i].bytes, strlen(cases[i].bytes), cases[i].mode), cases[i].part1,
                     cases[i].part2);
    expect_error(folder, "Permission denied", "it is a folder");
    expect_error("no-such-program-anywhere", "cannot run no-such-program-anywhere: No such file", "not in PATH=");
    expect_error("./no-such-program", "No such file", "from the worker's folder /");
}

/* A script that another program reads: sh, here. */
static void crlf_of_a_script_behind_its_interpreter_is_said(void **state)
{
    char command[300];
    const char *script = "#!/bin/sh\r\nno-such-command\r\nexit 127\r\n";

    (void)state;
    snprintf(command, sizeof command, "sh %s", write_file("script.sh", script, strlen(script), 0755));
    expect_error(command, "exit code 127: its first line ends in CRLF", "save /tmp/");
}

/* An ELF head with another machine, and one whose loader is missing. */
static void programs_of_other_systems_are_recognized(void **state)
{
    char head[4096];
    FILE *self = fopen("/proc/self/exe", "re");
    char *loader;

    (void)state;
    assert_int_equal(fread(head, 1, sizeof head, self), sizeof head);
    fclose(self);
    loader = memmem(head, sizeof head, "/lib", 4);
    assert_non_null(loader);
    memcpy(loader, "/LIB", 4);
    expect_error(write_file("program", head, sizeof head, 0755), "No such file", "the loader that it needs: /LIB");
    head[18] = (char)0xf3, head[19] = 0; /* e_machine: RISC-V (or not: then any other) */
    expect_error(write_file("program", head, sizeof head, 0755), "Exec format error", "another kind of machine");
}

static void troubles_are_foreseen(void **state)
{
    (void)state;
    assert_int_equal(exec_trouble_foresee("sh"), 0);
    assert_int_equal(exec_trouble_foresee("/bin/sh"), 0);
    assert_int_equal(exec_trouble_foresee("no-such-program-anywhere"), ENOENT);
    assert_int_equal(exec_trouble_foresee(folder), EACCES);
    assert_int_equal(exec_trouble_foresee(write_file("a", "#!/bin/sh\r\n", 11, 0755)), ENOENT);
    assert_int_equal(exec_trouble_foresee(write_file("b", "#!/bin/sh\n", 10, 0755)), 0);
    assert_int_equal(exec_trouble_foresee(write_file("c", "x\n", 2, 0755)), ENOEXEC);
}

/* ---- shortage ---- */

/* Runs the rest in a child, whose failed assertions are the test's. */
static void in_child(void (*rest)(void))
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        rest();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(status, 0);
}

static void check(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "in the child: %s\n", what);
    _exit(1);
}

static void limit(int resource, rlim_t soft)
{
    struct rlimit limit;

    check(getrlimit((__rlimit_resource_t)resource, &limit) == 0, "getrlimit");
    limit.rlim_cur = soft;
    check(setrlimit((__rlimit_resource_t)resource, &limit) == 0, "setrlimit");
}

static bool is_returned_as_short(struct fixture *fixture, const char *part)
{
    struct claimed op = fixture_op(1, "x", 1);
    struct execution *execution = fixture_execution(fixture, &op, 1);
    size_t before = fixture->count;
    const struct outcome *outcome = &execution->members[0].outcome;

    fixture_start(fixture, execution);
    fixture_wait(fixture, before + 1);
    if (execution->shortage && outcome->kind == ENTRY_RETURNED && strstr(outcome->text, part))
        return true;
    fprintf(stderr, "%s: %s\n", entry_kind_name(outcome->kind), outcome->text);
    return false;
}

static void no_descriptors(void)
{
    struct fixture *fixture = open_command("true");
    int next = dup(0);

    close(next);
    for (int room = 0; room < 8; room++) { /* wherever it is noticed */
        limit(RLIMIT_NOFILE, (rlim_t)(next + room));
        check(is_returned_as_short(fixture, "Too many open files"), "returned for want of descriptors");
    }
    limit(RLIMIT_NOFILE, 256);
    check(fixture_run(fixture, fixture_op(1, "x", 1))->kind == ENTRY_OK, "it works again");
    check(dup(0) == next, "nothing leaked");
    fixture_close(fixture);
}

static void no_processes(void)
{
    struct fixture *fixture = open_command("true");
    const char *host = getenv("BGOP_EXEC_HOST");

    if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
        _exit(77);
    if (host && access(host, X_OK) < 0)
        _exit(77);
    limit(RLIMIT_NPROC, 1);
    check(is_returned_as_short(fixture, "Resource temporarily unavailable"), "returned for want of processes");
    fixture_close(fixture);
}

static void no_host(void)
{
    char *gone = strdup(write_file("host", "#!/bin/sh\nexit 127\n", 19, 0755));
    struct fixture *fixture;

    setenv("BGOP_EXEC_HOST", gone, 1);
    fixture = open_command("true");
    check(is_returned_as_short(fixture, "exit code 127 before it began"), "returned: the host cannot begin");
    unlink(gone);
    check(is_returned_as_short(fixture, "/host: No such file"), "returned: there is no host");
    fixture_close(fixture);
    free(gone);
}

static void without_descriptors_it_is_given_back(void **state)
{
    (void)state;
    in_child(no_descriptors);
}

static void without_processes_it_is_given_back(void **state)
{
    (void)state;
    in_child(no_processes);
}

static void without_its_host_it_is_given_back(void **state)
{
    (void)state;
    in_child(no_host);
}

/* Waits until so many files of the folder match. */
static bool files_come(const char *pattern, size_t count)
{
    int64_t end_ms = clock_boot_ms() + FIXTURE_WAIT_MS;
    char path[200];
    glob_t found = { 0 };

    snprintf(path, sizeof path, "%s/%s", folder, pattern);
    for (size_t now = 0; now != count; usleep(10000)) {
        if (clock_boot_ms() > end_ms)
            return false;
        now = glob(path, 0, NULL, &found) == 0 ? found.gl_pathc : 0;
        globfree(&found);
    }
    return true;
}

static void fewer_descriptors_than_polled(void)
{
    char command[300], path[200];
    struct fixture *fixture;

    snprintf(path, sizeof path, "%s/go", folder);
    snprintf(command, sizeof command, "sh -c '>%s/$$.runs; until [ -e %s ]; do sleep 0.01; done; cat'", folder, path);
    fixture = open_command(command);
    for (int i = 0; i < 8; i++) {
        struct claimed op = fixture_op(i, "x", 1);

        fixture_start(fixture, fixture_execution(fixture, &op, 1));
    }
    check(files_come("*.runs", 8), "all run");
    limit(RLIMIT_NOFILE, 8);
    check(mkfifo(path, 0600) == 0, "mkfifo");
    fixture_wait(fixture, 8);
    for (int i = 0; i < 8; i++)
        check(fixture->finished[i]->members[0].outcome.kind == ENTRY_OK, "all end well");
    fixture_close(fixture);
}

static void poll_that_fails_does_not_stop_the_handlers(void **state)
{
    (void)state;
    in_child(fewer_descriptors_than_polled);
}

static void raised_limit(void)
{
    struct fixture *fixture = open_command("sh -c 'ulimit -Sn'");
    struct rlimit now;

    limit(RLIMIT_NOFILE, 300);
    check(descriptors_provide(400) == 400, "there is room");
    check(getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur >= 400, "raised");
    check(strcmp(fixture_run(fixture, fixture_op(1, "x", 1))->result, "300\n") == 0, "the handler's is what it was");
    fixture_close(fixture);
    check(descriptors_provide((long long)now.rlim_max + 1) == (long long)now.rlim_max, "the hard limit ends it");
}

static void handlers_get_the_limit_back_that_the_worker_began_with(void **state)
{
    (void)state;
    in_child(raised_limit);
}

/* ---- nothing stays behind ---- */

static void expect_nothing_left(const char *command, int timeout_ms, enum entry_kind kind)
{
    struct fixture *fixture = open_command(command);
    struct claimed op = fixture_op(1, "", 0);
    const struct outcome *outcome;
    char text[40] = "";
    long pid;
    FILE *file;

    op.timeout_ms = timeout_ms;
    outcome = fixture_run(fixture, op);
    assert_string_equal(entry_kind_name(outcome->kind), entry_kind_name(kind));
    snprintf(text, sizeof text, "%s/pid", folder);
    file = fopen(text, "re");
    assert_non_null(file);
    while (fscanf(file, "%ld", &pid) == 1)
        if (kill((pid_t)pid, 0) == 0 || errno != ESRCH)
            fail_msg("%s: process %ld is there", command, pid);
    fclose(file);
    unlink(text);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* orphans would come to this process */
    assert_int_equal(errno, ECHILD);
    fixture_close(fixture);
}

static void orphans_and_daemons_end_with_the_attempt_and_are_reaped(void **state)
{
    char command[300];

    (void)state;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    snprintf(command, sizeof command, "sh -c 'sleep 100 & echo $! >%s/pid'", folder);
    expect_nothing_left(command, 20000, ENTRY_OK);
    snprintf(
        command, sizeof command,
        "sh -c 'setsid sh -c \"sleep 100 & echo \\$\\$ \\$! >%s/new; mv %s/new %s/pid; wait\" & until [ -e %s/pid ]; "
        "do sleep 0.01; done'",
        folder, folder, folder, folder);
    expect_nothing_left(command, 20000, ENTRY_OK);
    snprintf(command, sizeof command, "sh -c 'setsid sleep 100 & echo $! >%s/pid; trap \"\" TERM; sleep 100'", folder);
    expect_nothing_left(command, 300, ENTRY_TIMED_OUT);
    snprintf(command, sizeof command, "sh -c 'setsid sleep 100 & echo $! >%s/pid; kill -STOP 0'", folder);
    expect_nothing_left(command, 300, ENTRY_TIMED_OUT);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
}

/* While it runs: a long handler that leaves one behind each second must not fill the table of processes. */
static void orphans_are_reaped_while_the_handler_runs(void **state)
{
    struct fixture *fixture = open_command("sh -c 'for i in 1 2 3 4 5 6 7 8 9; do (true &); done; "
                                           "while grep -qs \"^State:.Z\" $(sed \"s,[0-9]*,/proc/&/status,g\" "
                                           "/proc/$PPID/task/$PPID/children); do sleep 0.01; done; echo none'");

    (void)state;
    assert_result(fixture_run(fixture, fixture_op(1, "", 0)), "none\n");
    fixture_close(fixture);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) && chmod(folder, 0755) == 0 ? 0 : -1;
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
        cmocka_unit_test(what_is_wrong_with_a_command_is_said),
        cmocka_unit_test(crlf_of_a_script_behind_its_interpreter_is_said),
        cmocka_unit_test(programs_of_other_systems_are_recognized),
        cmocka_unit_test(troubles_are_foreseen),
        cmocka_unit_test(without_descriptors_it_is_given_back),
        cmocka_unit_test(without_processes_it_is_given_back),
        cmocka_unit_test(without_its_host_it_is_given_back),
        cmocka_unit_test(poll_that_fails_does_not_stop_the_handlers),
        cmocka_unit_test(handlers_get_the_limit_back_that_the_worker_began_with),
        cmocka_unit_test(orphans_and_daemons_end_with_the_attempt_and_are_reaped),
        cmocka_unit_test(orphans_are_reaped_while_the_handler_runs),
    };

    signal(SIGPIPE, SIG_IGN); /* as main() does */
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
