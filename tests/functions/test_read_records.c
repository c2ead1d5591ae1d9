/* bgop_describe and bgop_retrieve: what a record is, and how it is seen in every status. */
#include "tests/functions/read_queue.h"

#include <string.h>

#include "common/record/tables.h"

/* The record as one text: fields with a value, in the record's order, without those that never vary here. */
static const char *seen(int number)
{
    static char text[4096];
    json_t *answer = reads_json(shard, "bgop_retrieve 0 * %s", reads_id(3, number));
    json_t *record = json_array_get(answer, 0);
    size_t used = 0;

    text[0] = '\0';
    assert_int_equal(json_object_size(record), FIELD_COUNT);
    for (int i = 0; i < FIELD_COUNT; i++) {
        const char *name = record_fields[i].name;
        json_t *value = json_object_get(record, name);
        char *written;

        assert_non_null(value);
        if (json_is_null(value) || i == FIELD_INDEX_ID || i == FIELD_INDEX_IS_DELETED ||
            i == FIELD_INDEX_CREATED_DATE || i == FIELD_INDEX_LAST_MODIFIED_DATE || i == FIELD_INDEX_TYPE ||
            i == FIELD_INDEX_RETRY_BACKOFF || i == FIELD_INDEX_RETRY_LIMIT || i == FIELD_INDEX_TIMEOUT ||
            i == FIELD_INDEX_NAME)
            continue;
        written = json_dumps(value, JSON_ENCODE_ANY);
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s=%s", used > 0 ? " " : "", name, written);
        free(written);
    }
    json_decref(answer);
    return text;
}

/* ---- describe ---- */

static json_t *described_field(json_t *object, const char *name)
{
    size_t i;
    json_t *field;

    json_array_foreach(json_object_get(object, "fields"), i, field)
    {
        if (strcmp(json_string_value(json_object_get(field, "name")), name) == 0)
            return field;
    }
    fail_msg("no field %s", name);
    return NULL;
}

static void check_flag(json_t *field, const char *flag, unsigned properties, unsigned bit)
{
    json_t *value = json_object_get(field, flag);

    if (!json_is_boolean(value) || json_is_true(value) != ((properties & bit) != 0))
        fail_msg("%s of %s", flag, json_string_value(json_object_get(field, "name")));
}

static void describe_shows_every_field_with_its_properties(void **state)
{
    json_t *answer = reads_json(shard, "bgop_describe 0"), *object = json_array_get(answer, 0);

    (void)state;
    assert_int_equal(json_array_size(answer), 1);
    assert_string_equal(json_string_value(json_object_get(object, "keyPrefix")), "08P");
    assert_int_equal(json_object_size(object), 27 + 17); /* salesforce-api: 28 without urls, and the rest */
    assert_int_equal(json_array_size(json_object_get(object, "fields")), FIELD_COUNT);
    for (int i = 0; i < FIELD_COUNT; i++) {
        json_t *field = json_array_get(json_object_get(object, "fields"), (size_t)i);
        unsigned properties = record_fields[i].properties;

        assert_string_equal(json_string_value(json_object_get(field, "name")), record_fields[i].name);
        assert_string_equal(json_string_value(json_object_get(field, "label")), record_fields[i].label);
        assert_int_equal(json_object_size(field), 57);
        check_flag(field, "filterable", properties, FIELD_F);
        check_flag(field, "groupable", properties, FIELD_G);
        check_flag(field, "sortable", properties, FIELD_S);
        check_flag(field, "idLookup", properties, FIELD_L);
        check_flag(field, "nillable", properties, FIELD_N);
        check_flag(field, "restrictedPicklist", properties, FIELD_R);
        assert_true(json_is_false(json_object_get(field, "createable")));
        assert_true(json_is_null(json_object_get(field, "defaultValue")));
    }
    json_decref(answer);
}

static void describe_gives_lengths_and_soap_types(void **state)
{
    static const struct {
        const char *name, *type, *soap;
        int length, bytes, digits;
    } cases[] = {
        { "Id", "id", "tns:ID", 18, 18, 0 },
        { "GroupLeaderId", "reference", "tns:ID", 18, 18, 0 },
        { "Name", "string", "xsd:string", 255, 765, 0 },
        { "Status", "picklist", "xsd:string", 255, 765, 0 },
        { "Timeout", "int", "xsd:int", 0, 0, 9 },
        { "StartedAt", "datetime", "xsd:dateTime", 0, 0, 0 },
        { "IsDeleted", "boolean", "xsd:boolean", 0, 0, 0 },
    };
    json_t *answer = reads_json(shard, "bgop_describe 0"), *object = json_array_get(answer, 0);

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        json_t *field = described_field(object, cases[i].name);

        assert_string_equal(json_string_value(json_object_get(field, "type")), cases[i].type);
        assert_string_equal(json_string_value(json_object_get(field, "soapType")), cases[i].soap);
        assert_int_equal(json_integer_value(json_object_get(field, "length")), cases[i].length);
        assert_int_equal(json_integer_value(json_object_get(field, "byteLength")), cases[i].bytes);
        assert_int_equal(json_integer_value(json_object_get(field, "digits")), cases[i].digits);
    }
    assert_string_equal(
        json_string_value(json_object_get(described_field(object, "GroupLeaderId"), "relationshipName")),
        "GroupLeader");
    json_decref(answer);
}

static void declared_types_join_the_picklist_and_the_reserved_one_is_inactive(void **state)
{
    json_t *answer = reads_json(shard, "bgop_describe 0"), *object = json_array_get(answer, 0), *entry;
    json_t *statuses = json_object_get(described_field(object, "Status"), "picklistValues");
    size_t i;
    char names[1024] = "", inactive[1024] = "";

    (void)state;
    json_array_foreach(json_object_get(described_field(object, "Type"), "picklistValues"), i, entry)
    {
        char *list = json_is_true(json_object_get(entry, "active")) ? names : inactive;
        size_t used = strlen(list);

        snprintf(list + used, sizeof names - used, "%s ", json_string_value(json_object_get(entry, "value")));
    }
    assert_string_equal(names,
                        "BlockchainEventPoller CdpMetadataDeploy Declared ExternalChangeDataCapture ExternalObject "
                        "ExternalObjectSync ExternalServiceCallback SiteTaskCreate SiteTaskPublish Sweeper WebCart "
                        "XClean ");
    assert_string_equal(inactive, "ExternalConnectivityPoller ");
    assert_int_equal(json_array_size(statuses), OP_STATUS_COUNT);
    for (i = 0; i < OP_STATUS_COUNT; i++)
        assert_string_equal(json_string_value(json_object_get(json_array_get(statuses, i), "value")),
                            record_statuses[i].name);
    json_decref(answer);
}

static void describe_refuses_other_objects_and_needs_no_queue(void **state)
{
    (void)state;
    reads_refused(shard, "INVALID_TYPE", "Account", "bgop_describe 0 Account");
    reads_refused(shard, "INVALID_TYPE", "did you mean BackgroundOperation?", "bgop_describe 0 BackgroundOperations");
    shard_command(shard, "FLUSHALL");
    json_decref(reads_json(shard, "bgop_describe 0 BackgroundOperation"));
}

/* ---- retrieve: one record in every status ---- */

#define T0        "2023-11-14T22:13:50.000+0000" /* the clock after reads_open: 1700000030000 */
#define SUBMITTED "SystemModstamp=\"" T0 "\" SubmittedAt=\"" T0 "\""

static void a_new_record_shows_what_was_given_and_derived(void **state)
{
    (void)state;
    reads_submit(shard, 3, 1, 1, "WebCart \"\" \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
    assert_string_equal(seen(1), SUBMITTED " Status=\"New\" RetryCount=0");
    reads_expect(
        shard,
        "[{\"Id\":\"08P003000000001EAA\",\"IsDeleted\":false,\"Name\":\"BO-08P003000000001\",\"CreatedDate\":\"" T0
        "\",\"LastModifiedDate\":\"" T0 "\",\"SystemModstamp\":\"" T0 "\",\"SubmittedAt\":\"" T0
        "\",\"Status\":\"New\",\"ExecutionGroup\":null,\"SequenceGroup\":null,\"SequenceNumber\":null,"
        "\"GroupLeaderId\":null,\"StartedAt\":null,\"FinishedAt\":null,\"WorkerUri\":null,\"Timeout\":60000,"
        "\"ExpiresAt\":null,\"NumFollowers\":null,\"ProcessAfter\":null,\"ParentKey\":null,\"RetryLimit\":3,"
        "\"RetryCount\":0,\"RetryBackoff\":1000,\"Error\":null,\"Type\":\"WebCart\"}]",
        "bgop_retrieve 0 * %s", reads_id(3, 1));
}

static void given_values_win_over_the_types_defaults(void **state)
{
    (void)state;
    reads_submit(shard, 3, 1, 1, "Declared acct-1 import-7 \"\" 5 6 7 g 8");
    reads_submit(shard, 3, 2, 1, "Declared \"\" \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
    reads_expect(
        shard,
        "[{\"Name\":\"import-7\",\"ParentKey\":\"acct-1\",\"RetryBackoff\":5,\"RetryLimit\":6,\"Timeout\":7,"
        "\"SequenceGroup\":\"g\",\"SequenceNumber\":8},"
        "{\"Name\":\"BO-08P003000000002\",\"ParentKey\":null,\"RetryBackoff\":77,\"RetryLimit\":2,\"Timeout\":999,"
        "\"SequenceGroup\":null,\"SequenceNumber\":null}]",
        "bgop_retrieve 0 Name,ParentKey,RetryBackoff,RetryLimit,Timeout,SequenceGroup,SequenceNumber %s %s",
        reads_id(3, 1), reads_id(3, 2));
}

static void defaults_are_those_of_the_version_a_record_was_made_with(void **state)
{
    (void)state;
    reads_submit(shard, 3, 1, 1, "WebCart \"\" \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
    shard_command(shard, "HSET " SHARD_PREFIX ":types WebCart 2 WebCart:2 '{\"retry_backoff_ms\":1,\"retry_limit\":2,"
                         "\"timeout_ms\":3}'");
    shard->generation++;
    shard_command(shard, "HSET " SHARD_PREFIX ":gate gen %d", (int)shard->generation);
    reads_submit(shard, 3, 2, 1, "WebCart \"\" \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
    reads_expect(shard,
                 "[{\"RetryBackoff\":1000,\"RetryLimit\":3,\"Timeout\":60000},"
                 "{\"RetryBackoff\":1,\"RetryLimit\":2,\"Timeout\":3}]",
                 "bgop_retrieve 0 RetryBackoff,RetryLimit,Timeout %s %s", reads_id(3, 1), reads_id(3, 2));
}

static void each_status_shows_what_applies_in_it(void **state)
{
    static const char plain[] = "WebCart \"\" \"\" \"\" \"\" \"\" \"\" \"\" \"\"";
    static const char ran[] = "StartedAt=\"" T0 "\"", worker[] = "WorkerUri=\"http://w1\"";
    char expected[1024];

    (void)state;
    reads_submit(shard, 3, 1, 1, "WebCart \"\" \"\" 1700000090000 \"\" \"\" \"\" \"\" \"\"");
    assert_string_equal(seen(1),
                        SUBMITTED " Status=\"Scheduled\" ProcessAfter=\"2023-11-14T22:14:50.000+0000\" RetryCount=0");

    reads_submit(shard, 3, 2, 5, plain);
    reads_claim(shard, 2);
    snprintf(expected, sizeof expected, SUBMITTED " Status=\"Running\" %s %s RetryCount=0", ran, worker);
    assert_string_equal(seen(2), expected);

    reads_claim(shard, 3);
    reads_apply(shard, "error", 3, 1, "no such host"); /* retry 1 is due at once: Waiting */
    snprintf(expected, sizeof expected,
             SUBMITTED " Status=\"Waiting\" StartedAt=\"2023-11-14T22:13:50.000+0000\" %s "
                       "RetryCount=1",
             worker);
    assert_string_equal(seen(3), expected);

    reads_claim(shard, 3);
    reads_apply(shard, "error", 3, 2, "no such host"); /* retry 2 waits: Error, without ExpiresAt */
    snprintf(expected, sizeof expected,
             SUBMITTED " Status=\"Error\" %s FinishedAt=\"%s\" %s RetryCount=2 "
                       "Error=\"no such host\"",
             ran, T0, worker);
    assert_string_equal(seen(3), expected);

    reads_claim(shard, 4);
    reads_apply(shard, "permanent", 4, 1, "bad \\\xc3\xa9");
    snprintf(expected, sizeof expected,
             SUBMITTED " Status=\"Error\" %s FinishedAt=\"%s\" %s "
                       "ExpiresAt=\"2023-11-15T00:13:50.000+0000\" RetryCount=0 Error=\"bad \\\\\xc3\xa9\"",
             ran, T0, worker);
    assert_string_equal(seen(4), expected);

    reads_claim(shard, 5);
    reads_apply(shard, "ok", 5, 1, "");
    snprintf(expected, sizeof expected,
             SUBMITTED " Status=\"Complete\" %s FinishedAt=\"%s\" %s "
                       "ExpiresAt=\"2023-11-14T23:13:50.000+0000\" RetryCount=0",
             ran, T0, worker);
    assert_string_equal(seen(5), expected);

    reads_apply(shard, "cancel", 6, 0, "changed my mind");
    assert_string_equal(seen(6),
                        SUBMITTED " Status=\"Canceled\" ExpiresAt=\"2023-11-14T23:13:50.000+0000\" RetryCount=0");
}

/* Whatever a hash holds, readers see what applies in its status (groups come later, so it is written by hand). */
static void what_does_not_apply_in_a_status_is_null(void **state)
{
    static const struct {
        const char *status, *shown;
    } cases[] = {
        { "New", "----" },      { "Scheduled", "----" }, { "Waiting", "S---" }, { "Running", "S---" },
        { "Complete", "SFX-" }, { "Canceled", "S-X-" },  { "Merged", "S-X-" },  { "Error", "SFXE" },
    };
    static const char *const fields[] = { "StartedAt", "FinishedAt", "ExpiresAt", "Error" };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        const char *id = reads_id(1, (int)i);
        json_t *answer, *record;
        char shown[5] = "----";

        shard_command(shard,
                      "HSET bgop:{1}:op:%s Status %s Type WebCart SubmittedAt 1 SystemModstamp 2 StartedAt 3 "
                      "FinishedAt 4 ExpiresAt 5 Error e WorkerUri w ExecutionGroup g NumFollowers 3 GroupLeaderId %s",
                      id, cases[i].status, reads_id(1, 99));
        answer = reads_json(shard, "bgop_retrieve 0 * %s", id);
        record = json_array_get(answer, 0);
        for (int n = 0; n < 4; n++) {
            if (!json_is_null(json_object_get(record, fields[n])))
                shown[n] = "SFXE"[n];
        }
        assert_string_equal(shown, cases[i].shown);
        assert_int_equal(json_is_null(json_object_get(record, "WorkerUri")), shown[0] == '-');
        assert_string_equal(json_string_value(json_object_get(record, "GroupLeaderId")), reads_id(1, 99));
        assert_int_equal(json_integer_value(json_object_get(record, "NumFollowers")), 3);
        json_decref(answer);
    }
}

/* ---- retrieve: Ids, fields, refusals ---- */

static void rows_stand_in_the_order_of_the_ids_and_null_for_what_is_not_there(void **state)
{
    char id15[16];

    (void)state;
    reads_submit(shard, 3, 1, 2, "WebCart \"\" \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
    reads_submit(shard, 0, 7, 1, "WebCart \"\" \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
    snprintf(id15, sizeof id15, "%.15s", reads_id(3, 2));
    reads_expect(shard,
                 "[{\"Id\":\"08P003000000002EAA\"},null,null,{\"Id\":\"08P000000000007EAA\"},null,null,"
                 "{\"Id\":\"08P003000000002EAA\"}]",
                 "bgop_retrieve 0 Id %s %s garbage %s 08P003000000001AAA 08P003000000001E %s", id15, reads_id(3, 9),
                 reads_id(0, 7), id15);
    reads_expect(shard, "[]", "bgop_retrieve 0 Id");
    reads_expect(shard, "[null]", "bgop_retrieve 0 Id 08Pzz3000000001EAA"); /* of no shard here */
}

static void one_key_asks_one_shard_only(void **state)
{
    (void)state;
    reads_submit(shard, 3, 1, 1, "WebCart \"\" \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
    reads_expect(shard, "[null]", "bgop_retrieve 1 bgop:{0} Id %s", reads_id(3, 1));
    reads_expect(shard, "[{\"Id\":\"08P003000000001EAA\"}]", "bgop_retrieve 1 bgop:{3} Id %s", reads_id(3, 1));
    reads_refused(shard, "MALFORMED_QUERY", "bgop:{<shard>}", "bgop_retrieve 1 bgop Id %s", reads_id(3, 1));
    reads_refused(shard, "MALFORMED_QUERY", "one key", "bgop_retrieve 2 bgop:{0} bgop:{1} Id");
}

static void unknown_fields_are_named_with_the_nearest_known_one(void **state)
{
    (void)state;
    reads_refused(shard, "INVALID_FIELD", "'Statu' on sobject of type BackgroundOperation, did you mean Status?",
                  "bgop_retrieve 0 Id,Statu %s", reads_id(3, 1));
    reads_refused(shard, "INVALID_FIELD", "'status'", "bgop_retrieve 0 status %s", reads_id(3, 1));
    reads_refused(shard, "INVALID_FIELD", "'token'", "bgop_retrieve 0 token %s", reads_id(3, 1));
}

static void too_much_and_too_little_is_refused(void **state)
{
    char many[201 * 19 + 1];

    (void)state;
    for (int i = 0; i < 201; i++)
        snprintf(many + i * 19, sizeof many - (size_t)i * 19, " %s", reads_id(3, i));
    reads_refused(shard, "MALFORMED_QUERY", "more than is allowed at once (200)", "bgop_retrieve 0 Id%s", many);
    many[200 * 19] = '\0';
    json_decref(reads_json(shard, "bgop_retrieve 0 *%s", many));
    reads_refused(shard, "MALFORMED_QUERY", "fields", "bgop_retrieve 0");
    reads_refused(shard, "MALFORMED_QUERY", "at least one field", "bgop_retrieve 0 , %s", reads_id(3, 1));
}

static void text_of_any_bytes_stays_readable_json(void **state)
{
    json_t *answer;

    (void)state;
    reads_submit(shard, 3, 1, 1, "WebCart \"\" \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
    shard_command(shard,
                  "HSET " SHARD_PREFIX ":op:%s Status Error Error '\xff\x80 a\tb\n\"\\ \xf0\x9f\x98\x80 \xed\xa0\x80'",
                  reads_id(3, 1));
    answer = reads_json(shard, "bgop_retrieve 0 Error %s", reads_id(3, 1));
    assert_string_equal(json_string_value(json_object_get(json_array_get(answer, 0), "Error")),
                        "\xef\xbf\xbd\xef\xbf\xbd a\tb\n\"\\ \xf0\x9f\x98\x80 \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    json_decref(answer);
}

static void a_recovering_shard_refuses_and_the_others_answer(void **state)
{
    (void)state;
    reads_submit(shard, 3, 1, 1, "WebCart \"\" \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
    reads_submit(shard, 0, 1, 1, "WebCart \"\" \"\" \"\" \"\" \"\" \"\" \"\" \"\"");
    shard_command(shard, "HSET bgop:{3}:gate mode RECOVERING");
    reads_refused(shard, "RECOVERING", "shard 3", "bgop_retrieve 0 Id %s", reads_id(3, 1));
    reads_expect(shard, "[{\"Id\":\"08P000000000001EAA\"}]", "bgop_retrieve 0 Id %s", reads_id(0, 1));
    shard_command(shard, "HSET bgop:{3}:gate mode OPEN run elsewhere"); /* restarted, not yet armed */
    reads_refused(shard, "RECOVERING", "shard 3", "bgop_retrieve 0 Id %s", reads_id(3, 1));
    shard_command(shard, "DEL bgop:{3}:gate");
    reads_refused(shard, "RECOVERING", "not set up", "bgop_retrieve 0 Id %s", reads_id(3, 1));
    shard_command(shard, "DEL bgop:meta");
    reads_refused(shard, "RECOVERING", "no coordinator", "bgop_retrieve 0 Id %s", reads_id(0, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        read_test(describe_shows_every_field_with_its_properties),
        read_test(describe_gives_lengths_and_soap_types),
        read_test(declared_types_join_the_picklist_and_the_reserved_one_is_inactive),
        read_test(describe_refuses_other_objects_and_needs_no_queue),
        read_test(a_new_record_shows_what_was_given_and_derived),
        read_test(given_values_win_over_the_types_defaults),
        read_test(defaults_are_those_of_the_version_a_record_was_made_with),
        read_test(each_status_shows_what_applies_in_it),
        read_test(what_does_not_apply_in_a_status_is_null),
        read_test(rows_stand_in_the_order_of_the_ids_and_null_for_what_is_not_there),
        read_test(one_key_asks_one_shard_only),
        read_test(unknown_fields_are_named_with_the_nearest_known_one),
        read_test(too_much_and_too_little_is_refused),
        read_test(text_of_any_bytes_stays_readable_json),
        read_test(a_recovering_shard_refuses_and_the_others_answer),
    };

    return read_tests_run(tests);
}
