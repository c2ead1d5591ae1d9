/* What the files of common/redis share; nobody else includes it. */
#ifndef BGOP_REDIS_EDGE_H
#define BGOP_REDIS_EDGE_H

#include "common/redis/redis.h"
#include "common/server/causes.h"
#include "common/server/redis_address.h"
#include "common/server/redis_tls.h"

/* Most bytes that redis_command_write appends for this command. */
size_t redis_command_wire_max(const struct redis_command *command);
/* The command as RESP; returns behind the last byte. */
char *redis_command_write(const struct redis_command *command, char *to);

/* Room for so many bytes that lives as long as what the command borrows. */
enum { REDIS_SLOT_SIZE = 20 };
char *redis_command_slot(struct redis_command *command);
/* What begins behind index `first`, groups of `size` fields, becomes columns: at `first`, which is free, their text, then
 * what is the same in all, then the rows with what is not. No group: `first` is taken away. */
void redis_command_columns(struct redis_command *command, size_t first, size_t size);

/* The connection's own command, cleared: for callers that build and send in one go. */
struct redis_command *redis_scratch(struct redis *redis);

#endif
