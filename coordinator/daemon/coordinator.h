/* The coordinator as a library: main.c and the tests start it. It runs intake and status loops, one thread each, and
 * watches them from the caller's thread. */
#ifndef BGOP_COORDINATOR_DAEMON_COORDINATOR_H
#define BGOP_COORDINATOR_DAEMON_COORDINATOR_H

#include <stdbool.h>

#include "common/config/config.h"

enum {
    WATCHDOG_MS = 30000, /* a loop that stands still for longer aborts the process */
    STATS_MS = 60000,    /* between two stats lines */
};

/* What main reads, and what the manual page is made of. */
extern const struct command_line coordinator_command_line;
extern const char *coordinator_rebuild; /* --rebuild; NULL: absent */

struct coordinator;
struct counters;

/* config is borrowed until coordinator_free. rebuild: fill an empty Redis from Kafka (genesis.h). */
struct coordinator *coordinator_new(const struct config *config, bool rebuild);
void coordinator_free(struct coordinator *coordinator);
/* Start-up checks, then the loops, until coordinator_stop. Answers the exit code. */
int coordinator_run(struct coordinator *coordinator);
/* Finish what is at hand and leave. May be called by a signal handler. */
void coordinator_stop(struct coordinator *coordinator);
/* All partitions that were assigned to us are read (or halted), and their shards open; false before the first
 * assignment. */
bool coordinator_ready(const struct coordinator *coordinator);
/* What it has counted so far. */
const struct counters *coordinator_counters(const struct coordinator *coordinator);

#endif
