/* What the files of this folder share. Each serves some routes (endpoint.c has the table of them). */
#ifndef BGOP_COORDINATOR_HTTP_SURFACE_H
#define BGOP_COORDINATOR_HTTP_SURFACE_H

#include <pthread.h>
#include <stdatomic.h>

#include "common/config/config.h"
#include "common/http/http.h"
#include "common/query/ask.h"
#include "common/record/id.h"
#include "coordinator/http/about.h"
#include "coordinator/http/events.h"
#include "coordinator/http/locators.h"
#include "coordinator/http/token.h"

/* Of the API; every one of them has the same fields. Collections are there from COLLECTIONS on. */
enum { VERSION_FIRST = 35, VERSION_LAST = 66, VERSION_COLLECTIONS = 42 };

#define OBJECT_NAME "BackgroundOperation"

enum { HANDLER_THREADS = 4 };

struct link { /* of one thread */
    struct redis *redis;
    int64_t used_at_ms;
};

struct endpoint {
    const struct config *config;
    struct http_server *server;
    struct token reader, operator;
    struct link links[HANDLER_THREADS];
    struct locators locators;
    struct events *events;
    struct endpoint_about about;
    pthread_mutex_t numbers_lock;
    struct queue_metrics *numbers; /* under that lock */
    atomic_bool stopping;
};

/* ---- one request (call.c) ---- */
struct call {
    struct endpoint *endpoint;
    const struct http_request *request;
    struct http_answer *answer;
    int version; /* of the API, as the path has it: it comes back in every URL */
    struct ask ask;
    struct err err;
};
/* false: the path names another version than there are, or (call_begin_object) another object; that is answered. */
bool call_begin(struct call *call, void *arg, const struct http_request *request, struct http_answer *answer);
bool call_begin_object(struct call *call, void *arg, const struct http_request *request, struct http_answer *answer);
/* Of our own paths, which have no version and no object. */
void call_begin_own(struct call *call, void *arg, const struct http_request *request, struct http_answer *answer);
/* Answers what call->err says: what a client did wrong, or what is away here. */
void call_failed(struct call *call);
void call_answer(struct call *call, int status, json_t *value);
/* "/services/data/v66.0/sobjects/BackgroundOperation/<Id>"; id NULL: of the object. */
json_t *call_url(const struct call *call, const char *id);
/* {"type":"BackgroundOperation","url":"..."} */
json_t *call_attributes(const struct call *call, const char *id);
/* http://host:port, as the client or [http] page_url calls us. */
void call_base(const struct call *call, char *to, size_t room);

/* ---- errors.c: an array of one error, as every answer of 400 and more is ---- */
void answer_error(struct http_answer *answer, int status, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void answer_not_found(struct http_answer *answer);
void answer_failure(struct http_answer *answer, const struct err *err);
/* What is refused before any route is reached; http_refuse and http_admit of http.h. */
http_refuse surface_refuse;
http_admit surface_admit;
enum access {
    ACCESS_TOKEN,          /* who may read: either token */
    ACCESS_OPEN,           /* everybody */
    ACCESS_TOKEN_ARGUMENT, /* as ACCESS_TOKEN, also as oauth_token= */
    ACCESS_OPERATOR,       /* who may act: the operator's token */
};

/* ---- routes ---- */
http_route_handler show_versions, show_resources, show_composite, show_limits, show_search; /* roots.c */
http_route_handler show_userinfo, show_identity;                                            /* identity.c */
http_route_handler show_sobjects, show_object, show_describe;                               /* describe.c */
http_route_handler show_record, show_by_field, show_many, take_many;                        /* records.c */
http_route_handler show_updated, show_deleted;                                              /* replication.c */
http_route_handler show_query, show_more;                                                   /* query.c */
http_route_handler take_action, show_actions, show_action, take_abort;                      /* actions.c */
http_route_handler show_session, show_stats, show_history, show_blocked;                    /* dashboard.c */
http_route_handler show_workers, show_paused;                                               /* dashboard.c */
http_route_handler show_operations, show_operation;                                         /* operations.c */
http_route_handler show_page, show_events;                                                  /* page.c */
http_route_handler show_metrics, show_alive, show_ready;                                    /* numbers.c */

/* ---- identity.c ---- */
/* <base>/id/<organisation>/<user> */
json_t *identity_url(const char *base);
/* The one User there is: true when id (15 or 18 characters) is its, and that is answered. */
bool show_user(struct call *call, const char *id);

#endif
