/* The lifecycle matrix, status x event, every cell: the one source of the test (test_lifecycle.c runs each cell) and of
 * the page common/functions/LIFECYCLE.md (tests/unit/test_lifecycle_page.c prints it, and fails when it is old).
 *
 * A cell says where the operation stands afterwards, as shard_places puts it: its status, a blank, then one letter for
 * each index it is in (LIFECYCLE_PLACES, in that order). "=": it stays where it was. " ": it is gone. */
#ifndef TESTS_FUNCTIONS_LIFECYCLE_MATRIX_H
#define TESTS_FUNCTIONS_LIFECYCLE_MATRIX_H

/* clang-format off: a matrix */

/* letter, its word in a cell of the page ("": goes without saying), the key, what it means */
#define LIFECYCLE_PLACES(XX)                                                                                     \
    XX('p', "claimable", "pending:<Type>", "a worker may claim it")                                              \
    XX('d', "timed", "due", "it has a time: ProcessAfter or that of its retry")                                  \
    XX('l', "leased", "leases", "a worker holds it, under a token")                                              \
    XX('r', "", "running", "when its lease ends (goes with `leases`)")                                           \
    XX('e', "", "errors", "it is in Error")                                                                      \
    XX('c', "cancel noted", "cancels", "the worker hears of it when it renews; the first terminal outcome wins") \
    XX('D', "ended", "done:<retention>", "it became terminal and is removed at ExpiresAt; twice: became so twice")

/* identifier, name, how the test gets it there, the attempt its token then names, where it stands */
#define LIFECYCLE_STATUSES(XX)                                               \
    XX(NEW, "New", become_new, 0, "New p")                                   \
    XX(SCHEDULED, "Scheduled", become_scheduled, 0, "Scheduled d")           \
    XX(WAITING, "Waiting", become_waiting, 1, "Waiting p")                   \
    XX(RUNNING, "Running", become_running, 1, "Running lr")                  \
    XX(ERROR_TIMED, "Error, retry timed", become_error_timed, 2, "Error de") \
    XX(ERROR_FINAL, "Error, for good", become_error_final, 1, "Error eD")    \
    XX(COMPLETE, "Complete", become_complete, 1, "Complete D")               \
    XX(CANCELED, "Canceled", become_canceled, 0, "Canceled D")               \
    XX(MERGED, "Merged, leader runs", become_merged, 1, "Merged ")           \
    XX(MERGED_FINAL, "Merged, for good", become_merged_final, 1, "Merged D")

#define LIFECYCLE_STAYS "=", "=", "=", "=", "=", "=", "=", "=", "=", "="

/* name, how the test makes it happen, kind of the entry in the status log ("": none), how many attempts its token is
 * above the record's, what it is; then the cells:
 *     New           Scheduled     Waiting       Running        Error timed   Error final    Complete  Canceled
 *     and on a line of its own: Merged under a leader that runs, Merged for good. The operation is the first follower
 *     of its leader's group then, and the lane is its leader's as long as that runs. */
#define LIFECYCLE_EVENTS(XX)                                                                                           \
    XX("claim", claim, "", 0, "a worker that serves the Type asks for it (`bgop_claim`)", "Running lr", "=",           \
       "Running lr", "=", "=", "=", "=", "=", "=", "=")                                                                \
    XX("ok", entry, "ok", 0, "the latest attempt succeeded; also one whose lease was taken back before it reported",   \
       "=", "=", "Complete D", "Complete D", "Complete D", "=", "=", "=", "=", "=")                                    \
    XX("error", entry, "error", 0, "the latest attempt failed, and the first retry is immediate", "=", "=", "=",       \
       "Waiting p", "=", "=", "=", "=", "Waiting ", "=")                                                               \
    XX("permanent", entry, "permanent", 0, "the latest attempt failed in a way that no retry mends", "=", "=", "=",    \
       "Error eD", "=", "=", "=", "=", "Error eD", "=")                                                                \
    XX("unanswered", entry, "unanswered", 0, "its execution failed as a whole, or said nothing of it: as `error`",     \
       "=", "=", "=", "Waiting p", "=", "=", "=", "=", "Waiting ", "=")                                                \
    XX("crashed", entry, "crashed", 0, "its handler died by a signal: as `error`; for good at the third in a row",     \
       "=", "=", "=", "Waiting p", "=", "=", "=", "=", "Waiting ", "=")                                                \
    XX("timed_out", entry, "timed_out", 0, "its Timeout passed: as `error`", "=", "=", "=", "Waiting p", "=", "=",     \
       "=", "=", "Waiting ", "=")                                                                                      \
    XX("lost", entry, "lost", 0, "the verdict after the fifth lost lease", "=", "=", "=", "Error eD", "=", "=", "=",   \
       "=", "Waiting ", "=")                                                                                           \
    XX("skipped", entry, "skipped", 0, "the handler did not try it; nothing is counted", "=", "=", "=", "Waiting p",   \
       "=", "=", "=", "=", "Waiting ", "=")                                                                            \
    XX("returned", entry, "returned", 0, "the worker gives it back, as when it stops; nothing is counted", "=", "=",   \
       "=", "Waiting p", "=", "=", "=", "=", "Waiting ", "=")                                                          \
    XX("old ok", entry, "ok", -1, "an earlier attempt succeeded, but a later one was given out", LIFECYCLE_STAYS)      \
    XX("old error", entry, "error", -1, "an earlier attempt failed", LIFECYCLE_STAYS)                                  \
    XX("old returned", entry, "returned", -1, "an earlier attempt is given back", LIFECYCLE_STAYS)                     \
    XX("newer ok", entry, "ok", 1, "an attempt that Redis forgot (it lost its last moments) succeeded", "Complete D",  \
       "Complete D", "Complete D", "Complete D", "Complete D", "Complete DD", "=", "Complete D", "Complete D", "=")    \
    XX("newer error", entry, "error", 1, "an attempt that Redis forgot failed: counted now", "Waiting p", "Waiting p", \
       "Waiting p", "Waiting p", "Error de", "Waiting pD", "=", "=", "Waiting ", "=")                                  \
    XX("newer permanent", entry, "permanent", 1, "an attempt that Redis forgot failed for good", "Error eD",           \
       "Error eD", "Error eD", "Error eD", "Error eD", "Error eD", "=", "=", "Error eD", "=")                          \
    XX("newer returned", entry, "returned", 1, "an attempt that Redis forgot is given back", "Waiting p", "Waiting p", \
       "Waiting p", "Waiting p", "Waiting p", "=", "=", "=", "Waiting ", "=")                                          \
    XX("newer lost", entry, "lost", 1, "the verdict `lost` on an attempt that Redis forgot, and that ran alone",       \
       "Error eD", "Error eD", "Error eD", "Error eD", "Error eD", "Error eD", "=", "=", "Error eD", "=")              \
    XX("cancel", entry, "cancel", 0, "somebody cancels it", "Canceled D", "Canceled D", "Canceled D", "Running lrc",   \
       "Canceled D", "=", "=", "=", "Merged c", "=")                                                                   \
    XX("cancel, saw a newer one", entry, "cancel", 1, "cancelled while an attempt ran that Redis forgot",              \
       "Running lrc", "Running lrc", "Running lrc", "Running lrc", "Running lrc", "=", "=", "=", "Running lrc", "=")   \
    XX("redrive", entry, "redrive", 0, "an operation that ended in Error gets its retries back", "=", "=", "=", "=",   \
       "=", "Waiting pD", "=", "=", "=", "=")                                                                          \
    XX("redrive, read before", entry, "redrive", -1, "the same redrive read again after it had its effect",            \
       LIFECYCLE_STAYS)                                                                                                \
    XX("renew", renew, "", 0, "its worker prolongs the lease (`bgop_renew`)", LIFECYCLE_STAYS)                         \
    XX("renew of an old one", renew, "", -1, "a worker prolongs the lease of an earlier attempt: it is told to stop",  \
       LIFECYCLE_STAYS)                                                                                                \
    XX("reassert", reassert, "", 0, "after a recovery its worker says that it runs it (`bgop_reassert`)",              \
       LIFECYCLE_STAYS)                                                                                                \
    XX("reassert of an old one", reassert, "", -1,                                                                     \
       "a worker says that it runs an earlier attempt: it is told to stop", LIFECYCLE_STAYS)                           \
    XX("reassert of a newer one", reassert, "", 1, "a worker says that it runs an attempt that Redis forgot",          \
       "Running lr", "Running lr", "Running lr", "Running lr", "Running lr", "Running lrD", "=", "=", "Running lr",    \
       "=")                                                                                                            \
    XX("due", due, "", 0, "time passes: ProcessAfter or the time of its retry is reached (`bgop_tick`)", "=", "New p", \
       "=", "=", "Waiting p", "=", "=", "=", "=", "=")                                                                 \
    XX("lease end", lease_end, "", 0, "time passes: its lease ends and nobody renewed it", "=", "New p", "=",          \
       "Waiting p", "Waiting p", "=", "=", "=", "Waiting p", "=")                                                      \
    XX("lease end, log unread", lease_end_unread, "", 0,                                                               \
       "the same, but its outcome may still stand unread in the status log: nobody is robbed", "=", "New p", "=", "=", \
       "Waiting p", "=", "=", "=", "=", "=")                                                                           \
    XX("retention end", retention_end, "", 0, "time passes: the longest retention is over", "=", "New p", "=",         \
       "Waiting p", "Waiting p", "=", " ", " ", "Waiting p", " ")

/* clang-format on */

#endif
