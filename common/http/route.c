/* From a method and a path to the handler that serves them. */
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/http/edge.h"

/* ---- a path's segments ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Resolves percent signs in place, up to end; a '%' without two digits stands for itself. false: no text of ours. */
static bool resolve_percents(char *text, size_t size)
{
    const char *from = text, *end = text + size;
    char *to = text;

    while (from < end) {
        int high = *from == '%' && end - from > 2 ? hex_digit(from[1]) : -1;
        int low = high >= 0 ? hex_digit(from[2]) : -1;

        *to = (char)(low >= 0 ? high << 4 | low : *from);
        from += low >= 0 ? 3 : 1;
        if (*to++ == '\0')
            return false;
    }
    *to = '\0';
    return text_utf8_length(text, (size_t)(to - text)) >= 0;
}

void http_path_read(struct http_path *path, const char *uri)
{
    size_t size = strcspn(uri, "?"), length;

    *path = (struct http_path){ .text = xcalloc(1, size + 1), .count = uri[0] == '/' ? 0 : -1 };
    memcpy(path->text, uri, size);
    path->slash = size > 0 && path->text[size - 1] == '/';
    size -= path->slash;
    path->text[size] = '\0';
    for (size_t at = 1; at <= size && path->count >= 0; at += length + 1) {
        char *segment = path->text + at;

        length = strcspn(segment, "/");
        segment[length] = '\0';
        if (!resolve_percents(segment, length))
            path->count = -1;
        else if (path->count < HTTP_SEGMENTS_MAX)
            path->segments[path->count++] = segment;
        else
            path->count = HTTP_SEGMENTS_MAX + 1;
    }
}

void http_path_release(struct http_path *path)
{
    free(path->text);
    *path = (struct http_path){ .count = -1 };
}

/* ---- patterns ---- */

static bool segment_fits(const char *pattern, size_t size, const char *segment)
{
    if (size > 1 && pattern[0] == '{' && pattern[size - 1] == '}')
        return segment[0] != '\0';
    return strncmp(pattern, segment, size) == 0 && segment[size] == '\0';
}

bool http_path_fits(const char *pattern, const struct http_path *path)
{
    int i = 0;

    for (pattern++; *pattern; i++) {
        size_t size = strcspn(pattern, "/");

        if (strcmp(pattern, "*") == 0)
            return path->count > i || (path->count == i && path->slash);
        if (i >= path->count || i >= HTTP_SEGMENTS_MAX || !segment_fits(pattern, size, path->segments[i]))
            return false;
        pattern += size + (pattern[size] == '/');
    }
    return path->count == i;
}

static bool method_fits(const struct http_route *route, const char *method)
{
    return strcmp(route->method, method) == 0 || (strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0);
}

const struct http_route *http_route_find(const struct http_route *routes, const char *method,
                                         const struct http_path *path, bool *known)
{
    *known = false;
    for (const struct http_route *route = routes; route->handle; route++) {
        if (!http_path_fits(route->path, path))
            continue;
        if (method_fits(route, method))
            return route;
        *known = true;
    }
    return NULL;
}

const char *http_param(const struct http_request *request, const char *name)
{
    const char *pattern = request->route->path + 1, *found = NULL;
    size_t wanted = strlen(name);

    for (int i = 0; *pattern && !found; i++) {
        size_t size = strcspn(pattern, "/");

        if (size == wanted + 2 && pattern[0] == '{' && strncmp(pattern + 1, name, wanted) == 0)
            found = request->segments->segments[i];
        pattern += size + (pattern[size] == '/');
    }
    BGOP_ASSERT(found); /* the route's path has this name */
    return found;
}
