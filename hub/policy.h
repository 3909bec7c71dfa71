/* SPDX-License-Identifier: MPL-2.0 */
/*  What an administrator lets reports change, and how much of it at once: for
    the whole hub, for an agent (by its name in phpIPAM) and for a subnet (by
    its id).  The narrower one wins, field by field.  */

#ifndef HUB_POLICY_H
#define HUB_POLICY_H

#include <stddef.h>
#include <stdint.h>

typedef enum
{
    HUB_FIELD_INHERIT, /* only in agents' and subnets' entries */
    HUB_FIELD_NEVER,   /* rows that exist keep what they have */
    HUB_FIELD_FILL,    /* only empty values are filled */
    HUB_FIELD_FOLLOW,  /* the report's value replaces another */
    HUB_FIELD_AUTO     /* follow where a scanner made the row and nobody
                          touched it, or its tag is DHCP; else fill */
} hub_field_policy_t;

typedef enum
{
    HUB_TAGS_INHERIT,
    HUB_TAGS_NEVER,
    HUB_TAGS_PHPIPAM
} hub_tags_policy_t;

typedef enum
{
    HUB_PREVIEW_INHERIT,
    HUB_PREVIEW_NO,
    HUB_PREVIEW_YES /* what a report would change is kept, none written */
} hub_preview_policy_t;

typedef enum
{
    HUB_LIMIT_INHERIT,
    HUB_LIMIT_DEFAULT, /* of the hub; see hub/brake.h */
    HUB_LIMIT_OFF,
    HUB_LIMIT_SET
} hub_limit_kind_t;

typedef struct
{
    int kind;      /* hub_limit_kind_t */
    uint32_t most; /* of HUB_LIMIT_SET */
} hub_limit_t;

typedef struct
{
    int hostname; /* hub_field_policy_t */
    int mac;      /* hub_field_policy_t */
    int tags;     /* hub_tags_policy_t */
    int preview;  /* hub_preview_policy_t */
    hub_limit_t max_new;     /* rows */
    hub_limit_t max_offline; /* percent */
    hub_limit_t seen_granularity; /* seconds; SET with 0: none */
} hub_policy_t;

typedef struct
{
    char *agent;     /* or NULL for an entry by subnet */
    uint64_t subnet; /* or 0 */
    hub_policy_t policy;
} hub_policy_entry_t;

typedef struct
{
    hub_policy_t hub; /* no INHERIT in it */
    hub_policy_entry_t *entries;
    size_t count;
} hub_policies_t;

/*  Seconds that lastSeen may stay behind: half of what it takes by default until
    phpIPAM shows a host as no longer online (settings.pingStatus), for the time
    between two scans comes on top.  */
#define HUB_GRANULARITY_MOST 900

/*  auto, auto, phpipam, no preview, the brake's defaults, each lastSeen written;
    no entries.  */
void hub_policies_init (hub_policies_t *self);
void hub_policies_clear (hub_policies_t *self);

/*  The policy in force for a subnet of an agent; no INHERIT in it.  */
hub_policy_t hub_policy_for (const hub_policies_t *self, const char *agent,
                             uint64_t subnet);

#endif
