/* A program of ours, run by a test: from the folder of the test's own executable, with its output in a pipe. It is
 * killed when the test's process ends. */
#ifndef TESTS_SUPPORT_PROGRAM_H
#define TESTS_SUPPORT_PROGRAM_H

#include <stdio.h>
#include <sys/types.h>

struct program {
    pid_t pid;
    FILE *output; /* its standard output, and its standard error when that was asked for */
};

enum {
    PROGRAM_BOTH_OUTPUTS = 1,
    /* Standard output lost, in one of these ways; the pipe has standard error alone. */
    PROGRAM_OUTPUT_FULL = 2, /* /dev/full */
    PROGRAM_OUTPUT_CLOSED = 4,
    PROGRAM_OUTPUT_UNREAD = 8, /* a pipe whose reader has left */
    PROGRAM_INPUT_CLOSED = 16,
};

/* words: its name (without folder) and arguments, closed by NULL; input: what it reads, or NULL. */
void program_start(struct program *program, const char *const *words, const char *input, unsigned flags);
/* Reads the rest of its output (the caller frees *output; may be NULL) and waits for its end: exit code, or 128 + signal. */
int program_end(struct program *program, char **output);
/* Both in one. */
int program_run(const char *const *words, const char *input, unsigned flags, char **output);

#endif
