/* Many submissions from lines: read, check, produce; delivery reports come back in any order, Ids go out in the order
 * of the lines, so a ring holds what is between the oldest unreported line and the newest. */
#include "coordinator/ctl/submit/submit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/base/process.h"
#include "common/codec/codec.h"
#include "coordinator/ctl/print.h"

enum {
    RING_SIZE = 32768,      /* lines; more than libbgop takes in flight */
    LINE_MAX_BYTES = 65536, /* beside the payload */
    FLUSH_MS = 120000,
    POLL_EVERY = 256,      /* lines between two servings of delivery reports */
    TERMINAL_IDS_MAX = 20, /* printed on a terminal */
    BAD_LINES_SHOWN_MAX = 1000,
};

struct slot {
    long long line;
    struct lines *lines;
    bool reported;
    size_t size;
    char id[ID_SIZE];
};

struct lines {
    struct session *session;
    const struct queue_types *types;
    const char *file_name;
    bool quiet;           /* standard output is a terminal: only the first Ids */
    long long line;       /* number of the line read last */
    long long head, tail; /* slots: oldest unprinted .. next to be used */
    struct slot *ring;
    long long submitted, failed, bad, printed;
    long long size, read; /* bytes of the file (0: unknown), and read so far */
    long long begun_ms;
    struct progress progress;
    struct mock_limit limit;
    bool stalled; /* the mock's reader stands still: said once */
};

static void complain(struct lines *lines, long long line, const char *text)
{
    lines->bad++;
    progress_end(&lines->progress);
    if (lines->bad <= BAD_LINES_SHOWN_MAX)
        session_fail(EXIT_FAILED, "%s line %lld: %s", lines->file_name, line, text);
    else if (lines->bad == BAD_LINES_SHOWN_MAX + 1)
        session_fail(EXIT_FAILED, "more lines are wrong; only the first %d are shown", BAD_LINES_SHOWN_MAX);
}

static void print_slot(struct lines *lines, const struct slot *slot, FILE *to)
{
    if (!*slot->id)
        return;
    lines->printed++;
    if (lines->session->json)
        fprintf(to, "{\"line\":%lld,\"Id\":\"%s\"}\n", slot->line, slot->id);
    else if (!lines->quiet || lines->printed <= TERMINAL_IDS_MAX)
        fprintf(to, "%s\n", slot->id);
    else if (lines->printed == TERMINAL_IDS_MAX + 1)
        fprintf(to, "...\n");
}

/* Ids that standard output did not take are on standard error: nobody else knows them. Not for who has left (| head). */
static void print_reported(struct lines *lines)
{
    long long first = lines->head;

    while (lines->head < lines->tail && lines->ring[lines->head % RING_SIZE].reported)
        print_slot(lines, &lines->ring[lines->head++ % RING_SIZE], stdout);
    if (first == lines->head || process_flush() || process_output_error() == EPIPE)
        return;
    for (; first < lines->head; first++)
        print_slot(lines, &lines->ring[first % RING_SIZE], stderr);
}

static void on_delivery(void *arg, const struct bgop_delivery *delivery)
{
    struct slot *slot = arg;
    struct lines *lines = slot->lines;

    slot->reported = true;
    memcpy(slot->id, delivery->id, sizeof slot->id);
    if (delivery->code == BGOP_OK) {
        lines->submitted++;
        mock_limit_sent(&lines->limit, delivery->partition, delivery->offset, slot->size);
    } else {
        lines->failed++;
        lines->bad--; /* complain counts bad lines; this one was fine */
        complain(lines, slot->line, delivery->text);
    }
}

static void draw(struct lines *lines)
{
    char text[128], count[32], rate[32];
    long long spent_ms = clock_boot_ms() - lines->begun_ms;

    if (!lines->progress.on)
        return;
    snprintf(text, sizeof text, "%s submitted, %s/s", format_count(count, lines->submitted),
             format_count(rate, spent_ms > 0 ? lines->submitted * 1000 / spent_ms : 0));
    progress_draw(&lines->progress, lines->size ? (double)lines->read / (double)lines->size : -1, text);
}

static void serve(struct lines *lines, int timeout_ms)
{
    bgop_poll(lines->session->client, timeout_ms);
    print_reported(lines);
    if (!mock_limit_wait(&lines->limit, lines->session) && !lines->stalled) {
        lines->stalled = true;
        lines->limit.on = false;
        progress_end(&lines->progress);
        session_fail(EXIT_FAILED, "the queue does not read what was submitted; going on, but the mock broker of `bgop "
                                  "dev` forgets what is too old");
    }
    draw(lines);
}

/* Waits for room in the ring and in libbgop. */
static enum bgop_code hand_over(struct lines *lines, const struct submission *submission)
{
    struct bgop_submission borrowed = submit_borrow(submission);
    struct slot *slot;
    enum bgop_code code;

    while (lines->tail - lines->head >= RING_SIZE)
        serve(lines, 20);
    slot = &lines->ring[lines->tail % RING_SIZE];
    *slot = (struct slot){ .line = lines->line, .lines = lines, .size = submission->payload_size + 200 };
    while ((code = bgop_submit(lines->session->client, &borrowed, on_delivery, slot)) == BGOP_FULL)
        serve(lines, 20);
    if (code == BGOP_OK)
        lines->tail++;
    return code;
}

static int take_line(struct lines *lines, const char *text, size_t size)
{
    struct submission submission;
    struct err err = ERR_INIT;
    int exit_code = EXIT_OK;

    submission_init(&submission);
    if (codec_read_submission_json(&submission, text, size, &err) != ST_OK ||
        submit_check(&submission, lines->types, (size_t)lines->session->config.payload_max_bytes, &err) != ST_OK) {
        complain(lines, lines->line, err.text);
    } else {
        enum bgop_code code = hand_over(lines, &submission);

        if (code == BGOP_INVALID)
            complain(lines, lines->line, bgop_error(lines->session->client));
        else if (code != BGOP_OK)
            exit_code = session_fail_client(lines->session, code);
    }
    submission_release(&submission);
    return exit_code;
}

static bool is_blank(const char *text, size_t size)
{
    while (size > 0 && memchr(" \t\r", text[size - 1], 3))
        size--;
    return size == 0;
}

/* The next line without its end, as far as it fits; what is longer is passed. false: there is none. */
static bool next_line(struct lines *lines, FILE *from, struct buf *text)
{
    int c;

    buf_clear(text);
    flockfile(from);
    while ((c = getc_unlocked(from)) != EOF && c != '\n') {
        lines->read++;
        buf_append(text, &(char){ (char)c }, 1);
    }
    funlockfile(from);
    if (c == EOF && text->size == 0 && !text->overflow)
        return false;
    lines->read++;
    lines->line++;
    return true;
}

/* What some editors put in front of UTF-8; files joined by cat have one in the middle. */
static size_t byte_order_mark(const char *text, size_t size)
{
    return size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

static bool is_utf16(const char *text, size_t size)
{
    return size >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0);
}

static int take(struct lines *lines, struct buf *line)
{
    size_t mark = byte_order_mark(line->data, line->size), size = line->size - mark;
    const char *text = line->size ? line->data + mark : "";
    char words[96];

    if (line->overflow) {
        snprintf(words, sizeof words, "longer than %zu bytes: no submission is", line->max);
        complain(lines, lines->line, words);
        return EXIT_OK;
    }
    if (lines->line == 1 && is_utf16(text, size))
        return session_fail(EXIT_USAGE_ERROR, "%s is UTF-16: save it as UTF-8", lines->file_name);
    while (size > 0 && text[size - 1] == '\r')
        size--;
    return is_blank(text, size) ? EXIT_OK : take_line(lines, text, size);
}

static int read_lines(struct lines *lines, FILE *from)
{
    size_t payload_max = (size_t)lines->session->config.payload_max_bytes;
    struct buf text;
    int code = EXIT_OK;

    buf_init(&text, LINE_MAX_BYTES + 6 * payload_max); /* an escape is six bytes for one */
    while (code == EXIT_OK && next_line(lines, from, &text)) {
        code = take(lines, &text);
        if (lines->line % POLL_EVERY == 0)
            serve(lines, 0);
    }
    buf_release(&text);
    if (code == EXIT_OK && ferror(from))
        code = session_fail(EXIT_FAILED, "%s could not be read to its end: %m", lines->file_name);
    return code;
}

static int flush(struct lines *lines)
{
    int64_t deadline = clock_boot_ms() + FLUSH_MS;

    while (bgop_in_flight(lines->session->client)) {
        if (clock_boot_ms() > deadline) {
            return session_fail(EXIT_UNREACHABLE, "%zu submissions are not acknowledged by Kafka at %s",
                                bgop_in_flight(lines->session->client), lines->session->config.brokers);
        }
        serve(lines, 50);
    }
    print_reported(lines);
    return EXIT_OK;
}

static void summarize(const struct lines *lines)
{
    char submitted[32], rate[32], length[32], bad[32], failed[32];
    long long spent_ms = clock_boot_ms() - lines->begun_ms;

    (void)process_flush();
    fprintf(stderr, "submitted %s in %s (%s/s)", format_count(submitted, lines->submitted),
            format_length(length, spent_ms),
            format_count(rate, spent_ms > 0 ? lines->submitted * 1000 / spent_ms : lines->submitted));
    if (lines->bad)
        fprintf(stderr, ", %s wrong", format_count(bad, lines->bad));
    if (lines->failed)
        fprintf(stderr, ", %s not acknowledged", format_count(failed, lines->failed));
    fputc('\n', stderr);
}

int submit_lines(struct session *session, const struct queue_types *types, FILE *from, const char *file_name)
{
    struct stat file;
    struct lines lines = {
        .session = session,
        .types = types,
        .file_name = strcmp(file_name, "-") == 0 ? "standard input" : file_name,
        .quiet = isatty(STDOUT_FILENO),
        .begun_ms = clock_boot_ms(),
    };
    int code = mock_limit_init(&lines.limit, session);

    if (code != EXIT_OK)
        return code;
    if (fstat(fileno(from), &file) == 0 && S_ISREG(file.st_mode))
        lines.size = file.st_size;
    lines.ring = xcalloc(RING_SIZE, sizeof *lines.ring);
    progress_start(&lines.progress);
    code = read_lines(&lines, from);
    if (code == EXIT_OK)
        code = flush(&lines);
    progress_end(&lines.progress);
    summarize(&lines);
    bgop_close(session->client); /* before the ring: late reports point into it */
    session->client = NULL;
    free(lines.ring);
    return code == EXIT_OK && (lines.bad || lines.failed) ? EXIT_FAILED : code;
}
