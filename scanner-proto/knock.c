/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner-proto/knock.h"

#include <assert.h>

#include "scanner-proto/session.h"

#define KNOCK_MS (SP_CONNECT_MS + SP_HANDSHAKE_MS)
#define ROUND_MS 100

static sh_err_t
s_judge (sp_link_t link, sp_session_t *session, const char *hub, sh_why_t *why)
{
    char proxy[200];
    if (link == SP_LINK_SECURED)
        return SH_OK;
    if (link == SP_LINK_KEY_REFUSED)
        return sh_fail (why, SH_E_KEY_REFUSED, "%s does not know this key",
                        hub);
    if (sp_session_proxy_trouble (session, proxy, sizeof proxy))
        return sh_fail (why, SH_E_DISCONNECTED, "%s", proxy);
    if (link == SP_LINK_NO_HANDSHAKE)
        return sh_fail (why, SH_E_HUB_KEY,
                        "%s answers but ends the handshake: it has another key "
                        "than the one that we were given, or is no Scanhub hub",
                        hub);
    if (link == SP_LINK_SILENT)
        return sh_fail (why, SH_E_DISCONNECTED,
                        "%s accepts the connection and is silent; is it a "
                        "Scanhub hub?",
                        hub);
    return sh_fail (why, SH_E_DISCONNECTED,
                    "no hub answers at %s; %sis scanhubd running and the port "
                    "open?", hub, sp_hub_doubt (hub));
}

sh_err_t
sp_knock (const sp_hub_t *hub, const sh_keyfile_t *key,
          const sh_clock_t *clock, sh_why_t *why)
{
    assert (hub && key && clock);
    sp_session_t *session = NULL;
    sh_err_t rc = sp_session_new (&session, hub, key->public_key,
                                  key->secret_key, why);
    if (rc != SH_OK)
        return rc;
    sp_link_t link = SP_LINK_NOTHING;
    int64_t end = sh_clock_mono (clock) + KNOCK_MS;
    while (link == SP_LINK_NOTHING && sh_clock_mono (clock) < end) {
        zmq_pollitem_t item
            = { sp_session_monitor (session), 0, ZMQ_POLLIN, 0 };
        (void) zmq_poll (&item, 1, ROUND_MS);
        while (link == SP_LINK_NOTHING && sp_session_news (session, &link))
            ;
    }
    rc = s_judge (link, session, hub->endpoint, why);
    sp_session_destroy (&session);
    return rc;
}
