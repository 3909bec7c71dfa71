/* SPDX-License-Identifier: MPL-2.0 */
/*  The door to phpIPAM's database, as a struct of functions: one connection,
    one thread.  hub_store_mariadb_new makes the real one; tests wrap it to
    fail the N-th call.

    Errors: SH_E_DB_DOWN (no connection; the next begin connects anew),
    SH_E_DB_BUSY (roll back and do the whole transaction again), SH_E_DB_RIGHTS,
    SH_E_DB_SCHEMA, SH_E_DB; of apply also SH_E_HOST_COLUMN, SH_E_HOST_TEXT and
    SH_E_HOST_UNIQUE (a new row hit a column or key that does not take it) and
    SH_E_HOST_UPDATE (a column takes no such name or MAC).  Once begin has
    succeeded, only rollback is allowed after any of them.
    Each is logged where it arises, with the server's own number and text.  */

#ifndef HUB_STORE_H
#define HUB_STORE_H

#include "hub/changes.h"
#include "hub/config.h"
#include "hub/pulse.h"
#include "hub/rows.h"
#include "lib/clock.h"

typedef struct hub_store hub_store_t;
typedef struct hub_event hub_event_t; /* hub/events.h */

struct hub_store
{
    /*  READ COMMITTED.  begin connects when there is no connection, and looks
        which columns there are; SH_E_MAINTENANCE if one is missing while
        phpIPAM is in maintenance mode.  */
    sh_err_t (*begin) (hub_store_t *self) SH_MUST_CHECK;
    sh_err_t (*commit) (hub_store_t *self) SH_MUST_CHECK;
    void (*rollback) (hub_store_t *self);

    /*  The agents whose codes equal those asked for byte by byte, each asked
        for once; on an error none is set.  A server that is read-only is left:
        SH_E_DB_DOWN.  */
    sh_err_t (*read_agents) (hub_store_t *self, hub_asked_t *asked,
                             size_t count) SH_MUST_CHECK;

    /*  Lock these rows until the transaction's end, so that hubs work one after
        the other on a subnet.  'ids' ascend, each once, and so they are
        locked; out[i].id is 0 where there is no such row.  */
    sh_err_t (*lock_subnets) (hub_store_t *self, const uint64_t *ids,
                              size_t count, hub_subnet_t *out) SH_MUST_CHECK;
    /*  One, without the lock, for those that write nothing.
        SH_E_SUBNET_UNKNOWN.  */
    sh_err_t (*read_subnet) (hub_store_t *self, uint64_t id,
                             hub_subnet_t *out) SH_MUST_CHECK;

    /*  The agent's subnet with this network: SH_E_SUBNET_UNKNOWN; of several
        the one with the id 'hint', else SH_E_SUBNET_AMBIGUOUS.  */
    sh_err_t (*find_subnet) (hub_store_t *self, uint64_t agent,
                             const sh_prefix_t *prefix, uint64_t hint,
                             uint64_t *id) SH_MUST_CHECK;

    /*  The rows of some addresses, at least one, ascending and each once.
        '*out' is new and the caller's; rows of addresses between them may
        come along.  Rows whose ip_addr is no address are left out.  Nothing
        reads all of a subnet: one can have millions of rows.  */
    sh_err_t (*read_rows) (hub_store_t *self, uint64_t subnet,
                           const sh_addr_t *addrs, size_t count,
                           hub_rows_t **out) SH_MUST_CHECK;

    /*  The first rows of a range, ascending by address, at most range->most;
        '*more' says that others follow the last.  '*out' as above.  What has
        been read before 'first' costs nothing.  */
    sh_err_t (*read_range) (hub_store_t *self, uint64_t subnet,
                            const hub_range_t *range, hub_rows_t **out,
                            bool *more) SH_MUST_CHECK;

    /*  Write all of it.  Every UPDATE guards itself against other writers
        that do not take our lock: see store_apply.c.  */
    sh_err_t (*apply) (hub_store_t *self, const hub_changes_t *changes)
        SH_MUST_CHECK;

    /*  Outside of transactions: move scanAgents.last_access of some agents, at
        least one, forward to 'wall', or back to it from beyond 'limit'.  */
    sh_err_t (*touch_agents) (hub_store_t *self, const uint64_t *ids,
                              size_t count, const char *wall,
                              const char *limit) SH_MUST_CHECK;

    /*  Outside of transactions: new hosts for phpIPAM's table 'logs'.  Which of
        them were written is told by '*written', also on an error.  Where the
        right is missing that is SH_E_DB_RIGHTS, at once until the next
        connection.  */
    sh_err_t (*write_events) (hub_store_t *self, const hub_event_t *events,
                              size_t count, size_t *written) SH_MUST_CHECK;

    /*  All agents and assignments, from one snapshot.  */
    sh_err_t (*read_plan) (hub_store_t *self, hub_plan_t **out) SH_MUST_CHECK;

    /*  For people: the last error, if nothing has succeeded since, or
        "connected to ..., server 10.11.6-MariaDB".  */
    const char *(*describe) (hub_store_t *self);

    /*  Say there, from the next call on, what the thread is at.  */
    void (*set_beat) (hub_store_t *self, hub_beat_t *beat);

    void (*destroy) (hub_store_t **self_p);
};

/*  Connects at the first use.  'config' is borrowed and outlives the store. */
sh_err_t hub_store_mariadb_new (hub_store_t **out,
                                const hub_database_config_t *config,
                                const sh_clock_t *clock) SH_MUST_CHECK;

#endif
