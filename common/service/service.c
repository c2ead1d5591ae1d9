#include "common/service/service.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

enum { TELL_MS = 1000 };

bool service_is_due(const struct service *service, int64_t now_ms)
{
    return now_ms - service->told_ms >= TELL_MS;
}

void service_tell(struct service *service, int64_t now_ms, const char *format, ...)
{
    char status[SERVICE_STATUS_SIZE];
    va_list args;

    va_start(args, format);
    if (vsnprintf(status, sizeof status, format, args) < 0)
        status[0] = '\0';
    va_end(args);
    service->told_ms = now_ms;
    for (char *at = status; (at = strpbrk(at, "\r\n")); at++)
        *at = ' '; /* a line break would begin another message */
    if (strcmp(status, service->status) == 0) {
        sd_notify(0, "WATCHDOG=1");
        return;
    }
    memcpy(service->status, status, sizeof status);
    sd_notifyf(0, "WATCHDOG=1\nSTATUS=%s", status);
}

void service_ready(void)
{
    sd_notify(0, "READY=1");
}

void service_stopping(void)
{
    sd_notify(0, "STOPPING=1");
}
