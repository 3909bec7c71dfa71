/* SPDX-License-Identifier: MPL-2.0 */
/*  What a request's line and headers say about it: who asks, whether the
    framing is one that every program on the way understands alike, how large
    the body will be.  Pure; fed one header after the other.  */

#ifndef SM_HTTP_CHECK_H
#define SM_HTTP_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/token.h"

typedef struct
{
    const char *method, *version;
    const char *authorization;          /* the first; NULL: none */
    unsigned authorizations, lengths, encodings;
    bool odd_header;  /* a name or value that HTTP does not allow */
    bool odd_length;  /* no decimal number */
    bool odd_coding;  /* a Transfer-Encoding that is not just chunked */
    uint64_t length;  /* the Content-Length; saturates */
    bool wants_json;  /* Accept names application/json */
} sm_check_t;

/*  The texts are borrowed: they must last as long as 'self' is used.  */
void sm_check_start (sm_check_t *self, const char *method,
                     const char *version);
/*  'value' may be NULL: a header without one.  */
void sm_check_header (sm_check_t *self, const char *name, const char *value);

typedef struct
{
    unsigned status;
    const char *text; /* static */
} sm_refusal_t;

/*  After the last header: NULL and the sender in '*who', or why not.  As the
    old server did, who asks comes before everything else, then the method;
    framing is last.  */
const sm_refusal_t *sm_check_verdict (const sm_check_t *self,
                                      const sm_tokens_t *tokens,
                                      const sm_principal_t **who);

/*  Does a body follow?  True also where the framing is broken.  */
bool sm_check_has_body (const sm_check_t *self);

#endif
