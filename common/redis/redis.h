/* The Redis edge: one connection, used by one thread; the only includer of hiredis. Blocking, with a timeout, and
 * pipelined: send several commands, then receive their replies in order. Of a Redis Cluster (an address of several servers)
 * it is a connection to each primary: a command goes to the one that has its key, and the replies come in the order of the
 * sends all the same (common/redis/nodes.h). By Sentinels it is a connection to the primary that they name
 * (common/redis/sentinel.h).
 *
 * After any error the connection is closed and never reused (a late reply would be read by the next command:
 * hiredis#306); the next send connects anew. Every reply outstanding at that moment is lost: receivers get
 * ST_AGAIN, and callers repeat what is idempotent. */
#ifndef BGOP_REDIS_REDIS_H
#define BGOP_REDIS_REDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/histogram.h"

struct redis;

/* uri: see common/server/redis_address.h. Does not connect. NULL: err says what is wrong with
 * the uri. timeout_ms bounds connecting and each wait for a reply. */
struct redis *redis_new(const char *uri, int timeout_ms, struct err *err);
/* A connection of its own to the same server, or, host not NULL, to another one of the same cluster with the same login; the
 * caller frees it. */
struct redis *redis_new_beside(const struct redis *redis, const char *host, int port, int timeout_ms);
void redis_free(struct redis *redis);
/* "127.0.0.1:6379" or the socket's path: for messages; never the password. */
const char *redis_address(const struct redis *redis);

/* The user of the address; "default". */
const char *redis_user(const struct redis *redis);

/* Connects when there is no connection. ST_AGAIN: err says which address, what was tried, the likely cause. Of a cluster it is
 * to all servers that are not away; one is enough. */
enum status redis_connect(struct redis *redis, struct err *err) MUST_CHECK;
bool redis_connected(const struct redis *redis);
/* Of a cluster: is the server of this shard away, and are others there? (One that was lost is away until it is found to answer
 * again, or another one has its slots.) A call on the shard answers ST_AGAIN then, and is not waited for; others go on. Of one
 * server false: without it nothing goes on. */
bool redis_shard_away(const struct redis *redis, int shard);
/* Also drops what is outstanding: nobody may receive it any more. */
void redis_disconnect(struct redis *redis);
/* Rises with every new connection: whoever keeps facts about the server reads them again when it changed. */
uint64_t redis_connection_number(const struct redis *redis);

/* A cluster, and not one server? */
bool redis_is_cluster(const struct redis *redis);
/* One server that Sentinels name? Another one may have its place after each new connection. */
bool redis_is_by_sentinel(const struct redis *redis);
/* What is said to each server and not to that of a key: calls visit with one connection after the other, each to a server of
 * its own that has slots; for one server with itself. Ends with the first that is not ST_OK. Nothing may be outstanding. */
typedef enum status redis_visit(void *arg, struct redis *server, struct err *err);
enum status redis_each_server(struct redis *redis, redis_visit *visit, void *arg, struct err *err) MUST_CHECK;
/* The same without the servers of a cluster that are away; the shards of those wait. */
enum status redis_each_there(struct redis *redis, redis_visit *visit, void *arg, struct err *err) MUST_CHECK;

/* How long this process has waited for answers: of the calls that one receive sent, to the first answer. */
struct histogram *redis_round_trips(void);

/* One argument of a command. */
struct redis_arg {
    const char *data;
    size_t size;
};
struct redis_command { /* arguments collected one by one; numbers are kept inside */
    struct redis_arg *args;
    size_t count, capacity;
    char *numbers;
    size_t numbers_used, numbers_capacity; /* chunked: pointers into it stay valid */
};
void redis_command_init(struct redis_command *command);
void redis_command_release(struct redis_command *command);
void redis_command_clear(struct redis_command *command);
void redis_command_add(struct redis_command *command, const char *data, size_t size); /* borrowed until sent */
void redis_command_add_text(struct redis_command *command, const char *text);         /* borrowed until sent */
void redis_command_add_int(struct redis_command *command, int64_t number);
void redis_command_add_uint(struct redis_command *command, uint64_t number);
/* AUTH2, user and password of this connection, as MIGRATE wants them: borrowed until sent. Nothing when it has none. */
void redis_command_add_login(struct redis_command *command, const struct redis *redis);
/* Adds so many empty arguments, to be set by what they are called (common/functions/wire_tables.h); answers the first's
 * index. */
size_t redis_command_add_fields(struct redis_command *command, size_t count);
void redis_command_set(struct redis_command *command, size_t index, const char *data, size_t size); /* borrowed */
void redis_command_set_text(struct redis_command *command, size_t index, const char *text);         /* borrowed */
void redis_command_set_int(struct redis_command *command, size_t index, int64_t number);
void redis_command_set_uint(struct redis_command *command, size_t index, uint64_t number);

/* Queues a command for sending (connects first when needed): each ST_OK is to be followed by one redis_receive,
 * also after an error in between. Any amount may be outstanding. */
enum status redis_send(struct redis *redis, const struct redis_command *command, struct err *err) MUST_CHECK;

enum redis_reply_kind { REDIS_NIL, REDIS_INTEGER, REDIS_TEXT, REDIS_STATUS, REDIS_ARRAY, REDIS_ERROR };
struct redis_reply; /* a view into hiredis' own; elements live as long as the whole */
/* Receives the next reply; the caller frees it. Error replies are classified: ST_FENCED (text begins "FENCED"),
 * ST_RECOVERING, ST_AGAIN (LOADING, BUSY, OOM, MISCONF, READONLY, MASTERDOWN, CLUSTERDOWN, TRYAGAIN, function not
 * loaded, I/O), ST_STALE ("STALE"), ST_INVALID (any other error reply); *reply is then NULL and err has its text. */
enum status redis_receive(struct redis *redis, struct redis_reply **reply, struct err *err) MUST_CHECK;
/* Sends what is queued, and looks: has an answer come (an error is one), which the next redis_receive gives at once? It answers
 * whose it is: of the call with this number, from the oldest, 0; -1: none has come. Of a cluster the answer of one server does
 * not wait for that of another. It does not notice a server that stands still: its caller has a time limit of its own. */
int redis_arrived(struct redis *redis);
/* No answer has come, and the server that has the oldest call is not waited for any longer: its connection ends, and all that
 * is outstanding there is answered with that. */
void redis_give_up_oldest(struct redis *redis);
/* What to wait on for that, at most `room` of them; answers how many there are. */
size_t redis_descriptors(const struct redis *redis, int *descriptors, size_t room);
void redis_reply_free(struct redis_reply *reply);
enum redis_reply_kind redis_reply_kind(const struct redis_reply *reply);
size_t redis_reply_count(const struct redis_reply *reply);                               /* of an array; else 0 */
const struct redis_reply *redis_reply_at(const struct redis_reply *reply, size_t index); /* NULL: beyond */
/* Text (or status) of a reply or array element: never NULL ("" for nil and other kinds); size may be NULL. */
const char *redis_reply_text(const struct redis_reply *reply, size_t *size);
int64_t redis_reply_int(const struct redis_reply *reply, int64_t otherwise); /* integer, or text of one */

/* A connection that is never waited for: one that listens (Pub/Sub: what comes are no answers in turn), or asks and looks
 * later. Nothing else is to be sent over it. Who wants it connects it (redis_connect), and again after an error, an error
 * reply too, which closes it. What is queued is sent when the next receive looks. */
enum status redis_enqueue(struct redis *redis, const struct redis_command *command, struct err *err) MUST_CHECK;
/* What has arrived next, without waiting: ST_OK with *reply NULL when nothing has; else ST_AGAIN. */
enum status redis_poll(struct redis *redis, struct redis_reply **reply, struct err *err) MUST_CHECK;

/* ST_AGAIN, and it was not away: it refuses our user (no or a wrong password, ACL), or the address is of another kind of
 * server, until a person changes that. */
bool redis_is_refusal(const struct err *err);

/* Send and receive in one: for tools, checks and tests; nothing may be outstanding. Arguments: texts, then NULL. */
enum status redis_call(struct redis *redis, struct redis_reply **reply, struct err *err, ...) MUST_CHECK
    __attribute__((sentinel));

#endif
