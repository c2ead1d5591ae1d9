/* The pure parts of the handlers: command splitting, the last line, outcomes. */
#include "handler_fixture.h"

#include "common/base/text.h"
#include "common/record/retry.h"
#include "worker/handlers/exec_command.h"
#include "worker/handlers/group.h"
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
        size_t used = 0;

        assert_int_equal(exec_command_split(cases[i].command, &argv, NULL), ST_OK);
        for (char **word = argv; *word; word++)
            used += (size_t)snprintf(joined + used, sizeof joined - used, "%s|", *word);
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
    outcome_set(&outcome, ENTRY_ERROR,
                "\033[1m\r\xc2\x9b"
                "2\x7f\xc2\xa0.",
                12);
    assert_string_equal(outcome.text, " [1m  2 \xc2\xa0.");
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

/* A protocol fault: they become an execution of their own, which claims.c gives back. */
static void followers_without_their_leader_are_kept_apart(void **state)
{
    struct type_config config = { .name = (char *)"WebCart" };
    struct served_type type = { .config = &config };
    struct claim_answer answer = { .now_ms = 1, .lease_ms = 30000, .count = 4 };
    struct claimed ops[4] = { fixture_op(5, "", 0), fixture_op(1, "", 0), fixture_op(9, "", 0), fixture_op(2, "", 0) };
    struct claim_batch *batch;

    (void)state;
    memcpy(ops[1].leader_id, fixture_op(7, "", 0).id, ID_SIZE); /* of nobody in the answer, with 3 */
    memcpy(ops[3].leader_id, fixture_op(7, "", 0).id, ID_SIZE);
    memcpy(ops[2].leader_id, ops[1].id, ID_SIZE); /* of one that is no leader */
    answer.ops = xmemdup(ops, sizeof ops);
    batch = claim_batch_new(&answer, &type, 0, 100);
    assert_int_equal(batch->count, 3);
    for (size_t i = 0; i < 3; i++) {
        struct execution *execution = &batch->executions[i];
        bool lone = strcmp(execution->members[0].id, ops[0].id) == 0;

        assert_string_equal(execution->orphans_of, lone                           ? ""
                                                   : execution->member_count == 2 ? fixture_op(7, "", 0).id
                                                                                  : ops[1].id);
        execution_settlef(execution, ENTRY_RETURNED, "given back");
        execution_finished(execution, 200);
    }
    for (size_t i = 3; i-- > 0;)
        execution_free(&batch->executions[i]);
}

/* Six members: one of no sequence, three of sequence "a", two of "b". */
static void only_members_behind_a_failed_one_may_be_skipped(void **state)
{
    static const struct {
        const char *answered, *kept; /* o ok, e error, p permanent, s skipped, r returned, u unanswered */
    } cases[] = {
        { "oooooo", "oooooo" }, { "ooeses", "ooeses" },
        { "oessps", "oessps" }, { "ooosoo", "oooeoo" }, /* nobody failed before it */
        { "osssoo", "oessoo" },                         /* the first of its sequence has nobody before it */
        { "oeooso", "oeooeo" },                         /* another sequence's failure is none of its own */
        { "oeoous", "oeoous" },                         /* one may run behind a failed one */
        { "soorrs", "eoorrs" },                         /* of no sequence: there is nothing to wait for */
    };
    static const enum entry_kind kinds[128] = {
        ['o'] = ENTRY_OK,      ['e'] = ENTRY_ERROR,    ['p'] = ENTRY_PERMANENT,
        ['s'] = ENTRY_SKIPPED, ['r'] = ENTRY_RETURNED, ['u'] = ENTRY_UNANSWERED
    };
    struct fixture *fixture = fixture_open("noop", (struct type_config){ .merge_max = 10 });

    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct claimed ops[6];
        struct execution *execution;

        for (int i = 0; i < 6; i++) {
            ops[i] = fixture_op(i, "", 0);
            ops[i].sequence_group = i == 0 ? "" : i <= 3 ? "a" : "b";
            ops[i].sequence_number = i == 0 ? -1 : i;
        }
        execution = fixture_execution(fixture, ops, 6);
        for (int i = 0; i < 6; i++)
            outcome_set(&execution->members[i].outcome, kinds[(int)cases[c].answered[i]], NULL, 0);
        execution_finished(execution, clock_boot_ms());
        for (int i = 0; i < 6; i++)
            if (execution->members[i].outcome.kind != kinds[(int)cases[c].kept[i]])
                fail_msg("%s: member %d became %s", cases[c].answered, i,
                         entry_kind_name(execution->members[i].outcome.kind));
        execution_free(execution);
    }
    fixture_close(fixture);
}

static void noop_completes_groups_too(void **state)
{
    struct fixture *fixture = fixture_open("noop", (struct type_config){ .merge_max = 10 });
    struct claimed ops[3] = { fixture_op(1, "", 0), fixture_op(2, "", 0), fixture_op(3, "", 0) };
    struct execution *execution = fixture_execution(fixture, ops, 3);

    (void)state;
    fixture_start(fixture, execution);
    fixture_wait(fixture, 1);
    for (int i = 0; i < 3; i++)
        assert_outcome(&execution->members[i].outcome, ENTRY_OK, "");
    fixture_close(fixture);
}

static void followers_go_to_their_leader(void **state)
{
    struct claim_answer answer = { .now_ms = 1, .lease_ms = 30000, .count = 4 };
    struct type_config config = { .name = (char *)"WebCart" };
    struct served_type type = { .config = &config };
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

/* One answer of exec's group protocol, which http's array shares. */
static void answers_are_read_as_they_are_meant(void **state)
{
    static const struct {
        const char *rest;
        int64_t retry_after_ms;
        const char *text, *result;
    } cases[] = {
        { "\"Error\":\"e\",\"RetryAfterMs\":3000", 3000, "e", NULL },
        { "\"Error\":\"e\",\"RetryAfterMs\":3000.0", 3000, "e", NULL },
        { "\"Error\":\"e\",\"RetryAfterMs\":3e3", 3000, "e", NULL },
        { "\"Error\":\"e\",\"RetryAfterMs\":2999.1", 3000, "e", NULL },
        { "\"Error\":\"e\",\"RetryAfterMs\":\" 3000 \"", 3000, "e", NULL },
        { "\"Error\":\"e\",\"RetryAfterMs\":\"3e3\"", 3000, "e", NULL },
        { "\"Error\":\"e\",\"RetryAfterMs\":0", 0, "e", NULL },
        { "\"Error\":\"e\",\"RetryAfterMs\":-0.0", 0, "e", NULL },
        { "\"Error\":\"e\",\"RetryAfterMs\":null", -1, "e", NULL },
        { "\"Error\":\"e\",\"RetryAfterMs\":12345678901234567", RETRY_DELAY_MAX_MS, "e", NULL },
        { "\"Error\":\"e\",\"RetryAfterMs\":123456789012345678901234567890", RETRY_DELAY_MAX_MS, "e", NULL },
        { "\"Error\":\"e\",\"RetryAfterMs\":1e999", RETRY_DELAY_MAX_MS, "e", NULL },
        { "\"Error\":\"e\",\"RetryAfterMs\":-5", -1, "e; RetryAfterMs is negative: \"-5\"", NULL },
        { "\"Error\":\"e\",\"RetryAfterMs\":\"soon\"", -1, "e; RetryAfterMs is no number: \"soon\"", NULL },
        { "\"Error\":\"e\",\"RetryAfterMs\":\"\"", -1, "e; RetryAfterMs is no number: \"\"", NULL },
        { "\"Error\":\"e\",\"RetryAfterMs\":\"nan\"", -1, "e; RetryAfterMs is no number: \"nan\"", NULL },
        { "\"Error\":\"e\",\"RetryAfterMs\":true", -1, "e; RetryAfterMs is no number: \"true\"", NULL },
        { "\"Error\":\"e\",\"RetryAfterMs\":{\"a\":1}", -1, "e; RetryAfterMs is no number: \"{\\\"a\\\":1}\"", NULL },
        { "\"Error\":17", -1, "17", NULL },
        { "\"Error\":\"e\",\"Result\":[ 18446744073709551615, 0.1 ]", -1, "e", "[18446744073709551615,0.1]" },
        { "\"Error\":\"e\",\"Result\":\"a\\u0000b\\u00e9\"", -1, "e", "a\0b\xc3\xa9" },
    };
    struct fixture *fixture = fixture_open("noop", (struct type_config){ .merge_max = 10 });

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct claimed op = fixture_op(1, "", 0);
        struct execution *execution = fixture_execution(fixture, &op, 1);
        const struct outcome *outcome = &execution->members[0].outcome;
        struct group_answers answers;
        char line[400];

        snprintf(line, sizeof line, "{\"Id\":\"%s\",\"Outcome\":\"error\",%s}\n", op.id, cases[i].rest);
        group_answers_init(&answers, execution);
        group_answers_feed_lines(&answers, line, strlen(line));
        group_answers_release(&answers);
        assert_outcome(outcome, ENTRY_ERROR, cases[i].text);
        if (outcome->retry_after_ms != cases[i].retry_after_ms)
            fail_msg("%s: %lld", line, (long long)outcome->retry_after_ms);
        if (cases[i].result)
            assert_memory_equal(outcome->result, cases[i].result, outcome->result_size);
        execution_finished(execution, clock_boot_ms());
        execution_free(execution);
    }
    fixture_close(fixture);
}

static void what_is_added_to_a_long_error_is_there_in_full(void **state)
{
    struct outcome outcome = OUTCOME_INIT;
    char text[300];

    (void)state;
    memset(text, 'x', sizeof text);
    outcome_set(&outcome, ENTRY_ERROR, text, sizeof text);
    outcome_add(&outcome, "RetryAfterMs is no number: \"%s\"", "soon");
    assert_int_equal(strlen(outcome.text), 255);
    assert_non_null(strstr(outcome.text, "x; RetryAfterMs is no number: \"soon\""));
    outcome_release(&outcome);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_split_by_the_documented_rules),
        cmocka_unit_test(last_line_is_the_last_that_is_not_blank),
        cmocka_unit_test(error_text_is_one_clean_line_of_at_most_255_characters),
        cmocka_unit_test(answers_are_read_as_they_are_meant),
        cmocka_unit_test(what_is_added_to_a_long_error_is_there_in_full),
        cmocka_unit_test(long_results_are_cut_between_characters_and_marked),
        cmocka_unit_test(noop_completes_a_whole_claim_at_once),
        cmocka_unit_test(noop_completes_groups_too),
        cmocka_unit_test(followers_go_to_their_leader),
        cmocka_unit_test(followers_without_their_leader_are_kept_apart),
        cmocka_unit_test(only_members_behind_a_failed_one_may_be_skipped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
