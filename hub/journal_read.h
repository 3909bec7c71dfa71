/* SPDX-License-Identifier: MPL-2.0 */
/*  Questions to the journal, on a connection of their own beside the actor that
    writes: indexed, bounded, and cut off when they take too long, for the
    thread that asks has other things to do.  */

#ifndef HUB_JOURNAL_READ_H
#define HUB_JOURNAL_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/addr.h"
#include "lib/clock.h"
#include "lib/err.h"

typedef struct hub_journal_reader hub_journal_reader_t;

#define HUB_JOURNAL_PATIENCE_MS 1000 /* for all that one reader is asked */

/*  SH_E_NOT_FOUND: there is no such file yet; SH_E_IO.  */
sh_err_t hub_journal_reader_new (hub_journal_reader_t **out, const char *path,
                                 const sh_clock_t *clock, sh_why_t *why)
    SH_MUST_CHECK;
void hub_journal_reader_destroy (hub_journal_reader_t **self_p);

/*  Epoch ms: what happened before may be missing.  */
sh_err_t hub_journal_begin (hub_journal_reader_t *self, int64_t *out,
                            sh_why_t *why) SH_MUST_CHECK;

/*  A report's line; the texts are borrowed for the call.  */
typedef struct
{
    int64_t number;
    const char *scanner, *code, *agent, *cidr, *cause;
    int64_t subnet;
    int door, kind, result; /* hub_door_t, sp_kind_t, sp_result_t */
    bool closed;            /* its closing part was applied */
    int64_t started, finished, received, written; /* epoch ms */
    int64_t parts, seen, added, named, macs, tagged, offline, refused, held;
} hub_told_report_t;

/*  A column's line.  'before' and 'after' are NULL for an empty column.  */
typedef struct
{
    int64_t number, report, at, subnet;
    sh_addr_t ip;
    int64_t address; /* ipaddresses.id; 0: of a new row, not known */
    bool added;
    int column; /* hub_column_t */
    const char *before, *after;
    const char *scanner, *agent, *cidr; /* of the report */
} hub_told_change_t;

/*  One cause; scanner and subnet are those of the last time.  */
typedef struct
{
    const char *cause, *scanner;
    bool host; /* single hosts, not whole parts */
    int64_t subnet, count, first, last;
} hub_told_refusal_t;

/*  Called for each line; false: no more.  */
typedef bool (hub_told_report_fn) (void *context, const hub_told_report_t *one);
typedef bool (hub_told_change_fn) (void *context, const hub_told_change_t *one);
typedef bool (hub_told_refusal_fn) (void *context,
                                    const hub_told_refusal_t *one);

/*  Which reports; the newest come first.  */
typedef struct
{
    int64_t before;      /* only numbers below; 0: all */
    int64_t since;       /* written then or later, epoch ms */
    int64_t subnet;      /* 0: of any */
    const char *scanner; /* NULL: of any */
    int64_t most;
} hub_journal_filter_t;

/*  All of these: SH_E_TIMEOUT: it took too long; SH_E_IO.  */
sh_err_t hub_journal_reports (hub_journal_reader_t *self,
                              const hub_journal_filter_t *filter,
                              hub_told_report_fn *tell, void *context,
                              sh_why_t *why) SH_MUST_CHECK;
/*  SH_E_NOT_FOUND as well.  */
sh_err_t hub_journal_report (hub_journal_reader_t *self, int64_t number,
                             hub_told_report_fn *tell, void *context,
                             sh_why_t *why) SH_MUST_CHECK;

/*  What a report changed, or what was changed of an address in any subnet; the
    newest first, those below the number 'before' (0: all).  */
sh_err_t hub_journal_changes_of (hub_journal_reader_t *self, int64_t report,
                                 int64_t before, hub_told_change_fn *tell,
                                 void *context, sh_why_t *why) SH_MUST_CHECK;
sh_err_t hub_journal_changes_at (hub_journal_reader_t *self,
                                 const sh_addr_t *ip, int64_t before,
                                 hub_told_change_fn *tell, void *context,
                                 sh_why_t *why) SH_MUST_CHECK;

/*  What there is to tell of a time: rows that are new, tags that are Offline
    and were not, MACs that replaced others; of each address the last of its
    kind.  */
sh_err_t hub_journal_news (hub_journal_reader_t *self, int64_t since,
                           hub_told_change_fn *tell, void *context,
                           sh_why_t *why) SH_MUST_CHECK;

sh_err_t hub_journal_refusals (hub_journal_reader_t *self,
                               const hub_journal_filter_t *filter,
                               hub_told_refusal_fn *tell, void *context,
                               sh_why_t *why) SH_MUST_CHECK;

/*  When the last report of a subnet was written that was neither refused nor
    put off; 0: none is known.  */
sh_err_t hub_journal_last_of_subnet (hub_journal_reader_t *self,
                                     uint64_t subnet, int64_t *out,
                                     sh_why_t *why) SH_MUST_CHECK;

#endif
