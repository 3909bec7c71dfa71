/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/addr.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>

/*  IPv6 as a number needs 128 bits; both compilers have them, ISO C doesn't. */
__extension__ typedef unsigned __int128 wide_t;

static size_t
s_width (const sh_addr_t *self)
{
    return self->family == 4 ? 4 : self->family == 6 ? 16 : 0;
}

/*  What there are most of fits a word.  */
static uint32_t
s_to_word (const sh_addr_t *self)
{
    const uint8_t *at = self->bytes;
    return (uint32_t) at[0] << 24 | (uint32_t) at[1] << 16
           | (uint32_t) at[2] << 8 | at[3];
}

static wide_t
s_to_number (const sh_addr_t *self)
{
    if (self->family == 4)
        return s_to_word (self);
    wide_t number = 0;
    for (size_t i = 0; i < s_width (self); i++)
        number = number << 8 | self->bytes[i];
    return number;
}

static sh_addr_t
s_from_number (uint8_t family, wide_t number)
{
    sh_addr_t addr = { .family = family };
    for (size_t i = s_width (&addr); i-- > 0; number >>= 8)
        addr.bytes[i] = (uint8_t) (number & 0xff);
    return addr;
}

/*  The bits of an address that a prefix of 'length' leaves to its hosts.  */
static wide_t
s_host_bits (uint8_t family, unsigned length)
{
    unsigned bits = (family == 4 ? 32U : 128U) - length;
    return bits == 128 ? ~(wide_t) 0 : ((wide_t) 1 << bits) - 1;
}

/*  One to three digits, no sign, no leading zero.  -1 if it is not that.  */
static int
s_parse_length (const char *text)
{
    size_t digits = strspn (text, "0123456789");
    if (digits == 0 || digits > 3 || text[digits] != '\0')
        return -1;
    if (text[0] == '0' && digits > 1)
        return -1;

    int length = 0;
    for (; *text; text++)
        length = length * 10 + (*text - '0');
    return length;
}

static sh_err_t
s_prefix_make (sh_prefix_t *out, const sh_addr_t *base, int length)
{
    if (length < 0 || length > (base->family == 4 ? 32 : 128))
        return SH_E_SYNTAX;
    if (s_to_number (base) & s_host_bits (base->family, (unsigned) length))
        return SH_E_SYNTAX;
    out->base = *base;
    out->length = (uint8_t) length;
    return SH_OK;
}

sh_err_t
sh_addr_parse (sh_addr_t *out, const char *text)
{
    assert (out && text);
    /*  glibc's inet_pton is as strict as we have to be: it refuses leading
        zeros, short forms, blanks and zones; the unit test holds it to that. */
    sh_addr_t addr = { .family = strchr (text, ':') ? 6 : 4 };
    if (inet_pton (addr.family == 6 ? AF_INET6 : AF_INET, text, addr.bytes)
        != 1)
        return SH_E_SYNTAX;
    *out = addr;
    return SH_OK;
}

sh_err_t
sh_addr_from_bytes (sh_addr_t *out, sh_bytes_t bytes)
{
    assert (out);
    if (!bytes.data || (bytes.size != 4 && bytes.size != 16))
        return SH_E_SYNTAX;
    sh_addr_t addr = { .family = bytes.size == 4 ? 4 : 6 };
    memcpy (addr.bytes, bytes.data, bytes.size);
    *out = addr;
    return SH_OK;
}

sh_err_t
sh_addr_from_decimal (sh_addr_t *out, const char *text)
{
    assert (out && text);
    const wide_t most = ~(wide_t) 0;

    if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0'))
        return SH_E_SYNTAX;
    /*  So many digits fit a word, whose sums cost nothing.  */
    uint64_t word = 0;
    for (int i = 0; i < 19 && *text >= '0' && *text <= '9'; i++)
        word = word * 10 + (unsigned) (*text++ - '0');
    wide_t number = word;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return SH_E_SYNTAX;
        unsigned digit = (unsigned) (*text - '0');
        if (number > (most - digit) / 10)
            return SH_E_SYNTAX;
        number = number * 10 + digit;
    }
    *out = s_from_number (number <= UINT32_MAX ? 4 : 6, number);
    return SH_OK;
}

sh_bytes_t
sh_addr_bytes (const sh_addr_t *self)
{
    assert (self);
    return (sh_bytes_t){ self->bytes, s_width (self) };
}

void
sh_addr_text (const sh_addr_t *self, char out[static SH_ADDR_TEXT])
{
    assert (self);
    out[0] = '\0';
    if (self->family != 0)
        inet_ntop (self->family == 6 ? AF_INET6 : AF_INET, self->bytes, out,
                   SH_ADDR_TEXT);
}

void
sh_addr_decimal (const sh_addr_t *self, char out[static SH_ADDR_DECIMAL])
{
    assert (self);
    char digits[SH_ADDR_DECIMAL];
    size_t at = sizeof digits - 1;
    wide_t number = s_to_number (self);

    digits[at] = '\0';
    for (; number > UINT64_MAX; number /= 10)
        digits[--at] = (char) ('0' + (int) (number % 10));
    uint64_t word = (uint64_t) number;
    do {
        digits[--at] = (char) ('0' + (int) (word % 10));
        word /= 10;
    } while (word != 0);
    memcpy (out, digits + at, sizeof digits - at);
}

int
sh_addr_cmp (const sh_addr_t *a, const sh_addr_t *b)
{
    assert (a && b);
    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    if (a->family == 4) {
        uint32_t x = s_to_word (a), y = s_to_word (b);
        return (x > y) - (x < y);
    }
    return memcmp (a->bytes, b->bytes, s_width (a));
}

bool
sh_addr_storable (const sh_addr_t *self)
{
    assert (self);
    return self->family == 4
           || (self->family == 6 && s_to_number (self) > UINT32_MAX);
}

bool
sh_addr_next (sh_addr_t *self)
{
    assert (self);
    wide_t number = s_to_number (self);
    if (self->family == 0 || number == s_host_bits (self->family, 0))
        return false;
    *self = s_from_number (self->family, number + 1);
    return true;
}

bool
sh_addr_previous (sh_addr_t *self)
{
    assert (self);
    wide_t number = s_to_number (self);
    if (self->family == 0 || number == 0)
        return false;
    *self = s_from_number (self->family, number - 1);
    return true;
}

sh_err_t
sh_prefix_parse (sh_prefix_t *out, const char *text)
{
    assert (out && text);
    char base[SH_ADDR_TEXT];
    const char *slash = strchr (text, '/');
    if (!slash || (size_t) (slash - text) >= sizeof base)
        return SH_E_SYNTAX;
    memcpy (base, text, (size_t) (slash - text));
    base[slash - text] = '\0';

    sh_addr_t addr;
    sh_err_t rc = sh_addr_parse (&addr, base);
    if (rc == SH_OK)
        rc = s_prefix_make (out, &addr, s_parse_length (slash + 1));
    return rc;
}

sh_err_t
sh_prefix_from_decimal (sh_prefix_t *out, const char *subnet, const char *mask)
{
    assert (out);
    if (!subnet || !mask)
        return SH_E_SYNTAX;
    int length = s_parse_length (mask);
    if (length <= 0)
        return SH_E_SYNTAX;

    sh_addr_t addr;
    sh_err_t rc = sh_addr_from_decimal (&addr, subnet);
    if (rc == SH_OK)
        rc = s_prefix_make (out, &addr, length);
    return rc;
}

void
sh_prefix_text (const sh_prefix_t *self, char out[static SH_PREFIX_TEXT])
{
    assert (self);
    char base[SH_ADDR_TEXT];
    sh_addr_text (&self->base, base);
    snprintf (out, SH_PREFIX_TEXT, "%s/%u", base, self->length);
}

bool
sh_prefix_equal (const sh_prefix_t *a, const sh_prefix_t *b)
{
    assert (a && b);
    return a->length == b->length && sh_addr_cmp (&a->base, &b->base) == 0;
}

bool
sh_prefix_contains (const sh_prefix_t *self, const sh_addr_t *addr)
{
    assert (self && addr);
    if (addr->family != self->base.family || addr->family == 0)
        return false;
    wide_t differs = s_to_number (addr) ^ s_to_number (&self->base);
    return (differs & ~s_host_bits (addr->family, self->length)) == 0;
}

sh_addr_t
sh_prefix_last (const sh_prefix_t *self)
{
    assert (self);
    wide_t last = s_to_number (&self->base)
                  | s_host_bits (self->base.family, self->length);
    return s_from_number (self->base.family, last);
}

bool
sh_prefix_has_edges (const sh_prefix_t *self, bool is_pool)
{
    assert (self);
    return self->base.family == 4 && self->length < 31 && !is_pool;
}

uint64_t
sh_prefix_count (const sh_prefix_t *self)
{
    assert (self);
    wide_t less_one = s_host_bits (self->base.family, self->length);
    return less_one >= UINT64_MAX ? UINT64_MAX : (uint64_t) less_one + 1;
}
