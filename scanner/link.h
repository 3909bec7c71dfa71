/* SPDX-License-Identifier: MPL-2.0 */
/*  Everything that this program waits for, in one place: the hub, signals
    that end the program, and the descriptor of a running probe.  Reports that
    are on their way travel meanwhile.  */

#ifndef SC_LINK_H
#define SC_LINK_H

#include "scanner-proto/client.h"
#include "scanner-proto/outbox.h"
#include "scanner/config.h"
#include "scanner/tell.h"

typedef struct sc_link sc_link_t;

/*  Reads our certificate; nothing is connected yet.  SH_E_NOT_FOUND,
    SH_E_MODE, SH_E_SYNTAX for the certificate, SH_E_SYNTAX for the hub's
    endpoint and key.  'config', 'tell' and 'clock' are borrowed.  Where 'tell'
    says 'once', no scans can be ordered, and HUP ends the program.  */
sh_err_t sc_link_new (sc_link_t **out, const sc_config_t *config,
                      const char *version, sc_tell_t *tell,
                      const sh_clock_t *clock, sh_why_t *why) SH_MUST_CHECK;
void sc_link_destroy (sc_link_t **self_p);

/*  From now on reports of 'outbox' (borrowed; NULL: no more) are delivered
    while others wait here.  */
void sc_link_carry (sc_link_t *self, sp_outbox_t *outbox);

/*  Wait for up to 'timeout' ms (-1: for ever).  '*event' is borrowed until
    the next call, its message too.  What the hub says about its state (up,
    down, revision) has been taken notice of.  SH_E_INTERRUPTED: a signal
    says that we are to end.  */
sh_err_t sc_link_wait (sc_link_t *self, int timeout, const sp_event_t **event)
    SH_MUST_CHECK;

/*  Watch a descriptor for reading: the event is then SP_EVENT_OTHER.  SH_E_IO.
 */
sh_err_t sc_link_watch (sc_link_t *self, int fd) SH_MUST_CHECK;
void sc_link_unwatch (sc_link_t *self, int fd);

/*  The signal that was received, or 0.  */
int sc_link_signal (const sc_link_t *self);

/*  Was there a HUP since the last call?  */
bool sc_link_take_reload (sc_link_t *self);

sp_client_t *sc_link_client (sc_link_t *self);
const sh_clock_t *sc_link_clock (const sc_link_t *self);

/*  Has the hub other assignments than the ones of the revision that we know?
    True also before any are known.  */
bool sc_link_is_stale (const sc_link_t *self);
void sc_link_set_stale (sc_link_t *self);
void sc_link_set_revision (sc_link_t *self, sh_bytes_t revision);

/*  There is no session, and waiting on will hardly help: the only hub refused
    the key or is not the one that the configuration names, or none of the
    hubs answered a number of times and none ever did.  */
bool sc_link_is_hopeless (const sc_link_t *self);

/*  Why there is no session, never SH_E_TIMEOUT: that is for a hub that is
    there and does not answer.  */
sh_err_t sc_link_why (const sc_link_t *self, sh_why_t *why);

#endif
