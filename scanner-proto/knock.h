/* SPDX-License-Identifier: MPL-2.0 */
/*  One handshake with a hub and nothing more: does it let this key in?  A hub
    that refuses the key has noted it, which is how a key gets into the list of
    'scanhubctl scanner pending'.  Nothing else changes there: without a hello
    there is no session, so that a running scanner's one is left alone.  */

#ifndef SP_KNOCK_H
#define SP_KNOCK_H

#include "lib/clock.h"
#include "lib/keyfile.h"
#include "scanner-proto/hubs.h"

/*  Knock and wait for the answer, ten seconds at most.  SH_OK: let in.
    SH_E_KEY_REFUSED: the hub does not know the key (or keeps it out for now).
    SH_E_HUB_KEY: it ends the handshake, as it does when it has another key than
    'hub' says.  SH_E_DISCONNECTED, SH_E_IO, SH_E_SYNTAX.  The why names the hub
    and what to do.  */
sh_err_t sp_knock (const sp_hub_t *hub, const sh_keyfile_t *key,
                   const sh_clock_t *clock, sh_why_t *why) SH_MUST_CHECK;

#endif
