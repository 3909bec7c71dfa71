/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhubd: puts the parts together in the one order that never leaves a
    socket open to strangers, and takes them down in the reverse.  */

#include "build-config.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#include <czmq.h>
#include <sodium.h>

#include "hub/descriptors.h"
#include "hub/http_door.h"
#include "hub/keychange.h"
#include "hub/metrics.h"
#include "hub/pulse.h"
#include "hub/requests.h"
#include "hub/router.h"
#include "hub/watch.h"
#include "hub/zap.h"
#include "lib/completion.h"
#include "lib/control.h"
#include "lib/log.h"
#include "lib/notify.h"
#include "lib/secret.h"
#include "lib/tsan.h"

#define PENDING_EACH 8   /* of one address */
#define HOME_JOBS 65536 /* more than all workers' queues together */

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

static void
s_print_help (void)
{
    printf (
        "usage: scanhubd [--config FILE] [-t]\n"
        "The Scanhub daemon: takes scanners' reports and writes phpIPAM's "
        "database.\n\n"
        "  --config FILE  configuration; default:\n"
        "                 %s\n"
        "  -t, --test     check configuration, key and registry, then exit\n"
        "  --version      versions of the program and its libraries\n"
        "  --help         this text\n\n"
        "Signals: HUP reloads configuration and registry, TERM and INT finish\n"
        "the reports at hand and exit.  Exit status: 0, or from sysexits(3):\n"
        "64 usage, 69 unavailable, 71 system, 78 configuration.\n"
        "Manual: scanhubd(8), scanhub.yaml(5).\n",
        hub_config_default ());
}

static void
s_print_version (void)
{
    int major, minor, patch;
    zmq_version (&major, &minor, &patch);
    printf ("scanhubd %s\nlibzmq %d.%d.%d, CZMQ %d.%d.%d, libsodium %s\n",
            PACKAGE_VERSION, major, minor, patch, CZMQ_VERSION_MAJOR,
            CZMQ_VERSION_MINOR, CZMQ_VERSION_PATCH, sodium_version_string ());
}

static int
s_complain (sh_err_t rc, const sh_why_t *why)
{
    sh_log (SH_LOG_ERROR, "scanhubd cannot start",
            SH_STR ("because", *why->text ? why->text : sh_err_text (rc)));
    switch (rc) {
    case SH_E_CONFIG:
    case SH_E_MODE:
    case SH_E_SYNTAX:
    case SH_E_NOT_FOUND:
        return EX_CONFIG;
    case SH_E_EXISTS:
        return EX_UNAVAILABLE;
    default:
        return EX_OSERR;
    }
}

/*  What -t checks too.  */
static sh_err_t
s_load (hub_t *self, const char *path, sh_why_t *why)
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

/*  Scanners are to know at once, whether the database answers or not.  */
static void
s_renew (void *context)
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

/*  All or nothing: on any error what is in force stays in force.  */
static void
s_reload (void *context, char *answer, size_t size)
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
        s_publish_policies (self);
        hub_scan_settings_clear (&old->scan);
        old->scan = fresh->scan;
        hub_scan_settings_init (&fresh->scan);
        s_publish_scan (self);
        sh_log_set_level ((sh_level_t) old->log_level);
        s_renew (self);
    }
    self->http_args.fresh = NULL;
    hub_config_destroy (&fresh);
    if (rc == SH_OK)
        snprintf (answer, size, "ok reloaded, %zu keys in the registry",
                  hub_registry_size (self->registry));
    else
        snprintf (answer, size, "error not reloaded: %s", why.text);
    /*  Numbered, so that a line is never held back as a repeat.  */
    sh_log (rc == SH_OK ? SH_LOG_NOTICE : SH_LOG_ERROR, "reload",
            SH_INT ("number", ++self->reloads), SH_STR ("result", answer));
    sh_notify_ready (&self->notify, answer);
    if (rc == SH_OK)
        s_add_strangers (self, answer, size);
}

/*  Blocked here, before there are threads, so that every thread leaves them
    to the descriptor.  */
static sh_err_t
s_catch_signals (hub_t *self, sh_why_t *why)
{
    sigset_t set;
    sigemptyset (&set);
    sigaddset (&set, SIGTERM);
    sigaddset (&set, SIGINT);
    sigaddset (&set, SIGHUP);
    sigprocmask (SIG_BLOCK, &set, NULL);
    signal (SIGPIPE, SIG_IGN);
    self->signals = signalfd (-1, &set, SFD_CLOEXEC);
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
        .reload = s_reload,
        .renew = s_renew,
        .context = self,
    };
}

static sh_err_t
s_start (hub_t *self, sh_why_t *why)
{
    hub_zone_mode_t zone;
    hub_store_t *store = NULL;
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
        s_publish_policies (self);
        s_publish_scan (self);
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
    if (rc == SH_OK)
        rc = hub_store_mariadb_new (&store, &self->config->database,
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
    if (store)
        store->destroy (&store);
    return rc;
}

/*  The service manager's watchdog ends a hub of which a thread is stuck; said
    once, for the log is all that is left then.  */
static void
s_feed (hub_t *self)
{
    char text[HUB_PULSE_TEXT];
    int64_t now = sh_clock_mono (sh_clock_system ());
    if (!sh_notify_due (&self->notify, now))
        return;
    bool alive = hub_pulse_alive (self->pulse, now, text);
    if (alive)
        sh_notify_alive (&self->notify);
    else if (!self->stuck)
        sh_log (SH_LOG_ERROR, "a part of the hub is stuck; the service "
                              "manager is not told that all is well",
                SH_STR ("because", text),
                SH_STR ("remedy", "report it with this log; systemd restarts "
                                  "scanhubd after WatchdogSec="));
    if (alive == self->stuck)
        sh_notify_status (&self->notify, alive ? "all is well again" : text);
    self->stuck = !alive;
}

static int
s_patience (const hub_t *self)
{
    return sh_notify_patience (&self->notify,
                               sh_clock_mono (sh_clock_system ()));
}

/*  Until a signal ends it.  */
static void
s_serve (hub_t *self)
{
    struct pollfd items[] = {
        { .fd = self->signals, .events = POLLIN },
        { .fd = sh_control_fd (self->control), .events = POLLIN },
    };
    char answer[512];
    bool go_on = true;
    while (go_on) {
        if (poll (items, 2, s_patience (self)) < 0 && errno != EINTR)
            break;
        s_feed (self);
        if (items[1].revents)
            sh_control_serve (self->control);
        struct signalfd_siginfo info;
        if (!(items[0].revents & POLLIN)
            || read (self->signals, &info, sizeof info) != sizeof info)
            continue;
        if (info.ssi_signo == SIGHUP)
            s_reload (self, answer, sizeof answer);
        else
            go_on = false;
    }
}

/*  Reports at hand are finished and answered; what comes in meanwhile is told
    to come back later.  */
static void
s_drain (hub_t *self)
{
    sh_log (SH_LOG_NOTICE, "stopping: finishing the reports at hand");
    hub_applier_stop (self->applier);
    /*  What the HTTP door has not got answered goes to its spool.  */
    zactor_destroy (&self->http);
    zstr_send (self->router, "DRAIN");
    char *answer = zstr_recv (self->router);
    zstr_free (&answer);
}

/*  The reverse of s_start.  ZAP goes last: a CURVE socket without a handler
    would let everybody in.  */
static void
s_stop (hub_t *self)
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

static int
s_run (const char *path, bool test)
{
    hub_t hub = { .notify = SH_NOTIFY_NONE, .signals = -1, .looked = -1 };
    sh_why_t why = { "" };
    int status = EX_OK;
    sh_notify_open (&hub.notify);
    char key[SH_KEY_TEXT] = "", fingerprint[SH_FINGERPRINT_TEXT] = "";
    sh_err_t rc = s_load (&hub, path, &why);
    if (rc == SH_OK) {
        hub_keychange_now (hub.key, key, NULL);
        sh_key_fingerprint (fingerprint, key);
    }
    if (rc == SH_OK && test)
        printf ("%s: good; %zu keys in the registry\npublic-key: %s\n", path,
                hub_registry_size (hub.registry), key);
    else if (rc == SH_OK) {
        rc = s_start (&hub, &why);
        if (rc == SH_OK) {
            sh_log (SH_LOG_NOTICE, "scanhubd " PACKAGE_VERSION " is up",
                    SH_STR ("public_key", key),
                    SH_STR ("fingerprint", fingerprint),
                    SH_INT ("keys", hub_registry_size (hub.registry)),
                    SH_INT ("workers", hub.config->workers));
            sh_notify_ready (&hub.notify, "takes reports");
            s_serve (&hub);
            sh_notify_stopping (&hub.notify);
            s_drain (&hub);
        }
    }
    if (rc != SH_OK)
        status = s_complain (rc, &why);
    s_stop (&hub);
    sh_notify_close (&hub.notify);
    if (rc == SH_OK && !test)
        sh_log (SH_LOG_NOTICE, "scanhubd has stopped");
    sh_log_flush ();
    return status;
}

static const sh_completion_t s_completion
    = { .program = "scanhubd", .args = "[--config FILE] [--test] [--version]" };

int
main (int argc, char **argv)
{
    enum { OPT_HELP = 256, OPT_VERSION, OPT_COMPLETION };
    static const struct option options[] = {
        { "config", required_argument, NULL, 'c' },
        { "test", no_argument, NULL, 't' },
        { "help", no_argument, NULL, OPT_HELP },
        { "version", no_argument, NULL, OPT_VERSION },
        { "completion", required_argument, NULL, OPT_COMPLETION },
        { 0 },
    };
    const char *path = hub_config_default ();
    bool test = false;
    int option;
    while ((option = getopt_long (argc, argv, "c:th", options, NULL)) != -1)
        switch (option) {
        case 'c':
            path = optarg;
            break;
        case 't':
            test = true;
            break;
        case 'h':
        case OPT_HELP:
            s_print_help ();
            return EX_OK;
        case OPT_VERSION:
            s_print_version ();
            return EX_OK;
        case OPT_COMPLETION: /* what "make" asks for */
            return sh_completion_print (stdout, &s_completion, optarg)
                       ? EX_OK : EX_USAGE;
        default:
            fprintf (stderr, "Try 'scanhubd --help'.\n");
            return EX_USAGE;
        }
    if (optind < argc) {
        fprintf (stderr, "scanhubd: '%s' is not an option; try "
                         "'scanhubd --help'\n", argv[optind]);
        return EX_USAGE;
    }
    sh_why_t why = { "" };
    sh_err_t rc = sh_secret_harden (&why);
    if (rc != SH_OK)
        return s_complain (rc, &why);
    hub_descriptors_start ();
    zsys_handler_set (NULL);
    zsys_set_max_sockets (0);
    int status = s_run (path, test);
    zsys_shutdown ();
    return status;
}
