/* SPDX-License-Identifier: MPL-2.0 */

#include "lib/owner.h"

#include <assert.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMES_ROOM 4096 /* for a line of passwd or group */

/*  Compared by inode, for ".." and links make any text comparison a guess.  */
static bool
s_lies_in (const char *path, const char *directory)
{
    struct stat a, b;
    const char *slash = strrchr (path, '/');
    char *parent = slash ? strndup (path, (size_t) (slash - path) + 1)
                         : strdup (".");
    bool same = parent && stat (parent, &a) == 0 && stat (directory, &b) == 0
                && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
    free (parent);
    return same;
}

static sh_err_t
s_change (const char *path, uid_t user, gid_t group, const char *name,
          sh_why_t *why)
{
    if (lchown (path, user, group) == 0)
        return SH_OK;
    return sh_fail (why, SH_E_IO, "%s: cannot be given to %s: %s", path, name,
                    strerror (errno));
}

sh_err_t
sh_owner_give (const char *path, const char *directory, const char *user,
               sh_why_t *why)
{
    assert (path && directory && user);
    struct passwd entry, *found = NULL;
    char names[NAMES_ROOM];
    if (geteuid () != 0 || !s_lies_in (path, directory)
        || getpwnam_r (user, &entry, names, sizeof names, &found) != 0
        || !found)
        return SH_OK;
    return s_change (path, found->pw_uid, found->pw_gid, user, why);
}

sh_err_t
sh_owner_share (const char *path, const char *group, sh_why_t *why)
{
    assert (path && group);
    struct group entry, *found = NULL;
    char names[NAMES_ROOM];
    if (geteuid () != 0
        || getgrnam_r (group, &entry, names, sizeof names, &found) != 0
        || !found)
        return SH_OK;
    return s_change (path, (uid_t) -1, found->gr_gid, group, why);
}

void
sh_owner_group (char out[static SH_GROUP_TEXT], gid_t group)
{
    char names[NAMES_ROOM];
    struct group entry, *found = NULL;
    if (getgrgid_r (group, &entry, names, sizeof names, &found) == 0 && found)
        snprintf (out, SH_GROUP_TEXT, "%s", entry.gr_name);
    else
        snprintf (out, SH_GROUP_TEXT, "%u", (unsigned) group);
}
