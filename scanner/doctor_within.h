/* SPDX-License-Identifier: MPL-2.0 */
/*  What the checks of 'scanhub-scanner doctor' share.  Each looks at one thing
    and says what it found; doctor.c has the table of them.  */

#ifndef SC_DOCTOR_WITHIN_H
#define SC_DOCTOR_WITHIN_H

#include "lib/findings.h"
#include "lib/keyfile.h"
#include "scanner/config.h"
#include "scanner/doctor.h"
#include "scanner/facts.h"
#include "scanner/links.h"

typedef struct
{
    const sc_doctor_options_t *options;
    sc_config_t *config; /* NULL: it cannot be read */
    bool denied;         /* because we may not */
    sh_findings_t found;
    sh_keyfile_t *key; /* NULL: none that can be used */
    bool admitted;     /* some hub lets the key in */
    bool running;      /* the service runs */
    bool busy;         /* some program has the spool open */
    sc_facts_t facts;
    bool has_facts; /* those of a hub that we know of */
    sc_links_t links;
} sc_doctor_t;

typedef void (sc_check_fn) (sc_doctor_t *self);

sc_check_fn sc_check_config, sc_check_key, sc_check_old_agent;
sc_check_fn sc_check_service, sc_check_spool, sc_check_hubs,
    sc_check_assignments, sc_check_clock;
sc_check_fn sc_check_rights, sc_check_links, sc_check_ways, sc_check_names;

#endif
