/* Judges a history: what was promised (reliability: no loss, tokens, finality, retry law ...) against what everybody
 * outside Redis saw and what Redis holds in the end. Knows nothing of the simulation. */
#ifndef TESTS_SIMULATION_CHECKER_H
#define TESTS_SIMULATION_CHECKER_H

#include "tests/simulation/history.h"

/*     invariant           what it says */
/* clang-format off */
#define INVARIANTS(XX)                                                                                        \
    XX(NO_LOSS, "every acknowledged valid submission has a final record, or had one that was removed")        \
    XX(NO_INVENTION, "what was refused is not recorded")                                                      \
    XX(ONE_OF_NAME, "of one Name only one operation is recorded")                                             \
    XX(TOKEN_UNIQUE, "no two attempts of an operation have the same token, across rollbacks too")             \
    XX(TOKEN_ORDER, "tokens of an operation's attempts rise")                                                 \
    XX(EXCLUSION, "attempts overlap only where a lease had lapsed or Redis had gone backwards")               \
    XX(FINALITY,                                                                                              \
       "what was seen final stays so and does not run again, unless redriven or overtaken by a higher token") \
    XX(CAUSE, "Complete, Error and Canceled have the log entry that made them so")                            \
    XX(RESULT_KEPT, "a logged success is the record's end, unless something logged before it was")            \
    XX(NEEDLESS_RUN, "what succeeded, logged while its lease held, does not run again")                       \
    XX(RETRY_TIME, "retry k starts (2^k - 1) * R after the failure before it, or later")                      \
    XX(RETRY_COUNT, "RetryCount counts the retries granted, at most RetryLimit")                              \
    XX(SEQUENCE, "members of a sequence group run in the order of their numbers, never two at a time")         \
    XX(PAUSED, "nothing is granted of a Type or ParentKey between the applied pause and the applied resume")  \
    XX(LANE, "no more executions of a lane run at a time than its Type lets")                                 \
    XX(ORDER, "of one ParentKey, where it merges, what one partition brought first starts first")             \
    XX(GROUP_BOUNDS, "no group is larger than its Type lets, and none mixes lanes")                           \
    XX(ONE_LEADER, "a follower has one leader, that runs and is no follower, until it leaves; NumFollowers agrees") \
    XX(ALONE, "what failed twice, crashed, lost its lease or shared a group's trouble runs alone")            \
    XX(OWN_FAILURE, "no operation fails for good by what may have been another's failure")                    \
    XX(MERGED, "Merged in the end is whose leader completed")                                                 \
    XX(SCHEDULE, "nothing starts before ProcessAfter")                                                        \
    XX(FENCES_TILE, "accepted batches follow each other without gap and overlap")                             \
    XX(FENCES_END, "in the end every fence stands at its log's end")                                          \
    XX(COUNTS, "counters per Type and Status agree with the records")                                         \
    XX(TOTALS, "accepted + duplicates + rejected = submissions")                                              \
    XX(GENERATIONS, "generations rise")
/* clang-format on */
enum invariant {
#define XX(id, meaning) INVARIANT_##id,
    INVARIANTS(XX)
#undef XX
        INVARIANT_COUNT
};
extern const char *const invariant_names[INVARIANT_COUNT];

struct verdict_of_checker {
    int violations[INVARIANT_COUNT];
    char first[512]; /* of them: invariant, operation, why; empty: none */
};

/* True: the history keeps every promise. */
bool checker_run(const struct history *history, struct verdict_of_checker *verdict);

#endif
