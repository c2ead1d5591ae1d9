/* The queue's shape: how many shards it has, and its epochs. */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/client/client.h"
#include "common/record/id.h"
#include "common/record/keys.h"

static void read_epochs(struct bgop *bgop, const struct redisReply *reply)
{
    memset(bgop->epochs, 0, sizeof bgop->epochs);
    for (size_t i = 0; i + 1 < link_reply_count(reply); i += 2) {
        long partition = strtol(link_reply_text(link_reply_at(reply, i)), NULL, 10);

        if (partition >= 0 && partition < (long)sizeof bgop->epochs)
            bgop->epochs[partition] = (char)id_epoch_number(*link_reply_text(link_reply_at(reply, i + 1)));
    }
}

static enum bgop_code read_shards(struct bgop *bgop)
{
    struct redisReply *reply;
    enum bgop_code code = link_call(&bgop->link, &reply, 3, (const char *[]){ "HGET", key_name(KEY_META), "shards" });
    long shards;

    if (code != BGOP_OK)
        return client_fail_link(bgop, code);
    shards = strtol(link_reply_text(reply), NULL, 10);
    link_reply_free(reply);
    if (shards < 1 || shards > ID_SHARDS_MAX) {
        return client_fail(bgop, BGOP_UNREACHABLE,
                           "Redis at %s has no bgop:meta: the queue has not been started there; start bgop-coordinator",
                           bgop->link.to.text);
    }
    bgop->shards = (int)shards;
    return BGOP_OK;
}

enum bgop_code client_read_meta(struct bgop *bgop)
{
    int64_t now_ms = clock_boot_ms(), age_ms = now_ms - bgop->meta_tried_at_ms;
    struct redisReply *reply;
    enum bgop_code code;

    if (bgop->meta_tried_at_ms && age_ms < (bgop->shards ? CLIENT_META_MS : 1000))
        return bgop->shards ? BGOP_OK : BGOP_UNREACHABLE;
    bgop->meta_tried_at_ms = now_ms;
    code = read_shards(bgop);
    if (code == BGOP_OK) {
        code = link_call(&bgop->link, &reply, 2, (const char *[]){ "HGETALL", key_name(KEY_EPOCHS) });
        if (code != BGOP_OK)
            return client_fail_link(bgop, code);
        read_epochs(bgop, reply);
        link_reply_free(reply);
    }
    bgop->meta_tried_at_ms = clock_boot_ms();
    return code;
}
