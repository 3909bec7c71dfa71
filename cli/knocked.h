/* SPDX-License-Identifier: MPL-2.0 */
/*  The unknown keys that knocked at the running hub, as it lists them.  */

#ifndef CTL_KNOCKED_H
#define CTL_KNOCKED_H

#include <stddef.h>
#include <stdint.h>

#include "cli/ctl.h"
#include "lib/keyfile.h"

typedef struct
{
    char key[SH_KEY_TEXT];
    char fingerprint[SH_FINGERPRINT_TEXT];
    char address[64];
    uint64_t count;
    int64_t first, last; /* epoch ms */
} ctl_knocked_t;

/*  All of them, who knocked last first; the caller frees '*out'.  0, or the
    status with a message printed.  */
int ctl_knocked_list (ctl_t *ctl, ctl_knocked_t **out, size_t *count);

/*  The key with this fingerprint, which must be whole.  */
int ctl_knocked_find (ctl_t *ctl, const char *fingerprint,
                      char key[static SH_KEY_TEXT]);

#endif
