/* SPDX-License-Identifier: MPL-2.0 */
/*  What the hub reads of phpIPAM's tables, as C values.  Column names and
    rules: docs/architecture.md.  Texts of times are the columns' own.  */

#ifndef HUB_ROWS_H
#define HUB_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/addr.h"
#include "lib/walltime.h"

enum
{
    HUB_TAG_OFFLINE = 1, /* ipTags.id of the stock rows */
    HUB_TAG_USED = 2,
    HUB_TAG_RESERVED = 3,
    HUB_TAG_DHCP = 4
};

#define HUB_TAGS_MOST 256

/*  scanAgents, with what of settings and ipTags concerns every report; read
    in the transaction that uses it.  */
typedef struct
{
    uint64_t id;
    char *name;
    char *code;
    bool eligible;        /* type has mysql or api, and not direct */
    char last_access[20]; /* "" for NULL */
    bool update_tags;     /* settings.updateTags */
    int tags[HUB_TAGS_MOST]; /* ipTags.id with updateTag = 1 */
    size_t tag_count;
    int db_offset; /* the untouched session's seconds east of UTC */
    bool maintenance; /* settings.maintaneanceMode: nothing may be written */
} hub_agent_t;

/*  An agent that is asked for by its code.  */
typedef struct
{
    const char *code; /* borrowed */
    sh_err_t rc; /* SH_E_AGENT_UNKNOWN, or SH_E_MAINTENANCE instead while
                    phpIPAM is in maintenance mode, for then a table may be on
                    its way */
    hub_agent_t agent; /* if 'rc' is SH_OK; the caller's then */
} hub_asked_t;

typedef struct
{
    uint64_t id;
    bool has_prefix; /* subnet and mask make one */
    sh_prefix_t prefix;
    uint64_t agent; /* scanAgent; 0 for none */
    bool folder, parent;
    bool check, discover; /* pingSubnet, discoverSubnet */
    bool pool;
    char last_scan[20], last_discovery[20]; /* "" for NULL */
} hub_subnet_t;

/*  One row of ipaddresses.  Texts are borrowed from the hub_rows_t.  */
typedef struct
{
    uint64_t id;
    sh_addr_t ip;
    bool excluded;
    bool autodiscovered;  /* description is exactly phpIPAM's */
    bool has_state;
    int state;            /* ipTags.id */
    const char *last_seen; /* "" for NULL */
    const char *hostname;  /* "" for NULL */
    const char *mac;       /* "" for NULL */
} hub_row_t;

typedef struct hub_rows hub_rows_t;

struct hub_rows
{
    hub_row_t *items; /* ascending by address */
    size_t count;
    void *memory; /* the store's; what the texts point into */
};

/*  A stretch of addresses whose rows are read.  */
typedef struct
{
    sh_addr_t first, last; /* of one family; both belong to it */
    size_t most;           /* rows; more are left for another read */
} hub_range_t;

typedef struct
{
    uint64_t id;
    sh_prefix_t prefix; /* family 0: there is no usable one */
    bool check, discover, resolve, pool;
    uint64_t agent;    /* 0: none */
    uint64_t master;   /* the subnet above it; 0: none */
    char *nameservers; /* nameservers.namesrv1: separated by ';'; or NULL */
    sh_err_t unsent;   /* why it cannot be scanned, whoever its agent is, see
                          hub_authorise_subnet; or SH_OK */
} hub_assigned_t;

typedef struct
{
    uint64_t id;
    char *name;
    char *code; /* "": it has none, and cannot be asked for */
    bool eligible;
    char last_access[20]; /* "" for NULL; of no meaning to assignments */
} hub_known_agent_t;

/*  Everything that phpIPAM assigns to anybody, in one look, and what it does
    not: all subnets that name an agent, and the children of those.  */
typedef struct
{
    hub_known_agent_t *agents;
    size_t agent_count;
    hub_assigned_t *subnets; /* ascending by id */
    size_t subnet_count;
    int db_offset;
    bool maintenance; /* settings.maintaneanceMode */
    char sample_seen[20]; /* some existing lastSeen, for the start-up line */
} hub_plan_t;

void hub_agent_clear (hub_agent_t *self);
/*  Which of those asked for has this code; 'count': none.  */
size_t hub_asked_find (const hub_asked_t *asked, size_t count,
                       const char *code);
/*  '*out' is the caller's.  SH_E_MEMORY.  */
sh_err_t hub_agent_copy (hub_agent_t *out, const hub_agent_t *from)
    SH_MUST_CHECK;
void hub_rows_destroy (hub_rows_t **self_p);
/*  No rows at all.  SH_E_MEMORY.  */
sh_err_t hub_rows_none (hub_rows_t **out) SH_MUST_CHECK;
void hub_plan_destroy (hub_plan_t **self_p);

/*  The row of an address, or NULL.  Whoever asks for one address after the
    other, ascending, begins with '*at' 0 and leaves it alone.  */
const hub_row_t *hub_rows_next (const hub_rows_t *self, size_t *at,
                                const sh_addr_t *ip);

bool hub_agent_updates_tag (const hub_agent_t *self, int tag);

#endif
