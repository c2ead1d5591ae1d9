/* Redis addresses: what a person writes in BGOP_REDIS, --redis, [redis] url and struct bgop_config. Nothing here allocates
 * or aborts: the programs and libbgop share it. */
#ifndef BGOP_SERVER_REDIS_ADDRESS_H
#define BGOP_SERVER_REDIS_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

#define REDIS_ADDRESS_FORMS \
    "redis://[user:password@]host:port[/db] (by TLS rediss://) or unix://[user:password@]/path[?db=n]"

struct redis_address {
    char path[108]; /* a unix socket (what fits into an address of the kernel's); "": host and port */
    char host[256];
    int port;
    bool has_login;                 /* user: stands in it, or :password */
    char user[256], password[1024]; /* "": none */
    int db;                         /* -1: not said */
    bool tls;                       /* rediss://; PEM files, "": the system's authorities, no certificate of ours */
    char tls_ca_file[256], tls_cert_file[256], tls_key_file[256];
    char text[320]; /* for messages: host:port, [v6]:port or the path; never user or password */
};

/* redis://[user:password@]host[:port][/db], unix://[user:password@]/path[?user=u&password=p&db=n], and over TLS
 * rediss://[user:password@]host[:port][/db][?tls_ca_file=/path&tls_cert_file=/path&tls_key_file=/path]. In user, password,
 * paths and behind the ? %xx stands for a byte. ST_INVALID: err says what is wrong, without showing what was given. */
enum status redis_address_parse(struct redis_address *address, const char *uri, struct err *err) MUST_CHECK;
/* An address without its password: what may be shown. Cut when room is short. */
char *redis_address_shown(char *to, size_t room, const char *uri);
bool redis_address_has_password(const char *uri);
/* uri with a login put in, percent-encoded; one that already has a password keeps it. false: it does not fit, or uri is
 * no address. user may be "". */
bool redis_address_with_login(char *to, size_t room, const char *uri, const char *user, const char *password);
bool redis_address_is_tls(const char *uri);
/* uri, a rediss:// address, with one of its tls_ files put in (name: "tls_ca_file" ...), percent-encoded; what it names
 * itself stays. false: it does not fit. */
bool redis_address_with_file(char *to, size_t room, const char *uri, const char *name, const char *file);
/* Overwrites the password inside uri: for command lines, which ps shows. */
void redis_address_hide(char *uri);

#endif
