/* SPDX-License-Identifier: MPL-2.0 */
/*  letter: one message at hand, taken off the ROUTER: by which connection it
    came, which key its handshake proved, and what is in it.  Belongs to the
    router's thread.  */

#ifndef HUB_LETTER_H
#define HUB_LETTER_H

#include "hub/speech.h"
#include "scanner-proto/codec.h"

typedef struct
{
    zmq_msg_t route_frame, body; /* what the pointers below point into */
    bool more; /* there was a third frame, which is an error */
    const uint8_t *route;
    size_t route_size;
    sh_bytes_t frame;
    int fd;           /* of the connection it came by */
    const char *key;  /* that was proved; NULL: none */
    hub_principal_t who; /* the rest is filled in by the router */
    sp_peek_t peek;
    int64_t received; /* wall ms */
} hub_letter_t;

/*  Take the next message; false when there is none.  It never waits.  */
bool hub_letter_take (hub_letter_t *self, void *handle) SH_MUST_CHECK;
void hub_letter_drop (hub_letter_t *self);

/*  Did it come by the session's connection?  */
bool hub_letter_is_of (const hub_letter_t *self, const hub_session_t *session);

/*  Decode it; what cannot be decoded is answered, and NULL.  The message is the
    caller's.  */
sp_message_t *hub_letter_decode (const hub_letter_t *self,
                                 const hub_speech_t *speech);

/*  Answer with an error.  Without 'why' its text is the cause's own.  */
void hub_letter_refuse (const hub_letter_t *self, const hub_speech_t *speech,
                        sh_err_t cause, const sh_why_t *why);

#endif
