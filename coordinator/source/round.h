/* A round: one call for each of several shards, all of them sent before the first answer is received. What was sent is
 * received, whatever becomes of the rest.
 *
 * Some answers are of one call alone, and are settled with it: ST_OK, ST_STALE (its fence is elsewhere) and ST_INVALID
 * (it is refused: kept until nothing is outstanding, see round_confirm_refusals). All others are of the server, and end
 * the round:
 *
 *   ST_FENCED   FENCED and RECOVERING: a gate is not as we know it. This is certain, and nothing may be sent to any
 *               shard before the gates were read again.
 *   ST_AGAIN    everything else: the server is away, busy or full; what became of the call is not known. Of a cluster one
 *               server may be away: that is of its shards alone (waiting.h), and does not end the round.
 *
 * ST_FENCED is the worse one: who reads the gates finds out by itself that a server is away, while repeating the call
 * would be refused for ever. Of two of one kind the first counts: with a lost connection go all answers behind it. The
 * reason is always that of the answer that counts. */
#ifndef BGOP_COORDINATOR_SOURCE_ROUND_H
#define BGOP_COORDINATOR_SOURCE_ROUND_H

#include "coordinator/loop/loop.h"

struct round {
    int sent;           /* calls whose answers are to be received */
    struct err why;     /* of the call at hand: what sends and receives fills it */
    struct err worst;   /* how the round ends, so far: ST_OK, ST_AGAIN or ST_FENCED */
    struct err refusal; /* of the last call that was refused as invalid; ST_OK: none was */
};

/* A call was sent, or could not be. false: send no more. */
bool round_sent(struct round *round, enum status st);
/* An answer that is of the server (ST_OK is none). */
void round_note(struct round *round, enum status st);
/* An answer that refuses its call as invalid. */
void round_refused(struct round *round);
/* All answers are received. Are the refused calls to be judged now: is nothing else wrong, and are the functions that
 * refused them our own? If they are not, the round ends with ST_AGAIN. */
bool round_confirm_refusals(struct round *round, struct loop *loop);
/* How the round ended; err (untouched by ST_OK) says why. */
enum status round_end(const struct round *round, struct err *err) MUST_CHECK;

#endif
