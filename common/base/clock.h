/* The only callers of clock_gettime and of ISO 8601. Times of the record are Redis times (milliseconds since
 * 1970, UTC); a process's own clocks measure lengths only, except for log lines. */
#ifndef BGOP_BASE_CLOCK_H
#define BGOP_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int64_t clock_wall_ms(void); /* CLOCK_REALTIME: for people, never for decisions */
int64_t clock_boot_ms(void); /* CLOCK_BOOTTIME: lengths, deadlines, leases (runs on during suspend) */
int64_t clock_boot_us(void);

#define CLOCK_TEXT_SIZE 32
/* "2026-11-23T10:00:00.000Z" (zone "Z") or "...000+0000" (zone "+0000"); returns text. */
char *clock_format(char text[CLOCK_TEXT_SIZE], int64_t epoch_ms, const char *zone);
/* What people read of it: "2026-11-23T10:00:00Z", "2026-11-23", "10:00:00Z"; returns text. */
enum clock_part { CLOCK_SECONDS, CLOCK_DATE, CLOCK_TIME_OF_DAY };
char *clock_format_part(char text[CLOCK_TEXT_SIZE], int64_t epoch_ms, enum clock_part part);
/* As the reader's clock on the wall shows it (TZ, else the machine's zone): "2026-11-23T11:00:00+01:00", with or without
 * milliseconds; "Z" where that is UTC. Returns text. */
char *clock_format_local(char text[CLOCK_TEXT_SIZE], int64_t epoch_ms, bool with_ms);

/* ---- clock_read.c: times that a person or a program wrote ---- */
#define CLOCK_2000_MS INT64_C(946684800000)
#define CLOCK_MAX_MS  INT64_C(253402300799999) /* the last millisecond of year 9999 */
/* ISO 8601: a date (midnight UTC), or a date and a time of day to the minute, the second or any fraction of it, with a
 * zone: 2026-11-23T10:00Z, 2026-11-23 10:00:00.5+02, 20261123T100000+0200, also t, z, "," before the fraction, hour
 * 24:00 and a leap second. Or epoch milliseconds, a fraction of which is cut. NULL: *epoch_ms is set (years 0000 to
 * 9999); else what is wrong, as the end of a sentence: "has no zone: ...". common/functions/read/times.lua reads the
 * same; one table of cases (tests/support/times.h) tests both. */
const char *clock_read(const char *text, int64_t *epoch_ms);
/* The same for what is to happen or to be looked at now: nothing before 2000, since that is what epoch seconds are. */
const char *clock_read_recent(const char *text, int64_t *epoch_ms);
/* NULL, or why epoch_ms is none of that. */
const char *clock_check_recent(int64_t epoch_ms);
/* clock_read where nobody asks why not. */
bool clock_parse(const char *text, int64_t *epoch_ms);

/* Days since 1970-01-01 of a date of the Gregorian calendar, and back. */
int64_t clock_days(int year, int month, int day);
void clock_date(int64_t days, int *year, int *month, int *day);

#endif
