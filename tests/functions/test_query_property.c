/* Random queries over a random queue: what is planned, asked and joined must answer what a look at every single record
 * answers. */
#include "tests/functions/query_queue.h"

#include "common/query/match.h"
#include "common/query/period.h"
#include "tests/simulation/random.h"

enum { OF_SHARD = 60 };

static struct redis_server server;
static struct query_queue *queue;
static struct random chance; /* test_query_property SEED ROUNDS: another seed is another queue */
static int rounds = 250;
static json_t *records; /* every record, with its leader, read by bgop_retrieve */

/* ---- the queue ---- */

static const char *one_of(const char *const *texts, int count)
{
    return texts[random_below(&chance, count)];
}

static void submit_random(int shard_number, int number)
{
    static const char *const types[] = { "WebCart", "WebCart", "Declared" };
    static const char *const parents[] = { "\"\"", "\"\"", "acct-1", "ACCT-1", "a_b%c", "42", "\xc3\xa4-K" };
    static const char *const numbers[] = { "\"\"", "0", "1", "5", "999999999" };
    char text[256], name[32] = "\"\"";

    if (random_chance(&chance, 7000))
        snprintf(name, sizeof name, "%s-%d", random_chance(&chance, 5000) ? "Job" : "job", shard_number * 100 + number);
    snprintf(text, sizeof text, "%s %s %s %s %s %s %s %s", one_of(types, 3), one_of(parents, 7), name,
             random_chance(&chance, 1500) ? "1700000900000" : "\"\"", one_of(numbers, 5), one_of(numbers, 5),
             one_of(numbers, 5), random_chance(&chance, 3000) ? "g 7" : "\"\" \"\"");
    reads_submit(&queue->shard, shard_number, number, 1, text);
}

/* A status by chance; only those that its present one allows. */
static void move(int number)
{
    static const char *const errors[] = { "it's 100% broken", "No such host", "no such HOST", "\xc3\xa4-k" };
    struct shard *shard = &queue->shard;
    bool grouped = shard_number(shard, "HEXISTS bgop:{3}:op:%s SequenceGroup", reads_id(3, number)) == 1;
    int way = random_below(&chance, 8);

    if (strcmp(shard_command(shard, "HGET bgop:{3}:op:%s Status", reads_id(3, number)), "New") != 0 || way < 2)
        return;
    if (way == 2) {
        reads_apply(shard, "cancel", number, 0, "x");
    } else if (way == 3 && !grouped && number > 1) {
        query_queue_merge(shard, number, random_between(&chance, 1, number - 1));
    } else if (!grouped) {
        reads_claim(shard, number);
        if (way == 4)
            reads_apply(shard, "error", number, 1, one_of(errors, 4));
        else if (way == 5)
            reads_apply(shard, "permanent", number, 1, one_of(errors, 4));
        else if (way == 6)
            reads_apply(shard, "ok", number, 1, "");
    }
}

static void fill(void)
{
    int64_t ms = 30000;

    for (int n = 1; n <= OF_SHARD; n++) {
        for (int s = 0; s < READS_SHARDS; s++) {
            ms += random_below(&chance, 400);
            shard_clock(&queue->shard, ms);
            submit_random(s, n);
        }
        move(n);
    }
    shard_clock(&queue->shard, ms + 10);
    queue->options.now_ms =
        SHARD_T0 + 30000 + (ms - 30000) / 2; /* some were submitted behind the moment of the query */
}

static void read_records(void)
{
    json_t *by_id = json_object(), *record;
    size_t i;

    records = json_array();
    for (int s = 0; s < READS_SHARDS; s++) {
        for (int n = 1; n <= OF_SHARD; n++) {
            json_t *answer = reads_json(&queue->shard, "bgop_retrieve 0 * %s", reads_id(s, n));

            record = json_array_get(answer, 0);
            assert_true(json_is_object(record));
            json_array_append(records, record);
            json_object_set(by_id, reads_id(s, n), record);
            json_decref(answer);
        }
    }
    json_array_foreach(records, i, record)
    {
        const char *leader = json_string_value(json_object_get(record, "GroupLeaderId"));
        json_t *copy = leader ? json_copy(json_object_get(by_id, leader)) : json_null();

        json_object_set_new(record, "GroupLeader", copy);
    }
    json_decref(by_id);
}

/* ---- random conditions ---- */

static void write_text_literal(struct buf *buf, const char *text, bool pattern)
{
    buf_append_char(buf, '\'');
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\' || (pattern && (*text == '%' || *text == '_')))
            buf_append_char(buf, '\\');
        if (pattern && (unsigned char)*text < 0x80 && random_chance(&chance, 1000))
            buf_append_char(buf, '%');
        else if (random_chance(&chance, 2000) && *text >= 'a' && *text <= 'z')
            buf_append_char(buf, (char)(*text - 'a' + 'A'));
        else
            buf_append_char(buf, *text);
    }
    buf_append_string(buf, pattern && random_chance(&chance, 5000) ? "%'" : "'");
}

/* A period that some of the times of records are in, and some are not. */
static void write_period(struct buf *buf)
{
    const struct date_literal *literal = &date_literals[random_below(&chance, (int)date_literal_count)];
    bool number = date_literal_takes_number(literal);

    if (random_chance(&chance, 1000))
        buf_append_string(buf, "2023-11-14");
    else if (random_chance(&chance, 3000))
        buf_printf(buf, "%s:%d", random_chance(&chance, 5000) ? "LAST_N_MINUTES" : "N_MINUTES_AGO",
                   random_between(&chance, 1, 2));
    else
        buf_printf(buf, number ? "%s:%d" : "%s", literal->name, random_between(&chance, 1, 9));
}

/* What some record has in this field: so that conditions are met now and then. */
static void write_literal(struct buf *buf, struct query_field field, bool pattern, bool null_too)
{
    const json_t *record = json_array_get(records, (size_t)random_below(&chance, (int)json_array_size(records)));
    const json_t *value = row_json(record, field);
    const struct record_field *of = &record_fields[field.index];

    if ((json_is_null(value) || !value || random_chance(&chance, 500)) && null_too)
        buf_append_string(buf, "null");
    else if (of->type == FIELD_BOOLEAN)
        buf_append_string(buf, random_chance(&chance, 5000) ? "true" : "false");
    else if (of->type == FIELD_INT)
        buf_printf(buf, "%lld", json_is_integer(value) ? (long long)json_integer_value(value) : 3);
    else if (of->type == FIELD_DATETIME && random_chance(&chance, 6000))
        write_period(buf);
    else if (of->type == FIELD_DATETIME)
        buf_append_string(buf, json_is_string(value) ? json_string_value(value) : "2023-11-14T22:13:50.000Z");
    else if (of->type == FIELD_ID || of->type == FIELD_REFERENCE)
        buf_printf(buf, "'%.*s'", random_chance(&chance, 5000) ? 15 : 18,
                   json_is_string(value) ? json_string_value(value) : "08P003000000002EAA");
    else
        write_text_literal(buf, json_is_string(value) ? json_string_value(value) : "x", pattern);
}

static void write_random_test(struct buf *buf)
{
    static const char *const operators[] = { "=", "!=", "<", "<=", ">", ">=", "IN", "NOT IN", "LIKE" };
    struct query_field field = { (enum field_index)random_below(&chance, FIELD_COUNT), random_chance(&chance, 1000) };
    enum field_type type = record_fields[field.index].type;
    bool text = type == FIELD_STRING || type == FIELD_PICKLIST;
    int relation = random_below(&chance, type == FIELD_BOOLEAN ? 2 : text ? 9 : 8);

    field_write(buf, field);
    buf_printf(buf, " %s ", operators[relation]);
    if (relation != 6 && relation != 7) {
        write_literal(buf, field, relation == 8, relation != 8);
        return;
    }
    buf_append_char(buf, '(');
    for (int i = random_below(&chance, 4); i >= 0; i--) {
        write_literal(buf, field, false, true);
        buf_append_string(buf, i > 0 ? ", " : ")");
    }
}

static void write_random_condition(struct buf *buf, int depth)
{
    int kind = depth == 0 ? 0 : random_below(&chance, 6);

    if (kind == 1)
        buf_append_string(buf, "NOT ");
    if (kind <= 1) {
        if (kind == 0 || random_chance(&chance, 3000)) {
            write_random_test(buf);
            return;
        }
        buf_append_char(buf, '(');
        write_random_condition(buf, depth - 1);
        buf_append_char(buf, ')');
        return;
    }
    for (int i = random_between(&chance, 1, 2); i >= 0; i--) {
        buf_append_char(buf, '(');
        write_random_condition(buf, depth - 1);
        buf_append_string(buf, i == 0 ? ")" : kind < 5 ? ") AND " : ") OR ");
    }
}

/* ---- both answers ---- */

static bool on_id(void *arg, const json_t *row)
{
    json_t *ids = arg;

    if (json_object_get(ids, json_string_value(json_object_get(row, "Id"))))
        fail_msg("%s was answered twice", json_string_value(json_object_get(row, "Id")));
    json_object_set_new(ids, json_string_value(json_object_get(row, "Id")), json_true());
    return true;
}

static json_t *ids_by_looking(struct query_condition *where)
{
    struct query_memory *memory = query_memory_new();
    const struct query_condition *meant = condition_at(memory, where, queue->options.now_ms);
    json_t *ids = json_object(), *record;
    size_t i;

    json_array_foreach(records, i, record)
    {
        if (condition_matches(meant, record))
            json_object_set_new(ids, json_string_value(json_object_get(record, "Id")), json_true());
    }
    query_memory_free(memory);
    return ids;
}

static struct query *parsed(const char *text)
{
    struct err err = ERR_INIT;
    struct query *query = query_parse(text, strlen(text), &err);

    if (query == NULL)
        fail_msg("%s: %s", text, err.text);
    return query;
}

static size_t rows_agree(const char *text)
{
    struct err err = ERR_INIT;
    struct query *query = parsed(text);
    json_t *expected = ids_by_looking(query->where), *got = json_object();
    size_t count = json_object_size(expected);

    if (query_run(query, queue->redis, &queue->options, on_id, got, NULL, &err) != ST_OK)
        fail_msg("%s: %s", text, err.text);
    if (!json_equal(expected, got))
        fail_msg("%s:\nexpected %s\ngot %s", text, json_dumps(expected, 0), json_dumps(got, 0));
    json_decref(expected);
    json_decref(got);
    query_free(query);
    return count;
}

static void random_conditions_select_what_a_look_at_every_record_selects(void **state)
{
    size_t met = 0, some = 0;
    struct buf buf;

    (void)state;
    buf_init(&buf, 1 << 20);
    for (int i = 0; i < rounds; i++) {
        size_t count;

        buf_clear(&buf);
        buf_append_string(&buf, "SELECT Id FROM BackgroundOperation WHERE ");
        write_random_condition(&buf, random_below(&chance, 4));
        count = rows_agree(buf.data);
        met += count;
        some += count > 0 && count < json_array_size(records);
    }
    assert_true(some > (size_t)rounds / 3 &&
                met > (size_t)rounds); /* the conditions were neither all true nor all false */
    buf_release(&buf);
}

/* COUNT() of the same, which may take another way. */
static void random_counts_agree(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, 1 << 20);
    for (int i = 0; i < rounds / 4; i++) {
        struct err err = ERR_INIT;
        struct query *query;
        json_t *expected;
        int64_t total = -1;

        buf_clear(&buf);
        buf_append_string(&buf, "SELECT COUNT() FROM BackgroundOperation WHERE Status ");
        buf_printf(&buf, "%s (", random_chance(&chance, 5000) ? "IN" : "NOT IN");
        write_literal(&buf, (struct query_field){ FIELD_INDEX_STATUS, false }, false, true);
        buf_append_string(&buf, ") OR ");
        if (random_chance(&chance, 5000))
            buf_append_string(&buf, "Type LIKE 'web%'");
        else
            write_random_condition(&buf, 2);
        query = parsed(buf.data);
        expected = ids_by_looking(query->where);
        if (query_run(query, queue->redis, &queue->options, NULL, NULL, &total, &err) != ST_OK)
            fail_msg("%s: %s", buf.data, err.text);
        if ((size_t)total != json_object_size(expected))
            fail_msg("%s: expected %zu, got %lld", buf.data, json_object_size(expected), (long long)total);
        json_decref(expected);
        query_free(query);
    }
    buf_release(&buf);
}

/* ---- orders ---- */

static bool on_row(void *arg, const json_t *row)
{
    json_array_append_new(arg, json_deep_copy(row));
    return true;
}

static json_t *answered(const char *text)
{
    struct err err = ERR_INIT;
    struct query *query = parsed(text);
    json_t *rows = json_array();

    if (query_run(query, queue->redis, &queue->options, on_row, rows, NULL, &err) != ST_OK)
        fail_msg("%s: %s", text, err.text);
    query_free(query);
    return rows;
}

static void check_order(const char *text, const json_t *rows, struct query_field field, bool descending,
                        bool nulls_first)
{
    for (size_t i = 1; i < json_array_size(rows); i++) {
        struct query_value a = row_value(json_array_get(rows, i - 1), field);
        struct query_value b = row_value(json_array_get(rows, i), field);
        int order = value_compare(&a, &b, record_fields[field.index].type);
        bool wrong = a.kind == QUERY_NULL || b.kind == QUERY_NULL
                         ? (a.kind == QUERY_NULL) != (b.kind == QUERY_NULL) && (a.kind == QUERY_NULL) != nulls_first
                     : descending ? order < 0
                                  : order > 0;

        if (wrong)
            fail_msg("%s: rows %zu and %zu", text, i - 1, i);
    }
}

static size_t count_of_status(const char *status)
{
    json_t *record;
    size_t i, count = 0;

    json_array_foreach(records, i, record) count +=
        strcmp(json_string_value(json_object_get(record, "Status")), status) == 0;
    return count;
}

static void check_page(const char *text, const json_t *all, int limit, int offset)
{
    char page[400];
    json_t *part;

    snprintf(page, sizeof page, "%s LIMIT %d OFFSET %d", text, limit, offset);
    part = answered(page);
    for (size_t r = 0; r < (size_t)limit && r + (size_t)offset < json_array_size(all); r++) {
        if (!json_equal(json_array_get(part, r), json_array_get(all, r + (size_t)offset)))
            fail_msg("%s: row %zu", page, r);
    }
    assert_true(json_array_size(part) <= (size_t)limit);
    json_decref(part);
}

/* LIMIT and OFFSET cut the very same order that is answered without them, whoever makes it. */
static void random_orders_are_orders_and_their_pages_fit_together(void **state)
{
    (void)state;
    for (int i = 0; i < rounds / 6; i++) {
        struct query_field field = { (enum field_index)random_below(&chance, FIELD_COUNT),
                                     random_chance(&chance, 2000) };
        bool descending = random_chance(&chance, 5000), nulls_first = random_chance(&chance, 5000);
        const char *status = record_statuses[random_below(&chance, OP_STATUS_COUNT)].name;
        char path[64], where[64] = "", text[300];
        json_t *all;

        if (random_chance(&chance, 5000))
            snprintf(where, sizeof where, " WHERE Status = '%s'", status);
        snprintf(path, sizeof path, "%s%s", field.of_leader ? "GroupLeader." : "", record_fields[field.index].name);
        snprintf(text, sizeof text, "SELECT %s%s FROM BackgroundOperation%s ORDER BY %s %s NULLS %s%s",
                 strcmp(path, "Id") == 0 ? "" : "Id, ", path, where, path, descending ? "DESC" : "ASC",
                 nulls_first ? "FIRST" : "LAST", random_chance(&chance, 3000) ? ", Type DESC" : "");
        all = answered(text);
        assert_int_equal(json_array_size(all), *where ? count_of_status(status) : json_array_size(records));
        check_order(text, all, field, descending, nulls_first);
        check_page(text, all, random_between(&chance, 1, 40), random_below(&chance, *where ? 20 : 230));
        json_decref(all);
    }
}

/* ---- groups ---- */

static void groups_count_what_their_condition_counts(void **state)
{
    static const enum field_index fields[] = {
        FIELD_INDEX_STATUS,      FIELD_INDEX_TYPE,  FIELD_INDEX_PARENT_KEY,
        FIELD_INDEX_RETRY_LIMIT, FIELD_INDEX_ERROR, FIELD_INDEX_GROUP_LEADER_ID,
    };

    (void)state;
    for (size_t f = 0; f < TEST_COUNT(fields); f++) {
        struct query_field field = { fields[f], false };
        const char *name = record_fields[fields[f]].name;
        char text[200];
        json_t *groups, *group;
        size_t g, total = 0;

        snprintf(text, sizeof text, "SELECT %s, COUNT(Id) n, MAX(Id) last FROM BackgroundOperation GROUP BY %s", name,
                 name);
        if (random_chance(&chance, 5000)) /* the numbers by Type and Status may be enough */
            snprintf(text, sizeof text, "SELECT %s, COUNT(Id) n FROM BackgroundOperation GROUP BY %s", name, name);
        groups = answered(text);
        json_array_foreach(groups, g, group)
        {
            struct query_value value = row_value(group, field);
            struct query_condition is = {
                .node = QUERY_TEST, .field = field, .relation = QUERY_EQUAL, .values = &value, .value_count = 1
            };
            json_t *ids = ids_by_looking(&is);

            assert_int_equal(json_object_size(ids), json_integer_value(json_object_get(group, "n")));
            total += json_object_size(ids);
            json_decref(ids);
        }
        assert_int_equal(total, json_array_size(records));
        json_decref(groups);
    }
}

/* ---- HAVING ---- */

enum { HAVING_TESTS = 4 };
static const char *const having_tests[HAVING_TESTS] = {
    "COUNT(Id) > %d",
    "SUM(RetryCount) >= %d",
    "AVG(RetryLimit) < %d.5",
    "COUNT(ParentKey) IN (0, %d)",
};

/* What each of them says of a group, by the numbers that its row shows. */
static bool having_holds(int test, const json_t *group, int number)
{
    const json_t *sum = json_object_get(group, "s"), *average = json_object_get(group, "a");
    json_int_t keys = json_integer_value(json_object_get(group, "k"));

    switch (test) {
    case 0: return json_integer_value(json_object_get(group, "n")) > number;
    case 1: return json_is_integer(sum) && json_integer_value(sum) >= number;
    case 2: return json_is_real(average) && json_real_value(average) < number + 0.5;
    default: return keys == 0 || keys == number;
    }
}

static json_t *groups_by_looking(const json_t *all, const int tests[2], const int numbers[2], bool both,
                                 bool not_second)
{
    json_t *left = json_array(), *group;
    size_t g;

    json_array_foreach(all, g, group)
    {
        bool first = having_holds(tests[0], group, numbers[0]);
        bool second = having_holds(tests[1], group, numbers[1]) != not_second;

        if (both ? first && second : first || second)
            json_array_append(left, group);
    }
    return left;
}

/* HAVING leaves the groups whose numbers, as they are answered without it, meet it; nulls among what is grouped. */
static void groups_are_left_by_what_their_numbers_say(void **state)
{
    static const char *const fields[] = { "ParentKey", "Error", "RetryLimit", "Type", "GroupLeaderId", "Timeout" };
    int some = 0;

    (void)state;
    for (int i = 0; i < rounds / 4; i++) {
        const char *field = fields[random_below(&chance, TEST_COUNT(fields))];
        int tests[2] = { random_below(&chance, HAVING_TESTS), random_below(&chance, HAVING_TESTS) };
        int most = random_chance(&chance, 5000) ? 60 : 8;
        int numbers[2] = { random_below(&chance, most), random_below(&chance, most) };
        bool both = random_chance(&chance, 5000), not_second = random_chance(&chance, 5000);
        char text[300], having[400], first[40], second[40];
        json_t *all, *expected, *got;

        snprintf(text, sizeof text,
                 "SELECT %s, COUNT(Id) n, SUM(RetryCount) s, AVG(RetryLimit) a, COUNT(ParentKey) k "
                 "FROM BackgroundOperation GROUP BY %s",
                 field, field);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(first, sizeof first, having_tests[tests[0]], numbers[0]);
        snprintf(second, sizeof second, having_tests[tests[1]], numbers[1]);
#pragma GCC diagnostic pop
        snprintf(having, sizeof having, "%s HAVING %s %s %s%s", text, first, both ? "AND" : "OR",
                 not_second ? "NOT " : "", second);
        all = answered(text);
        expected = groups_by_looking(all, tests, numbers, both, not_second);
        got = answered(having);
        if (!json_equal(got, expected))
            fail_msg("%s:\nexpected %s\ngot %s", having, json_dumps(expected, 0), json_dumps(got, 0));
        some += json_array_size(got) > 0 && json_array_size(got) < json_array_size(all);
        json_decref(all);
        json_decref(expected);
        json_decref(got);
    }
    assert_true(some > rounds / 40);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_conditions_select_what_a_look_at_every_record_selects),
        cmocka_unit_test(random_counts_agree),
        cmocka_unit_test(random_orders_are_orders_and_their_pages_fit_together),
        cmocka_unit_test(groups_count_what_their_condition_counts),
        cmocka_unit_test(groups_are_left_by_what_their_numbers_say),
    };
    int failed;

    rounds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : rounds;
    chance.state = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    redis_server_start(&server, false);
    queue = calloc(1, sizeof *queue);
    query_queue_open(queue, &server);
    fill();
    read_records();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    json_decref(records);
    query_queue_close(queue);
    free(queue);
    redis_server_stop(&server);
    return failed;
}
