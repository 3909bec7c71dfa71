/* SPDX-License-Identifier: MPL-2.0 */
/*  Any bytes as a legacy body.  What comes out must keep what the header
    promises, and be something that the protocol can carry.  */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "scanner-proto/codec.h"
#include "shim/legacy.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define RECEIVED INT64_C (1795347954321)
#define HOSTS_SENT 64 /* whatever their texts are, so many fit into a part */

static void
s_require (bool holds)
{
    if (!holds)
        abort ();
}

static void
s_check_head (const sp_report_t *report)
{
    sh_prefix_t prefix;
    size_t code = strlen (report->code);
    s_require (code > 0 && code <= SP_CODE_MOST);
    s_require (strlen (report->cidr) <= SP_CIDR_MOST
               && sh_prefix_parse (&prefix, report->cidr) == SH_OK);
    s_require (report->kind == SP_KIND_BOTH && report->subnet == 0
               && report->off == 0 && report->complete && !report->last
               && report->covered_count == 0);
    s_require (report->started == RECEIVED / 1000 * 1000
               && report->finished == report->started);
}

static void
s_check_refused (const sm_legacy_t *legacy)
{
    for (size_t i = 0; i < legacy->refused_named; i++) {
        const sm_refused_t *refused = &legacy->refused[i];
        s_require (memchr (refused->ip, '\0', sizeof refused->ip) != NULL);
        s_require (sh_err_class (refused->cause) == SH_CLASS_PEER);
        for (const char *at = refused->ip; *at; at++)
            s_require (*at >= ' ' && *at <= '~');
    }
}

/*  All of it reaches the hub: each slice of hosts, and the end.  */
static void
s_check_sendable (const sp_report_t *report)
{
    static const uint8_t id[SP_REPORT_ID];
    for (size_t first = 0; first <= report->host_count; first += HOSTS_SENT) {
        size_t left = report->host_count - first;
        sp_message_t message = { .type = SP_REPORT, .u.report = *report };
        sp_report_t *part = &message.u.report;
        part->id = (sh_bytes_t){ id, sizeof id };
        part->hosts = report->hosts + first;
        part->host_count = left < HOSTS_SENT ? left : HOSTS_SENT;
        part->last = left == 0;
        uint8_t *frame;
        size_t size;
        s_require (sp_encode (&frame, &size, &message) == SH_OK);
        free (frame);
    }
}

static void
s_check_hosts (const sp_report_t *report)
{
    for (size_t i = 0; i < report->host_count; i++) {
        const sp_host_t *host = &report->hosts[i];
        s_require (host->ip.size == 4 || host->ip.size == 16);
        s_require (!host->name || *host->name);
        s_require (!host->mac || *host->mac);
        s_require (report->hint == 0 || host->subnet == report->hint);
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    sm_legacy_t *legacy = NULL;
    sh_why_t why = { "" };
    sh_err_t rc
        = sm_legacy_parse (&legacy, (const char *) data, size, RECEIVED, &why);
    if (rc != SH_OK) {
        s_require (!legacy && why.text[0]);
        s_require (rc == SH_E_SYNTAX || rc == SH_E_BAD_MESSAGE
                   || (rc == SH_E_TOO_LARGE && size > SM_BODY_MOST));
        return 0;
    }
    s_require (legacy->report.host_count + legacy->refused_count
               == legacy->host_total);
    s_check_head (&legacy->report);
    s_check_refused (legacy);
    s_check_hosts (&legacy->report);
    s_check_sendable (&legacy->report);
    sm_legacy_destroy (&legacy);
    return 0;
}
