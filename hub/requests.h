/* SPDX-License-Identifier: MPL-2.0 */
/*  What scanhubctl asks the running hub, and the answers.  Belongs to the main
    thread, which serves the control socket; other threads are asked through
    their pipes.  */

#ifndef HUB_REQUESTS_H
#define HUB_REQUESTS_H

#include <czmq.h>

#include "hub/applier.h"
#include "hub/config.h"
#include "hub/journal.h"
#include "hub/keychange.h"
#include "hub/knocks.h"
#include "hub/live.h"
#include "hub/pool.h"
#include "hub/registry.h"

/*  All of it is borrowed.  */
typedef struct
{
    const hub_config_t *config;
    hub_keychange_t *key;
    hub_registry_t *registry;
    hub_live_t *live;
    hub_pauses_t *pauses;
    hub_journal_t *journal; /* NULL: none is kept */
    hub_previews_t *previews;
    hub_applier_t *applier;
    hub_pool_t *pool;
    hub_knocks_t *pending;
    zactor_t *router;
    zactor_t *http; /* NULL: no such door */
    int64_t started; /* epoch ms */
    /*  Read file and registry again; write the answer.  */
    void (*reload) (void *context, char *answer, size_t size);
    /*  Make the assignments anew and tell the scanners.  */
    void (*renew) (void *context);
    void *context;
} hub_requests_t;

/*  For sh_control_options_t.answer; 'self' is a hub_requests_t.  */
void hub_requests_answer (void *self, const char *request, char *answer,
                          size_t size);

#endif
