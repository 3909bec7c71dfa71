/* SPDX-License-Identifier: MPL-2.0 */
/*  A page of targets: the known addresses of a subnet behind the last one of
    the page before.  No more is read than the page has room for.  */

#ifndef HUB_PAGE_H
#define HUB_PAGE_H

#include "hub/job.h"
#include "hub/store.h"
#include "scanner-proto/message.h"

/*  Within a transaction; 'subnet' is authorised, so it has a prefix.  '*rows'
    is new and the caller's, '*more' says that others follow.  SH_E_BAD_MESSAGE,
    SH_E_MEMORY, or the store's.  */
sh_err_t hub_page_read (hub_store_t *store, const sp_targets_t *ask,
                        const hub_subnet_t *subnet, hub_rows_t **rows,
                        bool *more) SH_MUST_CHECK;

/*  Put them into job->answer.  */
sh_err_t hub_page_answer (const sp_targets_t *ask, const hub_rows_t *rows,
                          bool more, hub_job_t *job) SH_MUST_CHECK;

#endif
