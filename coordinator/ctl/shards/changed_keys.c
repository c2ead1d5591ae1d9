#include "coordinator/ctl/shards/changed_keys.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/memory.h"

#define CHANNEL "__redis__:invalidate"
enum { ANSWER_MS = 5000, UNTIDY_LEAST = 10000 };

/* ---- lists ---- */

void key_list_add(struct key_list *list, const char *data, size_t size)
{
    GROW(list->keys, list->count, list->capacity);
    list->keys[list->count++] = (struct key_text){ xmemdup(data, size), size };
}

void key_list_add_all(struct key_list *list, const struct redis_reply *keys)
{
    for (size_t i = 0; i < redis_reply_count(keys); i++) {
        size_t size;
        const char *key = redis_reply_text(redis_reply_at(keys, i), &size);

        key_list_add(list, key, size);
    }
}

void key_list_clear(struct key_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->keys[i].data);
    list->count = 0;
}

void key_list_release(struct key_list *list)
{
    key_list_clear(list);
    free(list->keys);
    *list = (struct key_list){ 0 };
}

static int compare(const void *left, const void *right)
{
    const struct key_text *a = left, *b = right;
    int order = memcmp(a->data, b->data, a->size < b->size ? a->size : b->size);

    return order ? order : (a->size > b->size) - (a->size < b->size);
}

void key_list_unique(struct key_list *list)
{
    size_t kept = 0;

    if (list->count)
        qsort(list->keys, list->count, sizeof *list->keys, compare);
    for (size_t i = 0; i < list->count; i++) {
        if (kept > 0 && compare(&list->keys[kept - 1], &list->keys[i]) == 0)
            free(list->keys[i].data);
        else
            list->keys[kept++] = list->keys[i];
    }
    list->count = kept;
}

/* ---- listening ---- */

/* Nothing was missed as long as both connections are those of the beginning. */
static enum status check_connections(const struct changed_keys *changed, struct err *err)
{
    if (redis_connection_number(changed->asks) == changed->asks_number &&
        redis_connection_number(changed->listens) == changed->listens_number)
        return ST_OK;
    return err_set_server(err, ST_AGAIN, "redis", "Redis at %s: the connection was lost, and with it what changed",
                          redis_address(changed->asks));
}

/* [message, channel, [key...]]; [subscribe, ...] and [pong, ...] are answers. */
static enum status take(struct changed_keys *changed, const struct redis_reply *message, bool *is_answer,
                        struct err *err)
{
    const struct redis_reply *keys = redis_reply_at(message, 2);

    *is_answer = strcmp(redis_reply_text(redis_reply_at(message, 0), NULL), "message") != 0;
    if (*is_answer)
        return ST_OK;
    if (!keys || redis_reply_kind(keys) != REDIS_ARRAY)
        return err_set_server(err, ST_AGAIN, "redis", "Redis at %s was emptied", redis_address(changed->asks));
    key_list_add_all(&changed->keys, keys);
    return ST_OK;
}

/* What has arrived; *answered: an answer was among it, and what is behind it was left. */
static enum status take_arrived(struct changed_keys *changed, bool *answered, struct err *err)
{
    enum status st = check_connections(changed, err);

    *answered = false;
    while (st == ST_OK && !*answered) {
        struct redis_reply *message;

        st = redis_poll(changed->listens, &message, err);
        if (st != ST_OK || !message)
            break;
        st = take(changed, message, answered, err);
        redis_reply_free(message);
    }
    return st;
}

static enum status await_answer(struct changed_keys *changed, struct err *err)
{
    int64_t until = clock_boot_ms() + ANSWER_MS;
    bool answered = false;
    enum status st = ST_OK;

    while (st == ST_OK && !answered) {
        struct pollfd look = { -1, POLLIN, 0 };

        st = take_arrived(changed, &answered, err);
        if (st != ST_OK || answered)
            break;
        if (clock_boot_ms() > until) {
            return err_set_server(err, ST_AGAIN, "redis", "Redis at %s did not answer within %d ms",
                                  redis_address(changed->listens), ANSWER_MS);
        }
        (void)redis_descriptors(changed->listens, &look.fd, 1);
        (void)poll(&look, 1, 10);
    }
    return st;
}

static enum status say(struct changed_keys *changed, const char *command, const char *argument, struct err *err)
{
    struct redis_command words;
    enum status st;

    redis_command_init(&words);
    redis_command_add_text(&words, command);
    if (argument)
        redis_command_add_text(&words, argument);
    st = redis_enqueue(changed->listens, &words, err);
    redis_command_release(&words);
    return st == ST_OK ? await_answer(changed, err) : st;
}

static enum status track(struct changed_keys *changed, int64_t listener, const struct key_list *prefixes,
                         struct err *err)
{
    static const char *const words[] = { "CLIENT", "TRACKING", "ON", "BCAST", "REDIRECT" };
    struct redis_command command;
    struct redis_reply *reply = NULL;
    enum status st;

    redis_command_init(&command);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        redis_command_add_text(&command, words[i]);
    redis_command_add_int(&command, listener);
    for (size_t i = 0; i < prefixes->count; i++) {
        redis_command_add_text(&command, "PREFIX");
        redis_command_add(&command, prefixes->keys[i].data, prefixes->keys[i].size);
    }
    st = redis_send(changed->asks, &command, err);
    if (st == ST_OK)
        st = redis_receive(changed->asks, &reply, err);
    redis_reply_free(reply);
    redis_command_release(&command);
    return st == ST_OK ? ST_OK : err_prefix(err, "Redis at %s: CLIENT TRACKING", redis_address(changed->asks));
}

enum status changed_keys_begin(struct changed_keys *changed, struct redis *asks, struct redis *listens,
                               const struct key_list *prefixes, struct err *err)
{
    struct redis_reply *reply = NULL;
    int64_t listener = 0;
    enum status st = redis_connect(asks, err);

    *changed = (struct changed_keys){ .asks = asks, .listens = listens };
    if (st == ST_OK)
        st = redis_call(listens, &reply, err, "CLIENT", "ID", NULL);
    if (st != ST_OK)
        return st;
    listener = redis_reply_int(reply, 0);
    redis_reply_free(reply);
    changed->asks_number = redis_connection_number(asks);
    changed->listens_number = redis_connection_number(listens);
    st = say(changed, "SUBSCRIBE", CHANNEL, err);
    return st == ST_OK ? track(changed, listener, prefixes, err) : st;
}

enum status changed_keys_take(struct changed_keys *changed, struct err *err)
{
    bool answered;
    enum status st = take_arrived(changed, &answered, err);

    if (changed->keys.count > changed->untidy) {
        key_list_unique(&changed->keys);
        changed->untidy = 2 * changed->keys.count + UNTIDY_LEAST;
    }
    return st;
}

/* What changed is told at the end of the server's round, before it writes its answers: an answer to a PING that was sent
 * when `asks` had its own stands behind all of that. */
enum status changed_keys_take_all(struct changed_keys *changed, struct err *err)
{
    return say(changed, "PING", NULL, err);
}

void changed_keys_release(struct changed_keys *changed)
{
    key_list_release(&changed->keys);
}
