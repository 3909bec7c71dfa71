/* SPDX-License-Identifier: MPL-2.0 */
/*  The scanner's own key on disk, and the next one, which stands beside it as
    KEY.next until a hub has accepted it.  The secret never leaves the machine;
    see lib/keyfile.h for whose the files are.  */

#ifndef SC_OWN_KEY_H
#define SC_OWN_KEY_H

#include <stdbool.h>

#include "lib/keyfile.h"

/*  Read the key at 'path', or make one if there is none ('*made').  SH_E_IO,
    SH_E_MODE, SH_E_SYNTAX, SH_E_MEMORY.  */
sh_err_t sc_own_key_ensure (sh_keyfile_t **out, const char *path, bool *made,
                            sh_why_t *why) SH_MUST_CHECK;

/*  KEY.next of the key at 'path'; malloc'ed, NULL: no memory.  */
char *sc_own_key_next_path (const char *path);

/*  Read KEY.next.  SH_E_NOT_FOUND where there is none, which is the rule.  */
sh_err_t sc_own_key_next (sh_keyfile_t **out, const char *path,
                          sh_why_t *why) SH_MUST_CHECK;

/*  KEY.next takes the place of KEY, in one step.  SH_E_IO: it stays where it
    is, and is found there again after a restart.  */
sh_err_t sc_own_key_turn (const char *path, sh_why_t *why) SH_MUST_CHECK;

#endif
