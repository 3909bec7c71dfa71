/* SPDX-License-Identifier: MPL-2.0 */
/*  IPv4 and IPv6 addresses and prefixes, with phpIPAM's way of storing them:
    the address as an unsigned decimal number in text, 32 or 128 bits wide.
    phpIPAM tells the families apart by size (up to 4294967295 is IPv4), so
    IPv6 addresses in ::/96 cannot be stored.  Values, nothing to free.  */

#ifndef SH_ADDR_H
#define SH_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/bytes.h"
#include "lib/err.h"

typedef struct
{
    uint8_t family;    /* 4 or 6; 0 is no address */
    uint8_t bytes[16]; /* network order; IPv4 uses the first four, rest 0 */
} sh_addr_t;

typedef struct
{
    sh_addr_t base; /* host bits are zero */
    uint8_t length; /* 0 to 32 or 0 to 128 */
} sh_prefix_t;

#define SH_ADDR_TEXT 46    /* bytes for the longest text and its NUL */
#define SH_ADDR_DECIMAL 40 /* bytes for 39 digits and the NUL */
#define SH_PREFIX_TEXT 50

/*  Exactly one address in the usual notation: four decimal numbers without
    leading zeros, or RFC 4291 text; no zone, no blanks.  SH_E_SYNTAX.  */
sh_err_t sh_addr_parse (sh_addr_t *out, const char *text) SH_MUST_CHECK;

/*  From 4 or 16 bytes in network order, as on the wire; else SH_E_SYNTAX.  */
sh_err_t sh_addr_from_bytes (sh_addr_t *out, sh_bytes_t bytes) SH_MUST_CHECK;

/*  From phpIPAM's decimal text: digits only, no sign, no leading zeros,
    below 2^128.  SH_E_SYNTAX.  */
sh_err_t sh_addr_from_decimal (sh_addr_t *out, const char *text) SH_MUST_CHECK;

/*  The address's bytes: 4 or 16 of them, borrowed from 'self'.  */
sh_bytes_t sh_addr_bytes (const sh_addr_t *self);

/*  RFC 5952 text; phpIPAM's decimal text.  Both write a whole C string.  */
void sh_addr_text (const sh_addr_t *self, char out[static SH_ADDR_TEXT]);
void sh_addr_decimal (const sh_addr_t *self, char out[static SH_ADDR_DECIMAL]);

/*  Total order: IPv4 before IPv6, then by value.  Like memcmp.  */
int sh_addr_cmp (const sh_addr_t *a, const sh_addr_t *b);

/*  Can phpIPAM store it (not IPv6 in ::/96)?  */
bool sh_addr_storable (const sh_addr_t *self);

/*  Step to the next address; false (and unchanged) at the family's end.  */
bool sh_addr_next (sh_addr_t *self);

/*  Step to the address before; false (and unchanged) at the family's
    beginning.  */
bool sh_addr_previous (sh_addr_t *self);

/*  "10.0.0.0/24"; the length is mandatory, host bits must be zero.  */
sh_err_t sh_prefix_parse (sh_prefix_t *out, const char *text) SH_MUST_CHECK;

/*  From phpIPAM's subnets.subnet and subnets.mask, both text and either may
    be NULL.  Mask 0 or empty (folders), host bits and masks too long for the
    family are SH_E_SYNTAX.  */
sh_err_t sh_prefix_from_decimal (sh_prefix_t *out, const char *subnet,
                                 const char *mask) SH_MUST_CHECK;

void sh_prefix_text (const sh_prefix_t *self, char out[static SH_PREFIX_TEXT]);
bool sh_prefix_equal (const sh_prefix_t *a, const sh_prefix_t *b);
bool sh_prefix_contains (const sh_prefix_t *self, const sh_addr_t *addr);

/*  The highest address; in IPv4 below /31 the broadcast address.  */
sh_addr_t sh_prefix_last (const sh_prefix_t *self);

/*  Are the first and last address no host addresses?  phpIPAM's rule
    (Subnets::subnet_boundaries): IPv4, mask < 31 and not a pool.  */
bool sh_prefix_has_edges (const sh_prefix_t *self, bool is_pool);

/*  How many addresses, saturating at UINT64_MAX.  */
uint64_t sh_prefix_count (const sh_prefix_t *self);

#endif
