/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/sessions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEARD_MOST 65536 /* keys without a session of which it is known */

struct hub_sessions
{
    zhashx_t *by_key;
    zhashx_t *jobs;     /* key -> size_t: how many workers have, not 0 */
    zhashx_t *heard;    /* key -> int64_t: of keys that have no session */
    zhashx_t *parts;    /* names of parts being worked */
    hub_session_t *first, *last; /* by when they were touched */
    hub_session_t *next; /* of the walk under way */
};

static void
s_free_item (void **item_p)
{
    free (*item_p);
    *item_p = NULL;
}

sh_err_t
hub_sessions_new (hub_sessions_t **out)
{
    hub_sessions_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    self->by_key = zhashx_new ();
    self->jobs = zhashx_new ();
    self->heard = zhashx_new ();
    self->parts = zhashx_new ();
    if (!self->by_key || !self->jobs || !self->heard || !self->parts) {
        hub_sessions_destroy (&self);
        return SH_E_MEMORY;
    }
    zhashx_set_destructor (self->by_key, s_free_item);
    zhashx_set_destructor (self->jobs, s_free_item);
    zhashx_set_destructor (self->heard, s_free_item);
    *out = self;
    return SH_OK;
}

void
hub_sessions_destroy (hub_sessions_t **self_p)
{
    hub_sessions_t *self = *self_p;
    if (!self)
        return;
    zhashx_destroy (&self->parts);
    zhashx_destroy (&self->heard);
    zhashx_destroy (&self->jobs);
    zhashx_destroy (&self->by_key);
    free (self);
    *self_p = NULL;
}

hub_session_t *
hub_sessions_find (hub_sessions_t *self, const char *key)
{
    return zhashx_lookup (self->by_key, key);
}

/*  Put it in its place: before all others, or behind them.  */
static void
s_link (hub_sessions_t *self, hub_session_t *session, bool front)
{
    session->before = front ? NULL : self->last;
    session->after = front ? self->first : NULL;
    *(session->before ? &session->before->after : &self->first) = session;
    *(session->after ? &session->after->before : &self->last) = session;
}

static void
s_unlink (hub_sessions_t *self, const hub_session_t *session)
{
    if (self->next == session)
        self->next = session->after;
    *(session->before ? &session->before->after : &self->first)
        = session->after;
    *(session->after ? &session->after->before : &self->last)
        = session->before;
}

void
hub_sessions_touch (hub_sessions_t *self, hub_session_t *session, int64_t now)
{
    session->touched = now;
    s_unlink (self, session);
    s_link (self, session, now == 0);
}

hub_session_t *
hub_sessions_open (hub_sessions_t *self, const char *key)
{
    hub_session_t *session = hub_sessions_find (self, key);
    if (session)
        return session;
    session = calloc (1, sizeof *session);
    if (!session)
        return NULL;
    session->fd = -1;
    snprintf (session->key, sizeof session->key, "%s", key);
    zhashx_insert (self->by_key, key, session);
    s_link (self, session, true);
    return session;
}

/*  Of one that goes.  Without memory, or of more keys than a registry has, it
    is not known.  */
static void
s_remember (hub_sessions_t *self, const hub_session_t *session)
{
    int64_t *heard = zhashx_lookup (self->heard, session->key);
    if (!heard && zhashx_size (self->heard) < HEARD_MOST) {
        heard = calloc (1, sizeof *heard);
        if (heard)
            zhashx_insert (self->heard, session->key, heard);
    }
    if (heard)
        *heard = session->heard;
}

int64_t
hub_sessions_last_heard (hub_sessions_t *self, const char *key)
{
    const hub_session_t *session = hub_sessions_find (self, key);
    const int64_t *heard = zhashx_lookup (self->heard, key);
    return session ? session->heard : heard ? *heard : -1;
}

void
hub_sessions_close (hub_sessions_t *self, const char *key)
{
    const hub_session_t *session = hub_sessions_find (self, key);
    if (!session)
        return;
    s_remember (self, session);
    s_unlink (self, session);
    zhashx_delete (self->by_key, key);
}

void
hub_sessions_close_all (hub_sessions_t *self)
{
    for (const hub_session_t *one = self->first; one; one = one->after)
        s_remember (self, one);
    self->first = self->last = self->next = NULL;
    zhashx_purge (self->by_key);
}

bool
hub_session_is (const hub_session_t *self, const void *route, size_t route_size)
{
    return self->route_size == route_size
           && memcmp (self->route, route, route_size) == 0;
}

hub_session_t *
hub_sessions_first (hub_sessions_t *self)
{
    self->next = self->first;
    return hub_sessions_next (self);
}

/*  Which one comes next is settled before the caller closes this one.  */
hub_session_t *
hub_sessions_next (hub_sessions_t *self)
{
    hub_session_t *session = self->next;
    if (session)
        self->next = session->after;
    return session;
}

size_t
hub_sessions_size (const hub_sessions_t *self)
{
    return zhashx_size (self->by_key);
}

size_t
hub_sessions_jobs (hub_sessions_t *self, const char *key)
{
    const size_t *count = zhashx_lookup (self->jobs, key);
    return count ? *count : 0;
}

bool
hub_sessions_begin_job (hub_sessions_t *self, const char *key)
{
    size_t *count = zhashx_lookup (self->jobs, key);
    if (!count) {
        count = calloc (1, sizeof *count);
        if (!count)
            return false;
        zhashx_insert (self->jobs, key, count);
    }
    ++*count;
    return true;
}

void
hub_sessions_end_job (hub_sessions_t *self, const char *key)
{
    size_t *count = zhashx_lookup (self->jobs, key);
    if (count && --*count == 0)
        zhashx_delete (self->jobs, key);
}

#define PART_NAME (SH_KEY_TEXT + 2 * SP_REPORT_ID + 24)

static void
s_part_name (char out[static PART_NAME], const char *key, sh_bytes_t id,
             uint64_t part)
{
    int size = snprintf (out, PART_NAME, "%s %llx ", key,
                         (unsigned long long) part);
    for (size_t i = 0; i < id.size && i < SP_REPORT_ID; i++)
        size += snprintf (out + size, PART_NAME - (size_t) size, "%02x",
                          id.data[i]);
}

bool
hub_sessions_note_part (hub_sessions_t *self, const char *key, sh_bytes_t id,
                        uint64_t part)
{
    char name[PART_NAME];
    s_part_name (name, key, id, part);
    /*  Only the name counts; any item that is not NULL will do.  */
    return zhashx_insert (self->parts, name, self) == 0;
}

void
hub_sessions_forget_part (hub_sessions_t *self, const char *key, sh_bytes_t id,
                          uint64_t part)
{
    char name[PART_NAME];
    s_part_name (name, key, id, part);
    zhashx_delete (self->parts, name);
}
