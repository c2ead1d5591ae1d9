/* What consumers, producers and questions have in common: building a configuration, librdkafka's log and errors. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/kafka/edge.h"

/* Every handle. A user's [kafka] properties may change these. */
static const char *const common_tunable[] = {
    "socket.nagle.disable",
    "true", /* else small messages wait up to 40 ms */
    "socket.keepalive.enable",
    "true",
    "socket.timeout.ms",
    "30000",
    "reconnect.backoff.ms",
    "100",
    "reconnect.backoff.max.ms",
    "1000", /* a returning broker is used within a second, not ten */
    NULL,
};

/* What the promises of the queue hang on; a user may not change it. */
static const struct {
    const char *name, *why;
} fixed_properties[] = {
    { "bootstrap.servers", "write [kafka] brokers" },
    { "metadata.broker.list", "write [kafka] brokers" },
    { "client.id", "each program sets its own" },
    { "group.id", "groups are named after [queue] prefix" },
    { "group.instance.id", "static membership hangs in this librdkafka (confluentinc/librdkafka#3437)" },
    { "enable.auto.offset.store", "offsets are stored after the verdict, never before" },
    { "enable.auto.commit", "stored offsets are committed each second" },
    { "auto.commit.enable", "stored offsets are committed each second" },
    { "auto.offset.reset", "a position out of range must be seen, never skipped" },
    { "enable.partition.eof", "each consumer sets its own" },
    { "partition.assignment.strategy", "partition p of all topics must have one owner" },
    { "enable.idempotence", "the log must hold each message once" },
    { "acks", "the log must keep what it acknowledged" },
    { "request.required.acks", "the log must keep what it acknowledged" },
    { "partitioner", "routing must be that of Kafka's Java client" },
    { "transactional.id", "the queue uses no transactions" },
};

static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk;
    (void)level;
    log_error_text(LOG_LEVEL_DEBUG, "librdkafka", text, "facility=%s", facility);
}

bool kafka_error_is_outage(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || code == RD_KAFKA_RESP_ERR__AUTHENTICATION ||
           code == RD_KAFKA_RESP_ERR__SSL || code == RD_KAFKA_RESP_ERR__RESOLVE;
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    struct kafka_client *client = opaque;

    (void)rk;
    if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && kafka_cause_replaces(code, reason, client->trouble_code)) {
        client->trouble_code = (rd_kafka_resp_err_t)code;
        text_copy(client->trouble, sizeof client->trouble, reason, strlen(reason));
    }
    if (client->on_error)
        client->on_error(client, (rd_kafka_resp_err_t)code, reason);
}

void kafka_client_init(struct kafka_client *client, const struct kafka_settings *settings)
{
    memset(client, 0, sizeof *client);
    client->brokers = xstrdup(settings->brokers);
}

void kafka_client_release(struct kafka_client *client)
{
    free(client->brokers);
    client->brokers = NULL;
}

/* ---- configuration ---- */

static enum status set_property(rd_kafka_conf_t *conf, const char *name, const char *value, struct err *err)
{
    char text[512];

    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) != RD_KAFKA_CONF_OK)
        return err_set(err, ST_INVALID, "Kafka property %s = %s: %s", name, value, text);
    return ST_OK;
}

static enum status set_pairs(rd_kafka_conf_t *conf, kafka_pairs pairs, struct err *err)
{
    enum status st = ST_OK;

    for (; st == ST_OK && pairs && pairs[0]; pairs += 2)
        st = set_property(conf, pairs[0], pairs[1], err);
    return st;
}

rd_kafka_conf_t *kafka_conf_new(struct kafka_client *client, const struct kafka_settings *settings, kafka_pairs tunable,
                                kafka_pairs fixed, struct err *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    enum status st = set_pairs(conf, common_tunable, err);

    if (st == ST_OK)
        st = set_pairs(conf, tunable, err);
    for (size_t i = 0; st == ST_OK && i < settings->property_count; i++)
        st = set_property(conf, settings->properties[i].name, settings->properties[i].value, err);
    if (st == ST_OK)
        st = set_pairs(conf, fixed, err);
    if (st == ST_OK)
        st = set_property(conf, "bootstrap.servers", settings->brokers, err);
    if (st == ST_OK && settings->client_id)
        st = set_property(conf, "client.id", settings->client_id, err);
    if (st != ST_OK) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    rd_kafka_conf_set_opaque(conf, client);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_log_cb(conf, on_log);
    return conf;
}

rd_kafka_t *kafka_handle_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, struct err *err)
{
    char text[512];
    rd_kafka_t *rk = rd_kafka_new(type, conf, text, sizeof text);

    if (!rk) {
        bool shortage = rd_kafka_last_error() == RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE;

        rd_kafka_conf_destroy(conf); /* rd_kafka_new owns it only on success */
        if (shortage)                /* of threads or descriptors: it may pass */
            err_set_server(err, ST_AGAIN, "kafka", "no Kafka client to be had now: %s", text);
        else
            err_set(err, ST_INVALID, "Kafka configuration: %s", text);
    }
    return rk;
}

rd_kafka_t *kafka_question_handle(struct kafka_client *client, const struct kafka_settings *settings, struct err *err)
{
    rd_kafka_conf_t *conf = kafka_conf_new(client, settings, NULL, NULL, err);

    return conf ? kafka_handle_new(RD_KAFKA_PRODUCER, conf, err) : NULL;
}

/* Names that librdkafka knows; the array and the dump it points into are to be freed. */
static const char **known_properties(const char ***dump, size_t *dump_count, size_t *count)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const char **names;

    *dump = rd_kafka_conf_dump(conf, dump_count);
    names = xcalloc(*dump_count / 2 + 1, sizeof *names);
    *count = *dump_count / 2;
    for (size_t i = 0; i < *count; i++)
        names[i] = (*dump)[2 * i];
    rd_kafka_conf_destroy(conf);
    return names;
}

static enum status unknown_property(const char *name, struct err *err)
{
    const char **dump;
    size_t dump_count, count;
    const char **names = known_properties(&dump, &dump_count, &count);
    const char *nearest = text_nearest(name, names, count);

    err_set(err, ST_INVALID, "librdkafka knows no property %s%s%s%s", name, nearest ? " (did you mean " : "",
            nearest ? nearest : "", nearest ? "?)" : "");
    free(names);
    rd_kafka_conf_dump_free(dump, dump_count);
    return ST_INVALID;
}

bool kafka_property_is_secret(const char *name)
{
    static const char *const names[] = { "ssl.key.pem", "ssl_key", "sasl.oauthbearer.config" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return strstr(name, "password") || strstr(name, "secret");
}

enum status kafka_property_check(const char *name, const char *value, struct err *err)
{
    char text[512];
    rd_kafka_conf_t *conf;
    rd_kafka_conf_res_t result;

    for (size_t i = 0; i < sizeof fixed_properties / sizeof *fixed_properties; i++) {
        if (strcmp(name, fixed_properties[i].name) == 0)
            return err_set(err, ST_INVALID, "%s cannot be set: %s", name, fixed_properties[i].why);
    }
    conf = rd_kafka_conf_new();
    result = rd_kafka_conf_set(conf, name, value, text, sizeof text);
    rd_kafka_conf_destroy(conf);
    if (result == RD_KAFKA_CONF_UNKNOWN)
        return unknown_property(name, err);
    if (result != RD_KAFKA_CONF_OK && kafka_property_is_secret(name))
        return err_set(err, ST_INVALID, "%s: librdkafka does not take the value (which is not shown here)", name);
    if (result != RD_KAFKA_CONF_OK)
        return err_set(err, ST_INVALID, "%s = %s: %s", name, value, text);
    return ST_OK;
}

/* ---- errors ---- */

/* "127.0.0.1:9092/bootstrap: Connect to ipv4#... failed: Connection refused (after 0ms ...)": the middle;
 * "GroupCoordinator: 127.0.0.1:9092: Disconnected": what follows the leading names. */
static void trouble_core(const char *trouble, char *text, size_t room)
{
    const char *begin = strstr(trouble, "failed: ");
    const char *end;

    if (begin)
        begin += strlen("failed: ");
    else
        begin = trouble;
    for (const char *colon = strstr(begin, ": "); colon && !memchr(begin, ' ', (size_t)(colon - begin));
         colon = strstr(begin, ": "))
        begin = colon + 2;
    end = strstr(begin, " (after ");
    text_copy(text, room, begin, end ? (size_t)(end - begin) : strlen(begin));
}

void kafka_trouble_text(const struct kafka_client *client, char *text, size_t room)
{
    const char *cause;
    char core[256];

    if (client->trouble[0])
        trouble_core(client->trouble, core, sizeof core);
    else
        text_copy(core, sizeof core, "no answer", strlen("no answer"));
    cause = kafka_cause(client->trouble[0] ? (int)client->trouble_code : RD_KAFKA_RESP_ERR__TIMED_OUT, client->trouble);
    snprintf(text, room, "Kafka at %s unreachable: %s%s%s", client->brokers, core, *cause ? "; " : "", cause);
}

static bool error_is_transport(rd_kafka_resp_err_t code)
{
    return kafka_error_is_outage(code) || code == RD_KAFKA_RESP_ERR__TRANSPORT ||
           code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE ||
           code == RD_KAFKA_RESP_ERR__WAIT_COORD;
}

static enum status error_status(rd_kafka_resp_err_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION: return ST_MISSING;
    case RD_KAFKA_RESP_ERR__STATE: return ST_STALE;
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION: return ST_INVALID;
    default: return ST_AGAIN;
    }
}

enum status kafka_error(const struct kafka_client *client, rd_kafka_resp_err_t code, const char *what, int tried_ms,
                        struct err *err)
{
    const char *cause = kafka_cause(code, "");
    char text[768];

    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return ST_OK;
    if (error_is_transport(code)) {
        kafka_trouble_text(client, text, sizeof text);
        return err_set_server(err, ST_AGAIN, "kafka", "%s: %s (tried for %d.%d s)", what, text, tried_ms / 1000,
                              tried_ms % 1000 / 100);
    }
    return err_set_server(err, error_status(code), "kafka", "%s: Kafka at %s: %s%s%s", what, client->brokers,
                          rd_kafka_err2str(code), *cause ? "; " : "", cause);
}

const char *kafka_version(void)
{
    static char text[64];

    if (!text[0])
        snprintf(text, sizeof text, "librdkafka %s", rd_kafka_version_str());
    return text;
}
