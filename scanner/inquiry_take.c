/* SPDX-License-Identifier: MPL-2.0 */
/*  Whose answer counts.  */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "scanner/inquiry_self.h"

static sh_err_t
s_found (sc_inquiry_t *self, const sh_addr_t *addr, const char *how,
         const uint8_t *mac)
{
    sc_host_t host
        = { .ip = *addr, .seen = sh_clock_wall (self->clock) };
    if (mac)
        sc_mac_text (host.mac, mac);
    (void) snprintf (host.how, sizeof host.how, "%s", how);
    return sc_result_add (&self->result, &host);
}

bool
sc_inquiry_answered (sc_inquiry_t *self, const sh_addr_t *addr,
                     const char *how, const uint8_t *mac, int64_t asked_at,
                     int64_t now)
{
    if (!sc_sweep_answer (self->sweep, addr, asked_at, now))
        return false;
    self->rc = s_found (self, addr, how, mac);
    return true;
}

/*  A neighbour that may be out of the sweep's sight.  */
static bool
s_heard (sc_inquiry_t *self, const sh_addr_t *addr, const char *how,
         const uint8_t *mac, int64_t asked_at, int64_t now)
{
    if (sh_ranges_contain (self->job->ranges, addr))
        return sc_inquiry_answered (self, addr, how, mac, asked_at, now);
    bool is_new = false;
    sh_err_t rc = sc_search_note (&self->search, addr, mac, &is_new);
    if (rc == SH_OK && is_new)
        rc = s_found (self, addr, how, mac);
    if (rc != SH_E_TOO_LARGE) /* beyond that the others are left out */
        self->rc = rc;
    return is_new;
}

/*  An address of our own does not answer us on its link; it is up all the
    same.  */
void
sc_inquiry_find_own (sc_inquiry_t *self, int64_t now)
{
    for (size_t i = 0; i < self->links.count && self->rc == SH_OK; i++) {
        const sc_own_t *own = &self->links.items[i];
        if (sh_ranges_contain (self->job->ranges, &own->addr))
            (void) sc_inquiry_answered (self, &own->addr, "local", own->mac,
                                        -1, now);
        else if (sc_search_takes (&self->search, &own->addr, &own->addr,
                                  own->index, own->mac))
            (void) s_heard (self, &own->addr, "local", own->mac, -1, now);
    }
}

static bool
s_take_link (sc_inquiry_t *self, const sc_reply_t *reply, int64_t now)
{
    bool arp = reply->kind == SC_REPLY_ARP;
    const sc_own_t *own = sc_links_to (&self->links, &reply->from);
    if (!own || own->index != reply->link
        || sh_addr_cmp (&own->addr, &reply->to) != 0
        || (arp && memcmp (own->mac, reply->to_mac, SC_MAC_BYTES) != 0)
        || !sc_sweep_expects (self->sweep, &reply->from))
        return false;
    return sc_inquiry_answered (self, &reply->from, arp ? "arp" : "nd",
                                reply->has_mac ? reply->mac : NULL, -1, now);
}

/*  When a mark was made, by our clock; -1 if it cannot be ours.  */
static int64_t
s_asked_at (const sc_inquiry_t *self, const sc_mark_t *mark,
            const sh_addr_t *addr, int64_t now)
{
    if (mark->asked_at < 0 || mark->asked_at > now - self->began
        || !sc_mark_is_of (mark, self->key, addr))
        return -1;
    return self->began + mark->asked_at;
}

static bool
s_take_call (sc_inquiry_t *self, const sc_reply_t *reply, int64_t now)
{
    sh_addr_t all = sc_all_nodes ();
    int64_t asked_at = s_asked_at (self, &reply->mark, &all, now);
    if (asked_at < 0 || !reply->has_mac
        || !sc_search_takes (&self->search, &reply->from, &reply->to,
                             reply->link, reply->mac))
        return false;
    return s_heard (self, &reply->from, "echo", reply->mac, asked_at, now);
}

/*  Only our own kernel's word counts, not a router's; and a neighbour that does
    not say where it is, is silent like any other.  */
static void
s_take_failure (sc_inquiry_t *self, const sc_reply_t *reply, int64_t now)
{
    bool unresolved = reply->error == EHOSTUNREACH;
    if ((reply->to.family && !sc_links_own (&self->links, &reply->to))
        || (unresolved && sc_links_to (&self->links, &reply->from))
        || !sc_sweep_expects (self->sweep, &reply->from)
        || s_asked_at (self, &reply->mark, &reply->from, now) < 0)
        return;
    sc_sweep_unask (self->sweep, &reply->from);
    sc_trouble_add (&self->trouble, unresolved ? EHOSTDOWN : reply->error);
}

bool
sc_inquiry_take (sc_inquiry_t *self, const sc_reply_t *reply, int64_t now)
{
    if (self->rc != SH_OK)
        return false;
    if (reply->kind == SC_REPLY_CALL)
        return s_take_call (self, reply, now);
    if (reply->kind == SC_REPLY_FAILURE) {
        s_take_failure (self, reply, now);
        return false;
    }
    if (reply->kind != SC_REPLY_ECHO)
        return s_take_link (self, reply, now);
    /* the mark says that it was asked, also if another of its probes failed */
    int64_t asked_at = s_asked_at (self, &reply->mark, &reply->from, now);
    if (asked_at < 0)
        return false;
    return sc_inquiry_answered (self, &reply->from, "echo", NULL, asked_at,
                                now);
}

void
sc_inquiry_take_tcp (sc_inquiry_t *self, const sh_addr_t *addr,
                     int64_t asked_at, int64_t now)
{
    if (self->rc == SH_OK && sc_sweep_expects (self->sweep, addr))
        (void) sc_inquiry_answered (self, addr, "tcp", NULL, asked_at, now);
}
