/* SPDX-License-Identifier: MPL-2.0 */
/*  What reports would change and has not been written: whole reports of what is
    under preview, and the parts of others that the brake stopped.  On disk
    before the scanner is told, so that nothing is lost; listed, shown, applied
    (hub/applier.h) and dropped by scanhubctl.  An entry is what was held of one
    report for one reason.  Bounded; thread-safe.  */

#ifndef HUB_PREVIEWS_H
#define HUB_PREVIEWS_H

#include "hub/deltas.h"
#include "hub/principal.h"
#include "lib/clock.h"

#define HUB_PREVIEWS_MOST 4096 /* entries */
#define HUB_PREVIEWS_BYTES (UINT64_C (64) * 1024 * 1024)
#define HUB_PREVIEW_BYTES (HUB_PREVIEWS_BYTES / 4) /* of one entry */
/*  Of one subnet and kind that are under preview; older ones go, for a scanner
    reports every few minutes.  */
#define HUB_PREVIEWS_EACH 8
/*  Changes that are listed of one part; what is beyond is counted only.  */
#define HUB_PREVIEW_LISTED 16384

typedef enum
{
    HUB_HELD_NOT,
    HUB_HELD_PREVIEW,
    HUB_HELD_NEW,     /* more new rows than max_new */
    HUB_HELD_OFFLINE, /* more hosts going than max_offline */
    HUB_HELD_COUNT
} hub_held_t;

/*  One part that is to be kept; all of it borrowed.  */
typedef struct
{
    hub_held_t reason;
    const hub_principal_t *who;
    const char *code;
    const hub_agent_t *agent;
    const hub_subnet_t *subnet;
    const sp_report_t *report;
    sh_bytes_t frame;
    int64_t received; /* epoch ms */
    const hub_deltas_t *deltas;
    const hub_sightings_t *sightings; /* refused hosts are listed; or NULL */
    uint64_t changes; /* as in a verdict; 'deltas' may list fewer */
    /*  Of a closing part under preview: its hosts were not written, so what is
        to become Offline is to be compared with what is kept of them: those
        with a lastSeen of this or later have answered.  NULL: no such part.  */
    const char *silent;
} hub_keep_t;

typedef struct
{
    uint64_t number;
    hub_held_t reason;
    uint8_t report[SP_REPORT_ID];
    uint64_t subnet;
    char cidr[SH_PREFIX_TEXT];
    int kind; /* sp_kind_t */
    int64_t started, received; /* epoch ms; that of the latest part */
    hub_door_t door;
    char key[SH_KEY_TEXT];
    char name[HUB_NAME_MOST + 1];
    char code[SP_CODE_MOST + 1];
    char agent[256];
    uint64_t parts;
    uint64_t changes; /* of rows, as in verdicts */
    uint64_t listed;  /* columns */
    char failed[512]; /* why applying it failed last; or "" */
} hub_preview_t;

/*  One line of what would change.  Texts are borrowed; NULL is an empty column,
    or no row.  */
typedef struct
{
    uint64_t row; /* ascending within an entry; to go on behind it */
    uint64_t part;
    const char *action; /* insert, update, refuse */
    const char *address;
    const char *column; /* of phpIPAM; of a refusal "" */
    const char *before, *after; /* of a refusal 'after' is the cause */
} hub_preview_line_t;

typedef void (hub_preview_see_fn) (void *context,
                                   const hub_preview_line_t *line);

typedef struct
{
    uint64_t previews; /* entries of what is under preview */
    uint64_t held;     /* entries that the brake made */
    uint64_t changes;  /* of both, of rows */
    uint64_t bytes;
    uint64_t dropped;  /* entries that had to go since the start, for room */
    char trouble[320]; /* why nothing can be kept; or "" */
} hub_previews_totals_t;

typedef struct hub_previews hub_previews_t;

/*  Open the file ('path' NULL: in memory).  One that cannot be used is said in
    the log and tried again with each use.  SH_E_MEMORY.  */
sh_err_t hub_previews_new (hub_previews_t **out, const char *path,
                           const sh_clock_t *clock) SH_MUST_CHECK;
void hub_previews_destroy (hub_previews_t **self_p);

/*  Keep a part, in the place of one that was kept of the same report.  What the
    brake held of an older report of this subnet for the same reason goes: the
    newer one says what is there now.  '*number' is the entry's, and '*again'
    that it is the older one's, as it holds the same changes.  SH_E_IO: it is
    not kept, and the why says what to do; SH_E_MEMORY.  */
sh_err_t hub_previews_put (hub_previews_t *self, const hub_keep_t *one,
                           uint64_t *number, bool *again, sh_why_t *why)
    SH_MUST_CHECK;

/*  Up to 'most' entries with numbers above 'after', of a subnet or (0) all.
    SH_E_IO.  */
sh_err_t hub_previews_list (hub_previews_t *self, uint64_t after,
                            uint64_t subnet, hub_preview_t *out, size_t most,
                            size_t *count, sh_why_t *why) SH_MUST_CHECK;

/*  SH_E_NOT_FOUND, SH_E_IO.  */
sh_err_t hub_previews_find (hub_previews_t *self, uint64_t number,
                            hub_preview_t *out, sh_why_t *why) SH_MUST_CHECK;

/*  Somebody is about to see the entry, or to have it applied: from now on what
    it would change is not changed under this number; if its scanner sends other
    parts of the report, the entry gets another.  Number 0 is none.  */
void hub_previews_shown (hub_previews_t *self, uint64_t number);

#define HUB_PREVIEW_ALL UINT64_MAX

/*  Show up to 'most' lines behind 'after', of one part or HUB_PREVIEW_ALL, to
    'see', which must not call back.  '*more': others follow.  */
sh_err_t hub_previews_lines (hub_previews_t *self, uint64_t number,
                             uint64_t part, uint64_t after, size_t most,
                             hub_preview_see_fn *see, void *context,
                             bool *more, sh_why_t *why) SH_MUST_CHECK;

/*  One part of an entry.  */
typedef struct
{
    uint64_t part;
    uint8_t *frame; /* malloc'ed; the caller's */
    size_t size;
    int64_t received;
    uint64_t changes; /* as in a verdict */
} hub_preview_part_t;

/*  The first part from 'from' on.  SH_E_NOT_FOUND: no more; SH_E_IO: it is
    damaged; SH_E_MEMORY.  */
sh_err_t hub_previews_part (hub_previews_t *self, uint64_t number,
                            uint64_t from, hub_preview_part_t *out,
                            sh_why_t *why) SH_MUST_CHECK;

/*  Are parts of this report kept, for its subnet is under preview?  Also false
    if the file cannot be read.  */
bool hub_previews_has_report (hub_previews_t *self, uint64_t subnet,
                              const uint8_t report[static SP_REPORT_ID]);

/*  Note why applying it failed.  */
void hub_previews_note (hub_previews_t *self, uint64_t number,
                        const char *failed);

/*  Drop an entry; with 'report' not NULL only if it still is of that report.
    SH_E_NOT_FOUND, SH_E_IO.  */
sh_err_t hub_previews_drop (hub_previews_t *self, uint64_t number,
                            const uint8_t *report, sh_why_t *why)
    SH_MUST_CHECK;

void hub_previews_totals (hub_previews_t *self, hub_previews_totals_t *out);

/*  "preview", "new", "offline".  */
const char *hub_held_word (hub_held_t reason);

#endif
