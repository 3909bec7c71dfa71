/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/run.h"

#include <limits.h>
#include <string.h>
#include <sysexits.h>

#include "scanner/ask.h"
#include "scanner/link.h"
#include "scanner/scan.h"
#include "scanner/tell.h"

#define PATIENCE_MS 60000 /* of 'run', at least */
#define PAUSE_MS 5000     /* of 'run', after trouble with the hub */
#define IDLE_MS 60000     /* then held-back log lines are summed up */

typedef struct
{
    const sc_run_options_t *options;
    const sc_engine_t *engine;
    const void *settings;
    const sc_limits_t *limits;
    const sh_clock_t *clock;
    sc_link_t *link;
    sc_ask_t ask;
    sc_tell_t tell;
    sc_plan_t plan;
} run_t;

static int64_t
s_now (const run_t *self)
{
    return sh_clock_mono (self->clock);
}

/*  Let the engine work while the session lives on.  */
static sh_err_t
s_watch_probe (run_t *self, sc_probe_t *probe)
{
    int fd = self->engine->fd (probe);
    sh_err_t rc = sc_link_watch (self->link, fd);
    if (rc != SH_OK)
        return rc;
    sp_client_set_load (sc_link_client (self->link), 0, 1);
    while (rc == SH_OK && !self->engine->step (probe)) {
        const sp_event_t *event;
        rc = sc_link_wait (self->link, self->engine->timeout (probe), &event);
    }
    sp_client_set_load (sc_link_client (self->link), 0, 0);
    sc_link_unwatch (self->link, fd);
    return rc;
}

/*  Fill 'result'.  An error means that there was no scan at all.  */
static sh_err_t
s_probe (run_t *self, const sc_subnet_t *subnet, const sc_scan_t *scan,
         sc_result_t *result, sh_why_t *why)
{
    sc_job_t job = {
        .ranges = sc_scan_ranges (scan),
        .resolve = subnet->resolve
                   && self->options->config->resolve == SC_RESOLVE_ASSIGNED,
        .nameservers = subnet->nameservers,
        .nameserver_count = subnet->nameserver_count,
        .limits = *self->limits,
    };
    if (job.ranges->count == 0) { /* nothing known, nothing to be silent */
        result->complete = true;
        return SH_OK;
    }
    sc_probe_t *probe = NULL;
    sh_err_t rc = self->engine->start (&probe, self->settings, &job,
                                       self->clock, why);
    if (rc != SH_OK)
        return rc;
    rc = s_watch_probe (self, probe);
    if (rc != SH_OK) {
        (void) sh_fail (why, rc, "%s", sh_err_text (rc));
    } else {
        sc_result_t *found = self->engine->result (probe);
        *result = *found;
        *found = (sc_result_t){ 0 };
    }
    self->engine->destroy (&probe);
    return rc;
}

/*  What an event means for a delivery: progress gives it new time, excuses
    are kept for the case that it runs out.  */
static sh_err_t
s_deliver_event (run_t *self, sp_delivery_t *delivery, const sp_event_t *event,
                 int64_t *until, sh_why_t *why)
{
    bool ours = sp_delivery_take (delivery, event);
    if (event->kind != SP_EVENT_MESSAGE)
        return SH_OK;
    if (ours) {
        const sp_verdict_t *verdict = &event->message->u.verdict;
        if (verdict->result == SP_APPLIED || verdict->result == SP_NOTED)
            *until = s_now (self) + self->ask.patience;
        else if (verdict->result == SP_RETRY)
            (void) sh_fail (why, SH_OK, "the hub says 'later', %s: %.300s",
                            verdict->cause ? verdict->cause : "without cause",
                            verdict->text ? verdict->text : "");
        return SH_OK;
    }
    if (event->message->type != SP_ERROR)
        return SH_OK;
    const sp_error_t *error = &event->message->u.error;
    sh_err_t err = sh_err_from_word (error->cause);
    const char *text = error->text ? error->text : sh_err_text (err);
    (void) sh_fail (why, err, "the hub answered %s: %.300s", error->cause,
                    text);
    return sh_err_class (err) == SH_CLASS_RETRY ? SH_OK : err;
}

/*  Until the hub has the whole report, refuses it, or time has run out.  */
static sh_err_t
s_deliver (run_t *self, sp_delivery_t *delivery, sh_why_t *why)
{
    int64_t until = s_now (self) + self->ask.patience;
    (void) sh_fail (why, SH_OK, "no verdict came in time");
    while (sp_delivery_state (delivery) == SP_DELIVERY_RUNNING) {
        sp_client_t *client = sc_link_client (self->link);
        const sp_outlet_t outlet = sp_client_outlet (client);
        sh_err_t rc = sp_delivery_push (delivery, &outlet);
        if (rc != SH_OK)
            return sh_fail (why, rc, "%s", sh_err_text (rc));
        int64_t left = until - s_now (self);
        bool over = left <= 0
                    || (self->ask.once && sc_link_is_hopeless (self->link));
        if (over && !sp_client_is_up (client))
            return sc_link_why (self->link, why);
        if (over)
            return SH_E_TIMEOUT; /* the sentence stands in 'why' */
        int timeout = sp_delivery_timeout (delivery);
        if (timeout < 0 || timeout > left)
            timeout = left > INT_MAX ? INT_MAX : (int) left;
        const sp_event_t *event;
        rc = sc_link_wait (self->link, timeout, &event);
        if (rc == SH_OK)
            rc = s_deliver_event (self, delivery, event, &until, why);
        if (rc != SH_OK)
            return rc;
    }
    return SH_OK;
}

/*  Bring the report to the hub and tell what came of it.  */
static sh_err_t
s_report (run_t *self, const sc_scan_t *scan, sc_outcome_t *outcome,
          sh_why_t *why)
{
    sp_delivery_t *delivery = NULL;
    sh_err_t rc
        = sp_delivery_new (&delivery, sc_scan_report (scan), self->clock);
    if (rc != SH_OK)
        return sh_fail (why, rc, "%s", sh_err_text (rc));
    rc = s_deliver (self, delivery, why);
    if (rc == SH_OK) {
        outcome->sum = sp_delivery_sum (delivery);
        sc_tell_outcome (&self->tell, outcome);
        /* most refusals of a whole report come from old assignments */
        if (sp_delivery_state (delivery) == SP_DELIVERY_REFUSED)
            sc_link_set_stale (self->link);
    }
    outcome->sum = NULL;
    sp_delivery_destroy (&delivery);
    return rc;
}

/*  '*begin' becomes the time at which probing begins: waiting for a hub
    before is no part of the scan, or its end would be followed by the next
    one at once.  */
static sh_err_t
s_scan (run_t *self, const sc_subnet_t *subnet, sc_scan_t *scan,
        int64_t *begin, sh_why_t *why)
{
    sc_result_t result = { 0 };
    sh_err_t rc = sc_ask_targets (&self->ask, subnet->id, scan, why);
    *begin = s_now (self);
    if (rc != SH_OK)
        return rc;
    rc = sc_scan_plan (scan);
    if (rc != SH_OK)
        return sh_fail (why, rc, "%s", sh_err_text (rc));
    int64_t started = sh_clock_wall (self->clock);
    rc = s_probe (self, subnet, scan, &result, why);
    if (rc != SH_OK)
        return rc;
    char text[sizeof result.text];
    memcpy (text, result.text, sizeof text);
    bool complete = result.complete;
    rc = sc_scan_finish (scan, &result, started, sh_clock_wall (self->clock));
    if (rc != SH_OK)
        return sh_fail (why, rc, "%s", sh_err_text (rc));
    sc_outcome_t outcome = { .scan = scan,
                             .incomplete = complete ? NULL : text,
                             .took = s_now (self) - *begin };
    return s_report (self, scan, &outcome, why);
}

/*  When to look at a subnet again.  */
static int64_t
s_due (const run_t *self, sh_err_t rc, int64_t begin)
{
    if (self->options->once)
        return SC_NEVER;
    if (sh_err_class (rc) == SH_CLASS_RETRY)
        return s_now (self) + PAUSE_MS;
    return begin + (int64_t) self->options->config->interval * 1000;
}

static sh_err_t
s_scan_next (run_t *self, sc_subnet_t *subnet)
{
    char cidr[SH_PREFIX_TEXT];
    sh_prefix_text (&subnet->prefix, cidr);
    if (subnet->bad_nameservers && subnet->resolve)
        sc_tell_note (&self->tell, cidr,
                      "some of its name servers in phpIPAM are no addresses "
                      "and are not asked");
    sh_why_t why = { 0 };
    sc_scan_t *scan = NULL;
    int64_t begin = s_now (self);
    sh_err_t rc
        = sc_scan_new (&scan, subnet, self->options->config->code);
    if (rc == SH_OK)
        rc = s_scan (self, subnet, scan, &begin, &why);
    sc_scan_destroy (&scan);
    if (rc == SH_E_INTERRUPTED)
        return rc;
    if (rc != SH_OK)
        sc_tell_trouble (&self->tell, cidr, rc, why.text);
    subnet->due = s_due (self, rc, begin);
    /* without a hub the other subnets would fail the same way */
    bool end = self->options->once && sc_link_is_hopeless (self->link);
    return end ? rc : SH_OK;
}

static sh_err_t
s_refresh (run_t *self)
{
    sh_why_t why = { 0 };
    sc_plan_t fresh = { 0 };
    sh_err_t rc = sc_ask_assignments (&self->ask, &fresh, &self->tell, &why);
    if (rc == SH_OK) {
        sc_plan_adopt (&self->plan, &fresh, s_now (self));
        if (self->plan.count == 0)
            sc_tell_note (&self->tell, NULL,
                          "phpIPAM assigns no subnet to this scanner; in "
                          "phpIPAM, Edit subnet: choose this scan agent and "
                          "switch on host check or discovery");
    } else if (rc != SH_E_INTERRUPTED) {
        sc_tell_trouble (&self->tell, NULL, rc, why.text);
    }
    return rc;
}

static sh_err_t
s_once (run_t *self)
{
    sh_err_t rc = s_refresh (self);
    sc_subnet_t *subnet;
    while (rc == SH_OK
           && (subnet = sc_plan_next (&self->plan, s_now (self))) != NULL)
        rc = s_scan_next (self, subnet);
    if (self->tell.subnets || rc == SH_OK)
        sc_tell_total (&self->tell, s_now (self));
    return rc;
}

/*  Wait, but not longer than 'timeout', for new assignments.  */
static sh_err_t
s_idle (run_t *self, int timeout, bool until_stale)
{
    int64_t end = s_now (self) + timeout;
    sh_err_t rc = SH_OK;
    sh_log_flush ();
    while (rc == SH_OK && s_now (self) < end
           && !(until_stale && sc_link_is_stale (self->link))) {
        const sp_event_t *event;
        rc = sc_link_wait (self->link, (int) (end - s_now (self)), &event);
    }
    return rc;
}

static sh_err_t
s_forever (run_t *self)
{
    sh_err_t rc = SH_OK;
    while (rc != SH_E_INTERRUPTED) {
        if (sc_link_is_stale (self->link) && s_refresh (self) != SH_OK) {
            rc = s_idle (self, PAUSE_MS, false);
            continue;
        }
        sc_subnet_t *subnet = sc_plan_next (&self->plan, s_now (self));
        if (subnet) {
            rc = s_scan_next (self, subnet);
            continue;
        }
        int timeout = sc_plan_timeout (&self->plan, s_now (self));
        if (timeout < 0 || timeout > IDLE_MS)
            timeout = IDLE_MS;
        rc = s_idle (self, timeout, true);
    }
    return rc;
}

static sh_err_t
s_prepare (run_t *self)
{
    const sc_run_options_t *options = self->options;
    sh_why_t why = { 0 };
    self->engine = sc_config_engine (options->config, &self->settings,
                                     &self->limits);
    sh_err_t rc = self->engine->check (self->settings, &why);
    if (rc == SH_OK && why.text[0])
        sc_tell_note (&self->tell, NULL, why.text);
    if (rc == SH_OK)
        rc = sc_link_new (&self->link, options->config, options->version,
                          &self->tell, self->clock, &why);
    if (rc != SH_OK)
        sc_tell_trouble (&self->tell, NULL, rc, why.text);
    int64_t patience = (int64_t) options->config->interval * 1000;
    if (patience < PATIENCE_MS)
        patience = PATIENCE_MS;
    self->ask = (sc_ask_t){ .link = self->link,
                            .code = options->config->code,
                            .patience = options->once
                                            ? (int64_t) options->wait * 1000
                                            : patience,
                            .once = options->once };
    return rc;
}

/*  A service that was told to stop has done nothing wrong.  */
static int
s_exit_status (const run_t *self, sh_err_t rc)
{
    if (rc != SH_E_INTERRUPTED)
        return self->tell.exit_status;
    return self->options->once ? 128 + sc_link_signal (self->link) : EX_OK;
}

int
sc_run (const sc_run_options_t *options)
{
    run_t self = { .options = options, .clock = options->clock };
    self.tell.once = options->once;
    self.tell.begin = sh_clock_mono (options->clock);
    int status;
    sh_err_t rc = s_prepare (&self);
    if (rc == SH_OK) {
        rc = options->once ? s_once (&self) : s_forever (&self);
        if (rc == SH_E_INTERRUPTED && !options->once)
            sh_log (SH_LOG_NOTICE, "stopping",
                    SH_STR ("signal",
                            sigabbrev_np (sc_link_signal (self.link))));
        status = s_exit_status (&self, rc);
    } else {
        status = self.tell.exit_status;
    }
    sc_plan_clear (&self.plan);
    sc_link_destroy (&self.link);
    sh_log_flush ();
    return status;
}
