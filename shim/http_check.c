/* SPDX-License-Identifier: MPL-2.0 */
#include "shim/http_check.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#include "lib/secret.h"

#define BLANKS " \t\n\v\f\r"

void
sm_check_start (sm_check_t *self, const char *method, const char *version)
{
    assert (self && method && version);
    *self = (sm_check_t){ .method = method, .version = version };
}

/*  RFC 9110: letters, digits and these.  */
static bool
s_is_name (const char *name)
{
    if (!*name)
        return false;
    for (const char *at = name; *at; at++) {
        bool alnum = (*at >= '0' && *at <= '9') || (*at >= 'A' && *at <= 'Z')
                     || (*at >= 'a' && *at <= 'z');
        if (!alnum && !strchr ("!#$%&'*+-.^_`|~", *at))
            return false;
    }
    return true;
}

static bool
s_is_value (const char *value)
{
    for (const char *at = value; *at; at++) {
        unsigned char c = (unsigned char) *at;
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

/*  'text' without the blanks at its ends.  */
static const char *
s_trim (const char *text, size_t *size)
{
    text += strspn (text, BLANKS);
    *size = strlen (text);
    while (*size > 0 && strchr (BLANKS, text[*size - 1]))
        --*size;
    return text;
}

/*  Digits only: "+5", "5, 5" and "0x5" are read in different ways by different
    programs.  */
static bool
s_parse_length (uint64_t *out, const char *value)
{
    size_t size;
    const char *text = s_trim (value, &size);
    uint64_t length = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        unsigned digit = (unsigned) (text[i] - '0');
        if (length > (UINT64_MAX - digit) / 10)
            length = UINT64_MAX;
        else
            length = length * 10 + digit;
    }
    *out = length;
    return size > 0;
}

/*  Is "application/json" in the list?  Weights do not matter here: who names
    it can read it.  */
static bool
s_names_json (const char *accept)
{
    static const char json[] = "application/json";
    for (const char *at = accept; *at;) {
        at += strspn (at, BLANKS ",");
        size_t size = strcspn (at, BLANKS ",;");
        if (size == sizeof json - 1 && strncasecmp (at, json, size) == 0)
            return true;
        at += strcspn (at, ",");
    }
    return false;
}

void
sm_check_header (sm_check_t *self, const char *name, const char *value)
{
    assert (self && name);
    if (!value)
        value = "";
    if (!s_is_name (name) || !s_is_value (value))
        self->odd_header = true;
    if (strcasecmp (name, "Authorization") == 0) {
        if (self->authorizations++ == 0)
            self->authorization = value;
    }
    else if (strcasecmp (name, "Content-Length") == 0) {
        self->lengths++;
        if (!s_parse_length (&self->length, value))
            self->odd_length = true;
    }
    else if (strcasecmp (name, "Transfer-Encoding") == 0) {
        size_t size;
        const char *text = s_trim (value, &size);
        self->encodings++;
        if (size != 7 || strncasecmp (text, "chunked", 7) != 0)
            self->odd_coding = true;
    }
    else if (strcasecmp (name, "Accept") == 0) {
        if (s_names_json (value))
            self->wants_json = true;
    }
}

static const sm_refusal_t s_missing
    = { 401, "401: Missing authorization token" };
static const sm_refusal_t s_scheme = { 401, "Only Bearer type is accepted" };
static const sm_refusal_t s_invalid = { 401, "Invalid authorization token" };
static const sm_refusal_t s_method = { 405, "405: Method Not Allowed" };

/*  The old server cut the value at each single blank, and took exactly two
    words: two blanks between them make three words, the middle one empty.  */
static const sm_refusal_t *
s_check_token (const char *value, const sm_tokens_t *tokens,
               const sm_principal_t **who)
{
    if (!value)
        return &s_missing;
    size_t size;
    const char *text = s_trim (value, &size);
    const char *blank = memchr (text, ' ', size);
    if (!blank)
        return &s_invalid;
    size_t scheme = (size_t) (blank - text);
    size -= scheme + 1;
    if (memchr (blank + 1, ' ', size))
        return &s_invalid;
    if (scheme != 6 || memcmp (text, "Bearer", 6) != 0)
        return &s_scheme;
    if (size > SM_TOKEN_MOST)
        return &s_invalid;

    char token[SM_TOKEN_MOST + 1];
    memcpy (token, blank + 1, size);
    token[size] = '\0';
    const sm_principal_t *found = sm_tokens_find (tokens, token);
    sh_secret_wipe (token, size);
    if (!found)
        return &s_invalid;
    *who = found;
    return NULL;
}

static const sm_refusal_t *
s_check_framing (const sm_check_t *self)
{
    static const sm_refusal_t both
        = { 400, "Content-Length together with Transfer-Encoding" };
    static const sm_refusal_t lengths
        = { 400, "More than one Content-Length header" };
    static const sm_refusal_t codings
        = { 400, "More than one Transfer-Encoding header" };
    static const sm_refusal_t tokens
        = { 400, "More than one Authorization header" };
    static const sm_refusal_t length
        = { 400, "Content-Length is not a number" };
    static const sm_refusal_t coding
        = { 400, "Only chunked is accepted as Transfer-Encoding, and only in "
                 "HTTP/1.1" };
    static const sm_refusal_t header
        = { 400, "A header has characters that HTTP does not allow" };
    if (self->lengths > 0 && self->encodings > 0)
        return &both;
    if (self->lengths > 1)
        return &lengths;
    if (self->encodings > 1)
        return &codings;
    if (self->authorizations > 1)
        return &tokens;
    if (self->odd_length)
        return &length;
    /*  RFC 9112, 6.1: HTTP/1.0 has no Transfer-Encoding.  */
    if (self->odd_coding
        || (self->encodings > 0 && strcmp (self->version, "HTTP/1.1") != 0))
        return &coding;
    if (self->odd_header)
        return &header;
    return NULL;
}

const sm_refusal_t *
sm_check_verdict (const sm_check_t *self, const sm_tokens_t *tokens,
                  const sm_principal_t **who)
{
    assert (self && tokens && who);
    const sm_principal_t *found = NULL;
    const sm_refusal_t *no
        = s_check_token (self->authorization, tokens, &found);
    if (!no && strcmp (self->method, "POST") != 0)
        no = &s_method;
    if (!no)
        no = s_check_framing (self);
    if (!no)
        *who = found;
    return no;
}

bool
sm_check_has_body (const sm_check_t *self)
{
    assert (self);
    return self->encodings > 0 || self->length > 0 || self->odd_length;
}
