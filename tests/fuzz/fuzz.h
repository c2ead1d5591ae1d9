/* What a fuzz entry needs: checks that stay on, and the entry's own prototype. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Ends the process with the line at fault: the input is in the fuzzer's crash file, or printed by the driver. */
#define FUZZ_CHECK(condition) BGOP_ASSERT(condition)

#endif
