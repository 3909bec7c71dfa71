/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/bench/swarm_report.h"

#include <stdio.h>
#include <string.h>

void
sw_report_init (sw_report_t *self, const sw_options_t *options)
{
    *self = (sw_report_t){ .spread = (int64_t) (options->spread * 1000),
                           .count = (size_t) (options->host_last
                                              - options->host_first + 1) };
    for (size_t i = 0; i < self->count; i++) {
        self->ips[i][0] = 10;
        self->ips[i][3] = (uint8_t) (options->host_first + i);
        self->hosts[i] = (sp_host_t){ .ip = { self->ips[i], 4 },
                                      .how = "echo" };
    }
    self->covered = (sp_range_t){ { self->first, 4 }, { self->last, 4 } };
}

static void
s_place (uint8_t ip[static 4], uint64_t subnet)
{
    ip[0] = 10;
    ip[1] = (uint8_t) (subnet >> 8);
    ip[2] = (uint8_t) subnet;
}

static void
s_fill_hosts (sw_report_t *self, const sw_scan_t *scan)
{
    sp_report_t *report = &self->message.u.report;
    int64_t step = self->count > 1 ? (int64_t) self->count - 1 : 1;
    for (size_t i = 0; i < self->count; i++) {
        int64_t left = (int64_t) (self->count - 1 - i);
        s_place (self->ips[i], scan->subnet);
        self->hosts[i].seen = scan->finished - self->spread * left / step;
    }
    report->hosts = self->hosts;
    report->host_count = self->count;
}

static void
s_fill_closing (sw_report_t *self, const sw_scan_t *scan)
{
    sp_report_t *report = &self->message.u.report;
    s_place (self->first, scan->subnet);
    s_place (self->last, scan->subnet);
    self->first[3] = 1;
    self->last[3] = SW_HOSTS_MOST;
    report->part = 1;
    report->last = report->complete = true;
    report->parts = 1;
    report->up = self->count;
    report->covered = &self->covered;
    report->covered_count = 1;
}

const sp_message_t *
sw_report_fill (sw_report_t *self, const sw_scan_t *scan, bool closing)
{
    snprintf (self->cidr, sizeof self->cidr, "10.%u.%u.0/24",
              (unsigned) (scan->subnet >> 8), (unsigned) (scan->subnet & 255));
    self->message = (sp_message_t){
        .type = SP_REPORT,
        .u.report = { .id = { scan->id, sizeof scan->id },
                      .subnet = scan->subnet,
                      .cidr = self->cidr,
                      .kind = SP_KIND_BOTH,
                      .started = scan->finished - self->spread,
                      .finished = scan->finished,
                      .off = scan->off }
    };
    if (closing)
        s_fill_closing (self, scan);
    else
        s_fill_hosts (self, scan);
    return &self->message;
}
