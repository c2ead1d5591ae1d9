/* Allocation that dies when there is none. */
#include "common/base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void memory_exhausted(void)
{
    static const char text[] = "bgop: out of memory\n";

    /* Nothing that allocates may run any more: not even stdio. */
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
    (void)written;
    abort();
}

static void *check(void *memory)
{
    if (!memory)
        memory_exhausted();
    return memory;
}

void *xmalloc(size_t size)
{
    return check(malloc(size ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
    return check(count && size ? calloc(count, size) : calloc(1, 1));
}

void *xrealloc(void *memory, size_t size)
{
    return check(realloc(memory, size ? size : 1));
}

char *xstrdup(const char *text)
{
    return xmemdup(text, strlen(text));
}

void *xmemdup(const void *data, size_t size)
{
    char *copy = xmalloc(size + 1);

    if (size)
        memcpy(copy, data, size);
    copy[size] = '\0';
    return copy;
}
