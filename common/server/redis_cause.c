/* Error replies by how they begin: the first that fits holds. */
#include "common/server/causes.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define CLUSTER_NODE \
    "it is a node of a Redis Cluster: name several of them, redis://host:port,host:port, or redis+cluster://host:port"

#define NO_HASHES REDIS_IS_SENTINEL ", which knows a Redis and holds nothing: write redis+sentinel://host:port/NAME"

/* clang-format off */
static const struct redis_error errors[] = {
    { "FENCED",      ST_FENCED,     false, false, NULL },
    { "RECOVERING",  ST_RECOVERING, false, false, NULL },
    { "STALE",       ST_STALE,      false, false, NULL },
    { "LOADING",     ST_AGAIN, false, false, "it reads its data from disk: wait" },
    { "BUSY",        ST_AGAIN, false, false, "a script runs longer than its busy-reply-threshold: wait, or SCRIPT KILL, FUNCTION KILL" },
    { "OOM",         ST_AGAIN, false, false, "maxmemory is reached: give it more, or remove what else it holds" },
    { "MISCONF",     ST_AGAIN, false, false, "it cannot save its data, so it takes no writes: is its disk full, may it write to its directory? Its log says more" },
    { "NOREPLICAS",  ST_AGAIN, false, false, "fewer replicas are connected than min-replicas-to-write asks for" },
    { "TRYAGAIN",    ST_AGAIN, false, false, "the cluster moves a slot: wait" },
    { "CLUSTERDOWN", ST_AGAIN, false, false, "the cluster does not serve all slots: see redis-cli CLUSTER INFO" },
    { "MOVED",       ST_AGAIN, true,  false, CLUSTER_NODE },
    { "ASK",         ST_AGAIN, true,  false, CLUSTER_NODE },
    { "CROSSSLOT",   ST_AGAIN, true,  false, CLUSTER_NODE },
    { "MASTERDOWN",  ST_AGAIN, true,  false, "it is a replica without its master: is this the right server?" },
    { "READONLY",    ST_AGAIN, true,  false, "it is a replica: name the primary in BGOP_REDIS or [redis] url" },
    { "NOAUTH",      ST_AGAIN, true,  true,  "it wants a password: redis://[user:password@]host:port, or [redis] password_file" },
    { "WRONGPASS",   ST_AGAIN, true,  true,  "are user and password right? Is the user on?" },
    { "ERR invalid password", ST_AGAIN, true, true, "is the password right?" },
    { "ERR AUTH <password> called without any password configured", ST_AGAIN, true, true, "it has no password: leave it out" },
    { "ERR Client sent AUTH, but no password is set", ST_AGAIN, true, true, "it has no password: leave it out" },
    { "NOPERM",      ST_AGAIN, true,  true,  "allow it; deploy/redis/users.acl lists what each program needs" },
    { "ERR The user executing the script", ST_AGAIN, true, true, "allow it; deploy/redis/users.acl lists what each program needs" },
    { "ERR ACL failure in script", ST_AGAIN, true, true, "allow it; deploy/redis/users.acl lists what each program needs" },
    { "ERR Script killed by user", ST_AGAIN, false, false, "somebody killed it (FUNCTION KILL): try again" },
    { "DENIED",      ST_AGAIN, true,  true,  "it is in protected mode: set a password, or bind it to the loopback interface" },
    { "-DENIED",     ST_AGAIN, true,  true,  "it is in protected mode: set a password, or bind it to the loopback interface" },
    { "NOSCRIPT",    ST_AGAIN, false, false, "it was emptied or restarted: try again" },
    { "ERR Function not found", ST_AGAIN, false, false, "our function library is not loaded: bgop-coordinator loads it" },
    { "ERR max number of clients reached", ST_AGAIN, true, false, "maxclients is reached" },
    { "ERR BUSY ",   ST_AGAIN, false, false, "a script runs for too long: wait, or FUNCTION KILL" },
    { "ERR DB index is out of range", ST_AGAIN, true, true, "it has fewer databases: see its option databases" },
    { "ERR unknown command 'HGET", ST_AGAIN, true, true, NO_HASHES },
    { "ERR unknown command 'HMGET", ST_AGAIN, true, true, NO_HASHES },
    { "ERR unknown command 'FCALL", ST_AGAIN, true, true, "it is older than Redis 7.0, forbids functions, or " NO_HASHES },
    { "ERR unknown command `FCALL", ST_AGAIN, true, true, "it is older than Redis 7.0" },
};
/* clang-format on */

const struct redis_error *redis_error_find(const char *reply)
{
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        size_t length = strlen(errors[i].begin);
        bool is_word = !strchr(errors[i].begin, ' ');

        if (strncmp(reply, errors[i].begin, length) == 0 && (!is_word || reply[length] == ' ' || reply[length] == '\0'))
            return &errors[i];
    }
    return NULL;
}

static const char *redis_cause(const char *reply)
{
    const struct redis_error *error = redis_error_find(reply);

    return error && error->cause ? error->cause : "";
}

/* clang-format off */
/* By errno; the texts are for errors that have none (name resolution, what answers is no Redis). */
static const struct {
    int number;
    const char *text;
    const char *cause, *socket_cause; /* of a host and port; of a unix socket, where that differs */
} connects[] = {
    { 0, "certificate has expired", "its certificate ran out: give the server a new one", NULL },
    { 0, "not yet valid", "its certificate is not valid yet: is the clock right?", NULL },
    { 0, "certificate: hostname mismatch", "its certificate names other hosts: write one of those in the address, or give it one for this host", NULL },
    { 0, "certificate: IP address mismatch", "its certificate names other hosts: write one of those in the address, or give it one for this host", NULL },
    { 0, "its certificate: ", "is [redis] tls_ca_file the authority that signed the server's certificate?", NULL },
    { 0, "wrong version number", "that port speaks plain text: write redis://, or name the server's tls-port", NULL },
    { 0, "answer to the handshake", "does that port speak TLS? If not, write redis://, or name the server's tls-port", NULL },
    { 0, "packet length too long", "that port speaks plain text: write redis://, or name the server's tls-port", NULL },
    { 0, "alert unknown ca", "it does not know who signed the certificate of ours, [redis] tls_cert_file", NULL },
    { 0, "alert certificate expired", "the certificate of ours, [redis] tls_cert_file, ran out", NULL },
    { 0, "alert certificate required", "it wants a certificate of ours: [redis] tls_cert_file, tls_key_file", NULL },
    { 0, "alert handshake failure", "does it want a certificate of ours ([redis] tls_cert_file, tls_key_file), or another TLS version?", NULL },
    { 0, "alert ", "it refuses our side of TLS: are [redis] tls_cert_file and tls_key_file right?", NULL },
    { ECONNREFUSED, "refused", "is redis-server running there, and is the port right?",
      "is redis-server running, with this unixsocket? What is there is left over" },
    { ENOENT, "No such file", "is redis-server running, with this unixsocket?", NULL },
    { EACCES, "Permission denied", "may this user open the socket (unixsocketperm)?", NULL },
    { ENOTSOCK, "non-socket", "that is a file, not a socket", NULL },
    { ENAMETOOLONG, "too long", "the socket's path is longer than 107 bytes", NULL },
    { ETIMEDOUT, "no connection within", "is the address right, and does a firewall drop packets?",
      "its backlog is full: does it still work?" },
    { EHOSTUNREACH, "No route to host", "is the address right, and is there a route to it?", NULL },
    { ENETUNREACH, "unreachable", "is the address right, and is the network up?", NULL },
    { ECONNRESET, "reset by peer", "is that a Redis, does its port want TLS (rediss://) or a certificate of ours, and has it reached maxclients?", NULL },
    { EPIPE, "Broken pipe", "was it stopped or restarted?", NULL },
    { EMFILE, "Too many open files", "this process may open no more files (ulimit -n)", NULL },
    { EADDRNOTAVAIL, "assign requested address", "no local port is left: too many connections", NULL },
    { 0, "Name or service", "is the host name right?", NULL },
    { 0, "name resolution", "is the host name right, and does the name server answer?", NULL },
    { 0, "resolve", "is the host name right?", NULL },
    { 0, "No address", "is the host name right?", NULL },
    { 0, "Protocol error", "is that a Redis, and is the port right? If it speaks TLS, write rediss://", NULL },
    { 0, "closed the connection", "is that a Redis, does its port want TLS (rediss://) or a certificate of ours, and has it reached maxclients?", NULL },
    { 0, "no answer within", "does it hang, is that no Redis, or does its port want TLS (rediss://)?", NULL },
};
/* clang-format on */

static const char *cause_at(size_t i, bool is_socket)
{
    return is_socket && connects[i].socket_cause ? connects[i].socket_cause : connects[i].cause;
}

const char *redis_connect_cause(int number, const char *text, bool is_socket)
{
    const char *cause = redis_cause(text);

    if (*cause)
        return cause;
    for (size_t i = 0; i < sizeof connects / sizeof *connects; i++) {
        if (strstr(text, connects[i].text))
            return cause_at(i, is_socket);
    }
    for (size_t i = 0; number != 0 && i < sizeof connects / sizeof *connects; i++) {
        if (connects[i].number == number)
            return cause_at(i, is_socket);
    }
    return "";
}
