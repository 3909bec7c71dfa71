/* SPDX-License-Identifier: MPL-2.0 */
/*  The hub's own key, and the next one if another was announced: the files KEY
    and KEY.next, of which the latter says in its metadata from when on it
    counts:

        at = "2026-11-30T06:00:00Z"

    KEY.next whose time has come is the hub's key.  It then takes the place of
    KEY, and where it cannot, because the directory may not be written to, it
    is the hub's key all the same, also after a restart.  Thread-safe.  */

#ifndef HUB_KEYCHANGE_H
#define HUB_KEYCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/keyfile.h"

typedef struct hub_keychange hub_keychange_t;

/*  Read both files; 'now' is epoch ms.  KEY.next may be missing; one that
    cannot be used is an error, as KEY is.  Nothing is written.
    SH_E_NOT_FOUND, SH_E_MODE, SH_E_SYNTAX, SH_E_IO, SH_E_MEMORY.  */
sh_err_t hub_keychange_new (hub_keychange_t **out, const char *path,
                            int64_t now, sh_why_t *why) SH_MUST_CHECK;
void hub_keychange_destroy (hub_keychange_t **self_p);

/*  Look at KEY.next again: there may be another one, or none.  On an error
    what was announced stays so.  */
sh_err_t hub_keychange_read (hub_keychange_t *self, sh_why_t *why)
    SH_MUST_CHECK;

/*  The key of now; 'secret_key' may be NULL and is the caller's to wipe.  */
void hub_keychange_now (hub_keychange_t *self,
                        char public_key[static SH_KEY_TEXT],
                        char secret_key[SH_KEY_TEXT]);

/*  The next key and its time (epoch ms); false: none was announced.  */
bool hub_keychange_next (hub_keychange_t *self,
                         char public_key[static SH_KEY_TEXT], int64_t *at);

/*  Grows by 1 whenever another next key, or none, is announced.  */
unsigned hub_keychange_generation (hub_keychange_t *self);

/*  Has the time come?  Then the next key is the one of now: true, once.  The
    files are turned if they can be.  */
bool hub_keychange_turn (hub_keychange_t *self, int64_t now);

/*  Turn the files if that is still to be done, as after a start.  */
void hub_keychange_settle (hub_keychange_t *self);

/*  For programs that only look: the public key that counts at 'now',
    KEY.next's if its time has come.  Errors as sh_keyfile_load of KEY.  */
sh_err_t hub_keychange_peek (char public_key[static SH_KEY_TEXT],
                             const char *path, int64_t now, sh_why_t *why)
    SH_MUST_CHECK;

#define HUB_KEYCHANGE_AT "at"
#define HUB_KEYCHANGE_TIME 24 /* bytes of "2026-11-30T06:00:00Z" and the NUL */

/*  A time as it stands in KEY.next, and back; false: it is none.  */
void hub_keychange_time (char out[static HUB_KEYCHANGE_TIME], int64_t at);
bool hub_keychange_time_read (int64_t *at, const char *text);

#endif
