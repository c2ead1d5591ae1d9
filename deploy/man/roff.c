#include "deploy/man/roff.h"

#include <string.h>

void roff_words(FILE *to, const char *text, size_t size)
{
    if (size && (*text == '.' || *text == '\''))
        fputs("\\&", to);
    for (size_t i = 0; i < size; i++) {
        switch (text[i]) {
        case '\\': fputs("\\e", to); break;
        case '-': fputs("\\-", to); break; /* one that can be copied and searched for */
        case '~': fputs("\\(ti", to); break;
        case '^': fputs("\\(ha", to); break;
        case '`': fputs("\\(ga", to); break;
        case '\'': fputs("\\(aq", to); break;
        case '\n': fputc(' ', to); break;
        default: fputc(text[i], to);
        }
    }
}

void roff_begin(FILE *to, const char *title, const char *section, const char *name, const char *about)
{
    fprintf(to,
            ".\\\" Made from the program's tables when it was built.\n.TH %s %s \"\" \"bgop %s\" \"bgop job queue\"\n",
            title, section, BGOP_VERSION);
    roff_section(to, "NAME");
    roff_words(to, name, strlen(name));
    fputs(" \\- ", to);
    roff_words(to, about, strlen(about));
    fputc('\n', to);
}

void roff_section(FILE *to, const char *title)
{
    fputs(".SH ", to);
    roff_words(to, title, strlen(title));
    fputc('\n', to);
}

void roff_text(FILE *to, const char *text)
{
    fputs(".PP\n", to);
    roff_words(to, text, strlen(text));
    fputc('\n', to);
}

void roff_lines(FILE *to, const char *text, size_t size)
{
    fputs(".PP\n.nf\n", to);
    for (const char *end = text + size; text < end;) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));

        line_end = line_end ? line_end : end;
        roff_words(to, text, (size_t)(line_end - text));
        fputc('\n', to);
        text = line_end + 1;
    }
    fputs(".fi\n", to);
}

void roff_tagged(FILE *to, const char *before, const char *name, const char *argument, const char *meaning)
{
    fputs(".TP\n\\fB", to);
    roff_words(to, before, strlen(before));
    roff_words(to, name, strlen(name));
    fputs("\\fR", to);
    if (argument) {
        fputs(" \\fI", to);
        roff_words(to, argument, strlen(argument));
        fputs("\\fR", to);
    }
    fputc('\n', to);
    roff_words(to, meaning, strlen(meaning));
    fputc('\n', to);
}
