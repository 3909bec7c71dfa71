/* SPDX-License-Identifier: MPL-2.0 */
/*  What the router says: messages to connections and to sessions.  It never
    waits.  Belongs to the router's thread.  */

#ifndef HUB_SPEECH_H
#define HUB_SPEECH_H

#include "hub/sessions.h"
#include "scanner-proto/message.h"

typedef struct
{
    void *handle; /* the ROUTER, raw; NULL while it is closed */
    hub_sessions_t *sessions;
} hub_speech_t;

/*  To a connection.  False when it is gone or does not read.  An error without
    a text gets the cause's own.  */
bool hub_speech_send (const hub_speech_t *self, const void *route,
                      size_t route_size, const sp_message_t *message);
bool hub_speech_send_error (const hub_speech_t *self, const void *route,
                            size_t route_size, sh_err_t cause,
                            const char *text);

/*  To a session.  One that cannot be reached is over; the scanner makes a new
    one.  The session is gone on false.  */
bool hub_speech_say_frame (const hub_speech_t *self, hub_session_t *session,
                           const void *frame, size_t size);
bool hub_speech_say (const hub_speech_t *self, hub_session_t *session,
                     const sp_message_t *message);
bool hub_speech_say_error (const hub_speech_t *self, hub_session_t *session,
                           sh_err_t cause);

#endif
