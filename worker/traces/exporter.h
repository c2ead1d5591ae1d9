/* Spans of attempts to whoever collects traces: OTLP over HTTP, as JSON. A thread of its own sends them in batches; what
 * handlers and outcomes wait for, it never is: the queue to it is bounded, and what finds it full is dropped and counted.
 *
 * A receiver that is away, too slow, or says that it is busy (429, 502, 503, 504) gets its batch again, later and later
 * up to half a minute apart. One that refuses a batch (400, 401 ...) does not get it again. Either is logged once. */
#ifndef BGOP_WORKER_TRACES_EXPORTER_H
#define BGOP_WORKER_TRACES_EXPORTER_H

#include "worker/execution/execution.h"

enum { EXPORTER_MOST_SPANS = 8192 }; /* waiting; about 4 MiB */

struct exporter;

struct exporter_parts { /* texts live as long as the exporter */
    const char *url, *headers_file, *service_name;
    const char *prefix, *instance, *worker_uri, *host;
};
/* ST_INVALID: the file of headers cannot be used. */
enum status exporter_start(struct exporter **exporter, const struct exporter_parts *parts, struct err *err) MUST_CHECK;
/* Those members that are traced; from any thread, with outcomes known and payloads still there. */
void exporter_add(struct exporter *exporter, struct execution *const *executions, size_t count);
/* What waits is sent once more, for at most so long; then the thread ends. */
void exporter_stop(struct exporter *exporter, int timeout_ms);

uint64_t exporter_exported(const struct exporter *exporter);
uint64_t exporter_dropped(const struct exporter *exporter);

#endif
