#include "tests/support/merged.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/reading/reading.h"
#include "tests/support/test.h"

enum { WORDS = 256, PAGES_MAX = 100 };

struct question {
    struct redis *redis;
    char *text;
    const char *words[WORDS]; /* function, "0", arguments */
    size_t count;
};

static void split(struct question *question)
{
    for (char *at = question->text; *at && question->count < WORDS - 2;) {
        char quote = *at == '"' || *at == '\'' ? *at : ' ';
        char *begin = quote == ' ' ? at : at + 1, *end;

        if (quote == ' ' && *at == ' ') {
            at++;
            continue;
        }
        end = strchr(begin, quote);
        end = end ? end : begin + strlen(begin);
        at = *end ? end + 1 : end;
        *end = '\0';
        question->words[question->count++] = begin;
    }
}

/* A page of the merge, or of one server. */
static json_t *page(struct question *question, bool merged, const char *cursor)
{
    const char *args[WORDS];
    size_t count = question->count - 2;
    json_t *query = NULL, *answer = NULL;
    struct err err = ERR_INIT;
    char *text = NULL;
    enum status st;

    memcpy(args, question->words + 2, count * sizeof *args);
    if (cursor && strcmp(question->words[0], "bgop_find") == 0) {
        query = json_loads(args[0], 0, NULL);
        json_object_set_new(query, "cursor", json_string(cursor));
        args[0] = text = json_dumps(query, JSON_COMPACT);
    } else if (cursor) {
        args[count++] = cursor;
    }
    st = merged ? reading_merged(question->redis, &answer, question->words[0], args, count, &err)
                : reading_ask(question->redis, &answer, READING_ALL_SHARDS, question->words[0], args, count, &err);
    if (st != ST_OK)
        fail_msg("%s, %s: %s", question->words[0], merged ? "merged" : "of all", err.text);
    free(text);
    json_decref(query);
    return answer;
}

static const char *list_name(const char *function)
{
    return strcmp(function, "bgop_find") == 0                                                  ? "rows"
           : strcmp(function, "bgop_get_deleted") == 0                                         ? "deletedRecords"
           : strcmp(function, "bgop_lookup") == 0 || strcmp(function, "bgop_get_updated") == 0 ? "ids"
                                                                                               : NULL;
}

/* The rows of all pages, in the first one's place. */
static json_t *all_pages(struct question *question, bool merged, bool *whole)
{
    const char *list = list_name(question->words[0]);
    json_t *first = page(question, merged, NULL), *next = json_incref(first);

    *whole = false;
    for (int i = 0; list && i < PAGES_MAX; i++) {
        char *cursor;

        if (!json_is_string(json_object_get(next, "cursor"))) {
            *whole = true;
            break;
        }
        cursor = xstrdup(json_string_value(json_object_get(next, "cursor")));
        json_decref(next);
        next = page(question, merged, cursor);
        free(cursor);
        json_array_extend(json_object_get(first, list), json_object_get(next, list));
    }
    json_decref(next);
    if (list)
        json_object_set_new(first, "cursor", json_null());
    return first;
}

static int by_dump(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The replication calls go shard by shard: as sets. */
static void sort_list(json_t *answer, const char *list)
{
    json_t *rows = json_object_get(answer, list), *sorted = json_array();
    size_t size = json_array_size(rows);
    char **texts = xcalloc(size + 1, sizeof *texts);

    for (size_t i = 0; i < size; i++)
        texts[i] = json_dumps(json_array_get(rows, i), JSON_ENCODE_ANY);
    qsort(texts, size, sizeof *texts, by_dump);
    for (size_t i = 0; i < size; i++) {
        json_array_append_new(sorted, json_loads(texts[i], JSON_DECODE_ANY, NULL));
        free(texts[i]);
    }
    free(texts);
    json_object_set_new(answer, list, sorted);
}

static void compare(struct question *question)
{
    bool whole, merged_whole, window = strncmp(question->words[0], "bgop_get_", 9) == 0;
    json_t *all = all_pages(question, false, &whole), *merged = all_pages(question, true, &merged_whole);

    if (window) {
        sort_list(all, list_name(question->words[0]));
        sort_list(merged, list_name(question->words[0]));
    }
    if ((!list_name(question->words[0]) || (whole && merged_whole)) && !json_equal(all, merged)) {
        fail_msg("%s %s: one server says\n%s\nthe merged shards\n%s", question->words[0],
                 question->count > 2 ? question->words[2] : "", json_dumps(all, JSON_INDENT(1)),
                 json_dumps(merged, JSON_INDENT(1)));
    }
    json_decref(all);
    json_decref(merged);
}

static void compare_refusal(struct question *question, const char *answer)
{
    struct err err = ERR_INIT;
    json_t *merged = NULL;
    enum status st =
        reading_merged(question->redis, &merged, question->words[0], question->words + 2, question->count - 2, &err);

    json_decref(merged);
    if (st == ST_OK || strncmp(err.text, answer, strcspn(answer, " ")) != 0)
        fail_msg("%s: one server refuses: %s; the merge: %s", question->words[0], answer,
                 st == ST_OK ? "OK" : err.text);
}

void merged_check(const struct shard *shard, const char *question, const char *answer)
{
    struct question asked = { .text = xstrdup(question) };

    split(&asked);
    if (asked.count >= 2 && asked.count < WORDS - 2 && strcmp(asked.words[1], "0") == 0 &&
        !strstr(question, "cursor") &&
        (list_name(asked.words[0]) == NULL || strcmp(asked.words[0], "bgop_find") == 0 || asked.count <= 4)) {
        asked.redis = redis_new(shard->server->url, 5000, NULL);
        if (*answer == '{' || *answer == '[')
            compare(&asked);
        else
            compare_refusal(&asked, answer);
        redis_free(asked.redis);
    }
    free(asked.text);
}
