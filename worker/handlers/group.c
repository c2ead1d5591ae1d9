/* JSON by jansson: group members are few (merge_max) and their handlers dear, so convenience wins over speed here. */
#include "worker/handlers/group.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/text.h"

/* ---- members ---- */

static json_t *text_or_null(const char *text)
{
    return text[0] ? json_string(text) : json_null();
}

static void set_payload(json_t *object, const struct claimed *op)
{
    json_t *text = json_stringn(op->payload ? op->payload : "", op->payload_size);
    char *base64;

    if (text) {
        json_object_set_new(object, "Payload", text);
        return;
    }
    base64 = xmalloc(BASE64_SIZE(op->payload_size));
    text_base64_encode(base64, op->payload, op->payload_size);
    json_object_set_new(object, "PayloadBase64", json_string(base64));
    free(base64);
}

static json_t *member_json(const struct member *member)
{
    const struct claimed *op = member->op;
    json_t *object = json_object();

    json_object_set_new(object, "Id", json_string(member->id));
    json_object_set_new(object, "Token", json_integer((json_int_t)member->token));
    json_object_set_new(object, "Attempt", json_integer(token_attempt(member->token)));
    json_object_set_new(object, "ParentKey", text_or_null(op->parent_key));
    json_object_set_new(object, "SequenceGroup", text_or_null(op->sequence_group));
    json_object_set_new(object, "SequenceNumber",
                        op->sequence_number >= 0 ? json_integer(op->sequence_number) : json_null());
    set_payload(object, op);
    return object;
}

static int append(const char *data, size_t size, void *to)
{
    return buf_append(to, data, size) ? 0 : -1;
}

static void write_json(struct buf *to, json_t *value)
{
    (void)json_dump_callback(value, append, to, JSON_COMPACT); /* failing: the buffer says so */
    json_decref(value);
}

void group_write_lines(struct buf *to, const struct execution *execution)
{
    for (int i = 0; i < execution->member_count; i++) {
        write_json(to, member_json(&execution->members[i]));
        buf_append_char(to, '\n');
    }
}

void group_write_array(struct buf *to, const struct execution *execution)
{
    buf_append_char(to, '[');
    for (int i = 0; i < execution->member_count; i++) {
        if (i > 0)
            buf_append_char(to, ',');
        write_json(to, member_json(&execution->members[i]));
    }
    buf_append_char(to, ']');
}

/* ---- answers ---- */

static void complain(struct group_answers *answers, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void complain(struct group_answers *answers, const char *format, ...)
{
    char text[sizeof answers->complaint];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (answers->complaint[0] == '\0')
        text_copy(answers->complaint, sizeof answers->complaint, text, strlen(text));
    log_error_text(LOG_LEVEL_WARNING, "answer ignored", text, "type=%s op=%s", answers->execution->type->config->name,
                   execution_leader(answers->execution)->id);
}

static struct member *find_member(struct execution *execution, const char *id)
{
    for (int i = 0; i < execution->member_count; i++)
        if (strcmp(execution->members[i].id, id) == 0)
            return &execution->members[i];
    return NULL;
}

static enum entry_kind outcome_kind(const char *name)
{
    static const enum entry_kind kinds[] = { ENTRY_OK, ENTRY_ERROR, ENTRY_PERMANENT, ENTRY_SKIPPED };

    for (size_t i = 0; name && i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(name, entry_kind_name(kinds[i])) == 0)
            return kinds[i];
    return 0;
}

/* A string stands for its own bytes, anything else for its compact text. */
static void set_result(struct outcome *outcome, const json_t *result)
{
    char *text;

    if (json_is_string(result)) {
        outcome_set_result(outcome, json_string_value(result), json_string_length(result), json_string_length(result));
    } else if (result && !json_is_null(result)) {
        text = json_dumps(result, JSON_COMPACT | JSON_ENCODE_ANY);
        outcome_set_result(outcome, text, strlen(text), strlen(text));
        free(text);
    }
}

static void read_answer(struct group_answers *answers, const json_t *answer)
{
    const char *id = json_string_value(json_object_get(answer, "Id"));
    const json_t *error = json_object_get(answer, "Error"), *retry = json_object_get(answer, "RetryAfterMs");
    const char *outcome_name = json_string_value(json_object_get(answer, "Outcome"));
    enum entry_kind kind = outcome_kind(outcome_name);
    struct member *member;

    if (!id || !(member = find_member(answers->execution, id))) {
        complain(answers, "an answer %s%.40s", id ? "names an Id that is no member: " : "has no Id", id ? id : "");
        return;
    }
    if (kind == 0) {
        outcome_setf(&member->outcome, ENTRY_ERROR,
                     "the handler answered Outcome \"%s\": expected ok, error, permanent or skipped",
                     outcome_name ? outcome_name : "");
        return;
    }
    outcome_set(&member->outcome, kind, json_string_value(error), json_string_length(error));
    if ((kind == ENTRY_ERROR || kind == ENTRY_PERMANENT) && !member->outcome.text)
        outcome_setf(&member->outcome, kind, "the handler answered \"%s\" without an Error", outcome_name);
    member->outcome.retry_after_ms =
        json_is_integer(retry) && json_integer_value(retry) >= 0 ? json_integer_value(retry) : -1;
    set_result(&member->outcome, json_object_get(answer, "Result"));
}

void group_answers_init(struct group_answers *answers, struct execution *execution)
{
    answers->execution = execution;
    answers->complaint[0] = '\0';
    buf_init(&answers->line, GROUP_LINE_MAX_BYTES);
}

void group_answers_release(struct group_answers *answers)
{
    buf_release(&answers->line);
}

static bool is_blank(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (!strchr(" \t\r\n", text[i]))
            return false;
    return true;
}

void group_answers_end_lines(struct group_answers *answers)
{
    json_error_t problem;
    json_t *value;

    if (answers->line.overflow) {
        complain(answers, "an answer's line is longer than %d bytes", GROUP_LINE_MAX_BYTES);
    } else if (answers->line.size > 0 && !is_blank(answers->line.data, answers->line.size)) {
        value = json_loadb(answers->line.data, answers->line.size, JSON_ALLOW_NUL, &problem);
        if (json_is_object(value))
            read_answer(answers, value);
        else
            complain(answers, "an answer's line is no JSON object%s%s", value ? "" : ": ", value ? "" : problem.text);
        json_decref(value);
    }
    buf_clear(&answers->line);
}

void group_answers_feed_lines(struct group_answers *answers, const char *data, size_t size)
{
    while (size > 0) {
        const char *end = memchr(data, '\n', size);
        size_t length = end ? (size_t)(end - data) : size;

        if (!answers->line.overflow)
            buf_append(&answers->line, data, length);
        if (!end)
            break;
        group_answers_end_lines(answers);
        data += length + 1;
        size -= length + 1;
    }
}

void group_answers_read_array(struct group_answers *answers, const char *data, size_t size)
{
    json_error_t problem;
    json_t *array = json_loadb(data ? data : "", size, JSON_ALLOW_NUL, &problem);
    const json_t *value;
    size_t i;

    if (!json_is_array(array))
        complain(answers, "the answer is no JSON array%s%s", array ? "" : ": ", array ? "" : problem.text);
    json_array_foreach(array, i, value)
    {
        read_answer(answers, value);
    }
    json_decref(array);
}

void group_answers_finish(struct group_answers *answers)
{
    execution_settlef(answers->execution, execution_failure(answers->execution),
                      "the handler gave no answer for this operation%s%s", answers->complaint[0] ? ": " : "",
                      answers->complaint);
}
