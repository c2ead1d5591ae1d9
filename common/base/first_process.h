/* The first process of a container (pid 1) gets the orphans of all others, must reap them, and is deaf to signals that it
 * does not catch. That is a program's work of its own: when this is pid 1, the program goes on in a child, and what
 * was started stays as its init: it reaps, passes signals on, and ends as the child does. Otherwise nothing happens.
 *
 * To be called at the start of main, before there are threads. */
#ifndef BGOP_BASE_FIRST_PROCESS_H
#define BGOP_BASE_FIRST_PROCESS_H

void first_process(void);

#endif
