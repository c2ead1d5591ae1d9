/* The tables, against the specification's own words: the lists here, and the page common/record/README.md. */
#include <stdio.h>
#include <string.h>

#include "common/record/tables.h"
#include "tests/support/test.h"

/* Field, type and properties as the specification lists them. */
static const struct {
    const char *name;
    enum field_type type;
    const char *properties;
} specified[] = {
    { "Error", FIELD_STRING, "FGNS" },
    { "ExecutionGroup", FIELD_STRING, "FGNS" },
    { "ExpiresAt", FIELD_DATETIME, "FNS" },
    { "FinishedAt", FIELD_DATETIME, "FNS" },
    { "GroupLeaderId", FIELD_REFERENCE, "FGNS" },
    { "Name", FIELD_STRING, "FGLS" },
    { "NumFollowers", FIELD_INT, "FGNS" },
    { "ParentKey", FIELD_STRING, "FGLNS" },
    { "ProcessAfter", FIELD_DATETIME, "FNS" },
    { "RetryBackoff", FIELD_INT, "FGNS" },
    { "RetryCount", FIELD_INT, "FGNS" },
    { "RetryLimit", FIELD_INT, "FGNS" },
    { "SequenceGroup", FIELD_STRING, "FGNS" },
    { "SequenceNumber", FIELD_INT, "FGNS" },
    { "StartedAt", FIELD_DATETIME, "FNS" },
    { "Status", FIELD_PICKLIST, "FGNRS" },
    { "SubmittedAt", FIELD_DATETIME, "FNS" },
    { "Timeout", FIELD_INT, "FGNS" },
    { "Type", FIELD_PICKLIST, "FGNRS" },
    { "WorkerUri", FIELD_STRING, "FGLNS" },
    { "Id", FIELD_ID, "FGSL" },
    { "IsDeleted", FIELD_BOOLEAN, "FGS" },
    { "CreatedDate", FIELD_DATETIME, "FS" },
    { "LastModifiedDate", FIELD_DATETIME, "FS" },
    { "SystemModstamp", FIELD_DATETIME, "FS" },
};

static unsigned properties_of(const char *letters)
{
    static const char all[] = "FGSLNR"; /* in the order of the bits */
    unsigned properties = 0;

    for (; *letters; letters++)
        properties |= 1u << (strchr(all, *letters) - all);
    return properties;
}

static void fields_are_as_specified(void **state)
{
    (void)state;
    assert_int_equal(TEST_COUNT(specified), FIELD_COUNT);
    for (size_t i = 0; i < TEST_COUNT(specified); i++) {
        const struct record_field *field = record_field_find(specified[i].name);
        if (!field || field->type != specified[i].type || field->properties != properties_of(specified[i].properties))
            fail_msg("%s is not as specified", specified[i].name);
        assert_true(field->label[0] != '\0');
    }
}

static void no_date_can_be_grouped_and_only_dates_cannot(void **state)
{
    (void)state;
    for (int i = 0; i < FIELD_COUNT; i++)
        assert_int_equal((record_fields[i].properties & FIELD_G) == 0, record_fields[i].type == FIELD_DATETIME);
}

static void statuses_are_found_by_name(void **state)
{
    static const char *const names[] = { "New",     "Scheduled", "Canceled", "Merged",
                                         "Waiting", "Running",   "Error",    "Complete" };

    (void)state;
    assert_int_equal(TEST_COUNT(names), OP_STATUS_COUNT);
    for (int i = 0; i < OP_STATUS_COUNT; i++) {
        assert_int_equal(record_status_find(names[i]), i);
        assert_string_equal(record_statuses[i].name, names[i]);
    }
    assert_true(record_statuses[OP_COMPLETE].terminal && record_statuses[OP_MERGED].terminal);
    assert_false(record_statuses[OP_RUNNING].terminal || record_statuses[OP_WAITING].terminal);
    assert_int_equal(record_status_find("complete"), -1);
    assert_int_equal(record_status_find(""), -1);
}

static void types_have_the_specified_defaults(void **state)
{
    static const struct {
        const char *name;
        int32_t backoff, limit, timeout, merge_max;
    } types[] = {
        { "ExternalObject", 1000, 5, 120000, 100 },
        { "ExternalObjectSync", 5000, 5, 900000, 1 },
        { "ExternalChangeDataCapture", 5000, 5, 900000, 1 },
        { "CdpMetadataDeploy", 5000, 5, 900000, 1 },
        { "ExternalServiceCallback", 1000, 8, 30000, 1 },
        { "SiteTaskCreate", 10000, 3, 900000, 1 },
        { "SiteTaskPublish", 10000, 3, 900000, 1 },
        { "BlockchainEventPoller", 1000, 3, 60000, 1 },
        { "Sweeper", 1000, 3, 60000, 1 },
        { "WebCart", 1000, 3, 60000, 1 },
        { "XClean", 1000, 3, 60000, 1 },
    };

    (void)state;
    assert_int_equal(record_type_count, TEST_COUNT(types) + 1);
    for (size_t i = 0; i < TEST_COUNT(types); i++) {
        const struct record_type *type = record_type_find(types[i].name);
        assert_non_null(type);
        assert_false(type->reserved);
        if (type->retry_backoff_ms != types[i].backoff || type->retry_limit != types[i].limit ||
            type->timeout_ms != types[i].timeout || type->merge_max != types[i].merge_max)
            fail_msg("%s has other defaults", types[i].name);
    }
    assert_true(record_type_find("ExternalConnectivityPoller")->reserved);
}

static void names_are_exact(void **state)
{
    (void)state;
    assert_null(record_field_find("status"));
    assert_null(record_field_find("Statuses"));
    assert_null(record_field_find(""));
    assert_null(record_type_find("webcart"));
    assert_null(record_type_find(""));
}

static char page[64 * 1024];

static int page_read(void **state)
{
    FILE *file = fopen(BGOP_RECORD_PAGE, "re");
    size_t size = file ? fread(page, 1, sizeof page - 1, file) : 0;

    (void)state;
    if (file)
        fclose(file);
    page[size] = '\0';
    return size > 0 ? 0 : -1;
}

static void row_is_on_the_page(const char *row)
{
    if (!strstr(page, row))
        fail_msg("common/record/README.md has no row that begins \"%s\"", row + 1);
}

static void the_page_has_every_field(void **state)
{
    static const char *const types[] = { "id", "boolean", "string", "picklist", "int", "dateTime", "reference" };
    static const char letters[] = "FGSLNR"; /* in the order of the bits */
    char row[128];

    (void)state;
    for (int i = 0; i < FIELD_COUNT; i++) {
        const struct record_field *field = &record_fields[i];
        int size = snprintf(row, sizeof row, "\n| %s | %s |", field->name, types[field->type]);

        for (int bit = 0; letters[bit]; bit++)
            if (field->properties & 1u << bit)
                size += snprintf(row + size, sizeof row - (size_t)size, " %c", letters[bit]);
        snprintf(row + size, sizeof row - (size_t)size, " |");
        row_is_on_the_page(row);
    }
}

static void the_page_has_every_status_and_type(void **state)
{
    char row[128];

    (void)state;
    for (int i = 0; i < OP_STATUS_COUNT; i++) {
        const struct record_status *status = &record_statuses[i];

        /* Final or not is the record's to say where one word stands for two: an Error may be retried. */
        snprintf(row, sizeof row, "\n| %s | %s |", status->name,
                 i == OP_ERROR      ? "with no retry left"
                 : status->terminal ? "yes"
                                    : "no");
        row_is_on_the_page(row);
    }
    for (int i = 0; i < record_type_count; i++) {
        const struct record_type *type = &record_types[i];

        snprintf(row, sizeof row, "\n| %s | %d | %d | %d | %d | %s|", type->name, type->retry_backoff_ms,
                 type->retry_limit, type->timeout_ms, type->merge_max,
                 type->reserved ? "reserved: refused at submission " : "");
        row_is_on_the_page(row);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_as_specified),
        cmocka_unit_test(no_date_can_be_grouped_and_only_dates_cannot),
        cmocka_unit_test(statuses_are_found_by_name),
        cmocka_unit_test(types_have_the_specified_defaults),
        cmocka_unit_test(names_are_exact),
        cmocka_unit_test(the_page_has_every_field),
        cmocka_unit_test(the_page_has_every_status_and_type),
    };
    return cmocka_run_group_tests(tests, page_read, NULL);
}
