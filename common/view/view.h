/* What people look at beside records: how an operation got where it is, who works on what, what is paused. Read from the
 * keys of common/record/keys.h over one connection; bgopctl and the coordinator's HTTP endpoint show the same.
 *
 * Answers are JSON that the caller decrefs. Everything costs some round trips a shard, whatever the queue holds. */
#ifndef BGOP_VIEW_VIEW_H
#define BGOP_VIEW_VIEW_H

#include <jansson.h>

#include "common/query/ask.h"

enum {
    VIEW_WHOLE = 0,          /* of a text: nothing is cut */
    VIEW_ATTEMPTS = 1 << 20, /* token = generation * this + attempt (write/prelude.lua) */
};

/* Adds to the record of this Id what is no field of it: `tries` and `commands` (arrays), `redrives` (a number), and `out`,
 * its result. A result of more bytes than text_max is cut, and `outBytes` says how many there are; one that is no UTF-8 is
 * {"base64":".."}. ST_INVALID: no Id. */
enum status view_history(struct ask *ask, const char *id, size_t text_max, json_t *record) MUST_CHECK;
/* Adds `payload` and `payloadBytes` in the same way; null: there was none, or it was emptied at the end. */
enum status view_payload(struct ask *ask, const char *id, size_t text_max, json_t *record) MUST_CHECK;

/* Adds `group`: the Ids of the execution group that this leader leads, itself first, at most 200; [] once it has ended. */
enum status view_group(struct ask *ask, const char *leader, json_t *record) MUST_CHECK;

/* [{"Type","ParentKey","since","reason","laidAside","resuming"}], the first two null by turns. */
enum status view_pauses(struct ask *ask, json_t **pauses) MUST_CHECK;

/* [{"instance","uri","types","slots","running","seenAtMs","ids"}]; ids: of what it runs, at most ids_max. An instance that
 * only holds leases has seenAtMs 0. */
enum status view_workers(struct ask *ask, size_t ids_max, json_t **workers) MUST_CHECK;

/* [{"shard","mode","generation","armedAtMs"}]; mode as the gate has it, EMPTY: never armed. */
enum status view_shards(struct ask *ask, json_t **shards) MUST_CHECK;

#endif
