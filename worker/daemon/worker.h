/* The worker daemon as a library: main.c and tests start it, run it, and ask it to stop.
 *
 * Threads: the main loop (hints, claims, no-ops), the reporter (outcomes to Kafka), renewal (leases, gates), the guard
 * (lease ends, stalls), one per handler kind in use, and the status page. README.md beside this file says how an
 * operation goes through them. */
#ifndef BGOP_WORKER_DAEMON_WORKER_H
#define BGOP_WORKER_DAEMON_WORKER_H

#include <signal.h>

#include "common/config/config.h"

/* What main reads, and what the manual page is made of. */
extern const struct command_line worker_command_line;

struct worker;

/* Checks the configuration and opens the status page and the handlers; touches neither Redis nor Kafka. NULL:
 * ST_INVALID: the configuration is wrong (exit 78); ST_FAILED: something of this host is. */
struct worker *worker_new(const struct config *config, struct err *err);
/* Waits for Redis, Kafka and a coordinator (each outage logged once), serves until *stop is not 0, drains. Returns
 * ST_OK when everything that was claimed is reported. */
enum status worker_run(struct worker *worker, const volatile sig_atomic_t *stop, struct err *err) MUST_CHECK;
void worker_free(struct worker *worker);
const char *worker_uri(const struct worker *worker);
const char *worker_instance(const struct worker *worker);

#endif
