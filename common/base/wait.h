/* Condition variables with a time limit in milliseconds, on the monotonic clock: setting the host's time disturbs no
 * wait. */
#ifndef BGOP_BASE_WAIT_H
#define BGOP_BASE_WAIT_H

#include <pthread.h>
#include <stdbool.h>

void wait_cond_init(pthread_cond_t *cond);
/* false: time is up. As always with condition variables, true does not mean that the condition holds. */
bool wait_cond(pthread_cond_t *cond, pthread_mutex_t *lock, int timeout_ms);

#endif
