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

struct shard_question {
    const char *command;
    enum redis_key key;
    const char *const *words;
    char room[KEY_SIZE]; /* for the key of the command that is being written */
    redis_each_take *take;
    void *arg;
};

static void write_question(void *arg, int shard, struct redis_command *command)
{
    struct shard_question *question = arg;

    redis_command_add_text(command, question->command);
    redis_command_add_text(command, key_format(question->room, sizeof question->room, question->key, shard, NULL));
    for (const char *const *word = question->words; word && *word; word++)
        redis_command_add_text(command, *word);
}

static void take_answer(void *arg, int shard, const struct redis_reply *reply)
{
    const struct shard_question *question = arg;

    question->take(question->arg, shard, reply);
}

enum status redis_ask_shards(struct redis *redis, int shards, const char *command, enum redis_key key,
                             const char *const *words, redis_each_take *take, void *arg, struct err *err)
{
    struct shard_question question = { .command = command, .key = key, .words = words, .take = take, .arg = arg };

    return redis_ask_each(redis, shards, write_question, take_answer, &question, err);
}
