/* SPDX-License-Identifier: MPL-2.0 */
/*  FNV-1a, for tables of our own.  Whoever may choose what is hashed can make
    two that hash alike, so nothing may depend on it but speed and fairness.
    (Fowler, Noll, Vo; the 64-bit parameters.)  */

#ifndef SH_HASH_H
#define SH_HASH_H

#include <stddef.h>
#include <stdint.h>

#define SH_HASH UINT64_C (14695981039346656037) /* to begin with */

static inline uint64_t
sh_hash (uint64_t hash, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * UINT64_C (1099511628211);
    return hash;
}

#endif
