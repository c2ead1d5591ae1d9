/* The page itself: files of page/, embedded by embed.cmake. It is public: what it shows it asks for with the token that
 * the person in front of it has. */
#include <string.h>

#include "coordinator/http/page_files.h"
#include "coordinator/http/surface.h"

/* Scripts and styles come from here and stand in files of their own; it talks to nobody else, and no form is ever sent:
 * a token that is typed in cannot end up in an address. */
#define PAGE_POLICY "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"

static void answer_file(struct http_answer *answer, const char *type, const void *data, size_t size)
{
    buf_append(&answer->body, data, size);
    answer->content_type = type;
    http_answer_header(answer, "Content-Security-Policy", PAGE_POLICY);
}

void show_page(void *arg, const struct http_request *request, struct http_answer *answer)
{
    (void)arg, (void)request;
    answer_file(answer, "text/html; charset=utf-8", page_html, page_html_size);
}

void show_page_style(void *arg, const struct http_request *request, struct http_answer *answer)
{
    (void)arg, (void)request;
    answer_file(answer, "text/css; charset=utf-8", page_css, page_css_size);
}

void show_page_script(void *arg, const struct http_request *request, struct http_answer *answer)
{
    (void)arg, (void)request;
    answer_file(answer, "text/javascript; charset=utf-8", page_js, page_js_size);
}

void show_page_icon(void *arg, const struct http_request *request, struct http_answer *answer)
{
    (void)arg, (void)request;
    answer_file(answer, "image/svg+xml", page_icon, page_icon_size);
}

void show_events(void *arg, const struct http_request *request, struct http_answer *answer)
{
    struct endpoint *endpoint = arg;

    if (events_follow(endpoint->events, request, answer, http_header(request, "Last-Event-ID")))
        return;
    answer_error(answer, 503, "SERVER_UNAVAILABLE", "%d clients follow already, no more are served here",
                 EVENTS_CLIENTS_MAX);
    http_answer_header(answer, "Retry-After", "5");
}
