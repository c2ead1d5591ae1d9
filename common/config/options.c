/* All options, and how one of them is read and written. A value goes through here whoever gives it (defaults, file,
 * environment, flags, in this order; the last one holds), so a wrong one gets the same words everywhere. */
#include "common/config/options.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/record/retry.h"

#define OF(member)      offsetof(struct config, member)
#define OF_TYPE(member) offsetof(struct type_config, member)

/* clang-format off */
const struct option options[] = {
    { "queue", "prefix", OPTION_TEXT, OF(prefix), "bgop", 0, 0, NULL,
      "topics are called prefix.submit, prefix.status, prefix.WebCart ... (letters, digits, . _ -)" },
    { "queue", "shards", OPTION_INT, OF(shards), "16", 1, ID_SHARDS_MAX, NULL,
      "fixed at the first start: partitions of prefix.status and of each prefix.<Type>" },
    { "queue", "submit_partitions", OPTION_INT, OF(submit_partitions), "8", 1, ID_PARTITIONS_MAX, NULL,
      "partitions of prefix.submit and prefix.command, when the coordinator creates them" },
    { "queue", "topic_replicas", OPTION_INT, OF(topic_replicas), "0", 0, 9, NULL,
      "copies of topics that the coordinator creates; 0: 3 where there are 3 brokers, else the brokers' own default" },
    { "queue", "topic_min_in_sync", OPTION_INT, OF(topic_min_in_sync), "0", 0, 9, NULL,
      "their min.insync.replicas; 0: one less than the copies where these are 3 or more, else the brokers' default" },
    { "queue", "payload_max_bytes", OPTION_INT, OF(payload_max_bytes), "262144", 0, 524288, NULL,
      "a submission with a larger payload is refused" },
    { "queue", "lease_ms", OPTION_INT, OF(lease_ms), "30000", 1000, 3600000, NULL,
      "how long a claim lasts without being renewed; workers renew each sixth of it" },
    { "queue", "retry_max_delay_ms", OPTION_INT, OF(retry_max_delay_ms), "86400000", 0, RETRY_DELAY_MAX_MS, NULL,
      "longest delay before a retry" },
    { "queue", "log_days", OPTION_INT, OF(log_days), "7", 1, 30, NULL,
      "how far back the log of changes answers (getUpdated)" },
    { "queue", "deleted_log_days", OPTION_INT, OF(deleted_log_days), "15", 1, 30, NULL,
      "how far back the log of removed operations answers (getDeleted)" },

    { "redis", "url", OPTION_TEXT, OF(redis_url), "redis://127.0.0.1:6379", 0, 0, NULL,
      "redis://[user:password@]host:port[/db], rediss:// the same over TLS, of a Redis Cluster several host:port with "
      "commas, by Sentinels redis+sentinel://[user:password@]host:port[,host:port...]/NAME[/db], or unix://[user:password@]/path[?db=n]; "
      "BGOP_REDIS and --redis go over it" },
    { "redis", "user", OPTION_TEXT, OF(redis_user), "", 0, 0, NULL,
      "who logs in, when the url names nobody; empty: Redis' default user" },
    { "redis", "password_file", OPTION_LINE, OF(redis_password_file), "", 0, 0, NULL,
      "file that holds the password, when the url has none" },
    { "redis", "sentinel_user", OPTION_TEXT, OF(redis_sentinel_user), "", 0, 0, NULL,
      "of redis+sentinel://: who logs in to the Sentinels; empty: their default user" },
    { "redis", "sentinel_password_file", OPTION_LINE, OF(redis_sentinel_password_file), "", 0, 0, NULL,
      "of redis+sentinel://: file that holds the password of the Sentinels; empty: they want none" },
    { "redis", "tls_ca_file", OPTION_LINE, OF(redis_tls_ca_file), "", 0, 0, NULL,
      "of rediss://: PEM file of the authorities to trust; empty: the system's" },
    { "redis", "tls_cert_file", OPTION_LINE, OF(redis_tls_cert_file), "", 0, 0, NULL,
      "of rediss://: PEM file of this program's certificate (and its chain), for a server that asks for one" },
    { "redis", "tls_key_file", OPTION_LINE, OF(redis_tls_key_file), "", 0, 0, NULL,
      "of rediss://: PEM file of its private key, without a passphrase; empty: it is in tls_cert_file" },
    { "redis", "timeout_ms", OPTION_INT, OF(redis_timeout_ms), "5000", 100, 10000, NULL,
      "longest wait for a connection, and for each answer; a loop that waits 30000 ms is ended by its watchdog" },

    { "kafka", "brokers", OPTION_TEXT, OF(brokers), "127.0.0.1:9092", 0, 0, NULL,
      "host:port,...; BGOP_KAFKA and --kafka go over it. Any other name here is a librdkafka property" },
    { "kafka", "password_file", OPTION_LINE, OF(kafka_password_file), "", 0, 0, NULL,
      "file that holds sasl.password, when that is not set here" },

    { "log", "level", OPTION_CHOICE, OF(log_level), "info", 0, 0, "error warning info debug",
      "BGOP_LOG_LEVEL goes over it" },
    { "log", "format", OPTION_CHOICE, OF(log_format), "logfmt", 0, 0, "logfmt json", "BGOP_LOG_FORMAT goes over it" },

    { "coordinator", "intake_loops", OPTION_INT, OF(intake_loops), "1", 1, 64, NULL,
      "threads that record submissions" },
    { "coordinator", "status_loops", OPTION_INT, OF(status_loops), "1", 1, 64, NULL,
      "threads that apply outcomes and run the timers" },
    { "coordinator", "batch_max_messages", OPTION_INT, OF(batch_max_messages), "4000", 1, 100000, NULL,
      "messages read before they are recorded" },
    { "coordinator", "tick_max_ms", OPTION_INT, OF(tick_max_ms), "1000", 1, 10000, NULL,
      "longest sleep between two looks at a shard's timers; 10 s where nothing has come for 20 s" },

    { "http", "listen", OPTION_TEXT, OF(http_listen), "", 0, 0, NULL,
      "address:port where coordinators answer HTTP; empty: they do not. BGOP_HTTP_LISTEN goes over it" },
    { "http", "token_file", OPTION_LINE, OF(http_token_file), "", 0, 0, NULL,
      "file with the token of who may read; BGOP_HTTP_TOKEN_FILE goes over it" },
    { "http", "operator_token_file", OPTION_LINE, OF(http_operator_token_file), "", 0, 0, NULL,
      "file with the token of who may also act; empty: nobody. BGOP_HTTP_OPERATOR_TOKEN_FILE goes over it" },
    { "http", "page_url", OPTION_LINE, OF(http_page_url), "", 0, 0, NULL,
      "how browsers and clients reach it, when that is not what they ask: http://queue.example.org" },

    { "worker", "types", OPTION_TEXT, OF(worker_types), "", 0, 0, NULL,
      "Types to serve, separated by blanks or commas; empty: all that have a handler" },
    { "worker", "concurrency", OPTION_INT, OF(worker_concurrency), "1024", 1, 100000, NULL,
      "operations at a time, of all Types together" },
    { "worker", "drain_timeout_ms", OPTION_INT, OF(drain_timeout_ms), "30000", 0, 86400000, NULL,
      "how long SIGTERM waits for running operations before it stops them" },
    { "worker", "listen", OPTION_TEXT, OF(listen), "127.0.0.1:0", 0, 0, NULL,
      "address:port of the status page (WorkerUri); port 0: any" },

    { "traces", "url", OPTION_LINE, OF(traces_url), "", 0, 0, NULL,
      "where workers send a span of each attempt, by OTLP/HTTP as JSON: http://127.0.0.1:4318/v1/traces; empty: nowhere" },
    { "traces", "headers_file", OPTION_LINE, OF(traces_headers_file), "", 0, 0, NULL,
      "file with what is sent along, a line for each: Name: value (Authorization: Bearer ...)" },
    { "traces", "service_name", OPTION_LINE, OF(traces_service_name), "bgop-worker", 0, 0, NULL,
      "service.name of the spans" },

#define INT(name, need, initial, least, most, help) \
    { "types", #name, OPTION_INT, OF_TYPE(name), initial, least, most, NULL, help },
#define CHOICE(name, initial, choices, help) \
    { "types", #name, OPTION_CHOICE, OF_TYPE(name), initial, 0, 0, choices, help },
    TYPE_SETTINGS(INT, CHOICE)
#undef INT
#undef CHOICE
    { "types", "concurrency", OPTION_INT, OF_TYPE(concurrency), "0", 0, 100000, NULL,
      "operations of the Type at a time in one worker; 0: the handler's own (noop 512, exec 8, http 64)" },
    { "types", "handler", OPTION_CHOICE, OF_TYPE(handler), "", 0, 0, "- noop exec http",
      "who does the work; empty: workers with this file do not serve the Type" },
    { "types", "command", OPTION_LINE, OF_TYPE(command), "", 0, 0, NULL,
      "exec: program and arguments; no shell, but quotes and backslashes work" },
    { "types", "persistent", OPTION_CHOICE, OF_TYPE(persistent), "no", 0, 0, "no yes",
      "exec: yes: a process serves one operation after the other, by the line protocol" },
    { "types", "memory_max_mb", OPTION_INT, OF_TYPE(memory_max_mb), "0", 0, 16777216, NULL,
      "exec: MiB of memory of a handler and all it starts, together; more ends it; 0: no limit" },
    { "types", "processes_max", OPTION_INT, OF_TYPE(processes_max), "1000", 0, 32000, NULL,
      "exec: processes and threads of a handler and all it starts, together; more ends it; 0: no limit" },
    { "types", "cpu_max_s", OPTION_INT, OF_TYPE(cpu_max_s), "0", 0, TYPE_SETTING_MAX, NULL,
      "exec: seconds of CPU time of a handler and all it starts, together; more ends it; 0: no limit" },
    { "types", "output_max_mb", OPTION_INT, OF_TYPE(output_max_mb), "256", 0, 16777216, NULL,
      "exec: MiB that a handler may write to stdout and stderr, together; more ends it; 0: no limit" },
    { "types", "open_files_max", OPTION_INT, OF_TYPE(open_files_max), "0", 0, 1048576, NULL,
      "exec: open files of each process of a handler; 0: the limit that the worker was started with" },
    { "types", "url", OPTION_LINE, OF_TYPE(url), "", 0, 0, NULL, "http: where to" },
    { "types", "method", OPTION_CHOICE, OF_TYPE(method), "POST", 0, 0, "POST PUT PATCH", "http" },
    { "types", "headers", OPTION_LINE, OF_TYPE(headers), "", 0, 0, NULL, "http: Name: value | Name: value" },
    { "types", "ca_file", OPTION_LINE, OF_TYPE(ca_file), "", 0, 0, NULL,
      "http, of https: PEM file of the authorities to trust; empty: the system's" },
    { "types", "cert_file", OPTION_LINE, OF_TYPE(cert_file), "", 0, 0, NULL,
      "http, of https: PEM file of this client's certificate (and its chain), for services that ask for one" },
    { "types", "key_file", OPTION_LINE, OF_TYPE(key_file), "", 0, 0, NULL,
      "http, of https: PEM file of its private key; empty: it is in cert_file" },
};
/* clang-format on */
const size_t option_count = sizeof options / sizeof *options;

bool option_is_of_types(const struct option *option)
{
    return strcmp(option->section, "types") == 0;
}

uint32_t option_bit(const struct option *option)
{
    const struct option *first = options;

    while (!option_is_of_types(first))
        first++;
    BGOP_ASSERT(option - first < 32); /* the bits of type_config.said */
    return UINT32_C(1) << (option - first);
}

const struct option *option_find(const char *section, const char *name)
{
    for (size_t i = 0; i < option_count; i++) {
        if (strcmp(options[i].section, section) == 0 && strcmp(options[i].name, name) == 0)
            return &options[i];
    }
    return NULL;
}

enum status option_unknown(const char *section, const char *name, struct err *err)
{
    const char *names[sizeof options / sizeof *options];
    const char *nearest;
    size_t count = 0;

    for (size_t i = 0; i < option_count; i++) {
        if (strcmp(options[i].section, section) == 0)
            names[count++] = options[i].name;
        else if (strcmp(options[i].name, name) == 0)
            return err_set(err, ST_INVALID, "no such option here; it belongs to [%s]", options[i].section);
    }
    nearest = text_nearest(name, names, count);
    return err_set(err, ST_INVALID, "no such option%s%s%s", nearest ? " (did you mean " : "", nearest ? nearest : "",
                   nearest ? "?)" : "");
}

/* ---- values ---- */

static char **text_of(const struct option *option, void *base)
{
    return (char **)(void *)((char *)base + option->offset);
}

static int64_t *int_of(const struct option *option, void *base)
{
    return (int64_t *)(void *)((char *)base + option->offset);
}

static bool is_choice(const char *choices, const char *value)
{
    size_t size = strlen(value);

    while (*choices) {
        size_t length = strcspn(choices, " ");

        if ((length == size && memcmp(choices, value, size) == 0) || (size == 0 && length == 1 && *choices == '-'))
            return true;
        choices += length + strspn(choices + length, " ");
    }
    return false;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Behind the quote that closes the one at text; NULL: none does, so it is an apostrophe. */
static const char *quote_end(const char *text)
{
    for (const char *c = text + 1; *c; c++) {
        if (*c == '\\' && *text == '"' && c[1])
            c++;
        else if (*c == *text)
            return c + 1;
    }
    return NULL;
}

const char *config_value_end(const char *text)
{
    const char *c = text;

    while (*c && !(*c == ';' && (c == text || is_blank(c[-1])))) {
        const char *end = *c == '"' || *c == '\'' ? quote_end(c) : NULL;

        c = end ? end : c + 1;
    }
    while (c > text && is_blank(c[-1]))
        c--;
    return c;
}

/* What a line of the file can hold: so that --print-config can be read again. */
enum status config_value_check(const char *value, struct err *err)
{
    for (const char *c = value; *c; c++) {
        if (((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7f)
            return err_set(err, ST_INVALID, "control characters are not allowed");
    }
    if (is_blank(value[0]) || *config_value_end(value) != '\0') {
        return err_set(err, ST_INVALID,
                       "blanks at its ends, or a ; behind a blank outside quotes, cannot be part of it");
    }
    return ST_OK;
}

static enum status set_int(const struct option *option, void *base, const char *value, struct err *err)
{
    int64_t number;

    if (!text_parse_int64(value, option->min, option->max, &number)) {
        return err_set(err, ST_INVALID, "%s is not a whole number from %lld to %lld", value[0] ? value : "nothing",
                       (long long)option->min, (long long)option->max);
    }
    *int_of(option, base) = number;
    return ST_OK;
}

enum status option_set(const struct option *option, void *base, const char *value, struct err *err)
{
    char *copy;

    if (option->kind == OPTION_INT)
        return set_int(option, base, value, err);
    if (option->kind == OPTION_CHOICE && !is_choice(option->choices, value))
        return err_set(err, ST_INVALID, "%s is none of: %s", value[0] ? value : "nothing", option->choices);
    if (config_value_check(value, err) != ST_OK)
        return ST_INVALID;
    copy = xstrdup(value);
    free(*text_of(option, base));
    *text_of(option, base) = copy;
    return ST_OK;
}

void option_set_initial(const struct option *option, void *base, const char *value)
{
    struct err err = ERR_INIT;

    BGOP_ASSERT(option_set(option, base, value, &err) == ST_OK);
}

const char *option_get(const struct option *option, const void *base, char *room, size_t size)
{
    const char *member = (const char *)base + option->offset;

    if (option->kind != OPTION_INT)
        return *(char *const *)(const void *)member;
    snprintf(room, size, "%lld", (long long)*(const int64_t *)(const void *)member);
    return room;
}

void option_copy(const struct option *option, void *to, const void *from)
{
    char room[24];

    option_set_initial(option, to, option_get(option, from, room, sizeof room));
}

void option_release(const struct option *option, void *base)
{
    if (option->kind == OPTION_INT)
        return;
    free(*text_of(option, base));
    *text_of(option, base) = NULL;
}
