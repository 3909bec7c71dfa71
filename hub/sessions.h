/* SPDX-License-Identifier: MPL-2.0 */
/*  Which scanner is connected by which connection: one session per key, the
    newest wins.  Belongs to the router's thread.  */

#ifndef HUB_SESSIONS_H
#define HUB_SESSIONS_H

#include <czmq.h>

#include "hub/job.h"
#include "scanner-proto/limits.h"

#define HUB_PEER_TEXT 64 /* bytes of "ADDRESS PORT" and the NUL */

typedef struct hub_session hub_session_t;

struct hub_session
{
    char key[SH_KEY_TEXT];
    char name[HUB_NAME_MOST + 1];
    uint8_t route[HUB_ROUTE_MOST]; /* the ROUTER's name of the connection */
    size_t route_size;
    int64_t heard;   /* mono ms of its last message */
    int64_t touched; /* mono ms of the last last_access for it; 0: one is due */
    uint8_t revision[SP_REVISION]; /* that it was told last */
    unsigned key_told; /* up to which of the hub's announcements of its next
                          key it was told; see hub/keychange.h */
    bool orders; /* it takes 'scan' and 'cancel' */
    int fd; /* of the connection, for looking at only; -1: not known */
    char peer[HUB_PEER_TEXT]; /* its other end */
    uint64_t taken; /* bytes that had come by it at its last message */
    /*  A request for assignments that waits for the watcher.  */
    int64_t asked; /* mono ms; 0: none */
    uint64_t ask_after;
    char ask_code[SP_CODE_MOST + 1]; /* "": the key's own */
    hub_session_t *before, *after; /* in the order in which they are walked */
};

typedef struct hub_sessions hub_sessions_t;

sh_err_t hub_sessions_new (hub_sessions_t **out) SH_MUST_CHECK;
void hub_sessions_destroy (hub_sessions_t **self_p);

/*  The session of a key, or NULL.  */
hub_session_t *hub_sessions_find (hub_sessions_t *self, const char *key);

/*  The session of a key, made anew if there is none; NULL: no memory.  */
hub_session_t *hub_sessions_open (hub_sessions_t *self, const char *key);
void hub_sessions_close (hub_sessions_t *self, const char *key);

/*  All connections are gone.  Parts that are being worked stay noted.  */
void hub_sessions_close_all (hub_sessions_t *self);

/*  When the last session of a key was last heard (mono ms); -1: the key has had
    none, as far as is known.  */
int64_t hub_sessions_last_heard (hub_sessions_t *self, const char *key);

bool hub_session_is (const hub_session_t *self, const void *route,
                     size_t route_size);

/*  last_access is being written for it, at 'now' (mono ms); 0: it is to be
    written soon.  */
void hub_sessions_touch (hub_sessions_t *self, hub_session_t *session,
                         int64_t now);

/*  All of them, one after the other, those first for which a touch is due or was
    longest ago; NULL at the end.  Only the one at hand may be closed or touched
    meanwhile.  */
hub_session_t *hub_sessions_first (hub_sessions_t *self);
hub_session_t *hub_sessions_next (hub_sessions_t *self);
size_t hub_sessions_size (const hub_sessions_t *self);

/*  How many jobs of a key workers have.  It is the key's number, not its
    session's, or whoever makes a new session would be allowed more.  'begin' is
    false if there is no memory for it.  */
size_t hub_sessions_jobs (hub_sessions_t *self, const char *key);
bool hub_sessions_begin_job (hub_sessions_t *self, const char *key)
    SH_MUST_CHECK;
void hub_sessions_end_job (hub_sessions_t *self, const char *key);

/*  Report parts that are being worked: a second copy of one is dropped, for
    the answer to the first goes to the key's session, whichever that is by
    then.  'note' is false if it is in the
    set already.  */
bool hub_sessions_note_part (hub_sessions_t *self, const char *key,
                             sh_bytes_t id, uint64_t part);
void hub_sessions_forget_part (hub_sessions_t *self, const char *key,
                               sh_bytes_t id, uint64_t part);

#endif
