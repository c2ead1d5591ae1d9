#include "common/server/redis_address.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "common/base/text.h"

enum { REDIS_DEFAULT_PORT = 6379, SENTINEL_DEFAULT_PORT = 26379, REDIS_DB_MAX = 65535, URI_MAX = 4096 };

#define TCP          "redis://"
#define TLS          "rediss://"
#define CLUSTER      "redis+cluster://"
#define SENTINEL     "redis+sentinel://"
#define SENTINEL_TLS "rediss+sentinel://"
#define UNIX         "unix://"

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
    static const char *const schemes[] = { TCP, TLS, CLUSTER, SENTINEL, SENTINEL_TLS, UNIX };

    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        if (strncmp(uri, schemes[i], strlen(schemes[i])) == 0)
            return schemes[i];
    }
    return NULL;
}

static bool is_sentinel(const char *scheme)
{
    return strcmp(scheme, SENTINEL) == 0 || strcmp(scheme, SENTINEL_TLS) == 0;
}

static bool is_tls(const char *scheme)
{
    return strcmp(scheme, TLS) == 0 || strcmp(scheme, SENTINEL_TLS) == 0;
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
    parts->has_query = parts->is_unix || is_tls(parts->scheme) || is_sentinel(parts->scheme);
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

static enum status read_host(struct redis_address *address, struct span place, int otherwise, struct err *err)
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
    address->port = otherwise;
    return port.at ? read_port(address, port, err) : ST_OK;
}

/* Each is read as the only one would be; the first stays. */
static enum status read_seeds(struct redis_address *address, struct span place, struct err *err)
{
    struct redis_address other = { .port = 0 };
    int port = address->kind == REDIS_SENTINEL ? SENTINEL_DEFAULT_PORT : REDIS_DEFAULT_PORT;
    size_t used = 0;

    while (place.size > 0) {
        const char *comma = memchr(place.at, ',', place.size);
        struct span one = { place.at, comma ? (size_t)(comma - place.at) : place.size };
        struct redis_address *to = used == 0 ? address : &other;
        enum status st = read_host(to, one, port, err);

        if (st != ST_OK)
            return st;
        if (used + strlen(to->host) + 16 > sizeof address->seeds)
            return wrong(err, "too many hosts: some are enough, they tell of the others");
        used +=
            (size_t)snprintf(address->seeds + used, sizeof address->seeds - used, "%s%s%s%s:%d", used ? "," : "",
                             strchr(to->host, ':') ? "[" : "", to->host, strchr(to->host, ':') ? "]" : "", to->port);
        place.size -= one.size + (comma ? 1 : 0);
        place.at += one.size + (comma ? 1 : 0);
        if (comma && place.size == 0)
            return wrong(err, "no host behind the last comma");
    }
    snprintf(address->text, sizeof address->text, "%.*s", (int)sizeof address->text - 1, address->seeds);
    return used ? ST_OK : wrong(err, "no host");
}

static void write_text(struct redis_address *address)
{
    snprintf(address->text, sizeof address->text, strchr(address->host, ':') ? "[%s]:%d" : "%s:%d", address->host,
             address->port);
}

/* The part of *rest up to the next slash, which goes with it; at NULL: nothing is left. */
static struct span next_part(struct span *rest)
{
    const char *slash = rest->size ? memchr(rest->at, '/', rest->size) : NULL;
    struct span part = { rest->at, slash ? (size_t)(slash - rest->at) : rest->size };

    *rest = slash ? (struct span){ slash + 1, rest->size - part.size - 1 } : (struct span){ NULL, 0 };
    return part;
}

static enum status read_tcp(struct redis_address *address, const struct parts *parts, struct err *err)
{
    struct span db = parts->place, place = next_part(&db);
    enum status st;

    if (strcmp(parts->scheme, CLUSTER) == 0 || (place.size && memchr(place.at, ',', place.size)))
        address->kind = REDIS_CLUSTER;
    if (address->kind == REDIS_CLUSTER)
        st = read_seeds(address, place, err);
    else
        st = read_host(address, place, REDIS_DEFAULT_PORT, err);
    if (st == ST_OK)
        st = read_db(address, db, err);
    if (st == ST_OK && address->kind == REDIS_CLUSTER && address->db > 0)
        return wrong(err, "a cluster has no database but 0");
    if (st == ST_OK && address->kind != REDIS_CLUSTER)
        write_text(address);
    return st;
}

/* host:port,host:port/NAME/db. */
static enum status read_sentinel(struct redis_address *address, const struct parts *parts, struct err *err)
{
    struct span db = parts->place, place = next_part(&db), name = next_part(&db);
    struct span user = query_value(parts->query, "sentinel_user");
    struct span password = query_value(parts->query, "sentinel_password");
    enum status st;

    address->kind = REDIS_SENTINEL;
    if (!name.at || name.size == 0)
        return wrong(err, "behind the Sentinels stands the name by which they know the primary: /NAME");
    if (!decode(address->primary, sizeof address->primary, name))
        return wrong(err, "the name of the primary is longer than 127 bytes, or holds a NUL byte");
    if ((user.at && !decode(address->sentinel_user, sizeof address->sentinel_user, user)) ||
        (password.at && !decode(address->sentinel_password, sizeof address->sentinel_password, password)))
        return wrong(err, "the Sentinels' user or password is too long, or holds a NUL byte");
    if (*address->sentinel_user && !*address->sentinel_password)
        return wrong(err, "sentinel_user without sentinel_password");
    st = read_seeds(address, place, err);
    if (st == ST_OK)
        st = read_db(address, db, err);
    if (st == ST_OK) {
        snprintf(address->text, sizeof address->text, "%s of Sentinels %.*s", address->primary,
                 (int)(sizeof address->text - sizeof address->primary - sizeof " of Sentinels "), address->seeds);
    }
    return st;
}

bool redis_address_seed(const char **rest, char *host, size_t room, int *port)
{
    struct redis_address one = { .port = 0 };
    size_t size = strcspn(*rest, ",");
    struct span place = { *rest, size };

    if (size == 0 || read_host(&one, place, REDIS_DEFAULT_PORT, NULL) != ST_OK ||
        !text_copy(host, room, one.host, strlen(one.host)))
        return false;
    *port = one.port;
    *rest += size + ((*rest)[size] == ',' ? 1 : 0);
    return true;
}

void redis_address_at(struct redis_address *to, const struct redis_address *from, const char *host, int port)
{
    *to = *from;
    to->kind = REDIS_ALONE;
    to->seeds[0] = to->sentinel_password[0] = '\0';
    text_copy(to->host, sizeof to->host, host, strlen(host));
    to->port = port;
    write_text(to);
    if (from->kind == REDIS_SENTINEL) {
        size_t used = strlen(to->text);

        snprintf(to->text + used, sizeof to->text - used, " (%.40s)", from->primary);
    }
}

void redis_address_of_sentinel(struct redis_address *to, const struct redis_address *from, const char *host, int port)
{
    *to = *from;
    to->kind = REDIS_ALONE;
    to->seeds[0] = to->sentinel_password[0] = '\0';
    text_copy(to->host, sizeof to->host, host, strlen(host));
    text_copy(to->user, sizeof to->user, from->sentinel_user, strlen(from->sentinel_user));
    text_copy(to->password, sizeof to->password, from->sentinel_password, strlen(from->sentinel_password));
    to->has_login = *to->password != '\0';
    to->port = port;
    to->db = -1;
    write_text(to);
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

static enum status read_tls_files(struct redis_address *address, const struct parts *parts, struct err *err)
{
    address->tls = true;
    for (size_t i = 0; i < TLS_FILES; i++) {
        struct span value = query_value(parts->query, tls_files[i].name);

        if (value.at && !decode((char *)address + tls_files[i].offset, sizeof address->tls_ca_file, value))
            return wrong(err, "the path of a tls_ file is longer than 255 bytes, or holds a NUL byte");
    }
    if (*address->tls_key_file && !*address->tls_cert_file)
        return wrong(err, "tls_key_file without tls_cert_file: the key belongs to a certificate");
    return ST_OK;
}

/* What may stand behind the ? of hosts: files of TLS, the login of Sentinels. */
static enum status check_query(const struct parts *parts, struct err *err)
{
    static const char *const names[] = { "sentinel_user", "sentinel_password", "tls_ca_file", "tls_cert_file",
                                         "tls_key_file" };
    size_t first = is_sentinel(parts->scheme) ? 0 : 2, end = is_tls(parts->scheme) ? 5 : 2;

    if (query_has_only(parts->query, names + first, end - first))
        return ST_OK;
    return wrong(err, end == 2     ? "behind ? may stand sentinel_user= and sentinel_password="
                      : first == 2 ? "behind ? may stand tls_ca_file=, tls_cert_file= and tls_key_file="
                                   : "behind ? may stand sentinel_user=, sentinel_password=, tls_ca_file=, "
                                     "tls_cert_file= and tls_key_file=");
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
    if (st == ST_OK && parts.has_query && !parts.is_unix)
        st = check_query(&parts, err);
    if (st == ST_OK && is_tls(parts.scheme))
        st = read_tls_files(address, &parts, err);
    if (st == ST_OK) {
        st = parts.is_unix               ? read_unix(address, &parts, err)
             : is_sentinel(parts.scheme) ? read_sentinel(address, &parts, err)
                                         : read_tcp(address, &parts, err);
    }
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

static bool has_secret(const struct parts *parts)
{
    return password_of(parts).size > 0 || query_value(parts->query, "sentinel_password").size > 0;
}

/* What stands behind the login; of the query all but user and password, and of Sentinels theirs too when secrets go. */
static void put_rest(char *to, size_t room, const struct parts *parts, bool secrets)
{
    static const char *const kept[] = { "sentinel_password", "sentinel_user", "db",
                                        "tls_ca_file",       "tls_cert_file", "tls_key_file" };
    size_t used = strlen(to);
    char sign = '?';

    used += (size_t)snprintf(to + used, room - used, "%.*s", (int)parts->place.size, parts->place.at);
    for (size_t i = secrets ? 0 : 1; i < sizeof kept / sizeof *kept && used < room; i++) {
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

    if (!split(&parts, uri) || !has_secret(&parts)) {
        text_copy(to, room, uri, strlen(uri));
        return to;
    }
    user = user_of(&parts);
    snprintf(to, room, "%s%.*s%s", parts.scheme, (int)user.size, user.at ? user.at : "", user.size ? "@" : "");
    put_rest(to, room, &parts, false);
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
    put_rest(to, room, &parts, true);
    return true;
}

bool redis_address_is_tls(const char *uri)
{
    const char *scheme = scheme_of(uri);

    return scheme && is_tls(scheme);
}

bool redis_address_is_sentinel(const char *uri)
{
    const char *scheme = scheme_of(uri);

    return scheme && is_sentinel(scheme);
}

bool redis_address_with_sentinel_login(char *to, size_t room, const char *uri, const char *user, const char *password)
{
    char with_user[URI_MAX];
    struct parts parts;

    if (!split(&parts, uri) || query_value(parts.query, "sentinel_password").at)
        return text_copy(to, room, uri, strlen(uri));
    if (*user && !redis_address_with_file(with_user, sizeof with_user, uri, "sentinel_user", user))
        return false;
    return redis_address_with_file(to, room, *user ? with_user : uri, "sentinel_password", password);
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
    struct span secrets[2];

    if (!split(&parts, uri))
        return;
    secrets[0] = password_of(&parts);
    secrets[1] = query_value(parts.query, "sentinel_password");
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        if (secrets[i].size > 0)
            memset(uri + (secrets[i].at - uri), '*', secrets[i].size);
    }
}
