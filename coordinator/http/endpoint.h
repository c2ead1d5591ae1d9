/* The HTTP endpoint: records and queries for whoever speaks the Salesforce REST API, read-only. README.md lists what is
 * served. It has threads of its own, with a Redis connection each, and shares nothing with the loops but the
 * configuration and numbers that they count anyway, so it can neither stop nor slow them. */
#ifndef BGOP_COORDINATOR_HTTP_ENDPOINT_H
#define BGOP_COORDINATOR_HTTP_ENDPOINT_H

#include "common/config/config.h"
#include "coordinator/http/about.h"

enum { ENDPOINT_DESCRIPTORS = 160 }; /* connections of clients, and to Redis: one for each thread and one */

struct endpoint;

/* As [http] of the configuration says, which is borrowed; *endpoint NULL: it says that there is none. about is copied, and
 * may be NULL. ST_INVALID: only a person can change what is wrong; ST_FAILED: it cannot be bound. Redis is asked when
 * somebody asks here. */
enum status endpoint_start(struct endpoint **endpoint, const struct config *config, const struct endpoint_about *about,
                           struct err *err) MUST_CHECK;
int endpoint_port(const struct endpoint *endpoint);
/* NULL is fine. */
void endpoint_stop(struct endpoint *endpoint);

#endif
