/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "lib/secret.h"

/*  A fault of the system, from errno.  */
static sh_err_t
s_fail (sh_why_t *why, const char *path, const char *doing)
{
    int error = errno;
    sh_err_t rc = SH_E_IO;
    if (error == ENOENT || error == ENOTDIR)
        rc = SH_E_NOT_FOUND;
    else if (error == EEXIST)
        rc = SH_E_EXISTS;
    else if (error == ENOMEM)
        rc = SH_E_MEMORY;
    return sh_fail (why, rc, "%s: cannot %s: %s", path, doing,
                    strerror (error));
}

/*  Read until the end or until 'room' is full.  */
static ssize_t
s_read_all (int fd, char *at, size_t room)
{
    size_t got = 0;
    while (got < room) {
        ssize_t count = read (fd, at + got, room - got);
        if (count == 0)
            break;
        if (count < 0 && errno != EINTR)
            return -1;
        if (count > 0)
            got += (size_t) count;
    }
    return (ssize_t) got;
}

static sh_err_t
s_read_fd (int fd, char **text, size_t *size, struct stat *meta,
           const char *path, size_t most, sh_why_t *why)
{
    if (fstat (fd, meta) != 0)
        return s_fail (why, path, "examine");
    if (!S_ISREG (meta->st_mode))
        return sh_fail (why, SH_E_IO, "%s: not a regular file", path);

    /*  The size that fstat tells may change and is 0 in /proc, so what counts
        is what can be read: one byte more than allowed shows the excess.  */
    char *buffer = malloc (most + 1);
    if (!buffer)
        return sh_fail (why, SH_E_MEMORY, "%s: out of memory", path);
    sh_err_t rc = SH_OK;
    ssize_t got = s_read_all (fd, buffer, most + 1);
    if (got < 0)
        rc = s_fail (why, path, "read");
    else if ((size_t) got > most)
        rc = sh_fail (why, SH_E_TOO_LARGE, "%s: larger than %zu bytes", path,
                      most);
    if (rc != SH_OK) {
        sh_secret_wipe (buffer, most + 1);
        free (buffer);
        return rc;
    }
    buffer[got] = '\0';
    *text = buffer;
    *size = (size_t) got;
    return SH_OK;
}

sh_err_t
sh_file_read (char **text, size_t *size, struct stat *meta, const char *path,
              size_t most, sh_why_t *why)
{
    assert (text && size && path && most < SSIZE_MAX);
    /*  NONBLOCK so that a pipe in the place of the file cannot hang us.  */
    int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return s_fail (why, path, "open");
    struct stat found;
    sh_err_t rc = s_read_fd (fd, text, size, &found, path, most, why);
    close (fd);
    if (rc == SH_OK && meta)
        *meta = found;
    return rc;
}

typedef struct
{
    const char *path; /* as given, for messages */
    const char *base; /* its last component, within 'path' */
    int dir;          /* the directory it lies in */
    char temp[32];    /* the temporary's name in there */
} target_t;

static sh_err_t
s_open_dir (target_t *self, const char *path, sh_why_t *why)
{
    const char *slash = strrchr (path, '/');
    self->path = path;
    self->base = slash ? slash + 1 : path;
    if (self->base[0] == '\0' || strcmp (self->base, ".") == 0
        || strcmp (self->base, "..") == 0)
        return sh_fail (why, SH_E_IO, "%s: not a file name", path);

    char *parent = slash ? strndup (path, (size_t) (slash - path) + 1)
                         : strdup (".");
    if (!parent)
        return sh_fail (why, SH_E_MEMORY, "%s: out of memory", path);
    self->dir = open (parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    sh_err_t rc = SH_OK;
    if (self->dir < 0)
        rc = s_fail (why, parent, "open the directory");
    free (parent);
    return rc;
}

/*  Hidden, so that who watches the directory can tell it from a real one.  */
static int
s_open_temp (target_t *self)
{
    uint64_t random;
    if (getrandom (&random, sizeof random, 0) != sizeof random)
        return -1;
    snprintf (self->temp, sizeof self->temp, ".sh-%016llx.tmp",
              (unsigned long long) random);
    return openat (self->dir, self->temp,
                   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

static int
s_write_all (int fd, const char *at, size_t size)
{
    while (size > 0) {
        ssize_t count = write (fd, at, size);
        if (count < 0 && errno != EINTR)
            return -1;
        if (count > 0) {
            at += count;
            size -= (size_t) count;
        }
    }
    return 0;
}

/*  The temporary must be whole and on the disk before it gets its name.  */
static sh_err_t
s_fill_temp (target_t *self, const void *text, size_t size, mode_t mode,
             sh_why_t *why)
{
    int fd = s_open_temp (self);
    if (fd < 0)
        return s_fail (why, self->path, "create a temporary file beside it");
    sh_err_t rc = SH_OK;
    if (fchmod (fd, mode) != 0)
        rc = s_fail (why, self->path, "set the mode");
    else if (s_write_all (fd, text, size) != 0 || fsync (fd) != 0)
        rc = s_fail (why, self->path, "write");
    if (close (fd) != 0 && rc == SH_OK)
        rc = s_fail (why, self->path, "write");
    if (rc != SH_OK)
        unlinkat (self->dir, self->temp, 0);
    return rc;
}

/*  Give the temporary its real name.  link(2) fails where the name exists,
    which rename(2) would silently replace.  */
static sh_err_t
s_publish (const target_t *self, bool replace, sh_why_t *why)
{
    sh_err_t rc = SH_OK;
    if (replace) {
        if (renameat (self->dir, self->temp, self->dir, self->base) == 0)
            return SH_OK;
        rc = s_fail (why, self->path, "replace");
    }
    else if (linkat (self->dir, self->temp, self->dir, self->base, 0) != 0)
        rc = s_fail (why, self->path, "create");
    unlinkat (self->dir, self->temp, 0);
    return rc;
}

/*  Some file systems cannot sync a directory and say EINVAL.  */
static sh_err_t
s_sync_dir (const target_t *self, sh_why_t *why)
{
    if (fsync (self->dir) == 0 || errno == EINVAL)
        return SH_OK;
    return s_fail (why, self->path, "sync the directory");
}

sh_err_t
sh_file_rename (const char *from, const char *to, sh_why_t *why)
{
    assert (from && to);
    target_t target = { .dir = -1 };
    sh_err_t rc = s_open_dir (&target, to, why);
    if (rc == SH_OK && rename (from, to) != 0)
        rc = errno == ENOENT
                 ? sh_fail (why, SH_E_NOT_FOUND, "%s: not there", from)
                 : s_fail (why, to, "replace");
    if (rc == SH_OK)
        rc = s_sync_dir (&target, why);
    if (target.dir >= 0)
        close (target.dir);
    return rc;
}

sh_err_t
sh_file_write (const char *path, const void *text, size_t size, mode_t mode,
               bool replace, sh_why_t *why)
{
    assert (path && (text || size == 0));
    target_t target = { .dir = -1 };
    sh_err_t rc = s_open_dir (&target, path, why);
    if (rc == SH_OK)
        rc = s_fill_temp (&target, text, size, mode, why);
    if (rc == SH_OK)
        rc = s_publish (&target, replace, why);
    if (rc == SH_OK)
        rc = s_sync_dir (&target, why);
    if (target.dir >= 0)
        close (target.dir);
    return rc;
}

sh_err_t
sh_file_make_parent (const char *path, const char *what, sh_why_t *why)
{
    assert (path && what);
    char *directory = strdup (path);
    if (!directory)
        return sh_fail (why, SH_E_MEMORY, "out of memory");
    sh_err_t rc = SH_OK;
    char *slash = strrchr (directory, '/');
    if (slash)
        *slash = '\0';
    if (slash && *directory && mkdir (directory, 0700) != 0
        && errno != EEXIST)
        rc = sh_fail (why, SH_E_IO,
                      "%s: the directory of %s cannot be made (%s): "
                      "install -d -m 0700 %s",
                      directory, what, strerror (errno), directory);
    free (directory);
    return rc;
}
