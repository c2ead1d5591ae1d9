/* A heap while rows come, sorted once at the end. Ties go by Id in the direction of the last key, as bgop_find does it:
 * so the same query answers the same order again, and pages by OFFSET fit together. */
#include "common/query/rows.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"

struct sorted_row {
    json_t *row, *kept; /* kept: what owns the values; NULL: the row */
    uint64_t number;
    struct query_value values[];
};

void sort_start(struct sort *sort, const struct plan *plan, int64_t held_max, struct err *err)
{
    const struct query *query = plan->query;
    int64_t wanted = query->limit < 0 ? INT64_MAX : query->limit + query->offset;

    *sort = (struct sort){ .orders = query->orders,
                           .order_count = query->order_count,
                           .wanted = (size_t)wanted,
                           .held_max = (size_t)held_max,
                           .err = err };
}

static void row_free(struct sorted_row *row)
{
    if (!row)
        return;
    json_decref(row->row);
    json_decref(row->kept);
    free(row);
}

void sort_release(struct sort *sort)
{
    for (size_t i = 0; i < sort->count; i++)
        row_free(sort->rows[i]);
    free(sort->rows);
}

/* ---- comparing ---- */
static int compare_key(const struct query_order *order, const struct query_value *a, const struct query_value *b)
{
    int result;

    if (a->kind == QUERY_NULL || b->kind == QUERY_NULL) {
        result = value_compare(a, b, FIELD_INT);
        return order->nulls_first ? result : -result;
    }
    result = value_compare(a, b, query_item_type(&order->item));
    return order->descending ? -result : result;
}

static int compare_ids(const json_t *a, const json_t *b)
{
    const char *x = json_string_value(json_object_get(a, "Id")), *y = json_string_value(json_object_get(b, "Id"));

    return x && y ? strcmp(x, y) : 0;
}

static int compare_rows(const struct sort *sort, const struct sorted_row *a, const struct sorted_row *b)
{
    int result = 0;

    for (size_t i = 0; i < sort->order_count && result == 0; i++)
        result = compare_key(&sort->orders[i], &a->values[i], &b->values[i]);
    if (result == 0 && !a->kept) {
        result = compare_ids(a->row, b->row);
        result = sort->orders[sort->order_count - 1].descending ? -result : result;
    }
    return result != 0 ? result : (a->number > b->number) - (a->number < b->number);
}

/* ---- the heap: the last row on top ---- */
static void swap(struct sorted_row **a, struct sorted_row **b)
{
    struct sorted_row *kept = *a;

    *a = *b;
    *b = kept;
}

static void sift_down(struct sort *sort, size_t at)
{
    for (;;) {
        size_t last = at;

        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < sort->count; child++) {
            if (compare_rows(sort, sort->rows[child], sort->rows[last]) > 0)
                last = child;
        }
        if (last == at)
            return;
        swap(&sort->rows[at], &sort->rows[last]);
        at = last;
    }
}

static struct sorted_row *row_new(struct sort *sort, json_t *row, json_t *values)
{
    struct sorted_row *sorted = xcalloc(1, sizeof *sorted + sort->order_count * sizeof *sorted->values);

    sorted->row = row;
    sorted->kept = values;
    sorted->number = sort->number++;
    for (size_t i = 0; i < sort->order_count; i++) {
        sorted->values[i] = values ? json_value(json_array_get(values, i), query_item_type(&sort->orders[i].item))
                                   : row_value(row, sort->orders[i].item.field);
    }
    return sorted;
}

enum status sort_add(struct sort *sort, json_t *row, json_t *values)
{
    struct sorted_row *sorted = row_new(sort, row, values);

    if (sort->count == sort->wanted) { /* only rows that go before the last one kept matter */
        if (sort->count > 0 && compare_rows(sort, sorted, sort->rows[0]) < 0) {
            swap(&sort->rows[0], &sorted);
            sift_down(sort, 0);
        }
        row_free(sorted);
        return ST_OK;
    }
    if (sort->count == sort->held_max) {
        row_free(sorted);
        return err_set(sort->err, ST_INVALID,
                       "MALFORMED_QUERY ordering more than %zu rows is more than is allowed at once: give a LIMIT, "
                       "conditions that leave fewer, or order by SubmittedAt alone",
                       sort->held_max);
    }
    GROW(sort->rows, sort->count, sort->capacity);
    sort->rows[sort->count++] = sorted;
    for (size_t i = sort->count / 2; sort->count == sort->wanted && i > 0; i--) /* from now on a heap */
        sift_down(sort, i - 1);
    return ST_OK;
}

bool sort_settled(const struct sort *sort, const json_t *row)
{
    struct query_value value;

    if (sort->count < sort->wanted || sort->count == 0)
        return false;
    value = row_value(row, sort->orders[0].item.field);
    return compare_key(&sort->orders[0], &value, &sort->rows[0]->values[0]) > 0;
}

/* ---- the end ---- */
static int compare_sorted(const void *a, const void *b, void *sort)
{
    return compare_rows(sort, *(struct sorted_row *const *)a, *(struct sorted_row *const *)b);
}

void sort_finish(struct sort *sort)
{
    if (sort->count > 0)
        qsort_r(sort->rows, sort->count, sizeof(struct sorted_row *), compare_sorted, sort);
}

json_t *sort_take(struct sort *sort, size_t index)
{
    json_t *row = sort->rows[index]->row;

    sort->rows[index]->row = NULL;
    return row;
}
