/* What went wrong, in two halves: the status tells the caller what to do, the text tells a person what happened.
 *
 * Functions that can fail return an enum status and fill an err handed in by the caller; whoever decides what
 * to do about it logs it, once. Setting an error returns its status, so that failing is one line. */
#ifndef BGOP_BASE_ERR_H
#define BGOP_BASE_ERR_H

#define STATUS_MAP(XX)                                                                  \
    XX(OK,          "ok")                                                               \
    XX(INVALID,     "wrong input: refuse it, never retry")                              \
    XX(MISSING,     "no such thing")                                                    \
    XX(STALE,       "the world moved on: drop what you hold, read again")               \
    XX(FENCED,      "another generation: read the gate again, then retry")              \
    XX(RECOVERING,  "the shard replays its log: wait, then retry")                      \
    XX(AGAIN,       "a server is away or busy: back off, retry")                        \
    XX(LIMIT,       "a configured bound was reached")                                   \
    XX(FAILED,      "cannot go on: say why and stop")

enum status {
#define XX(name, meaning) ST_##name,
    STATUS_MAP(XX)
#undef XX
    ST_COUNT
};

#define MUST_CHECK __attribute__((warn_unused_result))

struct err {
    enum status status;
    char text[1024];    /* one line, no trailing newline; empty when status is ST_OK */
};
#define ERR_INIT { ST_OK, "" }

/* Fills *err (which may be NULL: nobody asks why) and returns status. Text beyond the size is cut. */
enum status err_set(struct err *err, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Puts "prefix: " before the text that *err already has; returns its status. Not for a NULL err. */
enum status err_prefix(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *status_name(enum status status);

/* For our own mistakes only; stays on in release builds: a crash is safe (Kafka redelivers, Redis remembers). */
#define BGOP_ASSERT(condition) \
    ((condition) ? (void)0 : bgop_assert_failed(#condition, __FILE__, __LINE__))
_Noreturn void bgop_assert_failed(const char *condition, const char *file, int line);

#endif
