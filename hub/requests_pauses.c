/* SPDX-License-Identifier: MPL-2.0 */
/*  Pausing subnets and agents, and what is paused.  */

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hub/requests_within.h"
#include "lib/log.h"
#include "scanner-proto/limits.h"

#define LISTED_MOST 50 /* in 'status' */

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

/*  The agent of this name in phpIPAM; false: the answer says why not.  */
static bool
s_find_agent (const hub_assignments_t *all, const char *word, uint64_t *id,
              hub_reply_t *reply)
{
    char name[1024];
    size_t count, met = 0;
    if (!s_decode (name, sizeof name, word)) {
        hub_reply_only (reply, "error that is no name of a scan agent");
        return false;
    }
    if (!all) {
        hub_reply_only (reply, "error the hub has not read phpIPAM's scan "
                               "agents yet; see scanhubctl ping");
        return false;
    }
    const hub_known_agent_t *agents = hub_assignments_agents (all, &count);
    for (size_t i = 0; i < count; i++)
        if (strcmp (agents[i].name, name) == 0) {
            *id = agents[i].id;
            met++;
        }
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

/*  Whom a word means.  With 'known', a subnet must be one of phpIPAM's.  */
static bool
s_find_target (const hub_requests_t *self, const char *word, bool known,
               hub_pause_t *out, hub_reply_t *reply)
{
    hub_assignments_t *all = hub_live_assignments (self->live);
    bool found = false;
    const hub_assignment_t *one;
    bool number = word[strspn (word, "0123456789")] == '\0';
    if (!hub_requests_means_subnet (word)) {
        out->kind = HUB_PAUSE_AGENT;
        found = s_find_agent (all, word, &out->id, reply);
    } else {
        out->kind = HUB_PAUSE_SUBNET;
        one = number && !known ? NULL : hub_requests_find (all, word, reply);
        out->id = one ? one->row->id : strtoull (word, NULL, 10);
        found = one || (number && !known);
    }
    hub_assignments_release (&all);
    return found;
}

static void
s_tell_target (hub_reply_t *reply, const hub_pause_t *one, const char *what)
{
    hub_reply_only (reply, "ok %s %" PRIu64 " %s",
                    one->kind == HUB_PAUSE_AGENT
                        ? "all subnets of scan agent"
                        : "subnet",
                    one->id, what);
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
    s_tell_target (reply, &one, "paused ");
    hub_requests_add_until (reply, one.until);
    self->renew (self->context);
    sh_log (SH_LOG_NOTICE, "paused", SH_STR ("what", reply->text + 3));
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
        s_tell_target (reply, &one, "");
        hub_reply_only (reply, one.kind == HUB_PAUSE_AGENT
                                   ? "error this scan agent is not paused; see "
                                     "scanhubctl status"
                                   : "error this subnet is not paused by "
                                     "itself; its scan agent may be: see "
                                     "scanhubctl status");
        return;
    }
    s_tell_target (reply, &one, "scanned again");
    self->renew (self->context);
    sh_log (SH_LOG_NOTICE, "resumed", SH_STR ("what", reply->text + 3));
}

static void
s_add_pause (const hub_assignments_t *all, const hub_pause_t *one,
             hub_reply_t *reply)
{
    char cidr[SH_PREFIX_TEXT] = "which phpIPAM gives to no agent";
    const hub_known_agent_t *agent
        = all && one->kind == HUB_PAUSE_AGENT
              ? hub_assignments_agent_of (all, one->id)
              : NULL;
    const hub_assignment_t *subnet
        = all && one->kind == HUB_PAUSE_SUBNET
              ? hub_assignments_find (all, one->id)
              : NULL;
    hub_reply_add (reply, "paused: ");
    if (one->kind == HUB_PAUSE_AGENT)
        hub_reply_outside (reply, agent ? agent->name : "a scan agent that "
                                                        "phpIPAM has no more");
    else if (subnet && subnet->row->prefix.base.family)
        sh_prefix_text (&subnet->row->prefix, cidr);
    if (one->kind == HUB_PAUSE_SUBNET)
        hub_reply_add (reply, "subnet %" PRIu64 ", %s", one->id, cidr);
    hub_reply_add (reply, ", ");
    hub_requests_add_until (reply, one->until);
    hub_reply_add (reply, "\n");
}

void
hub_requests_add_pauses (const hub_requests_t *self, hub_reply_t *reply)
{
    hub_pause_t *list = calloc (HUB_PAUSES_MOST, sizeof *list);
    size_t count = list ? hub_pauses_list (self->pauses, list,
                                           HUB_PAUSES_MOST,
                                           hub_requests_wall ())
                        : 0;
    hub_assignments_t *all = hub_live_assignments (self->live);
    for (size_t i = 0; i < count && i < LISTED_MOST; i++)
        s_add_pause (all, &list[i], reply);
    if (count > LISTED_MOST)
        hub_reply_add (reply, "paused: %zu more; see scanhubctl subnets\n",
                       count - LISTED_MOST);
    hub_assignments_release (&all);
    free (list);
}
