/* How much comes, and so how long what comes may gather before it is passed on: nothing waits where little comes, and where much
 * comes, batches are what everybody's time depends on. Pure: no clock. */
#ifndef BGOP_BASE_PACE_H
#define BGOP_BASE_PACE_H

#include <stddef.h>
#include <stdint.h>

enum { PACE_WINDOW_MS = 50 };

struct pace {
    int64_t window;     /* the window of time that `count` is of */
    size_t count, last; /* `last`: of the window before */
};

void pace_count(struct pace *pace, size_t count, int64_t now_ms);
/* By what came in the last whole window. */
int pace_gather_ms(struct pace *pace, int64_t now_ms);

#endif
