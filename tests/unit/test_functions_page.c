/* What the pages of common/functions say of keys and of the wire is what the tables say. KEYS.md is printed from
 * common/record/keys.h (--print), HEALTH.md from common/record/health.h (--print-health). README.md's table of the functions is written by hand; it (or the head of check.lua, for the
 * doctor) has the fields of every layout of wire_tables.h in their order. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/functions/wire_tables.h"
#include "common/record/health.h"
#include "common/record/keys.h"
#include "tests/support/test.h"

enum { PAGE_MAX = 256 * 1024 };

/* ---- KEYS.md ---- */

static const struct {
    enum key_scope scope;
    const char *name, *of, *type, *writers, *holds;
} keys[] = {
#define XX(id, scope, name, of, type, writers, holds) { KEY_OF_##scope, name, of, type, writers, holds },
    REDIS_KEYS(XX)
#undef XX
};

static void scope_add(struct buf *page, enum key_scope scope)
{
    for (size_t i = 0; i < TEST_COUNT(keys); i++) {
        if (keys[i].scope != scope)
            continue;
        buf_printf(page, "| `%s%s%s` ", keys[i].name, keys[i].of ? ":" : "", keys[i].of ? keys[i].of : "");
        if (scope != KEY_OF_CHANNEL)
            buf_printf(page, "| %s ", keys[i].type);
        buf_printf(page, "| %s | %s |\n", keys[i].holds, keys[i].writers);
    }
}

static const char keys_head[] =
    "# The keys\n"
    "\n"
    "Printed from `common/record/keys.h`, where they are added. `unit.test_functions_page` fails when this page is\n"
    "old; `tests/README.md` says how to print it again.\n"
    "\n"
    "## Of a shard\n"
    "\n"
    "Each begins with the shard's prefix `bgop:{s}:`. They are written by the functions only. Writers: I ingest,\n"
    "C claim, R renew and reassert, A apply, T tick, O arm and open, H beat and source, B actions.\n"
    "\n"
    "| key | type | holds | writer |\n"
    "|---|---|---|---|\n";
static const char channels_head[] =
    "\n"
    "## Channels\n"
    "\n"
    "Sharded Pub/Sub, `bgop:{s}:...`; nothing is kept. A user with an ACL needs `&bgop:*` (`deploy/redis/`). They\n"
    "are the server's, not a database's: queues in several databases of one server hear each other's hints, which\n"
    "costs empty claims and nothing else.\n"
    "\n"
    "| channel | carries | publisher |\n"
    "|---|---|---|\n";
static const char queue_head[] = "\n"
                                 "## Of the whole queue\n"
                                 "\n"
                                 "`bgop:...`\n"
                                 "\n"
                                 "| key | type | holds | writer |\n"
                                 "|---|---|---|---|\n";

static void keys_page_write(struct buf *page)
{
    buf_append_string(page, keys_head);
    scope_add(page, KEY_OF_SHARD);
    buf_append_string(page, channels_head);
    scope_add(page, KEY_OF_CHANNEL);
    buf_append_string(page, queue_head);
    scope_add(page, KEY_OF_QUEUE);
}

/* ---- HEALTH.md ---- */

static const struct {
    const char *what, *where, *when, *advice;
} kinds[] = {
#define XX(id, what, where, when, advice) { what, where, when, advice },
    HEALTH_KINDS(XX)
#undef XX
};
static const struct {
    const char *name;
    int ms;
    const char *text;
} bounds[] = {
#define XX(id, ms, text) { #id, ms, text },
    HEALTH_BOUNDS(XX)
#undef XX
};

static const char health_head[] =
    "# What may be wrong with a queue\n"
    "\n"
    "Printed from `common/record/health.h`, where kinds are added. `unit.test_functions_page` fails when this\n"
    "page is old; `tests/README.md` says how to print it again.\n"
    "\n"
    "`bgop_stats` answers `\"health\":[{\"what\",\"where\",\"since\",\"text\"}]`, empty when all is well. `what` is a kind\n"
    "of the table below, `where` the partition, shard or process, `since` epoch milliseconds (null: nobody knows),\n"
    "`text` why. Of each kind 20 are listed, then how many more there are. `bgopctl stats` and `bgopctl top` show\n"
    "them first; `bgopctl doctor` adds what is to be done, and ends with exit code 1.\n"
    "\n"
    "Nobody has to live for this to be true: processes only beat, and write what changes; whoever reads judges by\n"
    "the age of the last beat, by the clock of Redis. In a cluster each shard tells of its own; shard 0 has the\n"
    "coordinators. The keys are in [KEYS.md](KEYS.md): `sources`, `source:...`, `coordinators`,\n"
    "`coordinator:...`, `workers`, `w:...`.\n"
    "\n"
    "| what | where | when it is told | what to do |\n"
    "|---|---|---|---|\n";
static const char bounds_head[] = "\n"
                                  "## Bounds\n"
                                  "\n"
                                  "| bound | ms | of what |\n"
                                  "|---|---|---|\n";

static void health_page_write(struct buf *page)
{
    buf_append_string(page, health_head);
    for (size_t i = 0; i < TEST_COUNT(kinds); i++)
        buf_printf(page, "| %s | %s | %s | %s. |\n", kinds[i].what, kinds[i].where, kinds[i].when, kinds[i].advice);
    buf_append_string(page, bounds_head);
    for (size_t i = 0; i < TEST_COUNT(bounds); i++) {
        for (const char *c = bounds[i].name; *c; c++)
            buf_printf(page, "%s%c", c == bounds[i].name ? "| " : "", tolower((unsigned char)*c));
        buf_printf(page, " | %d | %s |\n", bounds[i].ms, bounds[i].text);
    }
}

/* ---- comparing ---- */

static char *file_read(const char *name)
{
    char path[1024];
    char *text = calloc(1, PAGE_MAX);
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", BGOP_FUNCTIONS_FOLDER, name);
    file = fopen(path, "re");
    if (!file || fread(text, 1, PAGE_MAX - 1, file) == 0)
        fail_msg("%s cannot be read", path);
    if (file)
        fclose(file);
    return text;
}

static void page_compare(const char *name, void (*page_write)(struct buf *page))
{
    char *committed = file_read(name), *rest = committed, *next;
    struct buf page;

    buf_init(&page, PAGE_MAX);
    page_write(&page);
    next = page.data;
    for (int number = 1; next; number++) {
        const char *expected = strsep(&next, "\n"), *line = strsep(&rest, "\n");

        if (!line || strcmp(line, expected) != 0)
            fail_msg("line %d of %s is\n  %s\nand the table says\n  %s", number, name, line ? line : "(its end)",
                     expected);
    }
    assert_null(rest);
    buf_release(&page);
    free(committed);
}

static void the_page_of_keys_is_what_the_table_says(void **state)
{
    (void)state;
    page_compare("KEYS.md", keys_page_write);
}

static void the_page_of_health_is_what_the_table_says(void **state)
{
    (void)state;
    page_compare("HEALTH.md", health_page_write);
}

/* ---- README.md ---- */

enum kind { HEAD, GROUP, READ, INSIDE };
static const struct {
    const char *layout;
    enum kind kind;
    const char *fields[32];
} layouts[] = {
#define FIELD(layout, field, text) text,
#define LAYOUT(layout, kind)       { #layout, kind, { WIRE_##layout(FIELD, layout) } },
    WIRE_LAYOUTS(LAYOUT)
#undef LAYOUT
#undef FIELD
};

/* Words by one blank each, without the marks of Markdown and of Lua's comments. */
static void normalize(char *text)
{
    char *to = text;

    for (const char *from = text; *from; from++) {
        if (from[0] == '-' && from[1] == '-')
            from++;
        else if (*from == '\n' || *from == ' ')
            to = to > text && to[-1] == ' ' ? to : (*to = ' ', to + 1);
        else if (*from != '`')
            *to++ = *from;
    }
    *to = '\0';
}

/* "Id, Type, ParentKey"; of a head what stands behind its first field, which is the generation or what the answer says. */
static void fields_write(size_t layout, char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    for (const char *const *field = layouts[layout].fields + (layouts[layout].kind == HEAD); *field; field++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "", *field);
    normalize(text);
}

static void the_table_of_functions_has_every_field_of_the_wire(void **state)
{
    static const char *const names[] = { "README.md", "KEYS.md", "doctor/check.lua" };
    char *pages[TEST_COUNT(names)];

    (void)state;
    for (size_t p = 0; p < TEST_COUNT(names); p++) {
        pages[p] = file_read(names[p]);
        normalize(pages[p]);
    }
    for (size_t i = 0; i < TEST_COUNT(layouts); i++) {
        char text[512];
        bool told =
            layouts[i].kind == READ || layouts[i].kind == INSIDE; /* that concerns nobody who calls a function */

        fields_write(i, text, sizeof text);
        for (size_t p = 0; p < TEST_COUNT(names) && !told; p++)
            told = strstr(pages[p], text) != NULL;
        if (!told)
            fail_msg("common/functions/README.md does not have the fields of %s as they travel: %s", layouts[i].layout,
                     text);
    }
    for (size_t p = 0; p < TEST_COUNT(names); p++)
        free(pages[p]);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_of_keys_is_what_the_table_says),
        cmocka_unit_test(the_page_of_health_is_what_the_table_says),
        cmocka_unit_test(the_table_of_functions_has_every_field_of_the_wire),
    };
    struct buf page;

    if (argc < 2 || strncmp(argv[1], "--print", strlen("--print")) != 0)
        return cmocka_run_group_tests(tests, NULL, NULL);
    buf_init(&page, PAGE_MAX);
    (strcmp(argv[1], "--print-health") == 0 ? health_page_write : keys_page_write)(&page);
    fwrite(page.data, 1, page.size, stdout);
    buf_release(&page);
    return 0;
}
