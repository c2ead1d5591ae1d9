/* Starting the parts in order, and stopping them in the opposite one. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/record/keys.h"
#include "common/redis/redis.h"
#include "coordinator/dev/dev.h"

enum {
    REDIS_ANSWER_MS = 2000,
    REDIS_START_MS = 10000,
    REDIS_TRIES = 5,
    READY_MS = 60000,
    READY_LOOK_MS = 50,
    REDIS_STOP_MS = 5000,
    COORDINATOR_STOP_MS = 10000,
};

/* ---- redis-server ---- */
int dev_free_port(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), port = 0;

    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
        getsockname(fd, (struct sockaddr *)&address, &size) == 0)
        port = ntohs(address.sin_port);
    if (fd >= 0)
        close(fd);
    return port;
}

/* The longest path of a socket is 107 bytes: in a deep folder there is none. */
static const char *socket_path(struct dev *dev)
{
    enum { SOCKET_PATH_MAX = 107 };

    snprintf(dev->redis_socket, sizeof dev->redis_socket, "%s/redis.sock", dev->folder);
    if (strlen(dev->redis_socket) > SOCKET_PATH_MAX)
        dev->redis_socket[0] = '\0';
    return dev->redis_socket;
}

static const char *log_path(const struct dev *dev, const char *name, char *path)
{
    if (dev->options.verbose)
        return NULL;
    snprintf(path, PATH_MAX, "%s/%s.log", dev->folder, name);
    return path;
}

static int launch_redis(struct dev *dev, const char *conf)
{
    char port[16], log[PATH_MAX];
    const char *argv[] = {
        "redis-server",     conf,  "--port", port, "--dir", dev->folder, "--unixsocket", socket_path(dev),
        "--unixsocketperm", "700", NULL,
    };
    struct err err = ERR_INIT;

    if (!*dev->redis_socket)
        argv[6] = NULL;
    dev->redis_port = dev_free_port(); /* if somebody takes it before Redis does, the caller tries again */
    snprintf(port, sizeof port, "%d", dev->redis_port);
    snprintf(dev->redis_uri, sizeof dev->redis_uri, "redis://127.0.0.1:%d", dev->redis_port);
    if (child_start(&dev->redis_server, "redis", (char *const *)(void *)(uintptr_t)argv, log_path(dev, "redis", log),
                    &err) != ST_OK)
        return dev_fail(EXIT_FAILED, "%s", err.text);
    return EXIT_OK;
}

static bool redis_answers(struct dev *dev)
{
    struct redis_reply *reply = NULL;
    bool answers = redis_call(dev->redis, &reply, NULL, "PING", NULL) == ST_OK;

    redis_reply_free(reply);
    return answers;
}

/* Is it ours that listens there? Its folder tells. */
static bool redis_is_ours(struct dev *dev)
{
    struct redis_reply *reply = NULL;
    bool ours = false;

    if (redis_call(dev->redis, &reply, NULL, "CONFIG", "GET", "dir", NULL) == ST_OK)
        ours = strcmp(redis_reply_text(redis_reply_at(reply, 1), NULL), dev->folder) == 0;
    redis_reply_free(reply);
    return ours;
}

static bool await_redis(struct dev *dev)
{
    int64_t deadline = clock_boot_ms() + REDIS_START_MS;
    struct err err = ERR_INIT;

    redis_free(dev->redis);
    dev->redis = redis_new(dev->redis_uri, REDIS_ANSWER_MS, &err);
    while (!dev->stop && !child_check(&dev->redis_server) && clock_boot_ms() < deadline) {
        if (redis_answers(dev))
            return redis_is_ours(dev);
        dev_take_signals(dev, 10);
    }
    return false;
}

static int report_child(const struct child *child)
{
    char text[128];

    dev_fail(EXIT_FAILED, "%s %s; its last words:", child->name, child_end_text(child, text, sizeof text));
    child_print_tail(child, stderr, 15);
    return EXIT_FAILED;
}

int dev_start_redis(struct dev *dev)
{
    char conf[PATH_MAX];
    int code = dev_write_file(dev, "redis.conf", dev_redis_conf, conf);

    for (int i = 0; i < REDIS_TRIES && code == EXIT_OK && !dev->stop; i++) {
        code = launch_redis(dev, conf);
        if (code == EXIT_OK && await_redis(dev))
            return EXIT_OK;
        if (code == EXIT_OK && !dev->redis_server.ended)
            child_stop(&dev->redis_server, REDIS_STOP_MS, &dev->hurry);
    }
    if (code != EXIT_OK || dev->stop)
        return code;
    report_child(&dev->redis_server);
    return dev_fail(EXIT_FAILED, "redis-server does not start; is it installed (package redis-server)?");
}

/* ---- the daemons ---- */
static int start_daemon(struct dev *dev, struct child *child, const char *name, const char *program, char *config)
{
    char path[PATH_MAX], log[PATH_MAX], option[] = "--config";
    char *argv[] = { path, option, config, NULL };
    struct err err = ERR_INIT;

    snprintf(path, sizeof path, "%s/%s", dev->programs, program);
    if (access(path, X_OK) != 0)
        return dev_fail(EXIT_FAILED, "%s is not there: it belongs beside bgop itself", path);
    if (child_start(child, name, argv, log_path(dev, name, log), &err) != ST_OK)
        return dev_fail(EXIT_FAILED, "%s", err.text);
    return EXIT_OK;
}

/* What was read from file, environment and flags, for the children to read. */
static int write_config(struct dev *dev, char *path)
{
    FILE *file;
    int fd;

    snprintf(path, PATH_MAX, "%s/bgop.ini", dev->folder);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600); /* it holds passwords */
    file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!file)
        return dev_fail(EXIT_FAILED, "%s: %m", path);
    dev->config->redis_user[0] = dev->config->redis_password_file[0] = '\0'; /* our own Redis wants no login */
    dev->config->redis_sentinel_user[0] = dev->config->redis_sentinel_password_file[0] = '\0';
    config_write(dev->config, file);
    return fclose(file) == 0 ? EXIT_OK : dev_fail(EXIT_FAILED, "%s: %m", path);
}

int dev_start_daemons(struct dev *dev)
{
    char config[PATH_MAX], name[32];
    int code = dev_prepare_http(dev);

    if (code == EXIT_OK)
        code = write_config(dev, config);
    setenv("BGOP_KAFKA", kafka_mock_brokers(dev->mock), 1);
    setenv("BGOP_REDIS", dev->redis_uri, 1);
    if (code == EXIT_OK)
        code = start_daemon(dev, &dev->coordinator, "coordinator", "bgop-coordinator", config);
    for (int i = 0; i < dev->options.workers && code == EXIT_OK; i++) {
        snprintf(name, sizeof name, "worker-%d", i + 1);
        code = start_daemon(dev, &dev->workers[i], name, "bgop-worker", config);
    }
    return code;
}

/* ---- readiness ---- */
static int count_open_shards(struct dev *dev)
{
    int count = 0;

    for (int shard = 0; shard < dev->config->shards; shard++) {
        struct redis_reply *reply = NULL;
        char key[64];

        key_format(key, sizeof key, KEY_GATE, shard, NULL);
        if (redis_call(dev->redis, &reply, NULL, "HGET", key, "mode", NULL) == ST_OK)
            count += strcmp(redis_reply_text(reply, NULL), "OPEN") == 0;
        redis_reply_free(reply);
    }
    return count;
}

static int64_t count_workers(struct dev *dev)
{
    struct redis_reply *reply = NULL;
    int64_t count = 0;
    char key[KEY_SIZE];

    key_format(key, sizeof key, KEY_WORKERS, 0, NULL);
    if (redis_call(dev->redis, &reply, NULL, "ZCARD", key, NULL) == ST_OK)
        count = redis_reply_int(reply, 0);
    redis_reply_free(reply);
    return count;
}

/* bgopctl asks: the mock forgets what is not read soon, so it submits no faster than the queue reads. */
static int mark_as_mock(struct dev *dev)
{
    struct redis_reply *reply = NULL;
    struct err err = ERR_INIT;

    if (redis_call(dev->redis, &reply, &err, "HSET", key_name(KEY_META), "broker", "mock", NULL) != ST_OK)
        return dev_fail(EXIT_FAILED, "%s", err.text);
    redis_reply_free(reply);
    return EXIT_OK;
}

int dev_wait_ready(struct dev *dev)
{
    int64_t deadline = clock_boot_ms() + READY_MS;
    int open = 0;
    int64_t workers = 0;

    while (!dev->stop) {
        struct child *dead = dev_dead_child(dev);

        if (dead)
            return report_child(dead);
        open = count_open_shards(dev);
        workers = count_workers(dev);
        if (open == dev->config->shards && workers >= dev->options.workers)
            return mark_as_mock(dev);
        if (clock_boot_ms() > deadline) {
            dev_fail(EXIT_FAILED,
                     "not ready after %d s: %d of %d shards are open, %d of %d workers are there; the coordinator's "
                     "last words:",
                     READY_MS / 1000, open, (int)dev->config->shards, (int)workers, dev->options.workers);
            child_print_tail(&dev->coordinator, stderr, 15);
            return EXIT_FAILED;
        }
        dev_take_signals(dev, READY_LOOK_MS);
    }
    return EXIT_OK;
}

void dev_stop_all(struct dev *dev)
{
    int worker_ms = (int)dev->config->drain_timeout_ms + 5000;

    for (int i = 0; i < dev->options.workers; i++)
        child_stop(&dev->workers[i], worker_ms, &dev->hurry);
    child_stop(&dev->coordinator, COORDINATOR_STOP_MS, &dev->hurry);
    redis_free(dev->redis);
    dev->redis = NULL;
    child_stop(&dev->redis_server, REDIS_STOP_MS, &dev->hurry);
    kafka_mock_free(dev->mock);
    dev->mock = NULL;
}

struct child *dev_dead_child(struct dev *dev)
{
    if (child_check(&dev->redis_server))
        return &dev->redis_server;
    if (child_check(&dev->coordinator))
        return &dev->coordinator;
    for (int i = 0; i < dev->options.workers; i++) {
        if (child_check(&dev->workers[i]))
            return &dev->workers[i];
    }
    return NULL;
}
