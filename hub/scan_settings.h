/* SPDX-License-Identifier: MPL-2.0 */
/*  How and when subnets are scanned, as an administrator says it in the hub's
    file: for the whole hub, for an agent (by its name in phpIPAM), for all
    subnets within a prefix and for one subnet (by its id).  The narrower level
    wins, field by field, and a longer prefix is narrower; what is excluded adds
    up.  Plain values; nothing here knows the file.  */

#ifndef HUB_SCAN_SETTINGS_H
#define HUB_SCAN_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/ranges.h"
#include "scanner-proto/message.h"

#define HUB_SCAN_NEVER UINT32_MAX /* in the place of seconds */
#define HUB_SCAN_CHECK_S 300      /* without a word in the file */
#define HUB_SCAN_DISCOVER_S 3600

typedef enum
{
    HUB_IPV6_INHERIT,
    HUB_IPV6_OFF,
    HUB_IPV6_STABLE,
    HUB_IPV6_ALL
} hub_ipv6_t;

/*  What one level says; zeros say nothing.  */
typedef struct
{
    uint32_t check, discover; /* seconds from scan to scan, or NEVER */
    uint32_t rate;            /* probes per second */
    int ipv6;                 /* hub_ipv6_t */
    sh_ranges_t exclude;
    bool has_quiet; /* no hours at all can be said, too */
    sp_hours_t quiet[SP_QUIET_MOST];
    size_t quiet_count;
} hub_scan_level_t;

typedef enum
{
    HUB_LEVEL_AGENT, /* from wide to narrow */
    HUB_LEVEL_PREFIX,
    HUB_LEVEL_SUBNET
} hub_level_t;

typedef struct
{
    hub_level_t kind;
    char *agent; /* AGENT: owned */
    sh_prefix_t prefix;
    uint64_t subnet;
    hub_scan_level_t level;
} hub_scan_entry_t;

typedef struct
{
    hub_scan_level_t hub;
    hub_scan_entry_t *entries;
    size_t count;
} hub_scan_settings_t;

/*  What is in force for one subnet.  */
typedef struct
{
    uint32_t check, discover; /* seconds, or NEVER */
    uint32_t rate;            /* 0: the site's own */
    int ipv6;                 /* not INHERIT */
    sp_hours_t quiet[SP_QUIET_MOST];
    size_t quiet_count;
    sh_ranges_t skip; /* owned; ascending, apart, at most SP_SKIP_MOST */
    bool widened;      /* there were more: 'skip' has addresses in it that
                          nobody excluded */
} hub_scan_rule_t;

/*  Every 300 s, every 3600 s, stable; no entries.  */
void hub_scan_settings_init (hub_scan_settings_t *self);
void hub_scan_settings_clear (hub_scan_settings_t *self);

/*  When all entries are in: put them into the order that is wanted below.  */
void hub_scan_settings_settle (hub_scan_settings_t *self);

/*  What is in force for a subnet of an agent (NULL: of one without a name).
    'out' is overwritten, and the caller's to clear.  SH_E_MEMORY.  */
sh_err_t hub_scan_rule_make (hub_scan_rule_t *out,
                             const hub_scan_settings_t *self,
                             const char *agent, uint64_t subnet,
                             const sh_prefix_t *prefix) SH_MUST_CHECK;
void hub_scan_rule_clear (hub_scan_rule_t *self);

/*  "22:00-06:00", hours 0 to 23 or 24:00 as the day's end; 00:00-24:00 becomes
    two equal times, as on the wire.  SH_E_SYNTAX; SH_E_EXISTS: two equal times,
    of which nobody knows whether they are the whole day or nothing.  */
sh_err_t hub_hours_parse (sp_hours_t *out, const char *text) SH_MUST_CHECK;

#define HUB_HOURS_TEXT 16

/*  The same back; "all day".  */
void hub_hours_text (char out[static HUB_HOURS_TEXT],
                     const sp_hours_t *hours);

/*  "off", "stable", "all".  */
const char *hub_ipv6_word (int ipv6);

#endif
