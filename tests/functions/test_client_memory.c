/* libbgop promises to return, whatever happens: every allocation of its own, of the codec and of jansson fails in turn, once
 * and for good. Each call then says so, nothing is kept, and nothing is written to stderr. */
#include "tests/functions/client_queue.h"

#include "tests/support/allocations.h"

static char recorded[ID_SIZE];

/* All that a program does with the library; answers the first code that is not OK. */
static enum bgop_code use_everything(void)
{
    static const char *const properties[] = { "client.rack", "r", NULL };
    const struct bgop_config config = { .kafka = kafka_mock_brokers(mock),
                                        .redis = server.url,
                                        .kafka_properties = properties };
    struct bgop_submission submission = web_cart("acct-9");
    const char *const ids[] = { recorded };
    enum bgop_outcome outcome;
    char *json = NULL, text[256];
    struct bgop *client;
    enum bgop_code code = bgop_open(&client, &config, text, sizeof text);

    if (code != BGOP_OK) {
        assert_null(client);
        assert_true(*text);
        return code;
    }
    submission.payload = "some bytes";
    submission.payload_size = 10;
    if ((code = bgop_check(client)) == BGOP_OK && (code = bgop_submit(client, &submission, NULL, NULL)) == BGOP_OK &&
        (code = bgop_flush(client, 10000)) == BGOP_OK && (code = bgop_get(client, recorded, &json)) == BGOP_OK)
        code = bgop_wait(client, ids, 1, 1000, &outcome);
    assert_true(code == BGOP_OK || *bgop_error(client));
    bgop_free(json);
    bgop_close(client);
    return code;
}

static long fail_each(bool persistent)
{
    enum { MOST = 200 };
    long n = 1;

    for (; n < MOST; n++) {
        enum bgop_code code;

        allocations_begin(n, persistent);
        code = use_everything();
        bool refused = allocations_end();
        if (allocations.alive != 0)
            fail_msg("allocation %ld fails: %ld blocks are left", n, allocations.alive);
        if (allocations.said != 0)
            fail_msg("allocation %ld fails: %ld bytes on stderr", n, allocations.said);
        if (code != (refused ? BGOP_NO_MEMORY : BGOP_OK))
            fail_msg("allocation %ld %s: %s", n, refused ? "fails" : "does not fail", bgop_code_text(code));
        if (!refused)
            break;
    }
    assert_true(n < MOST);
    return n - 1;
}

static void each_allocation_that_fails_is_told_and_nothing_else_happens(void **state)
{
    struct bgop_submission submission = web_cart("acct-1");

    (void)state;
    memcpy(recorded, submit(&submission), ID_SIZE);
    apply_one(recorded, claim_one(recorded), ENTRY_OK, NULL);
    long once = fail_each(false), for_good = fail_each(true);
    assert_true(once > 8 && for_good > 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_allocation_that_fails_is_told_and_nothing_else_happens, setup, teardown),
    };

    return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
