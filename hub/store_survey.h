/* SPDX-License-Identifier: MPL-2.0 */
/*  What 'scanhubctl doctor' looks up in phpIPAM's database: what the account
    may do, what the server and its tables are like, and rows that speak of
    trouble.  A connection of its own; reads only, in short statements.
    Nothing is logged: errors are told by the survey's own text.  */

#ifndef HUB_STORE_SURVEY_H
#define HUB_STORE_SURVEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hub/config.h"
#include "lib/clock.h"
#include "lib/err.h"
#include "lib/walltime.h"

typedef struct hub_survey hub_survey_t;

/*  Connect as the hub does.  'config' and 'clock' are borrowed.  The hub's
    errors of the database, with a sentence.  */
sh_err_t hub_survey_open (hub_survey_t **out,
                          const hub_database_config_t *config,
                          const sh_clock_t *clock, sh_why_t *why)
    SH_MUST_CHECK;
void hub_survey_close (hub_survey_t **self_p);

/*  What went wrong last, for people.  */
const char *hub_survey_trouble (const hub_survey_t *self);

typedef struct
{
    char connected[320]; /* "connected to ..., server 10.11.6-MariaDB" */
    char cipher[64];     /* "": not encrypted */
    char account[160];   /* "'scanhub'@'localhost'", as GRANT takes it */
    bool read_only;      /* it takes no writes */
    int offset;          /* the session's seconds east of UTC */
    char zone[64];       /* what the server calls it */
} hub_survey_server_t;

sh_err_t hub_survey_server (hub_survey_t *self, hub_survey_server_t *out)
    SH_MUST_CHECK;

typedef struct
{
    char version[16];   /* "1.8.2"; "": it may not be read */
    char dbversion[16]; /* settings.dbversion; likewise */
    bool old_names;     /* dns_name: older than 1.3.2 */
    bool pool;          /* isPool is there and granted: 1.5.0 or later */
    bool maintenance;
} hub_survey_phpipam_t;

sh_err_t hub_survey_phpipam (hub_survey_t *self, hub_survey_phpipam_t *out)
    SH_MUST_CHECK;

/*  A right on some columns of a table, of those that the account lacks (or
    the columns are not there, which a server that grants by columns does not
    tell apart).  All borrowed for the time of the call.  */
typedef struct
{
    const char *table, *privilege;
    const char *columns; /* "id, name" */
    const char *what;    /* what it is for; NULL: the hub cannot do without */
} hub_survey_right_t;

/*  Try each right that the hub uses, by statements that do nothing.  'missing'
    is called for each that fails; '*tried' is how many were tried.  'events':
    also what phpIPAM's Events page takes.  */
sh_err_t hub_survey_rights (hub_survey_t *self, bool events,
                            void (*missing) (void *context,
                                             const hub_survey_right_t *right),
                            void *context, size_t *tried) SH_MUST_CHECK;

/*  The rights that the account has beyond those, as a list such as "DELETE on
    ipaddresses, SUPER on the server"; "" if there are none.  */
sh_err_t hub_survey_excess (hub_survey_t *self, char *out, size_t size)
    SH_MUST_CHECK;

/*  A column of ipaddresses that somebody added and that has to be given in each
    new row, which the hub cannot know; "" if there is none.  */
sh_err_t hub_survey_custom (hub_survey_t *self, char out[static 128])
    SH_MUST_CHECK;

typedef struct
{
    uint64_t rows;       /* looked at */
    bool whole;          /* those are all there are */
    uint64_t future;     /* of these, with a lastSeen after 'latest' */
    char example[64];    /* the address of one of those, as phpIPAM has it */
    char example_seen[20];
    char newest[20];     /* the newest lastSeen that is not; "" for none */
} hub_survey_seen_t;

/*  Walk over ipaddresses in pages by its primary key, for at most 'most' ms;
    'latest' is a text as sh_wall_latest makes it.  */
sh_err_t hub_survey_seen (hub_survey_t *self, const char *latest, int64_t most,
                          hub_survey_seen_t *out) SH_MUST_CHECK;

/*  A scan agent of phpIPAM, and how long it has been silent.  */
typedef struct
{
    uint64_t id;
    bool direct;     /* phpIPAM's own cron is this agent */
    bool known;      /* last_access is not NULL */
    int64_t silent;  /* seconds from last_access to 'now' */
    char last[20];   /* last_access */
    char cleaned[11]; /* the day when phpIPAM's clean-up script begins to
                         delete what it saw last */
} hub_survey_agent_t;

/*  All of them; 'now' is phpIPAM's wall clock.  */
sh_err_t hub_survey_agents (hub_survey_t *self, const char *now,
                            void (*each) (void *context,
                                          const hub_survey_agent_t *agent),
                            void *context) SH_MUST_CHECK;

#define HUB_SURVEY_SUBNETS 1000 /* rows that are read of a kind */

/*  Subnets with host check or discovery on that no scanner is to scan: without
    a scan agent, with one that is gone, or with phpIPAM's own (direct).  */
typedef struct
{
    uint64_t id;
    char network[64]; /* "10.0.0.0/24", or phpIPAM's own numbers */
    enum
    {
        HUB_SURVEY_NO_AGENT,
        HUB_SURVEY_AGENT_GONE,
        HUB_SURVEY_DIRECT
    } kind;
    uint64_t agent;
} hub_survey_subnet_t;

sh_err_t hub_survey_unscanned (hub_survey_t *self,
                               void (*each) (void *context,
                                             const hub_survey_subnet_t *one),
                               void *context) SH_MUST_CHECK;

/*  Subnets of scanners whose names phpIPAM would have put into PowerDNS;
    '*granted' says whether that may be read.  */
sh_err_t hub_survey_powerdns (hub_survey_t *self, bool *granted,
                              void (*each) (void *context,
                                            const hub_survey_subnet_t *one),
                              void *context) SH_MUST_CHECK;

#endif
