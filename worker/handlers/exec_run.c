/* Descriptors of one run: stdin, stdout and stderr pipes, and the lifeline to bgop-exec-host. The handler has ended when
 * the lifeline brings a report; a descendant that still holds stdout does not delay that. The run has ended when the
 * lifeline ends: then the host has ended and reaped whatever the handler left behind. */
#include "worker/handlers/exec_run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/descriptors.h"
#include "common/base/log.h"
#include "worker/handlers/exec_environment.h"

enum { MIB = 1024 * 1024 };
enum { READ_SIZE = 64 * 1024, DRAIN_MAX_BYTES = 1024 * 1024, LINES_MAX_BYTES = 128 * 1024 * 1024 };

bool exec_is_persistent(const struct served_type *type)
{
    return type->config->persistent && strcmp(type->config->persistent, "yes") == 0;
}

/* ---- start ---- */

static void prepare_input(struct exec_run *run)
{
    const struct claimed *op = execution_leader(run->execution)->op;

    buf_init(&run->lines, LINES_MAX_BYTES);
    if (exec_speaks_lines(run->execution->type))
        group_write_lines(&run->lines, run->execution, exec_is_persistent(run->execution->type));
    run->input_data = run->lines.size ? run->lines.data : op->payload;
    run->input_size = run->lines.size ? run->lines.size : op->payload_size;
}

static struct exec_host_order order_of(const struct type_config *type)
{
    return (struct exec_host_order){
        .limits = {
            .memory_bytes = type->memory_max_mb * MIB,
            .tasks = type->processes_max,
            .cpu_ms = type->cpu_max_s * 1000,
            .open_files = type->open_files_max,
        },
        .usual_open_files = descriptors_at_start(),
    };
}

static void write_input(struct exec_run *run)
{
    ssize_t written = write(run->process.input, run->input_data + run->input_used, run->input_size - run->input_used);

    if (written < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (written > 0)
        run->input_used += (size_t)written;
    if (written < 0 || (run->input_used == run->input_size && !exec_is_persistent(run->execution->type)))
        exec_close_fd(&run->process.input); /* done; or EPIPE: it does not want (the rest of) its payload: its right */
}

static void prepare(struct exec_run *run, struct execution *execution, char *const *argv)
{
    memset(run, 0, sizeof *run);
    run->execution = execution;
    run->argv = argv;
    run->next_step_boot_ms = INT64_MAX;
    buf_init(&run->result, RESULT_MAX_BYTES);
    group_answers_init(&run->answers, execution);
    prepare_input(run);
}

void exec_run_continue(struct exec_run *run, struct execution *execution, const struct exec_process *process,
                       char *const *argv)
{
    prepare(run, execution, argv);
    run->process = *process;
    if (!exec_process_begin(&run->process, execution)) {
        execution_settle_stopped(execution, STOP_LOST_LEASE);
        run->answered = true;
        return;
    }
    write_input(run);
}

void exec_run_start(struct exec_run *run, struct execution *execution, const char *host_path, char *const *argv)
{
    const struct exec_host_order order = order_of(execution->type->config);
    char **environment = exec_environment_new(execution, exec_is_persistent(execution->type));
    int failure;

    prepare(run, execution, argv);
    failure = exec_process_start(&run->process, host_path, argv, environment, order, execution);
    free(environment);
    if (failure) {
        run->report = (struct exec_host_report){ EXEC_RUN_NO_HOST, failure };
        run->ended = true;
    } else if (run->input_size == 0) {
        exec_close_fd(&run->process.input);
    }
}

/* ---- while it runs ---- */

int64_t exec_run_poll(const struct exec_run *run, struct pollfd fds[EXEC_RUN_FDS])
{
    fds[0] = (struct pollfd){ run->input_used < run->input_size ? run->process.input : -1, POLLOUT, 0 };
    fds[1] = (struct pollfd){ run->process.output, POLLIN, 0 };
    fds[2] = (struct pollfd){ run->process.errors, POLLIN, 0 };
    fds[3] = (struct pollfd){ run->process.lifeline, POLLIN, 0 };
    if (run->step > EXEC_RUNS)
        return run->next_step_boot_ms;
    return atomic_load(&run->execution->stop) != STOP_NONE ? 0 : run->execution->deadline_boot_ms;
}

static void take_output(struct exec_run *run, const char *data, size_t size)
{
    size_t room = RESULT_MAX_BYTES - run->result.size;

    if (exec_speaks_lines(run->execution->type)) {
        group_answers_feed_lines(&run->answers, data, size);
        return;
    }
    run->result_total += size;
    buf_append(&run->result, data, size < room ? size : room);
}

/* The host ends all that is left. */
static void end_all(struct exec_run *run)
{
    run->step = EXEC_ASKED_TO_END;
    run->next_step_boot_ms = clock_boot_ms() + EXEC_GIVE_UP_AFTER_MS;
    exec_process_end(&run->process);
}

static void count_output(struct exec_run *run, size_t size)
{
    int64_t most = run->execution->type->config->output_max_mb * MIB;

    run->written += (int64_t)size;
    if (most == 0 || run->written <= most || run->step > EXEC_RUNS)
        return;
    run->report.kind = EXEC_RUN_OVER_OUTPUT;
    end_all(run);
}

/* One read; bytes taken, 0 at the end or when there is nothing. */
static size_t read_some(struct exec_run *run, int *fd)
{
    static _Thread_local char data[READ_SIZE];
    ssize_t size = *fd >= 0 ? read(*fd, data, sizeof data) : 0;

    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (size <= 0) {
        exec_close_fd(fd);
        return 0;
    }
    if (fd == &run->process.output)
        take_output(run, data, (size_t)size);
    else
        last_line_feed(&run->last_line, data, (size_t)size);
    count_output(run, (size_t)size);
    return (size_t)size;
}

/* Its report, or its end. */
static void read_lifeline(struct exec_run *run)
{
    struct exec_host_report report;
    int there = exec_process_read_report(&run->process, &report);

    if (there < 0) {
        run->ended = true;
    } else if (there > 0 && run->step == EXEC_RUNS) { /* else it ended because it was told to */
        if (report.kind == EXEC_HOST_LEASE_ENDED) {
            log_event(LOG_LEVEL_WARNING, "stopped", "op=%s type=%s why=lost_lease by=bgop-exec-host",
                      execution_leader(run->execution)->id, run->execution->type->config->name);
        }
        run->report = report;
        run->step = EXEC_ASKED_TO_END;
        run->next_step_boot_ms = clock_boot_ms() + EXEC_GIVE_UP_AFTER_MS;
    }
}

/* Not before it has all of its input: the next one's would follow in the middle of a line. */
static bool is_answered(const struct exec_run *run)
{
    const struct execution *execution = run->execution;

    if (run->input_used < run->input_size || run->process.output < 0)
        return false;
    for (int i = 0; i < execution->member_count; i++) {
        if (execution->members[i].outcome.kind == 0)
            return false;
    }
    return true;
}

void exec_run_pump(struct exec_run *run, const struct pollfd fds[EXEC_RUN_FDS])
{
    if (fds[0].revents)
        write_input(run);
    if (fds[1].revents)
        read_some(run, &run->process.output);
    if (fds[2].revents)
        read_some(run, &run->process.errors);
    if (fds[3].revents)
        read_lifeline(run);
    if (run->step == EXEC_RUNS && exec_is_persistent(run->execution->type))
        run->answered = is_answered(run);
}

static void take_next_step(struct exec_run *run)
{
    if (run->step == EXEC_TERMINATED) {
        end_all(run);
        return;
    }
    exec_process_kill(&run->process);
    run->step = EXEC_KILLED;
    run->next_step_boot_ms = INT64_MAX;
}

void exec_run_check(struct exec_run *run, int64_t now_boot_ms)
{
    enum stop_reason why = (enum stop_reason)atomic_load(&run->execution->stop);

    if (run->ended || run->answered)
        return;
    if (run->step <= EXEC_TERMINATED)
        exec_process_tell_lease(&run->process, run->execution);
    if (run->step == EXEC_RUNS) {
        if (why == STOP_NONE && now_boot_ms >= run->execution->deadline_boot_ms)
            why = STOP_TIMEOUT;
        if (why == STOP_NONE)
            return;
        run->stopping = why;
        run->step = EXEC_TERMINATED;
        run->next_step_boot_ms = now_boot_ms + EXEC_KILL_AFTER_MS;
        exec_process_terminate(&run->process);
    } else if (now_boot_ms >= run->next_step_boot_ms) {
        take_next_step(run);
    }
}

/* ---- end ---- */

int exec_run_end(struct exec_run *run)
{
    struct exec_process *process = &run->process;
    size_t drained = 0, got;
    int host_status = process->host > 0 ? exec_process_reap(process) : 0;

    do {
        got = read_some(run, &process->output) + read_some(run, &process->errors);
        drained += got;
    } while (got > 0 && drained < DRAIN_MAX_BYTES);
    return host_status;
}

void exec_run_release(struct exec_run *run)
{
    exec_process_close(&run->process);
    buf_release(&run->lines);
    buf_release(&run->result);
    group_answers_release(&run->answers);
}
