/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/fping.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "scanner/fping_text.h"
#include "scanner/rights.h"

#define GOOD 1 /* the exit status that says: some are unreachable */

typedef struct
{
    sc_program_probe_t base;
    sc_fping_text_t *text;
    sc_fping_cursor_t cursor;
} fping_t;

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
        = { "fping", sc_program_is_v6 (job) ? "-6" : "-4",
            "-r",    out->retries,
            "-i",    out->interval };
    memcpy (out->argv, argv, sizeof argv);
}

/*  Step on.  */
static void
s_advance (sc_fping_cursor_t *self, const sh_range_t *range)
{
    if (sh_addr_cmp (&self->next, &range->last) < 0
        && sh_addr_next (&self->next))
        return;
    self->range++;
    self->next = (sh_addr_t){ 0 };
}

size_t
sc_fping_targets (sc_fping_cursor_t *self, const sh_ranges_t *ranges,
                  char *data, size_t room)
{
    size_t used = 0;
    while (self->range < ranges->count && room - used >= SH_ADDR_TEXT) {
        const sh_range_t *range = &ranges->items[self->range];
        if (self->next.family == 0)
            self->next = range->first;
        sh_addr_text (&self->next, data + used);
        used += strlen (data + used);
        data[used++] = '\n';
        s_advance (self, range);
    }
    return used;
}

static size_t
s_feed (void *context, char *data, size_t room)
{
    fping_t *self = context;
    return sc_fping_targets (&self->cursor, self->base.job->ranges, data, room);
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
s_forget (sc_program_probe_t *self)
{
    sc_fping_text_destroy (&((fping_t *) self)->text);
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
    sh_err_t rc = sc_program_find (&program, &sc_engine_fping, settings,
                                   note);
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
    const char *text = sc_program_is_v6 (job) ? "::1" : "127.0.0.1";
    sh_err_t rc = sh_addr_parse (canary, text);
    if (rc == SH_OK && sh_ranges_contain (job->ranges, canary))
        text = "";
    if (rc == SH_OK && asprintf (out, "%s%s", text, *text ? "\n" : "") < 0)
        rc = SH_E_MEMORY;
    return rc;
}

static sh_err_t
s_launch (sc_program_probe_t *base, sc_child_options_t *options, sh_why_t *why)
{
    fping_t *self = (fping_t *) base;
    sh_addr_t canary;
    char *first = NULL;
    sh_err_t rc = s_canary (&first, &canary, base->job);
    if (rc != SH_OK)
        return sh_fail (why, rc, "%s", sh_err_text (rc));
    rc = sc_fping_text_new (&self->text, &base->result, base->job, &canary,
                            base->clock);
    if (rc != SH_OK) {
        free (first);
        return sh_fail (why, rc, "%s", sh_err_text (rc));
    }
    (void) sc_rights_raw (); /* fping may come without a right of its own */
    sc_fping_command_t command;
    sc_fping_command (&command, base->settings, base->job, getuid () == 0);
    /* posix_spawn wants char *const, and leaves the texts alone */
    char *argv[SC_FPING_ARGS];
    memcpy (argv, command.argv, sizeof argv);
    options->argv = argv;
    options->input = first;
    options->input_size = strlen (first);
    options->feed = s_feed;
    options->output = s_output;
    options->errors = s_errors;
    options->good = GOOD;
    return sc_child_start (&base->child, options, why);
}

static sh_err_t
s_judge (sc_program_probe_t *self, sh_why_t *why)
{
    return sc_fping_text_finish (((fping_t *) self)->text, why);
}

/*  Who is silent fping says only in the end.  */
static void
s_progress (const sc_probe_t *probe, sc_progress_t *out)
{
    assert (probe->engine == &sc_engine_fping);
    const fping_t *self = (const fping_t *) probe;
    *out = (sc_progress_t){ .done = sc_fping_text_done (self->text),
                            .total = sh_ranges_count (self->base.job->ranges),
                            .up = self->base.result.count };
}

static const sc_program_kind_t s_kind = { .engine = &sc_engine_fping,
                                          .size = sizeof (fping_t),
                                          .launch = s_launch,
                                          .judge = s_judge,
                                          .forget = s_forget };

static sh_err_t
s_open (sc_prober_t **out, const void *settings, const sh_clock_t *clock,
        sh_why_t *why)
{
    (void) clock;
    return sc_program_open (out, &s_kind, settings, why);
}

const sc_engine_t sc_engine_fping = { .name = "fping",
                                      .check = s_check,
                                      .open = s_open,
                                      .progress = s_progress,
                                      SC_PROGRAM_ENGINE };
