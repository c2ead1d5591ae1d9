#include "worker/handlers/exec_settle.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "common/base/descriptors.h"
#include "worker/handlers/exec_trouble.h"

enum { EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127 }; /* of shells and env */

/* EX_DATAERR is a verdict on the payload: of several nobody knows whose. */
static void settle_exit(struct exec_run *run, int code)
{
    struct execution *execution = run->execution;
    size_t size;
    const char *text = last_line_text(&run->last_line, &size);
    enum entry_kind failure = execution_failure(execution);
    enum entry_kind kind = code == EX_DATAERR && failure == ENTRY_ERROR ? ENTRY_PERMANENT : failure;
    char why[EXEC_TROUBLE_SIZE] = "";

    if (code == EXIT_CANNOT_RUN || code == EXIT_NOT_FOUND)
        exec_trouble_scripts(why, run->argv);
    if (why[0]) {
        execution_settlef(execution, kind, "exit code %d: %s%s%.*s", code, why, size ? "; " : "", (int)size, text);
    } else if (code != 0 && size > 0) {
        execution_settle(execution, kind, text, size);
    } else if (code != 0) {
        execution_settlef(execution, kind, "exit code %d", code);
    } else if (exec_speaks_lines(execution->type)) {
        group_answers_finish(&run->answers);
    } else {
        execution_settle(execution, ENTRY_OK, NULL, 0);
        outcome_set_result(&execution_leader(execution)->outcome, run->result.data, run->result.size,
                           run->result_total);
    }
}

static void settle_signal(struct exec_run *run, int signal)
{
    const char *name = sigabbrev_np(signal);
    size_t size;
    const char *text = last_line_text(&run->last_line, &size);

    execution_settlef(run->execution, ENTRY_CRASHED, "crashed: signal %d (SIG%s)%s%.*s", signal, name ? name : "?",
                      size ? ": " : "", (int)size, text);
}

/* What this worker lacks is no failure of the operation. */
static void settle_no_host(struct exec_run *run, const char *host_path)
{
    int error = run->report.value;

    if (error == E2BIG) { /* the same everywhere */
        execution_settlef(run->execution, execution_failure(run->execution),
                          "cannot run %s: the environment is too long", run->argv[0]);
    } else {
        execution_settle_shortage(run->execution, "cannot start %s: %s", is_shortage(error) ? "a process" : host_path,
                                  strerror(error));
    }
}

/* A command that cannot be run is retried: it may be missing only until a deployment is complete. */
static void settle_not_started(struct exec_run *run)
{
    char why[EXEC_TROUBLE_SIZE];

    if (is_shortage(run->report.value)) {
        execution_settle_shortage(run->execution, "cannot start a process: %s", strerror(run->report.value));
    } else {
        execution_settlef(run->execution, execution_failure(run->execution), "cannot run %s: %s%s", run->argv[0],
                          strerror(run->report.value), exec_trouble(why, run->argv[0], run->report.value));
    }
}

/* Went over a limit of its Type, and was ended for that: as bad as a crash. */
static bool settle_over(struct exec_run *run)
{
    const struct type_config *type = run->execution->type->config;
    const struct {
        int kind;
        const char *option, *what;
        int64_t limit;
    } limits[] = {
        { EXEC_HOST_OVER_MEMORY, "memory_max_mb", "MiB of memory", type->memory_max_mb },
        { EXEC_HOST_OVER_TASKS, "processes_max", "processes and threads", type->processes_max },
        { EXEC_HOST_OVER_CPU, "cpu_max_s", "s of CPU time", type->cpu_max_s },
        { EXEC_RUN_OVER_OUTPUT, "output_max_mb", "MiB of output", type->output_max_mb },
    };

    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        if (run->report.kind == limits[i].kind) {
            execution_settlef(run->execution, ENTRY_CRASHED, "killed: more than %lld %s (%s of the Type)",
                              (long long)limits[i].limit, limits[i].what, limits[i].option);
            return true;
        }
    }
    return false;
}

void exec_settle(struct exec_run *run, const char *host_path, int host_status)
{
    if (exec_speaks_lines(run->execution->type))
        group_answers_end_lines(&run->answers);
    if (run->stopping != STOP_NONE) {
        execution_settle_stopped(run->execution, run->stopping);
    } else if (run->report.kind == EXEC_HOST_LEASE_ENDED) {
        execution_settle_stopped(run->execution, STOP_LOST_LEASE);
    } else if (settle_over(run)) {
        return;
    } else if (run->report.kind == EXEC_RUN_NO_HOST) {
        settle_no_host(run, host_path);
    } else if (run->report.kind == EXEC_HOST_NOT_STARTED) {
        settle_not_started(run);
    } else if (run->report.kind != EXEC_HOST_ENDED && WIFEXITED(host_status)) {
        execution_settle_shortage(run->execution, "%s ended with exit code %d before it began", host_path,
                                  WEXITSTATUS(host_status));
    } else if (run->report.kind != EXEC_HOST_ENDED) {
        execution_settlef(run->execution, ENTRY_CRASHED, "crashed: killed from outside");
    } else if (WIFSIGNALED(run->report.value)) {
        settle_signal(run, WTERMSIG(run->report.value));
    } else {
        settle_exit(run, WEXITSTATUS(run->report.value));
    }
}
