/* SPDX-License-Identifier: MPL-2.0 */
/*  What a command reads of the hub's documents.  A field that is missing, or of
    another kind, is empty: the hub may be older.  */

#ifndef CTL_FIELD_H
#define CTL_FIELD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/*  Never NULL; borrowed from 'object'.  */
const char *ctl_field_text (const json_t *object, const char *key);
/*  NULL where there is none.  */
const char *ctl_field_text_or_null (const json_t *object, const char *key);
int64_t ctl_field_number (const json_t *object, const char *key);
bool ctl_field_true (const json_t *object, const char *key);
bool ctl_field_is (const json_t *object, const char *key, const char *text);

#endif
