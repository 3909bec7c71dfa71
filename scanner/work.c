/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/work.h"

#include <stdlib.h>

sh_err_t
sc_work_new (sc_work_t **out, const sc_tools_t *tools,
             const sc_subnet_t *subnet, int kind, const char *code)
{
    sc_work_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    self->tools = tools;
    self->begin = sh_clock_mono (tools->clock);
    sh_err_t rc = sc_scan_new (&self->scan, subnet, kind, code);
    if (rc == SH_OK)
        *out = self;
    else
        free (self);
    return rc;
}

static void
s_end_probe (sc_work_t *self)
{
    if (!self->probe)
        return;
    sc_link_unwatch (self->tools->link, self->tools->engine->fd (self->probe));
    self->tools->engine->destroy (&self->probe);
}

void
sc_work_destroy (sc_work_t **self_p)
{
    sc_work_t *self = *self_p;
    if (!self)
        return;
    s_end_probe (self);
    sc_scan_destroy (&self->scan);
    free (self);
    *self_p = NULL;
}

static bool
s_has_nothing_to_do (const sc_job_t *job)
{
    return job->ranges->count == 0 && job->neighbours == SC_NEIGHBOURS_NONE;
}

sh_err_t
sc_work_probe (sc_work_t *self, sh_why_t *why)
{
    const sc_tools_t *tools = self->tools;
    self->state = SC_WORK_PROBING;
    self->begin = sh_clock_mono (tools->clock);
    /*  All times of a scan are by one clock that nobody sets.  */
    sh_clock_hold (&self->held, tools->clock);
    self->started = sh_clock_wall (&self->held.clock);
    sh_err_t rc = sc_scan_plan (self->scan);
    if (rc != SH_OK)
        return sh_fail (why, rc, "%s", sh_err_text (rc));
    const sc_job_t *job = sc_scan_job (self->scan);
    if (s_has_nothing_to_do (job))
        return SH_OK;
    rc = tools->engine->start (&self->probe, tools->prober, job,
                               &self->held.clock, why);
    if (rc != SH_OK)
        return rc;
    rc = sc_link_watch (tools->link, tools->engine->fd (self->probe));
    if (rc != SH_OK) {
        tools->engine->destroy (&self->probe);
        return sh_fail (why, rc, "%s", sh_err_text (rc));
    }
    return SH_OK;
}

bool
sc_work_step (sc_work_t *self, sh_err_t *rc)
{
    const sc_tools_t *tools = self->tools;
    sc_result_t nothing = { .complete = true };
    sc_result_t *result = &nothing;
    if (self->probe) {
        if (!tools->engine->step (self->probe))
            return false;
        result = tools->engine->result (self->probe);
    }
    self->took = sh_clock_mono (tools->clock) - self->begin;
    *rc = sc_scan_finish (self->scan, result, self->started,
                          sh_clock_wall (&self->held.clock));
    s_end_probe (self);
    return true;
}

int
sc_work_timeout (const sc_work_t *self)
{
    if (self->state != SC_WORK_PROBING)
        return -1;
    return self->probe ? self->tools->engine->timeout (self->probe) : 0;
}

void
sc_work_progress (const sc_work_t *self, sc_progress_t *out)
{
    *out = (sc_progress_t){ 0 };
    if (self->probe)
        self->tools->engine->progress (self->probe, out);
}

int64_t
sc_work_epoch (const sc_work_t *self)
{
    return self->held.epoch;
}
