/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/letter.h"

#include <assert.h>

/*  What follows the second frame.  */
static void
s_skip (void *handle)
{
    for (bool again = true; again;) {
        zmq_msg_t rest;
        zmq_msg_init (&rest);
        again = zmq_msg_recv (&rest, handle, ZMQ_DONTWAIT) >= 0
                && zmq_msg_more (&rest);
        zmq_msg_close (&rest);
    }
}

bool
hub_letter_take (hub_letter_t *self, void *handle)
{
    assert (self && handle);
    *self = (hub_letter_t){ .fd = -1 };
    zmq_msg_init (&self->route_frame);
    if (zmq_msg_recv (&self->route_frame, handle, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close (&self->route_frame);
        return false;
    }
    zmq_msg_init (&self->body);
    if (zmq_msg_more (&self->route_frame))
        zmq_msg_recv (&self->body, handle, ZMQ_DONTWAIT);
    self->more = zmq_msg_more (&self->body);
    if (self->more)
        s_skip (handle);
    self->route = zmq_msg_data (&self->route_frame);
    self->route_size = zmq_msg_size (&self->route_frame);
    self->frame = (sh_bytes_t){ zmq_msg_data (&self->body),
                                zmq_msg_size (&self->body) };
    self->fd = zmq_msg_get (&self->body, ZMQ_SRCFD);
    const char *key = zmq_msg_gets (&self->body, "User-Id");
    self->key = key && *key ? key : NULL;
    return true;
}

void
hub_letter_drop (hub_letter_t *self)
{
    assert (self);
    hub_principal_clear (&self->who);
    zmq_msg_close (&self->body);
    zmq_msg_close (&self->route_frame);
}

bool
hub_letter_is_of (const hub_letter_t *self, const hub_session_t *session)
{
    return hub_session_is (session, self->route, self->route_size);
}

sp_message_t *
hub_letter_decode (const hub_letter_t *self, const hub_speech_t *speech)
{
    assert (self && speech);
    sp_message_t *message = NULL;
    sh_why_t why = { "" };
    sh_err_t rc = sp_decode (&message, self->frame, &why);
    if (rc != SH_OK)
        hub_letter_refuse (self, speech, rc, &why);
    return message;
}

void
hub_letter_refuse (const hub_letter_t *self, const hub_speech_t *speech,
                   sh_err_t cause, const sh_why_t *why)
{
    assert (self && speech);
    hub_speech_send_error (speech, self->route, self->route_size, cause,
                           why ? why->text : NULL);
}
