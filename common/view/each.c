#include "common/view/each.h"

static enum status each_send(struct ask *ask, int n, each_write *write, void *arg)
{
    struct redis_command command;
    enum status st;

    redis_command_init(&command);
    write(arg, n, &command);
    st = redis_send(ask->redis, &command, ask->err);
    redis_command_release(&command);
    return st;
}

enum status each_ask(struct ask *ask, int count, each_write *write, each_take *take, void *arg)
{
    enum status st = ST_OK;
    int sent = 0;

    for (; sent < count && st == ST_OK; sent += st == ST_OK)
        st = each_send(ask, sent, write, arg);
    for (int n = 0; n < sent; n++) {
        struct redis_reply *reply = NULL;
        struct err err = ERR_INIT;
        enum status received = redis_receive(ask->redis, &reply, &err);

        if (received == ST_OK && st == ST_OK)
            take(arg, n, reply);
        redis_reply_free(reply);
        if (received != ST_OK && st == ST_OK) {
            *ask->err = err;
            st = received;
        }
    }
    return st;
}
