/* Keys of a Redis that are changed while others are copied, as the server itself tells of them: CLIENT TRACKING of a prefix,
 * whose messages go to a connection that listens. */
#ifndef BGOP_CTL_SHARDS_CHANGED_KEYS_H
#define BGOP_CTL_SHARDS_CHANGED_KEYS_H

#include "common/redis/redis.h"

struct key_text {
    char *data;
    size_t size;
};
struct key_list {
    struct key_text *keys;
    size_t count, capacity;
};
void key_list_add(struct key_list *list, const char *data, size_t size);      /* copied */
void key_list_add_all(struct key_list *list, const struct redis_reply *keys); /* an array of texts */
void key_list_clear(struct key_list *list);                                   /* keeps the room for the list itself */
void key_list_release(struct key_list *list);
/* Each once, in order. */
void key_list_unique(struct key_list *list);

struct changed_keys {
    struct redis *asks, *listens; /* of the same server; borrowed */
    uint64_t asks_number, listens_number;
    struct key_list keys;
    size_t untidy; /* from so many keys on each is looked for twice */
};

/* From now on what changes of keys with these prefixes is told. asks: whose connection it is tied to; listens: does nothing
 * else. */
enum status changed_keys_begin(struct changed_keys *changed, struct redis *asks, struct redis *listens,
                               const struct key_list *prefixes, struct err *err) MUST_CHECK;
/* Takes what was told until now. */
enum status changed_keys_take(struct changed_keys *changed, struct err *err) MUST_CHECK;
/* Takes all that was changed before the last answer to `asks`. */
enum status changed_keys_take_all(struct changed_keys *changed, struct err *err) MUST_CHECK;
void changed_keys_release(struct changed_keys *changed); /* the connections stay the caller's */

#endif
