/* One HTTP request from start to settled outcome. Its memory is used again, its curl easy handle is not. Owned by http.c's
 * thread. */
#ifndef BGOP_WORKER_HANDLERS_HTTP_REQUEST_H
#define BGOP_WORKER_HANDLERS_HTTP_REQUEST_H

#include <curl/curl.h>

#include "common/base/buf.h"
#include "worker/execution/execution.h"

/* The options of one Type. */
struct http_type {
    char *url, *method;
    struct curl_slist *headers; /* configured ones */
    bool has_content_type;
    char *ca_file, *cert_file, *key_file; /* PEM; NULL: the system's authorities, no certificate of our own */
};
enum status http_type_new(const struct type_config *type, struct http_type **http_type, struct err *err) MUST_CHECK;
void http_type_free(struct http_type *type);

struct http_request {
    struct execution *execution;
    CURL *easy;
    struct curl_slist *headers;
    struct buf input; /* a group's array */
    struct buf body;  /* the answer's beginning: what may be needed of it */
    size_t body_total;
    int socket_error; /* errno, when none could be made */
    char error[CURL_ERROR_SIZE];
    struct http_request *next; /* idle ones */
};
struct http_request *http_request_new(void);
void http_request_free(struct http_request *request);

/* Sets up the easy handle; the caller adds it to its multi handle. */
void http_request_start(struct http_request *request, struct execution *execution);
/* Settles the outcomes from curl's verdict; why: it was stopped. Leaves an idle request. */
void http_request_finish(struct http_request *request, CURLcode code, enum stop_reason why);

#endif
