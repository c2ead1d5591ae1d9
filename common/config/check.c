/* What no option can say alone. */
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "common/config/options.h"
#include "common/server/redis_address.h"
#include "common/server/redis_tls.h"

enum { TOPIC_NAME_MAX = 249 }; /* Kafka's */

static enum status check_prefix(const struct config *config, struct err *err)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    const char *prefix = config->prefix;

    if (prefix[0] == '\0' || prefix[strspn(prefix, letters)] != '\0')
        return err_set(err, ST_INVALID, "[queue] prefix: %s: expected letters, digits, . _ or -", prefix);
    for (size_t i = 0; i < config->type_count; i++) {
        if (strlen(prefix) + 1 + strlen(config->types[i].name) > TOPIC_NAME_MAX) {
            return err_set(err, ST_INVALID, "[queue] prefix: topic %s.%s would be longer than %d characters", prefix,
                           config->types[i].name, TOPIC_NAME_MAX);
        }
    }
    return ST_OK;
}

static enum status check_servers(struct config *config, struct err *err)
{
    struct redis_address address;

    if (config_login(config, err) != ST_OK)
        return ST_INVALID;
    if (redis_address_parse(&address, config->redis_url, err) != ST_OK)
        return err_prefix(err, "[redis] url");
    if (address.tls && redis_tls_check(&address, err) != ST_OK)
        return err_prefix(err, "[redis]");
    if (config->brokers[0] == '\0')
        return err_set(err, ST_INVALID, "[kafka] brokers: expected host:port,...");
    return ST_OK;
}

static enum status check_properties(const struct config *config, struct err *err)
{
    struct kafka_settings settings = config_kafka(config, NULL);

    return kafka_settings_check(&settings, err) == ST_OK ? ST_OK : err_prefix(err, "[kafka]");
}

static bool is_listen(const char *listen)
{
    const char *colon = strrchr(listen, ':');
    int64_t port;

    return colon && colon != listen && text_parse_int64(colon + 1, 0, 65535, &port);
}

static bool is_web_address(const char *url)
{
    return strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
}

static enum status check_listen(const struct config *config, struct err *err)
{
    const char *url = config->http_page_url;

    if (!is_listen(config->listen))
        return err_set(err, ST_INVALID, "[worker] listen: %s: expected address:port", config->listen);
    if (config->http_listen[0] && !is_listen(config->http_listen))
        return err_set(err, ST_INVALID, "[http] listen: %s: expected address:port", config->http_listen);
    if (url[0] && !is_web_address(url))
        return err_set(err, ST_INVALID, "[http] page_url: %s: expected http://... or https://...", url);
    return ST_OK;
}

static enum status check_traces(const struct config *config, struct err *err)
{
    if (config->traces_url[0] && !is_web_address(config->traces_url))
        return err_set(err, ST_INVALID, "[traces] url: expected http://... or https://...");
    if (!config->traces_service_name[0])
        return err_set(err, ST_INVALID, "[traces] service_name: a name is expected, such as bgop-worker");
    return ST_OK;
}

static enum status check_worker_type(const struct config *config, const char *name, struct err *err)
{
    const struct type_config *type = config_type(config, name);

    if (!type)
        return err_set(err, ST_INVALID, "[worker] types: %s is no Type; new ones need a section [type %s]", name, name);
    if (type->reserved)
        return err_set(err, ST_INVALID, "[worker] types: Type %s is reserved", name);
    if (!type->served)
        return err_set(err, ST_INVALID, "[worker] types: Type %s has no handler: write one in [type %s]", name, name);
    return ST_OK;
}

static enum status check_worker_types(const struct config *config, struct err *err)
{
    const char *rest = config->worker_types + strspn(config->worker_types, " \t,");
    enum status st = ST_OK;

    while (*rest && st == ST_OK) {
        size_t length = strcspn(rest, " \t,");
        char name[128];

        text_copy(name, sizeof name, rest, length);
        st = check_worker_type(config, name, err);
        rest += length + strspn(rest + length, " \t,");
    }
    return st;
}

static enum status check_type(const struct type_config *type, struct err *err)
{
    const char *missing = NULL;

    if (strcmp(type->handler, "exec") == 0 && !type->command[0])
        missing = "command = PROGRAM [ARGUMENT ...]";
    else if (strcmp(type->handler, "http") == 0 && !is_web_address(type->url))
        missing = "url = http://... or https://...";
    if (missing && !type->reserved)
        return err_set(err, ST_INVALID, "[type %s] handler = %s needs %s", type->name, type->handler, missing);
    return ST_OK;
}

enum status config_check(struct config *config, struct err *err)
{
    enum status st = check_prefix(config, err);

    if (st == ST_OK)
        st = check_servers(config, err);
    if (st == ST_OK)
        st = check_properties(config, err);
    if (st == ST_OK)
        st = check_listen(config, err);
    if (st == ST_OK)
        st = check_traces(config, err);
    for (size_t i = 0; i < config->type_count && st == ST_OK; i++)
        st = check_type(&config->types[i], err);
    if (st == ST_OK)
        st = check_worker_types(config, err);
    return st;
}

/* ---- environment ---- */

static const struct {
    const char *variable, *section, *name;
} variables[] = {
    { "BGOP_KAFKA", "kafka", "brokers" },     { "BGOP_REDIS", "redis", "url" },
    { "BGOP_HTTP_LISTEN", "http", "listen" }, { "BGOP_HTTP_TOKEN_FILE", "http", "token_file" },
    { "BGOP_LOG_LEVEL", "log", "level" },     { "BGOP_LOG_FORMAT", "log", "format" },
};

enum status config_read_environment(struct config *config, struct err *err)
{
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        const char *value = getenv(variables[i].variable);

        if (value && value[0] && config_set(config, variables[i].section, variables[i].name, value, err) != ST_OK)
            return err_prefix(err, "environment variable %s", variables[i].variable);
    }
    return ST_OK;
}
