#include "worker/crash_point.h"

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/text.h"

atomic_bool crash_points_armed;
static char armed_name[64];
static atomic_llong passes_left;

void crash_points_arm(void)
{
    const char *text = getenv("BGOP_CRASH"), *colon = text ? strrchr(text, ':') : NULL;
    int64_t pass;

    if (!colon || !text_parse_int64(colon + 1, 1, INT32_MAX, &pass))
        return;
    if (!text_copy(armed_name, sizeof armed_name, text, (size_t)(colon - text)))
        return;
    atomic_store(&passes_left, pass);
    atomic_store(&crash_points_armed, true);
    log_event(LOG_LEVEL_WARNING, "crash point armed", "name=%s pass=%lld", armed_name, (long long)pass);
}

void crash_point_pass(const char *name)
{
    if (strcmp(name, armed_name) == 0 && atomic_fetch_sub(&passes_left, 1) == 1)
        kill(getpid(), SIGKILL);
}
