/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner-proto/invite.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "scanner-proto/hubs.h"
#include "scanner-proto/limits.h"

#define SCHEME "scanhub://"
#define TRANSPORT "tcp://"

static const char s_plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "abcdefghijklmnopqrstuvwxyz"
                              "0123456789.-_~";
static const char s_digits[] = "0123456789ABCDEF";

static sh_err_t
s_check (sp_invite_t *self, sh_why_t *why)
{
    const sp_hub_t hub
        = { .endpoint = self->endpoint, .public_key = self->key };
    return sp_hub_check (&hub, why);
}

sh_err_t
sp_invite_print (char out[static SP_INVITE_MOST], const char *endpoint,
                 const char *key, sh_why_t *why)
{
    assert (out && endpoint && key && sh_key_valid (key));
    sp_invite_t invite;
    snprintf (invite.endpoint, sizeof invite.endpoint, "%s", endpoint);
    snprintf (invite.key, sizeof invite.key, "%s", key);
    sh_err_t rc = s_check (&invite, why);
    if (rc != SH_OK)
        return rc;
    int size = snprintf (out, SP_INVITE_MOST, SCHEME "%s/",
                         invite.endpoint + strlen (TRANSPORT));
    char *at = out + size;
    for (; *key; key++) {
        if (strchr (s_plain, *key))
            *at++ = *key;
        else {
            *at++ = '%';
            *at++ = s_digits[(unsigned char) *key >> 4];
            *at++ = s_digits[(unsigned char) *key & 15];
        }
    }
    *at = '\0';
    return SH_OK;
}

/*  Of a hexadecimal digit; -1: it is none.  */
static int
s_nibble (char c)
{
    if (c >= 'a' && c <= 'f')
        c = (char) (c - 'a' + 'A');
    const char *at = c ? strchr (s_digits, c) : NULL;
    return at ? (int) (at - s_digits) : -1;
}

/*  The key behind the last slash.  False: it is none, or has more or less than
    a key's characters.  */
static bool
s_take_key (char key[static SH_KEY_TEXT], const char *text)
{
    size_t size = 0;
    while (*text && size < SH_KEY_TEXT - 1) {
        int high = *text == '%' ? s_nibble (text[1]) : -1;
        int low = high >= 0 ? s_nibble (text[2]) : -1;
        if (low >= 0) {
            key[size++] = (char) (high << 4 | low);
            text += 3;
        } else if (strchr (s_plain, *text))
            key[size++] = *text++;
        else
            return false;
    }
    key[size] = '\0';
    return *text == '\0' && strlen (key) == size && sh_key_valid (key);
}

/*  tcp://HOST:PORT of what stands between the scheme and the slash.  */
static bool
s_take_place (char *out, size_t size, const char *place, size_t length)
{
    const char *close = memchr (place, ']', length);
    const char *from = close ? close : place;
    bool has_port = memchr (from, ':', length - (size_t) (from - place));
    char port[8] = "";
    if (!has_port)
        snprintf (port, sizeof port, ":%d", SP_DEFAULT_PORT);
    int used = snprintf (out, size, TRANSPORT "%.*s%s", (int) length, place,
                         port);
    return used > 0 && (size_t) used < size;
}

sh_err_t
sp_invite_parse (sp_invite_t *out, const char *text, sh_why_t *why)
{
    assert (out && text);
    sp_invite_t invite;
    if (strncmp (text, SCHEME, strlen (SCHEME)) != 0)
        return sh_fail (why, SH_E_SYNTAX,
                        "an invitation begins with " SCHEME "; copy the line "
                        "that 'scanhubctl scanner invite' prints on the hub");
    const char *place = text + strlen (SCHEME);
    size_t length = strcspn (place, "/");
    if (length > 264 || place[length] != '/')
        return sh_fail (why, SH_E_SYNTAX,
                        "the invitation has no key: it is " SCHEME
                        "HOST:PORT/KEY");
    if (!s_take_key (invite.key, place + length + 1))
        return sh_fail (why, SH_E_SYNTAX,
                        "the key in the invitation is not whole or not "
                        "escaped; copy the whole line that 'scanhubctl "
                        "scanner invite' prints, in its quotes");
    if (!s_take_place (invite.endpoint, sizeof invite.endpoint, place, length))
        return sh_fail (why, SH_E_SYNTAX, "the invitation's host is too long");
    sh_err_t rc = s_check (&invite, why);
    if (rc == SH_OK)
        *out = invite;
    return rc;
}
