/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhubd: the command line, and what the main thread does until a signal
    ends it.  */

#include "build-config.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include <czmq.h>
#include <sodium.h>

#include "hub/daemon.h"
#include "hub/descriptors.h"
#include "lib/completion.h"
#include "lib/log.h"
#include "lib/secret.h"
#include "lib/signals.h"
#include "lib/text.h"

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
        int signal = sh_signals_read (self->signals);
        if (signal == SIGHUP)
            hub_daemon_reload (self, answer, sizeof answer);
        else if (signal)
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

static int
s_run (const char *path, bool test)
{
    hub_t hub = { .notify = SH_NOTIFY_NONE, .signals = -1, .looked = -1 };
    sh_why_t why = { "" };
    int status = EX_OK;
    sh_notify_open (&hub.notify);
    char key[SH_KEY_TEXT] = "", fingerprint[SH_FINGERPRINT_TEXT] = "";
    sh_err_t rc = hub_daemon_load (&hub, path, &why);
    if (rc == SH_OK) {
        hub_keychange_now (hub.key, key, NULL);
        sh_key_fingerprint (fingerprint, key);
    }
    if (rc == SH_OK && test)
        printf ("%s: good; %zu key%s in the registry\npublic-key: %s\n"
                "fingerprint: %s\n",
                path, hub_registry_size (hub.registry),
                sh_text_s (hub_registry_size (hub.registry)), key,
                fingerprint);
    else if (rc == SH_OK) {
        rc = hub_daemon_start (&hub, &why);
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
    hub_daemon_stop (&hub);
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
