/* Executions as a claim makes them, for the entries that read what a handler answered. */
#ifndef TESTS_FUZZ_EXECUTIONS_H
#define TESTS_FUZZ_EXECUTIONS_H

#include "tests/fuzz/fuzz.h"
#include "worker/execution/execution.h"

enum { FUZZ_MEMBERS = 3 };

struct fuzz_execution {
    struct type_config config;
    struct served_type type;
    struct execution *execution;
};

/* With FUZZ_MEMBERS members of two sequence groups and none, or with one member. prepared: the handler's, of the Type. */
void fuzz_execution_begin(struct fuzz_execution *made, bool group, void *prepared);
/* Every member has an outcome that the status log takes and gives back as it is. Frees. */
void fuzz_execution_end(struct fuzz_execution *made);

#endif
