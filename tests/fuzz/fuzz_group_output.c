/* What a group's handler answers, line by line (exec) or as one array (http): each member gets an outcome that the status
 * log takes, and how the bytes were cut on their way makes no difference. The first byte chooses. */
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "tests/fuzz/executions.h"
#include "worker/handlers/group.h"

/* piece 0: an array; else so many bytes at a time. */
static void answer(struct fuzz_execution *made, const char *data, size_t size, size_t piece)
{
    struct group_answers answers;

    fuzz_execution_begin(made, true, NULL);
    group_answers_init(&answers, made->execution);
    if (!piece)
        group_answers_read_array(&answers, data, size);
    for (size_t at = 0; piece && at < size; at += piece)
        group_answers_feed_lines(&answers, data + at, size - at < piece ? size - at : piece);
    if (piece)
        group_answers_end_lines(&answers);
    group_answers_finish(&answers);
    group_answers_release(&answers);
}

static void check_same(const struct outcome *a, const struct outcome *b)
{
    FUZZ_CHECK(a->kind == b->kind && a->retry_after_ms == b->retry_after_ms);
    FUZZ_CHECK(!a->text == !b->text && (!a->text || strcmp(a->text, b->text) == 0));
    FUZZ_CHECK(a->result_size == b->result_size &&
               (!a->result_size || memcmp(a->result, b->result, a->result_size) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data + 1;
    struct fuzz_execution whole, pieces;

    if (size == 0)
        return 0;
    if (data[0] == '[') {
        answer(&whole, (const char *)data, size, 0);
    } else {
        answer(&whole, text, size - 1, size);
        answer(&pieces, text, size - 1, data[0] % 16u + 1);
        for (int i = 0; i < whole.execution->member_count; i++)
            check_same(&whole.execution->members[i].outcome, &pieces.execution->members[i].outcome);
        fuzz_execution_end(&pieces);
    }
    fuzz_execution_end(&whole);
    return 0;
}
