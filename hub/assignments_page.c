/* SPDX-License-Identifier: MPL-2.0 */
/*  Assignments as pages for scanners.  */

#include <stdlib.h>
#include <string.h>

#include "hub/assignments_within.h"
#include "scanner-proto/codec.h"

/*  Memory of one page's texts, which sp_encode only borrows.  */
typedef struct
{
    sp_subnet_t rows[SP_PAGE_SUBNETS_MOST];
    size_t count;
    char cidrs[SP_PAGE_SUBNETS_MOST][SH_PREFIX_TEXT];
    const char *servers[SP_PAGE_SUBNETS_MOST][SP_NAMESERVERS_MOST];
    char texts[SP_PAGE_SUBNETS_MOST][SP_NAMESERVERS_MOST][SH_ADDR_TEXT];
    sp_hours_t quiet[SP_PAGE_SUBNETS_MOST][SP_QUIET_MOST];
    sp_range_t *skips; /* of all rows, one behind the other */
    size_t skip_count;
} page_t;

/*  At most so many bytes are a row and what is in it, keys and all.  */
#define ROW_BYTES 200
#define SERVER_BYTES (2 + SH_ADDR_TEXT)
#define SKIP_BYTES 50
#define QUIET_BYTES 16
#define PAGE_BYTES (SP_FRAME_MOST - 256)

/*  "10.0.0.53; 2001:db8::53": what is no address is left out, for a scanner
    must not be handed text from a form.  */
static size_t
s_read_nameservers (const char *list, const char **servers,
                    char texts[][SH_ADDR_TEXT])
{
    size_t count = 0;
    while (list && *list && count < SP_NAMESERVERS_MOST) {
        list += strspn (list, "; \t\r\n");
        size_t size = strcspn (list, "; \t\r\n");
        char one[SH_ADDR_TEXT];
        sh_addr_t addr;
        if (size > 0 && size < sizeof one) {
            memcpy (one, list, size);
            one[size] = 0;
            if (sh_addr_parse (&addr, one) == SH_OK) {
                sh_addr_text (&addr, texts[count]);
                servers[count] = texts[count];
                count++;
            }
        }
        list += size;
    }
    return count;
}

static void
s_fill_skip (page_t *page, sp_subnet_t *row, const sh_ranges_t *skip)
{
    row->skip = page->skips + page->skip_count;
    row->skip_count = skip->count;
    for (size_t i = 0; i < skip->count; i++)
        page->skips[page->skip_count++]
            = (sp_range_t){ sh_addr_bytes (&skip->items[i].first),
                            sh_addr_bytes (&skip->items[i].last) };
}

static void
s_fill_rule (page_t *page, size_t at, const hub_assignment_t *one)
{
    sp_subnet_t *row = &page->rows[at];
    const hub_scan_rule_t *rule = one->rule;
    row->check_s = one->check ? rule->check : 0;
    row->discover_s = one->discover ? rule->discover : 0;
    row->rate = rule->rate;
    if (one->row->prefix.base.family == 6)
        row->ipv6 = hub_ipv6_word (rule->ipv6);
    memcpy (page->quiet[at], rule->quiet, sizeof rule->quiet);
    row->quiet = page->quiet[at];
    row->quiet_count = rule->quiet_count;
    s_fill_skip (page, row, &rule->skip);
}

static void
s_fill_row (page_t *page, const hub_assignment_t *one)
{
    size_t at = page->count++;
    const hub_assigned_t *row = one->row;
    sh_prefix_text (&row->prefix, page->cidrs[at]);
    page->rows[at] = (sp_subnet_t){
        .id = row->id,
        .cidr = page->cidrs[at],
        .discover = one->discover,
        .check = one->check,
        .resolve = row->resolve,
        .pool = row->pool,
        .paused = one->paused,
        .nameservers = page->servers[at],
        .nameserver_count = s_read_nameservers (
            row->nameservers, page->servers[at], page->texts[at]),
    };
    if (one->rule)
        s_fill_rule (page, at, one);
}

static size_t
s_row_bytes (const hub_assignment_t *one)
{
    size_t bytes = ROW_BYTES;
    if (one->row->nameservers)
        bytes += SP_NAMESERVERS_MOST * SERVER_BYTES;
    if (one->rule)
        bytes += one->rule->skip.count * SKIP_BYTES
                 + one->rule->quiet_count * QUIET_BYTES;
    return bytes;
}

/*  How much of what follows 'after' fits into a page: '*end' is the first item
    that does not, and '*skips' the ranges of those before.  True if the agent
    has more behind them.  */
static bool
s_measure (const hub_assignments_t *self, uint64_t agent, uint64_t after,
           size_t *end, size_t *skips)
{
    size_t rows = 0, bytes = 0;
    *skips = 0;
    for (*end = 0; *end < self->plan->subnet_count; ++*end) {
        const hub_assignment_t *one = &self->items[*end];
        if (!hub_assignment_is_sent (one, agent) || one->row->id <= after)
            continue;
        bytes += s_row_bytes (one);
        if (rows == SP_PAGE_SUBNETS_MOST || bytes > PAGE_BYTES)
            return true;
        rows++;
        *skips += one->rule ? one->rule->skip.count : 0;
    }
    return false;
}

sh_err_t
hub_assignments_page (const hub_assignments_t *self, uint64_t agent,
                      uint64_t after, uint8_t **frame, size_t *size)
{
    uint8_t revision[SP_REVISION];
    size_t end, skips;
    bool more = s_measure (self, agent, after, &end, &skips);
    page_t *page = calloc (1, sizeof *page);
    if (page)
        page->skips = calloc (skips + 1, sizeof *page->skips);
    if (!page || !page->skips) {
        free (page);
        return SH_E_MEMORY;
    }
    hub_assignments_revision (self, agent, revision);
    for (size_t i = 0; i < end; i++)
        if (hub_assignment_is_sent (&self->items[i], agent)
            && self->items[i].row->id > after)
            s_fill_row (page, &self->items[i]);
    sp_message_t message = {
        .type = SP_ASSIGNMENTS_PAGE,
        .u.assignments_page = {
            .revision = { revision, sizeof revision },
            .more = more,
            .subnets = page->rows,
            .subnet_count = page->count,
        },
    };
    sh_err_t rc = sp_encode (frame, size, &message);
    free (page->skips);
    free (page);
    return rc;
}
