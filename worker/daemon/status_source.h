/* What the pages of a worker are made of: what it shows of itself, whether it is well (readiness.h), its metrics. */
#ifndef BGOP_WORKER_DAEMON_STATUS_SOURCE_H
#define BGOP_WORKER_DAEMON_STATUS_SOURCE_H

#include "worker/claim/claims.h"
#include "worker/claim/slots.h"
#include "worker/handlers/types.h"
#include "worker/lease/guard.h"
#include "worker/lease/identity.h"
#include "worker/lease/inflight.h"
#include "worker/traces/exporter.h"

struct status_source { /* set before the worker starts to claim; all NULL before that, and when it has drained */
    const struct identity *identity;
    const struct types *types;
    const struct slots *slots;
    struct inflight *inflight;
    const struct gate_cache *gates;
    const struct claims *claims;
    const struct reporter *reporter;
    const struct guard *guard;
    const struct exporter *spans; /* NULL: none are wanted */
    const atomic_bool *draining;
};

#endif
