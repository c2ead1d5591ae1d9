#include "coordinator/ctl/print.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/base/text.h"

enum { COLUMN_GAP = 2, COLUMN_SHRUNK_MIN = 8, TITLE_CUT_MIN = 4 };
enum { PROGRESS_MS = 100, SHOWN_KEPT = 8, SHOWN_MAX_BYTES = 1 << 28 };

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

static size_t widest_cell(const struct table *table, size_t column)
{
    size_t widest = 0;

    for (size_t r = 0; r < row_count(table); r++) {
        size_t width = width_of(table->cells[r * table->column_count + column]);

        widest = width > widest ? width : widest;
    }
    return widest;
}

static void measure(const struct table *table, size_t *widths)
{
    for (size_t c = 0; c < table->column_count; c++) {
        size_t title = width_of(table->columns[c].title), cell = widest_cell(table, c);

        widths[c] = !cell && !(table->columns[c].flags & COLUMN_ALWAYS) ? 0 : cell > title ? cell : title;
    }
}

static size_t total_width(const struct table *table, const size_t *widths)
{
    size_t total = 0;

    for (size_t c = 0; c < table->column_count; c++)
        total += widths[c] ? widths[c] + COLUMN_GAP : 0;
    return total ? total - COLUMN_GAP : 0;
}

/* Down to here a column may shrink. */
static size_t least_width(const struct table *table, size_t column, size_t width)
{
    size_t cell;

    if (table->columns[column].flags & COLUMN_SHRINK)
        return COLUMN_SHRUNK_MIN;
    if (!(table->columns[column].flags & COLUMN_TITLE))
        return width;
    cell = widest_cell(table, column);
    return cell > TITLE_CUT_MIN ? cell : TITLE_CUT_MIN;
}

/* Takes one place at a time from the widest column that may shrink, until all fit. */
static void shrink(const struct table *table, size_t *widths, size_t room)
{
    while (total_width(table, widths) > room) {
        size_t widest = table->column_count;

        for (size_t c = 0; c < table->column_count; c++) {
            if (widths[c] > least_width(table, c, widths[c]) &&
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

/* The widths that the columns of whole get in this room. */
static bool fits(const struct table *table, size_t *widths, const size_t *whole, size_t room)
{
    memcpy(widths, whole, table->column_count * sizeof *whole);
    shrink(table, widths, room);
    return total_width(table, widths) <= room;
}

/* What may be cut is cut first. When that is not enough, extra columns go, and come back where the others leave room. */
static bool fit(const struct table *table, size_t *widths, size_t room)
{
    size_t size = table->column_count * sizeof *widths, *all = xmalloc(size), *whole = xmalloc(size);
    bool fine;

    memcpy(all, widths, size);
    memcpy(whole, widths, size);
    while (!(fine = fits(table, widths, whole, room)) && leave_out(table, whole))
        ;
    for (size_t c = 0; c < table->column_count && fine; c++) {
        size_t without = whole[c];

        whole[c] = all[c];
        if (without != all[c] && !fits(table, widths, whole, room))
            whole[c] = without;
    }
    fine = fits(table, widths, whole, room);
    free(all);
    free(whole);
    return fine;
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

/* A title and what it is of, broken into as many lines as it needs. */
static void print_member(FILE *to, const char *title, size_t title_width, const char *text, size_t room,
                         const char *colour)
{
    size_t left = strlen(text);

    print_cell(to, title, title_width, false, left == 0, "");
    while (left > 0) {
        size_t size = text_utf8_cut(text, left, room);

        fprintf(to, "%s%.*s%s", colour, (int)size, text, *colour ? "\033[0m" : "");
        text += size;
        left -= size;
        if (left > 0)
            fprintf(to, "\n%*s", (int)title_width + COLUMN_GAP, "");
    }
    fputc('\n', to);
}

static void print_record(const struct table *table, FILE *to, size_t title_width, size_t width, char *const *cells,
                         bool colour)
{
    for (size_t c = 0; c < table->column_count; c++) {
        const struct column *column = &table->columns[c];

        if (*cells[c] || (column->flags & COLUMN_ALWAYS)) {
            print_member(to, column->title, title_width, cells[c], width - title_width - COLUMN_GAP,
                         colour && (column->flags & COLUMN_STATUS) ? status_colour(cells[c]) : "");
        }
    }
}

/* One record below the other, a line for each column: whatever the columns are, nothing is lost. */
static void print_records(const struct table *table, FILE *to, size_t width, bool colour)
{
    size_t title_width = 0;

    for (size_t c = 0; c < table->column_count; c++) {
        size_t size = width_of(table->columns[c].title);

        title_width = size > title_width ? size : title_width;
    }
    title_width = title_width < width / 2 ? title_width : width / 2;
    for (size_t r = 0; r < row_count(table); r++) {
        fputs(r ? "\n" : "", to);
        print_record(table, to, title_width, width, table->cells + r * table->column_count, colour);
    }
}

void table_print(const struct table *table, FILE *to, int width, bool colour)
{
    size_t *widths = xcalloc(table->column_count, sizeof *widths);

    measure(table, widths);
    if (width > 0 && !fit(table, widths, (size_t)width) && row_count(table) > 0) {
        print_records(table, to, (size_t)width, colour);
    } else {
        print_row(table, to, widths, NULL, false);
        for (size_t r = 0; r < row_count(table); r++)
            print_row(table, to, widths, table->cells + r * table->column_count, colour);
    }
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
