/* The memory of one query: everything is given back at once by query_free. */
#ifndef BGOP_QUERY_MEMORY_H
#define BGOP_QUERY_MEMORY_H

#include <stddef.h>

struct query_memory;

struct query_memory *query_memory_new(void);
void query_memory_free(struct query_memory *memory);
/* Zeroed; lives as long as the memory. */
void *query_keep(struct query_memory *memory, size_t size);
/* A copy with a NUL behind it. */
char *query_keep_text(struct query_memory *memory, const char *text, size_t size);
/* A copy of `count` elements with one more of the same size behind them, all zero: how lists grow. */
void *query_keep_more(struct query_memory *memory, const void *list, size_t count, size_t element_size);

#endif
