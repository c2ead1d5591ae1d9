/* Parts of `stats` that `top` shows too. */
#ifndef BGOP_COORDINATOR_CTL_READ_STATS_H
#define BGOP_COORDINATOR_CTL_READ_STATS_H

#include <jansson.h>
#include <stdio.h>

/* The table of counts by Type and Status, of an answer of bgop_stats. */
void stats_print_types(const json_t *stats, FILE *to, int width);

#endif
