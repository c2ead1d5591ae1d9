#include "coordinator/http/locators.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/base/err.h"
#include "common/base/memory.h"

/* ---- one ---- */

struct locator *locator_new(const char *select)
{
    struct locator *locator = xcalloc(1, sizeof *locator);

    locator->select = select ? xstrdup(select) : NULL;
    buf_init(&locator->ids, LOCATORS_MAX_BYTES);
    return locator;
}

void locator_free(struct locator *locator)
{
    if (!locator)
        return;
    for (size_t i = 0; i < locator->row_count; i++)
        free(locator->rows[i]);
    free(locator->rows);
    buf_release(&locator->ids);
    free(locator->select);
    free(locator);
}

void locator_add_id(struct locator *locator, const char *id)
{
    BGOP_ASSERT(strlen(id) == ID_LENGTH);
    if (!buf_append(&locator->ids, id, ID_LENGTH))
        memory_exhausted();
}

void locator_add_row(struct locator *locator, char *json)
{
    GROW(locator->rows, locator->row_count, locator->row_capacity);
    locator->rows[locator->row_count++] = json;
    locator->row_bytes += strlen(json) + sizeof *locator->rows;
}

size_t locator_count(const struct locator *locator)
{
    return locator->select ? locator->ids.size / ID_LENGTH : locator->row_count;
}

static size_t locator_bytes(const struct locator *locator)
{
    return sizeof *locator + locator->ids.capacity + locator->row_bytes;
}

/* ---- all of them ---- */

void locators_init(struct locators *locators)
{
    pthread_mutex_init(&locators->lock, NULL);
    TAILQ_INIT(&locators->list);
    locators->bytes = 0;
}

static void drop(struct locators *locators, struct locator *locator)
{
    TAILQ_REMOVE(&locators->list, locator, entry);
    locators->bytes -= locator_bytes(locator);
    locator_free(locator);
}

void locators_release(struct locators *locators)
{
    while (!TAILQ_EMPTY(&locators->list))
        drop(locators, TAILQ_FIRST(&locators->list));
    pthread_mutex_destroy(&locators->lock);
}

static void drop_old(struct locators *locators, int64_t now_ms)
{
    struct locator *first;

    while ((first = TAILQ_FIRST(&locators->list)) != NULL &&
           (now_ms - first->used_at_ms > LOCATOR_LIFE_MS || locators->bytes > LOCATORS_MAX_BYTES))
        drop(locators, first);
}

static void make_key(char key[LOCATOR_KEY_SIZE])
{
    static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz01";
    unsigned char random[LOCATOR_KEY_SIZE - 1];

    BGOP_ASSERT(getrandom(random, sizeof random, 0) == (ssize_t)sizeof random);
    for (size_t i = 0; i < sizeof random; i++)
        key[i] = letters[random[i] % 64];
    key[LOCATOR_KEY_SIZE - 1] = '\0';
}

void locators_put(struct locators *locators, struct locator *locator, int64_t now_ms, char key[LOCATOR_KEY_SIZE])
{
    make_key(locator->key);
    memcpy(key, locator->key, LOCATOR_KEY_SIZE);
    locator->used_at_ms = now_ms;
    pthread_mutex_lock(&locators->lock);
    TAILQ_INSERT_TAIL(&locators->list, locator, entry);
    locators->bytes += locator_bytes(locator);
    drop_old(locators, now_ms);
    pthread_mutex_unlock(&locators->lock);
}

static struct locator *find(struct locators *locators, const char *key)
{
    struct locator *locator;

    TAILQ_FOREACH(locator, &locators->list, entry)
    {
        if (strcmp(locator->key, key) == 0)
            return locator;
    }
    return NULL;
}

static void copy_page(const struct locator *locator, size_t at, size_t count, struct locator_page *page)
{
    *page = (struct locator_page){ .total = locator->total, .count = count };
    buf_init(&page->ids, LOCATORS_MAX_BYTES);
    buf_init(&page->rows, LOCATORS_MAX_BYTES);
    if (locator->select) {
        page->select = xstrdup(locator->select);
        buf_append(&page->ids, locator->ids.data + at * ID_LENGTH, count * ID_LENGTH);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        buf_append_string(&page->rows, i ? "," : "");
        buf_append_string(&page->rows, locator->rows[at + i]);
    }
}

bool locators_page(struct locators *locators, const char *key, size_t offset, size_t max, int64_t now_ms,
                   struct locator_page *page)
{
    struct locator *locator;
    size_t kept;
    bool found;

    pthread_mutex_lock(&locators->lock);
    drop_old(locators, now_ms);
    locator = find(locators, key);
    found = locator && offset >= locator->first && offset - locator->first < locator_count(locator);
    if (found) {
        kept = locator_count(locator) - (offset - locator->first);
        copy_page(locator, offset - locator->first, kept < max ? kept : max, page);
        locator->used_at_ms = now_ms;
        TAILQ_REMOVE(&locators->list, locator, entry);
        TAILQ_INSERT_TAIL(&locators->list, locator, entry);
    }
    pthread_mutex_unlock(&locators->lock);
    return found;
}

void locator_page_release(struct locator_page *page)
{
    free(page->select);
    buf_release(&page->ids);
    buf_release(&page->rows);
}
