/* An Id is Kafka coordinates: "08P", 1 epoch, 2 shard, 9 number, 3 check suffix: 18 characters (README.md).
 * Base 62 in ASCII order (0-9 A-Z a-z); number = partition << 43 | offset of the submission. */
#ifndef BGOP_RECORD_ID_H
#define BGOP_RECORD_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ID_LENGTH 18
#define ID_SIZE   (ID_LENGTH + 1)
#define ID_PREFIX "08P"
enum { ID_PARTITIONS_MAX = 1024, ID_SHARDS_MAX = 3844, ID_EPOCHS_MAX = 62 };

struct id_parts {
    int epoch;
    int shard;
    int partition;
    int64_t offset;
};

/* Parts within their bounds (offset < 2^43); asserts otherwise. */
void id_make(char id[ID_SIZE], const struct id_parts *parts);
/* 15 or 18 characters; false: not an Id of ours (prefix, alphabet, number out of range, wrong check suffix). */
bool id_parse(const char *text, size_t size, struct id_parts *parts);
/* An Id as people give it: 15 characters, which are completed, or 18 in whatever case: the check suffix says which of
 * the letters are capitals (tools that ignore case lose it). Writes the 18 characters; false: not an Id of ours. */
bool id_read(char id[ID_SIZE], const char *text, size_t size, struct id_parts *parts);
/* An epoch as one digit, as bgop:epochs has it. What is none is 0. */
char id_epoch_digit(int epoch);
int id_epoch_number(char digit);
/* Writes the 3-character case-safe suffix of the 15 characters at id15, and a NUL. */
void id_suffix(const char *id15, char suffix[4]);

#endif
