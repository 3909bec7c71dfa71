/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/bench/swarm_report.h"

#include <stdio.h>
#include <string.h>

void
sw_report_init (sw_report_t *self, const sw_options_t *options)
{
    uint64_t count = options->host_last - options->host_first + 1;
    *self = (sw_report_t){
        .bits = (unsigned) (32 - options->prefix),
        .first_host = options->host_first,
        .count = count,
        .parts = (count + SP_PART_HOSTS_MOST - 1) / SP_PART_HOSTS_MOST,
        .spread = (int64_t) (options->spread * 1000),
    };
    for (size_t i = 0; i < SP_PART_HOSTS_MOST; i++)
        self->hosts[i] = (sp_host_t){ .ip = { self->ips[i], 4 },
                                      .how = "echo" };
    self->covered = (sp_range_t){ { self->first, 4 }, { self->last, 4 } };
}

static void
s_place (const sw_report_t *self, uint8_t ip[static 4], uint64_t subnet,
         uint64_t host)
{
    uint64_t address = (UINT64_C (10) << 24) + (subnet << self->bits) + host;
    for (int i = 0; i < 4; i++)
        ip[i] = (uint8_t) (address >> (24 - 8 * i));
}

/*  Those of one part; they were seen one after the other.  */
static void
s_fill_hosts (sw_report_t *self, const sw_scan_t *scan)
{
    sp_report_t *report = &self->message.u.report;
    uint64_t begin = scan->part * SP_PART_HOSTS_MOST, left = self->count - begin;
    int64_t step = self->count > 1 ? (int64_t) self->count - 1 : 1;
    report->hosts = self->hosts;
    report->host_count
        = left < SP_PART_HOSTS_MOST ? (size_t) left : SP_PART_HOSTS_MOST;
    for (size_t i = 0; i < report->host_count; i++, left--) {
        s_place (self, self->ips[i], scan->subnet,
                 self->first_host + begin + i);
        self->hosts[i].seen
            = scan->finished - self->spread * (int64_t) (left - 1) / step;
    }
}

static void
s_fill_closing (sw_report_t *self, const sw_scan_t *scan)
{
    sp_report_t *report = &self->message.u.report;
    s_place (self, self->first, scan->subnet, 1);
    s_place (self, self->last, scan->subnet,
             (UINT64_C (1) << self->bits) - 2);
    report->last = report->complete = true;
    report->parts = self->parts;
    report->up = self->count;
    report->covered = &self->covered;
    report->covered_count = 1;
}

const sp_message_t *
sw_report_fill (sw_report_t *self, const sw_scan_t *scan)
{
    uint8_t network[4];
    s_place (self, network, scan->subnet, 0);
    snprintf (self->cidr, sizeof self->cidr, "%u.%u.%u.%u/%u", network[0],
              network[1], network[2], network[3], 32 - self->bits);
    self->message = (sp_message_t){
        .type = SP_REPORT,
        .u.report = { .id = { scan->id, sizeof scan->id },
                      .part = scan->part,
                      .subnet = scan->subnet,
                      .cidr = self->cidr,
                      .kind = SP_KIND_BOTH,
                      .started = scan->finished - self->spread,
                      .finished = scan->finished,
                      .off = scan->off }
    };
    if (scan->part == self->parts)
        s_fill_closing (self, scan);
    else
        s_fill_hosts (self, scan);
    return &self->message;
}
