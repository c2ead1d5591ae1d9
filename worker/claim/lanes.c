#include "worker/claim/lanes.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"

void lanes_init(struct lanes *lanes, const struct types *types, int shard_count)
{
    lanes->shard_count = shard_count;
    lanes->count = types->count * (size_t)shard_count;
    lanes->all = xcalloc(lanes->count, sizeof *lanes->all);
    for (size_t i = 0; i < lanes->count; i++) {
        lanes->all[i].type = &types->all[i / (size_t)shard_count];
        lanes->all[i].shard = (int)(i % (size_t)shard_count);
    }
}

void lanes_release(struct lanes *lanes)
{
    for (size_t i = 0; i < lanes->count; i++)
        backlog_release(&lanes->all[i].backlog);
    free(lanes->all);
    memset(lanes, 0, sizeof *lanes);
}
