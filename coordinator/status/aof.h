/* The file that Redis came back from. */
#ifndef COORDINATOR_STATUS_AOF_H
#define COORDINATOR_STATUS_AOF_H

#include "common/redis/redis.h"

/* Has Redis write its append-only file anew, unless this server has done so since it started, is at it, or has none.
 *
 * After a loss of power the file may end in the middle of a call's effects (MULTI ... EXEC). Redis 7.0 then forgets that
 * call, but keeps the whole commands of it in the file, and goes on writing behind them: at its next start they are run
 * together with what came later, half a call long after its time, and counters and indexes are wrong for ever. A
 * file that is written anew holds what Redis has in memory. Whether the file was torn cannot be asked for, so this is done
 * after each start.
 *
 * A Redis that refuses (a hosted one, an ACL) goes on without. */
void aof_renew(struct redis *redis);

#endif
