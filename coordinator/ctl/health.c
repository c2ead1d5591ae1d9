#include "coordinator/ctl/health.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/record/health.h"
#include "coordinator/ctl/print.h"

static const char *text_of(const json_t *trouble, const char *name)
{
    const char *text = json_string_value(json_object_get(trouble, name));

    return text ? text : "";
}

bool health_is_well(const json_t *stats)
{
    return json_array_size(json_object_get(stats, "health")) == 0;
}

static void print_trouble(const json_t *trouble, FILE *to)
{
    const json_t *since = json_object_get(trouble, "since");
    char length[32];

    fprintf(to, "NOT WELL  %s: %s", shown(text_of(trouble, "what")), shown(text_of(trouble, "where")));
    if (json_is_number(since)) {
        long long ms = clock_wall_ms() - (long long)json_number_value(since);

        fprintf(to, ", for %s", format_length(length, ms > 0 ? ms : 0));
    }
    if (*text_of(trouble, "text"))
        fprintf(to, ": %s", shown(text_of(trouble, "text")));
    fputc('\n', to);
}

/* Those of one kind stand together. */
static bool is_last_of_its_kind(const json_t *health, size_t i)
{
    return i + 1 == json_array_size(health) ||
           strcmp(text_of(json_array_get(health, i), "what"), text_of(json_array_get(health, i + 1), "what")) != 0;
}

void health_print(const json_t *stats, FILE *to, size_t most, bool advice)
{
    const json_t *health = json_object_get(stats, "health"), *trouble;
    size_t i, count = json_array_size(health);

    json_array_foreach(health, i, trouble)
    {
        if (most && i == most) {
            fprintf(to, "NOT WELL  and %zu more: `bgopctl doctor` has all\n", count - most);
            break;
        }
        print_trouble(trouble, to);
        if (advice && is_last_of_its_kind(health, i) && *health_advice(text_of(trouble, "what")))
            fprintf(to, "          what to do: %s.\n", health_advice(text_of(trouble, "what")));
    }
    if (count)
        fputc('\n', to);
}

json_t *health_json(const json_t *stats)
{
    json_t *list = json_array(), *copy;
    const json_t *trouble;
    size_t i;

    json_array_foreach(json_object_get(stats, "health"), i, trouble)
    {
        copy = json_copy((json_t *)(uintptr_t)trouble);
        json_object_set_new(copy, "advice", json_string(health_advice(text_of(trouble, "what"))));
        json_array_append_new(list, copy);
    }
    return list;
}
