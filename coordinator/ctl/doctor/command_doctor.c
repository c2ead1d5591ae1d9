/* doctor: does all that Redis holds agree with itself, and with Kafka? */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "coordinator/ctl/commands.h"
#include "coordinator/ctl/doctor/doctor.h"
#include "coordinator/ctl/health.h"

enum { LOOKS_AGAIN = 2, LOOK_PAUSE_MS = 200, SHOWN_MAX = 200 };

static struct {
    const char *fix;
} options;

static const struct flag flags[] = {
    { "fix", NULL, "mend what can be mended safely: indexes and counters follow the records", &options.fix },
};

/* Where the logs of changes stand before anything is read. */
static int take_positions(struct doctor *doctor)
{
    struct redis_reply *reply = NULL;
    struct err err = ERR_INIT;
    int code = EXIT_OK;

    if (redis_call(doctor->session->redis, &reply, &err, "TIME", NULL) != ST_OK)
        return session_fail_status(&err);
    doctor->begun_ms = redis_reply_int(redis_reply_at(reply, 0), 0) * 1000;
    redis_reply_free(reply);
    for (int shard = 0; shard < doctor->session->shards && code == EXIT_OK; shard++) {
        reply = NULL;
        code = doctor_check(doctor, shard, "counts", NULL, NULL, 0, &reply);
        doctor->changes_from[shard] =
            stream_position(redis_reply_text(redis_reply_at(reply, WIRE_CHECKED_COUNTS_CHANGES), NULL));
        doctor->deleted_from[shard] =
            stream_position(redis_reply_text(redis_reply_at(reply, WIRE_CHECKED_COUNTS_DELETED), NULL));
        redis_reply_free(reply);
    }
    return code;
}

static int examine(struct doctor *doctor)
{
    int code = take_positions(doctor);

    if (code == EXIT_OK)
        code = doctor_scan(doctor);
    if (code == EXIT_OK)
        code = doctor_streams(doctor);
    if (code == EXIT_OK)
        code = doctor_fences(doctor);
    if (code == EXIT_OK)
        code = doctor_counts(doctor);
    for (int look = 0; look < LOOKS_AGAIN && code == EXIT_OK && doctor->finding_count; look++) {
        nanosleep(&(struct timespec){ 0, LOOK_PAUSE_MS * 1000000L }, NULL);
        code = doctor_recheck(doctor, false);
    }
    return code;
}

/* Fences first, and before Kafka's logs are compared with them. */
static int mend(struct doctor *doctor, bool fences)
{
    int code = EXIT_OK;

    for (size_t i = 0; i < doctor->finding_count && code == EXIT_OK; i++) {
        struct finding *finding = &doctor->findings[i];

        if (finding->what && !finding->gone && (strcmp(finding->what, "fence") == 0) == fences)
            code = doctor_mend(doctor, finding);
    }
    return code;
}

/* One mending may put right what several looks found: what is all right now was mended too. */
static int mend_all(struct doctor *doctor)
{
    int code = mend(doctor, false);

    return code == EXIT_OK ? doctor_recheck(doctor, true) : code;
}

/* ---- the report ---- */

struct sums {
    long long wrong, mended;
};

static struct sums sum_up(const struct doctor *doctor)
{
    struct sums sums = { 0 };

    for (size_t i = 0; i < doctor->finding_count; i++) {
        sums.wrong += !doctor->findings[i].gone;
        sums.mended += !doctor->findings[i].gone && doctor->findings[i].mended;
    }
    return sums;
}

static json_t *lag_json(long long lag)
{
    return lag < 0 ? json_null() : json_integer(lag);
}

static void print_report_json(const struct doctor *doctor, const json_t *stats)
{
    json_t *list = json_array(), *report;

    for (size_t i = 0; i < doctor->finding_count; i++) {
        const struct finding *finding = &doctor->findings[i];

        if (!finding->gone) {
            json_array_append_new(list, json_pack("{s:i, s:s, s:s, s:s, s:b}", "shard", finding->shard, "subject",
                                                  finding->subject, "index", finding->index, "text", finding->text,
                                                  "mended", finding->mended));
        }
    }
    report = json_pack("{s:o, s:i, s:I, s:I, s:o, s:{s:o, s:o}, s:O, s:i}", "health", health_json(stats), "shards",
                       doctor->session->shards, "operations", (json_int_t)doctor->operations, "entries",
                       (json_int_t)doctor->entries, "mismatches", list, "lag", "submit", lag_json(doctor->submit_lag),
                       "status", lag_json(doctor->status_lag), "openTransactions", doctor->held, "countersNotJudged",
                       doctor->unsure);
    print_json_pretty(stdout, report);
    json_decref(report);
}

static void print_findings(const struct doctor *doctor)
{
    static const struct column columns[] = {
        { "SHARD", COLUMN_RIGHT }, { "WHAT", COLUMN_SHRINK }, { "INDEX", COLUMN_SHRINK },
        { "WHAT IS WRONG", 0 },    { "MENDED", 0 },
    };
    struct table table;
    char text[32];
    size_t shown = 0;

    table_init(&table, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < doctor->finding_count && shown < SHOWN_MAX; i++) {
        const struct finding *finding = &doctor->findings[i];

        if (finding->gone)
            continue;
        shown++;
        snprintf(text, sizeof text, "%d", finding->shard);
        table_add(&table, text);
        table_add(&table, finding->subject);
        table_add(&table, finding->index);
        table_add(&table, finding->text);
        table_add(&table, !options.fix ? "" : finding->mended ? "mended" : "not mended");
    }
    if (shown)
        table_print(&table, stdout, terminal_width(stdout), false);
    table_release(&table);
}

static void print_held(const struct doctor *doctor)
{
    const json_t *held;
    size_t i;

    json_array_foreach(doctor->held, i, held)
    {
        long long stable = json_integer_value(json_object_get(held, "stable")),
                  end = json_integer_value(json_object_get(held, "end"));

        printf("an open transaction holds %s[%d] at offset %lld: %lld messages behind it are read when its producer "
               "commits, aborts or times out\n",
               json_string_value(json_object_get(held, "topic")),
               (int)json_integer_value(json_object_get(held, "partition")), stable, end - stable);
    }
}

static void print_report(const struct doctor *doctor, struct sums sums)
{
    char operations[32], entries[32], wrong[32], mended[32], lag[32];

    print_findings(doctor);
    if (sums.wrong > SHOWN_MAX)
        printf("... and %s more; --json gives all\n", format_count(wrong, sums.wrong - SHOWN_MAX));
    printf("%s%s operations and %s entries of indexes in %d shards: %s", sums.wrong ? "\n" : "",
           format_count(operations, doctor->operations), format_count(entries, doctor->entries),
           doctor->session->shards, sums.wrong ? format_count(wrong, sums.wrong) : "all agree");
    if (sums.wrong) {
        printf(" mismatch%s%s%s", sums.wrong == 1 ? "" : "es", options.fix ? ", mended " : "",
               options.fix ? format_count(mended, sums.mended) : "");
    }
    putchar('\n');
    if (doctor->submit_lag >= 0)
        printf("not yet read: %s submissions and commands", format_count(lag, doctor->submit_lag));
    if (doctor->status_lag >= 0)
        printf(", %s batches of outcomes\n", format_count(lag, doctor->status_lag));
    print_held(doctor);
    if (doctor->unsure)
        printf("counters of %d shards changed too fast to be judged; try again\n", doctor->unsure);
    if (sums.wrong > sums.mended && !options.fix)
        printf("`bgopctl doctor --fix` mends what can be mended safely\n");
}

/* First, and at once: a queue that is not well may have nothing that could be looked through. */
static int look_at_health(struct session *session, json_t **stats)
{
    int code = session_call(session, stats, "bgop_stats", NULL, 0);

    if (code == EXIT_OK && !session->json)
        health_print(*stats, stdout, 0, true);
    return code == EXIT_OK ? session_shards(session) : code;
}

static int examine_all(struct session *session, const json_t *stats)
{
    struct doctor doctor;
    struct sums sums;
    int code, logs;

    doctor_init(&doctor, session);
    code = examine(&doctor);
    progress_end(&doctor.progress);
    if (code == EXIT_OK && options.fix)
        code = mend(&doctor, true);
    logs = code == EXIT_OK ? doctor_offsets(&doctor) : code;
    if (code == EXIT_OK && options.fix)
        code = mend_all(&doctor);
    sums = sum_up(&doctor);
    if (code == EXIT_OK && session->json)
        print_report_json(&doctor, stats);
    else if (code == EXIT_OK)
        print_report(&doctor, sums);
    doctor_release(&doctor);
    if (code == EXIT_OK && sums.wrong > sums.mended)
        return EXIT_FAILED;
    if (code == EXIT_OK)
        code = logs;
    return code == EXIT_OK && !health_is_well(stats) ? EXIT_FAILED : code;
}

static int run(struct session *session, int count, char **operands)
{
    json_t *stats = NULL;
    int code = look_at_health(session, &stats);

    (void)count, (void)operands;
    if (code == EXIT_OK)
        code = examine_all(session, stats);
    json_decref(stats);
    return code;
}

const struct subcommand command_doctor = {
    .name = "doctor",
    .usage = "[--fix]",
    .about = "records, timers, indexes, counters and offsets against each other",
    .help =
        "Looks at every operation and every entry of every index in small slices, while the queue works on.\n"
        "--fix mends what can be mended safely: the record is the truth; what only a person can decide is told.\n"
        "What is wrong with the queue comes first, with what is to be done: a halted partition, a coordinator that is gone.\n"
        "Exit 1 on any mismatch (with --fix: on any that is not mended), and on anything that is wrong.",
    .flags = COMMAND_FLAGS(flags),
    .run = run,
};
