/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/config_metrics.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/listen.h"
#include "lib/log.h"

#define DEFAULT_ADDRESS "127.0.0.1"
#define SHOWN_MOST 64 /* of a value in a message */

const sh_config_field_t hub_metrics_fields[] = {
    { .key = "listen",
      .kind = SH_CONFIG_LIST,
      .offset = offsetof (hub_metrics_config_t, listen) },
    { 0 },
};

static sh_err_t
s_add_default (sh_strings_t *list)
{
    sh_strings_clear (list);
    list->items = calloc (1, sizeof *list->items);
    if (!list->items)
        return SH_E_MEMORY;
    list->items[0] = strdup (DEFAULT_ADDRESS);
    list->count = 1;
    return list->items[0] ? SH_OK : SH_E_MEMORY;
}

static sh_err_t
s_settle_one (char **item, const sh_yaml_t *at, const char *path,
              sh_why_t *why)
{
    sh_addr_t addr;
    sh_err_t rc = sh_listen_settle (item, HUB_METRICS_PORT, &addr);
    if (rc != SH_E_CONFIG)
        return rc;
    char shown[SHOWN_MOST];
    sh_escape (shown, sizeof shown, *item);
    return sh_fail (why, SH_E_CONFIG,
                    "%s:%d: 'metrics.listen': '%s' is not an address with a "
                    "port, such as 127.0.0.1:%d; 'off' is none",
                    path, at ? at->line : 0, shown, HUB_METRICS_PORT);
}

sh_err_t
hub_metrics_settle (hub_metrics_config_t *self, const sh_yaml_t *tree,
                    const char *path, sh_why_t *why)
{
    assert (self && path);
    const sh_yaml_t *map = sh_yaml_get (tree, "metrics");
    const sh_yaml_t *said = map ? sh_yaml_get (map, "listen") : NULL;
    sh_strings_t *list = &self->listen;
    self->said = said != NULL;
    if (list->count == 1 && strcmp (list->items[0], "off") == 0) {
        sh_strings_clear (list);
        return SH_OK;
    }
    if (said && list->count == 0)
        return sh_fail (why, SH_E_CONFIG,
                        "%s:%d: 'metrics.listen' is an empty list; 'off' is no "
                        "listener",
                        path, said->line);
    sh_err_t rc = said ? SH_OK : s_add_default (list);
    for (size_t i = 0; rc == SH_OK && i < list->count; i++)
        rc = s_settle_one (&list->items[i], said, path, why);
    return rc == SH_E_MEMORY ? sh_fail (why, rc, "%s: out of memory", path)
                             : rc;
}
