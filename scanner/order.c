/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/order.h"

#include <stdio.h>
#include <string.h>

#define TELL_MS 1000

static bool
s_is_over (const sc_order_t *self)
{
    return self->progress.state >= SP_STATE_DONE;
}

static sc_order_t *
s_find (sc_orders_t *self, sh_bytes_t id)
{
    for (size_t i = 0; i < SC_ORDERS_MOST; i++) {
        sc_order_t *one = &self->items[i];
        if (one->used && id.size == sizeof one->id
            && memcmp (one->id, id.data, id.size) == 0)
            return one;
    }
    return NULL;
}

sc_order_t *
sc_orders_add (sc_orders_t *self, const sp_scan_t *scan)
{
    sc_order_t *same = s_find (self, scan->id);
    if (same) {
        same->news = true;
        return same;
    }
    for (size_t i = 0; i < SC_ORDERS_MOST; i++) {
        sc_order_t *one = &self->items[i];
        if (one->used)
            continue;
        *one = (sc_order_t){ .used = true,
                             .subnet = scan->subnet,
                             .kind = scan->kind,
                             .progress = { .state = SP_STATE_WAITING },
                             .news = true };
        memcpy (one->id, scan->id.data, sizeof one->id);
        return one;
    }
    return NULL;
}

sc_order_t *
sc_orders_find (sc_orders_t *self, sh_bytes_t id)
{
    sc_order_t *one = s_find (self, id);
    return one && !s_is_over (one) ? one : NULL;
}

sc_order_t *
sc_orders_next (sc_orders_t *self, const sc_order_t *after)
{
    size_t first = after ? (size_t) (after - self->items) + 1 : 0;
    for (size_t i = first; i < SC_ORDERS_MOST; i++) {
        sc_order_t *one = &self->items[i];
        if (one->used && !one->begun && !s_is_over (one))
            return one;
    }
    return NULL;
}

bool
sc_orders_wait_for (const sc_orders_t *self, uint64_t subnet)
{
    for (size_t i = 0; i < SC_ORDERS_MOST; i++) {
        const sc_order_t *one = &self->items[i];
        if (one->used && !one->begun && !s_is_over (one)
            && one->subnet == subnet)
            return true;
    }
    return false;
}

void
sc_orders_reported (sc_orders_t *self, uint64_t subnet, uint64_t ticket)
{
    for (size_t i = 0; i < SC_ORDERS_MOST; i++) {
        sc_order_t *one = &self->items[i];
        if (one->used && one->ticket && one->subnet == subnet)
            one->later = ticket;
    }
}

void
sc_orders_moved (sc_orders_t *self, uint64_t old, uint64_t now)
{
    for (size_t i = 0; i < SC_ORDERS_MOST; i++) {
        sc_order_t *one = &self->items[i];
        if (one->used && one->ticket && one->ticket == old)
            one->ticket = now;
        if (one->used && one->later && one->later == old)
            one->later = now;
    }
}

void
sc_orders_delivered (sc_orders_t *self, uint64_t ticket,
                     const sp_delivery_sum_t *sum)
{
    for (size_t i = 0; i < SC_ORDERS_MOST && ticket; i++) {
        sc_order_t *one = &self->items[i];
        if (!one->used || s_is_over (one)
            || (one->ticket != ticket && one->later != ticket))
            continue;
        one->progress.seen = sum->seen;
        one->progress.added = sum->added;
        one->progress.refused = sum->refused;
        if (*sum->cause)
            sc_order_end (one, SP_STATE_FAILED, sh_err_from_word (sum->cause),
                          sum->text);
        else
            sc_order_end (one, SP_STATE_DONE, SH_OK, one->text);
    }
}

void
sc_order_set (sc_order_t *self, int state, uint64_t done, uint64_t total,
              uint64_t up, uint64_t rate)
{
    sp_progress_t *now = &self->progress;
    if (now->state == state && now->done == done && now->total == total
        && now->up == up && now->rate == rate)
        return;
    if (now->state != state)
        self->told = 0; /* a new state is told at once */
    now->state = state;
    now->done = done;
    now->total = total;
    now->up = up;
    now->rate = rate;
    self->news = true;
}

void
sc_order_end (sc_order_t *self, int state, sh_err_t err, const char *text)
{
    self->progress.state = state;
    self->progress.rate = 0;
    if (err != SH_OK) {
        (void) snprintf (self->cause, sizeof self->cause, "%s",
                         sh_err_word (err));
        (void) snprintf (self->text, sizeof self->text, "%s",
                         text && *text ? text : sh_err_text (err));
    } else {
        if (text != self->text)
            (void) snprintf (self->text, sizeof self->text, "%s",
                             text ? text : "");
    }
    self->news = true;
    self->told = 0;
}

void
sc_orders_renew (sc_orders_t *self)
{
    for (size_t i = 0; i < SC_ORDERS_MOST; i++) {
        self->items[i].news = true;
        self->items[i].told = 0;
    }
}

static bool
s_is_due (const sc_order_t *self, int64_t now)
{
    return self->used && self->news
           && (self->told == 0 || now - self->told >= TELL_MS);
}

static bool
s_tell (sc_order_t *self, sp_client_t *client)
{
    sp_message_t message = { .type = SP_PROGRESS,
                             .u.progress = self->progress };
    sp_progress_t *progress = &message.u.progress;
    progress->id = (sh_bytes_t){ self->id, sizeof self->id };
    progress->cause = *self->cause ? self->cause : NULL;
    progress->text = *self->text ? self->text : NULL;
    return sp_client_send (client, &message) == SH_OK;
}

void
sc_orders_tell (sc_orders_t *self, sp_client_t *client, int64_t now)
{
    for (size_t i = 0; i < SC_ORDERS_MOST; i++) {
        sc_order_t *one = &self->items[i];
        if (!s_is_due (one, now) || !sp_client_is_up (client))
            continue;
        one->told = now; /* whether it can be sent or not */
        if (!s_tell (one, client))
            continue;
        one->news = false;
        if (s_is_over (one))
            one->used = false;
    }
}

int
sc_orders_timeout (const sc_orders_t *self, int64_t now)
{
    int least = -1;
    for (size_t i = 0; i < SC_ORDERS_MOST; i++) {
        const sc_order_t *one = &self->items[i];
        if (!one->used || !one->news)
            continue;
        int64_t left = one->told == 0 ? 0 : one->told + TELL_MS - now;
        int wait = left <= 0 ? 0 : (int) left;
        if (least < 0 || wait < least)
            least = wait;
    }
    return least;
}

void
sc_orders_refuse (sp_client_t *client, const sp_scan_t *scan, sh_err_t err)
{
    sp_message_t message
        = { .type = SP_PROGRESS,
            .u.progress = { .id = scan->id,
                            .state = SP_STATE_FAILED,
                            .cause = sh_err_word (err),
                            .text = sh_err_text (err) } };
    /*  Without a session whoever ordered is told by the hub.  */
    if (sp_client_send (client, &message) != SH_OK)
        return;
}
