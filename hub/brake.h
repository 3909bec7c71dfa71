/* SPDX-License-Identifier: MPL-2.0 */
/*  The brake: does a report change so much at once that a person should look
    first?  A router that answers ARP for everybody, a stolen key, a broken
    uplink look like that, and nobody has rights to clean up after them.  Pure;
    what is held back goes to hub/previews.h.  */

#ifndef HUB_BRAKE_H
#define HUB_BRAKE_H

#include "hub/changes.h"

/*  The default of max_new is half of the subnet's addresses, but not less than
    the first and not more than the second: half of what a part can have, or the
    default would never stop anything in a network of /19 or larger.  */
#define HUB_BRAKE_NEW_LEAST 256
#define HUB_BRAKE_NEW_MOST (SP_PART_HOSTS_MOST / 2)

/*  Percent, the default of max_offline.  */
#define HUB_BRAKE_OFFLINE_PERCENT 50

/*  Fewer hosts than that never act on the brake: two of three notebooks that go
    home are no incident, and in a small subnet they would be held each
    evening.  */
#define HUB_BRAKE_OFFLINE_LEAST 8

/*  Has a part with hosts more new rows than policy lets pass?  Not while the
    subnet was never scanned: then all of them are new.  */
bool hub_brake_stops_new (const hub_facts_t *facts,
                          const hub_changes_t *changes);

/*  Of 'known' hosts that count as online, may 'going' become Offline by one
    closing part?  */
bool hub_brake_stops_offline (const hub_facts_t *facts, uint64_t known,
                              uint64_t going);

/*  Are there several closing parts to this report?  Each of them knows of its
    own ranges alone, so it is judged by the hosts in these.  */
bool hub_brake_sees_a_part (const sp_report_t *report);

/*  Take all but the times out of 'changes' and into '*held', which borrows from
    it; with 'all' the times as well.  */
void hub_brake_hold (hub_changes_t *changes, bool all, hub_changes_t *held);

/*  How many changes of rows, as in a verdict: new ones, names, MACs, tags.  */
uint64_t hub_brake_weight (const hub_changes_t *changes);

#endif
