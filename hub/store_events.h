/* SPDX-License-Identifier: MPL-2.0 */
/*  New hosts become rows of phpIPAM's table 'logs'.  Only for the store.  */

#ifndef HUB_STORE_EVENTS_H
#define HUB_STORE_EVENTS_H

#include "hub/events.h"
#include "hub/sql.h"

/*  Some hundred rows in a statement, each its own transaction, as many as go.
    '*written' says how many.  */
sh_err_t hub_store_events (hub_sql_t *sql, const hub_event_t *events,
                           size_t count, size_t *written) SH_MUST_CHECK;

#endif
