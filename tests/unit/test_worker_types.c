/* Which Types a worker serves, and what is refused at start; slots; gates. */
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#include "worker/shard_gates.h"
#include "worker/slots.h"
#include "worker/types.h"

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
    struct shard_gates gates;
    int64_t generation;

    (void)state;
    shard_gates_init(&gates, 2);
    assert_false(shard_gates_ready(&gates, 0, &generation));
    shard_gates_adopt(&gates, 0, &(struct gate){ 5, GATE_OPEN, false });
    assert_false(shard_gates_ready(&gates, 0, &generation)); /* armed for another server */
    shard_gates_adopt(&gates, 0, &(struct gate){ 5, GATE_OPEN, true });
    assert_true(shard_gates_ready(&gates, 0, &generation));
    assert_int_equal(generation, 5);
    assert_int_equal(shard_gates_ready_count(&gates), 1);
    shard_gates_close(&gates, 0);
    shard_gates_adopt(&gates, 0, &(struct gate){ 4, GATE_OPEN, true });
    assert_false(shard_gates_ready(&gates, 0, &generation)); /* an old primary */
    shard_gates_adopt(&gates, 0, &(struct gate){ 6, GATE_OPEN, true });
    assert_false(shard_gates_ready(&gates, 0, &generation)); /* first what runs is reasserted */
    gates.shards[0].reasserted = true;
    shard_gates_adopt(&gates, 0, &(struct gate){ 6, GATE_RECOVERING, true });
    assert_false(shard_gates_ready(&gates, 0, &generation));
    shard_gates_adopt(&gates, 0, &(struct gate){ 6, GATE_OPEN, true });
    assert_true(shard_gates_ready(&gates, 0, &generation));
    assert_int_equal(generation, 6);
    shard_gates_release(&gates);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_with_a_handler_are_served),
        cmocka_unit_test(what_cannot_be_served_is_named),
        cmocka_unit_test(slots_are_bounded_per_type_and_in_all),
        cmocka_unit_test(gates_adopt_only_rising_generations_of_this_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
