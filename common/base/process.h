/* What every program of ours does first and last, and how it speaks to people: three standard descriptors that are
 * nobody else's, and no lost output that ends in exit code 0. */
#ifndef BGOP_BASE_PROCESS_H
#define BGOP_BASE_PROCESS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* First thing in main. A standard descriptor that is closed is opened so that its use fails: else a socket would get
 * its number, and what is printed would be sent there. SIGPIPE is ignored: a broken pipe is an error to be returned. */
void process_start(void);
/* Writes out what was printed; false when something was lost, now or before. Remembers why. */
bool process_flush(void);
/* Why something was lost: an errno, EPIPE when the reader has left; 0: nothing was, or nobody knows why. */
int process_output_error(void);
/* Is nobody there to read what will be printed? For what prints until it is stopped: it lives for nothing else. */
bool process_output_gone(void);
/* Last thing in main: the exit code, which is never 0 when standard output could not be written whole. That is said,
 * but for a pipe whose reader has left: who reads `| head` has seen enough. */
int process_end(const char *program, int code);

/* Lines that others wrote, as they may be shown; line breaks and tabs stay. */
void process_show(FILE *to, const char *text, size_t size);
/* "program: text" on stderr, behind what was printed. Whatever the text quotes, the terminal shows it escaped; a line
 * break stays one only before two blanks, so that nothing quoted can look like a message of its own. */
void process_complain(const char *program, const char *format, ...) __attribute__((format(printf, 2, 3)));
void process_complain_args(const char *program, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

#endif
