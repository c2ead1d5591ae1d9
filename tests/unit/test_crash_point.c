/* Crash points: known by their names, and the process ends at the n-th pass as by SIGKILL, after one line in its log. Both
 * daemons refuse a name that is none. */
#include "common/base/crash_point.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/log.h"
#include "tests/support/program.h"
#include "tests/support/test.h"

static void points_are_known_by_name(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    setenv("BGOP_CRASH", "claim-after:3", 1);
    assert_int_equal(crash_points_start(&err), ST_OK);
    assert_int_equal(crash_point_armed, CRASH_CLAIM_AFTER);
    crash_point_armed = -1;
    unsetenv("BGOP_CRASH");
    assert_int_equal(crash_points_start(&err), ST_OK);
    assert_int_equal(crash_point_armed, -1);
}

static void the_process_ends_at_the_nth_pass(void **state)
{
    char log[512] = "";
    int status, ends[2];
    pid_t child;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        struct err err = ERR_INIT;

        dup2(ends[1], STDERR_FILENO);
        setenv("BGOP_CRASH", "spawn-after:3", 1);
        log_start("test", LOG_LEVEL_INFO, false);
        if (crash_points_start(&err) != ST_OK)
            _exit(1);
        for (int pass = 1; pass <= 4; pass++) {
            crash_point(CRASH_SPAWN_BEFORE); /* another */
            log_event(LOG_LEVEL_INFO, "passing", "pass=%d", pass);
            crash_point(CRASH_SPAWN_AFTER);
        }
        _exit(2);
    }
    close(ends[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(read(ends[0], log, sizeof log - 1) > 0);
    close(ends[0]);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
    assert_non_null(strstr(log, "pass=3"));
    assert_null(strstr(log, "pass=4"));
    assert_non_null(strstr(log, "crash point"));
    assert_non_null(strstr(log, "name=spawn-after"));
}

/* What is not NAME:N, or no point, ends both daemons before they do anything: in the exit code of wrong configuration. */
static void both_daemons_refuse_what_is_no_point(void **state)
{
    static const char *const daemons[] = { "bgop-coordinator", "bgop-worker" };
    static const struct {
        const char *text, *says;
    } wrong[] = {
        { "nowhere:3", "names no crash point: \"nowhere:3\"" },
        { "ingest:1", "names no crash point" },
        { "ingest-after", "must be <name>:<n>" },
        { "ingest-after:0", "must be <name>:<n>" },
        { "ingest-after:x", "must be <name>:<n>" },
        { "ingest-after:1:2", "must be <name>:<n>" },
        { ":1", "names no crash point" },
    };

    (void)state;
    for (size_t d = 0; d < TEST_COUNT(daemons); d++) {
        for (size_t i = 0; i < TEST_COUNT(wrong); i++) {
            char *output;

            setenv("BGOP_CRASH", wrong[i].text, 1);
            assert_int_equal(
                program_run((const char *const[]){ daemons[d], NULL }, NULL, PROGRAM_BOTH_OUTPUTS, &output), 78);
            if (!strstr(output, wrong[i].says))
                fail_msg("%s says of %s: %s", daemons[d], wrong[i].text, output);
            free(output);
        }
    }
    unsetenv("BGOP_CRASH");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_are_known_by_name),
        cmocka_unit_test(the_process_ends_at_the_nth_pass),
        cmocka_unit_test(both_daemons_refuse_what_is_no_point),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
