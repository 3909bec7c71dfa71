/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/events.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clean.h"
#include "lib/log.h"

#define PAUSE_MS 60000 /* when the table is locked, or nobody is there */

static bool
s_grow (hub_events_t *self, size_t more)
{
    if (self->count + more <= self->room)
        return true;
    size_t room = self->count + more;
    room = room < HUB_EVENTS_MOST / 2 ? room * 2 : HUB_EVENTS_MOST;
    hub_event_t *items = realloc (self->items, room * sizeof *items);
    if (!items)
        return false;
    self->items = items;
    self->room = room;
    return true;
}

/*  phpIPAM shows details as HTML.  */
static void
s_take_agent (hub_event_t *self, const char *name)
{
    sh_clean (self->agent, sizeof self->agent, name ? name : "");
    for (char *at = self->agent; *at; at++)
        if (strchr ("<>&\"'", *at))
            *at = '?';
}

void
hub_events_note (hub_events_t *self, const hub_part_t *part,
                 const sh_wall_t *wall)
{
    assert (self && part && part->changes && wall);
    const hub_changes_t *changes = part->changes;
    size_t count = part->no_inserts == SH_OK ? changes->insert_count : 0;
    size_t left = HUB_EVENTS_MOST - self->count;
    size_t some = count < left ? count : left;
    if (!s_grow (self, some))
        some = 0;
    self->dropped += count - some;
    for (size_t i = 0; i < some; i++) {
        const hub_insert_t *insert = &changes->inserts[i];
        hub_event_t *one = &self->items[self->count++];
        *one = (hub_event_t){ .subnet = changes->subnet,
                              .ip = insert->ip,
                              .written = *wall };
        snprintf (one->hostname, sizeof one->hostname, "%s",
                  insert->hostname ? insert->hostname : "");
        snprintf (one->mac, sizeof one->mac, "%s",
                  insert->mac ? insert->mac : "");
        s_take_agent (one, part->agent.name);
    }
}

/*  Busy or away: later.  Anything else is the table's, or our rights'; what to
    do was said where it failed.  */
static void
s_settle (hub_events_t *self, sh_err_t rc, size_t written, int64_t now)
{
    self->again = sh_err_class (rc) == SH_CLASS_RETRY ? now + PAUSE_MS : 0;
    self->count -= written;
    memmove (self->items, self->items + written,
             self->count * sizeof *self->items);
    if (rc == SH_OK && self->dropped > 0) {
        sh_log (SH_LOG_WARNING, "events of new hosts are missing in phpIPAM's "
                                "logs: too many waited",
                SH_INT ("events", self->dropped));
        self->dropped = 0;
    }
    if (self->again == 0)
        self->count = 0;
}

void
hub_events_write (hub_events_t *self, hub_store_t *store,
                  const sh_clock_t *clock)
{
    assert (self && store && clock);
    int64_t now = sh_clock_mono (clock);
    if (self->count == 0 || now < self->again)
        return;
    size_t written = 0;
    sh_err_t rc = store->write_events (store, self->items, self->count,
                                       &written);
    s_settle (self, rc, written, now);
}

void
hub_events_clear (hub_events_t *self)
{
    assert (self);
    free (self->items);
    *self = (hub_events_t){ 0 };
}

void
hub_event_details (const hub_event_t *self, char *out, size_t size)
{
    char ip[SH_ADDR_TEXT];
    sh_addr_text (&self->ip, ip);
    snprintf (out, size,
              "Found by scan agent %s<hr>ip_addr: %s<br>subnetId: %" PRIu64
              "<br>hostname: %s<br>mac: %s",
              self->agent, ip, self->subnet,
              *self->hostname ? self->hostname : "NULL",
              *self->mac ? self->mac : "NULL");
}
