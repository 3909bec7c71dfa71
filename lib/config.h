/* SPDX-License-Identifier: MPL-2.0 */
/*  Binding of a YAML map to a C struct by a table of fields, so that every
    program's configuration is one table, from which unknown keys, wrong types
    and values out of range are reported with file and line.  */

#ifndef SH_CONFIG_H
#define SH_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "lib/yaml.h"

typedef enum
{
    SH_CONFIG_STR,  /* char *: malloc'ed, replaced if set before */
    SH_CONFIG_UINT, /* uint32_t within [low, high] */
    SH_CONFIG_BOOL, /* bool: true/false/yes/no/on/off */
    SH_CONFIG_ENUM, /* int: index of the text in 'words' */
    SH_CONFIG_LIST, /* sh_strings_t: one text or a list of texts */
    SH_CONFIG_MAP,  /* nested struct at 'offset', described by 'fields' */
    SH_CONFIG_CALL  /* handed to 'call' with the struct and the node */
} sh_config_kind_t;

typedef struct
{
    char **items; /* malloc'ed strings, 'count' of them */
    size_t count;
} sh_strings_t;

typedef struct sh_config_field sh_config_field_t;

struct sh_config_field
{
    const char *key;
    sh_config_kind_t kind;
    size_t offset;
    uint32_t low, high;              /* UINT */
    const char *const *words;        /* ENUM: ends with NULL */
    const sh_config_field_t *fields; /* MAP: ends with a key of NULL */
    sh_err_t (*call) (void *target, const sh_yaml_t *node, const char *path,
                      sh_why_t *why); /* CALL */
};

/*  Set in 'target' what 'map' contains.  Fields that the file leaves out keep
    the value they had.  An unknown key is SH_E_CONFIG "path:line: unknown key
    'x'; known here: a, b, c".  On an error 'target' may be partly set and
    stays the caller's to clear.  */
sh_err_t sh_config_bind (void *target, const sh_config_field_t *fields,
                         const sh_yaml_t *map, const char *path, sh_why_t *why)
    SH_MUST_CHECK;

/*  Read one scalar of a type, for CALL handlers.  */
sh_err_t sh_config_uint (uint32_t *out, const sh_yaml_t *node, const char *key,
                         uint32_t low, uint32_t high, const char *path,
                         sh_why_t *why) SH_MUST_CHECK;
sh_err_t sh_config_bool (bool *out, const sh_yaml_t *node, const char *key,
                         const char *path, sh_why_t *why) SH_MUST_CHECK;
sh_err_t sh_config_str (char **out, const sh_yaml_t *node, const char *key,
                        const char *path, sh_why_t *why) SH_MUST_CHECK;
sh_err_t sh_config_word (int *out, const sh_yaml_t *node, const char *key,
                         const char *const *words, const char *path,
                         sh_why_t *why) SH_MUST_CHECK;

void sh_strings_clear (sh_strings_t *self);

/*  A file in a directory that systemd names in 'variable' (of a list the first
    counts), or without that in 'fallback'.  '*out' is malloc'ed.  SH_E_MEMORY.
 */
sh_err_t sh_config_path_in (char **out, const char *variable,
                            const char *fallback, const char *file)
    SH_MUST_CHECK;

/*  The same in the state directory: $STATE_DIRECTORY, or without that
    LOCALSTATEDIR/lib/scanhub.  */
sh_err_t sh_config_state_path (char **out, const char *file) SH_MUST_CHECK;

/*  The file 'name' in $CREDENTIALS_DIRECTORY, if there is one with more in it
    than an empty line, which a unit can have in the place of what is missing.
    '*out' is malloc'ed, or NULL.  SH_E_MEMORY.  */
sh_err_t sh_config_credential (char **out, const char *name) SH_MUST_CHECK;

/*  Where the file 'name' is that the configuration 'path' names: a name that
    does not begin with / is looked up in $CREDENTIALS_DIRECTORY, and where it
    is not there, beside the configuration.  '*out' is malloc'ed.
    SH_E_MEMORY.  */
sh_err_t sh_config_beside (char **out, const char *path, const char *name)
    SH_MUST_CHECK;

#endif
