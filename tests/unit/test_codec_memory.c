/* Every allocation of the codec fails in turn, once and for good: what is read is then "out of memory" (ST_AGAIN) and never
 * called wrong, which would refuse it for ever; what is written is a buf that overflowed; nothing is kept, and nobody dies
 * or writes to stderr. */
#include "tests/support/test.h"

#include "common/codec/codec.h"
#include "tests/support/allocations.h"

#define ID "08P000000000000EAA"

static enum status read_submission_text(const char *text, size_t size)
{
    struct submission submission;
    struct err err = ERR_INIT;
    enum status st = codec_read_submission(&submission, text, size, &err);

    assert_int_equal(st == ST_OK, err.text[0] == '\0');
    if (st == ST_OK)
        submission_release(&submission);
    return st;
}

#define SUBMISSION(name, text)                               \
    static enum status name(void)                            \
    {                                                        \
        return read_submission_text(text, sizeof(text) - 1); \
    }
SUBMISSION(plain, "{\"Type\":\"WebCart\",\"Payload\":\"as it is\"}")
SUBMISSION(escaped_name, "{\"Type\":\"WebCart\",\"Name\":\"a\\nb\",\"ParentKey\":\"\\u00e9\"}")
SUBMISSION(escaped_member, "{\"Ty\\u0070e\":\"WebCart\"}")
SUBMISSION(escaped_payload, "{\"Type\":\"WebCart\",\"Payload\":\"\\ud83d\\ude00 \\\"\"}")
SUBMISSION(spaced_payload, "{\"Type\":\"WebCart\",\"Payload\":{ \"a\" : [ 1 , 2 ] }}")
SUBMISSION(base64, "{\"Type\":\"WebCart\",\"PayloadBase64\":\"aGVs\\u0062G8=\"}")
SUBMISSION(protobuf, "\x0a\x07WebCart\x52\x02hi")

static enum status command(void)
{
    static const char text[] = "{\"Command\":\"pause\",\"Type\":\"Web\\u0043art\",\"Reason\":\"a\\tb\"}";
    struct command read;
    struct err err = ERR_INIT;

    return codec_read_command(&read, text, sizeof text - 1, &err);
}

/* Written while nothing fails. */
static struct buf batch, control;

static void write_batch(struct buf *to)
{
    static char result[RESULT_MAX_BYTES + 100];
    const struct status_entry entries[] = {
        { .kind = ENTRY_OK, .id = ID, .token = 7, .result = result, .result_size = sizeof result },
        { .kind = ENTRY_ERROR, .id = ID, .token = 8, .retry_after_ms = -1, .text = "no", .text_size = 2 },
    };

    memset(result, 'r', sizeof result);
    codec_write_status_batch(to, entries, 2, "http://w", "i", "q");
}

static void write_control(struct buf *to)
{
    const struct control record = { .genesis_id = "g", .generation = 3, .shard = 1, .shards = 4, .instance = "i" };

    codec_write_control(to, &record);
}

static enum status read_batch(void)
{
    struct status_batch read;
    struct err err = ERR_INIT;
    enum status st = codec_read_status_batch(&read, batch.data, batch.size, &err);

    if (st == ST_OK)
        status_batch_release(&read);
    return st;
}

static enum status read_control(void)
{
    struct control read;
    struct err err = ERR_INIT;

    return codec_read_control(&read, control.data, control.size, &err);
}

static void write_submission(struct buf *to)
{
    struct submission submission;

    submission_init(&submission);
    snprintf(submission.type, sizeof submission.type, "WebCart");
    submission.payload = "a payload that makes the buffer grow, and once more: ....................................";
    submission.payload_size = strlen(submission.payload);
    codec_write_submission(to, &submission);
}

static void write_command(struct buf *to)
{
    codec_write_command(to, &(struct command){ .kind = COMMAND_PAUSE, .type = "WebCart", .reason = "because" });
}

static void write_hint(struct buf *to)
{
    codec_write_hint_joined(to, ID " " ID " " ID " " ID, 4 * ID_LENGTH + 3);
}

static void write_reject(struct buf *to)
{
    codec_write_reject(to, "not JSON", "bgop.submit", 3, 77, "{\"a\":\xff\"", 7);
}

/* Half a message must never look whole. */
static enum status written(void (*write)(struct buf *))
{
    struct buf to;
    enum status st;

    buf_init(&to, 1 << 20);
    write(&to);
    st = to.overflow ? ST_AGAIN : ST_OK;
    buf_release(&to);
    return st;
}
#define WRITTEN(name)                 \
    static enum status w_##name(void) \
    {                                 \
        return written(name);         \
    }
WRITTEN(write_submission)
WRITTEN(write_command)
WRITTEN(write_hint)
WRITTEN(write_reject)
WRITTEN(write_batch)
WRITTEN(write_control)

static const struct {
    const char *name;
    enum status (*call)(void);
} calls[] = {
    { "plain", plain },
    { "escaped name", escaped_name },
    { "escaped member", escaped_member },
    { "escaped payload", escaped_payload },
    { "spaced payload", spaced_payload },
    { "base64", base64 },
    { "protobuf", protobuf },
    { "command", command },
    { "status batch", read_batch },
    { "control", read_control },
    { "write submission", w_write_submission },
    { "write command", w_write_command },
    { "write hint", w_write_hint },
    { "write reject", w_write_reject },
    { "write status batch", w_write_batch },
    { "write control", w_write_control },
};

/* How many allocations it was, with everything that they do. */
static long fail_each(const char *name, enum status (*call)(void), bool persistent)
{
    enum { MOST = 1000 };
    long n = 1;

    for (; n < MOST; n++) {
        enum status st;

        allocations_begin(n, persistent);
        st = call();
        bool refused = allocations_end();
        if (allocations.alive != 0)
            fail_msg("%s: allocation %ld fails: %ld blocks are left", name, n, allocations.alive);
        if (allocations.said != 0)
            fail_msg("%s: allocation %ld fails: %ld bytes on stderr", name, n, allocations.said);
        if (st != ST_OK && st != ST_AGAIN)
            fail_msg("%s: allocation %ld fails: status %d", name, n, (int)st);
        if (!refused && st != ST_OK)
            fail_msg("%s: nothing fails, and it is status %d", name, (int)st);
        if (!refused)
            break;
    }
    assert_true(n < MOST);
    return n - 1;
}

static void each_allocation_that_fails_is_told_as_such(void **state)
{
    long failed = 0;

    (void)state;
    buf_init(&batch, 1 << 20);
    buf_init(&control, 1 << 20);
    write_batch(&batch);
    write_control(&control);
    for (size_t i = 0; i < TEST_COUNT(calls); i++)
        failed += fail_each(calls[i].name, calls[i].call, false) + fail_each(calls[i].name, calls[i].call, true);
    assert_true(failed > 30);
    buf_release(&batch);
    buf_release(&control);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(each_allocation_that_fails_is_told_as_such) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
