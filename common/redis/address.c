/* Redis addresses: what a person writes in BGOP_REDIS or [redis] url. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/redis/edge.h"

enum { REDIS_DEFAULT_PORT = 6379, REDIS_DB_MAX = 65535 };

static const char *const expected = "expected redis://[user:password@]host:port[/db] or unix:///path";

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* A copy with %xx resolved: passwords may hold any character. */
static char *percent_decode(const char *text, size_t size)
{
    char *decoded = xmalloc(size + 1);
    size_t length = 0;

    for (size_t i = 0; i < size; i++) {
        int high = text[i] == '%' && i + 2 < size ? hex_digit(text[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(text[i + 2]) : -1;

        if (low >= 0) {
            decoded[length++] = (char)(high * 16 + low);
            i += 2;
        } else {
            decoded[length++] = text[i];
        }
    }
    decoded[length] = '\0';
    return decoded;
}

static void parse_login(struct redis_address *address, const char *login, size_t size)
{
    const char *colon = memchr(login, ':', size);
    size_t user_size = colon ? (size_t)(colon - login) : size;

    if (user_size > 0)
        address->user = percent_decode(login, user_size);
    if (colon)
        address->password = percent_decode(colon + 1, size - user_size - 1);
}

static enum status parse_port(struct redis_address *address, const char *port, struct err *err)
{
    int64_t number;

    if (!text_parse_int64(port, 1, 65535, &number))
        return err_set(err, ST_INVALID, "Redis address: port %s is not a number from 1 to 65535 (%s)", port, expected);
    address->port = (int)number;
    return ST_OK;
}

static enum status parse_host(struct redis_address *address, char *host, struct err *err)
{
    char *port = NULL;

    if (host[0] == '[') {                           /* [::1]:6379 */
        char *end = strchr(host, ']');

        if (!end || (end[1] != '\0' && end[1] != ':'))
            return err_set(err, ST_INVALID, "Redis address: no closing ] (%s)", expected);
        port = end[1] == ':' ? end + 2 : NULL;
        *end = '\0';
        host++;
    } else {
        port = strrchr(host, ':');
        if (port)
            *port++ = '\0';
    }
    if (host[0] == '\0')
        return err_set(err, ST_INVALID, "Redis address: no host (%s)", expected);
    address->host = xstrdup(host);
    address->port = REDIS_DEFAULT_PORT;
    return port ? parse_port(address, port, err) : ST_OK;
}

static enum status parse_tcp(struct redis_address *address, const char *uri, struct err *err)
{
    const char *rest = uri + strlen("redis://");
    const char *at = strrchr(rest, '@');
    char *host;
    char *db;
    int64_t number;
    enum status st;

    if (at) {
        parse_login(address, rest, (size_t)(at - rest));
        rest = at + 1;
    }
    host = xstrdup(rest);
    db = strchr(host, '/');
    if (db)
        *db++ = '\0';
    st = parse_host(address, host, err);
    if (st == ST_OK && db && *db != '\0') {
        if (text_parse_int64(db, 0, REDIS_DB_MAX, &number))
            address->db = (int)number;
        else
            st = err_set(err, ST_INVALID, "Redis address: database %s is not a number (%s)", db, expected);
    }
    free(host);
    return st;
}

enum status redis_address_parse(struct redis_address *address, const char *uri, struct err *err)
{
    enum status st = ST_OK;

    memset(address, 0, sizeof *address);
    address->db = -1;
    if (strncmp(uri, "unix://", 7) == 0 && uri[7] == '/')
        address->path = xstrdup(uri + 7);
    else if (strncmp(uri, "redis://", 8) == 0)
        st = parse_tcp(address, uri, err);
    else if (strncmp(uri, "rediss://", 9) == 0)
        st = err_set(err, ST_INVALID,
                     "Redis address: rediss:// (TLS) is not supported; use a TLS proxy such as stunnel");
    else
        st = err_set(err, ST_INVALID, "Redis address: %s", expected);
    if (st != ST_OK) {
        redis_address_release(address);
        return st;
    }
    if (address->path) {
        address->text = xstrdup(address->path);
    } else {
        size_t room = strlen(address->host) + 16;
        bool v6 = strchr(address->host, ':') != NULL;

        address->text = xmalloc(room);
        snprintf(address->text, room, v6 ? "[%s]:%d" : "%s:%d", address->host, address->port);
    }
    return ST_OK;
}

void redis_address_release(struct redis_address *address)
{
    free(address->path);
    free(address->host);
    free(address->user);
    free(address->password);
    free(address->text);
    memset(address, 0, sizeof *address);
}
