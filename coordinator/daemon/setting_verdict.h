/* What a server's setting means for the queue. */
#ifndef BGOP_COORDINATOR_DAEMON_SETTING_VERDICT_H
#define BGOP_COORDINATOR_DAEMON_SETTING_VERDICT_H

enum setting_verdict {
    SETTING_FINE,
    SETTING_DOUBTFUL, /* worth a warning */
    SETTING_REFUSED,  /* start only when it was changed */
};

#endif
