/* A text that grows, sent to many clients as it grows: server-sent events. Whoever has news appends them once
 * (http_feed_put), and every connection that follows the feed is woken and takes what it has not had yet from the same
 * memory. Following takes no thread: a connection without news is suspended.
 *
 * Limits: so many clients as the feed is made for, and so many bytes as it keeps. A client that is further behind than
 * what is kept does not read what it asked for: its connection ends. */
#ifndef BGOP_HTTP_FEED_H
#define BGOP_HTTP_FEED_H

#include <stdint.h>

#include "common/http/http.h"

struct http_feed;

struct http_feed *http_feed_new(size_t kept_bytes, int clients_max);
/* Behind the end of the server that serves it. NULL is fine. */
void http_feed_free(struct http_feed *feed);

/* Appends one piece, of at most kept_bytes; clients begin and go on at the beginning of a piece. From any thread. */
void http_feed_put(struct http_feed *feed, const char *data, size_t size);
/* How much was ever put: where the next piece begins. */
uint64_t http_feed_end(struct http_feed *feed);
int http_feed_clients(struct http_feed *feed);

enum http_feed_joined { HTTP_FEED_JOINED, HTTP_FEED_MISSED, HTTP_FEED_FULL };
/* Makes the answer a stream of what follows from `from` on (http_feed_end: what is new), behind what its body holds
 * already. MISSED: what was there is not kept any more, or `from` is no beginning; the stream goes on with what is new.
 * FULL: there are enough clients, or the feed was closed; nothing was done. */
enum http_feed_joined http_feed_join(struct http_feed *feed, const struct http_request *request,
                                     struct http_answer *answer, uint64_t from);
/* Ends all streams and lets nobody join any more: before the end of the server. */
void http_feed_close(struct http_feed *feed);

#endif
