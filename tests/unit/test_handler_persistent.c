/* Processes that serve one operation after the other: real ones. */
#include "handler_fixture.h"
#include "tests/support/folder.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char folder[] = "/tmp/bgop-test-XXXXXX";

/* Answers with its pid and how many operations it has had; payloads may say otherwise. */
static const char script[] =
    "#!/bin/sh\n"
    "n=0\n"
    "while IFS= read -r line; do\n"
    "    n=$((n + 1))\n"
    "    id=${line#'{\"Id\":\"'}; id=${id%%\\\"*}\n"
    "    case $line in\n"
    "    *'Payload\":\"fail'*) echo '{\"Id\":\"'$id'\",\"Outcome\":\"error\",\"Error\":\"no\"}'; continue ;;\n"
    "    *'Payload\":\"die'*) echo last words >&2; kill -SEGV $$ ;;\n"
    "    *'Payload\":\"leave'*) exit 0 ;;\n"
    "    *'Payload\":\"hang'*) sleep 100 ;;\n"
    "    *'Payload\":\"loop'*) while :; do :; done ;;\n"
    "    *'Payload\":\"work'*) i=0; while [ $i -lt 30000 ]; do i=$((i + 1)); done ;;\n"
    "    *'Payload\":\"shut'*) exec >&- ;;\n"
    "    *'Payload\":\"environment'*) n=\"$BGOP_TYPE ${BGOP_ID-none} $line\" ;;\n"
    "    esac\n"
    "    echo noise >&2\n"
    "    n2=$(printf '%s' \"$n\" | sed 's/\"//g')\n"
    "    echo '{\"Id\":\"'$id'\",\"Outcome\":\"ok\",\"Result\":\"'$$' '$n2'\"}'\n"
    "    case $line in *'Payload\":\"bye'*) exit 0 ;; esac\n"
    "done\n";

static struct fixture *open_persistent(struct type_config config)
{
    static char command[120];
    FILE *file;

    snprintf(command, sizeof command, "%s/handler", folder);
    file = fopen(command, "we");
    assert_non_null(file);
    fputs(script, file);
    fclose(file);
    assert_int_equal(chmod(command, 0755), 0);
    config.command = command;
    config.persistent = (char *)"yes";
    return fixture_open("exec", config);
}

static const struct outcome *run(struct fixture *fixture, const char *payload)
{
    return fixture_run(fixture, fixture_op(1, payload, strlen(payload)));
}

static void expect_answer(struct fixture *fixture, long *pid, int number)
{
    const struct outcome *outcome = run(fixture, "x");
    char *rest;
    long answered;

    assert_outcome(outcome, ENTRY_OK, "");
    answered = strtol(outcome->result, &rest, 10);
    assert_int_equal(atoi(rest), number);
    if (number > 1)
        assert_int_equal(answered, *pid);
    else
        assert_int_not_equal(answered, *pid);
    *pid = answered;
}

static void one_process_serves_many_operations(void **state)
{
    struct fixture *fixture = open_persistent((struct type_config){ 0 });
    long pid = 0;

    (void)state;
    for (int i = 1; i <= 20; i++)
        expect_answer(fixture, &pid, i);
    assert_outcome(run(fixture, "fail"), ENTRY_ERROR, "no");
    expect_answer(fixture, &pid, 22);
    fixture_close(fixture);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* orphans would come to this process */
    assert_int_equal(errno, ECHILD);
}

static void operation_is_in_its_line(void **state)
{
    struct fixture *fixture = open_persistent((struct type_config){ 0 });
    const struct outcome *outcome = run(fixture, "environment");

    (void)state;
    assert_outcome(outcome, ENTRY_OK, "");
    assert_non_null(strstr(outcome->result, " WebCart none {Id:08P000000000000001,Token:7340035,Attempt:3,"
                                            "ParentKey:acct-42,SequenceGroup:null,SequenceNumber:null,Type:WebCart,"
                                            "DeadlineMs:1700000020000,Traceparent:null,Payload:environment}"));
    fixture_close(fixture);
}

static void one_that_ends_is_started_again(void **state)
{
    static const struct {
        const char *payload;
        enum entry_kind kind;
        const char *text;
    } cases[] = {
        { "die", ENTRY_CRASHED, "crashed: signal 11 (SIGSEGV): last words" },
        { "leave", ENTRY_ERROR, "the handler gave no answer for this operation" },
    };
    struct fixture *fixture = open_persistent((struct type_config){ 0 });
    long pid = 0;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        expect_answer(fixture, &pid, 1);
        expect_answer(fixture, &pid, 2);
        assert_outcome(run(fixture, cases[i].payload), cases[i].kind, cases[i].text);
    }
    expect_answer(fixture, &pid, 1);
    fixture_close(fixture);
}

static void one_that_leaves_after_its_answer_costs_nothing(void **state)
{
    struct fixture *fixture = open_persistent((struct type_config){ 0 });
    long pid = 0;

    (void)state;
    for (int i = 0; i < 3; i++) {
        const struct outcome *outcome = run(fixture, "bye");

        assert_outcome(outcome, ENTRY_OK, "");
        for (pid = strtol(outcome->result, NULL, 10); kill((pid_t)pid, 0) == 0;)
            usleep(1000); /* reaped: its host has told */
        expect_answer(fixture, &pid, 1);
        assert_outcome(run(fixture, "leave"), ENTRY_ERROR, "the handler gave no answer for this operation");
    }
    fixture_close(fixture);
}

static void one_that_closes_its_output_is_not_waited_for(void **state)
{
    struct fixture *fixture = open_persistent((struct type_config){ 0 });
    struct claimed op = fixture_op(1, "shut", 4);
    long pid = 0;

    (void)state;
    op.timeout_ms = 700;
    assert_outcome(fixture_run(fixture, op), ENTRY_TIMED_OUT, "timed out after 700 ms");
    expect_answer(fixture, &pid, 1);
    fixture_close(fixture);
}

static void timeout_and_stop_end_the_process(void **state)
{
    struct fixture *fixture = open_persistent((struct type_config){ 0 });
    struct claimed op = fixture_op(1, "hang", 4);
    struct execution *execution;
    long pid = 0;

    (void)state;
    expect_answer(fixture, &pid, 1);
    op.timeout_ms = 500;
    assert_outcome(fixture_run(fixture, op), ENTRY_TIMED_OUT, "timed out after 500 ms");
    expect_answer(fixture, &pid, 1);
    op.timeout_ms = 20000;
    execution = fixture_execution(fixture, &op, 1);
    fixture_start(fixture, execution);
    fixture_stop(fixture, execution, STOP_CANCEL);
    fixture_wait(fixture, 4);
    assert_outcome(&execution->members[0].outcome, ENTRY_ERROR, "canceled while it was running");
    expect_answer(fixture, &pid, 1);
    fixture_close(fixture);
}

/* The lease is that of the operation: a process without one waits as long as it likes. */
static void lease_is_that_of_the_operation(void **state)
{
    struct fixture *fixture = open_persistent((struct type_config){ 0 });
    struct claimed op = fixture_op(1, "x", 1);
    struct execution *execution = fixture_execution(fixture, &op, 1);
    int64_t end = clock_boot_ms() + 2000;
    long pid;

    (void)state;
    execution->lease_ms = 2000;
    atomic_store(&execution->lease_end_boot_ms, end);
    fixture_start(fixture, execution);
    fixture_wait(fixture, 1);
    pid = strtol(execution->members[0].outcome.result, NULL, 10);
    while (clock_boot_ms() < end + 100)
        usleep(10000);
    expect_answer(fixture, &pid, 2);
    op.payload = "hang", op.payload_size = 4;
    execution = fixture_execution(fixture, &op, 1);
    execution->lease_ms = 1500;
    atomic_store(&execution->lease_end_boot_ms, clock_boot_ms() + 1500);
    fixture_start(fixture, execution);
    fixture_wait(fixture, 3);
    assert_outcome(&execution->members[0].outcome, ENTRY_RETURNED, "stopped: the worker lost its lease");
    expect_answer(fixture, &pid, 1);
    fixture_close(fixture);
}

static long cpu_ms(long pid)
{
    char path[64], line[1024] = "";
    long user = 0, kernel = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    file = fopen(path, "re");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    fclose(file);
    assert_int_equal(
        sscanf(strrchr(line, ')'), ") %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %ld %ld", &user, &kernel), 2);
    return (user + kernel) * 1000 / sysconf(_SC_CLK_TCK);
}

static void cpu_time_is_that_of_the_operation(void **state)
{
    struct fixture *fixture = open_persistent((struct type_config){ .cpu_max_s = 1 });
    long pid = 0;

    (void)state;
    expect_answer(fixture, &pid, 1);
    while (cpu_ms(pid) < 1200)
        assert_outcome(run(fixture, "work"), ENTRY_OK, "");
    assert_outcome(run(fixture, "loop"), ENTRY_CRASHED, "killed: more than 1 s of CPU time (cpu_max_s of the Type)");
    fixture_close(fixture);
}

static void as_many_processes_as_operations_at_a_time(void **state)
{
    struct fixture *fixture = open_persistent((struct type_config){ 0 });
    struct execution *executions[8];

    (void)state;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 8; i++) {
            struct claimed op = fixture_op(i, "x", 1);

            executions[i] = fixture_execution(fixture, &op, 1);
            fixture_start(fixture, executions[i]);
        }
        fixture_wait(fixture, (size_t)(round + 1) * 8);
        for (int i = 0; i < 8; i++)
            assert_outcome(&executions[i]->members[0].outcome, ENTRY_OK, "");
    }
    fixture_close(fixture);
}

static void large_payloads_and_groups_pass(void **state)
{
    enum { SIZE = 300000 };
    struct fixture *fixture = open_persistent((struct type_config){ .merge_max = 10 });
    char *payload = xmalloc(SIZE);
    struct claimed ops[3] = { fixture_op(1, payload, SIZE), fixture_op(2, "fail", 4), fixture_op(3, "x", 1) };

    (void)state;
    memset(payload, 'p', SIZE);
    for (size_t round = 1; round <= 2; round++) {
        struct execution *execution = fixture_execution(fixture, ops, 3);

        fixture_start(fixture, execution);
        fixture_wait(fixture, round);
        assert_outcome(&execution->members[0].outcome, ENTRY_OK, "");
        assert_outcome(&execution->members[1].outcome, ENTRY_ERROR, "no");
        assert_outcome(&execution->members[2].outcome, ENTRY_OK, "");
    }
    fixture_close(fixture);
    free(payload);
}

static char *read_file(const char *path)
{
    static const size_t most = 1 << 20;
    char *text = xcalloc(1, most);
    FILE *file = fopen(path, "re");

    assert_non_null(file);
    assert_in_range(fread(text, 1, most - 1, file), 1, most - 2);
    fclose(file);
    return text;
}

static void examples_of_the_readme_work(void **state)
{
    static const char *const endings[] = { "py", "sh", "js" };
    const size_t count = system("node --version >/dev/null 2>&1") == 0 ? 3 : 2; /* what there is to run them */
    char *readme = read_file(BGOP_TOP "/worker/handlers/README.md");

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct fixture *fixture;
        const struct outcome *outcome;
        char path[300], *example;

        snprintf(path, sizeof path, "%s/tests/e2e/handlers/example_persistent.%s", BGOP_TOP, endings[i]);
        example = read_file(path);
        if (!strstr(readme, example))
            fail_msg("%s differs from what the README shows", path);
        free(example);
        if (i >= count)
            continue;
        fixture = fixture_open("exec", (struct type_config){ .command = path, .persistent = (char *)"yes" });
        for (int round = 0; round < 2; round++) {
            outcome = run(fixture, "{\"name\":\"one\"}");
            assert_outcome(outcome, ENTRY_OK, "");
            assert_result(outcome, "ONE");
            outcome = run(fixture, "rubbish");
            assert_string_equal(entry_kind_name(outcome->kind), "permanent");
            assert_non_null(strstr(outcome->text, "unusable"));
        }
        fixture_close(fixture);
    }
    free(readme);
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
        cmocka_unit_test(one_process_serves_many_operations),
        cmocka_unit_test(operation_is_in_its_line),
        cmocka_unit_test(one_that_ends_is_started_again),
        cmocka_unit_test(one_that_leaves_after_its_answer_costs_nothing),
        cmocka_unit_test(one_that_closes_its_output_is_not_waited_for),
        cmocka_unit_test(timeout_and_stop_end_the_process),
        cmocka_unit_test(lease_is_that_of_the_operation),
        cmocka_unit_test(cpu_time_is_that_of_the_operation),
        cmocka_unit_test(as_many_processes_as_operations_at_a_time),
        cmocka_unit_test(large_payloads_and_groups_pass),
        cmocka_unit_test(examples_of_the_readme_work),
    };

    signal(SIGPIPE, SIG_IGN); /* as the worker does */
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
