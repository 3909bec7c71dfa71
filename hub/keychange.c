/* SPDX-License-Identifier: MPL-2.0 */
#include "hub/keychange.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/file.h"
#include "lib/log.h"

#define TIME_FORMAT "%Y-%m-%dT%H:%M:%SZ"

struct hub_keychange
{
    char *path, *next_path;
    pthread_mutex_t lock; /* for what follows */
    sh_keyfile_t *now, *next; /* 'next' NULL: none was announced */
    int64_t at;
    unsigned generation;
    bool unturned; /* 'now' came from KEY.next, which is still called so */
};

void
hub_keychange_time (char out[static HUB_KEYCHANGE_TIME], int64_t at)
{
    time_t seconds = (time_t) (at / 1000);
    struct tm parts;
    out[0] = '\0';
    if (gmtime_r (&seconds, &parts))
        (void) strftime (out, HUB_KEYCHANGE_TIME, TIME_FORMAT, &parts);
}

bool
hub_keychange_time_read (int64_t *at, const char *text)
{
    assert (at && text);
    struct tm parts = { 0 };
    const char *end = strptime (text, TIME_FORMAT, &parts);
    char again[HUB_KEYCHANGE_TIME];
    if (!end || *end)
        return false;
    int64_t ms = (int64_t) timegm (&parts) * 1000;
    hub_keychange_time (again, ms);
    if (strcmp (again, text) != 0)
        return false; /* such as February the 30th */
    *at = ms;
    return true;
}

/*  KEY.next, with its time.  */
static sh_err_t
s_load_next (sh_keyfile_t **out, int64_t *at, const char *path, bool secret,
             sh_why_t *why)
{
    sh_keyfile_t *key = NULL;
    sh_err_t rc = sh_keyfile_load (&key, path, secret, why);
    if (rc != SH_OK)
        return rc;
    const char *text = sh_keyfile_get (key, HUB_KEYCHANGE_AT);
    if (!text || !hub_keychange_time_read (at, text)) {
        sh_keyfile_destroy (&key);
        return sh_fail (why, SH_E_SYNTAX,
                        "%s: says not from when on it counts; put a line at = "
                        "\"2026-11-30T06:00:00Z\" under metadata",
                        path);
    }
    *out = key;
    return SH_OK;
}

static sh_err_t
s_load (hub_keychange_t *self, int64_t now, sh_why_t *why)
{
    sh_err_t next = s_load_next (&self->next, &self->at, self->next_path, true,
                                 why);
    if (next != SH_OK && next != SH_E_NOT_FOUND)
        return next;
    if (self->next && self->at <= now) {
        self->now = self->next;
        self->next = NULL;
        self->unturned = true;
        return SH_OK;
    }
    sh_err_t rc = sh_keyfile_load (&self->now, self->path, true, why);
    if (rc == SH_E_NOT_FOUND)
        rc = sh_fail (why, SH_E_NOT_FOUND,
                      "%s: no hub key there; make one: scanhubctl keygen %s",
                      self->path, self->path);
    return rc;
}

sh_err_t
hub_keychange_new (hub_keychange_t **out, const char *path, int64_t now,
                   sh_why_t *why)
{
    assert (out && path);
    hub_keychange_t *self = calloc (1, sizeof *self);
    if (!self)
        return sh_fail (why, SH_E_MEMORY, "out of memory");
    pthread_mutex_init (&self->lock, NULL);
    self->path = strdup (path);
    sh_err_t rc = SH_OK;
    if (!self->path || asprintf (&self->next_path, "%s.next", path) < 0) {
        self->next_path = NULL;
        rc = sh_fail (why, SH_E_MEMORY, "out of memory");
    }
    if (rc == SH_OK)
        rc = s_load (self, now, why);
    if (rc == SH_OK)
        *out = self;
    else
        hub_keychange_destroy (&self);
    return rc;
}

void
hub_keychange_destroy (hub_keychange_t **self_p)
{
    assert (self_p);
    hub_keychange_t *self = *self_p;
    if (!self)
        return;
    sh_keyfile_destroy (&self->now);
    sh_keyfile_destroy (&self->next);
    pthread_mutex_destroy (&self->lock);
    free (self->path);
    free (self->next_path);
    free (self);
    *self_p = NULL;
}

static void
s_log_next (const sh_keyfile_t *next, int64_t at)
{
    char fingerprint[SH_FINGERPRINT_TEXT] = "", when[HUB_KEYCHANGE_TIME] = "";
    if (next) {
        sh_key_fingerprint (fingerprint, next->public_key);
        hub_keychange_time (when, at);
    }
    sh_log (SH_LOG_NOTICE,
            next ? "another key of the hub is announced"
                 : "the hub keeps its key",
            SH_STR ("fingerprint", next ? fingerprint : NULL),
            SH_STR ("at", next ? when : NULL));
}

sh_err_t
hub_keychange_read (hub_keychange_t *self, sh_why_t *why)
{
    assert (self);
    sh_keyfile_t *next = NULL;
    int64_t at = 0;
    pthread_mutex_lock (&self->lock);
    /*  One that is in use, but still called so, announces nothing.  */
    sh_err_t rc = self->unturned ? SH_E_NOT_FOUND
                                 : s_load_next (&next, &at, self->next_path,
                                                true, why);
    bool changed = false;
    if (rc == SH_OK || rc == SH_E_NOT_FOUND) {
        const sh_keyfile_t *old = self->next;
        changed = (next != NULL) != (old != NULL)
                  || (next && (at != self->at
                               || strcmp (next->public_key, old->public_key)
                                      != 0));
        sh_keyfile_destroy (&self->next);
        self->next = next;
        self->at = at;
        self->generation += changed;
        if (changed)
            s_log_next (next, at);
    }
    pthread_mutex_unlock (&self->lock);
    return rc == SH_E_NOT_FOUND ? SH_OK : rc;
}

void
hub_keychange_now (hub_keychange_t *self, char public_key[static SH_KEY_TEXT],
                   char secret_key[SH_KEY_TEXT])
{
    assert (self && public_key);
    pthread_mutex_lock (&self->lock);
    memcpy (public_key, self->now->public_key, SH_KEY_TEXT);
    if (secret_key)
        memcpy (secret_key, self->now->secret_key, SH_KEY_TEXT);
    pthread_mutex_unlock (&self->lock);
}

bool
hub_keychange_next (hub_keychange_t *self, char public_key[static SH_KEY_TEXT],
                    int64_t *at)
{
    assert (self && public_key && at);
    pthread_mutex_lock (&self->lock);
    bool is = self->next != NULL;
    if (is) {
        memcpy (public_key, self->next->public_key, SH_KEY_TEXT);
        *at = self->at;
    }
    pthread_mutex_unlock (&self->lock);
    return is;
}

unsigned
hub_keychange_generation (hub_keychange_t *self)
{
    pthread_mutex_lock (&self->lock);
    unsigned generation = self->generation;
    pthread_mutex_unlock (&self->lock);
    return generation;
}

/*  KEY.pub is for people; it follows if it can.  */
static void
s_turn_public (const hub_keychange_t *self)
{
    char *from = NULL, *to = NULL;
    if (asprintf (&from, "%s.pub", self->next_path) < 0)
        from = NULL;
    if (asprintf (&to, "%s.pub", self->path) < 0)
        to = NULL;
    if (from && to)
        (void) !sh_file_rename (from, to, NULL);
    free (from);
    free (to);
}

/*  With the lock held.  */
static void
s_settle (hub_keychange_t *self)
{
    sh_why_t why = { "" };
    if (!self->unturned)
        return;
    if (sh_file_rename (self->next_path, self->path, &why) == SH_OK) {
        self->unturned = false;
        s_turn_public (self);
        return;
    }
    sh_log (SH_LOG_WARNING, "the hub's new key is in use, but cannot take the "
                            "place of the former one",
            SH_STR ("because", why.text),
            SH_STR ("remedy", "rename KEY.next to KEY"),
            SH_STR ("key", self->path));
}

bool
hub_keychange_turn (hub_keychange_t *self, int64_t now)
{
    assert (self);
    char fingerprint[SH_FINGERPRINT_TEXT] = "";
    pthread_mutex_lock (&self->lock);
    bool due = self->next && self->at <= now;
    if (due) {
        sh_keyfile_destroy (&self->now);
        self->now = self->next;
        self->next = NULL;
        self->generation++;
        self->unturned = true;
        sh_key_fingerprint (fingerprint, self->now->public_key);
        s_settle (self);
    }
    pthread_mutex_unlock (&self->lock);
    if (due)
        sh_log (SH_LOG_NOTICE, "the hub has another key now, as announced",
                SH_STR ("fingerprint", fingerprint));
    return due;
}

void
hub_keychange_settle (hub_keychange_t *self)
{
    pthread_mutex_lock (&self->lock);
    s_settle (self);
    pthread_mutex_unlock (&self->lock);
}

sh_err_t
hub_keychange_peek (char public_key[static SH_KEY_TEXT], const char *path,
                    int64_t now, sh_why_t *why)
{
    assert (public_key && path);
    char *next_path = NULL;
    sh_keyfile_t *key = NULL, *next = NULL;
    int64_t at = 0;
    if (asprintf (&next_path, "%s.next", path) < 0)
        return sh_fail (why, SH_E_MEMORY, "out of memory");
    sh_err_t rc = sh_keyfile_load (&key, path, false, why);
    if (rc == SH_OK
        && s_load_next (&next, &at, next_path, false, NULL) == SH_OK
        && at <= now)
        memcpy (public_key, next->public_key, SH_KEY_TEXT);
    else if (rc == SH_OK)
        memcpy (public_key, key->public_key, SH_KEY_TEXT);
    sh_keyfile_destroy (&key);
    sh_keyfile_destroy (&next);
    free (next_path);
    return rc;
}
