/* SPDX-License-Identifier: MPL-2.0 */

#include "shim/door.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "scanner-proto/codec.h"
#include "shim/answer.h"

/*  A request that somebody waits for, on its way as a report.  */
typedef struct pending pending_t;

struct pending
{
    pending_t *next;
    sm_door_t *door;
    char label[SM_TOKEN_LABEL + 1];
    sm_request_t *request;
    sm_legacy_t *legacy;
    sp_delivery_t *delivery;
    bool begun;       /* parts of it may be on their way */
    int64_t deadline; /* mono ms: then it is spooled */
    sm_refused_t refused[SM_REFUSED_MOST];
    size_t refused_count;
};

struct sm_door
{
    sm_door_options_t options;
    pending_t *pending;
    size_t count;
    sp_outbox_t *outbox; /* what was spooled */
    int64_t offset;      /* the hub's clock minus ours, as last known */
};

static int64_t
s_mono (const sm_door_t *self)
{
    return sh_clock_mono (self->options.clock);
}

/*  What waited in the spool has got its verdict.  */
static void
s_ended (void *context, const sp_outbox_end_t *end)
{
    (void) context;
    sh_log (end->refused ? SH_LOG_WARNING : SH_LOG_NOTICE,
            end->refused ? "queued report refused" : "queued report delivered",
            SH_STR ("token", end->label), SH_STR ("cidr", end->report->cidr),
            SH_STR ("cause", end->sum->cause));
}

sh_err_t
sm_door_new (sm_door_t **out, const sm_door_options_t *options)
{
    assert (out && options && options->clock && options->courier.wait
            && options->courier.send);
    sm_door_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    self->options = *options;
    sp_outbox_options_t outbox = { .spool = options->spool,
                                   .clock = options->clock,
                                   .ended = s_ended };
    sh_err_t rc = sp_outbox_new (&self->outbox, &outbox);
    if (rc == SH_OK)
        *out = self;
    else
        free (self);
    return rc;
}

static void
s_free (pending_t *self)
{
    sp_delivery_destroy (&self->delivery);
    sm_legacy_destroy (&self->legacy);
    free (self);
}

static void
s_unlink (sm_door_t *self, pending_t *one)
{
    pending_t **at = &self->pending;
    while (*at != one)
        at = &(*at)->next;
    *at = one->next;
    self->count--;
}

static void
s_answer (sm_door_t *self, pending_t *one, const sm_fate_t *fate)
{
    sm_answer (one->request, fate, self->options.refusals_as_status);
}

/*  On disk, or nowhere.  */
static void
s_spool (sm_door_t *self, pending_t *one)
{
    sm_fate_t fate = {
        .kind = SM_FATE_BUSY,
        .refused = one->refused,
        .refused_count = one->refused_count,
        .refused_total = one->legacy->refused_count,
    };
    const sp_report_t *report = &one->legacy->report;
    sh_err_t rc = sp_outbox_put (self->outbox, one->label, report,
                                 SP_EPOCH_HUB, NULL, NULL);
    if (rc == SH_OK)
        fate.kind = SM_FATE_QUEUED;
    sh_log (rc == SH_OK ? SH_LOG_NOTICE : SH_LOG_ERROR,
            rc == SH_OK ? "report queued on disk" : "report could not be kept",
            SH_STR ("token", one->label),
            SH_STR ("cidr", report->cidr),
            SH_STR ("cause", sh_err_word (rc)));
    s_answer (self, one, &fate);
    s_unlink (self, one);
    s_free (one);
}

void
sm_door_destroy (sm_door_t **self_p)
{
    sm_door_t *self = *self_p;
    if (!self)
        return;
    while (self->pending)
        s_spool (self, self->pending);
    sp_outbox_destroy (&self->outbox);
    free (self);
    *self_p = NULL;
}

static void
s_refuse_early (sm_door_t *self, sm_request_t *request, sh_err_t rc,
                const sh_why_t *why)
{
    const char *text = *why->text ? why->text : sh_err_text (rc);
    sh_log (SH_LOG_WARNING, "HTTP report refused",
            SH_STR ("token", sm_request_who (request)->label),
            SH_STR ("peer", sm_request_peer (request)),
            SH_STR ("cause", sh_err_word (rc)), SH_STR ("text", text));
    sm_fate_t fate = {
        .kind = rc == SH_E_SYNTAX ? SM_FATE_INVALID : SM_FATE_REFUSED,
        .cause = rc,
        .text = text,
    };
    sh_class_t class = sh_err_class (rc);
    if (rc != SH_E_SYNTAX && class != SH_CLASS_PEER
        && class != SH_CLASS_DENIED)
        fate.kind = SM_FATE_BUSY; /* our fault: it must come again */
    sm_answer (request, &fate, self->options.refusals_as_status);
}

/*  A token may be bound to codes; the hub checks all the rest.  */
static sh_err_t
s_check_code (const sm_principal_t *who, const char *code)
{
    for (size_t i = 0; i < who->code_count; i++)
        if (strcmp (who->codes[i], code) == 0)
            return SH_OK;
    return who->code_count ? SH_E_CODE_DENIED : SH_OK;
}

/*  Now, by the hub's clock.  The hosts' times are the legacy scanner's own, so
    all that a report has of ours is when it came in, and that is brought to the
    hub's time here: no offset of ours may touch the rest.  */
static int64_t
s_hub_now (sm_door_t *self)
{
    const sm_courier_t *courier = &self->options.courier;
    if (courier->is_up (courier->context))
        self->offset = courier->offset (courier->context);
    return sh_clock_wall (self->options.clock) + self->offset;
}

static sh_err_t
s_open (sm_door_t *self, pending_t *one, sm_request_t *request, sh_why_t *why)
{
    size_t size;
    const char *body = sm_request_body (request, &size);
    const sm_principal_t *who = sm_request_who (request);
    sh_err_t rc = sm_legacy_parse (&one->legacy, body, size,
                                   s_hub_now (self), why);
    if (rc == SH_OK)
        rc = s_check_code (who, one->legacy->report.code);
    if (rc == SH_OK)
        rc = sp_delivery_new (&one->delivery, &one->legacy->report,
                              self->options.clock);
    if (rc != SH_OK)
        return rc;
    sp_delivery_settle (one->delivery, 0, SP_WINDOW);
    snprintf (one->label, sizeof one->label, "%s", who->label);
    for (size_t i = 0; i < one->legacy->refused_named; i++)
        one->refused[one->refused_count++] = one->legacy->refused[i];
    return SH_OK;
}

/*  In the order in which they came.  */
static void
s_append (sm_door_t *self, pending_t *one)
{
    pending_t **at = &self->pending;
    while (*at)
        at = &(*at)->next;
    *at = one;
}

void
sm_door_take (void *context, sm_request_t *request)
{
    sm_door_t *self = context;
    sh_why_t why = { "" };
    pending_t *one = calloc (1, sizeof *one);
    sh_err_t rc = one ? s_open (self, one, request, &why) : SH_E_MEMORY;
    if (rc != SH_OK) {
        s_refuse_early (self, request, rc, &why);
        if (one)
            s_free (one);
        return;
    }
    one->door = self;
    one->request = request;
    one->deadline = s_mono (self) + SM_VERDICT_MS;
    s_append (self, one);
    self->count++;
    if (self->count > SM_PENDING_MOST)
        s_spool (self, one);
}

/*  Hosts that the hub refused, for the answer.  */
static void
s_note_refused (pending_t *self, const sp_verdict_t *verdict)
{
    for (size_t i = 0; i < verdict->refused_named
                       && self->refused_count < SM_REFUSED_MOST;
         i++) {
        sm_refused_t *to = &self->refused[self->refused_count++];
        sh_addr_t ip;
        if (sh_addr_from_bytes (&ip, verdict->refused[i].ip) == SH_OK) {
            char text[SH_ADDR_TEXT];
            sh_addr_text (&ip, text);
            snprintf (to->ip, sizeof to->ip, "%s", text);
        }
        to->cause = sh_err_from_word (verdict->refused[i].cause);
    }
}

/*  Show an event to everybody it may concern.  */
static void
s_show (sm_door_t *self, const sp_event_t *event)
{
    const sp_message_t *message = event->message;
    if (sp_outbox_take (self->outbox, event))
        return;
    for (pending_t *one = self->pending; one; one = one->next) {
        bool ours = sp_delivery_take (one->delivery, event);
        if (ours && message && message->type == SP_VERDICT) {
            s_note_refused (one, &message->u.verdict);
            break;
        }
    }
}

static sh_err_t
s_send (void *context, const sp_message_t *part)
{
    pending_t *one = context;
    const sm_courier_t *courier = &one->door->options.courier;
    return courier->send (courier->context, one->label, part);
}

static void
s_conclude_request (sm_door_t *self, pending_t *one)
{
    const sp_delivery_sum_t *sum = sp_delivery_sum (one->delivery);
    bool refused = sp_delivery_state (one->delivery) == SP_DELIVERY_REFUSED;
    sm_fate_t fate = {
        .kind = refused ? SM_FATE_REFUSED : SM_FATE_APPLIED,
        .cause = refused ? sh_err_from_word (sum->cause) : SH_OK,
        .text = sum->text,
        .sum = refused ? NULL : sum,
        .refused = one->refused,
        .refused_count = one->refused_count,
        .refused_total = sum->refused + one->legacy->refused_count,
    };
    if (refused)
        sh_log (SH_LOG_WARNING, "HTTP report refused",
                SH_STR ("token", one->label),
                SH_STR ("peer", sm_request_peer (one->request)),
                SH_STR ("cidr", one->legacy->report.cidr),
                SH_STR ("cause", sum->cause), SH_STR ("text", sum->text));
    s_answer (self, one, &fate);
}

static bool
s_same_subnet (const pending_t *a, const pending_t *b)
{
    const sp_report_t *x = &a->legacy->report, *y = &b->legacy->report;
    return strcmp (a->label, b->label) == 0 && strcmp (x->code, y->code) == 0
           && strcmp (x->cidr, y->cidr) == 0;
}

/*  Would it overtake an earlier request of its subnet?  That would come too
    late then, and its new hosts get no row.  */
static bool
s_is_behind (const sm_door_t *self, const pending_t *one)
{
    for (const pending_t *other = self->pending; other != one;
         other = other->next)
        if (s_same_subnet (other, one))
            return true;
    return false;
}

/*  May it be sent, or has it to wait, or to go to the spool behind what waits
    there?  False if it is not to be sent now; it may be gone then.  */
static bool
s_may_begin (sm_door_t *self, pending_t *one)
{
    if (one->begun)
        return true;
    if (s_mono (self) >= one->deadline
        || sp_outbox_waits (self->outbox, one->label, &one->legacy->report)) {
        s_spool (self, one);
        return false;
    }
    one->begun = !s_is_behind (self, one);
    return one->begun;
}

static void
s_push (sm_door_t *self, pending_t *one)
{
    if (!s_may_begin (self, one))
        return;
    const sm_courier_t *courier = &self->options.courier;
    sp_outlet_t outlet = {
        .context = one,
        .send = s_send,
        .up = courier->is_up (courier->context),
        .offset = courier->offset (courier->context),
    };
    if (sp_delivery_push (one->delivery, &outlet) != SH_OK)
        sh_log (SH_LOG_DEBUG, "a part was not sent",
                SH_STR ("token", one->label));
    if (sp_delivery_state (one->delivery) != SP_DELIVERY_RUNNING) {
        s_conclude_request (self, one);
        s_unlink (self, one);
        s_free (one);
    } else if (s_mono (self) >= one->deadline)
        s_spool (self, one);
}

static void
s_push_spooled (sm_door_t *self)
{
    const sm_courier_t *courier = &self->options.courier;
    const sp_outbox_way_t way = {
        .send = courier->send,
        .context = courier->context,
        .up = courier->is_up (courier->context),
        .offset = courier->offset (courier->context),
    };
    sp_outbox_push (self->outbox, &way);
}

static int
s_sooner (int a, int64_t b)
{
    if (b < 0)
        b = 0;
    return a < 0 || b < a ? (int) b : a;
}

/*  How long nothing will have to be done.  */
static int
s_timeout (const sm_door_t *self, const sm_http_t *http, int timeout)
{
    int64_t now = s_mono (self);
    int http_timeout = sm_http_timeout (http);
    if (http_timeout >= 0)
        timeout = s_sooner (timeout, http_timeout);
    for (const pending_t *one = self->pending; one; one = one->next) {
        /*  One that waits behind another begins when that has ended.  */
        int due = one->begun ? sp_delivery_timeout (one->delivery) : -1;
        if (due >= 0)
            timeout = s_sooner (timeout, due);
        timeout = s_sooner (timeout, one->deadline - now);
    }
    int spooled = sp_outbox_timeout (self->outbox);
    if (spooled >= 0)
        timeout = s_sooner (timeout, spooled);
    return timeout;
}

sh_err_t
sm_door_step (sm_door_t *self, sm_http_t *http, int timeout)
{
    const sm_courier_t *courier = &self->options.courier;
    sp_event_t event = { 0 };
    sh_err_t rc
        = courier->wait (courier->context, sm_http_fd (http),
                         s_timeout (self, http, timeout), &event);
    if (rc != SH_OK)
        return rc;
    s_show (self, &event);
    sp_message_destroy (&event.message);
    sm_http_run (http);
    for (pending_t *one = self->pending, *next; one; one = next) {
        next = one->next;
        s_push (self, one);
    }
    s_push_spooled (self);
    return SH_OK;
}

size_t
sm_door_pending (const sm_door_t *self)
{
    return self->count;
}

void
sm_door_set_refusals (sm_door_t *self, bool as_status)
{
    self->options.refusals_as_status = as_status;
}
