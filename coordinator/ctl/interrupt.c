#include "coordinator/ctl/interrupt.h"

#include <signal.h>
#include <stdlib.h>

#include "common/config/config.h"

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
    (void)number;
    if (caught)
        _Exit(EXIT_FAILED);
    caught = 1;
}

void interrupt_catch(void)
{
    struct sigaction action = { .sa_handler = on_signal };

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool interrupted(void)
{
    return caught;
}
