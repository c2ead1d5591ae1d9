/* What no program of ours may do with its standard descriptors: end with 0 although its output was lost, or use one that
 * was closed for something else. Everything here needs no server; tests/functions/test_ctl_output.c has the rest. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/ctl/commands.h"
#include "tests/support/program.h"
#include "tests/support/test.h"

static const struct {
    unsigned flags;
    const char *says; /* NULL: nothing */
} losses[] = {
    { PROGRAM_OUTPUT_FULL, "cannot write standard output: No space left on device\n" },
    { PROGRAM_OUTPUT_CLOSED, "cannot write standard output: Bad file descriptor\n" },
    { PROGRAM_OUTPUT_CLOSED | PROGRAM_INPUT_CLOSED, "cannot write standard output: Bad file descriptor\n" },
    { PROGRAM_OUTPUT_UNREAD, NULL },
};

/* Fine when it can print; else exit code 1, and one line that says why. */
static void expect_lost(const char *const *words)
{
    char *output = NULL;
    int code = program_run(words, NULL, PROGRAM_BOTH_OUTPUTS, &output);

    if (code != 0 || !*output)
        fail_msg("%s %s: exit code %d: %s", words[0], words[1], code, output);
    free(output);
    for (size_t i = 0; i < TEST_COUNT(losses); i++) {
        size_t size = losses[i].says ? strlen(losses[i].says) : 0;

        code = program_run(words, NULL, losses[i].flags, &output);
        if (code != 1 || strlen(output) < size ||
            strcmp(output + strlen(output) - size, losses[i].says ? losses[i].says : "") != 0 ||
            (size == 0 && *output) || (size && strchr(output, '\n') != output + strlen(output) - 1))
            fail_msg("%s %s, loss %zu: exit code %d, said: %s", words[0], words[1], i, code, output);
        free(output);
    }
}
#define LOST(...) expect_lost((const char *const[]){ __VA_ARGS__, NULL })

static void every_program_says_when_its_output_is_lost(void **state)
{
    static const char *const programs[] = { "bgop-coordinator", "bgop-worker", "bgopctl" };
    static const char *const options[] = { "--help", "--version", "--print-config" };

    (void)state;
    for (size_t p = 0; p < TEST_COUNT(programs); p++)
        for (size_t o = 0; o < TEST_COUNT(options); o++)
            LOST(programs[p], options[o]);
    for (size_t o = 0; o < TEST_COUNT(options); o++)
        LOST("bgop", "dev", options[o]);
    LOST("bgop", "--help");
    LOST("bgop", "--version");
}

static void every_command_says_when_its_output_is_lost(void **state)
{
    (void)state;
    LOST("bgopctl", "help");
    LOST("bgopctl", "query", "SELECT Id FROM BackgroundOperation", "--explain");
    LOST("bgopctl", "query", "SELECT Id FROM BackgroundOperation", "--explain", "--json");
    for (size_t i = 0; i < command_count; i++) {
        LOST("bgopctl", commands[i]->name, "--help");
        LOST("bgopctl", "help", commands[i]->name);
        LOST("bgopctl", commands[i]->name, "--version");
        LOST("bgopctl", commands[i]->name, "--print-config");
    }
}

/* What went wrong before counts more than that nobody could be told. */
static void another_exit_code_stays(void **state)
{
    char *output = NULL;

    (void)state;
    assert_int_equal(program_run((const char *const[]){ "bgopctl", "bogus", NULL }, NULL, PROGRAM_OUTPUT_FULL, &output),
                     64);
    free(output);
    assert_int_equal(program_run((const char *const[]){ "bgop-worker", "--config", "/nonexistent", NULL }, NULL,
                                 PROGRAM_OUTPUT_CLOSED, &output),
                     78);
    free(output);
}

/* Messages quote what they were given: a terminal must not obey it, and it must not look like another message. */
static void messages_show_what_they_quote(void **state)
{
#define EVIL                     \
    "\033]0;pwned\a\r\b\xc2\x9b" \
    "31m\xe2\x80\xae\nbgopctl: all is well"
    static const char *const calls[][6] = {
        { "bgopctl", EVIL, NULL },
        { "bgopctl", "--" EVIL, NULL },
        { "bgopctl", "stats", EVIL, NULL },
        { "bgopctl", "help", EVIL, NULL },
        { "bgopctl", "list", "--limit", EVIL, NULL },
        { "bgopctl", "list", "--status", EVIL, NULL },
        { "bgopctl", "query", EVIL, NULL },
        { "bgopctl", "wait", "x", "--timeout", EVIL, NULL },
        { "bgopctl", "submit", "--type", "T", "--after", EVIL },
        { "bgopctl", "submit", "--type", "T", EVIL, NULL },
        { "bgopctl", "submit", "--from", EVIL, NULL },
        { "bgopctl", "stats", "--redis", "redis://" EVIL, NULL },
        { "bgopctl", "stats", "--redis", "redis://h:" EVIL, NULL },
        { "bgopctl", "stats", "--config", EVIL, NULL },
        { "bgop", EVIL, NULL },
        { "bgop", "dev", EVIL, NULL },
        { "bgop", "dev", "--workers", EVIL, NULL },
        { "bgop-worker", EVIL, NULL },
        { "bgop-worker", "--config", EVIL, NULL },
        { "bgop-worker", "--kafka", EVIL, NULL },
        { "bgop-coordinator", EVIL, NULL },
        { "bgop-coordinator", "--rebuild=" EVIL, NULL },
        { "bgop-coordinator", "--" EVIL "=x", NULL },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(calls); i++) {
        const char *words[7] = { NULL };
        char *output = NULL;
        int code;

        memcpy(words, calls[i], sizeof calls[i]);
        code = program_run(words, NULL, PROGRAM_BOTH_OUTPUTS, &output);
        if (code == 0 || strpbrk(output, "\033\a\r\b") || strstr(output, "\xc2\x9b") ||
            strstr(output, "\xe2\x80\xae") || strstr(output, "\nbgopctl: all is well"))
            fail_msg("case %zu, %s: exit code %d: %s", i, words[0], code, output);
        free(output);
    }
}

static int setup(void **state)
{
    (void)state;
    setenv("BGOP_REDIS", "unix:///nonexistent/redis.sock", 1);
    setenv("BGOP_KAFKA", "127.0.0.1:1", 1);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_program_says_when_its_output_is_lost),
        cmocka_unit_test(every_command_says_when_its_output_is_lost),
        cmocka_unit_test(another_exit_code_stays),
        cmocka_unit_test(messages_show_what_they_quote),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
