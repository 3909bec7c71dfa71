/* SPDX-License-Identifier: MPL-2.0 */

#include "cli/order.h"

#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SILENT_S 5 /* from here on it is said */

typedef struct
{
    const char *key;
    enum { TEXT, NUMBER, SIGNED, FLAG } kind;
    size_t offset;
} field_t;

#define AT(member) offsetof (ctl_order_t, member)

static const field_t s_fields[] = {
    { "state", TEXT, AT (state) },       { "subnet", NUMBER, AT (subnet) },
    { "network", TEXT, AT (network) },   { "scanner", TEXT, AT (scanner) },
    { "kind", TEXT, AT (kind) },         { "done", NUMBER, AT (done) },
    { "total", NUMBER, AT (total) },     { "up", NUMBER, AT (up) },
    { "rate", NUMBER, AT (rate) },       { "complete", FLAG, AT (complete) },
    { "seen", NUMBER, AT (seen) },       { "added", NUMBER, AT (added) },
    { "refused", NUMBER, AT (refused) }, { "age", SIGNED, AT (age) },
    { "silent", SIGNED, AT (silent) },   { "away", FLAG, AT (away) },
    { "cancel", FLAG, AT (cancel) },     { "cause", TEXT, AT (cause) },
};

static void
s_store (ctl_order_t *out, const field_t *field, const char *value)
{
    char *at = (char *) out + field->offset;
    uint64_t number = strtoull (value, NULL, 10);
    int64_t with_sign = strtoll (value, NULL, 10);
    bool flag = strcmp (value, "1") == 0;
    switch (field->kind) {
    case TEXT:
        memcpy (at, &value, sizeof value);
        break;
    case NUMBER:
        memcpy (at, &number, sizeof number);
        break;
    case SIGNED:
        memcpy (at, &with_sign, sizeof with_sign);
        break;
    case FLAG:
        memcpy (at, &flag, sizeof flag);
        break;
    }
}

/*  A word that is not known is of a later hub.  */
static void
s_take_word (ctl_order_t *out, char *word)
{
    char *value = strchr (word, '=');
    if (!value)
        return;
    *value++ = '\0';
    for (size_t i = 0; i < sizeof s_fields / sizeof *s_fields; i++)
        if (strcmp (s_fields[i].key, word) == 0)
            s_store (out, &s_fields[i], value);
}

sh_err_t
ctl_order_parse (ctl_order_t *out, char *line)
{
    assert (out && line);
    line[strcspn (line, "\n")] = '\0';
    char *text = strstr (line, " text=");
    ctl_order_t order = { .state = "", .network = "", .scanner = "",
                          .kind = "", .cause = "", .text = "" };
    if (!text)
        return SH_E_SYNTAX;
    *text = '\0';
    order.text = text + sizeof " text=" - 1;
    order.name = strsep (&line, " ");
    for (char *word; (word = strsep (&line, " "));)
        s_take_word (&order, word);
    if (!*order.name || !*order.state || order.subnet == 0)
        return SH_E_SYNTAX;
    *out = order;
    return SH_OK;
}

static bool
s_is (const ctl_order_t *self, const char *state)
{
    return strcmp (self->state, state) == 0;
}

bool
ctl_order_is_answered (const ctl_order_t *self)
{
    return !s_is (self, "sent");
}

bool
ctl_order_is_over (const ctl_order_t *self)
{
    return s_is (self, "done") || s_is (self, "failed")
           || s_is (self, "cancelled") || s_is (self, "lost");
}

/*  Why the numbers may be old; "" if they are not.  Only a scanner that is
    probing says something every second.  */
static void
s_doubt (char *out, size_t size, const ctl_order_t *self)
{
    out[0] = '\0';
    if (self->away)
        snprintf (out, size, ", the scanner is not connected");
    else if (s_is (self, "probing") && self->silent > SILENT_S)
        snprintf (out, size, ", nothing heard for %" PRId64 " s",
                  self->silent);
}

void
ctl_order_progress (char *out, size_t size, const ctl_order_t *self)
{
    /*  The doubt goes first, for the end may be cut off.  */
    char doubt[64], numbers[96] = "", rate[32] = "";
    s_doubt (doubt, sizeof doubt, self);
    if (self->total > 0)
        snprintf (numbers, sizeof numbers,
                  ", %3.0f %% of %" PRIu64 ", %" PRIu64 " up",
                  100.0 * (double) self->done / (double) self->total,
                  self->total, self->up);
    if (self->rate > 0 && !*doubt)
        snprintf (rate, sizeof rate, ", %" PRIu64 "/s", self->rate);
    snprintf (out, size, "%s%s%s%s%s", self->state,
              self->cancel ? ", to be cancelled" : "", doubt, numbers, rate);
}

void
ctl_order_verdict (char *out, size_t size, const ctl_order_t *self)
{
    const char *because = *self->text ? self->text : self->cause;
    if (s_is (self, "done"))
        snprintf (out, size,
                  "%s: %" PRIu64 " of %" PRIu64 " addresses answered; in "
                  "phpIPAM %" PRIu64 " confirmed, %" PRIu64 " added, %" PRIu64
                  " refused%s%s",
                  self->complete ? "done" : "done, not complete", self->up,
                  self->total, self->seen, self->added, self->refused,
                  *because ? "; " : "", because);
    else if (s_is (self, "lost"))
        snprintf (out, size, "what became of it cannot be known: %s", because);
    else
        snprintf (out, size, "%s%s%s", self->state, *because ? ": " : "",
                  because);
}
