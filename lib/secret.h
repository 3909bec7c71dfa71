/* SPDX-License-Identifier: MPL-2.0 */
/*  What keeps secrets out of places where they can be read later.  */

#ifndef SH_SECRET_H
#define SH_SECRET_H

#include <stddef.h>
#include <sys/types.h>

#include "lib/err.h"

/*  Not dumpable (no core, no ptrace by others) and RLIMIT_CORE 0; also
    initialises libsodium.  Call first in main.  */
sh_err_t sh_secret_harden (sh_why_t *why) SH_MUST_CHECK;

/*  Overwrite so that the compiler cannot leave it out.  NULL is fine.  */
void sh_secret_wipe (void *at, size_t size);

/*  Wipe and free a C string; '*text' becomes NULL.  */
void sh_secret_free (char **text);

/*  May a secret be read from the file 'path' whose mode is 'mode'?  SH_E_MODE
    if group or others have any right on it, unless it lies in
    $CREDENTIALS_DIRECTORY, where systemd's ACL shows as group bits.  */
sh_err_t sh_secret_check_mode (const char *path, mode_t mode, sh_why_t *why)
    SH_MUST_CHECK;

/*  Read a secret of one line (a password, a token) from a file: at most 4096
    bytes, one trailing newline dropped.  SH_E_MODE as above; SH_E_SYNTAX if
    it is empty or more than a line of text; SH_E_NOT_FOUND, SH_E_IO and
    SH_E_TOO_LARGE as sh_file_read.  */
sh_err_t sh_secret_read (char **out, const char *path, sh_why_t *why)
    SH_MUST_CHECK;

#endif
