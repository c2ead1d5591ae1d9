/* An entry of bgop:rewinds: from which offset on the history of a submit partition was rewritten, and with which epoch.
 * Field "partition:epoch", value "from lost_to last_offset last_crc last_at_ms". */
#ifndef BGOP_RECORD_REWINDS_H
#define BGOP_RECORD_REWINDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/record/id.h"

enum { REWIND_FIELD_SIZE = 32, REWIND_TEXT_SIZE = 160 };

struct rewind_entry {
    int partition, epoch;  /* 0 to ID_PARTITIONS_MAX - 1; 1 to ID_EPOCHS_MAX - 1 */
    int64_t from, lost_to; /* offsets: what was applied from `from` up to `lost_to` was gone from the log */
    int64_t last_offset;   /* the last message before it that stayed; -1: there was none */
    uint32_t last_crc;     /* its checksum */
    int64_t last_at_ms;    /* its time */
};

/* false: it is none (the hash holds other fields, too), or out of bounds. */
bool rewind_entry_read(struct rewind_entry *entry, const char *field, const char *text);
void rewind_entry_write(const struct rewind_entry *entry, char field[REWIND_FIELD_SIZE], char text[REWIND_TEXT_SIZE]);
/* Was the history of that place's partition rewritten by it after the place got its Id? */
bool rewind_entry_is_later(const struct rewind_entry *entry, const struct id_parts *place);

#endif
