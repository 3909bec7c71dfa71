/* SPDX-License-Identifier: MPL-2.0 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "lib/log.h"
#include "scanner/run_within.h"

#define KNOWN_MS 5000    /* how long an answer is waited for where an old one
                            will do, and ... */
#define UNASKED_MS 30000 /* ... how long none is asked for after that */

size_t
sc_running_count (const sc_running_t *self, sc_work_state_t state)
{
    size_t count = 0;
    for (size_t i = 0; i < SC_WORKS_MOST; i++)
        count += self->works[i] && self->works[i]->state == state;
    return count;
}

static sc_subnet_t *
s_subnet (sc_running_t *self, const sc_work_t *work)
{
    return sc_plan_find (&self->plan, sc_scan_subnet (work->scan)->id);
}

/*  No scan of it is under way any more.  */
static void
s_free (sc_running_t *self, sc_work_t *work)
{
    for (size_t i = 0; i < SC_WORKS_MOST; i++)
        if (self->works[i] == work)
            sc_work_destroy (&self->works[i]);
}

/*  Its subnet's next turn.  */
static void
s_turn (sc_running_t *self, const sc_work_t *work, int64_t pause)
{
    sc_subnet_t *subnet = s_subnet (self, work);
    int64_t now = sc_running_now (self);
    int kind = sc_scan_kind (work->scan);
    if (!subnet)
        return;
    self->plan_at = 0;
    subnet->busy = false;
    if (self->once)
        subnet->check_due = subnet->discover_due = SC_NEVER;
    else if (pause >= 0)
        sc_plan_again (subnet, kind, now, pause);
    else
        sc_plan_done (&self->plan, subnet, kind, work->begin, now);
}

void
sc_running_drop (sc_running_t *self, sc_work_t *work, int64_t pause)
{
    if (work->state == SC_WORK_ASKING)
        sc_ask_cancel (self->ask);
    s_turn (self, work, pause);
    s_free (self, work);
}

/*  There was no scan, or none that came to a report.  */
static void
s_fail (sc_running_t *self, sc_work_t *work, sh_err_t rc, const char *text)
{
    sc_order_t *order = sc_running_order (self, work);
    if (order)
        sc_order_end (order, SP_STATE_FAILED, rc, text);
    sc_tell_trouble (&self->tell, sc_scan_cidr (work->scan), rc, text);
    self->tell.failed++;
    s_turn (self, work,
            sh_err_class (rc) == SH_CLASS_RETRY ? SC_PAUSE_MS : -1);
    s_free (self, work);
}

/*  The addresses that phpIPAM knows are there: probe.  */
static void
s_probe (sc_running_t *self, sc_work_t *work)
{
    sh_why_t why = { "" };
    sh_err_t rc = sc_work_probe (work, &why);
    sc_subnet_t *subnet = s_subnet (self, work);
    if (subnet)
        sc_scan_remember (work->scan, &subnet->known);
    if (rc != SH_OK)
        s_fail (self, work, rc, why.text);
}

/*  Must the hub be asked for known addresses?  Where nobody would answer, those
    of the last time will do, so that a site goes on scanning.  */
static bool
s_must_ask (const sc_running_t *self, const sc_subnet_t *subnet)
{
    if (self->once || !subnet->known.valid)
        return true;
    return sp_client_is_up (sc_link_client (self->link))
           && sc_running_now (self) >= self->ask_at;
}

static void
s_ask (sc_running_t *self, sc_work_t *work, const sc_subnet_t *subnet)
{
    int64_t patience = self->patience;
    if (!self->once && subnet->known.valid && patience > KNOWN_MS)
        patience = KNOWN_MS;
    sc_ask_targets (self->ask, subnet->id, work->scan, patience);
}

static sc_work_t **
s_place (sc_running_t *self)
{
    for (size_t i = 0; i < SC_WORKS_MOST; i++)
        if (!self->works[i])
            return &self->works[i];
    return NULL;
}

static void
s_warn (sc_running_t *self, const sc_subnet_t *subnet)
{
    char cidr[SH_PREFIX_TEXT];
    sh_prefix_text (&subnet->prefix, cidr);
    if (subnet->bad_nameservers && subnet->resolve)
        sc_tell_note (&self->tell, cidr,
                      "some of its name servers in phpIPAM are no addresses "
                      "and are not asked");
}

static bool
s_begin (sc_running_t *self, const sc_due_t *due, sc_order_t *order)
{
    sc_subnet_t *subnet = due->subnet;
    sc_work_t **place = s_place (self);
    bool ask = s_must_ask (self, subnet);
    if (ask && !sc_ask_is_idle (self->ask))
        return false;
    assert (place);
    sh_err_t rc = sc_work_new (place, &self->tools, subnet, due->kind,
                               self->config->code);
    if (rc != SH_OK) {
        sc_plan_again (subnet, due->kind, sc_running_now (self), SC_PAUSE_MS);
        sc_tell_trouble (&self->tell, NULL, rc, NULL);
        return false;
    }
    sc_work_t *work = *place;
    subnet->busy = true;
    if (order) {
        order->begun = work->ordered = true;
        memcpy (work->order, order->id, sizeof work->order);
    }
    s_warn (self, subnet);
    if (ask) {
        s_ask (self, work, subnet);
        return true;
    }
    rc = sc_scan_use (work->scan, &subnet->known);
    if (rc == SH_OK)
        s_probe (self, work);
    else
        s_fail (self, work, rc, NULL);
    return true;
}

/*  The engine can have so many probes; of scans beyond that (names are looked
    up, 'once' waits for verdicts) there is a number as well.  */
bool
sc_running_has_room (const sc_running_t *self)
{
    size_t probes = sc_running_count (self, SC_WORK_ASKING)
                    + sc_running_count (self, SC_WORK_PROBING);
    size_t all = probes + sc_running_count (self, SC_WORK_NAMING)
                 + sc_running_count (self, SC_WORK_REPORTING);
    return probes < self->tools.engine->at_once && all < SC_WORKS_MOST;
}

void
sc_running_begin (sc_running_t *self)
{
    const sc_moment_t at = sc_running_moment (self);
    sc_due_t due;
    sc_order_t *order;
    bool more = true;
    while (more && sc_running_has_room (self)) {
        bool may_ask = sc_ask_is_idle (self->ask);
        order = NULL;
        more = (sc_running_next_order (self, &due, &order)
                || (at.now >= self->plan_at && (may_ask || !at.hub)
                    && sc_plan_next (&self->plan, &at, &due)))
               && s_begin (self, &due, order);
    }
}

/*  Does the error say that nobody could answer, rather than that we may not
    ask? The hub's database may be away, or be of no use to it.  */
static bool
s_is_no_answer (sh_err_t rc)
{
    return sh_err_class (rc) == SH_CLASS_RETRY
           || sh_err_class (rc) == SH_CLASS_OURS;
}

void
sc_running_answered (sc_running_t *self, sh_err_t rc, const sh_why_t *why)
{
    sc_work_t *work = NULL;
    for (size_t i = 0; i < SC_WORKS_MOST && !work; i++)
        if (self->works[i] && self->works[i]->state == SC_WORK_ASKING)
            work = self->works[i];
    if (!work)
        return;
    self->ask_at = rc == SH_OK ? 0 : sc_running_now (self) + UNASKED_MS;
    const sc_subnet_t *subnet = s_subnet (self, work);
    sh_err_t old = rc;
    if (rc != SH_OK && !self->once && subnet && subnet->known.valid
        && s_is_no_answer (rc))
        old = sc_scan_use (work->scan, &subnet->known);
    if (old == SH_OK)
        s_probe (self, work);
    else
        s_fail (self, work, rc, why->text);
}

static sc_outcome_t
s_outcome (const sc_work_t *work)
{
    return (sc_outcome_t){ .cidr = sc_scan_cidr (work->scan),
                           .up = sc_scan_report (work->scan)->up,
                           .note = sc_scan_note (work->scan),
                           .incomplete = sc_scan_trouble (work->scan),
                           .took = work->took };
}

/*  Hand the report over to be delivered.  */
static void
s_report (sc_running_t *self, sc_work_t *work)
{
    const sp_report_t *report = sc_scan_report (work->scan);
    sh_err_t rc = sp_outbox_put (self->outbox, "", report,
                                 sc_work_epoch (work), &work->ticket,
                                 &work->durable);
    if (rc != SH_OK) {
        char text[160];
        (void) snprintf (text, sizeof text, "the report could not be kept: %s",
                         sh_err_text (rc));
        s_fail (self, work, rc, text);
        return;
    }
    const sc_outcome_t outcome = s_outcome (work);
    if (*work->note)
        sc_tell_note (&self->tell, outcome.cidr, work->note);
    sc_tell_kept (&self->tell, report, &outcome, work->durable);
    work->state = SC_WORK_REPORTING;
    work->until = sc_running_now (self) + self->patience;
    sc_orders_reported (&self->orders, report->subnet, work->ticket);
    sc_order_t *order = sc_running_order (self, work);
    if (order) {
        sc_order_set (order, SP_STATE_REPORTING, order->progress.total,
                      order->progress.total, report->up, 0);
        order->progress.complete = report->complete;
        order->ticket = work->ticket;
        if (outcome.incomplete)
            (void) snprintf (order->text, sizeof order->text, "%s",
                             outcome.incomplete);
    }
    s_turn (self, work, -1);
    if (!self->once)
        s_free (self, work);
}

/*  'once' waits until the hub has the report, as long as there is progress.  */
static void
s_await (sc_running_t *self, sc_work_t *work)
{
    if (sc_running_now (self) < work->until
        && !sc_link_is_hopeless (self->link))
        return;
    sh_why_t why = { "" };
    sh_err_t rc;
    const char *text = sp_outbox_put_off (self->outbox);
    if (!sp_client_is_up (sc_link_client (self->link)))
        rc = sc_link_why (self->link, &why);
    else
        rc = sh_fail (&why, SH_E_TIMEOUT, "%s",
                      *text ? text : "no verdict came in time");
    self->tell.kept += work->durable;
    if (work->durable)
        sc_tell_note (&self->tell, sc_scan_cidr (work->scan),
                      "the report is kept on disk for the next run");
    s_fail (self, work, rc, why.text);
}

static void
s_step_probe (sc_running_t *self, sc_work_t *work)
{
    sh_err_t rc = SH_OK;
    if (sc_work_step (work, &rc)) {
        if (rc == SH_OK)
            s_report (self, work);
        else
            s_fail (self, work, rc, NULL);
        return;
    }
    sc_order_t *order = sc_running_order (self, work);
    if (!order)
        return;
    sc_progress_t now;
    sc_work_progress (work, &now);
    sc_order_set (order, SP_STATE_PROBING, now.done, now.total, now.up,
                  now.rate);
}

void
sc_running_step (sc_running_t *self)
{
    for (size_t i = 0; i < SC_WORKS_MOST; i++) {
        sc_work_t *work = self->works[i];
        if (work
            && (work->state == SC_WORK_PROBING
                || work->state == SC_WORK_NAMING))
            s_step_probe (self, work);
        else if (work && work->state == SC_WORK_REPORTING)
            s_await (self, work);
    }
}

/*  May the scan not go on?  NULL: it may.  */
static const char *
s_objection (const sc_work_t *work, const sc_subnet_t *subnet, int minute)
{
    if (!subnet)
        return "the subnet is not assigned to this scanner any more";
    if (subnet->paused && !work->ordered)
        return "scans of the subnet are paused";
    if (!sc_subnet_same (subnet, sc_scan_subnet (work->scan)))
        return "the subnet's assignment has changed";
    return sc_subnet_is_quiet (subnet, minute) ? "quiet hours begin" : NULL;
}

void
sc_running_review (sc_running_t *self)
{
    int minute = sc_running_moment (self).minute;
    for (size_t i = 0; i < SC_WORKS_MOST; i++) {
        sc_work_t *work = self->works[i];
        if (!work || work->state == SC_WORK_REPORTING)
            continue;
        sc_subnet_t *subnet = s_subnet (self, work);
        const char *objection = s_objection (work, subnet, minute);
        if (!objection)
            continue;
        sc_tell_note (&self->tell, sc_scan_cidr (work->scan), objection);
        sc_order_t *order = sc_running_order (self, work);
        if (order)
            sc_order_end (order, SP_STATE_FAILED,
                          subnet ? SH_E_CANCELLED : SH_E_SUBNET_NOT_ASSIGNED,
                          objection);
        sc_running_drop (self, work, 0);
    }
}

void
sc_running_moved (void *context, uint64_t old, uint64_t now)
{
    sc_running_t *self = context;
    sc_orders_moved (&self->orders, old, now);
    for (size_t i = 0; i < SC_WORKS_MOST; i++)
        if (self->works[i] && self->works[i]->ticket == old)
            self->works[i]->ticket = now;
}

void
sc_running_ended (void *context, const sp_outbox_end_t *end)
{
    sc_running_t *self = context;
    sc_work_t *work = NULL;
    for (size_t i = 0; i < SC_WORKS_MOST && end->ticket; i++)
        if (self->works[i] && self->works[i]->ticket == end->ticket)
            work = self->works[i];
    sc_outcome_t outcome = { .cidr = end->report->cidr,
                             .up = end->report->up,
                             .note = "" };
    if (work)
        outcome = s_outcome (work);
    outcome.sum = end->sum;
    if (work || !self->once)
        sc_tell_outcome (&self->tell, &outcome);
    else
        sc_tell_note (&self->tell, outcome.cidr,
                      end->refused ? "the hub refused a report that was kept "
                                     "on disk"
                                   : "a report that was kept on disk has been "
                                     "delivered");
    sc_orders_delivered (&self->orders, end->ticket, end->sum);
    if (work)
        s_free (self, work);
    /* most refusals of a whole report come from old assignments */
    if (end->refused)
        sc_link_set_stale (self->link);
}
