/* Blocks in a list; what is large gets a block of its own. */
#include "common/query/memory.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"

enum { BLOCK_SIZE = 4096 };

struct block {
    struct block *next;
    size_t used, size;
    alignas(max_align_t) char bytes[];
};

struct query_memory {
    struct block *blocks;
};

struct query_memory *query_memory_new(void)
{
    return xcalloc(1, sizeof(struct query_memory));
}

void query_memory_free(struct query_memory *memory)
{
    if (!memory)
        return;
    while (memory->blocks) {
        struct block *next = memory->blocks->next;

        free(memory->blocks);
        memory->blocks = next;
    }
    free(memory);
}

void *query_keep(struct query_memory *memory, size_t size)
{
    size_t room = (size + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
    struct block *block = memory->blocks;

    if (!block || block->size - block->used < room) {
        size_t block_size = room > BLOCK_SIZE ? room : BLOCK_SIZE;

        block = xcalloc(1, sizeof *block + block_size);
        block->size = block_size;
        block->next = memory->blocks;
        memory->blocks = block;
    }
    block->used += room;
    return block->bytes + block->used - room;
}

char *query_keep_text(struct query_memory *memory, const char *text, size_t size)
{
    char *copy = query_keep(memory, size + 1);

    if (size)
        memcpy(copy, text, size);
    return copy;
}

/* Lists double: room is made whenever the count is a power of two, so that what is left behind stays small. */
void *query_keep_more(struct query_memory *memory, const void *list, size_t count, size_t element_size)
{
    void *more;

    if (count && (count & (count - 1)) != 0)
        return (void *)(uintptr_t)list;
    more = query_keep(memory, (count ? 2 * count : 1) * element_size);
    if (count)
        memcpy(more, list, count * element_size);
    return more;
}
