/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/work.h"

#include <stdio.h>
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

static void
s_end_names (sc_work_t *self)
{
    if (!self->names)
        return;
    sc_link_unwatch (self->tools->link, sc_names_fd (self->names));
    sc_names_destroy (&self->names);
}

void
sc_work_destroy (sc_work_t **self_p)
{
    sc_work_t *self = *self_p;
    if (!self)
        return;
    s_end_probe (self);
    s_end_names (self);
    sc_result_clear (&self->result);
    sc_scan_destroy (&self->scan);
    free (self);
    *self_p = NULL;
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
    if (sc_job_is_empty (job, tools->engine))
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

/*  The engine has done its part: its result is ours now.  */
static void
s_take_result (sc_work_t *self)
{
    const sc_tools_t *tools = self->tools;
    self->result = (sc_result_t){ .complete = true };
    if (self->probe) {
        sc_result_t *found = tools->engine->result (self->probe);
        self->result = *found;
        *found = (sc_result_t){ 0 };
    }
    self->finished = sh_clock_wall (&self->held.clock);
    s_end_probe (self);
}

/*  Give the hosts their names, where that is wanted.  A scan without names is
    better than none.  */
static void
s_begin_names (sc_work_t *self)
{
    const sc_tools_t *tools = self->tools;
    const sc_subnet_t *subnet = sc_scan_subnet (self->scan);
    if (!subnet->resolve || tools->config->resolve != SC_RESOLVE_ASSIGNED
        || self->result.count == 0)
        return;
    const sc_names_options_t options = { .form = tools->config->names };
    sh_why_t why = { "" };
    sh_err_t rc = sc_names_start (&self->names, &self->result,
                                  subnet->nameservers,
                                  subnet->nameserver_count, &options,
                                  tools->clock, &why);
    if (rc == SH_OK
        && sc_link_watch (tools->link, sc_names_fd (self->names)) != SH_OK) {
        sc_names_destroy (&self->names);
        rc = sh_fail (&why, SH_E_IO, "%s", sh_err_text (SH_E_IO));
    }
    if (rc != SH_OK)
        (void) snprintf (self->note, sizeof self->note, "no names: %.240s",
                         why.text);
}

static bool
s_finish (sc_work_t *self, sh_err_t *rc)
{
    self->took = sh_clock_mono (self->tools->clock) - self->begin;
    *rc = sc_scan_finish (self->scan, &self->result, self->started,
                          self->finished);
    return true;
}

bool
sc_work_step (sc_work_t *self, sh_err_t *rc)
{
    if (self->state == SC_WORK_PROBING) {
        if (self->probe && !self->tools->engine->step (self->probe))
            return false;
        s_take_result (self);
        self->state = SC_WORK_NAMING;
        s_begin_names (self);
    }
    if (self->names) {
        if (!sc_names_step (self->names))
            return false;
        (void) snprintf (self->note, sizeof self->note, "%s",
                         sc_names_note (self->names));
        s_end_names (self);
    }
    return s_finish (self, rc);
}

int
sc_work_timeout (const sc_work_t *self)
{
    if (self->state == SC_WORK_NAMING)
        return self->names ? sc_names_timeout (self->names) : 0;
    if (self->state != SC_WORK_PROBING)
        return -1;
    return self->probe ? self->tools->engine->timeout (self->probe) : 0;
}

void
sc_work_progress (const sc_work_t *self, sc_progress_t *out)
{
    *out = (sc_progress_t){ 0 };
    if (self->probe) {
        self->tools->engine->progress (self->probe, out);
        return;
    }
    if (self->state < SC_WORK_NAMING)
        return;
    out->total = out->done = sh_ranges_count (sc_scan_job (self->scan)->ranges);
    out->up = self->state == SC_WORK_NAMING
                  ? self->result.count
                  : sc_scan_report (self->scan)->up;
}

int64_t
sc_work_epoch (const sc_work_t *self)
{
    return self->held.epoch;
}
