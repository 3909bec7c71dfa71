/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scanner/inquiry_self.h"
#include "scanner/routes.h"

#define MS INT64_C (1000000)
#define AT_ONCE 64        /* probes of one call: the owner has more to do */
#define TICK MS           /* a faster pace comes in groups */
#define TRIES 10          /* after an error that may pass */
#define FIRST_PAUSE (2 * MS)
#define PAUSE_MOST (100 * MS)
#define FULL_PAUSE (5 * MS) /* until a TCP connection may have ended */
#define PASSES 2
#define PASSES_KNOWN 4
#define EXACT_MOST 16384 /* addresses whose routes are looked up one by one */

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
        sc_search_begin (&self->search, job, &self->links, self->key);
    sc_inquiry_find_own (self, now);
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

static int
s_ask_tcp (sc_inquiry_t *self, const sh_addr_t *addr, int64_t now)
{
    const sc_builtin_settings_t *settings = self->means->settings;
    size_t pass = sc_sweep_pass (self->sweep) - 1;
    uint16_t port = settings->tcp_ports[pass % settings->tcp_port_count];
    bool up = false;
    int error = sc_tcp_ask (self->means->tcp, self, addr, port, &self->links,
                            now, &up);
    if (up)
        (void) sc_inquiry_answered (self, addr, "tcp", NULL, now, now);
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
        sc_meter_count (&self->sent, now);
    }
    s_settle (self, addr, error, now);
    return true;
}

/* the end */

typedef struct
{
    const sc_inquiry_t *self;
    sc_links_t links; /* of the end */
    sc_routes_t routes;
    uint64_t lost[4]; /* addresses, by what sc_routes_to says of them */
    sh_addr_t block;  /* the last one that was looked up, and what it said */
    sc_route_t route;
} verdict_t;

/*  An address on a link that is down by now may have been asked in vain.  */
static bool
s_is_cut (const verdict_t *verdict, const sh_addr_t *addr)
{
    const sc_own_t *own = sc_links_to (&verdict->self->links, addr);
    return own && !sc_links_run (&verdict->links, own->index);
}

/*  A look-up takes microseconds, which of a million addresses is seconds: of
    many, 16 in a row are taken to go the same way.  */
static sc_route_t
s_route (verdict_t *verdict, const sh_addr_t *addr)
{
    sh_addr_t block = *addr;
    if (sc_sweep_count (verdict->self->sweep) > EXACT_MOST)
        block.bytes[addr->family == 4 ? 3 : 15] &= 0xf0;
    if (sh_addr_cmp (&block, &verdict->block) != 0)
        verdict->route
            = sc_routes_to (&verdict->routes, &verdict->links, addr);
    verdict->block = block;
    return verdict->route;
}

/*  The same of one elsewhere, if nothing that is sent there leaves us.  */
static bool
s_is_unsure (void *context, const sh_addr_t *addr)
{
    verdict_t *verdict = context;
    if (sc_links_to (&verdict->self->links, addr))
        return s_is_cut (verdict, addr);
    sc_route_t route = s_route (verdict, addr);
    verdict->lost[route]++;
    return route != SC_ROUTE_WORKS;
}

/*  While a link goes down, sending fails in several ways.  */
static bool
s_lost_link (const verdict_t *verdict)
{
    const sh_ranges_t *missed = &verdict->self->result.missed;
    if (verdict->lost[SC_ROUTE_NO_CARRIER])
        return true;
    for (size_t i = 0; i < missed->count; i++)
        if (s_is_cut (verdict, &missed->items[i].first))
            return true;
    return false;
}

/*  What nobody was told of while we asked.  */
static void
s_explain (sc_trouble_t *trouble, const verdict_t *verdict)
{
    if (s_lost_link (verdict))
        *trouble = (sc_trouble_t){ 0 };
    else if (verdict->lost[SC_ROUTE_NO_GATEWAY])
        sc_trouble_add (trouble, EHOSTDOWN);
    else if (verdict->lost[SC_ROUTE_NONE])
        sc_trouble_add (trouble, ENETUNREACH);
}

static void
s_judge (sc_inquiry_t *self)
{
    verdict_t verdict = { .self = self, .routes = { .fd = -1 } };
    sc_result_t *result = &self->result;
    uint64_t count = sc_sweep_count (self->sweep);
    sh_why_t why = { "" };
    sc_tcp_forget (self->means->tcp, self); /* no answer counts any more */
    if (self->rc == SH_OK)
        self->rc = sc_links_read (&verdict.links, &why);
    if (self->rc == SH_OK)
        self->rc = sc_routes_open (&verdict.routes, &why);
    if (self->rc == SH_OK)
        self->rc = sc_sweep_missed (self->sweep, &result->missed, s_is_unsure,
                                    &verdict);
    if (self->rc == SH_OK)
        s_explain (&self->trouble, &verdict);
    sc_routes_close (&verdict.routes);
    sc_links_clear (&verdict.links);
    if (self->rc != SH_OK) {
        (void) snprintf (result->text, sizeof result->text, "%.255s",
                         *why.text ? why.text : sh_err_text (self->rc));
        return;
    }
    uint64_t missed = sh_ranges_count (&result->missed);
    if (missed)
        sc_trouble_text (&self->trouble, missed, count, result->text,
                         sizeof result->text);
    result->complete = missed == 0 || missed < count;
}

/*  Behind what else is to be said: which neighbours were left out.  */
static void
s_finish (sc_inquiry_t *self)
{
    s_judge (self);
    char *text = self->result.text;
    char more[sizeof self->result.text];
    size_t used = strlen (text);
    sc_search_text (&self->search, more, sizeof more);
    if (*more)
        (void) snprintf (text + used, sizeof self->result.text - used, "%s%s",
                         used ? "; " : "", more);
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
            s_finish (self);
            return true;
        }
    }
    *due = now;
    if (self->rc == SH_OK)
        return false;
    s_finish (self);
    return true;
}

/* for the owner */

void
sc_inquiry_progress (const sc_inquiry_t *self, int64_t now,
                     sc_progress_t *out)
{
    *out = (sc_progress_t){ .done = sc_sweep_done (self->sweep),
                            .total = sc_sweep_count (self->sweep),
                            .up = self->result.count,
                            .rate = sc_meter_read (&self->sent, now) };
}

sc_result_t *
sc_inquiry_result (sc_inquiry_t *self)
{
    return &self->result;
}
