/* Bytes on Kafka <-> structs. The only includer of generated protobuf code and of jansson on the message path;
 * copies, so that nothing escapes a message. Sizes are checked before anything is unpacked. */
#ifndef BGOP_CODEC_CODEC_H
#define BGOP_CODEC_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
/* One JSON object (as interface.md 3) to a submission; used by bgopctl submit --from as well. */
enum status codec_read_submission_json(struct submission *submission, const char *json, size_t size,
                                       struct err *err) MUST_CHECK;

/* ---- commands: protobuf, or JSON when the first byte is '{' ---- */
enum command_kind { COMMAND_CANCEL, COMMAND_REDRIVE, COMMAND_PAUSE, COMMAND_RESUME };
struct command {
    enum command_kind kind;
    char id[ID_SIZE];                       /* 18 characters (15 given are completed); empty: absent */
    char type[RECORD_STRING_SIZE];
    char parent_key[RECORD_STRING_SIZE];
    char reason[RECORD_STRING_SIZE];
    char command_id[RECORD_STRING_SIZE];
    bool has_token;                         /* cancel, redrive: */
    uint64_t token;                         /* of the latest attempt that its sender saw */
};
/* ST_INVALID also when the target is not what the command takes (an Id; a Type or a ParentKey). */
enum status codec_read_command(struct command *command, const void *data, size_t size, struct err *err) MUST_CHECK;
void codec_write_command(struct buf *to, const struct command *command);

/* ---- hints ---- */
void codec_write_hint(struct buf *to, const char (*ids)[ID_SIZE], size_t count);
/* ids joined by blanks, as the Redis Functions answer them, straight into a hint. */
void codec_write_hint_joined(struct buf *to, const char *ids, size_t size);
/* Calls on_id for each well-formed Id (the others are skipped). */
enum status codec_read_hint(const void *data, size_t size, void (*on_id)(void *arg, const char id[ID_SIZE]), void *arg,
                            struct err *err) MUST_CHECK;

/* ---- the status log ---- */
/*     enum        proto value    name for Lua and logs */
#define ENTRY_KINDS(XX)                 \
    XX(OK,         1, "ok")             \
    XX(ERROR,      2, "error")          \
    XX(PERMANENT,  3, "permanent")      \
    XX(CRASHED,    4, "crashed")        \
    XX(TIMED_OUT,  5, "timed_out")      \
    XX(SKIPPED,    6, "skipped")        \
    XX(RETURNED,   7, "returned")       \
    XX(LOST,       8, "lost")           \
    XX(CANCEL,     9, "cancel")         \
    XX(REDRIVE,   10, "redrive")        \
    XX(PAUSE,     11, "pause")          \
    XX(RESUME,    12, "resume")         \
    XX(UNANSWERED, 13, "unanswered")
enum entry_kind {
#define XX(id, value, name) ENTRY_##id = value,
    ENTRY_KINDS(XX)
#undef XX
};
const char *entry_kind_name(enum entry_kind kind);      /* NULL: not a kind */

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
    int64_t started_at_ms, duration_ms, retry_after_ms;     /* -1: absent */
    const char *text; size_t text_size;                     /* borrowed; NULL: absent */
    const char *result; size_t result_size;                 /* borrowed; NULL: absent */
    char leader_id[ID_SIZE];                                /* empty: absent */
    const char *command_id;                                 /* borrowed; NULL: absent */
    const char *type, *parent_key;  /* of PAUSE and RESUME, which have no Id: one of them; borrowed, NULL: absent */
};
/* At most STATUS_BATCH_MAX_ENTRIES. */
void codec_write_status_batch(struct buf *to, const struct status_entry *entries, size_t count,
                              const char *worker_uri, const char *instance);
/* A read batch owns the memory that its entries borrow from; its texts are never NULL, nothing has to be released
 * after an error. ST_INVALID: one bad entry refuses the whole batch. */
struct status_batch {
    struct status_entry *entries;
    size_t count;
    const char *worker_uri, *instance;
    void *message;
};
enum status codec_read_status_batch(struct status_batch *batch, const void *data, size_t size,
                                    struct err *err) MUST_CHECK;
void status_batch_release(struct status_batch *batch);

/* ---- control ---- */
struct control {
    char genesis_id[64];        /* empty: absent */
    int64_t generation;         /* -1: absent */
    int32_t shard, shards;      /* -1: absent */
    char instance[128];
    int64_t at_ms;
};
void codec_write_control(struct buf *to, const struct control *control);
enum status codec_read_control(struct control *control, const void *data, size_t size, struct err *err) MUST_CHECK;

/* ---- rejects: {"reason","topic","partition","offset","value","truncated"} ---- */
enum { REJECT_VALUE_MAX_BYTES = 64 * 1024 };
void codec_write_reject(struct buf *to, const char *reason, const char *topic, int partition, int64_t offset,
                        const void *value, size_t size);

#endif
