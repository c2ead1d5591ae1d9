/* bgopctl's table of commands, and how a command is found among options. */
#include "tests/support/test.h"

#include <string.h>

#include "coordinator/ctl/commands.h"

static void every_command_has_a_name_a_purpose_and_a_function(void **state)
{
    (void)state;
    for (size_t i = 0; i < command_count; i++) {
        const struct subcommand *command = commands[i];

        assert_true(strlen(command->name) > 0 && strlen(command->name) <= 10);
        assert_true(strlen(command->about) > 0 && strlen(command->about) < 80);
        assert_non_null(command->usage);
        assert_non_null(command->run);
        assert_true(command->max_operands < 0 || command->min_operands <= command->max_operands);
        assert_ptr_equal(command_find_name(command->name), command);
    }
    assert_null(command_find_name("sbmit"));
}

/* The command is found before its options are known: an option takes an argument everywhere or nowhere. */
static void an_option_takes_an_argument_in_all_commands_or_in_none(void **state)
{
    (void)state;
    for (size_t a = 0; a < command_count; a++) {
        for (size_t i = 0; i < commands[a]->flag_count; i++) {
            for (size_t b = 0; b < command_count; b++) {
                for (size_t k = 0; k < commands[b]->flag_count; k++) {
                    const struct flag *one = &commands[a]->flags[i], *other = &commands[b]->flags[k];

                    if (strcmp(one->name, other->name) == 0 && !one->argument != !other->argument)
                        fail_msg("--%s of %s and of %s differ", one->name, commands[a]->name, commands[b]->name);
                }
            }
        }
    }
}

static void the_command_is_found_wherever_options_stand(void **state)
{
    static const struct {
        const char *words[8];
        int position;
    } cases[] = {
        { { "bgopctl", "get", "08P" }, 1 },
        { { "bgopctl", "--json", "list" }, 2 },
        { { "bgopctl", "--redis", "unix:///x", "list", "--limit", "3" }, 3 },
        { { "bgopctl", "--redis=unix:///x", "stats" }, 2 },
        { { "bgopctl", "--type", "WebCart", "submit" }, 3 },
        { { "bgopctl", "--watch", "stats" }, 2 },
        { { "bgopctl", "--", "get" }, 2 },
        { { "bgopctl", "--json" }, 0 },
        { { "bgopctl" }, 0 },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        char *argv[8] = { NULL };
        int argc = 0;

        for (; argc < 8 && cases[i].words[argc]; argc++)
            argv[argc] = (char *)(uintptr_t)cases[i].words[argc];
        if (command_position(argc, argv) != cases[i].position)
            fail_msg("case %zu: %d", i, command_position(argc, argv));
    }
}

static void a_mistyped_command_finds_the_nearest(void **state)
{
    (void)state;
    assert_string_equal(command_nearest("submti"), "submit");
    assert_string_equal(command_nearest("worker"), "workers");
    assert_null(command_nearest("xyzzy"));
}

#define NOW INT64_C(1795428000000)

static void times_are_absolute_or_distances_from_now(void **state)
{
    static const struct {
        const char *text;
        bool fine;
        int64_t ms;
    } cases[] = {
        { "now", true, NOW },
        { "+90s", true, NOW + 90000 },
        { "+10m", true, NOW + 600000 },
        { "+2h", true, NOW + 7200000 },
        { "now-1d", true, NOW - 86400000 },
        { "now+500ms", true, NOW + 500 },
        { "-2h", true, NOW - 7200000 },
        { "1700000000000", true, 1700000000000 },
        { "2026-11-23T10:00:00Z", true, 1795428000000 },
        { "tomorrow", false, 0 },
        { "+2", false, 0 },
        { "+", false, 0 },
        { "2099-01-01T00:00Z", true, 4070908800000 },
        { "2099-01-01 02:00:00+02", true, 4070908800000 },
        { "2026-11-23", true, 1795392000000 },
        { "+2x", false, 0 },
        { "now-99999d", false, 0 },
        { "now-99999999999d", false, 0 },
        { "now1700000000000", false, 0 },
        { "nowhere", false, 0 },
        { "1700000000", false, 0 },
        { "-1700000000000", false, 0 },
        { "1700000000000000", false, 0 },
        { "2026-11-23T10:00:00", false, 0 },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        int64_t ms = 0;
        bool fine = argument_time(cases[i].text, NOW, &ms) == NULL;

        if (fine != cases[i].fine || (fine && ms != cases[i].ms))
            fail_msg("%s: %d %lld", cases[i].text, fine, (long long)ms);
    }
}

static void seconds_may_have_fractions(void **state)
{
    int64_t ms;

    (void)state;
    assert_true(argument_seconds("1.5", &ms));
    assert_int_equal(ms, 1500);
    assert_true(argument_seconds("0", &ms));
    assert_int_equal(ms, 0);
    assert_false(argument_seconds("-1", &ms));
    assert_false(argument_seconds("1s", &ms));
    assert_false(argument_seconds("", &ms));
    assert_false(argument_seconds("nan", &ms));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_has_a_name_a_purpose_and_a_function),
        cmocka_unit_test(an_option_takes_an_argument_in_all_commands_or_in_none),
        cmocka_unit_test(the_command_is_found_wherever_options_stand),
        cmocka_unit_test(a_mistyped_command_finds_the_nearest),
        cmocka_unit_test(times_are_absolute_or_distances_from_now),
        cmocka_unit_test(seconds_may_have_fractions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
