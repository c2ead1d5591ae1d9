/* The pure parts of the handlers: command splitting, the last line, outcomes. */
#include "handler_fixture.h"

#include "common/base/text.h"
#include "worker/handlers/exec_command.h"
#include "worker/handlers/last_line.h"

static void commands_split_by_the_documented_rules(void **state)
{
    static const struct {
        const char *command, *joined;
    } cases[] = {
        { "a b  c", "a|b|c|" },
        { "  a\tb ", "a|b|" },
        { "'a b' c", "a b|c|" },
        { "\"a 'b' \\\" \\\\ \\n\"", "a 'b' \" \\ \\n|" },
        { "a\\ b \\'c", "a b|'c|" },
        { "'' x", "|x|" },
        { "pre'fix'\"ed\"", "prefixed|" },
        { "$HOME *.c ; #", "$HOME|*.c|;|#|" },
        { "end\\", "end\\|" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char joined[200] = "";
        char **argv = NULL;

        assert_int_equal(exec_command_split(cases[i].command, &argv, NULL), ST_OK);
        for (char **word = argv; *word; word++) {
            strncat(joined, *word, sizeof joined - strlen(joined) - 1);
            strncat(joined, "|", sizeof joined - strlen(joined) - 1);
        }
        assert_string_equal(joined, cases[i].joined);
        exec_command_free(argv);
    }
}

static void last_line_is_the_last_that_is_not_blank(void **state)
{
    static const struct {
        const char *text, *last;
    } cases[] = {
        { "", "" },
        { "one", "one" },
        { "one\ntwo\n", "two" },
        { "one\n\n  \n", "one" },
        { "one\r\ntwo", "two" },
        { "  indented", "indented" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct last_line last = { 0 };
        size_t size;
        const char *text;

        for (const char *c = cases[i].text; *c; c++)
            last_line_feed(&last, c, 1);
        text = last_line_text(&last, &size);
        assert_int_equal(size, strlen(cases[i].last));
        assert_memory_equal(text, cases[i].last, size);
    }
}

static void error_text_is_one_clean_line_of_at_most_255_characters(void **state)
{
    struct outcome outcome = OUTCOME_INIT;
    char text[600];

    (void)state;
    outcome_set(&outcome, ENTRY_ERROR, "a\tb\xff\xc3\xa9\n", 7);
    assert_string_equal(outcome.text, "a b?\xc3\xa9");
    for (size_t i = 0; i < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    outcome_set(&outcome, ENTRY_ERROR, text, sizeof text);
    assert_int_equal(strlen(outcome.text), 510);
    outcome_set(&outcome, ENTRY_OK, NULL, 0);
    assert_null(outcome.text);
    outcome_release(&outcome);
}

static void long_results_are_cut_between_characters_and_marked(void **state)
{
    struct outcome outcome = OUTCOME_INIT;
    char *data = xmalloc(RESULT_MAX_BYTES + 2);
    const char *mark = "\n[cut: 40000 bytes]";

    (void)state;
    for (size_t i = 0; i + 1 < RESULT_MAX_BYTES + 2; i += 2)
        memcpy(data + i, "\xc3\xa9", 2);
    outcome_set_result(&outcome, data, RESULT_MAX_BYTES, RESULT_MAX_BYTES);
    assert_int_equal(outcome.result_size, RESULT_MAX_BYTES); /* fits: as it is */
    outcome_set_result(&outcome, data, RESULT_MAX_BYTES, 40000);
    assert_in_range(outcome.result_size, RESULT_MAX_BYTES - 2, RESULT_MAX_BYTES);
    assert_string_equal(outcome.result + outcome.result_size - strlen(mark), mark);
    assert_true(text_utf8_length(outcome.result, outcome.result_size) > 0);
    outcome_set_result(&outcome, "", 0, 0);
    assert_null(outcome.result);
    outcome_release(&outcome);
    free(data);
}

static void noop_completes_a_whole_claim_at_once(void **state)
{
    struct fixture *fixture = fixture_open("noop", (struct type_config){ 0 });

    (void)state;
    assert_outcome(fixture_run(fixture, fixture_op(1, "", 0)), ENTRY_OK, "");
    fixture_close(fixture);
}

static void followers_go_to_their_leader(void **state)
{
    struct claim_answer answer = { .now_ms = 1, .lease_ms = 30000, .count = 4 };
    struct served_type type = { 0 };
    struct claimed ops[4] = { fixture_op(5, "", 0), fixture_op(1, "", 0), fixture_op(9, "", 0), fixture_op(2, "", 0) };
    struct claim_batch *batch;

    (void)state;
    memcpy(ops[1].leader_id, ops[2].id, ID_SIZE);
    memcpy(ops[3].leader_id, ops[2].id, ID_SIZE);
    ops[3].sequence_group = "g";
    ops[3].sequence_number = 1;
    ops[2].timeout_ms = 5000;
    answer.ops = xmemdup(ops, sizeof ops);
    batch = claim_batch_new(&answer, &type, 0, 100);
    assert_int_equal(batch->count, 2);
    assert_int_equal(batch->executions[0].member_count, 1);
    assert_int_equal(batch->executions[1].member_count, 3);
    assert_string_equal(execution_leader(&batch->executions[1])->id, ops[2].id);
    assert_string_equal(batch->executions[1].members[2].id, ops[3].id);
    assert_int_equal(batch->executions[1].deadline_boot_ms, 5100);
    assert_int_equal(batch->executions[1].lease_end_boot_ms, 30100);
    for (int i = 0; i < 2; i++)
        execution_finished(&batch->executions[i], 200);
    execution_free(&batch->executions[1]);
    execution_free(&batch->executions[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_split_by_the_documented_rules),
        cmocka_unit_test(last_line_is_the_last_that_is_not_blank),
        cmocka_unit_test(error_text_is_one_clean_line_of_at_most_255_characters),
        cmocka_unit_test(long_results_are_cut_between_characters_and_marked),
        cmocka_unit_test(noop_completes_a_whole_claim_at_once),
        cmocka_unit_test(followers_go_to_their_leader),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
