/* Is this a Redis that keeps what it is told? Checked at start (R34): some settings are refused, some worth a
 * warning. */
#ifndef BGOP_COORDINATOR_REDIS_SETTINGS_H
#define BGOP_COORDINATOR_REDIS_SETTINGS_H

#include <stdbool.h>

#include "common/redis/redis.h"
#include "coordinator/setting.h"

/* What one setting's value means for the queue; err says what to change. Settings that are not in our table are fine.
 * Pure. Names of CONFIG GET, and redis_version, role, cluster_enabled of INFO. */
enum setting_verdict redis_setting_check(const char *name, const char *value, struct err *err);
/* Asks the server for all of them. Doubtful ones are logged. ST_INVALID: err says what to change. ST_AGAIN: away. */
enum status redis_settings_check(struct redis *redis, struct err *err) MUST_CHECK;
/* One word of an INFO text, copied into value[room]; false: it is not there. Pure. */
bool info_text(const char *info, const char *name, char *value, size_t room);

#endif
