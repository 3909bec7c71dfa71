/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/run.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/file.h"
#include "lib/log.h"
#include "scanner/rights.h"
#include "scanner/run_within.h"

#define PATIENCE_MS 60000 /* of 'run', at least */
#define REST_MS 1000      /* from assignments to the next question for them */
#define LOOK_MS 1000      /* between two looks at quiet hours and such */
#define KNOWN_MS 5000     /* for assignments where old ones will do */
#define CONTROL_MS 50     /* for a client of the control socket: it stops us */
#define SPOOL_MS 60000    /* between two attempts to open the spool */

sc_moment_t
sc_running_moment (const sc_running_t *self)
{
    time_t seconds = (time_t) (sh_clock_wall (self->clock) / 1000);
    struct tm local = { 0 };
    (void) localtime_r (&seconds, &local);
    return (sc_moment_t){
        .now = sc_running_now (self),
        .minute = local.tm_hour * 60 + local.tm_min,
        .hub = self->once || sp_client_is_up (sc_link_client (self->link)),
    };
}

static bool
s_is_idle (const sc_running_t *self)
{
    for (size_t i = 0; i < SC_WORKS_MOST; i++)
        if (self->works[i])
            return false;
    return sc_ask_is_idle (self->ask);
}

/*  For the next beats.  */
static void
s_set_load (sc_running_t *self)
{
    sp_client_set_load (sc_link_client (self->link),
                        sp_outbox_depth (self->outbox),
                        sc_running_count (self, SC_WORK_PROBING)
                            + sc_running_count (self, SC_WORK_NAMING));
}

/*  'once' scans everything that is assigned, now, each once.  */
static void
s_all_due (sc_running_t *self)
{
    const sc_moment_t at = sc_running_moment (self);
    for (size_t i = 0; i < self->plan.count; i++) {
        sc_subnet_t *subnet = &self->plan.items[i];
        bool left = subnet->paused || sc_subnet_is_quiet (subnet, at.minute);
        subnet->check_due = left || !subnet->check ? SC_NEVER : at.now;
        subnet->discover_due = left || !subnet->discover ? SC_NEVER : at.now;
        char cidr[SH_PREFIX_TEXT];
        sh_prefix_text (&subnet->prefix, cidr);
        if (left)
            sc_tell_note (&self->tell, cidr,
                          subnet->paused
                              ? "paused at the hub, so it is left out"
                              : "these are quiet hours of it, by the hub's "
                                "file, so it is left out");
    }
}

/*  The question for the assignments is over.  Where old ones will do, they are
    gone by until the next attempt.  */
static void
s_refreshed (sc_running_t *self, sh_err_t rc, const sh_why_t *why)
{
    self->refresh_at
        = sc_running_now (self) + (rc == SH_OK ? REST_MS : SC_PAUSE_MS);
    if (rc != SH_OK) {
        sc_tell_trouble (&self->tell, NULL, rc, why->text);
        return;
    }
    sc_plan_adopt (&self->plan, &self->fresh, sc_running_now (self));
    self->plan_at = 0;
    if (self->once)
        s_all_due (self);
    sc_running_review (self);
    if (self->plan.count == 0)
        sc_tell_note (&self->tell, NULL,
                      "phpIPAM assigns no subnet to this scanner; in "
                      "phpIPAM, Edit subnet: choose this scan agent and "
                      "switch on host check or discovery");
}

static void
s_refresh (sc_running_t *self)
{
    int64_t patience = self->patience;
    if (!self->once && self->plan.count && patience > KNOWN_MS)
        patience = KNOWN_MS;
    sc_ask_assignments (self->ask, &self->fresh, &self->tell, patience);
}

/*  While the hub is away the site is scanned by its last word.  */
static bool
s_must_refresh (const sc_running_t *self)
{
    return sc_link_is_stale (self->link)
           && sc_running_now (self) >= self->refresh_at
           && (self->plan.count == 0
               || sp_client_is_up (sc_link_client (self->link)));
}

/*  True: a question for assignments is over, with 'rc'.  */
static bool
s_step_ask (sc_running_t *self, sh_err_t *rc)
{
    sh_why_t why = { "" };
    bool targets = sc_running_count (self, SC_WORK_ASKING) > 0;
    if (!sc_ask_step (self->ask, rc, &why))
        return false;
    if (targets)
        sc_running_answered (self, *rc, &why);
    else
        s_refreshed (self, *rc, &why);
    return !targets;
}

static int
s_least (int a, int b)
{
    return a < 0 ? b : b < 0 || a < b ? a : b;
}

/*  ms until something of the plan may be due, looked up rarely.  */
static int
s_plan_timeout (sc_running_t *self, int64_t now)
{
    if (now >= self->plan_at) {
        const sc_moment_t at = sc_running_moment (self);
        int timeout = sc_plan_timeout (&self->plan, &at);
        self->plan_at = now + s_least (timeout, LOOK_MS);
    }
    return (int) (self->plan_at - now);
}

/*  ms until there is something to do that no descriptor tells.  */
static int
s_timeout (sc_running_t *self)
{
    int64_t now = sc_running_now (self);
    int timeout = sc_ask_timeout (self->ask);
    if (sc_running_has_room (self) && sc_ask_is_idle (self->ask))
        timeout = s_least (timeout, s_plan_timeout (self, now));
    for (size_t i = 0; i < SC_WORKS_MOST; i++)
        if (self->works[i])
            timeout = s_least (timeout, sc_work_timeout (self->works[i]));
    if (sp_client_is_up (sc_link_client (self->link)))
        timeout = s_least (timeout, sc_orders_timeout (&self->orders, now));
    return s_least (timeout, LOOK_MS);
}

static sh_err_t
s_wait (sc_running_t *self)
{
    const sp_event_t *event;
    s_set_load (self);
    sh_err_t rc = sc_link_wait (self->link, s_timeout (self), &event);
    if (rc != SH_OK)
        return rc;
    if (event->kind == SP_EVENT_UP || event->kind == SP_EVENT_DOWN) {
        self->since = sc_running_now (self);
        self->plan_at = 0; /* others may begin now */
    }
    if (event->kind == SP_EVENT_OTHER && self->control)
        sh_control_serve (self->control);
    bool of_use = sc_ask_take (self->ask, event);
    of_use |= sc_running_take (self, event);
    if (event->kind == SP_EVENT_MESSAGE && !of_use
        && event->message->type != SP_REVISION_PUSH)
        sp_client_count_useless (sc_link_client (self->link));
    return SH_OK;
}

static sh_err_t
s_once (sc_running_t *self)
{
    sh_err_t rc = SH_OK;
    s_refresh (self);
    while (rc == SH_OK) {
        sh_err_t asked = SH_OK;
        if (s_step_ask (self, &asked) && asked != SH_OK)
            rc = asked;
        if (rc == SH_OK)
            sc_running_begin (self);
        sc_running_step (self);
        /* without a hub the other subnets would fail the same way */
        if (s_is_idle (self) || (rc == SH_OK && self->tell.failed
                                 && sc_link_is_hopeless (self->link)))
            break;
        if (rc == SH_OK)
            rc = s_wait (self);
    }
    if (self->tell.subnets || rc == SH_OK)
        sc_tell_total (&self->tell, sc_running_now (self));
    return rc;
}

static sh_err_t
s_open_spool (sc_running_t *self, sh_why_t *why)
{
    const sc_config_t *config = self->config;
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
s_find_spool (sc_running_t *self, sh_why_t *why)
{
    if (!self->config->spool)
        return SH_OK;
    sh_err_t rc = s_open_spool (self, why);
    if (rc == SH_E_EXISTS && self->once)
        return sh_fail (why, SH_E_OVERLOAD,
                        "another scanhub-scanner is at work with %s; stop it "
                        "first, or look into its log",
                        self->config->spool);
    /*  Root tries what another user's service does: 'once' waits for the
        verdicts, and says what the hub did not take.  */
    if (rc == SH_OK || (rc == SH_E_MODE && self->once && geteuid () == 0))
        return SH_OK;
    if (self->once) {
        sh_why_t note;
        (void) sh_fail (&note, rc, "no spool, so what the hub does not take now "
                        "is lost: %s", why->text);
        sc_tell_note (&self->tell, NULL, note.text);
        return SH_OK;
    }
    sh_log (SH_LOG_WARNING, "no spool: reports wait in memory, and are lost if "
                            "the program ends before the hub has them",
            SH_STR ("because", why->text));
    self->spool_at = sc_running_now (self) + SPOOL_MS;
    return SH_OK;
}

/*  What was in the way may be gone.  */
static void
s_retry_spool (sc_running_t *self)
{
    sh_why_t why = { "" };
    if (!self->spool_at || sc_running_now (self) < self->spool_at)
        return;
    self->spool_at = sc_running_now (self) + SPOOL_MS;
    if (s_open_spool (self, &why) != SH_OK)
        return;
    self->spool_at = 0;
    sp_outbox_use (self->outbox, self->spool);
    sh_log (SH_LOG_NOTICE, "the spool is there now",
            SH_STR ("file", self->config->spool));
}

/*  All or nothing: on any error what is in force stays in force.  */
static void
s_reload (sc_running_t *self)
{
    sh_why_t why = { "" };
    sc_config_t *fresh = NULL;
    sh_notify_reloading (&self->notify);
    sh_err_t rc = sc_config_load (&fresh, self->config->path, &why);
    if (rc == SH_OK)
        rc = sc_config_adopt (self->config, fresh, &why);
    sc_config_destroy (&fresh);
    sh_notify_ready (&self->notify,
                     rc == SH_OK ? "reloaded" : "not reloaded, see the log");
    if (rc != SH_OK) {
        sh_log (SH_LOG_ERROR, "not reloaded", SH_STR ("because", why.text));
        return;
    }
    const void *settings;
    const sc_engine_t *engine = sc_config_engine (self->config, &settings);
    engine->adopt (self->tools.prober, settings);
    sh_log_set_level ((sh_level_t) self->config->log_level);
    sc_plan_set_interval (&self->plan, self->config->interval,
                          sc_running_now (self));
    self->plan_at = 0;
    sh_log (SH_LOG_NOTICE, "reloaded", SH_STR ("file", self->config->path));
}

/*  What changes without anybody telling.  */
static void
s_look (sc_running_t *self)
{
    if (sc_running_now (self) < self->look_at)
        return;
    self->look_at = sc_running_now (self) + LOOK_MS;
    sc_running_review (self);
    s_retry_spool (self);
    if (s_is_idle (self))
        sh_log_flush ();
}

/*  It is ready when all files are open: to wait for the hub is its work.  */
static sh_err_t
s_forever (sc_running_t *self)
{
    sh_err_t rc = SH_OK;
    sh_notify_ready (&self->notify, "at work");
    while (rc != SH_E_INTERRUPTED) {
        sh_err_t asked;
        if (sh_notify_due (&self->notify, sc_running_now (self)))
            sh_notify_alive (&self->notify);
        if (sc_link_take_reload (self->link))
            s_reload (self);
        s_look (self);
        (void) s_step_ask (self, &asked); /* told where it failed */
        if (sc_ask_is_idle (self->ask) && s_must_refresh (self))
            s_refresh (self);
        sc_running_begin (self);
        sc_running_step (self);
        sc_running_tell_orders (self);
        rc = s_wait (self);
    }
    sh_notify_stopping (&self->notify);
    return rc;
}

/*  Capabilities are given up, but root owns files.  */
static void
s_warn_root (const sc_running_t *self)
{
    if (geteuid () == 0 && !self->once)
        sh_log (SH_LOG_NOTICE,
                "running as root, which is not needed: a user of its own with "
                "CAP_NET_RAW is enough, see docs/sites.md");
}

static sh_err_t
s_open_outbox (sc_running_t *self, sh_why_t *why)
{
    sh_err_t rc = s_find_spool (self, why);
    if (rc != SH_OK)
        return rc;
    sp_outbox_options_t options = { .spool = self->spool,
                                    .in_memory = true,
                                    .clock = self->clock,
                                    .ended = sc_running_ended,
                                    .moved = sc_running_moved,
                                    .context = self };
    rc = sp_outbox_new (&self->outbox, &options);
    if (rc != SH_OK)
        return rc;
    sc_link_carry (self->link, self->outbox);
    if (!self->once)
        sh_log (SH_LOG_NOTICE, "asking the hub what to scan; until it answers, "
                               "nothing is scanned",
                SH_INT ("reports_of_earlier", sp_outbox_depth (self->outbox)));
    return rc;
}

/*  A scanner that nobody can ask is better than none.  */
static void
s_open_control (sc_running_t *self)
{
    sh_why_t why = { "" };
    const char *path = self->config->control;
    if (!path || self->once)
        return;
    const sh_control_options_t options = { .program = "scanhub-scanner",
                                           .patience = CONTROL_MS,
                                           .answer = sc_running_answer,
                                           .context = self };
    sh_err_t rc = sh_file_make_parent (path, "the control socket", &why);
    if (rc == SH_OK)
        rc = sh_control_new (&self->control, path, &options, &why);
    if (rc == SH_OK)
        rc = sc_link_watch (self->link, sh_control_fd (self->control));
    if (rc == SH_OK)
        return;
    sh_control_destroy (&self->control);
    sh_log (SH_LOG_WARNING, "no control socket: 'scanhub-scanner status' will "
                            "not reach this program",
            SH_STR ("because", why.text));
}

static sh_err_t
s_open_engine (sc_running_t *self, sh_why_t *why)
{
    const void *settings;
    const sc_engine_t *engine = sc_config_engine (self->config, &settings);
    self->tools = (sc_tools_t){ .config = self->config,
                                .engine = engine,
                                .clock = self->clock };
    sh_err_t rc = engine->check (settings, why);
    if (rc == SH_OK && *why->text)
        sc_tell_note (&self->tell, NULL, why->text);
    if (rc == SH_OK)
        rc = engine->open (&self->tools.prober, settings, self->clock, why);
    return rc;
}

static sh_err_t
s_prepare (sc_running_t *self)
{
    const sc_run_options_t *options = self->options;
    sh_why_t why = { "" };
    sh_err_t rc = s_open_engine (self, &why);
    if (rc == SH_OK)
        rc = sc_link_new (&self->link, self->config, options->version,
                          &self->tell, self->clock, &why);
    if (rc == SH_OK) {
        self->tools.link = self->link;
        rc = sc_ask_new (&self->ask, self->link, self->config->code,
                         self->once);
    }
    if (rc == SH_OK)
        rc = s_open_outbox (self, &why);
    if (rc == SH_OK)
        s_open_control (self);
    s_warn_root (self);
    /*  All files are open, nothing is connected.  */
    if (rc == SH_OK)
        rc = sc_rights_reduce (!self->tools.engine->alone, &why);
    if (rc != SH_OK)
        sc_tell_trouble (&self->tell, NULL, rc, why.text);
    self->plan.interval = self->config->interval;
    int64_t interval = INT64_C (1000) * self->config->interval;
    self->patience = self->once ? INT64_C (1000) * options->wait
                     : interval > PATIENCE_MS ? interval
                                              : PATIENCE_MS;
    return rc;
}

/*  A service that was told to stop has done nothing wrong.  */
static int
s_exit_status (const sc_running_t *self, sh_err_t rc)
{
    if (rc != SH_E_INTERRUPTED)
        return self->tell.exit_status;
    return self->once ? 128 + sc_link_signal (self->link) : EX_OK;
}

static void
s_clear (sc_running_t *self)
{
    for (size_t i = 0; i < SC_WORKS_MOST; i++)
        sc_work_destroy (&self->works[i]);
    sc_ask_destroy (&self->ask);
    sc_plan_clear (&self->plan);
    sc_plan_clear (&self->fresh);
    if (self->tools.prober)
        self->tools.engine->close (&self->tools.prober);
    if (self->link)
        sc_link_carry (self->link, NULL);
    sp_outbox_destroy (&self->outbox);
    sp_spool_close (&self->spool);
    if (self->control)
        sh_control_destroy (&self->control);
    sc_link_destroy (&self->link);
}

int
sc_run (const sc_run_options_t *options)
{
    sc_running_t self = { .options = options,
                          .config = options->config,
                          .once = options->once,
                          .clock = options->clock,
                          .notify = SH_NOTIFY_NONE };
    if (!options->once)
        sh_notify_open (&self.notify);
    self.tell.once = options->once;
    self.tell.begin = sh_clock_mono (options->clock);
    int status;
    sh_err_t rc = s_prepare (&self);
    if (rc == SH_OK) {
        rc = options->once ? s_once (&self) : s_forever (&self);
        if (rc == SH_E_INTERRUPTED && !options->once)
            sh_log (SH_LOG_NOTICE, "stopping",
                    SH_STR ("signal",
                            sc_link_signal (self.link) == SIGINT ? "INT"
                                                                 : "TERM"));
        status = s_exit_status (&self, rc);
    } else {
        status = self.tell.exit_status;
    }
    s_clear (&self);
    sh_notify_close (&self.notify);
    sh_log_flush ();
    return status;
}
