/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/page.h"

#include <stdlib.h>

#include "scanner-proto/codec.h"

sh_err_t
hub_page_read (hub_store_t *store, const sp_targets_t *ask,
               const hub_subnet_t *subnet, hub_rows_t **rows, bool *more)
{
    hub_range_t range = { .first = subnet->prefix.base,
                          .last = sh_prefix_last (&subnet->prefix),
                          .most = SP_PAGE_TARGETS_MOST };
    sh_addr_t after;
    bool any = true;
    if (ask->after.size) {
        if (sh_addr_from_bytes (&after, ask->after) != SH_OK)
            return SH_E_BAD_MESSAGE;
        any = sh_addr_cmp (&after, &range.last) < 0;
        if (any && sh_addr_cmp (&after, &range.first) >= 0) {
            range.first = after;
            any = sh_addr_next (&range.first);
        }
    }
    if (any)
        return store->read_range (store, ask->subnet, &range, rows, more);
    *more = false;
    return hub_rows_none (rows);
}

sh_err_t
hub_page_answer (const sp_targets_t *ask, const hub_rows_t *rows, bool more,
                 hub_job_t *job)
{
    sp_target_t *page = calloc (rows->count + 1, sizeof *page);
    if (!page)
        return SH_E_MEMORY;
    for (size_t i = 0; i < rows->count; i++)
        page[i] = (sp_target_t){
            .ip = sh_addr_bytes (&rows->items[i].ip),
            .exclude = rows->items[i].excluded,
        };
    sp_message_t message = {
        .type = SP_TARGETS_PAGE,
        .u.targets_page = {
            .subnet = ask->subnet,
            .more = more,
            .targets = page,
            .target_count = rows->count,
        },
    };
    sh_err_t rc = sp_encode (&job->answer, &job->answer_size, &message);
    free (page);
    return rc;
}
