/* doctor: does all that Redis holds agree with itself, and with Kafka? */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "coordinator/ctl/commands.h"
#include "coordinator/ctl/doctor.h"

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
        doctor->changes_from[shard] = stream_position(redis_reply_text(redis_reply_at(reply, 0), NULL));
        doctor->deleted_from[shard] = stream_position(redis_reply_text(redis_reply_at(reply, 1), NULL));
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
        code = doctor_counts(doctor);
    for (int look = 0; look < LOOKS_AGAIN && code == EXIT_OK && doctor->finding_count; look++) {
        nanosleep(&(struct timespec){ 0, LOOK_PAUSE_MS * 1000000L }, NULL);
        code = doctor_look_again(doctor, false);
    }
    return code;
}

/* One mending may put right what several looks found: what is all right now was mended too. */
static int mend_all(struct doctor *doctor)
{
    int code = EXIT_OK;

    for (size_t i = 0; i < doctor->finding_count && code == EXIT_OK; i++) {
        if (doctor->findings[i].what && !doctor->findings[i].gone)
            code = doctor_mend(doctor, &doctor->findings[i]);
    }
    return code == EXIT_OK ? doctor_look_again(doctor, true) : code;
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

static void print_report_json(const struct doctor *doctor)
{
    json_t *list = json_array(), *report;

    for (size_t i = 0; i < doctor->finding_count; i++) {
        const struct finding *finding = &doctor->findings[i];

        if (!finding->gone)
            json_array_append_new(list, json_pack("{s:i, s:s, s:s, s:s, s:b}", "shard", finding->shard, "subject",
                                                  finding->subject, "index", finding->index, "text", finding->text,
                                                  "mended", finding->mended));
    }
    report = json_pack("{s:i, s:I, s:I, s:o, s:{s:o, s:o}, s:i}", "shards", doctor->session->shards, "operations",
                       (json_int_t)doctor->operations, "entries", (json_int_t)doctor->entries, "mismatches", list,
                       "lag", "submit", lag_json(doctor->submit_lag), "status", lag_json(doctor->status_lag),
                       "countersNotJudged", doctor->unsure);
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

static void print_report(const struct doctor *doctor, struct sums sums)
{
    char operations[32], entries[32], wrong[32], mended[32], lag[32];

    print_findings(doctor);
    if (sums.wrong > SHOWN_MAX)
        printf("... and %s more; --json gives all\n", format_count(wrong, sums.wrong - SHOWN_MAX));
    printf("%s%s operations and %s entries of indexes in %d shards: %s", sums.wrong ? "\n" : "",
           format_count(operations, doctor->operations), format_count(entries, doctor->entries),
           doctor->session->shards, sums.wrong ? format_count(wrong, sums.wrong) : "all agree");
    if (sums.wrong)
        printf(" mismatch%s%s%s", sums.wrong == 1 ? "" : "es", options.fix ? ", mended " : "",
               options.fix ? format_count(mended, sums.mended) : "");
    putchar('\n');
    if (doctor->submit_lag >= 0)
        printf("not yet read: %s submissions and commands", format_count(lag, doctor->submit_lag));
    if (doctor->status_lag >= 0)
        printf(", %s batches of outcomes\n", format_count(lag, doctor->status_lag));
    if (doctor->unsure)
        printf("counters of %d shards changed too fast to be judged; try again\n", doctor->unsure);
    if (sums.wrong > sums.mended && !options.fix)
        printf("`bgopctl doctor --fix` mends what can be mended safely\n");
}

static int run(struct session *session, int count, char **operands)
{
    struct doctor doctor;
    struct sums sums;
    int code = session_redis(session), logs;

    (void)count, (void)operands;
    if (code == EXIT_OK)
        code = session_shards(session);
    if (code != EXIT_OK)
        return code;
    doctor_init(&doctor, session);
    code = examine(&doctor);
    progress_end(&doctor.progress);
    if (code == EXIT_OK && options.fix)
        code = mend_all(&doctor);
    logs = code == EXIT_OK ? doctor_offsets(&doctor) : code;
    sums = sum_up(&doctor);
    if (code == EXIT_OK && session->json)
        print_report_json(&doctor);
    else if (code == EXIT_OK)
        print_report(&doctor, sums);
    doctor_release(&doctor);
    return code != EXIT_OK ? code : sums.wrong > sums.mended ? EXIT_FAILED : logs;
}

const struct subcommand command_doctor = {
    .name = "doctor",
    .usage = "[--fix]",
    .about = "records, timers, indexes, counters and offsets against each other",
    .help = "Looks at every operation and every entry of every index in small slices, while the queue works on.\n"
            "--fix mends what can be mended safely: the record is the truth; what only a person can decide is told.\n"
            "Exit 1 on any mismatch (with --fix: on any that is not mended).",
    .flags = COMMAND_FLAGS(flags),
    .run = run,
};
