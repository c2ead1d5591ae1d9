/* A ring of bytes with absolute positions, and the connections that read it. libmicrohttpd asks for more of a stream in
 * its own thread; where there is nothing, the connection is suspended until the next piece, as its manual says. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/memory.h"
#include "common/http/edge.h"
#include "common/http/feed.h"

enum {
    PIECES_MAX = 1024,         /* beginnings that are known */
    BLOCK_BYTES = 16 * 1024,   /* of what is copied to a connection at once */
    UNREAD_MAX_MS = 20 * 1000, /* a peer that acknowledges nothing for so long is gone */
    SOCKET_BYTES = 128 * 1024, /* what the kernel holds for one that reads slowly */
};

struct http_follower {
    LIST_ENTRY(http_follower) entry;
    struct http_feed *feed;
    struct MHD_Connection *connection;
    char *first; /* what its answer's body held; owned */
    size_t first_size, first_sent;
    uint64_t position;
    bool suspended;
};

struct http_feed {
    pthread_mutex_t lock; /* of everything below, and of every follower's position and suspended */
    char *ring;
    size_t kept;
    uint64_t end;
    uint64_t pieces[PIECES_MAX]; /* where the last ones begin, in turn */
    uint64_t piece_count;
    LIST_HEAD(, http_follower) followers;
    int clients, clients_max;
    bool closed;
};

struct http_feed *http_feed_new(size_t kept_bytes, int clients_max)
{
    struct http_feed *feed = xcalloc(1, sizeof *feed);

    feed->ring = xcalloc(1, kept_bytes);
    feed->kept = kept_bytes;
    feed->clients_max = clients_max;
    LIST_INIT(&feed->followers);
    pthread_mutex_init(&feed->lock, NULL);
    return feed;
}

void http_feed_free(struct http_feed *feed)
{
    if (!feed)
        return;
    BGOP_ASSERT(LIST_EMPTY(&feed->followers)); /* the server that had them has ended */
    pthread_mutex_destroy(&feed->lock);
    free(feed->ring);
    free(feed);
}

/* ---- the ring ---- */

static void ring_write(struct http_feed *feed, const char *data, size_t size)
{
    size_t at = (size_t)(feed->end % feed->kept), first = feed->kept - at;

    first = first < size ? first : size;
    memcpy(feed->ring + at, data, first);
    memcpy(feed->ring, data + first, size - first);
    feed->end += size;
}

static size_t ring_read(const struct http_feed *feed, uint64_t position, char *to, size_t room)
{
    size_t at = (size_t)(position % feed->kept), size = (size_t)(feed->end - position);

    size = size < room ? size : room;
    size = size < feed->kept - at ? size : feed->kept - at;
    memcpy(to, feed->ring + at, size);
    return size;
}

static bool is_kept(const struct http_feed *feed, uint64_t position)
{
    return position <= feed->end && feed->end - position <= feed->kept;
}

static bool is_beginning(const struct http_feed *feed, uint64_t position)
{
    uint64_t known = feed->piece_count < PIECES_MAX ? feed->piece_count : PIECES_MAX;

    for (uint64_t i = 0; i < known; i++) {
        if (feed->pieces[i] == position)
            return true;
    }
    return position == feed->end;
}

/* ---- those who put ---- */

static void wake(struct http_feed *feed)
{
    struct http_follower *follower;

    LIST_FOREACH(follower, &feed->followers, entry)
    {
        if (follower->suspended)
            MHD_resume_connection(follower->connection);
        follower->suspended = false;
    }
}

void http_feed_put(struct http_feed *feed, const char *data, size_t size)
{
    BGOP_ASSERT(size <= feed->kept);
    pthread_mutex_lock(&feed->lock);
    feed->pieces[feed->piece_count++ % PIECES_MAX] = feed->end;
    ring_write(feed, data, size);
    wake(feed);
    pthread_mutex_unlock(&feed->lock);
}

uint64_t http_feed_end(struct http_feed *feed)
{
    uint64_t end;

    pthread_mutex_lock(&feed->lock);
    end = feed->end;
    pthread_mutex_unlock(&feed->lock);
    return end;
}

int http_feed_clients(struct http_feed *feed)
{
    int clients;

    pthread_mutex_lock(&feed->lock);
    clients = feed->clients;
    pthread_mutex_unlock(&feed->lock);
    return clients;
}

void http_feed_close(struct http_feed *feed)
{
    pthread_mutex_lock(&feed->lock);
    feed->closed = true;
    wake(feed);
    pthread_mutex_unlock(&feed->lock);
}

/* ---- those who follow ---- */

/* A dead peer would keep its place as long as the kernel tries to reach it; one that does not read must not make the
 * kernel keep megabytes. */
static void bound_socket(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    unsigned unread_ms = UNREAD_MAX_MS;
    int bytes = SOCKET_BYTES;

    if (!info)
        return;
    (void)setsockopt(info->connect_fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unread_ms, sizeof unread_ms);
    (void)setsockopt(info->connect_fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

enum http_feed_joined http_feed_join(struct http_feed *feed, const struct http_request *request,
                                     struct http_answer *answer, uint64_t from)
{
    enum http_feed_joined joined = HTTP_FEED_FULL;
    struct http_follower *follower;

    pthread_mutex_lock(&feed->lock);
    if (!feed->closed && feed->clients < feed->clients_max) {
        joined = is_kept(feed, from) && is_beginning(feed, from) ? HTTP_FEED_JOINED : HTTP_FEED_MISSED;
        follower = xcalloc(1, sizeof *follower);
        follower->feed = feed;
        follower->connection = request->connection;
        follower->position = joined == HTTP_FEED_JOINED ? from : feed->end;
        LIST_INSERT_HEAD(&feed->followers, follower, entry);
        feed->clients++;
        answer->follower = follower;
    }
    pthread_mutex_unlock(&feed->lock);
    return joined;
}

void http_follower_free(void *arg)
{
    struct http_follower *follower = arg;
    struct http_feed *feed = follower->feed;

    pthread_mutex_lock(&feed->lock);
    LIST_REMOVE(follower, entry);
    feed->clients--;
    pthread_mutex_unlock(&feed->lock);
    free(follower->first);
    free(follower);
}

static ssize_t send_first(struct http_follower *follower, char *to, size_t room)
{
    size_t size = follower->first_size - follower->first_sent;

    size = size < room ? size : room;
    memcpy(to, follower->first + follower->first_sent, size);
    follower->first_sent += size;
    return (ssize_t)size;
}

/* Called by libmicrohttpd when the connection takes more; 0: nothing yet, and it is suspended. */
static ssize_t send_more(void *arg, uint64_t sent, char *to, size_t room)
{
    struct http_follower *follower = arg;
    struct http_feed *feed = follower->feed;
    ssize_t size = 0;

    (void)sent;
    if (follower->first_sent < follower->first_size)
        return send_first(follower, to, room);
    pthread_mutex_lock(&feed->lock);
    if (feed->closed || !is_kept(feed, follower->position)) {
        size = MHD_CONTENT_READER_END_OF_STREAM;
    } else if (follower->position < feed->end) {
        size = (ssize_t)ring_read(feed, follower->position, to, room);
        follower->position += (uint64_t)size;
    } else {
        follower->suspended = true;
        MHD_suspend_connection(follower->connection);
    }
    pthread_mutex_unlock(&feed->lock);
    return size;
}

struct MHD_Response *http_follower_response(struct http_answer *answer)
{
    struct http_follower *follower = answer->follower;
    struct MHD_Response *response;

    follower->first_size = answer->body.size;
    follower->first = answer->body.size ? buf_take(&answer->body) : NULL;
    response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, send_more, follower, http_follower_free);
    if (response) {
        bound_socket(follower->connection);
        answer->follower = NULL; /* the response frees it */
    }
    return response;
}
