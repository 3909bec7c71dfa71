/* SPDX-License-Identifier: MPL-2.0 */
/*  Whose connections hold memory: those on which much has come in since a
    message was last handed over.  libzmq does not tell, but the kernel counts
    what each connection received, and libzmq the descriptor that a message came
    by.  Messages of a connection come in order, so all that came in before one
    of them is the hub's by then, be it messages or what libzmq keeps to itself
    (pings).  What a connection may have under way by itself (RCVHWM frames and
    the kernel's buffer) is well below HUB_HOLDER_LEAST.

    A connection that has no session is of the key for which it said hello once.
    If it never did, it is of a key that was let in more often than it said
    hello: see hub_greetings_lacking.  */

#ifndef HUB_HOLDERS_H
#define HUB_HOLDERS_H

#include "hub/greetings.h"
#include "hub/knocks.h"
#include "hub/sessions.h"
#include "lib/config.h"

#define HUB_HOLDER_LEAST (16 * 1024 * 1024)
#define HUB_HOLDERS_MOST 128

typedef struct
{
    char address[HUB_KNOCK_ADDRESS]; /* of one of its connections */
    char key[SH_KEY_TEXT]; /* "": it never said hello, look by address */
    char name[HUB_NAME_MOST + 1];
    uint64_t held; /* bytes, over all of its connections */
    uint64_t connections; /* that hold them */
} hub_holder_t;

/*  The other end of a connection as "ADDRESS PORT"; "" if it has none.  */
void hub_peer_text (char out[static HUB_PEER_TEXT], int fd);

/*  A message of the session is at hand.  */
void hub_holders_note_taken (hub_session_t *session);

/*  Fill 'out', most first; how many.  Where there are more the smallest give
    way.  'endpoints' are those listened on.  */
size_t hub_holders_find (hub_holder_t out[static HUB_HOLDERS_MOST],
                         const sh_strings_t *endpoints,
                         hub_sessions_t *sessions,
                         const hub_greetings_t *greetings);

#endif
