/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/inquiry.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scanner/neighbours.h"
#include "scanner/sweep.h"
#include "scanner/trouble.h"

#define MS INT64_C (1000000)
#define AT_ONCE 64        /* probes of one call: the owner has more to do */
#define TICK MS           /* a faster pace comes in groups */
#define TRIES 10          /* after an error that may pass */
#define FIRST_PAUSE (2 * MS)
#define PAUSE_MOST (100 * MS)
#define FULL_PAUSE (5 * MS) /* until a TCP connection may have ended */
#define PASSES 2
#define PASSES_KNOWN 4

/*  Probes that were sent, by tenths of a second.  */
#define TENTH (100 * MS)
#define TENTHS 10

struct sc_inquiry
{
    sc_means_t *means;
    const sc_job_t *job;
    const sh_clock_t *clock;
    sc_links_t links;
    sc_sweep_t *sweep;
    sc_search_t search;
    sc_result_t result;
    sc_trouble_t trouble;
    uint8_t key[SC_KEY_BYTES];
    uint16_t ident, sequence;
    bool by_tcp;      /* there is no other way for this family */
    sc_pace_t pace;   /* the job's own, if it names one */
    sc_slot_t slot;
    unsigned tries;   /* failures in a row that may pass */
    int64_t retry_at; /* 0: now */
    sh_err_t rc;      /* what ends it before its time */
    int64_t began;
    struct
    {
        int64_t tenth;
        uint32_t count;
    } sent[TENTHS];
};

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

/*  One that is in the sweep, or was called.  True if it was news.  */
static bool
s_answered (sc_inquiry_t *self, const sh_addr_t *addr, const char *how,
            const uint8_t *mac, int64_t asked_at, int64_t now)
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
    if (sc_ranges_contain (self->job->ranges, addr))
        return s_answered (self, addr, how, mac, asked_at, now);
    bool is_new = false;
    sh_err_t rc = sc_search_note (&self->search, addr, &is_new);
    if (rc == SH_OK && is_new)
        rc = s_found (self, addr, how, mac);
    if (rc != SH_E_TOO_LARGE) /* beyond that the others are left out */
        self->rc = rc;
    return is_new;
}

/*  An address of our own does not answer us on its link; it is up all the
    same.  */
static void
s_find_own (sc_inquiry_t *self, int64_t now)
{
    for (size_t i = 0; i < self->links.count && self->rc == SH_OK; i++) {
        const sc_own_t *own = &self->links.items[i];
        if (sc_ranges_contain (self->job->ranges, &own->addr))
            (void) s_answered (self, &own->addr, "local", own->mac, -1, now);
        else if (sc_search_takes (&self->search, &own->addr, &own->addr,
                                  own->index, own->mac))
            (void) s_heard (self, &own->addr, "local", own->mac, -1, now);
    }
}

/* life */

static uint8_t
s_family (const sc_job_t *job)
{
    return job->ranges->count ? job->ranges->items[0].first.family : 6;
}

static sh_err_t
s_plan (sc_inquiry_t *self)
{
    sc_sweep_options_t options = { .ranges = self->job->ranges,
                                   .known = self->job->known,
                                   .passes = PASSES,
                                   .more = PASSES_KNOWN,
                                   .thorough = true,
                                   .chance = randombytes_random () };
    if (self->by_tcp) { /* each port once, at least */
        uint32_t ports = (uint32_t) self->means->settings->tcp_port_count;
        options.passes = ports < PASSES ? PASSES : ports;
        options.more = 2 * options.passes;
        options.thorough = false; /* other ports find others anyway */
    }
    return sc_sweep_new (&self->sweep, &options);
}

sh_err_t
sc_inquiry_new (sc_inquiry_t **out, sc_means_t *means, const sc_job_t *job,
                const sh_clock_t *clock, int64_t now, sh_why_t *why)
{
    sc_inquiry_t *self = calloc (1, sizeof *self);
    if (!self)
        return sh_fail (why, SH_E_MEMORY, "%s", sh_err_text (SH_E_MEMORY));
    self->means = means;
    self->job = job;
    self->clock = clock;
    self->began = now;
    self->by_tcp = s_family (job) == 4 ? means->sockets.echo4 < 0
                                       : means->sockets.echo6 < 0;
    randombytes_buf (self->key, sizeof self->key);
    self->ident = (uint16_t) randombytes_random ();
    if (job->rate) {
        self->pace.chance = randombytes_random ();
        sc_pace_set (&self->pace, job->rate, now);
    }
    sh_err_t rc = sc_links_read (&self->links, why);
    if (rc == SH_OK) {
        rc = s_plan (self);
        if (rc != SH_OK)
            (void) sh_fail (why, rc, "%s", sh_err_text (rc));
    }
    if (rc != SH_OK) {
        sc_inquiry_destroy (&self);
        return rc;
    }
    if (means->sockets.discovery >= 0)
        sc_search_begin (&self->search, job, &self->links);
    s_find_own (self, now);
    *out = self;
    return SH_OK;
}

void
sc_inquiry_destroy (sc_inquiry_t **self_p)
{
    sc_inquiry_t *self = *self_p;
    if (!self)
        return;
    sc_tcp_forget (self->means->tcp, self);
    sc_search_clear (&self->search);
    sc_sweep_destroy (&self->sweep);
    sc_links_clear (&self->links);
    sc_result_clear (&self->result);
    sodium_memzero (self->key, sizeof self->key);
    free (self);
    *self_p = NULL;
}

/* asking */

static void
s_count (sc_inquiry_t *self, int64_t now)
{
    int64_t tenth = now / TENTH;
    size_t place = (size_t) (tenth % TENTHS);
    if (self->sent[place].tenth != tenth) {
        self->sent[place].tenth = tenth;
        self->sent[place].count = 0;
    }
    self->sent[place].count++;
}

static int
s_ask_tcp (sc_inquiry_t *self, const sh_addr_t *addr, int64_t now)
{
    const sc_builtin_settings_t *settings = self->means->settings;
    size_t pass = sc_sweep_pass (self->sweep) - 1;
    uint16_t port = settings->tcp_ports[pass % settings->tcp_port_count];
    bool up = false;
    int error = sc_tcp_ask (self->means->tcp, self, addr, port, now, &up);
    if (up)
        (void) s_answered (self, addr, "tcp", NULL, now, now);
    return error;
}

static int
s_ask_address (sc_inquiry_t *self, const sh_addr_t *addr, int64_t now)
{
    const sc_sockets_t *sockets = &self->means->sockets;
    bool is4 = addr->family == 4;
    const sc_own_t *own = (is4 ? sockets->arp : sockets->discovery) >= 0
                              ? sc_links_to (&self->links, addr)
                              : NULL;
    if (own)
        return sc_way_link_ask (sockets, own, addr);
    if (self->by_tcp)
        return s_ask_tcp (self, addr, now);
    sc_mark_t mark;
    sc_mark_make (&mark, self->key, addr, now - self->began);
    return sc_way_echo_ask (sockets, addr, self->ident, self->sequence++,
                            &mark);
}

static int
s_call (sc_inquiry_t *self, int64_t now)
{
    sc_call_t call;
    const sc_own_t *own = sc_search_next (&self->search, &call);
    sh_addr_t all = sc_all_nodes ();
    sc_mark_t mark;
    sc_mark_make (&mark, self->key, &all, now - self->began);
    return sc_way_link_call (&self->means->sockets, own, call,
                             self->sequence++, &mark);
}

/*  After an error that may pass: is it worth to wait?  When it has not passed
    for a while, further addresses do not wait for it again.  */
static bool
s_waits (sc_inquiry_t *self, int error, int64_t now)
{
    if (error == EBUSY && self->by_tcp) {
        self->retry_at = now + FULL_PAUSE;
        return true;
    }
    if (!sc_trouble_is_brief (error) || self->tries >= TRIES)
        return false;
    int64_t pause = FIRST_PAUSE << self->tries++;
    self->retry_at = now + (pause < PAUSE_MOST ? pause : PAUSE_MOST);
    return true;
}

/*  What there is to be asked now: an address, or all nodes (then of family
    0).  */
static sc_turn_t
s_turn (sc_inquiry_t *self, int64_t now, sh_addr_t *addr, int64_t *due)
{
    sc_turn_t turn = sc_sweep_turn (self->sweep, now, addr, due);
    if (turn == SC_TURN_ASK || sc_search_is_over (&self->search, now))
        return turn;
    int64_t next = sc_search_due (&self->search, now);
    if (turn == SC_TURN_OVER || next < *due)
        *due = next;
    *addr = (sh_addr_t){ 0 };
    return next <= now ? SC_TURN_ASK : SC_TURN_WAIT;
}

static void
s_settle (sc_inquiry_t *self, const sh_addr_t *addr, int error, int64_t now)
{
    if (!addr->family)
        sc_search_called (&self->search, now);
    else if (error == 0)
        sc_sweep_asked (self->sweep, now);
    else
        sc_sweep_failed (self->sweep);
    if (error)
        sc_trouble_add (&self->trouble, error);
}

/*  One probe.  False: not now, but at '*due'.  */
static bool
s_ask (sc_inquiry_t *self, const sh_addr_t *addr, int64_t now, int64_t *due)
{
    sc_pace_t *pace = self->job->rate ? &self->pace : &self->means->pace;
    *due = sc_pace_due (pace, &self->slot, now);
    if (*due > now) {
        if (*due < now + TICK)
            *due = now + TICK;
        return false;
    }
    int error = addr->family ? s_ask_address (self, addr, now)
                             : s_call (self, now);
    if (error && s_waits (self, error, now)) {
        *due = self->retry_at;
        return false;
    }
    if (error == 0) { /* what was not sent takes nothing of the pace */
        (void) sc_pace_take (pace, &self->slot, now);
        self->tries = 0;
        s_count (self, now);
    }
    s_settle (self, addr, error, now);
    return true;
}

/* the end */

/*  An address on a link that is down by now may have been asked in vain.  */
static bool
s_is_unsure (void *context, const sh_addr_t *addr)
{
    const sc_inquiry_t *self = ((void **) context)[0];
    const sc_links_t *links = ((void **) context)[1];
    const sc_own_t *own = sc_links_to (&self->links, addr);
    return own && !sc_links_run (links, own->index);
}

static void
s_judge (sc_inquiry_t *self)
{
    sc_links_t links = { 0 };
    sc_result_t *result = &self->result;
    uint64_t count = sc_sweep_count (self->sweep);
    if (self->rc == SH_OK)
        self->rc = sc_links_read (&links, NULL);
    if (self->rc == SH_OK)
        self->rc = sc_sweep_missed (self->sweep, &result->missed, s_is_unsure,
                                    (void *[]){ self, &links });
    sc_links_clear (&links);
    if (self->rc != SH_OK) {
        (void) snprintf (result->text, sizeof result->text, "%s",
                         sh_err_text (self->rc));
        return;
    }
    uint64_t missed = sc_ranges_count (&result->missed);
    if (missed)
        sc_trouble_text (&self->trouble, missed, count, result->text,
                         sizeof result->text);
    result->complete = missed == 0 || missed < count;
}

bool
sc_inquiry_work (sc_inquiry_t *self, int64_t now, int64_t *due)
{
    if (self->retry_at > now && self->rc == SH_OK) {
        *due = self->retry_at;
        return false;
    }
    self->retry_at = 0;
    for (unsigned i = 0; i < AT_ONCE && self->rc == SH_OK; i++) {
        sh_addr_t addr;
        switch (s_turn (self, now, &addr, due)) {
        case SC_TURN_ASK:
            if (!s_ask (self, &addr, now, due))
                return false;
            break;
        case SC_TURN_WAIT:
            return false;
        case SC_TURN_OVER:
            s_judge (self);
            return true;
        }
    }
    *due = now;
    if (self->rc == SH_OK)
        return false;
    s_judge (self);
    return true;
}

/* answers */

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
    return s_answered (self, &reply->from, arp ? "arp" : "nd",
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

bool
sc_inquiry_take (sc_inquiry_t *self, const sc_reply_t *reply, int64_t now)
{
    if (self->rc != SH_OK)
        return false;
    if (reply->kind == SC_REPLY_CALL)
        return s_take_call (self, reply, now);
    if (reply->kind != SC_REPLY_ECHO)
        return s_take_link (self, reply, now);
    int64_t asked_at = s_asked_at (self, &reply->mark, &reply->from, now);
    if (asked_at < 0 || !sc_sweep_expects (self->sweep, &reply->from))
        return false;
    return s_answered (self, &reply->from, "echo", NULL, asked_at, now);
}

void
sc_inquiry_take_tcp (sc_inquiry_t *self, const sh_addr_t *addr,
                     int64_t asked_at, int64_t now)
{
    if (self->rc == SH_OK && sc_sweep_expects (self->sweep, addr))
        (void) s_answered (self, addr, "tcp", NULL, asked_at, now);
}

void
sc_inquiry_progress (const sc_inquiry_t *self, int64_t now,
                     sc_progress_t *out)
{
    *out = (sc_progress_t){ .done = sc_sweep_done (self->sweep),
                            .total = sc_sweep_count (self->sweep),
                            .up = self->result.count };
    for (size_t i = 0; i < TENTHS; i++)
        if (self->sent[i].tenth > now / TENTH - TENTHS)
            out->rate += self->sent[i].count;
}

sc_result_t *
sc_inquiry_result (sc_inquiry_t *self)
{
    return &self->result;
}
