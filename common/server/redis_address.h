/* Redis addresses: what a person writes in BGOP_REDIS, --redis, [redis] url and struct bgop_config. Nothing here allocates
 * or aborts: the programs and libbgop share it. */
#ifndef BGOP_SERVER_REDIS_ADDRESS_H
#define BGOP_SERVER_REDIS_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

#define REDIS_ADDRESS_FORMS                                                                                   \
    "redis://[user:password@]host:port[/db] (by TLS rediss://), of a cluster several host:port with commas, " \
    "by Sentinels redis+sentinel://[user:password@]host:port[,host:port...]/NAME[/db], "                      \
    "or unix://[user:password@]/path[?db=n]"

enum redis_kind { REDIS_ALONE, REDIS_CLUSTER, REDIS_SENTINEL };

struct redis_address {
    enum redis_kind kind;
    char seeds
        [1024]; /* of a cluster or Sentinels: host:port,host:port, all that were given; host and port are the first */
    char primary[128];                                /* by Sentinels: the NAME they know it by */
    char sentinel_user[256], sentinel_password[1024]; /* their own login; "": none */
    char path[108]; /* a unix socket (what fits into an address of the kernel's); "": host and port */
    char host[256];
    int port;
    bool has_login;                 /* user: stands in it, or :password */
    char user[256], password[1024]; /* "": none */
    int db;                         /* -1: not said */
    bool tls;                       /* rediss://; PEM files, "": the system's authorities, no certificate of ours */
    char tls_ca_file[256], tls_cert_file[256], tls_key_file[256];
    char text
        [320]; /* for messages: host:port, [v6]:port, several with commas, NAME of Sentinels, or the path; never a login */
};

/* redis://[user:password@]host[:port][/db], unix://[user:password@]/path[?user=u&password=p&db=n], and over TLS
 * rediss://[user:password@]host[:port][/db][?tls_ca_file=/path&tls_cert_file=/path&tls_key_file=/path]; of a cluster several
 * hosts with commas, or redis+cluster:// and one. redis+sentinel://[user:password@]host[:port],.../NAME[/db] (by TLS
 * rediss+sentinel://) names Sentinels; the login is that of Redis, their own stands behind the ?, sentinel_user= and
 * sentinel_password=. In user, password, NAME, paths and behind the ? %xx stands for a byte.
 * ST_INVALID: err says what is wrong, without showing what was given. */
enum status redis_address_parse(struct redis_address *address, const char *uri, struct err *err) MUST_CHECK;
/* The next server of a cluster's seeds, behind *rest (at first: seeds); false: that was the last. */
bool redis_address_seed(const char **rest, char *host, size_t room, int *port);
/* The same login and database at another server: of the cluster, or the primary that a Sentinel names. */
void redis_address_at(struct redis_address *to, const struct redis_address *from, const char *host, int port);
/* One of the Sentinels, with their login. */
void redis_address_of_sentinel(struct redis_address *to, const struct redis_address *from, const char *host, int port);
bool redis_address_is_sentinel(const char *uri);
/* As redis_address_with_login, their login behind the ?. */
bool redis_address_with_sentinel_login(char *to, size_t room, const char *uri, const char *user, const char *password);
/* An address without its passwords: what may be shown. Cut when room is short. */
char *redis_address_shown(char *to, size_t room, const char *uri);
bool redis_address_has_password(const char *uri);
/* uri with a login put in, percent-encoded; one that already has a password keeps it. false: it does not fit, or uri is
 * no address. user may be "". */
bool redis_address_with_login(char *to, size_t room, const char *uri, const char *user, const char *password);
bool redis_address_is_tls(const char *uri);
/* uri, an address with TLS, with one of its tls_ files put in (name: "tls_ca_file" ...), percent-encoded; what it names
 * itself stays. false: it does not fit. */
bool redis_address_with_file(char *to, size_t room, const char *uri, const char *name, const char *file);
/* Overwrites the passwords inside uri: for command lines, which ps shows. */
void redis_address_hide(char *uri);

#endif
