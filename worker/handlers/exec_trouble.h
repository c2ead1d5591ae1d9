/* Why a command cannot be run, in words: the kernel has one errno for many troubles ("No such file" of a script that is
 * there means its interpreter). Looks at the file, so it is for failures only. */
#ifndef BGOP_WORKER_HANDLERS_EXEC_TROUBLE_H
#define BGOP_WORKER_HANDLERS_EXEC_TROUBLE_H

#include <stddef.h>

enum { EXEC_TROUBLE_SIZE = 600 };
/* To follow strerror(error): " (its first line ends in CRLF ...)"; empty: that says it all. Returns why. */
const char *exec_trouble(char why[EXEC_TROUBLE_SIZE], const char *program, int error);
/* As exec_trouble, for a command that was run and ended with 126 or 127 (a shell's, or env's, "cannot run"): one of its
 * files is a script with CRLF behind its first line. */
const char *exec_trouble_scripts(char why[EXEC_TROUBLE_SIZE], char *const *argv);
/* Would it be found, and could it be run? Answers 0 or the errno that starting it would end with, as far as that can be
 * seen from outside. */
int exec_trouble_foresee(const char *program);

#endif
