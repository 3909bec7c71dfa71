/* SPDX-License-Identifier: MPL-2.0 */
/*  In the place of metrics_http.c when configured with --disable-metrics.  */

#include "hub/metrics.h"

sh_err_t
hub_metrics_new (hub_metrics_t **out, const hub_metrics_config_t *config,
                 const hub_metrics_sources_t *sources, sh_why_t *why)
{
    (void) sources;
    *out = NULL;
    return config->said && config->listen.count
               ? sh_fail (why, SH_E_CONFIG,
                          "this scanhubd was built without /metrics "
                          "(--disable-metrics); remove metrics.listen")
               : SH_OK;
}

void
hub_metrics_destroy (hub_metrics_t **self_p)
{
    *self_p = NULL;
}
