/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/sql.h"

#include <assert.h>
#include <errmsg.h>
#include <mysqld_error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

#define STATEMENT_ROOM 4096
#define CONNECT_TIMEOUT_S 5
#define IO_TIMEOUT_S 10
#define BACKOFF_FIRST_MS 250
#define BACKOFF_MOST_MS 5000

/*  Class RETRY: repeat the transaction.  Some need a new connection, with a
    fresh look-up of the host's name, because the server at hand turned
    read-only or left its cluster.  */
static const struct
{
    unsigned number;
    sh_err_t err;
} s_errors[] = {
    { ER_LOCK_DEADLOCK, SH_E_DB_BUSY },     /* 1213 */
    { ER_LOCK_WAIT_TIMEOUT, SH_E_DB_BUSY }, /* 1205 */
    { 1020, SH_E_DB_BUSY }, /* record changed since last read */
    { ER_DUP_ENTRY, SH_E_HOST_UNIQUE }, /* 1062: another was first */
    { 1615, SH_E_DB_BUSY },         /* statement needs re-prepare */
    { 1412, SH_E_DB_BUSY },         /* table definition has changed */
    { 1467, SH_E_DB_BUSY },         /* auto-increment could not be read */
    { 1053, SH_E_DB_DOWN },         /* server shutdown in progress */
    { 1290, SH_E_DB_DOWN },         /* --read-only */
    { 1792, SH_E_DB_DOWN },         /* read-only transaction */
    { 1836, SH_E_DB_DOWN },         /* read-only mode */
    { 1927, SH_E_DB_DOWN },         /* connection was killed */
    { 1040, SH_E_DB_DOWN },         /* too many connections */
    { 1047, SH_E_DB_DOWN },         /* Galera: node not ready */
    { 1114, SH_E_DB_DOWN },         /* table is full */
    { 1021, SH_E_DB_DOWN },         /* disk full */
    { 1153, SH_E_DB },              /* max_allowed_packet is too small */
    { 1203, SH_E_DB_DOWN },         /* too many connections of this user */
    { 1226, SH_E_DB_DOWN },         /* user's resource limit */
    { CR_SERVER_GONE_ERROR, SH_E_DB_DOWN },  /* 2006 */
    { CR_SERVER_LOST, SH_E_DB_DOWN },        /* 2013 */
    { CR_CONNECTION_ERROR, SH_E_DB_DOWN },   /* 2002 */
    { CR_CONN_HOST_ERROR, SH_E_DB_DOWN },    /* 2003 */
    { CR_UNKNOWN_HOST, SH_E_DB_DOWN },       /* 2005 */
    { CR_SERVER_LOST_EXTENDED, SH_E_DB_DOWN }, /* 2055 */
    { 1045, SH_E_DB_RIGHTS }, /* access denied: user or password */
    { 1044, SH_E_DB_RIGHTS }, /* database */
    { 1142, SH_E_DB_RIGHTS }, /* table */
    { 1143, SH_E_DB_RIGHTS }, /* column */
    { 1049, SH_E_DB_SCHEMA }, /* no such database */
    { 1054, SH_E_DB_SCHEMA }, /* no such column */
    { 1146, SH_E_DB_SCHEMA }, /* no such table */
    { 1364, SH_E_HOST_COLUMN },
    { 1366, SH_E_HOST_TEXT },
    { 1406, SH_E_HOST_TEXT },
    { 3819, SH_E_HOST_COLUMN }, /* a CHECK constraint */
    { 4025, SH_E_HOST_COLUMN }, /* the same, MariaDB */
    { 1452, SH_E_HOST_COLUMN }, /* a foreign key */
};

sh_err_t
hub_sql_error (unsigned number)
{
    for (size_t i = 0; i < sizeof s_errors / sizeof *s_errors; i++)
        if (s_errors[i].number == number)
            return s_errors[i].err;
    return SH_E_DB;
}

sh_err_t
hub_sql_init (hub_sql_t *self, const hub_database_config_t *config,
              const sh_clock_t *clock)
{
    *self = (hub_sql_t){ .config = config, .clock = clock };
    self->statement = malloc (STATEMENT_ROOM);
    if (!self->statement)
        return SH_E_MEMORY;
    self->room = STATEMENT_ROOM;
    snprintf (self->trouble, sizeof self->trouble, "not connected yet");
    return SH_OK;
}

void
hub_sql_clear (hub_sql_t *self)
{
    hub_sql_disconnect (self);
    free (self->statement);
    self->statement = NULL;
}

void
hub_sql_disconnect (hub_sql_t *self)
{
    if (self->mysql)
        mysql_close (self->mysql);
    self->mysql = NULL;
}

static const char *
s_remedy (sh_err_t err, unsigned number)
{
    if (number == 2059 || number == 2058)
        return "the account's authentication plugin is not known here; for "
               "MySQL 8's caching_sha2_password give the account "
               "mysql_native_password or use TLS";
    if (number == 2026)
        return "TLS failed; see database.tls and database.tls_ca in "
               "scanhub.yaml(5)";
    if (number == 1045)
        return "check database.user and its password in the hub's "
               "configuration";
    if (number == 1153)
        return "raise the server's max_allowed_packet to 4 MiB or more";
    if (number == 1114 || number == 1021)
        return "the database server's disk is full";
    return sh_err_text (err);
}

/*  Log, remember for people, and drop a connection that is of no more use. */
static sh_err_t
s_failed (hub_sql_t *self, MYSQL *mysql, const char *doing)
{
    unsigned number = mysql_errno (mysql);
    sh_err_t err = hub_sql_error (number);
    if (number >= 2000 && number < 3000 && err == SH_E_DB)
        err = SH_E_DB_DOWN; /* the client library's own: no statement ran */
    snprintf (self->trouble, sizeof self->trouble, "error %u: %s (%s)",
              number, mysql_error (mysql), s_remedy (err, number));
    sh_log (err == SH_E_DB_BUSY ? SH_LOG_INFO : SH_LOG_ERROR,
            "database error", SH_STR ("while", doing),
            SH_INT ("number", number), SH_STR ("text", mysql_error (mysql)),
            SH_STR ("remedy", s_remedy (err, number)));
    return err;
}

static bool
s_set_tls (MYSQL *mysql, const hub_database_config_t *config)
{
    if (config->tls == HUB_TLS_OFF)
        return true;
    my_bool on = 1;
    my_bool verify = config->tls == HUB_TLS_VERIFY_FULL;
    bool enforce = config->tls != HUB_TLS_PREFERRED;
    /*  Without an explicit CA the connector would accept any certificate:
        verify-full falls back to the system's CAs.  */
    const char *ca = config->tls_ca;
    if (!ca && verify)
        ca = "/etc/ssl/certs/ca-certificates.crt";
    /*  Also what makes the connector ask for TLS at all.  */
    mysql_ssl_set (mysql, NULL, NULL, ca, NULL, NULL);
    return (!enforce || mysql_optionsv (mysql, MYSQL_OPT_SSL_ENFORCE, &on) == 0)
           && mysql_optionsv (mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify)
                  == 0;
}

static bool
s_set_options (MYSQL *mysql, const hub_database_config_t *config)
{
    unsigned connect = CONNECT_TIMEOUT_S, io = IO_TIMEOUT_S;
    my_bool off = 0;
    unsigned tcp = MYSQL_PROTOCOL_TCP;
    return mysql_optionsv (mysql, MYSQL_OPT_CONNECT_TIMEOUT, &connect) == 0
           && mysql_optionsv (mysql, MYSQL_OPT_READ_TIMEOUT, &io) == 0
           && mysql_optionsv (mysql, MYSQL_OPT_WRITE_TIMEOUT, &io) == 0
           && mysql_optionsv (mysql, MYSQL_OPT_RECONNECT, &off) == 0
           && mysql_optionsv (mysql, MYSQL_OPT_LOCAL_INFILE, &off) == 0
           && mysql_optionsv (mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4") == 0
           /*  A host of "localhost" with a port means TCP to people.  */
           && (config->socket
               || mysql_optionsv (mysql, MYSQL_OPT_PROTOCOL, &tcp) == 0)
           && s_set_tls (mysql, config);
}

/*  Strict mode, or MariaDB would cut and adjust values silently; the zero
    dates that old phpIPAM rows hold stay readable.  time_zone is not touched:
    TIMESTAMP columns are read and written in the zone phpIPAM uses.  */
static const char *const s_session[] = {
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET SESSION autocommit = 1",
    "SET SESSION innodb_lock_wait_timeout = 5, SESSION lock_wait_timeout = 5",
};

static sh_err_t
s_prepare (hub_sql_t *self, MYSQL *mysql)
{
    const hub_database_config_t *config = self->config;
    bool encrypted = mysql_get_ssl_cipher (mysql) != NULL;
    if (config->tls >= HUB_TLS_REQUIRED && !encrypted) {
        snprintf (self->trouble, sizeof self->trouble,
                  "the server did not encrypt the connection; see "
                  "database.tls in scanhub.yaml(5)");
        sh_log (SH_LOG_ERROR, "database connection is not encrypted",
                SH_STR ("remedy", self->trouble));
        return SH_E_DB_DOWN;
    }
    for (size_t i = 0; i < sizeof s_session / sizeof *s_session; i++)
        if (mysql_query (mysql, s_session[i]))
            return s_failed (self, mysql, "setting up the session");
    snprintf (self->connected, sizeof self->connected,
              "connected to %s, server %s%s", mysql_get_host_info (mysql),
              mysql_get_server_info (mysql), encrypted ? ", TLS" : "");
    return SH_OK;
}

static void
s_back_off (hub_sql_t *self)
{
    int64_t wait = BACKOFF_FIRST_MS;
    for (int i = 0; i < self->failures && wait < BACKOFF_MOST_MS; i++)
        wait *= 2;
    if (wait > BACKOFF_MOST_MS)
        wait = BACKOFF_MOST_MS;
    self->failures++;
    self->next_attempt = sh_clock_mono (self->clock) + wait;
}

sh_err_t
hub_sql_connect (hub_sql_t *self, bool *fresh)
{
    *fresh = false;
    if (self->mysql)
        return SH_OK;
    if (self->failures && sh_clock_mono (self->clock) < self->next_attempt)
        return SH_E_DB_DOWN;

    const hub_database_config_t *config = self->config;
    MYSQL *mysql = mysql_init (NULL);
    if (!mysql)
        return SH_E_MEMORY;
    sh_err_t rc = SH_OK;
    if (!s_set_options (mysql, config))
        rc = s_failed (self, mysql, "setting connection options");
    else if (!mysql_real_connect (
                 mysql, config->socket ? NULL : config->host, config->user,
                 config->password, config->name,
                 config->socket ? 0 : config->port, config->socket, 0))
        rc = s_failed (self, mysql, "connecting");
    else
        rc = s_prepare (self, mysql);

    if (rc != SH_OK) {
        mysql_close (mysql);
        s_back_off (self);
        return rc;
    }
    self->mysql = mysql;
    self->failures = 0;
    *fresh = true;
    return SH_OK;
}

static char *
s_room (hub_sql_t *self, size_t more)
{
    if (self->room - self->size < more + 1) {
        size_t room = self->room;
        while (room - self->size < more + 1)
            room *= 2;
        char *grown = realloc (self->statement, room);
        if (!grown) {
            self->broken = true;
            return NULL;
        }
        self->statement = grown;
        self->room = room;
    }
    return self->statement + self->size;
}

void
hub_sql_add (hub_sql_t *self, const char *sql)
{
    size_t size = strlen (sql);
    char *at = s_room (self, size);
    if (at) {
        memcpy (at, sql, size + 1);
        self->size += size;
    }
}

void
hub_sql_start (hub_sql_t *self, const char *sql)
{
    self->size = 0;
    self->broken = false;
    hub_sql_add (self, sql);
}

void
hub_sql_number (hub_sql_t *self, uint64_t number)
{
    char text[24];
    snprintf (text, sizeof text, "%llu", (unsigned long long) number);
    hub_sql_add (self, text);
}

void
hub_sql_text (hub_sql_t *self, const char *text)
{
    if (!text) {
        hub_sql_add (self, "NULL");
        return;
    }
    size_t size = strlen (text);
    char *at = s_room (self, 2 * size + 3);
    if (!at || !self->mysql) {
        self->broken = true;
        return;
    }
    *at = '\'';
    unsigned long written
        = mysql_real_escape_string (self->mysql, at + 1, text, size);
    if (written == (unsigned long) -1) {
        self->broken = true;
        return;
    }
    at[1 + written] = '\'';
    at[2 + written] = 0;
    self->size += written + 2;
}

/*  Send the statement; '*number' is the server's error number, or 0.  */
static sh_err_t
s_send (hub_sql_t *self, unsigned tolerated, unsigned *number)
{
    *number = 0;
    if (!self->mysql)
        return SH_E_DB_DOWN;
    if (self->broken)
        return SH_E_MEMORY;
    if (mysql_real_query (self->mysql, self->statement, self->size) == 0)
        return SH_OK;
    *number = mysql_errno (self->mysql);
    if (*number == tolerated)
        return SH_OK;
    char doing[48];
    snprintf (doing, sizeof doing, "%.40s", self->statement);
    sh_err_t rc = s_failed (self, self->mysql, doing);
    if (rc == SH_E_DB_DOWN)
        hub_sql_disconnect (self);
    return rc;
}

sh_err_t
hub_sql_run (hub_sql_t *self)
{
    unsigned number;
    return s_send (self, 0, &number);
}

sh_err_t
hub_sql_run_time (hub_sql_t *self, bool *truncated)
{
    unsigned number;
    sh_err_t rc = s_send (self, HUB_SQL_ERROR_TRUNCATED, &number);
    *truncated = number == HUB_SQL_ERROR_TRUNCATED;
    return rc;
}

sh_err_t
hub_sql_query (hub_sql_t *self, MYSQL_RES **out)
{
    sh_err_t rc = hub_sql_run (self);
    if (rc != SH_OK)
        return rc;
    MYSQL_RES *result = mysql_store_result (self->mysql);
    if (!result) {
        rc = s_failed (self, self->mysql, "reading a result");
        if (rc == SH_E_DB_DOWN)
            hub_sql_disconnect (self);
        return rc;
    }
    *out = result;
    return SH_OK;
}
