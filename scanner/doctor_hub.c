/* SPDX-License-Identifier: MPL-2.0 */
/*  'scanhub-scanner doctor': the service, what waits in its spool, the hubs and
    what they say.  */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/span.h"
#include "scanner-proto/knock.h"
#include "scanner-proto/spool_survey.h"
#include "scanner/doctor_within.h"

#define SKEW_MS 60000      /* more is worth a word */
#define OLD_S (24 * 3600)  /* so is a report that waits for longer */
#define MANY 1000          /* and so many of them */

void
sc_check_service (sc_doctor_t *self)
{
    sh_why_t why = { "" };
    if (!self->config->control) {
        sh_findings_good (&self->found, "'control' is none, so nobody can ask "
                                        "it");
        return;
    }
    sh_err_t rc = sc_facts_of_service (&self->facts, self->config, &why);
    self->running = rc == SH_OK || rc == SH_E_SYNTAX || rc == SH_E_MODE;
    self->has_facts = rc == SH_OK;
    if (rc == SH_OK && self->facts.connected)
        sh_findings_good (&self->found, "runs, connected to %s",
                          self->facts.hub);
    else if (rc == SH_OK)
        sh_findings_error (&self->found, "runs, but is not connected: %s",
                           self->facts.why);
    else if (rc == SH_E_NOT_FOUND)
        sh_findings_warning (&self->found,
                             "does not run, so nothing is scanned unless cron "
                             "runs 'scanhub-scanner once': systemctl enable "
                             "--now scanhub-scanner");
    else if (rc == SH_E_MODE)
        sh_findings_warning (&self->found, "%s", why.text);
    else
        sh_findings_error (&self->found, "%s", why.text);
}

static void
s_say_waiting (sc_doctor_t *self, uint64_t reports, int64_t age, off_t bytes)
{
    char span[SH_SPAN_TEXT] = "";
    sh_span_about (span, age);
    const char *oldest = age > 0 ? ", the oldest for " : "";
    if (age <= 0)
        span[0] = '\0';
    if (reports >= MANY || age > OLD_S)
        sh_findings_warning (&self->found,
                             "%s: %" PRIu64 " waiting%s%s; they go as soon as "
                             "a hub takes them", self->config->spool, reports,
                             oldest, span);
    else
        sh_findings_good (&self->found, "%s: %" PRIu64 " waiting%s%s, %" PRIu64
                                        " KiB", self->config->spool, reports,
                          oldest, span, (uint64_t) bytes / 1024);
}

/*  Is nothing there, so many components above 'path'?  */
static bool
s_is_missing (const char *path, int up)
{
    struct stat meta;
    char *above = strdup (path);
    for (char *end = above; end && up > 0; up--) {
        end = strrchr (above, '/');
        if (end)
            *end = '\0';
    }
    bool missing = above && *above && stat (above, &meta) != 0
                   && errno == ENOENT;
    free (above);
    return missing;
}

/*  It is made with the directory that it is in, and nothing above that.  */
static void
s_check_place (sc_doctor_t *self)
{
    const char *path = self->config->spool;
    if (s_is_missing (path, 1) && s_is_missing (path, 2))
        sh_findings_warning (&self->found,
                             "%s cannot be made, for more than one directory "
                             "is missing above it: make them, the last one "
                             "with mode 0700 for the service's user", path);
    else
        sh_findings_good (&self->found, "%s is made when it is needed", path);
}

void
sc_check_spool (sc_doctor_t *self)
{
    const char *path = self->config->spool;
    struct stat meta = { .st_size = 0 };
    sp_spool_survey_t look;
    sh_why_t why = { "" };
    if (!path) {
        sh_findings_warning (&self->found, "'spool' is none: reports that wait "
                                           "for a hub are lost at a restart");
        return;
    }
    (void) stat (path, &meta);
    if (self->has_facts) {
        s_say_waiting (self, self->facts.waiting, 0, meta.st_size);
        return;
    }
    sh_err_t rc = sp_spool_survey (&look, path, &why);
    self->busy = rc == SH_E_EXISTS;
    int64_t age = look.oldest > 0 ? (sh_clock_wall (self->options->clock)
                                     - look.oldest) / 1000 : 0;
    if (rc == SH_OK)
        s_say_waiting (self, look.reports, age, meta.st_size);
    else if (rc == SH_E_NOT_FOUND)
        s_check_place (self);
    else if (self->busy)
        sh_findings_good (&self->found, "%s is in use", path);
    else if (rc == SH_E_SYNTAX)
        sh_findings_error (&self->found,
                           "%s; the service sets it aside and begins a new one",
                           why.text);
    else
        sh_findings_warning (&self->found, "%s", why.text);
}

/*  One hub; true if it lets the key in.  */
static bool
s_check_hub (sc_doctor_t *self, const sp_hub_t *hub, bool alone)
{
    char fingerprint[SH_FINGERPRINT_TEXT];
    sh_why_t why = { "" };
    sh_err_t rc = sp_knock (hub, self->key, self->options->clock, &why);
    sh_key_fingerprint (fingerprint, self->key->public_key);
    if (rc == SH_OK)
        sh_findings_good (&self->found, "%s lets this key in", hub->endpoint);
    else if (rc == SH_E_KEY_REFUSED)
        sh_findings_error (&self->found,
                           "%s; there: scanhubctl scanner approve %s NAME "
                           "--code CODE", why.text, fingerprint);
    else if (rc == SH_E_HUB_KEY)
        sh_findings_error (&self->found,
                           "%s; compare 'key' of 'hub' with what scanhubctl "
                           "scanner invite prints there", why.text);
    else if (alone)
        sh_findings_error (&self->found, "%s", why.text);
    else
        sh_findings_warning (&self->found, "%s", why.text);
    return rc == SH_OK;
}

void
sc_check_hubs (sc_doctor_t *self)
{
    sh_why_t why = { "" };
    if (sc_config_take_hub_keys (self->config, &why) != SH_OK)
        sh_findings_error (&self->found, "%s", why.text);
    const sp_hubs_t *hubs = &self->config->hubs;
    size_t errors = self->found.grades[SH_FINDING_ERROR];
    for (size_t i = 0; self->key && i < hubs->count; i++)
        self->admitted |= s_check_hub (self, &hubs->items[i],
                                       hubs->count == 1);
    if (self->key && !self->admitted && hubs->count > 1
        && self->found.grades[SH_FINDING_ERROR] == errors)
        sh_findings_error (&self->found, "none of the %zu can be reached",
                           hubs->count);
}

/*  Where no service has them, they are asked for: but not beside a program that
    is at work with this key, for its session would end.  */
void
sc_check_assignments (sc_doctor_t *self)
{
    sh_why_t why = { "" };
    bool may_ask = !self->running && !self->busy && self->admitted
                   && self->config->control;
    if (may_ask) {
        sh_err_t rc = sc_facts_of_hub (&self->facts, self->config,
                                       self->options->clock, &why);
        self->has_facts = rc == SH_OK;
        if (rc != SH_OK)
            sh_findings_error (&self->found, "%s", why.text);
    }
    if (!self->has_facts || (self->running && !self->facts.connected))
        return;
    size_t count = self->facts.plan.count + self->facts.more;
    if (count == 0)
        sh_findings_warning (&self->found,
                             "phpIPAM assigns no subnet to this scanner: "
                             "there, in Edit subnet, choose its scan agent and "
                             "switch on host check or discovery");
    else
        sh_findings_good (&self->found, "%zu subnet%s to scan", count,
                          count == 1 ? "" : "s");
}

void
sc_check_clock (sc_doctor_t *self)
{
    char span[SH_SPAN_TEXT];
    if (!self->has_facts || !self->facts.connected)
        return;
    int64_t offset = self->facts.offset;
    sh_span_about (span, (offset < 0 ? -offset : offset) / 1000);
    if (offset > SKEW_MS || offset < -SKEW_MS)
        sh_findings_warning (&self->found,
                             "this machine's clock is %s %s the hub's; reports "
                             "are corrected by that, but set up NTP", span,
                             offset > 0 ? "behind" : "ahead of");
    else
        sh_findings_good (&self->found, "within %s of the hub's",
                          offset == 0 ? "a second" : "a minute");
}
