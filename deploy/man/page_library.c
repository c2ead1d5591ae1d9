/* libbgop(3): its header is its manual, with the comment at its top as the description. */
#include <stdlib.h>
#include <string.h>

#include "common/client/bgop.h"
#include "deploy/man/pages.h"
#include "deploy/man/roff.h"

enum { HEADER_MAX_BYTES = 1 << 20 };

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = file ? calloc(1, HEADER_MAX_BYTES) : NULL;

    if (text && (fread(text, 1, HEADER_MAX_BYTES - 1, file) == 0 || !feof(file))) {
        free(text);
        text = NULL;
    }
    if (file)
        fclose(file);
    return text;
}

/* The comment without its stars: its paragraphs are those of the page. */
static void print_description(FILE *to, const char *text, const char *end)
{
    fputs(".PP\n", to);
    for (text += strlen("/*"); text < end;) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));

        line_end = line_end ? line_end : end;
        text += strspn(text, " *");
        if (text >= line_end) {
            fputs(".PP\n", to);
        } else {
            roff_words(to, text, (size_t)(line_end - text));
            fputc('\n', to);
        }
        text = line_end + 1;
    }
}

/* From the first enum on, without what guards the header. */
static void print_interface(FILE *to, const char *text)
{
    const char *from = strstr(text, "#define BGOP_API"), *end = strstr(text, "#ifdef __cplusplus\n}");

    from = from ? strchr(from, '\n') + 1 : text;
    roff_lines(to, from, end ? (size_t)(end - from) : strlen(from));
}

static void print_codes(FILE *to)
{
#define XX(name, number, meaning) roff_tagged(to, "", "BGOP_" #name, #number, meaning);
    BGOP_CODES(XX)
#undef XX
}

int page_library(FILE *to, const char *header)
{
    char *text = read_file(header);
    const char *end = text ? strstr(text, "*/") : NULL;

    if (!end) {
        free(text);
        return -1;
    }
    roff_begin(to, "LIBBGOP", "3", "libbgop", "submit operations to the bgop job queue, read them, wait for their end");
    roff_section(to, "SYNOPSIS");
    fputs("\\fB#include <bgop/bgop.h>\\fR\n", to);
    roff_text(to, "cc example.c $(pkg-config --cflags --libs libbgop)");
    roff_section(to, "DESCRIPTION");
    print_description(to, text, end);
    roff_section(to, "CODES");
    print_codes(to);
    roff_section(to, "INTERFACE");
    print_interface(to, end);
    page_see_also(to, "libbgop");
    free(text);
    return 0;
}
