/* What WorkerUri answers with: GET / for people, GET /json for programs: instance, Types, slots, and what is running.
 */
#ifndef BGOP_WORKER_DAEMON_STATUS_PAGE_H
#define BGOP_WORKER_DAEMON_STATUS_PAGE_H

#include "worker/lease/identity.h"
#include "worker/lease/inflight.h"
#include "worker/claim/slots.h"
#include "worker/handlers/types.h"

struct status_page;
struct status_source { /* what it shows; set before the worker starts to claim */
    const struct identity *identity;
    const struct types *types;
    const struct slots *slots;
    struct inflight *inflight;
    size_t (*undelivered)(void *arg);
    void *arg;
};

/* listen: address:port (port 0: any; IPv6 addresses in brackets). Fills identity->uri. ST_INVALID: listen cannot be
 * read; ST_FAILED: it cannot be bound. */
struct status_page *status_page_start(const char *listen, struct identity *identity, struct err *err);
void status_page_show(struct status_page *page, const struct status_source *source);
void status_page_stop(struct status_page *page);

#endif
