/* The answer of bgop_why, for people: `why` prints it, and `top` shows it. */
#ifndef BGOP_COORDINATOR_CTL_READ_WHY_H
#define BGOP_COORDINATOR_CTL_READ_WHY_H

#include <jansson.h>
#include <stdio.h>

void why_print(FILE *to, const char *id, const json_t *answer);

#endif
