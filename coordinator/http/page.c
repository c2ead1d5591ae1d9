/* The page itself: files of page/, embedded by embed.cmake. It is public: what it shows it asks for with the token that
 * the person in front of it has. */
#include <string.h>

#include "coordinator/http/page_files.h"
#include "coordinator/http/surface.h"

/* Scripts and styles come from here and stand in files of their own; it talks to nobody else, and no form is ever sent:
 * a token that is typed in cannot end up in an address. */
#define PAGE_POLICY "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"

static const struct {
    const char *path, *type;
    const unsigned char *data;
    const size_t *size;
} files[] = {
#define XX(name, path, type) { path, type, name, &name##_size },
    PAGE_FILES(XX)
#undef XX
};

void show_page(void *arg, const struct http_request *request, struct http_answer *answer)
{
    (void)arg;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (strcmp(files[i].path, request->path) != 0)
            continue;
        buf_append(&answer->body, (const char *)files[i].data, *files[i].size);
        answer->content_type = files[i].type;
        http_answer_header(answer, "Content-Security-Policy", PAGE_POLICY);
        return;
    }
    answer_not_found(answer);
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
