/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhubctl scanner add: one more file in the registry.  */


#include "cli/ctl.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/roster.h"
#include "hub/registry.h"
#include "lib/keyfile.h"

/*  What the call asks for.  */
typedef struct
{
    const char *name;
    const char **codes;
    size_t code_count;
    const char *public_key; /* one of these two is set */
    const char *cert;
    bool shim; /* as asked for, or because of several codes */
    bool legacy_http;
} request_t;

static int
s_check_request (const request_t *request)
{
    if (!hub_registry_name_valid (request->name))
        return ctl_fail (EX_DATAERR,
                         "'%s' cannot be a scanner's name; take 1 to %d "
                         "letters, digits, '.', '_' and '-', beginning with a "
                         "letter, digit or '_'",
                         request->name, HUB_NAME_MOST);
    for (size_t i = 0; i < request->code_count; i++) {
        if (!hub_registry_code_valid (request->codes[i]))
            return ctl_fail (EX_DATAERR,
                             "'%s' cannot be a scanner code; copy the code "
                             "that phpIPAM shows under Scan agents: 1 to %d "
                             "of the characters A-Z a-z 0-9 - _ =",
                             request->codes[i], SP_CODE_MOST);
    }
    if (request->public_key && !sh_key_valid (request->public_key))
        return ctl_fail (EX_DATAERR,
                         "'%s' is no public key; a key is the 40 characters "
                         "that scanhubctl keygen prints behind public-key:",
                         request->public_key);
    if (request->shim && request->legacy_http)
        return ctl_fail (EX_USAGE,
                         "--legacy-http is for the entry of the scanner whose "
                         "code may come by other ways as well; %s a shim",
                         request->code_count > 1 ? "several --code make"
                                                 : "--shim makes");
    return 0;
}

/*  The entry as it will be written, without its secret if the key file has
    one.  */
static int
s_make_entry (sh_keyfile_t **out, const request_t *request)
{
    sh_keyfile_t *given = NULL, *entry = NULL;
    const char *key = request->public_key;
    sh_why_t why;
    if (!key) {
        sh_err_t rc = sh_keyfile_load (&given, request->cert, false, &why);
        if (rc != SH_OK)
            return ctl_fail_err (rc, &why);
        key = given->public_key;
    }
    sh_err_t rc = sh_keyfile_from_public (&entry, key);
    if (rc == SH_OK)
        rc = sh_keyfile_add (entry, "name", request->name);
    if (rc == SH_OK && request->shim)
        rc = sh_keyfile_add (entry, "kind", "shim");
    if (rc == SH_OK && request->legacy_http)
        rc = sh_keyfile_add (entry, "legacy_http", "true");
    for (size_t i = 0; rc == SH_OK && i < request->code_count; i++)
        rc = sh_keyfile_add (entry, "code", request->codes[i]);
    sh_keyfile_destroy (&given);
    if (rc == SH_OK) {
        *out = entry;
        return 0;
    }
    sh_keyfile_destroy (&entry);
    if (rc == SH_E_TOO_LARGE)
        return ctl_fail (EX_DATAERR, "these are too many codes for one entry");
    return ctl_fail (EX_SOFTWARE, "cannot make the entry: %s",
                     sh_err_text (rc));
}

/*  Only the last component is made: a parent that is missing means that the
    path is wrong.  */
static int
s_make_directory (const char *directory)
{
    if (mkdir (directory, 0755) == 0) {
        chmod (directory, 0755); /* whatever the umask says */
        printf ("created the registry directory %s\n", directory);
        return 0;
    }
    int error = errno;
    if (error == EEXIST)
        return 0;
    return ctl_fail (error == EACCES ? EX_NOPERM : EX_CANTCREAT,
                     "%s: cannot create the registry directory: %s", directory,
                     strerror (error));
}

/*  Open and lock the directory, so that two who add at the same time see each
    other's entries.  Closing unlocks.  */
static int
s_lock_directory (int *out, const char *directory)
{
    sh_why_t why;
    sh_err_t rc = hub_registry_check (directory, &why);
    if (rc != SH_OK)
        return ctl_fail_err (rc, &why);
    int fd = open (directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || access (directory, W_OK | X_OK) != 0) {
        int error = errno;
        if (fd >= 0)
            close (fd);
        return ctl_fail (EX_NOPERM,
                         "%s: cannot add to the registry: %s; run this as "
                         "root or as who owns that directory",
                         directory, strerror (error));
    }
    if (flock (fd, LOCK_EX) != 0) {
        int error = errno;
        close (fd);
        return ctl_fail (EX_IOERR, "%s: cannot lock: %s", directory,
                         strerror (error));
    }
    *out = fd;
    return 0;
}

static int
s_check_taken (const ctl_roster_t *roster, const request_t *request,
               const char *key)
{
    assert (request->name && key);
    for (size_t i = 0; i < roster->count; i++) {
        const ctl_entry_t *entry = &roster->items[i];
        if (strcmp (entry->who.name, request->name) == 0)
            return ctl_fail (EX_CANTCREAT,
                             "there is a scanner '%s' already, in %s; revoke "
                             "it first, or choose another name",
                             request->name, entry->path);
        if (strcmp (entry->who.key, key) != 0)
            continue;
        if (entry->bad == SH_OK)
            return ctl_fail (EX_CANTCREAT,
                             "this key is scanner '%s' already, in %s; two "
                             "entries with one key would let neither in",
                             entry->who.name, entry->path);
        return ctl_fail (EX_CANTCREAT,
                         "this key is in %s already, which is not in order: "
                         "%s",
                         entry->path, entry->why.text);
    }
    return 0;
}

/*  Two who speak for one code: what comes of it depends on who they are.  */
static void
s_warn_code (const hub_principal_t *there, const request_t *request,
             const char *code)
{
    if (!there->shim && !request->shim)
        ctl_warn ("scanner '%s' has the code %s too; both will speak for the "
                  "same scan agent in phpIPAM",
                  there->name, code);
    else if (!there->shim && !there->legacy_http)
        ctl_warn ("the hub will refuse the code %s from this shim, for scanner "
                  "'%s' has a key of its own and its entry does not say "
                  "legacy_http",
                  code, there->name);
    else if (!request->shim && !request->legacy_http)
        ctl_warn ("from now on the hub refuses the code %s from shim '%s' and "
                  "over HTTP; an entry made with --legacy-http lets both speak",
                  code, there->name);
}

static void
s_warn_codes (const ctl_roster_t *roster, const request_t *request)
{
    for (size_t i = 0; i < roster->count; i++) {
        const hub_principal_t *who = &roster->items[i].who;
        for (size_t k = 0; k < request->code_count; k++) {
            for (size_t j = 0; j < who->code_count; j++) {
                if (strcmp (who->codes[j].text, request->codes[k]) == 0)
                    s_warn_code (who, request, request->codes[k]);
            }
        }
    }
}

static int
s_write (const sh_keyfile_t *entry, const request_t *request,
         const char *directory)
{
    char *path = NULL;
    sh_why_t why;
    char fingerprint[SH_FINGERPRINT_TEXT];
    if (asprintf (&path, "%s/%s.cert", directory, request->name) < 0)
        return ctl_fail (EX_OSERR, "out of memory");
    sh_err_t rc = sh_keyfile_save (entry, path, false, &why);
    int status = 0;
    if (rc == SH_E_EXISTS)
        status = ctl_fail (EX_CANTCREAT,
                           "%s exists already and stays as it is; choose "
                           "another name, or remove it",
                           path);
    else if (rc != SH_OK)
        status = ctl_fail_err (rc, &why);
    else {
        sh_key_fingerprint (fingerprint, entry->public_key);
        printf ("added %s: %s (key %s)\n", request->name, path, fingerprint);
    }
    free (path);
    return status;
}

static int
s_add (ctl_t *self, const request_t *request)
{
    sh_keyfile_t *entry = NULL;
    ctl_roster_t roster = { 0 };
    int lock = -1;
    sh_why_t why;
    int status = ctl_config (self);
    if (status == 0)
        status = s_make_entry (&entry, request);
    if (status == 0)
        status = s_make_directory (self->config->registry);
    if (status == 0)
        status = s_lock_directory (&lock, self->config->registry);
    if (status == 0) {
        sh_err_t rc
            = ctl_roster_read (&roster, self->config->registry, &why);
        if (rc != SH_OK)
            status = ctl_fail_err (rc, &why);
    }
    if (status == 0)
        status = s_check_taken (&roster, request, entry->public_key);
    if (status == 0)
        status = s_write (entry, request, self->config->registry);
    if (lock >= 0)
        close (lock);
    if (status == 0) {
        s_warn_codes (&roster, request);
        ctl_tell_force (self, entry->public_key, false);
    }
    ctl_roster_clear (&roster);
    sh_keyfile_destroy (&entry);
    return status;
}

/*  A code given twice is one code.  */
static void
s_take_code (request_t *request, const char *code)
{
    for (size_t i = 0; i < request->code_count; i++) {
        if (strcmp (request->codes[i], code) == 0)
            return;
    }
    request->codes[request->code_count++] = code;
}

/*  What is missing, or too much, in a call with so many words; or NULL.  */
static const char *
s_fault (const request_t *request, int words)
{
    if (words < 1)
        return "the scanner's name is missing";
    if (words > 1)
        return "there is more than one name";
    if (request->code_count == 0)
        return "--code CODE is missing";
    if (!request->public_key && !request->cert)
        return "the key is missing: --public-key KEY or --cert FILE";
    if (request->public_key && request->cert)
        return "--public-key and --cert exclude each other";
    return NULL;
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
            s_take_code (request, optarg);
            break;
        case 'k':
            request->public_key = optarg;
            break;
        case 'f':
            request->cert = optarg;
            break;
        case 's':
            request->shim = true;
            break;
        case 'l':
            request->legacy_http = true;
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
    request->name = argv[optind];
    if (request->code_count > 1)
        request->shim = true;
    return -1;
}

int
ctl_scanner_add (ctl_t *self, int argc, char **argv)
{
    request_t request
        = { .codes = calloc ((size_t) argc, sizeof *request.codes) };
    if (!request.codes)
        return ctl_fail (EX_OSERR, "out of memory");
    int status = s_parse (self, &request, argc, argv);
    if (status < 0)
        status = s_check_request (&request);
    else {
        free (request.codes);
        return status;
    }
    if (status == 0)
        status = s_add (self, &request);
    free (request.codes);
    return status;
}
