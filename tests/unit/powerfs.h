/* SPDX-License-Identifier: MPL-2.0 */
/*  A SQLite VFS that shows what a power cut and a failing disk leave behind.
    It lies over the default one: the files are real and readable past it, but
    of each it also keeps what is durable: the content at the last xSync, and
    the name at the last sync of its directory.  The disk is never really
    synced, so it is fast.  A file that it meets with content in it counts as
    durable, an empty one as just made; files must not be renamed, removed or
    written past it.  One thread; all is global, as a VFS is.

    It has no shared memory: WAL works with locking_mode=EXCLUSIVE only.  */

#ifndef TESTS_POWERFS_H
#define TESTS_POWERFS_H

#include <stdbool.h>
#include <stdint.h>

/*  Becomes SQLite's default VFS.  */
void powerfs_register (void);

/*  Forget all files, calls and faults.  No file may be open.  */
void powerfs_reset (void);

/*  The calls so far that can fail: open, delete, access, read, write,
    truncate, sync, size, lock.  */
unsigned powerfs_calls (void);

/*  The power goes at the n-th call from now on (1: the next one): that one and
    all after it do nothing and fail, until powerfs_cut.  */
void powerfs_off_at (unsigned n);
bool powerfs_is_off (void);

/*  Make the files what they are when the power is back.  Seed 0: nothing is
    there that was not synced.  Any other: of what was written since, a random
    choice of 512-byte sectors is there as well, and of names that were made or
    removed some are, some not.  No file may be open.  */
void powerfs_cut (uint32_t seed);

/*  The n-th call from now on fails, once or with all after it ('on').  'code'
    SQLITE_IOERR: as is fit for the call; SQLITE_FULL: only writes fail, and
    only they are counted.  0 for 'n': no more faults.  */
void powerfs_fail_at (unsigned n, int code, bool on);
/*  The name of the call that failed first, "" if none did yet.  */
const char *powerfs_failed (void);

/*  From now on xSync says yes and does nothing.  */
void powerfs_ignore_sync (bool yes);

#endif
