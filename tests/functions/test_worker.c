/* The worker as a whole, against the real functions in a real redis-server and the mock broker; coordinator played by
 * worker_queue.h. One queue and one worker serve most tests; the payload of an exec operation is its shell script. */
#include "tests/functions/worker_queue.h"

#include <sys/resource.h>
#include <sys/stat.h>

static struct queue queue;
static char id[ID_SIZE];

static int begin(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    queue_init(&queue);
    queue_set(&queue, "type WebCart", "handler", "noop");
    queue_set(&queue, "type XClean", "handler", "exec");
    queue_set(&queue, "type XClean", "command", "sh");
    queue_set(&queue, "type XClean", "retry_limit", "0");
    queue_set(&queue, "type Sweeper", "handler", "exec");
    queue_set(&queue, "type Sweeper", "command", "sh");
    queue_set(&queue, "type Sweeper", "concurrency", "2");
    queue_set(&queue, "type ExternalObject", "handler", "exec");
    queue_set(&queue, "type ExternalObject", "command",
              "sed -E 's/.*\"Id\":\"([^\"]*)\".*/{\"Id\":\"\\1\",\"Outcome\":\"ok\",\"Result\":\"merged\"}/'");
    queue_set(&queue, "worker", "drain_timeout_ms", "2000");
    queue_set(&queue, "redis", "timeout_ms", "1000");
    queue_begin(&queue);
    queue_start_worker(&queue);
    return 0;
}

static int end(void **state)
{
    (void)state;
    if (queue.worker)
        assert_int_equal(queue_stop_worker(&queue), ST_OK);
    queue_release(&queue);
    return 0;
}

static void hinted_operations_are_claimed_run_and_reported(void **state)
{
    int before = queue_count(&queue, "WebCart", "Complete");

    (void)state;
    for (int i = 0; i < 40; i++)
        queue_submit(&queue, "WebCart", i % QUEUE_SHARDS, 50, "payload", -1, id);
    queue_wait_for(queue_count(&queue, "WebCart", "Complete") - before == 2000);
    assert_string_equal(queue_field(&queue, id, "WorkerUri"), worker_uri(queue.worker));
    assert_int_equal(queue_count(&queue, "WebCart", "Running"), 0);
    assert_in_range(atomic_load(&queue.batches), 1, 400); /* many outcomes in a message */
}

static void exec_operation_ends_with_its_result(void **state)
{
    (void)state;
    queue_submit(&queue, "XClean", 1, 1, "echo result of $BGOP_TYPE", -1, id);
    queue_wait_for(queue_status_is(&queue, id, "Complete"));
    assert_string_equal(queue_redis(&queue, "GET bgop:{1}:out:%s", id), "result of XClean\n");
}

static void failed_operation_ends_with_its_error(void **state)
{
    (void)state;
    queue_submit(&queue, "XClean", 2, 1, "echo it hurts >&2; exit 1", -1, id);
    queue_wait_for(queue_status_is(&queue, id, "Error"));
    assert_string_equal(queue_field(&queue, id, "Error"), "it hurts");
}

static void failed_operation_is_retried_at_once(void **state)
{
    (void)state;
    queue_submit(&queue, "Sweeper", 0, 1, "test $BGOP_ATTEMPT -gt 1", -1, id);
    queue_wait_for(queue_status_is(&queue, id, "Complete"));
    assert_string_equal(queue_field(&queue, id, "RetryCount"), "1");
}

static void timeout_is_enforced(void **state)
{
    (void)state;
    queue_submit(&queue, "XClean", 3, 1, "sleep 60", 300, id);
    queue_wait_for(queue_status_is(&queue, id, "Error"));
    assert_string_equal(queue_field(&queue, id, "Error"), "timed out after 300 ms");
}

static void merging_types_speak_the_group_protocol(void **state)
{
    (void)state;
    queue_submit(&queue, "ExternalObject", 1, 1, "x", -1, id);
    queue_wait_for(queue_status_is(&queue, id, "Complete"));
    assert_string_equal(queue_redis(&queue, "GET bgop:{1}:out:%s", id), "merged");
}

static void status_page_shows_what_runs(void **state)
{
    char running[64];

    (void)state;
    queue_submit(&queue, "XClean", 1, 1, "sleep 1", -1, id);
    snprintf(running, sizeof running, "{\"Id\":\"%s\",\"Type\":\"XClean\",\"Attempt\":1", id);
    queue_wait_for(queue_page_shows(&queue, "/json", running));
    assert_true(queue_page_shows(&queue, "/json", worker_instance(queue.worker)));
    assert_true(queue_page_shows(&queue, "/", id));
    assert_true(queue_page_shows(&queue, "/other", "GET /, GET /json"));
    assert_true(queue_page_shows(&queue, "/", "Content-Security-Policy: default-src 'none';"));
    assert_true(queue_page_shows(&queue, "/json", "X-Content-Type-Options: nosniff"));
    queue_wait_for(queue_status_is(&queue, id, "Complete"));
    assert_false(queue_page_shows(&queue, "/json", id));
}

static void metrics_tell_of_queue_worker_and_process(void **state)
{
    (void)state;
    queue_submit(&queue, "XClean", 1, 1, "exit 65", -1, id);
    queue_wait_for(queue_status_is(&queue, id, "Error"));
    queue_wait_for(queue_page_shows(&queue, "/metrics", "bgop_worker_outcomes_total{kind=\"permanent\"} 1"));
    queue_wait_for(queue_page_shows(&queue, "/metrics", "bgop_operations{type=\"XClean\",status=\"Error\"}"));
    assert_true(queue_page_shows(&queue, "/metrics", "Content-Type: text/plain; version=0.0.4"));
    assert_true(queue_page_shows(&queue, "/metrics", "\nbgop_redis_up 1\n"));
    assert_true(queue_page_shows(&queue, "/metrics", "\nbgop_worker_ready 1\n"));
    assert_true(queue_page_shows(&queue, "/metrics", "\nbgop_worker_concurrency{type=\"Sweeper\"} 2\n"));
    assert_true(queue_page_shows(&queue, "/metrics", "\nbgop_mode{mode=\"OPEN\"} 1\n"));
    assert_true(queue_page_shows(&queue, "/metrics", "\nbgop_build_info{program=\"bgop-worker\","));
    assert_false(queue_page_shows(&queue, "/metrics", "bgop_redis_round_trip_seconds_count 0\n"));
}

static void readiness_says_what_is_missing(void **state)
{
    (void)state;
    queue_wait_for(queue_page_shows(&queue, "/readyz", "\r\n\r\nready\n"));
    assert_true(queue_page_shows(&queue, "/readyz", "HTTP/1.1 200"));
    queue_redis(&queue, "HSET bgop:{1}:gate mode RECOVERING");
    queue_wait_for(queue_page_shows(&queue, "/readyz", "3 of 4 shards are open"));
    assert_true(queue_page_shows(&queue, "/readyz", "HTTP/1.1 503"));
    assert_true(queue_page_shows(&queue, "/metrics", "\nbgop_worker_ready 0\n"));
    assert_true(queue_page_shows(&queue, "/healthz", "HTTP/1.1 200"));
    assert_true(queue_page_shows(&queue, "/healthz", "\r\n\r\nalive\n"));
    queue_redis(&queue, "HSET bgop:{1}:gate mode OPEN");
    queue_wait_for(queue_page_shows(&queue, "/readyz", "\r\n\r\nready\n"));
}

static int count_of(const char *text, const char *part)
{
    int count = 0;

    while ((text = strstr(text, part))) {
        count++;
        text += strlen(part);
    }
    return count;
}

static void concurrency_of_a_type_is_kept(void **state)
{
    int before = queue_count(&queue, "Sweeper", "Complete"), most = 0;

    (void)state;
    queue_submit(&queue, "Sweeper", 0, 6, "sleep 0.2", -1, id);
    queue_submit(&queue, "Sweeper", 1, 6, "sleep 0.2", -1, id);
    while (queue_count(&queue, "Sweeper", "Complete") - before < 12) {
        char *shown = queue_page(&queue, "/json");
        int running = count_of(strstr(shown, "\"running\""), "\"Sweeper\"");

        most = running > most ? running : most;
        free(shown);
    }
    assert_int_equal(most, 2);
}

/* The hint never comes: pulled once it was released for more than 50 ms. */
/* Room for two processes at a time, of eight slots: nothing fails (RetryLimit is 0), and few come in vain. */
static void worker_that_is_short_of_descriptors_fails_nobody(void **state)
{
    struct rlimit before, tight;
    int done = queue_count(&queue, "XClean", "Complete"), entries = atomic_load(&queue.entries), next = dup(0);

    (void)state;
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    tight = before;
    tight.rlim_cur = (rlim_t)next + 4 + 8;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    for (int i = 0; i < 60; i++)
        queue_submit(&queue, "XClean", i % QUEUE_SHARDS, 1, "sleep 0.01", -1, id);
    queue_wait_for(queue_count(&queue, "XClean", "Complete") - done == 60);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_string_equal(queue_redis(&queue, "EXISTS bgop:{%d}:tries:%s", 59 % QUEUE_SHARDS, id), "0");
    assert_in_range(atomic_load(&queue.entries) - entries, 61, 60 + 100); /* some were given back */
    for (int i = 0; i < 8; i++)
        queue_submit(&queue, "XClean", i % QUEUE_SHARDS, 1, "true", -1, id);
    queue_wait_for(queue_count(&queue, "XClean", "Complete") - done == 68);
}

static void operations_without_a_hint_are_pulled(void **state)
{
    (void)state;
    queue.hint = false;
    queue_submit(&queue, "WebCart", 2, 300, "x", -1, id);
    queue.hint = true;
    queue_wait_for(queue_count(&queue, "WebCart", "New") == 0);
    queue_wait_for(queue_status_is(&queue, id, "Complete"));
}

static void running_operation_is_canceled(void **state)
{
    int64_t began = clock_boot_ms();

    (void)state;
    queue_submit(&queue, "XClean", 1, 1, "sleep 60", -1, id);
    queue_wait_for(queue_status_is(&queue, id, "Running"));
    queue_cancel(&queue, id);
    queue_wait_for(queue_status_is(&queue, id, "Canceled"));
    assert_in_range(clock_boot_ms() - began, 0, 20000);
}

static void lease_that_another_took_stops_the_handler(void **state)
{
    const char *status;

    (void)state;
    queue_submit(&queue, "XClean", 1, 1, "sleep 60", -1, id);
    queue_wait_for(queue_status_is(&queue, id, "Running"));
    queue_redis(&queue, "HSET bgop:{1}:leases %s 9999999999999999_1_other", id);
    queue_wait_for(!queue_page_shows(&queue, "/json", id));
    status = queue_field(&queue, id, "Status"); /* asked once: it may change from one to the other */
    assert_true(strcmp(status, "Waiting") == 0 || strcmp(status, "Running") == 0);
    queue_redis(&queue, "HSET bgop:{1}:cancels %s enough", id); /* or it would run again for a minute */
    queue_wait_for(!queue_status_is(&queue, id, "Waiting"));
}

/* A recovery while an operation runs: the worker adopts the generation, reasserts, goes on; no second run. */
static void running_operation_survives_a_new_generation(void **state)
{
    (void)state;
    queue_submit(&queue, "XClean", 1, 1, "sleep 1.5; echo attempt $BGOP_ATTEMPT", -1, id);
    queue_wait_for(queue_status_is(&queue, id, "Running"));
    queue_arm(&queue, false);
    usleep(300000); /* recovering: claims are refused meanwhile */
    queue_open(&queue);
    queue_wait_for(queue_status_is(&queue, id, "Complete"));
    assert_string_equal(queue_redis(&queue, "GET bgop:{1}:out:%s", id), "attempt 1\n");
    queue_submit(&queue, "WebCart", 1, 1, "x", -1, id);
    queue_wait_for(queue_status_is(&queue, id, "Complete"));
}

static void redis_restart_is_survived(void **state)
{
    char during[ID_SIZE];

    (void)state;
    queue_submit(&queue, "XClean", 1, 1, "sleep 2; echo attempt $BGOP_ATTEMPT", -1, id);
    queue_wait_for(queue_status_is(&queue, id, "Running"));
    redis_server_kill(&queue.server);
    usleep(500000);
    queue_redis_again(&queue);
    queue_submit(&queue, "WebCart", 1, 10, "x", -1, during);
    queue_wait_for(queue_status_is(&queue, during, "Complete"));
    queue_wait_for(queue_status_is(&queue, id, "Complete"));
    assert_string_equal(queue_redis(&queue, "GET bgop:{1}:out:%s", id), "attempt 1\n");
}

/* Its last moments are gone, as a busy disk loses them: what was recorded and applied there is not, new work is. */
static void redis_that_went_backwards_is_followed(void **state)
{
    int64_t written;

    (void)state;
    queue_submit(&queue, "WebCart", 3, 1, "x", -1, id);
    queue_wait_for(queue_status_is(&queue, id, "Complete"));
    written = redis_server_written(&queue.server);
    queue_submit(&queue, "WebCart", 3, 1, "x", -1, id);
    queue_wait_for(queue_status_is(&queue, id, "Complete"));
    redis_server_kill(&queue.server);
    redis_server_backwards(&queue.server, written);
    queue_redis_again(&queue);
    assert_string_equal(queue_field(&queue, id, "Status"), "");
    queue_submit(&queue, "WebCart", 3, 1, "x", -1, id);
    queue_wait_for(queue_status_is(&queue, id, "Complete"));
}

/* An apply whose answer nobody read moved the fence all the same. */
static void a_fence_that_moved_unseen_is_followed(void **state)
{
    int64_t applied;

    (void)state;
    queue_submit(&queue, "WebCart", 3, 1, "x", -1, id);
    queue_wait_for(queue_status_is(&queue, id, "Complete"));
    applied = queue.applied[3];
    queue.applied[3]--;
    queue_submit(&queue, "WebCart", 3, 1, "x", -1, id);
    queue_wait_for(queue_status_is(&queue, id, "Complete"));
    queue_wait_for(queue.applied[3] > applied);
}

/* Claims and renewals meanwhile are no verdicts: what runs goes on, what waits is claimed afterwards. */
static void functions_that_are_gone_for_a_while_cost_nothing(void **state)
{
    char other[ID_SIZE];

    (void)state;
    queue_submit(&queue, "XClean", 1, 1, "sleep 1; echo attempt $BGOP_ATTEMPT", -1, id);
    queue_submit(&queue, "WebCart", 2, 1, "x", -1, other);
    queue_wait_for(queue_status_is(&queue, id, "Running"));
    queue_redis(&queue, "FUNCTION FLUSH");
    usleep(QUEUE_LEASE_MS / 6 * 1000); /* a renewal falls into it */
    queue_load(&queue);
    queue_wait_for(queue_status_is(&queue, other, "Complete"));
    queue_wait_for(queue_status_is(&queue, id, "Complete"));
    assert_string_equal(queue_redis(&queue, "GET bgop:{1}:out:%s", id), "attempt 1\n");
}

/* The server stands still when the claim arrives, for longer than the worker waits: it grants when it goes on, and
 * nobody reads that. The call is repeated under its nonce and answered the same. */
static void lost_replies_cost_no_operation_and_no_second_run(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        int before = queue_count(&queue, "WebCart", "Complete");

        queue.freeze = true;
        queue_submit(&queue, "WebCart", round, 20, "x", -1, id);
        usleep(1300000);
        kill(queue.server.pid, SIGCONT);
        queue_wait_for(queue_count(&queue, "WebCart", "Complete") - before == 20);
        assert_int_equal(queue_count(&queue, "WebCart", "Running"), 0);
        assert_int_equal(strtoull(queue_field(&queue, id, "token"), NULL, 10) % (1 << 20), 1);
    }
}

/* The status log refuses everything for longer than a lease (each refusal is asked again after 100 ms). Only renewal
 * keeps the lease. (kafka_mock_set_down will not do: somebody else may take the port meanwhile.) */
static void kafka_outage_keeps_outcomes_and_leases(void **state)
{
    enum { NOT_ENOUGH_REPLICAS = 19, MANY = 10000 };
    int64_t began = clock_boot_ms();

    (void)state;
    queue_submit(&queue, "XClean", 1, 1, "sleep 0.5; echo once $BGOP_ATTEMPT", -1, id);
    queue_wait_for(queue_status_is(&queue, id, "Running"));
    kafka_mock_fail_produce(queue.mock, NOT_ENOUGH_REPLICAS, MANY);
    queue_wait_for(clock_boot_ms() - began > QUEUE_LEASE_MS + 500);
    assert_true(queue_status_is(&queue, id, "Running"));
    kafka_mock_serve_produce(queue.mock);
    queue_wait_for(queue_status_is(&queue, id, "Complete"));
    assert_string_equal(queue_redis(&queue, "GET bgop:{1}:out:%s", id), "once 1\n");
}

static int64_t written_at_ms(const char *path)
{
    struct stat about;

    return stat(path, &about) == 0 && about.st_size > 0 ? about.st_mtim.tv_sec * 1000 + about.st_mtim.tv_nsec / 1000000
                                                        : 0;
}

static void without_redis_handlers_end_before_their_lease(void **state)
{
    char path[] = "/tmp/bgop-test-XXXXXX", script[256];
    int64_t away;

    (void)state;
    close(mkstemp(path));
    snprintf(script, sizeof script, "while :; do echo alive >> %s; sleep 0.05; done", path);
    queue_submit(&queue, "XClean", 1, 1, script, -1, id);
    queue_wait_for(written_at_ms(path) > 0);
    redis_server_kill(&queue.server);
    away = clock_wall_ms();
    usleep((QUEUE_LEASE_MS + 1000) * 1000);
    assert_in_range(written_at_ms(path) - away, 0, QUEUE_LEASE_MS);
    queue_redis_again(&queue);
    queue_cancel(&queue, id); /* given back, and not to be run again */
    queue_wait_for(queue_status_is(&queue, id, "Canceled"));
    unlink(path);
}

static void drain_gives_back_what_does_not_end_in_time(void **state)
{
    char quick[ID_SIZE], path[] = "/tmp/bgop-test-XXXXXX", script[256];

    (void)state;
    queue_submit(&queue, "XClean", 1, 1, "sleep 60", -1, id);
    queue_wait_for(queue_status_is(&queue, id, "Running"));
    close(mkstemp(path));
    snprintf(script, sizeof script, "echo alive >> %s; sleep 0.1", path);
    queue_submit(&queue, "XClean", 2, 1, script, -1, quick);
    queue_wait_for(written_at_ms(path) > 0); /* it runs: what is granted and has not begun is given back */
    assert_int_equal(queue_stop_worker(&queue), ST_OK);
    queue_wait_for(queue_status_is(&queue, id, "Waiting"));
    queue_wait_for(queue_status_is(&queue, quick, "Complete"));
    assert_string_equal(queue_field(&queue, id, "RetryCount"), "");
    assert_true(strtol(queue_redis(&queue, "ZSCORE bgop:{1}:pending:XClean %s", id), NULL, 10) > 0);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hinted_operations_are_claimed_run_and_reported),
        cmocka_unit_test(exec_operation_ends_with_its_result),
        cmocka_unit_test(failed_operation_ends_with_its_error),
        cmocka_unit_test(failed_operation_is_retried_at_once),
        cmocka_unit_test(timeout_is_enforced),
        cmocka_unit_test(merging_types_speak_the_group_protocol),
        cmocka_unit_test(status_page_shows_what_runs),
        cmocka_unit_test(metrics_tell_of_queue_worker_and_process),
        cmocka_unit_test(readiness_says_what_is_missing),
        cmocka_unit_test(concurrency_of_a_type_is_kept),
        cmocka_unit_test(worker_that_is_short_of_descriptors_fails_nobody),
        cmocka_unit_test(operations_without_a_hint_are_pulled),
        cmocka_unit_test(running_operation_is_canceled),
        cmocka_unit_test(lease_that_another_took_stops_the_handler),
        cmocka_unit_test(running_operation_survives_a_new_generation),
        cmocka_unit_test(redis_restart_is_survived),
        cmocka_unit_test(redis_that_went_backwards_is_followed),
        cmocka_unit_test(a_fence_that_moved_unseen_is_followed),
        cmocka_unit_test(functions_that_are_gone_for_a_while_cost_nothing),
        cmocka_unit_test(lost_replies_cost_no_operation_and_no_second_run),
        cmocka_unit_test(kafka_outage_keeps_outcomes_and_leases),
        cmocka_unit_test(without_redis_handlers_end_before_their_lease),
        cmocka_unit_test(drain_gives_back_what_does_not_end_in_time),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
