/* Answers: filled by handlers, sent with the headers that every page has. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/memory.h"
#include "common/http/edge.h"

/* Nothing is loaded from elsewhere, framed by others, kept by caches, or taken for another type than it is. */
static const char *const always[][2] = {
    { "Cache-Control", "no-store" },
    { "X-Content-Type-Options", "nosniff" },
    { "Referrer-Policy", "no-referrer" },
    { "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'" },
};

void http_answer_init(struct http_answer *answer)
{
    *answer = (struct http_answer){ .code = MHD_HTTP_OK, .content_type = "text/plain; charset=utf-8" };
    buf_init(&answer->body, HTTP_ANSWER_MAX_BYTES);
}

void http_answer_release(struct http_answer *answer)
{
    for (int i = 0; i < answer->header_count; i++)
        free(answer->headers[i].value);
    answer->header_count = 0;
    if (answer->follower)
        http_follower_free(answer->follower);
    answer->follower = NULL;
    buf_release(&answer->body);
}

void http_answer_text(struct http_answer *answer, int code, const char *format, ...)
{
    va_list args;

    buf_clear(&answer->body);
    va_start(args, format);
    buf_vprintf(&answer->body, format, args);
    va_end(args);
    buf_append_char(&answer->body, '\n');
    answer->code = code;
    answer->content_type = "text/plain; charset=utf-8";
}

static int append_json(const char *data, size_t size, void *to)
{
    return buf_append(to, data, size) ? 0 : -1;
}

/* A decimal of 17 digits, as jansson writes it unless told otherwise, is 2.2999999999999998 for 2.3. */
void http_append_json(struct buf *to, const json_t *value)
{
    enum { DIGITS = 15 };

    if (!value ||
        json_dump_callback(value, append_json, to, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(DIGITS)) != 0)
        to->overflow = true;
}

void http_answer_json(struct http_answer *answer, int code, json_t *value)
{
    buf_clear(&answer->body);
    http_append_json(&answer->body, value);
    buf_append_char(&answer->body, '\n');
    json_decref(value);
    answer->code = code;
    answer->content_type = "application/json";
}

void http_answer_html(struct http_answer *answer, int code)
{
    answer->code = code;
    answer->content_type = "text/html; charset=utf-8";
}

void http_answer_header(struct http_answer *answer, const char *name, const char *value)
{
    struct http_header *header = &answer->headers[answer->header_count];

    BGOP_ASSERT(answer->header_count < HTTP_HEADERS_MAX);
    header->name = name;
    header->value = xstrdup(value);
    for (char *c = header->value; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    }
    answer->header_count++;
}

void http_append_escaped(struct buf *html, const char *text)
{
    for (const char *c = text; *c; c++) {
        if (strchr("<>&\"'", *c))
            buf_printf(html, "&#%d;", *c);
        else
            buf_append_char(html, *c);
    }
}

static bool has_header(const struct http_answer *answer, const char *name)
{
    for (int i = 0; i < answer->header_count; i++) {
        if (strcasecmp(answer->headers[i].name, name) == 0)
            return true;
    }
    return false;
}

static struct MHD_Response *response_of(struct http_answer *answer)
{
    size_t size;

    if (answer->body.overflow) {
        http_answer_text(answer, MHD_HTTP_INTERNAL_SERVER_ERROR, "the answer is larger than %d bytes",
                         HTTP_ANSWER_MAX_BYTES);
    }
    if (answer->follower)
        return http_follower_response(answer);
    size = answer->body.size;
    return MHD_create_response_from_buffer(size, size ? buf_take(&answer->body) : NULL, MHD_RESPMEM_MUST_FREE);
}

enum MHD_Result http_answer_send(struct http_answer *answer, struct MHD_Connection *connection)
{
    struct MHD_Response *response = response_of(answer);
    enum MHD_Result result;

    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, "Content-Type", answer->content_type);
    for (size_t i = 0; i < sizeof always / sizeof *always; i++) {
        if (!has_header(answer, always[i][0]))
            MHD_add_response_header(response, always[i][0], always[i][1]);
    }
    for (int i = 0; i < answer->header_count; i++)
        MHD_add_response_header(response, answer->headers[i].name, answer->headers[i].value);
    result = MHD_queue_response(connection, (unsigned)answer->code, response);
    MHD_destroy_response(response);
    return result;
}
