/* SPDX-License-Identifier: MPL-2.0 */
/*  ICMP echo, the marks in it, and calls to everybody on a link.  */

#include "scanner/packets.h"

#include <sodium.h>
#include <string.h>

#include "scanner/wire.h"

#define HEADER 8 /* of ICMP: type, code, checksum, ident, sequence */
#define ECHO_4 8
#define ECHO_6 128
#define REPLY_4 0
#define REPLY_6 129
#define COMPLAINT 4      /* ICMPv6: parameter problem ... */
#define UNKNOWN_OPTION 2 /* ... of this kind */
#define NEXT_OPTIONS 60
#define OPTION_BYTES 8
/*  Top bits 10: whoever does not know it complains, even of a packet that went
    to all.  */
#define STRANGE_OPTION 0x80

_Static_assert (SC_TOKEN_BYTES == crypto_shorthash_BYTES, "token");
_Static_assert (SC_KEY_BYTES == crypto_shorthash_KEYBYTES, "key");
_Static_assert (SC_ECHO_BYTES == HEADER + 8 + SC_TOKEN_BYTES, "echo");
_Static_assert (SC_CALL_BYTES == SC_IP6_BYTES + OPTION_BYTES + SC_ECHO_BYTES,
                "call");

const uint8_t sc_all_nodes_mac[SC_MAC_BYTES] = { 0x33, 0x33, 0, 0, 0, 1 };

sh_addr_t
sc_all_nodes (void)
{
    sh_addr_t addr = { .family = 6, .bytes = { 0xff, 2 } };
    addr.bytes[15] = 1;
    return addr;
}

static void
s_put_time (uint8_t at[static 8], int64_t time)
{
    for (size_t i = 0; i < 8; i++)
        at[i] = (uint8_t) ((uint64_t) time >> (56 - 8 * i));
}

static int64_t
s_get_time (const uint8_t at[static 8])
{
    uint64_t time = 0;
    for (size_t i = 0; i < 8; i++)
        time = time << 8 | at[i];
    return (int64_t) time;
}

void
sc_mark_make (sc_mark_t *out, const uint8_t key[static SC_KEY_BYTES],
              const sh_addr_t *addr, int64_t asked_at)
{
    uint8_t text[8 + 1 + 16];
    s_put_time (text, asked_at);
    text[8] = addr->family;
    memcpy (text + 9, addr->bytes, 16);
    out->asked_at = asked_at;
    (void) crypto_shorthash (out->token, text, sizeof text, key);
}

bool
sc_mark_is_of (const sc_mark_t *self,
               const uint8_t key[static SC_KEY_BYTES], const sh_addr_t *addr)
{
    sc_mark_t mark;
    sc_mark_make (&mark, key, addr, self->asked_at);
    return sodium_memcmp (mark.token, self->token, sizeof mark.token) == 0;
}

static void
s_read_mark (sc_mark_t *out, const uint8_t *at)
{
    out->asked_at = s_get_time (at);
    memcpy (out->token, at + 8, SC_TOKEN_BYTES);
}

void
sc_echo_make (uint8_t out[static SC_ECHO_BYTES], uint8_t family,
              uint16_t ident, uint16_t sequence, const sc_mark_t *mark)
{
    memset (out, 0, HEADER);
    out[0] = family == 4 ? ECHO_4 : ECHO_6;
    sc_put16 (out + 4, ident);
    sc_put16 (out + 6, sequence);
    s_put_time (out + HEADER, mark->asked_at);
    memcpy (out + HEADER + 8, mark->token, SC_TOKEN_BYTES);
    if (family == 4)
        sc_put16 (out + 2, sc_fold (sc_sum (0, out, SC_ECHO_BYTES)));
}

bool
sc_echo_read (sc_mark_t *mark, uint8_t family, sh_bytes_t packet)
{
    if (packet.size < SC_ECHO_BYTES
        || packet.data[0] != (family == 4 ? REPLY_4 : REPLY_6)
        || packet.data[1] != 0)
        return false;
    s_read_mark (mark, packet.data + HEADER);
    return true;
}

bool
sc_echo_read_ip4 (sc_mark_t *mark, sh_addr_t *from, sh_bytes_t packet)
{
    const uint8_t *at = packet.data;
    if (packet.size < 20 || at[0] >> 4 != 4 || at[9] != 1)
        return false;
    size_t header = (at[0] & 15u) * 4, size = sc_get16 (at + 2);
    if (header < 20 || size < header || size > packet.size
        || (sc_get16 (at + 6) & 0x3fff) != 0) /* a fragment */
        return false;
    sh_bytes_t icmp = { at + header, size - header };
    if (sc_fold (sc_sum (0, icmp.data, icmp.size)) != 0
        || !sc_echo_read (mark, 4, icmp))
        return false;
    *from = sc_get_addr (4, at + 12);
    return true;
}

bool
sc_echo_read_quoted (sc_mark_t *mark, uint8_t family, sh_bytes_t packet)
{
    const uint8_t *at = packet.data;
    size_t header = family == 6 && packet.size > SC_IP6_BYTES && at[0] >> 4 == 6
                            && at[6] == SC_NEXT_ICMP6
                        ? SC_IP6_BYTES
                        : 0;
    if (packet.size < header + SC_ECHO_BYTES
        || at[header] != (family == 4 ? ECHO_4 : ECHO_6) || at[header + 1] != 0)
        return false;
    s_read_mark (mark, at + header + HEADER);
    return true;
}

size_t
sc_call_make (uint8_t out[static SC_CALL_BYTES], sc_call_t call,
              const sh_addr_t *from, uint16_t ident, uint16_t sequence,
              const sc_mark_t *mark)
{
    sh_addr_t to = sc_all_nodes ();
    size_t start = SC_IP6_BYTES;
    uint8_t next = SC_NEXT_ICMP6;
    if (call == SC_CALL_OPTION) {
        const uint8_t option[OPTION_BYTES]
            = { SC_NEXT_ICMP6, 0, STRANGE_OPTION, OPTION_BYTES - 4 };
        memcpy (out + start, option, sizeof option);
        start += sizeof option;
        next = NEXT_OPTIONS;
    }
    size_t size = start + SC_ECHO_BYTES;
    /* one hop: it is for this link alone */
    sc_put_ip6 (out, size - SC_IP6_BYTES, next, 1, from, &to);
    sc_echo_make (out + start, 6, ident, sequence, mark);
    sc_put16 (out + start + 2, sc_icmp6_sum (out, start, size));
    return size;
}

/*  A complaint quotes the packet that it is about: our call, from the address
    that is complained to.  */
static bool
s_read_complaint (sc_mark_t *mark, const sh_addr_t *to, sh_bytes_t icmp)
{
    size_t start = SC_IP6_BYTES + OPTION_BYTES;
    const uint8_t *quoted = icmp.data + HEADER;
    sh_addr_t group = sc_all_nodes ();
    if (icmp.size < HEADER + SC_CALL_BYTES || icmp.data[1] != UNKNOWN_OPTION
        || quoted[0] >> 4 != 6 || quoted[6] != NEXT_OPTIONS
        || memcmp (quoted + 8, to->bytes, 16) != 0
        || memcmp (quoted + 24, group.bytes, 16) != 0
        || quoted[SC_IP6_BYTES] != SC_NEXT_ICMP6
        || quoted[SC_IP6_BYTES + 2] != STRANGE_OPTION
        || quoted[start] != ECHO_6)
        return false;
    s_read_mark (mark, quoted + start + HEADER);
    return true;
}

bool
sc_call_read (sc_mark_t *mark, sh_addr_t *from, sh_addr_t *to,
              sh_bytes_t packet)
{
    sh_bytes_t icmp = sc_get_icmp6 (packet, HEADER);
    if (icmp.size == 0)
        return false;
    sh_addr_t target = sc_get_addr (6, packet.data + 24);
    bool good = icmp.data[0] == COMPLAINT
                    ? s_read_complaint (mark, &target, icmp)
                    : sc_echo_read (mark, 6, icmp);
    if (!good)
        return false;
    *from = sc_get_addr (6, packet.data + 8);
    *to = target;
    return true;
}
