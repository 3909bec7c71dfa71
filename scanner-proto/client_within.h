/* SPDX-License-Identifier: MPL-2.0 */
/*  What the files of scanner-proto/client.h share.  */

#ifndef SP_CLIENT_WITHIN_H
#define SP_CLIENT_WITHIN_H

#include "scanner-proto/client.h"
#include "scanner-proto/rota.h"
#include "scanner-proto/session.h"

#define SP_WELCOME_MS 10000 /* from hello to welcome */
/*  To connect and to shake hands; libzmq has its own time-outs before.  */
#define SP_ATTEMPT_MS (SP_CONNECT_MS + SP_HANDSHAKE_MS + 1000)

typedef enum
{
    SP_CLIENT_IDLE,       /* no session; the next one begins at 'due' */
    SP_CLIENT_CONNECTING, /* until the handshake has succeeded */
    SP_CLIENT_GREETING,   /* hello is sent or about to be */
    SP_CLIENT_UP
} sp_client_state_t;

struct sp_client
{
    sp_hubs_t hubs;
    sp_rota_t rota; /* which of them */
    char public_key[SH_KEY_TEXT], secret_key[SH_KEY_TEXT];
    /*  Our next key, as it was last offered, and the hubs' keys.  */
    sp_next_key_t next_key;
    char next_public[SH_KEY_TEXT], next_secret[SH_KEY_TEXT];
    sp_hub_keys_t *hub_keys, *own_hub_keys;
    bool try_next[SP_HUBS_MOST]; /* the key that the hub announced is tried */
    char *version;
    bool orders;
    const sh_clock_t *clock;

    sp_session_t *session;
    sp_client_state_t state;
    sp_link_t ending;   /* the link is lost, but messages may be waiting */
    bool hello_due;
    bool other_next;    /* a message was served last: it's the other's turn */
    int64_t due;        /* IDLE: next attempt; CONNECTING, GREETING: give up */
    int64_t beat_due;
    int64_t heard;      /* when the last message came */
    int64_t up_since;
    int64_t hello_now;  /* what the last hello said, and when by mono */
    int64_t hello_mono;
    int64_t hub_epoch;  /* the hub's clock minus mono */

    /*  Which keys the session at hand was begun with.  */
    bool with_next;    /* our next one */
    bool to_next;      /* the one that the hub announced */
    bool denied;       /* ours was refused: the next one's turn */

    sp_session_t *look; /* a handshake with a preferred hub, while UP; or with
                           the hub in use, and our next key */
    bool look_key;      /* the latter */
    bool look_to_next;  /* as 'to_next' */
    int64_t look_end;   /* give it up then */
    int64_t key_due;    /* the next look with our next key */

    unsigned handshakes; /* broken ones in a row on this hub */
    uint64_t spool, running;
    unsigned useless; /* messages since the last beat that nobody was told of */
};

/*  client.c: the handshake has succeeded, hello is due.  */
void sp_client_greet (sp_client_t *self);

/*  client_end.c: end the session and fill in the event, with a sentence for the
    operator.  */
void sp_client_down (sp_client_t *self, sp_event_t *event, sh_err_t err,
                     const char *format, ...) SH_PRINTF (4, 5);
void sp_client_link_down (sp_client_t *self, sp_link_t link,
                          sp_event_t *event);
void sp_client_timed_out (sp_client_t *self, sp_event_t *event);
/*  Without an event.  */
void sp_client_close (sp_client_t *self);

/*  client_keys.c: begin to connect to a hub of the list, with our key or the
    next one, to the key that it has or the one that it announced
    ('*to_next').  */
sh_err_t sp_client_connect (const sp_client_t *self, size_t at,
                            bool with_next, bool *to_next,
                            sp_session_t **session, sh_why_t *why)
    SH_MUST_CHECK;
/*  Is there a next key of ours?  */
bool sp_client_get_next_key (sp_client_t *self);
/*  A hub has let it in: from now on it is the only one that we have.  */
void sp_client_take_next_key (sp_client_t *self);
/*  A handshake with the key that the hub had announced has succeeded.  */
void sp_client_take_hub_key (sp_client_t *self, size_t at);
/*  What the hub says of its next key; nothing: that there is none.  */
void sp_client_learn (sp_client_t *self, sh_bytes_t next, int64_t at);

/*  client_look.c: knock at a preferred hub, or show our next key, when it is
    time.  The hub hears a handshake, but no hello, so nothing changes for it or
    for the hub in use.  */
void sp_client_look (sp_client_t *self, int64_t now);
/*  What came of it; true when the session is over for it.  */
bool sp_client_read_look (sp_client_t *self, sp_event_t *event);
bool sp_client_shows_next_key (const sp_client_t *self);

/*  client_hear.c: receive until there is an event (true) or nothing more.  */
bool sp_client_receive (sp_client_t *self, sp_event_t *event);

#endif
