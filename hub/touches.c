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

/*  Agents whose rows get the same time.  */
typedef struct
{
    const hub_agent_t *first;
    uint64_t ids[HUB_TOUCHES_MOST];
    size_t count;
    sh_wall_t wall, recent, limit;
} due_t;

static void
s_begin (due_t *self, const hub_intake_options_t *options,
         const hub_agent_t *first)
{
    int64_t now = sh_clock_wall (options->clock) / 1000;
    sh_zone_t zone = hub_live_zone (options->live, first->db_offset, now);
    self->first = first;
    self->count = 0;
    sh_wall_at (&self->wall, zone, now);
    sh_wall_at (&self->recent, zone, now - AFTER_S);
    sh_wall_latest (&self->limit, zone, now + HUB_FUTURE_S);
}

static void
s_add_if_due (due_t *self, const hub_agent_t *agent)
{
    if (sh_wall_is_never (agent->last_access)
        || strcmp (agent->last_access, self->recent.text) < 0
        || strcmp (agent->last_access, self->limit.text) > 0)
        self->ids[self->count++] = agent->id;
}

static sh_err_t
s_write (const due_t *self, hub_store_t *store)
{
    sh_err_t rc = store->touch_agents (store, self->ids, self->count,
                                       self->wall.text, self->limit.text);
    if (rc != SH_OK)
        sh_log (SH_LOG_NOTICE, "last_access not written",
                SH_STR ("agent", self->first->name),
                SH_INT ("agents", self->count),
                SH_STR ("cause", sh_err_word (rc)));
    return rc;
}

/*  A row that is locked costs the whole patience of the connection, in which
    the next jobs wait.  So not again soon, for any agent: it may well be the
    table that is locked.  Agents that were read before and after the database's
    clock was changed are written apart.  */
void
hub_touches_write (hub_touches_t *self, const hub_intake_options_t *options)
{
    assert (self && options);
    due_t due;
    for (size_t i = 0; i < self->count;) {
        s_begin (&due, options, &self->agents[i]);
        for (; i < self->count
               && self->agents[i].db_offset == due.first->db_offset; i++)
            s_add_if_due (&due, &self->agents[i]);
        if (due.count > 0 && !hub_intake_ended (options)
            && sh_clock_mono (options->clock) >= self->again
            && s_write (&due, options->store) == SH_E_DB_BUSY)
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
