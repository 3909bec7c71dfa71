/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/bench/swarm_scanner.h"

#include <sodium.h>
#include <string.h>
#include <sys/epoll.h>

#include "lib/keyfile.h"
#include "scanner-proto/codec.h"

/*  The subnets k of from..to with k % agents == line % agents.  */
static bool
s_choose_subnets (sw_scanner_t *self, uint64_t line)
{
    const sw_options_t *options = self->swarm->options;
    uint64_t agents = options->agents, from = options->from;
    self->first = from + (line % agents + agents - from % agents) % agents;
    self->last = options->to;
    self->step = agents;
    self->subnet = self->first;
    if (self->first <= self->last || options->idle)
        return true;
    fprintf (stderr,
             "scanhub-swarm: scanner %" PRIu64 " has none of the subnets %"
             PRIu64 " to %" PRIu64 "\n", line, from, options->to);
    return false;
}

bool
sw_scanner_init (sw_scanner_t *self, sw_swarm_t *swarm, uint64_t number,
                 const char *line)
{
    const sw_options_t *options = swarm->options;
    char public_key[SH_KEY_TEXT] = "", secret_key[SH_KEY_TEXT] = "";
    *self = (sw_scanner_t){ .swarm = swarm, .number = number };
    self->retry = INT64_MAX;
    self->start = sw_now ()
                  + (int64_t) (options->ramp * 1e6 * (double) number
                               / (double) options->scanners);
    if (sscanf (line, "%40s %40s", public_key, secret_key) != 2) {
        fprintf (stderr, "scanhub-swarm: line %" PRIu64 " of %s is not PUBLIC "
                 "SECRET CODE\n", options->first + number, options->keys);
        return false;
    }
    sp_hub_t hub = { .endpoint = options->endpoint,
                     .public_key = options->server_key };
    sp_client_options_t client = { .hubs = &hub, .hub_count = 1,
                                   .public_key = public_key,
                                   .secret_key = secret_key,
                                   .version = "scanhub-swarm",
                                   .clock = sh_clock_system () };
    sh_why_t why = { "" };
    if (sp_client_new (&self->client, &client, &why) != SH_OK) {
        fprintf (stderr, "scanhub-swarm: %s\n", why.text);
        return false;
    }
    return s_choose_subnets (self, options->first + number);
}

void
sw_scanner_clear (sw_scanner_t *self)
{
    sp_client_destroy (&self->client);
}

/*  A session's sockets leave 'epoll' by themselves when they are closed.  */
static void
s_watch (sw_scanner_t *self)
{
    void *sockets[SP_CLIENT_SOCKETS];
    size_t count = sp_client_sockets (self->client, sockets);
    if (self->watched || count == 0)
        return;
    for (size_t i = 0; i < count; i++) {
        int fd = -1;
        size_t size = sizeof fd;
        struct epoll_event event = { .events = EPOLLIN | EPOLLET,
                                     .data.ptr = self };
        zmq_getsockopt (sockets[i], ZMQ_FD, &fd, &size);
        epoll_ctl (self->swarm->epoll, EPOLL_CTL_ADD, fd, &event);
    }
    self->watched = true;
}

static void
s_prove (sw_scanner_t *self)
{
    sw_swarm_t *swarm = self->swarm;
    if (self->proven)
        return;
    self->proven = true;
    swarm->proven++;
    sw_outage_t *outage = sw_stats_outage (&swarm->stats);
    if (outage && outage->back && swarm->proven == swarm->options->scanners)
        outage->working = sw_now ();
}

static void
s_take_up (sw_scanner_t *self)
{
    sw_swarm_t *swarm = self->swarm;
    sw_stats_t *stats = &swarm->stats;
    self->up = true;
    swarm->connected++;
    if (self->known)
        stats->reconnects++;
    else
        latencies_add (&stats->connect, 1000 * (sw_now () - stats->began));
    self->known = true;
    sw_outage_t *outage = sw_stats_outage (stats);
    if (outage && swarm->connected == swarm->options->scanners)
        outage->back = sw_now ();
    if (swarm->options->idle) /* there is nothing more to wait for */
        s_prove (self);
}

/*  All that had no verdict is to be sent again.  */
static void
s_take_down (sw_scanner_t *self, const sp_event_t *event)
{
    sw_swarm_t *swarm = self->swarm;
    snprintf (swarm->trouble, sizeof swarm->trouble, "%s", event->text);
    self->watched = false;
    if (!self->up)
        return;
    self->up = false;
    sw_stats_begin_outage (&swarm->stats);
    swarm->connected--;
    swarm->proven -= self->proven;
    self->proven = false;
    for (size_t i = 0; i < SW_WINDOW_MOST; i++)
        if (self->parts[i].state == SW_SENT)
            self->parts[i].state = SW_WAITING;
}

static sw_part_t *
s_find (sw_scanner_t *self, const sp_verdict_t *verdict)
{
    for (size_t i = 0; i < SW_WINDOW_MOST; i++) {
        sw_part_t *part = &self->parts[i];
        if (part->state != SW_FREE && part->scan.part == verdict->part
            && verdict->id.size == sizeof part->scan.id
            && memcmp (verdict->id.data, part->scan.id, sizeof part->scan.id)
                   == 0)
            return part;
    }
    return NULL;
}

static void
s_free (sw_scanner_t *self, sw_part_t *part)
{
    part->state = SW_FREE;
    self->on_way--;
    self->swarm->open--;
}

static void
s_applied (sw_scanner_t *self, sw_part_t *part, int64_t now)
{
    sw_stats_t *stats = &self->swarm->stats;
    latencies_add (part->closing ? &stats->closing : &stats->latency,
                   1000 * (now - part->due));
    s_prove (self);
    uint64_t parts = self->swarm->report.parts;
    if (part->scan.part + 1 < parts + self->swarm->options->closing) {
        part->scan.part++;
        part->closing = part->scan.part == parts;
        part->again = false;
        part->state = SW_WAITING;
        part->due = part->at = now;
        return;
    }
    stats->applied++;
    s_free (self, part);
}

static void
s_put_off (sw_scanner_t *self, sw_part_t *part, const sp_verdict_t *verdict,
           int64_t now)
{
    uint64_t delay = verdict->delay ? verdict->delay : 1000;
    delay += randombytes_uniform ((uint32_t) (delay / 2 + 1));
    part->state = SW_WAITING;
    part->at = now + (int64_t) delay * 1000;
    self->swarm->stats.retried++;
}

static void
s_take_verdict (sw_scanner_t *self, const sp_verdict_t *verdict)
{
    sw_stats_t *stats = &self->swarm->stats;
    sw_part_t *part = s_find (self, verdict);
    int64_t now = sw_now ();
    if (!part) { /* the answer to the first of two copies was enough */
        stats->stray++;
        return;
    }
    sw_stats_count (stats, verdict);
    stats->last_verdict = now;
    switch (verdict->result) {
    case SP_APPLIED:
    case SP_NOTED:
        s_applied (self, part, now);
        break;
    case SP_REFUSED:
        stats->refused++;
        s_free (self, part);
        break;
    default:
        s_put_off (self, part, verdict, now);
    }
}

static void
s_take (sw_scanner_t *self, sp_event_t *event)
{
    if (event->kind == SP_EVENT_UP)
        s_take_up (self);
    else if (event->kind == SP_EVENT_DOWN)
        s_take_down (self, event);
    else if (event->message && event->message->type == SP_VERDICT)
        s_take_verdict (self, &event->message->u.verdict);
    else if (event->message && event->message->type == SP_ERROR)
        self->swarm->stats.errors++;
    sp_message_destroy (&event->message);
}

/*  Begin a report in a free place, if one is due.  */
static bool
s_begin (sw_scanner_t *self, sw_part_t *part, int64_t now)
{
    sw_swarm_t *swarm = self->swarm;
    int64_t due = now;
    if (swarm->options->rate > 0) {
        if (self->owed == 0)
            return false;
        due = sw_load_due_of (&swarm->load, self->number, self->begun);
        self->owed--; /* it has been 'open' since it was due */
    } else if (swarm->options->once && self->subnet > self->last)
        return false;
    else if (sw_load_take_place (&swarm->load, now))
        swarm->open++;
    else
        return false;
    self->begun++;
    self->on_way++;
    *part = (sw_part_t){ .state = SW_WAITING, .due = due, .at = now };
    part->scan.subnet = self->subnet;
    part->scan.finished = sh_clock_wall (sh_clock_system ());
    part->scan.off = sp_client_offset (self->client);
    randombytes_buf (part->scan.id, sizeof part->scan.id);
    self->subnet += self->step;
    if (self->subnet > self->last && !swarm->options->once)
        self->subnet = self->first;
    return true;
}

static bool
s_send (sw_scanner_t *self, sw_part_t *part, int64_t now)
{
    sw_stats_t *stats = &self->swarm->stats;
    const sp_message_t *message
        = sw_report_fill (&self->swarm->report, &part->scan);
    if (sp_client_send (self->client, message) != SH_OK) {
        part->at = now + 10000; /* no room, or the end is about to be told */
        return false;
    }
    if (!stats->first_sent)
        stats->first_sent = now;
    stats->parts++;
    stats->resent += part->again;
    stats->closings += part->closing && !part->again;
    stats->sent += part->scan.part == 0 && !part->again;
    part->again = true;
    part->state = SW_SENT;
    return true;
}

/*  True if anything was sent.  */
static bool
s_send_due (sw_scanner_t *self)
{
    bool sent = false;
    self->retry = INT64_MAX;
    if (!self->up)
        return false;
    for (size_t i = 0; i < self->swarm->options->window; i++) {
        sw_part_t *part = &self->parts[i];
        int64_t now = sw_now ();
        if (part->state == SW_FREE && !s_begin (self, part, now))
            continue;
        if (part->state == SW_WAITING && part->at <= now)
            sent |= s_send (self, part, now);
        if (part->state == SW_WAITING && part->at < self->retry)
            self->retry = part->at;
    }
    return sent;
}

bool
sw_scanner_serve (sw_scanner_t *self)
{
    do {
        sp_event_t event;
        do {
            if (sp_client_wait (self->client, NULL, 0, &event) != SH_OK)
                return false;
            s_take (self, &event);
        } while (event.kind != SP_EVENT_NOTHING);
        s_watch (self);
    } while (s_send_due (self));
    return true;
}

bool
sw_scanner_is_due (const sw_scanner_t *self, int64_t now, int64_t mono)
{
    return now >= self->start
           && (now >= self->retry || mono >= sp_client_due (self->client));
}
