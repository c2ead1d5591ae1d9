/* The span of an attempt: one operation, claimed once. It stands in the trace that came with the submission, below the
 * span that submitted; whatever the handler does stands below it. Its id is made from the operation's and the token, so
 * nothing need be kept between the moment a handler is told of it and the one at which it is exported (worker/traces). */
#ifndef BGOP_WORKER_EXECUTION_ATTEMPT_TRACE_H
#define BGOP_WORKER_EXECUTION_ATTEMPT_TRACE_H

#include "common/record/traceparent.h"
#include "worker/execution/execution.h"

/* Is there a span of it? The sampled flag of the submission's trace decides, as everywhere in a trace. */
bool attempt_is_traced(const struct execution *execution, const struct member *member);
/* Never 0; the same for the same attempt, wherever it is asked. */
uint64_t attempt_span_id(const char *id, uint64_t token);
/* What its handler gets: the attempt's span, in text; the submission's own where there is none; "" without a trace. */
const char *attempt_traceparent(char text[TRACEPARENT_SIZE], const struct execution *execution,
                                const struct member *member);

#endif
