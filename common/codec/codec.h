/* Bytes on Kafka <-> structs. The only includer of generated protobuf code and of jansson on the message path;
 * copies, so that nothing escapes a message. Sizes are checked before anything is unpacked. Nothing here aborts: what
 * reads answers ST_AGAIN when it is out of memory, which says nothing about the bytes (daemons: memory_exhausted), and
 * what writes leaves a buf that overflowed. */
#ifndef BGOP_CODEC_CODEC_H
#define BGOP_CODEC_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bgop/v1/entry_kinds.h"
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/record/id.h"
#include "common/record/submission.h"

/* ---- submissions: protobuf, or JSON when the first byte is '{' ---- */
/* payload points into data where it stands there as it is, else is owned. Initializes *submission; nothing has to be
 * released after an error. ST_INVALID names what is wrong: an unknown member by name (with the nearest known one), a
 * value of the wrong kind, too long or too large, unreadable bytes. What it accepts submission_check has yet to see. */
enum status codec_read_submission(struct submission *submission, const void *data, size_t size,
                                  struct err *err) MUST_CHECK;
/* Appends the protobuf form. */
void codec_write_submission(struct buf *to, const struct submission *submission);
/* One JSON object (its members: proto/README.md) to a submission; used by bgopctl submit --from as well. */
enum status codec_read_submission_json(struct submission *submission, const char *json, size_t size,
                                       struct err *err) MUST_CHECK;

/* ---- commands: protobuf, or JSON when the first byte is '{' ---- */
enum command_kind { COMMAND_CANCEL, COMMAND_REDRIVE, COMMAND_PAUSE, COMMAND_RESUME };
struct command {
    enum command_kind kind;
    char id[ID_SIZE]; /* 18 characters (15 given are completed); empty: absent */
    char type[RECORD_STRING_SIZE];
    char parent_key[RECORD_STRING_SIZE];
    char reason[RECORD_STRING_SIZE];
    char command_id[RECORD_STRING_SIZE];
    bool has_token; /* cancel, redrive: */
    uint64_t token; /* of the latest attempt that its sender saw */
};
/* ST_INVALID also when the target is not what the command takes (an Id; a Type or a ParentKey). */
enum status codec_read_command(struct command *command, const void *data, size_t size, struct err *err) MUST_CHECK;
void codec_write_command(struct buf *to, const struct command *command);

/* ---- hints ---- */
/* ids joined by blanks, as the Redis Functions answer them, straight into a hint. */
void codec_write_hint_joined(struct buf *to, const char *ids, size_t size);
/* Calls on_id for each well-formed Id (the others are skipped). */
enum status codec_read_hint(const void *data, size_t size, void (*on_id)(void *arg, const char id[ID_SIZE]), void *arg,
                            struct err *err) MUST_CHECK;

/* ---- the status log ---- */
/* Kinds of entries: the enum EntryKind of proto/bgop/v1/status.proto is their one list. From it the build makes
 * ENTRY_KINDS(XX): XX(TIMED_OUT, 5, "timed_out"), the last for Lua and logs. What each does to its operation:
 * common/functions/write/outcome.lua. */
enum entry_kind {
#define XX(id, value, name) ENTRY_##id = value,
    ENTRY_KINDS(XX)
#undef XX
};
enum {
#define XX(id, value, name) ENTRY_NUMBER_##id = value,
    ENTRY_KINDS(XX)
#undef XX
        ENTRY_KIND_END /* behind the last */
};
const char *entry_kind_name(enum entry_kind kind); /* NULL: not a kind */

enum {
    STATUS_BATCH_MAX_ENTRIES = 500,
    STATUS_BATCH_MAX_BYTES = 512 * 1024,
    RESULT_MAX_BYTES = 32 * 1024,
};
/* Writing makes text fit for the record (UTF-8, one line, cut at 255 characters; reading does so again, for other
 * writers), and cuts a result over RESULT_MAX_BYTES, which then says so at its end. */
struct status_entry {
    enum entry_kind kind;
    char id[ID_SIZE];
    uint64_t token;
    int64_t started_at_ms, duration_ms, retry_after_ms; /* -1: absent */
    const char *text;
    size_t text_size; /* borrowed; NULL: absent */
    const char *result;
    size_t result_size;            /* borrowed; NULL: absent */
    char leader_id[ID_SIZE];       /* empty: absent */
    const char *command_id;        /* borrowed; NULL: absent */
    const char *type, *parent_key; /* of PAUSE and RESUME, which have no Id: one of them; borrowed, NULL: absent */
};
/* At most STATUS_BATCH_MAX_ENTRIES. queue: genesis of the queue that it is meant for; NULL or "": absent. */
void codec_write_status_batch(struct buf *to, const struct status_entry *entries, size_t count, const char *worker_uri,
                              const char *instance, const char *queue);
/* A read batch owns the memory that its entries borrow from; its texts are never NULL, nothing has to be released
 * after an error. ST_INVALID: one bad entry refuses the whole batch. */
struct status_batch {
    struct status_entry *entries;
    size_t count;
    const char *worker_uri, *instance, *queue;
    void *message;
};
enum status codec_read_status_batch(struct status_batch *batch, const void *data, size_t size,
                                    struct err *err) MUST_CHECK;
void status_batch_release(struct status_batch *batch);

/* ---- control ---- */
struct control {
    char genesis_id[64];   /* empty: absent */
    int64_t generation;    /* -1: absent */
    int32_t shard, shards; /* -1: absent */
    char instance[128];
    int64_t at_ms;
    /* Of a partition whose history was rewritten; topic "": of none. */
    char topic[32];
    int32_t partition, epoch; /* epoch -1: absent (it is not of submit) */
    int64_t rewind_from, lost_to;
    int64_t last_offset; /* of the last common message; -1: there is none */
    uint32_t last_crc;
    int64_t last_at_ms;
    bool decided; /* by a person */
};
#define CONTROL_INIT                                                                                                 \
    {                                                                                                                \
        .generation = -1, .shard = -1, .shards = -1, .partition = -1, .epoch = -1, .rewind_from = -1, .lost_to = -1, \
        .last_offset = -1                                                                                            \
    }
void codec_write_control(struct buf *to, const struct control *control);
enum status codec_read_control(struct control *control, const void *data, size_t size, struct err *err) MUST_CHECK;

/* ---- rejects: {"reason","topic","partition","offset","value","truncated"} ---- */
enum { REJECT_VALUE_MAX_BYTES = 64 * 1024 };
void codec_write_reject(struct buf *to, const char *reason, const char *topic, int partition, int64_t offset,
                        const void *value, size_t size);

#endif
