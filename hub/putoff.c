/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/putoff.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_MS 30000
#define LONGEST_MS 3600000
#define MEMORY_MS 3600000 /* after its time is over, that it had one */

typedef struct
{
    char key[SH_KEY_TEXT]; /* "": free */
    int64_t until, length;
} term_t;

struct hub_putoff
{
    pthread_mutex_t lock;
    bool any; /* is, or was, put off */
    term_t terms[HUB_PUTOFF_MOST];
};

sh_err_t
hub_putoff_new (hub_putoff_t **out)
{
    assert (out);
    hub_putoff_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    pthread_mutex_init (&self->lock, NULL);
    *out = self;
    return SH_OK;
}

void
hub_putoff_destroy (hub_putoff_t **self_p)
{
    if (!*self_p)
        return;
    pthread_mutex_destroy (&(*self_p)->lock);
    free (*self_p);
    *self_p = NULL;
}

static term_t *
s_find (hub_putoff_t *self, const char *key)
{
    term_t *end = self->terms + HUB_PUTOFF_MOST;
    for (term_t *one = self->terms; one < end; one++)
        if (strcmp (one->key, key) == 0)
            return one;
    return NULL;
}

/*  A free term has been over since ever.  */
static term_t *
s_soonest (hub_putoff_t *self)
{
    term_t *soonest = self->terms, *end = self->terms + HUB_PUTOFF_MOST;
    for (term_t *one = self->terms; one < end; one++)
        if (one->until < soonest->until)
            soonest = one;
    return soonest;
}

int64_t
hub_putoff_key (hub_putoff_t *self, const char *key, int64_t now)
{
    assert (self && key && *key);
    pthread_mutex_lock (&self->lock);
    term_t *term = s_find (self, key);
    int64_t length = FIRST_MS;
    if (!term)
        term = s_soonest (self);
    else if (now < term->until + MEMORY_MS)
        length = term->length < LONGEST_MS / 2 ? term->length * 2 : LONGEST_MS;
    bool room = now + length > term->until || strcmp (term->key, key) == 0;
    if (room) {
        self->any = true;
        *term = (term_t){ .until = now + length, .length = length };
        snprintf (term->key, sizeof term->key, "%s", key);
    }
    pthread_mutex_unlock (&self->lock);
    return room ? length : 0;
}

int64_t
hub_putoff_left (hub_putoff_t *self, const char *key, int64_t now)
{
    assert (self && key);
    pthread_mutex_lock (&self->lock);
    const term_t *term = *key && self->any ? s_find (self, key) : NULL;
    int64_t left = term ? term->until - now : 0;
    pthread_mutex_unlock (&self->lock);
    return left > 0 ? left : 0;
}
