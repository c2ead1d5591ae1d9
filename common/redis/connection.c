/* One connection. Commands are collected in a buffer of ours and written when a reply is wanted or 64 KiB are
 * waiting; writing reads what has arrived meanwhile, so that two full buffers never wait for each other. hiredis
 * connects and parses.
 *
 * A caller that wants many things sends them all, then receives as often as it sent: one round trip, whatever happens in
 * between. That is why a broken connection does not end a round:
 *
 * Replies are counted: `outstanding` belong to the connection at hand, `lost` to one that broke before; since a new
 * connection's replies come after the lost ones, receivers meet them in the order of their sends. */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <hiredis/hiredis.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/redis/edge.h"
#include "common/redis/nodes.h"
#include "common/redis/sentinel.h"
#include "common/server/cluster_map.h"
#include "common/server/sentinel.h"

enum {
    WRITE_EARLY_BYTES = 64 * 1024,
    READER_KEEP_BYTES = 1024 * 1024, /* a reader's buffer up to this size is kept between replies */
    CONNECT_PAUSE_MS = 100,          /* after a failed attempt, sends fail at once for so long */
    LOOK_MS = 250,                   /* who waits for an answer looks so often whether Sentinels name another server */
    NAMED_TIMEOUT_MS = 2000,         /* to connect to one that they name: it may stand still, and another be next */
};

struct redis {
    struct redis_address address;
    bool in_cluster;           /* it is a connection to one of several: a redirection is no reason to leave it */
    struct nodes *nodes;       /* of a cluster: it does everything but the address and the scratch; NULL: one server */
    struct sentinel *sentinel; /* of Sentinels: address is that of the primary they named last; NULL: nobody is asked */
    int timeout_ms;
    int patience_ms;       /* for an answer: less while it connects, by Sentinels */
    redisContext *context; /* NULL: not connected */
    struct redis_tls *tls; /* what speaks over its socket, for rediss://; NULL: hiredis itself */
    uint64_t connection_number;
    char *out; /* commands not written yet */
    size_t out_size, out_capacity;
    size_t outstanding, lost;
    void *ahead;          /* a reply that was read before it was asked for; NULL: none */
    int64_t written_us;   /* when what is outstanding was written, until the first answer; 0: not of interest */
    bool moved;           /* Sentinels name another server than the one that we waited for */
    bool distrusted;      /* the server refuses this connection: replace it when nothing is outstanding */
    int64_t failed_at_ms; /* last failed attempt to connect; 0: the last one succeeded */
    struct redis_command scratch;
    struct err broken;     /* why the last connection or attempt ended */
    char error_reply[300]; /* the last one, for who asks another server then */
};

struct redis *redis_new(const char *uri, int timeout_ms, struct err *err)
{
    struct redis *redis = xcalloc(1, sizeof *redis);

    if (redis_address_parse(&redis->address, uri, err) != ST_OK) {
        free(redis);
        return NULL;
    }
    redis->timeout_ms = timeout_ms;
    if (redis->address.kind == REDIS_CLUSTER)
        redis->nodes = nodes_new(&redis->address, timeout_ms);
    if (redis->address.kind == REDIS_SENTINEL)
        redis->sentinel = sentinel_new(&redis->address, timeout_ms);
    return redis;
}

struct redis *redis_new_at(const struct redis_address *address, int timeout_ms)
{
    struct redis *redis = xcalloc(1, sizeof *redis);

    redis->address = *address;
    redis->timeout_ms = timeout_ms;
    redis->in_cluster = true;
    return redis;
}

struct redis *redis_new_beside(const struct redis *redis, const char *host, int port, int timeout_ms)
{
    struct redis_address address = redis->address;

    if (host)
        redis_address_at(&address, &redis->address, host, port);
    return redis_new_at(&address, timeout_ms);
}

void redis_command_add_login(struct redis_command *command, const struct redis *redis)
{
    if (!*redis->address.password)
        return;
    redis_command_add_text(command, "AUTH2");
    redis_command_add_text(command, redis_user(redis));
    redis_command_add_text(command, redis->address.password);
}

void redis_free(struct redis *redis)
{
    if (!redis)
        return;
    redis_disconnect(redis);
    nodes_free(redis->nodes);
    sentinel_free(redis->sentinel);
    memset(redis->address.password, 0, sizeof redis->address.password);
    redis_command_release(&redis->scratch);
    free(redis->out);
    free(redis);
}

const char *redis_address(const struct redis *redis)
{
    return redis->address.text;
}

const char *redis_user(const struct redis *redis)
{
    return *redis->address.user ? redis->address.user : "default";
}

bool redis_connected(const struct redis *redis)
{
    return redis->nodes ? nodes_connected(redis->nodes) : redis->context != NULL;
}

bool redis_shard_away(const struct redis *redis, int shard)
{
    return redis->nodes && nodes_away(redis->nodes, shard);
}

bool redis_is_cluster(const struct redis *redis)
{
    return redis->nodes != NULL;
}

bool redis_is_by_sentinel(const struct redis *redis)
{
    return redis->sentinel != NULL;
}

uint64_t redis_connection_number(const struct redis *redis)
{
    return redis->nodes ? nodes_connection_number(redis->nodes) : redis->connection_number;
}

void redis_disconnect(struct redis *redis)
{
    if (redis->nodes)
        nodes_disconnect(redis->nodes);
    if (redis->ahead)
        freeReplyObject(redis->ahead);
    redis_tls_free(redis->tls);
    if (redis->context)
        redisFree(redis->context);
    redis->tls = NULL;
    redis->context = NULL;
    redis->ahead = NULL;
    redis->written_us = 0;
    redis->out_size = 0;
    redis->outstanding = 0;
    redis->lost = 0;
    redis->distrusted = redis->moved = false;
}

/* Why there is no connection. */
static enum status fail_broken(const struct redis *redis, struct err *err, const char *more)
{
    return err_set_server(err, ST_AGAIN, "redis", "%s%s", redis->broken.text, more);
}

/* Closes for good and remembers why; what was outstanding is lost. */
static enum status connection_broke(struct redis *redis, const char *text, struct err *err)
{
    size_t lost = redis->lost + redis->outstanding;

    err_set_server(&redis->broken, ST_AGAIN, "redis", "Redis at %s: %s", redis->address.text, text);
    redis_disconnect(redis);
    redis->lost = lost;
    return fail_broken(redis, err, "");
}

/* ---- connecting ---- */

static struct timeval timeval_of(int ms)
{
    return (struct timeval){ .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
}

static enum status connect_failed(struct redis *redis, const char *tried, int number, const char *text, struct err *err)
{
    const char *cause = redis_connect_cause(number, text, *redis->address.path != '\0');
    char line[768];

    snprintf(line, sizeof line, "%s: %s%s%s", tried, text, *cause ? "; " : "", cause);
    connection_broke(redis, line, err);
    redis->failed_at_ms = clock_boot_ms();
    return ST_AGAIN;
}

/* hiredis' error in words; a read that ran into SO_RCVTIMEO shows as EAGAIN. */
static const char *context_error(const struct redis *redis, char *text, size_t room)
{
    const redisContext *context = redis->context;

    if (redis->moved)
        snprintf(text, room, "no answer, and the Sentinels name another primary by now");
    else if (context->err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ETIMEDOUT))
        snprintf(text, room, "no answer within %d ms", redis->patience_ms);
    else if (context->err == REDIS_ERR_EOF)
        snprintf(text, room, "it closed the connection");
    else if (context->err == REDIS_ERR_PROTOCOL)
        snprintf(text, room, "Protocol error: what answers is not Redis");
    else
        snprintf(text, room, "%s", context->errstr);
    return text;
}

/* ---- the bytes: hiredis' own functions, or TLS in their place ---- */

/* What has arrived goes to hiredis' reader. */
static int read_some(struct redis *redis)
{
    return redis->tls ? redis_tls_read(redis->tls) : redisBufferRead(redis->context);
}

static ssize_t write_some(struct redis *redis, const char *data, size_t size)
{
    return redis->tls ? redis_tls_write(redis->tls, data, size)
                      : send(redis->context->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Would reading not wait? TLS never waits, and may have what poll does not see. */
static bool readable(struct redis *redis)
{
    struct pollfd fd = { .fd = redis->context->fd, .events = POLLIN };

    return redis->tls || poll(&fd, 1, 0) > 0;
}

static int wait_for(struct redis *redis, short events, int timeout_ms)
{
    struct pollfd fd = { .fd = redis->context->fd, .events = events };

    return redis->tls ? redis_tls_wait(redis->tls, events, timeout_ms) : poll(&fd, 1, timeout_ms);
}

/* An old primary may stand still with our call, while another one has its place. false: there is no use in waiting. */
static bool answer_comes(struct redis *redis, void **reply)
{
    for (int waited_ms = 0; waited_ms < redis->timeout_ms; waited_ms += LOOK_MS) {
        if (redisGetReplyFromReader(redis->context, reply) != REDIS_OK || *reply ||
            wait_for(redis, POLLIN, LOOK_MS) != 0)
            return true;
        redis->moved = sentinel_moved(redis->sentinel);
        if (redis->moved)
            return false;
    }
    redis->context->err = REDIS_ERR_IO; /* as a read that ran into its time */
    errno = EAGAIN;
    return false;
}

static int get_reply(struct redis *redis, void **reply)
{
    if (redis->sentinel && !answer_comes(redis, reply))
        return REDIS_ERR;
    if (*reply)
        return REDIS_OK;
    return redis->tls ? redis_tls_get_reply(redis->tls, reply) : redisGetReply(redis->context, reply);
}

static redisReply *ask(struct redis *redis, int argc, const char **argv)
{
    return redis->tls ? redis_tls_command(redis->tls, argc, argv) : redisCommandArgv(redis->context, argc, argv, NULL);
}

/* One command of the greeting; an error reply ends the attempt. */
static enum status greet(struct redis *redis, const char *tried, int argc, const char **argv, struct err *err)
{
    char text[256], who[192];
    redisReply *reply = ask(redis, argc, argv);
    bool refused = reply && reply->type == REDIS_REPLY_ERROR;

    if (reply && !refused) {
        freeReplyObject(reply);
        return ST_OK;
    }
    if (refused)
        snprintf(text, sizeof text, "%s", reply->str);
    else
        context_error(redis, text, sizeof text);
    if (reply)
        freeReplyObject(reply);
    if (!refused || !redis->address.has_login)
        return connect_failed(redis, tried, 0, text, err);
    snprintf(who, sizeof who, "%s as user \"%.100s\"", tried, redis_user(redis));
    return connect_failed(redis, who, 0, text, err);
}

/* At least one round trip: a port that answers need not be a Redis that serves us. (A login that worked says as much
 * as PING, which its ACL may forbid.) */
static enum status greet_all(struct redis *redis, struct err *err)
{
    const struct redis_address *address = &redis->address;
    const char *login[] = { "AUTH", *address->user ? address->user : address->password, address->password };
    char db[16];
    enum status st = ST_OK;

    snprintf(db, sizeof db, "%d", address->db);
    if (address->has_login)
        st = greet(redis, "logging in (AUTH)", *address->user ? 3 : 2, login, err);
    if (st == ST_OK && address->db > 0)
        st = greet(redis, "choosing the database (SELECT)", 2, (const char *[]){ "SELECT", db }, err);
    if (st == ST_OK && !address->has_login && address->db <= 0)
        st = greet(redis, "greeting (PING)", 1, (const char *[]){ "PING" }, err);
    return st;
}

/* A Sentinel may not have seen yet that it is none, or no more. */
static enum status greet_primary(struct redis *redis, struct err *err)
{
    const char *tried = "asking for its role (INFO)";
    redisReply *reply = ask(redis, 2, (const char *[]){ "INFO", "replication" });
    char text[256] = "";

    if (!reply)
        context_error(redis, text, sizeof text);
    else if (reply->type != REDIS_REPLY_STRING)
        snprintf(text, sizeof text, "%s", reply->type == REDIS_REPLY_ERROR ? reply->str : "what answers is not Redis");
    else if (!sentinel_is_primary(reply->str))
        snprintf(text, sizeof text, "%s", SENTINEL_NO_PRIMARY);
    if (reply)
        freeReplyObject(reply);
    return text[0] ? connect_failed(redis, tried, 0, text, err) : ST_OK;
}

static enum status connect_to_server(struct redis *redis, struct err *err)
{
    const struct redis_address *address = &redis->address;
    struct timeval timeout;
    char text[256];
    int number;

    redis->patience_ms = redis->timeout_ms;
    if (redis->sentinel && redis->patience_ms > NAMED_TIMEOUT_MS)
        redis->patience_ms = NAMED_TIMEOUT_MS;
    timeout = timeval_of(redis->patience_ms);
    errno = 0;
    redis->context = *address->path ? redisConnectUnixWithTimeout(address->path, timeout)
                                    : redisConnectWithTimeout(address->host, address->port, timeout);
    number = errno;
    if (!redis->context)
        return connect_failed(redis, "connecting", 0, "no memory", err);
    if (redis->context->err) {
        if (errno == EINPROGRESS || errno == ETIMEDOUT || strstr(redis->context->errstr, "timed out"))
            snprintf(text, sizeof text, "no connection within %d ms", redis->patience_ms);
        else
            snprintf(text, sizeof text, "%s", redis->context->errstr);
        return connect_failed(redis, "connecting", number, text, err);
    }
    if (redisSetTimeout(redis->context, timeout) != REDIS_OK) /* connecting has set one of its own */
        return connect_failed(redis, "setting timeouts", 0, redis->context->errstr, err);
    redis->context->reader->maxbuf = READER_KEEP_BYTES;
    if (address->tls && !(redis->tls = redis_tls_start(redis->context, address, redis->timeout_ms)))
        return connect_failed(redis, "connecting by TLS", 0, redis->context->errstr, err);
    if (greet_all(redis, err) != ST_OK || (redis->sentinel && greet_primary(redis, err) != ST_OK))
        return ST_AGAIN;
    redis->patience_ms = redis->timeout_ms;
    if (redisSetTimeout(redis->context, timeval_of(redis->timeout_ms)) != REDIS_OK)
        return connect_failed(redis, "setting timeouts", 0, redis->context->errstr, err);
    redis->failed_at_ms = 0;
    redis->connection_number++;
    return ST_OK;
}

static enum status connect_to_named(void *arg, const struct redis_address *primary, struct err *err)
{
    struct redis *redis = arg;

    redis->address = *primary;
    return connect_to_server(redis, err);
}

enum status redis_connect(struct redis *redis, struct err *err)
{
    if (redis->nodes)
        return nodes_connect(redis->nodes, err);
    if (redis->context)
        return ST_OK;
    if (!redis->sentinel)
        return connect_to_server(redis, err);
    if (sentinel_connect(redis->sentinel, connect_to_named, redis, err) == ST_OK)
        return ST_OK;
    redis->broken = *err;
    redis->failed_at_ms = clock_boot_ms();
    return err->status;
}

enum status redis_break(struct redis *redis, const char *text, struct err *err)
{
    return connection_broke(redis, text, err);
}

void redis_give_up(struct redis *redis, struct err *err)
{
    char text[64];

    snprintf(text, sizeof text, "no answer within %d ms", redis->timeout_ms);
    (void)!connection_broke(redis, text, err);
}

const char *redis_answering_run_id(const struct redis *redis)
{
    return redis->nodes ? nodes_run_id(redis->nodes) : NULL;
}

enum status redis_identify(struct redis *redis, struct err *err)
{
    return redis->nodes ? nodes_identify(redis->nodes, err) : ST_OK;
}

enum status redis_each_server(struct redis *redis, redis_visit *visit, void *arg, struct err *err)
{
    return redis->nodes ? nodes_each(redis->nodes, true, visit, arg, err) : visit(arg, redis, err);
}

enum status redis_each_there(struct redis *redis, redis_visit *visit, void *arg, struct err *err)
{
    return redis->nodes ? nodes_each(redis->nodes, false, visit, arg, err) : visit(arg, redis, err);
}

/* As redis_connect, but a server that did not answer a moment ago is not asked again for each of 16 shards. */
static enum status ensure_connected(struct redis *redis, struct err *err)
{
    if (redis->sentinel && redis->context && redis->outstanding == 0 && sentinel_moved(redis->sentinel))
        redis->distrusted = true;
    if (redis->context && redis->distrusted && redis->outstanding == 0) {
        size_t lost = redis->lost;

        redis_disconnect(redis);
        redis->lost = lost;
    }
    if (redis->context)
        return ST_OK;
    if (redis->failed_at_ms && clock_boot_ms() - redis->failed_at_ms < CONNECT_PAUSE_MS)
        return fail_broken(redis, err, "");
    return redis_connect(redis, err);
}

/* ---- sending ---- */

/* The socket takes no more: waits until it does, reading what comes meanwhile. */
static enum status wait_writable(struct redis *redis, struct err *err)
{
    int ready = wait_for(redis, POLLIN | POLLOUT, redis->timeout_ms);
    char text[256];

    if (ready < 0 && errno != EINTR)
        return connection_broke(redis, strerror(errno), err);
    if (ready == 0) {
        snprintf(text, sizeof text, "takes no more commands for %d ms", redis->timeout_ms);
        return connection_broke(redis, text, err);
    }
    if (ready > 0 && readable(redis) && read_some(redis) != REDIS_OK)
        return connection_broke(redis, context_error(redis, text, sizeof text), err);
    return ST_OK;
}

static enum status write_out(struct redis *redis, struct err *err)
{
    size_t written = 0;

    while (written < redis->out_size) {
        ssize_t n = write_some(redis, redis->out + written, redis->out_size - written);

        if (n >= 0) {
            written += (size_t)n;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            enum status st = wait_writable(redis, err);

            if (st != ST_OK)
                return st;
        } else if (errno != EINTR) {
            int number = errno;
            char text[256];

            return connection_broke(
                redis, redis->context->err ? context_error(redis, text, sizeof text) : strerror(number), err);
        }
    }
    redis->out_size = 0;
    return ST_OK;
}

static void make_room(struct redis *redis, size_t size)
{
    size_t needed = redis->out_size + size;

    if (needed > redis->out_capacity) {
        redis->out_capacity = needed > 2 * redis->out_capacity ? needed : 2 * redis->out_capacity;
        redis->out = xrealloc(redis->out, redis->out_capacity);
    }
}

static void append_command(struct redis *redis, const struct redis_command *command)
{
    make_room(redis, redis_command_wire_max(command));
    redis->out_size = (size_t)(redis_command_write(command, redis->out + redis->out_size) - redis->out);
}

/* What was appended is on its way: much of it already now. */
static enum status count_sent(struct redis *redis, struct err *err)
{
    enum status st;

    if (redis->out_size >= WRITE_EARLY_BYTES) {
        st = write_out(redis, err);
        if (st != ST_OK)
            return st;
    }
    redis->outstanding++;
    return ST_OK;
}

enum status redis_send(struct redis *redis, const struct redis_command *command, struct err *err)
{
    enum status st;

    if (redis->nodes)
        return nodes_send(redis->nodes, command, err);
    st = ensure_connected(redis, err);
    if (st != ST_OK)
        return st;
    append_command(redis, command);
    return count_sent(redis, err);
}

enum status redis_send_written(struct redis *redis, const char *bytes, size_t size, struct err *err)
{
    enum status st = ensure_connected(redis, err);

    if (st != ST_OK)
        return st;
    make_room(redis, size);
    memcpy(redis->out + redis->out_size, bytes, size);
    redis->out_size += size;
    return count_sent(redis, err);
}

enum status redis_write_out(struct redis *redis, struct err *err)
{
    return redis->context ? write_out(redis, err) : ST_OK;
}

enum status redis_enqueue(struct redis *redis, const struct redis_command *command, struct err *err)
{
    if (redis->nodes)
        return nodes_enqueue(redis->nodes, command, err);
    BGOP_ASSERT(redis->outstanding == 0);
    if (!redis->context)
        return fail_broken(redis, err, "");
    append_command(redis, command);
    return ST_OK;
}

struct redis_command *redis_scratch(struct redis *redis)
{
    redis_command_clear(&redis->scratch);
    return &redis->scratch;
}

/* ---- receiving ---- */

/* What ACL SETUSER would have to be told. Redis names the command, but neither the user nor the key; not even the command
 * when it is one in a function. */
static void explain_refusal(const struct redis *redis, const char *text, const char *cause, struct err *err)
{
    const char *user = redis_user(redis), *command = strstr(text, "to run the '");
    char rule[128];

    if (command) {
        snprintf(rule, sizeof rule, "+%.*s", (int)strcspn(command + 12, "'"), command + 12);
    } else {
        snprintf(rule, sizeof rule, "%s",
                 strstr(text, "channel") ? "&bgop:*"
                 : strstr(text, " key")  ? "~bgop:*"
                                         : "+...");
    }
    err_set_server(err, ST_AGAIN, "redis", "Redis at %s: user \"%s\" is refused: %s; ACL SETUSER %s %s: %s",
                   redis->address.text, user, text, user, rule, cause);
}

static enum status error_reply(struct redis *redis, redisReply *reply, struct err *err)
{
    const struct redis_error *error = redis_error_find(reply->str);
    enum status st = error ? error->status : ST_INVALID;

    text_copy(redis->error_reply, sizeof redis->error_reply, reply->str,
              strnlen(reply->str, sizeof redis->error_reply - 1));
    if (error && error->new_connection &&
        !(redis->in_cluster && cluster_redirect_read(reply->str).kind != CLUSTER_STAYS))
        redis->distrusted = true;
    if (error && error->denied && (strstr(reply->str, "permission") || strstr(reply->str, "script")))
        explain_refusal(redis, reply->str, error->cause, err);
    else if (error && error->cause)
        err_set_server(err, st, "redis", "Redis at %s: %s; %s", redis->address.text, reply->str, error->cause);
    else
        err_set_server(err, st, "redis", "%s", reply->str);
    freeReplyObject(reply);
    return st;
}

const char *redis_error_reply(const struct redis *redis)
{
    return redis->error_reply;
}

static enum status lost_reply(struct redis *redis, struct err *err)
{
    BGOP_ASSERT(redis->lost > 0); /* else: a receive without a send */
    redis->lost--;
    return fail_broken(redis, err, " (reply lost)");
}

static struct histogram round_trips; /* of all connections of the process */

struct histogram *redis_round_trips(void)
{
    return &round_trips;
}

/* Of answers that are waited for behind one writing the first tells how long it took: others may have lain here. */
static void note_writing(struct redis *redis)
{
    if (redis->out_size > 0)
        redis->written_us = clock_boot_us();
}

static void note_answer(struct redis *redis)
{
    if (redis->written_us)
        histogram_add(&round_trips, clock_boot_us() - redis->written_us);
    redis->written_us = 0;
}

enum status redis_receive(struct redis *redis, struct redis_reply **reply, struct err *err)
{
    void *received = redis->ahead;
    char text[256];
    enum status st;

    *reply = NULL;
    if (redis->nodes)
        return nodes_receive(redis->nodes, reply, err);
    redis->error_reply[0] = '\0';
    if (redis->lost > 0 || !redis->context)
        return lost_reply(redis, err);
    BGOP_ASSERT(redis->outstanding > 0);
    if (!received)
        note_writing(redis);
    st = received ? ST_OK : write_out(redis, err);
    if (st != ST_OK) {
        redis->lost--; /* connection_broke counted this one too */
        return st;
    }
    errno = 0;
    if (!received && (get_reply(redis, &received) != REDIS_OK || !received)) {
        st = connection_broke(redis, context_error(redis, text, sizeof text), err);
        redis->lost--;
        return st;
    }
    redis->ahead = NULL;
    redis->outstanding--;
    note_answer(redis);
    if (((redisReply *)received)->type == REDIS_REPLY_ERROR)
        return error_reply(redis, received, err);
    *reply = received;
    return ST_OK;
}

/* Writes what is queued, reads what has arrived, without waiting for more. */
static enum status exchange(struct redis *redis, struct err *err)
{
    enum status st = write_out(redis, err);
    char text[256];

    if (st != ST_OK)
        return st;
    errno = 0;
    if (readable(redis) && read_some(redis) != REDIS_OK)
        return connection_broke(redis, context_error(redis, text, sizeof text), err);
    return ST_OK;
}

bool redis_answer_here(struct redis *redis)
{
    struct err err = ERR_INIT;
    char text[256];

    if (redis->ahead || redis->lost > 0 || !redis->context)
        return true;
    if (redis->outstanding == 0)
        return false;
    note_writing(redis);
    for (int try = 0; !redis->ahead && try < 2; try++) {
        if (try > 0 && exchange(redis, &err) != ST_OK)
            return true;
        if (redisGetReplyFromReader(redis->context, &redis->ahead) != REDIS_OK) {
            connection_broke(redis, context_error(redis, text, sizeof text), &err);
            return true;
        }
    }
    return redis->ahead != NULL;
}

int redis_arrived(struct redis *redis)
{
    if (redis->nodes)
        return nodes_arrived(redis->nodes);
    return redis_answer_here(redis) ? 0 : -1;
}

void redis_give_up_oldest(struct redis *redis)
{
    struct err err = ERR_INIT;

    if (redis->nodes)
        nodes_give_up(redis->nodes);
    else
        redis_give_up(redis, &err);
}

size_t redis_descriptors(const struct redis *redis, int *descriptors, size_t room)
{
    if (redis->nodes)
        return nodes_descriptors(redis->nodes, descriptors, room);
    if (!redis->context || room == 0)
        return 0;
    descriptors[0] = redis->context->fd;
    return 1;
}

enum status redis_poll(struct redis *redis, struct redis_reply **reply, struct err *err)
{
    void *received = NULL;
    char text[256];

    *reply = NULL;
    if (redis->nodes)
        return nodes_poll(redis->nodes, reply, err);
    if (!redis->context)
        return fail_broken(redis, err, "");
    if (redis->sentinel && sentinel_moved(redis->sentinel))
        return connection_broke(redis, "the Sentinels name another primary", err);
    for (int try = 0; !received && try < 2; try++) {
        enum status st = try > 0 ? exchange(redis, err) : ST_OK;

        if (st != ST_OK)
            return st;
        if (redisGetReplyFromReader(redis->context, &received) != REDIS_OK)
            return connection_broke(redis, context_error(redis, text, sizeof text), err);
    }
    if (received && ((redisReply *)received)->type == REDIS_REPLY_ERROR) {
        connection_broke(redis, ((redisReply *)received)->str, err);
        freeReplyObject(received);
        return ST_AGAIN;
    }
    *reply = received;
    return ST_OK;
}

enum status redis_call(struct redis *redis, struct redis_reply **reply, struct err *err, ...)
{
    struct redis_command command;
    va_list args;
    enum status st;

    BGOP_ASSERT(redis->outstanding == 0 && (redis->nodes || redis->lost == 0));
    *reply = NULL;
    redis_command_init(&command);
    va_start(args, err);
    for (const char *text = va_arg(args, const char *); text; text = va_arg(args, const char *))
        redis_command_add_text(&command, text);
    va_end(args);
    st = redis_send(redis, &command, err);
    redis_command_release(&command);
    return st == ST_OK ? redis_receive(redis, reply, err) : st;
}
