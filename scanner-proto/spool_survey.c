/* SPDX-License-Identifier: MPL-2.0 */

#include "scanner-proto/spool_survey.h"

#include <assert.h>
#include <errno.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#include "lib/dbfile.h"

/*  As the spool itself opens it: locked, so that its log needs no shared
    memory, and nobody works on it meanwhile.  */
static int
s_look (sqlite3 *db, sp_spool_survey_t *out)
{
    int64_t reports = 0;
    int code = sqlite3_exec (db, "PRAGMA locking_mode = EXCLUSIVE", NULL, NULL,
                             NULL);
    if (code == SQLITE_OK)
        code = sh_dbfile_ask (db, "SELECT COUNT(*) FROM report", &reports,
                              NULL, 0);
    if (code == SQLITE_OK)
        code = sh_dbfile_ask (db, "SELECT COALESCE(MIN(put), 0) FROM report",
                              &out->oldest, NULL, 0);
    out->reports = (uint64_t) reports;
    return code;
}

sh_err_t
sp_spool_survey (sp_spool_survey_t *out, const char *path, sh_why_t *why)
{
    assert (out && path);
    sqlite3 *db = NULL;
    *out = (sp_spool_survey_t){ 0 };
    if (access (path, F_OK) != 0 && errno == ENOENT)
        return sh_fail (why, SH_E_NOT_FOUND, "%s: there is no such file",
                        path);
    int code = sqlite3_open_v2 (path, &db, SQLITE_OPEN_READWRITE, NULL);
    if (code == SQLITE_OK)
        code = s_look (db, out);
    sh_err_t rc = SH_OK;
    if ((code & 0xff) == SQLITE_BUSY)
        rc = sh_fail (why, SH_E_EXISTS, "%s: a program has it open", path);
    else if (code != SQLITE_OK
             && (sh_dbfile_is_broken (code) || (code & 0xff) == SQLITE_ERROR))
        rc = sh_fail (why, SH_E_SYNTAX, "%s: this is no spool, or it is "
                                        "broken: %s", path,
                      db ? sqlite3_errmsg (db) : sqlite3_errstr (code));
    else if (code != SQLITE_OK)
        rc = sh_fail (why, SH_E_IO, "%s: %s", path,
                      db ? sqlite3_errmsg (db) : sqlite3_errstr (code));
    (void) sqlite3_close (db);
    return rc;
}
