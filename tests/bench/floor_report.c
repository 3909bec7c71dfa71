/* SPDX-License-Identifier: MPL-2.0 */

#include "tests/bench/floor_report.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/*  The widest statement has some 250 bytes for each of 254 new rows.  */
#define TEXT_ROOM (128 * 1024)
/*  10.0.0.0: subnet n is the n-th /24 from here on.  */
#define BASE UINT32_C (0x0a000000)
#define NOW_TEXT 20

/*  The hub's sessions have these.  */
static const char *const s_session[] = {
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET SESSION autocommit = 1",
    "SET SESSION innodb_lock_wait_timeout = 5, SESSION lock_wait_timeout = 5",
};

bool
floor_report_init (floor_report_t *self, const floor_options_t *options)
{
    *self = (floor_report_t){ .options = options };
    self->text = malloc (TEXT_ROOM);
    self->mysql = mysql_init (NULL);
    if (!self->text || !self->mysql) {
        fputs ("floor: out of memory\n", stderr);
        return false;
    }
    mysql_optionsv (self->mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    bool good = mysql_real_connect (self->mysql, NULL, options->user,
                                    options->password, options->database, 0,
                                    options->socket, 0);
    for (size_t i = 0; good && i < sizeof s_session / sizeof *s_session; i++)
        good = mysql_query (self->mysql, s_session[i]) == 0;
    if (!good)
        fprintf (stderr, "floor: %s\n", mysql_error (self->mysql));
    return good;
}

void
floor_report_clear (floor_report_t *self)
{
    if (self->mysql)
        mysql_close (self->mysql);
    free (self->text);
    *self = (floor_report_t){ 0 };
}

static void
s_add (floor_report_t *self, const char *text)
{
    size_t size = strlen (text);
    assert (self->size + size < TEXT_ROOM);
    memcpy (self->text + self->size, text, size);
    self->size += size;
}

static void
s_start (floor_report_t *self, const char *text)
{
    self->size = 0;
    s_add (self, text);
}

static void
s_number (floor_report_t *self, uint64_t number)
{
    char digits[24], *at = digits + sizeof digits;
    *--at = 0;
    do
        *--at = (char) ('0' + number % 10);
    while (number /= 10);
    s_add (self, at);
}

static unsigned
s_run (floor_report_t *self)
{
    return mysql_real_query (self->mysql, self->text, self->size)
               ? mysql_errno (self->mysql)
               : 0;
}

static unsigned
s_query (floor_report_t *self, MYSQL_RES **result)
{
    unsigned number = s_run (self);
    if (number)
        return number;
    *result = mysql_store_result (self->mysql);
    return *result ? 0 : mysql_errno (self->mysql);
}

/*  A result that nobody looks at has to come over the wire all the same.  */
static unsigned
s_query_row (floor_report_t *self)
{
    MYSQL_RES *result = NULL;
    unsigned number = s_query (self, &result);
    mysql_free_result (result);
    return number;
}

static unsigned
s_read_agent (floor_report_t *self, uint64_t subnet)
{
    char code[40];
    snprintf (code, sizeof code, "Agent%027u",
              (unsigned) (subnet % self->options->agents));
    s_start (self,
             "SELECT a.id, a.name, a.code, a.type, a.last_access, "
             "(SELECT updateTags FROM settings WHERE id = 1), "
             "(SELECT GROUP_CONCAT(id) FROM ipTags WHERE updateTag = 1), "
             "TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), NOW()), "
             "@@global.read_only, "
             "(SELECT maintaneanceMode FROM settings WHERE id = 1) "
             "FROM (SELECT 1 AS one) o "
             "LEFT JOIN scanAgents a ON a.code IN ('");
    s_add (self, code);
    s_add (self, "')");
    return s_query_row (self);
}

static unsigned
s_lock_subnet (floor_report_t *self, uint64_t subnet)
{
    s_start (self,
             "SELECT s.id, s.subnet, s.mask, s.scanAgent, s.isFolder, "
             "s.pingSubnet, s.discoverSubnet, s.isPool, s.lastScan, "
             "s.lastDiscovery, EXISTS (SELECT 1 FROM subnets c "
             "WHERE c.masterSubnetId = s.id) FROM subnets s "
             "FORCE INDEX (PRIMARY) WHERE s.id IN (");
    s_number (self, subnet);
    s_add (self, ") ORDER BY s.id");
    s_add (self, self->options->mode == FLOOR_READ ? "" : " FOR UPDATE");
    return s_query_row (self);
}

static void
s_add_address (floor_report_t *self, uint64_t subnet, unsigned host)
{
    s_add (self, "'");
    s_number (self, BASE + 256 * subnet + host);
    s_add (self, "'");
}

static unsigned
s_read_rows (floor_report_t *self, uint64_t subnet, MYSQL_RES **result)
{
    const floor_options_t *options = self->options;
    s_start (self, "SELECT id, ip_addr, excludePing, description, state, "
                   "lastSeen, hostname, mac FROM ipaddresses "
                   "WHERE subnetId = ");
    s_number (self, subnet);
    s_add (self, " AND ip_addr >= ");
    s_add_address (self, subnet, options->first);
    s_add (self, " AND ip_addr <= ");
    s_add_address (self, subnet, options->last);
    return s_query (self, result);
}

static void
s_time (char out[static NOW_TEXT], int ahead)
{
    time_t now = time (NULL) + ahead;
    struct tm parts;
    strftime (out, NOW_TEXT, "%Y-%m-%d %H:%M:%S", gmtime_r (&now, &parts));
}

/*  "UPDATE ... AND (", but for the ids.  */
static void
s_start_seen (floor_report_t *self, uint64_t subnet, const char *now)
{
    char limit[NOW_TEXT];
    s_time (limit, 60);
    s_start (self, "UPDATE ipaddresses FORCE INDEX (PRIMARY) "
                   "SET lastSeen = GREATEST(IF(lastSeen <= '");
    s_add (self, limit);
    s_add (self, "', lastSeen, '1970-01-01 00:00:00'), '");
    s_add (self, now);
    s_add (self, "'), editDate = editDate WHERE subnetId = ");
    s_number (self, subnet);
    s_add (self, " AND COALESCE(excludePing, '0') <> '1' AND (");
}

/*  Rows whose ids follow each other are named by their ends.  */
static unsigned
s_update_seen (floor_report_t *self, uint64_t subnet, const char *now,
               MYSQL_RES *rows)
{
    uint64_t first = UINT64_MAX, last = 0;
    MYSQL_ROW row;
    while ((row = mysql_fetch_row (rows))) {
        uint64_t id = strtoull (row[0], NULL, 10);
        first = id < first ? id : first;
        last = id > last ? id : last;
    }
    s_start_seen (self, subnet, now);
    if (last - first + 1 == mysql_num_rows (rows)) {
        s_add (self, "id BETWEEN ");
        s_number (self, first);
        s_add (self, " AND ");
        s_number (self, last);
    } else {
        mysql_data_seek (rows, 0);
        const char *before = "id IN (";
        while ((row = mysql_fetch_row (rows))) {
            s_add (self, before);
            s_add (self, row[0]);
            before = ",";
        }
        s_add (self, ")");
    }
    s_add (self, ")");
    unsigned number = s_run (self);
    if (number == 0)
        self->updated += mysql_affected_rows (self->mysql);
    return number;
}

static unsigned
s_insert_new (floor_report_t *self, uint64_t subnet, const char *now)
{
    const floor_options_t *options = self->options;
    unsigned first = options->known + 1;
    s_start (self, "INSERT INTO ipaddresses (subnetId, ip_addr, description, "
                   "hostname, mac, state, note, lastSeen) VALUES ");
    for (unsigned host = first; host <= options->last; host++) {
        s_add (self, host > first ? ",(" : "(");
        s_number (self, subnet);
        s_add (self, ",");
        s_add_address (self, subnet, host);
        s_add (self, ",'-- autodiscovered --',NULL,NULL,2,"
                     "'This host was autodiscovered on ");
        s_add (self, now);
        s_add (self, " by agent site-");
        s_number (self, subnet % options->agents);
        s_add (self, "','");
        s_add (self, now);
        s_add (self, "')");
    }
    unsigned number = s_run (self);
    if (number == 0)
        self->inserted += mysql_affected_rows (self->mysql);
    return number;
}

static unsigned
s_end (floor_report_t *self, unsigned number)
{
    if (number)
        snprintf (self->error, sizeof self->error, "%s",
                  mysql_error (self->mysql));
    s_start (self, number ? "ROLLBACK" : "COMMIT");
    unsigned ended = s_run (self);
    if (!number && ended)
        snprintf (self->error, sizeof self->error, "%s",
                  mysql_error (self->mysql));
    return number ? number : ended;
}

/*  The part with the hosts.  */
static unsigned
s_take_hosts (floor_report_t *self, uint64_t subnet)
{
    floor_mode_t mode = self->options->mode;
    char now[NOW_TEXT];
    MYSQL_RES *rows = NULL;
    s_time (now, 0);
    unsigned number = s_read_agent (self, subnet);
    if (number == 0)
        number = s_lock_subnet (self, subnet);
    if (number == 0)
        number = s_read_rows (self, subnet, &rows);
    if (number == 0)
        self->read += mysql_num_rows (rows);
    if (number == 0 && mode != FLOOR_READ && mysql_num_rows (rows) > 0)
        number = s_update_seen (self, subnet, now, rows);
    mysql_free_result (rows);
    if (number == 0 && mode == FLOOR_NEW
        && self->options->last > self->options->known)
        number = s_insert_new (self, subnet, now);
    return number;
}

/*  The part that ends the scan, where silent hosts need not be looked for.  */
static unsigned
s_close (floor_report_t *self, uint64_t subnet)
{
    char now[NOW_TEXT];
    s_time (now, 0);
    unsigned number = s_read_agent (self, subnet);
    if (number == 0)
        number = s_lock_subnet (self, subnet);
    if (number)
        return number;
    s_start (self, "UPDATE subnets SET lastScan = '");
    s_add (self, now);
    s_add (self, "', lastDiscovery = '");
    s_add (self, now);
    s_add (self, "', editDate = editDate WHERE id = ");
    s_number (self, subnet);
    return s_run (self);
}

static unsigned
s_see_one (floor_report_t *self, uint64_t subnet)
{
    char now[NOW_TEXT];
    s_time (now, 0);
    s_start_seen (self, subnet, now);
    s_add (self, "id IN (");
    s_number (self, (subnet - 1) * self->options->known + 1);
    s_add (self, "))");
    return s_run (self);
}

static unsigned
s_transact (floor_report_t *self, uint64_t subnet,
            unsigned (*work) (floor_report_t *self, uint64_t subnet))
{
    s_start (self, "START TRANSACTION");
    unsigned number = s_run (self);
    if (number == 0)
        number = work (self, subnet);
    return s_end (self, number);
}

unsigned
floor_report_apply (floor_report_t *self, uint64_t subnet)
{
    const floor_options_t *options = self->options;
    if (options->mode == FLOOR_COMMIT)
        return s_transact (self, subnet, s_see_one);
    unsigned number = s_transact (self, subnet, s_take_hosts);
    if (number == 0 && options->closing)
        number = s_transact (self, subnet, s_close);
    return number;
}
