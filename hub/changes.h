/* SPDX-License-Identifier: MPL-2.0 */
/*  phpIPAM's rules: what a report part changes, given the rows that exist.
    Pure: no database, no clock, no socket.  Every rule that decides whether a
    row is written stands here; the store only carries it out.  */

#ifndef HUB_CHANGES_H
#define HUB_CHANGES_H

#include "hub/policy.h"
#include "hub/rows.h"
#include "hub/sightings.h"

/*  Everything a decision may depend on; all borrowed.  */
typedef struct
{
    const sp_report_t *report;
    const hub_agent_t *agent;
    const hub_subnet_t *subnet;
    const hub_sightings_t *sightings; /* of a part with hosts */
    const hub_rows_t *rows; /* its hosts' rows; for a closing part those of
                               hub_changes_range */
    hub_policy_t policy;
    sh_zone_t zone;   /* phpIPAM's */
    int64_t received; /* epoch ms, the hub's clock */
    int64_t now;      /* epoch seconds, the hub's clock */
    int64_t begun;    /* the same: the hub's start */
    bool by_hand; /* a person applies it: what was written since does not make
                     it late, and nothing of it is held */
} hub_facts_t;

/*  lastSeen of one row goes to 'wall'.  */
typedef struct
{
    uint64_t row;
    sh_wall_t wall;
} hub_seen_t;

/*  Why a text may be replaced; the store guards the UPDATE by the same.  */
typedef enum
{
    HUB_GROUND_POLICY, /* the administrator's policy is follow */
    HUB_GROUND_MADE,   /* a scanner made the row and nobody touched it */
    HUB_GROUND_DHCP    /* its tag is DHCP */
} hub_ground_t;

/*  A text column of one row goes from 'old' (as read; "" for empty) to
    'fresh'; with 'follow' it may replace what is there if that is still
    'old', else it may only fill.  Texts are owned by the changes.  */
typedef struct
{
    uint64_t row;
    const char *old, *fresh;
    bool follow;
    hub_ground_t ground;
} hub_text_t;

/*  A tag goes from 'old' to 'fresh'.  */
typedef struct
{
    uint64_t row;
    int old, fresh;
} hub_tag_t;

typedef struct
{
    sh_addr_t ip;
    sh_wall_t wall;
    const char *hostname; /* owned by the changes; NULL for none */
    const char *mac;      /* owned by the changes; NULL for none */
} hub_insert_t;

/*  A MAC that differs from the stored one; to be told once per row and MAC. */
typedef struct
{
    uint64_t row;
    sh_addr_t ip;
    const char *stored, *reported; /* owned by the changes */
    bool written; /* policy let it replace the stored one */
} hub_differs_t;

typedef struct hub_changes hub_changes_t;

struct hub_changes
{
    uint64_t subnet;
    /*  A stored time whose text is above this is in the future by more than
        60 s, wrong by definition, and gives way to any sighting.  */
    sh_wall_t limit;
    sh_wall_t start; /* the scan's */
    /*  A row whose lastSeen is below this has been silent: 'start', or less
        where clocks went back since, or where the hub that took the hosts may
        have spared their rows, for then a host that answered in the scan may
        carry an earlier text.  */
    sh_wall_t silent;
    const char *agent_name; /* for the note of new rows; borrowed */

    hub_seen_t *seen; /* ascending by row */
    size_t seen_count;
    hub_text_t *names, *macs; /* ascending by follow, ground, row */
    size_t name_count, mac_count;
    hub_tag_t *used;    /* went online; ascending by old, then row */
    hub_tag_t *offline; /* silent; ascending by old, then row */
    size_t used_count, offline_count;
    hub_insert_t *inserts; /* ascending by address */
    size_t insert_count;
    bool set_last_scan, set_last_discovery; /* to 'start' */

    hub_differs_t *differs;
    size_t differ_count;
    size_t confirmed; /* rows that were sighted */
    /*  Of them those whose lastSeen stays before 'start', for it is new enough
        by policy.seen_granularity: they have not been silent.  */
    size_t spared;
    size_t skipped;   /* hosts without a row and no leave to make one; excluded */
    /*  Of a closing part: rows that count as online now and could go Offline,
        and how many of them it covers.  */
    size_t known, known_covered;

    void *memory;
};

/*  Of a closing part: where the rows are that it may set to Offline; 'most' is
    left as it is.  False if there can be none.  'rows' is not looked at.  */
bool hub_changes_range (hub_range_t *out, const hub_facts_t *facts);

#define HUB_DESCRIPTION "-- autodiscovered --"
#define HUB_FUTURE_S 60

/*  '*out' is new and the caller's; it borrows the agent's name.
    SH_E_BAD_TIME: the scan's start cannot be stored; SH_E_MEMORY.  */
sh_err_t hub_changes_plan (hub_changes_t **out, const hub_facts_t *facts)
    SH_MUST_CHECK;
void hub_changes_destroy (hub_changes_t **self_p);

/*  The note of a new row, in phpIPAM's agent's words; cut to 'size'.  */
void hub_changes_note (const hub_changes_t *self, const hub_insert_t *row,
                       char *out, size_t size);

/*  phpIPAM's rule for a tag when a host answered or was silent; exported for
    its table test.  True and the new tag if the tag changes.  */
bool hub_tag_when_seen (const hub_agent_t *agent, const hub_row_t *row,
                        int *fresh);
bool hub_tag_when_silent (const hub_agent_t *agent, const hub_row_t *row,
                          int *fresh);

#endif
