/* SPDX-License-Identifier: MPL-2.0 */
/*  The journal's file: one line for each report, one for each column that it
    changed, and refusals counted by cause, scanner and subnet.  Only the
    journal's thread writes; hub/journal_read reads beside it.  */

#ifndef HUB_JOURNAL_FILE_H
#define HUB_JOURNAL_FILE_H

#include "hub/record.h"
#include "lib/clock.h"

typedef struct hub_journal_file hub_journal_file_t;

/*  PRAGMA application_id, which tells our file from any other: "ScJo".  */
#define HUB_JOURNAL_APPLICATION 1399016047

typedef struct
{
    const char *path;
    int64_t age_ms;      /* what is older goes */
    uint64_t size_bytes; /* then what is oldest, until it has no more */
} hub_journal_limits_t;

/*  Open it, or make it; one that is broken is set aside.  'limits' is
    borrowed and outlives the file.  Errors as sh_dbfile_open.  */
sh_err_t hub_journal_file_new (hub_journal_file_t **out,
                               const hub_journal_limits_t *limits,
                               const sh_clock_t *clock, sh_why_t *why)
    SH_MUST_CHECK;
void hub_journal_file_destroy (hub_journal_file_t **self_p);

/*  Write a list of records, all or none.  SH_E_IO with a why; SH_E_SYNTAX: the
    file is broken, or is not there any more: close it and open anew.  */
sh_err_t hub_journal_file_write (hub_journal_file_t *self,
                                 const hub_record_t *first, sh_why_t *why)
    SH_MUST_CHECK;

/*  Let some of what is too old or too much go; '*more' says that others have to
    follow.  Errors as above.  */
sh_err_t hub_journal_file_trim (hub_journal_file_t *self, bool *more,
                                sh_why_t *why) SH_MUST_CHECK;

/*  Bytes in use; the file may be larger and has then room inside.  */
uint64_t hub_journal_file_size (hub_journal_file_t *self);

#endif
