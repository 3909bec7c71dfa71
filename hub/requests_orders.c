/* SPDX-License-Identifier: MPL-2.0 */
/*  Scans that somebody orders.  What can be seen here that forbids one is the
    answer at once; the rest is the foreman's.  */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/foreman.h"
#include "hub/remarks.h"
#include "hub/requests_within.h"
#include "lib/control.h"

char *
hub_requests_ask_router (const hub_requests_t *self, const char *command)
{
    zstr_send (self->router, command);
    return zstr_recv (self->router);
}

static void
s_relay (const hub_requests_t *self, const char *command, hub_reply_t *reply)
{
    char *answer = hub_requests_ask_router (self, command);
    hub_reply_only (reply, "%s", answer ? answer : "error no answer");
    zstr_free (&answer);
}

/*  Is it assigned in such a way that its scanner knows it, and does what is
    wanted?  Being paused is no obstacle.  */
static bool
s_may_scan (const hub_assignments_t *all, const hub_assignment_t *one,
            const char *kind, hub_reply_t *reply)
{
    char text[HUB_REMARK_TEXT];
    sh_err_t cause = hub_assignments_unsent (all, one);
    int wanted = sp_kind_of (kind);
    bool check = wanted == SP_KIND_CHECK, discover = wanted == SP_KIND_DISCOVER;
    if (cause != SH_OK) {
        hub_remarks_unsent_text (text, all, one, cause);
        hub_reply_only (reply, "error subnet %" PRIu64 " is not scanned: ",
                        one->row->id);
        hub_reply_outside (reply, text);
        return false;
    }
    if ((check && !one->check) || (discover && !one->discover))
        hub_reply_only (reply,
                        "error subnet %" PRIu64 " has no %s: it is off in "
                        "phpIPAM, or never by scanhub.yaml",
                        one->row->id, check ? "host check" : "discovery");
    else if (wanted == SP_KIND_COUNT)
        hub_reply_only (reply, "error a scan is of the kind discover, check "
                               "or both");
    else
        return true;
    return false;
}

/*  The command for the router, with the scanners that have the agent's code;
    false: the answer says that there are none.  */
static bool
s_make_command (const hub_requests_t *self, const hub_assignments_t *all,
                const hub_assignment_t *one, const char *kind,
                hub_reply_t *command, hub_reply_t *reply)
{
    char cidr[SH_PREFIX_TEXT];
    hub_scanner_t scanners[HUB_REQUESTS_SCANNERS];
    const hub_known_agent_t *agent
        = hub_assignments_agent_of (all, one->row->agent);
    size_t count = hub_registry_scanners (self->registry, agent->code,
                                          scanners, HUB_REQUESTS_SCANNERS);
    if (count == 0) {
        hub_reply_only (reply, "error no scanner's key in the registry has the "
                               "code of scan agent '");
        hub_reply_outside (reply, agent->name);
        hub_reply_add (reply, "'; see scanhubctl scanner add");
        return false;
    }
    sh_prefix_text (&one->row->prefix, cidr);
    hub_reply_add (command, "SCAN\n%" PRIu64 "\n%s\n%s", one->row->id, kind,
                   cidr);
    for (size_t i = 0; i < count && i < HUB_REQUESTS_SCANNERS; i++)
        hub_reply_add (command, "\n%s\n%s", scanners[i].key,
                       scanners[i].name);
    return true;
}

void
hub_requests_scan (const hub_requests_t *self, const char *rest,
                   hub_reply_t *reply)
{
    char kind[16], command[4096];
    hub_reply_t writer;
    size_t size = strcspn (rest, " ");
    if (size >= sizeof kind || rest[size] != ' ') {
        hub_reply_add (reply, "error scan takes a kind and a subnet");
        return;
    }
    memcpy (kind, rest, size);
    kind[size] = '\0';
    hub_reply_start (&writer, command, sizeof command);
    hub_assignments_t *all = hub_live_assignments (self->live);
    const hub_assignment_t *one
        = hub_requests_find (all, rest + size + 1, reply);
    bool ready = one && s_may_scan (all, one, kind, reply)
                 && s_make_command (self, all, one, kind, &writer, reply);
    hub_assignments_release (&all);
    if (ready)
        s_relay (self, command, reply);
}

void
hub_requests_order (const hub_requests_t *self, const char *rest,
                    hub_reply_t *reply)
{
    char command[SH_CONTROL_REQUEST_MOST + 16];
    snprintf (command, sizeof command, "ORDER\n%s", rest);
    s_relay (self, command, reply);
}

void
hub_requests_orders (const hub_requests_t *self, const char *rest,
                     hub_reply_t *reply)
{
    (void) rest;
    s_relay (self, "ORDERS", reply);
}

/*  A subnet is told to the foreman by its id.  */
void
hub_requests_cancel (const hub_requests_t *self, const char *rest,
                     hub_reply_t *reply)
{
    char command[SH_CONTROL_REQUEST_MOST + 16];
    snprintf (command, sizeof command, "CANCEL\n%s", rest);
    if (hub_requests_means_subnet (rest)) {
        hub_assignments_t *all = hub_live_assignments (self->live);
        const hub_assignment_t *one = hub_requests_find (all, rest, reply);
        if (one)
            snprintf (command, sizeof command, "CANCEL\n%" PRIu64,
                      one->row->id);
        hub_assignments_release (&all);
        if (!one)
            return;
    }
    s_relay (self, command, reply);
}
