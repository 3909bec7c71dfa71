/* SPDX-License-Identifier: MPL-2.0 */
/*  What the router says: messages to connections and to sessions.  It never
    waits.  Belongs to the router's thread.  */

#ifndef HUB_SPEECH_H
#define HUB_SPEECH_H

#include "hub/greetings.h"
#include "hub/sessions.h"
#include "scanner-proto/message.h"

typedef struct
{
    void *handle; /* the ROUTER, raw; NULL while it is closed */
    hub_sessions_t *sessions;
    hub_greetings_t *greetings;
} hub_speech_t;

/*  To a connection.  False when it is gone or does not read.  An error without
    a text gets the cause's own.  */
bool hub_speech_send (const hub_speech_t *self, const void *route,
                      size_t route_size, const sp_message_t *message);
bool hub_speech_send_error (const hub_speech_t *self, const void *route,
                            size_t route_size, sh_err_t cause,
                            const char *text);

/*  To a session, which may be gone then: one that cannot be reached is over;
    the scanner makes a new one.  */
void hub_speech_say_frame (const hub_speech_t *self, hub_session_t *session,
                           const void *frame, size_t size);
void hub_speech_say (const hub_speech_t *self, hub_session_t *session,
                     const sp_message_t *message);
void hub_speech_say_error (const hub_speech_t *self, hub_session_t *session,
                           sh_err_t cause);

/*  The session is over.  Its connection may live on, and what was taken of that
    stays known.  */
void hub_speech_end (const hub_speech_t *self, hub_session_t *session);

#endif
