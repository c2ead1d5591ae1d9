/* How many files this process may have open (RLIMIT_NOFILE). The soft limit is raised to what is needed; programs that
 * are started from here get back the one that this process began with, as select() cannot look beyond 1,024. */
#ifndef BGOP_BASE_DESCRIPTORS_H
#define BGOP_BASE_DESCRIPTORS_H

#include <stdbool.h>

enum {
    DESCRIPTORS_LEAST = 64,  /* a daemon's own, with one broker: measured, and a third over it */
    DESCRIPTORS_SPARE = 512, /* raised for beside that: many brokers, many who look at the status page */
};

/* Raises the soft limit so that `needed` fit, and the spare ones as far as the hard limit allows. Answers how many fit:
 * fewer than needed means that the hard limit is lower. */
long long descriptors_provide(long long needed);
/* The soft limit before it was raised. */
long long descriptors_at_start(void);
/* In a child, before it becomes another program: as it was. */
void descriptors_restore(void);
/* Is there none to be had right now (of this process, or of the whole host)? */
bool descriptors_short(void);
/* Does this errno say that this process or this host is short of something: descriptors, processes, memory? */
bool is_shortage(int error);

#endif
