/* What the endpoint asks of the process that it is part of. */
#ifndef BGOP_COORDINATOR_HTTP_ABOUT_H
#define BGOP_COORDINATOR_HTTP_ABOUT_H

#include "common/metrics/metrics.h"

enum { READY_WHY_SIZE = 512 };

/* From any thread. NULL: it has nothing to say. */
struct endpoint_about {
    void *arg;
    void (*metrics)(void *arg, struct metrics *metrics);
    bool (*ready)(void *arg, char *why, size_t size); /* why: READY_WHY_SIZE, also when it is */
};

#endif
