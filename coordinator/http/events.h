/* The stream of events of the page: one reader of Redis, whoever many look. It reads while somebody looks, and some
 * seconds longer, so that a connection that breaks can go on where it was. */
#ifndef BGOP_COORDINATOR_HTTP_EVENTS_H
#define BGOP_COORDINATOR_HTTP_EVENTS_H

#include "common/base/err.h"
#include "common/http/feed.h"

enum { EVENTS_CLIENTS_MAX = 16 };

struct events;

/* NULL: err says why. */
struct events *events_start(const char *redis_url, struct err *err);
/* Ends the streams: before the end of the server that serves them. */
void events_close(struct events *events);
/* Behind that end. NULL is fine. */
void events_free(struct events *events);

/* Answers with the stream; after: the id of the last event that the client has, NULL when it has none. false: there are
 * enough clients. */
bool events_follow(struct events *events, const struct http_request *request, struct http_answer *answer,
                   const char *after);

#endif
