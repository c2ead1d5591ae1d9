/* Actions as bgopctl asks for them and looks at them: coordinators run them, this is where a person watches. */
#ifndef BGOP_CTL_ACTING_H
#define BGOP_CTL_ACTING_H

#include "common/action/action.h"
#include "coordinator/ctl/session.h"

enum { ACTING_TIMEOUT_MS = 15000 }; /* for a coordinator to take it up, unless --timeout says so */

/* "anna@host": who is remembered with it. */
const char *acting_who(void);
/* Creates it, after a look whether the queue is the configuration's. name: ACTION_ID_SIZE. */
int acting_create(struct session *session, struct action_request *request, char *name);
/* The action as bgop_actions has it; EXIT_FAILED, said, when there is none. The caller decrefs it. */
int acting_read(struct session *session, const char *name, json_t **action);

/* Watches until it has ended: a bar on a terminal, else a line now and then when there is something new (unless quiet).
 * Interrupted, it says that the action goes on. EXIT_FAILED, said, also when no coordinator has it for timeout_ms. *action:
 * as it was seen last, NULL: never; the caller decrefs it. */
int acting_follow(struct session *session, const char *name, int64_t timeout_ms, bool quiet, json_t **action);
/* What became of it: "6 redriven, 1 not" with what went wrong on standard error; the exit code. */
int acting_print_end(struct session *session, const json_t *action);

/* Members. */
long long acting_number(const json_t *action, const char *name); /* 0: null */
const char *acting_text(const json_t *action, const char *name); /* "": null */
/* "canceled" */
const char *acting_done_word(const json_t *action);

#endif
