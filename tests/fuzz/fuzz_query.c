/* SOQL: what is accepted comes back when its condition is written and read again, means the same in normal form, and
 * has a plan within the bounds of bgop_find; what is refused says so in UTF-8, with a code word. */
#include <string.h>

#include "common/base/text.h"
#include "common/query/match.h"
#include "common/query/period.h"
#include "common/query/plan.h"
#include "tests/fuzz/fuzz.h"

#define NOW_MS INT64_C(1795428000000)

static const char row_text[] =
    "{\"Id\":\"08P003000000002EAA\",\"Name\":\"job-1\",\"Status\":\"Error\",\"Type\":\"WebCart\",\"IsDeleted\":false,"
    "\"Error\":\"100% gone\",\"ParentKey\":null,\"RetryCount\":3,\"SubmittedAt\":\"2026-11-23T10:00:00.125+0000\","
    "\"GroupLeader\":{\"Status\":\"Running\",\"Error\":null}}";

static void check_condition(struct query_condition *where)
{
    struct query_memory *memory = query_memory_new();
    struct query_condition *meant = condition_at(memory, where, NOW_MS);
    struct query_condition *normal = condition_normal(memory, meant);
    json_t *row = json_loads(row_text, 0, NULL);
    struct err err = ERR_INIT;
    struct buf written, again;
    struct query *back;

    FUZZ_CHECK(condition_matches(normal, row) == condition_matches(meant, row));
    buf_init(&written, SIZE_MAX);
    buf_init(&again, SIZE_MAX);
    condition_write(&written, where);
    back = query_parse_condition(written.data, written.size, NULL, &err);
    FUZZ_CHECK(back || written.size > QUERY_TEXT_MAX || strstr(err.text, "within each other"));
    if (back) {
        condition_write(&again, back->where);
        FUZZ_CHECK(strcmp(written.data, again.data) == 0);
        FUZZ_CHECK(condition_matches(condition_at(memory, back->where, NOW_MS), row) == condition_matches(meant, row));
    }
    query_free(back);
    buf_release(&written);
    buf_release(&again);
    json_decref(row);
    query_memory_free(memory);
}

static void check_plan(const struct query *query)
{
    json_t *explained = query_explain(query, NULL);
    struct plan plan;

    FUZZ_CHECK(json_object_size(explained) >= 5);
    json_decref(explained);
    plan_make(&plan, query, NOW_MS);
    FUZZ_CHECK(json_array_size(json_object_get(plan.find, "where")) < PLAN_CONDITIONS_MAX);
    FUZZ_CHECK(json_dumpb(plan.find, NULL, 0, JSON_COMPACT) < 65536);
    plan_release(&plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = ERR_INIT;
    struct query *query = query_parse((const char *)data, size, &err);

    if (!query) {
        FUZZ_CHECK(err.status == ST_INVALID && text_utf8_length(err.text, strlen(err.text)) > 0);
        FUZZ_CHECK(strncmp(err.text, "MALFORMED_", 10) == 0 || strncmp(err.text, "INVALID_", 8) == 0);
        return 0;
    }
    FUZZ_CHECK(!query->having || query->aggregate);
    FUZZ_CHECK(query->item_count > 0 && query->limit >= -1 && query->offset >= 0);
    if (query->where)
        check_condition(query->where);
    check_plan(query);
    query_free(query);
    return 0;
}
