/* SPDX-License-Identifier: MPL-2.0 */
/*  The parts of a running hub, put together in the one order that never leaves
    a socket open to strangers, and taken down in the reverse.  All of it
    belongs to the main thread.  */

#ifndef HUB_DAEMON_H
#define HUB_DAEMON_H

#include "hub/http_door.h"
#include "hub/metrics.h"
#include "hub/requests.h"
#include "hub/router.h"
#include "hub/watch.h"
#include "hub/zap.h"
#include "lib/control.h"
#include "lib/notify.h"

/*  Members in the order in which they come up.  */
typedef struct
{
    sh_notify_t notify;
    bool stuck; /* and told so */
    hub_config_t *config;
    hub_keychange_t *key;
    unsigned reloads;
    int signals; /* signalfd */
    int looked;  /* eventfd: the watcher has looked at the assignments */
    hub_registry_t *registry;
    hub_pauses_t *pauses;
    hub_previews_t *previews;
    hub_live_t *live;
    hub_journal_t *journal; /* NULL: none is kept */
    hub_knocks_t *pending, *admitted;
    hub_putoff_t *putoff;
    hub_pulse_t *pulse;
    hub_queue_t *home;
    hub_pool_t *pool;
    hub_applier_t *applier;
    hub_watch_t *watch;
    zactor_t *zap;
    hub_zap_args_t zap_args;
    zactor_t *router;
    hub_router_args_t router_args;
    hub_queue_t *http_home;
    zactor_t *http; /* NULL: no such door */
    hub_http_door_args_t http_args;
    hub_metrics_t *metrics; /* NULL: off */
    hub_requests_t requests;
    sh_control_t *control;
} hub_t;

/*  Read the configuration, the key, the registry and what is paused: what
    'scanhubd -t' checks.  Nothing runs yet.  */
sh_err_t hub_daemon_load (hub_t *self, const char *path, sh_why_t *why)
    SH_MUST_CHECK;

/*  Start all of it.  After an error hub_daemon_stop takes down what had come
    up.  */
sh_err_t hub_daemon_start (hub_t *self, sh_why_t *why) SH_MUST_CHECK;

void hub_daemon_stop (hub_t *self);

/*  Put what the configuration says about policies and scans in force.  */
void hub_daemon_publish (hub_t *self);

/*  For hub_requests_t; 'context' is the hub_t.  Read configuration and registry
    again, all or nothing: on any error what is in force stays in force.  Writes
    the answer, "ok ..." or "error ...".  */
void hub_daemon_reload (void *context, char *answer, size_t size);

/*  Likewise: make the assignments anew and tell the scanners at once, whether
    the database answers or not.  */
void hub_daemon_renew (void *context);

#endif
