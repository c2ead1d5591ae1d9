/* What can be said of an Id that has no record, told by the coordinates it is made of: where Redis has read to, and where
 * Kafka's log begins and ends. One wording for all commands. */
#ifndef BGOP_COORDINATOR_CTL_MISSING_H
#define BGOP_COORDINATOR_CTL_MISSING_H

#include "coordinator/ctl/session.h"

enum missing_kind {
    MISSING_PENDING,   /* its submission is in the log, and not read yet */
    MISSING_READ,      /* it was read: refused, a duplicate, aborted, or removed since */
    MISSING_NEVER,     /* the log ends before it */
    MISSING_LOST,      /* Kafka lost it after it was acknowledged: its history was rewritten */
    MISSING_ELSEWHERE, /* no shard, partition or epoch of this queue */
    MISSING_UNKNOWN,   /* a server that would have to be asked is away */
};
struct missing {
    enum missing_kind kind;
    bool held;      /* of PENDING: behind an open transaction, which may take long */
    char text[900]; /* to stand behind the Id: "not recorded yet: ...", "no such operation: ..." */
};

/* The epoch of a submit partition as Redis has it now (bgop:epochs); absent: 0. */
enum status session_read_epoch(struct session *session, int partition, int *epoch, struct err *err) MUST_CHECK;
/* id: 18 characters, without a record. Never fails: what cannot be asked is in the text. */
void missing_explain(struct session *session, const char *id, struct missing *missing);
/* Its record may still come: what is meant for it is worth sending. */
bool missing_may_come(const struct missing *missing);
/* "bgopctl: Id: text" on stderr; EXIT_FAILED. */
int missing_fail(struct session *session, const char *id);

#endif
