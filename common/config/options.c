/* All options, and how one of them is read and written. */
#include "common/config/options.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/text.h"

#define OF(member) offsetof(struct config, member)
#define OF_TYPE(member) offsetof(struct type_config, member)
#define INT_MAX9 999999999

/* clang-format off */
const struct option options[] = {
    { "queue", "prefix", OPTION_TEXT, OF(prefix), "bgop", 0, 0, NULL,
      "topics are called prefix.submit, prefix.status, prefix.WebCart ... (letters, digits, . _ -)" },
    { "queue", "shards", OPTION_INT, OF(shards), "16", 1, ID_SHARDS_MAX, NULL,
      "fixed at the first start: partitions of prefix.status and of each prefix.<Type>" },
    { "queue", "submit_partitions", OPTION_INT, OF(submit_partitions), "8", 1, ID_PARTITIONS_MAX, NULL,
      "partitions of prefix.submit and prefix.command, when the coordinator creates them" },
    { "queue", "payload_max_bytes", OPTION_INT, OF(payload_max_bytes), "262144", 0, 524288, NULL,
      "a submission with a larger payload is refused" },
    { "queue", "lease_ms", OPTION_INT, OF(lease_ms), "30000", 1000, 3600000, NULL,
      "how long a claim lasts without being renewed; workers renew each sixth of it" },
    { "queue", "retry_max_delay_ms", OPTION_INT, OF(retry_max_delay_ms), "86400000", 0, INT64_C(31536000000), NULL,
      "longest delay before a retry" },
    { "queue", "log_days", OPTION_INT, OF(log_days), "7", 1, 30, NULL,
      "how far back the log of changes answers (getUpdated)" },
    { "queue", "deleted_log_days", OPTION_INT, OF(deleted_log_days), "15", 1, 30, NULL,
      "how far back the log of removed operations answers (getDeleted)" },

    { "redis", "url", OPTION_TEXT, OF(redis_url), "redis://127.0.0.1:6379", 0, 0, NULL,
      "redis://[user:password@]host:port[/db] or unix:///path; BGOP_REDIS and --redis go over it" },
    { "redis", "timeout_ms", OPTION_INT, OF(redis_timeout_ms), "5000", 100, 600000, NULL,
      "longest wait for a connection, and for each answer" },

    { "kafka", "brokers", OPTION_TEXT, OF(brokers), "127.0.0.1:9092", 0, 0, NULL,
      "host:port,...; BGOP_KAFKA and --kafka go over it. Any other name here is a librdkafka property" },

    { "log", "level", OPTION_CHOICE, OF(log_level), "info", 0, 0, "error warning info debug",
      "BGOP_LOG_LEVEL goes over it" },
    { "log", "format", OPTION_CHOICE, OF(log_format), "logfmt", 0, 0, "logfmt json", "BGOP_LOG_FORMAT goes over it" },

    { "coordinator", "intake_loops", OPTION_INT, OF(intake_loops), "1", 1, 64, NULL,
      "threads that record submissions" },
    { "coordinator", "status_loops", OPTION_INT, OF(status_loops), "1", 1, 64, NULL,
      "threads that apply outcomes and run the timers" },
    { "coordinator", "batch_max_messages", OPTION_INT, OF(batch_max_messages), "4000", 1, 100000, NULL,
      "messages read before they are recorded" },
    { "coordinator", "tick_max_ms", OPTION_INT, OF(tick_max_ms), "100", 1, 10000, NULL,
      "longest sleep between two looks at a shard's timers" },

    { "worker", "types", OPTION_TEXT, OF(worker_types), "", 0, 0, NULL,
      "Types to serve, separated by blanks or commas; empty: all that have a handler" },
    { "worker", "concurrency", OPTION_INT, OF(worker_concurrency), "1024", 1, 100000, NULL,
      "operations at a time, of all Types together" },
    { "worker", "drain_timeout_ms", OPTION_INT, OF(drain_timeout_ms), "30000", 0, 86400000, NULL,
      "how long SIGTERM waits for running operations before it stops them" },
    { "worker", "listen", OPTION_TEXT, OF(listen), "127.0.0.1:0", 0, 0, NULL,
      "address:port of the status page (WorkerUri); port 0: any" },

    { "types", "retry_backoff_ms", OPTION_INT, OF_TYPE(retry_backoff_ms), NULL, 0, INT_MAX9, NULL,
      "R of the retry law 0, 3R, 7R, 15R ...; default of RetryBackoff" },
    { "types", "retry_limit", OPTION_INT, OF_TYPE(retry_limit), NULL, 0, INT_MAX9, NULL, "default of RetryLimit" },
    { "types", "timeout_ms", OPTION_INT, OF_TYPE(timeout_ms), NULL, 1, INT_MAX9, NULL, "default of Timeout" },
    { "types", "retention_s", OPTION_INT, OF_TYPE(retention_s), "86400", 0, INT_MAX9, NULL,
      "Complete, Canceled and Merged are removed after this time" },
    { "types", "retention_error_s", OPTION_INT, OF_TYPE(retention_error_s), "604800", 0, INT_MAX9, NULL,
      "Error (for good) is removed after this time" },
    { "types", "merge_max", OPTION_INT, OF_TYPE(merge_max), NULL, 1, 500, NULL,
      "most operations in one execution group; above 1 handlers speak the group protocol" },
    { "types", "merge_max_bytes", OPTION_INT, OF_TYPE(merge_max_bytes), "1048576", 1, 16777216, NULL,
      "most payload bytes in one execution group" },
    { "types", "max_running_per_parent", OPTION_INT, OF_TYPE(max_running_per_parent), "0", 0, INT_MAX9, NULL,
      "operations of one ParentKey at a time; 1: one after the other, 0: no limit" },
    { "types", "on_sequence_failure", OPTION_CHOICE, OF_TYPE(on_sequence_failure), "hold", 0, 0, "hold skip fail",
      "what waits behind a member that failed for good: waits on, goes on, or fails too" },
    { "types", "redrive_limit", OPTION_INT, OF_TYPE(redrive_limit), "10", 0, INT_MAX9, NULL,
      "most redrives of one operation; 0: none" },
    { "types", "concurrency", OPTION_INT, OF_TYPE(concurrency), "0", 0, 100000, NULL,
      "operations of the Type at a time in one worker; 0: the handler's own (noop 512, exec 8, http 64)" },
    { "types", "handler", OPTION_CHOICE, OF_TYPE(handler), "", 0, 0, "- noop exec http plugin",
      "who does the work; empty: workers with this file do not serve the Type" },
    { "types", "command", OPTION_TEXT, OF_TYPE(command), "", 0, 0, NULL,
      "exec: program and arguments; no shell, but quotes and backslashes work" },
    { "types", "url", OPTION_TEXT, OF_TYPE(url), "", 0, 0, NULL, "http: where to" },
    { "types", "method", OPTION_CHOICE, OF_TYPE(method), "POST", 0, 0, "POST PUT PATCH", "http" },
    { "types", "headers", OPTION_TEXT, OF_TYPE(headers), "", 0, 0, NULL, "http: Name: value | Name: value" },
    { "types", "plugin", OPTION_TEXT, OF_TYPE(plugin), "", 0, 0, NULL, "plugin: path of the shared object" },
};
/* clang-format on */
const size_t option_count = sizeof options / sizeof *options;

_Static_assert(sizeof(uint32_t) * 8 >= 16, "one bit of type_config.said for each option of a Type");

bool option_is_of_types(const struct option *option)
{
    return strcmp(option->section, "types") == 0;
}

uint32_t option_bit(const struct option *option)
{
    const struct option *first = options;

    while (!option_is_of_types(first))
        first++;
    return UINT32_C(1) << (option - first);
}

const struct option *option_find(const char *section, const char *name)
{
    for (size_t i = 0; i < option_count; i++)
        if (strcmp(options[i].section, section) == 0 && strcmp(options[i].name, name) == 0)
            return &options[i];
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
static enum status check_text(const char *value, struct err *err)
{
    for (const char *c = value; *c; c++)
        if ((unsigned char)*c < ' ' && *c != '\t')
            return err_set(err, ST_INVALID, "control characters are not allowed");
    if (is_blank(value[0]) || *config_value_end(value) != '\0')
        return err_set(err, ST_INVALID, "%s: blanks at its ends, or a ; that begins a comment, cannot be part of it",
                       value);
    return ST_OK;
}

static enum status set_int(const struct option *option, void *base, const char *value, struct err *err)
{
    int64_t number;

    if (!text_parse_int64(value, option->min, option->max, &number))
        return err_set(err, ST_INVALID, "%s is not a whole number from %lld to %lld", value[0] ? value : "nothing",
                       (long long)option->min, (long long)option->max);
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
    if (check_text(value, err) != ST_OK)
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
