/* The Id of a submission, from where Kafka has it: epoch, shard, partition, offset. A Kafka that lost its tail gives offsets
 * out a second time. Until a coordinator has found that and given the partition a new epoch, the Id that such a place has is
 * another operation's. A record holds the checksum of its message, so the submitter can tell: it looks at the place before
 * it names it, once a second and partition, and whenever the offset or the brokers give a reason. */
#include "common/client/client.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/record/id.h"
#include "common/record/keys.h"
#include "common/record/routing.h"

enum { BELIEVED_MS = 1000, LOOK_EVERY_MS = 20, SHARDS_ASKED_MAX = CLIENT_RETRIEVE_MAX };

struct place {
    int64_t seen;          /* the highest offset that was named */
    int64_t looked_at_ms;  /* when its epoch was found to be right */
    uint64_t troubles;     /* of the handle, then */
    int64_t patient_to_ms; /* its history was rewritten: waited for until then; 0: it was not */
};

enum place_found { PLACE_OURS, PLACE_FREE, PLACE_TAKEN, PLACE_UNKNOWN };

void client_forget_places(struct bgop *bgop)
{
    free(bgop->places);
    bgop->places = NULL;
}

static bool is_believed(const struct bgop *bgop, const struct place *place, int64_t offset)
{
    return place->looked_at_ms && offset > place->seen && place->troubles == bgop->troubles &&
           clock_boot_ms() - place->looked_at_ms < BELIEVED_MS;
}

/* Has any other shard a record of that place? Its Id is not ours, but its epoch is not ours either. */
static enum place_found look_elsewhere(struct bgop *bgop, const struct id_parts *ours)
{
    struct id_parts parts = *ours;
    int count = 1;
    char ids[SHARDS_ASKED_MAX][ID_SIZE];
    const char *args[1 + SHARDS_ASKED_MAX] = { "Id" };
    struct redisReply *reply;
    enum place_found found = PLACE_FREE;

    if (bgop->shards > SHARDS_ASKED_MAX)
        return PLACE_FREE;
    for (parts.shard = 0; parts.shard < bgop->shards; parts.shard++) {
        if (parts.shard == ours->shard)
            continue; /* our own record may come about just now */
        id_make(ids[parts.shard], &parts);
        args[count++] = ids[parts.shard];
        if (!link_is_cluster(&bgop->link))
            continue;
        args[1] = ids[parts.shard]; /* each at its server */
        count = 1;
        if (link_read(&bgop->link, &reply, "bgop_retrieve", parts.shard, args, 2) == BGOP_OK &&
            strchr(link_reply_text(reply), '{'))
            found = PLACE_TAKEN;
        link_reply_free(reply);
    }
    if (count == 1 || link_read(&bgop->link, &reply, "bgop_retrieve", 0, args, count) != BGOP_OK)
        return found; /* the queue recovers: records are read again when it has */
    found = strchr(link_reply_text(reply), '{') ? PLACE_TAKEN : PLACE_FREE;
    link_reply_free(reply);
    return found;
}

static enum place_found look(struct bgop *bgop, const struct id_parts *parts, const char *id, uint32_t crc)
{
    char key[64], text[16];
    struct redisReply *reply;
    enum place_found found;

    key_format(key, sizeof key, KEY_OP, parts->shard, id);
    snprintf(text, sizeof text, "%lu", (unsigned long)crc);
    if (link_call(&bgop->link, &reply, 3, (const char *[]){ "HGET", key, "crc" }) != BGOP_OK)
        return PLACE_UNKNOWN;
    found = !*link_reply_text(reply)                    ? PLACE_FREE
            : strcmp(link_reply_text(reply), text) == 0 ? PLACE_OURS
                                                        : PLACE_TAKEN;
    link_reply_free(reply);
    return found == PLACE_FREE ? look_elsewhere(bgop, parts) : found;
}

/* Until the place is free or ours, under the epoch as Redis has it now. */
static bool settle(struct bgop *bgop, struct place *place, struct id_parts *parts, char id[BGOP_ID_SIZE], uint32_t crc)
{
    for (;;) {
        enum place_found found;

        bgop->meta_tried_at_ms = 0;
        if (client_read_meta(bgop) != BGOP_OK)
            return false;
        parts->epoch = (unsigned char)bgop->epochs[parts->partition];
        id_make(id, parts);
        found = look(bgop, parts, id, crc);
        if (found == PLACE_UNKNOWN)
            return false;
        if (found != PLACE_TAKEN) {
            *place = (struct place){ parts->offset, clock_boot_ms(), bgop->troubles, 0 };
            return true;
        }
        if (!place->patient_to_ms)
            place->patient_to_ms = clock_boot_ms() + bgop->timeout_ms;
        if (clock_boot_ms() >= place->patient_to_ms)
            return false;
        client_nap(LOOK_EVERY_MS);
    }
}

void client_name_place(struct bgop *bgop, char id[BGOP_ID_SIZE], int partition, int64_t offset, const char *routing_key,
                       size_t key_size, uint32_t crc)
{
    struct id_parts parts = { .partition = partition, .offset = offset };
    struct place *place;

    id[0] = '\0';
    if (!bgop->places)
        bgop->places = calloc(sizeof bgop->epochs, sizeof *bgop->places);
    if (!bgop->places || client_read_meta(bgop) != BGOP_OK || partition < 0 || partition >= ID_PARTITIONS_MAX)
        return;
    parts.shard = routing_shard(routing_key, key_size, partition, offset, bgop->shards);
    parts.epoch = (unsigned char)bgop->epochs[partition];
    id_make(id, &parts);
    place = &bgop->places[partition];
    if (is_believed(bgop, place, offset))
        place->seen = offset;
    else if (!settle(bgop, place, &parts, id, crc))
        id[0] = '\0';
}
