#include "common/server/redis_address.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "common/base/text.h"

enum { REDIS_DEFAULT_PORT = 6379, REDIS_DB_MAX = 65535 };

#define TCP  "redis://"
#define TLS  "rediss://"
#define UNIX "unix://"

/* Where the parts of an address stand in its text. */
struct span {
    const char *at;
    size_t size;
};
struct parts {
    const char *scheme;
    bool is_unix, has_query;
    struct span login; /* user:password, without the @; at NULL: none */
    struct span place; /* host:port/db, or the path */
    struct span query; /* behind the ?; at NULL: none */
};

static const char *scheme_of(const char *uri)
{
    static const char *const schemes[] = { TCP, TLS, UNIX };

    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        if (strncmp(uri, schemes[i], strlen(schemes[i])) == 0)
            return schemes[i];
    }
    return NULL;
}

/* A password may hold any character, so the login of a host ends at the last @; a path may too, so that of a socket ends
 * where the path begins. */
static bool split(struct parts *parts, const char *uri)
{
    const char *rest, *at;

    *parts = (struct parts){ .scheme = scheme_of(uri) };
    if (!parts->scheme)
        return false;
    parts->is_unix = strcmp(parts->scheme, UNIX) == 0;
    parts->has_query = strcmp(parts->scheme, TCP) != 0;
    rest = uri + strlen(parts->scheme);
    at = !parts->is_unix ? strrchr(rest, '@') : *rest == '/' ? NULL : strstr(rest, "@/");
    if (at) {
        parts->login = (struct span){ rest, (size_t)(at - rest) };
        rest = at + 1;
    }
    parts->place = (struct span){ rest, parts->has_query ? strcspn(rest, "?") : strlen(rest) };
    if (rest[parts->place.size] == '?')
        parts->query = (struct span){ rest + parts->place.size + 1, strlen(rest + parts->place.size + 1) };
    return true;
}

/* The value of name in a query; at NULL: it is not there. */
static struct span query_value(struct span query, const char *name)
{
    const char *at = query.at, *end = at ? at + query.size : NULL;
    size_t length = strlen(name);

    while (at && at < end) {
        const char *stop = memchr(at, '&', (size_t)(end - at));
        size_t size = (size_t)((stop ? stop : end) - at);

        if (size > length && memcmp(at, name, length) == 0 && at[length] == '=')
            return (struct span){ at + length + 1, size - length - 1 };
        at = stop ? stop + 1 : end;
    }
    return (struct span){ NULL, 0 };
}

static struct span password_of(const struct parts *parts)
{
    const char *colon = parts->login.at ? memchr(parts->login.at, ':', parts->login.size) : NULL;

    if (colon)
        return (struct span){ colon + 1, parts->login.size - (size_t)(colon + 1 - parts->login.at) };
    return query_value(parts->query, "password");
}

/* ---- reading ---- */

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = c ? strchr(digits, c >= 'A' && c <= 'F' ? c | 0x20 : c) : NULL;

    return found ? (int)(found - digits) : -1;
}

/* With %xx resolved; a % that begins none stands for itself. false: too long, or a NUL byte. */
static bool decode(char *to, size_t room, struct span from)
{
    size_t used = 0;

    for (size_t i = 0; i < from.size; i++) {
        int high = from.at[i] == '%' && i + 2 < from.size ? hex_digit(from.at[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(from.at[i + 2]) : -1;

        if (used + 1 >= room || (low >= 0 && high * 16 + low == 0))
            return false;
        to[used++] = low >= 0 ? (char)(high * 16 + low) : from.at[i];
        i += low >= 0 ? 2 : 0;
    }
    to[used] = '\0';
    return true;
}

static enum status wrong(struct err *err, const char *what)
{
    return err_set(err, ST_INVALID, "Redis address: %s (expected %s)", what, REDIS_ADDRESS_FORMS);
}

static enum status read_login(struct redis_address *address, const struct parts *parts, struct err *err)
{
    struct span login = parts->login, password = password_of(parts), user = { login.at, 0 };
    const char *colon = login.at ? memchr(login.at, ':', login.size) : NULL;

    if (login.at)
        user.size = colon ? (size_t)(colon - login.at) : login.size;
    else
        user = query_value(parts->query, "user");
    if ((user.at && !decode(address->user, sizeof address->user, user)) ||
        (password.at && !decode(address->password, sizeof address->password, password)))
        return wrong(err, "user or password is too long, or holds a NUL byte");
    if (*address->user && !password.at) /* redis-cli takes it for the password: nobody shall guess */
        return wrong(err, "a user without a password: write user:password@, or :password@ for the default user");
    address->has_login = *address->user || *address->password;
    return ST_OK;
}

static enum status read_db(struct redis_address *address, struct span db, struct err *err)
{
    char text[16];
    int64_t number;

    if (!db.at || db.size == 0)
        return ST_OK;
    if (!text_copy(text, sizeof text, db.at, db.size) || !text_parse_int64(text, 0, REDIS_DB_MAX, &number))
        return wrong(err, "the database is not a number");
    address->db = (int)number;
    return ST_OK;
}

static enum status read_port(struct redis_address *address, struct span port, struct err *err)
{
    char text[16];
    int64_t number;

    if (!text_copy(text, sizeof text, port.at, port.size) || !text_parse_int64(text, 1, 65535, &number))
        return wrong(err, "the port is not a number from 1 to 65535");
    address->port = (int)number;
    return ST_OK;
}

static enum status read_host(struct redis_address *address, struct span place, struct err *err)
{
    struct span host = place, port = { NULL, 0 };
    const char *colon = place.size ? memchr(place.at, ':', place.size) : NULL;

    if (place.size && *place.at == '[') { /* [::1]:6379 */
        const char *end = memchr(place.at, ']', place.size);

        host = (struct span){ place.at + 1, end ? (size_t)(end - place.at - 1) : 0 };
        colon = end && end + 1 < place.at + place.size ? end + 1 : NULL;
        if (!end || (colon && *colon != ':'))
            return wrong(err, "no closing ]");
    } else if (colon) {
        host.size = (size_t)(colon - place.at);
    }
    if (colon)
        port = (struct span){ colon + 1, place.size - (size_t)(colon + 1 - place.at) };
    if (colon && *place.at != '[' && memchr(port.at, ':', port.size))
        return wrong(err, "more than one colon: IPv6 addresses stand in brackets, [::1]:6379");
    if (host.size == 0 || !text_copy(address->host, sizeof address->host, host.at, host.size))
        return wrong(err, "no host");
    address->port = REDIS_DEFAULT_PORT;
    return port.at ? read_port(address, port, err) : ST_OK;
}

static enum status read_tcp(struct redis_address *address, const struct parts *parts, struct err *err)
{
    struct span place = parts->place;
    const char *slash = place.size ? memchr(place.at, '/', place.size) : NULL;
    struct span db = { slash ? slash + 1 : NULL, slash ? place.size - (size_t)(slash + 1 - place.at) : 0 };
    enum status st;

    if (slash)
        place.size = (size_t)(slash - place.at);
    st = read_host(address, place, err);
    if (st == ST_OK)
        st = read_db(address, db, err);
    if (st == ST_OK) {
        snprintf(address->text, sizeof address->text, strchr(address->host, ':') ? "[%s]:%d" : "%s:%d", address->host,
                 address->port);
    }
    return st;
}

/* Does the query hold these names and nothing else? */
static bool query_has_only(struct span query, const char *const *names, size_t count)
{
    size_t known = 0;

    for (size_t i = 0; i < count; i++) {
        struct span value = query_value(query, names[i]);

        known += value.at ? value.size + strlen(names[i]) + 2 : 0; /* with = and & */
    }
    return !query.at || known == query.size + 1;
}

static enum status read_unix(struct redis_address *address, const struct parts *parts, struct err *err)
{
    static const char *const names[] = { "user", "password", "db" };

    if (!query_has_only(parts->query, names, sizeof names / sizeof *names))
        return wrong(err, "behind ? may stand user=, password= and db=; a ? of the path is written %3F");
    if (parts->place.size == 0 || *parts->place.at != '/')
        return wrong(err, "the socket's path must begin with /");
    if (!decode(address->path, sizeof address->path, parts->place))
        return wrong(err, "the socket's path is longer than 107 bytes");
    snprintf(address->text, sizeof address->text, "%s", address->path);
    return read_db(address, query_value(parts->query, "db"), err);
}

/* Files of TLS by the names they have behind the ?, as the options have. */
static const struct {
    const char *name;
    size_t offset;
} tls_files[] = {
    { "tls_ca_file", offsetof(struct redis_address, tls_ca_file) },
    { "tls_cert_file", offsetof(struct redis_address, tls_cert_file) },
    { "tls_key_file", offsetof(struct redis_address, tls_key_file) },
};
enum { TLS_FILES = sizeof tls_files / sizeof *tls_files };

static enum status read_tls(struct redis_address *address, const struct parts *parts, struct err *err)
{
    const char *names[TLS_FILES];

    address->tls = true;
    for (size_t i = 0; i < TLS_FILES; i++) {
        struct span value = query_value(parts->query, tls_files[i].name);

        names[i] = tls_files[i].name;
        if (value.at && !decode((char *)address + tls_files[i].offset, sizeof address->tls_ca_file, value))
            return wrong(err, "the path of a tls_ file is longer than 255 bytes, or holds a NUL byte");
    }
    if (!query_has_only(parts->query, names, TLS_FILES))
        return wrong(err, "behind ? may stand tls_ca_file=, tls_cert_file= and tls_key_file=");
    if (*address->tls_key_file && !*address->tls_cert_file)
        return wrong(err, "tls_key_file without tls_cert_file: the key belongs to a certificate");
    return ST_OK;
}

enum status redis_address_parse(struct redis_address *address, const char *uri, struct err *err)
{
    struct parts parts;
    enum status st;

    memset(address, 0, sizeof *address);
    address->db = -1;
    if (!split(&parts, uri))
        return err_set(err, ST_INVALID, "Redis address: expected %s", REDIS_ADDRESS_FORMS);
    st = read_login(address, &parts, err);
    if (st == ST_OK && redis_address_is_tls(uri))
        st = read_tls(address, &parts, err);
    if (st == ST_OK)
        st = parts.is_unix ? read_unix(address, &parts, err) : read_tcp(address, &parts, err);
    if (st != ST_OK)
        memset(address, 0, sizeof *address);
    return st;
}

/* ---- showing and changing ---- */

bool redis_address_has_password(const char *uri)
{
    struct parts parts;

    return split(&parts, uri) && password_of(&parts).size > 0;
}

/* What stands behind the login; of the query all but user and password. */
static void put_rest(char *to, size_t room, const struct parts *parts)
{
    static const char *const kept[] = { "db", "tls_ca_file", "tls_cert_file", "tls_key_file" };
    size_t used = strlen(to);
    char sign = '?';

    used += (size_t)snprintf(to + used, room - used, "%.*s", (int)parts->place.size, parts->place.at);
    for (size_t i = 0; i < sizeof kept / sizeof *kept && used < room; i++) {
        struct span value = query_value(parts->query, kept[i]);

        if (!value.at)
            continue;
        used += (size_t)snprintf(to + used, room - used, "%c%s=%.*s", sign, kept[i], (int)value.size, value.at);
        sign = '&';
    }
}

static struct span user_of(const struct parts *parts)
{
    const char *colon = parts->login.at ? memchr(parts->login.at, ':', parts->login.size) : NULL;

    if (!parts->login.at)
        return query_value(parts->query, "user");
    return (struct span){ parts->login.at, colon ? (size_t)(colon - parts->login.at) : parts->login.size };
}

char *redis_address_shown(char *to, size_t room, const char *uri)
{
    struct parts parts;
    struct span user;

    if (!split(&parts, uri) || password_of(&parts).size == 0) {
        text_copy(to, room, uri, strlen(uri));
        return to;
    }
    user = user_of(&parts);
    snprintf(to, room, "%s%.*s%s", parts.scheme, (int)user.size, user.at ? user.at : "", user.size ? "@" : "");
    put_rest(to, room, &parts);
    return to;
}

/* Percent-encoded; false: no room. */
static bool put_encoded(char *to, size_t room, const char *text)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    size_t used = strlen(to);

    for (; *text; text++) {
        if (used + 4 > room)
            return false;
        used += (size_t)snprintf(to + used, room - used, strchr(plain, *text) ? "%c" : "%%%02X", (unsigned char)*text);
    }
    return true;
}

static void put_sign(char *to, size_t room, const char *sign)
{
    size_t used = strlen(to);

    snprintf(to + used, room - used, "%s", sign);
}

bool redis_address_with_login(char *to, size_t room, const char *uri, const char *user, const char *password)
{
    char named[256];
    struct parts parts;
    struct span given;

    if (!split(&parts, uri) || room < strlen(uri) + 16)
        return false;
    if (password_of(&parts).size > 0)
        return text_copy(to, room, uri, strlen(uri));
    given = user_of(&parts); /* of a query it may hold a colon, which would end it in front of a host or a path */
    if (given.size > 0 && !decode(named, sizeof named, given))
        return false;
    snprintf(to, room, "%s", parts.scheme);
    if (!put_encoded(to, room, given.size > 0 ? named : user))
        return false;
    if (strlen(to) + 2 >= room)
        return false;
    put_sign(to, room, ":");
    if (!put_encoded(to, room, password) || strlen(to) + strlen(uri) + 2 >= room)
        return false;
    put_sign(to, room, "@");
    put_rest(to, room, &parts);
    return true;
}

bool redis_address_is_tls(const char *uri)
{
    const char *scheme = scheme_of(uri);

    return scheme && strcmp(scheme, TLS) == 0;
}

bool redis_address_with_file(char *to, size_t room, const char *uri, const char *name, const char *file)
{
    struct parts parts;
    size_t used;

    if (!split(&parts, uri) || strlen(uri) + strlen(name) + 3 > room)
        return false;
    used = (size_t)snprintf(to, room, "%s", uri);
    if (query_value(parts.query, name).at)
        return true;
    snprintf(to + used, room - used, "%c%s=", parts.query.at ? '&' : '?', name);
    return put_encoded(to, room, file);
}

void redis_address_hide(char *uri)
{
    struct parts parts;
    struct span password;

    if (!split(&parts, uri))
        return;
    password = password_of(&parts);
    if (password.size > 0)
        memset(uri + (password.at - uri), '*', password.size);
}
