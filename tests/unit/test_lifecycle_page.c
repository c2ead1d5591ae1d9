/* The page common/functions/LIFECYCLE.md is printed from the table that the test of the lifecycle runs. With --print this
 * program prints it; without, it fails when the committed page is another. */
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "tests/functions/lifecycle_matrix.h"
#include "tests/support/test.h"

enum { PAGE_MAX = 256 * 1024 };

#define STATUS_ROW(id, name, become, attempt, places) { name, places },
static const struct {
    const char *name, *places;
} statuses[] = { LIFECYCLE_STATUSES(STATUS_ROW) };

#define EVENT_ROW(name, happen, kind, newer, note, ...) { name, note, { __VA_ARGS__ } },
static const struct {
    const char *name, *note;
    const char *cells[TEST_COUNT(statuses)];
} events[] = { LIFECYCLE_EVENTS(EVENT_ROW) };

#define PLACE_ROW(letter, word, key, note) { letter, word, key, note },
static const struct {
    char letter;
    const char *word, *key, *note;
} places[] = { LIFECYCLE_PLACES(PLACE_ROW) };

static const char head[] =
    "# The lifecycle matrix\n"
    "\n"
    "What every event does to an operation in every status. This page is printed from\n"
    "`tests/functions/lifecycle_matrix.h`. The test `functions.test_lifecycle` runs every cell against the\n"
    "production Lua, and `unit.test_lifecycle_page` fails when this page is old (`tests/README.md` says how to\n"
    "print it again).\n"
    "\n"
    "A cell is the status afterwards, and where the operation then is. `-` means that it stays as it was. The\n"
    "operation of the matrix has no sequence group, RetryCount 0 (1 in *Error, retry timed*), and retries left.\n"
    "Of the two retentions, that of an Error is the longer one: *retention end* removes what is Complete or\n"
    "Canceled, but not yet what is in Error.\n"
    "\n";

static const char *word_of(char letter)
{
    for (size_t i = 0; i < TEST_COUNT(places); i++)
        if (places[i].letter == letter)
            return places[i].word;
    fail_msg("LIFECYCLE_PLACES has no '%c'", letter);
    return "";
}

/* "Running lrc" -> "Running: leased, cancel noted"; "Complete DD" -> "Complete: ended twice". */
static void words_add(struct buf *page, const char *cell)
{
    const char *letters = strrchr(cell, ' ') + 1, *between = ": ";

    if (cell[0] == ' ')
        buf_append_string(page, "removed");
    buf_append(page, cell, (size_t)(letters - cell) - 1);
    for (; *letters != '\0'; letters++) {
        const char *word = word_of(*letters);

        if (word[0] == '\0')
            continue;
        buf_printf(page, "%s%s", between, word);
        between = ", ";
        if (letters[1] == letters[0]) {
            buf_append_string(page, " twice");
            letters++;
        }
    }
}

static void matrix_add(struct buf *page)
{
    buf_append_string(page, "| event |");
    for (size_t s = 0; s < TEST_COUNT(statuses); s++)
        buf_printf(page, " %s |", statuses[s].name);
    buf_append_string(page, "\n|---|");
    for (size_t s = 0; s < TEST_COUNT(statuses); s++)
        buf_append_string(page, "---|");
    buf_append_string(page, "\n| *(where it is before)* |");
    for (size_t s = 0; s < TEST_COUNT(statuses); s++) {
        buf_append_string(page, " *");
        words_add(page, statuses[s].places);
        buf_append_string(page, "* |");
    }
    for (size_t e = 0; e < TEST_COUNT(events); e++) {
        buf_printf(page, "\n| **%s** |", events[e].name);
        for (size_t s = 0; s < TEST_COUNT(statuses); s++) {
            buf_append_string(page, " ");
            if (strcmp(events[e].cells[s], "=") == 0)
                buf_append_string(page, "-");
            else
                words_add(page, events[e].cells[s]);
            buf_append_string(page, " |");
        }
    }
    buf_append_string(page, "\n");
}

static void page_write(struct buf *page)
{
    buf_append_string(page, head);
    matrix_add(page);
    buf_append_string(page, "\n## The events\n\n| event | what happens |\n|---|---|\n");
    for (size_t e = 0; e < TEST_COUNT(events); e++)
        buf_printf(page, "| %s | %s |\n", events[e].name, events[e].note);
    buf_append_string(page, "\n## Where it is\n\n| word | key `bgop:{s}:...` | what it means |\n|---|---|---|\n");
    for (size_t i = 0; i < TEST_COUNT(places); i++)
        buf_printf(page, "| %s | `%s` | %s |\n", places[i].word, places[i].key, places[i].note);
}

static void the_committed_page_is_what_the_matrix_says(void **state)
{
    FILE *file = fopen(BGOP_LIFECYCLE_PAGE, "re");
    char line[4096], *next;
    struct buf page;

    (void)state;
    if (file == NULL)
        fail_msg("no %s", BGOP_LIFECYCLE_PAGE);
    buf_init(&page, PAGE_MAX);
    page_write(&page);
    next = page.data;
    for (int number = 1; *next != '\0'; number++) {
        const char *expected = strsep(&next, "\n");

        if (fgets(line, sizeof line, file) == NULL)
            snprintf(line, sizeof line, "(its end)");
        line[strcspn(line, "\n")] = '\0';
        if (strcmp(line, expected) != 0)
            fail_msg("line %d of LIFECYCLE.md is\n  %s\nand the matrix says\n  %s", number, line, expected);
    }
    if (fgets(line, sizeof line, file) != NULL)
        fail_msg("LIFECYCLE.md goes on after the matrix: %s", line);
    fclose(file);
    buf_release(&page);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(the_committed_page_is_what_the_matrix_says) };
    struct buf page;

    if (argc < 2 || strcmp(argv[1], "--print") != 0)
        return cmocka_run_group_tests(tests, NULL, NULL);
    buf_init(&page, PAGE_MAX);
    page_write(&page);
    fwrite(page.data, 1, page.size, stdout);
    buf_release(&page);
    return 0;
}
