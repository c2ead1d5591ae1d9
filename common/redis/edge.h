/* What the files of common/redis share; nobody else includes it. */
#ifndef BGOP_REDIS_EDGE_H
#define BGOP_REDIS_EDGE_H

#include "common/redis/redis.h"

/* A parsed redis://[user:password@]host:port[/db] or unix:///path. */
struct redis_address {
    char *path;                 /* unix socket; NULL: host and port */
    char *host;
    int port;
    char *user, *password;      /* NULL: none */
    int db;                     /* -1: not said */
    char *text;                 /* for messages: never the password */
};
enum status redis_address_parse(struct redis_address *address, const char *uri, struct err *err) MUST_CHECK;
void redis_address_release(struct redis_address *address);

/* Most bytes that redis_command_write appends for this command. */
size_t redis_command_wire_max(const struct redis_command *command);
/* The command as RESP; returns behind the last byte. */
char *redis_command_write(const struct redis_command *command, char *to);

/* The connection's own command, cleared: for callers that build and send in one go. */
struct redis_command *redis_scratch(struct redis *redis);

/* What an error reply means for its caller. */
enum status redis_error_status(const char *text);
/* The server refuses this connection as a whole (a replica, no login ...): a new one may fare better. */
bool redis_error_wants_new_connection(const char *text);

#endif
