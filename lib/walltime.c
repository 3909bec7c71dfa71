/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/walltime.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/file.h"
#include "lib/log.h"

#define ZONE_DIR "/usr/share/zoneinfo"
#define ZONE_NAME_MOST 64
#define ZONE_FILE_MOST 65536

/*  No zone has put its clocks back further than this since 1970.  */
#define LARGEST_STEP (3 * 3600)

static bool
s_name_ok (const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/";
    size_t length = strspn (name, allowed);
    return length > 0 && length <= ZONE_NAME_MOST && name[length] == '\0'
           && name[0] != '/' && name[length - 1] != '/';
}

/*  Does the file look like what tzset will read?  The directory also holds
    tables and, for a prefix like 'Europe', directories.  */
static bool
s_zone_exists (const char *name)
{
    const char *dir = getenv ("TZDIR");
    if (!dir || dir[0] == '\0')
        dir = ZONE_DIR;
    size_t room = strlen (dir) + strlen (name) + 2;
    char *path = malloc (room);
    if (!path)
        return false;
    snprintf (path, room, "%s/%s", dir, name);

    char *text = NULL;
    size_t size = 0;
    bool found = sh_file_read (&text, &size, NULL, path, ZONE_FILE_MOST, NULL)
                     == SH_OK
                 && size >= 4 && memcmp (text, "TZif", 4) == 0;
    free (text);
    free (path);
    return found;
}

sh_err_t
sh_zone_adopt (const char *name, sh_why_t *why)
{
    assert (name);
    bool utc = strcmp (name, "UTC") == 0;
    if (!utc && (!s_name_ok (name) || !s_zone_exists (name))) {
        char shown[ZONE_NAME_MOST + 1];
        sh_escape (shown, sizeof shown, name);
        return sh_fail (why, SH_E_CONFIG,
                        "unknown time zone '%s'; give an IANA name such as "
                        "Europe/Berlin, or UTC (is tzdata installed?)",
                        shown);
    }
    /*  'UTC0' is complete in itself, where 'UTC' would need a zone file.  */
    if (setenv ("TZ", utc ? "UTC0" : name, 1) != 0)
        return sh_fail (why, SH_E_MEMORY, "cannot set TZ: %s",
                        strerror (errno));
    tzset ();
    return SH_OK;
}

int
sh_zone_offset (sh_zone_t zone, int64_t epoch)
{
    time_t at = (time_t) epoch;
    struct tm parts;
    if (zone == SH_ZONE_UTC || !localtime_r (&at, &parts))
        return 0;
    return (int) parts.tm_gmtoff;
}

sh_zone_t
sh_zone_guess (int db_offset, int64_t now)
{
    bool shared = db_offset != 0
                  && db_offset == sh_zone_offset (SH_ZONE_LOCAL, now);
    return shared ? SH_ZONE_LOCAL : SH_ZONE_UTC;
}

/*  An epoch may come from a machine's clock, which is no reason to abort.  */
static int64_t
s_clamp (int64_t epoch)
{
    if (epoch < SH_EPOCH_MIN)
        return SH_EPOCH_MIN;
    return epoch > SH_EPOCH_MAX ? SH_EPOCH_MAX : epoch;
}

void
sh_wall_at (sh_wall_t *out, sh_zone_t zone, int64_t epoch)
{
    assert (out);
    time_t at = (time_t) s_clamp (epoch);
    struct tm parts = { 0 };
    /*  Neither can fail within the range.  */
    if (zone == SH_ZONE_LOCAL)
        localtime_r (&at, &parts);
    else
        gmtime_r (&at, &parts);
    strftime (out->text, sizeof out->text, "%Y-%m-%d %H:%M:%S", &parts);
}

/*  The last second before the zone's offset sank to what it is at 'after';
    at 'before' it was still higher.  */
static int64_t
s_last_before_step (sh_zone_t zone, int64_t before, int64_t after)
{
    int low = sh_zone_offset (zone, after);
    while (after - before > 1) {
        int64_t middle = before + (after - before) / 2;
        if (sh_zone_offset (zone, middle) > low)
            before = middle;
        else
            after = middle;
    }
    return before;
}

void
sh_wall_latest (sh_wall_t *out, sh_zone_t zone, int64_t epoch)
{
    assert (out);
    epoch = s_clamp (epoch);
    sh_wall_at (out, zone, epoch);

    /*  Clocks that went back by D repeat D seconds, and D is at most
        LARGEST_STEP: whoever is in the repeated stretch was in front of the
        step that long ago.  */
    int64_t before = epoch - LARGEST_STEP;
    if (before < SH_EPOCH_MIN
        || sh_zone_offset (zone, before) <= sh_zone_offset (zone, epoch))
        return;
    sh_wall_t shown;
    sh_wall_at (&shown, zone, s_last_before_step (zone, before, epoch));
    if (strcmp (shown.text, out->text) > 0)
        *out = shown;
}

bool
sh_wall_epoch (int64_t *out, sh_zone_t zone, const char *text)
{
    struct tm parts = { .tm_isdst = -1 };
    const char *end
        = sh_wall_is_never (text)
              ? NULL
              : strptime (text, "%Y-%m-%d %H:%M:%S", &parts);
    if (!end || *end)
        return false;
    time_t at = zone == SH_ZONE_LOCAL ? mktime (&parts) : timegm (&parts);
    if (at <= 0)
        return false;
    *out = at;
    return true;
}

bool
sh_wall_is_never (const char *text)
{
    return !text || text[0] == '\0' || strncmp (text, "0000-00-00", 10) == 0
           || strcmp (text, "1970-01-01 00:00:01") == 0
           || strcmp (text, "1970-01-01 01:00:00") == 0;
}
