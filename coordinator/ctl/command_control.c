/* cancel, redrive: commands go through the topic bgop.command, in one order with the outcomes; the answer is what
 * Redis shows afterwards. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/codec/codec.h"
#include "common/kafka/kafka.h"
#include "common/record/tables.h"
#include "coordinator/ctl/commands.h"
#include "coordinator/ctl/print.h"

enum { EFFECT_TIMEOUT_MS = 15000, FLUSH_MS = 15000, LINGER_MS = 2, LOOK_FIRST_MS = 20, LOOK_MAX_MS = 250 };

static struct { const char *reason, *timeout; } options;

enum target_progress { TARGET_OPEN, TARGET_DONE, TARGET_FAILED };
struct target {
    char id[ID_SIZE];
    char status[32], stamp[40];         /* as before the command */

    enum target_progress progress;
    char text[512];                     /* what became of it */
};
struct steering {
    struct session *session;
    enum command_kind kind;
    struct target *targets;
    size_t count;
};

static void settle(struct target *target, enum target_progress progress, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void settle(struct target *target, enum target_progress progress, const char *format, ...)
{
    va_list args;

    target->progress = progress;
    va_start(args, format);
    vsnprintf(target->text, sizeof target->text, format, args);
    va_end(args);
}

/* ---- looking ---- */
/* Rows of the targets that are open, in order. */
static int read_rows(struct steering *steering, json_t **rows)
{
    char (*ids)[ID_SIZE] = xcalloc(steering->count, ID_SIZE);
    size_t count = 0;
    int code;

    for (size_t i = 0; i < steering->count; i++) {
        if (steering->targets[i].progress == TARGET_OPEN)
            memcpy(ids[count++], steering->targets[i].id, ID_SIZE);
    }
    code = session_retrieve(steering->session, rows, "Id,Status,SystemModstamp,ExpiresAt", ids, count);
    free(ids);
    return code;
}

typedef void on_row(struct steering *steering, struct target *target, const json_t *row, const char *status);

static int for_each_open(struct steering *steering, on_row *each)
{
    json_t *rows = NULL;
    size_t at = 0;
    int code = read_rows(steering, &rows);

    for (size_t i = 0; code == EXIT_OK && i < steering->count; i++) {
        if (steering->targets[i].progress == TARGET_OPEN) {
            const json_t *row = json_array_get(rows, at++);

            each(steering, &steering->targets[i], row, json_string_value(json_object_get(row, "Status")));
        }
    }
    json_decref(rows);
    return code;
}

static bool is(const char *status, const char *name)
{
    return strcmp(status, name) == 0;
}

static void look_before(struct steering *steering, struct target *target, const json_t *row, const char *status)
{
    const char *stamp = json_string_value(json_object_get(row, "SystemModstamp"));

    if (!status) {
        settle(target, TARGET_FAILED, "there is no such operation");
        return;
    }
    snprintf(target->status, sizeof target->status, "%s", status);
    snprintf(target->stamp, sizeof target->stamp, "%s", stamp ? stamp : "");
    if (steering->kind == COMMAND_CANCEL && is(status, "Canceled"))
        settle(target, TARGET_DONE, "was canceled already");
    else if (steering->kind == COMMAND_CANCEL && is(status, "Complete"))
        settle(target, TARGET_FAILED, "is %s: nothing is left to cancel", status);
    else if (steering->kind == COMMAND_REDRIVE && !is(status, "Error"))
        settle(target, TARGET_FAILED, "is %s: only what ended in Error can be redriven", status);
}

static bool cancel_requested(struct steering *steering, const struct target *target)
{
    struct redis_reply *reply = NULL;
    struct id_parts parts;
    char key[64];
    bool requested = false;

    if (!id_parse(target->id, ID_LENGTH, &parts))
        return false;
    snprintf(key, sizeof key, "bgop:{%d}:cancels", parts.shard);
    if (redis_call(steering->session->redis, &reply, NULL, "HEXISTS", key, target->id, NULL) == ST_OK)
        requested = redis_reply_int(reply, 0) == 1;
    redis_reply_free(reply);
    return requested;
}

static void look_at_cancel(struct steering *steering, struct target *target, const char *status)
{
    if (is(status, "Canceled"))
        settle(target, TARGET_DONE, "canceled");
    else if (is(status, "Complete"))
        settle(target, TARGET_FAILED, "became Complete before the cancel was read");
    else if ((is(status, "Running") || is(status, "Merged")) && cancel_requested(steering, target))
        settle(target, TARGET_DONE, "runs: cancel requested; the handler is told, and the first outcome wins");
}

static void look_after(struct steering *steering, struct target *target, const json_t *row, const char *status)
{
    const char *stamp = json_string_value(json_object_get(row, "SystemModstamp"));

    if (!status)
        settle(target, TARGET_FAILED, "was removed meanwhile");
    else if (steering->kind == COMMAND_CANCEL)
        look_at_cancel(steering, target, status);
    else if (!is(status, target->status) || (stamp && strcmp(stamp, target->stamp) != 0))
        settle(target, TARGET_DONE, "redriven, now %s", status);
}

/* ---- sending ---- */
static void on_delivery(void *producer_arg, const struct kafka_delivery *delivery)
{
    struct target *target = delivery->arg;

    (void)producer_arg;
    if (delivery->status != ST_OK)
        settle(target, TARGET_FAILED, "the command did not reach Kafka: %s", delivery->text);
}

static int open_commands(struct session *session, char *topic, size_t room)
{
    struct kafka_settings settings = config_kafka(&session->config, "bgopctl");
    struct kafka_topic look = { .name = config_topic(&session->config, "command", topic, room) };
    struct err err = ERR_INIT;

    if (kafka_topics_look(&settings, &look, 1, SESSION_TIMEOUT_MS, &err) != ST_OK)
        return session_fail_status(&err);
    if (!look.found)
        return session_fail(EXIT_UNREACHABLE,
                            "Kafka at %s has no topic %s: the queue has not been started there; start bgop-coordinator",
                            settings.brokers, topic);
    session->commands = kafka_producer_new(&settings, LINGER_MS, on_delivery, NULL, &err);
    return session->commands ? EXIT_OK : session_fail(EXIT_CONFIG, "%s", err.text);
}

static void send_one(struct steering *steering, const char *topic, struct target *target)
{
    struct command command = { .kind = steering->kind };
    struct err err = ERR_INIT;
    struct buf value;
    enum status st;

    memcpy(command.id, target->id, ID_SIZE);
    if (options.reason)
        (void)text_copy(command.reason, sizeof command.reason, options.reason, strlen(options.reason));
    buf_init(&value, 4096);
    codec_write_command(&value, &command);
    while ((st = kafka_producer_send(steering->session->commands, topic, KAFKA_PARTITION_BY_KEY, target->id, ID_LENGTH,
                                     value.data, value.size, NULL, target, &err)) == ST_LIMIT)
        kafka_producer_poll(steering->session->commands, 20);
    if (st != ST_OK)
        settle(target, TARGET_FAILED, "%s", err.text);
    buf_release(&value);
}

static int send_all(struct steering *steering)
{
    char topic[300];
    struct err err = ERR_INIT;
    bool any = false;
    int code;

    for (size_t i = 0; i < steering->count; i++)
        any = any || steering->targets[i].progress == TARGET_OPEN;
    if (!any)
        return EXIT_OK;
    code = open_commands(steering->session, topic, sizeof topic);
    if (code != EXIT_OK)
        return code;
    for (size_t i = 0; i < steering->count; i++) {
        if (steering->targets[i].progress == TARGET_OPEN)
            send_one(steering, topic, &steering->targets[i]);
    }
    return kafka_producer_flush(steering->session->commands, FLUSH_MS, &err) == ST_OK ? EXIT_OK
                                                                                      : session_fail_status(&err);
}

/* ---- waiting for the effect ---- */
static size_t count_open(const struct steering *steering)
{
    size_t open = 0;

    for (size_t i = 0; i < steering->count; i++)
        open += steering->targets[i].progress == TARGET_OPEN;
    return open;
}

static int wait_for_effects(struct steering *steering, int64_t timeout_ms)
{
    int64_t deadline = clock_boot_ms() + timeout_ms;
    long pause_ms = LOOK_FIRST_MS;
    int code = EXIT_OK;

    while (code == EXIT_OK && count_open(steering)) {
        struct timespec pause = { 0, pause_ms * 1000000L };

        nanosleep(&pause, NULL);
        pause_ms = pause_ms * 2 < LOOK_MAX_MS ? pause_ms * 2 : LOOK_MAX_MS;
        code = for_each_open(steering, look_after);
        if (clock_boot_ms() >= deadline)
            break;
    }
    for (size_t i = 0; i < steering->count; i++) {
        if (steering->targets[i].progress == TARGET_OPEN)
            settle(&steering->targets[i], TARGET_FAILED,
                   "Kafka has the command, but Redis shows no effect after %.1f s: does a coordinator run? (`bgopctl "
                   "why` tells where it stands; a refused command is in %s.rejects)",
                   (double)timeout_ms / 1000, steering->session->config.prefix);
    }
    return code;
}

/* ---- the commands ---- */
static int print_targets(const struct steering *steering)
{
    json_t *list = steering->session->json ? json_array() : NULL;
    int code = EXIT_OK;

    for (size_t i = 0; i < steering->count; i++) {
        const struct target *target = &steering->targets[i];
        bool done = target->progress == TARGET_DONE;

        if (list)
            json_array_append_new(list,
                                  json_pack("{s:s, s:b, s:s}", "Id", target->id, "done", done, "text", target->text));
        else if (done)
            printf("%s  %s\n", target->id, target->text);
        else
            session_fail(EXIT_FAILED, "%s %s", target->id, target->text);
        code = done ? code : EXIT_FAILED;
    }
    if (list)
        print_json(stdout, list);
    json_decref(list);
    return code;
}

static int run_control(struct steering *steering, int64_t timeout_ms)
{
    int code = for_each_open(steering, look_before);

    if (code == EXIT_OK)
        code = send_all(steering);
    if (code == EXIT_OK)
        code = wait_for_effects(steering, timeout_ms);
    return code == EXIT_OK ? print_targets(steering) : code;
}

static int run_kind(struct session *session, enum command_kind kind, int count, char **operands)
{
    struct steering steering = { .session = session, .kind = kind, .count = (size_t)count };
    int64_t timeout_ms = EFFECT_TIMEOUT_MS;
    char (*ids)[ID_SIZE] = NULL;
    int code;

    if (options.timeout && !argument_seconds(options.timeout, &timeout_ms))
        return session_fail(EXIT_USAGE_ERROR, "--timeout %s: seconds are expected, such as 30 or 0.5", options.timeout);
    if (options.reason && (text_utf8_length(options.reason, strlen(options.reason)) < 0 ||
                           text_utf8_length(options.reason, strlen(options.reason)) > RECORD_STRING_MAX_CHARACTERS))
        return session_fail(EXIT_USAGE_ERROR, "--reason: at most 255 characters of UTF-8 are expected");
    code = session_resolve_all(session, operands, count, &ids);
    if (code == EXIT_OK) {
        steering.targets = xcalloc((size_t)count, sizeof *steering.targets);
        for (int i = 0; i < count; i++)
            memcpy(steering.targets[i].id, ids[i], ID_SIZE);
        code = run_control(&steering, timeout_ms);
        kafka_producer_free(session->commands);     /* before the targets: late reports point at them */
        session->commands = NULL;
    }
    free(steering.targets);
    free(ids);
    return code;
}

static int run_cancel(struct session *session, int count, char **operands)
{
    return run_kind(session, COMMAND_CANCEL, count, operands);
}

static int run_redrive(struct session *session, int count, char **operands)
{
    return run_kind(session, COMMAND_REDRIVE, count, operands);
}

static const struct flag cancel_flags[] = {
    { "reason", "TEXT", "kept with the operation", &options.reason },
    { "timeout", "S", "seconds to wait for the effect (15)", &options.timeout },
};
static const struct flag redrive_flags[] = {
    { "timeout", "S", "seconds to wait for the effect (15)", &options.timeout },
};

const struct subcommand command_cancel = {
    .name = "cancel",
    .usage = "ID|NAME... [--reason TEXT]",
    .about = "operations shall not run (any more)",
    .help = "What does not run is Canceled at once; what runs is asked to stop, and the first outcome wins.\n"
            "Exit 1 when one of them could not be canceled, or when no effect was seen in time.",
    .flags = COMMAND_FLAGS(cancel_flags),
    .min_operands = 1,
    .max_operands = -1,
    .run = run_cancel,
};
const struct subcommand command_redrive = {
    .name = "redrive", .usage = "ID|NAME...", .about = "operations that ended in Error get their retries back",
    .help = "Exit 1 when one of them is not in Error, or when no effect was seen in time.",
    .flags = COMMAND_FLAGS(redrive_flags), .min_operands = 1, .max_operands = -1, .run = run_redrive,
};
