/* What an exec handler leaves behind: a wait status (the first two bytes), its stdout (up to a byte 0xff) and its stderr.
 * One that runs alone and one of a group. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz/executions.h"
#include "worker/handlers/exec_settle.h"

/* A file to be read from its begin: there is no end that would have to be waited for. */
static int file_of(const uint8_t *data, size_t size)
{
    int fd = memfd_create("output", MFD_CLOEXEC);

    FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
    return fd;
}

static void answer(bool group, int wait_status, const uint8_t *data, size_t size)
{
    static char *argv[] = { (char *)(uintptr_t) "/bin/true", NULL };
    const uint8_t *end = memchr(data, 0xff, size);
    size_t output = end ? (size_t)(end - data) : size;
    struct fuzz_execution made;
    struct exec_run run = { .argv = argv, .process = { .input = -1, .lifeline = -1 }, .ended = true };

    fuzz_execution_begin(&made, group, NULL);
    run.execution = made.execution;
    run.report = (struct exec_host_report){ EXEC_HOST_ENDED, wait_status };
    run.process.output = file_of(data, output);
    run.process.errors = file_of(data + output, size - output);
    buf_init(&run.lines, 1 << 20);
    buf_init(&run.result, RESULT_MAX_BYTES);
    group_answers_init(&run.answers, made.execution);
    exec_settle(&run, "/bin/true", exec_run_end(&run));
    exec_run_release(&run);
    fuzz_execution_end(&made);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    /* an exit code, or a signal that is one */
    int wait_status = data[0] ? data[0] << 8 : data[1] % 64;

    answer(false, wait_status, data + 2, size - 2);
    answer(true, wait_status, data + 2, size - 2);
    return 0;
}
