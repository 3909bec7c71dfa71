/* SPDX-License-Identifier: MPL-2.0 */
/*  The input as each kind of text that comes from the network or phpIPAM's
    tables: addresses, prefixes, MACs, host names, keys, wall clocks.  What is
    accepted says so again in its normal form, and addresses are what the C
    library reads.  */

#include <arpa/inet.h>
#include <ctype.h>

#include "lib/addr.h"
#include "lib/hostname.h"
#include "lib/keyfile.h"
#include "lib/mac.h"
#include "lib/walltime.h"
#include "tests/fuzz/input.h"

static void
s_check_address (const sh_addr_t *addr)
{
    char text[SH_ADDR_TEXT], decimal[SH_ADDR_DECIMAL];
    sh_addr_t again;
    sh_addr_text (addr, text);
    fuzz_require (sh_addr_parse (&again, text) == SH_OK
                  && sh_addr_cmp (addr, &again) == 0);
    fuzz_require (sh_addr_from_bytes (&again, sh_addr_bytes (addr)) == SH_OK
                  && sh_addr_cmp (addr, &again) == 0);
    sh_addr_decimal (addr, decimal);
    if (sh_addr_storable (addr))
        fuzz_require (sh_addr_from_decimal (&again, decimal) == SH_OK
                      && sh_addr_cmp (addr, &again) == 0);
    again = *addr;
    if (sh_addr_next (&again))
        fuzz_require (sh_addr_cmp (addr, &again) < 0);
}

static void
s_take_address (const char *text)
{
    uint8_t bytes[16];
    sh_addr_t addr;
    bool ours = sh_addr_parse (&addr, text) == SH_OK;
    int family = ours && addr.family == 4 ? AF_INET : AF_INET6;
    if (ours) {
        fuzz_require (inet_pton (family, text, bytes) == 1
                      && memcmp (bytes, addr.bytes, family == AF_INET ? 4 : 16)
                             == 0);
        s_check_address (&addr);
    }
    if (sh_addr_from_decimal (&addr, text) == SH_OK) {
        char decimal[SH_ADDR_DECIMAL];
        sh_addr_decimal (&addr, decimal);
        fuzz_require (strcmp (text, decimal) == 0);
        s_check_address (&addr);
    }
}

static void
s_take_prefix (const char *text)
{
    sh_prefix_t prefix, again;
    if (sh_prefix_parse (&prefix, text) != SH_OK)
        return;
    char normal[SH_PREFIX_TEXT];
    sh_prefix_text (&prefix, normal);
    fuzz_require (sh_prefix_parse (&again, normal) == SH_OK
                  && sh_prefix_equal (&prefix, &again));
    sh_addr_t last = sh_prefix_last (&prefix);
    fuzz_require (sh_prefix_contains (&prefix, &prefix.base)
                  && sh_prefix_contains (&prefix, &last)
                  && sh_prefix_count (&prefix) >= 1);
    if (sh_addr_next (&last))
        fuzz_require (!sh_prefix_contains (&prefix, &last));
}

/*  subnets.subnet and subnets.mask: the input up to its first blank, and the
    rest.  */
static void
s_take_columns (char *text)
{
    char *mask = strchr (text, ' ');
    sh_prefix_t prefix;
    if (!mask)
        return;
    *mask++ = '\0';
    if (sh_prefix_from_decimal (&prefix, text, mask) == SH_OK) {
        sh_addr_t base;
        fuzz_require (sh_addr_from_decimal (&base, text) == SH_OK
                      && sh_addr_cmp (&base, &prefix.base) == 0
                      && prefix.length >= 1 && prefix.length == atoi (mask));
    }
    mask[-1] = ' ';
}

static void
s_take_mac (const char *text)
{
    char mac[SH_MAC_TEXT], again[SH_MAC_TEXT];
    if (sh_mac_normalise (mac, text) != SH_OK)
        return;
    fuzz_require (strlen (mac) == SH_MAC_TEXT - 1
                  && strspn (mac, "0123456789abcdef:") == SH_MAC_TEXT - 1);
    fuzz_require (sh_mac_normalise (again, mac) == SH_OK
                  && strcmp (mac, again) == 0);
    size_t digits = 0;
    for (; *text; text++)
        digits += isxdigit ((unsigned char) *text) != 0;
    fuzz_require (digits == 12);
}

static void
s_take_name (const char *text)
{
    char name[SH_HOSTNAME_TEXT], again[SH_HOSTNAME_TEXT];
    sh_addr_t addr;
    (void) sh_hostname_same (text, "printer.site.example");
    fuzz_require (sh_hostname_same (text, text));
    if (sh_hostname_check (name, text) != SH_OK)
        return;
    size_t size = strlen (name);
    fuzz_require (size >= 1 && size <= 253 && name[size - 1] != '.');
    for (size_t i = 0; i < size; i++)
        fuzz_require (isalnum ((unsigned char) name[i])
                      || strchr (".-_", name[i]));
    fuzz_require (sh_hostname_check (again, name) == SH_OK
                  && strcmp (name, again) == 0);
    fuzz_require (sh_addr_parse (&addr, name) != SH_OK);
    fuzz_require (sh_hostname_same (name, text));
}

static void
s_take_rest (const char *text)
{
    char print[SH_FINGERPRINT_TEXT];
    if (sh_key_valid (text)) {
        fuzz_require (strlen (text) == SH_KEY_TEXT - 1);
        sh_key_fingerprint (print, text);
        fuzz_require (strlen (print) == SH_FINGERPRINT_TEXT - 1);
    }
    (void) sh_wall_is_never (text);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    char *text = fuzz_text (data, size);
    s_take_columns (text);
    s_take_address (text);
    s_take_prefix (text);
    s_take_mac (text);
    s_take_name (text);
    s_take_rest (text);
    free (text);
    return 0;
}
