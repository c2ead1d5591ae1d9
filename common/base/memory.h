/* Allocation for the daemons' own small things: they die when there is none (a restart is cheap and safe).
 * libbgop (common/client) does not use these: it always returns. */
#ifndef BGOP_BASE_MEMORY_H
#define BGOP_BASE_MEMORY_H

#include <stddef.h>

_Noreturn void memory_exhausted(void); /* of somebody else's allocation, too: a message must not be refused for that */
void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *memory, size_t size);
char *xstrdup(const char *text);
void *xmemdup(const void *data, size_t size); /* a NUL is put behind the copy */

/* Room for one more element in a growing array: doubles capacity. */
#define GROW(array, count, capacity)                                           \
    do {                                                                       \
        if ((count) == (capacity)) {                                           \
            (capacity) = (capacity) ? 2 * (capacity) : 16;                     \
            (array) = xrealloc((array), (size_t)(capacity) * sizeof *(array)); \
        }                                                                      \
    } while (0)

#endif
