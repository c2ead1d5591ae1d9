/* Command lines: flags anywhere, exit codes, what is printed where. */
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/config/config.h"

enum { ARGUMENTS_MAX = 16 };

static struct {
    struct config config;
    const char *name, *quiet; /* the program's own flags */
    char words[256];
    char *argv[ARGUMENTS_MAX];
    int argc;
    char out[64 * 1024]; /* what was printed, standard output and error together */
} run;

static const struct flag flags[] = {
    { "name", "TEXT", "a name", &run.name },
    { "quiet", NULL, "says less", &run.quiet },
};
static const struct command_line line = {
    .program = "bgop-test",
    .usage = "[options] FILE...",
    .about = "Tests things.",
    .flags = flags,
    .flag_count = 2,
    .tail = "Behind the options.",
};

/* Splits words at blanks and parses them as a command line; answers the exit code. */
static int parse(const char *words)
{
    char *rest = NULL;
    FILE *to = tmpfile();
    int saved[2] = { dup(1), dup(2) };
    int code;

    config_release(&run.config);
    config_init(&run.config);
    run.name = run.quiet = NULL;
    run.argc = 0;
    snprintf(run.words, sizeof run.words, "%s", words);
    for (char *word = strtok_r(run.words, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        run.argv[run.argc++] = word;
    fflush(stdout);
    dup2(fileno(to), 1);
    dup2(fileno(to), 2);
    code = config_command_line(&run.config, &line, &run.argc, run.argv);
    fflush(stdout);
    dup2(saved[0], 1);
    dup2(saved[1], 2);
    close(saved[0]);
    close(saved[1]);
    rewind(to);
    run.out[fread(run.out, 1, sizeof run.out - 1, to)] = '\0';
    fclose(to);
    return code;
}

static void options_may_stand_anywhere(void **state)
{
    (void)state;
    assert_int_equal(parse("p one --name x two --quiet - --name=y=z -- --three"), -1);
    assert_int_equal(run.argc, 4);
    assert_string_equal(run.argv[0], "one");
    assert_string_equal(run.argv[1], "two");
    assert_string_equal(run.argv[2], "-");
    assert_string_equal(run.argv[3], "--three");
    assert_string_equal(run.name, "y=z");
    assert_string_equal(run.quiet, "yes");
    assert_string_equal(run.out, "");
    assert_int_equal(parse("p"), -1);
    assert_int_equal(run.argc, 0);
    assert_null(run.name);
    assert_null(run.quiet);
}

static void passwords_are_neither_printed_nor_left_for_ps(void **state)
{
    static const char *const flags_given[] = { "--redis redis://me:hush@h:1/2", "--redis=redis://me:hush@h:1/2" };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(flags_given); i++) {
        char words[200];

        snprintf(words, sizeof words, "p %s --print-config", flags_given[i]);
        assert_int_equal(parse(words), EXIT_OK);
        assert_string_equal(run.config.redis_url, "redis://me:hush@h:1/2");
        assert_non_null(strstr(run.out, "url = redis://me:***@h:1/2\n"));
        assert_null(strstr(run.out, "hush"));
        for (size_t at = 0; at < sizeof run.words - 4; at++)
            assert_memory_not_equal(run.words + at, "hush", 4);
    }
    setenv("BGOP_REDIS", "redis://h ; hush", 1);
    assert_int_equal(parse("p"), EXIT_CONFIG);
    assert_null(strstr(run.out, "hush"));
    unsetenv("BGOP_REDIS");
}

static void a_value_may_begin_with_a_dash(void **state)
{
    (void)state;
    assert_int_equal(parse("p --name -1"), -1);
    assert_string_equal(run.name, "-1");
    assert_int_equal(parse("p --name="), -1);
    assert_string_equal(run.name, "");
}

/* Not so under getopt_long: it completes names, and in a POSIX shell's mode ends options at the first operand. */
static void names_are_whole_whatever_the_environment_says(void **state)
{
    (void)state;
    setenv("POSIXLY_CORRECT", "1", 1);
    assert_int_equal(parse("p one --name x"), -1);
    assert_string_equal(run.name, "x");
    assert_int_equal(run.argc, 1);
    unsetenv("POSIXLY_CORRECT");
    assert_int_equal(parse("p --nam x"), EXIT_USAGE_ERROR);
    assert_string_equal(run.out, "bgop-test: unknown option --nam (did you mean --name?)\nTry bgop-test --help\n");
    assert_int_equal(parse("p --q"), EXIT_USAGE_ERROR);
    assert_null(run.quiet);
}

static void wrong_usage_is_64_and_named(void **state)
{
    (void)state;
    assert_int_equal(parse("p --nme x"), EXIT_USAGE_ERROR);
    assert_string_equal(run.out, "bgop-test: unknown option --nme (did you mean --name?)\nTry bgop-test --help\n");
    assert_int_equal(parse("p --confg=x"), EXIT_USAGE_ERROR);
    assert_non_null(strstr(run.out, "--confg (did you mean --config?)"));
    assert_int_equal(parse("p -q"), EXIT_USAGE_ERROR);
    assert_non_null(strstr(run.out, "unknown option"));
    assert_int_equal(parse("p --name"), EXIT_USAGE_ERROR);
    assert_non_null(strstr(run.out, "--name needs a value: --name TEXT"));
    assert_int_equal(parse("p --quiet=1"), EXIT_USAGE_ERROR);
    assert_non_null(strstr(run.out, "--quiet takes no value"));
}

static void help_and_version_come_first(void **state)
{
    (void)state;
    assert_int_equal(parse("p --help --config /nonexistent"), EXIT_OK);
    assert_non_null(strstr(run.out, "Usage: bgop-test [options] FILE...\n"));
    assert_non_null(strstr(run.out, "Tests things."));
    assert_non_null(strstr(run.out, "--name TEXT"));
    assert_non_null(strstr(run.out, "--config FILE"));
    assert_non_null(strstr(run.out, "Behind the options."));
    assert_non_null(strstr(run.out, "[queue] prefix shards"));
    assert_non_null(strstr(run.out, "78 wrong configuration"));
    assert_int_equal(parse("p -h"), EXIT_OK);
    assert_int_equal(parse("p --version"), EXIT_OK);
    assert_non_null(strstr(run.out, "bgop-test " BGOP_VERSION " (librdkafka "));
}

static void flags_go_over_the_environment(void **state)
{
    (void)state;
    setenv("BGOP_KAFKA", "env:1", 1);
    setenv("BGOP_REDIS", "redis://env:1", 1);
    assert_int_equal(parse("p --kafka flag:2"), -1);
    assert_string_equal(run.config.brokers, "flag:2");
    assert_string_equal(run.config.redis_url, "redis://env:1");
    assert_int_equal(parse("p --redis unix:///s"), -1);
    assert_string_equal(run.config.redis_url, "unix:///s");
    unsetenv("BGOP_KAFKA");
    unsetenv("BGOP_REDIS");
}

static void a_wrong_configuration_is_78_and_named(void **state)
{
    (void)state;
    assert_int_equal(parse("p --config /nonexistent/x.ini"), EXIT_CONFIG);
    assert_string_equal(run.out, "bgop-test: /nonexistent/x.ini: No such file or directory\n");
    assert_int_equal(parse("p --redis nonsense"), EXIT_CONFIG);
    assert_non_null(strstr(run.out, "[redis] url"));
    setenv("BGOP_LOG_LEVEL", "x", 1);
    assert_int_equal(parse("p"), EXIT_CONFIG);
    assert_non_null(strstr(run.out, "BGOP_LOG_LEVEL"));
    unsetenv("BGOP_LOG_LEVEL");
}

static void the_printed_configuration_has_what_the_flags_say(void **state)
{
    (void)state;
    assert_int_equal(parse("p --print-config --kafka k:7"), EXIT_OK);
    assert_non_null(strstr(run.out, "\nbrokers = k:7\n"));
    assert_non_null(strstr(run.out, "\n[type WebCart]\n"));
    assert_null(strstr(run.out, "[type ExternalConnectivityPoller]"));
}

static int begin(void **state)
{
    (void)state;
    config_init(&run.config);
    return 0;
}

static int end(void **state)
{
    (void)state;
    config_release(&run.config);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_may_stand_anywhere),
        cmocka_unit_test(passwords_are_neither_printed_nor_left_for_ps),
        cmocka_unit_test(a_value_may_begin_with_a_dash),
        cmocka_unit_test(names_are_whole_whatever_the_environment_says),
        cmocka_unit_test(wrong_usage_is_64_and_named),
        cmocka_unit_test(help_and_version_come_first),
        cmocka_unit_test(flags_go_over_the_environment),
        cmocka_unit_test(a_wrong_configuration_is_78_and_named),
        cmocka_unit_test(the_printed_configuration_has_what_the_flags_say),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
