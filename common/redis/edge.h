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

/* ---- for nodes.c: a connection to one server of a cluster ---- */

struct redis *redis_new_at(const struct redis_address *address, int timeout_ms);
/* A command that was written before: its bytes. */
enum status redis_send_written(struct redis *redis, const char *bytes, size_t size, struct err *err) MUST_CHECK;
/* Writes what is queued. */
enum status redis_write_out(struct redis *redis, struct err *err) MUST_CHECK;
/* What the last receive got, as the server wrote it; "": it was no error reply. */
const char *redis_error_reply(const struct redis *redis);
/* Of one connection: what redis_arrived says of it. */
bool redis_answer_here(struct redis *redis);
/* Closes: it has had a call for too long. */
void redis_give_up(struct redis *redis, struct err *err);
/* Closes, with this as the reason. */
enum status redis_break(struct redis *redis, const char *text, struct err *err);
/* Of a cluster: the run id of the server that answered last, "" when it is not known; NULL: of one server. */
const char *redis_answering_run_id(const struct redis *redis);
/* Of a cluster: all run ids are asked for. */
enum status redis_identify(struct redis *redis, struct err *err) MUST_CHECK;

#endif
