/* Claiming: hinted Ids (and, now and then, whatever is pending: pulls; of a lane whose hints go
 * elsewhere more often: unhinted pulls) become running executions. The claiming
 * thread's, which is the worker's main loop, with a Redis connection of its own.
 *
 * One round asks for all lanes at once: the calls are sent, then their answers are received in turn, so that work on
 * one answer goes on while Redis is busy with the next. */
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
    CLAIMS_MORE,     /* go on at once */
    CLAIMS_NO_SLOTS, /* hints wait for a free slot */
    CLAIMS_IDLE,
};
/* hints may be NULL when draining. */
enum claims_wait claims_round(struct claims *claims, struct hints_reader *hints);
uint64_t claims_granted(const struct claims *claims); /* operations, so far */

#endif
