/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/unit/powerfs.h"

#include <assert.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR 512
#define NAMES_MOST 16

/*  A write that is not synced yet; without data, a truncation to 'at'.  */
typedef struct
{
    uint8_t *data;
    size_t at, size;
} change_t;

/*  A file's content: what is durable, and what came after.  */
typedef struct inode inode_t;
struct inode
{
    inode_t *next; /* of all */
    uint8_t *data;
    size_t size, room;
    change_t *changes;
    size_t count, change_room;
};

/*  What a name leads to, now and after a power cut; NULL: there is none.  */
typedef struct
{
    char *path;
    inode_t *now, *durable;
} name_t;

typedef struct
{
    sqlite3_file base;
    inode_t *inode;    /* NULL: a temporary file, which is nobody's loss */
    bool sync_names;   /* SQLite's own syncs the directory at first xSync */
    sqlite3_file *real; /* behind this struct */
} file_t;

typedef enum
{
    CALL_OPEN,
    CALL_DELETE,
    CALL_ACCESS,
    CALL_READ,
    CALL_WRITE,
    CALL_TRUNCATE,
    CALL_SYNC,
    CALL_SIZE,
    CALL_LOCK
} call_t;

static const struct
{
    const char *name;
    int code;
} s_kinds[] = {
    [CALL_OPEN] = { "open", SQLITE_CANTOPEN },
    [CALL_DELETE] = { "delete", SQLITE_IOERR_DELETE },
    [CALL_ACCESS] = { "access", SQLITE_IOERR_ACCESS },
    [CALL_READ] = { "read", SQLITE_IOERR_READ },
    [CALL_WRITE] = { "write", SQLITE_IOERR_WRITE },
    [CALL_TRUNCATE] = { "truncate", SQLITE_IOERR_TRUNCATE },
    [CALL_SYNC] = { "sync", SQLITE_IOERR_FSYNC },
    [CALL_SIZE] = { "size", SQLITE_IOERR_FSTAT },
    [CALL_LOCK] = { "lock", SQLITE_IOERR_LOCK },
};

static struct
{
    sqlite3_vfs *base;
    sqlite3_vfs vfs;
    sqlite3_io_methods methods;
    name_t names[NAMES_MOST];
    size_t name_count;
    inode_t *inodes;
    int open_files;

    unsigned calls;
    unsigned off_in, fail_in; /* calls until then; 0: never */
    bool off, fail_on, ignore_sync;
    int fail_code;
    const char *failed;
} s;

/*  Every call that can fail begins here.  */
static int
s_enter (call_t kind)
{
    s.calls++;
    if (s.off_in && --s.off_in == 0)
        s.off = true;
    if (s.off)
        return s_kinds[kind].code;
    if (!s.fail_in || (s.fail_code == SQLITE_FULL && kind != CALL_WRITE))
        return SQLITE_OK;
    if (s.fail_in > 1) {
        s.fail_in--;
        return SQLITE_OK;
    }
    if (!*s.failed)
        s.failed = s_kinds[kind].name;
    if (!s.fail_on)
        s.fail_in = 0;
    return s.fail_code == SQLITE_FULL ? SQLITE_FULL : s_kinds[kind].code;
}

/*  Contents.  */

static inode_t *
s_new_inode (void)
{
    inode_t *self = calloc (1, sizeof *self);
    assert (self);
    self->next = s.inodes;
    s.inodes = self;
    return self;
}

static void
s_resize (inode_t *self, size_t size)
{
    if (size > self->room) {
        self->room = size * 2;
        self->data = realloc (self->data, self->room);
        assert (self->data);
    }
    if (size > self->size)
        memset (self->data + self->size, 0, size - self->size);
    self->size = size;
}

static void
s_overwrite (inode_t *self, size_t at, const void *data, size_t size)
{
    if (at + size > self->size)
        s_resize (self, at + size);
    memcpy (self->data + at, data, size);
}

static void
s_change (inode_t *self, size_t at, const void *data, size_t size)
{
    if (!self)
        return;
    if (self->count == self->change_room) {
        self->change_room = self->change_room ? self->change_room * 2 : 16;
        self->changes = realloc (self->changes,
                                 self->change_room * sizeof *self->changes);
        assert (self->changes);
    }
    change_t *one = &self->changes[self->count++];
    *one = (change_t){ .at = at, .size = size };
    if (data) {
        one->data = malloc (size + 1);
        assert (one->data);
        memcpy (one->data, data, size);
    }
}

/*  A small generator of its own, so that a seed means the same everywhere.  */
static uint32_t
s_random (uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/*  The sectors of a write reach the disk each for itself.  */
static void
s_tear (inode_t *self, const change_t *one, uint32_t *seed)
{
    for (size_t done = 0; done < one->size;) {
        size_t left = SECTOR - (one->at + done) % SECTOR;
        if (left > one->size - done)
            left = one->size - done;
        if (s_random (seed) >> 16 & 1)
            s_overwrite (self, one->at + done, one->data + done, left);
        done += left;
    }
}

/*  One write, after a power cut: not there, there, or torn; a file may have
    got its new length and not the data.  */
static void
s_survive (inode_t *self, const change_t *one, uint32_t *seed)
{
    uint32_t fate = s_random (seed) >> 16 & 7;
    if (!one->data) {
        if (fate & 1)
            s_resize (self, one->at);
    } else if (fate < 2)
        s_overwrite (self, one->at, one->data, one->size);
    else if (fate < 6)
        s_tear (self, one, seed);
    else if (fate == 6 && one->at + one->size > self->size)
        s_resize (self, one->at + one->size);
}

/*  What was not synced gets durable: all of it ('seed' NULL), or at random
    some; what came first may be what is missing.  */
static void
s_settle (inode_t *self, uint32_t *seed)
{
    for (size_t i = 0; i < self->count; i++) {
        change_t *one = &self->changes[i];
        if (seed)
            s_survive (self, one, seed);
        else if (one->data)
            s_overwrite (self, one->at, one->data, one->size);
        else
            s_resize (self, one->at);
        free (one->data);
    }
    self->count = 0;
}

static void
s_forget_changes (inode_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        free (self->changes[i].data);
    self->count = 0;
}

/*  Names.  */

static name_t *
s_name (const char *path)
{
    for (size_t i = 0; i < s.name_count; i++)
        if (strcmp (s.names[i].path, path) == 0)
            return &s.names[i];
    assert (s.name_count < NAMES_MOST);
    name_t *self = &s.names[s.name_count++];
    *self = (name_t){ .path = strdup (path) };
    assert (self->path);
    return self;
}

/*  Read what was there before us.  */
static inode_t *
s_meet (name_t *name)
{
    inode_t *self = s_new_inode ();
    struct stat meta;
    int fd = open (name->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return self;
    if (fstat (fd, &meta) == 0 && meta.st_size > 0) {
        s_resize (self, (size_t) meta.st_size);
        ssize_t got = pread (fd, self->data, self->size, 0);
        assert (got == meta.st_size);
        name->durable = self;
    }
    close (fd);
    return self;
}

static void
s_sync_names (void)
{
    for (size_t i = 0; i < s.name_count; i++)
        s.names[i].durable = s.names[i].now;
}

/*  Files.  */

static file_t *
s_file (sqlite3_file *base)
{
    return (file_t *) base;
}

static int
s_close (sqlite3_file *base)
{
    file_t *self = s_file (base);
    s.open_files--;
    return self->real->pMethods->xClose (self->real);
}

static int
s_read (sqlite3_file *base, void *data, int size, sqlite3_int64 at)
{
    int code = s_enter (CALL_READ);
    sqlite3_file *real = s_file (base)->real;
    return code ? code : real->pMethods->xRead (real, data, size, at);
}

static int
s_write (sqlite3_file *base, const void *data, int size, sqlite3_int64 at)
{
    file_t *self = s_file (base);
    int code = s_enter (CALL_WRITE);
    if (code == SQLITE_OK)
        code = self->real->pMethods->xWrite (self->real, data, size, at);
    if (code == SQLITE_OK)
        s_change (self->inode, (size_t) at, data, (size_t) size);
    return code;
}

static int
s_truncate (sqlite3_file *base, sqlite3_int64 size)
{
    file_t *self = s_file (base);
    int code = s_enter (CALL_TRUNCATE);
    if (code == SQLITE_OK)
        code = self->real->pMethods->xTruncate (self->real, size);
    if (code == SQLITE_OK)
        s_change (self->inode, (size_t) size, NULL, 0);
    return code;
}

static int
s_sync (sqlite3_file *base, int flags)
{
    (void) flags;
    file_t *self = s_file (base);
    int code = s_enter (CALL_SYNC);
    if (code != SQLITE_OK || s.ignore_sync)
        return code;
    if (self->inode)
        s_settle (self->inode, NULL);
    if (self->sync_names)
        s_sync_names ();
    self->sync_names = false;
    return SQLITE_OK;
}

static int
s_size (sqlite3_file *base, sqlite3_int64 *size)
{
    int code = s_enter (CALL_SIZE);
    sqlite3_file *real = s_file (base)->real;
    return code ? code : real->pMethods->xFileSize (real, size);
}

static int
s_lock (sqlite3_file *base, int level)
{
    int code = s_enter (CALL_LOCK);
    sqlite3_file *real = s_file (base)->real;
    return code ? code : real->pMethods->xLock (real, level);
}

static int
s_unlock (sqlite3_file *base, int level)
{
    sqlite3_file *real = s_file (base)->real;
    return real->pMethods->xUnlock (real, level);
}

static int
s_reserved (sqlite3_file *base, int *out)
{
    sqlite3_file *real = s_file (base)->real;
    return real->pMethods->xCheckReservedLock (real, out);
}

static int
s_control (sqlite3_file *base, int what, void *value)
{
    sqlite3_file *real = s_file (base)->real;
    return real->pMethods->xFileControl (real, what, value);
}

static int
s_sector (sqlite3_file *base)
{
    sqlite3_file *real = s_file (base)->real;
    return real->pMethods->xSectorSize (real);
}

static int
s_device (sqlite3_file *base)
{
    sqlite3_file *real = s_file (base)->real;
    return real->pMethods->xDeviceCharacteristics (real);
}

static int
s_open (sqlite3_vfs *vfs, const char *path, sqlite3_file *base, int flags,
        int *out_flags)
{
    (void) vfs;
    file_t *self = s_file (base);
    *self = (file_t){ .real = (sqlite3_file *) (self + 1) };
    memset (self->real, 0, (size_t) s.base->szOsFile);
    int code = s_enter (CALL_OPEN);
    if (code == SQLITE_OK)
        code = s.base->xOpen (s.base, path, self->real, flags, out_flags);
    if (code != SQLITE_OK) {
        if (self->real->pMethods)
            self->real->pMethods->xClose (self->real);
        return code;
    }
    name_t *name = path ? s_name (path) : NULL;
    if (name && !name->now)
        name->now = s_meet (name);
    self->inode = name ? name->now : NULL;
    self->sync_names
        = flags & SQLITE_OPEN_CREATE
          && flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL);
    self->base.pMethods = &s.methods;
    s.open_files++;
    return SQLITE_OK;
}

static int
s_delete (sqlite3_vfs *vfs, const char *path, int sync_names)
{
    (void) vfs;
    int code = s_enter (CALL_DELETE);
    if (code == SQLITE_OK)
        code = s.base->xDelete (s.base, path, 0);
    if (code != SQLITE_OK)
        return code;
    s_name (path)->now = NULL;
    if (sync_names && !s.ignore_sync)
        s_sync_names ();
    return SQLITE_OK;
}

static int
s_access (sqlite3_vfs *vfs, const char *path, int flags, int *out)
{
    (void) vfs;
    int code = s_enter (CALL_ACCESS);
    return code ? code : s.base->xAccess (s.base, path, flags, out);
}

void
powerfs_register (void)
{
    assert (!s.base);
    s.failed = "";
    s.base = sqlite3_vfs_find (NULL);
    assert (s.base);
    s.methods = (sqlite3_io_methods){
        .iVersion = 1, .xClose = s_close, .xRead = s_read, .xWrite = s_write,
        .xTruncate = s_truncate, .xSync = s_sync, .xFileSize = s_size,
        .xLock = s_lock, .xUnlock = s_unlock,
        .xCheckReservedLock = s_reserved, .xFileControl = s_control,
        .xSectorSize = s_sector, .xDeviceCharacteristics = s_device,
    };
    s.vfs = *s.base; /* what is not about files stays its own */
    s.vfs.zName = "powerfs";
    s.vfs.pNext = NULL;
    s.vfs.szOsFile = (int) sizeof (file_t) + s.base->szOsFile;
    s.vfs.xOpen = s_open;
    s.vfs.xDelete = s_delete;
    s.vfs.xAccess = s_access;
    int code = sqlite3_vfs_register (&s.vfs, 1);
    assert (code == SQLITE_OK);
}

static void
s_clear_faults (void)
{
    s.off_in = s.fail_in = 0;
    s.off = s.fail_on = s.ignore_sync = false;
    s.failed = "";
}

void
powerfs_reset (void)
{
    assert (s.open_files == 0);
    while (s.inodes) {
        inode_t *inode = s.inodes;
        s.inodes = inode->next;
        s_forget_changes (inode);
        free (inode->changes);
        free (inode->data);
        free (inode);
    }
    for (size_t i = 0; i < s.name_count; i++)
        free (s.names[i].path);
    s.name_count = 0;
    s.calls = 0;
    s_clear_faults ();
}

unsigned
powerfs_calls (void)
{
    return s.calls;
}

void
powerfs_off_at (unsigned n)
{
    s.off_in = n;
}

bool
powerfs_is_off (void)
{
    return s.off;
}

void
powerfs_fail_at (unsigned n, int code, bool on)
{
    s.fail_in = n;
    s.fail_code = code;
    s.fail_on = on;
    s.failed = "";
}

const char *
powerfs_failed (void)
{
    return s.failed;
}

void
powerfs_ignore_sync (bool yes)
{
    s.ignore_sync = yes;
}

static void
s_write_out (const char *path, const inode_t *inode)
{
    int fd = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert (fd >= 0);
    for (size_t done = 0; done < inode->size;) {
        ssize_t put = write (fd, inode->data + done, inode->size - done);
        assert (put > 0);
        done += (size_t) put;
    }
    close (fd);
}

void
powerfs_cut (uint32_t seed)
{
    assert (s.open_files == 0);
    bool torn = seed != 0;
    seed *= UINT32_C (2654435761); /* neighbours shall differ much */
    for (size_t i = 0; i < s.name_count; i++) {
        name_t *name = &s.names[i];
        bool now = torn && s_random (&seed) >> 16 & 1;
        inode_t *inode = now ? name->now : name->durable;
        if (!inode)
            unlink (name->path);
        else if (torn)
            s_settle (inode, &seed);
        else
            s_forget_changes (inode);
        if (inode)
            s_write_out (name->path, inode);
        name->now = name->durable = inode;
    }
    s_clear_faults ();
}
