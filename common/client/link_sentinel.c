/* Sentinels are asked for the primary when there is no connection to one, and again after any call that it did not serve. */
#include "common/client/link_sentinel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "common/server/sentinel.h"

enum { ASK_TIMEOUT_MS = 1000 }; /* of one Sentinel: another may answer */

struct link_primary {
    struct link server;   /* the primary, when it is connected */
    struct link sentinel; /* the one that is asked */
    struct sentinel_tried tried;
};

static void forget(struct link *server)
{
    link_server_close(server);
    memset(server, 0, sizeof *server); /* passwords */
}

void link_sentinel_close(struct link *link)
{
    if (!link->primary)
        return;
    forget(&link->primary->server);
    forget(&link->primary->sentinel);
    free(link->primary);
    link->primary = NULL;
}

static enum bgop_code fail_like(struct link *link, enum bgop_code code, const char *text)
{
    text_copy(link->error, sizeof link->error, text, strlen(text));
    return code;
}

/* ---- one Sentinel ---- */

static void read_known(struct link *sentinel, char *known, size_t room)
{
    struct redisReply *reply;
    size_t used = 0;

    known[0] = '\0';
    if (link_server_call(sentinel, &reply, 2, (const char *[]){ "SENTINEL", "MASTERS" }) != BGOP_OK)
        return;
    for (size_t i = 0; i < link_reply_count(reply) && used < room; i++) {
        const struct redisReply *primary = link_reply_at(reply, i);

        for (size_t f = 0; f + 1 < link_reply_count(primary) && used < room; f += 2) {
            if (strcmp(link_reply_text(link_reply_at(primary, f)), "name") == 0) {
                used += (size_t)snprintf(known + used, room - used, "%s%s", used ? ", " : "",
                                         link_reply_text(link_reply_at(primary, f + 1)));
            }
        }
    }
    link_reply_free(reply);
}

/* true: it names a server, which becomes that of primary->server. */
static bool ask(struct link *link, const char *host, int port)
{
    struct link_primary *primary = link->primary;
    struct link *sentinel = &primary->sentinel;
    const char *argv[] = { "SENTINEL", "GET-MASTER-ADDR-BY-NAME", link->to.primary }, *named;
    struct redisReply *reply;
    char text[sizeof link->error + 400], known[200];
    int64_t number = 0;

    forget(sentinel);
    redis_address_of_sentinel(&sentinel->to, &link->to, host, port);
    sentinel->timeout_ms = link->timeout_ms < ASK_TIMEOUT_MS ? link->timeout_ms : ASK_TIMEOUT_MS;
    if (link_server_call(sentinel, &reply, 3, argv) != BGOP_OK) {
        bool plain = strncmp(sentinel->error, "ERR ", 4) == 0;

        snprintf(text, sizeof text, "%s%s%s%s", plain ? "Redis at " : "", plain ? sentinel->to.text : "",
                 plain ? ": " : "", sentinel->error);
        sentinel_failed(&primary->tried, text);
        return false;
    }
    named = link_reply_text(link_reply_at(reply, 0));
    if (*named && text_parse_int64(link_reply_text(link_reply_at(reply, 1)), 1, 65535, &number)) {
        forget(&primary->server);
        redis_address_at(&primary->server.to, &link->to, named, (int)number);
        primary->server.timeout_ms = link->timeout_ms;
    } else {
        read_known(sentinel, known, sizeof known);
        sentinel_knows_not(&primary->tried, sentinel->to.text, link->to.primary, known);
    }
    link_reply_free(reply);
    return number > 0;
}

/* ---- the primary ---- */

static bool is_primary(struct link *server)
{
    struct redisReply *reply;
    bool primary;

    if (link_server_call(server, &reply, 2, (const char *[]){ "INFO", "replication" }) != BGOP_OK)
        return false;
    primary = sentinel_is_primary(link_reply_text(reply));
    link_reply_free(reply);
    if (!primary) {
        snprintf(server->error, sizeof server->error, "Redis at %s: %s", server->to.text, SENTINEL_NO_PRIMARY);
        link_server_close(server);
    }
    return primary;
}

static enum bgop_code find(struct link *link)
{
    const char *rest = link->to.seeds;
    char host[256], text[sizeof link->error];
    int port;

    if (!link->primary)
        link->primary = calloc(1, sizeof *link->primary);
    if (!link->primary)
        return fail_like(link, BGOP_NO_MEMORY, "out of memory");
    link->primary->tried = (struct sentinel_tried){ .text = "" };
    while (redis_address_seed(&rest, host, sizeof host, &port)) {
        if (!ask(link, host, port))
            continue;
        if (is_primary(&link->primary->server))
            return BGOP_OK;
        sentinel_names_in_vain(&link->primary->tried, link->primary->sentinel.to.text, link->primary->server.error);
    }
    return fail_like(link, BGOP_UNREACHABLE, sentinel_why(&link->primary->tried, link->to.primary, text, sizeof text));
}

enum bgop_code link_sentinel_call(struct link *link, struct redisReply **reply, int argc, const char *const *argv)
{
    enum bgop_code code = link->primary && link->primary->server.context ? BGOP_OK : find(link);

    *reply = NULL;
    if (code != BGOP_OK)
        return code;
    code = link_server_call(&link->primary->server, reply, argc, argv);
    if (code == BGOP_OK)
        return code;
    fail_like(link, code, link->primary->server.error);
    if (code == BGOP_UNREACHABLE)
        link_server_close(&link->primary->server);
    return code;
}
