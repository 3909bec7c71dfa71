/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/journal_sql.h"

#define TRIM_REPORTS "200" /* at once: others want the disk as well */

/*  A row of 'report' for each report: 'source' and 'id' are the sender's,
    'counted' has a bit for each part that was applied, so that one that is sent
    twice counts once; 'idle' is one that found nothing worth a line of its own,
    as most are.  A row of 'change' for each column that it changed; of a new
    row of ipaddresses for each that is not empty.  'state' remembers how far
    back the journal goes.  */
const char hub_journal_schema[]
    = "BEGIN IMMEDIATE;"
      "PRAGMA application_id = 1399016047;"
      "PRAGMA user_version = 1;"
      "CREATE TABLE report (row INTEGER PRIMARY KEY AUTOINCREMENT,"
      " source TEXT NOT NULL, id BLOB NOT NULL, subnet INTEGER NOT NULL,"
      " scanner TEXT NOT NULL, door INTEGER NOT NULL, code TEXT NOT NULL,"
      " agent TEXT NOT NULL DEFAULT '', cidr TEXT NOT NULL,"
      " kind INTEGER NOT NULL, started INTEGER NOT NULL,"
      " finished INTEGER NOT NULL, received INTEGER NOT NULL,"
      " written INTEGER NOT NULL DEFAULT 0, idle INTEGER NOT NULL DEFAULT 1,"
      " result INTEGER NOT NULL DEFAULT 0, cause TEXT NOT NULL DEFAULT '',"
      " closed INTEGER NOT NULL DEFAULT 0, counted INTEGER NOT NULL DEFAULT 0,"
      " parts INTEGER NOT NULL DEFAULT 0, seen INTEGER NOT NULL DEFAULT 0,"
      " added INTEGER NOT NULL DEFAULT 0, named INTEGER NOT NULL DEFAULT 0,"
      " macs INTEGER NOT NULL DEFAULT 0, tagged INTEGER NOT NULL DEFAULT 0,"
      " offline INTEGER NOT NULL DEFAULT 0, refused INTEGER NOT NULL DEFAULT 0,"
      " held INTEGER NOT NULL DEFAULT 0);"
      "CREATE UNIQUE INDEX report_id ON report (id, source, subnet);"
      "CREATE INDEX report_subnet ON report (subnet, row);"
      "CREATE INDEX report_scanner ON report (scanner, row);"
      "CREATE INDEX report_written ON report (idle, written);"
      "CREATE TABLE change (row INTEGER PRIMARY KEY AUTOINCREMENT,"
      " report INTEGER NOT NULL, at INTEGER NOT NULL, subnet INTEGER NOT NULL,"
      " ip BLOB NOT NULL, address INTEGER NOT NULL, added INTEGER NOT NULL,"
      " field INTEGER NOT NULL, before TEXT, after TEXT);"
      "CREATE INDEX change_ip ON change (ip, row);"
      "CREATE INDEX change_report ON change (report, row);"
      "CREATE TABLE refusal (cause TEXT NOT NULL, host INTEGER NOT NULL,"
      " scanner TEXT NOT NULL, subnet INTEGER NOT NULL, count INTEGER NOT NULL,"
      " first INTEGER NOT NULL, last INTEGER NOT NULL,"
      " PRIMARY KEY (cause, host, scanner, subnet)) WITHOUT ROWID;"
      "CREATE INDEX refusal_last ON refusal (last);"
      "CREATE TABLE state (begun INTEGER NOT NULL);"
      "INSERT INTO state VALUES (CAST(strftime('%s', 'now') AS INTEGER) * 1000);"
      "COMMIT";

/*  Without FULL a power cut may take the last lines with it; it does not damage
    the file, and a commit costs no wait for the disk.  */
const char hub_journal_settings[]
    = "PRAGMA busy_timeout = 2000;"
      "PRAGMA page_size = 4096;"
      "PRAGMA journal_mode = WAL;"
      "PRAGMA synchronous = NORMAL;"
      "PRAGMA journal_size_limit = 4194304;"
      "PRAGMA temp_store = MEMORY";

#define DOOM(where)                                                            \
    "INSERT INTO " HUB_JOURNAL_DOOMED " SELECT row FROM report WHERE " where               \
    " ORDER BY written LIMIT " TRIM_REPORTS
/*  Of the scanner that has most of it: nobody shall drive out what others
    did.  */
#define DOOM_GREEDY(which)                                                     \
    "INSERT INTO " HUB_JOURNAL_DOOMED " SELECT row FROM report WHERE scanner ="            \
    " (SELECT scanner FROM report GROUP BY scanner"                            \
    " ORDER BY count(*) DESC LIMIT 1) " which                                  \
    " ORDER BY row LIMIT " TRIM_REPORTS

const char *const hub_journal_sql[STMT_COUNT] = {
    [STMT_BEGIN] = "BEGIN IMMEDIATE",
    [STMT_COMMIT] = "COMMIT",
    [STMT_ROLLBACK] = "ROLLBACK",
    [STMT_FIND] = "SELECT row FROM report WHERE id = ?1 AND source = ?2"
                  " AND subnet = ?3",
    [STMT_OPEN]
    = "INSERT INTO report (id, source, subnet, scanner, door, code, cidr,"
      " kind, started, finished, received) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,"
      " ?8, ?9, ?10, ?11)",
    /*  The numbers of results are those of sp_result_t.  A report of which a
        part was refused is refused; else the last word counts.  */
    [STMT_ADD]
    = "UPDATE report SET written = max(written, ?2),"
      " agent = CASE WHEN ?3 = '' THEN agent ELSE ?3 END,"
      " finished = max(finished, ?4),"
      " cause = CASE WHEN result = 1 THEN cause ELSE ?6 END,"
      " result = CASE WHEN result = 1 THEN result ELSE ?5 END,"
      " closed = closed OR ?7,"
      " parts = parts + ((counted & ?8) = 0 AND ?5 IN (0, 3)),"
      " seen = seen + CASE WHEN counted & ?8 THEN 0 ELSE ?9 END,"
      " refused = refused + CASE WHEN counted & ?8 THEN 0 ELSE ?15 END,"
      " counted = counted | CASE WHEN ?5 IN (0, 3) THEN ?8 ELSE 0 END,"
      " added = added + ?10, named = named + ?11, macs = macs + ?12,"
      " tagged = tagged + ?13, offline = offline + ?14, held = held + ?16,"
      " idle = idle AND ?17 WHERE row = ?1",
    [STMT_CHANGE]
    = "INSERT INTO change (report, at, subnet, ip, address, added, field,"
      " before, after) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [STMT_REFUSE]
    = "INSERT INTO refusal VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)"
      " ON CONFLICT (cause, host, scanner, subnet) DO UPDATE"
      " SET count = count + ?5, last = max(last, ?6)",
    [STMT_OLD] = DOOM ("idle = 0 AND written < ?1"),
    [STMT_OLD_IDLE] = DOOM ("idle = 1 AND written < ?1"),
    [STMT_GREEDY_IDLE] = DOOM_GREEDY ("AND idle = 1"),
    [STMT_GREEDY] = DOOM_GREEDY (""),
    /*  What happened before the newest of these may be missing.  */
    [STMT_REMEMBER]
    = "UPDATE state SET begun = max(begun, (SELECT coalesce(max(written), 0)"
      " FROM report WHERE idle = 0 AND row IN"
      " (SELECT row FROM " HUB_JOURNAL_DOOMED ")))",
    [STMT_DROP_CHANGES] = "DELETE FROM change WHERE report IN"
                          " (SELECT row FROM " HUB_JOURNAL_DOOMED ")",
    [STMT_DROP] = "DELETE FROM report WHERE row IN"
                  " (SELECT row FROM " HUB_JOURNAL_DOOMED ")",
    [STMT_OLD_REFUSALS] = "DELETE FROM refusal WHERE last < ?1",
    [STMT_MANY_REFUSALS]
    = "DELETE FROM refusal WHERE (cause, host, scanner, subnet) IN"
      " (SELECT cause, host, scanner, subnet FROM refusal WHERE scanner ="
      " (SELECT scanner FROM refusal GROUP BY scanner"
      " ORDER BY count(*) DESC LIMIT 1) ORDER BY last"
      " LIMIT max(0, (SELECT count(*) FROM refusal) - ?1))",
};
