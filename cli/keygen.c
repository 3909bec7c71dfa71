/* SPDX-License-Identifier: MPL-2.0 */

#include "cli/ctl.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/keyfile.h"

/*  Nothing is written when one of the two is there, for half a pair helps
    nobody.  */
static int
s_refuse_existing (const char *path)
{
    struct stat meta;
    if (lstat (path, &meta) != 0)
        return 0;
    return ctl_fail (EX_CANTCREAT,
                     "%s exists already and stays as it is; choose another "
                     "name, or move it away if nobody uses that key any more",
                     path);
}

static int
s_write_pair (const sh_keyfile_t *pair, const char *secret_path,
              const char *public_path)
{
    sh_why_t why;
    char fingerprint[SH_FINGERPRINT_TEXT];
    sh_err_t rc = sh_keyfile_save (pair, secret_path, true, &why);
    if (rc == SH_OK) {
        rc = sh_keyfile_save (pair, public_path, false, &why);
        if (rc != SH_OK)
            unlink (secret_path); /* it was made a moment ago, by us */
    }
    if (rc != SH_OK)
        return ctl_fail_err (rc, &why);
    sh_key_fingerprint (fingerprint, pair->public_key);
    printf ("secret key in %s (mode 0600; never send it anywhere)\n"
            "public key in %s\n"
            "public-key: %s\n"
            "fingerprint: %s\n",
            secret_path, public_path, pair->public_key, fingerprint);
    return 0;
}

static int
s_keygen (const char *path)
{
    char *public_path = NULL;
    sh_keyfile_t *pair = NULL;
    if (asprintf (&public_path, "%s.pub", path) < 0)
        return ctl_fail (EX_OSERR, "out of memory");
    int status = s_refuse_existing (path);
    if (status == 0)
        status = s_refuse_existing (public_path);
    if (status == 0) {
        sh_err_t rc = sh_keyfile_generate (&pair);
        if (rc == SH_OK)
            status = s_write_pair (pair, path, public_path);
        else
            status = ctl_fail (EX_SOFTWARE, "cannot make a key pair: %s",
                               sh_err_text (rc));
    }
    sh_keyfile_destroy (&pair);
    free (public_path);
    return status;
}

int
ctl_keygen (ctl_t *self, int argc, char **argv)
{
    int status = ctl_words (self, argc, argv, 1, NULL);
    if (status >= 0)
        return status;
    return s_keygen (argv[optind]);
}
