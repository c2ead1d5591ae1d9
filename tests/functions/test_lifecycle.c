/* The lifecycle matrix: what every event does to an operation in every status. The table is lifecycle_matrix.h. After
 * each cell, counts and indexes must agree with the record, who became claimable must be hinted, and a change must be
 * in the stream of changes. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/functions/lifecycle_matrix.h"
#include "tests/support/groups.h"
#include "tests/support/shard.h"
#include "tests/support/test.h"

/* ---- statuses: how an operation gets there, and the attempt that its token then names ---- */

static void become_new(struct shard *shard)
{
    shard_submit(shard, 1, (struct shard_op){ .payload = "x" });
}

static void become_scheduled(struct shard *shard)
{
    char after[32];

    snprintf(after, sizeof after, "%" PRId64, shard->now_ms + 10000);
    shard_submit(shard, 1, (struct shard_op){ .process_after = after });
}

static void become_running(struct shard *shard)
{
    become_new(shard);
    shard_claim(shard, 1);
    shard_clock(shard, shard_now(shard) + 100);
}

static void become_waiting(struct shard *shard)
{
    become_running(shard);
    shard_apply(shard, "returned", 1, 1, "");
}

static void become_error_timed(struct shard *shard)
{
    become_running(shard);
    shard_apply(shard, "error", 1, 1, "first");
    shard_claim(shard, 1);
    shard_apply(shard, "error", 1, 2, "second");
}

static void become_error_final(struct shard *shard)
{
    become_running(shard);
    shard_apply(shard, "permanent", 1, 1, "for good");
}

static void become_complete(struct shard *shard)
{
    become_running(shard);
    shard_apply(shard, "ok", 1, 1, "");
}

static void become_canceled(struct shard *shard)
{
    become_new(shard);
    shard_apply(shard, "cancel", 1, 0, "");
}

static void become_merged(struct shard *shard)
{
    groups_arm(shard, GROUPS_MERGE_MAX, GROUPS_MERGE_MAX_BYTES, GROUPS_LIMIT);
    groups_submit(shard, 2, (struct shard_op){ .payload = "x" });
    groups_submit(shard, 1, (struct shard_op){ .payload = "x" });
    groups_claim(shard, 2, "2 1");
    shard_clock(shard, shard_now(shard) + 100);
}

static void become_merged_final(struct shard *shard)
{
    become_merged(shard);
    groups_apply(shard, "ok", 1, 1, 2, "");
    shard_apply(shard, "ok", 2, 1, "");
}

#define STATUS_ID(id, ...)                            id,
#define STATUS_ROW(id, name, become, attempt, places) [id] = { name, become, attempt, places },
enum { LIFECYCLE_STATUSES(STATUS_ID) STATUSES };
static const struct {
    const char *name;
    void (*become)(struct shard *);
    int attempt;
    const char *places;
} statuses[] = { LIFECYCLE_STATUSES(STATUS_ROW) };

/* ---- events ---- */

struct event {
    const char *name;
    void (*happen)(struct shard *shard, int attempt, const char *kind);
    const char *kind;            /* of an entry of the status log */
    int newer;                   /* its token is that many attempts above the record's */
    const char *cells[STATUSES]; /* "=": stays where it is */
};

static void claim(struct shard *shard, int attempt, const char *kind)
{
    (void)attempt, (void)kind;
    shard_call(shard, "bgop_claim", "i2 http://w2 n %s 5 %s", shard_field(shard, 1, "Type"), shard_id(1));
}

static void entry(struct shard *shard, int attempt, const char *kind)
{
    shard_apply(shard, kind, 1, attempt, "");
}

static void renew(struct shard *shard, int attempt, const char *kind)
{
    (void)kind;
    shard_call(shard, "bgop_renew", "i1 http://w1 WebCart 8 %s %" PRIu64, shard_id(1),
               attempt == 0 ? 0 : shard_token(shard, attempt));
}

static void reassert(struct shard *shard, int attempt, const char *kind)
{
    (void)kind;
    shard_call(shard, "bgop_reassert", "i1 http://w1 WebCart 8 %s %" PRIu64 " WebCart %" PRId64, shard_id(1),
               attempt == 0 ? 0 : shard_token(shard, attempt), shard->now_ms - 50);
}

static void tick_later(struct shard *shard, int64_t ms)
{
    shard_clock(shard, shard_now(shard) + ms);
    shard_tick(shard);
}

static void due(struct shard *shard, int attempt, const char *kind)
{
    (void)attempt, (void)kind;
    tick_later(shard, 20000);
}

static void lease_end(struct shard *shard, int attempt, const char *kind)
{
    (void)attempt, (void)kind;
    tick_later(shard, SHARD_LEASE_MS + 1000);
}

static void lease_end_unread(struct shard *shard, int attempt, const char *kind)
{
    int64_t read_to = shard->now_ms;

    (void)attempt, (void)kind;
    shard_clock(shard, shard_now(shard) + SHARD_LEASE_MS + 1000);
    shard_call(shard, "bgop_tick", "%" PRId64 " 500", read_to);
}

static void retention_end(struct shard *shard, int attempt, const char *kind)
{
    (void)attempt, (void)kind;
    tick_later(shard, 3600 * 1000);
}

#define EVENT_ROW(name, happen, kind, newer, note, ...) { name, happen, kind, newer, { __VA_ARGS__ } },
static const struct event events[] = { LIFECYCLE_EVENTS(EVENT_ROW) };

/* ---- the check of one cell ---- */

static bool is_in(const char *places, char index)
{
    return strchr(strrchr(places, ' '), index) != NULL;
}

static void cell_check(struct shard *shard, const struct event *event, int status, const char *before)
{
    const char *expected = strcmp(event->cells[status], "=") == 0 ? statuses[status].places : event->cells[status];
    char answer[1024], places[64];
    bool changed;

    snprintf(answer, sizeof answer, "%.1000s", shard->answer);
    snprintf(places, sizeof places, "%s", shard_places(shard, 1));
    if (strcmp(places, expected) != 0)
        fail_msg("%s, %s: stands at '%s', not at '%s' (%s)", statuses[status].name, event->name, places, expected,
                 answer);
    if (strncmp(answer, "OK ", 3) != 0)
        fail_msg("%s, %s: %s", statuses[status].name, event->name, answer);
    if (is_in(places, 'p') && !is_in(before, 'p') && strstr(answer, shard_id(1)) == NULL)
        fail_msg("%s, %s: became claimable and was not hinted: %s", statuses[status].name, event->name, answer);

    changed = places[0] != ' ' && strcmp(expected, statuses[status].places) != 0 && !is_in(places, 'c');
    shard_command(shard, "XREVRANGE " SHARD_PREFIX ":changes + - COUNT 1");
    if (changed) {
        char line[128];

        snprintf(line, sizeof line, "%.*s %s", (int)strcspn(places, " "), places, shard_id(1));
        if (strstr(shard->answer, line) == NULL)
            fail_msg("%s, %s: not in changes: %s", statuses[status].name, event->name, shard->answer);
        assert_int_equal(strtoll(shard_field(shard, 1, "SystemModstamp"), NULL, 10), shard->now_ms);
    }
}

static void every_event_in_every_status_does_what_the_matrix_says(void **state)
{
    struct shard *shard = *state;
    struct redis_server *server = shard->server;

    for (size_t e = 0; e < TEST_COUNT(events); e++) {
        for (int status = 0; status < STATUSES; status++) {
            int attempt = statuses[status].attempt + events[e].newer;

            shard_close(shard);
            shard_open(shard, server);
            shard_arm(shard);
            statuses[status].become(shard);
            if (strcmp(shard_places(shard, 1), statuses[status].places) != 0)
                fail_msg("%s: stands at '%s' already", statuses[status].name, shard_places(shard, 1));
            shard_clock(shard, shard_now(shard) + 5);
            events[e].happen(shard, attempt < 0 ? 0 : attempt, events[e].kind);
            cell_check(shard, &events[e], status, statuses[status].places);
            shard_check(shard);
        }
    }
}

/* A higher token is kept in every status: it is never given again. */
static void a_newer_token_is_adopted_in_every_status(void **state)
{
    static const char *const kinds[] = { "ok",   "error",    "permanent", "crashed",   "timed_out",
                                         "lost", "returned", "skipped",   "unanswered" };
    struct shard *shard = *state;
    struct redis_server *server = shard->server;

    for (size_t kind = 0; kind < TEST_COUNT(kinds); kind++) {
        for (int status = 0; status < STATUSES; status++) {
            char expected[32];

            shard_close(shard);
            shard_open(shard, server);
            shard_arm(shard);
            statuses[status].become(shard);
            shard_apply(shard, kinds[kind], 1, 9, "");
            snprintf(expected, sizeof expected, "%" PRIu64, shard_token(shard, 9));
            if (strcmp(shard_field(shard, 1, "token"), expected) != 0)
                fail_msg("%s, %s: token %s", statuses[status].name, kinds[kind], shard_field(shard, 1, "token"));
            shard_check(shard);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        shard_test(every_event_in_every_status_does_what_the_matrix_says),
        shard_test(a_newer_token_is_adopted_in_every_status),
    };

    return shard_tests_run(tests);
}
