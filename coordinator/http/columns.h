/* What a query answers, told before it is asked: &columns=true, which the sf command line sends. */
#ifndef BGOP_COORDINATOR_HTTP_COLUMNS_H
#define BGOP_COORDINATOR_HTTP_COLUMNS_H

#include "common/query/query.h"

json_t *columns_json(const struct query *query);

#endif
