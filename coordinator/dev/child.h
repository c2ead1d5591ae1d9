/* A child process of `bgop dev`: its output goes to a log file, it dies with us, and its end is noticed. All functions
 * are called by the main thread: a child is killed when the thread that started it ends. */
#ifndef BGOP_DEV_CHILD_H
#define BGOP_DEV_CHILD_H

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "common/base/err.h"

struct child {
    char name[32];      /* "redis", "coordinator", "worker-1" */
    char log[PATH_MAX]; /* its output; empty: passed through */
    pid_t pid;          /* 0: not running */
    int wait_status;    /* as waitpid told, once it ended */
    bool ended;
};

/* argv[0] is searched in PATH when it holds no slash. The child has a process group of its own, so that Ctrl-C on the
 * terminal reaches it only through us. log NULL: its output is ours. */
enum status child_start(struct child *child, const char *name, char *const argv[], const char *log,
                        struct err *err) MUST_CHECK;
/* Did it end? Reaps it. */
bool child_check(struct child *child);
/* SIGTERM, up to grace_ms for it to leave, SIGKILL. *hurry set meanwhile (a second Ctrl-C) means now. */
void child_stop(struct child *child, int grace_ms, const volatile bool *hurry);
/* "ended with exit code 78", "was killed by signal 9 (Killed)". */
const char *child_end_text(const struct child *child, char *text, size_t room);
/* The last lines of its log. */
void child_print_tail(const struct child *child, FILE *to, int lines);

#endif
