/* SPDX-License-Identifier: MPL-2.0 */
/*  Points in time as people write and read them, by this machine's clock.  */

#ifndef CTL_WHEN_H
#define CTL_WHEN_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

/*  "2026-11-30 06:00:00".  */
void ctl_time_text (char *out, size_t size, int64_t ms);

/*  When is that (epoch ms)?  A span from 'now' on, of a number and s, m, h or d
    ("90m"); a time of the day, the next that comes ("06:00"); a day, its begin
    ("2026-11-30"); or both ("2026-11-30 06:00").  SH_E_SYNTAX.  */
sh_err_t ctl_until_parse (int64_t *out, const char *text, int64_t now)
    SH_MUST_CHECK;

#endif
