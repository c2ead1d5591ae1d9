/* TLS below hiredis 0.14.1, which has none: OpenSSL reads and writes its socket, hiredis' reader parses. The programs and
 * libbgop share it. Errors stand in the context (err, errstr, errno), as hiredis leaves them; nothing here raises SIGPIPE. */
#ifndef BGOP_SERVER_REDIS_TLS_H
#define BGOP_SERVER_REDIS_TLS_H

#include <sys/types.h>

#include "common/base/err.h"
#include "common/server/redis_address.h"

struct redisContext; /* hiredis' */
struct redisReply;
struct redis_tls;

/* Can the files of a rediss:// address be used? ST_INVALID: err names the one that cannot. */
enum status redis_tls_check(const struct redis_address *address, struct err *err) MUST_CHECK;
/* Shakes hands over a context that is connected, and looks whether the server's certificate is of the address's host. Files are
 * read anew each time, so that renewed certificates are taken. NULL: failed. */
struct redis_tls *redis_tls_start(struct redisContext *context, const struct redis_address *address, int timeout_ms);
void redis_tls_free(struct redis_tls *tls);

/* Gives hiredis' reader all that has arrived, without waiting. */
int redis_tls_read(struct redis_tls *tls);
/* As send with MSG_DONTWAIT: -1 and EAGAIN when redis_tls_wait is to be waited for (the same bytes come again), -1 and
 * another errno when the context has an error. */
ssize_t redis_tls_write(struct redis_tls *tls, const char *data, size_t size);
/* Waits until the other side lets us go on: events (POLLIN, POLLOUT), or what TLS itself waits for. As poll. */
int redis_tls_wait(struct redis_tls *tls, short events, int timeout_ms);

/* As redisGetReply; waits for at most timeout_ms each time nothing comes. What is to be answered was written before. */
int redis_tls_get_reply(struct redis_tls *tls, void **reply);
/* As redisCommandArgv. */
struct redisReply *redis_tls_command(struct redis_tls *tls, int argc, const char **argv);

#endif
