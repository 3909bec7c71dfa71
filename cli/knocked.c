/* SPDX-License-Identifier: MPL-2.0 */
#include "cli/knocked.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/roster.h"

/*  A socket that listens on [::] shows IPv4 addresses as ::ffff:a.b.c.d.  */
static void
s_unmap (char *address)
{
    static const char mapped[] = "::ffff:";
    const char *rest = address + sizeof mapped - 1;
    if (strncmp (address, mapped, sizeof mapped - 1) == 0 && strchr (rest, '.'))
        memmove (address, rest, strlen (rest) + 1);
}

/*  One line of the hub's answer; false if it is none.  */
static bool
s_take (ctl_knocked_t *out, const char *line)
{
    char numbers[3][24];
    if (sscanf (line, "%40s %63s %23s %23s %23s", out->key, out->address,
                numbers[0], numbers[1], numbers[2])
            != 5
        || !sh_key_valid (out->key))
        return false;
    out->count = strtoull (numbers[0], NULL, 10);
    out->first = strtoll (numbers[1], NULL, 10);
    out->last = strtoll (numbers[2], NULL, 10);
    sh_key_fingerprint (out->fingerprint, out->key);
    s_unmap (out->address);
    return true;
}

static size_t
s_count_lines (const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += *text == '\n';
    return count;
}

static int
s_take_all (char *answer, ctl_knocked_t **out, size_t *count)
{
    char *rest = NULL;
    ctl_knocked_t *items = calloc (s_count_lines (answer) + 1, sizeof *items);
    if (!items)
        return ctl_fail (EX_OSERR, "out of memory");
    *count = 0;
    strtok_r (answer, "\n", &rest); /* the "ok" */
    for (char *line; (line = strtok_r (NULL, "\n", &rest)); ++*count) {
        if (s_take (&items[*count], line))
            continue;
        free (items);
        return ctl_not_understood ();
    }
    *out = items;
    return 0;
}

int
ctl_knocked_list (ctl_t *ctl, ctl_knocked_t **out, size_t *count)
{
    char *answer = NULL;
    int status = ctl_ask (ctl, "pending", &answer);
    if (status == 0)
        status = s_take_all (answer, out, count);
    free (answer);
    return status;
}

/*  EX_NOINPUT, and nothing is printed, if it is none of them.  Two keys of one
    fingerprint are no accident.  */
static int
s_pick (const ctl_knocked_t *items, size_t count, const char *fingerprint,
        char key[static SH_KEY_TEXT])
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        if (strcmp (items[i].fingerprint, fingerprint) != 0)
            continue;
        found++;
        memcpy (key, items[i].key, SH_KEY_TEXT);
    }
    if (found == 1)
        return 0;
    if (found > 1)
        return ctl_fail (EX_DATAERR,
                         "two keys with the fingerprint %s have knocked, which "
                         "is no accident; have the site show its whole key and "
                         "use scanhubctl scanner add",
                         fingerprint);
    return EX_NOINPUT;
}

/*  Why is it none of those that knocked?  */
static int
s_fail_unknown (ctl_t *ctl, const char *fingerprint)
{
    ctl_roster_t roster;
    char one[SH_FINGERPRINT_TEXT], name[HUB_NAME_MOST + 1] = "";
    int status = ctl_roster_load (&roster, ctl);
    if (status != 0)
        return status;
    for (size_t i = 0; i < roster.count; i++) {
        const hub_principal_t *who = &roster.items[i].who;
        if (!sh_key_valid (who->key))
            continue;
        sh_key_fingerprint (one, who->key);
        if (strcmp (one, fingerprint) == 0)
            snprintf (name, sizeof name, "%s", who->name);
    }
    ctl_roster_clear (&roster);
    if (*name)
        return ctl_fail (EX_CANTCREAT,
                         "the key %s is registered already, as '%s'",
                         fingerprint, name);
    return ctl_fail (EX_NOINPUT,
                     "no unknown key with the fingerprint %s has knocked "
                     "lately; see scanhubctl scanner pending; is the scanner "
                     "running? One that was rejected is not listed for a day: "
                     "scanhubctl scanner add lets it in, with the public-key "
                     "that scanhub-scanner check-config shows at the site",
                     fingerprint);
}

int
ctl_knocked_find (ctl_t *ctl, const char *fingerprint,
                  char key[static SH_KEY_TEXT])
{
    assert (ctl && fingerprint && key);
    char whole[SH_FINGERPRINT_TEXT];
    ctl_knocked_t *items = NULL;
    size_t count = 0;
    if (!sh_fingerprint_read (whole, fingerprint))
        return ctl_fail (EX_DATAERR,
                         "'%s' is no fingerprint; it is all of the 16 digits "
                         "that the scanner and scanhubctl scanner pending show, "
                         "such as 0123-4567-89ab-cdef",
                         fingerprint);
    int status = ctl_knocked_list (ctl, &items, &count);
    if (status == 0) {
        status = s_pick (items, count, whole, key);
        if (status == EX_NOINPUT)
            status = s_fail_unknown (ctl, whole);
    }
    free (items);
    return status;
}
