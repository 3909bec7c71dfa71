/* SPDX-License-Identifier: MPL-2.0 */
/*  A file of SQLite in which a program keeps what has to outlive it: made with
    the right mode, judged before it is used (is it ours, whole, of this
    layout?), and set aside under another name when it is broken, never
    deleted.  Whoever opens one owns the connection and its statements.  */

#ifndef SH_DBFILE_H
#define SH_DBFILE_H

#include <sqlite3.h>
#include <stdbool.h>

#include "lib/clock.h"
#include "lib/err.h"

typedef struct
{
    const char *what;     /* "spool": what messages call it */
    int64_t application;  /* PRAGMA application_id */
    int64_t layout;       /* PRAGMA user_version */
    int64_t oldest;       /* the first that 'upgrade' takes; 'layout': none */
    const char *settings; /* PRAGMAs, among them journal_mode = WAL */
    const char *schema;   /* one transaction that makes an empty file ours */
    bool quick; /* the pages alone are looked through, not what indexes say */
    const char *odd; /* a SELECT that counts rows we never make; NULL: none */
    /*  Make an older layout ours; an SQLite code.  NULL: none.  */
    int (*upgrade) (void *context, sqlite3 *db);
    /*  What has to work with a file of ours, such as preparing statements; an
        SQLite code.  'leave' takes it back, also if it failed half way.  */
    int (*ready) (void *context, sqlite3 *db);
    void (*leave) (void *context);
    void *context;
} sh_dbfile_t;

/*  Open 'path' (NULL: in memory), in a directory that nobody else may write to.
    SH_E_EXISTS: another process has it open; SH_E_MODE: others may write to it;
    SH_E_IO, SH_E_MEMORY.  The caller closes '*out'.  */
sh_err_t sh_dbfile_open (sqlite3 **out, const char *path,
                         const sh_dbfile_t *kind, const sh_clock_t *clock,
                         sh_why_t *why) SH_MUST_CHECK;

/*  The one value that a statement gives, as a number and as a text cut to
    'size'; both may be NULL.  An SQLite code.  */
int sh_dbfile_ask (sqlite3 *db, const char *sql, int64_t *number, char *text,
                   int size);

/*  Is the file itself at fault, rather than the disk, its rights, another
    process?  */
bool sh_dbfile_is_broken (int code);

/*  What an SQLite code is to the caller.  */
sh_err_t sh_dbfile_err (int code);

#endif
