/* SPDX-License-Identifier: MPL-2.0 */

#include "cli/when.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/span.h"

void
ctl_time_text (char *out, size_t size, int64_t ms)
{
    time_t seconds = (time_t) (ms / 1000);
    struct tm parts;
    if (!localtime_r (&seconds, &parts)
        || strftime (out, size, "%Y-%m-%d %H:%M:%S", &parts) == 0)
        snprintf (out, size, "?");
}

static bool
s_span (int64_t *out, const char *text, int64_t now)
{
    int64_t seconds;
    if (sh_span_parse (&seconds, text) != SH_OK)
        return false;
    *out = now + seconds * 1000;
    return true;
}

/*  Does the text have this form, 'd' standing for a digit?  */
static bool
s_has_form (const char *text, const char *form)
{
    size_t i = 0;
    for (; form[i] && text[i]; i++)
        if (form[i] == 'd' ? text[i] < '0' || text[i] > '9'
                           : text[i] != form[i])
            return false;
    return form[i] == text[i];
}

/*  mktime takes the 31st of June for the 1st of July; such a day is none.  */
static bool
s_make (int64_t *out, struct tm *parts)
{
    int month = parts->tm_mon;
    parts->tm_isdst = -1;
    time_t seconds = mktime (parts);
    *out = (int64_t) seconds * 1000;
    return seconds != (time_t) -1 && parts->tm_mon == month;
}

/*  What stands there is known to be digits, and few.  */
static int
s_number (const char *text)
{
    return (int) strtol (text, NULL, 10);
}

/*  The next time that clocks show it.  */
static bool
s_clock (int64_t *out, const char *text, int64_t now)
{
    time_t seconds = (time_t) (now / 1000);
    struct tm parts;
    int hour = s_number (text), minute = s_number (text + 3);
    if (hour > 23 || minute > 59 || !localtime_r (&seconds, &parts))
        return false;
    struct tm today = parts;
    today.tm_hour = hour;
    today.tm_min = minute;
    today.tm_sec = 0;
    if (!s_make (out, &today))
        return false;
    if (*out > now)
        return true;
    parts.tm_mday++;
    parts.tm_hour = hour;
    parts.tm_min = minute;
    parts.tm_sec = 0;
    parts.tm_isdst = -1;
    *out = (int64_t) mktime (&parts) * 1000;
    return *out > now;
}

static bool
s_day (int64_t *out, const char *text)
{
    struct tm parts = { .tm_year = s_number (text) - 1900,
                        .tm_mon = s_number (text + 5) - 1,
                        .tm_mday = s_number (text + 8) };
    if (text[10]) {
        parts.tm_hour = s_number (text + 11);
        parts.tm_min = s_number (text + 14);
    }
    if (text[10] && text[16])
        parts.tm_sec = s_number (text + 17);
    if (parts.tm_hour > 23 || parts.tm_min > 59 || parts.tm_sec > 59)
        return false;
    return s_make (out, &parts);
}

sh_err_t
ctl_until_parse (int64_t *out, const char *text, int64_t now)
{
    assert (out && text);
    int64_t until;
    bool good;
    if (s_has_form (text, "dd:dd"))
        good = s_clock (&until, text, now);
    else if (s_has_form (text, "dddd-dd-dd")
             || s_has_form (text, "dddd-dd-dd dd:dd")
             || s_has_form (text, "dddd-dd-dd dd:dd:dd"))
        good = s_day (&until, text);
    else
        good = s_span (&until, text, now);
    if (!good)
        return SH_E_SYNTAX;
    *out = until;
    return SH_OK;
}
