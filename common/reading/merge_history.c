/* bgop_history: the shards' minutes added up. One that was asked a moment later may have begun another minute. */
#include "common/reading/parts.h"

static json_int_t minute_of(const json_t *history)
{
    return json_integer_value(json_object_get(history, "minute"));
}

static void add_number(json_t *sums, json_int_t place, const json_t *number)
{
    json_t *sum = place >= 0 ? json_array_get(sums, (size_t)place) : NULL;

    if (sum)
        json_integer_set(sum, json_integer_value(sum) + json_integer_value(number));
}

/* Of `from` into `to`, minute by minute; what is older than `to` goes back is left out. */
static void add_minutes(json_t *to, const json_t *from)
{
    json_int_t later = minute_of(to) - minute_of(from);
    const char *name;
    json_t *sums;

    json_object_foreach(to, name, sums)
    {
        const json_t *numbers = json_object_get(from, name);

        for (size_t i = 0; i < json_array_size(numbers); i++)
            add_number(sums, (json_int_t)i - later, json_array_get(numbers, i));
    }
}

/* The shard that is furthest goes first: all the others' minutes have a place in its hour. */
static json_t *add_up(const struct part *parts, int count)
{
    int first = 0;

    for (int s = 1; s < count; s++) {
        if (minute_of(parts[s].answer) > minute_of(parts[first].answer))
            first = s;
    }
    for (int s = 0; s < count; s++) {
        if (s != first)
            add_minutes(parts[first].answer, parts[s].answer);
    }
    return json_incref(parts[first].answer);
}

enum status merge_history(const struct reading *reading, json_t **answer)
{
    struct part *parts;
    enum status st;

    if (reading->count > 0 || reading->shards == 0) /* an empty hour, or what is wrong with the question */
        return part_ask_one(reading, 0, answer);
    st = parts_ask_all(reading, &parts);
    if (st == ST_OK)
        *answer = add_up(parts, reading->shards);
    parts_release(parts, (size_t)reading->shards);
    return st;
}
