/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/secret.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <sodium.h>

#include "lib/file.h"

#ifdef HAVE_CONFIG_H
#include "build-config.h"
#endif

#define SECRET_MOST 4096

/*  LeakSanitizer stops the process with ptrace, which a process that is not
    dumpable forbids: a sanitizer build stays dumpable.  */
#if defined(SCANHUB_SANITIZED) || defined(__SANITIZE_ADDRESS__)
#define KEEP_DUMPABLE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEEP_DUMPABLE 1
#endif
#endif
#ifndef KEEP_DUMPABLE
#define KEEP_DUMPABLE 0
#endif

sh_err_t
sh_secret_harden (sh_why_t *why)
{
    if (sodium_init () < 0)
        return sh_fail (why, SH_E_INTERNAL, "libsodium does not start");
    const struct rlimit none = { 0, 0 };
    if (setrlimit (RLIMIT_CORE, &none) != 0)
        return sh_fail (why, SH_E_INTERNAL, "cannot forbid core files: %s",
                        strerror (errno));
    if (!KEEP_DUMPABLE && prctl (PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) != 0)
        return sh_fail (why, SH_E_INTERNAL, "cannot forbid memory dumps: %s",
                        strerror (errno));
    return SH_OK;
}

void
sh_secret_wipe (void *at, size_t size)
{
    if (at)
        sodium_memzero (at, size);
}

void
sh_secret_free (char **text)
{
    assert (text);
    if (*text)
        sodium_memzero (*text, strlen (*text));
    free (*text);
    *text = NULL;
}

/*  Does the file lie directly in $CREDENTIALS_DIRECTORY?  systemd makes the
    files in there 0440 with an ACL, in a directory that only the service can
    enter.  Compared by inode, for ".." makes any text comparison a guess.  */
static bool
s_is_credential (const char *path)
{
    const char *credentials = getenv ("CREDENTIALS_DIRECTORY");
    const char *slash = strrchr (path, '/');
    struct stat a, b;
    if (!credentials || !slash || stat (credentials, &a) != 0)
        return false;
    char *parent = strndup (path, (size_t) (slash - path) + 1);
    bool same = parent && stat (parent, &b) == 0 && a.st_dev == b.st_dev
                && a.st_ino == b.st_ino;
    free (parent);
    return same;
}

sh_err_t
sh_secret_check_mode (const char *path, mode_t mode, sh_why_t *why)
{
    assert (path);
    if ((mode & (S_IRWXG | S_IRWXO)) == 0 || s_is_credential (path))
        return SH_OK;
    return sh_fail (why, SH_E_MODE,
                    "%s: open to group or others; chmod 0600 it", path);
}

static sh_err_t
s_check_line (char *text, size_t size, const char *path, sh_why_t *why)
{
    if (size > 0 && text[size - 1] == '\n')
        text[--size] = '\0';
    if (size == 0)
        return sh_fail (why, SH_E_SYNTAX, "%s: is empty", path);
    if (strlen (text) != size || strpbrk (text, "\r\n"))
        return sh_fail (why, SH_E_SYNTAX,
                        "%s: must be one line of text, without NUL bytes or "
                        "carriage returns",
                        path);
    return SH_OK;
}

sh_err_t
sh_secret_read (char **out, const char *path, sh_why_t *why)
{
    assert (out && path);
    char *text = NULL;
    size_t size = 0;
    struct stat meta;
    sh_err_t rc = sh_file_read (&text, &size, &meta, path, SECRET_MOST, why);
    if (rc != SH_OK)
        return rc;

    rc = sh_secret_check_mode (path, meta.st_mode, why);
    if (rc == SH_OK)
        rc = s_check_line (text, size, path, why);
    if (rc == SH_OK) {
        *out = text;
        return SH_OK;
    }
    sh_secret_wipe (text, size);
    free (text);
    return rc;
}
