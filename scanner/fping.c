/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/fping.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "scanner/child.h"
#include "scanner/fping_text.h"
#include "scanner/rights.h"

#define GOOD 1 /* the exit status that says: some are unreachable */

typedef struct
{
    sc_prober_t base;
    const sc_fping_settings_t *settings;
} prober_t;

typedef struct
{
    sc_probe_t base;
    const sc_fping_settings_t *settings;
    const sc_job_t *job;
    sc_child_t *child;
    sc_fping_text_t *text;
    sc_fping_cursor_t cursor;
    sc_result_t result;
} fping_t;

static bool
s_is_v6 (const sc_job_t *job)
{
    return job->ranges->count && job->ranges->items[0].first.family == 6;
}

void
sc_fping_command (sc_fping_command_t *out, const sc_fping_settings_t *settings,
                  const sc_job_t *job, bool root)
{
    uint32_t rate = job->rate ? job->rate : settings->rate;
    unsigned step = (100000 + rate - 1) / rate; /* of 0.01 ms */
    if (!root && step < 100)
        step = 100;
    (void) snprintf (out->interval, sizeof out->interval, "%u.%02u",
                     step / 100, step % 100);
    (void) snprintf (out->retries, sizeof out->retries, "%u",
                     settings->retries);
    const char *const argv[SC_FPING_ARGS]
        = { "fping", s_is_v6 (job) ? "-6" : "-4",
            "-r",    out->retries,
            "-i",    out->interval };
    memcpy (out->argv, argv, sizeof argv);
}

/*  Step on.  */
static void
s_advance (sc_fping_cursor_t *self, const sc_range_t *range)
{
    if (sh_addr_cmp (&self->next, &range->last) < 0
        && sh_addr_next (&self->next))
        return;
    self->range++;
    self->next = (sh_addr_t){ 0 };
}

size_t
sc_fping_targets (sc_fping_cursor_t *self, const sc_ranges_t *ranges,
                  char *data, size_t room)
{
    size_t used = 0;
    while (self->range < ranges->count && room - used >= SH_ADDR_TEXT) {
        const sc_range_t *range = &ranges->items[self->range];
        if (self->next.family == 0)
            self->next = range->first;
        char text[SH_ADDR_TEXT];
        sh_addr_text (&self->next, text);
        size_t size = strlen (text);
        memcpy (data + used, text, size);
        data[used + size] = '\n';
        used += size + 1;
        s_advance (self, range);
    }
    return used;
}

static size_t
s_feed (void *context, char *data, size_t room)
{
    fping_t *self = context;
    return sc_fping_targets (&self->cursor, self->job->ranges, data, room);
}

static void
s_output (void *context, const void *data, size_t size)
{
    sc_fping_text_feed (((fping_t *) context)->text, data, size);
}

static void
s_errors (void *context, const void *data, size_t size)
{
    sc_fping_text_feed_errors (((fping_t *) context)->text, data, size);
}

static void
s_destroy (sc_probe_t **self_p)
{
    fping_t *self = (fping_t *) *self_p;
    if (!self)
        return;
    sc_child_destroy (&self->child);
    sc_fping_text_destroy (&self->text);
    sc_result_clear (&self->result);
    free (self);
    *self_p = NULL;
}

static sh_err_t
s_find (char **out, const sc_fping_settings_t *settings, sh_why_t *why)
{
    sh_err_t rc = sc_child_find (out, settings->program);
    if (rc == SH_E_NOT_FOUND)
        return sh_fail (why, rc,
                        "fping is not installed: no program '%s'; on Debian: "
                        "apt-get install fping",
                        settings->program);
    if (rc != SH_OK)
        return sh_fail (why, rc, "%s", sh_err_text (rc));
    return SH_OK;
}

/*  fping mostly comes with a right of its own, by its owner or as a file's
    capability.  */
static bool
s_has_rights (const char *program)
{
    struct stat about;
    return (stat (program, &about) == 0 && about.st_uid == 0
            && (about.st_mode & S_ISUID))
           || getxattr (program, "security.capability", NULL, 0) > 0;
}

static sh_err_t
s_check (const void *settings, sh_why_t *note)
{
    char *program = NULL;
    sh_err_t rc = s_find (&program, settings, note);
    if (rc != SH_OK)
        return rc;
    note->text[0] = '\0';
    if (!sc_rights_raw () && !s_has_rights (program))
        (void) sh_fail (note, SH_OK,
                        "no CAP_NET_RAW, neither here nor on %s: fping may "
                        "find nobody; run as root or with that capability",
                        program);
    free (program);
    return SH_OK;
}

/*  The canary goes first, unless it is asked anyway.  '*out' is malloc'ed.  */
static sh_err_t
s_canary (char **out, sh_addr_t *canary, const sc_job_t *job)
{
    const char *text = s_is_v6 (job) ? "::1" : "127.0.0.1";
    sh_err_t rc = sh_addr_parse (canary, text);
    if (rc == SH_OK && sc_ranges_contain (job->ranges, canary))
        text = "";
    if (rc == SH_OK && asprintf (out, "%s%s", text, *text ? "\n" : "") < 0)
        rc = SH_E_MEMORY;
    return rc;
}

static sh_err_t
s_launch (fping_t *self, const char *program, const sh_clock_t *clock,
          sh_why_t *why)
{
    sh_addr_t canary;
    char *first = NULL;
    sh_err_t rc = s_canary (&first, &canary, self->job);
    if (rc != SH_OK)
        return sh_fail (why, rc, "%s", sh_err_text (rc));
    rc = sc_fping_text_new (&self->text, &self->result, self->job, &canary,
                            clock);
    if (rc != SH_OK) {
        free (first);
        return sh_fail (why, rc, "%s", sh_err_text (rc));
    }
    (void) sc_rights_raw (); /* fping may come without a right of its own */
    sc_fping_command_t command;
    sc_fping_command (&command, self->settings, self->job, getuid () == 0);
    /* posix_spawn wants char *const, and leaves the texts alone */
    char *argv[SC_FPING_ARGS];
    memcpy (argv, command.argv, sizeof argv);
    sc_child_options_t options
        = { .program = program,
            .argv = argv,
            .input = first,
            .input_size = strlen (first),
            .feed = s_feed,
            .deadline = (int64_t) self->settings->deadline * 1000,
            .output = s_output,
            .errors = s_errors,
            .good = GOOD,
            .context = self,
            .clock = clock };
    return sc_child_start (&self->child, &options, why);
}

/*  fping opens its own sockets; what we keep is the right to.  */
static sh_err_t
s_open (sc_prober_t **out, const void *settings, const sh_clock_t *clock,
        sh_why_t *why)
{
    (void) clock;
    sh_why_t note = { "" };
    sh_err_t rc = s_check (settings, &note);
    if (rc != SH_OK)
        return sh_fail (why, rc, "%s", note.text);
    prober_t *self = calloc (1, sizeof *self);
    if (!self)
        return sh_fail (why, SH_E_MEMORY, "%s", sh_err_text (SH_E_MEMORY));
    self->base.engine = &sc_engine_fping;
    self->settings = settings;
    *out = &self->base;
    return SH_OK;
}

static void
s_close (sc_prober_t **self_p)
{
    free (*self_p);
    *self_p = NULL;
}

static void
s_adopt (sc_prober_t *self, const void *settings)
{
    ((prober_t *) self)->settings = settings;
}

static sh_err_t
s_start (sc_probe_t **out, sc_prober_t *prober, const sc_job_t *job,
         const sh_clock_t *clock, sh_why_t *why)
{
    fping_t *self = calloc (1, sizeof *self);
    if (!self)
        return sh_fail (why, SH_E_MEMORY, "%s", sh_err_text (SH_E_MEMORY));
    self->base.engine = &sc_engine_fping;
    self->settings = ((prober_t *) prober)->settings;
    self->job = job;
    char *program = NULL;
    sc_probe_t *probe = &self->base;
    sh_err_t rc = s_find (&program, self->settings, why);
    if (rc == SH_OK)
        rc = s_launch (self, program, clock, why);
    free (program);
    if (rc == SH_OK)
        *out = probe;
    else
        s_destroy (&probe);
    return rc;
}

static const fping_t *
s_self (const sc_probe_t *probe)
{
    assert (probe->engine == &sc_engine_fping);
    return (const fping_t *) probe;
}

static int
s_fd (const sc_probe_t *probe)
{
    return sc_child_fd (s_self (probe)->child);
}

static int
s_timeout (const sc_probe_t *probe)
{
    return sc_child_timeout (s_self (probe)->child);
}

static void
s_judge (fping_t *self)
{
    sh_why_t exit = { "" }, text = { "" };
    sc_result_t *result = &self->result;
    bool exited = sc_child_succeeded (self->child, &exit);
    bool whole = sc_fping_text_finish (self->text, &text) == SH_OK;
    result->complete = exited && whole;
    if (!exited)
        (void) snprintf (result->text, sizeof result->text, "fping: %.240s",
                         exit.text);
    else if (!whole)
        (void) snprintf (result->text, sizeof result->text, "%.255s",
                         text.text);
}

static bool
s_step (sc_probe_t *probe)
{
    fping_t *self = (fping_t *) probe;
    if (!sc_child_step (self->child))
        return false;
    s_judge (self);
    return true;
}

/*  Who is silent fping says only in the end.  */
static void
s_progress (const sc_probe_t *probe, sc_progress_t *out)
{
    const fping_t *self = s_self (probe);
    *out = (sc_progress_t){ .done = sc_fping_text_done (self->text),
                            .total = sc_ranges_count (self->job->ranges),
                            .up = self->result.count };
}

static sc_result_t *
s_result (sc_probe_t *probe)
{
    return &((fping_t *) probe)->result;
}

const sc_engine_t sc_engine_fping = { .name = "fping",
                                      .at_once = 1,
                                      .check = s_check,
                                      .open = s_open,
                                      .close = s_close,
                                      .adopt = s_adopt,
                                      .start = s_start,
                                      .fd = s_fd,
                                      .timeout = s_timeout,
                                      .step = s_step,
                                      .progress = s_progress,
                                      .result = s_result,
                                      .destroy = s_destroy };
