/* SPDX-License-Identifier: MPL-2.0 */

#include "lib/http_config.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/addr.h"
#include "lib/listen.h"
#include "lib/log.h"
#include "lib/secret.h"

#define SHOWN_MOST 64    /* of a value in a message */
#define TOKENS_MOST 256  /* these two as shim/token.h, which may be left out */
#define TOKEN_MOST 4096
#define LABEL_MOST 64
#define CODE_MOST 32 /* scanAgents.code */
#define ALPHANUMERIC                                                           \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#define NO_TOKEN "no-token-set" /* what scanners send that have no token */

static const char *const s_refusals_words[] = { "ok", "status", NULL };

static sh_err_t
s_no_memory (const char *path, sh_why_t *why)
{
    return sh_fail (why, SH_E_MEMORY, "%s: out of memory", path);
}

/*  A header cannot carry a blank or a control character.  */
static bool
s_is_sendable (const char *token)
{
    size_t size = strlen (token);
    for (const char *at = token; *at; at++) {
        unsigned char byte = (unsigned char) *at;
        if (byte <= ' ' || byte == 0x7f)
            return false;
    }
    return size > 0 && size <= TOKEN_MOST;
}

/*  Of these characters only, and of 1 to 'most' of them?  */
static bool
s_is_made_of (const char *text, const char *characters, size_t most)
{
    size_t size = strspn (text, characters);
    return size > 0 && size <= most && text[size] == '\0';
}

/*  As a registry entry's name, since both stand in the same places of the log.
 */
static bool
s_is_label (const char *text)
{
    return s_is_made_of (text, ALPHANUMERIC "._-", LABEL_MOST)
           && text[0] != '.' && text[0] != '-';
}

/*  One more token, all zeros; it is counted.  */
static sh_err_t
s_grow (sh_http_config_t *self, sh_http_token_t **out, const char *path,
        int line, sh_why_t *why)
{
    if (self->token_count == TOKENS_MOST)
        return sh_fail (why, SH_E_CONFIG, "%s:%d: more than %d tokens", path,
                        line, TOKENS_MOST);
    sh_http_token_t *tokens
        = realloc (self->tokens, (self->token_count + 1) * sizeof *tokens);
    if (!tokens)
        return s_no_memory (path, why);
    self->tokens = tokens;
    *out = &tokens[self->token_count++];
    **out = (sh_http_token_t){ 0 };
    return SH_OK;
}

static sh_err_t
s_check_token (const char *token, const char *path, int line, sh_why_t *why)
{
    if (s_is_sendable (token))
        return SH_OK;
    return sh_fail (why, SH_E_CONFIG,
                    "%s:%d: this is no token that an HTTP client can send: "
                    "take 1 to %d characters, no blanks among them",
                    path, line, TOKEN_MOST);
}

sh_err_t
sh_http_add_token (sh_http_config_t *self, const char *label,
                    const char *token, const char *path, int line,
                    sh_why_t *why)
{
    assert (self && label && token && path);
    sh_http_token_t *entry = NULL;
    sh_err_t rc = s_check_token (token, path, line, why);
    if (rc == SH_OK)
        rc = s_grow (self, &entry, path, line, why);
    if (rc != SH_OK)
        return rc;
    entry->label = strdup (label);
    entry->token = strdup (token);
    if (!entry->label || !entry->token)
        return s_no_memory (path, why);
    return SH_OK;
}

/*  What is bound here is checked and read in s_settle_token.  */
static sh_err_t
s_bind_token_file (void *target, const sh_yaml_t *node, const char *path,
                   sh_why_t *why)
{
    (void) target;
    char *file = NULL;
    sh_err_t rc = sh_config_str (&file, node, "token_file", path, why);
    if (rc == SH_OK && file[0] == '\0')
        rc = sh_fail (why, SH_E_CONFIG, "%s:%d: 'token_file' is empty", path,
                      node->line);
    free (file);
    return rc;
}

#define TOKEN(m) offsetof (sh_http_token_t, m)

static const sh_config_field_t s_token_fields[] = {
    { .key = "label", .kind = SH_CONFIG_STR, .offset = TOKEN (label) },
    { .key = "token", .kind = SH_CONFIG_STR, .offset = TOKEN (token) },
    { .key = "token_file", .kind = SH_CONFIG_CALL, .call = s_bind_token_file },
    { .key = "codes", .kind = SH_CONFIG_LIST, .offset = TOKEN (codes) },
    { 0 },
};

/*  The value of 'key', unless nothing stands behind it.  */
static const sh_yaml_t *
s_given (const sh_yaml_t *map, const char *key)
{
    const sh_yaml_t *node = sh_yaml_get (map, key);
    return node && node->kind != SH_YAML_NULL ? node : NULL;
}

static sh_err_t
s_check_label (const sh_http_config_t *self, const sh_http_token_t *token,
               const char *path, int line, sh_why_t *why)
{
    if (!token->label || !s_is_label (token->label))
        return sh_fail (why, SH_E_CONFIG,
                        "%s:%d: a token needs a 'label' for the log: 1 to %d "
                        "letters, digits, '.', '_' or '-', beginning with a "
                        "letter, digit or '_'",
                        path, line, LABEL_MOST);
    for (const sh_http_token_t *it = self->tokens; it < token; it++) {
        if (strcmp (it->label, token->label) == 0)
            return sh_fail (why, SH_E_CONFIG,
                            "%s:%d: there is a token with the label '%s' "
                            "already",
                            path, line, token->label);
    }
    return SH_OK;
}

/*  No codes is for every code that has no key; an empty list may be meant the
    other way round.  */
static sh_err_t
s_check_codes (const sh_http_token_t *token, const sh_yaml_t *item,
               const char *path, sh_why_t *why)
{
    const sh_yaml_t *codes = s_given (item, "codes");
    if (codes && token->codes.count == 0)
        return sh_fail (why, SH_E_CONFIG,
                        "%s:%d: 'codes' is an empty list; leave it out for "
                        "every code that has no key",
                        path, codes->line);
    for (size_t i = 0; codes && i < token->codes.count; i++) {
        if (s_is_made_of (token->codes.items[i], ALPHANUMERIC "-_=",
                          CODE_MOST))
            continue;
        char shown[SHOWN_MOST];
        sh_escape (shown, sizeof shown, token->codes.items[i]);
        int line
            = codes->kind == SH_YAML_LIST ? codes->items[i]->line : codes->line;
        return sh_fail (why, SH_E_CONFIG,
                        "%s:%d: '%s' cannot be a scanner code: 1 to %d of "
                        "the characters A-Z a-z 0-9 - _ =",
                        path, line, shown, CODE_MOST);
    }
    return SH_OK;
}

static sh_err_t
s_bind_token (sh_http_config_t *self, const sh_yaml_t *item, const char *path,
              sh_why_t *why)
{
    sh_http_token_t *token = NULL;
    sh_err_t rc = s_grow (self, &token, path, item->line, why);
    if (rc == SH_OK)
        rc = sh_config_bind (token, s_token_fields, item, path, why);
    if (rc == SH_OK)
        rc = s_check_label (self, token, path, item->line, why);
    if (rc == SH_OK)
        rc = s_check_codes (token, item, path, why);
    if (rc == SH_OK && !token->token == !s_given (item, "token_file"))
        rc = sh_fail (why, SH_E_CONFIG,
                      "%s:%d: the token '%s' needs either 'token_file' or "
                      "'token'",
                      path, item->line, token->label);
    if (rc == SH_OK && token->token)
        rc = s_check_token (token->token, path,
                            sh_yaml_get (item, "token")->line, why);
    return rc;
}

static sh_err_t
s_bind_tokens (void *target, const sh_yaml_t *node, const char *path,
               sh_why_t *why)
{
    if (node->kind != SH_YAML_LIST)
        return sh_fail (why, SH_E_CONFIG,
                        "%s:%d: 'tokens' must be a list, each item with "
                        "'label' and 'token_file' or 'token'",
                        path, node->line);
    sh_err_t rc = SH_OK;
    for (size_t i = 0; rc == SH_OK && i < node->count; i++)
        rc = s_bind_token (target, node->items[i], path, why);
    return rc;
}

static sh_err_t
s_bind_refusals (void *target, const sh_yaml_t *node, const char *path,
                 sh_why_t *why)
{
    sh_http_config_t *self = target;
    int index = 0;
    sh_err_t rc = sh_config_word (&index, node, "refusals", s_refusals_words,
                                  path, why);
    if (rc == SH_OK)
        self->refusals_as_status = index == 1;
    return rc;
}

#define HTTP(m) offsetof (sh_http_config_t, m)

const sh_config_field_t sh_http_fields[] = {
    { .key = "listen", .kind = SH_CONFIG_LIST, .offset = HTTP (listen) },
    { .key = "cert", .kind = SH_CONFIG_STR, .offset = HTTP (cert) },
    { .key = "key", .kind = SH_CONFIG_STR, .offset = HTTP (key) },
    { .key = "plain_ok", .kind = SH_CONFIG_BOOL, .offset = HTTP (plain_ok) },
    { .key = "trusted_proxies",
      .kind = SH_CONFIG_LIST,
      .offset = HTTP (trusted_proxies) },
    { .key = "refusals", .kind = SH_CONFIG_CALL, .call = s_bind_refusals },
    { .key = "spool", .kind = SH_CONFIG_STR, .offset = HTTP (spool) },
    { .key = "tokens", .kind = SH_CONFIG_CALL, .call = s_bind_tokens },
    { 0 },
};

/*  The line of a key's value, or of its i-th item.  */
static int
s_line (const sh_http_source_t *from, const char *key, size_t i)
{
    const sh_yaml_t *node = s_given (from->map, key);
    if (node && node->kind == SH_YAML_LIST && i < node->count)
        node = node->items[i];
    return node ? node->line : from->map->line;
}

static sh_err_t
s_fill_list (sh_strings_t *list, const char *const *texts, size_t count)
{
    list->items = calloc (count, sizeof *list->items);
    if (!list->items)
        return SH_E_MEMORY;
    for (; list->count < count; list->count++) {
        list->items[list->count] = strdup (texts[list->count]);
        if (!list->items[list->count])
            return SH_E_MEMORY;
    }
    return SH_OK;
}

/*  A list that stands there and is empty says nothing that could be done.  */
static sh_err_t
s_default_list (sh_strings_t *list, const sh_http_source_t *from,
                const char *key, const char *const *texts, sh_why_t *why)
{
    if (list->count > 0)
        return SH_OK;
    if (s_given (from->map, key))
        return sh_fail (why, SH_E_CONFIG,
                        "%s:%d: '%s%s' is an empty list; leave it out for %s "
                        "and %s",
                        from->path, s_line (from, key, 0), from->section, key,
                        texts[0], texts[1]);
    if (s_fill_list (list, texts, 2) != SH_OK)
        return s_no_memory (from->path, why);
    return SH_OK;
}

/*  Is there a token that everybody knows?  */
static bool
s_is_public (const sh_http_config_t *self)
{
    for (size_t i = 0; i < self->token_count; i++) {
        if (strcmp (self->tokens[i].token, NO_TOKEN) == 0)
            return true;
    }
    return self->token_count == 0;
}

/*  What may not be reached from other machines.  */
static sh_err_t
s_check_open (const sh_http_config_t *self, const sh_http_source_t *from,
              size_t at, sh_why_t *why)
{
    int line = s_line (from, from->listen, at);
    const char *text = self->listen.items[at];
    const char *section = from->section;
    if (s_is_public (self))
        return sh_fail (why, SH_E_CONFIG,
                        "%s:%d: '%s%s': %s can be reached from other "
                        "machines, which takes a token of your own: set "
                        "%s%s, or listen on 127.0.0.1",
                        from->path, line, section, from->listen, text, section,
                        from->tokens);
    if (self->cert || self->plain_ok)
        return SH_OK;
    return sh_fail (why, SH_E_CONFIG,
                    "%s:%d: '%s%s': %s can be reached from other machines, and "
                    "the token would be sent there in the clear: set %s%s and "
                    "%s%s, or %s%s: true if something else encrypts",
                    from->path, line, section, from->listen, text, section,
                    from->cert, section, from->key, section, from->plain_ok);
}

/*  Check and rewrite one address.  */
static sh_err_t
s_settle_endpoint (sh_http_config_t *self, const sh_http_source_t *from,
                   size_t at, sh_why_t *why)
{
    char **item = &self->listen.items[at];
    sh_addr_t addr;
    sh_err_t rc = sh_listen_settle (item, from->port, &addr);
    if (rc == SH_E_MEMORY)
        return s_no_memory (from->path, why);
    if (rc != SH_OK) {
        char shown[SHOWN_MOST];
        sh_escape (shown, sizeof shown, *item);
        return sh_fail (why, SH_E_CONFIG,
                        "%s:%d: '%s%s': '%s' is not an address with a port, "
                        "such as 127.0.0.1:%d or '[::1]:%d'",
                        from->path, s_line (from, from->listen, at),
                        from->section, from->listen, shown, SH_HTTP_PORT,
                        SH_HTTP_PORT);
    }
    return sh_addr_is_loopback (&addr) ? SH_OK
                                       : s_check_open (self, from, at, why);
}

static sh_err_t
s_settle_listen (sh_http_config_t *self, const sh_http_source_t *from,
                 sh_why_t *why)
{
    static const char *const loopback[] = { "127.0.0.1", "[::1]" };
    sh_err_t rc = s_default_list (&self->listen, from, from->listen, loopback,
                                  why);
    for (size_t i = 0; rc == SH_OK && i < self->listen.count; i++)
        rc = s_settle_endpoint (self, from, i, why);
    return rc;
}

static sh_err_t
s_settle_proxies (sh_http_config_t *self, const sh_http_source_t *from,
                  sh_why_t *why)
{
    static const char *const loopback[] = { "127.0.0.0/8", "::1/128" };
    static const char key[] = "trusted_proxies";
    sh_err_t rc
        = s_default_list (&self->trusted_proxies, from, key, loopback, why);
    for (size_t i = 0; rc == SH_OK && i < self->trusted_proxies.count; i++) {
        const char *text = self->trusted_proxies.items[i];
        sh_prefix_t prefix;
        sh_addr_t addr;
        if (sh_prefix_parse (&prefix, text) == SH_OK
            || sh_addr_parse (&addr, text) == SH_OK)
            continue;
        char shown[SHOWN_MOST];
        sh_escape (shown, sizeof shown, text);
        rc = sh_fail (why, SH_E_CONFIG,
                      "%s:%d: '%s%s': '%s' is neither an address nor a prefix "
                      "such as 10.0.0.0/8 without host bits",
                      from->path, s_line (from, key, i), from->section, key,
                      shown);
    }
    return rc;
}

static sh_err_t
s_settle_file (char **file, const sh_http_source_t *from, const char *key,
               sh_why_t *why)
{
    char *path = NULL;
    if (!*file)
        return SH_OK;
    if ((*file)[0] == '\0')
        return sh_fail (why, SH_E_CONFIG, "%s:%d: '%s%s' is empty", from->path,
                        s_line (from, key, 0), from->section, key);
    if (sh_config_beside (&path, from->path, *file) != SH_OK)
        return s_no_memory (from->path, why);
    free (*file);
    *file = path;
    return SH_OK;
}

static sh_err_t
s_settle_files (sh_http_config_t *self, const sh_http_source_t *from,
                sh_why_t *why)
{
    if (!self->cert != !self->key) {
        const char *there = self->cert ? from->cert : from->key;
        const char *missing = self->cert ? from->key : from->cert;
        return sh_fail (why, SH_E_CONFIG,
                        "%s:%d: '%s%s' is of no use without '%s%s'",
                        from->path, s_line (from, there, 0), from->section,
                        there, from->section, missing);
    }
    if (self->spool[0] != '/')
        return sh_fail (why, SH_E_CONFIG,
                        "%s:%d: '%sspool' must be a path that begins with /",
                        from->path, s_line (from, "spool", 0), from->section);
    sh_err_t rc = s_settle_file (&self->cert, from, from->cert, why);
    if (rc == SH_OK)
        rc = s_settle_file (&self->key, from, from->key, why);
    return rc;
}

/*  Read the token's file, if it has one.  */
static sh_err_t
s_settle_token (sh_http_token_t *token, const sh_http_source_t *from,
                size_t at, sh_why_t *why)
{
    if (token->token)
        return SH_OK;
    if (from->peek) {
        token->token = strdup ("");
        return token->token ? SH_OK : s_no_memory (from->path, why);
    }
    const sh_yaml_t *tokens = sh_yaml_get (from->map, from->tokens);
    const sh_yaml_t *file = sh_yaml_get (tokens->items[at], "token_file");
    char *path = NULL;
    if (sh_config_beside (&path, from->path, file->text) != SH_OK)
        return s_no_memory (from->path, why);
    sh_err_t rc = sh_secret_read (&token->token, path, why);
    if (rc == SH_OK && !s_is_sendable (token->token))
        rc = sh_fail (why, SH_E_CONFIG,
                      "%s: this is no token that an HTTP client can send: "
                      "there are blanks in it",
                      path);
    free (path);
    return rc;
}

static sh_err_t
s_settle_tokens (sh_http_config_t *self, const sh_http_source_t *from,
                 sh_why_t *why)
{
    for (size_t i = 0; i < self->token_count; i++) {
        sh_http_token_t *token = &self->tokens[i];
        sh_err_t rc = s_settle_token (token, from, i, why);
        if (rc != SH_OK)
            return rc;
        for (size_t k = 0; k < i && token->token[0]; k++) {
            if (strcmp (self->tokens[k].token, token->token) == 0)
                return sh_fail (why, SH_E_CONFIG,
                                "%s:%d: the tokens '%s' and '%s' are the same",
                                from->path, s_line (from, from->tokens, i),
                                self->tokens[k].label, token->label);
        }
    }
    return SH_OK;
}

sh_err_t
sh_http_settle (sh_http_config_t *self, const sh_http_source_t *from,
                 sh_why_t *why)
{
    assert (self && from && from->path && from->map);
    if (!self->spool
        && sh_config_state_path (&self->spool, SH_HTTP_SPOOL) != SH_OK)
        return s_no_memory (from->path, why);
    sh_err_t rc = s_settle_tokens (self, from, why);
    if (rc == SH_OK)
        rc = s_settle_files (self, from, why);
    if (rc == SH_OK)
        rc = s_settle_proxies (self, from, why);
    if (rc == SH_OK)
        rc = s_settle_listen (self, from, why);
    return rc;
}

void
sh_http_clear (sh_http_config_t *self)
{
    assert (self);
    for (size_t i = 0; i < self->token_count; i++) {
        free (self->tokens[i].label);
        sh_secret_free (&self->tokens[i].token);
        sh_strings_clear (&self->tokens[i].codes);
    }
    free (self->tokens);
    free (self->cert);
    free (self->key);
    free (self->spool);
    sh_strings_clear (&self->listen);
    sh_strings_clear (&self->trusted_proxies);
    *self = (sh_http_config_t){ 0 };
}
