/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/join.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/control.h"
#include "lib/keyfile.h"
#include "scanner-proto/knock.h"
#include "scanner/own_key.h"
#include "scanner/tell.h"

#define ROUND_MS 2000
#define ASK_MS 5000
#define TURN_MS 8000 /* for the running scanner to go over */

/*  Knock at each hub, each being able to have a registry of its own.  The
    worst answer counts: one that refuses the key is not yet done.  */
static sh_err_t
s_knock_at_all (const sc_config_t *config, const sh_keyfile_t *key,
                const sh_clock_t *clock, bool tell, sh_why_t *why)
{
    sh_err_t worst = SH_OK;
    for (size_t i = 0; i < config->hubs.count; i++) {
        sh_why_t one = { "" };
        sh_err_t rc = sp_knock (&config->hubs.items[i], key, clock, &one);
        if (tell && rc == SH_E_KEY_REFUSED)
            (void) printf ("%s: noted, not let in yet\n",
                           config->hubs.items[i].endpoint);
        else if (tell)
            (void) printf ("%s\n", rc == SH_OK ? "let in" : one.text);
        if (rc != SH_OK && worst != SH_E_KEY_REFUSED) {
            worst = rc;
            *why = one;
        }
    }
    return worst;
}

static sh_err_t
s_wait (const sc_config_t *config, const sh_keyfile_t *key, uint32_t seconds,
        const sh_clock_t *clock, sh_why_t *why)
{
    int64_t end = sh_clock_mono (clock) + (int64_t) seconds * 1000;
    sh_err_t rc = SH_E_KEY_REFUSED;
    while (rc != SH_OK && sh_clock_mono (clock) < end) {
        const struct timespec time = { ROUND_MS / 1000, 0 };
        (void) nanosleep (&time, NULL);
        rc = s_knock_at_all (config, key, clock, false, why);
    }
    return rc;
}

/*  KEY.next: the one that an earlier run made, or a new one.  */
static sh_err_t
s_next_key (sh_keyfile_t **out, const sc_config_t *config, sh_why_t *why)
{
    sh_keyfile_t *now = NULL;
    bool made = false;
    char *path = sc_own_key_next_path (config->key);
    if (!path)
        return sh_fail (why, SH_E_MEMORY, "out of memory");
    sh_err_t rc = sh_keyfile_load (&now, config->key, true, why);
    if (rc == SH_E_NOT_FOUND)
        rc = sh_fail (why, rc, "%s: there is no key yet; see scanhub-scanner "
                      "join", config->key);
    if (rc == SH_OK)
        rc = sc_own_key_ensure (out, path, &made, why);
    if (rc == SH_OK)
        (void) printf ("%s: %s (secret, stays here)\n",
                       made ? "made the next key" : "next key", path);
    sh_keyfile_destroy (&now);
    free (path);
    return rc;
}

/*  The service that runs here is told, and then it is seen whether KEY.next
    has become KEY.  */
static void
s_tell_service (const sc_config_t *config, const sh_clock_t *clock)
{
    char *answer = NULL, *path = sc_own_key_next_path (config->key);
    int64_t end = sh_clock_mono (clock) + TURN_MS;
    bool told = config->control
                && sh_control_ask (&answer, config->control,
                                   "'scanhub-scanner run'", "next-key",
                                   ASK_MS, NULL)
                       == SH_OK;
    free (answer);
    while (told && path && access (path, F_OK) == 0
           && sh_clock_mono (clock) < end) {
        const struct timespec time = { 0, 100000000 };
        (void) nanosleep (&time, NULL);
    }
    if (told && path && access (path, F_OK) != 0)
        (void) printf ("the running scanner uses this key now\n");
    else if (told)
        (void) printf ("the running scanner goes over to it within a minute; "
                       "see its log\n");
    else
        (void) printf ("no scanner runs here; the next one that does goes "
                       "over to it\n");
    free (path);
}

int
sc_rotate (sc_config_t *config, uint32_t wait, const sh_clock_t *clock)
{
    assert (config && clock);
    sh_keyfile_t *key = NULL;
    sh_why_t why = { "" };
    sc_tell_t tell = { .once = true };
    bool several = config->hubs.count > 1;
    char fingerprint[SH_FINGERPRINT_TEXT];
    sh_err_t rc = sc_config_take_hub_keys (config, &why);
    if (rc == SH_OK)
        rc = s_next_key (&key, config, &why);
    if (rc == SH_OK) {
        sh_key_fingerprint (fingerprint, key->public_key);
        (void) printf ("fingerprint: %s\n", fingerprint);
        rc = s_knock_at_all (config, key, clock, true, &why);
    }
    if (rc == SH_E_KEY_REFUSED) {
        (void) printf ("\nOn %s, with this scanner's name there:\n\n"
                       "  scanhubctl scanner rotate NAME %s\n\n"
                       "The running scanner then goes over to this key by "
                       "itself, and the old one\nis good no longer.\n",
                       several ? "every hub of the list" : "the hub",
                       fingerprint);
        if (several)
            (void) printf ("It does so as soon as the hub that it is connected "
                           "to lets the key in: there\nlast, or the others "
                           "lock it out.\n");
        (void) fflush (stdout);
        rc = s_wait (config, key, wait, clock, &why);
    }
    sh_keyfile_destroy (&key);
    if (rc == SH_E_KEY_REFUSED)
        return EX_TEMPFAIL;
    if (rc != SH_OK) {
        sc_tell_trouble (&tell, NULL, rc, why.text);
        return tell.exit_status;
    }
    (void) printf ("approved: the hub lets this key in\n");
    s_tell_service (config, clock);
    return EX_OK;
}
