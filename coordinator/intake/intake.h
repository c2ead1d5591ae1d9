/* The intake loop: reads <prefix>.submit and <prefix>.command as a member of the group <prefix>-intake, records what
 * it reads, and answers what cannot be recorded. Any intake loop may ingest into any shard; that each submission is
 * applied exactly once is the fences' doing (cursors.h), not the group's. */
#ifndef BGOP_COORDINATOR_INTAKE_INTAKE_H
#define BGOP_COORDINATOR_INTAKE_INTAKE_H

#include "coordinator/loop/loop.h"

void intake_run(struct loop *loop);

#endif
