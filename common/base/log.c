/* A line is put together in memory and written by one write(2), so that threads and processes that share stderr do
 * not mix. As JSON, the key=value pairs of the fields become members. */
#include "common/base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/journal.h"
#include "common/base/text.h"

enum { FIELDS_MAX_BYTES = 2048, TEXT_MAX_BYTES = 2048, LINE_MAX_BYTES = 64 * 1024, JSON_NUMBER_MAX_DIGITS = 15 };

static const char *const level_names[] = { "error", "warning", "info", "debug" };
static const char *const priorities[] = { "<3>", "<4>", "<6>", "<7>" }; /* the same levels, as syslog numbers them */
static struct {
    const char *component;
    enum log_level level;
    bool json, priorities;
} settings = { "bgop", LOG_LEVEL_INFO, false, false }; /* written by log_start only, before there are threads */

struct text_field {
    const char *key, *value;
}; /* free text, quoted whatever it holds */

void log_start(const char *component, enum log_level level, bool json)
{
    settings.component = component;
    settings.level = level;
    settings.json = json;
    settings.priorities = journal_reads_stderr();
}

bool log_level_parse(const char *name, enum log_level *level)
{
    for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

static bool log_enabled(enum log_level level)
{
    return level <= settings.level;
}

/* A number that every JSON reader keeps exactly; all else is a string. */
static bool json_number(const char *text, size_t size)
{
    size_t sign = size > 0 && text[0] == '-';
    size_t digits = strspn(text + sign, "0123456789");

    return digits > 0 && sign + digits == size && digits <= JSON_NUMBER_MAX_DIGITS &&
           (text[sign] != '0' || digits == 1);
}

static void append_json_member(struct buf *line, const char *key, size_t key_size, const char *value, size_t value_size,
                               bool is_number)
{
    buf_append_char(line, ',');
    buf_append_json(line, key, key_size);
    buf_append_char(line, ':');
    if (is_number)
        buf_append(line, value, value_size);
    else
        buf_append_json(line, value, value_size);
}

/* "key=value key=value" as members. A word without = belongs to the value before it. */
static void append_json_fields(struct buf *line, const char *fields)
{
    while (*fields) {
        size_t key_size = strcspn(fields, "= ");
        if (key_size == 0 || fields[key_size] != '=') {
            fields += key_size + (fields[key_size] != '\0');
            continue;
        }
        const char *value = fields + key_size + 1;
        size_t value_size = strcspn(value, " ");
        while (value[value_size] == ' ') {
            const char *word = value + value_size + 1;
            size_t word_size = strcspn(word, "= ");
            if (word[word_size] == '=' || *word == '\0')
                break;
            value_size += 1 + word_size;
        }
        append_json_member(line, fields, key_size, value, value_size, json_number(value, value_size));
        fields = value + value_size;
        fields += *fields == ' ';
    }
}

static void append_json(struct buf *line, const char *time, const char *level, const char *event, const char *fields,
                        const struct text_field *texts, size_t count)
{
    buf_printf(line, "{\"time\":\"%s\",\"level\":\"%s\"", time, level);
    append_json_member(line, "component", strlen("component"), settings.component, strlen(settings.component), false);
    append_json_member(line, "event", strlen("event"), event, strlen(event), false);
    append_json_fields(line, fields);
    for (size_t i = 0; i < count; i++) {
        append_json_member(line, texts[i].key, strlen(texts[i].key), texts[i].value,
                           strnlen(texts[i].value, TEXT_MAX_BYTES), false);
    }
    buf_append_char(line, '}');
}

static void append_logfmt(struct buf *line, const char *time, const char *level, const char *event, const char *fields,
                          const struct text_field *texts, size_t count)
{
    char quoted[TEXT_MAX_BYTES * 4 + 16];

    buf_printf(line, "%s %s %s %s", time, level, settings.component, event);
    if (*fields)
        buf_append_char(line, ' ');
    buf_append_shown(line, fields, strlen(fields), "");
    for (size_t i = 0; i < count; i++) {
        buf_printf(line, " %s=%s", texts[i].key,
                   text_quote(quoted, sizeof quoted, texts[i].value, strnlen(texts[i].value, TEXT_MAX_BYTES)));
    }
}

static void write_line(const struct buf *line)
{
    for (size_t at = 0; at < line->size;) {
        ssize_t written = write(STDERR_FILENO, line->data + at, line->size - at);
        if (written > 0)
            at += (size_t)written;
        else if (written < 0 && errno != EINTR)
            return; /* nobody to tell */
    }
}

static void log_line(enum log_level level, const char *event, const struct text_field *texts, size_t count,
                     const char *format, va_list args)
{
    char fields[FIELDS_MAX_BYTES], time[CLOCK_TEXT_SIZE];
    int saved_errno = errno; /* callers log, then look at errno */
    struct buf line;

    if (vsnprintf(fields, sizeof fields, format, args) < 0)
        fields[0] = '\0';
    clock_format(time, clock_wall_ms(), "Z");
    buf_init(&line, LINE_MAX_BYTES);
    buf_append_string(&line, settings.priorities ? priorities[level] : "");
    (settings.json ? append_json : append_logfmt)(&line, time, level_names[level], event, fields, texts, count);
    buf_append_char(&line, '\n');
    write_line(&line);
    buf_release(&line);
    errno = saved_errno;
}

void log_event(enum log_level level, const char *event, const char *fields, ...)
{
    va_list args;

    if (!log_enabled(level))
        return;
    va_start(args, fields);
    log_line(level, event, NULL, 0, fields, args);
    va_end(args);
}

void log_error_text(enum log_level level, const char *event, const char *text, const char *fields, ...)
{
    va_list args;

    if (!log_enabled(level))
        return;
    va_start(args, fields);
    log_line(level, event, &(struct text_field){ "error", text }, 1, fields, args);
    va_end(args);
}

static void log_texts(enum log_level level, const char *event, const struct text_field *texts, size_t count,
                      const char *fields, ...)
{
    va_list args;

    if (!log_enabled(level))
        return;
    va_start(args, fields);
    log_line(level, event, texts, count, fields, args);
    va_end(args);
}

/* Outages that are on, so that one thread can tell of all: a few of each thread. One that finds no place is in the log only. */
static struct {
    pthread_mutex_t lock;
    struct {
        const struct outage *outage; /* whose it is; NULL: free. Only compared */
        char what[32], text[256];
    } places[64];
} on = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* NULL: the first free place. */
static size_t outage_place(const struct outage *outage)
{
    size_t place = 0;

    while (place < sizeof on.places / sizeof *on.places && on.places[place].outage != outage)
        place++;
    return place;
}

static void outage_note(const struct outage *outage, const char *what, const char *text)
{
    size_t place;

    pthread_mutex_lock(&on.lock);
    place = outage_place(outage); /* of one that ended in silence at the same address */
    if (place == sizeof on.places / sizeof *on.places)
        place = outage_place(NULL);
    if (place < sizeof on.places / sizeof *on.places) {
        on.places[place].outage = outage;
        text_copy(on.places[place].what, sizeof on.places[place].what, what, strlen(what));
        text_copy(on.places[place].text, sizeof on.places[place].text, text, strlen(text));
    }
    pthread_mutex_unlock(&on.lock);
}

void outage_drop(const struct outage *outage)
{
    size_t place;

    pthread_mutex_lock(&on.lock);
    place = outage_place(outage);
    if (place < sizeof on.places / sizeof *on.places)
        on.places[place].outage = NULL;
    pthread_mutex_unlock(&on.lock);
}

bool outage_is_on(const char *what, char *text, size_t size)
{
    bool found = false;

    text[0] = '\0';
    pthread_mutex_lock(&on.lock);
    for (size_t i = 0; i < sizeof on.places / sizeof *on.places && !found; i++) {
        found = on.places[i].outage && strcmp(on.places[i].what, what) == 0;
        if (found)
            text_copy(text, size, on.places[i].text, strlen(on.places[i].text));
    }
    pthread_mutex_unlock(&on.lock);
    return found;
}

void outage_begin(struct outage *outage, const char *what, const char *text)
{
    const struct text_field texts[] = { { "of", what }, { "error", text } };

    if (outage->on)
        return;
    outage->on = true;
    outage->since_ms = clock_boot_ms();
    outage_note(outage, what, text);
    log_texts(LOG_LEVEL_WARNING, "outage began", texts, 2, "%s", "");
}

void outage_end(struct outage *outage, const char *what)
{
    const struct text_field of = { "of", what };

    if (!outage->on)
        return;
    outage->on = false;
    outage_drop(outage);
    log_texts(LOG_LEVEL_INFO, "outage ended", &of, 1, "lasted_ms=%lld", (long long)clock_boot_ms() - outage->since_ms);
}
