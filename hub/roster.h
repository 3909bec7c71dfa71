/* SPDX-License-Identifier: MPL-2.0 */
/*  What is known of each scanner: is it connected, from where, with which
    clock, and what came of its reports.  One entry for each key, and one for
    each token and code of the HTTP door.  Filled by the router and by the
    workers, read by 'scanhubctl status' and /metrics; gone with the process.
    Bounded: a full roster forgets who is not connected and was heard longest
    ago.  Thread-safe.  */

#ifndef HUB_ROSTER_H
#define HUB_ROSTER_H

#include "hub/clones.h"
#include "hub/principal.h"
#include "scanner-proto/message.h"

#define HUB_ROSTER_MOST 20000
#define HUB_ROSTER_PEER 64     /* bytes of "ADDRESS PORT" and the NUL */
#define HUB_ROSTER_VERSION 64  /* of a version, cut */

typedef struct
{
    hub_door_t door;
    char key[SH_KEY_TEXT];        /* "" for HTTP */
    char name[HUB_NAME_MOST + 1]; /* as it was when it was heard last */
    char code[SP_CODE_MOST + 1];  /* HTTP: which it speaks for; else "" */
    bool shim;

    bool connected;
    int64_t since; /* epoch ms of that; or when it was last connected; 0 */
    int64_t heard; /* mono ms of its last word, whatever it was; -1: none */
    char peer[HUB_ROSTER_PEER];
    char version[HUB_ROSTER_VERSION];
    int64_t skew; /* ms that its clock is behind the hub's, the way included */
    bool told;    /* it has sent a beat, which is where these two are from: */
    uint64_t spool, running;

    /*  Of report parts.  */
    int64_t reported; /* epoch ms of the last verdict; 0: none */
    uint64_t subnet;  /* that it was about; 0: not known */
    sp_result_t result;
    uint64_t results[SP_RESULT_COUNT];
    int64_t refused; /* epoch ms of the last that was not applied; 0: none */
    sh_err_t cause;  /* of that */

    hub_clones_t clones;
} hub_scanner_state_t;

typedef struct hub_roster hub_roster_t;

sh_err_t hub_roster_new (hub_roster_t **out, size_t most) SH_MUST_CHECK;
void hub_roster_destroy (hub_roster_t **self_p);

/*  It said hello from 'peer'.  'now' is epoch ms, 'mono' the other clock.  */
void hub_roster_connect (hub_roster_t *self, const hub_principal_t *who,
                         const char *peer, const sp_hello_t *hello,
                         int64_t now, int64_t mono);
/*  It sent a beat, received at 'now'.  */
void hub_roster_beat (hub_roster_t *self, const char *key,
                      const sp_beat_t *beat, int64_t now);
/*  A connection from 'newer' took over from one that still stood; true if two
    machines seem to have the key, and it is time to say so.  */
bool hub_roster_take_over (hub_roster_t *self, const char *key,
                           const char *older, const char *newer, int64_t mono);

/*  Who is connected: begin, tell each session's key with the mono ms of its
    last word, and end; who was not told is not connected any more.  For one
    thread alone.  */
void hub_roster_begin (hub_roster_t *self);
void hub_roster_present (hub_roster_t *self, const char *key, int64_t heard);
void hub_roster_end (hub_roster_t *self, int64_t now);

/*  A part of its reports has a verdict; 'cause' is SH_OK if it was applied.  */
void hub_roster_report (hub_roster_t *self, const hub_principal_t *who,
                        const char *code, uint64_t subnet, sp_result_t result,
                        sh_err_t cause, int64_t now, int64_t mono);

/*  A copy of all entries, malloc'ed; how many. 0 with '*out' NULL if there are
    none, or no memory.  */
size_t hub_roster_list (hub_roster_t *self, hub_scanner_state_t **out);

/*  The entry of a key; false: there is none.  */
bool hub_roster_find (hub_roster_t *self, const char *key,
                      hub_scanner_state_t *out);

#endif
