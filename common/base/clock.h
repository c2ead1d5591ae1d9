/* The only callers of clock_gettime and of ISO 8601. Times of the record are Redis times (milliseconds since
 * 1970, UTC); a process's own clocks measure lengths only, except for log lines. */
#ifndef BGOP_BASE_CLOCK_H
#define BGOP_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int64_t clock_wall_ms(void);            /* CLOCK_REALTIME: for people, never for decisions */
int64_t clock_boot_ms(void);            /* CLOCK_BOOTTIME: lengths, deadlines, leases (runs on during suspend) */
int64_t clock_boot_us(void);

#define CLOCK_TEXT_SIZE 32
/* "2026-11-23T10:00:00.000Z" (zone "Z") or "...000+0000" (zone "+0000"); returns text. */
char *clock_format(char text[CLOCK_TEXT_SIZE], int64_t epoch_ms, const char *zone);
/* ISO 8601 with seconds, up to 9 digits of fraction, zone Z, +hh:mm, +hhmm or -hh:mm (required); or epoch
 * milliseconds in digits. false: not a time, or outside 0 .. year 9999. */
bool clock_parse(const char *text, int64_t *epoch_ms);

#endif
