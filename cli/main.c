/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhubctl: makes keys, fills the hub's registry and asks the running hub.
    The commands are in the table of command.c.  */

#ifdef HAVE_CONFIG_H
#include "build-config.h"
#endif

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <czmq.h>
#include <sodium.h>

#include "cli/ctl.h"
#include "lib/secret.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "without a version"
#endif

static void
s_version (void)
{
    int major, minor, patch;
    printf ("scanhubctl %s\n", PACKAGE_VERSION);
    zmq_version (&major, &minor, &patch);
    printf ("libzmq %d.%d.%d\n", major, minor, patch);
    zsys_version (&major, &minor, &patch);
    printf ("czmq %d.%d.%d\n", major, minor, patch);
    printf ("libsodium %s\n", sodium_version_string ());
}

/*  Run the command that argv begins with, under its whole name.  */
static int
s_dispatch (ctl_t *self, int argc, char **argv)
{
    char name[64];
    int words = 0;
    if (ctl_command_help (argc, argv))
        return 0;
    if (argc == 2 && strcmp (argv[0], "completion") == 0)
        return ctl_completion (argv[1]);
    self->command = ctl_command_find (argc, argv, &words);
    if (!self->command)
        return EX_USAGE;
    snprintf (name, sizeof name, "scanhubctl %s", self->command->name);
    argv[words - 1] = name;
    optind = 0; /* getopt begins anew, with other options */
    int status = self->command->run (self, argc - words + 1,
                                     argv + words - 1);
    hub_config_destroy (&self->config);
    return status;
}

static int
s_run (int argc, char **argv)
{
    static const struct option options[]
        = { { "config", required_argument, NULL, 'c' },
            { "help", no_argument, NULL, 'h' },
            { "version", no_argument, NULL, 'V' },
            { 0 } };
    ctl_t self = { .config_path = hub_config_default () };
    int option;
    while ((option = getopt_long (argc, argv, "+c:hV", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            self.config_path = optarg;
            break;
        case 'h':
            ctl_usage (stdout, hub_config_default ());
            return 0;
        case 'V':
            s_version ();
            return 0;
        default:
            return ctl_fail (EX_USAGE, "see scanhubctl --help");
        }
    }
    if (optind == argc) {
        ctl_usage (stderr, hub_config_default ());
        return EX_USAGE;
    }
    return s_dispatch (&self, argc - optind, argv + optind);
}

int
main (int argc, char **argv)
{
    sh_why_t why;
    sh_err_t rc = sh_secret_harden (&why);
    if (rc != SH_OK)
        return ctl_fail_err (rc, &why);
    int status = s_run (argc, argv);
    if (fflush (stdout) != 0 || ferror (stdout)) {
        int error = errno;
        return ctl_fail (EX_IOERR, "cannot write the output: %s",
                         strerror (error));
    }
    return status;
}
