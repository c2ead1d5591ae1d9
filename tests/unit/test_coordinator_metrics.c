/* What a coordinator shows of itself: its counters, and its lag where it reads and the end is known. */
#include <string.h>

#include "coordinator/loop/loop_metrics.h"
#include "tests/support/test.h"

static struct shared shared;
static struct buf text;

static void write_page(void)
{
    struct metrics metrics;

    buf_clear(&text);
    metrics_begin(&metrics, &text);
    loop_metrics_put(&metrics, &shared);
}

static int setup(void **state)
{
    (void)state;
    memset(&shared, 0, sizeof shared);
    log_ends_init(&shared.ends, 4, 2);
    buf_init(&text, 1 << 16);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    log_ends_release(&shared.ends);
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

static void events_are_those_of_the_stats_line(void **state)
{
    (void)state;
    counter_add(&shared.counters.submissions, 12);
    counter_add(&shared.counters.lost_messages, 3);
    write_page();
    has("bgop_coordinator_events_total{event=\"submissions\"} 12");
    has("bgop_coordinator_events_total{event=\"lost_messages\"} 3");
    has("bgop_coordinator_events_total{event=\"halts\"} 0");
}

static void lag_is_told_where_it_is_known(void **state)
{
    (void)state;
    write_page();
    assert_null(strstr(text.data, "bgop_consumer_lag_messages"));
    log_end_report_read(&shared.ends, LOG_SUBMIT, 0, 70);
    atomic_store(&shared.ends.of[LOG_SUBMIT][0].answer, 100);
    log_end_report_read(&shared.ends, LOG_SUBMIT, 1, 70);  /* read, and nobody has asked yet where it ends */
    log_end_report_read(&shared.ends, LOG_SUBMIT, 2, 130); /* read on since then */
    atomic_store(&shared.ends.of[LOG_SUBMIT][2].answer, 100);
    atomic_store(&shared.ends.of[LOG_SUBMIT][3].answer, 100); /* another's */
    log_end_report_read(&shared.ends, LOG_STATUS, 1, 0);
    atomic_store(&shared.ends.of[LOG_STATUS][1].answer, 5);
    write_page();
    has("bgop_consumer_lag_messages{log=\"submit\",partition=\"0\"} 30");
    has("bgop_consumer_lag_messages{log=\"submit\",partition=\"2\"} 0");
    has("bgop_consumer_lag_messages{log=\"status\",partition=\"1\"} 5");
    assert_null(strstr(text.data, "partition=\"1\"} 30"));
    assert_null(strstr(text.data, "log=\"submit\",partition=\"1\""));
    assert_null(strstr(text.data, "log=\"submit\",partition=\"3\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(events_are_those_of_the_stats_line, setup, teardown),
        cmocka_unit_test_setup_teardown(lag_is_told_where_it_is_known, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
