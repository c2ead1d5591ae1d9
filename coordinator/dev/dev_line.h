/* The command line of `bgop dev`: apart from main.c, so that the manual page is made of it too. */
#ifndef BGOP_DEV_DEV_LINE_H
#define BGOP_DEV_DEV_LINE_H

#include "common/config/config.h"

/* What stands behind its flags; NULL: not given. */
struct dev_words {
    const char *workers, *keep, *port_file, *quiet, *verbose;
};
extern struct dev_words dev_words;
extern const struct command_line dev_command_line;

#endif
