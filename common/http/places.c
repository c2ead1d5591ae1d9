/* Who is connected, and who must go for a newcomer. libmicrohttpd only counts connections and stops accepting at a
 * limit, so that a thousand idle ones would keep everybody out until their time is up. Here each newcomer beyond
 * HTTP_CONNECTIONS_MAX ends the connection that has been quiet for longest: its descriptor is shut down, which
 * libmicrohttpd sees as the client's own end. */
#include <stdlib.h>
#include <sys/socket.h>

#include "common/base/memory.h"
#include "common/http/edge.h"

void http_places_init(struct http_places *places)
{
    TAILQ_INIT(&places->clients);
    places->count = 0;
}

static void end_the_quietest(struct http_places *places)
{
    struct http_client *client;

    TAILQ_FOREACH(client, &places->clients, entry)
    {
        if (client->leaving || client->busy)
            continue;
        client->leaving = true;
        places->count--;
        shutdown(client->descriptor, SHUT_RDWR);
        return;
    }
}

struct http_client *http_places_enter(struct http_places *places, int descriptor)
{
    struct http_client *client = xcalloc(1, sizeof *client);

    if (places->count >= HTTP_CONNECTIONS_MAX)
        end_the_quietest(places);
    client->descriptor = descriptor;
    TAILQ_INSERT_TAIL(&places->clients, client, entry);
    places->count++;
    return client;
}

void http_places_alive(struct http_places *places, struct http_client *client)
{
    client->busy = false;
    TAILQ_REMOVE(&places->clients, client, entry);
    TAILQ_INSERT_TAIL(&places->clients, client, entry);
}

void http_places_busy(struct http_places *places, struct http_client *client)
{
    http_places_alive(places, client);
    client->busy = true;
}

void http_places_leave(struct http_places *places, struct http_client *client)
{
    TAILQ_REMOVE(&places->clients, client, entry);
    places->count -= !client->leaving;
    free(client);
}
