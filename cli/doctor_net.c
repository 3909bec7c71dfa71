/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhubctl doctor: the hub's doors, from the outside.  */

#include <stdlib.h>
#include <string.h>

#include "cli/doctor.h"
#include "cli/process.h"
#include "lib/clock.h"
#include "lib/control.h"
#include "scanner-proto/knock.h"

#define ASK_MS 5000
#define ENDPOINTS_MOST 4   /* that are tried */

/*  The port of "tcp://HOST:PORT" or "HOST:PORT"; 0: none that is fixed.  */
static uint16_t
s_port (const char *endpoint)
{
    const char *colon = strrchr (endpoint, ':');
    unsigned long port = colon ? strtoul (colon + 1, NULL, 10) : 0;
    return port <= UINT16_MAX ? (uint16_t) port : 0;
}

/*  "python3 (process 123)", or what can be said without the right to look.  */
static void
s_owner_text (char *out, size_t size, const ctl_port_t *owner)
{
    if (owner->pid > 0)
        snprintf (out, size, "%s (process %ld)",
                  *owner->name ? owner->name : "a program", owner->pid);
    else
        snprintf (out, size, "another program");
}

/*  'must': the hub does not start without it.  */
static void
s_check_port (ctl_doctor_t *self, const char *endpoint, const char *door,
              bool must)
{
    ctl_port_t owner;
    void (*bad) (sh_findings_t *, const char *, ...) SH_PRINTF (2, 3)
        = must ? sh_findings_error : sh_findings_warning;
    char who[64];
    uint16_t port = s_port (endpoint);
    if (port == 0)
        return;
    ctl_port_look (&owner, port, self->pid);
    s_owner_text (who, sizeof who, &owner);
    if (self->hub == CTL_HUB_DOWN && owner.listening)
        bad (&self->found,
             "%s has port %u, which the hub needs for %s; end it, or choose "
             "another port", who, port, door);
    else if (self->hub == CTL_HUB_DOWN)
        sh_findings_good (&self->found, "%u is free for %s", port, door);
    else if (!owner.listening)
        bad (&self->found,
             "nobody listens on port %u for %s, although %s is configured: "
             "restart the hub and look at its log", port, door, endpoint);
    else if (self->pid > 0 && owner.pid > 0 && owner.pid != self->pid)
        bad (&self->found,
             "%s has port %u, not the hub (process %ld): end it and restart "
             "the hub", who, port, self->pid);
    else
        sh_findings_good (&self->found, "%u is listened on for %s", port,
                          door);
}

void
ctl_check_ports (ctl_doctor_t *self)
{
    const hub_config_t *config = self->config;
    for (size_t i = 0; i < config->listen.count; i++)
        s_check_port (self, config->listen.items[i], "scanners", true);
    for (size_t i = 0; config->http_on && i < config->http.listen.count; i++)
        s_check_port (self, config->http.listen.items[i], "HTTP", true);
    for (size_t i = 0; i < config->metrics.listen.count; i++)
        s_check_port (self, config->metrics.listen.items[i], "metrics",
                      config->metrics.said);
}

/*  Where to knock at what the hub listens on.  */
static bool
s_door (char *out, size_t size, const char *listen)
{
    static const char *const any[][2]
        = { { "tcp://*:", "tcp://127.0.0.1:" },
            { "tcp://0.0.0.0:", "tcp://127.0.0.1:" },
            { "tcp://[::]:", "tcp://[::1]:" } };
    const char *to = "";
    size_t skip = 0;
    for (size_t i = 0; i < sizeof any / sizeof *any; i++)
        if (strncmp (listen, any[i][0], strlen (any[i][0])) == 0) {
            to = any[i][1];
            skip = strlen (any[i][0]);
        }
    int written = snprintf (out, size, "%s%s", to, listen + skip);
    return s_port (listen) > 0 && written > 0 && (size_t) written < size;
}

/*  What came of it.  */
static void
s_judge (ctl_doctor_t *self, const char *door, sh_err_t rc,
         const sh_why_t *why)
{
    if (rc == SH_E_KEY_REFUSED)
        sh_findings_good (&self->found, "%s proves the hub's key and refuses "
                                        "an unknown one", door);
    else if (rc == SH_OK)
        sh_findings_error (&self->found,
                           "%s let a key in that nobody registered: stop the "
                           "hub, and report this as a security fault", door);
    else if (rc == SH_E_HUB_KEY)
        sh_findings_error (&self->found,
                           "%s has another key than %s: another hub answers "
                           "there, or this one was not restarted after its key "
                           "was changed", door, self->config->key);
    else
        sh_findings_error (&self->found, "%s", why->text);
}

/*  The hub has noted the knock; nobody is to take it for a scanner's.  */
static void
s_take_back (const ctl_doctor_t *self, const char *key)
{
    char request[64], *answer = NULL;
    snprintf (request, sizeof request, "forget %s", key);
    if (self->hub == CTL_HUB_UP
        && sh_control_ask (&answer, self->config->control, "scanhubd", request,
                           ASK_MS, NULL) == SH_OK)
        free (answer);
}

static void
s_knock (ctl_doctor_t *self, const char *listen)
{
    char door[128];
    sh_keyfile_t *key = NULL;
    sh_why_t why = { "out of memory" };
    if (!s_door (door, sizeof door, listen)) {
        sh_findings_good (&self->found, "%s is not tried: it has no fixed "
                                        "port", listen);
        return;
    }
    const sp_hub_t hub = { .endpoint = door, .public_key = self->public_key };
    sh_err_t rc = sh_keyfile_generate (&key);
    if (rc == SH_OK)
        rc = sp_knock (&hub, key, sh_clock_system (), &why);
    s_judge (self, door, rc, &why);
    if (rc == SH_E_KEY_REFUSED)
        s_take_back (self, key->public_key);
    sh_keyfile_destroy (&key);
}

void
ctl_check_zap (ctl_doctor_t *self)
{
    const sh_strings_t *listen = &self->config->listen;
    if (self->hub == CTL_HUB_DOWN)
        return;
    if (!*self->public_key) {
        sh_findings_warning (&self->found,
                             "whether unknown keys are refused cannot be "
                             "tried, for the hub's public key is not known "
                             "here");
        return;
    }
    for (size_t i = 0; i < listen->count && i < ENDPOINTS_MOST; i++)
        s_knock (self, listen->items[i]);
}

void
ctl_check_old_server (ctl_doctor_t *self)
{
    long pid = ctl_process_with ("ansible-rulebook", "phpipam_scan_agent");
    if (pid > 0)
        sh_findings_warning (&self->found,
                             "process %ld is the old scan server, which writes "
                             "phpIPAM as well and accepts anybody: end it as "
                             "soon as its scanners post to the hub", pid);
    else
        sh_findings_good (&self->found, "none runs here");
}
