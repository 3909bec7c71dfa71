/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/census.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static int
s_compare (const void *a, const void *b)
{
    const hub_scanner_state_t *one = a, *other = b;
    int order = strcmp (one->name, other->name);
    return order ? order : strcmp (one->code, other->code);
}

/*  A key that left the registry is of no interest any more.  */
static size_t
s_add_http (hub_scanner_state_t *to, const hub_scanner_state_t *heard,
            size_t count)
{
    size_t added = 0;
    for (size_t i = 0; i < count; i++)
        if (heard[i].door == HUB_DOOR_HTTP)
            to[added++] = heard[i];
    return added;
}

size_t
hub_census_take (hub_registry_t *registry, hub_roster_t *roster,
                 hub_scanner_state_t **out)
{
    assert (registry && roster && out);
    hub_key_t *keys;
    hub_scanner_state_t *heard;
    size_t key_count = hub_registry_list (registry, &keys);
    size_t heard_count = hub_roster_list (roster, &heard);
    size_t count = 0;
    *out = key_count + heard_count
               ? calloc (key_count + heard_count, sizeof **out)
               : NULL;
    for (size_t i = 0; *out && i < key_count; i++) {
        hub_scanner_state_t *one = &(*out)[count++];
        if (!hub_roster_find (roster, keys[i].key, one)) {
            memcpy (one->key, keys[i].key, sizeof one->key);
            one->heard = -1;
        }
        memcpy (one->name, keys[i].name, sizeof one->name);
        one->shim = keys[i].shim;
    }
    if (*out) {
        count += s_add_http (*out + count, heard, heard_count);
        qsort (*out, count, sizeof **out, s_compare);
    }
    free (heard);
    free (keys);
    return count;
}

size_t
hub_census_pending (hub_registry_t *registry, hub_knocks_t *pending)
{
    hub_knock_t *knocks = calloc (HUB_PENDING_KEYS, sizeof *knocks);
    size_t unknown = 0;
    size_t count
        = knocks ? hub_knocks_list (pending, knocks, HUB_PENDING_KEYS) : 0;
    for (size_t i = 0; i < count; i++)
        unknown += hub_registry_claims (registry, knocks[i].key) == 0;
    free (knocks);
    return unknown;
}
