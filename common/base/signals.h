/* What signals mean to the programs that keep running: one table, in signals.c.
 *
 * SIGTERM, SIGINT, SIGQUIT, SIGPWR and SIGHUP (a terminal that closes) ask a daemon to drain and leave; a second one means
 * now, but for SIGHUP, which comes twice from a shell that leaves. Under nohup SIGHUP stays ignored. What else would end
 * a process by default (SIGUSR1, SIGUSR2, SIGALRM ...) is ignored: there is nothing that it asks for. */
#ifndef BGOP_BASE_SIGNALS_H
#define BGOP_BASE_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

/* on_stop is called in a signal handler. now: it was asked before. */
void signals_catch(void (*on_stop)(bool now));
/* On the way out nothing is asked any more: all of them are ignored. */
void signals_ignore(void);

/* ---- for a program that takes its signals by sigtimedwait ---- */
/* Adds those that ask to stop; the others are ignored from here on. */
void signals_add_stops(sigset_t *set);
/* In a child, before it becomes another program: as they were when this program was started. */
void signals_restore(void);

#endif
