/* Prints the record's tables as Lua, for the head of the Redis Functions library: the Lua side names no field, status or
 * Type that common/record/tables.h does not, and needs no setting of a Type that common/record/type_settings.h does not. */
#include <stdio.h>

#include "common/record/actions.h"
#include "common/record/health.h"
#include "common/record/tables.h"
#include "common/record/type_settings.h"

static const char *const type_names[] = { "id", "boolean", "string", "picklist", "int", "dateTime", "reference" };

static void print_field(const char *name, enum field_type type, unsigned properties, const char *label)
{
    static const char letters[] = "FGSLNR"; /* in the order of the bits */

    printf("    {name = '%s', type = '%s', label = '%s', ", name, type_names[type], label);
    for (int bit = 0; letters[bit] != '\0'; bit++)
        printf("%c = %s, ", letters[bit], properties & 1u << bit ? "true" : "false");
    puts("},");
}

int main(void)
{
    puts(
        "-- The record's tables, made from common/record/tables.h. F filter, G group, S sort, L idLookup, N nillable,\n"
        "-- R restricted picklist.\nlocal FIELDS = {");
#define XX(id, name, type, properties, label) print_field(#name, FIELD_##type, (unsigned)(properties), label);
    RECORD_FIELDS(XX)
#undef XX
    puts("}\nlocal STATUSES = {");
#define XX(id, name, terminal) printf("    {name = '%s', terminal = %s},\n", #name, terminal ? "true" : "false");
    RECORD_STATUSES(XX)
#undef XX
    puts("}\nlocal TYPES = {");
#define XX(name, backoff, limit, timeout, merge, reserved)                                                           \
    printf("    {name = '%s', retry_backoff_ms = %d, retry_limit = %d, timeout_ms = %d, merge_max = %d, reserved = " \
           "%s},\n",                                                                                                 \
           #name, backoff, limit, timeout, merge, reserved ? "true" : "false");
    RECORD_TYPES(XX)
#undef XX
    puts("}\nlocal NEEDED_SETTINGS = {");
#define NEEDED(name) printf("    '%s',\n", #name);
#define MAY_MISS(name)
#define INT(name, need, initial, least, most, help) need(name)
#define CHOICE(name, initial, choices, help)
    TYPE_SETTINGS(INT, CHOICE)
#undef INT
#undef CHOICE
    puts(
        "}\n-- Of common/record/health.h: kinds of trouble, the gravest first; what a coordinator says of a partition.\n"
        "local TROUBLES = {");
#define XX(id, what, where, when, advice) puts("    '" what "',");
    HEALTH_KINDS(XX)
#undef XX
    puts("}\nlocal SOURCE_STATES = {");
#define XX(name) puts("    " #name " = true,");
    HEALTH_STATES(XX)
#undef XX
    puts("}\n-- Of common/record/actions.h: kinds; is it of operations?\nlocal ACTION_KINDS = {");
#define XX(id, name, done, operations) puts("    " #name " = " #operations ",");
    ACTION_KINDS(XX)
#undef XX
    puts("}");
    return fflush(stdout) != 0 || ferror(stdout);
}
