/* All that meet an action's condition are found before the first command is sent: so what comes to meet it only by what the
 * action does is left alone, and each is acted on at most once. */
#include <string.h>

#include "common/action/match.h"
#include "common/base/clock.h"
#include "coordinator/actions/run.h"

enum { ALIVE_MS = 500 };

struct finding {
    struct run *run;
    struct buf ids; /* not kept yet, joined by blanks */
    size_t count;   /* of those */
    int64_t kept;
    int64_t alive_ms;
    bool ours, runs;
    enum status st;
    struct err *err;
};

static bool goes_on(const struct finding *finding)
{
    return finding->st == ST_OK && finding->ours && finding->runs && !loop_stopping(finding->run->loop);
}

static void keep(struct finding *finding, bool last)
{
    struct run *run = finding->run;

    finding->st = action_found(run->loop->redis, &run->owner, finding->kept, last, finding->ids.data, finding->ids.size,
                               &finding->runs, finding->err);
    finding->kept += (int64_t)finding->count;
    finding->count = 0;
    buf_clear(&finding->ids);
}

static bool on_row(void *arg, const json_t *row)
{
    struct finding *finding = arg;
    const char *id = json_string_value(json_object_get(row, "Id"));

    if (finding->count > 0)
        buf_append_char(&finding->ids, ' ');
    buf_append(&finding->ids, id ? id : "", id ? ID_LENGTH : 0);
    if (++finding->count == ACTION_BOUND_CHUNK)
        keep(finding, false);
    return goes_on(finding);
}

/* A page without a single row takes its time too: the lease is renewed, and whether it was aborted is asked. */
static bool on_page(void *arg)
{
    struct finding *finding = arg;
    struct run *run = finding->run;
    static _Thread_local struct action_owner owners[ACTION_BOUND_RUNNING];
    size_t count;

    loop_beat(run->loop);
    if (clock_boot_ms() - finding->alive_ms < ALIVE_MS || !goes_on(finding))
        return goes_on(finding);
    finding->alive_ms = clock_boot_ms();
    finding->st = action_take(run->loop->redis, run->owner.instance, false, owners, &count, finding->err);
    finding->ours = false;
    for (size_t i = 0; i < count; i++)
        finding->ours |= strcmp(owners[i].name, run->owner.name) == 0 && owners[i].fence == run->owner.fence;
    return goes_on(finding);
}

static enum status find_all(struct finding *finding, const struct query *query)
{
    struct run *run = finding->run;
    const struct query_options options = { .now_ms = run->job.started_ms, .on_page = on_page, .page_arg = finding };
    enum status st = query_run(query, run->loop->redis, &options, on_row, finding, NULL, finding->err);

    if (st == ST_OK && goes_on(finding)) {
        keep(finding, true);
        run->job.matching = finding->kept;
    }
    if (st != ST_OK || finding->st != ST_OK)
        return st != ST_OK ? st : finding->st;
    if (finding->ours && finding->runs && run->job.matching > 0)
        return ST_OK;
    return err_set(finding->err, ST_STALE, "it goes on no more, or not here");
}

enum status find_operations(struct run *run, struct err *err)
{
    struct finding finding = { .run = run, .ours = true, .runs = true, .st = ST_OK, .err = err };
    struct query *query = match_parse(run->job.kind, run->job.where, NULL, err);
    enum status st = err->status;

    if (!query)
        return st;
    buf_init(&finding.ids, ACTION_BOUND_CHUNK * ID_SIZE);
    finding.alive_ms = clock_boot_ms();
    st = find_all(&finding, query);
    buf_release(&finding.ids);
    query_free(query);
    return st;
}
