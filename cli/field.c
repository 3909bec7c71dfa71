/* SPDX-License-Identifier: MPL-2.0 */

#include "cli/field.h"

#include <string.h>

const char *
ctl_field_text_or_null (const json_t *object, const char *key)
{
    return json_string_value (json_object_get (object, key));
}

const char *
ctl_field_text (const json_t *object, const char *key)
{
    const char *text = ctl_field_text_or_null (object, key);
    return text ? text : "";
}

int64_t
ctl_field_number (const json_t *object, const char *key)
{
    return json_integer_value (json_object_get (object, key));
}

bool
ctl_field_true (const json_t *object, const char *key)
{
    return json_is_true (json_object_get (object, key));
}

bool
ctl_field_is (const json_t *object, const char *key, const char *text)
{
    return strcmp (ctl_field_text (object, key), text) == 0;
}
