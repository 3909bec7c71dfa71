/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhubctl doctor: the database, and what the hub's account may do.  */

#include <stdlib.h>
#include <string.h>

#include "cli/doctor.h"
#include "lib/clock.h"

#define SEEN_MS 3000 /* for the walk over ipaddresses */
#define OLDEST 1004000 /* phpIPAM 1.4.0 */
#define NEWEST 1008002 /* the latest that was tested */
#define POOLS 1005000  /* the first with isPool */

/*  A look failed; true if so.  */
static bool
s_failed (ctl_doctor_t *self, sh_err_t rc)
{
    if (rc != SH_OK)
        sh_findings_warning (&self->found, "cannot be told: %s",
                             hub_survey_trouble (self->survey));
    return rc != SH_OK;
}

void
ctl_check_database (ctl_doctor_t *self)
{
    sh_why_t why = { "" };
    const hub_database_config_t *config = &self->config->database;
    if (!self->secrets) {
        sh_findings_warning (&self->found, "not looked at, for its password "
                                           "cannot be read (see above)");
        return;
    }
    sh_err_t rc = hub_survey_open (&self->survey, config, sh_clock_system (),
                                   &why);
    if (rc == SH_OK)
        rc = hub_survey_server (self->survey, &self->server);
    if (rc != SH_OK) {
        sh_findings_error (&self->found, "%s at %s as '%s': %s", config->name,
                           config->socket ? config->socket : config->host,
                           config->user,
                           *why.text ? why.text
                                     : hub_survey_trouble (self->survey));
        hub_survey_close (&self->survey);
    } else if (self->server.read_only)
        sh_findings_error (&self->found,
                           "%s, but that is read-only: name the server that "
                           "takes writes in database.host",
                           self->server.connected);
    else
        sh_findings_good (&self->found, "%s", self->server.connected);
}

void
ctl_check_tls (ctl_doctor_t *self)
{
    const hub_database_config_t *config = &self->config->database;
    bool here = config->socket || strcmp (config->host, "localhost") == 0
                || strncmp (config->host, "127.", 4) == 0
                || strcmp (config->host, "::1") == 0;
    if (*self->server.cipher && !here
        && config->tls != HUB_TLS_VERIFY_FULL)
        sh_findings_warning (&self->found,
                             "encrypted (%s), but the server's certificate is "
                             "not checked: set database.tls to verify-full",
                             self->server.cipher);
    else if (*self->server.cipher)
        sh_findings_good (&self->found, "encrypted, %s", self->server.cipher);
    else if (here)
        sh_findings_good (&self->found, "none, and it does not leave this "
                                        "machine");
    else
        sh_findings_warning (&self->found,
                             "the connection to %s is not encrypted, "
                             "everybody on the way reads along: set "
                             "database.tls to verify-full", config->host);
}

void
ctl_check_tables (ctl_doctor_t *self)
{
    hub_survey_phpipam_t *phpipam = &self->phpipam;
    if (s_failed (self, hub_survey_phpipam (self->survey, phpipam)))
        return;
    long version = ctl_version (phpipam->version);
    if (phpipam->old_names || (version > 0 && version < OLDEST))
        sh_findings_error (&self->found,
                           "phpIPAM %s is too old, the hub needs 1.4.0 or "
                           "later: upgrade it",
                           version ? phpipam->version : "before 1.3.2");
    else if (version > NEWEST)
        sh_findings_warning (&self->found,
                             "phpIPAM %s is newer than 1.8.2, the last that "
                             "was tested: look for a newer Scanhub",
                             phpipam->version);
    else if (version > 0)
        sh_findings_good (&self->found, "version %s (dbversion %s)",
                          phpipam->version, phpipam->dbversion);
    else
        sh_findings_good (&self->found,
                          phpipam->pool ? "1.5.0 or later, by its columns"
                                        : "of which version is not known");
    if (phpipam->maintenance)
        sh_findings_warning (&self->found,
                             "it is in maintenance mode: nothing is written "
                             "until that is switched off in phpIPAM");
}

static void
s_missing (void *context, const hub_survey_right_t *right)
{
    ctl_doctor_t *self = context;
    long version = ctl_version (self->phpipam.version);
    if (strcmp (right->columns, "isPool") == 0 && version > 0
        && version < POOLS)
        return; /* there is no such column */
    char grant[512];
    snprintf (grant, sizeof grant, "GRANT %s (%s) ON %s.%s TO %s;",
              right->privilege, right->columns, self->config->database.name,
              right->table, self->server.account);
    if (right->what)
        sh_findings_warning (&self->found, "missing, %s: %s", right->what,
                             grant);
    else
        sh_findings_error (&self->found,
                           "missing, or no such column in %s; as the "
                           "database's administrator: %s", right->table,
                           grant);
}

void
ctl_check_rights (ctl_doctor_t *self)
{
    size_t tried = 0, before = self->found.of_check;
    bool events = self->config->phpipam_log == HUB_LOG_EVENTS;
    sh_err_t rc = hub_survey_rights (self->survey, events, s_missing, self,
                                     &tried);
    if (!s_failed (self, rc) && self->found.of_check == before)
        sh_findings_good (&self->found, "%s has all %zu that the hub uses",
                          self->server.account, tried);
}

void
ctl_check_excess (ctl_doctor_t *self)
{
    char list[600];
    sh_err_t rc = hub_survey_excess (self->survey, list, sizeof list);
    if (s_failed (self, rc))
        return;
    if (*list)
        sh_findings_warning (&self->found,
                             "%s has more than the hub needs: %s; what the hub "
                             "may not do, nobody can do who gets hold of its "
                             "password. REVOKE them, and GRANT as in "
                             "scanhubd(8)", self->server.account, list);
    else
        sh_findings_good (&self->found, "%s has none that the hub does not "
                                        "use", self->server.account);
}

void
ctl_check_custom (ctl_doctor_t *self)
{
    char column[128];
    sh_err_t rc = hub_survey_custom (self->survey, column);
    if (s_failed (self, rc))
        return;
    if (*column)
        sh_findings_error (&self->found,
                           "ipaddresses.%s is NOT NULL and has no default, so "
                           "no new address can be written; for a text: ALTER "
                           "TABLE %s.ipaddresses ALTER COLUMN %s SET DEFAULT "
                           "'';", column, self->config->database.name,
                           column);
    else
        sh_findings_good (&self->found, "none that a new address would have "
                                        "to fill");
}

static bool
s_choose_zone (ctl_doctor_t *self)
{
    const char *name = self->config->timezone;
    sh_why_t why;
    if (strcmp (name, "auto") == 0)
        self->zone = sh_zone_guess (self->server.offset, self->now);
    else if (strcmp (name, "UTC") == 0)
        self->zone = SH_ZONE_UTC;
    else {
        self->zone = SH_ZONE_LOCAL;
        if (sh_zone_adopt (name, &why) != SH_OK) {
            sh_findings_error (&self->found, "%s", why.text);
            return false;
        }
    }
    return true;
}

/*  "+02:00".  */
static const char *
s_offset (char out[static 16], int seconds)
{
    int minutes = abs (seconds) / 60;
    snprintf (out, 16, "%c%02d:%02d", seconds < 0 ? '-' : '+',
              minutes / 60 % 100, minutes % 60);
    return out;
}

void
ctl_check_zones (ctl_doctor_t *self)
{
    char server[16], phpipam[16], here[16];
    sh_wall_t now, latest;
    int machine = sh_zone_offset (SH_ZONE_LOCAL, self->now);
    if (!s_choose_zone (self))
        return;
    int offset = sh_zone_offset (self->zone, self->now);
    s_offset (server, self->server.offset);
    s_offset (phpipam, offset);
    s_offset (here, machine);
    if (self->server.offset != offset)
        sh_findings_warning (
            &self->found,
            "the database is at %s (%s), phpIPAM's times are taken for %s "
            "(phpipam_timezone: %s), this machine is at %s: if phpIPAM's PHP "
            "has another zone, its dots are wrong by hours; set "
            "phpipam_timezone to date.timezone of its php.ini",
            server, self->server.zone, phpipam, self->config->timezone, here);
    else
        sh_findings_good (&self->found,
                          "database %s, phpIPAM %s, this machine %s", server,
                          phpipam, here);
    sh_wall_at (&now, self->zone, self->now);
    sh_wall_latest (&latest, self->zone, self->now + 60);
    if (hub_survey_seen (self->survey, latest.text, SEEN_MS, &self->seen)
        != SH_OK)
        return;
    self->has_seen = true;
    if (*self->seen.newest)
        sh_findings_good (&self->found,
                          "the newest lastSeen is %s, and it is %s in "
                          "phpIPAM's zone", self->seen.newest, now.text);
}
