#include "common/server/sentinel.h"

#include <stdio.h>
#include <string.h>

static char *add(struct sentinel_tried *tried, size_t *room)
{
    size_t used = strlen(tried->text);

    if (used > 0)
        used += (size_t)snprintf(tried->text + used, sizeof tried->text - used, "; ");
    if (used >= sizeof tried->text)
        used = sizeof tried->text - 1;
    *room = sizeof tried->text - used;
    return tried->text + used;
}

void sentinel_failed(struct sentinel_tried *tried, const char *text)
{
    bool plain = strstr(text, "ERR unknown command") != NULL;
    bool login = strstr(text, "NOAUTH") || strstr(text, "WRONGPASS") || strstr(text, "NOPERM");
    size_t room;
    char *to = add(tried, &room);

    tried->refusing += plain || login;
    tried->unreachable += !plain && !login;
    if (plain) {
        snprintf(to, room,
                 "%.*s: it is no Sentinel: name Sentinels there (their port is 26379 unless set otherwise), or this "
                 "server alone, redis://host:port",
                 (int)(strstr(text, ": ERR") ? strstr(text, ": ERR") - text : 0), text);
    } else if (login) {
        snprintf(to, room, "%s (of a Sentinel: [redis] sentinel_user and sentinel_password_file)", text);
    } else {
        snprintf(to, room, "%s", text);
    }
}

void sentinel_knows_not(struct sentinel_tried *tried, const char *sentinel, const char *name, const char *known)
{
    size_t room;
    char *to = add(tried, &room);

    tried->refusing++;
    snprintf(to, room, "the Sentinel at %s knows no primary \"%s\"; it knows %s", sentinel, name,
             *known ? known : "none at all");
}

void sentinel_names_in_vain(struct sentinel_tried *tried, const char *sentinel, const char *text)
{
    size_t room;
    char *to = add(tried, &room);

    tried->naming++;
    snprintf(to, room, "%s (the Sentinel at %s names it; until another one is elected there is none)", text, sentinel);
}

char *sentinel_why(const struct sentinel_tried *tried, const char *name, char *to, size_t room)
{
    bool refused = tried->refusing > 0 && tried->naming == 0;

    snprintf(to, room, "%s \"%s\": %s", refused ? SENTINEL_REFUSED : "Redis by Sentinel: there is no primary", name,
             tried->text);
    return to;
}

bool sentinel_is_primary(const char *info)
{
    return strstr(info, "role:master") != NULL;
}
