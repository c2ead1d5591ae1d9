/* Values and conditions, as they are judged here: pure, over a row as bgop_find answers it (with the row of its leader
 * as member GroupLeader, where one was looked up). */
#ifndef BGOP_QUERY_MATCH_H
#define BGOP_QUERY_MATCH_H

#include "common/base/buf.h"
#include "common/query/memory.h"
#include "common/query/query.h"

#define QUERY_LEADER "GroupLeader"

/* What a row has in a field; texts are borrowed from the row. */
struct query_value row_value(const json_t *row, struct query_field field);
/* The JSON of it; NULL or JSON null: null. Borrowed. */
const json_t *row_json(const json_t *row, struct query_field field);
struct query_value json_value(const json_t *json, enum field_type type);
/* Of one field's values: below 0, 0, above 0. Ids byte by byte, other texts without the case of ASCII letters. null is
 * less than everything and equal to itself. */
int value_compare(const struct query_value *a, const struct query_value *b, enum field_type type);
/* % any text, _ one character, \ before either (or itself) takes its meaning. */
bool text_like(const char *text, size_t size, const char *pattern, size_t pattern_size);
/* How ASCII letters are compared: as small ones. */
char fold(char c);

/* What a test compares; of a condition behind HAVING it is an aggregate or a grouped field. */
typedef struct query_value condition_value(void *arg, const struct query_condition *test);
bool condition_holds(const struct query_condition *condition, condition_value *value_of, void *arg);
/* A condition on records, without periods (condition_at). */
bool condition_matches(const struct query_condition *condition, const json_t *row);
/* The same condition without NOT but in front of a comparison that has no opposite, AND and OR never within their
 * own kind, and OR of equalities of one field as IN. NULL stays NULL. */
struct query_condition *condition_normal(struct query_memory *memory, const struct query_condition *condition);
/* As a text that means the same: for plans and tests. */
void condition_write(struct buf *buf, const struct query_condition *condition);
void field_write(struct buf *buf, struct query_field field);
void item_write(struct buf *buf, const struct query_item *item);
enum { QUERY_ITEM_TEXT_SIZE = 80 };
char *item_text(char text[QUERY_ITEM_TEXT_SIZE], const struct query_item *item);
/* Calls visit for each test of the condition. */
void condition_tests(const struct query_condition *condition,
                     void (*visit)(void *arg, const struct query_condition *test), void *arg);
struct query_item condition_item(const struct query_condition *test);

#endif
