/* Absent values are absent variables, as they are null in the record. BGOP_DEADLINE_MS is the moment of the Timeout in
 * epoch milliseconds of the queue's clock (StartedAt + Timeout). */
#include "worker/handlers/exec_environment.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/memory.h"
#include "worker/execution/attempt_trace.h"

extern char **environ;

static void add(struct buf *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct buf *text, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    buf_vprintf(text, format, args);
    va_end(args);
    buf_append_char(text, '\0');
}

/* Each variable followed by a NUL. */
static void add_operation(struct buf *text, const struct execution *execution)
{
    const struct member *leader = execution_leader(execution);
    const struct claimed *op = leader->op;
    char name[EXECUTION_NAME_SIZE], trace[TRACEPARENT_SIZE];

    add(text, "BGOP_ID=%s", leader->id);
    add(text, "BGOP_ATTEMPT=%" PRIu32, token_attempt(leader->token));
    add(text, "BGOP_TOKEN=%" PRIu64, leader->token);
    add(text, "BGOP_DEADLINE_MS=%" PRId64, execution->started_at_ms + execution_timeout_ms(execution));
    if (op->parent_key[0])
        add(text, "BGOP_PARENT_KEY=%s", op->parent_key);
    if (op->traceparent[0])
        add(text, "TRACEPARENT=%s", attempt_traceparent(trace, execution, leader));
    if (execution->type->group) {
        add(text, "BGOP_MEMBERS=%d", execution->member_count);
        if (execution->member_count > 1)
            add(text, "BGOP_EXECUTION_GROUP=%s", execution_name(execution, name));
    } else if (op->sequence_group[0]) {
        add(text, "BGOP_SEQUENCE_GROUP=%s", op->sequence_group);
        add(text, "BGOP_SEQUENCE_NUMBER=%" PRId64, op->sequence_number);
    }
}

/* Of another operation, when the worker itself was started by a handler; and the tests' crash points. Addresses
 * (BGOP_KAFKA, BGOP_REDIS) stay: a handler may submit. */
static bool is_stale(const char *variable)
{
    static const char *const names[] = {
        "BGOP_ID=",      "BGOP_TYPE=",           "BGOP_PARENT_KEY=",
        "BGOP_ATTEMPT=", "BGOP_TOKEN=",          "BGOP_DEADLINE_MS=",
        "BGOP_MEMBERS=", "BGOP_SEQUENCE_GROUP=", "BGOP_SEQUENCE_NUMBER=",
        "BGOP_CRASH=",   "TRACEPARENT=",         "BGOP_EXECUTION_GROUP=",
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strncmp(variable, names[i], strlen(names[i])) == 0)
            return true;
    }
    return false;
}

static void add_inherited(struct buf *text)
{
    for (char **variable = environ; *variable; variable++) {
        if (!is_stale(*variable))
            buf_append(text, *variable, strlen(*variable) + 1);
    }
}

char **exec_environment_new(const struct execution *execution, bool all_executions)
{
    struct buf text;
    size_t count = 0, pointers;
    char **environment, *at;

    buf_init(&text, 16 * 1024 * 1024);
    add(&text, "BGOP_TYPE=%s", execution->type->config->name);
    if (!all_executions)
        add_operation(&text, execution);
    add_inherited(&text);
    for (size_t i = 0; i < text.size; i++)
        count += text.data[i] == '\0';
    pointers = (count + 1) * sizeof *environment;
    environment = xmalloc(pointers + text.size);
    at = (char *)environment + pointers;
    memcpy(at, text.data, text.size);
    for (size_t i = 0; i < count; i++, at += strlen(at) + 1)
        environment[i] = at;
    environment[count] = NULL;
    buf_release(&text);
    return environment;
}
