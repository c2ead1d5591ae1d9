/* The exec handler with real processes: every program below is /bin/sh or a tool of any Debian. */
#include "handler_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

static struct fixture *open_command(const char *command)
{
    return fixture_open("exec", (struct type_config){ .command = (char *)command });
}

static struct claimed with_payload(const char *payload)
{
    return fixture_op(1, payload, strlen(payload));
}

static void expect(const char *command, const char *payload, enum entry_kind kind, const char *text, const char *result)
{
    struct fixture *fixture = open_command(command);
    const struct outcome *outcome = fixture_run(fixture, with_payload(payload));

    assert_outcome(outcome, kind, text);
    assert_result(outcome, result);
    fixture_close(fixture);
}

static void payload_goes_to_stdin_and_stdout_is_the_result(void **state)
{
    (void)state;
    expect("tr a-z A-Z", "hello", ENTRY_OK, "", "HELLO");
}

static void command_is_split_without_a_shell(void **state)
{
    (void)state;
    expect("printf '%s|' \"a b\" $HOME 'c\"d'", "", ENTRY_OK, "", "a b|$HOME|c\"d|");
}

static void exit_codes_mean_what_the_contract_says(void **state)
{
    (void)state;
    expect("sh -c 'echo first >&2; echo the reason >&2; echo >&2; exit 75'", "", ENTRY_ERROR, "the reason", "");
    expect("sh -c 'echo not valid >&2; exit 65'", "", ENTRY_PERMANENT, "not valid", "");
    expect("sh -c 'exit 3'", "", ENTRY_ERROR, "exit code 3", "");
    expect("sh -c 'echo ignored; echo why >&2; exit 1'", "", ENTRY_ERROR, "why", "");
}

static void signals_are_crashes_that_name_them(void **state)
{
    (void)state;
    expect("sh -c 'kill -SEGV $$'", "", ENTRY_CRASHED, "crashed: signal 11 (SIGSEGV)", "");
    expect("sh -c 'echo oh no >&2; kill -ABRT $$'", "", ENTRY_CRASHED, "crashed: signal 6 (SIGABRT): oh no", "");
}

static void host_killed_from_outside_is_a_crash(void **state)
{
    (void)state;
    expect("sh -c 'kill -KILL $PPID; sleep 100'", "", ENTRY_CRASHED, "crashed: killed from outside", "");
}

static void command_that_does_not_exist_is_named_and_retried(void **state)
{
    (void)state;
    expect("/no/such/program", "x", ENTRY_ERROR, "cannot run /no/such/program: No such file or directory", "");
    expect("/etc/passwd", "x", ENTRY_ERROR,
           "cannot run /etc/passwd: Permission denied (it is not executable: chmod +x /etc/passwd)", "");
}

static void environment_names_the_operation(void **state)
{
    struct fixture *fixture =
        open_command("sh -c 'echo $BGOP_ID $BGOP_TYPE $BGOP_PARENT_KEY $BGOP_ATTEMPT $BGOP_TOKEN "
                     "$BGOP_DEADLINE_MS $BGOP_SEQUENCE_GROUP $BGOP_SEQUENCE_NUMBER ${BGOP_MEMBERS-none} $TRACEPARENT'");
    struct claimed op = fixture_op(5, "", 0);
    const struct outcome *outcome;

    (void)state;
    op.sequence_group = "g";
    op.sequence_number = 7;
    op.traceparent = "00-aa-bb-01";
    outcome = fixture_run(fixture, op);
    assert_outcome(outcome, ENTRY_OK, "");
    assert_result(outcome, "08P000000000000005 WebCart acct-42 3 7340035 1700000020000 g 7 none 00-aa-bb-01\n");
    fixture_close(fixture);
}

static void absent_values_are_absent_variables(void **state)
{
    (void)state;
    setenv("BGOP_SEQUENCE_GROUP", "of another operation", 1);
    expect("sh -c 'echo ${BGOP_SEQUENCE_GROUP-absent} ${BGOP_SEQUENCE_NUMBER-absent}'", "", ENTRY_OK, "",
           "absent absent\n");
    unsetenv("BGOP_SEQUENCE_GROUP");
}

static void large_payload_and_large_output_do_not_deadlock(void **state)
{
    size_t size = 1024 * 1024;
    char *payload = xmalloc(size);
    struct fixture *fixture = open_command("cat");
    const struct outcome *outcome;

    (void)state;
    memset(payload, 'x', size);
    outcome = fixture_run(fixture, fixture_op(1, payload, size));
    assert_outcome(outcome, ENTRY_OK, "");
    assert_int_equal(outcome->result_size, RESULT_MAX_BYTES);
    assert_string_equal(outcome->result + RESULT_MAX_BYTES - strlen("\n[cut: 1048576 bytes]"),
                        "\n[cut: 1048576 bytes]");
    fixture_close(fixture);
    free(payload);
}

static void handler_that_closes_stdin_early_is_fine(void **state)
{
    size_t size = 1024 * 1024;
    char *payload = xcalloc(1, size);
    struct fixture *fixture = open_command("sh -c 'exec 0<&-; echo done'");
    const struct outcome *outcome = fixture_run(fixture, fixture_op(1, payload, size));

    (void)state;
    assert_outcome(outcome, ENTRY_OK, "");
    assert_result(outcome, "done\n");
    fixture_close(fixture);
    free(payload);
}

static void endless_stderr_is_bounded_and_its_last_line_kept(void **state)
{
    (void)state;
    expect("sh -c 'yes noise | head -c 3000000 >&2; echo the last word >&2; exit 1'", "", ENTRY_ERROR, "the last word",
           "");
}

static void handler_starts_with_clean_signals_and_few_descriptors(void **state)
{
    struct fixture *fixture =
        open_command("sh -c 'sed -nE \"s/^(SigBlk|SigIgn):.*(.{7})$/\\1 \\2/p\" /proc/self/status; ls /proc/self/fd'");
    const struct outcome *outcome;
    int leaked = open("/dev/null", O_RDONLY); /* not closed on exec */

    (void)state;
    outcome = fixture_run(fixture, with_payload("x"));
    assert_outcome(outcome, ENTRY_OK, "");
    assert_result(outcome, "SigBlk 0000000\nSigIgn 0000000\n0\n1\n2\n3\n"); /* 3: ls reads the folder */
    close(leaked);
    fixture_close(fixture);
}

/* ---- timeouts and stops ---- */

static void timeout_terminates_the_group(void **state)
{
    char path[] = "/tmp/bgop-test-XXXXXX", command[120], said[16] = "";
    int file = mkstemp(path);
    struct claimed op = with_payload("");
    struct fixture *fixture;
    int64_t began;

    (void)state;
    snprintf(command, sizeof command, "sh -c 'trap \"echo asked >%s; exit 1\" TERM; sleep 100 & wait'", path);
    fixture = open_command(command);
    began = clock_boot_ms();
    op.timeout_ms = 700;
    assert_outcome(fixture_run(fixture, op), ENTRY_TIMED_OUT, "timed out after 700 ms");
    assert_in_range(clock_boot_ms() - began, 700, 30000);
    assert_int_equal(read(file, said, sizeof said), 6);
    assert_string_equal(said, "asked\n"); /* SIGTERM was enough */
    fixture_close(fixture);
    close(file);
    unlink(path);
}

static void handler_that_ignores_sigterm_is_killed_two_seconds_later(void **state)
{
    struct fixture *fixture = open_command("sh -c 'trap \"\" TERM; sleep 100'");
    struct claimed op = with_payload("");
    int64_t began = clock_boot_ms();
    const struct outcome *outcome;

    (void)state;
    op.timeout_ms = 300;
    outcome = fixture_run(fixture, op);
    assert_outcome(outcome, ENTRY_TIMED_OUT, "timed out after 300 ms");
    assert_in_range(clock_boot_ms() - began, 2300, 30000);
    fixture_close(fixture);
}

static void what_was_told_to_stop_did_not_succeed(void **state)
{
    struct fixture *fixture = open_command("sh -c 'trap \"exit 0\" TERM; sleep 100 & wait'");
    struct claimed op = with_payload("");

    (void)state;
    op.timeout_ms = 500;
    assert_outcome(fixture_run(fixture, op), ENTRY_TIMED_OUT, "timed out after 500 ms");
    fixture_close(fixture);
}

static void stopped_runs_say_why(void **state)
{
    static const struct {
        enum stop_reason why;
        enum entry_kind kind;
        const char *text;
    } cases[] = {
        { STOP_CANCEL, ENTRY_ERROR, "canceled while it was running" },
        { STOP_LOST_LEASE, ENTRY_RETURNED, "stopped: the worker lost its lease" },
        { STOP_DRAIN, ENTRY_RETURNED, "stopped: the worker shut down" },
    };
    struct fixture *fixture = open_command("sleep 100");

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct claimed op = with_payload("");
        struct execution *execution = fixture_execution(fixture, &op, 1);

        fixture_start(fixture, execution);
        fixture_stop(fixture, execution, cases[i].why);
        fixture_wait(fixture, i + 1);
        assert_outcome(&execution->members[0].outcome, cases[i].kind, cases[i].text);
    }
    fixture_close(fixture);
}

static bool process_lives(pid_t pid)
{
    return kill(pid, 0) == 0 || errno != ESRCH;
}

static void await_death(pid_t pid, const char *who)
{
    for (int64_t until = clock_boot_ms() + 10000; process_lives(pid); usleep(5000))
        if (clock_boot_ms() > until)
            fail_msg("%s (pid %d) still lives", who, (int)pid);
}

static void descendants_die_with_the_attempt_and_do_not_delay_it(void **state)
{
    struct fixture *fixture = open_command("sh -c 'sleep 100 & echo $!'"); /* it holds stdout */
    int64_t began = clock_boot_ms();
    const struct outcome *outcome = fixture_run(fixture, with_payload(""));

    (void)state;
    assert_outcome(outcome, ENTRY_OK, "");
    assert_in_range(clock_boot_ms() - began, 0, 30000); /* it sleeps for 100 s */
    await_death((pid_t)strtol(outcome->result, NULL, 10), "the descendant");
    fixture_close(fixture);
}

/* A worker that dies by SIGKILL: here a child that starts a handler and then is killed. */
static void handlers_die_with_their_worker(void **state)
{
    char path[] = "/tmp/bgop-test-XXXXXX", command[256];
    int fd = mkstemp(path);
    pid_t worker, handler = 0;

    (void)state;
    snprintf(command, sizeof command, "sh -c 'trap \"\" TERM; echo $$ > %s.new; mv %s.new %s; sleep 100'", path, path,
             path);
    worker = fork();
    if (worker == 0) {
        struct fixture *fixture = open_command(command);
        struct claimed op = with_payload("");

        fixture_start(fixture, fixture_execution(fixture, &op, 1));
        pause();
    }
    for (int64_t until = clock_boot_ms() + 10000; handler == 0 && clock_boot_ms() < until; usleep(5000)) {
        FILE *file = fopen(path, "r");

        if (fscanf(file, "%d", &handler) != 1)
            handler = 0;
        fclose(file);
    }
    assert_true(handler > 0 && process_lives(handler));
    kill(worker, SIGKILL);
    waitpid(worker, NULL, 0);
    await_death(handler, "the handler");
    close(fd);
    unlink(path);
}

static void many_run_at_once(void **state)
{
    struct fixture *fixture = open_command("sh -c 'cat; sleep 0.3'");
    struct execution *executions[32];
    int64_t began = clock_boot_ms();

    (void)state;
    for (int i = 0; i < 32; i++) {
        struct claimed op = fixture_op(i, "payload", 7);

        executions[i] = fixture_execution(fixture, &op, 1);
        fixture_start(fixture, executions[i]);
    }
    fixture_wait(fixture, 32);
    for (int i = 0; i < 32; i++)
        assert_result(&executions[i]->members[0].outcome, "payload");
    assert_in_range(clock_boot_ms() - began, 300, 32 * 300 - 1);
    fixture_close(fixture);
}

/* ---- the group protocol ---- */

static struct execution *run_group(struct fixture *fixture, size_t count)
{
    struct claimed ops[3] = { fixture_op(1, "one", 3), fixture_op(2, "tw\xff", 3), fixture_op(3, "three", 5) };
    struct execution *execution;

    ops[1].sequence_group = ops[2].sequence_group = "g";
    ops[1].sequence_number = 9;
    ops[2].sequence_number = 8;
    execution = fixture_execution(fixture, ops, count);
    fixture_start(fixture, execution);
    fixture_wait(fixture, 1);
    return execution;
}

static struct fixture *open_group(const char *command)
{
    return fixture_open("exec", (struct type_config){ .command = (char *)command, .merge_max = 100 });
}

static void types_that_merge_speak_the_group_protocol_for_one_member_too(void **state)
{
    struct fixture *fixture =
        open_group("sh -c 'echo members $BGOP_MEMBERS ${BGOP_SEQUENCE_GROUP-none} >&2; cat >&2; exit 1'");
    struct execution *execution = run_group(fixture, 1);

    (void)state;
    assert_outcome(&execution->members[0].outcome, ENTRY_ERROR,
                   "{\"Id\":\"08P000000000000001\",\"Token\":7340035,\"Attempt\":3,\"ParentKey\":\"acct-42\","
                   "\"SequenceGroup\":null,\"SequenceNumber\":null,\"Payload\":\"one\"}");
    fixture_close(fixture);
}

static void each_member_gets_the_answer_for_its_id(void **state)
{
    struct fixture *fixture = open_group(
        "sh -c 'echo "
        "\"{\\\"Id\\\":\\\"08P000000000000003\\\",\\\"Outcome\\\":\\\"permanent\\\",\\\"Error\\\":\\\"bad\\\"}\";"
        "echo; echo rubbish;"
        "echo \"{\\\"Id\\\":\\\"08P000000000000099\\\",\\\"Outcome\\\":\\\"ok\\\"}\";"
        "printf \"%s\" "
        "\"{\\\"Id\\\":\\\"08P000000000000001\\\",\\\"Outcome\\\":\\\"ok\\\",\\\"Result\\\":{\\\"a\\\":1}}\"'");
    struct execution *execution = run_group(fixture, 3);

    (void)state;
    assert_string_equal(execution->members[0].id, "08P000000000000001");
    assert_string_equal(execution->members[1].id, "08P000000000000003"); /* SequenceNumber 8 */
    assert_string_equal(execution->members[2].id, "08P000000000000002");
    assert_outcome(&execution->members[0].outcome, ENTRY_OK, "");
    assert_result(&execution->members[0].outcome, "{\"a\":1}");
    assert_outcome(&execution->members[1].outcome, ENTRY_PERMANENT, "bad");
    assert_string_equal(entry_kind_name(execution->members[2].outcome.kind), "unanswered");
    assert_non_null(
        strstr(execution->members[2].outcome.text, "gave no answer for this operation: an answer's line is no JSON"));
    fixture_close(fixture);
}

static void answered_members_keep_their_answer_when_the_handler_crashes(void **state)
{
    struct fixture *fixture = open_group(
        "sh -c 'echo \"{\\\"Id\\\":\\\"08P000000000000001\\\",\\\"Outcome\\\":\\\"ok\\\"}\"; kill -KILL $$'");
    struct execution *execution = run_group(fixture, 2);

    (void)state;
    assert_outcome(&execution->members[0].outcome, ENTRY_OK, "");
    assert_outcome(&execution->members[1].outcome, ENTRY_CRASHED, "crashed: signal 9 (SIGKILL)");
    fixture_close(fixture);
}

#define ANSWER_FIRST "echo \"{\\\"Id\\\":\\\"08P000000000000001\\\",\\\"Outcome\\\":\\\"ok\\\"}\";"

/* A failure of the whole is an error of its own for one that ran alone; of several it is nobody's for certain. */
static void failures_of_a_group_are_told_apart_from_those_of_one(void **state)
{
    static const struct {
        const char *command, *text;
        enum entry_kind alone, grouped;
    } cases[] = {
        { "sh -c 'exit 3'", "exit code 3", ENTRY_ERROR, ENTRY_UNANSWERED },
        { "sh -c 'echo no >&2; exit 65'", "no", ENTRY_PERMANENT, ENTRY_UNANSWERED },
        { "true", "the handler gave no answer for this operation", ENTRY_ERROR, ENTRY_UNANSWERED },
        { "/nonexistent/program", "cannot run /nonexistent/program: No such file or directory", ENTRY_ERROR,
          ENTRY_UNANSWERED },
        { "sh -c 'kill -SEGV $$'", "crashed: signal 11 (SIGSEGV)", ENTRY_CRASHED, ENTRY_CRASHED },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int count = 1; count <= 3; count += 2) {
            struct fixture *fixture = open_group(cases[i].command);
            struct execution *execution = run_group(fixture, (size_t)count);

            for (int m = 0; m < count; m++)
                assert_outcome(&execution->members[m].outcome, count > 1 ? cases[i].grouped : cases[i].alone,
                               cases[i].text);
            fixture_close(fixture);
        }
}

static void environment_of_a_group_names_it(void **state)
{
    struct fixture *fixture =
        open_group("sh -c 'echo $BGOP_MEMBERS $BGOP_ID ${BGOP_EXECUTION_GROUP-none} >&2; exit 1'");
    struct execution *execution = run_group(fixture, 2);

    (void)state;
    assert_outcome(&execution->members[1].outcome, ENTRY_UNANSWERED, "2 08P000000000000001 08P000000000000001-3");
    fixture_close(fixture);
    fixture = open_group("sh -c 'echo $BGOP_MEMBERS ${BGOP_EXECUTION_GROUP-none} >&2; exit 1'");
    execution = run_group(fixture, 1);
    assert_outcome(&execution->members[0].outcome, ENTRY_ERROR, "1 none");
    fixture_close(fixture);
}

static void answered_members_keep_their_answer_whatever_the_exit_code(void **state)
{
    struct fixture *fixture = open_group("sh -c '" ANSWER_FIRST "echo bad data >&2; exit 65'");
    struct execution *execution = run_group(fixture, 2);

    (void)state;
    assert_outcome(&execution->members[0].outcome, ENTRY_OK, "");
    assert_outcome(&execution->members[1].outcome, ENTRY_UNANSWERED, "bad data");
    fixture_close(fixture);
}

/* One member answers, then the group is stopped. false: its time was over before the answer. */
static bool stops_after_an_answer(enum stop_reason why, int64_t timeout_ms, enum entry_kind kind, const char *text)
{
    char marker[] = "/tmp/bgop-test-XXXXXX", command[400];
    struct claimed ops[2] = { fixture_op(1, "", 0), fixture_op(2, "", 0) };
    struct execution *execution;
    struct fixture *fixture;
    bool answered;

    close(mkstemp(marker));
    snprintf(command, sizeof command, "sh -c '" ANSWER_FIRST "rm %s; exec sleep 60'", marker);
    fixture = open_group(command);
    ops[0].timeout_ms = timeout_ms;
    execution = fixture_execution(fixture, ops, 2);
    fixture_start(fixture, execution);
    while (why != STOP_TIMEOUT && access(marker, F_OK) == 0) /* until it has answered */
        usleep(2000);
    if (why != STOP_TIMEOUT)
        fixture_stop(fixture, execution, why);
    fixture_wait(fixture, 1);
    answered = access(marker, F_OK) != 0;
    if (answered) {
        assert_outcome(&execution->members[0].outcome, ENTRY_OK, "");
        assert_outcome(&execution->members[1].outcome, kind, text);
    }
    fixture_close(fixture);
    unlink(marker);
    return answered;
}

static void answered_members_keep_their_answer_when_the_group_is_stopped(void **state)
{
    char text[64] = "";

    (void)state;
    assert_true(stops_after_an_answer(STOP_CANCEL, 20000, ENTRY_ERROR, "canceled while it was running"));
    assert_true(stops_after_an_answer(STOP_LOST_LEASE, 20000, ENTRY_RETURNED, "stopped: the worker lost its lease"));
    assert_true(stops_after_an_answer(STOP_DRAIN, 20000, ENTRY_RETURNED, "stopped: the worker shut down"));
    for (int timeout_ms = 400;; timeout_ms *= 2) { /* a machine with much to do may need longer for the answer */
        snprintf(text, sizeof text, "timed out after %d ms", timeout_ms);
        if (stops_after_an_answer(STOP_TIMEOUT, timeout_ms, ENTRY_TIMED_OUT, text))
            break;
        assert_true(timeout_ms < 20000);
    }
}

/* The most there may be: 100 payloads of 10 KiB in, 100 results of 32 KiB out, at the same time. */
static void large_groups_do_not_deadlock(void **state)
{
    enum { COUNT = 100, SIZE = 10 * 1024 };
    static struct claimed ops[COUNT];
    struct fixture *fixture = open_group("sed -E 's/^\\{\"Id\":\"([^\"]*)\".*\"Payload\":\"([^\"]*)\"\\}$/"
                                         "{\"Id\":\"\\1\",\"Outcome\":\"ok\",\"Result\":\"\\2\\2\\2\"}/'");
    char *payload = xmalloc(SIZE);
    struct execution *execution;

    (void)state;
    memset(payload, 'p', SIZE);
    for (int i = 0; i < COUNT; i++)
        ops[i] = fixture_op(i, payload, SIZE);
    execution = fixture_execution(fixture, ops, COUNT);
    fixture_start(fixture, execution);
    fixture_wait(fixture, 1);
    for (int i = 0; i < COUNT; i++) {
        assert_outcome(&execution->members[i].outcome, ENTRY_OK, "");
        assert_int_equal(execution->members[i].outcome.result_size, 3 * SIZE);
    }
    fixture_close(fixture);
    free(payload);
}

static void wrong_command_is_refused_at_start(void **state)
{
    static const char *const commands[] = { NULL, "", "  ", "sh -c 'unclosed" };
    void *prepared;
    struct err err = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        struct type_config config = { .name = (char *)"WebCart", .command = (char *)commands[i] };

        assert_int_equal(exec_handler.prepare(&config, &prepared, &err), ST_INVALID);
        assert_non_null(strstr(err.text, "command"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(payload_goes_to_stdin_and_stdout_is_the_result),
        cmocka_unit_test(command_is_split_without_a_shell),
        cmocka_unit_test(exit_codes_mean_what_the_contract_says),
        cmocka_unit_test(signals_are_crashes_that_name_them),
        cmocka_unit_test(host_killed_from_outside_is_a_crash),
        cmocka_unit_test(command_that_does_not_exist_is_named_and_retried),
        cmocka_unit_test(environment_names_the_operation),
        cmocka_unit_test(absent_values_are_absent_variables),
        cmocka_unit_test(large_payload_and_large_output_do_not_deadlock),
        cmocka_unit_test(handler_that_closes_stdin_early_is_fine),
        cmocka_unit_test(endless_stderr_is_bounded_and_its_last_line_kept),
        cmocka_unit_test(handler_starts_with_clean_signals_and_few_descriptors),
        cmocka_unit_test(timeout_terminates_the_group),
        cmocka_unit_test(handler_that_ignores_sigterm_is_killed_two_seconds_later),
        cmocka_unit_test(what_was_told_to_stop_did_not_succeed),
        cmocka_unit_test(stopped_runs_say_why),
        cmocka_unit_test(descendants_die_with_the_attempt_and_do_not_delay_it),
        cmocka_unit_test(handlers_die_with_their_worker),
        cmocka_unit_test(many_run_at_once),
        cmocka_unit_test(types_that_merge_speak_the_group_protocol_for_one_member_too),
        cmocka_unit_test(each_member_gets_the_answer_for_its_id),
        cmocka_unit_test(answered_members_keep_their_answer_when_the_handler_crashes),
        cmocka_unit_test(failures_of_a_group_are_told_apart_from_those_of_one),
        cmocka_unit_test(environment_of_a_group_names_it),
        cmocka_unit_test(answered_members_keep_their_answer_whatever_the_exit_code),
        cmocka_unit_test(answered_members_keep_their_answer_when_the_group_is_stopped),
        cmocka_unit_test(large_groups_do_not_deadlock),
        cmocka_unit_test(wrong_command_is_refused_at_start),
    };

    signal(SIGPIPE, SIG_IGN); /* as the worker does */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
