/* The last common point of a log and of what was applied of it: up to there both are the same, from there on the log was
 * cut, or written anew. Whoever lost a tail is the same as before up to some offset and different from there on, so two
 * things bound it: points (points.h), found by halving, and between the last that the log holds and the first that it
 * does not, what the caller knows of each message (the records of submissions).
 *
 * Pure but for the log, which the caller lends. */
#ifndef BGOP_COORDINATOR_SOURCE_COMMON_POINT_H
#define BGOP_COORDINATOR_SOURCE_COMMON_POINT_H

#include "coordinator/source/points.h"

/* What is known of a message of the log. */
enum common_known {
    COMMON_UNKNOWN, /* nothing: refused, a duplicate, removed, or never applied */
    COMMON_SAME,    /* it was applied */
    COMMON_OTHER,   /* another was applied that stood at this offset */
};

struct common_log {
    int64_t start, end; /* of the log; end: or of what was applied, if that is less */
    /* Tells of the messages in [from, to) one after the other, until `on` answers false. */
    enum status (*read)(void *arg, int64_t from, int64_t to,
                        bool (*on)(void *on_arg, const struct fingerprint *message), void *on_arg, struct err *err);
    /* NULL: nothing is known of single messages. Called inside read. */
    enum common_known (*know)(void *arg, const struct fingerprint *message);
    void *arg;
};

/* points: sorted. *from: the first offset that is not common; *last: the last common message (offset -1: none is
 * known). */
enum status common_point_find(const struct common_log *log, const struct point *points, size_t count, int64_t *from,
                              struct fingerprint *last, struct err *err) MUST_CHECK;

#endif
