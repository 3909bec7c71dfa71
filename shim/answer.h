/* SPDX-License-Identifier: MPL-2.0 */
/*  What an HTTP client is told about its report.  */

#ifndef SM_ANSWER_H
#define SM_ANSWER_H

#include "scanner-proto/delivery.h"
#include "shim/http.h"
#include "shim/legacy.h"

/*  The fate of one report.  */
typedef struct
{
    enum
    {
        SM_FATE_APPLIED,
        SM_FATE_REFUSED, /* 'cause' and 'text' say why */
        SM_FATE_QUEUED,  /* on disk */
        SM_FATE_INVALID, /* not even JSON */
        SM_FATE_BUSY     /* neither hub nor spool took it */
    } kind;
    sh_err_t cause;
    const char *text;
    const sp_delivery_sum_t *sum;  /* APPLIED */
    const sm_refused_t *refused;   /* single hosts, 'refused_count' of them */
    size_t refused_count;
    uint64_t refused_total; /* named or not */
} sm_fate_t;

/*  Answer the request.  A refusal is 200 with the cause in the body, because
    any other status makes old scanners drop all their other subnets; with
    'as_status' it is 403 (not allowed) or 422 (the report is at fault).  */
void sm_answer (sm_request_t *request, const sm_fate_t *fate, bool as_status);

#endif
