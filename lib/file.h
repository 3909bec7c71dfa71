/* SPDX-License-Identifier: MPL-2.0 */
/*  Small whole files: bounded reading, atomic writing.  */

#ifndef SH_FILE_H
#define SH_FILE_H

#include <stddef.h>
#include <sys/stat.h>

#include "lib/err.h"

/*  Read a regular file of at most 'most' bytes.  '*text' is malloc'ed and
    NUL-terminated beyond '*size'; the caller wipes and frees it.  'meta' (may
    be NULL) is fstat's view of the very file that was read.  SH_E_NOT_FOUND,
    SH_E_IO, SH_E_TOO_LARGE.  */
sh_err_t sh_file_read (char **text, size_t *size, struct stat *meta,
                       const char *path, size_t most, sh_why_t *why)
    SH_MUST_CHECK;

/*  Write a new file with 'mode' (regardless of umask): a temporary file in
    the same directory, fsync, then link or rename, then fsync of the
    directory.  Unless 'replace', an existing 'path' is SH_E_EXISTS and
    untouched.  */
sh_err_t sh_file_write (const char *path, const void *text, size_t size,
                        mode_t mode, bool replace, sh_why_t *why)
    SH_MUST_CHECK;

/*  Give a file another name in the same directory, over one that may be there,
    and sync the directory.  SH_E_NOT_FOUND, SH_E_IO.  */
sh_err_t sh_file_rename (const char *from, const char *to, sh_why_t *why)
    SH_MUST_CHECK;

/*  Make the directory that 'path' is to be in, with mode 0700, if only that is
    missing.  SH_E_IO with a sentence that names the file as 'what'.  */
sh_err_t sh_file_make_parent (const char *path, const char *what,
                              sh_why_t *why) SH_MUST_CHECK;

#endif
