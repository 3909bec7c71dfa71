/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/speech.h"

#include <stdlib.h>

#include "lib/log.h"
#include "scanner-proto/codec.h"

static bool
s_send_frame (const hub_speech_t *self, const void *route, size_t route_size,
              const void *frame, size_t size)
{
    return self->handle
           && zmq_send (self->handle, route, route_size,
                        ZMQ_SNDMORE | ZMQ_DONTWAIT)
                  >= 0
           && zmq_send (self->handle, frame, size, ZMQ_DONTWAIT) >= 0;
}

bool
hub_speech_send (const hub_speech_t *self, const void *route,
                 size_t route_size, const sp_message_t *message)
{
    uint8_t *frame = NULL;
    size_t size = 0;
    if (sp_encode (&frame, &size, message) != SH_OK) {
        sh_log (SH_LOG_ERROR, "a message could not be encoded",
                SH_STR ("type", sp_type_word (message->type)));
        return false;
    }
    bool sent = s_send_frame (self, route, route_size, frame, size);
    free (frame);
    return sent;
}

static sp_message_t
s_error (sh_err_t cause, const char *text)
{
    return (sp_message_t){
        .type = SP_ERROR,
        .u.error = {
            .cause = sh_err_word (cause),
            .text = text && *text ? text : sh_err_text (cause),
        },
    };
}

bool
hub_speech_send_error (const hub_speech_t *self, const void *route,
                       size_t route_size, sh_err_t cause, const char *text)
{
    const sp_message_t message = s_error (cause, text);
    return hub_speech_send (self, route, route_size, &message);
}

void
hub_speech_end (const hub_speech_t *self, hub_session_t *session)
{
    hub_greetings_leave (self->greetings, session);
    hub_sessions_close (self->sessions, session->key);
}

void
hub_speech_say_frame (const hub_speech_t *self, hub_session_t *session,
                      const void *frame, size_t size)
{
    if (s_send_frame (self, session->route, session->route_size, frame, size))
        return;
    sh_log (SH_LOG_INFO, "scanner is gone", SH_STR ("scanner", session->name));
    hub_speech_end (self, session);
}

void
hub_speech_say (const hub_speech_t *self, hub_session_t *session,
                const sp_message_t *message)
{
    uint8_t *frame = NULL;
    size_t size = 0;
    if (sp_encode (&frame, &size, message) != SH_OK)
        return; /* a fault of ours, not the session's */
    hub_speech_say_frame (self, session, frame, size);
    free (frame);
}

void
hub_speech_say_error (const hub_speech_t *self, hub_session_t *session,
                      sh_err_t cause)
{
    const sp_message_t message = s_error (cause, NULL);
    hub_speech_say (self, session, &message);
}
