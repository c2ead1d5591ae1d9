#include "common/base/trace.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/clock.h"

static const char *const names[] = {
#define XX(constant, name, what) name,
    TRACE_STAGES(XX)
#undef XX
};

int trace_state = -1; /* not known yet */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static FILE *file;

static void finish(void)
{
    fclose(file);
}

static void begin(void)
{
    const char *folder = getenv("BGOP_TRACE");
    char path[512];

    if (folder && *folder) {
        snprintf(path, sizeof path, "%s/%d.trace", folder, (int)getpid());
        file = fopen(path, "we");
    }
    trace_state = file ? 1 : 0;
    if (file)
        atexit(finish);
}

void trace_write_at(enum trace_stage stage, const char *id, int64_t boot_us)
{
    pthread_once(&once, begin);
    if (trace_state == 1)
        fprintf(file, "%" PRId64 " %s %s\n", boot_us, names[stage], id);
}

void trace_write(enum trace_stage stage, const char *id)
{
    trace_write_at(stage, id, clock_boot_us());
}
