/* Lets the n-th allocation of our own code fail, once or from then on, and counts what is not given back. For programs of
 * one test file that are linked with --wrap (tests/CMakeLists.txt says which); the libraries of others allocate as ever,
 * but jansson, which is told to ask here. */
#ifndef TESTS_SUPPORT_ALLOCATIONS_H
#define TESTS_SUPPORT_ALLOCATIONS_H

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void __real_free(void *memory);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
char *__wrap_strdup(const char *text);
void __wrap_free(void *memory);

static struct {
    bool on, persistent;
    long failing; /* counts from 1; 0: none */
    long asked;   /* since it began */
    long refused;
    int stderr_kept, stderr_file;
    long said;  /* bytes */
    long alive; /* blocks that were given and not taken back */
} allocations;

static bool allocation_fails(void)
{
    if (!allocations.on || !allocations.failing)
        return false;
    allocations.asked++;
    if (allocations.asked != allocations.failing &&
        !(allocations.persistent && allocations.asked > allocations.failing))
        return false;
    allocations.refused++;
    errno = ENOMEM;
    return true;
}

static void *allocation_given(void *memory)
{
    allocations.alive += allocations.on && memory;
    return memory;
}

void *__wrap_malloc(size_t size)
{
    return allocation_fails() ? NULL : allocation_given(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return allocation_fails() ? NULL : allocation_given(__real_calloc(count, size));
}

void *__wrap_realloc(void *memory, size_t size)
{
    if (allocation_fails())
        return NULL;
    return memory ? __real_realloc(memory, size) : allocation_given(__real_realloc(NULL, size));
}

char *__wrap_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = __wrap_malloc(size);

    return copy ? memcpy(copy, text, size) : NULL;
}

void __wrap_free(void *memory)
{
    allocations.alive -= allocations.on && memory;
    __real_free(memory);
}

/* From here to allocations_end: the failing-th allocation fails (0: none does), and all behind it when persistent; what is
 * written to stderr meanwhile is counted. */
static inline void allocations_begin(long failing, bool persistent)
{
    json_set_alloc_funcs(__wrap_malloc, __wrap_free);
    memset(&allocations, 0, sizeof allocations);
    allocations.failing = failing;
    allocations.persistent = persistent;
    allocations.stderr_kept = dup(STDERR_FILENO);
    allocations.stderr_file = memfd_create("stderr", MFD_CLOEXEC);
    dup2(allocations.stderr_file, STDERR_FILENO);
    allocations.on = true;
}

/* Was any refused? */
static inline bool allocations_end(void)
{
    allocations.on = false;
    allocations.said = (long)lseek(allocations.stderr_file, 0, SEEK_END);
    dup2(allocations.stderr_kept, STDERR_FILENO);
    close(allocations.stderr_kept);
    close(allocations.stderr_file);
    return allocations.refused > 0;
}

#endif
