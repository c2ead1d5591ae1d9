/* One run of bgopctl: its configuration and its connections, opened when first needed. Functions that answer an int
 * answer an exit code: EXIT_OK, or the one to leave with, after having said why on stderr. */
#ifndef BGOP_CTL_SESSION_H
#define BGOP_CTL_SESSION_H

#include <jansson.h>
#include <stdbool.h>

#include "common/client/bgop.h"
#include "common/config/config.h"
#include "common/record/id.h"
#include "common/redis/redis.h"

enum {
    SESSION_TIMEOUT_MS = 5000,     /* for one answer of a server */
    SESSION_RECOVERING_MS = 10000, /* how long a recovery is waited out before saying so */
    SESSION_RETRIEVE_MAX = 200,    /* Ids of one bgop_retrieve */
};

struct session {
    struct config config;
    bool json;
    struct redis *redis;             /* NULL: not opened yet */
    struct bgop *client;             /* libbgop; NULL: not opened yet */
    struct kafka_producer *commands; /* for bgop.command; NULL: not opened yet */
    int shards;                      /* 0: not read yet */
    struct kafka_log *logs;          /* of the submit topic, as missing.c last asked; NULL: not asked */
    int log_count;
    int64_t logs_read_ms;
    struct err logs_err; /* why they could not be read; asked once a run */
};

void session_init(struct session *session);
void session_release(struct session *session);

/* "bgopctl: text" on stderr; answers code. */
int session_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The exit code for a status, with err's text said. */
int session_fail_status(const struct err *err);
/* The same for libbgop's codes. */
int session_fail_client(struct session *session, enum bgop_code code);

int session_redis(struct session *session);
/* libbgop for reading only: Kafka is not asked. */
int session_client_reads(struct session *session);
/* libbgop, checked: both servers answer and the queue was started. */
int session_client(struct session *session);
/* Before anything is sent: do the prefix and the Kafka of the configuration belong to this Redis? EXIT_CONFIG: they do not. */
int session_queue_check(struct session *session);
/* bgop:meta shards -> session->shards. */
int session_shards(struct session *session);

/* FCALL_RO function 0 args...: its answer as JSON, owned by the caller. A recovery is waited out for a while. */
int session_call(struct session *session, json_t **answer, const char *function, const char *const *args, size_t count);
/* session_call for one page after the other, the cursor behind args: until it is null or on_page answers false. */
typedef bool session_on_page(void *arg, const json_t *page);
int session_call_pages(struct session *session, const char *function, const char *const *args, size_t count,
                       session_on_page *on_page, void *arg);
/* bgop_find, page after page: query is the object without its cursor (set and unset in the course). */
int session_find(struct session *session, json_t *query, session_on_page *on_page, void *arg);
/* Rows of ids, in their order, null for those that are not there; fields: comma-separated or "*". Any count. */
int session_retrieve(struct session *session, json_t **rows, const char *fields, char (*ids)[ID_SIZE], size_t count);

/* An operand that names an operation: an Id (15 or 18 characters), else a Name. MISSING is said and EXIT_FAILED. */
int session_resolve(struct session *session, const char *operand, char id[ID_SIZE]);
/* Waits, some seconds at most, until the submissions that these Ids name have been read: an Id is known before its
 * record. */
void session_await_records(struct session *session, char (*ids)[ID_SIZE], size_t count);
/* An Id that a delivery report told: waits a moment for its record, and follows when its partition gets a new epoch. */
void session_settle_id(struct session *session, char id[ID_SIZE]);
/* Is its record there? Also true when that cannot be asked. */
bool session_is_recorded(struct session *session, const char *id);
/* All operands; ids is an array of count, owned by the caller. */
int session_resolve_all(struct session *session, char **operands, int count, char (**ids)[ID_SIZE]);

#endif
