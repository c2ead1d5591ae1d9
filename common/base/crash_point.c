#include "common/base/crash_point.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/text.h"

static const char *const names[] = {
#define XX(id, name, where) name,
    CRASH_POINTS(XX)
#undef XX
};

int crash_point_armed = -1;
static atomic_llong passes_left;

enum status crash_points_start(struct err *err)
{
    const char *text = getenv("BGOP_CRASH");
    const char *colon = text ? strchr(text, ':') : NULL;
    int64_t passes;

    if (!text || !*text)
        return ST_OK;
    if (!colon || !text_parse_int64(colon + 1, 1, INT64_MAX, &passes))
        return err_set(err, ST_INVALID, "BGOP_CRASH must be <name>:<n>, not \"%s\"", text);
    for (int i = 0; i < CRASH_POINT_COUNT; i++) {
        if (strlen(names[i]) == (size_t)(colon - text) && memcmp(names[i], text, strlen(names[i])) == 0) {
            atomic_store(&passes_left, passes);
            crash_point_armed = i;
            return ST_OK;
        }
    }
    return err_set(err, ST_INVALID,
                   "BGOP_CRASH names no crash point: \"%s\" (they are listed in common/base/crash_point.h)", text);
}

void crash_point_reached(void)
{
    if (atomic_fetch_sub(&passes_left, 1) != 1)
        return;
    log_event(LOG_LEVEL_WARNING, "crash point", "name=%s", names[crash_point_armed]);
    raise(SIGKILL);
    _exit(128 + SIGKILL); /* process 1 of a container is not killed by itself */
}
