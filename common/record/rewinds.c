#include "common/record/rewinds.h"

#include <inttypes.h>
#include <stdio.h>

bool rewind_entry_read(struct rewind_entry *entry, const char *field, const char *text)
{
    return sscanf(field, "%d:%d", &entry->partition, &entry->epoch) == 2 && entry->partition >= 0 &&
           entry->partition < ID_PARTITIONS_MAX && entry->epoch > 0 && entry->epoch < ID_EPOCHS_MAX &&
           sscanf(text, "%" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNu32 " %" SCNd64, &entry->from, &entry->lost_to,
                  &entry->last_offset, &entry->last_crc, &entry->last_at_ms) == 5;
}

void rewind_entry_write(const struct rewind_entry *entry, char field[REWIND_FIELD_SIZE], char text[REWIND_TEXT_SIZE])
{
    snprintf(field, REWIND_FIELD_SIZE, "%d:%d", entry->partition, entry->epoch);
    snprintf(text, REWIND_TEXT_SIZE, "%" PRId64 " %" PRId64 " %" PRId64 " %" PRIu32 " %" PRId64, entry->from,
             entry->lost_to, entry->last_offset, entry->last_crc, entry->last_at_ms);
}

bool rewind_entry_is_later(const struct rewind_entry *entry, const struct id_parts *place)
{
    return entry->partition == place->partition && entry->epoch > place->epoch;
}
