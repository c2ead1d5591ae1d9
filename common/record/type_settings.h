/* What a Type can be set to that the queue obeys: one table, from which come the options of [types] and [type NAME],
 * the members of struct type_config and struct type_settings, what arming writes into `types` (JSON, in this order) and
 * checks, and the digest that tells whether a shard is armed with the present ones. What only workers obey (handler,
 * concurrency ...) is an option in common/config/options.c alone.
 *
 * To add one: a line here, at the end, and the place in common/functions that obeys it, which names a value for shards
 * that were armed without it. */
#ifndef BGOP_RECORD_TYPE_SETTINGS_H
#define BGOP_RECORD_TYPE_SETTINGS_H

#include <stdint.h>

enum { TYPE_SETTING_MAX = 999999999 };

/* clang-format off */
/* INT(name, need, initial, least, most, help), CHOICE(name, initial, choices, help). initial NULL: the record's table has
 * it per Type (common/record/tables.h). need: NEEDED, bgop_arm refuses a Type without it; MAY_MISS, Lua knows what holds
 * then. */
#define TYPE_SETTINGS(INT, CHOICE) \
    INT(retry_backoff_ms, NEEDED, NULL, 0, TYPE_SETTING_MAX, \
        "R of the retry law 0, 3R, 7R, 15R ...; default of RetryBackoff") \
    INT(retry_limit, NEEDED, NULL, 0, TYPE_SETTING_MAX, "default of RetryLimit") \
    INT(timeout_ms, NEEDED, NULL, 1, TYPE_SETTING_MAX, "default of Timeout") \
    INT(retention_s, NEEDED, "86400", 0, TYPE_SETTING_MAX, \
        "Complete, Canceled and Merged are removed after this time") \
    INT(retention_error_s, NEEDED, "604800", 0, TYPE_SETTING_MAX, "Error (for good) is removed after this time") \
    INT(merge_max, MAY_MISS, NULL, 1, 500, \
        "most operations in one execution group; above 1 handlers speak the group protocol") \
    INT(merge_max_bytes, MAY_MISS, "1048576", 1, 16777216, "most payload bytes in one execution group") \
    INT(max_running_per_parent, MAY_MISS, "0", 0, TYPE_SETTING_MAX, \
        "operations of one ParentKey at a time; 1: one after the other, 0: no limit") \
    CHOICE(on_sequence_failure, "hold", "hold skip fail", \
        "what waits behind a member that failed for good: waits on, goes on, or fails too") \
    INT(redrive_limit, MAY_MISS, "10", 0, TYPE_SETTING_MAX, "most redrives of one operation; 0: none")
/* clang-format on */

#endif
