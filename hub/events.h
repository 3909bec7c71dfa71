/* SPDX-License-Identifier: MPL-2.0 */
/*  New hosts for phpIPAM's Events page (phpipam_log: events), as its own cron
    tells them.  They are noted when a report is committed and written when its
    verdict is on its way, so they can neither fail nor delay one.  Belongs to
    one intake.  */

#ifndef HUB_EVENTS_H
#define HUB_EVENTS_H

#include "hub/part.h"
#include "hub/store.h"

#define HUB_EVENTS_MOST 8192 /* that wait to be written */

struct hub_event
{
    uint64_t subnet;
    sh_addr_t ip;
    sh_wall_t written;              /* in phpIPAM's zone */
    char hostname[SH_HOSTNAME_TEXT]; /* "": none */
    char mac[SH_MAC_TEXT];           /* likewise */
    char agent[64];                  /* its name, fit for a page of HTML */
};

typedef struct
{
    hub_event_t *items;
    size_t count, room;
    uint64_t dropped; /* for which there was no room; until it is said */
    int64_t again;    /* mono ms: not before */
} hub_events_t;

/*  The new rows of a part that was committed at 'wall'.  */
void hub_events_note (hub_events_t *self, const hub_part_t *part,
                      const sh_wall_t *wall);

/*  Write what was noted.  What the database cannot take for now is tried again
    later, after a pause; what it refuses is dropped.  */
void hub_events_write (hub_events_t *self, hub_store_t *store,
                       const sh_clock_t *clock);

void hub_events_clear (hub_events_t *self);

/*  The text for the column 'details', cut to 'size'.  */
void hub_event_details (const hub_event_t *self, char *out, size_t size);

#endif
