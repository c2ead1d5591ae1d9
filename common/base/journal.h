/* Does systemd's journal read standard error? Then a line there begins with its priority, <3> for an error: journalctl
 * colours, filters (-p err) and forwards by it. */
#ifndef BGOP_BASE_JOURNAL_H
#define BGOP_BASE_JOURNAL_H

#include <stdbool.h>

/* $JOURNAL_STREAM names the device and inode of the stream that systemd gave to the service; a child whose standard
 * error was sent elsewhere has the variable all the same, so both are compared. */
bool journal_reads_stderr(void);

#endif
