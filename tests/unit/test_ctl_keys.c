/* Keys of a terminal: letters, arrows, and what is none of either, in whatever pieces it comes. */
#include <string.h>

#include "coordinator/ctl/read/top.h"
#include "tests/support/test.h"

static void keys_are_told_from_each_other(void **state)
{
    static const struct {
        const char *bytes;
        int keys[4]; /* 0 behind the last */
    } cases[] = {
        { "j", { 'j' } },
        { "jk", { 'j', 'k' } },
        { "\033[A", { KEY_UP } },
        { "\033[B\033OAq", { KEY_DOWN, KEY_UP, 'q' } },
        { "\r\n", { KEY_ENTER, KEY_ENTER } },
        { "\033[3~c", { 'c' } },   /* Delete */
        { "\033[1;5Ay", { 'y' } }, /* Ctrl and an arrow */
        { "\033OPc", { 'c' } },    /* F1 */
        { "\033cj", { 'j' } },     /* Alt and c */
        { "\xc3\xa9r", { 'r' } },  /* a letter that is none of ASCII */
        { "\033[200~y\033[201~", { 'y' } },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        const char *at = cases[i].bytes, *end = at + strlen(at);
        size_t count = 0;

        while (at < end) {
            const char *before = at;
            int key = key_next(&at, end);

            if (at == before)
                fail_msg("case %zu: stands still", i);
            if (key != KEY_NOTHING && (count >= 4 || key != cases[i].keys[count++]))
                fail_msg("case %zu: key %zu is %d", i, count, key);
        }
        if (count < 4 && cases[i].keys[count])
            fail_msg("case %zu: %zu keys", i, count);
    }
}

static void a_sequence_that_is_cut_off_is_waited_for(void **state)
{
    static const char *const pieces[] = { "\033", "\033[", "\033[1;", "\033O" };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(pieces); i++) {
        const char *at = pieces[i];

        assert_int_equal(key_next(&at, pieces[i] + strlen(pieces[i])), KEY_NOTHING);
        assert_ptr_equal(at, pieces[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_told_from_each_other),
        cmocka_unit_test(a_sequence_that_is_cut_off_is_waited_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
