/* What the files of common/http share; nobody else includes it. */
#ifndef BGOP_HTTP_EDGE_H
#define BGOP_HTTP_EDGE_H

#include <microhttpd.h>
#include <sys/queue.h>

#include "common/http/http.h"

/* A connection of the server, in the order of their last sign of life: the first one goes when there is no place. */
struct http_client {
    TAILQ_ENTRY(http_client) entry;
    int descriptor;
    bool leaving; /* its descriptor was shut down; libmicrohttpd closes it in its next round */
};
TAILQ_HEAD(http_clients, http_client);

/* The server's thread calls all of these; no lock. */
struct http_places {
    struct http_clients clients;
    int count; /* without those that are leaving */
};
void http_places_init(struct http_places *places);
struct http_client *http_places_enter(struct http_places *places, int descriptor);
void http_places_alive(struct http_places *places, struct http_client *client);
void http_places_leave(struct http_places *places, struct http_client *client);

/* The first route that fits. NULL: answer says what would have been right. */
const struct http_route *http_route_find(const struct http_route *routes, const char *method, const char *path,
                                         struct http_answer *answer);

void http_answer_init(struct http_answer *answer);
void http_answer_release(struct http_answer *answer);
enum MHD_Result http_answer_send(struct http_answer *answer, struct MHD_Connection *connection);

#endif
