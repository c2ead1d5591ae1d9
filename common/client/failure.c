/* What went wrong, in words. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/client/client.h"

enum bgop_code client_fail(struct bgop *bgop, enum bgop_code code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(bgop->error, sizeof bgop->error, format, args);
    va_end(args);
    return code;
}

enum bgop_code client_fail_link(struct bgop *bgop, enum bgop_code code)
{
    return client_fail(bgop, code, "%s", bgop->link.error);
}

enum bgop_code client_no_memory(struct bgop *bgop)
{
    return client_fail(bgop, BGOP_NO_MEMORY, "%s", bgop_code_text(BGOP_NO_MEMORY));
}

const char *bgop_error(const struct bgop *bgop)
{
    return bgop->error;
}

const char *bgop_code_text(enum bgop_code code)
{
    switch (code) {
#define XX(name, number, meaning) \
    case BGOP_##name: return meaning;
        BGOP_CODES(XX)
#undef XX
    }
    return "no such code";
}

const char *bgop_outcome_text(enum bgop_outcome outcome)
{
    switch (outcome) {
    case BGOP_PENDING: return "";
    case BGOP_COMPLETE: return "Complete";
    case BGOP_MERGED: return "Merged";
    case BGOP_ERROR: return "Error";
    case BGOP_CANCELED: return "Canceled";
    case BGOP_GONE: return "gone";
    }
    return "";
}
