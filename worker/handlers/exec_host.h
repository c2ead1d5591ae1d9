/* What the worker and bgop-exec-host say to each other over the lifeline, a seqpacket socket pair at descriptor 3 of
 * the host. The worker sends orders: the first, which waits there when the host begins, has everything; of later ones
 * the lease counts. The host sends one report. The end of either is seen by the other. */
#ifndef BGOP_WORKER_HANDLERS_EXEC_HOST_H
#define BGOP_WORKER_HANDLERS_EXEC_HOST_H

#include <stdint.h>

enum { EXEC_HOST_LIFELINE = 3 };
#define EXEC_HOST_NO_END (INT64_C(1) << 50) /* of a lease: a handler that waits for work has none */

/* By the boot clock: when the handler gets SIGTERM, and when it is ended, unless a later order moves that. Both before
 * the lease ends. */
struct exec_host_lease {
    int64_t terminate_boot_ms, kill_boot_ms;
};
/* Of the handler and all that it starts, together. 0: none. */
struct exec_host_limits {
    int64_t memory_bytes, tasks, cpu_ms; /* tasks: processes and threads */
    int64_t open_files;                  /* of each process */
};
struct exec_host_order {
    struct exec_host_lease lease;
    struct exec_host_limits limits;
    int64_t usual_open_files; /* the soft limit where there is no other */
    int64_t begins;           /* a later order: another execution in the same process; its CPU time counts anew */
};

enum exec_host_kind {
    EXEC_HOST_ENDED = 1,       /* value: wait status of the handler */
    EXEC_HOST_NOT_STARTED = 2, /* value: errno */
    EXEC_HOST_LEASE_ENDED = 3, /* the host had to end it, because nobody extended its lease */
    EXEC_HOST_OVER_MEMORY = 4, /* it was ended, because it went over that limit */
    EXEC_HOST_OVER_TASKS = 5,
    EXEC_HOST_OVER_CPU = 6,
};
struct exec_host_report {
    int kind;
    int value;
};

#endif
