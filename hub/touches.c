/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/touches.h"

#include <assert.h>
#include <string.h>

#include "hub/intake.h"
#include "lib/log.h"

#define AFTER_S 5       /* it is a hot row: not more often */
#define PAUSE_MS 60000  /* when a row was locked */

/*  Once per agent, for all parts of a batch read the same last_access; where
    there is no room, it can wait for the next one.  */
void
hub_touches_note (hub_touches_t *self, hub_agent_t *agent)
{
    assert (self && agent);
    bool due = self->count < HUB_TOUCHES_MOST;
    for (size_t i = 0; due && i < self->count; i++)
        due = self->agents[i].id != agent->id;
    if (due)
        self->agents[self->count++] = *agent;
    else
        hub_agent_clear (agent);
    *agent = (hub_agent_t){ 0 };
}

static sh_err_t
s_touch (const hub_intake_options_t *options, const hub_agent_t *agent)
{
    hub_store_t *store = options->store;
    int64_t now = sh_clock_wall (options->clock) / 1000;
    sh_zone_t zone
        = hub_live_zone (options->live, agent->db_offset, now);
    sh_wall_t wall, recent, limit;
    sh_wall_at (&wall, zone, now);
    sh_wall_at (&recent, zone, now - AFTER_S);
    sh_wall_latest (&limit, zone, now + HUB_FUTURE_S);
    if (!sh_wall_is_never (agent->last_access)
        && strcmp (agent->last_access, recent.text) >= 0
        && strcmp (agent->last_access, limit.text) <= 0)
        return SH_OK;
    sh_err_t rc = store->touch_agent (store, agent->id, wall.text, limit.text);
    if (rc != SH_OK)
        sh_log (SH_LOG_NOTICE, "last_access not written",
                SH_STR ("agent", agent->name),
                SH_STR ("cause", sh_err_word (rc)));
    return rc;
}

/*  A row that is locked costs the whole patience of the connection, in which
    the next jobs wait.  So not again soon, for any agent: it may well be the
    table that is locked.  */
void
hub_touches_write (hub_touches_t *self,
                       const hub_intake_options_t *options)
{
    assert (self && options);
    for (size_t i = 0; i < self->count; i++) {
        if (!hub_intake_ended (options)
            && sh_clock_mono (options->clock) >= self->again
            && s_touch (options, &self->agents[i]) == SH_E_DB_BUSY)
            self->again = sh_clock_mono (options->clock) + PAUSE_MS;
    }
    hub_touches_clear (self);
}

void
hub_touches_clear (hub_touches_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        hub_agent_clear (&self->agents[i]);
    self->count = 0;
}
