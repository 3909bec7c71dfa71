/* SPDX-License-Identifier: MPL-2.0 */
#include <string.h>

#include "scanner/run_within.h"

sc_work_t *
sc_running_find (sc_running_t *self, const uint8_t *order)
{
    for (size_t i = 0; i < SC_WORKS_MOST; i++) {
        sc_work_t *work = self->works[i];
        if (work && work->ordered
            && memcmp (work->order, order, sizeof work->order) == 0)
            return work;
    }
    return NULL;
}

sc_order_t *
sc_running_order (sc_running_t *self, const sc_work_t *work)
{
    if (!work->ordered)
        return NULL;
    return sc_orders_find (&self->orders,
                           (sh_bytes_t){ work->order, sizeof work->order });
}

/*  The assignments may be on their way.  */
static bool
s_may_come (const sc_running_t *self)
{
    return sc_link_is_stale (self->link);
}

/*  Why an order cannot be met; SH_OK if it can, or if that is not known
    yet.  */
static sh_err_t
s_judge (sc_running_t *self, uint64_t id, int wanted, int *kind,
         sc_subnet_t **subnet)
{
    *subnet = sc_plan_find (&self->plan, id);
    if (!*subnet)
        return s_may_come (self) ? SH_OK : SH_E_SUBNET_NOT_ASSIGNED;
    if (!sc_subnet_kind (*subnet, wanted, kind))
        return SH_E_SUBNET_DISABLED;
    if (sc_subnet_is_quiet (*subnet, sc_running_moment (self).minute))
        return SH_E_QUIET;
    return SH_OK;
}

static bool
s_on_scan (sc_running_t *self, const sp_scan_t *scan)
{
    int kind = SP_KIND_BOTH;
    sc_subnet_t *subnet = NULL;
    sp_client_t *client = sc_link_client (self->link);
    bool again = sc_orders_find (&self->orders, scan->id) != NULL;
    sh_err_t rc = s_judge (self, scan->subnet, scan->kind, &kind, &subnet);
    if (rc == SH_OK && !again
        && ((subnet && subnet->busy)
            || sc_orders_wait_for (&self->orders, scan->subnet)))
        rc = SH_E_SCAN_RUNNING;
    if (rc == SH_OK && !sc_orders_add (&self->orders, scan))
        rc = SH_E_OVERLOAD;
    if (rc != SH_OK)
        sc_orders_refuse (client, scan, rc);
    return rc == SH_OK && !again;
}

static bool
s_on_cancel (sc_running_t *self, const sp_cancel_t *cancel)
{
    sc_order_t *order = sc_orders_find (&self->orders, cancel->id);
    if (!order || order->progress.state == SP_STATE_REPORTING)
        return false; /* too late: its end is told */
    sc_work_t *work = sc_running_find (self, order->id);
    sc_order_end (order, SP_STATE_CANCELLED, SH_OK, NULL);
    if (work) {
        sc_tell_note (&self->tell, sc_scan_cidr (work->scan),
                      "the scan was cancelled");
        sc_running_drop (self, work, -1);
    }
    return true;
}

bool
sc_running_take (sc_running_t *self, const sp_event_t *event)
{
    if (event->kind == SP_EVENT_UP)
        sc_orders_renew (&self->orders);
    if (event->kind != SP_EVENT_MESSAGE || self->once)
        return false;
    if (event->message->type == SP_SCAN)
        return s_on_scan (self, &event->message->u.scan);
    if (event->message->type == SP_CANCEL)
        return s_on_cancel (self, &event->message->u.cancel);
    return false;
}

bool
sc_running_next_order (sc_running_t *self, sc_due_t *due, sc_order_t **order)
{
    sc_order_t *next = NULL;
    while ((next = sc_orders_next (&self->orders, next)) != NULL) {
        sc_due_t at = { .kind = SP_KIND_BOTH };
        sh_err_t rc = s_judge (self, next->subnet, next->kind, &at.kind,
                               &at.subnet);
        /*  It was its turn anyway, meanwhile.  */
        if (rc == SH_OK && at.subnet && at.subnet->busy)
            rc = SH_E_SCAN_RUNNING;
        if (rc != SH_OK) {
            sc_order_end (next, SP_STATE_FAILED, rc, NULL);
        } else if (at.subnet) {
            *due = at;
            *order = next;
            return true;
        }
    }
    return false;
}

void
sc_running_tell_orders (sc_running_t *self)
{
    sc_orders_tell (&self->orders, sc_link_client (self->link),
                    sc_running_now (self));
}
