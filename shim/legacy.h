/* SPDX-License-Identifier: MPL-2.0 */
/*  The body that scanners of the older Ansible agent POST: JSON with a code, a
    subnet and a list of hosts with local wall-clock times.  Turned into the
    protocol's report; the only place that includes jansson.h.  Pure.

        {"code": C, "scan": {"subnet": "a.b.c.d/m", "tz": "+0930",
         "results": [{"ip": ..., "lastSeen": "YYYY-MM-DD HH:MM:SS",
                      "subnetId": ..., "id": ..., "hostname": ..., "mac": ...},
                     ...]}}

    'results' may also be a JSON text that holds the list.  'id' is ignored: it
    comes from a stale cache.  */

#ifndef SM_LEGACY_H
#define SM_LEGACY_H

#include "scanner-proto/message.h"

typedef struct
{
    char ip[SP_TEXT_MOST + 1]; /* as sent, escaped, maybe cut; "-": none */
    sh_err_t cause;
} sm_refused_t;

typedef struct
{
    /*  kind both; 'code' and 'cidr' set, 'subnet' 0, 'hint' the id that all
        hosts in it name (0: not all do); 'started' and 'finished' the second
        of 'received'; complete, with nothing covered: a legacy report never
        marks a host offline.  Borrows from the rest of this.  */
    sp_report_t report;
    sm_refused_t *refused; /* hosts that never get to the hub: the first */
    size_t refused_named;  /* of them, at most SM_REFUSED_MOST */
    size_t refused_count;  /* all of them */
    size_t host_total; /* entries of 'results' */
    void *memory;
} sm_legacy_t;

#define SM_REFUSED_MOST 64 /* refused hosts that are named */
#define SM_BODY_MOST 1048576 /* as the old server */
#define SM_JSON_DEPTH 16
#define SM_HOSTS_MOST 32768 /* more than a body has room for, if well-formed */
#define SM_JSON_LISTS_MOST 65536 /* lists and objects in a body */

/*  'received' is epoch ms.  SH_E_SYNTAX: not JSON (duplicate keys, invalid
    UTF-8, NUL, too deep and trailing text included); SH_E_BAD_MESSAGE: JSON,
    but no report, the why names the field; SH_E_TOO_LARGE, SH_E_MEMORY.
    A host that is no object (SH_E_BAD_MESSAGE), whose ip (SH_E_HOST_ADDRESS)
    or lastSeen (SH_E_HOST_TIME) is nonsense, or whose subnetId is there and
    no number (SH_E_BAD_MESSAGE) is refused by itself, all of them if 'tz' is
    nonsense; a 'tz' that is absent is the empty one.  A hostname or mac that
    is no text is kept as "?" and one over SP_LONG_TEXT_MOST cut, for the hub
    to count and drop.  '*out' is new and the caller's.  */
sh_err_t sm_legacy_parse (sm_legacy_t **out, const char *body, size_t size,
                          int64_t received, sh_why_t *why) SH_MUST_CHECK;
void sm_legacy_destroy (sm_legacy_t **self_p);

/*  strftime's %z: "+0930", "-0500", "+0545", also "+09:30", "Z" and "" (both
    UTC); seconds east of UTC, within 14 hours.  SH_E_SYNTAX.  */
sh_err_t sm_tz_parse (int *out, const char *text) SH_MUST_CHECK;

/*  'YYYY-MM-DD HH:MM:SS' of a clock 'east' seconds east of UTC, as epoch
    seconds; a date that does not exist is SH_E_SYNTAX.  */
sh_err_t sm_wall_parse (int64_t *out, const char *text, int east)
    SH_MUST_CHECK;

#endif
