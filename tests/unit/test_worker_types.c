/* Which Types a worker serves, and what is refused at start; slots; gates. */
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/config/options.h"
#include "worker/daemon/descriptors_needed.h"
#include "worker/lease/gate_cache.h"
#include "worker/claim/slots.h"
#include "worker/handlers/types.h"

static void set(struct config *config, const char *section, const char *name, const char *value)
{
    struct err err = ERR_INIT;

    if (config_set(config, section, name, value, &err) != ST_OK)
        fail_msg("%s", err.text);
}

static void types_with_a_handler_are_served(void **state)
{
    struct config config;
    struct types types;
    struct err err = ERR_INIT;

    (void)state;
    config_init(&config);
    set(&config, "type WebCart", "handler", "noop");
    set(&config, "type ExternalObject", "handler", "exec");
    set(&config, "type ExternalObject", "command", "cat");
    set(&config, "type ExternalObject", "concurrency", "3");
    assert_int_equal(types_choose(&types, &config, &err), ST_OK);
    assert_string_equal(types.names, "ExternalObject WebCart");
    assert_true(types.all[0].group); /* merge_max 100 */
    assert_int_equal(types.all[0].concurrency, 3);
    assert_false(types.all[1].group);
    assert_int_equal(types.all[1].concurrency, 512);
    assert_int_equal(types_find_topic(&types, "bgop.WebCart"), 1);
    assert_int_equal(types_find_topic(&types, "bgop.status"), -1);
    types_release(&types);
    set(&config, "worker", "types", "WebCart, WebCart");
    assert_int_equal(types_choose(&types, &config, &err), ST_OK);
    assert_string_equal(types.names, "WebCart");
    types_release(&types);
    config_release(&config);
}

static void a_handler_for_all_types_leaves_out_those_that_nobody_can_serve(void **state)
{
    struct config config;
    struct types types;
    struct err err = ERR_INIT;

    (void)state;
    config_init(&config);
    set(&config, "types", "handler", "noop");
    assert_int_equal(types_choose(&types, &config, &err), ST_OK);
    assert_int_equal(types.count, config.type_count - 1);
    assert_null(strstr(types.names, "ExternalConnectivityPoller"));
    types_release(&types);
    config_release(&config);
}

static void what_cannot_be_served_is_named(void **state)
{
    static const struct {
        const char *types, *handler, *option, *value, *part1, *part2;
    } cases[] = {
        { "NoSuch", "noop", NULL, NULL, "NoSuch", "no such Type" },
        { "XClean", "", NULL, NULL, "XClean has no handler", "[type XClean]" },
        { "ExternalConnectivityPoller", "", NULL, NULL, "ExternalConnectivityPoller", "reserved" },
        { "", "", NULL, NULL, "no Type has a handler", "noop, exec, http" },
        { "XClean", "exec", NULL, NULL, "[type XClean]", "needs command" },
        { "XClean", "exec", "command", "sh 'x", "[type XClean]", "never closed" },
        { "XClean", "http", NULL, NULL, "[type XClean]", "needs url" },
        { "XClean", "http", "url", "ftp://x", "[type XClean]", "ftp://x" },
    };

    (void)state;
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        struct config config;
        struct types types;
        struct err err = ERR_INIT;

        config_init(&config);
        set(&config, "worker", "types", cases[i].types);
        set(&config, "type XClean", "handler", cases[i].handler);
        if (cases[i].option)
            set(&config, "type XClean", cases[i].option, cases[i].value);
        assert_int_equal(types_choose(&types, &config, &err), ST_INVALID);
        if (!strstr(err.text, cases[i].part1) || !strstr(err.text, cases[i].part2))
            fail_msg("case %zu: %s", i, err.text);
        config_release(&config);
    }
}

static void slots_are_bounded_per_type_and_in_all(void **state)
{
    struct served_type small = { .concurrency = 2 }, large = { .concurrency = 100 };
    struct slots slots;

    (void)state;
    slots_init(&slots, 10);
    assert_int_equal(slots_left(&slots, &small), 2);
    assert_int_equal(slots_left(&slots, &large), 10);
    slots_reserve(&slots, &large, 9);
    assert_int_equal(slots_left(&slots, &small), 1);
    slots_unreserve(&slots, &large, 9);
    slots_run(&slots, &large, 4); /* fewer were granted */
    slots_run(&slots, &small, 2);
    assert_int_equal(slots_left(&slots, &large), 4);
    assert_int_equal(slots_left(&slots, &small), 0);
    slots_free(&slots, &small, 1);
    assert_int_equal(slots_left(&slots, &small), 1);
    slots_wait(&slots, 60000); /* one was freed since: answers at once */
    slots_release(&slots);
}

static void gates_adopt_only_rising_generations_of_this_server(void **state)
{
    struct gate_cache gates;
    int64_t generation;

    (void)state;
    gate_cache_init(&gates, 2);
    assert_false(gate_cache_ready(&gates, 0, &generation));
    gate_cache_update(&gates, 0, &(struct gate){ 5, GATE_OPEN, false });
    assert_false(gate_cache_ready(&gates, 0, &generation)); /* armed for another server */
    gate_cache_update(&gates, 0, &(struct gate){ 5, GATE_OPEN, true });
    assert_true(gate_cache_ready(&gates, 0, &generation));
    assert_int_equal(generation, 5);
    assert_int_equal(gate_cache_ready_count(&gates), 1);
    gate_cache_close(&gates, 0);
    gate_cache_update(&gates, 0, &(struct gate){ 4, GATE_OPEN, true });
    assert_false(gate_cache_ready(&gates, 0, &generation)); /* an old primary */
    gate_cache_update(&gates, 0, &(struct gate){ 6, GATE_OPEN, true });
    assert_false(gate_cache_ready(&gates, 0, &generation)); /* first what runs is reasserted */
    gates.shards[0].reasserted = true;
    gate_cache_update(&gates, 0, &(struct gate){ 6, GATE_RECOVERING, true });
    assert_false(gate_cache_ready(&gates, 0, &generation));
    gate_cache_update(&gates, 0, &(struct gate){ 6, GATE_OPEN, true });
    assert_true(gate_cache_ready(&gates, 0, &generation));
    assert_int_equal(generation, 6);
    gate_cache_release(&gates);
}

static int64_t after(int64_t ms)
{
    int64_t until = clock_boot_ms() + ms;

    while (clock_boot_ms() < until)
        usleep(1000);
    return until;
}

static void slots_that_are_freed_gather_while_more_waits(void **state)
{
    static const struct type_config config = { .name = "WebCart" };
    struct served_type type = { .config = &config, .concurrency = 8 };
    struct slots slots;

    (void)state;
    slots_init(&slots, 100);
    slots_run(&slots, &type, 8);
    slots_free(&slots, &type, 1);
    assert_true(slots_gather(&slots, &type, 50, 1000));
    assert_false(slots_gather(&slots, &type, 1, 1000)); /* nothing more waits */
    assert_true(slots_gather(&slots, &type, 50, 1000 + SLOTS_GATHER_MS - 1));
    assert_false(slots_gather(&slots, &type, 50, 1000 + SLOTS_GATHER_MS));
    slots_reserve(&slots, &type, 1);
    slots_unreserve(&slots, &type, 1);
    slots_free(&slots, &type, 1);
    assert_true(slots_gather(&slots, &type, 50, 2000)); /* from the first one on, again */
    slots_free(&slots, &type, 2);
    assert_false(slots_gather(&slots, &type, 50, 2000)); /* half of all are enough */
    slots_reserve(&slots, &type, 4);
    slots_run(&slots, &type, 4);
    slots_unreserve(&slots, &type, 4);
    assert_false(slots_gather(&slots, &type, 50, 3000)); /* there is none to wait with */
    type.concurrency = 1;
    slots_free(&slots, &type, 8);
    assert_false(slots_gather(&slots, &type, 50, 4000)); /* nor another to wait for */
    slots_release(&slots);
}

/* 8 slots, of which 3 work: a claim of more is tried by and by, and later each time that it fails. */
static void a_shortage_leaves_the_slots_that_work_and_tries_more_by_and_by(void **state)
{
    struct type_config config = { .name = (char *)"WebCart" };
    struct served_type type = { .config = &config, .concurrency = 8 };
    struct slots slots;

    (void)state;
    slots_init(&slots, 100);
    slots_run(&slots, &type, 8);
    for (int i = 0; i < 5; i++) {
        slots_short(&slots, &type, "no descriptors");
        slots_free(&slots, &type, 1);
    }
    assert_int_equal(slots_left(&slots, &type), 0); /* 3 run, none more */
    slots_free(&slots, &type, 1);
    assert_int_equal(slots_left(&slots, &type), 1); /* one that works is free again */
    slots_run(&slots, &type, 1);
    after(SHORTAGE_PAUSE_LEAST_MS);
    assert_int_equal(slots_left(&slots, &type), 2); /* a try: 5 */
    slots_run(&slots, &type, 2);
    slots_short(&slots, &type, "no descriptors");
    slots_free(&slots, &type, 1);
    slots_short(&slots, &type, "no descriptors");
    slots_free(&slots, &type, 1);
    assert_int_equal(type.shortage.slots, 3);
    assert_int_equal(type.shortage.pause_ms, 2 * SHORTAGE_PAUSE_LEAST_MS); /* once for one try */
    slots_release(&slots);
}

static void a_shortage_ends_when_all_slots_work_again(void **state)
{
    struct type_config config = { .name = (char *)"WebCart" };
    struct served_type type = { .config = &config, .concurrency = 2 };
    struct slots slots;

    (void)state;
    slots_init(&slots, 100);
    slots_run(&slots, &type, 1);
    slots_short(&slots, &type, "no processes");
    slots_free(&slots, &type, 1);
    assert_int_equal(slots_left(&slots, &type), 0); /* not one of them works */
    after(SHORTAGE_PAUSE_LEAST_MS);
    assert_int_equal(slots_left(&slots, &type), 1);
    after(SHORTAGE_PAUSE_LEAST_MS);
    assert_int_equal(slots_left(&slots, &type), 2);
    after(SHORTAGE_PAUSE_LEAST_MS);
    assert_int_equal(slots_left(&slots, &type), 2);
    assert_true(type.shortage.on); /* nothing has run since */
    slots_worked(&slots, &type, clock_boot_ms());
    assert_int_equal(slots_left(&slots, &type), 2);
    assert_false(type.shortage.on);
    slots_release(&slots);
}

static void descriptors_are_counted_for_the_dearest_mixture(void **state)
{
    struct config config;
    struct types types;
    struct err err = ERR_INIT;

    (void)state;
    config_init(&config);
    set(&config, "type WebCart", "handler", "exec");
    set(&config, "type WebCart", "command", "cat");
    set(&config, "type WebCart", "concurrency", "100");
    set(&config, "type XClean", "handler", "http");
    set(&config, "type XClean", "url", "http://127.0.0.1/");
    set(&config, "type XClean", "concurrency", "50");
    set(&config, "type ExternalObject", "handler", "noop");
    assert_int_equal(types_choose(&types, &config, &err), ST_OK);
    assert_int_equal(descriptors_of_executions(&types, 1000), 100 * 4 + 50 * 3);
    assert_int_equal(descriptors_of_executions(&types, 120), 100 * 4 + 20 * 3);
    assert_int_equal(descriptors_of_executions(&types, 60), 60 * 4);
    types_release(&types);
    set(&config, "type WebCart", "concurrency", "100000");
    set(&config, "worker", "concurrency", "100000");
    assert_int_equal(types_choose(&types, &config, &err), ST_OK);
    if (descriptors_check(&types, 100000, &err) != ST_OK) { /* a host may allow as many */
        assert_non_null(strstr(err.text, "400064 file descriptors are needed, the hard limit of this process is "));
        assert_non_null(strstr(err.text, "[type WebCart] concurrency = 100000 (exec, 4 each)"));
    }
    types_release(&types);
    config_release(&config);
}

/* What the configuration offers is what there is: a kind that nobody has built is in no choice, help or sample. */
static void each_handler_that_can_be_configured_exists(void **state)
{
    char choices[256], listed[256] = "", *rest = NULL;

    (void)state;
    assert_true(snprintf(choices, sizeof choices, "%s", option_find("types", "handler")->choices) <
                (int)sizeof choices);
    for (char *name = strtok_r(choices, " ", &rest); name; name = strtok_r(NULL, " ", &rest)) {
        if (strcmp(name, "-") == 0)
            continue;
        assert_non_null(handler_find(name));
        snprintf(listed + strlen(listed), sizeof listed - strlen(listed), "%s%s", listed[0] ? ", " : "", name);
    }
    assert_string_equal(listed, handler_names());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_with_a_handler_are_served),
        cmocka_unit_test(a_handler_for_all_types_leaves_out_those_that_nobody_can_serve),
        cmocka_unit_test(what_cannot_be_served_is_named),
        cmocka_unit_test(each_handler_that_can_be_configured_exists),
        cmocka_unit_test(slots_are_bounded_per_type_and_in_all),
        cmocka_unit_test(slots_that_are_freed_gather_while_more_waits),
        cmocka_unit_test(a_shortage_leaves_the_slots_that_work_and_tries_more_by_and_by),
        cmocka_unit_test(a_shortage_ends_when_all_slots_work_again),
        cmocka_unit_test(descriptors_are_counted_for_the_dearest_mixture),
        cmocka_unit_test(gates_adopt_only_rising_generations_of_this_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
