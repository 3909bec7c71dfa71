/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/program.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct
{
    sc_prober_t base;
    const sc_program_kind_t *kind;
    const sc_program_t *settings;
} prober_t;

sh_err_t
sc_program_find (char **out, const sc_engine_t *engine,
                 const sc_program_t *settings, sh_why_t *why)
{
    sh_err_t rc = sc_child_find (out, settings->program);
    if (rc == SH_E_NOT_FOUND)
        return sh_fail (why, rc,
                        "%s is not installed: no program '%s'; on Debian: "
                        "apt-get install %s",
                        engine->name, settings->program, engine->name);
    if (rc != SH_OK)
        return sh_fail (why, rc, "%s", sh_err_text (rc));
    return SH_OK;
}

bool
sc_program_is_v6 (const sc_job_t *job)
{
    return job->ranges->count && job->ranges->items[0].first.family == 6;
}

/* the prober */

sh_err_t
sc_program_open (sc_prober_t **out, const sc_program_kind_t *kind,
                 const sc_program_t *settings, sh_why_t *why)
{
    sh_why_t note = { "" };
    sh_err_t rc = kind->engine->check (settings, &note);
    if (rc != SH_OK)
        return sh_fail (why, rc, "%s", note.text);
    prober_t *self = calloc (1, sizeof *self);
    if (!self)
        return sh_fail (why, SH_E_MEMORY, "%s", sh_err_text (SH_E_MEMORY));
    self->base.engine = kind->engine;
    self->kind = kind;
    self->settings = settings;
    *out = &self->base;
    return SH_OK;
}

void
sc_program_close (sc_prober_t **self_p)
{
    free (*self_p);
    *self_p = NULL;
}

void
sc_program_adopt (sc_prober_t *self, const void *settings)
{
    ((prober_t *) self)->settings = settings;
}

/* the probe */

static sc_program_probe_t *
s_self (sc_probe_t *probe)
{
    sc_program_probe_t *self = (sc_program_probe_t *) probe;
    assert (self->kind->engine == probe->engine);
    return self;
}

static const sc_program_probe_t *
s_view (const sc_probe_t *probe)
{
    const sc_program_probe_t *self = (const sc_program_probe_t *) probe;
    assert (self->kind->engine == probe->engine);
    return self;
}

static sh_err_t
s_launch (sc_program_probe_t *self, sh_why_t *why)
{
    char *program = NULL;
    sh_err_t rc
        = sc_program_find (&program, self->base.engine, self->settings, why);
    if (rc != SH_OK)
        return rc;
    sc_child_options_t options
        = { .program = program,
            .deadline = (int64_t) self->settings->deadline * 1000,
            .context = self,
            .clock = self->clock };
    rc = self->kind->launch (self, &options, why);
    free (program);
    return rc;
}

sh_err_t
sc_program_start (sc_probe_t **out, sc_prober_t *prober, const sc_job_t *job,
                  const sh_clock_t *clock, sh_why_t *why)
{
    const prober_t *owner = (const prober_t *) prober;
    sc_program_probe_t *self = calloc (1, owner->kind->size);
    if (!self)
        return sh_fail (why, SH_E_MEMORY, "%s", sh_err_text (SH_E_MEMORY));
    self->base.engine = owner->kind->engine;
    self->kind = owner->kind;
    self->settings = owner->settings;
    self->job = job;
    self->clock = clock;
    sc_probe_t *probe = &self->base;
    sh_err_t rc = s_launch (self, why);
    if (rc == SH_OK)
        *out = probe;
    else
        sc_program_destroy (&probe);
    return rc;
}

int
sc_program_fd (const sc_probe_t *probe)
{
    return sc_child_fd (s_view (probe)->child);
}

int
sc_program_timeout (const sc_probe_t *probe)
{
    return sc_child_timeout (s_view (probe)->child);
}

/*  How the child ended says more than what its output lacks.  */
static void
s_judge (sc_program_probe_t *self)
{
    sh_why_t end = { "" }, output = { "" };
    sc_result_t *result = &self->result;
    bool exited = sc_child_succeeded (self->child, &end);
    bool whole = self->kind->judge (self, &output) == SH_OK;
    result->complete = exited && whole;
    if (!exited)
        (void) snprintf (result->text, sizeof result->text, "%s: %.240s",
                         self->base.engine->name, end.text);
    else if (!whole)
        (void) snprintf (result->text, sizeof result->text, "%.255s",
                         output.text);
}

bool
sc_program_step (sc_probe_t *probe)
{
    sc_program_probe_t *self = s_self (probe);
    if (!sc_child_step (self->child))
        return false;
    s_judge (self);
    return true;
}

sc_result_t *
sc_program_result (sc_probe_t *probe)
{
    return &s_self (probe)->result;
}

void
sc_program_destroy (sc_probe_t **self_p)
{
    if (!*self_p)
        return;
    sc_program_probe_t *self = s_self (*self_p);
    sc_child_destroy (&self->child);
    self->kind->forget (self);
    sc_result_clear (&self->result);
    free (self);
    *self_p = NULL;
}
