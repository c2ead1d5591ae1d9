#include "worker/handlers/retry_after.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "common/record/retry.h"

static int64_t cut(double ms)
{
    int64_t whole;

    if (ms >= (double)RETRY_DELAY_MAX_MS)
        return RETRY_DELAY_MAX_MS;
    whole = (int64_t)ms;
    return whole + ((double)whole < ms); /* not earlier than was asked for */
}

const char *retry_after_number(const char *text, size_t size, int64_t unit_ms, int64_t *ms)
{
    enum { LONGEST = 400 }; /* more digits than any double has */
    char number[LONGEST + 1], *end;
    double value;

    while (size > 0 && strchr(" \t", text[0]))
        text++, size--;
    while (size > 0 && strchr(" \t", text[size - 1]))
        size--;
    if (size == 0 || !text_copy(number, sizeof number, text, size) || strlen(number) != size)
        return "is no number";
    if (number[strspn(number, "0123456789+-.eE")] != '\0') /* strtod knows more: 0x10, nan */
        return "is no number";
    value = strtod(number, &end);
    if (*end != '\0')
        return "is no number";
    if (value < 0)
        return "is negative";
    *ms = cut(value * (double)unit_ms);
    return NULL;
}

const char *retry_after_header(const char *text, int64_t wall_now_ms, int64_t *ms)
{
    const char *wrong = retry_after_number(text, strlen(text), 1000, ms);
    time_t date;

    if (!wrong || strcmp(wrong, "is no number") != 0)
        return wrong;
    date = curl_getdate(text, NULL);
    if (date == (time_t)-1)
        return "is neither a number of seconds nor an HTTP date";
    *ms = cut((double)date * 1000 - (double)wall_now_ms);
    if (*ms < 0)
        *ms = 0;
    return NULL;
}
