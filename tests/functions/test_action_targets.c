/* Operations in every status as a cancel or redrive sees them: is there anything to do, and did it happen? */
#include "tests/functions/query_queue.h"

#include "common/action/target.h"

static struct redis_server server;
static struct query_queue *queue;
static struct targets targets;

static int start(void **state)
{
    (void)state;
    redis_server_start(&server, false);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    redis_server_stop(&server);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    queue = test_calloc(1, sizeof *queue);
    query_queue_open(queue, &server);
    query_queue_fill(queue);
    shard_command(&queue->shard, "HSET bgop:{3}:op:%s ExpiresAt 1800000000000",
                  reads_id(3, 8)); /* its leader has ended */
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    targets_release(&targets);
    query_queue_close(queue);
    test_free(queue);
    return 0;
}

static void begin(enum action_kind kind, bool found)
{
    targets_init(&targets, queue->redis, kind);
    targets.found = found;
    targets.begun_ms = INT64_MAX;
    for (int number = 1; number <= 8; number++)
        targets_add(&targets, reads_id(3, number));
}

static void judge(void)
{
    struct err err = ERR_INIT;

    if (targets_judge(&targets, 0, targets.count, &err) != ST_OK)
        fail_msg("%s", err.text);
}

static void look(size_t open)
{
    struct err err = ERR_INIT;
    size_t left;

    if (targets_look(&targets, 0, targets.count, &left, &err) != ST_OK)
        fail_msg("%s", err.text);
    assert_int_equal(left, open);
}

/* A letter for each: o open, d done, f failed, p passed. */
static void progress_is(const char *letters)
{
    for (size_t i = 0; i < targets.count; i++) {
        char is = "odfp"[targets.list[i].progress];

        if (is != letters[i])
            fail_msg("%zu (%s): %c instead of %c: %s", i + 1, targets.list[i].status, is, letters[i],
                     targets.list[i].text ? targets.list[i].text : "");
    }
}

static void text_has(int number, const char *words)
{
    const char *text = targets.list[number - 1].text;

    if (!text || !strstr(text, words))
        fail_msg("%d: \"%s\" does not say %s", number, text ? text : "", words);
}

/* New, Scheduled, Waiting, Running, Complete, Error (holds its group), Canceled, Merged */
static void a_cancel_is_for_what_has_not_ended(void **state)
{
    (void)state;
    begin(ACTION_CANCEL, true);
    judge();
    progress_is("oooopopp");
    targets_release(&targets);
    begin(ACTION_CANCEL, false);
    judge();
    progress_is("oooofodf");
    text_has(5, "is Complete: nothing is left to cancel");
}

static void a_redrive_is_for_what_failed_for_good(void **state)
{
    (void)state;
    begin(ACTION_REDRIVE, true);
    judge();
    progress_is("pppppopp");
    assert_int_equal(targets.list[5].token, shard_token(&queue->shard, 1));
    targets_release(&targets);
    begin(ACTION_REDRIVE, false);
    judge();
    progress_is("fffffoff");
    targets_release(&targets);
    begin(ACTION_REDRIVE, true);
    targets.begun_ms = 1; /* all of it changed since then */
    judge();
    text_has(6, "changed after this run began");
    shard_command(&queue->shard, "HSET bgop:{3}:op:%s redrives 10", reads_id(3, 6));
    targets_release(&targets);
    begin(ACTION_REDRIVE, true);
    judge();
    text_has(6, "redriven 10 times");
}

static void what_an_action_did_already_is_done(void **state)
{
    (void)state;
    shard_command(&queue->shard, "RPUSH bgop:{3}:commands:%s '{\"commandId\":\"act1\"}'", reads_id(3, 6));
    begin(ACTION_REDRIVE, true);
    targets.action = "act1";
    judge();
    progress_is("pppppdpp");
    targets_release(&targets);
    begin(ACTION_REDRIVE, true);
    targets.action = "act";
    judge();
    progress_is("pppppopp");
}

static void an_effect_is_seen_and_also_that_there_will_be_none(void **state)
{
    (void)state;
    begin(ACTION_CANCEL, true);
    judge();
    for (size_t i = 0; i < 4; i++)
        targets.list[i].sent = true;
    look(4);
    shard_command(&queue->shard, "HSET bgop:{3}:op:%s Status Canceled", reads_id(3, 1));
    shard_command(&queue->shard, "HSET bgop:{3}:op:%s Status Error ExpiresAt 1", reads_id(3, 2));
    shard_command(&queue->shard, "DEL bgop:{3}:op:%s", reads_id(3, 3));
    shard_command(&queue->shard, "HSET bgop:{3}:cancels %s why", reads_id(3, 4));
    look(0);
    progress_is("dffdpopp");
    text_has(2, "became Error before the cancel was read");
    text_has(3, "was removed meanwhile");
    text_has(4, "cancel requested");
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        test(a_cancel_is_for_what_has_not_ended),
        test(a_redrive_is_for_what_failed_for_good),
        test(what_an_action_did_already_is_done),
        test(an_effect_is_seen_and_also_that_there_will_be_none),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
