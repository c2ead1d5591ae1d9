#include "coordinator/source/round.h"

#include "coordinator/loop/library.h"

bool round_sent(struct round *round, enum status st)
{
    round_note(round, st);
    round->sent += st == ST_OK;
    return st == ST_OK;
}

void round_note(struct round *round, enum status st)
{
    bool gate = st == ST_FENCED || st == ST_RECOVERING;

    if (st == ST_OK || round->worst.status == ST_FENCED || (!gate && round->worst.status != ST_OK))
        return;
    round->worst = round->why;
    round->worst.status = gate ? ST_FENCED : ST_AGAIN;
}

void round_refused(struct round *round)
{
    round->refusal = round->why;
}

bool round_confirm_refusals(struct round *round, struct loop *loop)
{
    if (round->refusal.status == ST_OK || round->worst.status != ST_OK)
        return false;
    round->why = round->refusal;
    round_note(round, library_confirm_ours(loop, &round->why));
    return round->worst.status == ST_OK;
}

enum status round_end(const struct round *round, struct err *err)
{
    if (round->worst.status != ST_OK)
        *err = round->worst;
    return round->worst.status;
}
