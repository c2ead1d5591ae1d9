#include "worker/lease/identity.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/base/clock.h"

void identity_init(struct identity *identity)
{
    uint32_t random = (uint32_t)clock_boot_us();

    memset(identity, 0, sizeof *identity);
    if (gethostname(identity->host, sizeof identity->host - 1) < 0 || !identity->host[0])
        snprintf(identity->host, sizeof identity->host, "localhost");
    for (char *c = identity->host; *c; c++) { /* it stands in keys, logs and URLs */
        if (!isalnum((unsigned char)*c) && !strchr("-._", *c))
            *c = '_';
    }
    (void)!getrandom(&random, sizeof random, 0);
    snprintf(identity->instance, sizeof identity->instance, "%s-%d-%08x", identity->host, (int)getpid(), random);
}
