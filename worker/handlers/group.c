/* Members are written by jansson: they are few (merge_max) and their handlers dear, so convenience wins over speed here.
 * Answers are taken apart in place: a result keeps every digit of its numbers, and no number is too large to be read. */
#include "worker/handlers/group.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/codec/jsontext.h"
#include "worker/execution/attempt_trace.h"
#include "worker/handlers/retry_after.h"

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

static void set_environment(json_t *object, const struct execution *execution, const struct member *member)
{
    char trace[TRACEPARENT_SIZE];

    json_object_set_new(object, "Type", json_string(execution->type->config->name));
    json_object_set_new(object, "DeadlineMs", json_integer(execution->started_at_ms + execution_timeout_ms(execution)));
    json_object_set_new(object, "Traceparent", text_or_null(attempt_traceparent(trace, execution, member)));
}

static json_t *member_json(const struct execution *execution, const struct member *member, bool all)
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
    if (all)
        set_environment(object, execution, member);
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

void group_write_lines(struct buf *to, const struct execution *execution, bool all)
{
    for (int i = 0; i < execution->member_count; i++) {
        write_json(to, member_json(execution, &execution->members[i], all));
        buf_append_char(to, '\n');
    }
}

void group_write_array(struct buf *to, const struct execution *execution)
{
    buf_append_char(to, '[');
    for (int i = 0; i < execution->member_count; i++) {
        if (i > 0)
            buf_append_char(to, ',');
        write_json(to, member_json(execution, &execution->members[i], false));
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
    for (int i = 0; i < execution->member_count; i++) {
        if (strcmp(execution->members[i].id, id) == 0)
            return &execution->members[i];
    }
    return NULL;
}

static enum entry_kind outcome_kind(const char *name)
{
    static const enum entry_kind kinds[] = { ENTRY_OK, ENTRY_ERROR, ENTRY_PERMANENT, ENTRY_SKIPPED };

    for (size_t i = 0; name && i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(name, entry_kind_name(kinds[i])) == 0)
            return kinds[i];
    }
    return 0;
}

/* What an answer says; text is NULL where it says nothing. */
struct answer {
    struct jsontext id, outcome, error, result, retry_after;
};

static enum status on_member(void *arg, const char *name, size_t size, struct jsontext value, struct err *err)
{
    struct answer *answer = arg;
    const struct {
        const char *name;
        struct jsontext *value;
    } members[] = {
        { "Id", &answer->id },         { "Outcome", &answer->outcome },          { "Error", &answer->error },
        { "Result", &answer->result }, { "RetryAfterMs", &answer->retry_after },
    };

    (void)err;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        if (strlen(members[i].name) == size && memcmp(members[i].name, name, size) == 0)
            *members[i].value = jsontext_is_null(value) ? (struct jsontext){ 0 } : value;
    }
    return ST_OK;
}

/* The characters of a string; *memory is to be freed. false: it is none, or not Unicode text. */
static bool characters(struct jsontext value, const char **text, size_t *size, char **memory)
{
    enum status st = ST_INVALID;

    *memory = NULL;
    if (value.text && jsontext_is_string(value))
        st = jsontext_string(value, text, size, memory);
    if (st == ST_AGAIN)
        memory_exhausted();
    return st == ST_OK;
}

/* A short one, as an array of characters; "": none. */
static void copy_name(char *to, size_t room, struct jsontext value)
{
    const char *text = "";
    char *memory;
    size_t size = 0;

    if (!characters(value, &text, &size, &memory))
        size = 0;
    text_copy(to, room, text, size);
    free(memory);
}

/* A string stands for its own bytes, anything else for its compact text. */
static void set_result(struct outcome *outcome, struct jsontext result)
{
    const char *text;
    char *memory;
    size_t size;

    if (!result.text)
        return;
    if (!characters(result, &text, &size, &memory)) {
        size = jsontext_compact_size(result);
        memory = xmalloc(size + 1);
        jsontext_compact(result, memory);
        text = memory;
    }
    outcome_set_result(outcome, text, size, size);
    free(memory);
}

/* Only what is retried can heed it. A number may stand in quotes. */
static void set_retry_after(struct outcome *outcome, struct jsontext value)
{
    const char *text = value.text, *wrong;
    size_t size = value.size;
    char *memory, quoted[64];

    if (!value.text || outcome->kind != ENTRY_ERROR)
        return;
    if (!characters(value, &text, &size, &memory))
        text = value.text, size = value.size;
    wrong = retry_after_number(text, size, 1, &outcome->retry_after_ms);
    if (wrong)
        outcome_add(outcome, "RetryAfterMs %s: %s", wrong, text_quote(quoted, sizeof quoted, text, size));
    free(memory);
}

static void set_error(struct outcome *outcome, enum entry_kind kind, struct jsontext error, const char *outcome_name)
{
    const char *text;
    char *memory;
    size_t size;

    if (characters(error, &text, &size, &memory))
        outcome_set(outcome, kind, text, size);
    else
        outcome_set(outcome, kind, error.text, error.size);
    free(memory);
    if ((kind == ENTRY_ERROR || kind == ENTRY_PERMANENT) && !outcome->text)
        outcome_setf(outcome, kind, "the handler answered \"%s\" without an Error", outcome_name);
}

static void take_answer(struct group_answers *answers, const struct answer *answer)
{
    char id[ID_SIZE + 40], outcome_name[64];
    struct member *member;
    enum entry_kind kind;

    copy_name(id, sizeof id, answer->id);
    copy_name(outcome_name, sizeof outcome_name, answer->outcome);
    member = id[0] ? find_member(answers->execution, id) : NULL;
    if (!member) {
        complain(answers, "an answer %s%.40s", id[0] ? "names an Id that is no member: " : "has no Id", id);
        return;
    }
    kind = outcome_kind(outcome_name);
    member->outcome.retry_after_ms = -1;
    if (kind == 0) {
        outcome_setf(&member->outcome, ENTRY_ERROR,
                     "the handler answered Outcome \"%s\": expected ok, error, permanent or skipped", outcome_name);
        return;
    }
    set_error(&member->outcome, kind, answer->error, outcome_name);
    set_retry_after(&member->outcome, answer->retry_after);
    set_result(&member->outcome, answer->result);
}

static bool read_answer(struct group_answers *answers, const char *text, size_t size, struct err *err)
{
    struct answer answer = { 0 };

    enum status st = jsontext_walk(text, size, on_member, &answer, err);

    if (st == ST_AGAIN)
        memory_exhausted();
    if (st != ST_OK)
        return false;
    take_answer(answers, &answer);
    return true;
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
    for (size_t i = 0; i < size; i++) {
        if (!strchr(" \t\r\n", text[i]))
            return false;
    }
    return true;
}

void group_answers_end_lines(struct group_answers *answers)
{
    struct err err = ERR_INIT;

    if (answers->line.overflow)
        complain(answers, "an answer's line is longer than %d bytes", GROUP_LINE_MAX_BYTES);
    else if (answers->line.size > 0 && !is_blank(answers->line.data, answers->line.size) &&
             !read_answer(answers, answers->line.data, answers->line.size, &err))
        complain(answers, "an answer's line is no JSON object: %s", err.text);
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

static void ignore_value(void *arg, struct jsontext value)
{
    (void)arg, (void)value;
}

static void on_array_value(void *arg, struct jsontext value)
{
    struct err err = ERR_INIT;

    if (!read_answer(arg, value.text, value.size, &err))
        complain(arg, "an answer is no JSON object: %s", err.text);
}

/* Half an array is none: its end may have been about the same members. */
void group_answers_read_array(struct group_answers *answers, const char *data, size_t size)
{
    struct err err = ERR_INIT;

    if (jsontext_each(data ? data : "", size, ignore_value, NULL, &err) != ST_OK ||
        jsontext_each(data, size, on_array_value, answers, &err) != ST_OK)
        complain(answers, "the answer is no JSON array: %s", err.text);
}

void group_answers_finish(struct group_answers *answers)
{
    execution_settlef(answers->execution, execution_failure(answers->execution),
                      "the handler gave no answer for this operation%s%s", answers->complaint[0] ? ": " : "",
                      answers->complaint);
}
