/* What went wrong, in two halves: the status tells the caller what to do, the text tells a person what happened.
 *
 * Functions that can fail return an enum status and fill an err handed in by the caller; whoever decides what
 * to do about it logs it, once. Setting an error returns its status, so that failing is one line. */
#ifndef BGOP_BASE_ERR_H
#define BGOP_BASE_ERR_H

enum status {
    ST_OK,
    ST_INVALID,    /* wrong input: refuse it, never retry */
    ST_MISSING,    /* no such thing */
    ST_STALE,      /* the world moved on: drop what you hold, read again */
    ST_FENCED,     /* another generation: read the gate again, then retry */
    ST_RECOVERING, /* the shard replays its log: wait, then retry */
    ST_AGAIN,      /* a server is away or busy: back off, retry */
    ST_LIMIT,      /* a configured bound was reached */
    ST_FAILED,     /* cannot go on: say why and stop */
};

#define MUST_CHECK __attribute__((warn_unused_result))

struct err {
    enum status status;
    char text[1024];    /* one line, no trailing newline; empty when status is ST_OK */
    const char *server; /* whose doing it is, as an outage names it: "redis", "kafka"; NULL: nobody's */
};
#define ERR_INIT        \
    {                   \
        ST_OK, "", NULL \
    }

/* Fills *err (which may be NULL: nobody asks why) and returns st. Text beyond the size is cut. */
enum status err_set(struct err *err, enum status st, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same, of a server: the edges to Redis and Kafka say so. */
enum status err_set_server(struct err *err, enum status st, const char *server, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Puts "prefix: " before the text that *err already has; returns its status. Not for a NULL err. */
enum status err_prefix(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* For our own mistakes only; stays on in release builds: a crash is safe (Kafka redelivers, Redis remembers). */
#define BGOP_ASSERT(condition) ((condition) ? (void)0 : bgop_assert_failed(#condition, __FILE__, __LINE__))
_Noreturn void bgop_assert_failed(const char *condition, const char *file, int line);

#endif
