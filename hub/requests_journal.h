/* SPDX-License-Identifier: MPL-2.0 */
/*  What the files share that answer from the journal.  */

#ifndef HUB_REQUESTS_JOURNAL_H
#define HUB_REQUESTS_JOURNAL_H

#include <jansson.h>

#include "hub/deltas.h"
#include "hub/journal_read.h"
#include "hub/requests_within.h"
#include "lib/control.h"

/*  NULL: the answer says why not.  */
hub_journal_reader_t *hub_requests_open_journal (const hub_requests_t *self,
                                                 hub_reply_t *reply);

/*  Did it go well?  Else the answer says why not.  */
bool hub_requests_told (sh_err_t rc, const sh_why_t *why, hub_reply_t *reply);

/*  Texts are made clean.  */
void hub_requests_put_text (json_t *object, const char *key, const char *text);
void hub_requests_put_number (json_t *object, const char *key, int64_t number);

json_t *hub_requests_change (const hub_told_change_t *one);

#endif
