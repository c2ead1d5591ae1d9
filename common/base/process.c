#include "common/base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/journal.h"

enum { MESSAGE_MAX_BYTES = 4 * 1024 * 1024, EXIT_OUTPUT_LOST = 1 };

static int lost_errno; /* of the first write to standard output that failed; 0: none is known */

/* Open for the wrong direction: reading standard input and writing the others is an error, as it would have been. */
static void hold_standard_descriptors(void)
{
    static const int wrong[] = { [STDIN_FILENO] = O_WRONLY, [STDOUT_FILENO] = O_RDONLY, [STDERR_FILENO] = O_RDONLY };

    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", wrong[fd]) != fd) /* the lowest free one */
            _exit(EXIT_OUTPUT_LOST);
    }
}

void process_start(void)
{
    struct sigaction ignore = { .sa_handler = SIG_IGN };

    hold_standard_descriptors();
    sigaction(SIGPIPE, &ignore, NULL);
}

bool process_flush(void)
{
    errno = 0;
    if (fflush(stdout) != 0 && !lost_errno)
        lost_errno = errno;
    return !ferror(stdout) && !lost_errno;
}

int process_output_error(void)
{
    return lost_errno;
}

bool process_output_gone(void)
{
    struct pollfd output = { .fd = STDOUT_FILENO }; /* a reader that has left is told unasked */

    if ((fcntl(STDOUT_FILENO, F_GETFL) & O_ACCMODE) == O_RDONLY && !lost_errno)
        lost_errno = EBADF; /* it was closed: whatever would be printed is lost */
    return ferror(stdout) || lost_errno || poll(&output, 1, 0) > 0;
}

int process_end(const char *program, int code)
{
    bool whole = process_flush();

    errno = 0;
    if (fclose(stdout) != 0 && whole) { /* some file systems tell only now that there was no room */
        whole = false;
        lost_errno = errno;
    }
    if (whole)
        return code;
    if (lost_errno != EPIPE) {
        process_complain(program, "cannot write standard output%s%s", lost_errno ? ": " : "",
                         lost_errno ? strerror(lost_errno) : "");
    }
    return code ? code : EXIT_OUTPUT_LOST;
}

void process_show(FILE *to, const char *text, size_t size)
{
    struct buf shown;

    buf_init(&shown, 8 * size + 1);
    if (buf_append_shown(&shown, text, size, "\n\t"))
        fwrite(shown.data, 1, shown.size, to);
    buf_release(&shown);
}

static void append_message(struct buf *line, const char *text, const char *priority)
{
    const char *end;

    while ((end = strstr(text, "\n  "))) {
        buf_append_shown(line, text, (size_t)(end - text), "");
        buf_append_char(line, '\n');
        buf_append_string(line, priority);
        text = end + 1;
    }
    buf_append_shown(line, text, strlen(text), "");
}

void process_complain_args(const char *program, const char *format, va_list args)
{
    struct buf text, line;
    int saved_errno = errno; /* the format may hold %m */
    const char *priority = journal_reads_stderr() ? "<3>" : "";

    buf_init(&text, MESSAGE_MAX_BYTES);
    buf_init(&line, 8 * MESSAGE_MAX_BYTES);
    errno = saved_errno;
    if (!buf_vprintf(&text, format, args))
        buf_append_string(&text, "(a message that is too long)");
    buf_printf(&line, "%s%s: ", priority, program);
    append_message(&line, text.data, priority);
    buf_append_char(&line, '\n');
    (void)process_flush();
    fwrite(line.data, 1, line.size, stderr);
    buf_release(&text);
    buf_release(&line);
}

void process_complain(const char *program, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    process_complain_args(program, format, args);
    va_end(args);
}
