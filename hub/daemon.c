/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/daemon.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "hub/descriptors.h"
#include "hub/keychange.h"
#include "hub/pulse.h"
#include "lib/log.h"
#include "lib/signals.h"
#include "lib/tsan.h"

#define PENDING_EACH 8   /* of one address */
#define HOME_JOBS 65536 /* more than all workers' queues together */

sh_err_t
hub_daemon_load (hub_t *self, const char *path, sh_why_t *why)
{
    sh_err_t rc = hub_config_load (&self->config, path, why);
    if (rc != SH_OK)
        return rc;
    sh_log_set_level ((sh_level_t) self->config->log_level);
    rc = hub_config_prepare (self->config, why);
    if (rc != SH_OK)
        return rc;
    rc = hub_keychange_new (&self->key, self->config->key,
                            sh_clock_wall (sh_clock_system ()), why);
    if (rc == SH_OK)
        rc = hub_registry_new (&self->registry, self->config->registry, why);
    if (rc == SH_OK)
        rc = hub_registry_keep_retired (self->registry, self->config->retired,
                                        why);
    if (rc == SH_OK)
        rc = hub_pauses_new (&self->pauses, self->config->pauses, why);
    return rc;
}

/*  TZ is set here, before there are threads, or never.  */
static sh_err_t
s_choose_zone (const char *name, hub_zone_mode_t *mode, sh_why_t *why)
{
    *mode = HUB_ZONE_AUTO;
    if (streq (name, "auto"))
        return SH_OK;
    *mode = streq (name, "UTC") ? HUB_ZONE_UTC : HUB_ZONE_LOCAL;
    return *mode == HUB_ZONE_UTC ? SH_OK : sh_zone_adopt (name, why);
}

/*  Before there are threads.  */
static sh_err_t
s_catch_signals (hub_t *self, sh_why_t *why)
{
    sh_signals_block ();
    signal (SIGPIPE, SIG_IGN);
    self->signals = sh_signals_open ();
    self->looked = eventfd (0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (self->signals < 0 || self->looked < 0)
        return sh_fail (why, SH_E_IO, "signalfd or eventfd: %s",
                        strerror (errno));
    return SH_OK;
}

static sh_err_t
s_start_zap (hub_t *self, sh_why_t *why)
{
    self->zap_args = (hub_zap_args_t){
        .registry = self->registry,
        .pending = self->pending,
        .admitted = self->admitted,
        .putoff = self->putoff,
        .beat = hub_pulse_join (self->pulse, "authentication", 0),
        .meters = hub_live_meters (self->live),
    };
    self->zap = zactor_new (hub_zap_actor, &self->zap_args);
    SH_TSAN_TAKE (&self->zap_args);
    if (!self->zap || self->zap_args.failed)
        return sh_fail (why, SH_E_IO,
                        "the authentication handler did not start; refusing "
                        "to listen, for every key would be let in");
    return SH_OK;
}

static sh_err_t
s_start_router (hub_t *self, sh_why_t *why)
{
    self->router_args = (hub_router_args_t){
        .config = self->config,
        .key = self->key,
        .registry = self->registry,
        .pool = self->pool,
        .live = self->live,
        .clock = sh_clock_system (),
        .looked = self->looked,
        .putoff = self->putoff,
        .admitted = self->admitted,
        .beat = hub_pulse_join (self->pulse, "router", 0),
        .home = self->home,
        .watch = self->watch,
    };
    self->router = zactor_new (hub_router_actor, &self->router_args);
    SH_TSAN_TAKE (&self->router_args);
    if (!self->router)
        return sh_fail (why, SH_E_MEMORY, "the router did not start");
    *why = self->router_args.why;
    return self->router_args.err;
}

/*  Only where it is configured.  */
static sh_err_t
s_start_http (hub_t *self, sh_why_t *why)
{
    if (!self->config->http_on)
        return SH_OK;
    sh_err_t rc = hub_queue_new (&self->http_home, HOME_JOBS, SIZE_MAX);
    if (rc != SH_OK)
        return rc;
    self->http_args = (hub_http_door_args_t){
        .config = self->config,
        .pool = self->pool,
        .clock = sh_clock_system (),
        .beat = hub_pulse_join (self->pulse, "HTTP door", 0),
        .meters = hub_live_meters (self->live),
        .home = self->http_home,
    };
    self->http = zactor_new (hub_http_door_actor, &self->http_args);
    SH_TSAN_TAKE (&self->http_args);
    if (!self->http)
        return sh_fail (why, SH_E_MEMORY, "the HTTP door did not start");
    *why = self->http_args.why;
    return self->http_args.err;
}

static sh_err_t
s_make_lists (hub_t *self)
{
    sh_err_t rc = hub_knocks_new (&self->pending, HUB_PENDING_KEYS,
                                  PENDING_EACH);
    if (rc == SH_OK)
        rc = hub_knocks_new (&self->admitted, HUB_ADMITTED_MOST,
                             HUB_ADMITTED_MOST);
    if (rc == SH_OK)
        rc = hub_putoff_new (&self->putoff);
    if (rc == SH_OK)
        rc = hub_pulse_new (&self->pulse, sh_clock_system ());
    return rc;
}

/*  It opens its file by itself: however that is, reports are taken.  */
static sh_err_t
s_start_journal (hub_t *self)
{
    const hub_config_t *config = self->config;
    if (!config->journal)
        return SH_OK;
    return hub_journal_new (
        &self->journal,
        &(hub_journal_limits_t){
            .path = config->journal,
            .age_ms = (int64_t) config->journal_days * 86400 * 1000,
            .size_bytes = (uint64_t) config->journal_size * 1024 * 1024 },
        sh_clock_system ());
}

static sh_err_t
s_start_metrics (hub_t *self, sh_why_t *why)
{
    const hub_metrics_sources_t sources = {
        .registry = self->registry,
        .live = self->live,
        .pool = self->pool,
        .pulse = self->pulse,
        .pending = self->pending,
        .journal = self->journal,
        .previews = self->previews,
        .clock = sh_clock_system (),
        .started = self->requests.started,
    };
    return hub_metrics_new (&self->metrics, &self->config->metrics, &sources,
                            why);
}

/*  Nobody is served before all of it is there.  */
static void
s_ready_requests (hub_t *self)
{
    self->requests = (hub_requests_t){
        .config = self->config,
        .key = self->key,
        .registry = self->registry,
        .live = self->live,
        .pool = self->pool,
        .pending = self->pending,
        .router = self->router,
        .http = self->http,
        .pauses = self->pauses,
        .previews = self->previews,
        .applier = self->applier,
        .journal = self->journal,
        .started = sh_clock_wall (sh_clock_system ()),
        .reload = hub_daemon_reload,
        .renew = hub_daemon_renew,
        .context = self,
    };
}

/*  What the parts share, and the right to listen at all.  */
static sh_err_t
s_prepare (hub_t *self, sh_why_t *why)
{
    hub_zone_mode_t zone;
    sh_err_t rc = s_choose_zone (self->config->timezone, &zone, why);
    if (rc == SH_OK)
        rc = s_catch_signals (self, why);
    if (rc == SH_OK)
        rc = hub_live_new (&self->live, zone);
    if (rc == SH_OK)
        rc = s_make_lists (self);
    if (rc == SH_OK) {
        hub_live_set_pauses (self->live, self->pauses);
        hub_live_set_events (self->live,
                             self->config->phpipam_log == HUB_LOG_EVENTS);
        hub_daemon_publish (self);
        rc = hub_queue_new (&self->home, HOME_JOBS, SIZE_MAX);
    }
    /*  First of all the right to listen at all: no other hub at work here. */
    if (rc == SH_OK)
        rc = sh_control_new (
            &self->control, self->config->control,
            &(sh_control_options_t){ .program = "scanhubd",
                                     .accept = hub_descriptors_accept,
                                     .answer = hub_requests_answer,
                                     .context = &self->requests },
            why);
    return rc;
}

/*  What works on reports.  */
static sh_err_t
s_start_work (hub_t *self)
{
    hub_store_t *store = NULL;
    sh_err_t rc = hub_store_mariadb_new (&store, &self->config->database,
                                         sh_clock_system ());
    if (rc == SH_OK)
        rc = s_start_journal (self);
    if (rc == SH_OK)
        rc = hub_previews_new (&self->previews, self->config->previews,
                               sh_clock_system ());
    if (rc == SH_OK)
        rc = hub_pool_new (
            &self->pool, &(hub_pool_options_t){ .config = self->config,
                                                .registry = self->registry,
                                                .live = self->live,
                                                .pulse = self->pulse,
                                                .journal = self->journal,
                                                .previews = self->previews,
                                                .clock = sh_clock_system () });
    if (rc == SH_OK)
        rc = hub_applier_new (&self->applier, self->previews, self->pool,
                              self->registry, sh_clock_system ());
    if (rc == SH_OK)
        rc = hub_watch_new (&self->watch, &store, self->live,
                            hub_pulse_join (self->pulse, "watcher", 0),
                            sh_clock_system (), self->looked);
    if (store)
        store->destroy (&store);
    return rc;
}

sh_err_t
hub_daemon_start (hub_t *self, sh_why_t *why)
{
    sh_err_t rc = s_prepare (self, why);
    if (rc == SH_OK)
        rc = s_start_work (self);
    if (rc == SH_OK) {
        hub_keychange_settle (self->key);
        rc = s_start_zap (self, why);
    }
    if (rc == SH_OK)
        rc = s_start_router (self, why);
    if (rc == SH_OK)
        rc = s_start_http (self, why);
    if (rc == SH_OK)
        s_ready_requests (self);
    if (rc == SH_OK)
        rc = s_start_metrics (self, why);
    return rc;
}

/*  The reverse of starting.  ZAP goes last: a CURVE socket without a handler
    would let everybody in.  */
void
hub_daemon_stop (hub_t *self)
{
    hub_metrics_destroy (&self->metrics);
    zactor_destroy (&self->http);
    zactor_destroy (&self->router);
    zactor_destroy (&self->zap);
    hub_watch_destroy (&self->watch);
    hub_applier_stop (self->applier);
    hub_pool_destroy (&self->pool);
    hub_applier_destroy (&self->applier);
    hub_journal_destroy (&self->journal);
    hub_queue_destroy (&self->http_home);
    hub_queue_destroy (&self->home);
    sh_control_destroy (&self->control);
    hub_pulse_destroy (&self->pulse);
    hub_putoff_destroy (&self->putoff);
    hub_knocks_destroy (&self->admitted);
    hub_knocks_destroy (&self->pending);
    hub_live_destroy (&self->live);
    hub_previews_destroy (&self->previews);
    hub_pauses_destroy (&self->pauses);
    hub_registry_destroy (&self->registry);
    hub_keychange_destroy (&self->key);
    hub_config_destroy (&self->config);
    if (self->signals >= 0)
        close (self->signals);
    if (self->looked >= 0)
        close (self->looked);
}
