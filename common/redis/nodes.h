/* The servers of a Redis Cluster behind one struct redis: a connection to each, a map of who has which slot, and the order of
 * answers. For the files of common/redis alone: everybody else speaks to struct redis, whatever is behind it.
 *
 * What is sent goes to the server that has its key's slot; the pipelines of the servers run side by side. A server that has not
 * (MOVED) says who has, and the call is repeated there. A call on a shard that is just being moved (ASK) is not repeated at its
 * new server: only a part of its keys is there yet. It answers ST_AGAIN until the shard is whole again. */
#ifndef BGOP_REDIS_NODES_H
#define BGOP_REDIS_NODES_H

#include "common/redis/redis.h"
#include "common/server/redis_address.h"

struct nodes;

struct nodes *nodes_new(const struct redis_address *address, int timeout_ms);
void nodes_free(struct nodes *nodes);

/* Learns the map and connects all that have slots, but those that are away. ST_INVALID: it is no cluster. ST_AGAIN: none of
 * them is there, or nobody has some slot. */
enum status nodes_connect(struct nodes *nodes, struct err *err) MUST_CHECK;
bool nodes_connected(const struct nodes *nodes);
bool nodes_away(const struct nodes *nodes, int shard); /* redis_shard_away */
void nodes_disconnect(struct nodes *nodes);
/* Rises with every new connection and with every new map. */
uint64_t nodes_connection_number(const struct nodes *nodes);

/* Always ST_OK: that a server is away is told by its receive, so that a round goes on with the others. */
enum status nodes_send(struct nodes *nodes, const struct redis_command *command, struct err *err) MUST_CHECK;
enum status nodes_receive(struct nodes *nodes, struct redis_reply **reply, struct err *err) MUST_CHECK;
int nodes_arrived(struct nodes *nodes);
void nodes_give_up(struct nodes *nodes); /* the oldest call has no answer, and no other has one that was not received */
/* Of all that are connected: each may owe an answer, or tell something unasked. */
size_t nodes_descriptors(const struct nodes *nodes, int *descriptors, size_t room);
enum status nodes_enqueue(struct nodes *nodes, const struct redis_command *command, struct err *err) MUST_CHECK;
enum status nodes_poll(struct nodes *nodes, struct redis_reply **reply, struct err *err) MUST_CHECK;

/* The run id of the server that gave the last answer; "": not asked for since it was connected. */
const char *nodes_run_id(const struct nodes *nodes);
/* Asks all that are connected for theirs. */
enum status nodes_identify(struct nodes *nodes, struct err *err) MUST_CHECK;
/* all: ST_AGAIN when one is away; else those that are there. */
enum status nodes_each(struct nodes *nodes, bool all, redis_visit *visit, void *arg, struct err *err) MUST_CHECK;

#endif
