/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/foreman.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/reply.h"
#include "lib/control.h"
#include "lib/log.h"
#include "lib/span.h"

static int64_t
s_now (const hub_foreman_t *self)
{
    return sh_clock_mono (self->clock);
}

static char *
s_word (char **rest)
{
    return strsep (rest, "\n");
}

/*  The order goes to this session.  */
static void
s_send_scan (const hub_foreman_t *self, hub_session_t *session,
             const hub_order_t *order)
{
    const sp_message_t message = {
        .type = SP_SCAN,
        .u.scan = {
            .id = { order->id, SP_ORDER_ID },
            .subnet = order->subnet,
            .kind = order->kind,
        },
    };
    hub_speech_say (self->speech, session, &message);
}

static void
s_send_cancel (const hub_foreman_t *self, hub_session_t *session,
               const hub_order_t *order)
{
    const sp_message_t message = {
        .type = SP_CANCEL,
        .u.cancel = { .id = { order->id, SP_ORDER_ID } },
    };
    hub_speech_say (self->speech, session, &message);
}

static void
s_log (const char *what, const hub_order_t *order)
{
    sh_log (SH_LOG_NOTICE, what, SH_STR ("order", order->name),
            SH_STR ("scanner", order->scanner),
            SH_INT ("subnet", order->subnet), SH_STR ("network", order->cidr),
            SH_STR ("cause", order->cause), SH_STR ("text", order->text));
}

static void
s_tell_away (const hub_foreman_t *self, const char *key, const char *name,
             hub_reply_t *reply)
{
    char span[SH_SPAN_TEXT];
    int64_t heard = hub_sessions_last_heard (self->speech->sessions, key);
    if (heard < 0) {
        hub_reply_only (reply,
                        "error scanner %s is not connected, and has not been "
                        "since this hub started; is scanhub-scanner running "
                        "there?", name);
        return;
    }
    sh_span_about (span, (s_now (self) - heard) / 1000);
    hub_reply_only (reply,
                    "error scanner %s is not connected; it was last heard %s "
                    "ago", name, span);
}

/*  The first of the scanners who is there and takes orders; else what is wrong
    with the last is the answer.  */
static hub_session_t *
s_choose (const hub_foreman_t *self, char *scanners, hub_order_t *what,
          hub_reply_t *reply)
{
    const char *key, *name;
    while ((key = s_word (&scanners)) && (name = s_word (&scanners))) {
        hub_session_t *session
            = hub_sessions_find (self->speech->sessions, key);
        if (session && session->orders) {
            snprintf (what->key, sizeof what->key, "%s", key);
            snprintf (what->scanner, sizeof what->scanner, "%s", name);
            return session;
        }
        if (session)
            hub_reply_only (reply,
                            "error scanner %s " HUB_FOREMAN_OLD, name);
        else if (reply->used == 0)
            s_tell_away (self, key, name, reply);
    }
    return NULL;
}

/*  The open order of a subnet whose scanner is none of these any more, because
    phpIPAM gave the subnet to another agent or the registry changed; NULL.  */
static hub_order_t *
s_outdated (const hub_foreman_t *self, uint64_t subnet, const char *scanners)
{
    hub_order_t *order = hub_orders_of (self->orders, subnet);
    size_t size = order ? strlen (order->key) : 0;
    for (const char *at = scanners; order && at;) {
        if (strncmp (at, order->key, size) == 0 && at[size] == '\n')
            return NULL;
        at = strchr (at, '\n'); /* a name follows, which is passed over */
        at = at ? strchr (at + 1, '\n') : NULL;
        at = at ? at + 1 : NULL;
    }
    return order;
}

/*  It is in the way of no other order.  */
static void
s_give_up (const hub_foreman_t *self, hub_order_t *order)
{
    hub_session_t *session
        = hub_sessions_find (self->speech->sessions, order->key);
    if (!order->cancel)
        order->cancel = s_now (self);
    hub_order_expire (order, s_now (self), SH_E_SUBNET_NOT_ASSIGNED,
                      "the subnet belongs to another scanner by now");
    s_log ("an ordered scan is given up", order);
    if (session)
        s_send_cancel (self, session, order);
}

static void
s_scan (const hub_foreman_t *self, char *rest, hub_reply_t *reply)
{
    const char *subnet = s_word (&rest), *kind = s_word (&rest);
    const char *cidr = s_word (&rest);
    hub_order_t what = { 0 }, *order = NULL;
    if (!cidr || !rest || (what.kind = sp_kind_of (kind)) == SP_KIND_COUNT)
        return;
    what.subnet = strtoull (subnet, NULL, 10);
    snprintf (what.cidr, sizeof what.cidr, "%s", cidr);
    hub_order_t *outdated = s_outdated (self, what.subnet, rest);
    if (outdated)
        s_give_up (self, outdated);
    hub_session_t *session = s_choose (self, rest, &what, reply);
    if (!session)
        return;
    sh_err_t rc = hub_orders_open (self->orders, &what, s_now (self), &order);
    if (rc == SH_E_SCAN_RUNNING)
        hub_reply_only (reply,
                        "error subnet %s is being scanned already: order %s",
                        subnet, order->name);
    else if (rc == SH_E_OVERLOAD)
        hub_reply_only (reply, "error %d ordered scans are open already; wait "
                               "for some to end", HUB_ORDERS_MOST);
    else if (rc != SH_OK)
        hub_reply_only (reply, "error %s", sh_err_text (rc));
    if (rc != SH_OK)
        return;
    s_log ("a scan was ordered", order);
    hub_reply_only (reply, "ok %s %s", order->name, order->scanner);
    s_send_scan (self, session, order);
    if (hub_sessions_find (self->speech->sessions, order->key))
        return;
    hub_order_end (order, HUB_ORDER_FAILED, s_now (self), SH_E_DISCONNECTED,
                   "the scanner is not connected any more");
    s_tell_away (self, order->key, order->scanner, reply);
}

static void
s_add_line (const hub_foreman_t *self, const hub_order_t *order,
            hub_reply_t *reply)
{
    int64_t now = s_now (self);
    hub_reply_add (
        reply,
        "%s state=%s subnet=%llu network=%s scanner=%s kind=%s done=%llu "
        "total=%llu up=%llu rate=%llu complete=%d seen=%llu added=%llu "
        "refused=%llu age=%lld silent=%lld away=%d cancel=%d cause=%s text=",
        order->name, hub_order_word (order->state),
        (unsigned long long) order->subnet, order->cidr, order->scanner,
        sp_kind_word (order->kind), (unsigned long long) order->done,
        (unsigned long long) order->total, (unsigned long long) order->up,
        (unsigned long long) order->rate, order->complete,
        (unsigned long long) order->seen, (unsigned long long) order->added,
        (unsigned long long) order->refused,
        (long long) (now - order->ordered) / 1000,
        order->heard ? (long long) (now - order->heard) / 1000 : -1,
        order->away != 0, order->cancel != 0, order->cause);
    hub_reply_outside (reply, order->text);
    hub_reply_add (reply, "\n");
}

static void
s_order (const hub_foreman_t *self, char *rest, hub_reply_t *reply)
{
    const hub_order_t *order
        = rest ? hub_orders_find (self->orders, rest) : NULL;
    if (!order) {
        hub_reply_only (reply, "error no such order; this hub knows those "
                               "since its start, up to an hour after their "
                               "end");
        return;
    }
    hub_reply_only (reply, "ok ");
    s_add_line (self, order, reply);
}

static void
s_orders (const hub_foreman_t *self, char *rest, hub_reply_t *reply)
{
    (void) rest;
    const hub_order_t *order;
    hub_reply_only (reply, "ok\n");
    for (size_t i = 0; (order = hub_orders_at (self->orders, i)); i++)
        if (hub_reply_room (reply) > 2 * HUB_ORDER_TEXT + 512)
            s_add_line (self, order, reply);
}

/*  By its name, or the open one of a subnet.  */
static hub_order_t *
s_find (const hub_foreman_t *self, const char *word)
{
    hub_order_t *order = hub_orders_find (self->orders, word);
    if (!order && word[0] != 's')
        order = hub_orders_of (self->orders, strtoull (word, NULL, 10));
    return order;
}

static void
s_cancel (const hub_foreman_t *self, char *rest, hub_reply_t *reply)
{
    hub_order_t *order = rest ? s_find (self, rest) : NULL;
    if (!order) {
        hub_reply_only (reply, "error no ordered scan of that is open");
        return;
    }
    if (!hub_order_is_open (order)) {
        hub_reply_only (reply, "error order %s is over already: %s",
                        order->name, hub_order_word (order->state));
        return;
    }
    if (!order->cancel) /* asking again gives it no more time */
        order->cancel = s_now (self);
    s_log ("an ordered scan is to be cancelled", order);
    hub_session_t *session
        = hub_sessions_find (self->speech->sessions, order->key);
    if (session)
        s_send_cancel (self, session, order);
    else if (order->state == HUB_ORDER_SENT)
        hub_order_end (order, HUB_ORDER_CANCELLED, s_now (self),
                       SH_E_CANCELLED, "the scanner never took it");
    hub_reply_only (reply, "ok %s %s", order->name,
                    session ? "told"
                            : "the scanner is away; it is told when it is "
                              "back");
}

static void
s_seen (const hub_foreman_t *self, char *rest, hub_reply_t *reply)
{
    hub_sessions_t *sessions = self->speech->sessions;
    for (const char *key; (key = s_word (&rest));) {
        const hub_session_t *session = hub_sessions_find (sessions, key);
        int64_t heard = hub_sessions_last_heard (sessions, key);
        if (session)
            hub_reply_add (reply, "%s %s\n",
                           session->orders ? "connected" : "old",
                           session->peer);
        else if (heard >= 0)
            hub_reply_add (reply, "away %lld\n",
                           (long long) (s_now (self) - heard) / 1000);
        else
            hub_reply_add (reply, "unknown\n");
    }
}

static const struct
{
    const char *word;
    void (*answer) (const hub_foreman_t *self, char *rest, hub_reply_t *reply);
} s_commands[] = {
    { "SCAN", s_scan },     { "ORDER", s_order }, { "ORDERS", s_orders },
    { "CANCEL", s_cancel }, { "SEEN", s_seen },
};

char *
hub_foreman_answer (const hub_foreman_t *self, char *command)
{
    assert (self && command);
    char *rest = command;
    const char *word = s_word (&rest);
    for (size_t i = 0; i < sizeof s_commands / sizeof *s_commands; i++) {
        if (strcmp (s_commands[i].word, word) != 0)
            continue;
        char *text = malloc (SH_CONTROL_ANSWER_MOST);
        hub_reply_t reply;
        if (!text)
            return NULL;
        hub_reply_start (&reply, text, SH_CONTROL_ANSWER_MOST);
        s_commands[i].answer (self, rest, &reply);
        return text;
    }
    return NULL;
}

void
hub_foreman_hear (const hub_foreman_t *self, const hub_principal_t *who,
                  const sp_progress_t *word)
{
    const hub_order_t *order
        = hub_orders_take (self->orders, who->key, word, s_now (self));
    if (!order)
        sh_log (SH_LOG_DEBUG, "progress of no order that goes on",
                SH_STR ("scanner", who->name));
    else if (!hub_order_is_open (order))
        s_log (order->state == HUB_ORDER_DONE ? "an ordered scan is done"
               : order->state == HUB_ORDER_FAILED
                   ? "an ordered scan has failed"
                   : "an ordered scan was cancelled",
               order);
}

void
hub_foreman_greet (const hub_foreman_t *self, hub_session_t *session)
{
    hub_order_t *order;
    char key[SH_KEY_TEXT];
    memcpy (key, session->key, sizeof key);
    for (size_t i = 0; (order = hub_orders_at (self->orders, i)); i++) {
        bool open = hub_order_is_open (order);
        if ((!open && order->state != HUB_ORDER_LOST)
            || strcmp (order->key, key) != 0)
            continue;
        if (open) {
            order->away = 0;
            order->greeted = s_now (self);
        }
        /*  It may still scan what was called lost here.  */
        session = hub_sessions_find (self->speech->sessions, key);
        if (order->cancel && session)
            s_send_cancel (self, session, order);
    }
}

void
hub_foreman_watch (const hub_foreman_t *self)
{
    hub_order_t *order;
    int64_t now = s_now (self);
    for (size_t i = 0; (order = hub_orders_at (self->orders, i)); i++)
        if (hub_order_is_open (order) && !order->away
            && !hub_sessions_find (self->speech->sessions, order->key))
            order->away = now;
    hub_orders_expire (self->orders, now);
}

size_t
hub_foreman_open (const hub_foreman_t *self)
{
    const hub_order_t *order;
    size_t open = 0;
    for (size_t i = 0; (order = hub_orders_at (self->orders, i)); i++)
        open += hub_order_is_open (order);
    return open;
}
