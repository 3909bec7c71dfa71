/* SPDX-License-Identifier: MPL-2.0 */

#include "build-config.h"

#include "hub/requests.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hub/requests_within.h"
#include "hub/router.h"

#define REJECTED_MS INT64_C (86400000) /* in which a key is not listed again */

static void
s_ping (const hub_requests_t *self, const char *rest, hub_reply_t *reply)
{
    (void) rest;
    char text[320];
    bool ready = hub_live_ready (self->live,
                                 sh_clock_mono (sh_clock_system ()), text,
                                 sizeof text);
    hub_reply_add (reply, ready ? "ok ready: %s" : "error not ready: %s",
                   text);
}

static void
s_reload (const hub_requests_t *self, const char *rest, hub_reply_t *reply)
{
    (void) rest;
    char text[2048] = "";
    self->reload (self->context, text, sizeof text);
    hub_reply_add (reply, "%s", text);
}

static void
s_key (const hub_requests_t *self, const char *key, hub_reply_t *reply)
{
    hub_principal_t who;
    if (!hub_registry_find (self->registry, key, &who)) {
        hub_reply_add (reply, "error not in force");
        return;
    }
    hub_reply_add (reply, "ok %s", who.name);
    hub_principal_clear (&who);
}

static void
s_hub (const hub_requests_t *self, const char *rest, hub_reply_t *reply)
{
    (void) rest;
    char key[SH_KEY_TEXT], fingerprint[SH_FINGERPRINT_TEXT];
    hub_keychange_now (self->key, key, NULL);
    sh_key_fingerprint (fingerprint, key);
    hub_reply_add (reply, "ok pid %ld, key %s", (long) getpid (),
                   fingerprint);
    const sh_strings_t *listen = &self->config->listen;
    for (size_t i = 0; i < listen->count; i++)
        hub_reply_add (reply, ", %s", listen->items[i]);
}

/*  One that was let in since is pending no more.  */
static void
s_pending (const hub_requests_t *self, const char *rest, hub_reply_t *reply)
{
    (void) rest;
    hub_knock_t *knocks = calloc (HUB_PENDING_KEYS, sizeof *knocks);
    size_t count = knocks ? hub_knocks_list (self->pending, knocks,
                                             HUB_PENDING_KEYS)
                          : 0;
    hub_reply_add (reply, "ok\n");
    for (size_t i = 0; i < count; i++) {
        const hub_knock_t *one = &knocks[i];
        if (hub_registry_claims (self->registry, one->key) > 0)
            hub_knocks_forget (self->pending, one->key);
        else
            hub_reply_add (reply, "%s %s %llu %lld %lld\n", one->key,
                           *one->address ? one->address : "-",
                           (unsigned long long) one->count,
                           (long long) one->first, (long long) one->last);
    }
    free (knocks);
}

static void
s_reject (const hub_requests_t *self, const char *key, hub_reply_t *reply)
{
    if (hub_knocks_count (self->pending, key) == 0) {
        hub_reply_add (reply, "error this key has not knocked");
        return;
    }
    hub_knocks_reject (self->pending, key,
                       hub_requests_wall () + REJECTED_MS);
    hub_reply_add (reply, "ok");
}

/*  Not a rejection, of which there are only so many: it was a try.  */
static void
s_forget (const hub_requests_t *self, const char *key, hub_reply_t *reply)
{
    hub_knocks_forget (self->pending, key);
    hub_reply_add (reply, "ok");
}

/*  What a person wants to know about the hub's key and the next one.  */
static void
s_hub_key (const hub_requests_t *self, const char *rest, hub_reply_t *reply)
{
    char key[SH_KEY_TEXT], fingerprint[SH_FINGERPRINT_TEXT];
    int64_t at = 0;
    sh_why_t why = { "" };
    if (strcmp (rest, "read") == 0
        && hub_keychange_read (self->key, &why) != SH_OK) {
        hub_reply_add (reply, "error %s", why.text);
        return;
    }
    hub_keychange_now (self->key, key, NULL);
    sh_key_fingerprint (fingerprint, key);
    json_t *document = json_pack ("{s:s}", "fingerprint", fingerprint);
    if (hub_keychange_next (self->key, key, &at)) {
        sh_key_fingerprint (fingerprint, key);
        json_object_set_new (document, "next", json_string (fingerprint));
        json_object_set_new (document, "at", json_integer (at));
    }
    char *told = hub_requests_ask_router (self, HUB_ROUTER_TOLD);
    char *behind = NULL;
    long long connected = told ? strtoll (told, &behind, 10) : 0;
    json_object_set_new (document, "connected", json_integer (connected));
    json_object_set_new (document, "told",
                         json_integer (told ? strtoll (behind, NULL, 10) : 0));
    zstr_free (&told);
    hub_reply_json (reply, document);
}

/*  The whole language.  What stands behind the word is handed on; a request
    that has nothing to say there is one word.

        ping      "ok ...", or "error not ready: ..." while the hub is not
                  connected to its database or has not read the assignments
        status    "ok" and a document: hub/requests_status.c
        scanners FROM
                  "ok" and a document: a page of the scanners, ascending by
                  name, from the FROM-th on, and whether there are "more"
        coverage AFTER
                  the same of the subnets with an id above AFTER
        reload    "ok ...", with what is odd about it in a second line, or
                  "error ..." with the reason; nothing changed
        key KEY   "ok NAME": this public key is in force under that name;
                  "error not in force".  scanhubctl asks after it wrote a file
        code CODE "ok AGENT, N subnets to scan": whose code in phpIPAM this is,
                  or "ok" while phpIPAM has not been read
        hub       "ok pid N, key FINGERPRINT, ENDPOINT, ...": which hub it is,
                  so that whoever revokes a key sees where
        pending   "ok", then for each unknown key that knocked a line
                  "KEY ADDRESS COUNT FIRST LAST" (epoch ms), latest first
        hub-key show, hub-key read
                  a document: the hub's key (fingerprint), and if another is
                  announced its fingerprint (next) and time (at, epoch ms); how
                  many scanners are connected, and how many of them were told of
                  it; 'read' looks at KEY.next before
        reject KEY
                  "ok": such a key is not listed for a day
        forget KEY
                  "ok": it is as if this key had not knocked so far
        subnets AFTER
                  "ok", then for each subnet with an id above AFTER a line of
                  fields with tabs between them: ID, NETWORK or -, AGENT or -,
                  seconds from check to check, or off (in phpIPAM), never (in
                  the file) or - (no usable network), the same of discovery,
                  sent or the word of a cause, the end of a pause (epoch ms,
                  -1: none, 0: not paused), ours or other (its agent is not for
                  scanners), and why it is not sent; in the end "more" if there
                  are more
        subnet SUBNET
                  "ok", then lines for people about one (an id or a network)
        pause UNTIL WHOM
                  "ok ..."; UNTIL is epoch ms or -, WHOM a subnet, or the name
                  that a scan agent has in phpIPAM, %xx for bytes of it that
                  are not printable, and for %
        resume WHOM
                  "ok ..."
        scan KIND SUBNET
                  "ok ORDER SCANNER": the order is on its way
        cancel ORDER, cancel SUBNET
                  "ok ORDER ..."
        order ORDER
                  "ok " and a line as hub/foreman.h describes it
        orders    "ok", then such a line for each

    These answer from the journal, by "ok " and a JSON document; - and 0 are for
    what does not matter, times are epoch ms:

        reports BEFORE SINCE SUBNET SCANNER
                  the newest reports with a number below BEFORE
        report N BEFORE
                  one, and what it changed
        why ADDRESS BEFORE
                  what reports changed of an address
        refusals SINCE SUBNET SCANNER
                  what was refused or put off, by cause
        digest SINCE
                  what is new, gone or has another MAC, and what is silent

    And these are about what is held:

        previews AFTER
                  "ok " and a JSON document of up to 300 entries with numbers
                  above AFTER
        preview N AFTER
                  "ok " and a JSON document: the entry, and up to 500 lines of
                  what it would change, behind the line AFTER
        apply N   "ok N": the entry is being applied, or waits for that
        applied N "ok " and a JSON document: how far that is, or what was done
        drop N    "ok ...": the entry is gone

    Where "error ..." is the answer, the rest of it is for people.  */
static const struct
{
    const char *word;
    bool more; /* something must follow */
    void (*answer) (const hub_requests_t *self, const char *rest,
                    hub_reply_t *reply);
} s_words[] = {
    { "ping", false, s_ping },
    { "status", false, hub_requests_status },
    { "scanners", true, hub_requests_scanners },
    { "coverage", true, hub_requests_coverage },
    { "reload", false, s_reload },
    { "key", true, s_key },
    { "code", true, hub_requests_code },
    { "hub", false, s_hub },
    { "pending", false, s_pending },
    { "reject", true, s_reject },
    { "forget", true, s_forget },
    { "hub-key", true, s_hub_key },
    { "subnets", true, hub_requests_subnets },
    { "subnet", true, hub_requests_subnet },
    { "pause", true, hub_requests_pause },
    { "resume", true, hub_requests_resume },
    { "scan", true, hub_requests_scan },
    { "cancel", true, hub_requests_cancel },
    { "order", true, hub_requests_order },
    { "orders", false, hub_requests_orders },
    { "reports", true, hub_requests_reports },
    { "report", true, hub_requests_report },
    { "why", true, hub_requests_why },
    { "refusals", true, hub_requests_refusals },
    { "digest", true, hub_requests_digest },
    { "previews", true, hub_requests_previews },
    { "preview", true, hub_requests_preview },
    { "apply", true, hub_requests_apply },
    { "applied", true, hub_requests_applied },
    { "drop", true, hub_requests_drop },
};

void
hub_requests_answer (void *context, const char *request, char *answer,
                     size_t size)
{
    const hub_requests_t *self = context;
    hub_reply_t reply;
    hub_reply_start (&reply, answer, size);
    size_t length = strcspn (request, " ");
    const char *rest = request + length + (request[length] == ' ');
    for (size_t i = 0; i < sizeof s_words / sizeof *s_words; i++) {
        if (strlen (s_words[i].word) != length
            || memcmp (s_words[i].word, request, length) != 0
            || s_words[i].more != (*rest != '\0'))
            continue;
        s_words[i].answer (self, rest, &reply);
        return;
    }
    hub_reply_add (&reply, "error unknown request; is scanhubctl of another "
                           "version than scanhubd?");
}
