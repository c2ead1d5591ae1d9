/* One connection to Redis for reads. It is made when it is needed, closed after any error of the connection itself, and never
 * waited for longer than the caller allows: libbgop always returns. */
#include "common/client/link_server.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "common/server/redis_tls.h"

static enum bgop_code fail(struct link *link, enum bgop_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum bgop_code fail(struct link *link, enum bgop_code code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(link->error, sizeof link->error, format, args);
    va_end(args);
    return code;
}

enum bgop_code link_init(struct link *link, const char *uri, int timeout_ms)
{
    struct err err = ERR_INIT;

    memset(link, 0, sizeof *link);
    link->timeout_ms = timeout_ms;
    if (redis_address_parse(&link->to, uri, &err) == ST_OK &&
        (!link->to.tls || redis_tls_check(&link->to, &err) == ST_OK))
        return BGOP_OK;
    return fail(link, BGOP_INVALID, "%s", err.text);
}

void link_server_close(struct link *link)
{
    redis_tls_free(link->tls);
    link->tls = NULL;
    if (link->context)
        redisFree(link->context);
    link->context = NULL;
}

static enum bgop_code lost(struct link *link, int number)
{
    bool silent = link->context->err == REDIS_ERR_IO && (number == EAGAIN || number == EWOULDBLOCK);
    const char *what = silent                                ? "no answer within its time"
                       : link->context->err == REDIS_ERR_EOF ? "it closed the connection"
                                                             : link->context->errstr;
    const char *cause = redis_connect_cause(silent ? 0 : number, what, *link->to.path != '\0');
    enum bgop_code code =
        fail(link, BGOP_UNREACHABLE, "Redis at %s: %s%s%s", link->to.text, what, *cause ? "; " : "", cause);

    link_server_close(link);
    return code;
}

static enum bgop_code open_context(struct link *link)
{
    struct timeval timeout = { link->timeout_ms / 1000, (link->timeout_ms % 1000) * 1000 };
    int number;

    errno = 0;
    if (*link->to.path)
        link->context = redisConnectUnixWithTimeout(link->to.path, timeout);
    else
        link->context = redisConnectWithTimeout(link->to.host, link->to.port, timeout);
    number = errno;
    if (!link->context)
        return fail(link, BGOP_NO_MEMORY, "out of memory");
    if (link->context->err) {
        const char *text = number == EINPROGRESS ? "no connection within its time" : link->context->errstr;
        const char *cause = redis_connect_cause(number, text, *link->to.path != '\0');

        fail(link, BGOP_UNREACHABLE, "Redis at %s: connecting failed: %s%s%s", link->to.text, text, *cause ? "; " : "",
             cause);
        link_server_close(link);
        return BGOP_UNREACHABLE;
    }
    if (redisSetTimeout(link->context, timeout) != REDIS_OK)
        return lost(link, errno);
    if (link->to.tls && !(link->tls = redis_tls_start(link->context, &link->to, link->timeout_ms)))
        return lost(link, 0);
    return BGOP_OK;
}

static enum bgop_code classify(struct link *link, const char *text)
{
    const struct redis_error *error = redis_error_find(text);
    enum bgop_code code = !error                           ? BGOP_INVALID
                          : error->status == ST_RECOVERING ? BGOP_RECOVERING
                          : error->denied                  ? BGOP_FAILED
                          : error->status == ST_AGAIN      ? BGOP_UNREACHABLE
                                                           : BGOP_INVALID;

    if (error && error->denied) {
        return fail(link, code, "Redis at %s: user \"%.100s\": %s; %s", link->to.text,
                    *link->to.user ? link->to.user : "default", text, error->cause);
    }
    if (error && error->cause)
        return fail(link, code, "Redis at %s: %s; %s", link->to.text, text, error->cause);
    return code == BGOP_INVALID ? fail(link, code, "%s", text)
                                : fail(link, code, "Redis at %s: %s", link->to.text, text);
}

/* hiredis writes without MSG_NOSIGNAL (TLS does with it): on a connection that the server closed, SIGPIPE would end the process. It is
 * held back on this thread, and taken away when it was ours. */
static redisReply *exchange(struct link *link, int argc, const char *const *argv)
{
    const char **words = (const char **)(void *)(uintptr_t)argv;
    const struct timespec at_once = { 0, 0 };
    sigset_t pipe_signal, before, pending;
    redisReply *reply;
    bool was_pending;

    if (link->tls)
        return redis_tls_command(link->tls, argc, words);
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    sigpending(&pending);
    was_pending = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    reply = redisCommandArgv(link->context, argc, words, NULL);
    if (!reply && !was_pending)
        sigtimedwait(&pipe_signal, NULL, &at_once);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return reply;
}

static enum bgop_code call(struct link *link, struct redisReply **to, int argc, const char *const *argv)
{
    redisReply *reply = (errno = 0, exchange(link, argc, argv));
    int call_number = errno;
    enum bgop_code code;

    *to = NULL;
    if (!reply)
        return lost(link, call_number);
    if (reply->type != REDIS_REPLY_ERROR) {
        *to = reply;
        return BGOP_OK;
    }
    code = classify(link, reply->str);
    freeReplyObject(reply);
    return code;
}

static enum bgop_code greet(struct link *link)
{
    struct redisReply *reply = NULL;
    const char *auth[] = { "AUTH", link->to.user, link->to.password };
    char database[16];
    const char *select[] = { "SELECT", database };
    enum bgop_code code = BGOP_OK;

    if (link->to.has_login && *link->to.user)
        code = call(link, &reply, 3, auth);
    else if (link->to.has_login)
        code = call(link, &reply, 2, (const char *[]){ "AUTH", link->to.password });
    link_reply_free(reply);
    reply = NULL;
    if (code == BGOP_OK && link->to.db > 0) {
        snprintf(database, sizeof database, "%d", link->to.db);
        code = call(link, &reply, 2, select);
        link_reply_free(reply);
    }
    if (code != BGOP_OK)
        link_server_close(link);
    return code;
}

enum bgop_code link_server_call(struct link *link, struct redisReply **reply, int argc, const char *const *argv)
{
    *reply = NULL;
    if (!link->context) {
        enum bgop_code code = open_context(link);

        if (code == BGOP_OK)
            code = greet(link);
        if (code != BGOP_OK)
            return code;
    }
    return call(link, reply, argc, argv);
}

size_t link_reply_count(const struct redisReply *reply)
{
    return reply && reply->type == REDIS_REPLY_ARRAY ? (size_t)reply->elements : 0;
}

const struct redisReply *link_reply_at(const struct redisReply *reply, size_t index)
{
    return index < link_reply_count(reply) ? reply->element[index] : NULL;
}

const char *link_reply_text(const struct redisReply *reply)
{
    return reply && (reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS) ? reply->str : "";
}

void link_reply_free(struct redisReply *reply)
{
    if (reply)
        freeReplyObject(reply);
}
