/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/nmap.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "scanner/nmap_xml.h"
#include "scanner/rights.h"

typedef struct
{
    sc_program_probe_t base;
    sc_nmap_xml_t *xml;
} nmap_t;

sh_err_t
sc_nmap_targets (char **text, size_t *size, const sh_ranges_t *ranges)
{
    FILE *stream = open_memstream (text, size);
    if (!stream)
        return SH_E_MEMORY;
    for (size_t i = 0; i < ranges->count; i++) {
        sh_addr_t at = ranges->items[i].first;
        sh_addr_t last = ranges->items[i].last;
        sh_prefix_t block;
        do {
            block = sh_range_block (&at, &last);
            char line[SH_PREFIX_TEXT];
            sh_prefix_text (&block, line);
            (void) fprintf (stream, "%s\n", line);
            at = sh_prefix_last (&block);
        } while (sh_addr_cmp (&at, &last) < 0 && sh_addr_next (&at));
    }
    bool failed = ferror (stream) != 0;
    if (fclose (stream) != 0 || failed) {
        free (*text);
        *text = NULL;
        return SH_E_MEMORY;
    }
    return SH_OK;
}

/*  Rate and retries as two texts in one block.  */
static sh_err_t
s_print (char **text, const sc_nmap_settings_t *settings, const sc_job_t *job)
{
    size_t size = 0;
    FILE *stream = open_memstream (text, &size);
    if (!stream)
        return SH_E_MEMORY;
    (void) fprintf (stream, "%u%c%u", job->rate ? job->rate : settings->rate,
                    0, settings->retries);
    bool failed = ferror (stream) != 0;
    if (fclose (stream) != 0 || failed) {
        free (*text);
        *text = NULL;
        return SH_E_MEMORY;
    }
    return SH_OK;
}

sh_err_t
sc_nmap_command (sc_nmap_command_t *out, const sc_nmap_settings_t *settings,
                 const sc_job_t *job, bool privileged)
{
    sc_nmap_command_t self = { 0 };
    sh_err_t rc = s_print (&self.text, settings, job);
    if (rc != SH_OK)
        return rc;
    const char *rate = self.text;
    const char *retries = rate + strlen (rate) + 1;
    const char **argv = self.argv;
    size_t n = 0;
    argv[n++] = "nmap";
    argv[n++] = privileged ? "--privileged" : "--unprivileged";
    argv[n++] = "-sn";
    if (sc_program_is_v6 (job))
        argv[n++] = "-6";
    /* on the link nmap asks by ARP or neighbour discovery instead; without
       rights for either it connects to ports 80 and 443 */
    if (privileged)
        argv[n++] = "-PE";
    argv[n++] = "--max-retries";
    argv[n++] = retries;
    argv[n++] = "--min-rate";
    argv[n++] = rate;
    argv[n++] = "-n"; /* names are looked up afterwards, see names.h */
    argv[n++] = "--no-stylesheet";
    argv[n++] = "-oX";
    argv[n++] = "-";
    argv[n++] = "-iL";
    argv[n++] = "-";
    assert (n < SC_NMAP_ARGS);
    *out = self;
    return SH_OK;
}

void
sc_nmap_command_clear (sc_nmap_command_t *self)
{
    free (self->text);
    *self = (sc_nmap_command_t){ 0 };
}

static void
s_output (void *context, const void *data, size_t size)
{
    nmap_t *self = context;
    /* the error stays in the parser and is asked for in the end; until then
       nmap goes on into the void */
    if (sc_nmap_xml_feed (self->xml, data, size, NULL) != SH_OK)
        return;
}

static void
s_forget (sc_program_probe_t *self)
{
    sc_nmap_xml_destroy (&((nmap_t *) self)->xml);
}

static sh_err_t
s_check (const void *settings, sh_why_t *note)
{
    char *program = NULL;
    sh_err_t rc = sc_program_find (&program, &sc_engine_nmap, settings,
                                   note);
    free (program);
    if (rc != SH_OK)
        return rc;
    note->text[0] = '\0';
    if (!sc_rights_raw ())
        (void) sh_fail (note, SH_OK,
                        "no CAP_NET_RAW: hosts are only found by connecting "
                        "to TCP ports 80 and 443, without ARP, echo and MAC "
                        "addresses; run as root or with that capability");
    return SH_OK;
}

static sh_err_t
s_start (sc_program_probe_t *self, sc_child_options_t *options, sh_why_t *why)
{
    sc_nmap_command_t command = { 0 };
    char *targets = NULL;
    size_t size = 0;
    sh_err_t rc = sc_nmap_targets (&targets, &size, self->job->ranges);
    if (rc == SH_OK)
        rc = sc_nmap_command (&command, self->settings, self->job,
                              sc_rights_raw ());
    if (rc != SH_OK) {
        free (targets);
        return sh_fail (why, rc, "%s", sh_err_text (rc));
    }
    /* posix_spawn wants char *const, and leaves the texts alone */
    char *argv[SC_NMAP_ARGS];
    memcpy (argv, command.argv, sizeof argv);
    options->argv = argv;
    options->input = targets;
    options->input_size = size;
    options->output = s_output;
    rc = sc_child_start (&self->child, options, why);
    sc_nmap_command_clear (&command);
    return rc;
}

static sh_err_t
s_launch (sc_program_probe_t *self, sc_child_options_t *options, sh_why_t *why)
{
    sh_err_t rc = sc_nmap_xml_new (&((nmap_t *) self)->xml, &self->result,
                                   sh_ranges_count (self->job->ranges),
                                   self->clock);
    if (rc != SH_OK)
        return sh_fail (why, rc, "%s", sh_err_text (rc));
    return s_start (self, options, why);
}

/*  What nmap says when it could not send, while its exit status and XML
    speak of success.  */
static bool
s_unsent (const char *errors, sh_why_t *why)
{
    static const char *const signs[]
        = { "sendto in ", "Strange read error", "Strange connect error" };
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        const char *at = strstr (errors, signs[i]);
        if (!at)
            continue;
        char line[128], clean[160];
        (void) snprintf (line, sizeof line, "%.*s",
                         (int) strcspn (at, "\n"), at);
        sh_escape (clean, sizeof clean, line);
        (void) sh_fail (why, SH_E_PROBE, "nmap could not send: %s", clean);
        return true;
    }
    return false;
}

static sh_err_t
s_judge (sc_program_probe_t *self, sh_why_t *why)
{
    sh_err_t rc = sc_nmap_xml_finish (((nmap_t *) self)->xml,
                                      sh_ranges_count (self->job->ranges), why);
    if (rc == SH_OK && s_unsent (sc_child_errors (self->child), why))
        rc = SH_E_PROBE;
    return rc;
}

/*  nmap tells who is up, in the end also who is not; how far it is in between
    nobody knows.  */
static void
s_progress (const sc_probe_t *probe, sc_progress_t *out)
{
    assert (probe->engine == &sc_engine_nmap);
    const sc_program_probe_t *self = (const sc_program_probe_t *) probe;
    *out = (sc_progress_t){ .done = self->result.count,
                            .total = sh_ranges_count (self->job->ranges),
                            .up = self->result.count };
}

static const sc_program_kind_t s_kind = { .engine = &sc_engine_nmap,
                                          .size = sizeof (nmap_t),
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

const sc_engine_t sc_engine_nmap = { .name = "nmap",
                                     .check = s_check,
                                     .open = s_open,
                                     .progress = s_progress,
                                     SC_PROGRAM_ENGINE };
