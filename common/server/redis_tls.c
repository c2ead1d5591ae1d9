/* The socket stays as hiredis made it, blocking: a BIO of ours reads and writes without waiting, and waiting is poll's. OpenSSL
 * takes a record from the socket as a whole, so poll may see nothing while OpenSSL still has some of it: nobody waits before
 * redis_tls_read has emptied it. */
#include "common/server/redis_tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <hiredis/hiredis.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { RECORD_BYTES = 16 * 1024 };

struct redis_tls {
    redisContext *context;
    SSL *ssl;
    BIO_METHOD *method;
    int timeout_ms;
    short wants; /* POLLIN, POLLOUT: what the last call stopped at */
};

/* ---- the socket, without waiting and without SIGPIPE ---- */

static int io_read(BIO *bio, char *to, int room)
{
    const struct redis_tls *tls = BIO_get_data(bio);
    ssize_t n = recv(tls->context->fd, to, (size_t)room, MSG_DONTWAIT);

    BIO_clear_retry_flags(bio);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        BIO_set_retry_read(bio);
    return (int)n;
}

static int io_write(BIO *bio, const char *data, int size)
{
    const struct redis_tls *tls = BIO_get_data(bio);
    ssize_t n = send(tls->context->fd, data, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL);

    BIO_clear_retry_flags(bio);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        BIO_set_retry_write(bio);
    return (int)n;
}

static long io_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO *io_new(struct redis_tls *tls)
{
    BIO *bio;

    tls->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "redis");
    if (!tls->method)
        return NULL;
    BIO_meth_set_read(tls->method, io_read);
    BIO_meth_set_write(tls->method, io_write);
    BIO_meth_set_ctrl(tls->method, io_control);
    bio = BIO_new(tls->method);
    if (bio) {
        BIO_set_data(bio, tls);
        BIO_set_init(bio, 1);
    }
    return bio;
}

/* ---- errors ---- */

static void fail(redisContext *context, int error, const char *text)
{
    context->err = error;
    snprintf(context->errstr, sizeof context->errstr, "%s", text);
}

/* The first in OpenSSL's queue is the cause; what follows tells on the way up. */
static const char *first_error(const char *otherwise)
{
    unsigned long code = ERR_peek_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;

    return reason ? reason : otherwise;
}

/* Why an operation of OpenSSL stopped: 0 to wait for what it wants, -1 an error, which the context has. */
static int stopped(struct redis_tls *tls, int result)
{
    redisContext *context = tls->context;
    int number = errno;
    char text[128];

    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_READ: tls->wants = POLLIN; return 0;
    case SSL_ERROR_WANT_WRITE: tls->wants = POLLOUT; return 0;
    case SSL_ERROR_ZERO_RETURN: fail(context, REDIS_ERR_EOF, "Server closed the connection"); return -1;
    case SSL_ERROR_SYSCALL:
        if (number == 0 || number == EAGAIN)
            fail(context, REDIS_ERR_EOF, "Server closed the connection");
        else
            fail(context, REDIS_ERR_OTHER, strerror(number));
        errno = number;
        return -1;
    default:
        snprintf(text, sizeof text, "TLS: %s", first_error("protocol error"));
        fail(context, REDIS_ERR_OTHER, text);
        return -1;
    }
}

/* ---- settings ---- */

static enum status wrong_file(struct err *err, const char *option, const char *file)
{
    unsigned long code = ERR_peek_error();
    /* of the file system, else of what stands in it */
    const char *why = ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code)) : first_error("no PEM file of that kind");

    return err_set(err, ST_INVALID, "%s: %s: %s", option, file, why);
}

/* ST_INVALID: err says which file. */
static enum status settings_load(SSL_CTX *settings, const struct redis_address *address, struct err *err)
{
    const char *key = *address->tls_key_file ? address->tls_key_file : address->tls_cert_file;

    ERR_clear_error();
    if (!*address->tls_ca_file)
        SSL_CTX_set_default_verify_paths(settings);
    else if (SSL_CTX_load_verify_locations(settings, address->tls_ca_file, NULL) != 1)
        return wrong_file(err, "tls_ca_file", address->tls_ca_file);
    if (!*address->tls_cert_file)
        return ST_OK;
    if (SSL_CTX_use_certificate_chain_file(settings, address->tls_cert_file) != 1)
        return wrong_file(err, "tls_cert_file", address->tls_cert_file);
    if (SSL_CTX_use_PrivateKey_file(settings, key, SSL_FILETYPE_PEM) != 1)
        return wrong_file(err, "tls_key_file", key);
    return ST_OK;
}

static int no_passphrase(char *to, int room, int writing, void *arg)
{
    (void)to;
    (void)room;
    (void)writing;
    (void)arg;
    return 0; /* OpenSSL would ask a terminal */
}

static SSL_CTX *settings_new(const struct redis_address *address, struct err *err)
{
    SSL_CTX *settings = SSL_CTX_new(TLS_client_method());

    if (!settings) {
        err_set(err, ST_AGAIN, "no memory");
        return NULL;
    }
    SSL_CTX_set_min_proto_version(settings, TLS1_2_VERSION);
    /* An answer says how long it is, so a connection that ends without a goodbye cuts nothing off unnoticed. */
    SSL_CTX_set_options(settings, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(settings, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(settings, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(settings, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_default_passwd_cb(settings, no_passphrase);
    if (settings_load(settings, address, err) == ST_OK)
        return settings;
    SSL_CTX_free(settings);
    return NULL;
}

enum status redis_tls_check(const struct redis_address *address, struct err *err)
{
    SSL_CTX *settings = settings_new(address, err);

    if (!settings)
        return ST_INVALID;
    SSL_CTX_free(settings);
    return ST_OK;
}

/* ---- connecting ---- */

static bool expect_host(SSL *ssl, const char *host)
{
    unsigned char number[sizeof(struct in6_addr)];

    if (inet_pton(AF_INET, host, number) == 1 || inet_pton(AF_INET6, host, number) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

static bool ssl_new(struct redis_tls *tls, const struct redis_address *address)
{
    struct err err = ERR_INIT;
    SSL_CTX *settings = settings_new(address, &err);
    BIO *bio = settings ? io_new(tls) : NULL;

    tls->ssl = bio ? SSL_new(settings) : NULL;
    SSL_CTX_free(settings); /* the SSL keeps it */
    if (tls->ssl) {
        SSL_set_bio(tls->ssl, bio, bio);
        return expect_host(tls->ssl, address->host);
    }
    BIO_free(bio);
    fail(tls->context, REDIS_ERR_OTHER, *err.text ? err.text : "no memory");
    return false;
}

static void explain_certificate(struct redis_tls *tls)
{
    long verdict = SSL_get_verify_result(tls->ssl);
    char text[128];

    if (verdict == X509_V_OK)
        return;
    snprintf(text, sizeof text, "TLS: its certificate: %s", X509_verify_cert_error_string(verdict));
    fail(tls->context, REDIS_ERR_OTHER, text);
}

static bool shake_hands(struct redis_tls *tls)
{
    for (;;) {
        int result, ready;

        ERR_clear_error();
        errno = 0;
        result = SSL_connect(tls->ssl);
        if (result == 1)
            return true;
        if (stopped(tls, result) < 0) {
            explain_certificate(tls);
            return false;
        }
        ready = redis_tls_wait(tls, 0, tls->timeout_ms);
        if (ready == 0)
            fail(tls->context, REDIS_ERR_OTHER, "TLS: no answer to the handshake");
        else if (ready < 0 && errno != EINTR)
            fail(tls->context, REDIS_ERR_OTHER, strerror(errno));
        if (tls->context->err)
            return false;
    }
}

struct redis_tls *redis_tls_start(redisContext *context, const struct redis_address *address, int timeout_ms)
{
    struct redis_tls *tls = calloc(1, sizeof *tls);

    if (!tls) {
        fail(context, REDIS_ERR_OOM, "no memory");
        return NULL;
    }
    *tls = (struct redis_tls){ .context = context, .timeout_ms = timeout_ms };
    if (ssl_new(tls, address) && shake_hands(tls))
        return tls;
    redis_tls_free(tls);
    return NULL;
}

void redis_tls_free(struct redis_tls *tls)
{
    if (!tls)
        return;
    SSL_free(tls->ssl); /* with its BIO */
    BIO_meth_free(tls->method);
    free(tls);
}

/* ---- reading and writing ---- */

int redis_tls_read(struct redis_tls *tls)
{
    redisReader *reader = tls->context->reader;
    char bytes[RECORD_BYTES];

    do {
        int n;

        ERR_clear_error();
        errno = 0;
        n = SSL_read(tls->ssl, bytes, sizeof bytes);
        if (n <= 0)
            return stopped(tls, n) < 0 ? REDIS_ERR : REDIS_OK;
        if (redisReaderFeed(reader, bytes, (size_t)n) != REDIS_OK) {
            fail(tls->context, reader->err, reader->errstr);
            return REDIS_ERR;
        }
    } while (SSL_pending(tls->ssl) > 0);
    return REDIS_OK;
}

ssize_t redis_tls_write(struct redis_tls *tls, const char *data, size_t size)
{
    int n;

    ERR_clear_error();
    errno = 0;
    n = SSL_write(tls->ssl, data, size > INT_MAX ? INT_MAX : (int)size);
    if (n > 0)
        return n;
    if (stopped(tls, n) < 0)
        errno = errno && errno != EAGAIN ? errno : EPROTO;
    else
        errno = EAGAIN;
    return -1;
}

int redis_tls_wait(struct redis_tls *tls, short events, int timeout_ms)
{
    struct pollfd fd = { .fd = tls->context->fd, .events = (short)(tls->wants | events) };

    return poll(&fd, 1, timeout_ms);
}

/* The time is up, or poll failed. */
static int fail_waiting(struct redis_tls *tls, int ready)
{
    errno = ready == 0 ? EAGAIN : errno;
    fail(tls->context, REDIS_ERR_IO, strerror(errno));
    return REDIS_ERR;
}

int redis_tls_get_reply(struct redis_tls *tls, void **reply)
{
    *reply = NULL;
    for (bool waited = false;; waited = true) {
        int ready = 1;

        if (redisGetReplyFromReader(tls->context, reply) != REDIS_OK)
            return REDIS_ERR;
        if (*reply)
            return REDIS_OK;
        if (waited)
            ready = redis_tls_wait(tls, POLLIN, tls->timeout_ms);
        if (ready == 0 || (ready < 0 && errno != EINTR))
            return fail_waiting(tls, ready);
        if (redis_tls_read(tls) != REDIS_OK)
            return REDIS_ERR;
    }
}

static int write_all(struct redis_tls *tls, const char *data, size_t size)
{
    size_t written = 0;

    while (written < size) {
        ssize_t n = redis_tls_write(tls, data + written, size - written);
        int ready = 1;

        if (n < 0 && errno != EAGAIN)
            return REDIS_ERR;
        if (n < 0)
            ready = redis_tls_wait(tls, 0, tls->timeout_ms);
        if (ready == 0 || (ready < 0 && errno != EINTR))
            return fail_waiting(tls, ready);
        written += n > 0 ? (size_t)n : 0;
    }
    return REDIS_OK;
}

redisReply *redis_tls_command(struct redis_tls *tls, int argc, const char **argv)
{
    char *command = NULL;
    int size = redisFormatCommandArgv(&command, argc, argv, NULL);
    void *reply = NULL;

    if (size < 0) {
        fail(tls->context, REDIS_ERR_OOM, "no memory");
        return NULL;
    }
    if (write_all(tls, command, (size_t)size) == REDIS_OK)
        redis_tls_get_reply(tls, &reply);
    redisFreeCommand(command);
    return reply;
}
