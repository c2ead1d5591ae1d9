/* What a trace shows of one attempt: one operation, claimed once. As JSON it is a span of OTLP (ExportTraceServiceRequest
 * in its JSON mapping: ids in hex, 64-bit integers as strings), its attributes by the semantic conventions for messaging
 * where they have a word for it, and of ours where they have none. */
#ifndef BGOP_WORKER_TRACES_SPAN_H
#define BGOP_WORKER_TRACES_SPAN_H

#include "common/base/buf.h"
#include "worker/execution/execution.h"

enum { SPAN_BATCH_MAX = 512, SPAN_BATCH_MAX_BYTES = 4 * 1024 * 1024 };

struct span { /* a copy: the execution goes its own way */
    struct span *next;
    const char *type; /* its name; lives as long as the worker */
    char trace_id[33], parent_id[17];
    char id[ID_SIZE];
    uint64_t span_id;
    uint32_t attempt;
    int64_t started_at_ms, duration_ms;
    int member_count;
    enum entry_kind outcome;
    char execution_group[EXECUTION_NAME_SIZE];       /* "": it ran alone */
    const char *parent_key, *sequence_group, *error; /* "": none; in the same block of memory */
};

/* Of a member that is traced (attempt_trace.h), when its outcome is known. One block: free() gives it back. */
struct span *span_new(const struct execution *execution, const struct member *member);

struct span_source { /* who says it */
    const char *service_name, *instance, *worker_uri, *host, *prefix;
};
/* A whole request, of the spans from first on. */
void spans_write(struct buf *to, const struct span *first, const struct span_source *source);

#endif
