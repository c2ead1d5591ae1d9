/* The table of options: parser, bounds, --help, --print-config and the sample file are made from it. A new option is
 * one line in options.c and one member in config.h; what a Type can be set to that the queue obeys is one line in
 * common/record/type_settings.h. */
#ifndef BGOP_CONFIG_OPTIONS_H
#define BGOP_CONFIG_OPTIONS_H

#include "common/config/config.h"

enum option_kind {
    OPTION_TEXT,   /* words that never hold a ; */
    OPTION_LINE,   /* any text of one line */
    OPTION_CHOICE, /* one of choices */
    OPTION_INT,    /* min .. max */
};

struct option {
    const char *section, *name; /* section "types": of every [types] and [type NAME] */
    enum option_kind kind;
    size_t offset;       /* in struct config, for "types" in struct type_config */
    const char *initial; /* as text; NULL: the record's table has it per Type */
    int64_t min, max;
    const char *choices; /* separated by blanks; "-" stands for the empty text */
    const char *help;
};

extern const struct option options[];
extern const size_t option_count;

/* NULL: none of that name in that section. */
const struct option *option_find(const char *section, const char *name);
/* Checks the value's form and bounds, and writes it to the struct at base. */
enum status option_set(const struct option *option, void *base, const char *value, struct err *err) MUST_CHECK;
/* As option_set for a value that cannot be wrong. */
void option_set_initial(const struct option *option, void *base, const char *value);
/* The value as text; in room when it is a number. */
const char *option_get(const struct option *option, const void *base, char *room, size_t size);
void option_copy(const struct option *option, void *to, const void *from);
void option_release(const struct option *option, void *base);
bool option_is_of_types(const struct option *option);
/* Which bit of type_config.said is this option's. */
uint32_t option_bit(const struct option *option);
/* Fills err with an unknown option and the nearest known one. */
enum status option_unknown(const char *section, const char *name, struct err *err);

/* Is this a section? "type NAME" declares that Type when it is new. */
enum status config_section_check(struct config *config, const char *section, struct err *err) MUST_CHECK;

/* ---- types.c ---- */
/* record: NULL for a Type that the record does not know. */
void config_type_init(struct type_config *type, const char *name, const struct record_type *record);
void config_type_release(struct type_config *type);
/* NAME may have a section, and is a Type from here on. */
enum status config_declare(struct config *config, const char *name, struct err *err) MUST_CHECK;
/* [type NAME] option = value; NAME is declared when it is new. */
enum status config_set_type(struct config *config, const char *name, const struct option *option, const char *value,
                            struct err *err) MUST_CHECK;
/* [types] option = value: for every Type whose own section does not say otherwise, wherever in the file that stands. */
enum status config_set_types(struct config *config, const struct option *option, const char *value,
                             struct err *err) MUST_CHECK;

/* [redis] user, password_file and the files of TLS, put into the url where it has none of its own; [kafka] password_file,
 * put into the properties. */
enum status config_login(struct config *config, struct err *err) MUST_CHECK;

/* ST_INVALID: no line of a file could hold it, so what is printed could not be read again. */
enum status config_value_check(const char *value, struct err *err) MUST_CHECK;
/* End of the value that begins at text: where a comment (a ; after a blank, outside quotes) or the line ends. */
const char *config_value_end(const char *text);

#endif
