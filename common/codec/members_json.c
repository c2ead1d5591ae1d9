/* JSON members into the members of a table. An empty string or null counts as absent. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/codec/jsontext.h"
#include "common/codec/members.h"
#include "common/record/submission.h"
#include "common/record/tables.h"

static const char whole_pairs[] = "a string without half surrogate pairs";

enum { EXCERPT_SIZE = 96, MEMBERS_MAX = 32, NUMBER_SIZE = 24, TIME_SIZE = 64 };

struct reader {
    const struct member_table *table;
    void *to;
    unsigned seen;                /* bit i: members[i] stood there, with whatever value */
    const struct member *payload; /* the member that gave the payload */
};

/* A value's text for an error, cut. */
static const char *excerpt(char to[EXCERPT_SIZE], struct jsontext value)
{
    size_t whole =
        text_utf8_cut(value.text, value.size < EXCERPT_SIZE - 4 ? value.size : EXCERPT_SIZE - 4, EXCERPT_SIZE);

    text_copy(to, EXCERPT_SIZE, value.text, whole);
    if (whole < value.size)
        memcpy(to + whole, "...", 4);
    return to;
}

static enum status refuse(const struct member *member, const char *rule, struct jsontext value, struct err *err)
{
    char text[EXCERPT_SIZE];

    return err_set(err, ST_INVALID, "%s: must be %s, got %s", member->name, rule, excerpt(text, value));
}

/* The characters of a string value; ST_INVALID names the rule. */
static enum status read_string(const struct member *member, struct jsontext value, const char **text, size_t *size,
                               char **memory, const char *rule, struct err *err)
{
    enum status st = jsontext_is_string(value) ? jsontext_string(value, text, size, memory) : ST_INVALID;

    return st == ST_INVALID ? refuse(member, rule, value, err)
           : st == ST_AGAIN ? err_set(err, ST_AGAIN, "out of memory")
                            : ST_OK;
}

static enum status read_text(const struct member *member, char *to, struct jsontext value, struct err *err)
{
    const char *text;
    size_t size;
    char *memory;

    if (!jsontext_is_string(value))
        return refuse(member, "a string", value, err);
    enum status st = read_string(member, value, &text, &size, &memory, whole_pairs, err);
    if (st != ST_OK)
        return st;
    st = submission_check_string(member->name, text, size, err);
    if (st == ST_OK)
        text_copy(to, RECORD_STRING_SIZE, text, size);
    free(memory);
    return st;
}

static enum status read_number(const struct member *member, int64_t *to, struct jsontext value, struct err *err)
{
    char digits[NUMBER_SIZE];

    if (text_copy(digits, sizeof digits, value.text, value.size) && text_parse_int64(digits, 0, RECORD_INT_MAX, to))
        return ST_OK;
    return refuse(member, "an integer from 0 to 999999999", value, err);
}

static enum status read_time(const struct member *member, int64_t *to, struct jsontext value, struct err *err)
{
    char text[TIME_SIZE], rule[2 * EXCERPT_SIZE + TIME_SIZE];
    const char *wrong = "is no time";
    struct jsontext inner = value;

    if (jsontext_is_string(value))
        inner = (struct jsontext){ value.text + 1, value.size - 2 }; /* an escape in it is no time either */
    if (memchr(inner.text, '\0', inner.size) == NULL && text_copy(text, sizeof text, inner.text, inner.size)) {
        wrong = clock_read_recent(text, to);
        if (!wrong)
            return ST_OK;
    }
    snprintf(rule, sizeof rule, "%s; this one %s", submission_time_rule, wrong);
    return refuse(member, rule, value, err);
}

/* A string stands for its own bytes, anything else for its compact text; in place where nothing has to change. */
static enum status read_payload(const struct member *member, struct submission *to, struct jsontext value,
                                struct err *err)
{
    if (jsontext_is_string(value))
        return read_string(member, value, &to->payload, &to->payload_size, &to->payload_memory, whole_pairs, err);
    to->payload_size = jsontext_compact_size(value);
    to->payload = value.text;
    if (to->payload_size == value.size)
        return ST_OK;
    to->payload = to->payload_memory = malloc(to->payload_size);
    if (!to->payload)
        return err_set(err, ST_AGAIN, "out of memory");
    jsontext_compact(value, to->payload_memory);
    return ST_OK;
}

static enum status read_base64(const struct member *member, struct submission *to, struct jsontext value,
                               struct err *err)
{
    const char *text;
    size_t size;
    char *memory;

    enum status st = read_string(member, value, &text, &size, &memory, "a string in base64", err);
    if (st != ST_OK)
        return st;
    size_t room = size / 4 * 3;
    to->payload_memory = malloc(room + 1);
    long decoded = to->payload_memory ? text_base64_decode(to->payload_memory, room, text, size) : -1;
    free(memory);
    if (!to->payload_memory)
        return err_set(err, ST_AGAIN, "out of memory");
    if (decoded < 0)
        return refuse(member, "base64 (RFC 4648, with padding)", value, err);
    to->payload = to->payload_memory;
    to->payload_size = (size_t)decoded;
    return ST_OK;
}

static enum status check_utf8(const struct member *member, struct jsontext value, struct err *err)
{
    size_t valid = text_utf8_cut(value.text, value.size, value.size);
    char quoted[EXCERPT_SIZE];

    if (valid == value.size)
        return ST_OK;
    return err_set(err, ST_INVALID, "%s: must be UTF-8, got byte 0x%02x at position %zu of %s", member->name,
                   (unsigned char)value.text[valid], valid, text_quote(quoted, sizeof quoted, value.text, value.size));
}

static enum status read_value(struct reader *reader, const struct member *member, struct jsontext value,
                              struct err *err)
{
    char *place = (char *)reader->to + member->offset;

    if (jsontext_is_null(value) || (jsontext_is_string(value) && value.size == 2))
        return ST_OK;
    switch (member->kind) {
    case MEMBER_TEXT: return read_text(member, place, value, err);
    case MEMBER_NUMBER: return read_number(member, (int64_t *)(void *)place, value, err);
    case MEMBER_TIME: return read_time(member, (int64_t *)(void *)place, value, err);
    case MEMBER_PAYLOAD:
    case MEMBER_PAYLOAD_BASE64:
        if (reader->payload)
            return err_set(err, ST_INVALID, "%s: must not come together with %s", member->name, reader->payload->name);
        reader->payload = member;
        return member->kind == MEMBER_PAYLOAD ? read_payload(member, reader->to, value, err)
                                              : read_base64(member, reader->to, value, err);
    }
    return ST_OK;
}

static enum status refuse_unknown(const struct member_table *table, const char *name, size_t size, struct err *err)
{
    const char *names[MEMBERS_MAX];
    char quoted[EXCERPT_SIZE], word[EXCERPT_SIZE];

    for (size_t i = 0; i < table->count; i++)
        names[i] = table->members[i].name;
    text_copy(word, sizeof word, name, size);
    const char *nearest = text_nearest(word, names, table->count);
    return err_set(err, ST_INVALID, "unknown member %s%s%s%s", text_quote(quoted, sizeof quoted, name, size),
                   nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

static enum status on_member(void *arg, const char *name, size_t name_size, struct jsontext value, struct err *err)
{
    struct reader *reader = arg;

    for (size_t i = 0; i < reader->table->count; i++) {
        const struct member *member = &reader->table->members[i];
        if (strlen(member->name) != name_size || memcmp(member->name, name, name_size) != 0)
            continue;
        if (reader->seen & 1u << i)
            return err_set(err, ST_INVALID, "%s: must stand there once, got it twice", member->name);
        reader->seen |= 1u << i;
        enum status st = check_utf8(member, value, err);
        if (st != ST_OK)
            return st;
        return read_value(reader, member, value, err);
    }
    return refuse_unknown(reader->table, name, name_size, err);
}

enum status members_read_json(const struct member_table *table, void *to, const void *json, size_t size,
                              struct err *err)
{
    struct reader reader = { .table = table, .to = to };

    BGOP_ASSERT(table->count <= MEMBERS_MAX);
    return jsontext_walk(json, size, on_member, &reader, err);
}
