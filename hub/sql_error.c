/* SPDX-License-Identifier: MPL-2.0 */
/*  Most were met with real servers in tests/integration, the rest are known by
    their number alone; scanhubd(8) says what then happens.  */

#include "hub/sql_error.h"

#include <stddef.h>

#define FULL "free room on the database server's disk"
#define READ_ONLY                                                              \
    "the server is read-only: is it a replica, or has another one taken over? " \
    "the host's name is looked up anew"
#define CONNECTIONS                                                            \
    "raise max_connections, or the limits of the hub's account; the hub needs " \
    "one connection more than it has workers"

/*  BUSY: repeat the transaction.  DOWN: the same on a new connection, for
    which the host's name is looked up afresh, because the server at hand is
    gone, turned read-only or left its cluster.  RIGHTS and SCHEMA: an
    administrator has to act; scanners keep their reports until then.  HOST_*:
    only the rows that the table does not take are refused.  Any number that is
    not here is SH_E_DB, or DOWN if it is the client library's.  */
static const struct
{
    unsigned number;
    sh_err_t err;
    const char *remedy;
} s_errors[] = {
    { 1213, SH_E_DB_BUSY, NULL },         /* deadlock */
    { 1205, SH_E_DB_BUSY, /* lock wait time-out: a row's or a table's */
      "a lock was held for too long; SHOW FULL PROCESSLIST and, for rows, "
      "information_schema.innodb_trx show by whom" },
    { 1020, SH_E_DB_BUSY, NULL }, /* record changed since last read */
    { 1180, SH_E_DB_BUSY, NULL }, /* error during COMMIT: Galera */
    { 1206, SH_E_DB_BUSY, NULL },         /* lock table is full */
    { 1317, SH_E_DB_BUSY, NULL },         /* KILL QUERY */
    { 1412, SH_E_DB_BUSY, NULL },         /* table definition has changed */
    { 1467, SH_E_DB_BUSY, NULL },         /* auto-increment not readable */
    { 1615, SH_E_DB_BUSY, NULL },         /* statement needs re-prepare */
    { 1969, SH_E_DB_BUSY, NULL },         /* max_statement_time */
    { 3024, SH_E_DB_BUSY, NULL },         /* the same, MySQL */

    { 3, SH_E_DB_DOWN, FULL },            /* error writing file */
    { 1021, SH_E_DB_DOWN, FULL },         /* disk full */
    { 1026, SH_E_DB_DOWN, FULL },         /* error writing file */
    { 1030, SH_E_DB_DOWN, "see the database server's log" }, /* engine */
    { 1037, SH_E_DB_DOWN, "the database server is out of memory" },
    { 1038, SH_E_DB_DOWN, "the database server is out of memory" },
    { 1040, SH_E_DB_DOWN, CONNECTIONS },  /* max_connections */
    { 1041, SH_E_DB_DOWN, "the database server is out of memory" },
    { 1047, SH_E_DB_DOWN, "the Galera node is not in its cluster; the host's "
                          "name is looked up anew" },
    { 1053, SH_E_DB_DOWN, "the server is shutting down" },
    { 1114, SH_E_DB_DOWN, FULL },         /* table is full */
    { 1129, SH_E_DB_DOWN, "run 'mariadb-admin flush-hosts' on the server" },
    { 1135, SH_E_DB_DOWN, CONNECTIONS },  /* no thread */
    { 1158, SH_E_DB_DOWN, NULL },         /* network, as the server sees it */
    { 1159, SH_E_DB_DOWN, NULL },
    { 1160, SH_E_DB_DOWN, NULL },
    { 1161, SH_E_DB_DOWN, NULL },
    { 1203, SH_E_DB_DOWN, CONNECTIONS },  /* max_user_connections */
    { 1226, SH_E_DB_DOWN, CONNECTIONS },  /* the account's own */
    { 1290, SH_E_DB_DOWN, READ_ONLY },    /* --read-only */
    { 1792, SH_E_DB_DOWN, READ_ONLY },    /* read-only transaction */
    { 1836, SH_E_DB_DOWN, READ_ONLY },    /* read-only mode */
    { 1927, SH_E_DB_DOWN, NULL },         /* KILL */
    { 4031, SH_E_DB_DOWN, NULL },         /* MySQL: idle for too long */
    { 2002, SH_E_DB_DOWN, NULL },         /* socket: nobody there */
    { 2003, SH_E_DB_DOWN, NULL },         /* host: nobody there */
    { 2005, SH_E_DB_DOWN, "check database.host" }, /* unknown host */
    { 2006, SH_E_DB_DOWN, NULL },         /* server has gone away */
    { 2013, SH_E_DB_DOWN, NULL },         /* lost, or the time-out */
    { 2026, SH_E_DB_DOWN, "TLS failed; see database.tls and database.tls_ca in "
                          "scanhub.yaml(5)" },
    { 2055, SH_E_DB_DOWN, NULL },         /* lost, with a reason */
    { 2058, SH_E_DB_DOWN,
      "the account's authentication plugin is not known here; for MySQL 8's "
      "caching_sha2_password give the account mysql_native_password or use "
      "TLS" },
    { 2059, SH_E_DB_DOWN,
      "the account's authentication plugin is not known here; for MySQL 8's "
      "caching_sha2_password give the account mysql_native_password or use "
      "TLS" },

    { 1044, SH_E_DB_RIGHTS, NULL }, /* database */
    { 1045, SH_E_DB_RIGHTS,
      "check database.user and its password in the hub's configuration" },
    { 1130, SH_E_DB_RIGHTS,
      "the account must be allowed from the hub's address" },
    { 1142, SH_E_DB_RIGHTS, NULL }, /* table */
    { 1143, SH_E_DB_RIGHTS, NULL }, /* column */
    { 1370, SH_E_DB_RIGHTS, NULL }, /* routine: a trigger's */
    { 1698, SH_E_DB_RIGHTS,
      "check database.user and its password in the hub's configuration" },
    { 1820, SH_E_DB_RIGHTS, "the account's password has expired" },
    { 1862, SH_E_DB_RIGHTS, "the account's password has expired" },
    { 3118, SH_E_DB_RIGHTS, "the account is locked" }, /* MySQL */
    { 4151, SH_E_DB_RIGHTS, "the account is locked" },

    { 1049, SH_E_DB_SCHEMA, "check database.name" },
    { 1054, SH_E_DB_SCHEMA, NULL }, /* no such column */
    { 1146, SH_E_DB_SCHEMA, NULL }, /* no such table */
    { 1932, SH_E_DB_SCHEMA, NULL }, /* table is not in the engine */

    { 1062, SH_E_HOST_UNIQUE, NULL }, /* another was first */
    { 1364, SH_E_HOST_COLUMN, NULL }, /* NOT NULL without a default */
    { 1366, SH_E_HOST_TEXT, NULL },   /* not in the column's charset */
    { 1406, SH_E_HOST_TEXT, NULL },   /* too long */
    { 1452, SH_E_HOST_COLUMN, NULL }, /* a foreign key */
    { 3819, SH_E_HOST_COLUMN, NULL }, /* a CHECK constraint, MySQL */
    { 4025, SH_E_HOST_COLUMN, NULL }, /* the same, MariaDB */

    { 1153, SH_E_DB, "raise the server's max_allowed_packet to 4 MiB or more" },
};

sh_err_t
hub_sql_error (unsigned number)
{
    for (size_t i = 0; i < sizeof s_errors / sizeof *s_errors; i++)
        if (s_errors[i].number == number)
            return s_errors[i].err;
    /*  The client library's own: no statement ran.  */
    return number >= 2000 && number < 3000 ? SH_E_DB_DOWN : SH_E_DB;
}

const char *
hub_sql_remedy (unsigned number)
{
    for (size_t i = 0; i < sizeof s_errors / sizeof *s_errors; i++)
        if (s_errors[i].number == number)
            return s_errors[i].remedy;
    return NULL;
}
