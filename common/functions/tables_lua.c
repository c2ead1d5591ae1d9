/* Prints the record's tables as Lua, for the head of the Redis Functions library: the Lua side names no field,
 * status or Type that common/record/tables.h does not. */
#include <stdio.h>

#include "common/record/tables.h"

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
    puts("}");
    return 0;
}
