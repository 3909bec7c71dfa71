/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/nmap_xml.h"

#include <expat.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

/*  The elements that matter, each only below its proper parent.  */
typedef enum
{
    NODE_OTHER,
    NODE_RUN,
    NODE_HOST,
    NODE_STATUS,
    NODE_ADDRESS,
    NODE_TARGET,
    NODE_STATS,
    NODE_FINISHED,
    NODE_TOTAL
} node_t;

struct sc_nmap_xml
{
    XML_Parser parser;
    sc_result_t *result;
    uint64_t hosts_most;
    const sh_clock_t *clock;
    size_t bytes;
    node_t path[SC_NMAP_XML_DEPTH];
    size_t depth;
    sc_host_t host;      /* the one being read */
    bool up;             /* is it? */
    bool success;        /* <finished exit="success"> was there */
    char error[128];     /* what <finished> says instead */
    int64_t begun;       /* before nmap was started */
    int64_t finished;    /* <finished time>, the end of that second in ms */
    uint64_t total;      /* <hosts total> */
    uint64_t skipped;    /* targets that nmap left out ... */
    char first[64];      /* ... and the first of them */
    sh_err_t rc;         /* sticky */
    sh_why_t why;
};

static void
s_stop (sc_nmap_xml_t *self, sh_err_t rc, const char *text)
{
    if (self->rc == SH_OK)
        self->rc = sh_fail (&self->why, rc, "%s", text);
    XML_StopParser (self->parser, XML_FALSE);
}

static const char *
s_attribute (const XML_Char **pairs, const char *key)
{
    for (; *pairs; pairs += 2) {
        if (strcmp (pairs[0], key) == 0)
            return pairs[1];
    }
    return "";
}

static uint64_t
s_number (const char *text)
{
    uint64_t value = 0;
    for (; *text >= '0' && *text <= '9' && value < UINT64_MAX / 20; text++)
        value = value * 10 + (uint64_t) (*text - '0');
    return value;
}

/*  nmap's reasons in the protocol's words.  */
static const char *
s_how (const char *reason)
{
    static const char *const words[][2] = {
        { "arp-response", "arp" },        { "nd-response", "nd" },
        { "echo-reply", "echo" },         { "localhost-response", "local" },
        { "timestamp-reply", "icmp" },    { "addressmask-reply", "icmp" },
        { "syn-ack", "tcp" },             { "reset", "tcp" },
        { "conn-refused", "tcp" },        { "conn-accept", "tcp" },
        { "udp-response", "udp" },        { "proto-response", "ip" },
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp (reason, words[i][0]) == 0)
            return words[i][1];
    }
    return "other";
}

static void
s_copy (char *out, size_t size, const char *text)
{
    (void) snprintf (out, size, "%s", text);
}

static void
s_on_address (sc_nmap_xml_t *self, const XML_Char **pairs)
{
    const char *type = s_attribute (pairs, "addrtype");
    const char *text = s_attribute (pairs, "addr");
    if (strcmp (type, "mac") == 0) {
        if (strlen (text) < sizeof self->host.mac)
            s_copy (self->host.mac, sizeof self->host.mac, text);
    } else if (self->host.ip.family == 0) {
        sh_addr_t ip;
        if (sh_addr_parse (&ip, text) == SH_OK)
            self->host.ip = ip;
    }
}

static void
s_on_target (sc_nmap_xml_t *self, const XML_Char **pairs)
{
    if (strcmp (s_attribute (pairs, "status"), "skipped") == 0
        && self->skipped++ == 0)
        sh_escape (self->first, sizeof self->first,
                   s_attribute (pairs, "specification"));
}

static void
s_on_finished (sc_nmap_xml_t *self, const XML_Char **pairs)
{
    self->success = strcmp (s_attribute (pairs, "exit"), "success") == 0;
    uint64_t seconds = s_number (s_attribute (pairs, "time"));
    if (seconds > 0 && seconds < INT64_MAX / 1000)
        self->finished = (int64_t) seconds * 1000 + 999;
    sh_escape (self->error, sizeof self->error,
               s_attribute (pairs, "errormsg"));
}

static void
s_enter (sc_nmap_xml_t *self, node_t node, const XML_Char **pairs)
{
    switch (node) {
    case NODE_STATUS:
        self->up = strcmp (s_attribute (pairs, "state"), "up") == 0;
        s_copy (self->host.how, sizeof self->host.how,
                s_how (s_attribute (pairs, "reason")));
        break;
    case NODE_ADDRESS:
        s_on_address (self, pairs);
        break;
    case NODE_TARGET:
        s_on_target (self, pairs);
        break;
    case NODE_FINISHED:
        s_on_finished (self, pairs);
        break;
    case NODE_TOTAL:
        self->total = s_number (s_attribute (pairs, "total"));
        break;
    default:
        break;
    }
}

static node_t
s_node (node_t parent, bool top, const char *name)
{
    static const struct
    {
        node_t parent;
        const char *name;
        node_t node;
    } table[] = {
        { NODE_RUN, "host", NODE_HOST },
        { NODE_HOST, "status", NODE_STATUS },
        { NODE_HOST, "address", NODE_ADDRESS },
        { NODE_RUN, "target", NODE_TARGET },
        { NODE_RUN, "runstats", NODE_STATS },
        { NODE_STATS, "finished", NODE_FINISHED },
        { NODE_STATS, "hosts", NODE_TOTAL },
    };
    if (top)
        return strcmp (name, "nmaprun") == 0 ? NODE_RUN : NODE_OTHER;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (table[i].parent == parent && strcmp (name, table[i].name) == 0)
            return table[i].node;
    }
    return NODE_OTHER;
}

static void XMLCALL
s_on_start (void *context, const XML_Char *name, const XML_Char **pairs)
{
    sc_nmap_xml_t *self = context;
    if (self->rc != SH_OK)
        return;
    if (self->depth == SC_NMAP_XML_DEPTH) {
        s_stop (self, SH_E_PROBE, "nmap's output is nested too deeply");
        return;
    }
    node_t parent = self->depth ? self->path[self->depth - 1] : NODE_OTHER;
    node_t node = s_node (parent, self->depth == 0, name);
    self->path[self->depth++] = node;
    s_enter (self, node, pairs);
}

static void
s_end_host (sc_nmap_xml_t *self)
{
    sc_host_t host = self->host;
    bool wanted = self->up && host.ip.family != 0;
    self->host = (sc_host_t){ 0 };
    self->up = false;
    if (!wanted)
        return;
    if (self->result->count >= self->hosts_most) {
        s_stop (self, SH_E_PROBE,
                "nmap reports more hosts than it was asked for");
        return;
    }
    host.seen = sh_clock_wall (self->clock);
    if (sc_result_add (self->result, &host) != SH_OK)
        s_stop (self, SH_E_MEMORY, sh_err_text (SH_E_MEMORY));
}

static void XMLCALL
s_on_end (void *context, const XML_Char *name)
{
    sc_nmap_xml_t *self = context;
    (void) name;
    if (self->rc == SH_OK && self->path[--self->depth] == NODE_HOST)
        s_end_host (self);
}

static void XMLCALL
s_on_entity (void *context, const XML_Char *name, int is_parameter,
             const XML_Char *value, int length, const XML_Char *base,
             const XML_Char *system_id, const XML_Char *public_id,
             const XML_Char *notation)
{
    (void) name, (void) is_parameter, (void) value, (void) length;
    (void) base, (void) system_id, (void) public_id, (void) notation;
    s_stop (context, SH_E_PROBE, "nmap's output declares an XML entity");
}

sh_err_t
sc_nmap_xml_new (sc_nmap_xml_t **out, sc_result_t *result,
                 uint64_t hosts_most, const sh_clock_t *clock)
{
    sc_nmap_xml_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    self->parser = XML_ParserCreate ("UTF-8");
    if (!self->parser) {
        free (self);
        return SH_E_MEMORY;
    }
    self->result = result;
    self->hosts_most = hosts_most;
    self->clock = clock;
    self->begun = sh_clock_wall (clock);
    XML_SetUserData (self->parser, self);
    XML_SetElementHandler (self->parser, s_on_start, s_on_end);
    XML_SetEntityDeclHandler (self->parser, s_on_entity);
    *out = self;
    return SH_OK;
}

void
sc_nmap_xml_destroy (sc_nmap_xml_t **self_p)
{
    sc_nmap_xml_t *self = *self_p;
    if (!self)
        return;
    XML_ParserFree (self->parser);
    free (self);
    *self_p = NULL;
}

/*  One chunk; expat counts in int.  */
static void
s_parse (sc_nmap_xml_t *self, const char *data, size_t size, bool last)
{
    if (XML_Parse (self->parser, data, (int) size, last) == XML_STATUS_OK
        || self->rc != SH_OK)
        return;
    enum XML_Error error = XML_GetErrorCode (self->parser);
    if (error == XML_ERROR_NO_MEMORY)
        self->rc = sh_fail (&self->why, SH_E_MEMORY, "%s",
                            sh_err_text (SH_E_MEMORY));
    else
        self->rc = sh_fail (&self->why, SH_E_PROBE,
                            "nmap's output ends early or is not XML "
                            "(line %lu: %s)",
                            XML_GetCurrentLineNumber (self->parser),
                            XML_ErrorString (error));
}

static sh_err_t
s_return (const sc_nmap_xml_t *self, sh_why_t *why)
{
    return self->rc == SH_OK ? SH_OK
                             : sh_fail (why, self->rc, "%s", self->why.text);
}

sh_err_t
sc_nmap_xml_feed (sc_nmap_xml_t *self, const void *data, size_t size,
                  sh_why_t *why)
{
    if (self->rc == SH_OK && size > SC_NMAP_XML_MOST - self->bytes)
        self->rc = sh_fail (&self->why, SH_E_PROBE,
                            "nmap's output is longer than %u bytes",
                            SC_NMAP_XML_MOST);
    if (self->rc == SH_OK) {
        self->bytes += size; /* at most 64 MiB, so it fits an int */
        s_parse (self, data, size, false);
    }
    return s_return (self, why);
}

/*  Our clock told when a host was read.  When we were stopped meanwhile, that
    may be long after it answered; it did while nmap ran.  An end before the
    beginning is that of a clock that was set in between, unlike ours.  */
static void
s_limit_times (sc_nmap_xml_t *self)
{
    if (self->finished < self->begun)
        return;
    for (size_t i = 0; i < self->result->count; i++) {
        sc_host_t *host = &self->result->hosts[i];
        if (host->seen > self->finished)
            host->seen = self->finished;
    }
}

sh_err_t
sc_nmap_xml_finish (sc_nmap_xml_t *self, uint64_t asked, sh_why_t *why)
{
    if (self->rc == SH_OK)
        s_parse (self, "", 0, true);
    if (self->rc != SH_OK)
        return s_return (self, why);
    s_limit_times (self);
    if (!self->success)
        return sh_fail (why, SH_E_PROBE, "nmap gave up: %s",
                        *self->error ? self->error : "it does not say why");
    if (self->skipped)
        return sh_fail (why, SH_E_PROBE,
                        "nmap has no route to %llu address%s, the first is %s",
                        (unsigned long long) self->skipped,
                        self->skipped == 1 ? "" : "es", self->first);
    if (self->total != asked)
        return sh_fail (why, SH_E_PROBE,
                        "nmap took on %llu of %llu addresses",
                        (unsigned long long) self->total,
                        (unsigned long long) asked);
    return SH_OK;
}

const char *
sc_nmap_xml_library (void)
{
    return XML_ExpatVersion ();
}
