/* SPDX-License-Identifier: MPL-2.0 */
/*  Opening, dropping; previews_put.c is what is put, previews_room.c what goes
    for it, and previews_read.c what is asked.  */

#include "hub/previews.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/previews_file.h"

const char *
hub_held_word (hub_held_t reason)
{
    static const char *const words[HUB_HELD_COUNT]
        = { "", "preview", "new", "offline" };
    assert (reason < HUB_HELD_COUNT);
    return words[reason];
}

sh_err_t
hub_previews_new (hub_previews_t **out, const char *path,
                  const sh_clock_t *clock)
{
    assert (out && clock);
    hub_previews_t *self = calloc (1, sizeof *self);
    if (self && path)
        self->path = strdup (path);
    if (!self || (path && !self->path) || sodium_init () < 0) {
        free (self);
        return SH_E_MEMORY;
    }
    self->clock = clock;
    pthread_mutex_init (&self->lock, NULL);
    *out = self;
    sh_err_t rc = hub_previews_open (self, NULL);
    return rc == SH_E_MEMORY ? rc : SH_OK;
}

void
hub_previews_destroy (hub_previews_t **self_p)
{
    hub_previews_t *self = *self_p;
    if (!self)
        return;
    hub_previews_close (self);
    pthread_mutex_destroy (&self->lock);
    free (self->path);
    free (self);
    *self_p = NULL;
}

bool
hub_previews_was_shown (const hub_previews_t *self, uint64_t number)
{
    for (size_t i = 0; i < HUB_PREVIEWS_MOST; i++)
        if (self->shown[i] == number)
            return true;
    return false;
}

void
hub_previews_shown (hub_previews_t *self, uint64_t number)
{
    assert (self && number > 0);
    pthread_mutex_lock (&self->lock);
    if (!hub_previews_was_shown (self, number))
        self->shown[self->shown_next++ % HUB_PREVIEWS_MOST] = number;
    pthread_mutex_unlock (&self->lock);
}

void
hub_previews_note (hub_previews_t *self, uint64_t number, const char *failed)
{
    assert (self && failed);
    pthread_mutex_lock (&self->lock);
    if (hub_previews_open (self, NULL) == SH_OK
        && hub_previews_do (self, "UPDATE entry SET failed = ? WHERE number"
                                  " = ?",
                            "ti", failed, (int64_t) number) != SQLITE_OK)
        (void) !hub_previews_failed (self, "why applying failed", NULL);
    pthread_mutex_unlock (&self->lock);
}

static sh_err_t
s_drop (hub_previews_t *self, uint64_t number, const uint8_t *report,
        sh_why_t *why)
{
    sh_bytes_t id = { report, report ? SP_REPORT_ID : 0 };
    int64_t found = 0;
    int code = hub_previews_number (
        hub_previews_ask (self,
                          "SELECT number FROM entry WHERE number = ?1 AND"
                          " (?2 IS NULL OR report = ?2)",
                          "ib", (int64_t) number, id),
        &found, 0);
    if (code == SQLITE_OK && found == 0)
        return sh_fail (why, SH_E_NOT_FOUND,
                        "there is no held report %llu; a newer one of its "
                        "subnet may be in its place: scanhubctl preview list",
                        (unsigned long long) number);
    if (code == SQLITE_OK)
        code = hub_previews_do (self, "BEGIN IMMEDIATE", "");
    if (code == SQLITE_OK)
        code = hub_previews_forget (self, found);
    if (code == SQLITE_OK)
        code = hub_previews_do (self, "COMMIT", "");
    return code == SQLITE_OK ? SH_OK
                             : hub_previews_failed (self, "dropping", why);
}

sh_err_t
hub_previews_drop (hub_previews_t *self, uint64_t number,
                   const uint8_t *report, sh_why_t *why)
{
    assert (self);
    pthread_mutex_lock (&self->lock);
    sh_err_t rc = hub_previews_open (self, why);
    if (rc == SH_OK)
        rc = s_drop (self, number, report, why);
    pthread_mutex_unlock (&self->lock);
    return rc;
}
