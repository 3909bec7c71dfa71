/* SPDX-License-Identifier: MPL-2.0 */
/*  One value for each file in tests/golden, and the comparison of messages
    field by field.  */

#ifndef TESTS_SAMPLES_H
#define TESTS_SAMPLES_H

#include "scanner-proto/message.h"

typedef struct
{
    const char *name; /* tests/golden/NAME.hex */
    sp_message_t message;
} sample_t;

extern const sample_t samples[];
extern const size_t sample_count;

/*  The sample of that name; it must exist.  */
const sp_message_t *sample_get (const char *name);

/*  The first field in which two messages differ, or NULL.  */
const char *sample_difference (const sp_message_t *a, const sp_message_t *b);

#endif
