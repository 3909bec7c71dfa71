/* SPDX-License-Identifier: MPL-2.0 */
/*  Who a report comes from, whichever door it came in by.  What a report says
    about itself never widens what its principal may touch.  */

#ifndef HUB_PRINCIPAL_H
#define HUB_PRINCIPAL_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"
#include "lib/keyfile.h"
#include "scanner-proto/limits.h"

typedef enum
{
    HUB_DOOR_CURVE,
    HUB_DOOR_HTTP
} hub_door_t;

#define HUB_NAME_MOST 64 /* bytes of a registry entry's name */

typedef struct
{
    char text[SP_CODE_MOST + 1];
} hub_code_t;

typedef struct
{
    hub_door_t door;
    char key[SH_KEY_TEXT];        /* CURVE public key; "" for other doors */
    char name[HUB_NAME_MOST + 1]; /* registry name or token label */
    hub_code_t *codes;            /* owned; the codes it may speak for */
    size_t code_count;
    bool shim;        /* speaks for scanners that have no key of their own */
    bool legacy_http; /* a scanner whose code others may speak for as well */
    char replaces[SH_KEY_TEXT]; /* its former key, until this one is used; "" */
} hub_principal_t;

/*  A deep copy; 'to' is overwritten, not cleared first.  */
sh_err_t hub_principal_copy (hub_principal_t *to, const hub_principal_t *from)
    SH_MUST_CHECK;

/*  Free what it owns and zero it.  */
void hub_principal_clear (hub_principal_t *self);

/*  The code that a message speaks for: 'wanted' (the message's 'for') if the
    principal lists it byte by byte, its only code if 'wanted' is NULL.
    SH_E_CODE_MISSING, SH_E_CODE_DENIED.  '*code' is borrowed from 'self'.  */
sh_err_t hub_principal_code (const hub_principal_t *self, const char *wanted,
                             const char **code) SH_MUST_CHECK;

#endif
