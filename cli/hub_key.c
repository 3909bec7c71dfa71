/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhubctl hub rotate: another key for the hub at an announced time, so
    that scanners hear of it beforehand.  */

#include "cli/ctl.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/when.h"
#include "hub/keychange.h"
#include "lib/clock.h"

#define SOON_MS 3600000 /* who is away for an hour is told */

/*  KEY.next and KEY.next.pub.  */
typedef struct
{
    char *secret, *public;
} paths_t;

static int
s_paths (paths_t *out, const ctl_t *self)
{
    *out = (paths_t){ NULL, NULL };
    if (asprintf (&out->secret, "%s.next", self->config->key) >= 0
        && asprintf (&out->public, "%s.next.pub", self->config->key) >= 0)
        return 0;
    return ctl_fail (EX_OSERR, "out of memory");
}

static void
s_free (paths_t *paths)
{
    free (paths->secret);
    free (paths->public);
}

/*  Whoever may read KEY may read KEY.next.  */
static int
s_same_owner (const ctl_t *self, const char *path)
{
    struct stat meta;
    if (stat (self->config->key, &meta) != 0)
        return ctl_fail (EX_NOINPUT,
                         "%s: there is no hub key yet; make one: scanhubctl "
                         "keygen %s",
                         self->config->key, self->config->key);
    if (path && geteuid () == 0 && chown (path, meta.st_uid, meta.st_gid) != 0)
        return ctl_fail (EX_IOERR, "%s: cannot be given to the owner of %s: %s",
                         path, self->config->key, strerror (errno));
    return 0;
}

static int
s_make (const ctl_t *self, const paths_t *paths, int64_t at)
{
    sh_keyfile_t *key = NULL;
    sh_why_t why = { "out of memory" };
    char text[HUB_KEYCHANGE_TIME];
    hub_keychange_time (text, at);
    int status = s_same_owner (self, NULL);
    if (status != 0)
        return status;
    sh_err_t rc = sh_keyfile_generate (&key);
    if (rc == SH_OK)
        rc = sh_keyfile_add (key, HUB_KEYCHANGE_AT, text);
    if (rc == SH_OK)
        rc = sh_keyfile_save (key, paths->secret, true, &why);
    if (rc == SH_E_EXISTS)
        status = ctl_fail (EX_CANTCREAT,
                           "another key is announced already (%s); see "
                           "scanhubctl hub rotate, or take it back by --cancel",
                           paths->secret);
    else if (rc != SH_OK)
        status = ctl_fail_err (rc, &why);
    if (status == 0)
        status = s_same_owner (self, paths->secret);
    if (status == 0) {
        (void) unlink (paths->public); /* of one that was given up */
        if (sh_keyfile_save (key, paths->public, false, &why) != SH_OK)
            ctl_warn ("%s", why.text);
    }
    sh_keyfile_destroy (&key);
    return status;
}

static int
s_cancel (const paths_t *paths)
{
    if (unlink (paths->secret) == 0) {
        (void) unlink (paths->public);
        printf ("taken back: the hub keeps its key\n");
        return 0;
    }
    if (errno == ENOENT)
        return ctl_fail (EX_NOINPUT, "no other key is announced");
    return ctl_fail (errno == EACCES ? EX_NOPERM : EX_IOERR,
                     "%s: cannot be removed: %s", paths->secret,
                     strerror (errno));
}

static void
s_print (json_t *state)
{
    const char *now = "", *next = NULL;
    json_int_t at = 0, connected = 0, told = 0;
    (void) json_unpack (state, "{s:s, s?:s, s?:I, s:I, s:I}", "fingerprint",
                        &now, "next", &next, "at", &at, "connected",
                        &connected, "told", &told);
    printf ("the hub's key: %s\n", now);
    if (!next) {
        printf ("no other key is announced\n");
        return;
    }
    char when[32];
    ctl_time_text (when, sizeof when, (int64_t) at);
    printf ("next key:      %s, from %s on\n"
            "told so far:   %d of %d scanners that are connected\n",
            next, when, (int) told, (int) connected);
}

/*  Let the running hub look at the file, and print what it says.  */
static int
s_show (ctl_t *self, const char *request)
{
    json_t *state = NULL;
    int status = ctl_ask_json (self, request, &state);
    if (status == 0)
        s_print (state);
    json_decref (state);
    return status;
}

static int
s_rotate (ctl_t *self, int64_t at, bool cancel)
{
    paths_t paths;
    int status = ctl_config (self);
    if (status != 0)
        return status;
    status = s_paths (&paths, self);
    if (status == 0 && cancel)
        status = s_cancel (&paths);
    else if (status == 0)
        status = s_make (self, &paths, at);
    if (status == 0) {
        status = s_show (self, "hub-key read");
        if (status == EX_UNAVAILABLE) {
            ctl_warn ("it counts as soon as the hub runs, and no scanner is "
                      "told before");
            status = 0;
        }
    }
    if (status == 0 && !cancel
        && at - sh_clock_wall (sh_clock_system ()) < SOON_MS)
        ctl_warn ("that is soon: who is not connected until then has to be "
                  "given the new key by hand");
    s_free (&paths);
    return status;
}

int
ctl_hub_rotate (ctl_t *self, int argc, char **argv)
{
    static const struct option options[]
        = { { "at", required_argument, NULL, 'a' },
            { "cancel", no_argument, NULL, 'c' },
            { "help", no_argument, NULL, 'h' },
            { 0 } };
    int64_t at = 0, now = sh_clock_wall (sh_clock_system ());
    bool cancel = false;
    int option;
    while ((option = getopt_long (argc, argv, "h", options, NULL)) != -1) {
        if (option == 'h') {
            ctl_usage_command (stdout, self->command);
            return 0;
        }
        if (option == 'c')
            cancel = true;
        else if (option != 'a')
            return ctl_misused (self);
        else if (ctl_until_parse (&at, optarg, now) != SH_OK || at <= now)
            return ctl_fail (EX_USAGE,
                             "--at takes a span from now on such as 2d, or a "
                             "day and time to come such as "
                             "'2026-11-30 06:00'");
    }
    if (optind != argc || (cancel && at))
        return ctl_misused (self);
    return cancel || at ? s_rotate (self, at, cancel)
                        : s_show (self, "hub-key show");
}
