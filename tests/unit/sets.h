/* SPDX-License-Identifier: MPL-2.0 */
/*  Addresses and sets of them as texts, for tests of what probes.  Whatever
    cannot be read fails the test.  */

#ifndef TESTS_SETS_H
#define TESTS_SETS_H

#include "lib/ranges.h"

sh_addr_t set_ip (const char *text);
sh_prefix_t set_prefix (const char *text);

/*  What sh_ranges_add says of a range.  */
sh_err_t set_add (sh_ranges_t *self, const char *first, const char *last)
    SH_MUST_CHECK;

/*  Append these, in any order: "10.0.0.9 10.0.0.0/30".  */
void set_append (sh_ranges_t *self, const char *texts);

/*  "10.0.0.1-10.0.0.9 10.0.0.20", ascending; "" is the empty set.  What was in
    '*out' is not freed.  */
void set_read (sh_ranges_t *out, const char *text);

/*  The same way round, "a-b c-d"; valid until the next call.  */
const char *set_show (const sh_ranges_t *self);

#endif
