#include "worker/execution/attempt_trace.h"

#include <string.h>

#include "common/base/checksum.h"

bool attempt_is_traced(const struct execution *execution, const struct member *member)
{
    const char *trace = member->op->traceparent;

    return execution->type->traced && trace[0] && traceparent_is_valid(trace, strlen(trace)) &&
           traceparent_is_sampled(trace);
}

uint64_t attempt_span_id(const char *id, uint64_t token)
{
    uint64_t span_id = checksum_crc64(checksum_crc64(0, id, strlen(id)), &token, sizeof token);

    return span_id ? span_id : 1;
}

const char *attempt_traceparent(char text[TRACEPARENT_SIZE], const struct execution *execution,
                                const struct member *member)
{
    if (!attempt_is_traced(execution, member))
        return member->op->traceparent;
    traceparent_child(text, member->op->traceparent, attempt_span_id(member->id, member->token));
    return text;
}
