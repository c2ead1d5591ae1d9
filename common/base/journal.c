#include "common/base/journal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool journal_reads_stderr(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char ours[48];
    struct stat standard_error;

    if (!stream || fstat(STDERR_FILENO, &standard_error) != 0)
        return false;
    snprintf(ours, sizeof ours, "%ju:%ju", (uintmax_t)standard_error.st_dev, (uintmax_t)standard_error.st_ino);
    return strcmp(stream, ours) == 0;
}
