/* SPDX-License-Identifier: MPL-2.0 */
/*  Which connections have said hello since the ROUTER was opened, and for which
    key; also those that another connection of the key, or the end of the
    session, has left without one.  A connection that is in here is that key's,
    and a key that was let in more often than it said hello has connections that
    are not.

    Bounded: the connections are the last some thousand, the keys are counted as
    hub_knocks does.  Belongs to the router's thread.  */

#ifndef HUB_GREETINGS_H
#define HUB_GREETINGS_H

#include "hub/knocks.h"
#include "hub/sessions.h"

#define HUB_GREETINGS_MOST 4096 /* connections */

typedef struct
{
    char peer[HUB_PEER_TEXT]; /* "": free */
    char key[SH_KEY_TEXT];
    uint64_t route; /* a hash of it */
    uint64_t taken; /* as in its session, when it lost that */
} hub_greeting_t;

typedef struct hub_greetings hub_greetings_t;

sh_err_t hub_greetings_new (hub_greetings_t **out) SH_MUST_CHECK;
void hub_greetings_destroy (hub_greetings_t **self_p);
void hub_greetings_clear (hub_greetings_t *self);

/*  The session has come by the connection that its 'peer' names.  One that says
    hello again when its session was over counts once.  */
void hub_greetings_note (hub_greetings_t *self, const hub_session_t *session);
/*  It is over, or goes by another one from now on; what was taken stays with
    the old.  */
void hub_greetings_leave (hub_greetings_t *self, const hub_session_t *session);

/*  The latest of that other end ("ADDRESS PORT"), or NULL.  */
const hub_greeting_t *hub_greetings_find (const hub_greetings_t *self,
                                          const char *peer);

/*  How many of the times that this key was let in no hello has followed.  */
uint64_t hub_greetings_lacking (const hub_greetings_t *self,
                                const hub_knock_t *admitted);

#endif
