/* Manual pages: text that roff must not take for its own commands. */
#ifndef DEPLOY_MAN_ROFF_H
#define DEPLOY_MAN_ROFF_H

#include <stddef.h>
#include <stdio.h>

/* .TH, and the NAME section. */
void roff_begin(FILE *to, const char *title, const char *section, const char *name, const char *about);
void roff_section(FILE *to, const char *title);
/* A paragraph, filled; line breaks are blanks. */
void roff_text(FILE *to, const char *text);
/* Lines that stay as they are: help texts, code. */
void roff_lines(FILE *to, const char *text, size_t size);
/* Escaped, without a line break of its own. At the start of a line a dot is one. */
void roff_words(FILE *to, const char *text, size_t size);
/* A tagged paragraph: bold name, italic argument (may be NULL), then what it means. */
void roff_tagged(FILE *to, const char *before, const char *name, const char *argument, const char *meaning);

#endif
