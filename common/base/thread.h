/* Starting a thread: pthread_create answers its error, and leaves errno alone. */
#ifndef BGOP_BASE_THREAD_H
#define BGOP_BASE_THREAD_H

#include <pthread.h>

#include "common/base/err.h"

/* ST_FAILED: err says which thread (`what`: "the exec handler's") could not be started, and why. */
enum status thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg, const char *what,
                         struct err *err) MUST_CHECK;

#endif
