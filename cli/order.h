/* SPDX-License-Identifier: MPL-2.0 */
/*  What the hub says about an ordered scan: a line of words key=value, see
    hub/foreman.h.  */

#ifndef CTL_ORDER_H
#define CTL_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

/*  Texts are borrowed from the line.  */
typedef struct
{
    const char *name, *state, *network, *scanner, *kind, *cause, *text;
    uint64_t subnet, done, total, up, rate, seen, added, refused;
    int64_t age, silent; /* seconds */
    bool complete, away, cancel;
} ctl_order_t;

/*  'line' is cut up.  SH_E_SYNTAX.  */
sh_err_t ctl_order_parse (ctl_order_t *out, char *line) SH_MUST_CHECK;

/*  Has the scanner taken it; is it over?  */
bool ctl_order_is_answered (const ctl_order_t *self);
bool ctl_order_is_over (const ctl_order_t *self);

/*  How far it is, without a line end: "probing, 40 % of 254, 3 up, 980/s", or
    with "nothing heard for 9 s" where the rate would mislead.  */
void ctl_order_progress (char *out, size_t size, const ctl_order_t *self);

/*  How it ended, likewise.  */
void ctl_order_verdict (char *out, size_t size, const ctl_order_t *self);

#endif
