/* What the worker and bgop-exec-host say to each other over the lifeline, a seqpacket socket pair at descriptor 3 of
 * the host: one report from the host, and its end when either of them dies. */
#ifndef BGOP_WORKER_EXEC_HOST_H
#define BGOP_WORKER_EXEC_HOST_H

enum { EXEC_HOST_LIFELINE = 3 };
enum exec_host_kind {
    EXEC_HOST_ENDED = 1,       /* value: wait status of the handler */
    EXEC_HOST_NOT_STARTED = 2, /* value: errno */
};
struct exec_host_report {
    int kind;
    int value;
};

#endif
