/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/sql.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

#define STATEMENT_ROOM 4096
#define CONNECT_TIMEOUT_S 5
#define IO_TIMEOUT_S 10
/*  What a call may take in all before the thread counts as stuck.  The time-out
    above is one of each read, and looking up a name has none of ours.  */
#define CALL_MS 60000
#define BACKOFF_FIRST_MS 250
#define BACKOFF_MOST_MS 5000

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

/*  Log, remember for people, and tell what it means.  */
static sh_err_t
s_failed (hub_sql_t *self, MYSQL *mysql, const char *doing)
{
    unsigned number = mysql_errno (mysql);
    sh_err_t err = hub_sql_error (number);
    const char *remedy = hub_sql_remedy (number);
    if (!remedy)
        remedy = sh_err_text (err);
    snprintf (self->trouble, sizeof self->trouble, "error %u: %s (%s)",
              number, mysql_error (mysql), remedy);
    sh_log (err == SH_E_DB_BUSY ? SH_LOG_INFO : SH_LOG_ERROR,
            "database error", SH_STR ("while", doing),
            SH_INT ("number", number), SH_STR ("text", mysql_error (mysql)),
            SH_STR ("remedy", remedy));
    if (err == SH_E_DB_SCHEMA || err == SH_E_DB_RIGHTS)
        self->doubt = true;
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
s_back_off (hub_sql_t *self, sh_err_t rc)
{
    int64_t wait = BACKOFF_FIRST_MS;
    for (int i = 0; i < self->failures && wait < BACKOFF_MOST_MS; i++)
        wait *= 2;
    if (wait > BACKOFF_MOST_MS)
        wait = BACKOFF_MOST_MS;
    self->failures++;
    self->failed_with = rc;
    self->next_attempt = sh_clock_mono (self->clock) + wait;
}

static sh_err_t
s_open (hub_sql_t *self, MYSQL *mysql)
{
    const hub_database_config_t *config = self->config;
    sh_err_t rc = SH_OK;
    hub_beat_call (self->beat, CALL_MS);
    if (!s_set_options (mysql, config))
        rc = s_failed (self, mysql, "setting connection options");
    else if (!mysql_real_connect (
                 mysql, config->socket ? NULL : config->host, config->user,
                 config->password, config->name,
                 config->socket ? 0 : config->port, config->socket, 0))
        rc = s_failed (self, mysql, "connecting");
    else
        rc = s_prepare (self, mysql);
    hub_beat_work (self->beat);
    return rc;
}

sh_err_t
hub_sql_connect (hub_sql_t *self, bool *fresh)
{
    *fresh = false;
    if (self->mysql)
        return SH_OK;
    if (self->failures && sh_clock_mono (self->clock) < self->next_attempt)
        return self->failed_with;

    MYSQL *mysql = mysql_init (NULL);
    if (!mysql)
        return SH_E_MEMORY;
    sh_err_t rc = s_open (self, mysql);
    if (rc != SH_OK) {
        mysql_close (mysql);
        s_back_off (self, rc);
        return rc;
    }
    self->mysql = mysql;
    self->failures = 0;
    self->trouble[0] = 0;
    *fresh = true;
    return SH_OK;
}

sh_err_t
hub_sql_leave (hub_sql_t *self, const char *because)
{
    snprintf (self->trouble, sizeof self->trouble, "%s", because);
    sh_log (SH_LOG_ERROR, "the database server cannot be used",
            SH_STR ("because", because), SH_STR ("server", self->connected));
    hub_sql_disconnect (self);
    s_back_off (self, SH_E_DB_DOWN);
    return SH_E_DB_DOWN;
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
    size_t at = sizeof text - 1;
    text[at] = '\0';
    do
        text[--at] = (char) ('0' + number % 10);
    while (number /= 10);
    hub_sql_add (self, &text[at]);
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

/*  The statement failed.  */
static sh_err_t
s_refused (hub_sql_t *self)
{
    char doing[48];
    snprintf (doing, sizeof doing, "%.40s", self->statement);
    sh_err_t rc = s_failed (self, self->mysql, doing);
    if (rc == SH_E_DB_DOWN)
        hub_sql_disconnect (self);
    return rc;
}

/*  Send the statement and wait for the first of the answer.  */
static int
s_call (hub_sql_t *self)
{
    hub_beat_call (self->beat, CALL_MS);
    int rc = mysql_real_query (self->mysql, self->statement, self->size);
    hub_beat_work (self->beat);
    return rc;
}

/*  All of the answer's rows; NULL on an error.  */
static MYSQL_RES *
s_take_rows (hub_sql_t *self)
{
    hub_beat_call (self->beat, CALL_MS);
    MYSQL_RES *result = mysql_store_result (self->mysql);
    hub_beat_work (self->beat);
    return result;
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
    if (s_call (self) == 0)
        return SH_OK;
    *number = mysql_errno (self->mysql);
    return *number == tolerated ? SH_OK : s_refused (self);
}

sh_err_t
hub_sql_probe (hub_sql_t *self, bool *there)
{
    *there = false;
    if (!self->mysql)
        return SH_E_DB_DOWN;
    if (self->broken)
        return SH_E_MEMORY;
    if (s_call (self) == 0) {
        MYSQL_RES *result = s_take_rows (self);
        if (!result)
            return s_refused (self);
        mysql_free_result (result);
        *there = true;
        return SH_OK;
    }
    sh_err_t rc = hub_sql_error (mysql_errno (self->mysql));
    return rc == SH_E_DB_SCHEMA || rc == SH_E_DB_RIGHTS ? SH_OK
                                                        : s_refused (self);
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
    MYSQL_RES *result = s_take_rows (self);
    if (!result) {
        rc = s_failed (self, self->mysql, "reading a result");
        if (rc == SH_E_DB_DOWN)
            hub_sql_disconnect (self);
        return rc;
    }
    *out = result;
    return SH_OK;
}
