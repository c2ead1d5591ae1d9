/* Who this worker is: the instance for machines (never the same twice), the URI for people. */
#ifndef BGOP_WORKER_LEASE_IDENTITY_H
#define BGOP_WORKER_LEASE_IDENTITY_H

enum { WORKER_URI_SIZE = 256 };

struct identity {
    char host[128];
    char instance[192];        /* host-pid-random */
    char uri[WORKER_URI_SIZE]; /* of the status page: http://host:port */
    char queue[64]; /* genesis of the queue that it serves; every outcome names it. Known once Redis was asked */
};

void identity_init(struct identity *identity); /* all but the uri and the queue */

#endif
