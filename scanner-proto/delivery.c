/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner-proto/delivery.h"

#include <assert.h>
#include <limits.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/*  A part's verdict comes within seconds or the session ends.  Should one get
    lost all the same, sending again does no harm.  */
#define ANSWER_MS 120000
#define RETRY_MS 1000         /* 'retry' without a delay; a send that failed */
#define RETRY_MOST_MS 600000

/*  Upper bounds of what things take in a frame, keys and headers included.  */
#define HEAD_BYTES 512 /* all of a report but hosts, ranges */
#define HOST_BYTES 41  /* a host but its address and texts: 1 for the map, 5 for
                          'ip', 14 'seen', 7 'mac', 8 'name', 6 'how' */
#define SUBNET_BYTES 16 /* its 'subnet', where there is one */
#define OLD_BYTES 13    /* its 'old', likewise */

typedef struct
{
    enum
    {
        PART_WAITING, /* to be sent at 'due' */
        PART_SENT,    /* unanswered; to be sent again at 'due' */
        PART_DONE
    } state;
    bool resend;         /* it was sent before */
    size_t first, count; /* of the hosts, or of the ranges if it is closing */
    int64_t due;
} s_part_t;

struct sp_delivery
{
    const sp_report_t *report;
    const sh_clock_t *clock;
    uint8_t id[SP_REPORT_ID];
    s_part_t *parts;
    size_t count, host_parts; /* those with hosts come first */
    size_t done, hosts_done, unanswered, window;
    size_t open;    /* all parts before this one are done */
    bool off_fixed;
    int64_t off;
    bool parked;    /* no session: only an event can help */
    int64_t paused; /* nothing is sent before */
    int64_t later;  /* due of the last part that was told so */
    sp_delivery_state_t state;
    sp_delivery_sum_t sum;
};

static size_t
s_text_bytes (const char *text)
{
    return text ? strlen (text) : 0;
}

static size_t
s_host_bytes (const sp_host_t *host)
{
    return HOST_BYTES + host->ip.size + s_text_bytes (host->mac)
           + s_text_bytes (host->name) + s_text_bytes (host->how)
           + (host->subnet ? SUBNET_BYTES : 0) + (host->old ? OLD_BYTES : 0);
}

/*  How many hosts from 'first' on fit into one part.  */
static size_t
s_hosts_that_fit (const sp_report_t *report, size_t first)
{
    size_t count = 0, bytes = HEAD_BYTES;
    while (first + count < report->host_count && count < SP_PART_HOSTS_MOST) {
        bytes += s_host_bytes (&report->hosts[first + count]);
        if (bytes > SP_PART_BYTES_MOST && count > 0)
            break;
        count++;
    }
    return count;
}

static sh_err_t
s_add_part (sp_delivery_t *self, size_t *room, size_t first, size_t count)
{
    if (self->count == SP_PARTS_MOST)
        return SH_E_TOO_LARGE;
    if (self->count == *room) {
        size_t more = *room ? *room * 2 : 8;
        s_part_t *parts = realloc (self->parts, more * sizeof *parts);
        if (!parts)
            return SH_E_MEMORY;
        self->parts = parts;
        *room = more;
    }
    self->parts[self->count++] = (s_part_t){ .first = first, .count = count };
    return SH_OK;
}

static sh_err_t
s_cut (sp_delivery_t *self)
{
    const sp_report_t *report = self->report;
    size_t room = 0, first = 0;
    sh_err_t rc = SH_OK;
    while (rc == SH_OK && first < report->host_count) {
        size_t count = s_hosts_that_fit (report, first);
        rc = s_add_part (self, &room, first, count);
        first += count;
    }
    self->host_parts = self->count;

    size_t ranges = report->complete ? report->covered_count : 0;
    first = 0;
    do {
        size_t left = ranges - first;
        size_t count = left < SP_RANGES_MOST ? left : SP_RANGES_MOST;
        if (rc == SH_OK)
            rc = s_add_part (self, &room, first, count);
        first += count;
    } while (rc == SH_OK && first < ranges);
    self->sum.parts = self->count;
    return rc;
}

sh_err_t
sp_delivery_new (sp_delivery_t **out, const sp_report_t *report,
                 const sh_clock_t *clock)
{
    assert (out && report && clock);
    if (sodium_init () < 0)
        return SH_E_INTERNAL;
    sp_delivery_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    self->report = report;
    self->clock = clock;
    self->window = SP_WINDOW;
    randombytes_buf (self->id, sizeof self->id);

    sh_err_t rc = s_cut (self);
    if (rc == SH_OK)
        *out = self;
    else
        sp_delivery_destroy (&self);
    return rc;
}

void
sp_delivery_destroy (sp_delivery_t **self_p)
{
    assert (self_p);
    if (*self_p) {
        free ((*self_p)->parts);
        free (*self_p);
        *self_p = NULL;
    }
}

void
sp_delivery_settle (sp_delivery_t *self, int64_t off, size_t window)
{
    assert (self && !self->off_fixed && window > 0 && window <= SP_WINDOW);
    self->off = off;
    self->off_fixed = true;
    self->window = window;
}

static sp_message_t
s_message (const sp_delivery_t *self, size_t index)
{
    const sp_report_t *report = self->report;
    const s_part_t *part = &self->parts[index];
    sp_report_t out = {
        .id = { self->id, sizeof self->id },
        .part = index,
        .code = report->code,
        .subnet = report->subnet,
        .hint = report->hint,
        .cidr = report->cidr,
        .kind = report->kind,
        .started = report->started,
        .finished = report->finished,
        .off = self->off,
    };
    if (index < self->host_parts) {
        out.hosts = report->hosts + part->first;
        out.host_count = part->count;
    } else {
        out.last = true;
        out.parts = self->host_parts;
        out.complete = report->complete;
        out.up = report->up;
        out.covered = part->count ? report->covered + part->first : NULL;
        out.covered_count = part->count;
    }
    return (sp_message_t){ .type = SP_REPORT, .u.report = out };
}

static sh_err_t
s_send (sp_delivery_t *self, const sp_outlet_t *outlet, size_t index,
        int64_t now)
{
    sp_message_t message = s_message (self, index);
    sh_err_t rc = outlet->send (outlet->context, &message);
    if (rc)
        return rc;
    s_part_t *part = &self->parts[index];
    if (part->state == PART_WAITING)
        self->unanswered++;
    if (part->resend)
        self->sum.resent++;
    part->state = PART_SENT;
    part->resend = true;
    part->due = now + ANSWER_MS;
    return SH_OK;
}

/*  The parts that may be on their way at this time: closing ones only when
    all others are done.  */
static size_t
s_end (const sp_delivery_t *self)
{
    return self->hosts_done < self->host_parts ? self->host_parts : self->count;
}

static bool
s_may_send (const sp_delivery_t *self, const s_part_t *part)
{
    return part->state == PART_SENT
           || (part->state == PART_WAITING && self->unanswered < self->window);
}

sh_err_t
sp_delivery_push (sp_delivery_t *self, const sp_outlet_t *outlet)
{
    assert (self && outlet && outlet->send);
    self->parked = !outlet->up;
    int64_t now = sh_clock_mono (self->clock);
    if (self->state != SP_DELIVERY_RUNNING || self->parked
        || now < self->paused)
        return SH_OK;
    if (!self->off_fixed) {
        self->off = outlet->offset;
        self->off_fixed = true;
    }
    sh_err_t rc = SH_OK;
    size_t end = s_end (self);
    for (size_t i = self->open; rc == SH_OK && i < end; i++) {
        const s_part_t *part = &self->parts[i];
        if (part->state == PART_WAITING && self->unanswered == self->window)
            break;
        if (s_may_send (self, part) && part->due <= now)
            rc = s_send (self, outlet, i, now);
    }
    if (rc)
        self->paused = now + RETRY_MS;
    return rc == SH_E_DISCONNECTED ? SH_OK : rc;
}

static void
s_make_due (sp_delivery_t *self)
{
    size_t end = s_end (self);
    for (size_t i = self->open; i < end; i++) {
        if (self->parts[i].state == PART_SENT) {
            self->parts[i].state = PART_WAITING;
            self->parts[i].due = 0;
        }
    }
    self->unanswered = 0;
    self->paused = 0;
    self->parked = true;
}

/*  Counts come from outside and may be anything.  */
static void
s_add (uint64_t *sum, uint64_t more)
{
    if (__builtin_add_overflow (*sum, more, sum))
        *sum = UINT64_MAX;
}

static void
s_take_host_cause (sp_delivery_sum_t *sum, const char *cause)
{
    if (!cause || !*cause)
        return;
    bool first = !*sum->host_cause;
    if (!first && strcmp (sum->host_cause, cause) == 0)
        return;
    sum->host_causes = !first;
    if (first
        || (sh_err_class (sh_err_from_word (sum->host_cause)) == SH_CLASS_PEER
            && sh_err_class (sh_err_from_word (cause)) != SH_CLASS_PEER))
        snprintf (sum->host_cause, sizeof sum->host_cause, "%s", cause);
}

static void
s_add_up (sp_delivery_sum_t *sum, const sp_verdict_t *verdict)
{
    s_add (&sum->seen, verdict->seen);
    s_add (&sum->added, verdict->added);
    s_add (&sum->named, verdict->named);
    s_add (&sum->macs, verdict->macs);
    s_add (&sum->tagged, verdict->tagged);
    s_add (&sum->held, verdict->held);
    s_add (&sum->skipped, verdict->skipped);
    s_add (&sum->refused, verdict->refused_count);
    s_add (&sum->bad_names, verdict->bad_names);
    s_add (&sum->bad_macs, verdict->bad_macs);
    s_add (&sum->noted, verdict->result == SP_NOTED ? 1 : 0);
    for (size_t i = 0; i < verdict->refused_named; i++)
        s_take_host_cause (sum, verdict->refused[i].cause);
}

static void
s_take_done (sp_delivery_t *self, size_t index, const sp_verdict_t *verdict)
{
    self->parts[index].state = PART_DONE;
    self->done++;
    if (index < self->host_parts)
        self->hosts_done++;
    while (self->open < self->count
           && self->parts[self->open].state == PART_DONE)
        self->open++;
    s_add_up (&self->sum, verdict);
    if (self->done == self->count)
        self->state = SP_DELIVERY_DONE;
}

static void
s_take_retry (sp_delivery_t *self, size_t index, const sp_verdict_t *verdict)
{
    uint64_t delay = verdict->delay ? verdict->delay : RETRY_MS;
    if (delay > RETRY_MOST_MS)
        delay = RETRY_MOST_MS;
    /*  Never earlier than the hub asked, and not all scanners at once.  */
    delay += randombytes_uniform ((uint32_t) delay / 2 + 1);
    self->parts[index].state = PART_WAITING;
    self->later = sh_clock_mono (self->clock) + (int64_t) delay;
    self->parts[index].due = self->later;
}

static void
s_take_refused (sp_delivery_t *self, const sp_verdict_t *verdict)
{
    s_add_up (&self->sum, verdict);
    snprintf (self->sum.cause, sizeof self->sum.cause, "%s",
              verdict->cause ? verdict->cause : "");
    snprintf (self->sum.text, sizeof self->sum.text, "%s",
              verdict->text ? verdict->text : "");
    self->state = SP_DELIVERY_REFUSED;
}

static bool
s_take_verdict (sp_delivery_t *self, const sp_verdict_t *verdict)
{
    if (verdict->id.size != sizeof self->id
        || memcmp (verdict->id.data, self->id, sizeof self->id) != 0)
        return false;
    /* not asked for, or answered already: nothing changes */
    if (self->state != SP_DELIVERY_RUNNING || verdict->part >= self->count
        || self->parts[verdict->part].state != PART_SENT)
        return true;

    size_t index = (size_t) verdict->part;
    self->unanswered--;
    if (verdict->result == SP_APPLIED || verdict->result == SP_NOTED)
        s_take_done (self, index, verdict);
    else if (verdict->result == SP_REFUSED)
        s_take_refused (self, verdict);
    else
        s_take_retry (self, index, verdict);
    return true;
}

bool
sp_delivery_take (sp_delivery_t *self, const sp_event_t *event)
{
    assert (self && event);
    if (event->kind == SP_EVENT_DOWN)
        s_make_due (self);
    if (event->kind == SP_EVENT_MESSAGE && event->message
        && event->message->type == SP_VERDICT)
        return s_take_verdict (self, &event->message->u.verdict);
    return false;
}

int
sp_delivery_timeout (const sp_delivery_t *self)
{
    assert (self);
    if (self->state != SP_DELIVERY_RUNNING || self->parked)
        return -1;
    int64_t next = INT64_MAX;
    size_t end = s_end (self);
    for (size_t i = self->open; i < end; i++) {
        const s_part_t *part = &self->parts[i];
        if (s_may_send (self, part) && part->due < next)
            next = part->due;
    }
    if (next == INT64_MAX)
        return -1;
    int64_t now = sh_clock_mono (self->clock);
    if (next < self->paused)
        next = self->paused;
    int64_t wait = next > now ? next - now : 0;
    return wait > INT_MAX ? INT_MAX : (int) wait;
}

bool
sp_delivery_is_idle (const sp_delivery_t *self)
{
    return self->unanswered == 0;
}

int64_t
sp_delivery_later (const sp_delivery_t *self)
{
    return self->later;
}

sp_delivery_state_t
sp_delivery_state (const sp_delivery_t *self)
{
    return self->state;
}

const sp_delivery_sum_t *
sp_delivery_sum (const sp_delivery_t *self)
{
    return &self->sum;
}

sh_bytes_t
sp_delivery_id (const sp_delivery_t *self)
{
    return (sh_bytes_t){ self->id, sizeof self->id };
}
