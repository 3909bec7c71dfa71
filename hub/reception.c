/* SPDX-License-Identifier: MPL-2.0 */

#include "build-config.h"

#include "hub/reception.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "hub/holders.h"
#include "lib/log.h"

static void
s_welcome (const hub_reception_t *self, const hub_letter_t *letter,
           const sp_hello_t *hello, hub_session_t *session)
{
    bool known = hub_live_revision (self->live, &letter->who,
                                    session->revision);
    sp_message_t message = {
        .type = SP_WELCOME,
        .u.welcome = {
            .now = letter->received,
            .hello_now = hello->now,
            .name = letter->who.name,
            .version = "scanhubd " PACKAGE_VERSION,
            .part_bytes = SP_PART_BYTES_MOST,
            .part_hosts = SP_PART_HOSTS_MOST,
            .revision = { session->revision, known ? SP_REVISION : 0 },
        },
    };
    char next[SH_KEY_TEXT];
    uint8_t key[SP_HUB_KEY_BYTES];
    session->key_told = hub_keychange_generation (self->key);
    if (hub_keychange_next (self->key, next, &message.u.welcome.next_at)
        && zmq_z85_decode (key, next))
        message.u.welcome.next_key = (sh_bytes_t){ key, sizeof key };
    hub_speech_send (self->speech, letter->route, letter->route_size,
                     &message);
}

/*  The session goes by the letter's connection from now on.  */
static void
s_settle (const hub_reception_t *self, hub_session_t *session,
          const hub_letter_t *letter, bool fresh)
{
    memcpy (session->route, letter->route, letter->route_size);
    session->route_size = letter->route_size;
    session->heard = sh_clock_mono (self->clock);
    session->asked = 0;
    snprintf (session->name, sizeof session->name, "%s", letter->who.name);
    if (fresh) {
        hub_greetings_leave (self->speech->greetings, session);
        session->fd = letter->fd;
        hub_peer_text (session->peer, letter->fd);
        hub_greetings_note (self->speech->greetings, session);
    }
    hub_holders_note_taken (session);
}

/*  An old connection that is gone already is of no interest; one that still
    stands may be a second machine with a copy of the key.  */
static void
s_supersede (const hub_reception_t *self, const hub_letter_t *letter,
             hub_session_t *session)
{
    char newer[HUB_PEER_TEXT];
    if (hub_letter_is_of (letter, session)
        || !hub_speech_send_error (self->speech, session->route,
                                   session->route_size, SH_E_SUPERSEDED, NULL))
        return;
    hub_peer_text (newer, letter->fd);
    sh_log (SH_LOG_NOTICE, "a newer connection took over",
            SH_STR ("scanner", letter->who.name), SH_STR ("from", newer),
            SH_STR ("earlier", session->peer));
    if (!hub_roster_take_over (hub_live_roster (self->live), letter->who.key,
                               session->peer, newer,
                               sh_clock_mono (self->clock)))
        return;
    hub_live_count (self->live, HUB_COUNT_CLONES, 1);
    sh_log (SH_LOG_WARNING, "two machines use one key",
            SH_STR ("scanner", letter->who.name),
            SH_STR ("one", session->peer), SH_STR ("other", newer),
            SH_STR ("remedy", "if the second is yours, give it a key and an "
                              "agent of its own; if not, the key is stolen: "
                              "scanhubctl scanner revoke"));
}

static void
s_receive (const hub_reception_t *self, hub_session_t *session,
           const hub_letter_t *letter, const sp_hello_t *hello, bool fresh)
{
    s_settle (self, session, letter, fresh);
    session->orders = hello->orders && !letter->who.shim;
    sh_log (SH_LOG_INFO, "scanner connected",
            SH_STR ("scanner", session->name),
            SH_STR ("version", hello->version), SH_STR ("peer", session->peer),
            SH_INT ("clock_behind_ms", letter->received - hello->now));
    hub_roster_connect (hub_live_roster (self->live), &letter->who,
                        session->peer, hello, letter->received,
                        session->heard);
    s_welcome (self, letter, hello, session);
    hub_registry_used (self->registry, letter->who.key);
    if (fresh)
        hub_sessions_touch (self->speech->sessions, session, 0);
    if (fresh)
        hub_foreman_greet (self->foreman, session);
}

void
hub_reception_greet (const hub_reception_t *self, const hub_letter_t *letter)
{
    assert (self && letter);
    sp_message_t *message = hub_letter_decode (letter, self->speech);
    if (!message)
        return;
    hub_sessions_t *sessions = self->speech->sessions;
    hub_session_t *session = hub_sessions_find (sessions, letter->who.key);
    if (session)
        s_supersede (self, letter, session);
    bool fresh = !session || !hub_letter_is_of (letter, session);
    session = hub_sessions_open (sessions, letter->who.key);
    if (session)
        s_receive (self, session, letter, &message->u.hello, fresh);
    sp_message_destroy (&message);
}
