/* SPDX-License-Identifier: MPL-2.0 */
/*  What the commands share that ask the hub's journal.  */

#ifndef CTL_JOURNAL_H
#define CTL_JOURNAL_H

#include "cli/ctl.h"

/*  What --scanner, --subnet, --since, --limit and --json say.  */
typedef struct
{
    const char *scanner, *subnet; /* "-": any */
    int64_t since;                /* epoch ms; 0: from the beginning */
    int64_t limit;
    bool json;
} ctl_choice_t;

/*  Read the options of 'letters' (n, s, t, l, j) into 'out', which has the
    defaults; no other words may follow.  -1: go on, else the exit status.  */
int ctl_choice_read (ctl_choice_t *out, const ctl_t *self, const char *letters,
                     int argc, char **argv);

/*  Ask for all pages of what is under 'name', up to 'most' of it, each by
    "HEAD BEFORE TAIL", where BEFORE is the number that the last one has under
    'key'; one document, the caller's.  0 or the status.  */
int ctl_journal_pages (ctl_t *self, const char *head, const char *tail,
                       const char *name, const char *key, int64_t most,
                       json_t **out);

/*  "2026-11-30 06:00:00": how far the journal goes back.  */
void ctl_journal_begin (char *out, size_t size, const json_t *document);

#endif
