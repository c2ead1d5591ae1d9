/* Wrong usage of every command of bgopctl: refused with exit code 64 and what would be right, before any server is
 * asked; right usage without servers: 69 and the address. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/ctl/commands.h"
#include "tests/support/program.h"
#include "tests/support/test.h"

#define NOWHERE "unix:///nonexistent/redis.sock"
enum { WORDS_MAX = 10 };

static int setup(void **state)
{
    (void)state;
    setenv("BGOP_REDIS", NOWHERE, 1);
    setenv("BGOP_KAFKA", "127.0.0.1:1", 1);
    return 0;
}

/* bgopctl with these words exits with this code and says these. */
static void expect(const char *const *words, int expected_code, const char *says)
{
    const char *all[WORDS_MAX + 2] = { "bgopctl" };
    char *output = NULL;
    int code;

    for (size_t i = 0; i < WORDS_MAX && words[i]; i++)
        all[i + 1] = words[i];
    code = program_run(all, NULL, PROGRAM_BOTH_OUTPUTS, &output);
    if (code != expected_code || !strstr(output, says))
        fail_msg("bgopctl %s %s %s: exit code %d instead of %d, or \"%s\" is not in: %s", words[0],
                 words[1] ? words[1] : "", words[1] && words[2] ? words[2] : "", code, expected_code, says, output);
    free(output);
}
#define EXPECT(code, says, ...) expect((const char *const[]){ __VA_ARGS__, NULL }, (code), (says))

/* Of every command: the words that make it right. */
static const struct {
    const char *name;
    const char *words[6];
} right[] = {
    { "submit", { "--type", "WebCart" } },
    { "get", { "x" } },
    { "query", { "SELECT Id FROM BackgroundOperation" } },
    { "list", { NULL } },
    { "wait", { "x" } },
    { "cancel", { "x" } },
    { "redrive", { "x" } },
    { "pause", { "--type", "WebCart" } },
    { "resume", { "--parent", "p" } },
    { "paused", { NULL } },
    { "actions", { NULL } },
    { "why", { "x" } },
    { "blocked", { NULL } },
    { "stats", { NULL } },
    { "top", { NULL } },
    { "workers", { NULL } },
    { "watch", { NULL } },
    { "describe", { NULL } },
    { "updated", { "now-1h", "now" } },
    { "deleted", { "now-1h", "now" } },
    { "doctor", { NULL } },
    { "recover", { NULL } },
    { "shards", { NULL } },
    { "lookup", { "Name", "x" } },
    { "find", { "{}" } },
};

static const char *const *words_of(const char *name)
{
    for (size_t i = 0; i < TEST_COUNT(right); i++) {
        if (strcmp(right[i].name, name) == 0)
            return right[i].words;
    }
    fail_msg("%s has no right usage in this table", name);
    return NULL;
}

/* name, what makes it right, and one or two words more. */
static void expect_with(const char *name, const char *more, const char *other, int code, const char *says)
{
    const char *words[WORDS_MAX + 1] = { name };
    const char *const *usual = words_of(name);
    size_t count = 1;

    while (count < 6 && usual[count - 1]) {
        words[count] = usual[count - 1];
        count++;
    }
    words[count++] = more;
    words[count] = other;
    expect(words, code, says);
}

static bool is_local(const struct subcommand *command)
{
    return command == &command_help || command == &command_completion;
}

static void every_command_tells_its_usage(void **state)
{
    (void)state;
    for (size_t i = 0; i < command_count; i++) {
        EXPECT(0, "Usage: bgopctl", commands[i]->name, "--help");
        EXPECT(0, commands[i]->about, "--help", commands[i]->name);
        EXPECT(0, commands[i]->about, "help", commands[i]->name);
    }
}

static void unknown_options_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < command_count; i++) {
        EXPECT(64, "unknown option --bogus", commands[i]->name, "--bogus");
        EXPECT(64, "did you mean --json?", commands[i]->name, "--jso");
        EXPECT(64, "--json takes no value", commands[i]->name, "--json=yes");
    }
}

static void options_need_their_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < command_count; i++) {
        for (size_t f = 0; f < commands[i]->flag_count; f++) {
            char option[64], says[96];

            snprintf(option, sizeof option, "--%s", commands[i]->flags[f].name);
            snprintf(says, sizeof says, "%s needs a value", option);
            if (commands[i]->flags[f].argument)
                expect_with(commands[i]->name, option, NULL, 64, says);
        }
    }
}

static void words_too_few_or_too_many_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < command_count; i++) {
        if (commands[i]->min_operands)
            EXPECT(64, "usage: bgopctl", commands[i]->name);
        if (commands[i]->max_operands >= 0 && !is_local(commands[i]))
            expect_with(commands[i]->name, "word", commands[i]->max_operands ? "another" : NULL, 64, "word");
    }
}

static void what_is_right_needs_a_server(void **state)
{
    (void)state;
    for (size_t i = 0; i < TEST_COUNT(right); i++)
        expect_with(right[i].name, NULL, NULL, 69, "/nonexistent/redis.sock");
    for (size_t i = 0; i < command_count; i++) {
        if (!is_local(commands[i]))
            words_of(commands[i]->name);
    }
}

static void wrong_values_are_named_with_what_would_be_right(void **state)
{
    static const struct {
        const char *words[6];
        const char *says;
    } cases[] = {
        { { "submit", "--type", "WebCart", "--retry-limit", "x" }, "--retry-limit x: a number" },
        { { "submit", "--type", "WebCart", "--after", "soon" }, "--after soon: a time" },
        { { "submit", "--from", "f", "--type", "WebCart" }, "--from takes everything" },
        { { "submit", "--type", "WebCart", "word" }, "does not take the word word" },
        { { "list", "--status", "Compelte" }, "did you mean Complete?" },
        { { "list", "--limit", "0" }, "--limit 0: a number from 1" },
        { { "wait", "x", "--timeout", "long" }, "--timeout long: seconds" },
        { { "cancel" }, "give Ids (or Names), or --where" },
        { { "redrive" }, "give Ids (or Names), or --where" },
        { { "cancel", "x", "--where", "Type = 'WebCart'" }, "not both" },
        { { "cancel", "--where", "Status = 'Error' AND" }, "--where: " },
        { { "redrive", "--where", "Statsu = 'Error'" }, "Status" },
        { { "redrive", "--where", "" }, "--where: " },
        { { "redrive", "x", "--rate", "1000000000/s" }, "a number of commands a second" },
        { { "redrive", "x", "--timeout", "-1" }, "--timeout -1: seconds" },
        { { "pause" }, "either --type or --parent" },
        { { "resume", "--type", "WebCart", "--parent", "p" }, "either --type or --parent" },
        { { "pause", "--parent", "" }, "1 to 255 characters" },
        { { "pause", "--type", "WebCart", "--timeout", "x" }, "--timeout x: seconds" },
        { { "updated", "yesterday", "now" }, "START and END are times" },
        { { "deleted", "now-1h", "tomorrow" }, "START and END are times" },
        { { "watch", "--status", "Runing" }, "did you mean Running?" },
        { { "watch", "--since", "then" }, "--since then: a time" },
        { { "watch", "--count", "none" }, "--count none: a number" },
        { { "top", "--interval", "9999" }, "--interval 9999: seconds" },
        { { "find", "[]" }, "one JSON object" },
        { { "query", "SELECT Bogus FROM BackgroundOperation" }, "INVALID_FIELD" },
        { { "help", "redirve" }, "did you mean redrive?" },
        { { "redirve", "x" }, "did you mean redrive?" },
        { { "--json" }, "no command given" },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++)
        expect(cases[i].words, 64, cases[i].says);
}

static void a_wrong_configuration_is_told(void **state)
{
    (void)state;
    EXPECT(78, "/nonexistent.ini", "stats", "--config", "/nonexistent.ini");
    EXPECT(78, "redis://", "stats", "--redis", "http://x");
    EXPECT(0, "[queue]", "stats", "--print-config");
    EXPECT(0, "bgopctl", "--version");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_tells_its_usage),
        cmocka_unit_test(unknown_options_are_named),
        cmocka_unit_test(options_need_their_values),
        cmocka_unit_test(words_too_few_or_too_many_are_refused),
        cmocka_unit_test(what_is_right_needs_a_server),
        cmocka_unit_test(wrong_values_are_named_with_what_would_be_right),
        cmocka_unit_test(a_wrong_configuration_is_told),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
