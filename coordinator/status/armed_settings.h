/* The settings that arming writes into a shard, made of the configuration, and a digest to compare them by: a shard
 * armed with other settings (an older configuration, or a coordinator with another one) is armed again at take-over. */
#ifndef BGOP_COORDINATOR_STATUS_ARMED_SETTINGS_H
#define BGOP_COORDINATOR_STATUS_ARMED_SETTINGS_H

#include "common/config/config.h"

enum { ARMED_SETTINGS_DIGEST_SIZE = 17 };

struct armed_settings {
    struct queue_settings queue;
    struct type_settings *types; /* [type_count], owned; texts borrowed from the configuration */
    size_t type_count;
    char digest[ARMED_SETTINGS_DIGEST_SIZE];
};

void armed_settings_init(struct armed_settings *settings, const struct config *config);
void armed_settings_release(struct armed_settings *settings);

#endif
