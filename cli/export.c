/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhubctl scanner export: the whole registry as one JSON document, which
    'scanner import' takes.  There is no secret in it.  */

#include "cli/ctl.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/roster.h"
#include "lib/file.h"

/*  What lets nobody in is left out, and told.  '*left' is how many.  */
static json_t *
s_document (const ctl_roster_t *roster, const char *digest, size_t *left)
{
    json_t *all = json_array ();
    *left = 0;
    for (size_t i = 0; i < roster->count; i++) {
        const ctl_entry_t *entry = &roster->items[i];
        if (ctl_entry_in_force (roster, entry)) {
            json_array_append_new (all, ctl_entry_json (entry));
            continue;
        }
        ctl_warn ("left out, for it lets nobody in: %s; see scanhubctl scanner "
                  "list",
                  entry->path);
        ++*left;
    }
    return json_pack ("{s:i, s:s, s:o}", CTL_EXPORT_KEY, CTL_EXPORT_VERSION,
                      "digest", digest, "scanners", all);
}

static int
s_write (const json_t *document, const char *path)
{
    sh_why_t why;
    char *text = json_dumps (document, JSON_INDENT (2));
    if (!text)
        return ctl_fail (EX_OSERR, "out of memory");
    size_t size = strlen (text);
    text[size] = '\n'; /* in the place of the NUL */
    sh_err_t rc = sh_file_write (path, text, size + 1, 0644, false, &why);
    free (text);
    return rc == SH_OK ? 0 : ctl_fail_err (rc, &why);
}

int
ctl_scanner_export (ctl_t *self, int argc, char **argv)
{
    ctl_roster_t roster = { 0 };
    char digest[HUB_DIGEST_TEXT];
    size_t left = 0;
    int words = argc > 1 && argv[argc - 1][0] != '-' ? 1 : 0;
    int status = ctl_words (self, argc, argv, words, NULL);
    if (status >= 0)
        return status;
    status = ctl_roster_load (&roster, self);
    if (status == 0)
        status = ctl_roster_digest (&roster, digest);
    json_t *document
        = status == 0 ? s_document (&roster, digest, &left) : NULL;
    if (status == 0)
        status = words ? s_write (document, argv[optind])
                       : ctl_print_json (document);
    json_decref (document);
    ctl_roster_clear (&roster);
    return status ? status : left > 0;
}
