#include "common/redis/each.h"

enum status redis_ask_each(struct redis *redis, int count, redis_each_write *write, redis_each_take *take, void *arg,
                           struct err *err)
{
    struct redis_command command;
    enum status st = ST_OK;
    int sent = 0;

    redis_command_init(&command);
    for (; sent < count && st == ST_OK; sent += st == ST_OK) {
        redis_command_clear(&command);
        write(arg, sent, &command);
        st = redis_send(redis, &command, err);
    }
    redis_command_release(&command);
    for (int n = 0; n < sent; n++) {
        struct redis_reply *reply = NULL;
        struct err one = ERR_INIT;
        enum status received = redis_receive(redis, &reply, &one);

        if (received != ST_OK && st == ST_OK) {
            *err = one;
            st = received;
        }
        if (st == ST_OK)
            take(arg, n, reply);
        redis_reply_free(reply);
    }
    return st;
}
