/* SPDX-License-Identifier: MPL-2.0 */
/*  The request checks over a header list: the first line is the method, the
    second the version, each further line a header as "name:value" or a name
    alone.  What is let in must be what its rules say, read here by the
    simplest means.  */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "shim/http_check.h"
#include "tests/fuzz/input.h"

#define TOKEN "s3cret"

static const sm_tokens_t *
s_tokens (void)
{
    static sm_tokens_t *tokens;
    if (!tokens
        && (sm_tokens_new (&tokens) != SH_OK
            || sm_tokens_add (tokens, "fuzz", TOKEN, NULL, 0) != SH_OK))
        abort ();
    return tokens;
}

/*  Cut off one line; NULL at the end.  */
static char *
s_line (char **rest)
{
    char *line = *rest;
    if (!line)
        return NULL;
    char *end = strchr (line, '\n');
    if (end)
        *end++ = '\0';
    *rest = end;
    return line;
}

typedef struct
{
    unsigned authorizations, lengths, encodings;
    bool token, chunked, digits;
} seen_t;

static void
s_see (seen_t *seen, const char *name, const char *value)
{
    if (strcasecmp (name, "authorization") == 0) {
        seen->authorizations++;
        seen->token = strstr (value, "Bearer " TOKEN) != NULL;
    }
    else if (strcasecmp (name, "content-length") == 0) {
        seen->lengths++;
        seen->digits = strpbrk (value, "0123456789") != NULL;
    }
    else if (strcasecmp (name, "transfer-encoding") == 0) {
        seen->encodings++;
        seen->chunked = strlen (value) >= 7;
    }
}

/*  Whoever got in had all of this.  */
static void
s_verify (const sm_check_t *check, const seen_t *seen,
          const sm_principal_t *who)
{
    if (!who || strcmp (who->label, "fuzz") != 0
        || strcmp (check->method, "POST") != 0 || seen->authorizations != 1
        || !seen->token || seen->lengths + seen->encodings > 1
        || (seen->encodings == 1
            && (!seen->chunked || strcmp (check->version, "HTTP/1.1") != 0))
        || (seen->lengths == 1 && !seen->digits)
        || (seen->lengths == 0 && check->length != 0))
        abort ();
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    char *text = fuzz_text (data, size);
    char *rest = text;
    char empty[] = "";
    const char *method = s_line (&rest);
    const char *version = s_line (&rest);

    sm_check_t check;
    seen_t seen = { 0 };
    sm_check_start (&check, method ? method : empty,
                    version ? version : empty);
    for (char *line; (line = s_line (&rest));) {
        char *value = strchr (line, ':');
        if (value)
            *value++ = '\0';
        sm_check_header (&check, line, value);
        s_see (&seen, line, value ? value : empty);
    }
    const sm_principal_t *who = NULL;
    const sm_refusal_t *no = sm_check_verdict (&check, s_tokens (), &who);
    if (!no)
        s_verify (&check, &seen, who);
    else if (who || (no->status != 400 && no->status != 401
                     && no->status != 405)
             || !*no->text || strpbrk (no->text, "\r\n"))
        abort ();
    if (!sm_check_has_body (&check) && (seen.encodings > 0 || check.length > 0))
        abort ();
    free (text);
    return 0;
}
