/* Why a server does not serve, and what to do about it: told by the error, not by the call that met it. One table for each
 * library; the programs and libbgop share them. Nothing here allocates. */
#ifndef BGOP_SERVER_CAUSES_H
#define BGOP_SERVER_CAUSES_H

#include <stdbool.h>

#include "common/base/err.h"

/* ---- Redis ---- */
struct redis_error {
    const char *begin;   /* of an error reply: a word, or words */
    enum status status;  /* what it asks of the caller. AGAIN: the server, not the call, is the matter */
    bool new_connection; /* a new connection may fare better */
    bool denied;         /* no access: somebody has to grant it */
    const char *cause;   /* what to do; NULL: the reply is a verdict on the call */
};
#define REDIS_IS_SENTINEL "it is a Sentinel"
/* NULL: the reply is a verdict on the call, ST_INVALID. */
const struct redis_error *redis_error_find(const char *reply);
/* What to do about a connection that could not be made or broke: errno (0: unknown) and the text that the library gives,
 * which may be an error reply. Never NULL; "" when there is nothing to add. */
const char *redis_connect_cause(int number, const char *text, bool is_socket);

/* ---- Kafka ---- */
/* What to do about an error of librdkafka: its code and what it says. Never NULL; "" when there is nothing to add. */
const char *kafka_cause(int code, const char *text);
/* Is it worth remembering why the brokers are away, in place of what was said before? "All brokers are down" and a plain
 * disconnect come behind the reason, and do not replace it. */
bool kafka_cause_replaces(int code, const char *text, int code_before);

#endif
