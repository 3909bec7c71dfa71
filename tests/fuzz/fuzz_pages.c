/* SPDX-License-Identifier: MPL-2.0 */
/*  What a scanner does with whatever a hub sends: pages of assignments become
    a plan, pages of targets a scan, whose ranges keep to the subnet and leave
    out what is excluded.  The input is frames, each after its size in two
    bytes.  */

#include "scanner-proto/codec.h"
#include "scanner/scan.h"
#include "tests/fuzz/input.h"

typedef struct
{
    sc_plan_t plan;
    sc_subnet_t subnet; /* the last one that could be read */
    sc_scan_t *scan;
    bool planned;
} scanner_t;

static void
s_take_assignments (scanner_t *self, const sp_assignments_page_t *page)
{
    for (size_t i = 0; i < page->subnet_count; i++) {
        sc_subnet_t subnet;
        if (sc_subnet_read (&subnet, &page->subnets[i], NULL) != SH_OK)
            continue;
        fuzz_require (subnet.nameserver_count + subnet.bad_nameservers
                      == page->subnets[i].nameserver_count);
        size_t before = self->plan.count;
        uint64_t last = before ? self->plan.items[before - 1].id : 0;
        uint64_t id = subnet.id;
        if (!self->scan) {
            sc_subnet_clear (&self->subnet);
            fuzz_require (sc_subnet_copy (&self->subnet, &subnet) == SH_OK);
        }
        sh_err_t rc = sc_plan_add (&self->plan, &subnet);
        fuzz_require (rc == SH_OK || rc == SH_E_BAD_MESSAGE);
        fuzz_require (rc != SH_OK || before == 0 || id > last);
    }
}

static void
s_take_targets (scanner_t *self, const sp_targets_page_t *page)
{
    int kind = SP_KIND_CHECK;
    (void) sc_subnet_kind (&self->subnet, SP_KIND_BOTH, &kind);
    if (!self->scan && self->subnet.prefix.base.family)
        fuzz_require (sc_scan_new (&self->scan, &self->subnet, kind, NULL)
                      == SH_OK);
    for (size_t i = 0; self->scan && i < page->target_count; i++) {
        sh_why_t why = { "" };
        sh_err_t rc = sc_scan_add (self->scan, &page->targets[i], &why);
        fuzz_require (rc == SH_OK || (rc == SH_E_BAD_MESSAGE && why.text[0]));
        if (rc != SH_OK)
            return;
        sh_bytes_t last = sc_scan_last (self->scan);
        fuzz_require (last.size == page->targets[i].ip.size
                      && memcmp (last.data, page->targets[i].ip.data,
                                 last.size)
                             == 0);
    }
}

static void
s_check_ranges (scanner_t *self)
{
    fuzz_require (sc_scan_plan (self->scan) == SH_OK);
    const sh_ranges_t *ranges = sc_scan_job (self->scan)->ranges;
    for (size_t i = 0; i < ranges->count; i++) {
        const sh_range_t *range = &ranges->items[i];
        fuzz_require (sh_ranges_contain (ranges, &range->first)
                      && sh_addr_cmp (&range->first, &range->last) <= 0);
        fuzz_require (
            sh_prefix_contains (&self->subnet.prefix, &range->first)
            && sh_prefix_contains (&self->subnet.prefix, &range->last));
        fuzz_require (!sh_ranges_contain (&self->subnet.skip, &range->first)
                      && !sh_ranges_contain (&self->subnet.skip,
                                             &range->last));
        fuzz_require (i == 0
                      || sh_addr_cmp (&ranges->items[i - 1].last,
                                      &range->first)
                             < 0);
    }
    fuzz_require (sh_ranges_count (ranges) <= SC_SWEEP_MOST);
    sc_result_t result = { .complete = true };
    fuzz_require (sc_scan_finish (self->scan, &result, 1000, 2000) == SH_OK);
    const sp_report_t *report = sc_scan_report (self->scan);
    fuzz_require (report->host_count == 0
                  && report->covered_count == ranges->count);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    input_t input = { data, size };
    scanner_t self = { 0 };
    while (input.left > 2) {
        const uint8_t *frame;
        size_t length = fuzz_take (&input, UINT16_MAX, &frame);
        sp_message_t *message = NULL;
        if (sp_decode (&message, (sh_bytes_t){ frame, length }, NULL) != SH_OK)
            continue;
        if (message->type == SP_ASSIGNMENTS_PAGE)
            s_take_assignments (&self, &message->u.assignments_page);
        else if (message->type == SP_TARGETS_PAGE)
            s_take_targets (&self, &message->u.targets_page);
        sp_message_destroy (&message);
    }
    sc_plan_t adopted = { 0 };
    sc_plan_adopt (&adopted, &self.plan, 1000);
    const sc_moment_t at = { .now = INT64_MAX - 1, .hub = true };
    sc_due_t due;
    fuzz_require (self.plan.count == 0);
    if (sc_plan_next (&adopted, &at, &due))
        sc_plan_done (&adopted, due.subnet, due.kind, 1000, 2000);
    fuzz_require (sc_plan_timeout (&adopted, &at) >= -1);
    if (self.scan)
        s_check_ranges (&self);
    sc_scan_destroy (&self.scan);
    sc_subnet_clear (&self.subnet);
    sc_plan_clear (&self.plan);
    sc_plan_clear (&adopted);
    return 0;
}
