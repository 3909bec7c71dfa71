/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/roster.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <czmq.h>

#define ID_TEXT (HUB_NAME_MOST + SP_CODE_MOST + 8)

typedef struct
{
    hub_scanner_state_t state;
    char id[ID_TEXT];
    unsigned round; /* of telling who is connected */
} entry_t;

struct hub_roster
{
    pthread_mutex_t lock;
    zhashx_t *by_id; /* entry_t */
    size_t most;
    unsigned round;
};

static void
s_free_entry (void **item_p)
{
    free (*item_p);
    *item_p = NULL;
}

sh_err_t
hub_roster_new (hub_roster_t **out, size_t most)
{
    assert (out && most > 0);
    hub_roster_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    self->by_id = zhashx_new ();
    if (!self->by_id) {
        free (self);
        return SH_E_MEMORY;
    }
    zhashx_set_destructor (self->by_id, s_free_entry);
    self->most = most;
    pthread_mutex_init (&self->lock, NULL);
    *out = self;
    return SH_OK;
}

void
hub_roster_destroy (hub_roster_t **self_p)
{
    hub_roster_t *self = *self_p;
    if (!self)
        return;
    zhashx_destroy (&self->by_id);
    pthread_mutex_destroy (&self->lock);
    free (self);
    *self_p = NULL;
}

/*  Room for one more; false if everybody is connected.  */
static bool
s_make_room (hub_roster_t *self)
{
    if (zhashx_size (self->by_id) < self->most)
        return true;
    const entry_t *oldest = NULL;
    for (const entry_t *one = zhashx_first (self->by_id); one;
         one = zhashx_next (self->by_id))
        if (!one->state.connected
            && (!oldest || one->state.heard < oldest->state.heard))
            oldest = one;
    if (oldest) {
        char id[ID_TEXT];
        memcpy (id, oldest->id, sizeof id);
        zhashx_delete (self->by_id, id);
    }
    return oldest != NULL;
}

/*  A key has no blank in it, so the two kinds of ids cannot meet.  */
static void
s_id (char out[static ID_TEXT], const hub_principal_t *who, const char *code)
{
    if (who->door == HUB_DOOR_CURVE)
        snprintf (out, ID_TEXT, "%s", who->key);
    else
        snprintf (out, ID_TEXT, "%s %s", who->name, code ? code : "");
}

/*  The entry of a principal, made if there is none; NULL: no room.  */
static entry_t *
s_entry (hub_roster_t *self, const hub_principal_t *who, const char *code)
{
    char id[ID_TEXT];
    s_id (id, who, code);
    entry_t *entry = zhashx_lookup (self->by_id, id);
    if (!entry && s_make_room (self)) {
        entry = calloc (1, sizeof *entry);
        if (!entry)
            return NULL;
        memcpy (entry->id, id, sizeof id);
        entry->state.heard = -1;
        zhashx_insert (self->by_id, id, entry);
    }
    if (!entry)
        return NULL;
    hub_scanner_state_t *state = &entry->state;
    state->door = who->door;
    state->shim = who->shim;
    memcpy (state->key, who->key, sizeof state->key);
    memcpy (state->name, who->name, sizeof state->name);
    if (who->door == HUB_DOOR_HTTP)
        snprintf (state->code, sizeof state->code, "%s", code ? code : "");
    return entry;
}

void
hub_roster_connect (hub_roster_t *self, const hub_principal_t *who,
                    const char *peer, const sp_hello_t *hello, int64_t now,
                    int64_t mono)
{
    pthread_mutex_lock (&self->lock);
    entry_t *entry = s_entry (self, who, NULL);
    if (entry) {
        hub_scanner_state_t *state = &entry->state;
        entry->round = self->round;
        state->connected = true;
        state->since = now;
        state->heard = mono;
        state->skew = now - hello->now;
        state->told = false;
        snprintf (state->peer, sizeof state->peer, "%s", peer);
        snprintf (state->version, sizeof state->version, "%s",
                  hello->version ? hello->version : "");
    }
    pthread_mutex_unlock (&self->lock);
}

void
hub_roster_beat (hub_roster_t *self, const char *key, const sp_beat_t *beat,
                 int64_t now)
{
    pthread_mutex_lock (&self->lock);
    entry_t *entry = zhashx_lookup (self->by_id, key);
    if (entry) {
        entry->state.told = true;
        entry->state.spool = beat->spool;
        entry->state.running = beat->running;
        entry->state.skew = now - beat->now;
    }
    pthread_mutex_unlock (&self->lock);
}

bool
hub_roster_take_over (hub_roster_t *self, const char *key, const char *older,
                      const char *newer, int64_t mono)
{
    pthread_mutex_lock (&self->lock);
    entry_t *entry = zhashx_lookup (self->by_id, key);
    bool say = entry
               && hub_clones_note (&entry->state.clones, older, newer, mono);
    pthread_mutex_unlock (&self->lock);
    return say;
}

void
hub_roster_begin (hub_roster_t *self)
{
    pthread_mutex_lock (&self->lock);
    self->round++;
    pthread_mutex_unlock (&self->lock);
}

void
hub_roster_present (hub_roster_t *self, const char *key, int64_t heard)
{
    pthread_mutex_lock (&self->lock);
    entry_t *entry = zhashx_lookup (self->by_id, key);
    if (entry) {
        entry->round = self->round;
        entry->state.heard = heard;
    }
    pthread_mutex_unlock (&self->lock);
}

void
hub_roster_end (hub_roster_t *self, int64_t now)
{
    pthread_mutex_lock (&self->lock);
    for (entry_t *one = zhashx_first (self->by_id); one;
         one = zhashx_next (self->by_id))
        if (one->state.connected && one->round != self->round) {
            one->state.connected = false;
            one->state.since = now;
        }
    pthread_mutex_unlock (&self->lock);
}

void
hub_roster_report (hub_roster_t *self, const hub_principal_t *who,
                   const char *code, uint64_t subnet, sp_result_t result,
                   sh_err_t cause, int64_t now, int64_t mono)
{
    assert (result < SP_RESULT_COUNT);
    pthread_mutex_lock (&self->lock);
    entry_t *entry = s_entry (self, who, code);
    if (entry) {
        hub_scanner_state_t *state = &entry->state;
        state->reported = now;
        state->subnet = subnet;
        state->result = result;
        state->results[result]++;
        if (who->door == HUB_DOOR_HTTP)
            state->heard = mono;
        if (cause != SH_OK) {
            state->refused = now;
            state->cause = cause;
        }
    }
    pthread_mutex_unlock (&self->lock);
}

size_t
hub_roster_list (hub_roster_t *self, hub_scanner_state_t **out)
{
    size_t count = 0;
    pthread_mutex_lock (&self->lock);
    size_t size = zhashx_size (self->by_id);
    *out = size ? calloc (size, sizeof **out) : NULL;
    if (*out)
        for (const entry_t *one = zhashx_first (self->by_id); one;
             one = zhashx_next (self->by_id))
            (*out)[count++] = one->state;
    pthread_mutex_unlock (&self->lock);
    return count;
}

bool
hub_roster_find (hub_roster_t *self, const char *key, hub_scanner_state_t *out)
{
    pthread_mutex_lock (&self->lock);
    const entry_t *entry = zhashx_lookup (self->by_id, key);
    if (entry)
        *out = entry->state;
    pthread_mutex_unlock (&self->lock);
    return entry != NULL;
}
