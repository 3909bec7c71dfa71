/* SPDX-License-Identifier: MPL-2.0 */
/*  YAML files as a tree, read strictly: one document in UTF-8, at most 256
    KiB, 16 nested lists and maps and 10,000 values; duplicate keys, aliases,
    anchors, merge keys, tags (such as Ansible's !vault), keys that are no text
    and '{{' in any text (Jinja), unless it may be a CURVE key in single
    quotes, are errors that name file and line.  Scalars stay text; it is the
    reader of a field who knows its type.  */

#ifndef SH_YAML_H
#define SH_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

typedef struct sh_yaml sh_yaml_t;

typedef enum
{
    SH_YAML_NULL, /* nothing, ~, null, Null or NULL, unquoted */
    SH_YAML_TEXT,
    SH_YAML_LIST,
    SH_YAML_MAP
} sh_yaml_kind_t;

struct sh_yaml
{
    sh_yaml_kind_t kind;
    int line;          /* from 1 */
    char *text;        /* TEXT only */
    bool quoted;       /* TEXT only: was it in quotes? */
    char **keys;       /* MAP only, 'count' of them */
    int *key_lines;    /* MAP only: the lines of the keys */
    sh_yaml_t **items; /* LIST and MAP */
    size_t count;
};

/*  Parse a file.  '*out' is the document's root (an empty document is a map
    without keys); the caller destroys it.  SH_E_CONFIG with file:line;
    SH_E_NOT_FOUND and SH_E_IO as sh_file_read.  */
sh_err_t sh_yaml_load (sh_yaml_t **out, const char *path, sh_why_t *why)
    SH_MUST_CHECK;

/*  The same from memory; 'label' stands for the path in messages.  */
sh_err_t sh_yaml_parse (sh_yaml_t **out, const char *text, size_t size,
                        const char *label, sh_why_t *why) SH_MUST_CHECK;

/*  Wipes all text, for a password may be in it.  */
void sh_yaml_destroy (sh_yaml_t **self_p);

/*  The value of 'key' in a map; NULL if there is none or 'self' is NULL or no
    map.  */
const sh_yaml_t *sh_yaml_get (const sh_yaml_t *self, const char *key);

/*  Name and version of the library, for --version; static.  */
const char *sh_yaml_library (void);

#endif
