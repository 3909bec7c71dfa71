/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhubctl doctor: is all in order, and if not, what is to be done?  */

#include "cli/doctor.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/ctl.h"
#include "lib/clock.h"
#include "lib/log.h"

#define COULD_NOT_RUN 2

typedef enum
{
    NEEDS_NOTHING,
    NEEDS_CONFIG,
    NEEDS_DATABASE
} need_t;

static const struct
{
    const char *word, *title;
    need_t need;
    ctl_check_fn *check;
} s_checks[] = {
    { "config", "configuration", NEEDS_NOTHING, ctl_check_config },
    { "key", "hub's key", NEEDS_CONFIG, ctl_check_key },
    { "registry", "registry", NEEDS_CONFIG, ctl_check_registry },
    { "state", "state files", NEEDS_CONFIG, ctl_check_state },
    { "hub", "running hub", NEEDS_CONFIG, ctl_check_hub },
    { "ports", "ports", NEEDS_CONFIG, ctl_check_ports },
    { "zap", "strangers", NEEDS_CONFIG, ctl_check_zap },
    { "limits", "limits", NEEDS_CONFIG, ctl_check_limits },
    { "database", "database", NEEDS_CONFIG, ctl_check_database },
    { "tls", "database TLS", NEEDS_DATABASE, ctl_check_tls },
    { "tables", "phpIPAM", NEEDS_DATABASE, ctl_check_tables },
    { "rights", "rights", NEEDS_DATABASE, ctl_check_rights },
    { "excess", "extra rights", NEEDS_DATABASE, ctl_check_excess },
    { "columns", "own columns", NEEDS_DATABASE, ctl_check_custom },
    { "zones", "time zones", NEEDS_DATABASE, ctl_check_zones },
    { "agents", "scan agents", NEEDS_DATABASE, ctl_check_agents },
    { "subnets", "subnets", NEEDS_DATABASE, ctl_check_subnets },
    { "unscanned", "not scanned", NEEDS_DATABASE, ctl_check_unscanned },
    { "silent", "silent agents", NEEDS_DATABASE, ctl_check_silent },
    { "future", "future times", NEEDS_DATABASE, ctl_check_future },
    { "powerdns", "PowerDNS", NEEDS_DATABASE, ctl_check_powerdns },
    { "scanners", "scanners", NEEDS_CONFIG, ctl_check_scanners },
    { "clocks", "clocks", NEEDS_CONFIG, ctl_check_clocks },
    { "held", "held reports", NEEDS_CONFIG, ctl_check_held },
    { "digests", "other hubs", NEEDS_CONFIG, ctl_check_digests },
    { "old-server", "old server", NEEDS_CONFIG, ctl_check_old_server },
};

void
ctl_names_add (ctl_names_t *self, const char *format, ...)
{
    if (self->count++ >= CTL_NAMES_SHOWN)
        return;
    char name[128];
    va_list args;
    va_start (args, format);
    vsnprintf (name, sizeof name, format, args);
    va_end (args);
    size_t room = sizeof self->text - self->used;
    int size = snprintf (self->text + self->used, room, "%s%s",
                         self->shown ? ", " : "", name);
    if (size > 0 && (size_t) size < room) {
        self->used += (size_t) size;
        self->shown++;
    } else
        self->text[self->used] = '\0';
}

const char *
ctl_names_text (ctl_names_t *self)
{
    if (self->count > self->shown)
        snprintf (self->text + self->used, sizeof self->text - self->used,
                  " and %zu more", self->count - self->shown);
    return self->text;
}

long
ctl_version (const char *text)
{
    long version = 0;
    text += strcspn (text, "0123456789");
    for (int i = 0; i < 3; i++) {
        char *end;
        unsigned long part = strtoul (text, &end, 10);
        if (end == text || part > 999)
            return 0;
        version = version * 1000 + (long) part;
        text = end + (*end == '.');
    }
    return version;
}

static bool
s_can (const ctl_doctor_t *self, need_t need)
{
    return need == NEEDS_NOTHING || (need == NEEDS_CONFIG && self->config)
           || (need == NEEDS_DATABASE && self->survey);
}

/*  For people, each finding is shown as it comes: some take seconds.  */
static void
s_look (ctl_doctor_t *self, bool show)
{
    size_t shown = 0;
    for (size_t i = 0; i < sizeof s_checks / sizeof *s_checks; i++) {
        if (!s_can (self, s_checks[i].need))
            continue;
        sh_findings_begin (&self->found, s_checks[i].word, s_checks[i].title);
        s_checks[i].check (self);
        sh_findings_end (&self->found);
        for (; show && shown < self->found.count; shown++)
            sh_findings_print (&self->found, shown, stdout);
        fflush (stdout);
    }
    if (show)
        sh_findings_print_sum (&self->found, stdout);
}

static void
s_clear (ctl_doctor_t *self)
{
    hub_assignments_release (&self->all);
    hub_survey_close (&self->survey);
    if (self->has_roster)
        ctl_roster_clear (&self->roster);
    json_decref (self->scanners);
    json_decref (self->status);
    hub_config_destroy (&self->config);
    sh_findings_clear (&self->found);
}

static int
s_run (ctl_doctor_t *self, bool json)
{
    /*  What is wrong is said as a finding, and once.  */
    sh_log_set_level (SH_LOG_NOTHING);
    s_look (self, !json);
    int status = self->denied ? COULD_NOT_RUN
                              : sh_findings_status (&self->found);
    if (json && sh_findings_print_json (&self->found, stdout) != SH_OK)
        status = ctl_fail (COULD_NOT_RUN, "cannot write the document");
    if (self->found.incomplete)
        ctl_fail (0, "out of memory; not everything that was found is shown");
    return status;
}

int
ctl_doctor (ctl_t *self, int argc, char **argv)
{
    static const struct option options[]
        = { { "json", no_argument, NULL, 'j' },
            { "digest", required_argument, NULL, 'd' },
            { "help", no_argument, NULL, 'h' },
            { 0 } };
    ctl_doctor_t doctor = { .config_path = self->config_path,
                            .now = sh_clock_wall (sh_clock_system ()) / 1000 };
    bool json = false;
    int option;
    while ((option = getopt_long (argc, argv, "h", options, NULL)) != -1) {
        if (option == 'h') {
            ctl_usage_command (stdout, self->command);
            return 0;
        }
        if (option == 'j')
            json = true;
        else if (option == 'd' && doctor.digest_count < CTL_DIGESTS_MOST)
            doctor.digests[doctor.digest_count++] = optarg;
        else
            return ctl_misused (self);
    }
    if (optind != argc)
        return ctl_miscounted (self, argc, argv, 0);
    int status = s_run (&doctor, json);
    s_clear (&doctor);
    return status;
}
