/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/notices.h"

#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

/*  The key is looked up again: it may have been revoked while the request
    waited.  */
static void
s_answer (const hub_notices_t *self, hub_session_t *session)
{
    hub_principal_t who;
    uint8_t *frame = NULL;
    size_t size = 0;
    session->asked = 0;
    if (!hub_registry_find (self->registry, session->key, &who))
        return; /* the router's sweep tells it */
    sh_err_t rc = hub_live_page (
        self->live, &who, *session->ask_code ? session->ask_code : NULL,
        session->ask_after, &frame, &size);
    hub_principal_clear (&who);
    if (rc == SH_OK) {
        hub_speech_say_frame (self->speech, session, frame, size);
        free (frame);
        return;
    }
    sh_log (SH_LOG_WARNING, "no assignments for a scanner",
            SH_STR ("scanner", session->name),
            SH_STR ("cause", sh_err_word (rc)),
            SH_STR ("text", sh_err_text (rc)));
    hub_speech_say_error (self->speech, session, rc);
}

void
hub_notices_answer_waiting (const hub_notices_t *self, int64_t until)
{
    hub_sessions_t *sessions = self->speech->sessions;
    for (hub_session_t *one = hub_sessions_first (sessions); one;
         one = hub_sessions_next (sessions))
        if (one->asked && one->asked <= until)
            s_answer (self, one);
}

static void
s_push (const hub_notices_t *self, hub_session_t *session)
{
    hub_principal_t who;
    uint8_t revision[SP_REVISION];
    if (!hub_registry_find (self->registry, session->key, &who))
        return;
    bool known = hub_live_revision (self->live, &who, revision);
    hub_principal_clear (&who);
    if (!known || memcmp (revision, session->revision, SP_REVISION) == 0)
        return;
    memcpy (session->revision, revision, SP_REVISION);
    const sp_message_t message = {
        .type = SP_REVISION_PUSH,
        .u.revision = { .revision = { revision, SP_REVISION } },
    };
    hub_speech_say (self->speech, session, &message);
}

void
hub_notices_push_revisions (const hub_notices_t *self)
{
    hub_sessions_t *sessions = self->speech->sessions;
    for (hub_session_t *one = hub_sessions_first (sessions); one;
         one = hub_sessions_next (sessions))
        s_push (self, one);
}

void
hub_notices_push_hub_key (const hub_notices_t *self, const char *next,
                          int64_t at, unsigned generation)
{
    uint8_t key[SP_HUB_KEY_BYTES];
    sp_message_t message = { .type = SP_HUB_KEY };
    if (next && zmq_z85_decode (key, next))
        message.u.hub_key = (sp_hub_key_t){ .next_key = { key, sizeof key },
                                            .next_at = at };
    hub_sessions_t *sessions = self->speech->sessions;
    for (hub_session_t *one = hub_sessions_first (sessions); one;
         one = hub_sessions_next (sessions)) {
        if (one->key_told == generation)
            continue;
        one->key_told = generation;
        hub_speech_say (self->speech, one, &message);
    }
}
