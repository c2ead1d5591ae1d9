#include "common/client/link.h"

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

static bool copy_part(char *to, size_t room, const char *from, size_t size)
{
    if (size >= room)
        return false;
    memcpy(to, from, size);
    to[size] = '\0';
    return true;
}

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef", *found = strchr(digits, c | 0x20);

    return c && found ? (int)(found - digits) : -1;
}

/* %40 -> @, in place: passwords hold anything. */
static void percent_decode(char *text)
{
    char *to = text;

    for (const char *from = text; *from; from++) {
        if (from[0] == '%' && hex_digit(from[1]) >= 0 && hex_digit(from[2]) >= 0) {
            *to++ = (char)(hex_digit(from[1]) * 16 + hex_digit(from[2]));
            from += 2;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
}

static bool parse_number(const char *text, long min, long max, int *number)
{
    char *end;
    long value;

    errno = 0;
    value = strtol(text, &end, 10);
    if (end == text || *end || errno || value < min || value > max)
        return false;
    *number = (int)value;
    return true;
}

static bool parse_credentials(struct link *link, const char *from, const char *at)
{
    const char *colon = memchr(from, ':', (size_t)(at - from));

    if (!colon)
        return false;
    if (!copy_part(link->user, sizeof link->user, from, (size_t)(colon - from)) ||
        !copy_part(link->password, sizeof link->password, colon + 1, (size_t)(at - colon - 1)))
        return false;
    percent_decode(link->user);
    percent_decode(link->password);
    return true;
}

/* host, host:port or [v6]:port, up to end. */
static bool parse_host(struct link *link, const char *from, const char *end)
{
    const char *colon = NULL, *host = from, *host_end = end;
    char port[16];

    if (*from == '[') {
        host = from + 1;
        host_end = memchr(host, ']', (size_t)(end - host));
        if (!host_end)
            return false;
        colon = host_end + 1 < end && host_end[1] == ':' ? host_end + 1 : NULL;
    } else {
        colon = memchr(from, ':', (size_t)(end - from));
        host_end = colon ? colon : end;
    }
    link->port = 6379;
    if (colon && (!copy_part(port, sizeof port, colon + 1, (size_t)(end - colon - 1)) ||
                  !parse_number(port, 1, 65535, &link->port)))
        return false;
    return host_end > host && copy_part(link->host, sizeof link->host, host, (size_t)(host_end - host));
}

static bool parse_tcp(struct link *link, const char *rest)
{
    const char *at = strrchr(rest, '@'), *host = at ? at + 1 : rest;
    const char *slash = strchr(host, '/'), *end = slash ? slash : host + strlen(host);

    if (at && !parse_credentials(link, rest, at))
        return false;
    if (!parse_host(link, host, end))
        return false;
    if (slash && slash[1] && !parse_number(slash + 1, 0, 1 << 20, &link->database))
        return false;
    snprintf(link->address, sizeof link->address, "%s:%d", link->host, link->port);
    return true;
}

enum bgop_code link_init(struct link *link, const char *uri, int timeout_ms)
{
    bool fine = false;

    memset(link, 0, sizeof *link);
    link->timeout_ms = timeout_ms;
    if (strncmp(uri, "redis://", 8) == 0) {
        fine = parse_tcp(link, uri + 8);
    } else if (strncmp(uri, "unix://", 7) == 0 && uri[7] == '/') {
        fine = copy_part(link->path, sizeof link->path, uri + 7, strlen(uri + 7));
        snprintf(link->address, sizeof link->address, "%s", link->path);
    }
    if (fine)
        return BGOP_OK;
    return fail(link, BGOP_INVALID, "the Redis address is not redis://[user:password@]host:port[/db] or unix:///path");
}

void link_close(struct link *link)
{
    if (link->context)
        redisFree(link->context);
    link->context = NULL;
}

static const char *likely_cause(int number)
{
    switch (number) {
    case ECONNREFUSED:  return "no redis-server listens there";
    case ENOENT:        return "there is no such socket";
    case EACCES:        return "the socket may not be opened by this user";
    case ETIMEDOUT:
    case EAGAIN:
    case EINPROGRESS:   return "the host does not answer: a firewall, or a wrong address";
    default:            return "check the address";
    }
}

static enum bgop_code lost(struct link *link, const char *what)
{
    enum bgop_code code = fail(link, BGOP_UNREACHABLE, "Redis at %s: %s", link->address, what);

    link_close(link);
    return code;
}

static enum bgop_code open_context(struct link *link)
{
    struct timeval timeout = { link->timeout_ms / 1000, (link->timeout_ms % 1000) * 1000 };
    int number;

    errno = 0;
    if (*link->path)
        link->context = redisConnectUnixWithTimeout(link->path, timeout);
    else
        link->context = redisConnectWithTimeout(link->host, link->port, timeout);
    number = errno;
    if (!link->context)
        return fail(link, BGOP_NO_MEMORY, "out of memory");
    if (link->context->err) {
        fail(link, BGOP_UNREACHABLE, "Redis at %s: connecting failed: %s; likely: %s", link->address,
             link->context->errstr, likely_cause(number));
        link_close(link);
        return BGOP_UNREACHABLE;
    }
    if (redisSetTimeout(link->context, timeout) != REDIS_OK)
        return lost(link, "no timeout could be set");
    return BGOP_OK;
}

static enum bgop_code classify(struct link *link, const char *text)
{
    static const struct { const char *prefix; enum bgop_code code; } known[] = {
        { "RECOVERING", BGOP_RECOVERING },
        { "LOADING", BGOP_UNREACHABLE },    { "BUSY", BGOP_UNREACHABLE },       { "OOM", BGOP_UNREACHABLE },
        { "MISCONF", BGOP_UNREACHABLE },    { "READONLY", BGOP_UNREACHABLE },   { "MASTERDOWN", BGOP_UNREACHABLE },
        { "CLUSTERDOWN", BGOP_UNREACHABLE }, { "TRYAGAIN", BGOP_UNREACHABLE },
        { "ERR Function not found", BGOP_UNREACHABLE },
        { "NOAUTH", BGOP_FAILED },          { "WRONGPASS", BGOP_FAILED },       { "NOPERM", BGOP_FAILED },
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strncmp(text, known[i].prefix, strlen(known[i].prefix)) == 0)
            return fail(link, known[i].code, "Redis at %s: %s", link->address, text);
    }
    return fail(link, BGOP_INVALID, "%s", text);
}

/* hiredis writes without MSG_NOSIGNAL: on a connection that the server closed, SIGPIPE would end the process. It is
 * held back on this thread, and taken away when it was ours. */
static redisReply *exchange(redisContext *context, int argc, const char *const *argv)
{
    const struct timespec at_once = { 0, 0 };
    sigset_t pipe_signal, before, pending;
    redisReply *reply;
    bool was_pending;

    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    sigpending(&pending);
    was_pending = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    reply = redisCommandArgv(context, argc, (const char **)(void *)(uintptr_t)argv, NULL);
    if (!reply && !was_pending)
        sigtimedwait(&pipe_signal, NULL, &at_once);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return reply;
}

static enum bgop_code call(struct link *link, struct redisReply **to, int argc, const char *const *argv)
{
    redisReply *reply = exchange(link->context, argc, argv);
    enum bgop_code code;

    *to = NULL;
    if (!reply)
        return lost(link, link->context->errstr);
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
    const char *auth[] = { "AUTH", link->user, link->password };
    char database[16];
    const char *select[] = { "SELECT", database };
    enum bgop_code code = BGOP_OK;

    if (*link->password && *link->user)
        code = call(link, &reply, 3, auth);
    else if (*link->password)
        code = call(link, &reply, 2, (const char *[]){ "AUTH", link->password });
    link_reply_free(reply);
    reply = NULL;
    if (code == BGOP_OK && link->database) {
        snprintf(database, sizeof database, "%d", link->database);
        code = call(link, &reply, 2, select);
        link_reply_free(reply);
    }
    if (code != BGOP_OK)
        link_close(link);
    return code;
}

enum bgop_code link_call(struct link *link, struct redisReply **reply, int argc, const char *const *argv)
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
