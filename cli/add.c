/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhubctl scanner add and approve: a key that is given, or one that has
    knocked, becomes an entry of the registry.  */

#include "cli/ctl.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/knocked.h"
#include "cli/registration.h"
#include "lib/keyfile.h"

/*  What the call asks for.  */
typedef struct
{
    ctl_registration_t what;
    bool approve;     /* the key is one that knocked */
    const char *fingerprint;
    const char *cert; /* where the key is in a file */
    char key[SH_KEY_TEXT];
} request_t;

/*  The key, where it does not stand in the call.  */
static int
s_find_key (ctl_t *self, request_t *request)
{
    sh_keyfile_t *given = NULL;
    sh_why_t why;
    int status = 0;
    if (request->approve)
        status = ctl_knocked_find (self, request->fingerprint, request->key);
    else if (request->cert) {
        sh_err_t rc = sh_keyfile_load (&given, request->cert, false, &why);
        if (rc != SH_OK)
            return ctl_fail_err (rc, &why);
        memcpy (request->key, given->public_key, sizeof request->key);
        sh_keyfile_destroy (&given);
    } else
        return 0;
    request->what.public_key = request->key;
    return status;
}

static int
s_add (ctl_t *self, request_t *request)
{
    int status = ctl_config (self);
    if (status == 0)
        status = s_find_key (self, request);
    if (status == 0)
        status = ctl_registration_check (&request->what);
    if (status == 0)
        status = ctl_registration_write (self, &request->what);
    return status;
}

/*  A code given twice is one code.  */
static void
s_take_code (ctl_registration_t *what, const char *code)
{
    for (size_t i = 0; i < what->code_count; i++) {
        if (strcmp (what->codes[i], code) == 0)
            return;
    }
    what->codes[what->code_count++] = code;
}

/*  What is missing, or too much, in a call with so many words; or NULL.  */
static const char *
s_fault (const request_t *request, int words)
{
    bool key = request->what.public_key != NULL;
    bool file = request->cert != NULL;
    if (request->approve && words != 2)
        return "a fingerprint and a name are wanted";
    if (!request->approve && words < 1)
        return "the scanner's name is missing";
    if (!request->approve && words > 1)
        return "there is more than one name";
    if (request->what.code_count == 0)
        return "--code CODE is missing";
    if (request->approve)
        return key || file ? "approve takes the key that knocked" : NULL;
    if (!key && !file)
        return "the key is missing: --public-key KEY or --cert FILE";
    return key && file ? "--public-key and --cert exclude each other" : NULL;
}

/*  The words of the call.  -1: go on with them.  */
static int
s_parse (const ctl_t *self, request_t *request, int argc, char **argv)
{
    static const struct option options[]
        = { { "code", required_argument, NULL, 'c' },
            { "public-key", required_argument, NULL, 'k' },
            { "cert", required_argument, NULL, 'f' },
            { "shim", no_argument, NULL, 's' },
            { "legacy-http", no_argument, NULL, 'l' },
            { "help", no_argument, NULL, 'h' },
            { 0 } };
    int option;
    while ((option = getopt_long (argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            s_take_code (&request->what, optarg);
            break;
        case 'k':
            request->what.public_key = optarg;
            break;
        case 'f':
            request->cert = optarg;
            break;
        case 's':
            request->what.shim = true;
            break;
        case 'l':
            request->what.legacy_http = true;
            break;
        case 'h':
            ctl_usage_command (stdout, self->command);
            return 0;
        default:
            return ctl_misused (self);
        }
    }
    const char *fault = s_fault (request, argc - optind);
    if (fault) {
        ctl_fail (0, "%s", fault);
        return ctl_misused (self);
    }
    if (request->approve)
        request->fingerprint = argv[optind++];
    request->what.name = argv[optind];
    if (request->what.code_count > 1)
        request->what.shim = true;
    return -1;
}

static int
s_run (ctl_t *self, int argc, char **argv, bool approve)
{
    const char **codes = calloc ((size_t) argc, sizeof *codes);
    if (!codes)
        return ctl_fail (EX_OSERR, "out of memory");
    request_t request = { .what = { .codes = codes }, .approve = approve };
    int status = s_parse (self, &request, argc, argv);
    if (status < 0)
        status = s_add (self, &request);
    free (codes);
    return status;
}

int
ctl_scanner_add (ctl_t *self, int argc, char **argv)
{
    return s_run (self, argc, argv, false);
}

int
ctl_scanner_approve (ctl_t *self, int argc, char **argv)
{
    return s_run (self, argc, argv, true);
}
