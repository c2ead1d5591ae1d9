/* What bgopctl puts on the screen: aligned tables of texts, JSON. Texts of records and servers may hold anything; a
 * terminal must not obey them, so each goes through shown(), a table, print_pair or print_json. */
#ifndef BGOP_CTL_PRINT_H
#define BGOP_CTL_PRINT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/base/buf.h"

enum column_flags {
    COLUMN_RIGHT = 1u << 0,  /* numbers */
    COLUMN_SHRINK = 1u << 1, /* may be cut (...) when the terminal is too narrow */
    COLUMN_ALWAYS = 1u << 2, /* shown even when all its cells are empty */
    COLUMN_STATUS = 1u << 3, /* coloured by status on a terminal */
    COLUMN_EXTRA = 1u << 4,  /* left out when the terminal is too narrow for all, the rightmost first */
    COLUMN_TITLE = 1u << 5,  /* its title may be cut, its cells not: numbers */
};
struct column {
    const char *title;
    unsigned flags;
};

/* Rows of cells, all kept until the table is printed: the widths depend on them. */
struct table {
    const struct column *columns; /* borrowed */
    size_t column_count;
    char **cells; /* row by row; owned */
    size_t cell_count, cell_capacity;
};
void table_init(struct table *table, const struct column *columns, size_t column_count);
void table_release(struct table *table);
/* The next cell, from the left; a row is complete after column_count of them. Copied, as shown() has it. */
void table_add(struct table *table, const char *text);
/* A JSON value as text: "" for null, compact JSON for arrays and objects. */
void table_add_json(struct table *table, const json_t *value);
/* width: of the terminal, at least 20; 0 = unlimited. Columns without any text are left out. When the others do not fit,
 * cut and without the extra ones, the rows are printed one below the other, whole, with a line for each column. */
void table_print(const struct table *table, FILE *to, int width, bool colour);

/* The text with escapes for what is not plain (common/base/text.h); NULL: "". Good for the next few calls only. */
const char *shown(const char *text);
/* "name   value" lines, as for one record. */
void print_pair(FILE *to, int name_width, const char *name, const char *value);
/* As jansson writes it with these flags, but in plain characters only (what is none as \uNNNN); no line break behind. */
void print_json_as(FILE *to, const json_t *value, size_t flags);
/* One line of compact JSON. */
void print_json(FILE *to, const json_t *value);
/* Indented, for one thing that a person may read. */
void print_json_pretty(FILE *to, const json_t *value);

/* "12,345,678" */
const char *format_count(char text[32], long long number);
/* A length for people: "850 ms", "12.5 s", "3 min 5 s", "2 h 10 min", "3 d 4 h". */
const char *format_length(char text[32], long long ms);
/* Times are shown in the reader's zone, or in UTC after this (--utc). In JSON they always are as the queue has them. */
void print_times_in_utc(bool utc);
/* "2026-11-23T11:00:00+01:00" in a reader's zone, "2026-11-23T10:00:00Z" in UTC; with milliseconds when asked. */
const char *format_moment(char text[64], long long epoch_ms, bool with_ms);
/* "2026-11-23T10:00:00.000+0000" as format_moment has it, without milliseconds; other texts as they are. */
const char *format_time(char text[64], const char *answer);

/* A bar for a person who waits, on stderr; nothing when stderr is no terminal. total 0: unknown. */
struct progress {
    bool on;
    bool drawn;
    int width;
    long long begun_ms, drawn_ms;
};
void progress_start(struct progress *progress);
void progress_draw(struct progress *progress, double part, const char *text); /* part < 0: unknown */
void progress_end(struct progress *progress);                                 /* wipes it */

/* The terminal's width, or 0 when this is none. COLUMNS goes over it. */
int terminal_width(FILE *of);
bool terminal_colour(FILE *of);

#endif
