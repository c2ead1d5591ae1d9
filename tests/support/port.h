/* A TCP port of loopback for a server that a test starts, perhaps more than once. */
#ifndef TESTS_SUPPORT_PORT_H
#define TESTS_SUPPORT_PORT_H

/* One that nobody holds, no outgoing connection gets, and no other test process takes while this one lives; from a range
 * of its own (18000 to 19999: setup_troubles.sh, deploy's scripts and the end-to-end tests have others). */
int port_take(void);

#endif
