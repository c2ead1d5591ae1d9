/* What Redis knows of some targets, in one round trip: fields of the record, and what one more key of its shard says. */
#include "coordinator/ctl/steer/steer.h"

#include <stdio.h>

static enum status send_question(struct steering *steering, const struct target_query *query,
                                 const struct target *target, struct redis_command *command, struct err *err)
{
    struct id_parts parts;
    char key[64];
    enum status st;

    if (!id_parse(target->id, ID_LENGTH, &parts))
        return err_set(err, ST_FAILED, "%s is not an Id", target->id);
    redis_command_clear(command);
    redis_command_add_text(command, "HMGET");
    key_format(key, sizeof key, KEY_OP, parts.shard, target->id);
    redis_command_add_text(command, key);
    for (const char *const *field = query->fields; *field; field++)
        redis_command_add_text(command, *field);
    st = redis_send(steering->session->redis, command, err);
    redis_command_clear(command);
    redis_command_add_text(command, query->verb);
    key_format(key, sizeof key, query->key, parts.shard, NULL);
    redis_command_add_text(command, key);
    redis_command_add_text(command, target->id);
    return st == ST_OK ? redis_send(steering->session->redis, command, err) : st;
}

static enum status receive_answer(struct steering *steering, const struct target_query *query, struct target *target,
                                  struct err *err)
{
    struct redis_reply *record = NULL, *other = NULL;
    enum status st = redis_receive(steering->session->redis, &record, err);

    if (st == ST_OK)
        st = redis_receive(steering->session->redis, &other, err);
    if (st == ST_OK)
        query->on_answer(steering, target, record, other);
    redis_reply_free(record);
    redis_reply_free(other);
    return st;
}

enum status steering_query(struct steering *steering, const struct target_query *query, size_t from, size_t to,
                           struct err *err)
{
    struct redis_command command;
    enum status st = ST_OK;

    redis_command_init(&command);
    for (size_t i = from; i < to && st == ST_OK; i++) {
        if (query->is_about(&steering->targets[i]))
            st = send_question(steering, query, &steering->targets[i], &command, err);
    }
    for (size_t i = from; i < to && st == ST_OK; i++) {
        if (query->is_about(&steering->targets[i]))
            st = receive_answer(steering, query, &steering->targets[i], err);
    }
    redis_command_release(&command);
    if (st != ST_OK)
        redis_disconnect(steering->session->redis);
    return st;
}
