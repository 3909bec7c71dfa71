/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/links.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <stdlib.h>
#include <string.h>

/*  linux/if.h, which cannot be included beside net/if.h: the carrier is there
    at this moment, while IFF_RUNNING may follow it by up to a second.  */
#define LOWER_UP 0x10000u

void
sc_links_clear (sc_links_t *self)
{
    free (self->items);
    *self = (sc_links_t){ 0 };
}

sh_err_t
sc_links_add (sc_links_t *self, const sc_own_t *own)
{
    if (self->count == self->room) {
        size_t room = self->room ? self->room * 2 : 8;
        sc_own_t *items = reallocarray (self->items, room, sizeof *items);
        if (!items)
            return SH_E_MEMORY;
        self->items = items;
        self->room = room;
    }
    self->items[self->count++] = *own;
    return SH_OK;
}

static bool
s_addr (sh_addr_t *out, const struct sockaddr *from)
{
    sh_addr_t addr = { 0 };
    if (from && from->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy (&in, from, sizeof in);
        addr.family = 4;
        memcpy (addr.bytes, &in.sin_addr, 4);
    } else if (from && from->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy (&in6, from, sizeof in6);
        addr.family = 6;
        memcpy (addr.bytes, &in6.sin6_addr, 16);
    } else
        return false;
    *out = addr;
    return true;
}

/*  The prefix of 'addr' under a netmask; without one, the address alone.  */
static sh_prefix_t
s_prefix (const sh_addr_t *addr, const struct sockaddr *netmask)
{
    size_t width = addr->family == 4 ? 4 : 16;
    sh_prefix_t prefix = { .base = *addr, .length = (uint8_t) (8 * width) };
    sh_addr_t mask;
    if (!netmask || !s_addr (&mask, netmask) || mask.family != addr->family)
        return prefix;
    prefix.length = 0;
    for (size_t i = 0; i < width; i++) {
        prefix.base.bytes[i] &= mask.bytes[i];
        prefix.length
            = (uint8_t) (prefix.length + __builtin_popcount (mask.bytes[i]));
    }
    return prefix;
}

/*  The entry of the same interface that holds its number and hardware
    address.  */
static bool
s_hardware (struct sockaddr_ll *out, const struct ifaddrs *all,
            const char *name)
{
    for (const struct ifaddrs *at = all; at; at = at->ifa_next) {
        if (!at->ifa_addr || at->ifa_addr->sa_family != AF_PACKET
            || strcmp (at->ifa_name, name) != 0)
            continue;
        memcpy (out, at->ifa_addr, sizeof *out);
        return true;
    }
    return false;
}

static bool
s_own (sc_own_t *out, const struct ifaddrs *at, const struct ifaddrs *all)
{
    struct sockaddr_ll hardware;
    sc_own_t self = { 0 };
    if (!(at->ifa_flags & IFF_UP) || !s_addr (&self.addr, at->ifa_addr))
        return false;
    self.prefix = s_prefix (&self.addr, at->ifa_netmask);
    unsigned alive = IFF_RUNNING | LOWER_UP;
    self.running = (at->ifa_flags & alive) == alive;
    /* an alias 'eth0:1' has no entry of its own */
    char name[IF_NAMESIZE] = "";
    strncat (name, at->ifa_name, strcspn (at->ifa_name, ":") < sizeof name
                                     ? strcspn (at->ifa_name, ":")
                                     : sizeof name - 1);
    if (!s_hardware (&hardware, all, name)) {
        *out = self;
        return true;
    }
    self.index = hardware.sll_ifindex;
    bool ethernet
        = hardware.sll_hatype == ARPHRD_ETHER && hardware.sll_halen == 6;
    if (ethernet)
        memcpy (self.mac, hardware.sll_addr, sizeof self.mac);
    unsigned without = IFF_LOOPBACK | IFF_NOARP | IFF_POINTOPOINT;
    self.asks = ethernet && !(at->ifa_flags & without);
    *out = self;
    return true;
}

sh_err_t
sc_links_read (sc_links_t *out, sh_why_t *why)
{
    struct ifaddrs *all = NULL;
    if (getifaddrs (&all) != 0)
        return sh_fail (why, SH_E_PROBE,
                        "cannot read the addresses of this machine: %s",
                        strerror (errno));
    sc_links_t self = { 0 };
    sh_err_t rc = SH_OK;
    for (struct ifaddrs *at = all; at && rc == SH_OK; at = at->ifa_next) {
        sc_own_t own;
        if (s_own (&own, at, all))
            rc = sc_links_add (&self, &own);
    }
    freeifaddrs (all);
    if (rc == SH_OK)
        *out = self;
    else {
        sc_links_clear (&self);
        (void) sh_fail (why, rc, "%s", sh_err_text (rc));
    }
    return rc;
}

const sc_own_t *
sc_links_own (const sc_links_t *self, const sh_addr_t *addr)
{
    for (size_t i = 0; i < self->count; i++)
        if (sh_addr_cmp (&self->items[i].addr, addr) == 0)
            return &self->items[i];
    return NULL;
}

/*  fe80::/10 is on every link, so it says nothing of where an address is.  */
static bool
s_is_everywhere (const sh_addr_t *addr)
{
    return addr->family == 6 && addr->bytes[0] == 0xfe
           && (addr->bytes[1] & 0xc0) == 0x80;
}

const sc_own_t *
sc_links_to (const sc_links_t *self, const sh_addr_t *addr)
{
    const sc_own_t *best = NULL;
    for (size_t i = 0; i < self->count; i++) {
        const sc_own_t *own = &self->items[i];
        if (s_is_everywhere (&own->addr)
            || !sh_prefix_contains (&own->prefix, addr))
            continue;
        if (!best || own->prefix.length > best->prefix.length
            || (own->prefix.length == best->prefix.length && own->running
                && !best->running))
            best = own;
    }
    return best && best->asks ? best : NULL;
}

bool
sc_links_run (const sc_links_t *self, int index)
{
    for (size_t i = 0; i < self->count; i++)
        if (self->items[i].index == index && self->items[i].running)
            return true;
    return false;
}
