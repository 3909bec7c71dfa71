/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/differing.h"

#include <assert.h>

#include "lib/log.h"

void
hub_differing_tell (hub_differing_t *self, const hub_part_t *part,
                    hub_live_t *live)
{
    assert (self && part && part->changes && live);
    for (size_t i = 0; i < part->changes->differ_count; i++) {
        const hub_differs_t *one = &part->changes->differs[i];
        uint64_t hash = one->row * UINT64_C (0x9e3779b97f4a7c15);
        for (const char *at = one->reported; *at; at++)
            hash = (hash ^ (uint8_t) *at) * UINT64_C (0x100000001b3);
        uint64_t *told = &self->hashes[hash % HUB_DIFFERING_ROOM];
        if (*told == hash)
            continue;
        *told = hash;
        char address[SH_ADDR_TEXT];
        sh_addr_text (&one->ip, address);
        hub_live_count (live, HUB_COUNT_MACS_DIFFER, 1);
        sh_log (SH_LOG_NOTICE, "another MAC answers for an address",
                SH_STR ("scanner", part->job->who.name),
                SH_INT ("subnet", part->subnet_id), SH_STR ("ip", address),
                SH_STR ("stored", one->stored),
                SH_STR ("reported", one->reported),
                SH_STR ("written", one->written ? "yes" : "no"));
    }
}
