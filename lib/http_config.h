/* SPDX-License-Identifier: MPL-2.0 */
/*  The 'http' section of scanhubd's and scanhub-shim's configuration: what the
    HTTP door for legacy scanners listens on and whom it believes.

        http:
          listen: [127.0.0.1:5000, '[::1]:5000']
          cert: /etc/scanhub/http.pem
          key: /etc/scanhub/http.key
          plain_ok: false
          trusted_proxies: [127.0.0.0/8, '::1']
          refusals: ok                      (ok, status)
          spool: /var/lib/scanhub/shim.spool
          tokens:
            - label: site-a
              token_file: /etc/scanhub/site-a.token     (or: token: ...)
              codes: [CODE]                 (absent: every code without a key)
*/

#ifndef SH_HTTP_CONFIG_H
#define SH_HTTP_CONFIG_H

#include <stdbool.h>

#include "lib/config.h"

typedef struct
{
    char *label;
    char *token; /* wiped when cleared */
    sh_strings_t codes;
} sh_http_token_t;

typedef struct
{
    sh_strings_t listen;
    char *cert, *key; /* PEM files, or NULL */
    bool plain_ok;
    sh_strings_t trusted_proxies;
    bool refusals_as_status;
    char *spool;
    sh_http_token_t *tokens; /* none: the public "no-token-set" */
    size_t token_count;
} sh_http_config_t;

#define SH_HTTP_PORT 5000 /* as the old server had it */
#define SH_HTTP_SPOOL "shim.spool" /* in the state directory */

/*  Where the settings were read from, to name them where they are wrong.  */
typedef struct
{
    const char *path;     /* the file */
    const sh_yaml_t *map; /* the map with the keys below; it may be empty */
    const char *section;  /* in front of a key in messages: "http." or "" */
    const char *listen, *cert, *key, *plain_ok, *tokens; /* the keys */
    uint32_t port; /* of addresses in 'listen' that name none */
    bool peek;     /* leave token files alone */
} sh_http_source_t;

/*  Binds the 'http' section to a sh_http_config_t; a token whose file is to be
    read has a 'token' of NULL afterwards.  */
extern const sh_config_field_t sh_http_fields[];

/*  Append a token; 'label' and 'token' are copied.  SH_E_CONFIG with
    file:line if no HTTP client could send it.  */
sh_err_t sh_http_add_token (sh_http_config_t *self, const char *label,
                             const char *token, const char *path, int line,
                             sh_why_t *why) SH_MUST_CHECK;

/*  After binding: fill in what was left out, read the token files, make every
    address in 'listen' one with a port and every path absolute, and check what
    the door would refuse.  SH_E_CONFIG, SH_E_MEMORY, and those of
    sh_secret_read.  With 'peek' a token from a file is "".  */
sh_err_t sh_http_settle (sh_http_config_t *self,
                          const sh_http_source_t *from, sh_why_t *why)
    SH_MUST_CHECK;

/*  Free what it owns, wiping tokens, and zero it.  */
void sh_http_clear (sh_http_config_t *self);

#endif
