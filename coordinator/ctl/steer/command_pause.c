/* pause, resume: nothing of a Type or of a ParentKey is claimed. Sent through the topic of commands; answers when Redis
 * shows the effect in every shard that it concerns. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/codec/codec.h"
#include "common/kafka/kafka.h"
#include "common/record/keys.h"
#include "common/record/routing.h"
#include "coordinator/ctl/commands.h"
#include "coordinator/ctl/print.h"

enum { EFFECT_TIMEOUT_MS = 15000, FLUSH_MS = 10000, LOOK_MS = 50 };

static struct {
    const char *type, *parent, *reason, *timeout;
} options;

/* Of how many shards Redis shows another state than is wanted; -1: it could not be asked. */
static int shards_missing(struct session *session, const char *field, bool paused)
{
    int shards = 0, first = 0, missing = 0;
    struct redis_reply *reply = NULL;
    struct err err = ERR_INIT;

    if (redis_call(session->redis, &reply, &err, "HGET", key_name(KEY_META), "shards", NULL) == ST_OK)
        shards = (int)redis_reply_int(reply, 0);
    redis_reply_free(reply);
    if (options.parent && shards > 0) {
        first = routing_shard(options.parent, strlen(options.parent), 0, 0, shards);
        shards = first + 1;
    }
    for (int s = first; s < shards; s++) {
        char key[64];

        key_format(key, sizeof key, KEY_PAUSED, s, NULL);
        reply = NULL;
        if (redis_call(session->redis, &reply, &err, "HEXISTS", key, field, NULL) != ST_OK)
            return -1;
        missing += (redis_reply_int(reply, 0) == 1) != paused;
        redis_reply_free(reply);
    }
    return shards > 0 ? missing : -1;
}

/* Why it is not in the log; it stays as it is when it is. */
static void on_delivery(void *err, const struct kafka_delivery *delivery)
{
    if (delivery->status != ST_OK)
        err_set_server(err, ST_AGAIN, "kafka", "the command did not reach Kafka: %s", delivery->text);
}

static int send_command(struct session *session, enum command_kind kind)
{
    struct kafka_settings settings = config_kafka(&session->config, "bgopctl");
    struct command command = { .kind = kind };
    char topic[300];
    struct err err = ERR_INIT, refused = ERR_INIT;
    struct buf value;
    enum status st;
    struct kafka_producer *producer;
    int code = session_queue_check(session);

    if (code != EXIT_OK)
        return code;
    producer = kafka_producer_new(&settings, 0, on_delivery, &refused, &err);
    if (!producer)
        return session_fail(EXIT_CONFIG, "%s", err.text);
    snprintf(command.type, sizeof command.type, "%s", options.type ? options.type : "");
    snprintf(command.parent_key, sizeof command.parent_key, "%s", options.parent ? options.parent : "");
    snprintf(command.reason, sizeof command.reason, "%s", options.reason ? options.reason : "");
    buf_init(&value, 4096);
    codec_write_command(&value, &command);
    BGOP_ASSERT(!value.overflow);
    st = kafka_producer_send(producer, config_topic(&session->config, "command", topic, sizeof topic), 0, NULL, 0,
                             value.data, value.size, NULL, NULL, &err);
    if (st == ST_OK)
        st = kafka_producer_flush(producer, FLUSH_MS, &err);
    buf_release(&value);
    kafka_producer_free(producer);
    if (st == ST_OK && refused.status == ST_OK)
        return EXIT_OK;
    return session_fail_status(st == ST_OK ? &refused : &err);
}

static int check_options(int64_t *timeout_ms)
{
    const char *texts[] = { options.type, options.parent, options.reason };

    if (!options.type == !options.parent)
        return session_fail(EXIT_USAGE_ERROR, "give either --type or --parent");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int64_t length = texts[i] ? (int64_t)text_utf8_length(texts[i], strlen(texts[i])) : 1;

        if (length < (i < 2 ? 1 : 0) || length > RECORD_STRING_MAX_CHARACTERS) {
            return session_fail(EXIT_USAGE_ERROR, "1 to %d characters of UTF-8 are expected",
                                RECORD_STRING_MAX_CHARACTERS);
        }
    }
    if (options.timeout && !argument_seconds(options.timeout, timeout_ms))
        return session_fail(EXIT_USAGE_ERROR, "--timeout %s: seconds are expected, such as 30 or 0.5", options.timeout);
    return EXIT_OK;
}

static int wait_for_effect(struct session *session, const char *field, bool paused, int64_t timeout_ms)
{
    int64_t deadline = clock_boot_ms() + timeout_ms;
    int missing;

    while ((missing = shards_missing(session, field, paused)) != 0 && clock_boot_ms() < deadline)
        nanosleep(&(struct timespec){ 0, LOOK_MS * 1000000L }, NULL);
    if (missing == 0)
        return EXIT_OK;
    return session_fail(EXIT_FAILED,
                        "Kafka has the command, but Redis shows no effect after %.1f s: does a coordinator run?",
                        (double)timeout_ms / 1000);
}

static int run_pause_or_resume(struct session *session, enum command_kind kind)
{
    int64_t timeout_ms = EFFECT_TIMEOUT_MS;
    char field[RECORD_STRING_SIZE + 2];
    int code = check_options(&timeout_ms);

    if (code != EXIT_OK)
        return code;
    snprintf(field, sizeof field, "%c:%s", options.type ? 'T' : 'P', options.type ? options.type : options.parent);
    code = session_redis(session);
    /* A Type that is configured no more may still be paused. */
    if (code == EXIT_OK && (kind == COMMAND_PAUSE || shards_missing(session, field, false) == 0))
        code = argument_check_type(session, options.type);
    if (code == EXIT_OK)
        code = send_command(session, kind);
    if (code == EXIT_OK)
        code = wait_for_effect(session, field, kind == COMMAND_PAUSE, timeout_ms);
    if (code != EXIT_OK)
        return code;
    if (session->json) {
        printf("{\"%s\":true}\n", kind == COMMAND_PAUSE ? "paused" : "resumed");
    } else {
        printf("%s %s is %s\n", options.type ? "Type" : "ParentKey", shown(field + 2),
               kind == COMMAND_PAUSE ? "paused; what runs goes on" : "resumed");
    }
    return EXIT_OK;
}

static int run_pause(struct session *session, int count, char **operands)
{
    (void)count, (void)operands;
    return run_pause_or_resume(session, COMMAND_PAUSE);
}

static int run_resume(struct session *session, int count, char **operands)
{
    (void)count, (void)operands;
    return run_pause_or_resume(session, COMMAND_RESUME);
}

static const struct flag pause_flags[] = {
    { "type", "TYPE", "all operations of this Type", &options.type },
    { "parent", "KEY", "all operations with this ParentKey", &options.parent },
    { "reason", "TEXT", "kept with the pause", &options.reason },
    { "timeout", "S", "seconds to wait for the effect (15)", &options.timeout },
};

const struct subcommand command_pause = {
    .name = "pause",
    .usage = "--type T | --parent K",
    .about = "nothing of a Type or a ParentKey starts any more",
    .help =
        "What runs goes on; what would start is Waiting until it is resumed. `bgopctl paused` lists what is paused.",
    .flags = COMMAND_FLAGS(pause_flags),
    .run = run_pause,
};
const struct subcommand command_resume = {
    .name = "resume",
    .usage = "--type T | --parent K",
    .about = "what was paused goes on",
    .flags = COMMAND_FLAGS(pause_flags),
    .run = run_resume,
};
