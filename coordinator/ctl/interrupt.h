/* Ctrl-C (or SIGTERM), for commands that have something to say before they end. */
#ifndef BGOP_CTL_INTERRUPT_H
#define BGOP_CTL_INTERRUPT_H

#include <stdbool.h>

/* From now on the first does not end the program at once; a second does. */
void interrupt_catch(void);
bool interrupted(void);

#endif
