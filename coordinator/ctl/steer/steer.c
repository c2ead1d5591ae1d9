/* Sending commands chunk by chunk, at the rate that is asked for, and waiting until Redis shows the effect of each. */
#include "coordinator/ctl/steer/steer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/codec/codec.h"
#include "common/kafka/kafka.h"
#include "coordinator/ctl/interrupt.h"
#include "coordinator/ctl/missing.h"
#include "coordinator/ctl/print.h"

enum {
    CHUNK_MAX = 500, /* sent before effects are looked for */
    FLUSH_MS = 15000,
    LINGER_MS = 2,
    POLL_FIRST_MS = 10,
    POLL_MAX_MS = 250,
};

struct sending {
    struct steering *steering;
    char topic[300];
    int64_t begun_ms, sent; /* for the rate */
    size_t seen;            /* effects seen */
    struct progress progress;
};

static void nap(int64_t ms)
{
    nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

/* ---- sending ---- */

static void on_delivery(void *producer_arg, const struct kafka_delivery *delivery)
{
    struct target *target = delivery->arg;

    (void)producer_arg;
    if (delivery->status != ST_OK)
        target_settle(target, TARGET_FAILED, "the command did not reach Kafka: %s", delivery->text);
}

static int open_commands(struct sending *sending)
{
    struct session *session = sending->steering->session;
    struct kafka_settings settings = config_kafka(&session->config, "bgopctl");
    struct kafka_topic wanted = { .name = config_topic(&session->config, "command", sending->topic,
                                                       sizeof sending->topic) };
    struct err err = ERR_INIT;
    int code = session_queue_check(session);

    if (code != EXIT_OK)
        return code;
    if (kafka_topics_look(&settings, &wanted, 1, SESSION_TIMEOUT_MS, &err) != ST_OK)
        return session_fail_status(&err);
    if (!wanted.found) {
        return session_fail(EXIT_UNREACHABLE,
                            "Kafka at %s has no topic %s: the queue has not been started there; start bgop-coordinator",
                            settings.brokers, sending->topic);
    }
    session->commands = kafka_producer_new(&settings, LINGER_MS, on_delivery, NULL, &err);
    if (!session->commands)
        return session_fail(EXIT_CONFIG, "%s", err.text);
    /* When it cannot, sending says what is wrong. */
    (void)kafka_producer_learn(session->commands, sending->topic, SESSION_TIMEOUT_MS);
    return EXIT_OK;
}

static void send_one(struct sending *sending, struct target *target)
{
    struct steering *steering = sending->steering;
    struct kafka_producer *producer = steering->session->commands;
    struct command command = { .kind = steering->kind == ACTION_CANCEL ? COMMAND_CANCEL : COMMAND_REDRIVE };
    struct err err = ERR_INIT;
    struct buf value;
    enum status st;

    memcpy(command.id, target->id, ID_SIZE);
    if (steering->reason)
        (void)text_copy(command.reason, sizeof command.reason, steering->reason, strlen(steering->reason));
    command.has_token = steering->kind == ACTION_REDRIVE;
    command.token = target->token;
    buf_init(&value, 4096);
    codec_write_command(&value, &command);
    BGOP_ASSERT(!value.overflow);
    while ((st = kafka_producer_send(producer, sending->topic, KAFKA_PARTITION_BY_KEY, target->id, ID_LENGTH,
                                     value.data, value.size, NULL, target, &err)) == ST_LIMIT)
        kafka_producer_poll(producer, 20);
    target->sent = st == ST_OK;
    if (st != ST_OK)
        target_settle(target, TARGET_FAILED, "%s", err.text);
    buf_release(&value);
}

/* Until the next command's time. */
static void keep_rate(struct sending *sending)
{
    int64_t rate = sending->steering->rate, due_ms;

    if (!rate)
        return;
    due_ms = sending->begun_ms + sending->sent * 1000 / rate;
    while (!interrupted()) {
        int64_t left = due_ms - clock_boot_ms();

        if (left <= 0)
            return;
        nap(left < 100 ? left : 100);
    }
}

static int send_chunk(struct sending *sending, size_t from, size_t to)
{
    struct err err = ERR_INIT;

    for (size_t i = from; i < to; i++) {
        if (sending->steering->targets.list[i].progress != TARGET_OPEN)
            continue;
        keep_rate(sending);
        if (interrupted())
            break;
        send_one(sending, &sending->steering->targets.list[i]);
        sending->sent++;
    }
    return kafka_producer_flush(sending->steering->session->commands, FLUSH_MS, &err) == ST_OK
               ? EXIT_OK
               : session_fail_status(&err);
}

/* ---- effects ---- */

static void draw(struct sending *sending, size_t at)
{
    char text[96], done[32], all[32];

    snprintf(text, sizeof text, "%s of %s", format_count(done, (long long)at),
             format_count(all, (long long)sending->steering->targets.count));
    progress_draw(&sending->progress, (double)at / (double)sending->steering->targets.count, text);
}

/* Exit 1 all the same: no effect was seen. */
static void settle_to_come(struct steering *steering, struct target *target)
{
    struct missing missing;

    missing_explain(steering->session, target->id, &missing);
    if (missing_may_come(&missing)) {
        target_settle(target, TARGET_FAILED, "is not recorded yet; the cancel is in the log and will meet it: %s",
                      missing.kind == MISSING_PENDING ? strchr(missing.text, ':') + 2 : missing.text);
    } else {
        target_settle(target, TARGET_FAILED, "%s", missing.text);
    }
}

static bool is_waited_for(const struct target *target)
{
    return target->progress == TARGET_OPEN && target->sent;
}

static int wait_chunk(struct sending *sending, size_t from, size_t to)
{
    struct steering *steering = sending->steering;
    int64_t deadline = clock_boot_ms() + steering->timeout_ms, pause_ms = POLL_FIRST_MS;
    size_t open = 0;
    struct err err = ERR_INIT;

    for (;;) {
        if (targets_look(&steering->targets, from, to, &open, &err) != ST_OK)
            return session_fail_status(&err);
        if (!open || clock_boot_ms() >= deadline || (interrupted() && pause_ms == POLL_MAX_MS))
            break;
        nap(pause_ms);
        pause_ms = pause_ms * 2 < POLL_MAX_MS ? pause_ms * 2 : POLL_MAX_MS;
    }
    for (size_t i = from; i < to; i++)
        sending->seen += steering->targets.list[i].sent && steering->targets.list[i].progress != TARGET_OPEN;
    if (!open || interrupted())
        return EXIT_OK;
    for (size_t i = from; i < to; i++) {
        if (is_waited_for(&steering->targets.list[i]) && steering->targets.list[i].to_come) {
            settle_to_come(steering, &steering->targets.list[i]);
        } else if (is_waited_for(&steering->targets.list[i])) {
            target_settle(&steering->targets.list[i], TARGET_FAILED,
                          "Kafka has the command, but Redis shows no effect after %.1f s: does a coordinator run? "
                          "(`bgopctl why` tells where it stands; a refused command is in %s.rejects)",
                          (double)steering->timeout_ms / 1000, steering->session->config.prefix);
        }
    }
    return sending->seen ? EXIT_OK : EXIT_FAILED; /* nobody acts: no use in sending more */
}

static bool any_open(const struct steering *steering)
{
    for (size_t i = 0; i < steering->targets.count; i++) {
        if (steering->targets.list[i].progress == TARGET_OPEN)
            return true;
    }
    return false;
}

int steering_go(struct steering *steering)
{
    struct sending sending = { .steering = steering, .begun_ms = clock_boot_ms() };
    size_t chunk = steering->rate && steering->rate < CHUNK_MAX ? (size_t)steering->rate : CHUNK_MAX, to;
    int code = EXIT_OK;

    if (!any_open(steering))
        return EXIT_OK;
    code = open_commands(&sending);
    progress_start(&sending.progress);
    for (size_t from = 0; code == EXIT_OK && from < steering->targets.count && !interrupted(); from = to) {
        to = from + chunk < steering->targets.count ? from + chunk : steering->targets.count;
        code = send_chunk(&sending, from, to);
        if (code == EXIT_OK)
            code = wait_chunk(&sending, from, to);
        draw(&sending, to);
    }
    progress_end(&sending.progress);
    kafka_producer_free(steering->session->commands); /* before the targets: late reports point at them */
    steering->session->commands = NULL;
    return code;
}
