/* Prints wire_tables.h, health.h, actions.h and the patterns of keys as CMake variables for the Lua sources (library.cmake):
 * set(OP.NAME "3"), set(KEY.PENDING "':pending:'"), set(INDEX.PENDING "'pending:'"), set(NAME.PENDING "'pending'"),
 * set(KIND.PENDING "'zset'"). */
#include <stdio.h>
#include <string.h>

#include "common/functions/wire_tables.h"
#include "common/record/actions.h"
#include "common/record/health.h"
#include "common/record/keys.h"

enum kind { HEAD, GROUP, READ, INSIDE };

struct field {
    const char *name, *text;
};

static void print_layout(const char *layout, enum kind kind, const struct field *fields, int count)
{
    for (int i = 0; i < count; i++)
        printf("set(%s.%s \"%d\")\n", layout, fields[i].name, kind == GROUP ? i : i + 1);
    printf("set(%s.SIZE \"%d\")\n", layout, count);
    if (kind != READ)
        return;
    printf("set(%s.NAMES \"", layout);
    for (int i = 0; i < count; i++)
        printf("'%s'%s", fields[i].text, i == count - 1 ? "" : i % 4 == 3 ? ",\n            " : ", ");
    puts("\")");
}

static void print_key(const char *id, enum key_scope scope, const char *name, const char *of, const char *type)
{
    const char *behind = of ? ":" : "";

    if (scope == KEY_OF_QUEUE)
        printf("set(KEY.%s \"'bgop:%s'\")\n", id, name);
    else
        printf("set(KEY.%s \"':%s%s'\")\nset(INDEX.%s \"'%s%s'\")\n", id, name, behind, id, name, behind);
    printf("set(NAME.%s \"'%s'\")\nset(KIND.%s \"'%.*s'\")\n", id, name, id, (int)strcspn(type, " "), type);
}

static void print_health(void)
{
#define XX(id, what, where, when, advice) puts("set(HEALTH." #id " \"'" what "'\")");
    HEALTH_KINDS(XX)
#undef XX
#define XX(id, ms, text) printf("set(BOUND." #id " \"%d\")\n", ms);
    HEALTH_BOUNDS(XX)
#undef XX
}

static void print_actions(void)
{
#define XX(id, number, text) printf("set(ACTION_BOUND." #id " \"%d\")\n", number);
    ACTION_BOUNDS(XX)
#undef XX
}

int main(void)
{
#define FIELD(layout, field, text) { #field, text },
#define LAYOUT(layout, kind)                                                        \
    {                                                                               \
        static const struct field fields[] = { WIRE_##layout(FIELD, layout) };      \
        print_layout(#layout, kind, fields, (int)(sizeof fields / sizeof *fields)); \
    }
    WIRE_LAYOUTS(LAYOUT)
#define XX(id, scope, name, of, type, writers, holds) print_key(#id, KEY_OF_##scope, name, of, type);
    REDIS_KEYS(XX)
#undef XX
    print_health();
    print_actions();
    return 0;
}
