/* The text format of metrics, the queue's metrics of an answer of bgop_stats, the process' own, and README.md's table
 * (printed by --print, and compared). --sample prints a page with every metric. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/metrics/process_metrics.h"
#include "common/metrics/queue_metrics.h"
#include "common/record/health.h"
#include "tests/support/test.h"

static struct buf text;
static struct metrics metrics;

static int setup(void **state)
{
    (void)state;
    buf_init(&text, 1 << 20);
    metrics_begin(&metrics, &text);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_release(&text);
    return 0;
}

static void has(const char *line)
{
    char wanted[256];

    snprintf(wanted, sizeof wanted, "\n%s\n", line);
    if (!strstr(text.data, wanted))
        fail_msg("no line %s in:\n%s", line, text.data);
}

static void has_not(const char *part)
{
    if (strstr(text.data, part))
        fail_msg("%s is in:\n%s", part, text.data);
}

static double value_of(const char *name)
{
    char wanted[128];
    const char *at;

    snprintf(wanted, sizeof wanted, "\n%s ", name);
    at = strstr(text.data, wanted);
    if (!at)
        fail_msg("no %s in:\n%s", name, text.data);
    return strtod(at + strlen(wanted), NULL);
}

/* ---- the format ---- */

static void a_family_has_its_head_once(void **state)
{
    (void)state;
    metrics_put(&metrics, METRIC_OPERATIONS, 7, "WebCart", "New");
    metrics_put(&metrics, METRIC_OPERATIONS, 12345678901.0, "WebCart", "Complete");
    metrics_put(&metrics, METRIC_OLDEST_WAITING, 0.25, "WebCart", NULL);
    assert_string_equal(text.data,
                        "# HELP bgop_operations Records at hand\n"
                        "# TYPE bgop_operations gauge\n"
                        "bgop_operations{type=\"WebCart\",status=\"New\"} 7\n"
                        "bgop_operations{type=\"WebCart\",status=\"Complete\"} 12345678901\n"
                        "# HELP bgop_oldest_waiting_seconds How long the oldest claimable operation has been "
                        "waiting\n"
                        "# TYPE bgop_oldest_waiting_seconds gauge\n"
                        "bgop_oldest_waiting_seconds{type=\"WebCart\"} 0.25\n");
}

static void labels_are_escaped(void **state)
{
    (void)state;
    metrics_put(&metrics, METRIC_CLAIMABLE, 1, "a\"b\\c\nd", NULL);
    has("bgop_claimable_operations{type=\"a\\\"b\\\\c\\nd\"} 1");
}

static void histograms_are_cumulative(void **state)
{
    static const double bounds[] = { 0.5, 1 };
    static const uint64_t counts[] = { 2, 0, 3 };

    (void)state;
    metrics_put_histogram(&metrics, METRIC_RUN, bounds, counts, 2, 10.5);
    has("bgop_run_seconds_bucket{le=\"0.5\"} 2");
    has("bgop_run_seconds_bucket{le=\"1\"} 2");
    has("bgop_run_seconds_bucket{le=\"+Inf\"} 5");
    has("bgop_run_seconds_sum 10.5");
    has("bgop_run_seconds_count 5");
}

static void kept_times_are_shown_in_seconds(void **state)
{
    static struct histogram kept;

    (void)state;
    histogram_add(&kept, 63);
    histogram_add(&kept, 64);
    histogram_add(&kept, 20000000); /* longer than the last bound */
    histogram_add(&kept, -5);       /* a clock that went backwards */
    metrics_put_kept(&metrics, METRIC_ROUND_TRIP, &kept);
    has("bgop_redis_round_trip_seconds_bucket{le=\"6.4e-05\"} 2");
    has("bgop_redis_round_trip_seconds_bucket{le=\"0.000128\"} 3");
    has("bgop_redis_round_trip_seconds_bucket{le=\"8.388608\"} 3");
    has("bgop_redis_round_trip_seconds_bucket{le=\"+Inf\"} 4");
    has("bgop_redis_round_trip_seconds_sum 20.000127");
}

/* ---- the queue ---- */

static const char stats_text[] =
    "{\"mode\":\"RECOVERING\",\"shards\":4,\"byType\":{\"WebCart\":{\"New\":3,\"Error\":1},\"XClean\":{\"Complete\":9}},"
    "\"oldestWaitingMs\":{\"WebCart\":7500},\"claimable\":{\"WebCart\":2},\"blocked\":5,\"actionsRunning\":2,\"workers\":2,"
    "\"workerList\":[{\"slots\":8},{\"slots\":null},{\"slots\":16}],\"recovering\":[1,3],"
    "\"totals\":{\"accepted\":13,\"finished\":9,\"lost\":4,\"dup_exec\":1,\"actions_Error\":3,\"actions_Aborted\":1,\"waited_pause\":1500,\"waited_worker\":250},"
    "\"waitEver\":{\"buckets\":[1,0,2],\"sumMs\":9},"
    "\"runEver\":{\"buckets\":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,6,5],\"sumMs\":123456},"
    "\"health\":[{\"what\":\"worker gone\",\"where\":\"w1\"},{\"what\":\"worker gone\",\"where\":\"w2\"}]}";

static void an_answer_of_the_queue_becomes_metrics(void **state)
{
    json_t *stats = json_loads(stats_text, 0, NULL);

    (void)state;
    assert_non_null(stats);
    queue_metrics_put_stats(&metrics, stats);
    json_decref(stats);
    has("bgop_mode{mode=\"RECOVERING\"} 1");
    has("bgop_mode{mode=\"OPEN\"} 0");
    has("bgop_shards 4");
    has("bgop_shards_closed 2");
    has("bgop_health{what=\"worker gone\"} 2");
    has("bgop_health{what=\"no coordinator\"} 0");
    has("bgop_operations{type=\"WebCart\",status=\"New\"} 3");
    has("bgop_operations{type=\"XClean\",status=\"Complete\"} 9");
    has("bgop_claimable_operations{type=\"WebCart\"} 2");
    has("bgop_claimable_operations{type=\"XClean\"} 0");
    has("bgop_oldest_waiting_seconds{type=\"WebCart\"} 7.5");
    has("bgop_blocked_groups 5");
    has("bgop_actions_running 2");
    has("bgop_actions_ended_total{state=\"Error\"} 3");
    has("bgop_actions_ended_total{state=\"Aborted\"} 1");
    has("bgop_actions_ended_total{state=\"Complete\"} 0");
    has_not("state=\"Running\"");
    has("bgop_workers 2");
    has("bgop_worker_slots 24");
    has("bgop_waiting_seconds_total{cause=\"pause\"} 1.5");
    has("bgop_waiting_seconds_total{cause=\"worker\"} 0.25");
    has("bgop_waiting_seconds_total{cause=\"retry\"} 0");
    has("bgop_completed_total 9");
    has("bgop_lease_expiries_total 4");
    has("bgop_duplicate_executions_total 1");
    has("bgop_superseded_total 0");
}

/* Bucket i is below 2^i ms; what is beyond the last bound is only in +Inf. */
static void times_have_their_bounds(void **state)
{
    json_t *stats = json_loads(stats_text, 0, NULL);

    (void)state;
    queue_metrics_put_stats(&metrics, stats);
    json_decref(stats);
    has("bgop_wait_seconds_bucket{le=\"0.001\"} 1");
    has("bgop_wait_seconds_bucket{le=\"0.002\"} 1");
    has("bgop_wait_seconds_bucket{le=\"0.004\"} 3");
    has("bgop_wait_seconds_bucket{le=\"+Inf\"} 3");
    has("bgop_wait_seconds_sum 0.009");
    has("bgop_run_seconds_bucket{le=\"2097.152\"} 0");
    has("bgop_run_seconds_bucket{le=\"4194.304\"} 1");
    has("bgop_run_seconds_bucket{le=\"+Inf\"} 12");
    has("bgop_run_seconds_sum 123.456");
}

static void without_redis_its_metrics_are_missing(void **state)
{
    struct err err = ERR_INIT;
    struct queue_metrics *queue = queue_metrics_new("unix:///nowhere/redis.sock", &err);

    (void)state;
    assert_non_null(queue);
    buf_append_char(&text, '\n');
    queue_metrics_put(queue, &metrics);
    has("bgop_redis_up 0");
    has_not("bgop_mode");
    queue_metrics_free(queue);
    assert_null(queue_metrics_new("http://nowhere", &err));
}

/* ---- the process ---- */

static void the_process_shows_what_it_uses(void **state)
{
    double now = (double)clock_wall_ms() / 1000, began;
    double open;

    (void)state;
    process_metrics_put(&metrics, "test");
    assert_true(value_of("process_cpu_seconds_total") > 0);
    assert_in_range((uintmax_t)value_of("process_resident_memory_bytes"), 1 << 16, 1u << 31);
    assert_true(value_of("process_virtual_memory_bytes") > value_of("process_resident_memory_bytes"));
    assert_int_equal(value_of("process_threads"), 1);
    began = value_of("process_start_time_seconds");
    if (began > now + 1 || began < now - 3600)
        fail_msg("started at %.3f, and it is %.3f", began, now);
    open = value_of("process_open_fds");
    assert_true(open >= 3 && open < value_of("process_max_fds"));
    has("bgop_build_info{program=\"test\",version=\"" BGOP_VERSION "\"} 1");
    has("bgop_outage{server=\"redis\"} 0");
    buf_clear(&text);
    metrics_begin(&metrics, &text);
    for (int i = 0; i < 3; i++)
        assert_non_null(tmpfile());
    process_metrics_put(&metrics, "test");
    assert_int_equal(value_of("process_open_fds"), open + 3);
}

/* ---- README.md ---- */

static const char *const sources[] = { "queue", "process", "worker", "coordinator" };
static const char *const kinds[] = { "gauge", "counter", "histogram" };
enum { SOURCE_QUEUE, SOURCE_PROCESS, SOURCE_WORKER, SOURCE_COORDINATOR };

static const struct {
    int source, kind;
    const char *name, *first, *second, *help;
} table[] = {
#define XX(id, source, kind, name, first, second, help) { SOURCE_##source, METRIC_##kind, name, first, second, help },
    METRICS(XX)
#undef XX
};

static void page_write(struct buf *page)
{
    for (int source = 0; source < (int)TEST_COUNT(sources); source++) {
        for (size_t i = 0; i < TEST_COUNT(table); i++) {
            if (table[i].source != source)
                continue;
            buf_printf(page, "| `%s` | %s%s%s | %s | %s | %s |\n", table[i].name, table[i].first,
                       table[i].second[0] ? ", " : "", table[i].second, kinds[table[i].kind], sources[source],
                       table[i].help);
        }
    }
    buf_append_string(page, "\n| cause | waiting for |\n|---|---|\n");
#define XX(cause, text) buf_printf(page, "| `%s` | %s |\n", #cause, text);
    WAIT_CAUSES(XX)
#undef XX
}

/* Every metric once, for promtool (tests/unit/monitoring.py). */
static void sample_write(void)
{
    static const double bounds[] = { 0.001, 0.002 };
    static const uint64_t counts[] = { 1, 2, 3 };

    for (int i = 0; i < METRIC_COUNT; i++) {
        const char *first = table[i].first[0] ? "a \"b\" \\ c" : NULL, *second = table[i].second[0] ? "d" : NULL;

        if (table[i].kind == METRIC_HISTOGRAM)
            metrics_put_histogram(&metrics, (enum metric)i, bounds, counts, TEST_COUNT(bounds), 0.5);
        else
            metrics_put(&metrics, (enum metric)i, i / 4.0, first, second);
    }
}

static void the_page_is_the_table(void **state)
{
    static char page[64 * 1024];
    FILE *file = fopen(BGOP_METRICS_PAGE, "re");

    (void)state;
    assert_non_null(file);
    assert_true(fread(page, 1, sizeof page - 1, file) > 0);
    fclose(file);
    page_write(&text);
    if (!strstr(page, text.data))
        fail_msg("common/metrics/README.md is old; put this in place of its tables:\n%s", text.data);
}

/* Counters end in _total and nothing else does; names have no capitals; each is there once. */
static void names_follow_the_conventions(void **state)
{
    (void)state;
    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        const char *name = table[i].name;
        size_t size = strlen(name);
        bool total = size > 6 && strcmp(name + size - 6, "_total") == 0;

        if (total != (table[i].kind == METRIC_COUNTER) || strspn(name, "abcdefghijklmnopqrstuvwxyz_") != size)
            fail_msg("%s", name);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(table[k].name, name);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_family_has_its_head_once, setup, teardown),
        cmocka_unit_test_setup_teardown(labels_are_escaped, setup, teardown),
        cmocka_unit_test_setup_teardown(histograms_are_cumulative, setup, teardown),
        cmocka_unit_test_setup_teardown(kept_times_are_shown_in_seconds, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_of_the_queue_becomes_metrics, setup, teardown),
        cmocka_unit_test_setup_teardown(times_have_their_bounds, setup, teardown),
        cmocka_unit_test_setup_teardown(without_redis_its_metrics_are_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(the_process_shows_what_it_uses, setup, teardown),
        cmocka_unit_test_setup_teardown(the_page_is_the_table, setup, teardown),
        cmocka_unit_test_setup_teardown(names_follow_the_conventions, setup, teardown),
    };

    if (argc > 1) {
        setup(NULL);
        if (strcmp(argv[1], "--sample") == 0)
            sample_write();
        else
            page_write(&text);
        fputs(text.data, stdout);
        return teardown(NULL);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
