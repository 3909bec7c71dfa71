/* SPDX-License-Identifier: MPL-2.0 */
/*  What changes in a running hub.  */

#include "hub/daemon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hub/keychange.h"
#include "lib/log.h"
#include "lib/text.h"
#include "lib/tsan.h"

static void
s_publish_policies (hub_t *self)
{
    hub_policies_t *policies = malloc (sizeof *policies);
    if (!policies)
        return;
    *policies = self->config->policies;
    hub_policies_init (&self->config->policies);
    hub_live_set_policies (self->live, &policies);
}

static void
s_publish_scan (hub_t *self)
{
    hub_scan_settings_t *settings = malloc (sizeof *settings);
    if (!settings)
        return;
    *settings = self->config->scan;
    hub_scan_settings_init (&self->config->scan);
    hub_live_set_scan (self->live, &settings);
}

void
hub_daemon_publish (hub_t *self)
{
    s_publish_policies (self);
    s_publish_scan (self);
}

void
hub_daemon_renew (void *context)
{
    hub_t *self = context;
    const uint64_t one = 1;
    hub_live_renew (self->live, sh_clock_wall (sh_clock_system ()));
    ssize_t ignored = write (self->looked, &one, sizeof one);
    (void) ignored;
    hub_watch_poke (self->watch);
}

static sh_err_t
s_reload_actor (zactor_t *actor, sh_why_t *why)
{
    zstr_send (actor, "RELOAD");
    char *error = zstr_recv (actor);
    sh_err_t rc = SH_OK;
    if (!error || *error)
        rc = sh_fail (why, SH_E_CONFIG, "%s", error ? error : "no answer");
    zstr_free (&error);
    return rc;
}

/*  The log has them already.  */
static void
s_add_strangers (const hub_t *self, char *answer, size_t size)
{
    char text[HUB_STRANGERS_TEXT];
    size_t used = strlen (answer);
    hub_live_strangers (self->live, text);
    if (*text)
        snprintf (answer + used, size - used, "\nwarning: %s", text);
}

void
hub_daemon_reload (void *context, char *answer, size_t size)
{
    hub_t *self = context;
    sh_why_t why = { "" };
    hub_config_t *fresh = NULL;
    sh_notify_reloading (&self->notify);
    sh_err_t rc = hub_config_load (&fresh, self->config->path, &why);
    const char *fixed
        = rc == SH_OK ? hub_config_needs_restart (self->config, fresh) : NULL;
    if (fixed)
        rc = sh_fail (&why, SH_E_CONFIG,
                      "'%s' changed, which takes a restart; nothing was "
                      "reloaded", fixed);
    self->http_args.fresh = fresh;
    SH_TSAN_GIVE (&self->http_args);
    if (rc == SH_OK && self->http)
        rc = s_reload_actor (self->http, &why);
    SH_TSAN_TAKE (&self->http_args);
    if (rc == SH_OK)
        rc = hub_keychange_read (self->key, &why);
    if (rc == SH_OK)
        rc = s_reload_actor (self->zap, &why);
    if (rc == SH_OK) {
        hub_config_t *old = self->config;
        /*  Threads go on reading the old one's database and listen settings,
            which are equal; only what may change moves over.  */
        old->log_level = fresh->log_level;
        old->phpipam_log = fresh->phpipam_log;
        hub_live_set_events (self->live,
                             old->phpipam_log == HUB_LOG_EVENTS);
        hub_policies_clear (&old->policies);
        old->policies = fresh->policies;
        hub_policies_init (&fresh->policies);
        hub_scan_settings_clear (&old->scan);
        old->scan = fresh->scan;
        hub_scan_settings_init (&fresh->scan);
        hub_daemon_publish (self);
        sh_log_set_level ((sh_level_t) old->log_level);
        hub_daemon_renew (self);
    }
    self->http_args.fresh = NULL;
    hub_config_destroy (&fresh);
    if (rc == SH_OK)
        snprintf (answer, size, "ok reloaded, %zu key%s in the registry",
                  hub_registry_size (self->registry),
                  sh_text_s (hub_registry_size (self->registry)));
    else
        snprintf (answer, size, "error not reloaded: %s", why.text);
    /*  Numbered, so that a line is never held back as a repeat.  */
    sh_log (rc == SH_OK ? SH_LOG_NOTICE : SH_LOG_ERROR, "reload",
            SH_INT ("number", ++self->reloads), SH_STR ("result", answer));
    sh_notify_ready (&self->notify, answer);
    if (rc == SH_OK)
        s_add_strangers (self, answer, size);
}
