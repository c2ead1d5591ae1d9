/* `health` of bgop_stats: troubles by kind, the gravest first, and of a kind by shard. Two are only seen by all shards
 * together: coordinators beat to shard 0, and a worker that one shard has not heard of may have been heard of by another. */
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/reading/parts.h"
#include "common/record/health.h"

enum { SHOWN_MAX = 20 };

static const char *text_of(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));

    return text ? text : "";
}

static bool is_kind(const json_t *trouble, enum health_kind kind)
{
    return strcmp(text_of(trouble, "what"), health_whats[kind]) == 0;
}

/* No coordinator lives, or some shard's workers cannot beat yet. */
struct judged {
    bool attended, workers;
    const json_t *worker_list;
};

static struct judged judge(const struct part *parts, int count, const json_t *stats)
{
    struct judged judged = { true, true, json_object_get(stats, "workerList") };
    json_t *trouble;
    size_t i;

    for (int s = 0; s < count; s++) {
        judged.workers &= json_is_true(json_object_get(parts[s].answer, "workersJudged"));
        json_array_foreach(json_object_get(parts[s].answer, "health"), i, trouble)
        {
            judged.attended &= !is_kind(trouble, HEALTH_COORDINATOR_NONE);
        }
    }
    return judged;
}

static bool is_live(const struct judged *judged, const char *where)
{
    json_t *worker;
    size_t i;

    json_array_foreach(judged->worker_list, i, worker)
    {
        if (strncmp(where, "worker ", 7) == 0 && strcmp(where + 7, text_of(worker, "instance")) == 0)
            return true;
    }
    return false;
}

static bool holds(const struct judged *judged, const json_t *trouble)
{
    if (is_kind(trouble, HEALTH_SOURCE_UNREAD))
        return judged->attended;
    if (is_kind(trouble, HEALTH_WORKER_GONE))
        return judged->workers && !is_live(judged, text_of(trouble, "where"));
    return true;
}

/* All shards of a server tell of its clock. */
static bool is_told_once(enum health_kind kind, const json_t *list)
{
    return (kind == HEALTH_CLOCK_AHEAD || kind == HEALTH_CLOCK_BEHIND) && json_array_size(list) > 0;
}

/* Of a worker each shard tells; the one that heard of it last is right. */
static void add_once(json_t *list, json_t *trouble)
{
    json_t *known;
    size_t i;

    json_array_foreach(list, i, known)
    {
        if (strcmp(text_of(known, "where"), text_of(trouble, "where")) != 0)
            continue;
        if (json_integer_value(json_object_get(trouble, "since")) > json_integer_value(json_object_get(known, "since")))
            json_array_set(list, i, trouble);
        return;
    }
    json_array_append(list, trouble);
}

static int by_where(const void *a, const void *b)
{
    return strcmp(text_of(*(json_t *const *)a, "where"), text_of(*(json_t *const *)b, "where"));
}

static json_t *workers_sorted(json_t *list)
{
    size_t size = json_array_size(list);
    json_t **all = xcalloc(size + 1, sizeof(json_t *)), *ordered = json_array();

    for (size_t i = 0; i < size; i++)
        all[i] = json_array_get(list, i);
    qsort(all, size, sizeof(json_t *), by_where);
    for (size_t i = 0; i < size; i++)
        json_array_append(ordered, all[i]);
    free(all);
    json_decref(list);
    return ordered;
}

static json_t *of_kind(const struct part *parts, int count, const struct judged *judged, enum health_kind kind)
{
    json_t *list = json_array(), *trouble;
    size_t i;

    for (int s = 0; s < count; s++) {
        json_array_foreach(json_object_get(parts[s].answer, "health"), i, trouble)
        {
            if (!is_kind(trouble, kind) || !holds(judged, trouble) || is_told_once(kind, list))
                continue;
            if (kind == HEALTH_WORKER_GONE)
                add_once(list, trouble);
            else
                json_array_append(list, trouble);
        }
    }
    return kind == HEALTH_WORKER_GONE ? workers_sorted(list) : list;
}

void merge_health(const struct part *parts, int count, json_t *stats)
{
    struct judged judged = judge(parts, count, stats);
    json_t *health = json_array();

    for (int kind = 0; kind < HEALTH_COUNT; kind++) {
        json_t *list = of_kind(parts, count, &judged, (enum health_kind)kind);
        size_t size = json_array_size(list);

        for (size_t i = 0; i < size && i < SHOWN_MAX; i++)
            json_array_append(health, json_array_get(list, i));
        if (size > SHOWN_MAX) {
            json_array_append_new(health,
                                  json_pack("{s:s, s:s, s:O, s:o}", "what", health_whats[kind], "where", "others",
                                            "since", json_object_get(json_array_get(list, SHOWN_MAX), "since"), "text",
                                            json_sprintf("and %zu more", size - SHOWN_MAX)));
        }
        json_decref(list);
    }
    json_object_set_new(stats, "health", health);
}
