/* Is this a Redis that keeps what it is told? Checked at start: some settings are refused, some worth a warning. */
#ifndef BGOP_COORDINATOR_DAEMON_REDIS_CHECKS_H
#define BGOP_COORDINATOR_DAEMON_REDIS_CHECKS_H

#include <stdbool.h>

#include "common/redis/redis.h"
#include "coordinator/daemon/setting_verdict.h"

/* What one setting's value means for the queue; err says what to change. Settings that are not in our table are fine.
 * Pure. Names of CONFIG GET, and redis_version, role, cluster_enabled of INFO. What INFO says is taken from there: a
 * user that may not run CONFIG is no reason to serve a Redis that evicts. */
enum setting_verdict redis_check_value(const char *name, const char *value, struct err *err);
/* Asks the server for all of them, of a cluster those that are there: the shards of others wait. Doubtful ones are logged.
 * ST_INVALID: err says what to change. ST_AGAIN: away. */
enum status redis_checks_run(struct redis *redis, struct err *err) MUST_CHECK;
/* One word of an INFO text, copied into value[room]; false: it is not there. Pure. */
bool info_text(const char *info, const char *name, char *value, size_t room);

#endif
