/* Claiming: hinted Ids (and, now and then, whatever is pending: pulls; of a lane whose hints go
 * elsewhere more often: unhinted pulls) become running executions. The claiming
 * thread's, which is the worker's main loop, with a Redis connection of its own.
 *
 * Several calls are under way at a time, to different lanes, so that work on one answer goes on while Redis is busy
 * with the next. Nothing is waited for but in the main loop. */
#ifndef BGOP_WORKER_CLAIM_CLAIMS_H
#define BGOP_WORKER_CLAIM_CLAIMS_H

#include "worker/lease/gate_cache.h"
#include "worker/claim/hints.h"
#include "worker/lease/identity.h"
#include "worker/lease/inflight.h"
#include "worker/lease/renewal.h"
#include "worker/report/reporter.h"
#include "worker/claim/slots.h"

struct claims_parts {
    const struct config *config;
    const struct identity *identity;
    struct lanes *lanes;
    struct gate_cache *gates;
    struct slots *slots;
    struct inflight *inflight;
    struct renewal *renewal;
    struct reporter *reporter;
    struct handler_sink sink; /* for what is never started */
};
struct claims;

struct claims *claims_start(const struct claims_parts *parts, struct err *err);
void claims_stop(struct claims *claims);
/* No new calls from now on; what open ones bring is given back unstarted. */
void claims_drain(struct claims *claims);
bool claims_open(const struct claims *claims); /* calls without an answer */

enum claims_wait {
    CLAIMS_MORE,     /* an answer has come: go on at once */
    CLAIMS_NO_SLOTS, /* hints wait for a free slot */
    CLAIMS_IDLE,
};
/* Takes the answers that have come, and asks for what there are slots for. hints may be NULL when draining. */
enum claims_wait claims_turn(struct claims *claims, struct hints_reader *hints);
/* After a turn: how long until the next without anything having come, at most max_ms; and what to wait on for answers. */
int claims_wait_ms(const struct claims *claims, int max_ms);
size_t claims_descriptors(const struct claims *claims, int *descriptors, size_t room);
uint64_t claims_granted(const struct claims *claims); /* operations, so far */

#endif
