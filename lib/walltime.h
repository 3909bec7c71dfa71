/* SPDX-License-Identifier: MPL-2.0 */
/*  Epoch seconds <-> the wall-clock text in phpIPAM's columns.

    phpIPAM stores naive 'YYYY-MM-DD HH:MM:SS' text in its PHP's zone.  The
    hub knows two zones only: UTC and the process's local one (which
    sh_zone_adopt may have chosen), so that no thread ever changes TZ.  Texts
    are compared as text; the functions here say what that means in the
    repeated hour of autumn.  */

#ifndef SH_WALLTIME_H
#define SH_WALLTIME_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"

typedef enum
{
    SH_ZONE_UTC,
    SH_ZONE_LOCAL
} sh_zone_t;

typedef struct
{
    char text[20]; /* 'YYYY-MM-DD HH:MM:SS' and NUL */
} sh_wall_t;

/*  The range that both DATETIME and TIMESTAMP hold and a 4-digit year shows:
    1970-01-02 to 2038-01-18, away from the edges by a day for any zone.  */
#define SH_EPOCH_MIN INT64_C (86400)
#define SH_EPOCH_MAX INT64_C (2147397247)

/*  Make 'name' (an IANA name such as Europe/Berlin, or UTC) the process's
    local zone.  Call once, before any thread.  glibc takes UTC for a name it
    does not know, so an unknown one is SH_E_CONFIG here.  */
sh_err_t sh_zone_adopt (const char *name, sh_why_t *why) SH_MUST_CHECK;

/*  Seconds east of UTC at 'epoch'.  */
int sh_zone_offset (sh_zone_t zone, int64_t epoch);

/*  design 'auto': if the untouched database session ('db_offset', seconds
    east) and this host share an offset that is not zero, the host's zone;
    else UTC.  */
sh_zone_t sh_zone_guess (int db_offset, int64_t now);

/*  The wall clock of 'zone' at 'epoch'.  Outside of the range it is that of
    the range's nearer end, for a machine's clock can be that wrong.  */
void sh_wall_at (sh_wall_t *out, sh_zone_t zone, int64_t epoch);

/*  The greatest text that a clock in 'zone' has shown up to 'epoch': equal to
    sh_wall_at, but for the hours after clocks went back, where it is the last
    second before they did.  A stored text above this is in the future.  */
void sh_wall_latest (sh_wall_t *out, sh_zone_t zone, int64_t epoch);

/*  When a clock in 'zone' showed the text; of the repeated hour either.  False
    for what is no such text, never included.  */
bool sh_wall_epoch (int64_t *out, sh_zone_t zone, const char *text);

/*  Is the text a column's way of saying never: NULL, '', '0000-00-00...',
    '1970-01-01 00:00:01' or '1970-01-01 01:00:00' (phpIPAM's list)?  */
bool sh_wall_is_never (const char *text);

#endif
