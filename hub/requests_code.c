/* SPDX-License-Identifier: MPL-2.0 */
/*  What phpIPAM says of a code that somebody has just typed: a wrong letter
    would otherwise show as a scanner that gets nothing to scan.  */

#include "hub/assignments.h"
#include "hub/live.h"
#include "hub/requests_within.h"
#include "lib/text.h"

static size_t
s_count_sent (const hub_assignments_t *all, uint64_t agent)
{
    size_t count = 0, sent = 0;
    const hub_assignment_t *items = hub_assignments_items (all, &count);
    for (size_t i = 0; i < count; i++)
        sent += items[i].row->agent == agent
                && hub_assignments_unsent (all, &items[i]) == SH_OK;
    return sent;
}

static void
s_answer (const hub_assignments_t *all, const char *code, hub_reply_t *reply)
{
    uint64_t agent = 0;
    sh_err_t rc = hub_assignments_agent (all, code, &agent);
    const hub_known_agent_t *known
        = rc == SH_OK ? hub_assignments_agent_of (all, agent) : NULL;
    size_t sent = known ? s_count_sent (all, agent) : 0;
    if (known) {
        hub_reply_add (reply, "ok ");
        hub_reply_outside (reply, known->name);
        hub_reply_add (reply, ", %zu subnet%s to scan", sent,
                       sh_text_s (sent));
    } else if (rc == SH_E_AGENT_TYPE)
        hub_reply_add (reply,
                       "error the scan agent with the code %s is none for "
                       "scanners: give it the type mysql or api in phpIPAM",
                       code);
    else
        hub_reply_add (reply,
                       "error phpIPAM has no scan agent with the code %s, so "
                       "there is nothing to scan for it: create one with that "
                       "code, or revoke the key and approve it with the right "
                       "code", code);
}

void
hub_requests_code (const hub_requests_t *self, const char *code,
                   hub_reply_t *reply)
{
    hub_assignments_t *all = hub_live_assignments (self->live);
    if (all)
        s_answer (all, code, reply);
    else
        hub_reply_add (reply, "ok");
    hub_assignments_release (&all);
}
