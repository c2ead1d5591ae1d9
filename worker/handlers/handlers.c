/* The registry: one line per handler. */
#include "worker/handlers/handler.h"

#include <string.h>

static const struct handler *const handlers[] = {
    &noop_handler,
    &exec_handler,
    &http_handler,
};

const struct handler *handler_find(const char *name)
{
    for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++) {
        if (strcmp(handlers[i]->name, name) == 0)
            return handlers[i];
    }
    return NULL;
}

const char *handler_names(void)
{
    static char names[256];

    if (names[0] == '\0') {
        for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++) {
            strncat(names, i ? ", " : "", sizeof names - strlen(names) - 1);
            strncat(names, handlers[i]->name, sizeof names - strlen(names) - 1);
        }
    }
    return names;
}
