/* SPDX-License-Identifier: MPL-2.0 */
/*  Any bytes as a YAML file: read, then bound to a struct.  What comes out of
    the reader must keep what its header promises.  */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/config.h"
#include "lib/yaml.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

typedef struct
{
    char *host;
    uint32_t port;
    bool ipv6;
    int mode;
    sh_strings_t names;
    uint32_t depth;
} target_t;

static const char *const s_words[] = { "off", "preferred", "verify", NULL };

static const sh_config_field_t s_inner[] = {
    { .key = "depth", .kind = SH_CONFIG_UINT, .high = 9 },
    { .key = NULL },
};

static const sh_config_field_t s_fields[] = {
    { .key = "host",
      .kind = SH_CONFIG_STR,
      .offset = offsetof (target_t, host) },
    { .key = "port",
      .kind = SH_CONFIG_UINT,
      .offset = offsetof (target_t, port),
      .low = 1,
      .high = 65535 },
    { .key = "ipv6",
      .kind = SH_CONFIG_BOOL,
      .offset = offsetof (target_t, ipv6) },
    { .key = "mode",
      .kind = SH_CONFIG_ENUM,
      .offset = offsetof (target_t, mode),
      .words = s_words },
    { .key = "names",
      .kind = SH_CONFIG_LIST,
      .offset = offsetof (target_t, names) },
    { .key = "tls",
      .kind = SH_CONFIG_MAP,
      .offset = offsetof (target_t, depth),
      .fields = s_inner },
    { .key = NULL },
};

static void
s_require (bool holds)
{
    if (!holds)
        abort ();
}

/*  The number of values at and below 'node'.  */
static size_t
s_walk (const sh_yaml_t *node, int depth)
{
    size_t nodes = 1;
    bool parent = node->kind == SH_YAML_LIST || node->kind == SH_YAML_MAP;
    s_require (node->line >= 1 && depth <= (parent ? 15 : 16));
    s_require ((node->kind == SH_YAML_TEXT) == (node->text != NULL));
    s_require (parent || node->count == 0);
    s_require (!node->text || !strstr (node->text, "{{"));
    for (size_t i = 0; i < node->count; i++) {
        if (node->kind == SH_YAML_MAP)
            s_require (sh_yaml_get (node, node->keys[i]) == node->items[i]);
        nodes += s_walk (node->items[i], depth + 1);
    }
    return nodes;
}

static void
s_bind (const sh_yaml_t *root)
{
    target_t target = { .port = 5766, .depth = 1 };
    sh_why_t why = { "" };
    sh_err_t rc = sh_config_bind (&target, s_fields, root, "fuzz", &why);
    s_require (rc == SH_OK || (rc == SH_E_CONFIG && why.text[0]));
    s_require (target.port >= 1 && target.port <= 65535);
    s_require (target.mode >= 0 && target.mode <= 2 && target.depth <= 9);
    free (target.host);
    sh_strings_clear (&target.names);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    sh_yaml_t *root = NULL;
    sh_why_t why = { "" };
    sh_err_t rc
        = sh_yaml_parse (&root, (const char *) data, size, "fuzz", &why);
    if (rc == SH_OK) {
        s_require (s_walk (root, 0) <= 10000);
        s_bind (root);
    }
    else
        s_require (rc == SH_E_CONFIG && !root
                   && strncmp (why.text, "fuzz:", 5) == 0);
    sh_yaml_destroy (&root);
    return 0;
}
