/* One line per event on stderr, logfmt or JSON:
 *   2026-01-05T10:11:12.345Z info worker claimed op=08P5... type=WebCart attempt=2 count=3
 * level: error (someone must act), warning (we coped; look soon), info (daemons and outages), debug (decisions
 * with their inputs). Where systemd's journal reads them, lines begin with their priority (<3> ...). The event is one or two fixed words; the rest is key=value. Payloads and secrets never. */
#ifndef BGOP_BASE_LOG_H
#define BGOP_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* component: "coordinator", "worker" ...; kept by pointer. Thread-safe after this call. */
void log_start(const char *component, enum log_level level, bool json);
bool log_level_parse(const char *name, enum log_level *level);
/* fields: a printf format of blank-separated key=value pairs whose values need no quoting. */
void log_event(enum log_level level, const char *event, const char *fields, ...) __attribute__((format(printf, 3, 4)));
/* As log_event, with free text put last as error="..." (quotes and control characters escaped). */
void log_error_text(enum log_level level, const char *event, const char *text, const char *fields, ...)
    __attribute__((format(printf, 4, 5)));

/* An outage: logged once at its start and once at its end (with its length), not per attempt. */
struct outage {
    bool on;
    long long since_ms;
};
void outage_begin(struct outage *outage, const char *what, const char *text);
void outage_end(struct outage *outage, const char *what);
/* Who met it ends: it is told of no more. */
void outage_drop(const struct outage *outage);
/* Is one of these on in this process, in whatever thread? Its text, cut to size; else "". */
bool outage_is_on(const char *what, char *text, size_t size);

#endif
