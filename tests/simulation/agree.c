/* bgop_check, which `bgopctl doctor` believes, must see what the simulation sees: nothing wrong, whatever happened. Asked
 * of every key of a shard now and then. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/simulation/agree.h"
#include "tests/simulation/world.h"

/* Which question about a key bgop_check answers; what its members are found by. */
static const struct {
    const char *prefix, *what, *members;
} questions[] = {
    { "op:", "records", NULL },
    { "in:", "keys", NULL },
    { "out:", "keys", NULL },
    { "tries:", "keys", NULL },
    { "commands:", "keys", NULL },
    { "done:", "keys", NULL },
    { "worker:", "keys", NULL },
    { "w:", "keys", NULL },
    { "group:", "keys", NULL },
    { "aside:", "keys", NULL },
    { "pending:", "members", "ZRANGE %b 0 -1" },
    { "due", "members", "ZRANGE %b 0 -1" },
    { "running", "members", "ZRANGE %b 0 -1" },
    { "errors", "members", "ZRANGE %b 0 -1" },
    { "blocked", "members", "ZRANGE %b 0 -1" },
    { "parent:", "members", "ZRANGE %b 0 -1" },
    { "lane:", "members", "ZRANGE %b 0 -1" },
    { "lane_out:", "members", "SMEMBERS %b" },
    { "seq:", "members", "ZRANGE %b 0 -1" },
    { "seq_active:", "members", "SMEMBERS %b" },
    { "seq_failed:", "members", "SMEMBERS %b" },
    { "leases", "members", "HKEYS %b" },
    { "cancels", "members", "HKEYS %b" },
    { "seq_released", "groups", "HKEYS %b" },
    { "lane:", "lanes", NULL },
    { "seq:", "groups", NULL },
};

static bool begins(const char *text, const char *prefix)
{
    size_t size = strlen(prefix);

    return strncmp(text, prefix, size) == 0 && (prefix[size - 1] == ':' || text[size] == '\0');
}

enum { SUBJECTS_MAX = 400 };

/* A question about several subjects at once. */
struct asking {
    struct world *world;
    char prefix[32];
    const char *words[SUBJECTS_MAX + 6];
    int head, count; /* words that every call has; all words */
};

/* (subject, index, what is wrong)*, of records behind five words each */
static void judge(struct asking *asking, const redisReply *reply)
{
    bool of_records = strcmp(asking->words[4], "records") == 0;

    if (!of_records && reply->elements > 2)
        world_fail(asking->world, "%s: bgop_check: %s %s: %s", asking->prefix, reply->element[1]->str,
                   reply->element[0]->str, reply->element[2]->str);
    for (size_t at = 1; of_records && at + 5 < reply->elements; at += 6) {
        const char *wrong = reply->element[at + 5]->type == REDIS_REPLY_INTEGER && reply->element[at + 5]->integer == 0
                                ? NULL
                                : reply->element[at + 6]->str;

        if (wrong != NULL) {
            world_fail(asking->world, "%s: bgop_check: %s (%s): %s %s", asking->prefix, reply->element[at]->str,
                       reply->element[at + 2]->str, wrong, reply->element[at + 7]->str);
            return;
        }
    }
}

static void asking_send(struct asking *asking)
{
    redisReply *reply;

    if (asking->count == asking->head)
        return;
    reply = redisCommandArgv(asking->world->redis, asking->count, asking->words, NULL);
    if (reply == NULL)
        world_fail(asking->world, "bgop_check: %s", asking->world->redis->errstr);
    else if (reply->type == REDIS_REPLY_ARRAY) /* an error: this shard replays its log */
        judge(asking, reply);
    if (reply != NULL)
        freeReplyObject(reply);
    asking->count = asking->head;
}

static void asking_begin(struct asking *asking, struct world *world, int shard, const char *what, const char *index)
{
    const char *head[] = { "FCALL_RO", "bgop_check", "1", asking->prefix, what, index };

    asking->world = world;
    snprintf(asking->prefix, sizeof asking->prefix, "bgop:{%d}", shard);
    asking->head = asking->count = index == NULL ? 5 : 6;
    memcpy(asking->words, head, (size_t)asking->head * sizeof *head);
}

static void asking_add(struct asking *asking, const char *subject)
{
    asking->words[asking->count++] = subject;
    if (asking->count == asking->head + SUBJECTS_MAX)
        asking_send(asking);
}

/* A question about the members of one key. */
static void ask_members(struct world *world, int shard, size_t question, const char *key, const char *name)
{
    bool of_index = strcmp(questions[question].what, "members") == 0;
    redisReply *members = world_command(world, questions[question].members, key, strlen(key));
    struct asking asking;

    asking_begin(&asking, world, shard, questions[question].what, of_index ? name : NULL);
    for (size_t i = 0; i < members->elements; i++)
        asking_add(&asking, members->element[i]->str);
    asking_send(&asking);
    freeReplyObject(members);
}

/* A question about keys: of their names or, where it is one of records, groups or lanes, of what is behind the prefix. */
static void ask_keys(struct world *world, int shard, size_t question, const redisReply *keys)
{
    const char *what = questions[question].what, *prefix = questions[question].prefix;
    size_t skipped = strcmp(what, "keys") == 0 ? 0 : strlen(prefix);
    struct asking asking;

    asking_begin(&asking, world, shard, what, NULL);
    for (size_t i = 0; i < keys->elements; i++) {
        const char *name = strchr(keys->element[i]->str, '}') + 2;

        if (!begins(name, prefix))
            continue;
        if (questions[question].members != NULL)
            ask_members(world, shard, question, keys->element[i]->str, name);
        else
            asking_add(&asking, name + skipped);
    }
    asking_send(&asking);
}

void agreement_check(struct world *world, int shard)
{
    redisReply *keys = world_command(world, "KEYS bgop:{%d}:*", shard);

    for (size_t question = 0; question < sizeof questions / sizeof *questions; question++)
        ask_keys(world, shard, question, keys);
    freeReplyObject(keys);
}
