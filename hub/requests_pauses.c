/* SPDX-License-Identifier: MPL-2.0 */
/*  Pausing subnets and agents, and what is paused.  */

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hub/remarks.h"
#include "hub/requests_within.h"
#include "lib/log.h"
#include "scanner-proto/limits.h"


int64_t
hub_requests_wall (void)
{
    return sh_clock_wall (sh_clock_system ());
}

/*  2026-11-30 06:00:00 by this machine's clock.  */
static void
s_add_time (hub_reply_t *reply, int64_t ms)
{
    char text[32] = "?";
    time_t seconds = (time_t) (ms / 1000);
    struct tm parts;
    if (localtime_r (&seconds, &parts))
        strftime (text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
    hub_reply_add (reply, "%s", text);
}

void
hub_requests_add_until (hub_reply_t *reply, int64_t until)
{
    if (until == HUB_PAUSE_NO_END) {
        hub_reply_add (reply, "until scanhubctl resume");
        return;
    }
    hub_reply_add (reply, "until ");
    s_add_time (reply, until);
}

/*  What a hexadecimal digit is worth; 16: it is none.  */
static unsigned
s_digit (char digit)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = digit ? strchr (digits, digit) : NULL;
    return at ? (unsigned) (at - digits) : 16;
}

/*  A name from the command line: printable, all else as %xx.  */
static bool
s_decode (char *out, size_t size, const char *text)
{
    size_t used = 0;
    for (; *text; text++) {
        unsigned value = (unsigned char) *text;
        if (*text == '%') {
            unsigned high = s_digit (text[1]);
            unsigned low = high < 16 ? s_digit (text[2]) : 16;
            value = low < 16 ? high * 16 + low : 0;
            text += 2;
        }
        if (used + 1 >= size || value == 0)
            return false;
        out[used++] = (char) value;
    }
    out[used] = '\0';
    return used > 0;
}

/*  How many scan agents have this name, and the last one's id.  */
static size_t
s_count_named (const hub_assignments_t *all, const char *name, uint64_t *id)
{
    size_t count, met = 0;
    const hub_known_agent_t *agents = hub_assignments_agents (all, &count);
    for (size_t i = 0; i < count; i++)
        if (strcmp (agents[i].name, name) == 0) {
            *id = agents[i].id;
            met++;
        }
    return met;
}

/*  The agent of this name in phpIPAM; false: the answer says why not.  */
static bool
s_find_agent (const hub_assignments_t *all, const char *word, uint64_t *id,
              hub_reply_t *reply)
{
    char name[1024];
    if (!s_decode (name, sizeof name, word)) {
        hub_reply_only (reply, "error that is no name of a scan agent");
        return false;
    }
    if (!all) {
        hub_reply_only (reply, "error the hub has not read phpIPAM's scan "
                               "agents yet; see scanhubctl ping");
        return false;
    }
    size_t met = s_count_named (all, name, id);
    if (met == 1)
        return true;
    hub_reply_only (reply, met ? "error several scan agents in phpIPAM have "
                                 "this name: "
                               : "error phpIPAM has no scan agent of this "
                                 "name; a subnet is named by its id or "
                                 "network: ");
    hub_reply_outside (reply, name);
    return false;
}

/*  An id or a network.  With 'known', it must be one of phpIPAM's; else one
    that phpIPAM has no more can still be resumed.  */
static bool
s_find_subnet (const hub_requests_t *self, const hub_assignments_t *all,
               const char *word, bool known, hub_pause_t *out,
               hub_reply_t *reply)
{
    const hub_assignment_t *one = hub_requests_find (all, word, reply);
    out->kind = HUB_PAUSE_SUBNET;
    if (one) {
        out->id = one->row->id;
        return true;
    }
    if (known || word[strspn (word, "0123456789")] != '\0')
        return false;
    /*  No agent has the id 0.  */
    out->id = strtoull (word, NULL, 10);
    return hub_pauses_of (self->pauses, out->id, 0, hub_requests_wall ()) != 0;
}

/*  Whom a word means: a subnet, or else an agent, whose name may well be a
    number.  */
static bool
s_find_target (const hub_requests_t *self, const char *word, bool known,
               hub_pause_t *out, hub_reply_t *reply)
{
    hub_assignments_t *all = hub_live_assignments (self->live);
    bool found = false, subnet = hub_requests_means_subnet (word);
    if (subnet)
        found = s_find_subnet (self, all, word, known, out, reply);
    if (!found && (!subnet || (all && s_count_named (all, word, &out->id)))) {
        out->kind = HUB_PAUSE_AGENT;
        found = s_find_agent (all, word, &out->id, reply);
    }
    hub_assignments_release (&all);
    return found;
}

/*  "subnet 7", "all subnets of scan agent 'site-a'".  */
static void
s_add_target (const hub_assignments_t *all, const hub_pause_t *one,
              hub_reply_t *reply)
{
    const hub_known_agent_t *agent
        = all && one->kind == HUB_PAUSE_AGENT
              ? hub_assignments_agent_of (all, one->id)
              : NULL;
    if (one->kind == HUB_PAUSE_SUBNET) {
        hub_reply_add (reply, "subnet %" PRIu64, one->id);
        return;
    }
    hub_reply_add (reply, "all subnets of scan agent ");
    if (!agent) {
        hub_reply_add (reply, "%" PRIu64, one->id);
        return;
    }
    hub_reply_add (reply, "'");
    hub_reply_outside (reply, agent->name);
    hub_reply_add (reply, "'");
}

static void
s_tell_target (const hub_requests_t *self, hub_reply_t *reply,
               const hub_pause_t *one, const char *what)
{
    hub_assignments_t *all = hub_live_assignments (self->live);
    hub_reply_only (reply, "ok ");
    s_add_target (all, one, reply);
    hub_reply_add (reply, " %s", what);
    hub_assignments_release (&all);
}

void
hub_requests_pause (const hub_requests_t *self, const char *rest,
                    hub_reply_t *reply)
{
    sh_why_t why = { "" };
    hub_pause_t one = { .until = HUB_PAUSE_NO_END };
    int64_t now = hub_requests_wall ();
    size_t size = strcspn (rest, " ");
    if (rest[0] != '-' && rest[strspn (rest, "0123456789")] == ' ')
        one.until = strtoll (rest, NULL, 10);
    else if (strncmp (rest, "- ", 2) != 0) {
        hub_reply_add (reply, "error pause takes a time in ms or -, and whom");
        return;
    }
    if (one.until <= now) {
        hub_reply_add (reply, "error that time is over already");
        return;
    }
    /*  What strtoll makes of too many digits would be a pause without end.  */
    if (rest[0] != '-' && one.until > SP_TIME_MOST_MS) {
        hub_reply_add (reply, "error a pause ends before the year 2100; "
                              "without --until it has no end");
        return;
    }
    if (!s_find_target (self, rest + size + 1, true, &one, reply))
        return;
    if (hub_pauses_put (self->pauses, &one, now, &why) != SH_OK) {
        hub_reply_only (reply, "error not paused: %s", why.text);
        return;
    }
    s_tell_target (self, reply, &one, "paused ");
    hub_requests_add_until (reply, one.until);
    self->renew (self->context);
    sh_log (SH_LOG_NOTICE, "paused", SH_STR ("what", reply->text + 3));
}

/*  What holds of a subnet that is not paused by itself any more.  */
static void
s_add_state (const hub_requests_t *self, const hub_assignments_t *all,
             uint64_t subnet, hub_reply_t *reply)
{
    char text[HUB_REMARK_TEXT];
    const hub_assignment_t *one
        = all ? hub_assignments_find (all, subnet) : NULL;
    if (!one) {
        hub_reply_add (reply, "not paused any more; phpIPAM has no such "
                              "subnet, or gives it to no scan agent");
        return;
    }
    sh_err_t cause = hub_assignments_unsent (all, one);
    int64_t until = hub_pauses_of (self->pauses, subnet, one->row->agent,
                                   hub_requests_wall ());
    if (cause != SH_OK) {
        hub_remarks_unsent_text (text, all, one, cause);
        hub_reply_add (reply, "not paused any more, but not scanned: ");
        hub_reply_outside (reply, text);
    } else if (until != 0) {
        const hub_pause_t whose = { HUB_PAUSE_AGENT, one->row->agent, until };
        hub_reply_add (reply, "still paused, with ");
        s_add_target (all, &whose, reply);
        hub_reply_add (reply, ", ");
        hub_requests_add_until (reply, until);
    } else
        hub_reply_add (reply, "scanned again");
}

/*  What holds of an agent's subnets.  */
static void
s_add_states (const hub_requests_t *self, const hub_assignments_t *all,
              uint64_t agent, hub_reply_t *reply)
{
    size_t count = 0, scanned = 0, paused = 0;
    const hub_assignment_t *items
        = all ? hub_assignments_items (all, &count) : NULL;
    for (size_t i = 0; i < count; i++) {
        if (items[i].row->agent != agent
            || hub_assignments_unsent (all, &items[i]) != SH_OK)
            continue;
        bool still = hub_pauses_of (self->pauses, items[i].row->id, agent,
                                    hub_requests_wall ())
                     != 0;
        scanned += !still;
        paused += still;
    }
    hub_reply_add (reply, "not paused any more: %zu %s scanned again", scanned,
                   scanned == 1 ? "is" : "are");
    if (paused > 0)
        hub_reply_add (reply, ", %zu %s paused", paused,
                       paused == 1 ? "is itself" : "are themselves");
    if (scanned + paused == 0)
        hub_reply_add (reply, "; see scanhubctl subnets");
}

static void
s_tell_resumed (const hub_requests_t *self, const hub_pause_t *one,
                hub_reply_t *reply)
{
    s_tell_target (self, reply, one, "");
    hub_assignments_t *all = hub_live_assignments (self->live);
    if (one->kind == HUB_PAUSE_SUBNET)
        s_add_state (self, all, one->id, reply);
    else
        s_add_states (self, all, one->id, reply);
    hub_assignments_release (&all);
}

void
hub_requests_resume (const hub_requests_t *self, const char *rest,
                     hub_reply_t *reply)
{
    sh_why_t why = { "" };
    bool was = false;
    hub_pause_t one = { 0 };
    if (!s_find_target (self, rest, false, &one, reply))
        return;
    if (hub_pauses_end (self->pauses, one.kind, one.id, hub_requests_wall (),
                        &was, &why)
        != SH_OK) {
        hub_reply_only (reply, "error not resumed: %s", why.text);
        return;
    }
    if (!was) {
        hub_reply_only (reply, one.kind == HUB_PAUSE_AGENT
                                   ? "error this scan agent is not paused; see "
                                     "scanhubctl status"
                                   : "error this subnet is not paused by "
                                     "itself; its scan agent may be: see "
                                     "scanhubctl status");
        return;
    }
    self->renew (self->context);
    s_tell_resumed (self, &one, reply);
    sh_log (SH_LOG_NOTICE, "resumed", SH_STR ("what", reply->text + 3));
}
