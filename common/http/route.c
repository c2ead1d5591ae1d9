/* From a method and a path to the handler that serves them. */
#include <string.h>

#include "common/http/edge.h"

static bool path_fits(const struct http_route *route, const char *path)
{
    size_t size = strlen(route->path);

    if (size > 0 && route->path[size - 1] == '*')
        return strncmp(route->path, path, size - 1) == 0;
    return strcmp(route->path, path) == 0;
}

static bool method_fits(const struct http_route *route, const char *method)
{
    return strcmp(route->method, method) == 0 || (strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0);
}

/* What would have been right: the methods of that path, or the paths there are. */
static void refuse(const struct http_route *routes, const char *path, struct http_answer *answer)
{
    struct buf right;
    bool known = false;

    buf_init(&right, 4096);
    for (const struct http_route *route = routes; route->handle; route++) {
        if (!path_fits(route, path))
            continue;
        buf_printf(&right, "%s%s", known ? ", " : "", route->method);
        known = true;
    }
    if (known) {
        http_answer_text(answer, MHD_HTTP_METHOD_NOT_ALLOWED, "this path takes %s", right.data);
        http_answer_header(answer, "Allow", right.data);
    } else {
        for (const struct http_route *route = routes; route->handle; route++)
            buf_printf(&right, "%s%s %s", route == routes ? "" : ", ", route->method, route->path);
        http_answer_text(answer, MHD_HTTP_NOT_FOUND, "nothing is here; there is: %s", right.data ? right.data : "");
    }
    buf_release(&right);
}

const struct http_route *http_route_find(const struct http_route *routes, const char *method, const char *path,
                                         struct http_answer *answer)
{
    for (const struct http_route *route = routes; route->handle; route++) {
        if (path_fits(route, path) && method_fits(route, method))
            return route;
    }
    refuse(routes, path, answer);
    return NULL;
}
