/* `health` of an answer of bgop_stats, for people: what `stats` and `top` show first, and `doctor` with what is to be done. */
#ifndef BGOP_COORDINATOR_CTL_HEALTH_H
#define BGOP_COORDINATOR_CTL_HEALTH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* A line for each trouble, and nothing when there is none. most: so many lines, then how many more there are; 0: all.
 * advice: below each kind what is to be done. */
void health_print(const json_t *stats, FILE *to, size_t most, bool advice);
/* The same as JSON, each with "advice"; owned by the caller. */
json_t *health_json(const json_t *stats);
bool health_is_well(const json_t *stats);

#endif
