/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner-proto/rota.h"

#include <assert.h>

#define BACKOFF_FIRST_MS 400    /* twice the least delay */
#define BACKOFF_MS 5000         /* longest delay */
#define BACKOFF_DENIED_MS 60000 /* the same, when an administrator has to act */
#define UNSERVED_DOUBLINGS 4 /* up to 16 minutes */
#define BACKOFF_DENIED_FROM 2 /* failures that a denial counts as beforehand */

void
sp_rota_init (sp_rota_t *self, size_t count, int64_t return_ms)
{
    assert (self && count > 0 && return_ms >= 0);
    *self = (sp_rota_t){ .count = count,
                         .return_ms = return_ms ? return_ms : SP_RETURN_MS,
                         .look_due = SP_ROTA_NEVER };
}

int
sp_rota_end (sp_rota_t *self, sp_rota_end_t why, bool steady, uint32_t random)
{
    assert (self);
    if (steady) {
        self->failures = self->here = 0;
        if (self->returned && why != SP_ROTA_LEAVING)
            self->looks = 0;
    }
    self->returned = false;
    self->unserved_since = 0;
    self->look_due = SP_ROTA_NEVER;

    bool denied = why == SP_ROTA_DENIED;
    int delay = sp_backoff (self->failures + (denied ? BACKOFF_DENIED_FROM : 0),
                            denied ? BACKOFF_DENIED_MS : BACKOFF_MS, random);
    self->failures++;
    self->here++;
    unsigned enough = self->served ? SP_ROTA_FAILURES : 1;
    if (self->count > 1
        && (self->here >= enough || why == SP_ROTA_LEAVING)) {
        self->at = (self->at + 1) % self->count;
        self->here = 0;
    }
    return delay;
}

bool
sp_rota_is_leaving (sh_err_t cause)
{
    return cause == SH_E_STOPPING || cause == SH_E_DB_DOWN
           || cause == SH_E_DB_RIGHTS || cause == SH_E_NOT_READY;
}

bool
sp_rota_verdict (sp_rota_t *self, sh_err_t cause, int64_t now)
{
    assert (self);
    if (self->count == 1)
        return false;
    if (cause == SH_OK) {
        self->unserved_since = 0;
        self->unserved = 0;
        if (self->returned)
            self->looks = 0; /* it does work again */
        return false;
    }
    if (cause == SH_E_STOPPING)
        return true;
    if (!sp_rota_is_leaving (cause))
        return false;
    if (self->unserved_since == 0)
        self->unserved_since = now ? now : 1;
    if (now - self->unserved_since
        < (int64_t) SP_ROTA_UNSERVED_MS << self->unserved)
        return false;
    if (self->unserved < UNSERVED_DOUBLINGS)
        self->unserved++;
    return true;
}

/*  Twice as long with each round, and up to a quarter more by chance, so that
    scanners that lost a hub together do not come back together.  */
static int64_t
s_look_delay (const sp_rota_t *self, uint32_t random)
{
    int64_t delay = self->return_ms, most = SP_RETURN_MOST_MS / 5 * 4;
    for (unsigned i = 0; i < self->looks && delay < most; i++)
        delay = delay > most / 2 ? most : delay * 2;
    return delay + random % (delay / 4 + 1);
}

void
sp_rota_up (sp_rota_t *self, int64_t now, uint32_t random)
{
    assert (self);
    self->served = true;
    self->look_at = 0;
    self->look_due = self->at > 0 ? now + s_look_delay (self, random)
                                  : SP_ROTA_NEVER;
}

void
sp_rota_look_failed (sp_rota_t *self, int64_t now, uint32_t random)
{
    assert (self && self->at > 0);
    self->look_due = now;
    if (++self->look_at < self->at)
        return;
    self->look_at = 0;
    self->looks++;
    self->look_due = now + s_look_delay (self, random);
}

/*  Until the session there proves steady the look counts as one in vain, else
    a hub that takes everybody and keeps nobody would have us go to and fro.  */
void
sp_rota_return (sp_rota_t *self)
{
    assert (self && self->look_at < self->at);
    self->at = self->look_at;
    self->look_due = SP_ROTA_NEVER;
    self->failures = self->here = 0;
    self->returned = true;
    self->looks++;
}

int
sp_backoff (unsigned failures, int most, uint32_t random)
{
    int base = BACKOFF_FIRST_MS;
    for (unsigned i = 0; i < failures && base < most; i++)
        base = base > most / 2 ? most : base * 2;
    unsigned half = (unsigned) base / 2;
    return (int) (half + random % (half + 1));
}
