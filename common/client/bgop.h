/* libbgop: submit operations to the queue, read them back, wait for their end.
 *
 * A submission is acknowledged when Kafka has it on all in-sync replicas; its delivery report then names the Id of
 * the operation that it creates (an Id is made of Kafka coordinates, so nobody has to be asked). Records are read
 * from Redis. The library never logs, never prints and never ends the process: every failure is an enum bgop_code,
 * with a text for people in bgop_error.
 *
 * Threads: a handle is used by one thread at a time (there is no lock in it); different handles are independent.
 * Delivery callbacks run inside bgop_poll, bgop_flush, bgop_wait and bgop_close, on the calling thread only. They must
 * not call the library with the same handle, except for bgop_error and bgop_submit.
 *
 * Link with `pkg-config --libs libbgop`, or in CMake with find_package(bgop) and bgop::bgop; example.c
 * (installed in share/doc/libbgop-dev/examples) shows how. */
#ifndef BGOP_H
#define BGOP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BGOP_API __attribute__((visibility("default")))

/* What went wrong, in terms of what to do about it. */
/* clang-format off */
#define BGOP_CODES(XX)                                                                                  \
    XX(OK,          0, "ok")                                                                            \
    XX(INVALID,     1, "wrong input: correct it, never retry")                                          \
    XX(MISSING,     2, "no such operation: not recorded yet, refused, a duplicate, or removed")         \
    XX(UNREACHABLE, 3, "a server is away or busy: try again later")                                     \
    XX(RECOVERING,  4, "the queue replays its log: try again shortly")                                  \
    XX(FULL,        5, "too many submissions in flight: call bgop_poll, then try again")                \
    XX(TIMED_OUT,   6, "time is up")                                                                    \
    XX(UNKNOWN,     7, "not known whether Kafka has it: submit it again (with a Name it counts once)")  \
    XX(NO_MEMORY,   8, "out of memory: nothing was done")                                               \
    XX(FAILED,      9, "cannot go on")
/* clang-format on */
enum bgop_code {
#define XX(name, number, meaning) BGOP_##name = number,
    BGOP_CODES(XX)
#undef XX
};

#define BGOP_ID_SIZE 19   /* 18 characters and a NUL */
#define BGOP_ABSENT  (-1) /* of the numbers in struct bgop_submission */

struct bgop; /* one queue, as one thread uses it */

struct bgop_config {   /* everything is copied by bgop_open; NULL and 0 mean the default */
    const char *kafka; /* bootstrap servers; default 127.0.0.1:9092 */
    const char *redis; /* redis://[user:password@]host:port[/db] or unix://[user:password@]/path; default local. By TLS:
                         * rediss://[user:password@]host:port[/db][?tls_ca_file=/path&tls_cert_file=/path&tls_key_file=/path].
                         * Of a cluster host:port,host:port; by Sentinels redis+sentinel://[user:password@]host:port,.../NAME[/db]
                         * [?sentinel_user=u&sentinel_password=p] */
    const char *prefix;                  /* of the queue's topics; default bgop */
    const char *const *kafka_properties; /* librdkafka properties (TLS, SASL ...): name, value, ..., NULL */
    int timeout_ms;                      /* for one answer of a server; default 5,000 */
    int linger_ms;                       /* how long a submission may wait for others; default 5; -1: not at all */
    size_t in_flight_max;                /* submissions without delivery report; default 20,000 */
    size_t payload_max_bytes;            /* default 262,144: as the queue's own default */
};

/* One operation. Strings are UTF-8, at most 255 characters; NULL or empty: absent. Only type is required. */
struct bgop_submission {
    const char *type;
    const char *parent_key;   /* tag of a related set; decides the shard */
    const char *name;         /* your own key, unique within Type and routing key; not beginning "BO-" */
    int64_t process_after_ms; /* epoch milliseconds; not before this moment */
    int64_t retry_backoff_ms;
    int64_t retry_limit;
    int64_t timeout_ms;
    const char *sequence_group; /* together with sequence_number */
    int64_t sequence_number;
    const void *payload; /* what the handler gets */
    size_t payload_size;
    const char *traceparent; /* W3C trace context: kept with the operation; what is none is left out */
};
#define BGOP_SUBMISSION_INIT                                                                                   \
    {                                                                                                          \
        NULL, NULL, NULL, BGOP_ABSENT, BGOP_ABSENT, BGOP_ABSENT, BGOP_ABSENT, NULL, BGOP_ABSENT, NULL, 0, NULL \
    }

struct bgop_delivery {
    enum bgop_code code; /* OK: acknowledged. UNKNOWN: may or may not be there. Others: it is not */
    const char *text;    /* why, when code is not OK; "" else */
    /* Empty when it failed, while Redis does not answer, and while Kafka's log is found to have gone backwards (the place
     * had another operation's Id before) and the queue has not given a new epoch to it: that is waited for, up to
     * timeout_ms. */
    char id[BGOP_ID_SIZE];
    int partition; /* where Kafka has it, when code is OK */
    int64_t offset;
};
/* arg is what bgop_submit was given; *delivery is valid during the call. */
typedef void bgop_on_delivery(void *arg, const struct bgop_delivery *delivery);

/* Checks the settings and prepares both connections; talks to no server yet. On failure *bgop is NULL and error_text
 * (may be NULL) gets a line for people. */
BGOP_API enum bgop_code bgop_open(struct bgop **bgop, const struct bgop_config *config, char *error_text,
                                  size_t error_size);
/* Gives up what is not delivered yet (call bgop_flush first): its callbacks get UNKNOWN. NULL is fine. */
BGOP_API void bgop_close(struct bgop *bgop);
/* Do both servers answer, and has the queue been started (by a coordinator)? UNREACHABLE otherwise; the text says
 * which address, what was tried and the likely cause. */
BGOP_API enum bgop_code bgop_check(struct bgop *bgop);

/* Hands one submission over; everything is copied. OK: on_delivery (may be NULL) will be called exactly once. Any
 * other code: it will not be called. The first call asks Kafka for the topic, which may take timeout_ms. */
BGOP_API enum bgop_code bgop_submit(struct bgop *bgop, const struct bgop_submission *submission,
                                    bgop_on_delivery *on_delivery, void *arg);
/* Serves delivery reports, waiting up to timeout_ms for the first; returns how many. */
BGOP_API int bgop_poll(struct bgop *bgop, int timeout_ms);
/* Until everything is reported: OK, or TIMED_OUT (what is in flight stays in flight). */
BGOP_API enum bgop_code bgop_flush(struct bgop *bgop, int timeout_ms);
BGOP_API size_t bgop_in_flight(const struct bgop *bgop);

/* The whole record as one JSON object, as bgop_retrieve gives it. The caller frees *json with bgop_free. */
BGOP_API enum bgop_code bgop_get(struct bgop *bgop, const char *id, char **json);

enum bgop_outcome {
    BGOP_PENDING, /* not ended yet (not even recorded, perhaps) */
    BGOP_COMPLETE,
    BGOP_MERGED, /* its leader's execution completed */
    BGOP_ERROR,  /* for good */
    BGOP_CANCELED,
    BGOP_GONE /* read, but there is no record: refused, a duplicate, or removed */
};
/* Waits until all of ids (15 or 18 characters) have ended. timeout_ms -1: for ever. outcomes[i] (may be NULL)
 * belongs to ids[i] and is filled in as far as known, whatever is returned. OK: all ended. TIMED_OUT: not all.
 * A server that stops answering after its first answer, and a recovery, are waited out. */
BGOP_API enum bgop_code bgop_wait(struct bgop *bgop, const char *const *ids, size_t count, int timeout_ms,
                                  enum bgop_outcome *outcomes);

BGOP_API void bgop_free(void *memory);
/* A line about the last call with this handle that did not return OK; "" when there was none. */
BGOP_API const char *bgop_error(const struct bgop *bgop);
/* What a code means: never NULL. */
BGOP_API const char *bgop_code_text(enum bgop_code code);
/* "Complete", "Error" ...; "" for BGOP_PENDING. */
BGOP_API const char *bgop_outcome_text(enum bgop_outcome outcome);
BGOP_API const char *bgop_version(void);

#ifdef __cplusplus
}
#endif

#endif
