/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/orders.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/utf8.h"

struct hub_orders
{
    hub_order_t *items[HUB_ORDERS_MOST]; /* latest first */
    size_t count;
};

sh_err_t
hub_orders_new (hub_orders_t **out)
{
    assert (out);
    hub_orders_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    *out = self;
    return SH_OK;
}

void
hub_orders_destroy (hub_orders_t **self_p)
{
    hub_orders_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->count; i++)
        free (self->items[i]);
    free (self);
    *self_p = NULL;
}

bool
hub_order_is_open (const hub_order_t *self)
{
    return self->state < HUB_ORDER_DONE;
}

static void
s_forget (hub_orders_t *self, size_t at)
{
    free (self->items[at]);
    self->count--;
    memmove (&self->items[at], &self->items[at + 1],
             (self->count - at) * sizeof *self->items);
}

/*  Make room, at the cost of the one that has been over for longest.  */
static bool
s_make_room (hub_orders_t *self)
{
    if (self->count < HUB_ORDERS_MOST)
        return true;
    size_t oldest = self->count;
    for (size_t i = 0; i < self->count; i++)
        if (!hub_order_is_open (self->items[i])
            && (oldest == self->count
                || self->items[i]->ended <= self->items[oldest]->ended))
            oldest = i;
    if (oldest == self->count)
        return false;
    s_forget (self, oldest);
    return true;
}

/*  A name that no other has: people type it.  */
static void
s_name (hub_orders_t *self, hub_order_t *one)
{
    do {
        randombytes_buf (one->id, sizeof one->id);
        snprintf (one->name, sizeof one->name, "s%02x%02x%02x%02x",
                  one->id[0], one->id[1], one->id[2], one->id[3]);
    } while (hub_orders_find (self, one->name));
}

sh_err_t
hub_orders_open (hub_orders_t *self, const hub_order_t *what, int64_t now,
                 hub_order_t **out)
{
    assert (self && what && out);
    hub_order_t *other = hub_orders_of (self, what->subnet);
    if (other) {
        *out = other;
        return SH_E_SCAN_RUNNING;
    }
    if (!s_make_room (self))
        return SH_E_OVERLOAD;
    hub_order_t *one = calloc (1, sizeof *one);
    if (!one)
        return SH_E_MEMORY;
    memcpy (one->key, what->key, sizeof one->key);
    memcpy (one->scanner, what->scanner, sizeof one->scanner);
    memcpy (one->cidr, what->cidr, sizeof one->cidr);
    one->subnet = what->subnet;
    one->kind = what->kind;
    one->ordered = now;
    s_name (self, one);
    memmove (&self->items[1], &self->items[0],
             self->count * sizeof *self->items);
    self->items[0] = one;
    self->count++;
    *out = one;
    return SH_OK;
}

hub_order_t *
hub_orders_find (hub_orders_t *self, const char *name)
{
    assert (self && name);
    for (size_t i = 0; i < self->count; i++)
        if (strcmp (self->items[i]->name, name) == 0)
            return self->items[i];
    return NULL;
}

hub_order_t *
hub_orders_of (hub_orders_t *self, uint64_t subnet)
{
    assert (self);
    for (size_t i = 0; i < self->count; i++)
        if (self->items[i]->subnet == subnet
            && hub_order_is_open (self->items[i]))
            return self->items[i];
    return NULL;
}

hub_order_t *
hub_orders_at (hub_orders_t *self, size_t at)
{
    assert (self);
    return at < self->count ? self->items[at] : NULL;
}

void
hub_order_end (hub_order_t *self, hub_order_state_t state, int64_t now,
               sh_err_t cause, const char *text)
{
    assert (state >= HUB_ORDER_DONE);
    if (hub_order_is_open (self))
        self->reached = self->state;
    self->state = state;
    self->ended = now;
    snprintf (self->cause, sizeof self->cause, "%s", sh_err_word (cause));
    snprintf (self->text, sizeof self->text, "%s", text);
}

void
hub_order_expire (hub_order_t *self, int64_t now, sh_err_t cause,
                  const char *text)
{
    hub_order_end (self, HUB_ORDER_LOST, now, cause, text);
    self->expired = true;
}

static const hub_order_state_t s_states[SP_STATE_COUNT] = {
    [SP_STATE_WAITING] = HUB_ORDER_WAITING,
    [SP_STATE_PROBING] = HUB_ORDER_PROBING,
    [SP_STATE_REPORTING] = HUB_ORDER_REPORTING,
    [SP_STATE_DONE] = HUB_ORDER_DONE,
    [SP_STATE_FAILED] = HUB_ORDER_FAILED,
    [SP_STATE_CANCELLED] = HUB_ORDER_CANCELLED,
};

static void
s_note (hub_order_t *one, const sp_progress_t *word, int64_t now)
{
    one->state = s_states[word->state];
    one->heard = now;
    one->ended = hub_order_is_open (one) ? 0 : now;
    one->away = one->greeted = 0;
    one->done = word->done;
    one->total = word->total;
    one->up = word->up;
    one->rate = word->rate;
    one->complete = word->complete;
    one->seen = word->seen;
    one->added = word->added;
    one->refused = word->refused;
    /*  A word that is none of the list would only be noise.  */
    snprintf (one->cause, sizeof one->cause, "%s",
              word->cause ? sh_err_word (sh_err_from_word (word->cause)) : "");
    sh_utf8_copy (one->text, sizeof one->text, word->text ? word->text : "");
}

/*  A scanner that could go back, or on after any end, could keep the subnet
    from being ordered for as long as it likes.  */
static bool
s_counts (hub_orders_t *self, const hub_order_t *one, hub_order_state_t next)
{
    if (hub_order_is_open (one))
        return next >= one->state;
    if (one->state != HUB_ORDER_LOST)
        return false;
    return next >= HUB_ORDER_DONE
           || (!one->expired && next >= one->reached
               && !hub_orders_of (self, one->subnet));
}

hub_order_t *
hub_orders_take (hub_orders_t *self, const char *key,
                 const sp_progress_t *word, int64_t now)
{
    assert (self && key && word);
    if (word->id.size != SP_ORDER_ID || word->state < 0
        || word->state >= SP_STATE_COUNT)
        return NULL;
    for (size_t i = 0; i < self->count; i++) {
        hub_order_t *one = self->items[i];
        if (memcmp (one->id, word->id.data, SP_ORDER_ID) != 0)
            continue;
        if (strcmp (one->key, key) != 0
            || !s_counts (self, one, s_states[word->state]))
            return NULL;
        s_note (one, word, now);
        return one;
    }
    return NULL;
}

/*  What is overdue is lost; the first rule that holds says why.  */
static void
s_judge (hub_order_t *one, int64_t now)
{
    if (one->cancel && now - one->cancel >= HUB_ORDER_CANCEL_MS)
        hub_order_expire (one, now, SH_E_CANCELLED,
                          "it was to be cancelled, and the scanner has not "
                          "said within two minutes that it was");
    else if (now - one->ordered >= HUB_ORDER_LONGEST_MS)
        hub_order_expire (one, now, SH_E_TIMEOUT,
                          "it was ordered a day ago and is not over");
    else if (one->away && now - one->away >= HUB_ORDER_AWAY_MS)
        hub_order_end (one, HUB_ORDER_LOST, now, SH_E_DISCONNECTED,
                       "the scanner has been away for ten minutes");
    else if (one->away)
        return;
    else if (one->greeted && now - one->greeted >= HUB_ORDER_GREETED_MS)
        hub_order_end (one, HUB_ORDER_LOST, now, SH_E_DISCONNECTED,
                       "the scanner connected anew and says nothing about it; "
                       "it may have been restarted");
    else if (one->state == HUB_ORDER_SENT && !one->greeted
             && now - one->ordered >= HUB_ORDER_ANSWER_MS)
        hub_order_end (one, HUB_ORDER_LOST, now, SH_E_TIMEOUT,
                       "the scanner has not answered for half a minute");
}

void
hub_orders_expire (hub_orders_t *self, int64_t now)
{
    assert (self);
    for (size_t i = self->count; i-- > 0;) {
        hub_order_t *one = self->items[i];
        if (hub_order_is_open (one))
            s_judge (one, now);
        else if (now - one->ended >= HUB_ORDER_KEPT_MS)
            s_forget (self, i);
    }
}

const char *
hub_order_word (hub_order_state_t state)
{
    static const char *const words[] = {
        [HUB_ORDER_SENT] = "sent",
        [HUB_ORDER_WAITING] = "waiting",
        [HUB_ORDER_PROBING] = "probing",
        [HUB_ORDER_REPORTING] = "reporting",
        [HUB_ORDER_DONE] = "done",
        [HUB_ORDER_FAILED] = "failed",
        [HUB_ORDER_CANCELLED] = "cancelled",
        [HUB_ORDER_LOST] = "lost",
    };
    assert (state <= HUB_ORDER_LOST);
    return words[state];
}
