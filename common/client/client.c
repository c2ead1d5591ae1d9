/* Opening and closing. */
#include "common/client/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *text_or(const char *text, const char *otherwise)
{
    return text && *text ? text : otherwise;
}

static bool copy_properties(struct bgop *bgop, const char *const *properties)
{
    size_t count = 0;

    while (properties && properties[count])
        count++;
    bgop->properties = calloc(count + 1, sizeof *bgop->properties);
    if (!bgop->properties)
        return false;
    for (size_t i = 0; i < count; i++) {
        bgop->properties[i] = strdup(properties[i]);
        if (!bgop->properties[i])
            return false;
    }
    return true;
}

static bool copy_config(struct bgop *bgop, const struct bgop_config *config)
{
    const char *prefix = text_or(config->prefix, "bgop");
    size_t topic_size = strlen(prefix) + sizeof ".submit";

    bgop->timeout_ms = config->timeout_ms > 0 ? config->timeout_ms : CLIENT_TIMEOUT_MS;
    bgop->linger_ms = config->linger_ms > 0 ? config->linger_ms : config->linger_ms < 0 ? 0 : CLIENT_LINGER_MS;
    bgop->in_flight_max = config->in_flight_max ? config->in_flight_max : CLIENT_IN_FLIGHT_MAX;
    bgop->payload_max_bytes = config->payload_max_bytes ? config->payload_max_bytes : CLIENT_PAYLOAD_MAX_BYTES;
    bgop->brokers = strdup(text_or(config->kafka, "127.0.0.1:9092"));
    bgop->topic = calloc(1, topic_size);
    if (!bgop->brokers || !bgop->topic)
        return false;
    snprintf(bgop->topic, topic_size, "%s.submit", prefix);
    return copy_properties(bgop, config->kafka_properties);
}

enum bgop_code bgop_open(struct bgop **to, const struct bgop_config *config, char *error_text, size_t error_size)
{
    static const struct bgop_config defaults;
    enum bgop_code code = BGOP_NO_MEMORY;
    struct bgop *bgop = calloc(1, sizeof *bgop);

    *to = NULL;
    if (error_text && error_size)
        error_text[0] = '\0';
    if (!config)
        config = &defaults;
    if (bgop && copy_config(bgop, config)) {
        code = link_init(&bgop->link, text_or(config->redis, "redis://127.0.0.1:6379"), bgop->timeout_ms);
        if (code != BGOP_OK)
            client_fail_link(bgop, code);
        else
            code = client_open_producer(bgop);
    }
    if (code == BGOP_OK) {
        *to = bgop;
        return code;
    }
    if (error_text && error_size)
        snprintf(error_text, error_size, "%s", bgop && *bgop->error ? bgop->error : bgop_code_text(code));
    bgop_close(bgop);
    return code;
}

void bgop_close(struct bgop *bgop)
{
    if (!bgop)
        return;
    client_close_producer(bgop);
    link_close(&bgop->link);
    for (size_t i = 0; bgop->properties && bgop->properties[i]; i++)
        free(bgop->properties[i]);
    free(bgop->properties);
    client_forget_places(bgop);
    free(bgop->brokers);
    free(bgop->topic);
    memset(bgop->link.to.password, 0, sizeof bgop->link.to.password);
    memset(bgop->link.to.sentinel_password, 0, sizeof bgop->link.to.sentinel_password);
    free(bgop);
}

enum bgop_code bgop_check(struct bgop *bgop)
{
    enum bgop_code code = client_find_topic(bgop);

    if (code != BGOP_OK)
        return code;
    bgop->meta_tried_at_ms = 0;
    return client_read_meta(bgop);
}

void bgop_free(void *memory)
{
    free(memory);
}

const char *bgop_version(void)
{
    return BGOP_VERSION;
}
