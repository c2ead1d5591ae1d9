/* INI files: [section], name = value, comments after ; or # at a line's begin, and after a blank and ; (README.md says
 * why this is not libinih). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/config/options.h"

struct reading {
    struct config *config;
    const char *path;
    int line;
    char *section; /* NULL: none yet */
    char **seen;   /* "section\nname", to refuse what stands twice */
    size_t seen_count, seen_capacity;
};

static enum status at_line(const struct reading *reading, struct err *err)
{
    return err_prefix(err, "%s:%d", reading->path, reading->line);
}

static char *skip_blanks(char *text)
{
    return text + strspn(text, " \t");
}

/* Cuts blanks and line ends off the end. */
static void trim_end(char *text, size_t size)
{
    while (size > 0 && strchr(" \t\r\n", text[size - 1]))
        size--;
    text[size] = '\0';
}

static enum status read_section(struct reading *reading, char *text, struct err *err)
{
    char *end = strchr(text, ']');
    char *rest = end ? skip_blanks(end + 1) : NULL;

    if (!end || (*rest != '\0' && *rest != ';' && *rest != '#')) {
        err_set(err, ST_INVALID, "expected [section]");
        return at_line(reading, err);
    }
    trim_end(text, (size_t)(end - text));
    free(reading->section);
    reading->section = xstrdup(skip_blanks(text + 1));
    if (config_section_check(reading->config, reading->section, err) == ST_OK)
        return ST_OK;
    err_prefix(err, "[%s]", reading->section);
    return at_line(reading, err);
}

static enum status refuse_twice(struct reading *reading, const char *name, struct err *err)
{
    size_t room = strlen(reading->section) + strlen(name) + 2;
    char *key = xmalloc(room);

    snprintf(key, room, "%s\n%s", reading->section, name);
    for (size_t i = 0; i < reading->seen_count; i++) {
        if (strcmp(reading->seen[i], key) == 0) {
            free(key);
            return err_set(err, ST_INVALID, "[%s] %s stands here twice", reading->section, name);
        }
    }
    GROW(reading->seen, reading->seen_count, reading->seen_capacity);
    reading->seen[reading->seen_count++] = key;
    return ST_OK;
}

/* `command = sh -c a ; b` is cut by nobody's wish: behind a text that may hold a ; a comment stands two blanks away. */
static enum status cut_comment(const struct reading *reading, const char *name, char *value, struct err *err)
{
    const char *section = strncmp(reading->section, "type ", 5) == 0 ? "types" : reading->section;
    const struct option *option = option_find(section, name);
    char *end = value + (config_value_end(value) - value);
    bool unclear = end > value && end[0] == ' ' && end[1] == ';' &&
                   (option ? option->kind == OPTION_LINE : strcmp(section, "kafka") == 0);

    *end = '\0';
    return unclear ? err_set(err, ST_INVALID,
                             "[%s] %s: a ; behind a blank: in quotes it belongs to the value; to begin a comment, it "
                             "stands behind two blanks, or on a line of its own",
                             reading->section, name)
                   : ST_OK;
}

static enum status read_option(struct reading *reading, char *text, struct err *err)
{
    char *equals = strchr(text, '=');
    char *value;
    enum status st;

    if (!equals || equals == text) {
        /* Not the whole line: it may be a password without its =. */
        err_set(err, ST_INVALID, "expected name = value: %.*s", (int)(equals ? 1 : strcspn(text, " \t")), text);
        return at_line(reading, err);
    }
    if (!reading->section) {
        err_set(err, ST_INVALID, "an option before the first [section]");
        return at_line(reading, err);
    }
    value = skip_blanks(equals + 1);
    trim_end(text, (size_t)(equals - text));
    st = cut_comment(reading, text, value, err);
    if (st == ST_OK)
        st = refuse_twice(reading, text, err);
    if (st == ST_OK)
        st = config_set(reading->config, reading->section, text, value, err);
    return st == ST_OK ? ST_OK : at_line(reading, err);
}

static enum status read_line(struct reading *reading, char *line, size_t size, struct err *err)
{
    char *text;

    reading->line++;
    if (reading->line == 1 && size >= 2 && (memcmp(line, "\xff\xfe", 2) == 0 || memcmp(line, "\xfe\xff", 2) == 0)) {
        err_set(err, ST_INVALID, "the file is UTF-16: save it as UTF-8");
        return at_line(reading, err);
    }
    if (strlen(line) != size) {
        err_set(err, ST_INVALID, "a NUL byte: not a text file");
        return at_line(reading, err);
    }
    if (reading->line == 1 && strncmp(line, "\xef\xbb\xbf", 3) == 0)
        memmove(line, line + 3, size - 2); /* a byte order mark */
    trim_end(line, strlen(line));
    text = skip_blanks(line);
    if (*text == '\0' || *text == ';' || *text == '#')
        return ST_OK;
    return *text == '[' ? read_section(reading, text, err) : read_option(reading, text, err);
}

enum status config_read_file(struct config *config, const char *path, struct err *err)
{
    struct reading reading = { .config = config, .path = path };
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    enum status st = ST_OK;

    if (!file)
        return err_set(err, ST_INVALID, "%s: %s", path, strerror(errno));
    errno = 0;
    while (st == ST_OK && (size = getline(&line, &room, file)) >= 0)
        st = read_line(&reading, line, (size_t)size, err);
    if (st == ST_OK && ferror(file))
        st = err_set(err, ST_INVALID, "%s: %s", path, strerror(errno));
    fclose(file);
    free(line);
    free(reading.section);
    for (size_t i = 0; i < reading.seen_count; i++)
        free(reading.seen[i]);
    free(reading.seen);
    return st;
}
