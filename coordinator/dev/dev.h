/* `bgop dev`: a whole queue in one command, for a laptop without Kafka. This process is the Kafka (librdkafka's mock
 * broker); redis-server, bgop-coordinator and bgop-worker are its children. Everything is gone when it ends. */
#ifndef BGOP_DEV_DEV_H
#define BGOP_DEV_DEV_H

#include <limits.h>
#include <signal.h>
#include <stdbool.h>

#include "common/config/config.h"
#include "coordinator/dev/child.h"

/* deploy/redis/redis.conf and deploy/noop.ini, as built into this program. */
extern const char dev_redis_conf[], dev_default_config[];

enum { DEV_WORKERS_MAX = 32, DEV_FOLDER_SIZE = PATH_MAX - 64, DEV_TOKEN_SIZE = 600 };

struct dev_options {
    int workers;
    const char *keep;      /* folder for logs and data, kept afterwards; NULL: a temporary one */
    const char *port_file; /* NULL: none */
    bool quiet, verbose;
};

struct dev {
    struct config *config;
    struct dev_options options;
    char programs[DEV_FOLDER_SIZE]; /* folder of bgop-coordinator, bgop-worker and bgopctl: our own */
    char folder[DEV_FOLDER_SIZE];   /* logs, Redis' data, bgop.ini */
    bool temporary;                 /* the folder is removed at the end */
    struct kafka_mock *mock;
    int redis_port;
    char redis_uri[64], redis_socket[PATH_MAX];
    struct redis *redis;
    char http_token[DEV_TOKEN_SIZE],
        http_operator_token[DEV_TOKEN_SIZE]; /* the second empty: the configuration has none */
    struct child redis_server, coordinator, workers[DEV_WORKERS_MAX];
    sigset_t signals;
    volatile bool stop, hurry; /* a signal asked for it; a second one */
};

/* Runs until a signal or until a child dies; answers the exit code. */
int dev_run(struct dev *dev);

/* messages.c: "bgop: text" on stderr; answers code. */
int dev_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A line about what happens now, unless --quiet. */
void dev_print(const struct dev *dev, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Signals are blocked and taken: no handler, and librdkafka's threads never get one. */
void dev_block_signals(struct dev *dev);
/* Takes signals that came within timeout_ms: sets stop and hurry, returns early when there were some. */
void dev_take_signals(struct dev *dev, int timeout_ms);

/* folder.c */
int dev_make_folder(struct dev *dev);
void dev_remove_folder(struct dev *dev);
/* Writes text to folder/name; path[PATH_MAX] gets where. */
int dev_write_file(const struct dev *dev, const char *name, const char *text, char *path);

/* topics.c */
int dev_start_kafka(struct dev *dev);

/* servers.c */
int dev_start_redis(struct dev *dev);
int dev_start_daemons(struct dev *dev);
/* A port that is free now; somebody may take it before it is used. */
int dev_free_port(void);
/* Until every shard is OPEN and every worker has registered. */
int dev_wait_ready(struct dev *dev);
/* The child that ended though nobody asked it to; NULL: all run. */
struct child *dev_dead_child(struct dev *dev);
void dev_stop_all(struct dev *dev);

/* http.c: into the configuration, before the daemons read it */
int dev_prepare_http(struct dev *dev);

/* welcome.c */
int dev_write_port_file(const struct dev *dev);
void dev_print_welcome(const struct dev *dev);

#endif
