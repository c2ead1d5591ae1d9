/* A dry run: what a cancel or redrive would hit, counted by Type, ParentKey and error text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/action/action.h"
#include "common/base/memory.h"
#include "coordinator/ctl/print.h"
#include "coordinator/ctl/steer/steer.h"

enum { DRY_ROWS_MAX = 50 };

static const char *text_of(const json_t *row, const char *field)
{
    const char *text = json_string_value(json_object_get(row, field));

    return text ? text : "";
}

static int compare_groups(const void *a, const void *b)
{
    const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
    json_int_t left = json_integer_value(json_object_get(x, "count")),
               right = json_integer_value(json_object_get(y, "count"));

    if (left != right)
        return left > right ? -1 : 1;
    for (const char *const *field = (const char *const[]){ "Type", "ParentKey", "Error", NULL }; *field; field++) {
        int order = strcmp(text_of(x, *field), text_of(y, *field));

        if (order)
            return order;
    }
    return 0;
}

static void print_dry_table(json_t *const *groups, size_t count)
{
    static const struct column columns[] = {
        { "COUNT", COLUMN_RIGHT | COLUMN_ALWAYS },
        { "REFUSED", COLUMN_RIGHT },
        { "TYPE", COLUMN_SHRINK | COLUMN_ALWAYS },
        { "PARENT", COLUMN_SHRINK },
        { "ERROR", COLUMN_SHRINK },
    };
    struct table table;
    char text[32];

    table_init(&table, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < count && i < DRY_ROWS_MAX; i++) {
        json_int_t refused = json_integer_value(json_object_get(groups[i], "refused"));

        table_add(&table, format_count(text, json_integer_value(json_object_get(groups[i], "count"))));
        table_add(&table, refused ? format_count(text, refused) : "");
        table_add_json(&table, json_object_get(groups[i], "Type"));
        table_add_json(&table, json_object_get(groups[i], "ParentKey"));
        table_add_json(&table, json_object_get(groups[i], "Error"));
    }
    if (count)
        table_print(&table, stdout, terminal_width(stdout), false);
    if (count > DRY_ROWS_MAX)
        printf("... and %zu lines more; --json gives all\n", count - DRY_ROWS_MAX);
    table_release(&table);
}

/* Lines of what would be hit, the largest first. */
static json_t **sorted_groups(const struct steering *steering, size_t *count)
{
    json_t **groups = xcalloc(json_object_size(steering->groups) + 1, sizeof *groups), *group;
    const char *key;

    *count = 0;
    json_object_foreach(steering->groups, key, group)
    {
        if (json_integer_value(json_object_get(group, "count")) ||
            json_integer_value(json_object_get(group, "refused")))
            groups[(*count)++] = group;
    }
    qsort(groups, *count, sizeof(json_t *), compare_groups);
    return groups;
}

void steering_print_dry(const struct steering *steering)
{
    size_t count;
    json_t **groups = sorted_groups(steering, &count);
    char text[32], other[32];

    if (steering->session->json) {
        json_t *list = json_array();

        for (size_t i = 0; i < count; i++)
            json_array_append(list, groups[i]);
        print_json(stdout, list);
        json_decref(list);
    } else {
        print_dry_table(groups, count);
        printf("%s would be %s; nothing was sent\n", format_count(text, (long long)steering->open),
               action_done_word(steering->kind));
        if (steering->passed) {
            printf("%s more match, but there is nothing to do for them\n",
                   format_count(other, (long long)steering->passed));
        }
    }
    free(groups);
}
