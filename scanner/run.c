/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/run.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "lib/file.h"
#include "scanner/ask.h"
#include "scanner/link.h"
#include "scanner/rights.h"
#include "scanner/scan.h"
#include "scanner/tell.h"

#define PATIENCE_MS 60000 /* of 'run', at least */
#define PAUSE_MS 5000     /* of 'run', after trouble with the hub */
#define REST_MS 1000      /* from assignments to the next question for them */
#define IDLE_MS 60000     /* then held-back log lines are summed up */
#define KNOWN_MS 5000     /* how long an answer is waited for where an old one
                             will do, and ... */
#define UNASKED_MS 30000  /* ... how long none is asked for after that */
#define SPOOL_MS 60000    /* between two attempts to open the spool */

typedef struct
{
    const sc_run_options_t *options;
    const sc_engine_t *engine;
    sc_prober_t *prober;
    const sh_clock_t *clock;
    sc_link_t *link;
    sp_spool_t *spool; /* NULL: none */
    sp_outbox_t *outbox;
    sc_ask_t ask;
    sc_tell_t tell;
    sc_plan_t plan;
    int64_t refresh_at; /* mono ms: assignments are not asked for before */
    int64_t ask_at;     /* nor known addresses, where old ones will do */
    int64_t spool_at;   /* mono ms: the spool is tried again; 0: not wanted */
    /*  Of 'once', the report at hand.  */
    uint64_t ticket; /* 0: none */
    sc_outcome_t outcome; /* what is known of it before; borrows of the scan */
} run_t;

static int64_t
s_now (const run_t *self)
{
    return sh_clock_mono (self->clock);
}

/*  For the next beats.  */
static void
s_set_load (run_t *self, uint64_t running)
{
    sp_client_set_load (sc_link_client (self->link),
                        sp_outbox_depth (self->outbox), running);
}

/*  Let the engine work while the session lives on.  */
static sh_err_t
s_watch_probe (run_t *self, sc_probe_t *probe)
{
    int fd = self->engine->fd (probe);
    sh_err_t rc = sc_link_watch (self->link, fd);
    if (rc != SH_OK)
        return rc;
    s_set_load (self, 1);
    while (rc == SH_OK && !self->engine->step (probe)) {
        const sp_event_t *event;
        rc = sc_link_wait (self->link, self->engine->timeout (probe), &event);
    }
    s_set_load (self, 0);
    sc_link_unwatch (self->link, fd);
    return rc;
}

/*  Fill 'result'.  An error means that there was no scan at all.  */
static sh_err_t
s_probe (run_t *self, const sc_job_t *job, const sh_clock_t *clock,
         sc_result_t *result, sh_why_t *why)
{
    if (job->ranges->count == 0) { /* nothing known, nothing to be silent */
        result->complete = true;
        return SH_OK;
    }
    sc_probe_t *probe = NULL;
    sh_err_t rc = self->engine->start (&probe, self->prober, job, clock, why);
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

/*  A report has reached the hub, of this scan or of an earlier one.  */
static void
s_ended (void *context, const sp_outbox_end_t *end)
{
    run_t *self = context;
    bool at_hand = self->ticket && end->ticket == self->ticket;
    sc_outcome_t outcome = { .cidr = end->report->cidr,
                             .up = end->report->up,
                             .note = "" };
    if (at_hand) {
        outcome = self->outcome;
        self->ticket = 0;
    }
    outcome.sum = end->sum;
    if (at_hand || !self->options->once)
        sc_tell_outcome (&self->tell, &outcome);
    else
        sc_tell_note (&self->tell, outcome.cidr,
                      end->refused ? "the hub refused a report that was kept "
                                     "on disk"
                                   : "a report that was kept on disk has been "
                                     "delivered");
    /* most refusals of a whole report come from old assignments */
    if (end->refused)
        sc_link_set_stale (self->link);
}

/*  'once' waits until the hub has the report at hand, as long as there is
    progress.  */
static sh_err_t
s_await (run_t *self, sh_why_t *why)
{
    int64_t until = s_now (self) + self->ask.patience;
    uint64_t progress = sp_outbox_progress (self->outbox);
    while (self->ticket) {
        sp_client_t *client = sc_link_client (self->link);
        if (sp_outbox_progress (self->outbox) != progress) {
            progress = sp_outbox_progress (self->outbox);
            until = s_now (self) + self->ask.patience;
        }
        int64_t left = until - s_now (self);
        bool over = left <= 0 || sc_link_is_hopeless (self->link);
        if (over && !sp_client_is_up (client))
            return sc_link_why (self->link, why);
        if (over) {
            const char *text = sp_outbox_put_off (self->outbox);
            return sh_fail (why, SH_E_TIMEOUT, "%s",
                            *text ? text : "no verdict came in time");
        }
        const sp_event_t *event;
        sh_err_t rc = sc_link_wait (
            self->link, left > INT_MAX ? INT_MAX : (int) left, &event);
        if (rc != SH_OK)
            return rc;
    }
    return SH_OK;
}

/*  Hand the report over to be delivered; 'once' also waits for that.  */
static sh_err_t
s_report (run_t *self, const sc_scan_t *scan, int64_t epoch, sh_why_t *why)
{
    const sp_report_t *report = sc_scan_report (scan);
    bool durable = false;
    uint64_t ticket;
    sh_err_t rc = sp_outbox_put (self->outbox, "", report, epoch, &ticket,
                                 &durable);
    if (rc != SH_OK)
        return sh_fail (why, rc, "the report could not be kept: %s",
                        sh_err_text (rc));
    sc_tell_kept (&self->tell, report, &self->outcome, durable);
    s_set_load (self, 0);
    if (!self->options->once)
        return SH_OK;
    self->ticket = ticket;
    rc = s_await (self, why);
    self->ticket = 0;
    self->tell.kept += rc != SH_OK && durable;
    if (rc != SH_OK && rc != SH_E_INTERRUPTED && durable)
        sc_tell_note (&self->tell, sc_scan_cidr (scan),
                      "the report is kept on disk for the next run");
    return rc;
}

/*  Does the error say that nobody could answer, rather than that we may not ask?
    The hub's database may be away, or be of no use to it.  */
static bool
s_is_no_answer (sh_err_t rc)
{
    return sh_err_class (rc) == SH_CLASS_RETRY
           || sh_err_class (rc) == SH_CLASS_OURS;
}

/*  The addresses that phpIPAM knows; while nobody answers those of the last
    time, so that a site goes on scanning.  */
static sh_err_t
s_learn_targets (run_t *self, sc_subnet_t *subnet, sc_scan_t *scan,
                 sh_why_t *why)
{
    sc_ask_t ask = self->ask;
    bool old_will_do = !ask.once && subnet->known.valid;
    if (old_will_do && ask.patience > KNOWN_MS)
        ask.patience = KNOWN_MS;
    sh_err_t rc = SH_E_DISCONNECTED;
    if (!old_will_do
        || (sp_client_is_up (sc_link_client (self->link))
            && s_now (self) >= self->ask_at)) {
        rc = sc_ask_targets (&ask, subnet->id, scan, why);
        self->ask_at = rc == SH_OK ? 0 : s_now (self) + UNASKED_MS;
    }
    if (rc != SH_E_INTERRUPTED && old_will_do && s_is_no_answer (rc))
        rc = sc_scan_use (scan, &subnet->known);
    return rc;
}

/*  Probe, and make the report.  All of its times are by one clock that nobody
    sets; '*epoch' tells which.  */
static sh_err_t
s_probe_all (run_t *self, sc_scan_t *scan, sc_result_t *result, int64_t *epoch,
             sh_why_t *why)
{
    sh_held_clock_t held;
    sh_clock_hold (&held, self->clock);
    *epoch = held.epoch;
    int64_t started = sh_clock_wall (&held.clock);
    sc_job_t job = *sc_scan_job (scan);
    job.resolve = job.resolve
                  && self->options->config->resolve == SC_RESOLVE_ASSIGNED;
    sh_err_t rc = s_probe (self, &job, &held.clock, result, why);
    if (rc != SH_OK)
        return rc;
    rc = sc_scan_finish (scan, result, started, sh_clock_wall (&held.clock));
    return rc == SH_OK ? rc : sh_fail (why, rc, "%s", sh_err_text (rc));
}

/*  '*begin' becomes the time at which probing begins: waiting for a hub
    before is no part of the scan, or its end would be followed by the next
    one at once.  */
static sh_err_t
s_scan (run_t *self, sc_subnet_t *subnet, sc_scan_t *scan, int64_t *begin,
        sh_why_t *why)
{
    sc_result_t result = { 0 };
    sh_err_t rc = s_learn_targets (self, subnet, scan, why);
    *begin = s_now (self);
    if (rc != SH_OK)
        return rc;
    rc = sc_scan_plan (scan);
    if (rc != SH_OK)
        return sh_fail (why, rc, "%s", sh_err_text (rc));
    sc_scan_remember (scan, &subnet->known);
    int64_t epoch = 0;
    rc = s_probe_all (self, scan, &result, &epoch, why);
    if (rc != SH_OK)
        return rc;
    self->outcome = (sc_outcome_t){ .cidr = sc_scan_cidr (scan),
                                    .up = sc_scan_report (scan)->up,
                                    .note = sc_scan_note (scan),
                                    .incomplete = sc_scan_trouble (scan),
                                    .took = s_now (self) - *begin };
    return s_report (self, scan, epoch, why);
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
    self->tell.failed += rc != SH_OK;
    subnet->due = s_due (self, rc, begin);
    /* without a hub the other subnets would fail the same way */
    bool end = self->options->once && sc_link_is_hopeless (self->link);
    return end ? rc : SH_OK;
}

/*  Ask for the assignments.  Where old ones will do, they are gone by until the
    next attempt.  */
static sh_err_t
s_refresh (run_t *self)
{
    sh_why_t why = { 0 };
    sc_plan_t fresh = { 0 };
    sc_ask_t ask = self->ask;
    if (!ask.once && self->plan.count && ask.patience > KNOWN_MS)
        ask.patience = KNOWN_MS;
    sh_err_t rc = sc_ask_assignments (&ask, &fresh, &self->tell, &why);
    self->refresh_at = s_now (self) + (rc == SH_OK ? REST_MS : PAUSE_MS);
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

/*  While the hub is away the site is scanned by its last word.  */
static bool
s_must_refresh (const run_t *self)
{
    return sc_link_is_stale (self->link) && s_now (self) >= self->refresh_at
           && (self->plan.count == 0
               || sp_client_is_up (sc_link_client (self->link)));
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

/*  Until the next scan, the next attempt to get assignments, or new ones.  */
static int
s_rest (const run_t *self)
{
    int timeout = sc_plan_timeout (&self->plan, s_now (self));
    if (timeout < 0 || timeout > IDLE_MS)
        timeout = IDLE_MS;
    return sc_link_is_stale (self->link) && timeout > REST_MS ? REST_MS
                                                              : timeout;
}

static sh_err_t
s_open_spool (run_t *self, sh_why_t *why)
{
    const sc_config_t *config = self->options->config;
    sh_err_t rc = sh_file_make_parent (config->spool, "the spool", why);
    if (rc == SH_OK)
        rc = sp_spool_open (&self->spool, config->spool,
                            (uint64_t) config->spool_size * 1024 * 1024,
                            self->clock, why);
    return rc;
}

/*  A scanner without a spool is better than none.  But where another one is at
    work with it, 'once' would only take its connection.  */
static sh_err_t
s_find_spool (run_t *self, sh_why_t *why)
{
    if (!self->options->config->spool)
        return SH_OK;
    sh_err_t rc = s_open_spool (self, why);
    if (rc == SH_E_EXISTS && self->options->once)
        return sh_fail (why, SH_E_OVERLOAD,
                        "another scanhub-scanner is at work with %s; stop it "
                        "first, or look into its log",
                        self->options->config->spool);
    if (rc == SH_OK)
        return rc;
    sh_log (SH_LOG_WARNING, "no spool: reports wait in memory, and are lost if "
                            "the program ends before the hub has them",
            SH_STR ("because", why->text));
    self->spool_at = s_now (self) + SPOOL_MS;
    return SH_OK;
}

/*  What was in the way may be gone.  */
static void
s_retry_spool (run_t *self)
{
    sh_why_t why = { "" };
    if (!self->spool_at || s_now (self) < self->spool_at)
        return;
    self->spool_at = s_now (self) + SPOOL_MS;
    if (s_open_spool (self, &why) != SH_OK)
        return;
    self->spool_at = 0;
    sp_outbox_use (self->outbox, self->spool);
    sh_log (SH_LOG_NOTICE, "the spool is there now",
            SH_STR ("file", self->options->config->spool));
}

static sh_err_t
s_forever (run_t *self)
{
    sh_err_t rc = SH_OK;
    while (rc != SH_E_INTERRUPTED) {
        s_retry_spool (self);
        if (s_must_refresh (self)) {
            rc = s_refresh (self);
            if (rc != SH_OK && self->plan.count == 0)
                rc = s_idle (self, PAUSE_MS, false);
            continue;
        }
        sc_subnet_t *subnet = sc_plan_next (&self->plan, s_now (self));
        if (subnet)
            rc = s_scan_next (self, subnet);
        else
            rc = s_idle (self, s_rest (self), !sc_link_is_stale (self->link));
    }
    return rc;
}

static sh_err_t
s_open_outbox (run_t *self, sh_why_t *why)
{
    sh_err_t rc = s_find_spool (self, why);
    if (rc != SH_OK)
        return rc;
    sp_outbox_options_t options = { .spool = self->spool,
                                    .in_memory = true,
                                    .clock = self->clock,
                                    .ended = s_ended,
                                    .context = self };
    rc = sp_outbox_new (&self->outbox, &options);
    if (rc != SH_OK)
        return rc;
    sc_link_carry (self->link, self->outbox);
    if (!self->options->once)
        sh_log (SH_LOG_NOTICE, "asking the hub what to scan; until it answers, "
                               "nothing is scanned",
                SH_INT ("reports_of_earlier", sp_outbox_depth (self->outbox)));
    return rc;
}

static sh_err_t
s_prepare (run_t *self)
{
    const sc_run_options_t *options = self->options;
    sh_why_t why = { 0 };
    const void *settings;
    self->engine = sc_config_engine (options->config, &settings);
    sh_err_t rc = self->engine->check (settings, &why);
    if (rc == SH_OK && why.text[0])
        sc_tell_note (&self->tell, NULL, why.text);
    if (rc == SH_OK)
        rc = self->engine->open (&self->prober, settings, self->clock, &why);
    if (rc == SH_OK)
        rc = sc_link_new (&self->link, options->config, options->version,
                          &self->tell, self->clock, &why);
    if (rc == SH_OK)
        rc = s_open_outbox (self, &why);
    /*  All files are open, nothing is connected.  */
    if (rc == SH_OK)
        rc = sc_rights_reduce (&why);
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
    if (self.prober)
        self.engine->close (&self.prober);
    if (self.link)
        sc_link_carry (self.link, NULL);
    sp_outbox_destroy (&self.outbox);
    sp_spool_close (&self.spool);
    sc_link_destroy (&self.link);
    sh_log_flush ();
    return status;
}
