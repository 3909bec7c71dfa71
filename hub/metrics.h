/* SPDX-License-Identifier: MPL-2.0 */
/*  The hub's own small HTTP server: GET /metrics (Prometheus's text format),
    /livez and /readyz.  One thread of its own, libmicrohttpd within its loop; a
    few connections at a time, each for a few seconds; HTTP/1.1 without TLS.
    What it tells has no secret in it, so it may be reached from anywhere, if
    one wants the names of scanners to be.  */

#ifndef HUB_METRICS_H
#define HUB_METRICS_H

#include "hub/config.h"
#include "hub/metrics_text.h"

#define HUB_METRICS_CONNECTIONS 16
#define HUB_METRICS_MS 10000    /* for a connection, */
#define HUB_METRICS_FULL_MS 500 /* and when all of them are taken */

typedef struct hub_metrics hub_metrics_t;

/*  Listen and serve.  Where there is nothing to listen on '*out' is NULL.  An
    address that the file does not name and that somebody else has is warned
    about, and '*out' is NULL as well.  What 'sources' point to outlives it.
    SH_E_IO, SH_E_CONFIG, SH_E_MEMORY with a sentence.  */
sh_err_t hub_metrics_new (hub_metrics_t **out,
                          const hub_metrics_config_t *config,
                          const hub_metrics_sources_t *sources, sh_why_t *why)
    SH_MUST_CHECK;
void hub_metrics_destroy (hub_metrics_t **self_p);

#endif
