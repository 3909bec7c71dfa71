/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/doctor.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"
#include "scanner/doctor_within.h"
#include "scanner/old_agent.h"
#include "scanner/own_key.h"

#define COULD_NOT_RUN 2

static const struct
{
    const char *word, *title;
    bool free; /* needs no configuration */
    sc_check_fn *check;
} s_checks[] = {
    { "config", "configuration", true, sc_check_config },
    { "key", "key", false, sc_check_key },
    { "service", "service", false, sc_check_service },
    { "spool", "spool", false, sc_check_spool },
    { "hubs", "hubs", false, sc_check_hubs },
    { "assignments", "assignments", false, sc_check_assignments },
    { "clock", "clock", false, sc_check_clock },
    { "rights", "rights", false, sc_check_rights },
    { "interfaces", "interfaces", false, sc_check_links },
    { "ways", "ways", false, sc_check_ways },
    { "names", "name servers", false, sc_check_names },
    { "old-agent", "old agent", true, sc_check_old_agent },
};

static bool
s_denied (const char *path)
{
    return faccessat (AT_FDCWD, path, R_OK, AT_EACCESS) != 0
           && errno == EACCES;
}

void
sc_check_config (sc_doctor_t *self)
{
    const char *path = self->options->config_path;
    struct stat meta;
    sh_why_t why = { "" };
    sh_err_t rc = sc_config_load (&self->config, path, &why);
    self->denied = rc != SH_OK && s_denied (path);
    if (self->denied)
        sh_findings_error (&self->found,
                           "%s; run this as root, or as the service's user",
                           why.text);
    else if (rc == SH_E_NOT_FOUND)
        sh_findings_error (&self->found,
                           "%s; make it by scanhub-scanner join, with the line "
                           "that scanhubctl scanner invite prints on the hub",
                           why.text);
    else if (rc != SH_OK)
        sh_findings_error (&self->found, "%s", why.text);
    if (rc != SH_OK || stat (path, &meta) != 0)
        return;
    unsigned mode = meta.st_mode & 07777;
    if (mode & S_IWOTH)
        sh_findings_error (&self->found,
                           "everybody may change %s (mode %04o): chmod o-w %s",
                           path, mode, path);
    else
        sh_findings_good (&self->found, "%s, mode %04o, is valid", path, mode);
}

void
sc_check_key (sc_doctor_t *self)
{
    const char *path = self->config->key;
    char fingerprint[SH_FINGERPRINT_TEXT];
    sh_keyfile_t *next = NULL;
    sh_why_t why = { "" };
    sh_err_t rc = sh_keyfile_load (&self->key, path, true, &why);
    if (rc != SH_OK && geteuid () != 0 && s_denied (path))
        sh_findings_warning (&self->found,
                             "%s cannot be looked at, nor whether hubs take "
                             "it: run this as root, or as the service's user",
                             path);
    else if (rc == SH_E_NOT_FOUND)
        sh_findings_error (&self->found, "%s; make it by scanhub-scanner join",
                           why.text);
    else if (rc != SH_OK)
        sh_findings_error (&self->found, "%s", why.text);
    if (rc != SH_OK)
        return;
    sh_key_fingerprint (fingerprint, self->key->public_key);
    sh_findings_good (&self->found, "%s is closed to others, fingerprint %s",
                      path, fingerprint);
    if (sc_own_key_next (&next, path, &why) != SH_OK)
        return;
    sh_key_fingerprint (fingerprint, next->public_key);
    sh_findings_good (&self->found, "the next key waits for the hub to accept "
                                    "it, fingerprint %s", fingerprint);
    sh_keyfile_destroy (&next);
}

/*  Where cron still runs it, it scans beside us.  */
void
sc_check_old_agent (sc_doctor_t *self)
{
    char *lines = NULL, *path = NULL;
    size_t size = 0;
    FILE *to = open_memstream (&lines, &size);
    if (!to)
        return;
    size_t count = sc_old_agent_cron (to, self->options->root);
    (void) fclose (to);
    char *rest = lines;
    for (char *line; count > 0 && (line = strsep (&rest, "\n"));)
        if (*line)
            sh_findings_warning (&self->found,
                                 "cron still runs the old agent, remove that "
                                 "line: %s", line + strspn (line, " "));
    if (asprintf (&path, "%s/etc/phpipam/scan_agent.yaml",
                  self->options->root) < 0)
        path = NULL;
    if (count == 0 && path && access (path, F_OK) == 0)
        sh_findings_good (&self->found, "%s is left over, and nothing runs it",
                          path);
    else if (count == 0)
        sh_findings_good (&self->found, "none here");
    free (path);
    free (lines);
}

/*  For people, each finding is shown as it comes: some take seconds.  */
static void
s_look (sc_doctor_t *self, bool show)
{
    size_t shown = 0;
    for (size_t i = 0; i < sizeof s_checks / sizeof *s_checks; i++) {
        if (!s_checks[i].free && !self->config)
            continue;
        sh_findings_begin (&self->found, s_checks[i].word, s_checks[i].title);
        s_checks[i].check (self);
        sh_findings_end (&self->found);
        for (; show && shown < self->found.count; shown++)
            sh_findings_print (&self->found, shown, stdout);
        (void) fflush (stdout);
    }
    if (show)
        sh_findings_print_sum (&self->found, stdout);
}

int
sc_doctor (const sc_doctor_options_t *options)
{
    assert (options && options->config_path && options->root);
    sc_doctor_t self = { .options = options };
    /*  What is wrong is said as a finding, and once.  */
    sh_log_set_level (SH_LOG_NOTHING);
    s_look (&self, !options->json);
    int status = self.denied ? COULD_NOT_RUN
                             : sh_findings_status (&self.found);
    if (options->json
        && sh_findings_print_json (&self.found, stdout) != SH_OK)
        status = COULD_NOT_RUN;
    if (self.found.incomplete)
        (void) fprintf (stderr, "scanhub-scanner: out of memory; not "
                                "everything that was found is shown\n");
    sc_facts_clear (&self.facts);
    sc_links_clear (&self.links);
    sh_keyfile_destroy (&self.key);
    sc_config_destroy (&self.config);
    sh_findings_clear (&self.found);
    return status;
}
