/* SPDX-License-Identifier: MPL-2.0 */
/*  The file behind hub/previews.h: its layout, and statements with values.
    Only for hub/previews*.c, which lock.  */

#ifndef HUB_PREVIEWS_FILE_H
#define HUB_PREVIEWS_FILE_H

#include <pthread.h>
#include <sqlite3.h>

#include "hub/previews.h"

struct hub_previews
{
    pthread_mutex_t lock;
    char *path; /* NULL: in memory */
    const sh_clock_t *clock;
    sqlite3 *db; /* NULL: could not be opened */
    uint64_t dropped;
    char trouble[320];
    uint64_t shown[HUB_PREVIEWS_MOST]; /* numbers; the oldest gives way */
    size_t shown_next;
};

/*  Open it if it is not.  SH_E_IO.  */
sh_err_t hub_previews_open (hub_previews_t *self, sh_why_t *why)
    SH_MUST_CHECK;
void hub_previews_close (hub_previews_t *self);

/*  A statement with its values: 'kinds' has an i (int64_t), t (text or NULL) or
    b (sh_bytes_t) for each.  Texts must live until it is finalised.  NULL: the
    connection says why.  */
sqlite3_stmt *hub_previews_ask (hub_previews_t *self, const char *sql,
                                const char *kinds, ...);

/*  Run one that gives no rows; an SQLite code.  */
int hub_previews_do (hub_previews_t *self, const char *sql, const char *kinds,
                     ...);

/*  Run a statement once more, with other values.  */
int hub_previews_again (sqlite3_stmt *stmt, const char *kinds, ...);

/*  The number that a statement gives, or 'none' without a row; it is finalised.
    An SQLite code.  */
int hub_previews_number (sqlite3_stmt *stmt, int64_t *out, int64_t none);

/*  An entry with all that belongs to it; an SQLite code.  */
int hub_previews_forget (hub_previews_t *self, int64_t entry);

/*  Does somebody know the entry by this number?  */
bool hub_previews_was_shown (const hub_previews_t *self, uint64_t number);

/*  If there is too much, others than 'entry' go; an SQLite code.  */
int hub_previews_make_room (hub_previews_t *self, int64_t entry);

/*  An operation failed: roll back, say so in log, 'why' and totals, and close a
    file that is broken, so that the next use sets it aside.  */
sh_err_t hub_previews_failed (hub_previews_t *self, const char *doing,
                              sh_why_t *why);

#endif
