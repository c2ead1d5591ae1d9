#include "tests/support/program.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void fatal(const char *what)
{
    perror(what);
    exit(1);
}

static void program_path(char path[PATH_MAX], const char *name)
{
    ssize_t size = readlink("/proc/self/exe", path, PATH_MAX - 1);

    if (size < 0)
        fatal("/proc/self/exe");
    path[size] = '\0';
    strrchr(path, '/')[1] = '\0';
    if (strlen(path) + strlen(name) >= PATH_MAX)
        fatal(name);
    memcpy(path + strlen(path), name, strlen(name) + 1);
}

/* A file that holds the text: no pipe that could fill up. */
static int input_open(const char *text)
{
    int fd;

    if (!text)
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
    fd = memfd_create("input", MFD_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || lseek(fd, 0, SEEK_SET) != 0)
        fatal("input");
    return fd;
}

/* In the child: its standard descriptors as the flags have them. */
static void output_lose(unsigned flags)
{
    int pair[2];

    if (flags & PROGRAM_OUTPUT_FULL)
        dup2(open("/dev/full", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
    if (flags & PROGRAM_OUTPUT_CLOSED)
        close(STDOUT_FILENO);
    if ((flags & PROGRAM_OUTPUT_UNREAD) && pipe2(pair, O_CLOEXEC) == 0) {
        dup2(pair[1], STDOUT_FILENO);
        close(pair[0]);
    }
    if (flags & PROGRAM_INPUT_CLOSED)
        close(STDIN_FILENO);
}

void program_start(struct program *program, const char *const *words, const char *input, unsigned flags)
{
    char path[PATH_MAX];
    int ends[2], input_fd = input_open(input);
    pid_t parent = getpid();

    program_path(path, words[0]);
    if (pipe2(ends, O_CLOEXEC) != 0)
        fatal("pipe");
    program->pid = fork();
    if (program->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        dup2(input_fd, STDIN_FILENO);
        dup2(ends[1], STDOUT_FILENO);
        if (flags & ~(unsigned)PROGRAM_INPUT_CLOSED)
            dup2(ends[1], STDERR_FILENO);
        output_lose(flags);
        execv(path, (char *const *)(void *)(size_t)words);
        _exit(127);
    }
    close(input_fd);
    close(ends[1]);
    program->output = fdopen(ends[0], "r");
    if (program->pid < 0 || !program->output)
        fatal(words[0]);
}

int program_end(struct program *program, char **output)
{
    char chunk[4096];
    size_t size, total = 0;
    char *text = calloc(1, 1);
    int status;

    while ((size = fread(chunk, 1, sizeof chunk, program->output)) > 0) {
        text = text ? realloc(text, total + size + 1) : NULL;
        if (!text)
            fatal("memory");
        memcpy(text + total, chunk, size);
        total += size;
        text[total] = '\0';
    }
    fclose(program->output);
    if (output)
        *output = text;
    else
        free(text);
    if (waitpid(program->pid, &status, 0) != program->pid)
        fatal("waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int program_run(const char *const *words, const char *input, unsigned flags, char **output)
{
    struct program program;

    program_start(&program, words, input, flags);
    return program_end(&program, output);
}
