/* SPDX-License-Identifier: MPL-2.0 */
/*  What the files of hub/requests.h share.  Each of the functions writes one
    answer; 'rest' is what stands behind the request's word.  */

#ifndef HUB_REQUESTS_WITHIN_H
#define HUB_REQUESTS_WITHIN_H

#include "hub/reply.h"
#include "hub/requests.h"

#define HUB_REQUESTS_SCANNERS 16 /* of one code that are asked */

void hub_requests_subnets (const hub_requests_t *self, const char *rest,
                           hub_reply_t *reply);
void hub_requests_subnet (const hub_requests_t *self, const char *rest,
                          hub_reply_t *reply);
void hub_requests_pause (const hub_requests_t *self, const char *rest,
                         hub_reply_t *reply);
void hub_requests_resume (const hub_requests_t *self, const char *rest,
                          hub_reply_t *reply);
void hub_requests_scan (const hub_requests_t *self, const char *rest,
                        hub_reply_t *reply);
void hub_requests_order (const hub_requests_t *self, const char *rest,
                         hub_reply_t *reply);
void hub_requests_orders (const hub_requests_t *self, const char *rest,
                          hub_reply_t *reply);
void hub_requests_cancel (const hub_requests_t *self, const char *rest,
                          hub_reply_t *reply);

void hub_requests_reports (const hub_requests_t *self, const char *rest,
                           hub_reply_t *reply);
void hub_requests_report (const hub_requests_t *self, const char *rest,
                          hub_reply_t *reply);
void hub_requests_why (const hub_requests_t *self, const char *rest,
                       hub_reply_t *reply);
void hub_requests_refusals (const hub_requests_t *self, const char *rest,
                            hub_reply_t *reply);
void hub_requests_digest (const hub_requests_t *self, const char *rest,
                          hub_reply_t *reply);
void hub_requests_previews (const hub_requests_t *self, const char *rest,
                            hub_reply_t *reply);
void hub_requests_preview (const hub_requests_t *self, const char *rest,
                           hub_reply_t *reply);
void hub_requests_apply (const hub_requests_t *self, const char *rest,
                         hub_reply_t *reply);
void hub_requests_applied (const hub_requests_t *self, const char *rest,
                           hub_reply_t *reply);
void hub_requests_drop (const hub_requests_t *self, const char *rest,
                        hub_reply_t *reply);

void hub_requests_code (const hub_requests_t *self, const char *rest,
                        hub_reply_t *reply);
void hub_requests_status (const hub_requests_t *self, const char *rest,
                          hub_reply_t *reply);
void hub_requests_scanners (const hub_requests_t *self, const char *rest,
                            hub_reply_t *reply);
void hub_requests_coverage (const hub_requests_t *self, const char *rest,
                            hub_reply_t *reply);

/*  "until 2026-11-30 06:00:00", or what ends a pause that has no end.  */
void hub_requests_add_until (hub_reply_t *reply, int64_t until);

int64_t hub_requests_wall (void);

/*  The subnet that a word means, its id or its network; NULL: the answer says
    why not.  'all' may be NULL.  */
const hub_assignment_t *hub_requests_find (const hub_assignments_t *all,
                                           const char *word,
                                           hub_reply_t *reply);

/*  Is it an id or a network, and not a name?  */
bool hub_requests_means_subnet (const char *word);

/*  What the router answers; the caller frees it by zstr_free.  */
char *hub_requests_ask_router (const hub_requests_t *self,
                               const char *command);

#endif
