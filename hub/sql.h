/* SPDX-License-Identifier: MPL-2.0 */
/*  One connection to MariaDB or MySQL, and statements built from typed
    pieces, so that no text from outside can become SQL: literals are written
    by sql_text alone, which escapes and quotes.  Only the store uses it.  */

#ifndef HUB_SQL_H
#define HUB_SQL_H

#include <mysql.h>
#include <stdint.h>

#include "hub/config.h"
#include "hub/pulse.h"
#include "hub/sql_error.h"
#include "lib/clock.h"
#include "lib/err.h"

typedef struct
{
    MYSQL *mysql; /* NULL: not connected */
    const hub_database_config_t *config; /* borrowed */
    const sh_clock_t *clock;
    hub_beat_t *beat; /* borrowed, may be NULL: told of every call */
    int64_t next_attempt; /* mono ms: no connecting before */
    int failures;         /* in a row */
    sh_err_t failed_with; /* the last of them */
    bool doubt; /* a statement met what is not there, or not granted */
    char *statement;      /* the one being built; grows as needed */
    size_t size, room;
    bool broken; /* memory ran out or a literal could not be quoted */
    char connected[320]; /* what it is connected to, for people */
    char trouble[320];   /* the last error, for people; "" when it is over */
} hub_sql_t;

sh_err_t hub_sql_init (hub_sql_t *self, const hub_database_config_t *config,
                       const sh_clock_t *clock) SH_MUST_CHECK;
void hub_sql_clear (hub_sql_t *self);

/*  Connect if there is no connection, with a look-up of the host's name:
    utf8mb4, no auto-reconnect, time-outs, TLS as configured, strict mode, READ
    COMMITTED; the session's time zone is left untouched.  SH_E_DB_DOWN,
    SH_E_DB_RIGHTS, ...; after a failure the next attempts within a growing
    back-off fail at once with the same error.  */
sh_err_t hub_sql_connect (hub_sql_t *self, bool *fresh) SH_MUST_CHECK;
void hub_sql_disconnect (hub_sql_t *self);

/*  Leave a server that answers but cannot be used, for the reason given, and
    not come back at once.  Returns SH_E_DB_DOWN.  */
sh_err_t hub_sql_leave (hub_sql_t *self, const char *because);

/*  Build a statement: begin with the first piece of our own SQL, add pieces,
    numbers and quoted literals.  */
void hub_sql_start (hub_sql_t *self, const char *sql);
void hub_sql_add (hub_sql_t *self, const char *sql);
void hub_sql_number (hub_sql_t *self, uint64_t number);
void hub_sql_text (hub_sql_t *self, const char *text);         /* NULL: NULL */

/*  Send it.  'out' is the stored result set, or NULL for statements without
    one.  Errors are logged here, mapped by hub_sql_error.  */
sh_err_t hub_sql_run (hub_sql_t *self) SH_MUST_CHECK;
sh_err_t hub_sql_query (hub_sql_t *self, MYSQL_RES **out) SH_MUST_CHECK;

/*  A query whose result nobody wants: '*there' says whether its tables and
    columns are there and granted.  */
sh_err_t hub_sql_probe (hub_sql_t *self, bool *there) SH_MUST_CHECK;

/*  Like run, but error 1292 is told by '*truncated' instead.  */
sh_err_t hub_sql_run_time (hub_sql_t *self, bool *truncated) SH_MUST_CHECK;

#endif
