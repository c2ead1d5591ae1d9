#include "worker/traces/span.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/memory.h"
#include "worker/execution/attempt_trace.h"

/* ---- copying ---- */

static const char *keep(char **room, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = memcpy(*room, text, size);

    *room += size;
    return copy;
}

struct span *span_new(const struct execution *execution, const struct member *member)
{
    const struct claimed *op = member->op;
    const char *error = member->outcome.text ? member->outcome.text : "";
    struct span *span = xmalloc(sizeof *span + strlen(op->parent_key) + strlen(op->sequence_group) + strlen(error) + 3);
    char *room = (char *)(span + 1);

    *span = (struct span){
        .type = execution->type->config->name,
        .span_id = attempt_span_id(member->id, member->token),
        .attempt = token_attempt(member->token),
        .started_at_ms = execution->started_at_ms,
        .duration_ms = execution->duration_ms,
        .member_count = execution->member_count,
        .outcome = member->outcome.kind,
    };
    memcpy(span->trace_id, traceparent_trace_id(op->traceparent), TRACE_ID_LENGTH);
    memcpy(span->parent_id, traceparent_span_id(op->traceparent), SPAN_ID_LENGTH);
    memcpy(span->id, member->id, ID_SIZE);
    if (execution->member_count > 1)
        (void)execution_name(execution, span->execution_group);
    span->parent_key = keep(&room, op->parent_key);
    span->sequence_group = keep(&room, op->sequence_group);
    span->error = keep(&room, error);
    return span;
}

/* ---- as JSON ---- */

static void add_key(struct buf *to, const char *key)
{
    buf_printf(to, "%s{\"key\":\"%s\",\"value\":", to->size && to->data[to->size - 1] == '}' ? "," : "", key);
}

static void add_text(struct buf *to, const char *key, const char *value)
{
    if (!value[0])
        return;
    add_key(to, key);
    buf_append_string(to, "{\"stringValue\":");
    buf_append_json(to, value, strlen(value));
    buf_append_string(to, "}}");
}

static void add_int(struct buf *to, const char *key, int64_t value)
{
    add_key(to, key);
    buf_printf(to, "{\"intValue\":\"%" PRId64 "\"}}", value);
}

static bool is_failure(enum entry_kind outcome)
{
    return outcome != ENTRY_OK && outcome != ENTRY_SKIPPED && outcome != ENTRY_RETURNED;
}

static void add_attributes(struct buf *to, const struct span *span, const struct span_source *source)
{
    char topic[512];

    snprintf(topic, sizeof topic, "%s.%s", source->prefix, span->type);
    buf_append_string(to, "\"attributes\":[");
    add_text(to, "messaging.system", "bgop");
    add_text(to, "messaging.operation.name", "process");
    add_text(to, "messaging.operation.type", "process");
    add_text(to, "messaging.destination.name", topic);
    add_text(to, "messaging.message.id", span->id);
    if (span->member_count > 1)
        add_int(to, "messaging.batch.message_count", span->member_count);
    add_text(to, "bgop.id", span->id);
    add_text(to, "bgop.type", span->type);
    add_text(to, "bgop.parent_key", span->parent_key);
    add_text(to, "bgop.sequence_group", span->sequence_group);
    add_text(to, "bgop.execution_group", span->execution_group);
    add_int(to, "bgop.attempt", span->attempt);
    add_text(to, "bgop.outcome", entry_kind_name(span->outcome));
    add_text(to, "bgop.error", span->error);
    if (is_failure(span->outcome))
        add_text(to, "error.type", entry_kind_name(span->outcome));
    buf_append_string(to, "],");
}

/* What succeeded leaves its status unset, as the conventions ask of instrumentation. */
static void add_status(struct buf *to, const struct span *span)
{
    buf_append_string(to, "\"status\":{");
    if (is_failure(span->outcome)) {
        buf_append_string(to, "\"code\":2,\"message\":");
        buf_append_json(to, span->error, strlen(span->error));
    }
    buf_append_string(to, "}");
}

static void add_span(struct buf *to, const struct span *span, const struct span_source *source)
{
    enum { KIND_CONSUMER = 5, FLAGS = 0x301 }; /* sampled; whether the parent is remote is known; it is */

    buf_printf(to, "{\"traceId\":\"%s\",\"spanId\":\"%016" PRIx64 "\",\"parentSpanId\":\"%s\",\"flags\":%d,",
               span->trace_id, span->span_id, span->parent_id, FLAGS);
    buf_printf(to, "\"name\":\"process %s\",\"kind\":%d,", span->type, KIND_CONSUMER);
    buf_printf(to, "\"startTimeUnixNano\":\"%" PRId64 "000000\",\"endTimeUnixNano\":\"%" PRId64 "000000\",",
               span->started_at_ms, span->started_at_ms + span->duration_ms);
    add_attributes(to, span, source);
    add_status(to, span);
    buf_append_char(to, '}');
}

void spans_write(struct buf *to, const struct span *first, const struct span_source *source)
{
    buf_append_string(to, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[");
    add_text(to, "service.name", source->service_name);
    add_text(to, "service.version", BGOP_VERSION);
    add_text(to, "service.instance.id", source->instance);
    add_text(to, "host.name", source->host);
    add_text(to, "bgop.worker_uri", source->worker_uri);
    buf_append_string(to, "]},\"scopeSpans\":[{\"scope\":{\"name\":\"bgop-worker\",\"version\":\"" BGOP_VERSION
                          "\"},\"spans\":[");
    for (const struct span *span = first; span; span = span->next) {
        if (span != first)
            buf_append_char(to, ',');
        add_span(to, span, source);
    }
    buf_append_string(to, "]}]}]}");
}
