/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/sweep.h"

#include <assert.h>
#include <stdio.h>

#include "lib/log.h"

void
hub_sweep_revoked (hub_sweep_t *self)
{
    assert (self);
    unsigned generation = hub_registry_generation (self->registry);
    if (generation == self->generation)
        return;
    self->generation = generation;
    hub_sessions_t *sessions = self->speech->sessions;
    for (hub_session_t *one = hub_sessions_first (sessions); one;
         one = hub_sessions_next (sessions)) {
        hub_principal_t who;
        if (hub_registry_find (self->registry, one->key, &who)) {
            snprintf (one->name, sizeof one->name, "%s", who.name);
            hub_principal_clear (&who);
            continue;
        }
        bool retired = hub_registry_is_retired (self->registry, one->key);
        sh_log (SH_LOG_NOTICE,
                retired ? "a session of a replaced key is over"
                        : "scanner revoked, its session is over",
                SH_STR ("scanner", one->name));
        hub_speech_send_error (self->speech, one->route, one->route_size,
                               SH_E_KEY_UNKNOWN, NULL);
        hub_speech_end (self->speech, one);
    }
}

void
hub_sweep_silent (hub_sweep_t *self, int64_t now)
{
    assert (self);
    hub_roster_t *roster = hub_live_roster (self->live);
    hub_roster_begin (roster);
    hub_sessions_t *sessions = self->speech->sessions;
    for (hub_session_t *one = hub_sessions_first (sessions); one;
         one = hub_sessions_next (sessions)) {
        if (now - one->heard <= SP_SILENCE_MS) {
            hub_roster_present (roster, one->key, one->heard);
            continue;
        }
        sh_log (SH_LOG_NOTICE, "scanner fell silent",
                SH_STR ("scanner", one->name));
        hub_speech_end (self->speech, one);
    }
    hub_roster_end (roster, sh_clock_wall (self->clock));
}
