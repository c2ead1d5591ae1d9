/* The manual pages, each from its table. */
#ifndef DEPLOY_MAN_PAGES_H
#define DEPLOY_MAN_PAGES_H

#include <stdio.h>

#include "common/config/config.h"

void page_bgopctl(FILE *to);
void page_dev(FILE *to);
void page_daemon(FILE *to, const struct command_line *line, const char *notes);
void page_config(FILE *to);
/* header: bgop.h; -1 when it cannot be read, or has no comment to begin with. */
int page_library(FILE *to, const char *header);

/* ---- what several pages say ---- */
void page_flags(FILE *to, const struct flag *flags, size_t count);
void page_environment(FILE *to);
/* The part of it that is about logs. */
void page_environment_log(FILE *to);
void page_exit(FILE *to, const char *more);
void page_see_also(FILE *to, const char *self);

#endif
