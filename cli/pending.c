/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhubctl scanner pending: unknown keys that knocked at the running hub's
    door, and how to let one in.  */

#include "cli/ctl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "lib/keyfile.h"

#define ADDRESS_MOST 64

static void
s_time (char *out, size_t size, int64_t ms)
{
    time_t seconds = (time_t) (ms / 1000);
    struct tm parts;
    if (!localtime_r (&seconds, &parts)
        || strftime (out, size, "%Y-%m-%d %H:%M:%S", &parts) == 0)
        snprintf (out, size, "?");
}

/*  One line of the hub's answer; false if it is none.  */
static bool
s_print (const char *line)
{
    char key[SH_KEY_TEXT], address[ADDRESS_MOST];
    char fingerprint[SH_FINGERPRINT_TEXT], first[32], last[32];
    uint64_t count;
    int64_t times[2];
    if (sscanf (line, "%40s %63s %" SCNu64 " %" SCNd64 " %" SCNd64, key,
                address, &count, &times[0], &times[1])
            != 5
        || !sh_key_valid (key))
        return false;
    sh_key_fingerprint (fingerprint, key);
    s_time (first, sizeof first, times[0]);
    s_time (last, sizeof last, times[1]);
    printf ("%s  fingerprint %s\n"
            "    from %s, %" PRIu64 " times, first %s, last %s\n",
            key, fingerprint, address, count, first, last);
    return true;
}

static int
s_print_all (char *answer)
{
    size_t count = 0;
    char *rest = NULL;
    strtok_r (answer, "\n", &rest); /* the "ok" */
    for (char *line; (line = strtok_r (NULL, "\n", &rest)); count++)
        if (!s_print (line))
            return ctl_not_understood ();
    if (count == 0)
        printf ("no unknown key has knocked\n");
    else
        printf ("To let one in whose fingerprint its owner has confirmed:\n"
                "    scanhubctl scanner add NAME --code CODE --public-key "
                "'KEY'\n");
    return 0;
}

int
ctl_scanner_pending (ctl_t *self, int argc, char **argv)
{
    char *answer = NULL;
    int status = ctl_no_arguments (self, argc, argv);
    if (status >= 0)
        return status;
    status = ctl_ask (self, "pending", &answer);
    if (status == 0)
        status = s_print_all (answer);
    free (answer);
    return status;
}
