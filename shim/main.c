/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhub-shim: the HTTP door for legacy scanners at a remote site.  */

#include "build-config.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sysexits.h>

#include <czmq.h>
#include <sodium.h>

#include "lib/completion.h"
#include "lib/log.h"
#include "lib/secret.h"
#include "lib/signals.h"
#include "shim/http.h"
#include "shim/remote.h"

#define PROGRAM "scanhub-shim"
#define DEFAULT_CONFIG SYSCONFDIR "/scanhub/shim.yaml"

static void
s_print_help (void)
{
    printf (
        "usage: " PROGRAM " [--config FILE] [-t]\n"
        "Takes the reports that legacy scanners POST over HTTP and forwards "
        "them to a\nScanhub hub over CurveZMQ.\n\n"
        "  -c, --config FILE  configuration\n"
        "                     (default %s)\n"
        "  -t, --test         check configuration and key, then exit\n"
        "      --version      versions of the program and its libraries\n"
        "  -h, --help         this text\n\n"
        "Signals: HUP reloads tokens and certificate, TERM and INT end it.\n"
        "Exit status: 0, or from sysexits(3): 64 usage, 71 system,\n"
        "78 configuration.  Manual: scanhub-shim(8), shim.yaml(5).\n",
        DEFAULT_CONFIG);
}

static void
s_print_version (void)
{
    int major, minor, patch;
    zmq_version (&major, &minor, &patch);
    printf (PROGRAM " %s\nlibzmq %d.%d.%d, CZMQ %d.%d.%d, libsodium %s, "
            "libmicrohttpd %s\n",
            PACKAGE_VERSION, major, minor, patch, CZMQ_VERSION_MAJOR,
            CZMQ_VERSION_MINOR, CZMQ_VERSION_PATCH, sodium_version_string (),
            sm_http_library ());
}

static int
s_complain (sh_err_t rc, const sh_why_t *why)
{
    sh_log (SH_LOG_ERROR, PROGRAM " cannot start",
            SH_STR ("because", *why->text ? why->text : sh_err_text (rc)));
    return rc == SH_E_IO || rc == SH_E_MEMORY ? EX_OSERR : EX_CONFIG;
}

static sh_err_t
s_load (const char *path, sm_config_t **config, sh_keyfile_t **key,
        sh_why_t *why)
{
    sh_err_t rc = sm_config_load (config, path, why);
    if (rc != SH_OK)
        return rc;
    sh_log_set_level ((sh_level_t) (*config)->log_level);
    rc = sh_keyfile_load (key, (*config)->key, true, why);
    if (rc == SH_E_NOT_FOUND)
        rc = sh_fail (why, SH_E_NOT_FOUND,
                      "%s: no key there; make one: scanhubctl keygen %s, and "
                      "on the hub: scanhubctl scanner add NAME --shim --code "
                      "CODE --public-key KEY",
                      (*config)->key, (*config)->key);
    return rc;
}

static int
s_run (const char *path, bool test)
{
    sm_config_t *config = NULL;
    sh_keyfile_t *key = NULL;
    sh_why_t why = { "" };
    sh_err_t rc = s_load (path, &config, &key, &why);
    if (rc == SH_OK && test)
        printf ("%s: good\npublic-key: %s\n", path, key->public_key);
    else if (rc == SH_OK)
        rc = sm_remote_run (config, key, PROGRAM " " PACKAGE_VERSION, &why);
    int status = rc == SH_OK ? EX_OK : s_complain (rc, &why);
    sh_keyfile_destroy (&key);
    sm_config_destroy (&config);
    sh_log_flush ();
    return status;
}

static const sh_completion_t s_completion
    = { .program = PROGRAM, .args = "[--config FILE] [--test] [--version]" };

int
main (int argc, char **argv)
{
    enum { OPT_VERSION = 256, OPT_COMPLETION };
    static const struct option options[] = {
        { "config", required_argument, NULL, 'c' },
        { "test", no_argument, NULL, 't' },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, OPT_VERSION },
        { "completion", required_argument, NULL, OPT_COMPLETION },
        { 0 },
    };
    const char *path = DEFAULT_CONFIG;
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
            s_print_help ();
            return EX_OK;
        case OPT_VERSION:
            s_print_version ();
            return EX_OK;
        case OPT_COMPLETION: /* what "make" asks for */
            return sh_completion_print (stdout, &s_completion, optarg)
                       ? EX_OK : EX_USAGE;
        default:
            fprintf (stderr, "Try '" PROGRAM " --help'.\n");
            return EX_USAGE;
        }
    if (optind < argc) {
        fprintf (stderr, PROGRAM ": '%s' is not an option; try '" PROGRAM
                         " --help'\n", argv[optind]);
        return EX_USAGE;
    }
    sh_why_t why = { "" };
    sh_err_t rc = sh_secret_harden (&why);
    if (rc != SH_OK)
        return s_complain (rc, &why);
    signal (SIGPIPE, SIG_IGN);
    sh_signals_block ();
    zsys_handler_set (NULL);
    int status = s_run (path, test);
    zsys_shutdown ();
    return status;
}
