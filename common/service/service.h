/* What a daemon tells the service manager (systemd, Type=notify): that it is ready, that it is stopping, what it is
 * doing in one line (`systemctl status` shows it), and that it lives (WatchdogSec=). Nothing, where there is none. */
#ifndef BGOP_SERVICE_SERVICE_H
#define BGOP_SERVICE_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

enum { SERVICE_STATUS_SIZE = 256 };

struct service {
    int64_t told_ms; /* CLOCK_BOOTTIME of the last sign of life */
    char status[SERVICE_STATUS_SIZE];
};

/* Is it time for another sign of life? At most once a second. */
bool service_is_due(const struct service *service, int64_t now_ms);
/* The sign of life, with the status line when that is another than before. */
void service_tell(struct service *service, int64_t now_ms, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void service_ready(void);
void service_stopping(void);

#endif
