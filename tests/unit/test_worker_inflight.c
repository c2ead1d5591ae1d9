/* The in-flight table: what is renewed, and who is told to stop by an answer, by the clock, by a drain. */
#include "tests/unit/handler_fixture.h"

#include "worker/lease/inflight.h"

enum { SHARD = 1 };

static struct type_config config = { .name = (char *)"WebCart" };
static struct served_type type = { .config = &config };

/* `count` lone executions, numbered from first, in the table. */
static struct execution *add(struct inflight *inflight, int first, int count)
{
    struct claim_answer answer = { .now_ms = 5000, .lease_ms = 30000, .count = (size_t)count };
    struct claim_batch *batch;

    answer.ops = xcalloc((size_t)count, sizeof *answer.ops);
    for (int i = 0; i < count; i++)
        answer.ops[i] = fixture_op(first + i, "", 0);
    batch = claim_batch_new(&answer, &type, SHARD, 1000);
    inflight_add(inflight, batch->executions, batch->count);
    return batch->executions;
}

static void drop(struct inflight *inflight, struct execution *executions, int count)
{
    for (int i = 0; i < count; i++) {
        inflight_remove(inflight, &executions[i]);
        if (!atomic_load(&executions[i].finished))
            execution_finished(&executions[i], 2000);
        execution_free(&executions[i]); /* the last one frees them all */
    }
}

static enum stop_reason stop_of(const struct execution *execution)
{
    return (enum stop_reason)atomic_load(&execution->stop);
}

static void leases_are_listed_in_portions_with_numbers(void **state)
{
    struct inflight inflight;
    struct lease_list list = { 0 };
    struct execution *executions;

    (void)state;
    inflight_init(&inflight, 4);
    executions = add(&inflight, 0, 400);
    add(&inflight, 400, 300);
    inflight_list(&inflight, SHARD, 10, &list);
    assert_int_equal(list.count, 700);
    assert_int_equal(list.leases[0].token, fixture_op(0, "", 0).token);
    assert_int_equal(list.leases[0].started_at_ms, 5000);
    assert_string_equal(list.leases[0].type, "WebCart");
    assert_int_equal(executions[0].renewal, 11); /* added first, listed last */
    assert_string_equal(list.leases[699].id, executions[0].members[0].id);
    inflight_list(&inflight, 0, 20, &list);
    assert_int_equal(list.count, 0);
    while (inflight.shards[SHARD].first)
        drop(&inflight, inflight.shards[SHARD].first, 1);
    lease_list_release(&list);
    inflight_release(&inflight);
}

static void an_answer_extends_only_what_its_call_named(void **state)
{
    struct inflight inflight;
    struct lease_list list = { 0 };
    struct renew_answer answer = { 0 };
    struct execution *before, *after;

    (void)state;
    inflight_init(&inflight, 4);
    before = add(&inflight, 0, 1);
    inflight_list(&inflight, SHARD, 7, &list);
    after = add(&inflight, 1, 1);
    assert_int_equal(inflight_renewed(&inflight, SHARD, 7, 99000, &answer), 0);
    assert_int_equal(before->lease_end_boot_ms, 99000);
    assert_int_equal(after->lease_end_boot_ms, 31000);
    drop(&inflight, before, 1);
    drop(&inflight, after, 1);
    lease_list_release(&list);
    inflight_release(&inflight);
}

static void lost_and_canceled_ones_are_told_once(void **state)
{
    struct inflight inflight;
    struct lease_list list = { 0 };
    struct execution *executions;
    char lost[2][ID_SIZE];
    struct renew_cancel cancels[2] = { { "", (char *)"r" }, { "", (char *)"r" } };
    struct renew_answer answer = { .lost = lost, .lost_count = 2, .cancels = cancels, .cancel_count = 2 };

    (void)state;
    inflight_init(&inflight, 4);
    executions = add(&inflight, 0, 5);
    memcpy(lost[0], executions[3].members[0].id, ID_SIZE); /* not in order */
    memcpy(lost[1], executions[1].members[0].id, ID_SIZE);
    memcpy(cancels[0].id, executions[4].members[0].id, ID_SIZE);
    memcpy(cancels[1].id, executions[2].members[0].id, ID_SIZE);
    inflight_list(&inflight, SHARD, 1, &list);
    execution_finished(&executions[2], 2000); /* done meanwhile: nothing to stop */
    assert_int_equal(inflight_renewed(&inflight, SHARD, 1, 99000, &answer), 3);
    assert_int_equal(inflight_renewed(&inflight, SHARD, 1, 99000, &answer), 0);
    assert_int_equal(stop_of(&executions[0]), STOP_NONE);
    assert_int_equal(stop_of(&executions[1]), STOP_LOST_LEASE);
    assert_int_equal(stop_of(&executions[2]), STOP_NONE);
    assert_int_equal(stop_of(&executions[3]), STOP_LOST_LEASE);
    assert_int_equal(stop_of(&executions[4]), STOP_CANCEL);
    assert_int_equal(executions[1].lease_end_boot_ms, 31000); /* lost: somebody else may have it */
    assert_int_equal(executions[4].lease_end_boot_ms, 99000);
    drop(&inflight, executions, 5);
    lease_list_release(&list);
    inflight_release(&inflight);
}

static void a_group_is_stopped_when_all_its_members_are_canceled(void **state)
{
    struct claimed ops[2] = { fixture_op(1, "", 0), fixture_op(2, "", 0) };
    struct claim_answer claim = { .now_ms = 1, .lease_ms = 30000, .count = 2 };
    struct renew_cancel cancel = { "", (char *)"r" };
    struct renew_answer answer = { .cancels = &cancel, .cancel_count = 1 };
    struct lease_list list = { 0 };
    struct inflight inflight;
    struct claim_batch *batch;

    (void)state;
    inflight_init(&inflight, 4);
    memcpy(ops[1].leader_id, ops[0].id, ID_SIZE);
    claim.ops = xmemdup(ops, sizeof ops);
    batch = claim_batch_new(&claim, &type, SHARD, 1000);
    inflight_add(&inflight, batch->executions, 1);
    inflight_list(&inflight, SHARD, 1, &list);
    assert_int_equal(list.count, 1); /* one lease: the leader's */
    memcpy(cancel.id, ops[1].id, ID_SIZE);
    assert_int_equal(inflight_renewed(&inflight, SHARD, 1, 99000, &answer), 0);
    memcpy(cancel.id, ops[0].id, ID_SIZE);
    assert_int_equal(inflight_renewed(&inflight, SHARD, 1, 99000, &answer), 1);
    drop(&inflight, batch->executions, 1);
    lease_list_release(&list);
    inflight_release(&inflight);
}

/* Answers name leaders as lost, and members of any place as canceled. */
static void a_group_is_lost_with_its_leader_only(void **state)
{
    struct claimed ops[3] = { fixture_op(1, "", 0), fixture_op(2, "", 0), fixture_op(3, "", 0) };
    struct claim_answer claim = { .now_ms = 1, .lease_ms = 30000, .count = 3 };
    char lost[1][ID_SIZE];
    struct renew_answer answer = { .lost = lost, .lost_count = 1 };
    struct lease_list list = { 0 };
    struct inflight inflight;
    struct claim_batch *batch;

    (void)state;
    inflight_init(&inflight, 4);
    memcpy(ops[0].leader_id, ops[1].id, ID_SIZE);
    memcpy(ops[2].leader_id, ops[1].id, ID_SIZE);
    claim.ops = xmemdup(ops, sizeof ops);
    batch = claim_batch_new(&claim, &type, SHARD, 1000);
    inflight_add(&inflight, batch->executions, 1);
    inflight_list(&inflight, SHARD, 1, &list);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.leases[0].id, ops[1].id);
    memcpy(lost[0], ops[2].id, ID_SIZE);
    assert_int_equal(inflight_renewed(&inflight, SHARD, 1, 99000, &answer), 0);
    memcpy(lost[0], ops[1].id, ID_SIZE);
    assert_int_equal(inflight_renewed(&inflight, SHARD, 1, 99000, &answer), 1);
    assert_int_equal(stop_of(batch->executions), STOP_LOST_LEASE);
    drop(&inflight, batch->executions, 1);
    lease_list_release(&list);
    inflight_release(&inflight);
}

static void followers_without_their_leader_have_no_lease(void **state)
{
    struct claimed op = fixture_op(1, "", 0);
    struct claim_answer claim = { .now_ms = 1, .lease_ms = 30000, .count = 1 };
    struct lease_list list = { 0 };
    struct inflight inflight;
    struct claim_batch *batch;

    (void)state;
    inflight_init(&inflight, 4);
    memcpy(op.leader_id, fixture_op(2, "", 0).id, ID_SIZE);
    claim.ops = xmemdup(&op, sizeof op);
    batch = claim_batch_new(&claim, &type, SHARD, 1000);
    inflight_add(&inflight, batch->executions, 1);
    inflight_list(&inflight, SHARD, 1, &list);
    assert_int_equal(list.count, 0);
    drop(&inflight, batch->executions, 1);
    lease_list_release(&list);
    inflight_release(&inflight);
}

static void leases_about_to_end_stop_their_executions(void **state)
{
    struct inflight inflight;
    struct execution *executions;

    (void)state;
    inflight_init(&inflight, 4);
    executions = add(&inflight, 0, 2);
    executions[1].lease_end_boot_ms = 50000;
    assert_int_equal(inflight_stop_expiring(&inflight, 31000), 0);
    assert_int_equal(inflight_stop_expiring(&inflight, 31001), 1);
    assert_int_equal(stop_of(&executions[0]), STOP_LOST_LEASE);
    assert_int_equal(inflight_stop_all(&inflight, STOP_DRAIN), 1);
    assert_int_equal(stop_of(&executions[0]), STOP_LOST_LEASE); /* the first reason stays */
    assert_int_equal(stop_of(&executions[1]), STOP_DRAIN);
    drop(&inflight, executions, 2);
    inflight_release(&inflight);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leases_are_listed_in_portions_with_numbers),
        cmocka_unit_test(an_answer_extends_only_what_its_call_named),
        cmocka_unit_test(lost_and_canceled_ones_are_told_once),
        cmocka_unit_test(a_group_is_stopped_when_all_its_members_are_canceled),
        cmocka_unit_test(a_group_is_lost_with_its_leader_only),
        cmocka_unit_test(followers_without_their_leader_have_no_lease),
        cmocka_unit_test(leases_about_to_end_stop_their_executions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
