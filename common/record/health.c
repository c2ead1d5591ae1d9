#include "common/record/health.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *what, *advice;
} kinds[] = {
#define XX(id, what, where, when, advice) { what, advice },
    HEALTH_KINDS(XX)
#undef XX
};

const char *const health_whats[HEALTH_COUNT] = {
#define XX(id, what, where, when, advice) what,
    HEALTH_KINDS(XX)
#undef XX
};

const char *health_advice(const char *what)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].what, what) == 0)
            return kinds[i].advice;
    }
    return "";
}
