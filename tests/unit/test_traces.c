/* Spans of attempts: their ids, what a handler gets, their JSON, the file of headers, and an exporter nobody listens to.
 * functions/traces.py has a receiver that does. */
#include "handler_fixture.h"

#include <jansson.h>

#include "common/record/traceparent.h"
#include "tests/support/port.h"
#include "tests/support/test.h"
#include "worker/execution/attempt_trace.h"
#include "worker/traces/exporter.h"
#include "worker/traces/header_file.h"
#include "worker/traces/span.h"

#define TRACE_ID "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT   "00f067aa0ba902b7"
#define SAMPLED  "00-" TRACE_ID "-" PARENT "-01"

static const struct span_source source = {
    .service_name = "bgop-worker",
    .instance = "host-7-abc",
    .worker_uri = "http://127.0.0.1:9",
    .host = "host",
    .prefix = "bgop",
};

static struct fixture *open_traced(int merge_max)
{
    struct fixture *fixture = fixture_open("noop", (struct type_config){ .merge_max = merge_max });

    fixture->type.traced = true;
    return fixture;
}

static struct execution *conclude(struct fixture *fixture, struct claimed *ops, size_t count, enum entry_kind kind,
                                  const char *text)
{
    struct execution *execution = fixture_execution(fixture, ops, count);

    execution_settle(execution, kind, text, strlen(text));
    execution_conclude(execution, execution->started_boot_ms + 250);
    return execution;
}

static void drop(struct execution *execution)
{
    execution_let_go(execution);
    execution_free(execution);
}

/* ---- ids ---- */

static void span_ids_tell_attempts_apart(void **state)
{
    uint64_t seen[200];

    (void)state;
    for (uint64_t i = 0; i < 200; i++) {
        seen[i] = attempt_span_id(i < 100 ? "08P000000000000001" : "08P000000000000002", (1u << 20) + i % 100);
        assert_int_not_equal(seen[i], 0);
        for (uint64_t j = 0; j < i; j++)
            assert_int_not_equal(seen[i], seen[j]);
    }
}

static void handlers_get_the_span_of_their_attempt(void **state)
{
    static const struct {
        const char *given;
        bool traced, is_new;
    } cases[] = {
        { SAMPLED, true, true },
        { "00-" TRACE_ID "-" PARENT "-03", true, true },
        { "cc-" TRACE_ID "-" PARENT "-01-later", true, true },
        { SAMPLED, false, false }, /* no exporter: nobody would ever see such a span */
        { "00-" TRACE_ID "-" PARENT "-00", true, false },
        { "00-" TRACE_ID "-" PARENT "-fe", true, false },
        { "", true, false },
        { "00-aa-bb-01", true, false },
    };
    struct fixture *fixture = open_traced(1);

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        struct claimed op = fixture_op((int)i, "", 0);
        char text[TRACEPARENT_SIZE], wanted[TRACEPARENT_SIZE];
        struct execution *execution;

        op.traceparent = cases[i].given;
        execution = conclude(fixture, &op, 1, ENTRY_OK, "");
        fixture->type.traced = cases[i].traced;
        snprintf(wanted, sizeof wanted, "00-" TRACE_ID "-%016llx-01",
                 (unsigned long long)attempt_span_id(op.id, op.token));
        assert_string_equal(attempt_traceparent(text, execution, execution->members),
                            cases[i].is_new ? wanted : cases[i].given);
        assert_int_equal(attempt_is_traced(execution, execution->members), cases[i].is_new);
        fixture->type.traced = true;
        drop(execution);
    }
    fixture_close(fixture);
}

/* ---- JSON ---- */

static const json_t *at(const json_t *value, const char *key)
{
    const json_t *member = json_is_array(value) ? json_array_get(value, 0) : json_object_get(value, key);

    if (!member)
        fail_msg("no %s in %s", key, json_dumps(value, JSON_ENCODE_ANY));
    return json_is_array(value) && key[0] ? at(member, key) : member;
}

static const char *attribute(const json_t *of, const char *key)
{
    const json_t *entry, *value;
    size_t i;

    json_array_foreach(at(of, "attributes"), i, entry)
    {
        value = json_object_get(entry, "value");
        if (strcmp(json_string_value(json_object_get(entry, "key")), key) == 0) {
            const json_t *text = json_object_get(value, "stringValue");

            return json_string_value(text ? text : json_object_get(value, "intValue"));
        }
    }
    return NULL;
}

static void assert_attribute(const json_t *of, const char *key, const char *expected)
{
    const char *value = attribute(of, key);

    if (!value != !expected || (expected && strcmp(value, expected) != 0))
        fail_msg("%s is %s, not %s", key, value ? value : "absent", expected ? expected : "absent");
}

static json_t *request_of(struct execution *execution)
{
    struct span *first = NULL, **end = &first;
    struct buf text;
    json_error_t trouble;
    json_t *request;

    for (int i = 0; i < execution->member_count; i++, end = &(*end)->next)
        *end = span_new(execution, &execution->members[i]);
    drop(execution); /* the spans are copies */
    buf_init(&text, SPAN_BATCH_MAX_BYTES);
    spans_write(&text, first, &source);
    request = json_loadb(text.data, text.size, 0, &trouble);
    if (!request)
        fail_msg("%s in %s", trouble.text, text.data);
    buf_release(&text);
    for (struct span *next; first; first = next) {
        next = first->next;
        free(first);
    }
    return request;
}

static void a_failed_attempt_is_a_span_with_its_error(void **state)
{
    struct fixture *fixture = open_traced(1);
    struct claimed op = fixture_op(1, "secret payload", 14);
    const json_t *resource, *span;
    char wanted[32];
    json_t *request;

    (void)state;
    op.traceparent = SAMPLED;
    op.parent_key = "acct \"42\"\n";
    request = request_of(conclude(fixture, &op, 1, ENTRY_TIMED_OUT, "timed out \xc3\xa9"));
    resource = at(at(request, "resourceSpans"), "resource");
    assert_attribute(resource, "service.name", "bgop-worker");
    assert_attribute(resource, "service.instance.id", "host-7-abc");
    span = at(at(at(at(request, "resourceSpans"), "scopeSpans"), "spans"), "");
    assert_string_equal(json_string_value(at(span, "traceId")), TRACE_ID);
    assert_string_equal(json_string_value(at(span, "parentSpanId")), PARENT);
    snprintf(wanted, sizeof wanted, "%016llx", (unsigned long long)attempt_span_id(op.id, op.token));
    assert_string_equal(json_string_value(at(span, "spanId")), wanted);
    assert_string_equal(json_string_value(at(span, "name")), "process WebCart");
    assert_int_equal(json_integer_value(at(span, "kind")), 5);
    assert_string_equal(json_string_value(at(span, "startTimeUnixNano")), "1700000000000000000");
    assert_string_equal(json_string_value(at(span, "endTimeUnixNano")), "1700000000250000000");
    assert_int_equal(json_integer_value(at(at(span, "status"), "code")), 2);
    assert_string_equal(json_string_value(at(at(span, "status"), "message")), "timed out \xc3\xa9");
    assert_attribute(span, "messaging.system", "bgop");
    assert_attribute(span, "messaging.destination.name", "bgop.WebCart");
    assert_attribute(span, "messaging.message.id", op.id);
    assert_attribute(span, "messaging.batch.message_count", NULL);
    assert_attribute(span, "bgop.parent_key", "acct \"42\"\n");
    assert_attribute(span, "bgop.attempt", "3");
    assert_attribute(span, "bgop.outcome", "timed_out");
    assert_attribute(span, "error.type", "timed_out");
    json_decref(request);
    fixture_close(fixture);
}

static void members_of_a_group_have_a_span_each(void **state)
{
    struct fixture *fixture = open_traced(10);
    struct claimed ops[2] = { fixture_op(1, "", 0), fixture_op(2, "", 0) };
    const json_t *spans;
    json_t *request;

    (void)state;
    ops[0].traceparent = ops[1].traceparent = SAMPLED;
    request = request_of(conclude(fixture, ops, 2, ENTRY_OK, ""));
    spans = at(at(at(request, "resourceSpans"), "scopeSpans"), "spans");
    assert_int_equal(json_array_size(spans), 2);
    for (size_t i = 0; i < 2; i++) {
        const json_t *span = json_array_get(spans, i);

        assert_attribute(span, "bgop.id", ops[i].id);
        assert_attribute(span, "messaging.batch.message_count", "2");
        assert_attribute(span, "bgop.execution_group", "08P000000000000001-3");
        assert_attribute(span, "error.type", NULL);
        assert_int_equal(json_object_size(at(span, "status")), 0);
    }
    json_decref(request);
    fixture_close(fixture);
}

/* ---- the file of headers ---- */

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void the_file_of_headers_is_read_or_refused(void **state)
{
    static const struct {
        const char *text, *trouble; /* NULL: taken, with one header */
    } cases[] = {
        { "# who we are\n\n  Authorization: Bearer hunter2 \r\n", NULL },
        { "hunter2", "line 1: it is not Name: value" },
        { "A: b\n: hunter2\n", "line 2: it is not Name: value" },
        { "content-type: text/plain", "line 1: that header is set by the worker itself" },
        { "A: hunter2\x01", "line 1: it holds a control character" },
    };
    char path[] = "/tmp/bgop-headers-XXXXXX";
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        struct curl_slist *headers = NULL;
        struct err err = ERR_INIT;

        write_file(path, cases[i].text);
        if (!cases[i].trouble) {
            assert_int_equal(header_file_read(path, &headers, &err), ST_OK);
            assert_string_equal(headers->data, "Authorization: Bearer hunter2");
            assert_null(headers->next);
        } else {
            assert_int_equal(header_file_read(path, &headers, &err), ST_INVALID);
            assert_non_null(strstr(err.text, cases[i].trouble));
            assert_non_null(strstr(err.text, path));
            assert_null(strstr(err.text, "hunter2"));
        }
        curl_slist_free_all(headers);
    }
    unlink(path);
}

static void no_file_of_headers_is_an_error_that_names_it(void **state)
{
    const struct exporter_parts parts = { .url = "http://127.0.0.1:1/", .headers_file = "/nonexistent/headers" };
    struct exporter *exporter = NULL;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(exporter_start(&exporter, &parts, &err), ST_INVALID);
    assert_string_equal(err.text, "[traces] headers_file: /nonexistent/headers: No such file or directory");
}

/* ---- nobody there ---- */

static void what_nobody_takes_is_bounded_and_counted(void **state)
{
    enum { MANY = EXPORTER_MOST_SPANS + 700 };
    char url[64];
    struct exporter_parts parts = { .headers_file = "",
                                    .service_name = "x",
                                    .prefix = "bgop",
                                    .instance = "i",
                                    .worker_uri = "u",
                                    .host = "h",
                                    .url = url };
    struct fixture *fixture = open_traced(1);
    struct exporter *exporter = NULL;
    struct err err = ERR_INIT;
    int64_t began, cost_us = 0;

    (void)state;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/v1/traces", port_take());
    assert_int_equal(exporter_start(&exporter, &parts, &err), ST_OK);
    for (int i = 0; i < MANY; i++) {
        struct claimed op = fixture_op(i, "", 0);
        struct execution *execution;

        op.traceparent = SAMPLED;
        execution = conclude(fixture, &op, 1, ENTRY_OK, "");
        began = clock_boot_us();
        exporter_add(exporter, &execution, 1);
        cost_us += clock_boot_us() - began;
        drop(execution);
    }
    assert_true(exporter_dropped(exporter) > 0); /* a batch of the thread's besides those that wait */
    assert_true(exporter_dropped(exporter) >= MANY - EXPORTER_MOST_SPANS - SPAN_BATCH_MAX);
    assert_int_equal(exporter_exported(exporter), 0);
    assert_true(cost_us < 5000000); /* of 8,892: whoever waited for a connection would wait far longer */
    began = clock_boot_ms();
    exporter_stop(exporter, 2000);
    assert_true(clock_boot_ms() - began < 10000);
    fixture_close(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(span_ids_tell_attempts_apart),
        cmocka_unit_test(handlers_get_the_span_of_their_attempt),
        cmocka_unit_test(a_failed_attempt_is_a_span_with_its_error),
        cmocka_unit_test(members_of_a_group_have_a_span_each),
        cmocka_unit_test(the_file_of_headers_is_read_or_refused),
        cmocka_unit_test(no_file_of_headers_is_an_error_that_names_it),
        cmocka_unit_test(what_nobody_takes_is_bounded_and_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
