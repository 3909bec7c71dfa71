/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhubctl doctor: what the running hub says of its scanners, of what it
    holds back and of its registry.  It judges scanners itself, so that this and
    'status' cannot disagree.  */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/doctor.h"
#include "cli/field.h"
#include "lib/control.h"
#include "lib/span.h"
#include "lib/text.h"
#include "scanner-proto/spool_survey.h"

#define ASK_MS 5000
#define SKEW_MS 60000
#define SCANNERS_MOST 20000 /* that are asked for */
#define SPOOL_MANY 100      /* reports of HTTP clients that wait */

json_t *
ctl_doctor_ask (const ctl_doctor_t *self, const char *request)
{
    char *answer = NULL;
    json_t *root = NULL;
    if (sh_control_ask (&answer, self->config->control, "scanhubd", request,
                        ASK_MS, NULL) == SH_OK
        && strncmp (answer, "ok {", 4) == 0)
        root = json_loads (answer + 3, JSON_REJECT_DUPLICATES, NULL);
    free (answer);
    return root;
}

/*  All pages of the list; false: the hub did not give them.  */
static bool
s_read_scanners (ctl_doctor_t *self)
{
    bool more = true;
    self->scanners = json_array ();
    while (more && json_array_size (self->scanners) < SCANNERS_MOST) {
        char request[64];
        snprintf (request, sizeof request, "scanners %zu",
                  json_array_size (self->scanners));
        json_t *page = ctl_doctor_ask (self, request);
        json_t *list = json_object_get (page, "scanners");
        more = ctl_field_true (page, "more")
               && json_array_size (list) > 0;
        bool whole = list && json_array_extend (self->scanners, list) == 0;
        json_decref (page);
        if (!whole)
            return false;
    }
    return true;
}

/*  Of other versions than the hub, which is fine for a while.  */
static void
s_check_versions (ctl_doctor_t *self)
{
    ctl_names_t older = { .count = 0 }, newer = { .count = 0 };
    const char *hub = ctl_field_text (json_object_get (self->status, "hub"),
                              "version");
    long ours = ctl_version (hub);
    json_t *one;
    size_t i;
    json_array_foreach (self->scanners, i, one) {
        long its = ctl_version (ctl_field_text (one, "version"));
        if (its > 0 && ours > 0 && its != ours)
            ctl_names_add (its < ours ? &older : &newer, "%s",
                           ctl_field_text (one, "name"));
    }
    if (older.count > 0)
        sh_findings_warning (&self->found,
                             "older than this hub (%s): %s; upgrade them when "
                             "there is time", hub, ctl_names_text (&older));
    if (newer.count > 0)
        sh_findings_warning (&self->found,
                             "newer than this hub (%s): %s; upgrade the hub "
                             "first", hub, ctl_names_text (&newer));
}

void
ctl_check_scanners (ctl_doctor_t *self)
{
    size_t connected = 0, i;
    json_t *one;
    if (!self->status)
        return;
    if (!s_read_scanners (self)) {
        sh_findings_warning (&self->found, "the running hub does not list "
                                           "them; is it of another version?");
        return;
    }
    json_array_foreach (self->scanners, i, one) {
        const char *grade = ctl_field_text (one, "grade");
        connected += ctl_field_true (one, "connected");
        if (ctl_field_is (one, "state", "skewed"))
            continue; /* a check of its own */
        if (strcmp (grade, "error") == 0)
            sh_findings_error (&self->found, "'%s': %s",
                               ctl_field_text (one, "name"),
                               ctl_field_text (one, "text"));
        else if (strcmp (grade, "warning") == 0)
            sh_findings_warning (&self->found, "'%s': %s",
                                 ctl_field_text (one, "name"),
                                 ctl_field_text (one, "text"));
    }
    s_check_versions (self);
    if (self->found.of_check == 0)
        sh_findings_good (&self->found, "%zu of %zu connected, nothing wrong "
                                        "with any", connected,
                          json_array_size (self->scanners));
}

void
ctl_check_clocks (ctl_doctor_t *self)
{
    json_t *one;
    size_t i, told = 0;
    json_array_foreach (self->scanners, i, one) {
        char span[SH_SPAN_TEXT];
        const json_t *skew = json_object_get (one, "skew_ms");
        int64_t ms = json_integer_value (skew);
        told += json_is_integer (skew);
        if (llabs (ms) < SKEW_MS)
            continue;
        sh_span_about (span, llabs (ms) / 1000);
        sh_findings_warning (&self->found,
                             "that of '%s' is %s %s; its reports are "
                             "corrected, but set up NTP there",
                             ctl_field_text (one, "name"), span,
                             ms > 0 ? "slow" : "fast");
    }
    if (self->found.of_check == 0 && told > 0)
        sh_findings_good (&self->found, "right, of %zu connected scanner%s",
                          told, told == 1 ? "" : "s");
}

/*  Of a hub that does not run, what waits is looked up in its file.  */
static void
s_check_spool (ctl_doctor_t *self)
{
    sp_spool_survey_t look;
    sh_why_t why;
    const char *path = self->config->http.spool;
    if (!self->config->http_on || self->hub != CTL_HUB_DOWN)
        return;
    sh_err_t rc = sp_spool_survey (&look, path, &why);
    if (rc == SH_OK && look.reports > 0)
        sh_findings_warning (&self->found,
                             "%s: %" PRIu64 " report%s of HTTP clients wait%s "
                             "until the hub runs", path, look.reports,
                             sh_text_s (look.reports),
                             look.reports == 1 ? "s" : "");
    else if (rc == SH_OK || rc == SH_E_NOT_FOUND)
        sh_findings_good (&self->found, "%s: no report waits", path);
    else if (rc == SH_E_SYNTAX)
        sh_findings_error (&self->found,
                           "%s; the hub sets it aside and begins a new one",
                           why.text);
    else
        sh_findings_warning (&self->found, "%s", why.text);
}

void
ctl_check_held (ctl_doctor_t *self)
{
    const json_t *previews = json_object_get (self->status, "previews");
    const json_t *journal = json_object_get (self->status, "journal");
    const json_t *http = json_object_get (self->status, "http");
    if (!self->status) {
        s_check_spool (self);
        return;
    }
    if (*ctl_field_text (previews, "trouble"))
        sh_findings_error (&self->found, "what is held cannot be kept: %s",
                           ctl_field_text (previews, "trouble"));
    if (ctl_field_number (previews, "held") > 0)
        sh_findings_warning (&self->found,
                             "reports of which changes are held: %" PRId64
                             "; look at them by scanhubctl preview list, and "
                             "apply or drop them",
                             ctl_field_number (previews, "held"));
    if (ctl_field_true (journal, "failing"))
        sh_findings_warning (&self->found,
                             "the journal is not written: %s; reports are "
                             "taken all the same",
                             ctl_field_text (journal, "error"));
    if (ctl_field_number (http, "spool") >= SPOOL_MANY)
        sh_findings_warning (&self->found,
                             "%" PRId64 " reports of HTTP clients wait in the "
                             "spool, until the database takes them",
                             ctl_field_number (http, "spool"));
    if (self->found.of_check == 0)
        sh_findings_good (&self->found, "none is held back");
}

void
ctl_check_digests (ctl_doctor_t *self)
{
    char here[HUB_DIGEST_TEXT] = "";
    const char *running = ctl_field_text (
        json_object_get (self->status, "registry"), "digest");
    if (*running)
        snprintf (here, sizeof here, "%s", running);
    else if (!self->has_roster
             || ctl_roster_digest (&self->roster, here) != 0)
        return;
    for (size_t i = 0; i < self->digest_count; i++)
        if (strcmp (self->digests[i], here) != 0)
            sh_findings_error (&self->found,
                               "%s is not this registry's digest (%s): compare "
                               "what scanhubctl scanner list prints on both; "
                               "scanhubctl scanner export there and import "
                               "here take over what is missing",
                               self->digests[i], here);
    if (self->found.of_check > 0)
        return;
    if (self->digest_count > 0)
        sh_findings_good (&self->found, "the same registry, digest %s", here);
    else
        sh_findings_good (&self->found,
                          "where there are any, give each the digest of this "
                          "registry: scanhubctl doctor --digest %s", here);
}
