/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/join.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/file.h"
#include "lib/keyfile.h"
#include "lib/signals.h"
#include "lib/wrap.h"
#include "scanner-proto/invite.h"
#include "scanner-proto/knock.h"
#include "scanner/old_agent.h"
#include "scanner/own_key.h"
#include "scanner/tell.h"

#define PROGRAM "scanhub-scanner"
#define KEY_FILE "scanner.cert" /* beside the configuration */
#define FIRST_PAUSE_MS 2000     /* between two knocks, at first */
#define MOST_PAUSE_MS 15000

/*  What a run of 'join' has found out.  */
typedef struct
{
    const sc_join_t *options;
    sp_invite_t invite;
    sc_old_agent_t old;
    char *directory; /* of the configuration */
    char *key_path;
    bool configured; /* the configuration is there and names this hub */
    char name[SC_OLD_NAME_MOST + 1];
} join_t;

static int
s_fail (sh_err_t rc, const sh_why_t *why)
{
    (void) fflush (stdout);
    char line[sizeof why->text + sizeof PROGRAM + 2];
    (void) snprintf (line, sizeof line, PROGRAM ": %s",
                     *why->text ? why->text : sh_err_text (rc));
    sh_wrap_terminal (stderr, line);
    return rc == SH_E_SYNTAX ? EX_USAGE : sc_exit_status (rc);
}

/*  Letters, digits, '.', '_' and '-' stay, as the hub's registry wants it.  */
static void
s_take_name (char out[static SC_OLD_NAME_MOST + 1], const char *name)
{
    size_t size = 0;
    for (; *name && size < SC_OLD_NAME_MOST; name++) {
        bool good = isalnum ((unsigned char) *name)
                    || (size > 0 && strchr ("._-", *name));
        if (good || size > 0)
            out[size++] = good ? *name : '-';
    }
    out[size] = '\0';
}

static void
s_choose_name (join_t *self)
{
    char host[256] = "";
    const char *name = self->options->name;
    if (!name && self->old.name[0])
        name = self->old.name;
    if (!name && gethostname (host, sizeof host - 1) == 0) {
        host[strcspn (host, ".")] = '\0';
        name = host;
    }
    s_take_name (self->name, name ? name : "");
    if (!self->name[0])
        snprintf (self->name, sizeof self->name, "NAME");
}

/*  Only the last component is made: a parent that is missing means that the
    path is wrong.  */
static sh_err_t
s_make_directory (const join_t *self, sh_why_t *why)
{
    if (mkdir (self->directory, 0755) == 0)
        return SH_OK;
    int error = errno;
    if (error != EEXIST)
        return sh_fail (why, error == EACCES ? SH_E_MODE : SH_E_IO,
                        "%s: cannot be made: %s%s", self->directory,
                        strerror (error),
                        error == EACCES ? "; run this as root" : "");
    struct stat meta;
    if (self->configured && stat (self->key_path, &meta) == 0)
        return SH_OK; /* nothing is to be written */
    if (access (self->directory, W_OK | X_OK) == 0)
        return SH_OK;
    return sh_fail (why, SH_E_MODE, "%s: cannot be written to: %s; run this "
                    "as root", self->directory, strerror (errno));
}

/*  A configuration that is there already is not touched.  It is the right one
    if it names the hub of the invitation.  */
static sh_err_t
s_look_at_config (join_t *self, sh_why_t *why)
{
    sc_config_t *config = NULL;
    const char *path = self->options->config_path;
    sh_err_t rc = sc_config_load (&config, path, why);
    if (rc == SH_E_NOT_FOUND)
        return SH_OK;
    if (rc != SH_OK)
        return rc;
    rc = sc_config_take_hub_keys (config, why);
    if (rc != SH_OK) {
        sc_config_destroy (&config);
        return rc;
    }
    bool endpoint = false;
    for (size_t i = 0; i < config->hubs.count; i++) {
        const sp_hub_t *hub = &config->hubs.items[i];
        if (strcmp (hub->endpoint, self->invite.endpoint) != 0)
            continue;
        endpoint = true;
        if (strcmp (hub->public_key, self->invite.key) == 0)
            self->configured = true;
    }
    free (self->key_path);
    self->key_path = strdup (config->key);
    sc_config_destroy (&config);
    if (!self->key_path)
        return sh_fail (why, SH_E_MEMORY, "out of memory");
    if (self->configured)
        return SH_OK;
    return sh_fail (why, SH_E_EXISTS,
                    "%s is there already and names %s; nothing was changed: "
                    "%s, or move it away to begin anew",
                    path,
                    endpoint ? "this hub with another key" : "another hub",
                    endpoint ? "put the invitation's hub in its place"
                             : "add this hub to its list by hand");
}

static sh_err_t
s_prepare (join_t *self, sh_why_t *why)
{
    const char *path = self->options->config_path;
    const char *slash = strrchr (path, '/');
    sh_err_t rc
        = sp_invite_parse (&self->invite, self->options->invitation, why);
    for (const char *at = path; rc == SH_OK && *at; at++)
        if ((unsigned char) *at < ' ')
            rc = sh_fail (why, SH_E_SYNTAX,
                          "the configuration's path has a control character "
                          "in it; choose another");
    if (rc == SH_OK && self->options->from)
        rc = sc_old_agent_read (&self->old, self->options->from, why);
    if (rc != SH_OK)
        return rc;
    self->directory = slash && slash > path
                          ? strndup (path, (size_t) (slash - path))
                          : strdup (slash ? "/" : ".");
    char *full = self->directory ? realpath (self->directory, NULL) : NULL;
    /*  A key's path is absolute; of a directory that is not there yet the one
        that was given.  */
    if (!self->directory
        || asprintf (&self->key_path, "%s/" KEY_FILE,
                     full ? full : self->directory)
               < 0)
        rc = sh_fail (why, SH_E_MEMORY, "out of memory");
    free (full);
    if (rc == SH_OK)
        rc = s_look_at_config (self, why);
    if (rc == SH_OK)
        rc = s_make_directory (self, why);
    s_choose_name (self);
    return rc;
}

/*  A path as YAML's text in single quotes; malloc'ed, NULL: no memory.  */
static char *
s_quoted (const char *path)
{
    char *text = malloc (2 * strlen (path) + 3), *at = text;
    if (!text)
        return NULL;
    *at++ = '\'';
    for (; *path; path++) {
        if (*path == '\'')
            *at++ = '\'';
        *at++ = *path;
    }
    *at++ = '\'';
    *at = '\0';
    return text;
}

/*  Written when the hub has answered, so that a wrong invitation leaves
    nothing behind that the right one would stumble over.  */
static sh_err_t
s_write_config (join_t *self, sh_why_t *why)
{
    char *text = NULL;
    if (self->configured)
        return SH_OK;
    char *key_path = s_quoted (self->key_path);
    if (!key_path)
        return sh_fail (why, SH_E_MEMORY, "out of memory");
    int size = asprintf (
        &text,
        "# Made by '" PROGRAM " join'.  All that can stand here: " PROGRAM
        "(8)\n"
        "# and scanner.yaml.example.  Check: " PROGRAM " check-config.\n\n"
        "hub:\n  endpoint: %s\n  key: '%s'\n\n"
        "# This scanner's own secret key; its public half is registered on "
        "the hub.\nkey: %s\n\n"
        "# What probes, and how fast (probes per second).\n"
        "engine: builtin\nbuiltin:\n  rate: 1000\n\n"
        "# error, warning, notice, info or debug\nlog_level: info\n",
        self->invite.endpoint, self->invite.key, key_path);
    free (key_path);
    if (size < 0)
        return sh_fail (why, SH_E_MEMORY, "out of memory");
    sh_err_t rc = sh_file_write (self->options->config_path, text,
                                 (size_t) size, 0644, false, why);
    free (text);
    if (rc == SH_OK) {
        self->configured = true;
        (void) printf ("configuration: %s\n", self->options->config_path);
    }
    return rc;
}

static void
s_print_cron (const join_t *self)
{
    if (!self->options->from)
        return;
    (void) printf ("\nWhen this scanner reports, remove the old agent from "
                   "cron:\n");
    if (sc_old_agent_cron (stdout, "") == 0)
        (void) printf ("  its line is in no crontab of this machine; look for "
                       "phpipam_scan_agent\n  where the playbook is run "
                       "from\n");
}

static void
s_print_refused (const join_t *self, const char *fingerprint)
{
    (void) printf ("The hub has noted the knock and does not let it in yet.  "
                   "There:\n\n"
                   "  scanhubctl scanner approve %s %s --code %s\n\n",
                   fingerprint, self->name,
                   self->old.code[0] ? self->old.code : "CODE");
}

static void
s_pause (int ms)
{
    const struct timespec time = { ms / 1000, ms % 1000 * 1000000L };
    (void) nanosleep (&time, NULL);
}

/*  Knock until the hub lets the key in, or the time is up.  What is wrong with
    the way there may pass meanwhile.  */
static sh_err_t
s_wait (const sp_hub_t *hub, const sh_keyfile_t *key, uint32_t seconds,
        const sh_clock_t *clock, sh_why_t *why)
{
    int64_t end = sh_clock_mono (clock) + (int64_t) seconds * 1000;
    int pause = FIRST_PAUSE_MS;
    sh_err_t rc = SH_E_KEY_REFUSED;
    if (seconds > 0) {
        (void) printf ("Waiting up to %u s for that; what is made stays, and "
                       "this can be run again.\n",
                       seconds);
        (void) fflush (stdout);
    }
    for (;;) {
        int64_t left = end - sh_clock_mono (clock);
        if (left <= 0)
            return rc;
        s_pause (left < pause ? (int) left : pause);
        rc = sp_knock (hub, key, clock, why);
        if (rc == SH_OK)
            return rc;
        pause = pause * 2 > MOST_PAUSE_MS ? MOST_PAUSE_MS : pause * 2;
    }
}

/*  First knock, then what to do, then wait.  */
static int
s_knock (join_t *self, const sh_keyfile_t *key)
{
    sh_why_t why = { "" };
    char fingerprint[SH_FINGERPRINT_TEXT];
    const sp_hub_t hub = { .endpoint = self->invite.endpoint,
                           .public_key = self->invite.key };
    sh_key_fingerprint (fingerprint, key->public_key);
    (void) printf ("knocking at %s ...\n", self->invite.endpoint);
    (void) fflush (stdout);
    sh_err_t rc = sp_knock (&hub, key, self->options->clock, &why);
    if (rc == SH_OK || rc == SH_E_KEY_REFUSED) {
        sh_err_t written = s_write_config (self, &why);
        if (written != SH_OK)
            return s_fail (written, &why);
    }
    if (rc == SH_E_KEY_REFUSED) {
        s_print_refused (self, fingerprint);
        rc = s_wait (&hub, key, self->options->wait, self->options->clock,
                     &why);
    }
    if (rc == SH_E_KEY_REFUSED) {
        (void) printf ("not approved yet; a scanner that runs starts by "
                       "itself once it is\n");
        s_print_cron (self);
        return EX_TEMPFAIL;
    }
    if (rc != SH_OK)
        return s_fail (rc, &why);
    (void) printf ("approved: the hub lets this key in.  Try it, then start "
                   "the service:\n\n"
                   "  " PROGRAM " once\n"
                   "  systemctl enable --now " PROGRAM "\n");
    s_print_cron (self);
    return EX_OK;
}

int
sc_join (const sc_join_t *options)
{
    assert (options && options->config_path && options->invitation);
    join_t self = { .options = options };
    sh_keyfile_t *key = NULL;
    sh_why_t why = { "" };
    bool made = false;
    char fingerprint[SH_FINGERPRINT_TEXT];
    sh_signals_unblock ();
    sh_err_t rc = s_prepare (&self, &why);
    if (rc == SH_OK)
        rc = sc_own_key_ensure (&key, self.key_path, &made, &why);
    int status;
    if (rc != SH_OK)
        status = s_fail (rc, &why);
    else {
        sh_key_fingerprint (fingerprint, key->public_key);
        (void) printf ("%s: %s (secret, stays here)\nfingerprint: %s\n",
                       made ? "made a key" : "key", self.key_path,
                       fingerprint);
        status = s_knock (&self, key);
    }
    sh_keyfile_destroy (&key);
    free (self.key_path);
    free (self.directory);
    return status;
}
