/* bgop_find against a model: records in every status; each F field with each operator, each S field in both orders,
 * page after page. The model takes all records by bgop_retrieve and does by hand what bgop_find says it does. */
#include "tests/functions/read_queue.h"

#include <string.h>
#include <strings.h>

#include "common/record/tables.h"

enum { OF_SHARD_3 = 420, OF_OTHERS = 90, ALL = OF_SHARD_3 + 3 * OF_OTHERS, CONDITIONS = 2, TEXT = 1 << 15 };

static json_t *records; /* as bgop_retrieve gives them */
static unsigned seed = 1;

static unsigned random_below(unsigned bound)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 16) % bound;
}

/* ---- the queue: what varies does so by number ---- */

static void submit_one(int s, int number)
{
    char text[512];

    snprintf(text, sizeof text, "%s %s%.0d %s%.0d %s %s %s %s %s %s", number % 3 == 0 ? "Declared" : "WebCart",
             number % 2 == 0 ? "acct-" : "\"\"", number % 2 == 0 ? number % 7 + 1 : 0,
             number % 5 == 0 ? "name-" : "\"\"", number % 5 == 0 ? number : 0,
             number % 19 == 0 ? "1700000090000" : "\"\"", number % 4 == 0 ? "250" : "\"\"",
             number % 6 == 0   ? "9"
             : number % 6 == 1 ? "0"
                               : "\"\"",
             number % 11 == 0 ? "5000" : "\"\"", number % 23 == 0 ? "g" : "\"\"", number % 23 == 0 ? "77" : "\"\"");
    reads_submit(shard, s, number, 1, text);
}

/* By number: stays as it is, runs, Complete, Error for good or timed, retried at once, Canceled. */
static void live(int number)
{
    static const char *const texts[] = { "no such host", "50% of it: a_b", "caf\xc3\xa9 \\ au lait", "timed out" };
    char before[64];

    shard_command(shard, "HGET " SHARD_PREFIX ":op:%s Status", reads_id(3, number));
    snprintf(before, sizeof before, "%.60s", shard->answer);
    if (number % 8 == 0 || strcmp(before, "New") != 0)
        return;
    if (number % 8 == 1) {
        reads_apply(shard, "cancel", number, 0, "unwanted");
        return;
    }
    reads_claim(shard, number);
    switch (number % 8) {
    case 2: break;
    case 3:
    case 4: reads_apply(shard, "ok", number, 1, ""); break;
    case 5: reads_apply(shard, "permanent", number, 1, texts[number % 4]); break;
    default: reads_apply(shard, "error", number, 1, texts[number % 4]); break;
    }
    if (number % 8 == 7 && number % 6 != 1) { /* the second retry is timed */
        reads_claim(shard, number);
        reads_apply(shard, "error", number, 2, texts[number % 4]);
    }
}

/* A leader and its followers, by hand. */
static void group_by_hand(int leader, int followers)
{
    shard_command(shard, "HSET " SHARD_PREFIX ":op:%s ExecutionGroup %s-1 NumFollowers %d", reads_id(3, leader),
                  reads_id(3, leader), followers);
    for (int n = leader + 8; n <= leader + 8 * followers; n += 8)
        shard_command(shard, "HSET " SHARD_PREFIX ":op:%s Status Merged ExecutionGroup %s-1 GroupLeaderId %s",
                      reads_id(3, n), reads_id(3, leader), reads_id(3, leader));
}

static void retrieve_all(void)
{
    json_t *found = NULL;
    char *ids = malloc(TEXT);
    size_t used = 0;

    records = json_array();
    for (int i = 0; i < ALL; i++) {
        int s = i < OF_SHARD_3 ? 3 : (i - OF_SHARD_3) / OF_OTHERS;

        used += (size_t)snprintf(ids + used, TEXT - used, " %s",
                                 reads_id(s, i < OF_SHARD_3 ? i + 1 : (i - OF_SHARD_3) % OF_OTHERS + 1));
        if (i % 150 == 149 || i == ALL - 1) {
            found = reads_json(shard, "bgop_retrieve 0 *%s", ids);
            json_array_extend(records, found);
            json_decref(found);
            used = 0;
        }
    }
    free(ids);
    assert_int_equal(json_array_size(records), ALL);
}

static int group_setup(void **state)
{
    read_server_start(state);
    read_setup(state);
    for (int i = 1; i <= OF_SHARD_3; i++) {
        shard_clock(shard, 31000 + i * 37);
        submit_one(3, i);
        if (i % 2 == 0)
            live(i / 2);
        if (i <= OF_OTHERS)
            for (int s = 0; s < 3; s++)
                submit_one(s, i);
    }
    for (int i = OF_SHARD_3 / 2 + 1; i <= OF_SHARD_3; i++)
        live(i);
    group_by_hand(3, 4);
    shard_clock(shard, shard_now(shard) + 5);
    retrieve_all();
    return 0;
}

static int group_teardown(void **state)
{
    json_decref(records);
    read_teardown(state);
    read_server_stop(state);
    return 0;
}

/* ---- the model ---- */

/* Of values of one field: dates have one length, so their texts compare as they do. false before true. */
static int values_compare(const json_t *a, const json_t *b)
{
    if (json_is_integer(a))
        return (json_integer_value(a) > json_integer_value(b)) - (json_integer_value(a) < json_integer_value(b));
    if (json_is_string(a))
        return strcmp(json_string_value(a), json_string_value(b));
    return json_is_true(a) - json_is_true(b);
}

static bool like(const char *text, const char *pattern)
{
    if (*pattern == '\0')
        return *text == '\0';
    if (*pattern == '%')
        return like(text, pattern + 1) || (*text != '\0' && like(text + 1, pattern));
    if (*text == '\0')
        return false;
    if (*pattern == '_') {
        do
            text++;
        while ((*text & 0xc0) == 0x80);
        return like(text, pattern + 1);
    }
    if (*pattern == '\\')
        pattern++;
    return strncasecmp(text, pattern, 1) == 0 && like(text + 1, pattern + 1);
}

static bool condition_holds(const json_t *record, const json_t *condition)
{
    const char *operator= json_string_value(json_array_get(condition, 1));
    const json_t *value = json_object_get(record, json_string_value(json_array_get(condition, 0)));
    const json_t *wanted = json_array_get(condition, 2);
    int sign;

    if (strcmp(operator, "in") == 0) {
        size_t i;
        json_t *one;

        json_array_foreach(wanted, i, one)
        {
            if (json_equal(value, one))
                return true;
        }
        return false;
    }
    if (strcmp(operator, "=") == 0 || strcmp(operator, "!=") == 0)
        return json_equal(value, wanted) == (operator[0] == '=');
    if (json_is_null(value))
        return false;
    if (strcmp(operator, "like") == 0)
        return like(json_string_value(value), json_string_value(wanted));
    sign = values_compare(value, wanted);
    return operator[0] == '<' ? sign < (operator[1] == '=') : sign> -(operator[1] == '=');
}

static const char *order_name;
static bool order_descends;

static int records_compare(const void *a, const void *b)
{
    const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
    const json_t *u = json_object_get(x, order_name), *v = json_object_get(y, order_name);
    int sign;

    if (json_is_null(u) || json_is_null(v))
        sign = json_is_null(v) - json_is_null(u);
    else
        sign = values_compare(u, v);
    if (sign == 0)
        sign = strcmp(json_string_value(json_object_get(x, "Id")), json_string_value(json_object_get(y, "Id")));
    return order_descends ? -sign : sign;
}

/* The Ids that a query should find, in order. */
static size_t expect(const json_t *where, const char *ids[ALL])
{
    json_t *found[ALL], *record, *condition;
    size_t count = 0, i, c;

    json_array_foreach(records, i, record)
    {
        bool holds = true;

        json_array_foreach(where, c, condition) holds = holds && condition_holds(record, condition);
        if (holds)
            found[count++] = record;
    }
    qsort(found, count, sizeof found[0], records_compare);
    for (i = 0; i < count; i++)
        ids[i] = json_string_value(json_object_get(found[i], "Id"));
    return count;
}

/* All pages of a query compared with the model; answers the number of rows. */
static size_t check(const json_t *where, const char *field, bool descends, int limit)
{
    static const char *ids[ALL];
    char *text = json_dumps(where, 0), *cursor = strdup("null");
    size_t count, at = 0;
    int pages = 0;

    order_name = field;
    order_descends = descends;
    count = expect(where, ids);
    do {
        json_t *answer = reads_json(shard,
                                    "bgop_find 0 '{\"where\":%s,\"order\":\"%s%s\",\"fields\":[],\"limit\":%d,"
                                    "\"cursor\":%s}'",
                                    text, descends ? "-" : "", field, limit, cursor),
               *row;
        size_t i;

        json_array_foreach(json_object_get(answer, "rows"), i, row)
        {
            const char *id = json_string_value(json_object_get(row, "Id"));

            if (at == count || strcmp(id, ids[at]) != 0)
                fail_msg("%s order %s%s: row %zu is %s, expected %s", text, descends ? "-" : "", field, at, id,
                         at == count ? "the end" : ids[at]);
            at++;
        }
        free(cursor);
        cursor = json_dumps(json_object_get(answer, "cursor"), JSON_ENCODE_ANY);
        json_decref(answer);
        assert_true(++pages < 2 * ALL);
    } while (strcmp(cursor, "null") != 0);
    if (at != count)
        fail_msg("%s order %s%s: %zu rows, expected %zu", text, descends ? "-" : "", field, at, count);
    free(cursor);
    free(text);
    return count;
}

/* ---- conditions ---- */

/* What a field is compared with: a value it has somewhere, now and then null. */
static json_t *value_of(const char *field)
{
    json_t *value = json_object_get(json_array_get(records, random_below(ALL)), field);

    for (int tries = 0; json_is_null(value) && tries < 400; tries++)
        value = json_object_get(json_array_get(records, random_below(ALL)), field);
    return json_incref(value);
}

/* A pattern that matches the value: some of it replaced by % or _, the rest escaped where it must be. */
static json_t *pattern_of(const char *field)
{
    json_t *value = value_of(field);
    const char *text = json_string_value(value) == NULL ? "x" : json_string_value(value);
    char pattern[512];
    size_t used = 0;

    if (random_below(2) == 0)
        pattern[used++] = '%';
    for (; *text != '\0' && used < sizeof pattern - 4; text++) {
        if ((*text & 0x80) == 0 && random_below(6) == 0) {
            pattern[used++] = random_below(2) == 0 ? '%' : '_';
            continue;
        }
        if (*text == '%' || *text == '_' || *text == '\\')
            pattern[used++] = '\\';
        pattern[used++] = *text;
    }
    pattern[used] = '\0';
    json_decref(value);
    return json_string(pattern);
}

static json_t *condition_new(const struct record_field *field, const char *operator)
{
    json_t *value;

    if (strcmp(operator, "in") == 0) {
        value = json_array();
        for (unsigned i = 0; i <= random_below(4); i++) {
            json_t *one = value_of(field->name);

            if (json_is_null(one)) {
                json_decref(one);
                one = json_string(field->type == FIELD_DATETIME ? "2023-11-14T22:13:50.000+0000" : reads_id(3, 1));
                if (field->type == FIELD_INT) {
                    json_decref(one);
                    one = json_integer(3);
                }
            }
            json_array_append_new(value, one);
        }
    } else {
        value = strcmp(operator, "like") == 0 ? pattern_of(field->name) : value_of(field->name);
        if (json_is_null(value) && operator[0] != '=' && operator[0] != '!') {
            json_decref(value);
            return NULL;
        }
    }
    return json_pack("[s,s,o]", field->name, operator, value);
}

static bool is_allowed(const struct record_field *field, const char *operator)
{
    if (!(field->properties & FIELD_F))
        return false;
    if (strcmp(operator, "like") == 0)
        return field->type == FIELD_STRING || field->type == FIELD_PICKLIST;
    return field->type != FIELD_BOOLEAN || strcmp(operator, "=") == 0 || strcmp(operator, "!=") == 0;
}

static const char *const operators[] = { "=", "!=", "<", "<=", ">", ">=", "in", "like" };

static void every_field_with_every_operator(void **state)
{
    static const int limits[] = { 200, 43 };
    int rows = 0;

    (void)state;
    for (int f = 0; f < FIELD_COUNT; f++) {
        const struct record_field *field = &record_fields[f];

        for (size_t o = 0; o < TEST_COUNT(operators); o++) {
            for (int round = 0; is_allowed(field, operators[o]) && round < 2; round++) {
                json_t *condition = condition_new(field, operators[o]);
                json_t *where = json_array();

                if (condition != NULL)
                    json_array_append_new(where, condition);
                rows += (int)check(where, "SubmittedAt", round > 0, limits[round]);
                json_decref(where);
            }
        }
        if (field->properties & FIELD_N) {
            for (int equal = 0; equal < 2; equal++) {
                json_t *where = json_pack("[[s,s,n]]", field->name, equal ? "=" : "!=");

                check(where, "SubmittedAt", true, 200);
                json_decref(where);
            }
        }
    }
    assert_true(rows > 5000);
}

static void every_order_both_ways(void **state)
{
    json_t *all = json_array();

    (void)state;
    for (int f = 0; f < FIELD_COUNT; f++) {
        const struct record_field *field = &record_fields[f];

        if (!(field->properties & FIELD_S))
            continue;
        for (int descends = 0; descends < 2; descends++) {
            assert_int_equal(check(all, field->name, descends, descends ? 200 : 61), ALL);
        }
    }
    json_decref(all);
}

static void conditions_and_orders_together(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        const struct record_field *order = &record_fields[random_below(FIELD_COUNT)];
        json_t *where = json_array();

        while (!(order->properties & FIELD_S))
            order = &record_fields[random_below(FIELD_COUNT)];
        for (unsigned c = 0; c <= random_below(CONDITIONS); c++) {
            const struct record_field *field = &record_fields[random_below(FIELD_COUNT)];
            const char *operator= operators[random_below(TEST_COUNT(operators))];
            json_t *condition = is_allowed(field, operator) ? condition_new(field, operator) : NULL;

            if (condition != NULL)
                json_array_append_new(where, condition);
        }
        check(where, order->name, random_below(2), (int)random_below(200) + 1);
        json_decref(where);
    }
}

/* Of each status, by its own index where it has one. */
static void each_status_in_some_orders(void **state)
{
    static const char *const orders[] = { "SubmittedAt", "SystemModstamp", "Name", "RetryCount", "FinishedAt", "Id" };
    int rows = 0;

    (void)state;
    for (int s = 0; s < OP_STATUS_COUNT; s++) {
        json_t *where = json_pack("[[s,s,s]]", "Status", "=", record_statuses[s].name);

        for (size_t o = 0; o < TEST_COUNT(orders); o++) {
            size_t count = check(where, orders[o], o % 2, 31);

            if (count == 0)
                fail_msg("no record is %s", record_statuses[s].name);
            rows += (int)count;
        }
        json_decref(where);
    }
    assert_int_equal(rows, ALL * (int)TEST_COUNT(orders));
}

/* What changed last, when the log of changes has lost its beginning: the rest is found all the same. */
static void the_last_changes_behind_a_cut_log(void **state)
{
    json_t *all = json_array();

    (void)state;
    shard_command(shard, "XTRIM bgop:{3}:changes MAXLEN 100");
    shard_command(shard, "XRANGE bgop:{3}:changes - + COUNT 1");
    shard_command(shard, "HSET bgop:{3}:gate changes_from %.13s", shard->answer);
    shard_command(shard, "HINCRBY bgop:{3}:gate changes_from 1");
    for (int descends = 0; descends < 2; descends++) {
        check(all, "SystemModstamp", descends, 57);
        check(all, "LastModifiedDate", descends, 200);
    }
    json_decref(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_with_every_operator),   cmocka_unit_test(every_order_both_ways),
        cmocka_unit_test(conditions_and_orders_together),    cmocka_unit_test(each_status_in_some_orders),
        cmocka_unit_test(the_last_changes_behind_a_cut_log),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
