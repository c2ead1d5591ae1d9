#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/process.h"
#include "common/base/text.h"
#include "coordinator/ctl/commands.h"
#include "coordinator/ctl/print.h"
#include "coordinator/ctl/submit/submit.h"

enum { FLUSH_MS = 30000 };

static struct {
    const char *type, *parent, *name, *after, *retry_limit, *backoff, *timeout, *sequence_group, *sequence, *payload,
        *file, *from;
} options;

static const struct flag flags[] = {
    { "type", "TYPE", "what kind of operation it is; `bgopctl describe` lists them", &options.type },
    { "parent", "KEY", "ParentKey: tag of a related set", &options.parent },
    { "name", "NAME", "your own key: the same again counts once", &options.name },
    { "after", "TIME", "not before: ISO 8601, epoch ms, or a distance such as +90s, +10m, +2h", &options.after },
    { "retry-limit", "N", "most retries; default by Type", &options.retry_limit },
    { "backoff", "MS", "R of the retry law (0, 3R, 7R, 15R ...); default by Type", &options.backoff },
    { "timeout", "MS", "most milliseconds one attempt may run; default by Type", &options.timeout },
    { "sequence-group", "G", "run in the order of --sequence among the group", &options.sequence_group },
    { "sequence", "N", "position in the group", &options.sequence },
    { "payload", "TEXT", "what the handler gets", &options.payload },
    { "file", "FILE", "the payload is this file; a lone - is standard input", &options.file },
    { "from", "FILE", "many: one JSON object per line, - is standard input; no other option goes with it",
      &options.from },
};

static bool take_text(char to[RECORD_STRING_SIZE], const char *text, const char *field)
{
    if (!text || text_copy(to, RECORD_STRING_SIZE, text, strlen(text)))
        return true;
    session_fail(EXIT_USAGE_ERROR, "%s has more than 255 characters", field);
    return false;
}

static bool take_number(int64_t *to, const char *text, const char *option)
{
    if (!text || text_parse_int64(text, 0, RECORD_INT_MAX, to))
        return true;
    session_fail(EXIT_USAGE_ERROR, "--%s %s: a number from 0 to 999,999,999 is expected", option, text);
    return false;
}

static bool take_time(int64_t *to, const char *text)
{
    const char *wrong = text ? argument_time(text, clock_wall_ms(), to) : NULL;

    if (!wrong)
        return true;
    session_fail(EXIT_USAGE_ERROR,
                 "--after %s: a time is expected: 2026-11-23T10:00:00Z, epoch milliseconds, or a distance from now "
                 "such as +90s, +10m, +2h; this %s",
                 text, wrong);
    return false;
}

static int read_payload(struct buf *payload, const char *file)
{
    FILE *from = strcmp(file, "-") == 0 ? stdin : fopen(file, "rbe");
    char chunk[65536];
    size_t size;
    bool failed;

    if (!from)
        return session_fail(EXIT_USAGE_ERROR, "--file %s: %m", file);
    while ((size = fread(chunk, 1, sizeof chunk, from)) > 0 && buf_append(payload, chunk, size))
        ;
    failed = ferror(from);
    if (from != stdin)
        fclose(from);
    if (failed)
        return session_fail(EXIT_FAILED, "%s could not be read", file);
    if (payload->overflow)
        return session_fail(EXIT_USAGE_ERROR, "%s is larger than the largest payload, %zu bytes", file, payload->max);
    return EXIT_OK;
}

static int take_payload(struct submission *submission, struct buf *payload, bool from_stdin)
{
    int code = EXIT_OK;

    if ((options.payload != NULL) + (options.file != NULL) + from_stdin > 1)
        return session_fail(EXIT_USAGE_ERROR, "give the payload once: --payload TEXT, --file FILE or -");
    if (options.payload) {
        submission->payload = options.payload;
        submission->payload_size = strlen(options.payload);
    } else if (options.file || from_stdin) {
        code = read_payload(payload, from_stdin ? "-" : options.file);
        submission->payload = payload->data;
        submission->payload_size = payload->size;
    }
    return code;
}

static bool take_options(struct submission *submission)
{
    return take_text(submission->type, options.type, "Type") &&
           take_text(submission->parent_key, options.parent, "ParentKey") &&
           take_text(submission->name, options.name, "Name") &&
           take_text(submission->sequence_group, options.sequence_group, "SequenceGroup") &&
           take_number(&submission->retry_limit, options.retry_limit, "retry-limit") &&
           take_number(&submission->retry_backoff_ms, options.backoff, "backoff") &&
           take_number(&submission->timeout_ms, options.timeout, "timeout") &&
           take_number(&submission->sequence_number, options.sequence, "sequence") &&
           take_time(&submission->process_after_ms, options.after);
}

static void keep_delivery(void *arg, const struct bgop_delivery *delivery)
{
    struct bgop_delivery *kept = arg;

    *kept = *delivery;
    kept->text = "";
    if (delivery->code != BGOP_OK)
        session_fail(EXIT_FAILED, "not submitted: %s", delivery->text);
}

static int delivered(struct session *session, const struct bgop_delivery *delivery)
{
    if (delivery->code != BGOP_OK)
        return delivery->code == BGOP_UNREACHABLE ? EXIT_UNREACHABLE : EXIT_FAILED;
    if (session->json) {
        json_t *answer = json_pack("{s:s, s:i, s:I}", "Id", delivery->id, "partition", delivery->partition, "offset",
                                   (json_int_t)delivery->offset);

        print_json(stdout, answer);
        json_decref(answer);
    } else if (*delivery->id) {
        puts(delivery->id);
    } else {
        printf(
            "submitted to partition %d at offset %lld. Its Id is not known now: Redis does not answer, or Kafka lost "
            "submissions of that partition and the queue has not recovered from that yet; `bgopctl doctor` tells more\n",
            delivery->partition, (long long)delivery->offset);
    }
    if (!process_flush()) {
        return session_fail(EXIT_FAILED, "submitted as %s (partition %d, offset %lld)", delivery->id,
                            delivery->partition, (long long)delivery->offset);
    }
    return EXIT_OK;
}

static int submit_one(struct session *session, const struct submission *submission)
{
    struct bgop_submission borrowed = submit_borrow(submission);
    struct bgop_delivery delivery = { .code = BGOP_UNKNOWN };
    enum bgop_code code = bgop_submit(session->client, &borrowed, keep_delivery, &delivery);

    if (code == BGOP_OK)
        code = bgop_flush(session->client, FLUSH_MS);
    if (code == BGOP_TIMED_OUT)
        return session_fail(EXIT_UNREACHABLE, "%s", bgop_error(session->client));
    if (code != BGOP_OK)
        return session_fail_client(session, code);
    session_settle_id(session, delivery.id);
    return delivered(session, &delivery);
}

static int run_one(struct session *session, const struct queue_types *types, bool from_stdin)
{
    struct submission submission;
    struct err err = ERR_INIT;
    struct buf payload;
    int code;

    submission_init(&submission);
    buf_init(&payload, (size_t)session->config.payload_max_bytes);
    code = take_options(&submission) ? take_payload(&submission, &payload, from_stdin) : EXIT_USAGE_ERROR;
    if (code == EXIT_OK && submit_check(&submission, types, (size_t)session->config.payload_max_bytes, &err) != ST_OK)
        code = session_fail(EXIT_USAGE_ERROR, "%s", err.text);
    if (code == EXIT_OK)
        code = submit_one(session, &submission);
    submission_release(&submission);
    buf_release(&payload);
    return code;
}

static int run_lines(struct session *session, const struct queue_types *types)
{
    FILE *from = strcmp(options.from, "-") == 0 ? stdin : fopen(options.from, "re");
    int code;

    if (!from)
        return session_fail(EXIT_USAGE_ERROR, "--from %s: %m", options.from);
    code = submit_lines(session, types, from, options.from);
    if (from != stdin)
        fclose(from);
    return code;
}

/* What no server is needed for. */
static int check_values(void)
{
    struct submission submission;
    bool fine;

    submission_init(&submission);
    fine = take_options(&submission);
    submission_release(&submission);
    return fine ? EXIT_OK : EXIT_USAGE_ERROR;
}

static int check_options(int count, char **operands)
{
    bool from_stdin = count && strcmp(operands[0], "-") == 0;
    bool one = options.type || options.parent || options.name || options.after || options.retry_limit ||
               options.backoff || options.timeout || options.sequence_group || options.sequence || options.payload ||
               options.file;

    if (options.from && (one || count))
        return session_fail(EXIT_USAGE_ERROR, "--from takes everything from its lines: no other option goes with it");
    if (!options.from && count && !from_stdin) {
        return session_fail(EXIT_USAGE_ERROR,
                            "submit does not take the word %s; a payload is given by --payload TEXT, --file FILE or -",
                            operands[0]);
    }
    if (!options.from && !options.type) {
        return session_fail(
            EXIT_USAGE_ERROR,
            "submit needs --type TYPE, or --from FILE with one JSON object per line; `bgopctl help submit` tells more");
    }
    return options.from ? EXIT_OK : check_values();
}

static int run(struct session *session, int count, char **operands)
{
    struct queue_types types = { 0 };
    int code = check_options(count, operands);

    if (code == EXIT_OK)
        code = session_client(session);
    if (code == EXIT_OK)
        code = queue_types_read(&types, session);
    if (code == EXIT_OK)
        code = options.from ? run_lines(session, &types) : run_one(session, &types, count > 0);
    queue_types_release(&types);
    return code;
}

const struct subcommand command_submit = {
    .name = "submit",
    .usage = "--type TYPE [options] [-] | --from FILE",
    .about = "submit one operation, or many from a file; prints Ids",
    .help =
        "A line of FILE is an object as Kafka's topic takes it; only Type is required:\n"
        "  {\"Type\":\"WebCart\",\"ParentKey\":\"acct-42\",\"Name\":\"import-7\",\"Payload\":{\"any\":\"JSON\"}}\n"
        "Lines that are wrong are reported with their number and not submitted; the others are. The Ids come out\n"
        "in the order of the lines (on a terminal only for a few); with --json {\"line\",\"Id\"} each. Exit 1 when\n"
        "some were not submitted.",
    .flags = COMMAND_FLAGS(flags),
    .max_operands = 1,
    .run = run,
};
