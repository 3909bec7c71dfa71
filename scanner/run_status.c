/* SPDX-License-Identifier: MPL-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/log.h"
#include "lib/span.h"
#include "scanner/facts.h"
#include "scanner/run_within.h"

#define ASK_MS 5000
#define LINES_MOST 500 /* subnets shown; an answer has room for no more */

/*  "4 min", for people.  */
static void
s_time_left (char out[static SH_SPAN_TEXT], int64_t due, int64_t now)
{
    int64_t seconds = (due - now + 999) / 1000;
    if (due == SC_NEVER)
        (void) snprintf (out, SH_SPAN_TEXT, "-");
    else if (seconds <= 0)
        (void) snprintf (out, SH_SPAN_TEXT, "due");
    else
        sh_span_about (out, seconds);
}

static void
s_print_work (FILE *stream, sc_running_t *self, const sc_subnet_t *subnet)
{
    for (size_t i = 0; i < SC_WORKS_MOST; i++) {
        const sc_work_t *work = self->works[i];
        if (!work || sc_scan_subnet (work->scan)->id != subnet->id)
            continue;
        sc_progress_t now;
        sc_work_progress (work, &now);
        uint64_t total = now.total ? now.total : 1;
        if (work->state == SC_WORK_PROBING)
            (void) fprintf (stream, "  probing, %d %%, %" PRIu64 " up",
                            (int) (100 * now.done / total), now.up);
        else if (work->state == SC_WORK_NAMING)
            (void) fprintf (stream, "  looking up names, %" PRIu64 " up", now.up);
        else
            (void) fprintf (stream, "  asking for known addresses");
    }
}

static void
s_print_subnet (FILE *stream, sc_running_t *self, const sc_subnet_t *subnet,
                const sc_moment_t *at)
{
    char cidr[SH_PREFIX_TEXT], check[SH_SPAN_TEXT], discover[SH_SPAN_TEXT];
    sh_prefix_text (&subnet->prefix, cidr);
    s_time_left (check, subnet->check_due, at->now);
    s_time_left (discover, subnet->discover_due, at->now);
    (void) fprintf (stream, "%-20s %9s %9s", cidr, check, discover);
    if (subnet->busy)
        s_print_work (stream, self, subnet);
    else if (subnet->paused)
        (void) fprintf (stream, "  paused");
    else if (sc_subnet_is_quiet (subnet, at->minute))
        (void) fprintf (stream, "  quiet hours");
    (void) fprintf (stream, "\n");
}

static void
s_print (FILE *stream, sc_running_t *self)
{
    const sc_moment_t at = sc_running_moment (self);
    sp_client_t *client = sc_link_client (self->link);
    sh_why_t why = { "" };
    if (sp_client_is_up (client))
        (void) fprintf (stream, "ok connected to %s for %" PRId64 " s\n",
                        sp_client_endpoint (client),
                        (at.now - self->since) / 1000);
    else if (sc_link_why (self->link, &why) != SH_OK)
        (void) fprintf (stream, "ok NOT CONNECTED: %s\n", why.text);
    (void) fprintf (stream, "engine: %s\nreports waiting: %" PRIu64 "%s\n",
                    self->tools.engine->name, sp_outbox_depth (self->outbox),
                    self->spool ? "" : ", in memory only");
    (void) fprintf (stream, "subnets: %zu\n", self->plan.count);
    if (self->plan.count)
        (void) fprintf (stream, "%-20s %9s %9s\n", "", "check in",
                        "discovery");
    for (size_t i = 0; i < self->plan.count && i < LINES_MOST; i++)
        s_print_subnet (stream, self, &self->plan.items[i], &at);
    if (self->plan.count > LINES_MOST)
        (void) fprintf (stream, "... and %zu more\n",
                        self->plan.count - LINES_MOST);
}

static void
s_answer_facts (sc_running_t *self, char *answer, size_t size)
{
    sp_client_t *client = sc_link_client (self->link);
    sc_facts_t facts = { .connected = sp_client_is_up (client),
                         .waiting = sp_outbox_depth (self->outbox) };
    sh_why_t why = { "" };
    if (facts.connected)
        facts.offset = sp_client_offset (client);
    else if (sc_link_why (self->link, &why) != SH_OK)
        (void) snprintf (facts.why, sizeof facts.why, "%.250s", why.text);
    (void) snprintf (facts.hub, sizeof facts.hub, "%s",
                     sp_client_endpoint (client));
    sc_facts_write (&facts, &self->plan, answer, size);
}

void
sc_running_answer (void *context, const char *request, char *answer,
                   size_t size)
{
    sc_running_t *self = context;
    if (strcmp (request, "next-key") == 0) {
        sp_client_show_next_key (sc_link_client (self->link));
        (void) snprintf (answer, size, "ok\n");
        return;
    }
    if (strcmp (request, SC_FACTS_REQUEST) == 0) {
        s_answer_facts (self, answer, size);
        return;
    }
    if (strcmp (request, "status") != 0) {
        (void) snprintf (answer, size, "error unknown request");
        return;
    }
    FILE *stream = fmemopen (answer, size, "w");
    if (!stream) {
        (void) snprintf (answer, size, "error out of memory");
        return;
    }
    s_print (stream, self);
    (void) fclose (stream);
}

int
sc_run_status (const sc_config_t *config)
{
    sc_tell_t tell = { .once = true };
    sh_why_t why = { "" };
    char *answer = NULL;
    sh_err_t rc = SH_OK;
    if (!config->control)
        rc = sh_fail (&why, SH_E_CONFIG,
                      "%s: 'control' is none, so nobody can ask the service",
                      config->path);
    if (rc == SH_OK)
        rc = sh_control_ask (&answer, config->control, "'scanhub-scanner run'",
                             "status", ASK_MS, &why);
    if (rc != SH_OK) {
        sc_tell_trouble (&tell, NULL, rc, why.text);
        return rc == SH_E_NOT_FOUND ? EX_UNAVAILABLE : tell.exit_status;
    }
    bool good = strncmp (answer, "ok ", 3) == 0;
    (void) fputs (good ? answer + 3 : answer, stdout);
    free (answer);
    return good ? EX_OK : EX_SOFTWARE;
}
