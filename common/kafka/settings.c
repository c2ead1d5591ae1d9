/* Properties that librdkafka takes one by one, and that together, or beside our loops, stop the queue or end a process. */
#include <stdlib.h>
#include <string.h>

#include "common/kafka/edge.h"

#define NO_LIMIT 1e18

/* clang-format off */
static const struct bound { const char *name; double least, most; const char *why; } bounds[] = {
    { "max.poll.interval.ms", 60000, NO_LIMIT,
      "a batch may keep a loop busy for half a minute, and it would be thrown out of its group" },
    { "auto.commit.interval.ms", 1, 60000,
      "what is not committed is read again after every restart (0 would commit nothing)" },
    { "fetch.wait.max.ms", 0, 10000, "a partition that is given to another loop waits for the fetch under way" },
    { "linger.ms", 0, 5000, "what must be in the log before a loop goes on is waited for 10 s" },
    { "reconnect.backoff.max.ms", 0, 60000, "the queue would stand still when its brokers are long back" },
};
/* clang-format on */

/* The effective value, whoever said it; false: this kind of handle knows no such property. */
static bool value_of(const rd_kafka_conf_t *conf, const char *name, double *value)
{
    char text[64];
    size_t size = sizeof text;

    if (rd_kafka_conf_get(conf, name, text, &size) != RD_KAFKA_CONF_OK)
        return false;
    *value = strtod(text, NULL);
    return true;
}

static enum status check_bounds(const rd_kafka_conf_t *conf, struct err *err)
{
    double value, session, heartbeat;

    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        const struct bound *bound = &bounds[i];

        if (!value_of(conf, bound->name, &value) || (value >= bound->least && value <= bound->most))
            continue;
        return err_set(err, ST_INVALID, "%s = %.15g: must be at %s %.15g: %s", bound->name, value,
                       value < bound->least ? "least" : "most", value < bound->least ? bound->least : bound->most,
                       bound->why);
    }
    if (value_of(conf, "session.timeout.ms", &session) && value_of(conf, "heartbeat.interval.ms", &heartbeat) &&
        heartbeat * 2 > session) {
        return err_set(err, ST_INVALID,
                       "heartbeat.interval.ms = %.15g: must be at most half of session.timeout.ms = %.15g (a third is "
                       "usual): the group would take its members for dead",
                       heartbeat, session);
    }
    return ST_OK;
}

/* librdkafka compares some of them itself, when a handle is made. */
static enum status check_handle(rd_kafka_type_t type, rd_kafka_conf_t *conf, struct err *err)
{
    struct err why = ERR_INIT;
    rd_kafka_t *rk;

    if (!conf)
        return ST_INVALID;
    if (check_bounds(conf, err) != ST_OK) {
        rd_kafka_conf_destroy(conf);
        return ST_INVALID;
    }
    rk = kafka_handle_new(type, conf, &why);
    if (!rk)
        return why.status == ST_INVALID ? err_set(err, ST_INVALID, "%s", why.text) : ST_OK;
    rd_kafka_destroy_flags(rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    return ST_OK;
}

enum status kafka_settings_check(const struct kafka_settings *settings, struct err *err)
{
    struct kafka_settings nowhere = *settings;
    struct kafka_client client;
    enum status st;

    if (settings->property_count == 0)
        return ST_OK;
    nowhere.brokers = "127.0.0.1:9"; /* discard: nobody is asked */
    kafka_client_init(&client, &nowhere);
    st = check_handle(RD_KAFKA_CONSUMER, kafka_consumer_conf(&client, &nowhere, "check", false, err), err);
    if (st == ST_OK)
        st = check_handle(RD_KAFKA_PRODUCER, kafka_producer_conf(&client, &nowhere, 0, err), err);
    kafka_client_release(&client);
    return st;
}
