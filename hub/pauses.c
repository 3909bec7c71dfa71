/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/pauses.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/file.h"
#include "scanner-proto/limits.h"

#define LINE_MOST 64 /* bytes of a line and its end */
#define FILE_MOST (HUB_PAUSES_MOST * LINE_MOST)
#define HEAD "scanhub-pauses 1"

struct hub_pauses
{
    char *path;
    pthread_mutex_t lock; /* for what follows */
    hub_pause_t *items;   /* room for MOST, ascending by kind and id */
    size_t count;
};

static const char *const s_words[] = { [HUB_PAUSE_AGENT] = "agent",
                                       [HUB_PAUSE_SUBNET] = "subnet" };

static int
s_compare (const hub_pause_t *a, const hub_pause_t *b)
{
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

/*  Where it is, or is to be; true if it is there.  */
static bool
s_find (const hub_pauses_t *self, hub_pause_kind_t kind, uint64_t id,
        size_t *at)
{
    const hub_pause_t wanted = { .kind = kind, .id = id };
    size_t low = 0, high = self->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s_compare (&self->items[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *at = low;
    return low < self->count && s_compare (&self->items[low], &wanted) == 0;
}

static void
s_insert (hub_pauses_t *self, size_t at, const hub_pause_t *one)
{
    memmove (&self->items[at + 1], &self->items[at],
             (self->count - at) * sizeof *self->items);
    self->items[at] = *one;
    self->count++;
}

/*  Digits only, from 1 to 2^62.  */
static bool
s_number (int64_t *out, const char *text)
{
    size_t digits = strspn (text, "0123456789");
    if (digits == 0 || digits > 18 || text[digits] != '\0' || text[0] == '0')
        return false;
    *out = strtoll (text, NULL, 10);
    return true;
}

static bool
s_parse_line (hub_pause_t *out, const char *line)
{
    char kind[8], id[24], until[24], rest;
    int64_t number;
    if (sscanf (line, "%7s %23s until %23s %c", kind, id, until, &rest) != 3
        || !s_number (&number, id))
        return false;
    *out = (hub_pause_t){ .id = (uint64_t) number };
    if (strcmp (kind, s_words[HUB_PAUSE_SUBNET]) == 0)
        out->kind = HUB_PAUSE_SUBNET;
    else if (strcmp (kind, s_words[HUB_PAUSE_AGENT]) == 0)
        out->kind = HUB_PAUSE_AGENT;
    else
        return false;
    out->until = HUB_PAUSE_NO_END;
    return strcmp (until, "-") == 0 || s_number (&out->until, until);
}

static sh_err_t
s_refuse (const hub_pauses_t *self, int number, sh_why_t *why)
{
    return sh_fail (why, SH_E_CONFIG,
                    "%s:%d: is no line of a list of paused subnets; put it "
                    "right, or remove the file and pause anew",
                    self->path, number);
}

static sh_err_t
s_parse (hub_pauses_t *self, char *text, size_t size, sh_why_t *why)
{
    int number = 0;
    if (strlen (text) != size || (size > 0 && text[size - 1] != '\n'))
        return s_refuse (self, 1, why); /* cut off, or no text at all */
    for (char *line = text, *end; (end = strchr (line, '\n'));
         line = end + 1) {
        hub_pause_t one;
        size_t at;
        *end = '\0';
        number++;
        if (number == 1 && strcmp (line, HEAD) == 0)
            continue;
        if (number == 1 || !s_parse_line (&one, line)
            || self->count == HUB_PAUSES_MOST
            || s_find (self, one.kind, one.id, &at))
            return s_refuse (self, number, why);
        s_insert (self, at, &one);
    }
    return number > 0 ? SH_OK : s_refuse (self, 1, why);
}

static sh_err_t
s_load (hub_pauses_t *self, sh_why_t *why)
{
    char *text = NULL;
    size_t size = 0;
    sh_err_t rc = sh_file_read (&text, &size, NULL, self->path, FILE_MOST, why);
    if (rc == SH_E_NOT_FOUND)
        return SH_OK;
    if (rc == SH_OK)
        rc = s_parse (self, text, size, why);
    free (text);
    return rc == SH_E_TOO_LARGE ? s_refuse (self, 1, why) : rc;
}

sh_err_t
hub_pauses_new (hub_pauses_t **out, const char *path, sh_why_t *why)
{
    assert (out && path);
    hub_pauses_t *self = calloc (1, sizeof *self);
    if (!self)
        return sh_fail (why, SH_E_MEMORY, "out of memory");
    pthread_mutex_init (&self->lock, NULL);
    self->path = strdup (path);
    self->items = calloc (HUB_PAUSES_MOST + 1, sizeof *self->items);
    sh_err_t rc = SH_OK;
    if (!self->path || !self->items)
        rc = sh_fail (why, SH_E_MEMORY, "out of memory");
    if (rc == SH_OK)
        rc = s_load (self, why);
    if (rc == SH_OK)
        *out = self;
    else
        hub_pauses_destroy (&self);
    return rc;
}

void
hub_pauses_destroy (hub_pauses_t **self_p)
{
    hub_pauses_t *self = *self_p;
    if (!self)
        return;
    pthread_mutex_destroy (&self->lock);
    free (self->items);
    free (self->path);
    free (self);
    *self_p = NULL;
}

/*  Those that are over are forgotten when there is something to write.  */
static void
s_drop_ended (hub_pauses_t *self, int64_t now)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->count; i++)
        if (self->items[i].until > now)
            self->items[kept++] = self->items[i];
    self->count = kept;
}

static sh_err_t
s_save (const hub_pauses_t *self, sh_why_t *why)
{
    size_t room = sizeof HEAD + 1 + self->count * LINE_MOST;
    char *text = malloc (room);
    if (!text)
        return sh_fail (why, SH_E_MEMORY, "out of memory");
    size_t used = (size_t) snprintf (text, room, HEAD "\n");
    for (size_t i = 0; i < self->count; i++) {
        const hub_pause_t *one = &self->items[i];
        char until[24] = "-";
        if (one->until != HUB_PAUSE_NO_END)
            snprintf (until, sizeof until, "%" PRId64, one->until);
        used += (size_t) snprintf (text + used, room - used,
                                   "%s %" PRIu64 " until %s\n",
                                   s_words[one->kind], one->id, until);
    }
    sh_err_t rc = sh_file_make_parent (self->path, "the list of pauses", why);
    if (rc == SH_OK)
        rc = sh_file_write (self->path, text, used, 0644, true, why);
    free (text);
    return rc;
}

/*  Do both on a copy, which takes the place of what there is only when it is on
    disk.  */
static sh_err_t
s_change (hub_pauses_t *self, const hub_pause_t *put, const hub_pause_t *end,
          int64_t now, sh_why_t *why)
{
    size_t at;
    hub_pauses_t fresh = *self;
    fresh.items = calloc (HUB_PAUSES_MOST + 1, sizeof *fresh.items);
    if (!fresh.items)
        return sh_fail (why, SH_E_MEMORY, "out of memory");
    memcpy (fresh.items, self->items, self->count * sizeof *fresh.items);
    s_drop_ended (&fresh, now);
    if (end && s_find (&fresh, end->kind, end->id, &at))
        memmove (&fresh.items[at], &fresh.items[at + 1],
                 (--fresh.count - at) * sizeof *fresh.items);
    sh_err_t rc = SH_OK;
    if (put && s_find (&fresh, put->kind, put->id, &at))
        fresh.items[at] = *put;
    else if (put && fresh.count == HUB_PAUSES_MOST)
        rc = sh_fail (why, SH_E_TOO_LARGE,
                      "%d subnets and agents are paused already",
                      HUB_PAUSES_MOST);
    else if (put)
        s_insert (&fresh, at, put);
    if (rc == SH_OK)
        rc = s_save (&fresh, why);
    if (rc == SH_OK) {
        hub_pause_t *old = self->items;
        self->items = fresh.items;
        self->count = fresh.count;
        fresh.items = old;
    }
    free (fresh.items);
    return rc;
}

sh_err_t
hub_pauses_put (hub_pauses_t *self, const hub_pause_t *one, int64_t now,
                sh_why_t *why)
{
    assert (self && one);
    /*  Nothing is written that could not be read at the next start.  */
    if (one->until != HUB_PAUSE_NO_END && one->until > SP_TIME_MOST_MS)
        return sh_fail (why, SH_E_TOO_LARGE,
                        "a pause ends before the year 2100, or has no end");
    pthread_mutex_lock (&self->lock);
    sh_err_t rc = s_change (self, one, NULL, now, why);
    pthread_mutex_unlock (&self->lock);
    return rc;
}

static int64_t
s_until (const hub_pauses_t *self, hub_pause_kind_t kind, uint64_t id,
         int64_t now)
{
    size_t at;
    bool paused = s_find (self, kind, id, &at) && self->items[at].until > now;
    return paused ? self->items[at].until : 0;
}

sh_err_t
hub_pauses_end (hub_pauses_t *self, hub_pause_kind_t kind, uint64_t id,
                int64_t now, bool *was, sh_why_t *why)
{
    assert (self && was);
    const hub_pause_t end = { .kind = kind, .id = id };
    pthread_mutex_lock (&self->lock);
    bool paused = s_until (self, kind, id, now) != 0;
    sh_err_t rc = paused ? s_change (self, NULL, &end, now, why) : SH_OK;
    pthread_mutex_unlock (&self->lock);
    if (rc == SH_OK)
        *was = paused;
    return rc;
}

int64_t
hub_pauses_of (hub_pauses_t *self, uint64_t subnet, uint64_t agent,
               int64_t now)
{
    pthread_mutex_lock (&self->lock);
    int64_t own = s_until (self, HUB_PAUSE_SUBNET, subnet, now);
    int64_t all = s_until (self, HUB_PAUSE_AGENT, agent, now);
    pthread_mutex_unlock (&self->lock);
    return own > all ? own : all;
}

size_t
hub_pauses_list (hub_pauses_t *self, hub_pause_t *out, size_t most,
                 int64_t now)
{
    size_t count = 0;
    pthread_mutex_lock (&self->lock);
    for (size_t i = 0; i < self->count && count < most; i++)
        if (self->items[i].until > now)
            out[count++] = self->items[i];
    pthread_mutex_unlock (&self->lock);
    return count;
}
