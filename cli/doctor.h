/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhubctl doctor: what its checks share.  Each check is a function that
    looks at one thing and says what it found; doctor.c has the table of them,
    in the order in which they build on each other.  What an earlier one could
    not get (the configuration, the database) later ones do without.  */

#ifndef CTL_DOCTOR_H
#define CTL_DOCTOR_H

#include <jansson.h>

#include "cli/roster.h"
#include "hub/assignments.h"
#include "hub/config.h"
#include "hub/store_survey.h"
#include "lib/findings.h"

typedef enum
{
    CTL_HUB_UNKNOWN, /* we may not ask it */
    CTL_HUB_DOWN,
    CTL_HUB_UP
} ctl_hub_state_t;

#define CTL_DIGESTS_MOST 16

typedef struct
{
    const char *config_path;
    hub_config_t *config; /* NULL: it cannot be read */
    bool denied;          /* because we may not */
    bool secrets;         /* it was read with passwords and tokens */
    sh_findings_t found;
    char public_key[SH_KEY_TEXT]; /* the hub's; "" unknown */
    ctl_hub_state_t hub;
    long pid;       /* of the hub that runs; 0 unknown */
    json_t *status; /* what it says about itself, or NULL */
    json_t *scanners; /* and about each of its scanners, or NULL */
    ctl_roster_t roster;
    bool has_roster;
    hub_survey_t *survey; /* NULL: there is no database to look at */
    hub_survey_server_t server;
    hub_survey_phpipam_t phpipam;
    hub_survey_seen_t seen;
    bool has_seen;
    hub_assignments_t *all; /* what phpIPAM assigns, or NULL */
    sh_zone_t zone;         /* phpIPAM's, as the hub takes it */
    int64_t now;            /* epoch seconds */
    const char *digests[CTL_DIGESTS_MOST]; /* of other hubs' registries */
    size_t digest_count;
} ctl_doctor_t;

typedef void (ctl_check_fn) (ctl_doctor_t *self);

/*  Files.  */
ctl_check_fn ctl_check_config, ctl_check_key, ctl_check_registry,
    ctl_check_state;
/*  The hub that runs, and its doors.  */
ctl_check_fn ctl_check_hub, ctl_check_ports, ctl_check_zap, ctl_check_limits,
    ctl_check_old_server;
/*  What it says about others.  */
ctl_check_fn ctl_check_scanners, ctl_check_clocks, ctl_check_held,
    ctl_check_digests;
/*  The database.  */
ctl_check_fn ctl_check_database, ctl_check_tls, ctl_check_tables,
    ctl_check_rights, ctl_check_excess, ctl_check_custom, ctl_check_zones;
/*  What phpIPAM says.  */
ctl_check_fn ctl_check_agents, ctl_check_subnets, ctl_check_unscanned,
    ctl_check_silent, ctl_check_future, ctl_check_powerdns;

/*  A document that the running hub answers a request with, or NULL.  */
json_t *ctl_doctor_ask (const ctl_doctor_t *self, const char *request);

/*  "1.8.2" or "scanhub-scanner 0.2.0" as a number to compare: 1008002; 0: it
    says none.  */
long ctl_version (const char *text);

#define CTL_NAMES_SHOWN 5

/*  A list for a sentence: the first few, and how many more there are.  All
    zeros is an empty one.  */
typedef struct
{
    char text[600];
    size_t used, count, shown;
} ctl_names_t;

void ctl_names_add (ctl_names_t *self, const char *format, ...)
    SH_PRINTF (2, 3);
/*  "a, b and 3 more"; valid until the next add.  */
const char *ctl_names_text (ctl_names_t *self);

#endif
