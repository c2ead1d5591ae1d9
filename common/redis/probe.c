#include "common/redis/probe.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include <hiredis/hiredis.h>

#include "common/base/clock.h"

enum {
    WAIT_MS = 20,     /* for one that is there */
    PAUSE_MS = 100,   /* between two */
    GIVE_UP_MS = 1000 /* what was sent may be lost: begin anew */
};

enum looked { ANSWERS, SILENT, REFUSES };

void probe_release(struct probe *probe)
{
    if (probe->context)
        redisFree(probe->context);
    probe->context = NULL;
    probe->asked = false;
}

static enum looked look(struct probe *probe, int wait_ms)
{
    static const char ping[] = "PING\r\n";
    struct pollfd fd = { .fd = probe->context->fd, .events = probe->asked ? POLLIN : POLLOUT };

    if (probe->context->err)
        return REFUSES;
    if (poll(&fd, 1, wait_ms) <= 0)
        return SILENT;
    if (probe->asked)
        return ANSWERS;
    if (send(fd.fd, ping, strlen(ping), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) /* no connection came about */
        return REFUSES;
    probe->asked = true;
    return look(probe, wait_ms);
}

bool probe_answers(struct probe *probe, const char *host, int port)
{
    int64_t now = clock_boot_ms();
    enum looked looked;
    int wait_ms = 0;

    if (probe->context && now - probe->began_ms >= GIVE_UP_MS)
        probe_release(probe);
    if (!probe->context) {
        if (probe->began_ms && now - probe->began_ms < PAUSE_MS)
            return false;
        probe->began_ms = now;
        probe->context = redisConnectNonBlock(host, port);
        wait_ms = WAIT_MS;
    }
    looked = probe->context ? look(probe, wait_ms) : REFUSES;
    if (looked != SILENT)
        probe_release(probe);
    return looked == ANSWERS;
}
