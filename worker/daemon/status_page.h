/* What WorkerUri answers with: GET / for people, GET /json for programs: instance, Types, slots, and what is running.
 * GET /metrics for Prometheus (common/metrics/), /healthz and /readyz for whoever keeps it running (readiness.h). */
#ifndef BGOP_WORKER_DAEMON_STATUS_PAGE_H
#define BGOP_WORKER_DAEMON_STATUS_PAGE_H

#include "worker/daemon/status_source.h"

struct status_page;

/* Listens at the configuration's [worker] listen: address:port (port 0: any; IPv6 addresses in brackets). Fills
 * identity->uri. ST_INVALID: listen, or the address of Redis, cannot be read; ST_FAILED: it cannot be bound. */
struct status_page *status_page_start(const struct config *config, struct identity *identity, struct err *err);
void status_page_show(struct status_page *page, const struct status_source *source);
void status_page_stop(struct status_page *page);

#endif
