/* SPDX-License-Identifier: MPL-2.0 */
/*  A scanner's (or shim's) side of the connection: one DEALER socket is one
    session.  Whatever ends it, the socket is destroyed and a new one made
    after a back-off, on the next hub of the list after repeated failures;
    'hello' is always the first message.  While it is not the first hub of the
    list, those before it are looked at from time to time: a handshake beside
    the session.  The first that succeeds ends the session (DOWN, delay 0) and
    becomes the next one.  Everything happens in the caller's thread, inside
    sp_client_wait.  */

#ifndef SP_CLIENT_H
#define SP_CLIENT_H

#include <czmq.h>

#include "lib/clock.h"
#include "lib/keyfile.h"
#include "scanner-proto/hub_keys.h"
#include "scanner-proto/hubs.h"
#include "scanner-proto/message.h"

/*  Our own next key, which hubs may come to accept.  From time to time it is
    shown to the hub in use, by a handshake beside the session; when that lets
    it in, or lets only it in, we go over to it.  */
typedef struct
{
    /*  The key as it is now, if there is one: true and both halves in Z85.  */
    bool (*offer) (void *context, char public_key[SH_KEY_TEXT],
                   char secret_key[SH_KEY_TEXT]);
    /*  A hub has let it in: it is ours from now on.  Nothing has been said with
        it yet.  */
    void (*taken) (void *context);
    void *context;
    bool only_when_refused; /* a session that stands is left alone */
} sp_next_key_t;

typedef struct
{
    const sp_hub_t *hubs; /* copied */
    size_t hub_count;     /* at least 1 */
    const char *public_key, *secret_key; /* ours; copied, wiped in the end */
    const char *version;  /* "scanhub-scanner 0.2.0"; copied */
    const sh_clock_t *clock;
    bool orders;          /* we take 'scan' and 'cancel' */
    sp_next_key_t next_key; /* its functions may be NULL: there is none */
    sp_hub_keys_t *hub_keys; /* borrowed; NULL: what hubs say about their keys is
                                forgotten in the end */
    int64_t return_ms; /* until preferred hubs are looked at again, see
                          scanner-proto/rota.h; 0: the default */
} sp_client_options_t;

typedef enum
{
    SP_EVENT_NOTHING, /* the time-out passed */
    SP_EVENT_UP,      /* 'message' is the hub's welcome */
    SP_EVENT_DOWN,    /* 'err' and 'text' say why; a new session will be tried
                         after 'delay' */
    SP_EVENT_MESSAGE, /* 'message' came in (beats are dealt with inside) */
    SP_EVENT_OTHER    /* the caller's own socket has something to read */
} sp_event_kind_t;

typedef struct
{
    sp_event_kind_t kind;
    sp_message_t *message; /* the caller's to destroy, or NULL */
    sh_err_t err;          /* DOWN: E_KEY_REFUSED, E_HUB_KEY, E_DISCONNECTED,
                              E_KEY_UNKNOWN, E_SUPERSEDED, E_TIMEOUT,
                              E_BAD_TIME, ... */
    int delay;             /* DOWN: ms until the next attempt; 0: we go back
                              to a preferred hub, nothing is wrong */
    char text[256];        /* DOWN: a sentence for the operator that names
                              the hub and what to do */
} sp_event_t;

typedef struct sp_client sp_client_t;

/*  SH_E_SYNTAX for keys or endpoints that ZeroMQ does not take.  Nothing is
    connected before the first wait.  */
sh_err_t sp_client_new (sp_client_t **out, const sp_client_options_t *options,
                        sh_why_t *why) SH_MUST_CHECK;
void sp_client_destroy (sp_client_t **self_p);

/*  Let the session live for up to 'timeout' ms (-1: for ever) or until
    something happened.  'other' (may be NULL) is watched as well: an actor, a
    socket, or a file descriptor as zpoller takes them.  Returns SH_OK and
    sets 'event', or SH_E_INTERRUPTED on a signal.  */
sh_err_t sp_client_wait (sp_client_t *self, void *other, int timeout,
                         sp_event_t *event) SH_MUST_CHECK;

/*  For a program that has many clients and waits for all of them at once: the
    ZeroMQ sockets to watch, which are others after a DOWN and after an attempt
    to connect has begun; their number is returned.  sp_client_wait without
    a time-out, until it has NOTHING, is due when one of them has news, after
    each send (ZMQ_FD tells of changes only), and at sp_client_due, a time by
    the client's clock.  */
#define SP_CLIENT_SOCKETS 3
size_t sp_client_sockets (const sp_client_t *self,
                          void *sockets[static SP_CLIENT_SOCKETS]);
int64_t sp_client_due (const sp_client_t *self);

/*  Send on the current session; SH_E_DISCONNECTED when there is none (the
    message is then not queued anywhere).  */
sh_err_t sp_client_send (sp_client_t *self, const sp_message_t *message)
    SH_MUST_CHECK;

/*  The hub's clock minus ours in ms at this moment, by what this session's
    welcome told; half the round trip is taken off, and below
    SP_OFFSET_IGNORED_MS it is 0.  */
int64_t sp_client_offset (const sp_client_t *self);

bool sp_client_is_up (const sp_client_t *self);

/*  The endpoint in use, for messages.  */
const char *sp_client_endpoint (const sp_client_t *self);

/*  A message that was handed on meant nothing to us after all.  Too many of
    those between two beats end the session: whoever floods us is no hub of
    ours.  */
void sp_client_count_useless (sp_client_t *self);

/*  Our next key may be accepted by now: show it soon.  */
void sp_client_show_next_key (sp_client_t *self);

/*  What the next beats say.  */
void sp_client_set_load (sp_client_t *self, uint64_t spool, uint64_t running);

#endif
