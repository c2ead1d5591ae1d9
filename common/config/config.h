/* The configuration: one table of options (config/options.h) from which parser, help, --print-config, the sample
 * file's test and the README are made. Defaults < file < environment < flags. */
#ifndef BGOP_CONFIG_CONFIG_H
#define BGOP_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/base/err.h"
#include "common/kafka/kafka.h"
#include "common/record/submission.h"
#include "common/record/type_settings.h"
#include "common/redis/functions.h"

struct type_config { /* one [type NAME]; what it does not say comes from [types], then the table */
    char *name;
    bool declared; /* not one of the record's Types */
    bool reserved;
    bool served; /* a handler is configured */
#define INT(name, ...)    int64_t name;
#define CHOICE(name, ...) char *name;
    TYPE_SETTINGS(INT, CHOICE)
#undef INT
#undef CHOICE
    int64_t concurrency;
    char *handler;                                                                  /* "", noop, exec, http */
    char *command;                                                                  /* exec */
    char *persistent;                                                               /* exec: no, yes */
    int64_t memory_max_mb, processes_max, cpu_max_s, output_max_mb, open_files_max; /* exec; 0: no limit */
    char *url, *method, *headers;         /* http; headers: "Name: value" separated by | */
    char *ca_file, *cert_file, *key_file; /* http, on https: PEM files */
    uint32_t said;                        /* which options its section named (the rest follows [types]) */
};

struct config {
    /* [queue] */
    char *prefix;      /* of topics */
    bool shards_given; /* not the default: who needs no number of shards has none to be compared */
    int64_t topic_replicas, topic_min_in_sync; /* 0: by the number of brokers */
    int64_t log_days, shards, submit_partitions, payload_max_bytes, lease_ms, retry_max_delay_ms, deleted_log_days;
    /* [redis] */
    char *redis_url; /* after config_check with login and files of those below, where it has none */
    char *redis_user, *redis_password_file;
    char *redis_sentinel_user, *redis_sentinel_password_file;
    char *redis_tls_ca_file, *redis_tls_cert_file, *redis_tls_key_file; /* of rediss://; they are in redis_url too */
    int64_t redis_timeout_ms;
    /* [kafka] */
    char *brokers;
    char *kafka_password_file; /* after config_check its password is the property sasl.password */
    struct kafka_property *properties;
    size_t property_count;
    /* [log] */
    char *log_level, *log_format; /* error warning info debug; logfmt json */
    /* [coordinator] */
    int64_t intake_loops, status_loops, batch_max_messages, tick_max_ms;
    /* [http] */
    char *http_listen; /* empty: no endpoint */
    char *http_token_file, *http_operator_token_file, *http_page_url;
    /* [worker] */
    char *worker_types; /* names separated by blanks or commas; empty: all with a handler */
    int64_t worker_concurrency, drain_timeout_ms;
    char *listen; /* address:port of the status page; port 0: any */
    /* [traces] */
    char *traces_url; /* empty: no spans */
    char *traces_headers_file, *traces_service_name;
    /* [types], [type NAME] */
    struct type_config *types;
    size_t type_count;                /* the record's own and the declared ones */
    struct type_config types_default; /* what [types] said; the rest of it means nothing */
};

void config_init(struct config *config); /* defaults */
void config_release(struct config *config);
/* Reads an INI file over what is there. ST_INVALID: err names file, line, option and the nearest known one. */
enum status config_read_file(struct config *config, const char *path, struct err *err) MUST_CHECK;
/* BGOP_KAFKA, BGOP_REDIS, BGOP_HTTP_LISTEN, BGOP_HTTP_TOKEN_FILE, BGOP_LOG_LEVEL, BGOP_LOG_FORMAT. */
enum status config_read_environment(struct config *config, struct err *err) MUST_CHECK;
/* One option as "section" (or "type NAME"), "name", "value". */
enum status config_set(struct config *config, const char *section, const char *name, const char *value,
                       struct err *err) MUST_CHECK;
/* Bounds across options (heartbeat below lease ...), after everything was read. */
enum status config_check(struct config *config, struct err *err) MUST_CHECK;
/* Every option with its effective value, each Type's section in full, as a file that could be used. For people: secrets
 * (passwords in addresses, librdkafka's, in headers) stand as ***. config_write has them, for a file of a reader's own. */
void config_print(const struct config *config, FILE *to);
void config_write(const struct config *config, FILE *to);

struct type_config *config_type(const struct config *config, const char *name); /* NULL: unknown */
struct type_lookup config_type_lookup(const struct config *config);
/* prefix + "." + name ("bgop.submit", "bgop.WebCart"). */
const char *config_topic(const struct config *config, const char *name, char *topic, size_t room);
struct kafka_settings config_kafka(const struct config *config, const char *client_id);

/* ---- command lines ---- */
/* What every program of ours takes: --config FILE, --kafka LIST, --redis URL, --help, --version, --print-config, plus
 * the program's own. Options may stand anywhere; "--name value" and "--name=value". */
struct flag {
    const char *name;     /* without "--" */
    const char *argument; /* what help calls it; NULL: a switch */
    const char *help;
    const char **value; /* set to the argument (or "yes" for a switch); NULL: absent */
};
struct command_line {
    const char *program, *usage, *about;
    const struct flag *flags;
    size_t flag_count;
    const char *tail;
};
/* The flags of every program, for pages and completions; they set nothing. */
enum { CONFIG_COMMON_FLAGS = 6 };
void config_common_flags(struct flag flags[CONFIG_COMMON_FLAGS]);
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE_ERROR = 64, EXIT_UNREACHABLE = 69, EXIT_CONFIG = 78 };
/* Reads file, environment and flags into config. Answers -1 to go on, else the exit code (after having printed help,
 * version, the configuration or an error). Operands are moved to the front of argv; *argc becomes their count. */
int config_command_line(struct config *config, const struct command_line *line, int *argc, char **argv);

#endif
