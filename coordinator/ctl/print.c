#include "coordinator/ctl/print.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/base/text.h"

enum { COLUMN_GAP = 2, COLUMN_SHRUNK_MIN = 8, PROGRESS_MS = 100, SHOWN_KEPT = 8, SHOWN_MAX_BYTES = 1 << 28 };

const char *shown(const char *text)
{
    static struct buf kept[SHOWN_KEPT];
    static size_t next;
    struct buf *buf = &kept[next++ % SHOWN_KEPT];

    buf_release(buf);
    buf_init(buf, SHOWN_MAX_BYTES);
    buf_append_shown(buf, text ? text : "", text ? strlen(text) : 0, "");
    return buf->data;
}

void table_init(struct table *table, const struct column *columns, size_t column_count)
{
    *table = (struct table){ .columns = columns, .column_count = column_count };
}

void table_release(struct table *table)
{
    for (size_t i = 0; i < table->cell_count; i++)
        free(table->cells[i]);
    free(table->cells);
    table_init(table, table->columns, table->column_count);
}

void table_add(struct table *table, const char *text)
{
    GROW(table->cells, table->cell_count, table->cell_capacity);
    table->cells[table->cell_count++] = xstrdup(shown(text));
}

void table_add_json(struct table *table, const json_t *value)
{
    char number[32];

    if (json_is_string(value)) {
        table_add(table, json_string_value(value));
    } else if (json_is_integer(value)) {
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
        table_add(table, number);
    } else if (!value || json_is_null(value)) {
        table_add(table, "");
    } else {
        char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

        table_add(table, text ? text : "");
        free(text);
    }
}

/* Places on the screen: one per character (wide ones are rare in keys and names). */
static size_t width_of(const char *text)
{
    long length = text_utf8_length(text, strlen(text));

    return length < 0 ? strlen(text) : (size_t)length;
}

static size_t row_count(const struct table *table)
{
    return table->cell_count / table->column_count;
}

static void measure(const struct table *table, size_t *widths)
{
    for (size_t c = 0; c < table->column_count; c++) {
        bool used = table->columns[c].flags & COLUMN_ALWAYS;

        widths[c] = width_of(table->columns[c].title);
        for (size_t r = 0; r < row_count(table); r++) {
            size_t width = width_of(table->cells[r * table->column_count + c]);

            used = used || width;
            widths[c] = width > widths[c] ? width : widths[c];
        }
        if (!used)
            widths[c] = 0;
    }
}

static size_t total_width(const struct table *table, const size_t *widths)
{
    size_t total = 0;

    for (size_t c = 0; c < table->column_count; c++)
        total += widths[c] ? widths[c] + COLUMN_GAP : 0;
    return total ? total - COLUMN_GAP : 0;
}

/* Takes one place at a time from the widest column that may shrink, until all fit. */
static void shrink(const struct table *table, size_t *widths, size_t room)
{
    while (total_width(table, widths) > room) {
        size_t widest = table->column_count;

        for (size_t c = 0; c < table->column_count; c++) {
            if ((table->columns[c].flags & COLUMN_SHRINK) && widths[c] > COLUMN_SHRUNK_MIN &&
                (widest == table->column_count || widths[c] > widths[widest]))
                widest = c;
        }
        if (widest == table->column_count)
            return;
        widths[widest]--;
    }
}

/* Takes out the rightmost extra column that is still there. */
static bool leave_out(const struct table *table, size_t *widths)
{
    for (size_t c = table->column_count; c-- > 0;) {
        if (widths[c] && (table->columns[c].flags & COLUMN_EXTRA)) {
            widths[c] = 0;
            return true;
        }
    }
    return false;
}

/* What may be cut is cut first. When that is not enough, an extra column goes and the others have their room back. */
static void fit(const struct table *table, size_t *widths, size_t room)
{
    size_t *whole = xcalloc(table->column_count, sizeof *whole);

    memcpy(whole, widths, table->column_count * sizeof *whole);
    shrink(table, widths, room);
    while (total_width(table, widths) > room && leave_out(table, whole)) {
        memcpy(widths, whole, table->column_count * sizeof *whole);
        shrink(table, widths, room);
    }
    free(whole);
}

static const char *status_colour(const char *status)
{
    static const struct {
        const char *status, *colour;
    } colours[] = {
        { "Complete", "\033[32m" }, { "Merged", "\033[32m" },   { "Error", "\033[31m" },
        { "Running", "\033[36m" },  { "Canceled", "\033[33m" },
    };

    for (size_t i = 0; i < sizeof colours / sizeof *colours; i++) {
        if (strcmp(status, colours[i].status) == 0)
            return colours[i].colour;
    }
    return "";
}

static void print_cell(FILE *to, const char *text, size_t width, bool right, bool last, const char *colour)
{
    size_t length = width_of(text), size = strlen(text);
    bool cut = length > width;

    if (cut) {
        size = text_utf8_cut(text, size, width - 1);
        length = width;
    }
    if (right)
        fprintf(to, "%*s", (int)(width - length), "");
    fprintf(to, "%s%.*s%s%s", colour, (int)size, text, cut ? "…" : "", *colour ? "\033[0m" : "");
    if (!last)
        fprintf(to, "%*s", (int)((right ? 0 : width - length) + COLUMN_GAP), "");
}

static void print_row(const struct table *table, FILE *to, const size_t *widths, char *const *cells, bool colour)
{
    size_t last = table->column_count;

    for (size_t c = 0; c < table->column_count; c++)
        last = widths[c] ? c : last;
    for (size_t c = 0; c < table->column_count; c++) {
        const struct column *column = &table->columns[c];
        const char *text = cells ? cells[c] : column->title;

        if (widths[c]) {
            print_cell(to, text, widths[c], column->flags & COLUMN_RIGHT, c == last,
                       colour && cells && (column->flags & COLUMN_STATUS) ? status_colour(text) : "");
        }
    }
    fputc('\n', to);
}

void table_print(const struct table *table, FILE *to, int width, bool colour)
{
    size_t *widths = xcalloc(table->column_count, sizeof *widths);

    measure(table, widths);
    if (width > 0)
        fit(table, widths, (size_t)width);
    print_row(table, to, widths, NULL, false);
    for (size_t r = 0; r < row_count(table); r++)
        print_row(table, to, widths, table->cells + r * table->column_count, colour);
    free(widths);
}

void print_pair(FILE *to, int name_width, const char *name, const char *value)
{
    fprintf(to, "%-*s  %s\n", name_width, name, shown(value));
}

void print_json_as(FILE *to, const json_t *value, size_t flags)
{
    char *text = json_dumps(value, flags | JSON_ENCODE_ANY), escape[TEXT_ESCAPE_SIZE];

    for (const char *at = text, *end = text ? text + strlen(text) : NULL; at < end;) {
        size_t plain = 0;

        while (at[plain] && (unsigned char)at[plain] < 0x7f) /* line breaks are jansson's own: in texts they are \n */
            plain++;
        if (!plain)
            plain = text_plain_size(at, (size_t)(end - at));
        fwrite(at, 1, plain, to);
        at += plain;
        if (plain == 0) {
            bool is_del = *at == 0x7f;

            at += text_escape(escape, at, (size_t)(end - at));
            fputs(is_del ? "\\u007f" : escape, to);
        }
    }
    free(text);
}

void print_json(FILE *to, const json_t *value)
{
    print_json_as(to, value, JSON_COMPACT);
    fputc('\n', to);
}

void print_json_pretty(FILE *to, const json_t *value)
{
    print_json_as(to, value, JSON_INDENT(2));
    fputc('\n', to);
}

const char *format_count(char text[32], long long number)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%lld", number), at = 0;

    for (int i = 0; i < length; i++) {
        text[at++] = digits[i];
        if (digits[i] != '-' && i + 1 < length && (length - i - 1) % 3 == 0)
            text[at++] = ',';
    }
    text[at] = '\0';
    return text;
}

const char *format_length(char text[32], long long ms)
{
    long long s = ms / 1000;

    if (ms < 1000)
        snprintf(text, 32, "%lld ms", ms);
    else if (s < 60)
        snprintf(text, 32, "%lld.%lld s", s, ms % 1000 / 100);
    else if (s < 3600)
        snprintf(text, 32, "%lld min %lld s", s / 60, s % 60);
    else if (s < 86400)
        snprintf(text, 32, "%lld h %lld min", s / 3600, s % 3600 / 60);
    else
        snprintf(text, 32, "%lld d %lld h", s / 86400, s % 86400 / 3600);
    return text;
}

static bool times_in_utc;

void print_times_in_utc(bool utc)
{
    times_in_utc = utc;
}

const char *format_moment(char text[64], long long epoch_ms, bool with_ms)
{
    if (!times_in_utc)
        return clock_format_local(text, epoch_ms, with_ms);
    return with_ms ? clock_format(text, epoch_ms, "Z") : clock_format_part(text, epoch_ms, CLOCK_SECONDS);
}

const char *format_time(char text[64], const char *answer)
{
    int64_t ms;

    if (clock_parse(answer, &ms))
        return format_moment(text, ms, false);
    snprintf(text, 64, "%s", answer);
    return text;
}

/* ---- the terminal ---- */
int terminal_width(FILE *of)
{
    const char *columns = getenv("COLUMNS");
    struct winsize size;
    int64_t width;

    if (!isatty(fileno(of)))
        return 0;
    if (columns && text_parse_int64(columns, 20, 1000, &width))
        return (int)width;
    if (ioctl(fileno(of), TIOCGWINSZ, &size) == 0 && size.ws_col >= 20)
        return size.ws_col;
    return 80;
}

bool terminal_colour(FILE *of)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

    return isatty(fileno(of)) && !(no && *no) && !(term && strcmp(term, "dumb") == 0);
}

void progress_start(struct progress *progress)
{
    *progress = (struct progress){ .width = terminal_width(stderr), .begun_ms = clock_boot_ms() };
    progress->on = progress->width > 0;
}

void progress_draw(struct progress *progress, double part, const char *text)
{
    long long now_ms = clock_boot_ms();
    int room = progress->width - 1 - (int)width_of(text), bar = room > 42 ? 40 : room - 3;

    if (!progress->on || (progress->drawn && now_ms - progress->drawn_ms < PROGRESS_MS))
        return;
    progress->drawn = true;
    progress->drawn_ms = now_ms;
    fprintf(stderr, "\r\033[K");
    if (part >= 0 && bar >= 10) {
        int filled = (int)((part > 1 ? 1 : part) * bar);

        fputc('[', stderr);
        for (int i = 0; i < bar; i++)
            fputc(i < filled ? '#' : '.', stderr);
        fprintf(stderr, "] ");
    }
    fprintf(stderr, "%.*s", progress->width - 1, text);
    fflush(stderr);
}

void progress_end(struct progress *progress)
{
    if (progress->drawn)
        fprintf(stderr, "\r\033[K");
    progress->drawn = false;
}
