/* What becomes of operation n is decided by a hash of (shard, n): every run makes the same queue. */
#include "tests/bench/million_queue.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/redis/functions.h"

enum { GENERATION = 1, TYPES = 6, TICK_EVERY = 10, CATCH_UP_S = 20 };

static const struct {
    const char *name;
    int retention_s, merge_max; /* of Sweeper a minute: it is what gets removed */
} types[TYPES] = {
    { "WebCart", 200000, 1 },           { "ExternalObject", 200000, 20 },
    { "SiteTaskCreate", 200000, 1 },    { "ExternalServiceCallback", 200000, 1 },
    { "CdpMetadataDeploy", 200000, 1 }, { "Sweeper", 60, 1 },
};

enum fate { FATE_OK, FATE_PERMANENT, FATE_TIMED, FATE_RETRIED, FATE_RUNS, FATE_NEW, FATE_CANCELED };

/* ---- calls ---- */

void million_begin(struct million *million, const char *function, int shard)
{
    million->argc = 0;
    million->used = 0;
    million_add(million, "FCALL");
    million_add(million, "%s", function);
    million_add(million, "1");
    million_add(million, "bgop:{%d}", shard);
    million_add(million, "%d", GENERATION);
}

void million_add(struct million *million, const char *format, ...)
{
    char *at = million->text + million->used;
    va_list args;
    int size;

    va_start(args, format);
    size = vsnprintf(at, sizeof million->text - million->used, format, args);
    va_end(args);
    if (size < 0 || million->used + (size_t)size + 1 > sizeof million->text || million->argc == MILLION_ARGS) {
        fprintf(stderr, "the call is too long\n");
        exit(1);
    }
    million->argv[million->argc++] = at;
    million->used += (size_t)size + 1;
}

static redisReply *reply_check(struct million *million, redisReply *reply, const char *what)
{
    if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
        fprintf(stderr, "%s: %s\n", what, reply == NULL ? million->redis->errstr : reply->str);
        exit(1);
    }
    return reply;
}

redisReply *million_call(struct million *million)
{
    return reply_check(million, redisCommandArgv(million->redis, million->argc, million->argv, NULL), million->argv[1]);
}

redisReply *million_command(struct million *million, const char *format, ...)
{
    redisReply *reply;
    va_list args;

    va_start(args, format);
    reply = redisvCommand(million->redis, format, args);
    va_end(args);
    return reply_check(million, reply, format);
}

void million_clock(struct million *million, int64_t now_ms)
{
    million->now_ms = now_ms;
    freeReplyObject(million_command(million, "SET sim:now %" PRId64, now_ms));
}

void million_id(char id[ID_SIZE], int shard, int n)
{
    id_make(id, &(struct id_parts){ .shard = shard, .offset = n });
}

/* ---- what an operation is ---- */

static uint64_t mix(int shard, int n, int purpose)
{
    uint64_t x = ((uint64_t)n * MILLION_SHARDS + (uint64_t)shard) * 8 + (uint64_t)purpose + 0x9e3779b97f4a7c15u;

    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static int share(int shard, int n, int purpose)
{
    return (int)(mix(shard, n, purpose) % 1000);
}

static const char *type_of(int shard, int n)
{
    static const int below[TYPES] = { 400, 600, 800, 900, 950, 1000 };
    int at = share(shard, n, 0), t = 0;

    while (at >= below[t])
        t++;
    return types[t].name;
}

/* Rank 1 is met about 150 times as often as rank 1000. */
static int zipf(int shard, int n, int purpose)
{
    return (int)pow(1000, (double)(mix(shard, n, purpose) % 100000) / 100000);
}

static void parent_of(char parent[32], int shard, int n)
{
    int at = share(shard, n, 1);

    parent[0] = '\0';
    if (shard == MILLION_HUGE_SHARD && at < 600)
        snprintf(parent, 32, "acct-huge");
    else if (at < 500)
        snprintf(parent, 32, "acct-%d-%d", shard, zipf(shard, n, 2));
}

/* Does it take turns with others of its ParentKey, and merge with them? */
static bool is_laned(int shard, int n)
{
    char parent[32];

    parent_of(parent, shard, n);
    return parent[0] != '\0' && strcmp(type_of(shard, n), types[1].name) == 0;
}

static enum fate fate_of(int shard, int n)
{
    static const int below[] = { 800, 850, 880, 910, 920, 970, 1000 };
    int at = share(shard, n, 3), fate = 0;

    while (at >= below[fate])
        fate++;
    /* who stays at the head of a lane would hold all behind it */
    return fate > FATE_RETRIED && is_laned(shard, n) ? FATE_OK : (enum fate)fate;
}

/* ---- filling ---- */

static void library_load(struct million *million)
{
    static const char begin[] = "-- clock: begin\n", end[] = "-- clock: end";
    const char *from = strstr(functions_code, begin), *to = from == NULL ? NULL : strstr(from, end);
    size_t room = functions_code_size + 256;
    char *code = malloc(room);

    if (to == NULL || code == NULL) {
        fprintf(stderr, "the library has no clock\n");
        exit(1);
    }
    snprintf(
        code, room,
        "%.*s%slocal GAP_MS = 1e15 local function clock_ms() return tonumber(redis.call('GET', 'sim:now')) end\n%s",
        (int)(from - functions_code), functions_code, begin, to);
    freeReplyObject(million_command(million, "FUNCTION LOAD REPLACE %s", code));
    free(code);
}

static void shard_arm(struct million *million, int shard)
{
    million_begin(million, "bgop_arm", shard);
    for (const char *const *text = (const char *const[]){ "0", "0", "30000", "864000000", "30", "15", NULL }; *text;
         text++)
        million_add(million, "%s", *text);
    for (int t = 0; t < TYPES; t++) {
        million_add(million, "%s", types[t].name);
        million_add(million,
                    "{\"retry_backoff_ms\":1000,\"retry_limit\":5,\"timeout_ms\":60000,\"retention_s\":%d,"
                    "\"retention_error_s\":%d,\"merge_max\":%d,\"merge_max_bytes\":1048576}",
                    types[t].retention_s, types[t].retention_s, types[t].merge_max);
    }
    freeReplyObject(million_call(million));
    million_begin(million, "bgop_open", shard);
    freeReplyObject(million_call(million));
}

static void add_operation(struct million *million, int shard, int n)
{
    char id[ID_SIZE], parent[32];
    bool member;

    million_id(id, shard, n);
    parent_of(parent, shard, n);
    member = parent[0] != '\0' && share(shard, n, 4) < 20;
    million_add(million, "%s", id);
    million_add(million, "%s", type_of(shard, n));
    million_add(million, "%s", parent);
    if (share(shard, n, 5) < 100)
        million_add(million, "import-%d-%d", shard, n);
    else
        million_add(million, "%s", "");
    if (share(shard, n, 6) < 30) /* Scheduled, for the next weeks */
        million_add(million, "%" PRId64, MILLION_T0 + 86400000 + (int64_t)(mix(shard, n, 7) % 2000000000));
    else
        million_add(million, "%s", "");
    million_add(million, "%s", n % 13 == 0 ? "2500" : "");
    million_add(million, "%s", n % 11 == 0 ? "7" : "");
    million_add(million, "%s", n % 17 == 0 ? "5000" : "");
    if (member) {
        million_add(million, "g%d", zipf(shard, n, 2) % 20);
        million_add(million, "%d", n);
    } else {
        million_add(million, "%s", "");
        million_add(million, "%s", "");
    }
    million_add(million, "%d", n);
    million_add(million, "%s", "");
    million_add(million, "c");
    million_add(million, "%s", "");
    million_add(million,
                "{\"some\":\"payload of a hundred bytes or so, as operations have it when not large\",\"n\":%d}", n);
}

static void batch_ingest(struct million *million, int shard, int first)
{
    million_begin(million, "bgop_ingest", shard);
    million_add(million, "0");
    million_add(million, "0");
    for (int n = first; n < first + MILLION_BATCH; n++)
        add_operation(million, shard, n);
    freeReplyObject(million_call(million));
}

static void apply_begin(struct million *million, int shard)
{
    million_begin(million, "bgop_apply", shard);
    million_add(million, "%" PRId64, million->status_next[shard]);
    million_add(million, "%" PRId64, ++million->status_next[shard]);
    for (int i = 0; i < 3; i++)
        million_add(million, "0");
}

static void error_text(struct million *million, int shard, int n)
{
    switch (n % 5) {
    case 0: million_add(million, "connection refused by host-%d.example", zipf(shard, n, 2)); break;
    case 1: million_add(million, "exit status %d", n % 7 + 1); break;
    default: million_add(million, "timed out after 5000 ms"); break;
    }
}

/* A number that stands behind the first six characters of an Id. */
static int number_of(const char *id)
{
    int64_t number = 0;

    for (int i = 6; i < 15; i++)
        number = number * 62 + (id[i] <= '9' ? id[i] - '0' : id[i] <= 'Z' ? id[i] - 'A' + 10 : id[i] - 'a' + 36);
    return (int)number;
}

/* row: of a claim's answer. */
static void add_outcome(struct million *million, int shard, redisReply **row)
{
    static const char *const kinds[] = {
        [FATE_OK] = "ok",  [FATE_PERMANENT] = "permanent", [FATE_TIMED] = "error", [FATE_RETRIED] = "error",
        [FATE_NEW] = "ok", [FATE_CANCELED] = "ok"
    };
    int n = number_of(row[0]->str);
    enum fate fate = fate_of(shard, n);

    if (fate == FATE_RUNS)
        return;
    million_add(million, "%s", kinds[fate]);
    million_add(million, "%s", row[0]->str);
    million_add(million, "%s", row[1]->str);
    million_add(million, "%" PRId64, million->now_ms);
    million_add(million, "%d", 1 + (int)(mix(shard, n, 2) % 300));
    million_add(million, "http://10.0.0.%d:8000/", n / MILLION_BATCH % MILLION_WORKERS);
    if (strcmp(kinds[fate], "ok") == 0)
        million_add(million, "%s", "");
    else
        error_text(million, shard, n);
    million_add(million, "%s", fate == FATE_TIMED ? "500000000" : "");
    million_add(million, "%s", "");
    million_add(million, "%s", row[8]->str); /* its leader */
    million_add(million, "%s", "");
}

/* Of each execution the followers first, as workers write it. */
static void add_outcomes(struct million *million, int shard, redisReply *claimed)
{
    redisReply **leader = NULL;

    for (size_t i = 3; i + 8 < claimed->elements; i += 9) {
        redisReply **row = &claimed->element[i];

        if (row[8]->len > 0) {
            add_outcome(million, shard, row);
            continue;
        }
        if (leader != NULL)
            add_outcome(million, shard, leader);
        leader = row;
    }
    if (leader != NULL)
        add_outcome(million, shard, leader);
}

static bool is_to_run(int shard, int n, const char *type)
{
    enum fate fate = fate_of(shard, n);

    return strcmp(type_of(shard, n), type) == 0 && fate != FATE_NEW && fate != FATE_CANCELED;
}

/* Claims this Type's of the batch, as far as they are to run, and ends them as their fate says. */
static void batch_run(struct million *million, int shard, int first, const char *type)
{
    char id[ID_SIZE];
    redisReply *claimed;
    int want = 0;

    for (int n = first; n < first + MILLION_BATCH; n++)
        want += is_to_run(shard, n, type);
    if (want == 0)
        return;
    million_begin(million, "bgop_claim", shard);
    million_add(million, "instance-%d", first / MILLION_BATCH % MILLION_WORKERS);
    million_add(million, "http://10.0.0.%d:8000/", first / MILLION_BATCH % MILLION_WORKERS);
    million_add(million, "%d", first);
    million_add(million, "%s", type);
    million_add(million, "%d", want);
    for (int n = first; n < first + MILLION_BATCH; n++) {
        if (!is_to_run(shard, n, type))
            continue;
        million_id(id, shard, n);
        million_add(million, "%s", id);
    }
    claimed = million_call(million);
    million_clock(million, million->now_ms + 2);
    apply_begin(million, shard);
    add_outcomes(million, shard, claimed);
    freeReplyObject(million_call(million));
    freeReplyObject(claimed);
}

static void batch_cancel(struct million *million, int shard, int first)
{
    char id[ID_SIZE];

    apply_begin(million, shard);
    for (int n = first; n < first + MILLION_BATCH; n++) {
        if (fate_of(shard, n) != FATE_CANCELED)
            continue;
        million_id(id, shard, n);
        million_add(million, "cancel");
        million_add(million, "%s", id);
        for (const char *const *text = (const char *const[]){ "0", "", "", "", "not wanted", "", "", "", "", NULL };
             *text; text++)
            million_add(million, "%s", *text);
    }
    freeReplyObject(million_call(million));
}

static void tick(struct million *million, int shard)
{
    million_begin(million, "bgop_tick", shard);
    million_add(million, "0"); /* judges no lease: what runs goes on running */
    million_add(million, "500");
    freeReplyObject(million_call(million));
}

static void workers_renew(struct million *million)
{
    for (int s = 0; s < MILLION_SHARDS; s++) {
        for (int w = 0; w < MILLION_WORKERS; w++) {
            million_begin(million, "bgop_renew", s);
            million_add(million, "instance-%d", w);
            million_add(million, "http://10.0.0.%d:8000/", w);
            million_add(million, "WebCart ExternalObject SiteTaskCreate");
            million_add(million, "64");
            freeReplyObject(million_call(million));
        }
    }
}

/* A coordinator ticks every second, and time flies here: what ticks have left for later (statistics, ten minutes a time)
 * is done before end_ms. */
static void catch_up(struct million *million, int64_t end_ms)
{
    for (int second = CATCH_UP_S; second >= 0; second--) {
        million_clock(million, end_ms - second * 1000);
        for (int s = 0; s < MILLION_SHARDS; s++)
            tick(million, s);
    }
}

void million_batch(struct million *million, int shard, int first)
{
    batch_ingest(million, shard, first);
    million_clock(million, million->now_ms + 7);
    for (int t = 0; t < TYPES; t++)
        batch_run(million, shard, first, types[t].name);
    batch_cancel(million, shard, first);
}

static void fill(struct million *million)
{
    int64_t step_ms = (int64_t)MILLION_HOURS * 3600000 / (million->per_shard / MILLION_BATCH);

    million_clock(million, MILLION_T0);
    freeReplyObject(million_command(million, "HSET bgop:meta shards %d", MILLION_SHARDS));
    for (int s = 0; s < MILLION_SHARDS; s++)
        shard_arm(million, s);
    for (int first = 0; first < million->per_shard; first += MILLION_BATCH) {
        int64_t begun = MILLION_T0 + 60000 + step_ms * (first / MILLION_BATCH);

        for (int s = 0; s < MILLION_SHARDS; s++) {
            million_clock(million, begun + s * step_ms / MILLION_SHARDS);
            million_batch(million, s, first);
            if (first / MILLION_BATCH % TICK_EVERY == 0)
                tick(million, s);
        }
    }
    catch_up(million, MILLION_T0 + (int64_t)MILLION_HOURS * 3600000 + 120000);
    workers_renew(million);
}

/* A queue that was filled before goes on where it stands. */
static void go_on(struct million *million)
{
    redisReply *next = million_command(million, "GET sim:next");

    if (next->type == REDIS_REPLY_STRING)
        million->next = (int)strtol(next->str, NULL, 10);
    freeReplyObject(next);
    for (int s = 0; s < MILLION_SHARDS; s++) {
        redisReply *fence = million_command(million, "HGET bgop:{%d}:fences t", s);

        million->status_next[s] = fence->type == REDIS_REPLY_STRING ? strtoll(fence->str, NULL, 10) : 0;
        freeReplyObject(fence);
    }
}

void million_note_next(struct million *million, int next)
{
    million->next = next;
    freeReplyObject(million_command(million, "SET sim:next %d", next));
}

void million_open(struct million *million, redisContext *redis, int operations)
{
    redisReply *filled;

    memset(million, 0, sizeof *million);
    million->redis = redis;
    million->per_shard = operations / MILLION_SHARDS / MILLION_BATCH * MILLION_BATCH;
    if (million->per_shard == 0)
        million->per_shard = MILLION_BATCH;
    million->next = million->per_shard;
    library_load(million);
    filled = million_command(million, "GET sim:filled");
    if (filled->type != REDIS_REPLY_STRING) {
        fill(million);
        freeReplyObject(million_command(million, "SET sim:filled 1"));
        million_clock(million, MILLION_T0 + (int64_t)MILLION_HOURS * 3600000 + 120000);
    } else {
        redisReply *now = million_command(million, "GET sim:now");

        million->now_ms = now->type == REDIS_REPLY_STRING ? strtoll(now->str, NULL, 10) : MILLION_T0;
        freeReplyObject(now);
        go_on(million);
    }
    freeReplyObject(filled);
}
