/* SPDX-License-Identifier: MPL-2.0 */
/*  Bearer tokens: who an HTTP client is.  Compared in constant time as keyed
    BLAKE2b hashes, so that neither length nor prefix leaks.  */

#ifndef SM_TOKEN_H
#define SM_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

#define SM_TOKEN_LABEL 64 /* bytes of a label */
#define SM_TOKENS_MOST 256
#define SM_TOKEN_MOST 4096 /* bytes of a token */
/*  What scanners send that have no token configured; public knowledge.  */
#define SM_NO_TOKEN "no-token-set"

typedef struct
{
    char label[SM_TOKEN_LABEL + 1]; /* for logs: never the token */
    char **codes;                   /* that it may speak for, as text */
    size_t code_count;              /* 0: every code that has no key */
} sm_principal_t;

typedef struct sm_tokens sm_tokens_t;

sh_err_t sm_tokens_new (sm_tokens_t **out) SH_MUST_CHECK;
void sm_tokens_destroy (sm_tokens_t **self_p);

/*  Hashes 'token'; the text is not kept.  'codes' are copied.  SH_E_EXISTS:
    the token is there already; SH_E_SYNTAX: it is empty, over SM_TOKEN_MOST,
    or has a blank or a control character, which no client could send, or the
    label is over SM_TOKEN_LABEL; SH_E_TOO_LARGE: SM_TOKENS_MOST are there.  */
sh_err_t sm_tokens_add (sm_tokens_t *self, const char *label,
                        const char *token, const char *const *codes,
                        size_t code_count) SH_MUST_CHECK;

/*  The owner of a token, or NULL.  Looks at every entry, whichever matches. */
const sm_principal_t *sm_tokens_find (const sm_tokens_t *self,
                                      const char *token);
size_t sm_tokens_size (const sm_tokens_t *self);

#endif
