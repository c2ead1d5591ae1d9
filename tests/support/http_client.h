/* A client for our own HTTP servers: one request a connection, nothing resolved or followed. */
#ifndef TESTS_SUPPORT_HTTP_CLIENT_H
#define TESTS_SUPPORT_HTTP_CLIENT_H

#include <stddef.h>

struct http_reply {
    int status;
    char *head; /* with the status line */
    char *body; /* NUL behind it */
    size_t size;
};

/* headers: lines that each end in \r\n, or ""; body NULL: none. The test fails when there is no answer. The reply is
 * good until the next call. */
const struct http_reply *http_client_ask(int port, const char *method, const char *path, const char *headers,
                                         const char *body);

#endif
