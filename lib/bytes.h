/* SPDX-License-Identifier: MPL-2.0 */
/*  A borrowed run of bytes: the holder neither owns nor frees it.  */

#ifndef SH_BYTES_H
#define SH_BYTES_H

#include <stddef.h>
#include <stdint.h>

typedef struct
{
    const uint8_t *data;
    size_t size;
} sh_bytes_t;

#endif
