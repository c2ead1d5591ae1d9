/* Which operations a condition is about: for an action that collects them, and for a dry run that only counts. */
#ifndef BGOP_ACTION_MATCH_H
#define BGOP_ACTION_MATCH_H

#include "common/action/target.h"
#include "common/query/query.h"

/* What has ended otherwise is left out: there may be millions of those. fields: as behind SELECT, NULL: Id. NULL: err says
 * what is wrong with the condition. */
struct query *match_parse(enum action_kind kind, const char *where, const char *fields, struct err *err) MUST_CHECK;

/* Told of each that the condition meets, judged; row: what was selected. false: no more, please. */
typedef bool match_on_target(void *arg, const struct target *target, const json_t *row);
/* Runs a query of match_parse, whose fields begin with Id, and judges what it finds, some at a time: targets need not hold
 * them all and is left empty. */
enum status match_judge(struct targets *targets, const struct query *query, const struct query_options *options,
                        match_on_target *on_target, void *arg, struct err *err) MUST_CHECK;

#endif
