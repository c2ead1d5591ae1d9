/* deploy/redis/users.acl from the other side (test_acl.c: what is on the lists suffices): everything that is not on a user's
 * list is refused. All commands of the server are tried, by each user, and all keys of the queue. */
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#include "common/record/keys.h"
#include "tests/support/redis_server.h"

enum { USERS = 4, NAME_SIZE = 64, WORDS_MAX = 16 };

static struct redis_server server;
static redisContext *admin;

static struct user {
    char name[NAME_SIZE], line[8192];
    redisContext *redis;
} users[USERS];

static redisReply *ask(redisContext *redis, int count, const char **words)
{
    redisReply *reply = redisCommandArgv(redis, count, words, NULL);

    if (!reply)
        fail_msg("%s: %s", words[0], redis->errstr);
    return reply;
}

/* "user NAME rules...": set as it stands in the file, with a password. */
static void user_set(struct user *user, const char *line)
{
    const char *words[512] = { "ACL", "SETUSER" };
    char copy[sizeof user->line], *rest = NULL;
    redisReply *reply;
    int count = 2;

    snprintf(user->line, sizeof user->line, "%.*s ", (int)strcspn(line, "\n"), line);
    snprintf(copy, sizeof copy, "%s", user->line);
    assert_string_equal(strtok_r(copy, " ", &rest), "user");
    for (char *word = strtok_r(NULL, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        words[count++] = word;
    snprintf(user->name, sizeof user->name, "%s", words[2]);
    words[count++] = ">secret";
    reply = ask(admin, count, words);
    assert_int_equal(reply->type, REDIS_REPLY_STATUS);
    freeReplyObject(reply);
    user->redis = redis_server_connect(&server);
    reply = ask(user->redis, 3, (const char *[]){ "AUTH", user->name, "secret" });
    assert_int_equal(reply->type, REDIS_REPLY_STATUS);
    freeReplyObject(reply);
}

static int start(void **state)
{
    FILE *file = fopen(BGOP_USERS_ACL, "r");
    char line[8192];
    int count = 0;

    (void)state;
    assert_non_null(file);
    redis_server_start(&server, false);
    admin = redis_server_connect(&server);
    while (fgets(line, sizeof line, file)) {
        assert_true(count < USERS);
        user_set(&users[count++], line);
    }
    fclose(file);
    assert_int_equal(count, USERS);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    for (size_t i = 0; i < USERS; i++)
        redisFree(users[i].redis);
    redisFree(admin);
    redis_server_stop(&server);
    return 0;
}

/* ---- commands ---- */

static bool has_flag(const redisReply *command, const char *flag)
{
    const redisReply *flags = command->element[2];

    for (size_t i = 0; i < flags->elements; i++) {
        if (strcmp(flags->element[i]->str, flag) == 0)
            return true;
    }
    return false;
}

static bool on_list(const struct user *user, const char *command)
{
    char rule[NAME_SIZE + 3];

    snprintf(rule, sizeof rule, " +%s ", command);
    return strstr(user->line, rule) != NULL;
}

/* "config|get" with as many arguments as it takes at least; ACL is asked before they are looked at. */
static void is_refused(struct user *user, const redisReply *command)
{
    char name[NAME_SIZE], *rest = NULL;
    const char *words[WORDS_MAX];
    int wanted = abs((int)command->element[1]->integer), count = 0;
    redisReply *reply;

    snprintf(name, sizeof name, "%s", command->element[0]->str);
    for (char *word = strtok_r(name, "|", &rest); word; word = strtok_r(NULL, "|", &rest))
        words[count++] = word;
    while (count < wanted)
        words[count++] = "bgop:{0}:op:x";
    assert_true(count <= WORDS_MAX);
    reply = ask(user->redis, count, words);
    if (reply->type != REDIS_REPLY_ERROR ||
        !(strstr(reply->str, "NOPERM") || strstr(reply->str, "command not allowed"))) /* DEBUG is off for all */
        fail_msg("%s may %s: %s", user->name, command->element[0]->str, reply->str ? reply->str : "no error");
    freeReplyObject(reply);
}

/* Users that look or work administer nothing; one that only looks writes nothing. */
static void is_harmless(const struct user *user, const redisReply *command)
{
    const char *name = command->element[0]->str;

    if (strcmp(user->name, "bgop-coordinator") != 0 && has_flag(command, "admin"))
        fail_msg("%s may administer by %s", user->name, name);
    if (strcmp(user->name, "bgop-monitor") == 0 && has_flag(command, "write"))
        fail_msg("%s may write by %s", user->name, name);
}

static size_t walk(struct user *user, const redisReply *commands)
{
    size_t refused = 0;

    for (size_t i = 0; i < commands->elements; i++) {
        const redisReply *command = commands->element[i], *inner = command->element[9];

        if (inner->elements > 0) {
            refused += walk(user, inner);
        } else if (on_list(user, command->element[0]->str)) {
            is_harmless(user, command);
        } else if (!has_flag(command, "no_auth")) { /* AUTH, HELLO, QUIT, RESET are everybody's */
            is_refused(user, command);
            refused++;
        }
    }
    return refused;
}

static void every_command_that_is_not_on_the_list_is_refused(void **state)
{
    redisReply *commands = ask(admin, 1, (const char *[]){ "COMMAND" });

    (void)state;
    assert_true(commands->elements > 200);
    for (size_t i = 0; i < USERS; i++)
        assert_true(walk(&users[i], commands) > 250);
    freeReplyObject(commands);
}

/* ---- keys ---- */

static bool may(const char *user, const char *command, const char *key)
{
    redisReply *reply = ask(admin, 5, (const char *[]){ "ACL", "DRYRUN", user, command, key });
    bool allowed = strcmp(reply->str, "OK") == 0;

    if (!allowed && !strstr(reply->str, "has no permissions to access the"))
        fail_msg("%s %s %s: %s", user, command, key, reply->str);
    freeReplyObject(reply);
    return allowed;
}

static const struct key {
    enum redis_key key;
    const char *of, *writers;
} keys[] = {
#define XX(id, scope, name, of, type, writers, holds) { KEY_##id, of, writers },
    REDIS_KEYS(XX)
#undef XX
};

static void key_text(const struct key *key, char room[KEY_SIZE])
{
    if (strncmp(key_name(key->key), "bgop:", 5) == 0)
        snprintf(room, KEY_SIZE, "%s%s", key_name(key->key), key->of ? ":x" : "");
    else
        key_format(room, KEY_SIZE, key->key, 3, key->of ? "x" : NULL);
}

/* Workers write what claim, renew and reassert write (the writers of common/record/keys.h), and read the rest. */
static void keys_are_written_by_their_writers(void **state)
{
    (void)state;
    for (size_t i = 0; i < TEST_COUNT(keys); i++) {
        bool of_workers = strpbrk(keys[i].writers, "CR") || strstr(keys[i].writers, "all");
        char text[KEY_SIZE];

        if (keys[i].key == KEY_HINTS || keys[i].key == KEY_LISTENERS)
            continue;
        key_text(&keys[i], text);
        if (may("bgop-worker", "DEL", text) != of_workers)
            fail_msg("%s: workers write it: %d", text, !of_workers);
        assert_true(may("bgop-worker", "GET", text) && may("bgop-monitor", "GET", text));
        assert_true(may("bgop-coordinator", "DEL", text) && may("bgop-operator", "DEL", text));
    }
}

static void other_keys_and_channels_are_nobodys(void **state)
{
    (void)state;
    for (size_t i = 0; i < USERS; i++) {
        redisReply *reply = ask(admin, 5, (const char *[]){ "ACL", "DRYRUN", users[i].name, "GET", "other:x" });

        assert_non_null(strstr(reply->str, "has no permissions to access the 'other:x' key"));
        freeReplyObject(reply);
        if (!on_list(&users[i], "spublish"))
            continue;
        reply = ask(users[i].redis, 3, (const char *[]){ "SPUBLISH", "other", "x" });
        assert_int_equal(strncmp(reply->str, "NOPERM", 6), 0);
        freeReplyObject(reply);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_that_is_not_on_the_list_is_refused),
        cmocka_unit_test(keys_are_written_by_their_writers),
        cmocka_unit_test(other_keys_and_channels_are_nobodys),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
