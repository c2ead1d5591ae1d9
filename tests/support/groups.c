#include "tests/support/groups.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/test.h"

void groups_arm(struct shard *shard, int merge_max, int merge_max_bytes, int max_running_per_parent)
{
    static const char common[] = "\"retry_backoff_ms\":1000,\"retry_limit\":3,\"timeout_ms\":60000,"
                                 "\"retention_s\":3600,\"retention_error_s\":7200,\"redrive_limit\":2";

    shard->generation++;
    shard_call(shard, "bgop_arm",
               "0 0 %d %d 30 15 ExternalObject '{%s,\"merge_max\":%d,\"merge_max_bytes\":%d}' "
               "Sweeper '{%s,\"merge_max\":1,\"max_running_per_parent\":%d}'",
               SHARD_LEASE_MS, SHARD_RETRY_MAX_MS, common, merge_max, merge_max_bytes, common, max_running_per_parent);
    assert_memory_equal(shard->answer, "OK ", 3);
    shard_call(shard, "bgop_open", " ");
    shard_clock(shard, shard_now(shard) + SHARD_LEASE_MS);
}

int groups_setup(void **state)
{
    shard_setup(state);
    groups_arm(*state, GROUPS_MERGE_MAX, GROUPS_MERGE_MAX_BYTES, GROUPS_LIMIT);
    return 0;
}

void groups_submit(struct shard *shard, int op, struct shard_op more)
{
    more.type = "ExternalObject";
    more.parent_key = "p";
    shard_submit(shard, op, more);
    assert_memory_equal(shard->answer, "OK ", 3);
}

/* The number that shard_id made this Id of. */
static int op_of(const char *id)
{
    char digits[10] = "";

    memcpy(digits, id + 5, 9);
    return (int)strtol(digits, NULL, 10);
}

void groups_claim(struct shard *shard, int leader, const char *members)
{
    enum { HEAD = 3, ROW = 9 };
    static int nonce;
    char granted[256] = "", *rest = NULL;
    size_t used = 0, field = 0;

    shard_call(shard, "bgop_claim", "i1 http://w1 groups-%d ExternalObject 1 %s", ++nonce, shard_id(leader));
    for (char *text = strtok_r(shard->answer, " ", &rest); text != NULL; text = strtok_r(NULL, " ", &rest), field++) {
        if (field >= HEAD && (field - HEAD) % ROW == 0)
            used += (size_t)snprintf(granted + used, sizeof granted - used, "%s%d", used > 0 ? " " : "", op_of(text));
        if (field >= HEAD && (field - HEAD) % ROW == ROW - 1)
            assert_string_equal(text, field == HEAD + ROW - 1 ? "\"\"" : shard_id(leader));
    }
    if (strcmp(granted, members) != 0)
        fail_msg("granted '%s', not '%s'", granted, members);
}

void groups_apply(struct shard *shard, const char *kind, int op, int attempt, int leader, const char *text)
{
    char entry[1024];

    snprintf(entry, sizeof entry, "%s %s %" PRIu64 " %" PRId64 " 10 http://w1 \"%s\" \"\" \"\" %s \"\"", kind,
             shard_id(op), shard_token(shard, attempt), shard->now_ms - 10, text, shard_id(leader));
    shard_apply_entries(shard, entry);
}

void groups_later(struct shard *shard, int64_t ms)
{
    shard_clock(shard, shard_now(shard) + ms);
    shard_tick(shard);
}

void groups_stand(struct shard *shard, int op, const char *places)
{
    if (strcmp(shard_places(shard, op), places) != 0)
        fail_msg("operation %d stands at '%s', not at '%s'", op, shard_places(shard, op), places);
}

void groups_hinted(struct shard *shard, int op)
{
    if (strstr(shard->answer, shard_id(op)) == NULL)
        fail_msg("operation %d was not hinted: %s", op, shard->answer);
}

void groups_not_granted(struct shard *shard, const char *type, int op)
{
    static int nonce;

    shard_call(shard, "bgop_claim", "i9 http://w9 not-%d %s 1 %s", ++nonce, type, shard_id(op));
    assert_null(strstr(shard->answer, shard_id(op)));
}

void groups_field(struct shard *shard, int op, const char *field, const char *value)
{
    if (strcmp(shard_field(shard, op, field), value) != 0)
        fail_msg("%s of operation %d is '%s', not '%s'", field, op, shard_field(shard, op, field), value);
}

/* ---- groups ---- */

void groups_submit_all(struct shard *shard, int from, int to)
{
    for (int op = from; op <= to; op++)
        groups_submit(shard, op, (struct shard_op){ .payload = "x" });
}

void groups_member(struct shard *shard, int op, const char *group, const char *number)
{
    groups_submit(shard, op, (struct shard_op){ .sequence_group = group, .sequence_number = number });
}

void groups_three(struct shard *shard)
{
    groups_submit_all(shard, 1, 3);
    groups_claim(shard, 1, "1 2 3");
    shard_clock(shard, shard_now(shard) + 100);
}

/* The group's name: the leader's Id and attempt. */
static const char *group(int leader, int attempt)
{
    static char name[32];

    snprintf(name, sizeof name, "%s-%d", shard_id(leader), attempt);
    return name;
}

void groups_is_lone(struct shard *shard, int op)
{
    groups_field(shard, op, "ExecutionGroup", "");
    groups_field(shard, op, "GroupLeaderId", "");
    groups_field(shard, op, "NumFollowers", "");
}

void groups_follows(struct shard *shard, int op, int leader, int attempt)
{
    groups_field(shard, op, "ExecutionGroup", group(leader, attempt));
    groups_field(shard, op, "GroupLeaderId", shard_id(leader));
    groups_field(shard, op, "NumFollowers", "");
}

void groups_leads(struct shard *shard, int op, int attempt, const char *followers)
{
    groups_field(shard, op, "ExecutionGroup", followers[0] ? group(op, attempt) : "");
    groups_field(shard, op, "NumFollowers", followers);
    groups_field(shard, op, "GroupLeaderId", "");
}
