/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhubctl scanner invite: the line that a new site has to run, and what
    happens next.  Nothing in it is secret, and nothing is remembered.  */

#include "cli/ctl.h"

#include <getopt.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "hub/keychange.h"
#include "lib/clock.h"
#include "lib/keyfile.h"
#include "scanner-proto/invite.h"

#define HOST_MOST 256
#define PORT_MOST 8

/*  The two parts of HOST, HOST:PORT or [ADDRESS]:PORT; the brackets stay.  An
    IPv6 address without them gets some.  'port' "" where there is none.  */
static bool
s_split (const char *text, char host[static HOST_MOST],
         char port[static PORT_MOST])
{
    const char *close = text[0] == '[' ? strchr (text, ']') : NULL;
    const char *colon = strchr (close ? close : text, ':');
    bool bare = !close && colon && strchr (colon + 1, ':');
    size_t size = bare || !colon ? strlen (text) : (size_t) (colon - text);
    const char *rest = bare || !colon ? "" : colon + 1;
    if (size == 0 || size + 3 > HOST_MOST || strlen (rest) >= PORT_MOST)
        return false;
    snprintf (host, HOST_MOST, bare ? "[%.*s]" : "%.*s", (int) size, text);
    snprintf (port, PORT_MOST, "%s", rest);
    return true;
}

/*  Is it an address that another machine can connect to, as it stands?  */
static bool
s_is_public (const char *host)
{
    return strcmp (host, "*") != 0 && strcmp (host, "0.0.0.0") != 0
           && strcmp (host, "[::]") != 0 && strcmp (host, "[::1]") != 0
           && strncmp (host, "127.", 4) != 0
           && strcmp (host, "localhost") != 0;
}

/*  This machine's name, whole if the resolver knows the rest of it.  */
static void
s_own_name (char host[static HOST_MOST])
{
    const struct addrinfo hints = { .ai_flags = AI_CANONNAME };
    struct addrinfo *found = NULL;
    if (gethostname (host, HOST_MOST) != 0)
        snprintf (host, HOST_MOST, "localhost");
    host[HOST_MOST - 1] = '\0';
    if (getaddrinfo (host, NULL, &hints, &found) != 0)
        return;
    if (found->ai_canonname && strchr (found->ai_canonname, '.')
        && strlen (found->ai_canonname) < HOST_MOST)
        snprintf (host, HOST_MOST, "%s", found->ai_canonname);
    freeaddrinfo (found);
}

/*  Where the hub listens: the first address that is of use elsewhere, and if
    there is none this machine's name with the first one's port.  */
static void
s_from_listen (const sh_strings_t *listen, char host[static HOST_MOST],
               char port[static PORT_MOST])
{
    for (size_t i = 0; i < listen->count; i++) {
        const char *place = listen->items[i] + strlen ("tcp://");
        if (s_split (place, host, port) && s_is_public (host))
            return;
    }
    if (!s_split (listen->items[0] + strlen ("tcp://"), host, port))
        port[0] = '\0';
    bool here = strcmp (host, "[::1]") == 0 || strncmp (host, "127.", 4) == 0;
    s_own_name (host);
    if (here)
        ctl_warn ("the hub listens on this machine only; see hub.listen");
    ctl_warn ("'%s' is what this machine calls itself; if sites know it by "
              "another name or address: --host HOST",
              host);
}

/*  The hub's public key; who may not read the file with both of them can read
    that with one.  */
static int
s_public_key (ctl_t *self, char out[static SH_KEY_TEXT])
{
    sh_keyfile_t *key = NULL;
    char *other = NULL;
    sh_why_t why;
    const char *path = self->config->key;
    int64_t now = sh_clock_wall (sh_clock_system ());
    sh_err_t rc = hub_keychange_peek (out, path, now, &why);
    if (rc != SH_OK && asprintf (&other, "%s.pub", path) > 0
        && sh_keyfile_load (&key, other, false, NULL) == SH_OK) {
        memcpy (out, key->public_key, SH_KEY_TEXT);
        rc = SH_OK;
    }
    free (other);
    sh_keyfile_destroy (&key);
    if (rc == SH_E_NOT_FOUND)
        return ctl_fail (EX_NOINPUT,
                         "%s: there is no hub key yet; make one: scanhubctl "
                         "keygen %s",
                         path, path);
    return rc == SH_OK ? 0 : ctl_fail_err (rc, &why);
}

static void
s_print (const char *invite, const char *key)
{
    char fingerprint[SH_FINGERPRINT_TEXT];
    sh_key_fingerprint (fingerprint, key);
    printf ("At the new site, as root (the hub's key there: %s):\n\n"
            "  scanhub-scanner join '%s'\n\n"
            "It makes the site's key, knocks here and shows its fingerprint.  "
            "Then, here:\n\n"
            "  scanhubctl scanner pending\n"
            "  scanhubctl scanner approve FINGERPRINT NAME --code CODE\n\n"
            "NAME is yours to choose; CODE is the agent's in phpIPAM, under "
            "Scan agents.\n",
            fingerprint, invite);
}

static int
s_invite (ctl_t *self, const char *wanted)
{
    char host[HOST_MOST] = "", port[PORT_MOST] = "";
    char key[SH_KEY_TEXT], invite[SP_INVITE_MOST], endpoint[300];
    int status = ctl_config (self);
    if (status == 0)
        status = s_public_key (self, key);
    if (status != 0)
        return status;
    const sh_strings_t *listen = &self->config->listen;
    if (wanted && !s_split (wanted, host, port))
        return ctl_fail (EX_USAGE, "'%s' is no host", wanted);
    if (!wanted)
        s_from_listen (listen, host, port);
    const char *last = strrchr (listen->items[0], ':');
    snprintf (endpoint, sizeof endpoint, "tcp://%s:%s", host,
              *port  ? port
              : last ? last + 1
                     : "");
    sh_why_t why;
    if (sp_invite_print (invite, endpoint, key, &why) != SH_OK)
        return ctl_fail (EX_USAGE,
                         "'%s' cannot stand in an invitation; name the hub as "
                         "sites reach it: --host HOST[:PORT]",
                         endpoint);
    s_print (invite, key);
    return 0;
}

int
ctl_scanner_invite (ctl_t *self, int argc, char **argv)
{
    static const struct option options[]
        = { { "host", required_argument, NULL, 'H' },
            { "help", no_argument, NULL, 'h' },
            { 0 } };
    const char *host = NULL;
    int option;
    while ((option = getopt_long (argc, argv, "h", options, NULL)) != -1) {
        if (option == 'h') {
            ctl_usage_command (stdout, self->command);
            return 0;
        }
        if (option != 'H')
            return ctl_misused (self);
        host = optarg;
    }
    return optind != argc ? ctl_miscounted (self, argc, argv, 0)
                          : s_invite (self, host);
}
