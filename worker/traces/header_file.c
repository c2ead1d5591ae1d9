#include "worker/traces/header_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Those of the request itself are not for a file to say. */
static bool is_ours(const char *line, size_t name)
{
    static const char *const names[] = { "Content-Type", "Content-Length", "Transfer-Encoding", "Expect" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strlen(names[i]) == name && strncasecmp(line, names[i], name) == 0)
            return true;
    }
    return false;
}

static const char *line_trouble(const char *line)
{
    static const char token[] = "!#$%&'*+-.^_`0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ~";
    size_t name = strspn(line, token);

    if (name == 0 || line[name] != ':')
        return "it is not Name: value";
    if (is_ours(line, name))
        return "that header is set by the worker itself";
    for (const char *c = line; *c; c++) {
        if (((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7f)
            return "it holds a control character";
    }
    return NULL;
}

static enum status read_lines(char *text, const char *path, struct curl_slist **headers, struct err *err)
{
    int number = 0;

    for (char *line = text, *next; line; line = next) {
        const char *trouble;
        size_t size;

        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        number++;
        size = strlen(line);
        while (size > 0 && strchr(" \t\r", line[size - 1]))
            line[--size] = '\0';
        line += strspn(line, " \t");
        if (!line[0] || line[0] == '#')
            continue;
        trouble = line_trouble(line);
        if (trouble)
            return err_set(err, ST_INVALID, "[traces] headers_file: %s: line %d: %s", path, number, trouble);
        *headers = curl_slist_append(*headers, line);
    }
    return ST_OK;
}

enum status header_file_read(const char *path, struct curl_slist **headers, struct err *err)
{
    static char text[HEADER_FILE_MAX_BYTES + 1]; /* read once, before there are threads */
    enum status st = ST_OK;
    size_t size = 0;
    FILE *file;

    if (!path[0])
        return ST_OK;
    errno = 0;
    file = fopen(path, "re");
    if (file)
        size = fread(text, 1, sizeof text, file);
    if (!file || ferror(file))
        st = err_set(err, ST_INVALID, "[traces] headers_file: %s: %s", path, strerror(errno));
    else if (size == sizeof text)
        st = err_set(err, ST_INVALID, "[traces] headers_file: %s: longer than %d bytes", path, HEADER_FILE_MAX_BYTES);
    else if (memchr(text, '\0', size))
        st = err_set(err, ST_INVALID, "[traces] headers_file: %s: it holds a NUL", path);
    if (file)
        fclose(file);
    if (st == ST_OK) {
        text[size] = '\0';
        st = read_lines(text, path, headers, err);
    }
    explicit_bzero(text, sizeof text);
    return st;
}
