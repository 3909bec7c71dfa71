/* SPDX-License-Identifier: MPL-2.0 */
/*  Whose the files are that root makes for the services.  Packages make a user
    and a group 'scanhub', as which the daemons run; an administrator is root.
    So a key that root makes for them becomes theirs, and a control socket that
    root's own daemon opens is open to the group.  Where there is no such user
    or group, or we are not root, nothing happens.  */

#ifndef SH_OWNER_H
#define SH_OWNER_H

#include <sys/types.h>

#include "lib/err.h"

#define SH_OWNER_NAME "scanhub"

/*  Give the file 'path', if it lies directly in 'directory', to 'user' and the
    user's group.  SH_E_IO.  */
sh_err_t sh_owner_give (const char *path, const char *directory,
                        const char *user, sh_why_t *why) SH_MUST_CHECK;

/*  Let 'group' be the file's group; its user stays.  SH_E_IO.  */
sh_err_t sh_owner_share (const char *path, const char *group, sh_why_t *why)
    SH_MUST_CHECK;

#define SH_GROUP_TEXT 64

/*  A group's name, or its number where it has none.  */
void sh_owner_group (char out[static SH_GROUP_TEXT], gid_t group);

#endif
