/* SPDX-License-Identifier: MPL-2.0 */
/*  One connection to MariaDB or MySQL, and statements built from typed
    pieces, so that no text from outside can become SQL: literals are written
    by sql_text alone, which escapes and quotes.  Only the store uses it.  */

#ifndef HUB_SQL_H
#define HUB_SQL_H

#include <mysql.h>
#include <stdint.h>

#include "hub/config.h"
#include "lib/clock.h"
#include "lib/err.h"

typedef struct
{
    MYSQL *mysql; /* NULL: not connected */
    const hub_database_config_t *config; /* borrowed */
    const sh_clock_t *clock;
    int64_t next_attempt; /* mono ms: no connecting before */
    int failures;         /* in a row */
    char *statement;      /* the one being built; grows as needed */
    size_t size, room;
    bool broken; /* memory ran out or a literal could not be quoted */
    char connected[320]; /* what it is connected to, for people */
    char trouble[320];   /* the last error, for people */
} hub_sql_t;

sh_err_t hub_sql_init (hub_sql_t *self, const hub_database_config_t *config,
                       const sh_clock_t *clock) SH_MUST_CHECK;
void hub_sql_clear (hub_sql_t *self);

/*  Connect if there is no connection: utf8mb4, no auto-reconnect, time-outs,
    TLS as configured, strict mode, READ COMMITTED; the session's time zone is
    left untouched.  SH_E_DB_DOWN, SH_E_DB_RIGHTS, ...; after a failure the
    next attempts within a growing back-off fail at once.  */
sh_err_t hub_sql_connect (hub_sql_t *self, bool *fresh) SH_MUST_CHECK;
void hub_sql_disconnect (hub_sql_t *self);

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

/*  What a server or client error number means for us.  Pure.  */
sh_err_t hub_sql_error (unsigned number);

#define HUB_SQL_ERROR_TRUNCATED 1292 /* a time in the session's spring gap */

/*  Like run, but error 1292 is told by '*truncated' instead.  */
sh_err_t hub_sql_run_time (hub_sql_t *self, bool *truncated) SH_MUST_CHECK;

#endif
